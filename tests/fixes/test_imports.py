"""Imports are reused, extended, added in their place, and removed when nobody reads them any more."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlalchemy_guard.fixes.imports import need, need_module, placed, unused
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.text.edit import Edit, apply_edits


def needed(
    text: str, module: str = "sqlalchemy", name: str = "select", taken: frozenset[str] = frozenset()
) -> tuple[str, str]:
    result = need(Source(text), placed(ast.parse(text).body), module, name, taken=taken, first_party={"app"})
    return result.expression, apply_edits(text, result.edits)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("from sqlalchemy import select\n", "select"),
        ("from sqlalchemy import select as sel\n", "sel"),
        ("import sqlalchemy as sa\n", "sa.select"),
        ("import sqlalchemy\n", "sqlalchemy.select"),
        ("import sqlalchemy.orm\nimport sqlalchemy\n", "sqlalchemy.select"),
    ],
)
def test_what_is_imported_is_reused(text: str, expression: str) -> None:
    assert needed(text) == (expression, text)


def test_a_submodule_is_reused() -> None:
    for text, expression in (
        ("from sqlalchemy import orm\n", "orm.Session"),
        ("import sqlalchemy.orm as o\n", "o.Session"),
        ("import sqlalchemy.orm\n", "sqlalchemy.orm.Session"),
    ):
        assert needed(text, "sqlalchemy.orm", "Session") == (expression, text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from sqlalchemy import Column, func\n", "from sqlalchemy import Column, func, select\n"),
        ("from sqlalchemy import Column, text\n", "from sqlalchemy import Column, select, text\n"),
        ("from sqlalchemy import text, Column\n", "from sqlalchemy import text, Column, select\n"),
        ("from sqlalchemy import (Column, text)\n", "from sqlalchemy import (Column, select, text)\n"),
        (
            "from sqlalchemy import (\n    Column,  # c\n    text,  # t\n)\n",
            "from sqlalchemy import (\n    Column,  # c\n    select,\n    text,  # t\n)\n",
        ),
        (
            "from sqlalchemy import (\r\n    Column,\r\n    func  # f\r\n)\r\n",
            "from sqlalchemy import (\r\n    Column,\r\n    func,  # f\r\n    select,\r\n)\r\n",
        ),
        ("from sqlalchemy import a, \\\n    b\n", "from sqlalchemy import a, \\\n    b, select\n"),
        (
            f"from sqlalchemy import {'x' * 60}  # c\n",
            f"from sqlalchemy import (  # c\n    select,\n    {'x' * 60},\n)\n",
        ),
        ("x = 1\n", "from sqlalchemy import select\n\nx = 1\n"),
        ("def f():\n    pass\n", "from sqlalchemy import select\n\n\ndef f():\n    pass\n"),
        ('"""Doc."""\n\nx = 1\n', '"""Doc."""\n\nfrom sqlalchemy import select\n\nx = 1\n'),
        ('"""Doc."""', '"""Doc."""\n\nfrom sqlalchemy import select\n'),
        ("", "from sqlalchemy import select\n"),
        ("#!/bin/x\n\nx = 1\n", "#!/bin/x\n\nfrom sqlalchemy import select\n\nx = 1\n"),
        ("import os\n\nx = 1\n", "import os\n\nfrom sqlalchemy import select\n\nx = 1\n"),
        (
            "from __future__ import annotations\n\nx = 1\n",
            "from __future__ import annotations\n\nfrom sqlalchemy import select\n\nx = 1\n",
        ),
        (
            "import os\n\nimport flask\nimport yaml\n\nfrom app import x\n",
            "import os\n\nimport flask\nimport yaml\nfrom sqlalchemy import select\n\nfrom app import x\n",
        ),
        ("from app import x\n", "from sqlalchemy import select\n\nfrom app import x\n"),
        (
            "import os\n\nfrom tornado import x\n\ny = 1\n",
            "import os\n\nfrom sqlalchemy import select\nfrom tornado import x\n\ny = 1\n",
        ),
        (
            "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from sqlalchemy import x\n",
            "from typing import TYPE_CHECKING\n\nfrom sqlalchemy import select\n\nif TYPE_CHECKING:\n"
            "    from sqlalchemy import x\n",
        ),
        # A block that has the package already is the place, whatever the blocks behind it are.
        (
            "import flask\nimport sqlalchemy.exc as e\nfrom flask import x\n\nfrom ours import y\n",
            "import flask\nimport sqlalchemy.exc as e\nfrom flask import x\nfrom sqlalchemy import select\n\nfrom ours import y\n",
        ),
        ("from sqlalchemy import *\n", "from sqlalchemy import *\nfrom sqlalchemy import select\n"),
        # A statement for each name, as isort's force_single_line has it.
        (
            "from sqlalchemy import case\nfrom sqlalchemy import Table\n",
            "from sqlalchemy import case\nfrom sqlalchemy import select\nfrom sqlalchemy import Table\n",
        ),
        (
            "from a import b\nfrom a import c\nfrom sqlalchemy import case",
            "from a import b\nfrom a import c\nfrom sqlalchemy import case\nfrom sqlalchemy import select",
        ),
        # What gets another name stands by itself, unless the file has it otherwise.
        (
            "from sqlalchemy import func as f\n",
            "from sqlalchemy import func as f\nfrom sqlalchemy import select\n",
        ),
        (
            "from sqlalchemy import func as f\nfrom sqlalchemy import text\n",
            "from sqlalchemy import func as f\nfrom sqlalchemy import select, text\n",
        ),
        ("from sqlalchemy import func as f, text\n", "from sqlalchemy import func as f, select, text\n"),
    ],
)
def test_what_is_missing_is_added_in_its_place(before: str, after: str) -> None:
    assert needed(before) == ("select", after)


def test_a_name_that_means_something_else_is_not_used() -> None:
    text = "from sqlalchemy import func\n\n\ndef select(): ...\n"
    assert needed(text) == (
        "sa_select",
        text.replace("func\n", "func\nfrom sqlalchemy import select as sa_select\n"),
    )
    assert needed("from sqlalchemy import func\n", taken=frozenset({"select"}))[0] == "sa_select"
    assert needed("import sqlalchemy as sa\n", taken=frozenset({"sa"}))[0] == "select"
    rebound = "from sqlalchemy import select\n\nselect = 1\n"
    assert needed(rebound)[0] == "sa_select"


def test_modules() -> None:
    def module(text: str, name: str, taken: frozenset[str] = frozenset()) -> tuple[str, str]:
        result = need_module(Source(text), placed(ast.parse(text).body), name, taken=taken)
        return result.expression, apply_edits(text, result.edits)

    assert module("import sqlalchemy as sa\n", "sqlalchemy") == ("sa", "import sqlalchemy as sa\n")
    assert module("from sqlalchemy import orm\n", "sqlalchemy.orm")[0] == "orm"
    assert module("import os\n", "datetime") == ("datetime", "import datetime\nimport os\n")
    assert module("import os\n", "datetime", frozenset({"datetime"}))[0] == "datetime_datetime"


def without(text: str, *names: str, edits: tuple[Edit, ...] = (), reexports: bool = False) -> str:
    removed = unused(Source(text), placed(ast.parse(text).body), edits, names, reexports=reexports)
    return apply_edits(text, removed)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from a import x, y\n\ny\n", "from a import y\n\ny\n"),
        ("from a import (\n    x,\n    y,\n)\n\ny\n", "from a import (\n    y,\n)\n\ny\n"),
        ("from a import (x, y)\n\ny\n", "from a import (y)\n\ny\n"),
        ("import os\n\nfrom a import x\n\ny\n", "import os\n\ny\n"),
        ("from a import x\ny\n", "y\n"),
        ("from a import x as z, x\nz\n", "from a import x as z\nz\n"),
    ],
)
def test_unread_names_are_removed(before: str, after: str) -> None:
    assert without(before, "x") == after


@pytest.mark.parametrize(
    "text",
    [
        "from a import x\n\nx\n",
        'from a import x\n\ny: "list[x]" = 1\n',
        'from a import x\n\n__all__ = ["x"]\n',
        "from a import x  # noqa: F401\n",
        "from a import x as x\n",
        "from a import x; import y\n",
        "from a import x  # why\n",
        "from a import (\n    x,  # why\n    y,\n)\n",
    ],
)
def test_names_that_somebody_wants_are_kept(text: str) -> None:
    assert without(text, "x") == text


def test_what_a_package_reexports_is_kept() -> None:
    assert without("from a import x\n", "x", reexports=True) == "from a import x\n"


MEMBERS = ("Column", "func", "or_", "MetaData", "a_rather_long_name_that_fills_the_line", "text as t")


@st.composite
def modules(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(("", '"""Doc."""\n', "# é\n\n", "from __future__ import annotations\n")))
    text += draw(st.sampled_from(("", "\nimport os\n", "\nimport os, sys  # o\n")))
    names = draw(st.lists(st.sampled_from(MEMBERS), min_size=1, max_size=6, unique=True))
    form = draw(st.integers(0, 3))
    if form == 0:
        text += f"\nfrom sqlalchemy import {', '.join(names)}{draw(st.sampled_from(('', '  # c')))}\n"
    elif form == 1:
        text += "\nfrom sqlalchemy import (\n" + "".join(f"    {name},  # {name}\n" for name in names) + ")\n"
    elif form == 2:
        text += (
            "\nfrom sqlalchemy import (" + ", ".join(names) + draw(st.sampled_from((")", ",)", "\n)"))) + "\n"
        )
    return text + draw(st.sampled_from(("", "\nx = 1\n", "\n\ndef f():\n    pass", "x = 1; y = 2\n")))


@settings(max_examples=150, deadline=None)
@given(modules())
def test_any_module_parses_keeps_its_comments_and_gains_one_name(text: str) -> None:
    expression, new = needed(text)

    def names(of: str) -> list[str]:
        nodes = [
            node
            for node in ast.parse(of).body
            if isinstance(node, ast.ImportFrom) and node.module == "sqlalchemy"
        ]
        return sorted(alias.name for node in nodes for alias in node.names)

    def comments(of: str) -> list[str]:
        return sorted(of[token.start : token.end] for token in Source(of).comments(0, len(of)))

    assert expression == "select"
    assert names(new) == sorted([*names(text), "select"])
    assert comments(new) == comments(text)
    assert needed(new) == ("select", new)
    assert names(without(new, "select")) in (names(text), names(new))


def test_a_name_is_added_by_whole_lines_where_every_other_fix_adds_its_own() -> None:
    """Edits of two fixes at one place must touch, so that the second waits for its sorted place in what the first wrote."""
    text = "from sqlalchemy import (\n    Column,\n    text,\n)\n"
    (edit,) = need(Source(text), placed(ast.parse(text).body), "sqlalchemy", "select").edits
    assert edit == Edit(text.index("    text"), text.index("    text"), "    select,\n")
