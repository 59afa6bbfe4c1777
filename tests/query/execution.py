"""Executes both sides of a rewrite on the SQLAlchemy at hand and compares SQL, values, types and exceptions.

Runs in the tests' own process and, for other versions of SQLAlchemy, in a worker. This module must never rewrite anything.
"""

from __future__ import annotations

import re
import sys
import warnings
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.engine import Engine, Row
from sqlalchemy.orm import Session
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.selectable import Exists, FromClause

from sqlalchemy_guard.facts.query import Consumer
from tests.query import data
from tests.query.data import models
from tests.query.names import NAMES

ITERATES = frozenset((Consumer.ITERATED, Consumer.UNPACKED, Consumer.LISTED, Consumer.ITERATED_AGAIN))
_ENGINES: dict[bool, Engine] = {}


def database(*, empty: bool) -> Engine:
    """The engine with data or without, made once."""
    if empty not in _ENGINES:
        _ENGINES[empty] = data.engine(empty=empty)
    return _ENGINES[empty]


@dataclass
class Outcome:
    """What one side did."""

    value: Any = None
    error: str | None = None
    message: str = ""
    sql: list[tuple[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"  error {self.error}" if self.error else f"  value {self.value!r}"]
        return "\n".join([*lines, *(f"  {sql} {parameters}" for sql, parameters in self.sql)])


def run(code: str, consumer: Consumer, *, empty: bool, names: dict[str, Any] | None = None) -> Outcome:
    """Execute one side on a session of its own, which is rolled back."""
    outcome = Outcome()
    engine = database(empty=empty)

    def seen(_conn: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, _many: bool) -> None:
        outcome.sql.append((normal_sql(sql), parameters))

    event.listen(engine, "before_cursor_execute", seen)
    try:
        with Session(engine) as session, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                loaded = (
                    session.scalars(models.select(models.User)).all()
                    if re.search(r"\b(delete|update)\(", code)
                    else []
                )
                outcome.sql.clear()
                written = (
                    f"select(User.id).where(User.id.in_({code}))" if consumer is Consumer.NESTED else code
                )
                value = eval(written, {**(names or NAMES), "session": session, "s": session})
                if consumer is Consumer.STATEMENT:
                    value = None
                if consumer in ITERATES or hasattr(value, "__next__"):
                    value = list(value)
                if consumer is Consumer.UNPACKED:
                    # By position: names of columns are not seen.
                    value = [list(each) if isinstance(each, Row) else each for each in value]
                outcome.value = normal(value)
                if loaded:
                    outcome.value = (outcome.value, _state(session, loaded))
            except Exception as error:
                outcome.error = type(error).__name__
                outcome.message = str(error)
            session.rollback()
    finally:
        event.remove(engine, "before_cursor_execute", seen)
    return outcome


_QUALIFIED = re.compile(r"\b(\w+)\.(\w+) AS (\w+)")


def _state(session: Session, loaded: list[Any]) -> Any:
    """What the objects of a session and the tables look like after a bulk write."""
    objects = [(each in session, sorted(each.__dict__.keys() - {"_sa_instance_state"})) for each in loaded]
    tables = [
        [tuple(row) for row in session.connection().execute(table.select())]
        for table in models.Base.metadata.sorted_tables
    ]
    return objects, tables


def normal_sql(sql: str) -> str:
    """SQL without the names of labels."""
    sql = _CAST.sub(r"CAST[\1 \2]", re.sub(r"\s+", " ", sql))
    sql = _SAME_LABEL.sub(r".\1", sql)
    renamed = {label: column for _, column, label in _QUALIFIED.findall(sql) if label != column}
    froms = set(re.findall(r"(?:FROM|JOIN|,) \w+ AS (\w+)|\) AS (\w+)", sql))
    kept = {name for pair in froms for name in pair if name}
    sql = re.sub(r" AS (\w+)", lambda match: match[0] if match[1] in kept else "", sql)
    for _ in range(3):  # labels of labels, as deep as subqueries stand in each other
        sql = re.sub(r"\b\w+\b", lambda match: renamed.get(match[0], match[0]), sql)
    sql = _without_lists(sql)
    aliases: dict[str, str] = {}
    return re.sub(
        r"\banon_\d+\b|\b[a-z]+_\d+\b", lambda match: aliases.setdefault(match[0], f"n{len(aliases)}"), sql
    )


_SAME_LABEL = re.compile(r"\.(\w+) AS \1\b")
_CAST = re.compile(r"CAST\(([^()]*) AS ([^()]*)\)")


def _without_lists(sql: str) -> str:
    """SQL with every EXISTS selecting 1: what it selects does not matter."""
    head, found, rest = sql.partition("EXISTS (SELECT ")
    if not found:
        return sql
    depth = 0
    for place, sign in enumerate(rest):
        depth += (sign == "(") - (sign == ")")
        if depth < 0 or (depth == 0 and rest.startswith(" FROM ", place)):
            return f"{head}{found}1{_without_lists(rest[place:])}"
    return sql


def _plain_name(key: str) -> str:
    """The name of a column without the number of a label that nobody gave."""
    return re.sub(r"%\(\d+ (\w+)\)s", r"\1", key)


def normal(value: Any) -> Any:
    """A value that can be compared: what type it is, which rows, what is loaded."""
    if isinstance(value, Row):
        names = [name for name in dict.fromkeys(value._fields) if name.isidentifier()]
        return NamedRow(
            tuple(normal(each) for each in value),
            {name: normal(value._mapping[name]) for name in names},
            value._fields,
        )
    if isinstance(value, FromClause):
        return ("FROM", normal_sql(str(value.select())), tuple(map(_plain_name, value.c.keys())))
    if isinstance(value, Exists):
        # What it selects, and in which order its FROM elements stand, does not matter.
        return ("SQL", "Exists", sorted(re.findall(r"\w+", normal_sql(str(models.select(value))))))
    if isinstance(value, ClauseElement):
        # Inside a SELECT, as it is used: alone an EXISTS would be compiled like a statement of its own.
        sql = normal_sql(str(value if getattr(value, "is_select", False) else models.select(value)))
        if isinstance(value, Exists):
            # 1.4 sorts FROM elements that nothing joins by what is selected.
            sql = " ".join(sorted(re.findall(r"\w+", sql)))
        return ("SQL", type(value).__name__, sql)
    if isinstance(value, list):
        return [normal(each) for each in value]
    if type(value) is tuple:
        return ("tuple", [normal(each) for each in value])
    if type(value) in models.MODELS:
        return entity(value, frozenset())
    return (type(value).__name__, repr(value))


class NamedRow(tuple):
    """A row. Query gives no name to what has none of its own; `select()` does; so names are compared one
    way."""

    def __new__(
        cls, values: tuple[Any, ...], names: dict[str, Any], fields: tuple[str, ...] = ()
    ) -> NamedRow:
        made = super().__new__(cls, values)
        made.names = names
        made.fields = fields
        return made

    def __repr__(self) -> str:
        return f"Row{tuple(self)!r}{list(self.names)}"


def same(old: Any, new: Any) -> bool:
    """Whether a new value can take the place of an old one."""
    if isinstance(old, NamedRow):
        return (
            isinstance(new, NamedRow)
            and len(old) == len(new)
            and all(map(same, old, new))
            and all(new.names.get(name) == value for name, value in old.names.items())
            # Where each column has a name, `_asdict()` and the like show all of them.
            and (
                len(old.fields) < len(old)
                or not all(map(str.isidentifier, old.fields))
                or old.fields == new.fields
            )
        )
    if isinstance(old, list):
        return isinstance(new, list) and len(old) == len(new) and all(map(same, old, new))
    return type(old) is type(new) and old == new


def entity(value: Any, visited: frozenset[Any]) -> Any:
    """An object with what is loaded of it, two levels deep."""
    state = inspect(value)
    key = (type(value).__name__, state.identity)
    if key in visited or len(visited) > 2:
        return key
    loaded = {}
    for relationship in state.mapper.relationships:
        if relationship.key in state.dict:
            other = state.dict[relationship.key]
            if isinstance(other, list):
                loaded[relationship.key] = [entity(each, visited | {key}) for each in other]
            else:
                loaded[relationship.key] = entity(other, visited | {key}) if other is not None else None
    columns = tuple(sorted(name for name in state.dict if name in state.mapper.column_attrs))
    return (*key, columns, tuple(sorted(loaded.items(), key=lambda item: item[0])))


def _same_sql(code: str, old: Outcome, new: Outcome) -> bool:
    """Whether both sides sent the same. A count may do without its subquery, an EXISTS has another SELECT
    list."""
    if ".count(" in code:
        return len(old.sql) == len(new.sql)
    if ".exists(" in code:
        return [sorted(re.findall(r"\w+", sql)) for sql, _ in old.sql] == [
            sorted(re.findall(r"\w+", sql)) for sql, _ in new.sql
        ]
    return old.sql == new.sql


ALWAYS = frozenset(
    (
        *(
            "InvalidRequestError",
            "ArgumentError",
            "AttributeError",
            "OperationalError",
            "NotImplementedError",
        ),
        *("CompileError", "NoSuchColumnError"),
    )
)
"""Errors of code that never worked: which of them it is does not matter."""


_ABSENT = re.compile(r"unknown arguments|unexpected keyword argument|'Query' object has no attribute")
"""Says that this version of SQLAlchemy does not have what the old side asks for."""


def difference(old_code: str, new_code: str, consumer: Consumer = Consumer.UNKNOWN) -> str | None:
    """How two expressions differ, on data and on empty tables; None when they do not."""
    for empty in (False, True):
        old, new = (run(code, consumer, empty=empty) for code in (old_code, new_code))
        if old.error and new.error and (old.error == new.error or old.error in ALWAYS):
            continue
        if _ABSENT.search(old.message):
            continue
        if not same(old.value, new.value) or old.error != new.error or not _same_sql(old_code, old, new):
            return f"{old_code}\n{old}\n{new_code}\n{new}"
    return None


def difference_of_programs(before: dict[str, str], after: dict[str, str]) -> str | None:
    """How two programs differ, whichever way their conditions go, on data and on empty tables.

    Args:
        before: Texts of modules by file name; `run(session, flag)` of the last one is called.
        after: The same modules, rewritten.
    """
    for flag in (True, False):
        for empty in (False, True):
            old, new = (_executed(files, flag=flag, empty=empty) for files in (before, after))
            assert empty or old.error is None, f"the program does not work: {old}"
            if not same(old.value, new.value) or old.error != new.error or len(old.sql) != len(new.sql):
                return "\n".join((*before.values(), str(old), *after.values(), str(new)))
    return None


def _executed(files: dict[str, str], *, flag: bool, empty: bool) -> Outcome:
    names = {path: path.removesuffix(".py") for path in files}
    modules = {"models": models, **{name: ModuleType(name) for name in names.values()}}
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        for path, text in files.items():
            exec(compile(text, path, "exec"), modules[names[path]].__dict__)
        program = {"program": modules[names[list(files)[-1]]], "flag": flag}
        return run("program.run(session, flag)", Consumer.UNKNOWN, empty=empty, names=program)
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
