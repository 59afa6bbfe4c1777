"""The evaluator: what it knows of a module, and that it says so where it knows nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sqlalchemy_guard.sql.evaluator import Evaluator
from sqlalchemy_guard.sql.values import MISSING, Host, Opaque, Spread
from tests.support.fixture import Project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy_guard.sql.program import Module

Make = "Callable[..., Module]"


@pytest.fixture
def module(tmp_path: Path) -> Callable[..., Module]:
    def make(text: str, *, hosts: dict[str, Any] | None = None, **others: str) -> Module:
        files = {"main.py": text} | {f"{name}.py": source for name, source in others.items()}
        project = Project(tmp_path, files)
        evaluator = Evaluator(project.workspace)
        evaluator.hosts.update(hosts or {})
        found = evaluator.program.module(project.report("main.py").file_id)
        assert found is not None
        found.evaluator = evaluator  # type: ignore[attr-defined]
        return found

    return make


def run(module: Any, name: str, *args: Any) -> Any:
    return module.evaluator.run(module.get(name), list(args))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("'a' + 'b'.upper()", "aB"),
        ("f'{prefix}_{1}'", "app_1"),
        ("'%s.%s' % (prefix, 'x')", "app.x"),
        ("'{}-{n}'.format('a', n=1)", "a-1"),
        ("[x * 2 for x in range(4) if x % 2]", [2, 6]),
        ("{k: len(v) for k, v in {'a': 'xyz'}.items()}", {"a": 3}),
        ("prefix if prefix else None", "app"),
        ("(lambda x, *y, z=3, **w: (x, y, z, w))(1, 2, q=4)", (1, (2,), 3, {"q": 4})),
        ("sorted(['b', 'a'], reverse=True)[0]", "b"),
        ("isinstance('a', (int, str))", True),
        ("'a' in {'a': 1} and not [] or None", True),
        ("[*range(2), *'ab']", [0, 1, "a", "b"]),
        ("{**{'a': 1}, 'b': 2} | {'c': 3}", {"a": 1, "b": 2, "c": 3}),
        ("Color.red.value", "r"),
        ("[c.name for c in Color]", ["red", "blue"]),
        ("Color('b').name", "blue"),
        ("Point(1, y=2).total()", 3),
        ("Child().label", "child of base"),
        ("re.sub(r'(?<!^)(?=[A-Z])', '_', 'CamelCase').lower()", "camel_case"),
        ("helper(5)", 120),
        ("next(x for x in (1, 2) if x > 1)", 2),
        ("list(generated(3))", [0, 1, 2]),
        ("caught()", "KeyError"),
        ("decorated(1)", 3),
        ("matched('a'), matched(7)", ("first", "int")),
        ("getattr(Child, 'kind', 'none'), getattr(Child, 'nothing', 'none')", ("child", "none")),
        ("accumulated", [1, 2, 3]),
        ("first, rest", (1, [2, 3])),
        ("walrus", 10),
        ("chosen", "else"),
    ],
)
def test_known_values(module: Callable[..., Module], expression: str, value: object) -> None:
    text = """
import enum, re

prefix = "app"
accumulated = [1]
accumulated.append(2)
accumulated += [3]
first, *rest = [1, 2, 3]
walrus = (n := 5) * 2
if prefix == "other":
    chosen = "if"
else:
    chosen = "else"

class Color(enum.Enum):
    red = "r"
    blue = "b"

class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y
    def total(self):
        return self.x + self.y

class Base:
    kind = "base"
    @property
    def label(self):
        return self.kind
class Child(Base):
    kind = "child"
    @property
    def label(self):
        return super().kind and f"{self.kind} of {Base.kind}"

def helper(n):
    return 1 if n < 2 else n * helper(n - 1)

def generated(n):
    i = 0
    while i < n:
        yield i
        i += 1

def caught():
    try:
        return {}["x"]
    except (ValueError, KeyError) as error:
        return "KeyError"

def twice(f):
    def inner(x):
        return f(x) * 2 + 1
    return inner

@twice
def decorated(x):
    return x

def matched(x):
    match x:
        case "a" | "b":
            return "first"
        case int():
            return "int"
"""
    assert module(f"{text}\nresult = {expression}\n").get("result") == value


def test_unknown_values_keep_the_name_of_the_source(module: Callable[..., Module]) -> None:
    found = module("import settings\nimport somewhere\nresult = somewhere.Config().url\nother = unbound")
    assert isinstance(found.get("result"), Opaque)
    assert found.get("result").name == "somewhere.Config().url"
    assert found.get("other").name == "unbound"
    assert found.get("nothing") is MISSING


def test_both_branches_of_an_unknown_condition_are_joined(module: Callable[..., Module]) -> None:
    found = module(
        """
def f(flag):
    same = differs = 1
    if flag:
        differs = 2
        only = 3
    return same, differs, only

def g(flag):
    if flag:
        return 1
    return 2

def h(flag):
    if flag:
        raise ValueError
    return 2

def listed(flag):
    items = [1]
    if flag:
        items.append(2)
    return len(items), [*items]
"""
    )
    same, differs, only = run(found, "f")
    assert same == 1
    assert isinstance(differs, Opaque)
    assert only == 3
    assert isinstance(run(found, "g"), Opaque)
    assert run(found, "h") == 2
    length, items = run(found, "listed")
    assert isinstance(length, Opaque)
    assert [type(item) for item in items] == [Spread]


class Recorder(Host):
    """Remembers what it is told, and whether that was sure."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.evaluator: Any = None
        self.entered = 0

    def add(self, *args: Any, **keywords: Any) -> None:
        self.calls.append((*args, *keywords.items(), list(self.evaluator.uncertain)))

    def has(self, name: str) -> bool:
        return name == "there"

    def block(self, name: str) -> Recorder:
        return self

    def enter(self) -> Recorder:
        self.entered += 1
        return self

    def leave(self) -> None:
        self.entered -= 1


def test_a_host_is_told_in_the_order_of_the_program(module: Callable[..., Module]) -> None:
    recorder = Recorder()
    found = module(
        """
from alembic import op
from tools import helper

TABLE = "users"

def upgrade(unknown):
    with op.block(TABLE) as block:
        block.add(1)
    if op.has("there"):
        op.add(2, key="v")
    if op.has("missing"):
        op.add("never")
    for name in ("a", "b"):
        helper(name)
    if unknown:
        op.add(3)
    for row in unknown.rows:
        op.add(row)
    if unknown.stop:
        return
    op.add(4)
""",
        tools="from alembic import op\ndef helper(name):\n    op.add(name)\n",
        hosts={"alembic.op": recorder},
    )
    recorder.evaluator = found.evaluator  # type: ignore[attr-defined]
    run(found, "upgrade")
    sure = [call[:-1] for call in recorder.calls if not call[-1]]
    assert sure == [(1,), (2, ("key", "v")), ("a",), ("b",)]
    unsure = [
        (call[0] if not isinstance(call[0], Opaque) else call[0].name, call[-1])
        for call in recorder.calls
        if call[-1]
    ]
    assert unsure == [(3, ["unknown"]), ("row", ["unknown.rows"]), (4, ["unknown.stop"])]
    assert recorder.entered == 0


def test_a_condition_may_be_settled_from_outside(module: Callable[..., Module]) -> None:
    found = module("def f(flag):\n    if flag:\n        return 1\n    return 2\n")
    found.evaluator.decide = lambda condition: condition.name == "flag"  # type: ignore[attr-defined]
    assert run(found, "f") == 1


def test_tables_are_real(module: Callable[..., Module]) -> None:
    found = module(
        """
import sqlalchemy as sa
from sqlalchemy import Column, Integer, MetaData, String, Table
from conventions import CONVENTION, named
from somewhere import LENGTH, make_default

metadata = MetaData(naming_convention=CONVENTION)
users = Table(
    named("user"),
    metadata,
    Column("id", Integer, primary_key=True),
    *[Column(name, String(20), nullable=False) for name in ("first", "last")],
    Column("bio", String(LENGTH)),
    Column("made", sa.DateTime, default=make_default, server_default=sa.func.now()),
    sa.UniqueConstraint("first", "last"),
)
""",
        conventions='CONVENTION = {"uq": "uq_%(table_name)s_%(column_0_name)s"}\ndef named(name):\n    return name + "s"\n',
    )
    users = found.get("users")
    assert users.name == "users"
    assert [(column.name, column.nullable) for column in users.columns] == [
        ("id", False),
        ("first", False),
        ("last", False),
        ("bio", True),
        ("made", True),
    ]
    assert type(users.c.bio.type).__name__ == "UnknownType"
    assert users.c.made.default is not None
    assert [str(one.name) for one in users.constraints if one.name] == ["uq_users_first"]


def test_statements_have_parameters_for_what_is_unknown(module: Callable[..., Module]) -> None:
    found = module(
        """
from sqlalchemy import Column, Integer, MetaData, String, Table, func, select

users = Table("users", MetaData(), Column("id", Integer), Column("name", String))

def query(user_id, names, *filters):
    return (
        select(users.c.id, func.lower(users.c.name).label("low"))
        .where(users.c.id == user_id, users.c.name.in_(names))
        .where(*filters)
        .limit(10)
    )

def of(table):
    return select(table)
"""
    )
    statement = run(found, "query", Opaque("user_id"), Opaque("names"), Spread("filters"))
    text = " ".join(str(statement).split())
    assert text == (
        "SELECT users.id, lower(users.name) AS low FROM users "
        "WHERE users.id = :user_id_1 AND users.name IN (__[POSTCOMPILE_names_1]) LIMIT :param_1"
    )
    assert found.evaluator.marks_of(statement) == {"*filters"}  # type: ignore[attr-defined]
    assert isinstance(run(found, "of"), Opaque)


def test_what_was_read_is_recorded(module: Callable[..., Module]) -> None:
    found = module("from other import a\nb = a + 1\nc = 3\n", other="a = 1\nunread = 2\n")
    assert found.get("b") == 2
    read = {(path.rpartition("/")[2], name) for path, name in found.evaluator.program.read}  # type: ignore[attr-defined]
    assert {("main.py", "b"), ("main.py", "a"), ("other.py", "a")} <= read
    assert not {("main.py", "c"), ("other.py", "unread")} & read


def test_cycles_end(module: Callable[..., Module]) -> None:
    found = module("from other import b\na = b\nx = x + 1\n", other="from main import a\nb = a\n")
    assert isinstance(found.get("a"), Opaque)
    assert isinstance(found.get("x"), Opaque)


def test_poll_ends_everything(module: Callable[..., Module]) -> None:
    class Stop(Exception):
        pass

    def poll() -> None:
        raise Stop

    found = module(
        """
def f():
    try:
        while True:
            x = 1
    except Exception:
        return 1
    finally:
        x = 2
"""
    )
    evaluator = found.evaluator  # type: ignore[attr-defined]
    evaluator.budget._poll = poll
    with pytest.raises(Stop):
        run(found, "f")
