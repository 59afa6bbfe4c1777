"""The Python type of a SQL type: what `Mapped[...]` has to say for a column.

None wherever the type depends on the driver or cannot be read. This module must never guess.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, ClassName, Const, Item, Ref, Value
from sqlalchemy_guard.project.types import NONE_TYPE, ClassType, External, Instance, Type, options
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.types import ClassRef

_BY_NAME: dict[str, str] = {
    name: python
    for python, names in {
        "int": "Integer BigInteger SmallInteger INT INTEGER BIGINT SMALLINT TINYINT MEDIUMINT YEAR",
        "str": """String Text Unicode UnicodeText CHAR VARCHAR NCHAR NVARCHAR TEXT CLOB NCLOB VARCHAR2 NVARCHAR2 CITEXT
            LONGTEXT MEDIUMTEXT TINYTEXT NTEXT TSVECTOR TSQUERY XML MACADDR MACADDR8""",
        "bool": "Boolean BOOLEAN",
        "bytes": "LargeBinary BLOB BINARY VARBINARY BYTEA LONGBLOB MEDIUMBLOB TINYBLOB IMAGE RAW",
        "datetime.date": "Date DATE",
        "datetime.datetime": "DateTime DATETIME TIMESTAMP DATETIME2 DATETIMEOFFSET SMALLDATETIME",
        "datetime.time": "Time TIME",
        "datetime.timedelta": "Interval INTERVAL",
        "decimal.Decimal": "Numeric NUMERIC DECIMAL",
        "float": "Float Double FLOAT REAL DOUBLE DOUBLE_PRECISION BINARY_DOUBLE BINARY_FLOAT",
        "uuid.UUID": "Uuid UUID UNIQUEIDENTIFIER",
        "typing.Any": "JSON JSONB PickleType",
    }.items()
    for name in names.split()
}
_BY_DIALECT: dict[str, str | None] = {
    "mysql.TIME": "datetime.timedelta", "mysql.DOUBLE": "decimal.Decimal", "mysql.REAL": "decimal.Decimal",
    "mysql.SET": "set[str]", "mysql.BIT": "int", "mssql.BIT": "bool", "mssql.TIMESTAMP": "bytes", "mssql.ROWVERSION": "bytes",
    "oracle.DATE": "datetime.datetime", "oracle.LONG": "str", "oracle.BLOB": "bytes", "postgresql.HSTORE": "dict[str, str | None]",
    "oracle.FLOAT": None, "oracle.NUMBER": None, "mysql.YEAR": "int", "oracle.BFILE": "bytes", "oracle.ROWID": "str",
    "mysql.INET4": "str", "mysql.INET6": "str", "mssql.MONEY": "decimal.Decimal", "mssql.SMALLMONEY": "decimal.Decimal",
    "postgresql.MONEY": "str", "postgresql.OID": "int", "postgresql.REGCLASS": "str", "postgresql.REGCONFIG": "str",
    "postgresql.JSONPATH": "str",
}  # fmt: skip
_ADDRESSES = frozenset({"postgresql.INET", "postgresql.CIDR"})
"""psycopg2 gives strings, asyncpg and psycopg give objects of `ipaddress`; SQLAlchemy itself declares strings."""
_RANGES = {
    "INT4": "int", "INT8": "int", "NUM": "decimal.Decimal", "DATE": "datetime.date", "TS": "datetime.datetime",
    "TSTZ": "datetime.datetime",
}  # fmt: skip
_UTILS = {
    "UUIDType": "uuid.UUID",
    "EmailType": "str",
    "TSVectorType": "str",
    "JSONType": "typing.Any",
    "ScalarListType": None,
}
_MUTABLE = {
    "sqlalchemy.ext.mutable.MutableDict": "dict[str, Any]",
    "sqlalchemy.ext.mutable.MutableList": "list[Any]",
    "sqlalchemy.ext.mutable.MutableSet": "set[Any]",
}
_PLAIN = frozenset({"int", "str", "float", "bool", "bytes"})


@dataclass(frozen=True, slots=True)
class PythonType:
    """A Python type as text.

    Attributes:
        template: The text; `{0}`, `{1}` stand for what is imported.
        imports: The module and name of each of these.
        names: Names that the text reads besides: builtins, and a class that the file knows already.
        doubt: When the values may be of another type, "" when they are not.
    """

    template: str
    imports: tuple[tuple[str, str], ...] = ()
    names: frozenset[str] = frozenset()
    doubt: str = ""


def python_type(
    resolver: Resolver, value: Value | None, node: ast.expr | None, file: SourceFile, depth: int = 0
) -> PythonType | None:
    """The Python type of a SQL type.

    Args:
        resolver: Types of values.
        value: The SQL type, a class or an instance of it.
        node: Its node when it stands where the annotation will; an enumeration's class is taken from there.
        file: The file that the value belongs to.
        depth: How often the question was passed on.
    """
    if value is None or depth > 4:
        return None
    made = type(value) is Call
    func = value.func if type(value) is Call else value
    if type(value) is Call and type(func) is Attr:
        if func.name == "with_variant" and type(func.base) in (Call, Attr):
            inner = (
                node.func.value
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                else None
            )
            return python_type(resolver, func.base, inner, file, depth + 1)
        if func.name == "as_mutable":
            mutable = _MUTABLE.get(resolver.external_name(func.base, file) or "")
            return _spelled(mutable) if mutable is not None else None
    name = resolver.external_name(func, file) or ""
    call = value if type(value) is Call else None
    if name.startswith(("sqlalchemy.", "sqlalchemy_utils.")):
        return _library(resolver, name, call, node, file, depth)
    for option in options(resolver.type_of(func, file)):
        if isinstance(option, ClassType) and not isinstance(option.ref, str):
            return _decorated(resolver, option)
    if not made:
        definition, source = resolver.definition_of(value, file)
        if definition is not value and not (type(value) is ClassName and definition == Ref("", value.name)):
            return python_type(resolver, definition, None, source, depth + 1)
    return None


def _library(
    resolver: Resolver, name: str, call: Call | None, node: ast.expr | None, file: SourceFile, depth: int
) -> PythonType | None:
    home, _, last = name.rpartition(".")
    if home.startswith("sqlalchemy_utils"):
        return _named(_UTILS.get(last))
    dialect = home.removeprefix("sqlalchemy.dialects.").partition(".")[0] if ".dialects." in home else ""
    if not dialect and home != "sqlalchemy":
        return None
    if last in ("Enum", "ENUM"):
        return _enum(resolver, call, node, file)
    if last == "ARRAY":
        return _array(resolver, call, node, file, depth)
    decimal = _flag(call, "asdecimal")
    if (
        last in ("Numeric", "NUMERIC", "DECIMAL", "Float", "FLOAT", "Double", "DOUBLE", "REAL")
        and call is not None
    ):
        if (
            call.has_mapping
            or (call.keyword("asdecimal") is not None and decimal is None)
            or len(call.args) > 2
        ):
            return None
        if decimal is not None:
            return _named("decimal.Decimal" if decimal else "float")
    if last in ("Uuid", "UUID", "UNIQUEIDENTIFIER") and call is not None:
        said = call.keyword("as_uuid") or (call.args[0] if call.args else None)
        if said is not None:
            if type(said) is not Const or not isinstance(said.value, bool):
                return None
            return _named("uuid.UUID" if said.value else "str")
    key = f"{dialect}.{last}"
    if key in _ADDRESSES:
        return PythonType(
            "str", (), frozenset({"str"}), "asyncpg and psycopg 3 give objects of `ipaddress` by default"
        )
    if key == "postgresql.DOMAIN":
        return _domain(resolver, call, node, file, depth)
    if dialect == "postgresql" and last.endswith("RANGE"):
        return _range(last)
    return _named(_BY_DIALECT[key] if key in _BY_DIALECT else _BY_NAME.get(last))


def _named(python: str | None) -> PythonType | None:
    if python is None:
        return None
    if python in _PLAIN:
        return PythonType(python, (), frozenset({python}))
    if "[" in python:
        return _spelled(python)
    module, _, name = python.rpartition(".")
    return PythonType("{0}", ((module, name),))


def _spelled(text: str) -> PythonType:
    container = text.partition("[")[0]
    if "Any" in text:
        return PythonType(
            text.replace("Any", "{0}"), (("typing", "Any"),), frozenset({container, *_words(text)} - {"Any"})
        )
    return PythonType(text, (), frozenset({container, *_words(text)}))


def _words(text: str) -> set[str]:
    return {inner.id for inner in ast.walk(ast.parse(text)) if isinstance(inner, ast.Name)}


def _flag(call: Call | None, name: str) -> bool | None:
    value = call.keyword(name) if call is not None else None
    return value.value if type(value) is Const and isinstance(value.value, bool) else None


def _enum(
    resolver: Resolver, call: Call | None, node: ast.expr | None, file: SourceFile
) -> PythonType | None:
    """Strings, or the enumeration that the type was given."""
    if call is None or not call.args:
        return None
    if all(type(arg) is Const and isinstance(arg.value, str) for arg in call.args):
        return _named("str")
    if len(call.args) != 1 or not isinstance(node, ast.Call) or len(node.args) != 1:
        return None
    spelled = node.args[0]
    if not isinstance(spelled, (ast.Name, ast.Attribute)):
        return None
    for option in options(resolver.type_of(call.args[0], file)):
        if isinstance(option, ClassType) and any(
            isinstance(ref, str) and ref.startswith("enum.") for ref in resolver.ancestors(option)
        ):
            root: ast.expr = spelled
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name):
                return PythonType(ast.unparse(spelled), (), frozenset({root.id}))
    return None


def _array(
    resolver: Resolver, call: Call | None, node: ast.expr | None, file: SourceFile, depth: int
) -> PythonType | None:
    """A list of the items' type; None for several dimensions."""
    if call is None or len(call.args) != 1 or any(name not in ("dimensions",) for name, _ in call.keywords):
        return None
    dimensions = call.keyword("dimensions")
    if dimensions is not None and not (type(dimensions) is Const and dimensions.value == 1):
        return None
    inner = node.args[0] if isinstance(node, ast.Call) and len(node.args) == 1 else None
    item = python_type(resolver, call.args[0], inner, file, depth + 1)
    if item is None:
        return None
    return PythonType(f"list[{item.template}]", item.imports, item.names | {"list"}, item.doubt)


def _domain(
    resolver: Resolver, call: Call | None, node: ast.expr | None, file: SourceFile, depth: int
) -> PythonType | None:
    """What the type that a domain restricts gives."""
    if call is None or len(call.args) != 2:
        return None
    inner = node.args[1] if isinstance(node, ast.Call) and len(node.args) == 2 else None
    return python_type(resolver, call.args[1], inner, file, depth + 1)


def _range(name: str) -> PythonType | None:
    """SQLAlchemy's own `Range`, which it gives with every driver; a list of them for a multirange."""
    is_multiple = name.endswith("MULTIRANGE")
    bounds = _named(_RANGES.get(name.removesuffix("MULTIRANGE" if is_multiple else "RANGE")))
    if bounds is None:
        return None
    template = "{0}[{1}]" if bounds.imports else f"{{0}}[{bounds.template}]"
    imports = (("sqlalchemy.dialects.postgresql", "Range"), *bounds.imports)
    if is_multiple:
        return PythonType(f"list[{template}]", imports, bounds.names | {"list"})
    return PythonType(template, imports, bounds.names)


def _decorated(resolver: Resolver, class_: ClassType) -> PythonType | None:
    """What a `TypeDecorator` of the workspace says that it gives, or the type that it decorates when it changes nothing."""
    ancestors = resolver.ancestors(class_)
    if "sqlalchemy.TypeDecorator" not in ancestors:
        return None
    parameter = _parameter(resolver, ancestors)
    if parameter is not None:
        return parameter
    reads = resolver.member(class_, "process_result_value")
    if reads is None:
        bound = resolver.member(class_, "process_bind_param")
        impl = resolver.member(class_, "impl")
        if bound is not None or impl is None or impl.attribute is None or impl.attribute.value is None:
            return None
        return python_type(resolver, impl.attribute.value, None, impl.file, 2)
    if reads.function is None or reads.function.annotation is None:
        return None
    said = [
        option
        for option in options(resolver.type_of(reads.function.annotation, reads.file))
        if option != NONE_TYPE
    ]
    instance = [
        option
        for option in options(resolver.instance_of(reads.function.annotation, reads.file))
        if option != NONE_TYPE
    ]
    if len(instance) == 1 and isinstance(instance[0], Instance) and not instance[0].args:
        ref = instance[0].ref
        name = ref.removeprefix("builtins.") if isinstance(ref, str) else ""
        if name in _PLAIN:
            return _named(name)
    if len(said) == 1 and isinstance(said[0], External) and said[0].name in _BY_NAME.values():
        return _named(said[0].name)
    return None


def _parameter(resolver: Resolver, ancestors: Iterable[ClassRef]) -> PythonType | None:
    """What `TypeDecorator[…]` among the bases says that the type gives."""
    for ref in ancestors:
        declared = resolver.class_facts(ref)
        if declared is None:
            continue
        facts, file = declared
        for base in facts.bases:
            if type(base) is Item and resolver.external_name(base.base, file) == "sqlalchemy.TypeDecorator":
                return python_name(resolver.type_of(base.index, file))
    return None


def python_name(type_: Type) -> PythonType | None:
    """A Python class that columns hold, as text; None for every other type."""
    name = ""
    if isinstance(type_, External):
        name = type_.name
    elif isinstance(type_, (ClassType, Instance)) and isinstance(type_.ref, str):
        name = type_.ref.removeprefix("builtins.")
    return _named(name) if name in _PLAIN or name in _BY_NAME.values() else None
