"""Arguments are added, replaced and removed in the call's own style."""

from __future__ import annotations

import ast
from collections import Counter
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlalchemy_guard.fixes.arguments import (
    add_keyword,
    insert_positional,
    remove_argument,
    replace_argument,
    replace_value,
)
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.text.edit import apply_edits


def call_of(text: str) -> ast.Call:
    return next(node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))


def added(text: str, line_length: int | None = None) -> str:
    source = Source(text, line_length or 88)
    statement = ast.parse(text).body[0] if line_length else None
    return apply_edits(text, add_keyword(source, call_of(text), "k", "1", statement=statement))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("f()\n", "f(k=1)\n"),
        ("f(a)\n", "f(a, k=1)\n"),
        ("f(a,)\n", "f(a, k=1,)\n"),
        ("f(a, **kw)\n", "f(a, k=1, **kw)\n"),
        ("f(**kw)\n", "f(k=1, **kw)\n"),
        ("f(*a)\n", "f(*a, k=1)\n"),
        ("f((a))\n", "f((a), k=1)\n"),
        ("(f)((a), b=(c))\n", "(f)((a), b=(c), k=1)\n"),
        ("f(x for x in y)\n", "f((x for x in y), k=1)\n"),
        ("f((x for x in y))\n", "f((x for x in y), k=1)\n"),
        ("é('日本', 'é')\n", "é('日本', 'é', k=1)\n"),
        ("f(\n    a,\n    b,  # b\n)\n", "f(\n    a,\n    b,  # b\n    k=1,\n)\n"),
        ("f(\n    a,\n    b  # b\n)\n", "f(\n    a,\n    b,  # b\n    k=1,\n)\n"),
        ("f(\n    a\n)\n", "f(\n    a,\n    k=1,\n)\n"),
        ("f(\n    a, b\n)\n", "f(\n    a, b, k=1\n)\n"),
        ("f(\n    a,\n    **kw,\n)\n", "f(\n    a,\n    k=1,\n    **kw,\n)\n"),
        ("f(  # none\n)\n", "f(  # none\n    k=1,\n)\n"),
        ("f(a,\n  b)\n", "f(a,\n  b, k=1)\n"),
        ("f(\r\n\ta,\r\n)\r\n", "f(\r\n\ta,\r\n\tk=1,\r\n)\r\n"),
    ],
)
def test_add_keyword(before: str, after: str) -> None:
    assert added(before) == after


def test_a_line_that_becomes_too_long_is_laid_out() -> None:
    assert added("x = f(aaaa, bbbb)\n", 20) == "x = f(\n    aaaa, bbbb, k=1\n)\n"
    assert added("x = f(aaaaaa, bbbbbb)\n", 21) == "x = f(\n    aaaaaa,\n    bbbbbb,\n    k=1,\n)\n"


@pytest.mark.parametrize(
    ("before", "index", "after"),
    [
        ("f()\n", 0, "f(n)\n"),
        ("f(a, b)\n", 0, "f(n, a, b)\n"),
        ("f(a, b)\n", 1, "f(a, n, b)\n"),
        ("f(a, b)\n", 2, "f(a, b, n)\n"),
        ("f(a, k=1)\n", 1, "f(a, n, k=1)\n"),
        ("f(\n    a,  # a\n    k=1,\n)\n", 1, "f(\n    a,  # a\n    n,\n    k=1,\n)\n"),
        ("f(x for x in y)\n", 0, "f(n, (x for x in y))\n"),
    ],
)
def test_insert_positional(before: str, index: int, after: str) -> None:
    assert apply_edits(before, insert_positional(Source(before), call_of(before), index, "n")) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("f(k=1)\n", "f()\n"),
        ("f(k=1,)\n", "f()\n"),
        ("f(a, k=1)\n", "f(a)\n"),
        ("f(a, k=1,)\n", "f(a,)\n"),
        ("f(k=1, **kw)\n", "f(**kw)\n"),
        ("f(\n    a,\n    k=1,\n    b=2,\n)\n", "f(\n    a,\n    b=2,\n)\n"),
        ("f(\n    a,\n    k=1,  # k\n)\n", "f(\n    a,\n    # k\n)\n"),
        ("f(a,  # a\n  k=1)\n", "f(a,  # a\n  )\n"),
    ],
)
def test_remove_argument(before: str, after: str) -> None:
    call = call_of(before)
    keyword = next(keyword for keyword in call.keywords if keyword.arg == "k")
    assert apply_edits(before, remove_argument(Source(before), call, keyword)) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [("f(k=1)\n", "f(k=2)\n"), ("f(k=(1), b=3)\n", "f(k=2, b=3)\n"), ("f(k=(1)(3))\n", "f(k=2)\n")],
)
def test_replace_value_and_argument(before: str, after: str) -> None:
    call = next(node for node in ast.walk(ast.parse(before)) if isinstance(node, ast.Call) and node.keywords)
    source = Source(before)
    assert apply_edits(before, replace_value(source, call.keywords[0], "2")) == after
    renamed = apply_edits(before, replace_argument(source, call, call.keywords[0], "j=2"))
    assert renamed == after.replace("k=", "j=")


T = TypeVar("T")

ITEMS = ("a", "(b)", "*c", "'日本'", "g(1, x=(2))", "[i for i in j]", '"""s\n"""')
KEYWORDS = ("p=1", "q=(2)", "r={'a': 1}", "s=lambda x, y: x")
GAPS = (" ", "", "\n    ", "  # note\n    ", "\n    # own\n    ")


@st.composite
def calls(draw: st.DrawFn) -> str:
    items = draw(st.lists(st.sampled_from(ITEMS), max_size=3))
    items += draw(st.lists(st.sampled_from(KEYWORDS), max_size=3, unique=True))
    items += draw(st.lists(st.just("**kw"), max_size=1))
    text = "é.f("
    for index, item in enumerate(items):
        text += draw(st.sampled_from(GAPS)) + item + draw(st.sampled_from(GAPS))
        text += "," if index + 1 < len(items) else draw(st.sampled_from(("", ",")))
    return f"x = {text}{draw(st.sampled_from(GAPS))})\n"


def comments(text: str) -> Counter[str]:
    source = Source(text)
    return Counter(text[token.start : token.end].strip() for token in source.comments(0, len(text)))


@settings(max_examples=150, deadline=None)
@given(calls(), st.booleans(), st.integers(0, 3))
def test_any_call_keeps_its_meaning_and_its_comments(text: str, laid_out: bool, index: int) -> None:
    tree = ast.parse(text)
    statement = tree.body[0]
    assert isinstance(statement, ast.Assign)
    call = statement.value
    assert isinstance(call, ast.Call)
    source = Source(text, 30)
    around = statement if laid_out else None

    more = apply_edits(text, add_keyword(source, call, "new", "1", statement=around))
    keyword = ast.keyword("new", ast.Constant(1))
    at = len(call.keywords) - any(known.arg is None for known in call.keywords)
    assert ast.dump(value_of(more)) == ast.dump(
        ast.Call(call.func, call.args, inserted(call.keywords, at, keyword))
    )
    assert comments(more) == comments(text)

    index = min(index, len(call.args))
    more = apply_edits(text, insert_positional(source, call, index, "new", statement=around))
    name = ast.Name("new", ast.Load())
    assert ast.dump(value_of(more)) == ast.dump(
        ast.Call(call.func, inserted(call.args, index, name), call.keywords)
    )
    assert comments(more) == comments(text)

    for argument in [*call.args, *call.keywords]:
        less = apply_edits(text, remove_argument(source, call, argument, statement=around))
        expected = ast.Call(
            call.func,
            [known for known in call.args if known is not argument],
            [known for known in call.keywords if known is not argument],
        )
        assert ast.dump(value_of(less)) == ast.dump(expected)
        assert comments(less) == comments(text)


def inserted(items: list[T], at: int, item: T) -> list[T]:
    return [*items[:at], item, *items[at:]]


def value_of(text: str) -> ast.expr:
    [statement] = ast.parse(text).body
    assert isinstance(statement, ast.Assign)
    return statement.value
