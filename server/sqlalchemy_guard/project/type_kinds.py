"""What kind of value a column holds in the database, coarse enough to compare a foreign key with what it refers to.

Lengths and precisions do not matter, the width of integers does. None wherever the kind depends on the dialect or cannot be
read. This module must never compare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Mapping, Value
from sqlalchemy_guard.project.types import ClassType, External, Instance, known
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.table_columns import TableColumn
    from sqlalchemy_guard.project.tables import Table


class Kind(NamedTuple):
    """A kind of value.

    Attributes:
        family: `integer`, `string`, …
        width: Bytes of an integer, 0 for others.
    """

    family: str
    width: int = 0


_INTEGERS = {
    "SmallInteger": 2,
    "SMALLINT": 2,
    "Integer": 4,
    "INTEGER": 4,
    "INT": 4,
    "BigInteger": 8,
    "BIGINT": 8,
}
_FAMILIES = {
    name: family
    for family, names in {
        "string": "String Unicode Text UnicodeText VARCHAR NVARCHAR CHAR NCHAR TEXT CLOB CITEXT",
        "UUID": "Uuid UUID UNIQUEIDENTIFIER",
        "date": "Date DATE",
        "datetime": "DateTime DATETIME TIMESTAMP",
        "boolean": "Boolean BOOLEAN",
        "bytes": "LargeBinary BLOB BINARY VARBINARY BYTEA",
        "number": "Numeric NUMERIC DECIMAL Float FLOAT Double REAL DOUBLE DOUBLE_PRECISION",
        "JSON": "JSON JSONB",
    }.items()
    for name in names.split()
}
_PYTHON = {
    "builtins.int": Kind("integer", 4), "builtins.str": Kind("string"), "uuid.UUID": Kind("UUID"),
    "datetime.date": Kind("date"), "datetime.datetime": Kind("datetime"), "builtins.bool": Kind("boolean"),
    "builtins.bytes": Kind("bytes"), "decimal.Decimal": Kind("number"), "builtins.float": Kind("number"),
}  # fmt: skip


def kind_of(resolver: Resolver, table: Table, column: TableColumn) -> Kind | None:
    """The kind of value that a column holds by its own declaration; None when it follows its foreign key or is not known."""
    written = column.type
    if written is not None:
        return kind_of_type(resolver, *written)
    if column.foreign_keys or not column.is_readable or column.python is None:
        return None
    return _of_python(resolver, table, column)


def kind_of_type(resolver: Resolver, value: Value, file: SourceFile, depth: int = 0) -> Kind | None:
    """The kind of value that a SQL type holds, variants left aside."""
    if depth > 4:
        return None
    func = value.func if type(value) is Call else value
    if type(value) is Call and type(func) is Attr and func.name in ("with_variant", "as_mutable"):
        return kind_of_type(resolver, func.base, file, depth + 1)
    name = resolver.external_name(func, file) or ""
    home, _, last = name.rpartition(".")
    if home == "sqlalchemy" or home.startswith("sqlalchemy.dialects"):
        if last in _INTEGERS:
            return Kind("integer", _INTEGERS[last])
        family = _FAMILIES.get(last)
        # Dialects reuse some names for other things.
        return (
            Kind(family)
            if family is not None and name not in ("sqlalchemy.dialects.mssql.TIMESTAMP",)
            else None
        )
    if type(value) is not Call:
        definition, source = resolver.definition_of(value, file)
        if definition is not value and type(definition) is Call:
            return kind_of_type(resolver, definition, source, depth + 1)
    return None


def kind_of_python(type_: object) -> Kind | None:
    """The kind of value that SQLAlchemy gives a column for a Python type."""
    ref = (
        type_.ref
        if isinstance(type_, (Instance, ClassType))
        else type_.name
        if isinstance(type_, External)
        else ""
    )
    return _PYTHON.get(ref) if isinstance(ref, str) else None


def _of_python(resolver: Resolver, table: Table, column: TableColumn) -> Kind | None:
    """As the `type_annotation_map` of the base says, else SQLAlchemy's own."""
    python = kind_of_python(column.python)
    if table.model is None or python is None:
        return python
    member = resolver.member(ClassType(table.model), "type_annotation_map")
    found = member.attribute.value if member is not None and member.attribute is not None else None
    if found is None:
        owner = resolver.member(ClassType(table.model), "registry")
        if owner is None:
            return python
        made = owner.attribute.value if owner.attribute is not None else None
        found = made.keyword("type_annotation_map") if type(made) is Call else None
        if found is None:
            return python if type(made) is Call and not made.has_mapping else None
        member = owner
    if type(found) is not Mapping or member is None:
        return None
    for key, value in found.entries:
        if key is None:
            return None
        for option in known(resolver.type_of(key, member.file)):
            if kind_of_python(option) == python:
                return kind_of_type(resolver, value, member.file)
    return python
