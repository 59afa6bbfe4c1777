"""What the call says that makes a column: `Column(…)`, `mapped_column(…)`, SQLModel's `Field(…)`, wherever it stands.

What cannot be read is None, never a guess. This module must never look at the class or table that the column belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Item, Sequence, Star, Value
from sqlalchemy_guard.project.types import ClassType, FunctionType, Instance, Literal, known, options
from sqlalchemy_guard.records import dataclass, replace

if TYPE_CHECKING:
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

COLUMN_CALLS = {
    "sqlalchemy.Column": "Column",
    "sqlalchemy.orm.mapped_column": "mapped_column",
    "sqlmodel.Field": "Field",
}
"""What makes a column, by canonical name."""

_WRAPPERS = frozenset({"sqlalchemy.orm.deferred", "sqlalchemy.orm.column_property"})
_ITEMS = frozenset(
    f"sqlalchemy.{name}"
    for name in (
        "ForeignKey", "Sequence", "Identity", "Computed", "CheckConstraint", "FetchedValue", "DefaultClause",
        "ColumnDefault",
    )
)  # fmt: skip
"""What may stand among a column's positional arguments and is no type."""


@dataclass(slots=True, eq=False)
class KeyTarget:
    """What a foreign key refers to.

    Attributes:
        text: `"table.column"` as it is written, None when the target is no string that can be read.
        value: The target, an attribute of a class or a column of a table perhaps.
        call: The `ForeignKey(…)`, or SQLModel's `Field(foreign_key=…)`.
    """

    text: str | None
    value: Value | None
    call: Call


@dataclass(slots=True, eq=False)
class ColumnCall:
    """A call that makes a column.

    Attributes:
        kind: `Column`, `mapped_column` or `Field`.
        call: The call.
        file: The file that the call belongs to.
        database_name: The name that it gives in the table; the empty string when it gives none, None when it cannot be read.
        type: The SQL type as it is written, None when none is written.
        foreign_keys: What its `ForeignKey`s refer to.
        items: Canonical names of the other positional arguments (`sqlalchemy.Identity`, …).
        is_readable: Whether nothing is hidden in `*arguments`, `**mappings`, or in the parameters of a function that makes it.
    """

    kind: str
    call: Call
    file: SourceFile
    database_name: str | None
    type: Value | None
    foreign_keys: tuple[KeyTarget, ...]
    items: tuple[str, ...]
    is_readable: bool

    def keyword(self, name: str) -> Value | None:
        """The value of a keyword argument written out."""
        return self.call.keyword(name)

    def flag(self, name: str) -> bool | None:
        """A keyword that says True or False; None when it is absent or says something else."""
        return flag(self.call, name)


def flag(call: Call, name: str) -> bool | None:
    """A keyword of a call that says True or False; None when it is absent or says something else."""
    value = call.keyword(name)
    return value.value if type(value) is Const and isinstance(value.value, bool) else None


def read_column(resolver: Resolver, call: Call, file: SourceFile) -> ColumnCall | None:
    """The column that a call itself makes, None when it calls something else."""
    kind = COLUMN_CALLS.get(resolver.external_name(call.func, file) or "")
    if kind is None:
        return None
    readable = not call.has_mapping and not any(type(arg) is Star for arg in call.args)
    database_name: str | None = ""
    arguments = list(call.args) if kind != "Field" else []
    if arguments:
        first = resolver.type_of(arguments[0], file)
        if isinstance(first, Literal) and (first.value is None or isinstance(first.value, str)):
            database_name = first.value if isinstance(first.value, str) else ""
            arguments = arguments[1:]
    named = call.keyword("name")
    if named is not None:
        said = resolver.type_of(named, file)
        database_name = said.value if isinstance(said, Literal) and isinstance(said.value, str) else None
    type_ = call.keyword("type_" if kind != "Field" else "sa_type")
    keys: list[KeyTarget] = []
    items: list[str] = []
    for value in arguments:
        item = resolver.external_name(value.func if type(value) is Call else value, file) or ""
        if item == "sqlalchemy.ForeignKey" and type(value) is Call:
            keys.append(_target(resolver, value, file))
        elif item in _ITEMS:
            items.append(item)
        elif type_ is None and type(value) is not Star:
            type_ = value
    if kind == "Field":
        key = call.keyword("foreign_key")
        if type(key) is Const and isinstance(key.value, str):
            keys.append(KeyTarget(key.value, key, call))
    return ColumnCall(kind, call, file, database_name, type_, tuple(keys), tuple(items), readable)


def _target(resolver: Resolver, call: Call, file: SourceFile) -> KeyTarget:
    target = call.args[0] if call.args else call.keyword("column")
    said = resolver.type_of(target, file) if target is not None else None
    text = said.value if isinstance(said, Literal) and isinstance(said.value, str) else None
    return KeyTarget(text, target, call)


def column_made_by(
    resolver: Resolver, value: Value | None, file: SourceFile, depth: int = 0
) -> ColumnCall | None:
    """The column that an expression makes: by itself, inside `deferred(…)` or `Field(sa_column=…)`, or in a function it calls.

    What a function makes of its parameters is not readable.
    """
    if type(value) is not Call or depth > 3:
        return None
    found = read_column(resolver, value, file)
    if found is not None:
        if found.kind == "Field":
            return column_made_by(resolver, found.keyword("sa_column"), file, depth + 1) or found
        return found
    if (resolver.external_name(value.func, file) or "") in _WRAPPERS and value.args:
        return column_made_by(resolver, value.args[0], file, depth + 1)
    for option in known(resolver.type_of(value.func, file)):
        if isinstance(option, FunctionType):
            source = resolver.sources.file(option.file_id)
            function = source.facts.function(option.qualname) if source is not None else None
            if function is None or source is None:
                return None
            resolver.keys.add((option.file_id, option.qualname))
            made = column_made_by(resolver, function.returned, source, depth + 1)
            if made is None or not (value.args or value.keywords):
                return made
            return replace(made, is_readable=False)
    return None


def makes_column(resolver: Resolver, value: Value | None, file: SourceFile) -> bool:
    """Whether an expression gives a column, though perhaps one that cannot be read."""
    return value is not None and any(
        isinstance(option, Instance)
        and (
            option.ref in ("sqlalchemy.Column", "sqlalchemy.orm.MappedColumn")
            or (
                isinstance(option.ref, tuple)
                and "sqlalchemy.Column" in resolver.ancestors(ClassType(option.ref))
            )
        )
        for option in options(resolver.type_of(value, file))
    )


def annotated_column(resolver: Resolver, annotation: Value | None, file: SourceFile) -> ColumnCall | None:
    """The `mapped_column(…)` inside the `Annotated[…]` of a `Mapped[…]`, across files."""
    if type(annotation) is not Item:
        return None
    inner, source = resolver.definition_of(annotation.index, file)
    if type(inner) is not Item or resolver.external_name(inner.base, source) != "typing.Annotated":
        return None
    for item in inner.index.items if type(inner.index) is Sequence else ():
        if type(item) is Call:
            found = read_column(resolver, item, source)
            if found is not None:
                return found
    return None


def is_column_of(value: Value) -> tuple[Value, str] | None:
    """The table and the column's key of `table.c.key` or `table.columns.key`, None for other values."""
    if type(value) is Attr and type(value.base) is Attr and value.base.name in ("c", "columns"):
        return value.base.base, value.name
    return None
