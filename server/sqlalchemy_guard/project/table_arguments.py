"""What stands behind a table's name as facts: constraints, indexes, schema and options, in a `Table(…)` or in `__table_args__`.

This module must never look for tables or columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, ClassName, Const, Mapping, Ref, Sequence, Value
from sqlalchemy_guard.project.types import Literal
from sqlalchemy_guard.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_KINDS = {
    "sqlalchemy.Index": ("index", 1),
    "sqlalchemy.UniqueConstraint": ("unique", 0),
    "sqlalchemy.PrimaryKeyConstraint": ("primary key", 0),
}
"""What names columns, and where these begin among the arguments."""


@dataclass(slots=True, eq=False)
class Constraint:
    """An index or constraint.

    Attributes:
        kind: `index`, `unique`, `primary key` or `foreign key`.
        columns: The columns by what they are called there, in order; None in the place of an expression.
        targets: What a foreign key refers to, `"table.column"` each.
        unique: Whether an index is unique.
        partial: Whether an index holds only some rows.
        call: The call.
        file: The file that it stands in.
        is_readable: Whether all columns could be read.
    """

    kind: str
    columns: tuple[str | None, ...]
    targets: tuple[str, ...]
    unique: bool
    partial: bool
    call: Call
    file: SourceFile
    is_readable: bool


@dataclass(slots=True, eq=False)
class TableArguments:
    """What a table is told besides its name and columns.

    Attributes:
        constraints: Indexes and constraints.
        schema: The schema that it says, None when it says none.
        extends: Whether it may meet a table that is there already (`extend_existing`, `keep_existing`, reflected).
        is_reflected: Whether columns may come from the database.
        is_readable: Whether nothing is hidden.
    """

    constraints: list[Constraint] = field(default_factory=list)
    schema: str | None = None
    extends: bool = False
    is_reflected: bool = False
    is_readable: bool = True


def read_class_arguments(resolver: Resolver, value: Value | None, file: SourceFile) -> TableArguments:
    """What `__table_args__` says."""
    found = TableArguments()
    value, file = resolver.definition_of(value, file) if value is not None else (None, file)
    if type(value) is Mapping:
        _options(resolver, _entries(value, found), file, found)
        return found
    if type(value) is not Sequence:
        found.is_readable = value is None or (type(value) is Const and value.value is None)
        return found
    for item in value.items:
        if type(item) is Mapping:
            _options(resolver, _entries(item, found), file, found)
        else:
            _item(resolver, item, file, found)
    return found


def read_table_arguments(
    resolver: Resolver, items: Iterable[Value], keywords: Iterable[tuple[str | None, Value]], file: SourceFile
) -> TableArguments:
    """What a `Table(…)` says behind its name and metadata, columns left out."""
    found = TableArguments()
    for item in items:
        _item(resolver, item, file, found)
    _options(resolver, keywords, file, found)
    return found


def _entries(value: Mapping, found: TableArguments) -> list[tuple[str | None, Value]]:
    entries: list[tuple[str | None, Value]] = []
    for key, item in value.entries:
        text = key.value if type(key) is Const and isinstance(key.value, str) else None
        entries.append((text, item))
    return entries


def _options(
    resolver: Resolver, entries: Iterable[tuple[str | None, Value]], file: SourceFile, found: TableArguments
) -> None:
    for name, value in entries:
        if name is None:
            found.is_readable = False
        elif name == "schema":
            said = resolver.type_of(value, file)
            if isinstance(said, Literal) and isinstance(said.value, str | None):
                found.schema = said.value
            else:
                found.is_readable = False
        elif name in ("extend_existing", "keep_existing"):
            found.extends = found.extends or not (type(value) is Const and not value.value)
        elif name in ("autoload", "autoload_with", "autoload_replace"):
            found.is_reflected = found.extends = True


def _item(resolver: Resolver, item: Value, file: SourceFile, found: TableArguments) -> None:
    if type(item) is not Call:
        found.is_readable = False
        return
    constraint = read_constraint(resolver, item, file)
    if constraint is not None:
        found.constraints.append(constraint)
    elif not (resolver.external_name(item.func, file) or "").startswith("sqlalchemy."):
        # What an application makes itself may be anything, an index too.
        found.is_readable = False


def read_constraint(resolver: Resolver, call: Call, file: SourceFile) -> Constraint | None:
    """The index or constraint that a call makes, None when it makes another thing."""
    name = resolver.external_name(call.func, file) or ""
    if name == "sqlalchemy.ForeignKeyConstraint":
        here = call.args[0] if call.args else call.keyword("columns")
        there = call.args[1] if len(call.args) > 1 else call.keyword("refcolumns")
        columns = tuple(column_name(item) for item in _items(here))
        targets = tuple(text for item in _items(there) if (text := column_name(item)) is not None)
        readable = bool(columns) and None not in columns and len(columns) == len(targets)
        return Constraint("foreign key", columns, targets, False, False, call, file, readable)
    if name not in _KINDS:
        return None
    kind, start = _KINDS[name]
    columns = tuple(column_name(item) for item in call.args[start:])
    unique = call.keyword("unique")
    is_unique = kind != "index" or (type(unique) is Const and unique.value is True)
    partial = any(key is not None and key.endswith("_where") for key, _ in call.keywords)
    readable = None not in columns and not call.has_mapping
    return Constraint(kind, columns, (), is_unique, partial, call, file, readable)


def _items(value: Value | None) -> tuple[Value, ...]:
    return value.items if type(value) is Sequence else ()


def column_name(value: Value) -> str | None:
    """What a column is called among the arguments of an index or constraint: a string, or a name in the class's body."""
    if type(value) is Const:
        return value.value if isinstance(value.value, str) else None
    if type(value) in (ClassName, Ref):
        return value.name  # type: ignore[attr-defined, no-any-return]
    if type(value) is Attr:
        return value.name
    if (
        type(value) is Call
        and type(value.func) is Attr
        and value.func.name in ("desc", "asc", "nullslast", "nullsfirst")
    ):
        return column_name(value.func.base)
    return None
