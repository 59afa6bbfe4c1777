"""Texts that break parsers: nothing raises, and as much as possible is seen."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlalchemy_guard.syntax.syntax import Syntax
from sqlalchemy_guard.text.document import Document
from tests.syntax.trees import check, names, statements

HARD = {
    "empty": "",
    "nul": "x = 1\n\0\ny = 2\n",
    "surrogate": "x = '\ud800'\n",
    "byte order mark": "\ufeffimport a\n",
    "form feed": "a = 1\x0c\n\x0cclass A:\n\tx = 1\n",
    "line separator": "x = '\u2028'\n\u2028\ny = 1\n",
    "carriage returns": "x\r\ny\rz\n",
    "brackets": "(" * 5000,
    "nested": "x = " + "[" * 300 + "]" * 300,
    "unary": "-" * 50_000 + "1",
    "sum": "x = " + "+".join("1" * 20_000),
    "chain": "a" + ".b()" * 20_000,
    "indentation": "".join(" " * depth + "if 1:\n" for depth in range(150)) + " " * 150 + "pass\n",
    "open definitions": "".join("\t" * depth + "def f():\n" for depth in range(60)),
    "long line": "x=1;" * 2_000,
    "unclosed string": '"""' + "x\n" * 3000,
    "backslash": "a = 1 \\",
    "decorator": "@a\n",
    "clause": "else:\n  x\n",
    "mixed": "class A:\n  x=1\n\tdef f(self):\n\t\tpass\n",
}


@pytest.mark.parametrize("name", HARD)
def test_hard_texts(name: str) -> None:
    document = Document.from_text("file:///a.py", HARD[name])
    tree = Syntax(document)
    check(tree)
    for row in range(min(3, len(document.lines))):
        for edit_text, width in (("x", 1), ('"""', 3)):
            document, edit = document.replace(row, 0, row, 0, edit_text)
            tree.update(document, [edit])
            check(tree)
            document, edit = document.replace(row, 0, row, width, "")
            tree.update(document, [edit])
            check(tree)


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text(text: str) -> None:
    check(Syntax(Document.from_text("file:///a.py", text)))


def test_python_2_loses_only_its_own_lines() -> None:
    tree = Syntax(
        Document.from_text("file:///a.py", "import os\nprint 'x'\n\ndef f():\n    print 'y'\n    z = 1\n")
    )
    assert {"f", "z"} <= names(tree)
    assert [problem.line for problem in tree.problems][:1] == [1]


def test_a_file_opened_broken_keeps_its_other_definitions() -> None:
    source = "".join(
        f"class C{n}:\n" + "".join(f"    def m{n}_{m}(self):\n        return {m}\n" for m in range(30))
        for n in range(9)
    )
    broken = source.replace("def m4_7(self)", "def m4_7(self")
    tree = Syntax(Document.from_text("file:///a.py", broken))
    assert names(tree) == names(Syntax(Document.from_text("file:///a.py", source)))
    assert len(tree.problems) == 1


MODERN = {
    "type X = int\nz = 1\n": "X",
    "type Y[T] = list[T]\n": "Y",
    "if x: type A = int\n": "A",
    "def f[T: (int, str) = int](x: T) -> T:\n    return x\n": "f",
    "class C[\n    T,\n    *Ts\n](Base): pass\n": "C",
    "type Z[T = int] = list[T]\n": "Z",
    "async def g[T]():\n    await x\n": "g",
    'x = t"{a} b"\n': "x",
    'x = f"{d["k"]}"\n': "x",
    "x = f\"{'\\n'.join(a)}\"\n": "x",
    'x = f"{\n  a # c\n} b"\n': "x",
    'x = f"{f"{f"{1}"}"}"\n': "x",
}


@pytest.mark.parametrize("source", MODERN)
def test_python_newer_than_this_one(source: str) -> None:
    tree = Syntax(Document.from_text("file:///a.py", source + "after = 1\n"))
    assert tree.problems == []
    assert {MODERN[source], "after"} <= names(tree)
    last = statements(tree.chunks)[-1]
    assert (last.lineno, last.col_offset) == (source.count("\n") + 1, 0)


def test_except_without_parentheses_is_a_tuple() -> None:
    tree = Syntax(Document.from_text("file:///a.py", "try:\n    pass\nexcept A, b.B:\n    pass\n"))
    (statement,) = statements(tree.chunks)
    assert isinstance(statement, ast.Try)
    exceptions = statement.handlers[0].type
    assert isinstance(exceptions, ast.Tuple)
    assert [ast.unparse(element) for element in exceptions.elts] == ["A", "b.B"]
    assert (exceptions.elts[1].lineno, exceptions.elts[1].col_offset) == (3, 10)
