"""The columns of tables as facts: name, types, nullability, keys, whichever way a column was written down.

One attribute, argument or annotation at a time. What cannot be read is None. This module must never look for tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call, Const, Either, Item, Sequence, Value
from sqlalchemy_guard.project.column_calls import (
    ColumnCall,
    KeyTarget,
    annotated_column,
    column_made_by,
    makes_column,
)
from sqlalchemy_guard.project.types import (
    NONE_TYPE,
    UNKNOWN_TYPE,
    ClassType,
    External,
    Instance,
    Literal,
    Type,
    TypeForm,
    known,
    options,
)
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import Attribute, ClassFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.types import ClassRef

_COLUMNLESS = (
    "builtins.", "typing.", "sqlalchemy.", "sqlmodel.", "pydantic.", "re.", "logging.", "collections.", "functools.",
)  # fmt: skip
"""Libraries whose functions make no columns, except those that are known to."""


@dataclass(slots=True, eq=False)
class TableColumn:
    """A column of a table.

    Attributes:
        name: The name in the table, None when it cannot be read.
        key: What foreign keys and constraints call it by: `key=`, else the name.
        attribute: The attribute of the class, None in a `Table`.
        owner: The class that declares it, a mixin perhaps; None in a `Table`.
        file: The file that it is declared in.
        call: What its call says, None when only an annotation makes it or when its call cannot be read.
        defaults: What the `mapped_column` inside its `Annotated` type says.
        python: The Python type that its annotation says, without None; None when it says none.
        nullable: Whether it admits NULL.
        primary_key: Whether it says itself that it belongs to the primary key.
        is_readable: Whether nothing of it is hidden.
    """

    name: str | None
    key: str | None
    attribute: str | None
    owner: ClassRef | None
    file: SourceFile
    call: ColumnCall | None
    defaults: ColumnCall | None
    python: Type | None
    nullable: bool | None
    primary_key: bool
    is_readable: bool = True

    @property
    def foreign_keys(self) -> tuple[KeyTarget, ...]:
        """What its `ForeignKey`s refer to."""
        return tuple(
            key for each in (self.call, self.defaults) if each is not None for key in each.foreign_keys
        )

    @property
    def type(self) -> tuple[Value, SourceFile] | None:
        """The SQL type as it is written, with the file that it is written in; None when none is written."""
        for each in (self.call, self.defaults):
            if each is not None and each.type is not None:
                return each.type, each.file
        return None

    def keyword(self, name: str) -> Value | None:
        """The value of a keyword argument written out, that of the `Annotated` type included."""
        for each in (self.call, self.defaults):
            value = each.keyword(name) if each is not None else None
            if value is not None:
                return value
        return None

    def flag(self, name: str) -> bool | None:
        """A keyword that says True or False; None when it is absent or says something else."""
        value = self.keyword(name)
        return value.value if type(value) is Const and isinstance(value.value, bool) else None


def column_from_call(
    resolver: Resolver,
    call: ColumnCall,
    attribute: str | None,
    owner: ClassRef | None,
    file: SourceFile,
    annotation: Value | None = None,
) -> TableColumn:
    """The column that a call makes."""
    python, optional = _annotated(resolver, annotation, file, sqlmodel=call.kind == "Field") or (None, None)
    defaults = annotated_column(resolver, annotation, file) if call.kind == "mapped_column" else None
    return _made(resolver, call, defaults, attribute, owner, file, python, optional)


def _made(
    resolver: Resolver,
    call: ColumnCall | None,
    defaults: ColumnCall | None,
    attribute: str | None,
    owner: ClassRef | None,
    file: SourceFile,
    python: Type | None,
    optional: bool | None,
) -> TableColumn:
    given: str | None = ""
    for each in (call, defaults):
        if each is not None and given == "":
            given = each.database_name
    name = attribute if given == "" else given
    found = TableColumn(name, name, attribute, owner, file, call, defaults, python, None, False)
    key = found.keyword("key")
    if key is not None:
        said = resolver.type_of(key, call.file if call is not None else file)
        found.key = said.value if isinstance(said, Literal) and isinstance(said.value, str) else None
    found.primary_key = found.flag("primary_key") is True
    found.is_readable = name is not None and (call is None or call.is_readable)
    found.nullable = _nullable(found, optional)
    return found


def _nullable(column: TableColumn, optional: bool | None) -> bool | None:
    if column.call is not None and not column.call.is_readable:
        return None
    if column.keyword("nullable") is not None:
        return column.flag("nullable")
    if column.keyword("primary_key") is not None:
        key = column.flag("primary_key")
        if key is None or key:
            return None if key is None else False
    if column.call is not None and "sqlalchemy.Identity" in column.call.items:
        return False
    if column.call is not None and column.call.kind == "Column":
        return True
    return optional if optional is not None or column.call is None else True


def _annotated(
    resolver: Resolver, annotation: Value | None, file: SourceFile, *, sqlmodel: bool = False
) -> tuple[Type | None, bool | None] | None:
    """The Python type that an annotation gives a column and whether it admits None; None when it makes no column."""
    if annotation is None:
        return None
    declared = resolver.instance_of(annotation, file)
    for option in known(declared):
        if isinstance(option, Instance) and option.ref == "sqlalchemy.orm.Mapped":
            inner = option.args[0] if option.args else UNKNOWN_TYPE
            index = annotation.index if type(annotation) is Item else None
            return _without_none(resolver, inner, index, file)
    return _without_none(resolver, declared, annotation, file) if sqlmodel else None


def _without_none(
    resolver: Resolver, type_: Type, written: Value | None, file: SourceFile
) -> tuple[Type | None, bool]:
    optional = any(option == NONE_TYPE for option in options(type_))
    found = list(known(type_)) or ([*_named(resolver, written, file)] if written is not None else [])
    return (found[0] if len(found) == 1 else None), optional


def _named(resolver: Resolver, written: Value, file: SourceFile, depth: int = 0) -> Iterator[Type]:
    """The classes of libraries that an annotation names, which are no types to the resolver: `datetime`, `Decimal | None`."""
    if type(written) is Either:
        for option in written.options:
            yield from _named(resolver, option, file, depth + 1)
    elif type(written) is Item and depth < 4:
        name = resolver.external_name(written.base, file)
        inner = written.index
        if name == "typing.Annotated" and type(inner) is Sequence:
            inner = inner.items[0]
        if name in ("typing.Optional", "typing.Annotated"):
            yield from _named(resolver, inner, file, depth + 1)
    else:
        for type_ in known(resolver.type_of(written, file)):
            if isinstance(type_, External):
                yield type_
            elif isinstance(type_, TypeForm) and depth < 4:
                definition, source = resolver.definition_of(written, file)
                if definition is not written:
                    yield from _named(resolver, definition, source, depth + 1)


def column_of_attribute(
    resolver: Resolver,
    attribute: Attribute,
    owner: ClassFacts,
    file: SourceFile,
    *,
    sqlmodel: bool = False,
) -> TableColumn | bool:
    """The column that an attribute of a class is; False when it is none, True when it may be one that cannot be read."""
    return column_of_value(
        resolver,
        attribute.name,
        attribute.value,
        attribute.annotation,
        (file.file_id, owner.qualname),
        file,
        sqlmodel=sqlmodel,
    )


def column_of_value(
    resolver: Resolver,
    name: str,
    value: Value | None,
    annotation: Value | None,
    owner: ClassRef,
    file: SourceFile,
    *,
    sqlmodel: bool = False,
) -> TableColumn | bool:
    """As `column_of_attribute`, for an attribute's name, value and annotation."""
    if value is None or (sqlmodel and type(value) is not Call):
        annotated = _annotated(resolver, annotation, file, sqlmodel=sqlmodel)
        if annotated is None:
            return False
        python, optional = annotated
        if isinstance(python, Instance) and resolver.is_model(ClassType(python.ref)):
            return False
        defaults = annotated_column(resolver, annotation, file)
        return _made(resolver, None, defaults, name, owner, file, python, optional)
    source = file
    if type(value) is not Call:
        value, source = resolver.definition_of(value, file)
        if type(value) is not Call:
            return makes_column(resolver, value, source)
    call = column_made_by(resolver, value, source)
    if call is not None:
        return column_from_call(resolver, call, name, owner, file, annotation)
    if makes_column(resolver, value, source):
        python, _ = _annotated(resolver, annotation, file) or (None, None)
        return TableColumn(name, name, name, owner, file, None, None, python, None, False, False)
    if (resolver.external_name(value.func, source) or "").startswith(_COLUMNLESS):
        return False
    # What an unknown function makes may be a column.
    return next(known(resolver.type_of(value, source)), None) is None
