"""The layout equals that of `ruff format`, over generated expressions and forms that real code has."""

from __future__ import annotations

import ast
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sqlalchemy_guard.fixes.layout import expression, reflow
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.text.edit import Edit, apply_edits

RUFF = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff") or "ruff"


def formatted(text: str, line_length: int = 88) -> str:
    arguments = [RUFF, "format", "--isolated", f"--line-length={line_length}", "-"]
    return subprocess.run(
        arguments, input=text, capture_output=True, text=True, check=True, encoding="utf-8"
    ).stdout


NAMES = ("x", "User", "session", "statement", "a_rather_long_name_of_something", "Address.email_address")


def generated(random_: random.Random, depth: int) -> str:
    """The text of an expression as fixes make them: calls, chains, collections, comparisons as arguments."""
    kind = random_.randrange(8) if depth else 7
    if kind < 3:
        inner = [generated(random_, depth - 1) for _ in range(random_.randrange(4))]
        named = [
            f"{name}={generated(random_, depth - 1)}" for name in ("key", "other")[: random_.randrange(3)]
        ]
        return f"{random_.choice(('select', 'session.execute', 'db.session.scalars'))}({', '.join(inner + named)})"
    if kind < 6:
        links = ""
        for _ in range(random_.randrange(1, 4)):
            arguments = ", ".join(generated(random_, depth - 1) for _ in range(random_.randrange(3)))
            links += f".{random_.choice(('where', 'order_by', 'all', 'options'))}({arguments})"
        return f"{random_.choice(('select(User)', 'session', 'query.filter_by(x=1)', '(await session.run(x))'))}{links}"
    if kind == 6:
        items = ", ".join(generated(random_, depth - 1) for _ in range(random_.randrange(1, 4)))
        return f"[{items}]"
    return random_.choice((*NAMES, '"text"', "1", "User.id == 1", "item.name"))


def test_generated_expressions_are_laid_out_as_ruff_does() -> None:
    random_ = random.Random(7)
    lines: list[str] = []
    margin = "    "
    for _ in range(400):
        text = generated(random_, 3)
        if not text.endswith((")", "]")):
            continue
        head = margin + random_.choice(("users = ", "return ", "users: list[User] = ", ""))
        source = Source(head + "0\n")
        lines.append(head + expression(text, source, len(head)) + "\n")
    ours = "def f():\n" + "".join(lines)
    theirs = formatted(ours)
    assert ours == theirs


@pytest.mark.parametrize(
    "text",
    [
        'session.execute(\n    text("""\nselect 1"""),\n    {"x": 1},\n)\n',
        'x = text("""\nselect 1""")\n',
        "x = foo(\n    # lead\n    a,  # trail\n    b,\n    # dangling\n)\n",
        "x = foo(  # head\n    a,\n)\n",
        "x = (\n    session.query(A)\n    # note\n    .filter(x)  # other\n    .all()\n)\n",
        "x = foo(\n    a,\n)\n",
        "for x in (\n    session.scalars(select(User).where(User.id == identifier).order_by(User.id))\n    .unique()\n"
        "    .all()\n):\n    pass\n",
        f'x = foo(\n    "{"a" * 50}"\n    "{"b" * 50}",\n    c,\n)\n',
        'x = {\n    "a": 1,\n    **other,\n}\n',
        "x = (1,)\n",
        "x = foo(*a, b=[i for i in c], **d)\n",
        "x = -y.z(not a)[1:2].b(c)[d, e]\n",
    ],
)
def test_formatted_code_is_a_fixed_point(text: str) -> None:
    assert formatted(text) == text
    source = Source(text)
    statement = ast.parse(text).body[0]
    start = source.start(statement)
    edits = (Edit(start, start, ""),)
    assert apply_edits(text, reflow(source, statement, edits)) == text
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Call | ast.Dict) and "\n)" in text and not text.startswith("x = (\n"):
        at = source.start(value)
        assert expression(source.segment(value), source, at) == source.segment(value)


def changed(text: str, old: str, new: str, line_length: int = 88) -> str:
    source = Source(text, line_length)
    at = text.index(old)
    row = text[:at].count("\n") + 1
    statement = next(
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.stmt)
        and node.lineno <= row <= node.end_lineno
        and not isinstance(node, ast.FunctionDef)
    )
    return apply_edits(text, reflow(source, statement, (Edit(at, at + len(old), new),)))


def test_a_line_that_becomes_too_long_is_broken_at_its_brackets() -> None:
    assert changed("def f():\n    x = g(aaaa, bbbb)\n", "bbbb", "bbbb, cccc", 24) == (
        "def f():\n    x = g(\n        aaaa, bbbb, cccc\n    )\n"
    )


def test_a_chain_that_was_broken_and_fits_now_is_joined_where_the_code_is_formatted() -> None:
    text = "users = (\n    session.query(User)\n    .filter(User.name == 'somebody')\n    .all()\n)\n"
    text = text.replace("'somebody'", '"somebody"')
    long = text.replace("somebody", "somebody" * 6)
    assert (
        changed(long, "somebody" * 6, "x") == 'users = session.query(User).filter(User.name == "x").all()\n'
    )
    # Not as a formatter would have it: left in its own style.
    assert changed(text, "somebody", "x") == text.replace("somebody", "x")


def test_a_chain_keeps_a_line_for_each_link_where_the_code_is_not_formatted() -> None:
    """Whether its lines are joined by backslashes or by parentheses; one link is no chain."""
    wide = 200
    assert _relaid("x = a.b(1) \\\n    .c(2) \\\n    .d(3)\n", "f(g(1).c(2).d(3))", wide) == (
        "x = f(\n    g(1)\n    .c(2)\n    .d(3)\n)\n"
    )
    assert _relaid("x = (a.b(1)\n     .c(2).\n     d(3))\n", "g(1).c(2).d(f(3).g(4).h(5))", wide) == (
        "x = (\n    g(1)\n    .c(2)\n    .d(f(3).g(4).h(5))\n)\n"
    )
    assert (
        _relaid("x = a.b(1) \\\n    .c(2) \\\n    .d(3)\n", "f(g(1).c(2)).d()", wide)
        == "x = f(g(1).c(2)).d()\n"
    )


def test_what_was_broken_in_short_lines_does_not_become_a_long_one() -> None:
    """However long lines may be elsewhere."""
    names = [f"name_{number}" for number in range(12)]
    before = f"x = call({', '.join(names[:6])},\n         {', '.join(names[6:])})\n"
    after = _relaid(before, f"other({', '.join(names)}).first()", 200)
    assert max(map(len, after.splitlines())) <= 88
    single = f"x = call({', '.join(names)})\n"
    assert _relaid(single, f"other({', '.join(names)}).first()", 200).count("\n") == 1


def _relaid(text: str, value: str, columns: int) -> str:
    """A statement after an edit has replaced its value, without the parentheses around it."""
    source = Source(text, columns)
    statement = ast.parse(text).body[0]
    assert isinstance(statement, ast.Assign)
    start, end = source.start(statement.value), source.end(statement.value)
    return apply_edits(text, list(reflow(source, statement, [Edit(start, end, value)])))


def test_tabs_crlf_and_wide_characters_survive() -> None:
    text = "def f():\r\n\tx = g(aaaa, '漢字')\r\n"
    assert (
        changed(text, "'漢字'", "'漢字漢字漢字'", 24)
        == "def f():\r\n\tx = g(\r\n\t\taaaa,\r\n\t\t'漢字漢字漢字',\r\n\t)\r\n"
    )


def test_a_comment_in_an_unknown_place_leaves_the_edits_as_they_are() -> None:
    text = "x = f(a +  # why\n    b)\n"
    assert changed(text, "b", "c") == text.replace("b)", "c)")


def test_two_calls_with_or_between_break_in_their_brackets() -> None:
    chains = (
        "db.session.scalars(select(User){}).first()",
        "db.session.get(User, identifier){}",
        "Session.execute(select(User.id, User.name){}.limit(1)).first()",
    )
    links = ("", ".filter_by(id=user_id)", ".where(User.name == name).order_by(User.id.desc())")
    longer = ".filter_by(name=a_rather_long_name_of_something, other=some_other_rather_long_name)"
    endings = ("abort(404)", 'abort(404, description="gone")', f'abort(404, description="{"long " * 12}")')
    for head in ("    user = ", "    return ", "    "):
        texts = [
            f"{chain.format('' if 'get(' in chain else link)} or {ending}"
            for chain in chains
            for link in (*links, longer)
            for ending in endings
        ]
        lines = [f"{head}{text}\n" for text in texts]
        wanted = formatted("def f():\n" + "".join(lines))
        assert "def f():\n" + "".join(map(_rewritten, [head] * len(texts), texts)) == wanted


def operation(random_: random.Random) -> str:
    """An operation as stands around what fixes rewrite: some operands are long, some end in brackets."""
    operands = (
        "x",
        "1",
        "not_there",
        "f()",
        "len(created)",
        'row["categories"]',
        "(x, y)",
        "[]",
        "[user.name]",
        "{}",
        "not f(x)",
        "(a and b)",
        "await run(x)",
        "session.scalar(select(func.count()).select_from(SettingsGroup))",
        "session.scalars(select(User).where(User.name == name)).unique().all()",
        "(session.execute(select(User.id).where(User.name == name)).first().id)",
        "session.get(User, identifier, options=[selectinload(User.addresses)]).name",
        "some_rather_long_name.of_something.that_goes_on_and_on_for_a_while",
    )
    parts = [random_.choice(operands)]
    for _ in range(random_.choice((1, 1, 1, 2))):
        operator = random_.choice(("==", "==", "!=", "in", "or", "and", "+", "%", "-", "is not"))
        parts += [operator, random_.choice(operands)]
    return " ".join(parts)


MESSAGES = (
    '"gone"',
    '"some words on what is wrong here"',
    "reason",
    'describe("what is wrong", user)',
    "a_rather_long_name_of_something.text",
    'f"{user.name} is not there"',
)


def test_operations_are_laid_out_as_ruff_does() -> None:
    random_ = random.Random(11)
    heads, texts, tails = [], [], []
    for _ in range(2000):
        text = operation(random_)
        head = random_.choice(("    assert ", "    total = ", "    return ", "    if "))
        if random_.random() < 0.2:
            text = f"{text} if {operation(random_)} else {random_.choice(('None', operation(random_)))}"
        tail = ":\n        pass\n" if "if " in head else "\n"
        if "assert" in head and random_.random() < 0.6:
            tail = f", {random_.choice(MESSAGES)}\n"
        try:
            ast.parse(text)
        except SyntaxError:
            continue
        texts.append(text)
        heads.append(head)
        tails.append(tail)
    whole = formatted("def f():\n" + "".join(map("".join, zip(heads, texts, tails, strict=True))))
    rows = whole.splitlines(keepends=True)
    function = ast.parse(whole).body[0]
    assert isinstance(function, ast.FunctionDef)
    theirs = ["".join(rows[node.lineno - 1 : node.end_lineno]) for node in function.body]
    ours = [_rewritten(head, text, tail) for head, text, tail in zip(heads, texts, tails, strict=True)]
    assert ours == theirs


def _rewritten(head: str, text: str, tail: str = "\n") -> str:
    """A statement after an edit has put an expression into it."""
    begin = "def f():\n" + head
    source = Source(f"{begin}x{tail}", 88)
    function = ast.parse(source.text).body[0]
    assert isinstance(function, ast.FunctionDef)
    edits = reflow(source, function.body[0], [Edit(len(begin), len(begin) + 1, text)])
    return apply_edits(source.text, list(edits)).removeprefix("def f():\n")
