"""The allow-list: what of SQLAlchemy and of the standard library the evaluator may touch, by name.

Whatever is not named here is opaque: engines, sessions, events, inspection, everything that connects, compiles or evaluates
strings. A name gets into a list after somebody looked at what it does with strings and callables that it is given. This module
must never call anything but what gives the objects of these names.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from functools import cache
from typing import Any

import sqlalchemy
import sqlalchemy.dialects.mssql
import sqlalchemy.dialects.mysql
import sqlalchemy.dialects.oracle
import sqlalchemy.dialects.postgresql
import sqlalchemy.dialects.sqlite
from sqlalchemy import orm
from sqlalchemy.ext import associationproxy, mutable, orderinglist
from sqlalchemy.orm import interfaces, strategy_options, util
from sqlalchemy.sql import base as sql_base
from sqlalchemy.sql import elements, functions, schema, type_api

from sqlalchemy_guard.project.externals import canonical

_SCHEMA = frozenset(
    """
    Table Column MetaData ForeignKey ForeignKeyConstraint PrimaryKeyConstraint UniqueConstraint CheckConstraint Index Sequence
    Identity Computed FetchedValue DefaultClause
    """.split()
)
_EXPRESSIONS = frozenset(
    """
    select text literal_column literal column table insert update delete exists and_ or_ not_ case cast try_cast join outerjoin
    union union_all intersect intersect_all except_ except_all values bindparam desc asc null true false distinct tuple_
    type_coerce extract within_group over lateral tablesample alias collate nulls_first nulls_last nullsfirst nullslast between
    any_ all_ bitwise_not label funcfilter cte subquery quoted_name conv
    """.split()
)
_ORM = frozenset(
    """
    mapped_column column_property composite synonym deferred query_expression aliased with_polymorphic joinedload
    selectinload subqueryload lazyload immediateload raiseload noload contains_eager defaultload load_only defer undefer
    undefer_group with_expression selectin_polymorphic Load Bundle foreign remote outerjoin join
    attribute_keyed_dict column_keyed_dict keyfunc_mapping attribute_mapped_collection column_mapped_collection
    """.split()
)
_EXTENSIONS = {
    "sqlalchemy.ext.associationproxy.association_proxy": associationproxy.association_proxy,
    "sqlalchemy.ext.orderinglist.ordering_list": orderinglist.ordering_list,
}
_DIALECTS: dict[str, tuple[Any, str]] = {
    "postgresql": (
        sqlalchemy.dialects.postgresql,
        "insert array array_agg aggregate_order_by ExcludeConstraint hstore All Any Range",
    ),
    "mysql": (sqlalchemy.dialects.mysql, "insert match limit"),
    "sqlite": (sqlalchemy.dialects.sqlite, "insert"),
    "mssql": (sqlalchemy.dialects.mssql, ""),
    "oracle": (sqlalchemy.dialects.oracle, ""),
}
_REFERENCES = """
    ColumnElement ClauseElement FromClause Select Insert Update Delete TextClause BindParameter Subquery CTE CompoundSelect
    Label BinaryExpression BooleanClauseList Function
"""
"""Classes that are compared with, never called."""

_CLAUSE_METHODS = frozenset(
    """
    where filter filter_by having order_by group_by limit offset fetch slice distinct join outerjoin join_from outerjoin_from
    select_from with_only_columns add_columns correlate correlate_except options execution_options with_for_update prefix_with
    suffix_with with_hint with_statement_hint union union_all intersect intersect_all except_ except_all alias subquery cte
    scalar_subquery as_scalar lateral exists label in_ notin_ not_in like ilike notlike notilike not_like not_ilike is_ is_not
    isnot is_distinct_from is_not_distinct_from isnot_distinct_from between contains startswith endswith icontains istartswith
    iendswith match regexp_match regexp_replace op bool_op asc desc nulls_first nulls_last nullsfirst nullslast collate concat
    any_ all_ over within_group any has of_type and_ values returning on_conflict_do_update on_conflict_do_nothing
    on_duplicate_key_update from_select return_defaults inline params bindparams select insert update delete has_key
    has_all has_any contained_by overlap overlaps as_string as_integer as_float as_numeric as_boolean as_json path_exists
    path_match delete_path add_cte table_valued render_derived column_valued scalar_table_valued tablesample bitwise_and
    bitwise_or bitwise_xor bitwise_not bitwise_lshift bitwise_rshift append_column append_constraint references copy cast
    type_coerce adjacent_to not_extend_left_of not_extend_right_of strictly_left_of strictly_right_of ordered_values
    set_label_style with_dialect_options self_group unique_params
    """.split()
)
_CLAUSE_ATTRIBUTES = frozenset(
    """
    c columns key name type table primary_key nullable default server_default foreign_keys excluded inserted selected_columns
    exported_columns astext property class_ element schema fullname metadata indexes constraints info autoincrement unique
    index comment description deferrable initially ondelete onupdate comparator
    """.split()
)
_LOADERS = frozenset(
    """
    joinedload selectinload subqueryload lazyload immediateload raiseload noload contains_eager defaultload load_only defer
    undefer undefer_group with_expression selectin_polymorphic options
    """.split()
)
EAGER = frozenset({"joinedload", "selectinload", "subqueryload", "immediateload"})
"""Loader options that read more than a statement says."""
_TYPE_ATTRIBUTES = frozenset(
    """
    length precision scale timezone enums name impl item_type collation native_enum enum_class as_uuid none_as_null asdecimal
    dimensions schema
    """.split()
)
_COLLECTION_METHODS = frozenset({"get", "keys", "values", "items"})


@cache
def _table() -> dict[str, Any]:
    """Every allowed name of SQLAlchemy, canonical, with its object."""
    found: dict[str, Any] = {f"sqlalchemy.{name}": getattr(sqlalchemy, name) for name in _SCHEMA}
    found |= {
        f"sqlalchemy.{name}": getattr(sqlalchemy, name) for name in _EXPRESSIONS if hasattr(sqlalchemy, name)
    }
    found |= {
        f"sqlalchemy.{name}": getattr(sqlalchemy, name)
        for name in _REFERENCES.split()
        if hasattr(sqlalchemy, name)
    }
    found["sqlalchemy.func"] = sqlalchemy.func
    found["sqlalchemy.quoted_name"] = elements.quoted_name
    found["sqlalchemy.conv"] = elements.conv
    found |= {f"sqlalchemy.orm.{name}": getattr(orm, name) for name in _ORM if hasattr(orm, name)}
    found |= {
        f"sqlalchemy.orm.{name}": getattr(orm, name)
        for name in ("Mapped", "DynamicMapped", "WriteOnlyMapped", "InstrumentedAttribute", "Relationship")
    }
    found |= _EXTENSIONS
    found |= {f"sqlalchemy.{name}": one for name, one in _types_of(sqlalchemy.types)}
    found["sqlalchemy.types.UserDefinedType"] = sqlalchemy.types.UserDefinedType
    for name in ("MutableDict", "MutableList", "MutableSet"):
        found[f"sqlalchemy.ext.mutable.{name}"] = getattr(mutable, name)
    for dialect, (module, names) in _DIALECTS.items():
        prefix = f"sqlalchemy.dialects.{dialect}."
        found |= {prefix + name: one for name, one in _types_of(module)}
        found |= {prefix + name: getattr(module, name) for name in names.split() if hasattr(module, name)}
    return found


def _types_of(module: Any) -> list[tuple[str, Any]]:
    """The types of columns that a module of SQLAlchemy makes public."""
    return [
        (name, one)
        for name, one in vars(module).items()
        if not name.startswith("_") and isinstance(one, type) and issubclass(one, type_api.TypeEngine)
    ]


_STANDARD: dict[str, Any] = {
    "datetime.datetime": datetime.datetime,
    "datetime.date": datetime.date,
    "datetime.time": datetime.time,
    "datetime.timedelta": datetime.timedelta,
    "datetime.timezone": datetime.timezone,
    "uuid.UUID": uuid.UUID,
    "decimal.Decimal": decimal.Decimal,
    "enum.Enum": enum.Enum,
    "enum.IntEnum": enum.IntEnum,
    "enum.StrEnum": enum.StrEnum,
    "enum.Flag": enum.Flag,
    "enum.IntFlag": enum.IntFlag,
}
_MODULES = (
    "sqlalchemy.sql sqlalchemy.sql.expression sqlalchemy.sql.functions sqlalchemy.sql.schema sqlalchemy.sql.sqltypes "
    "sqlalchemy.types sqlalchemy.schema sqlalchemy.orm sqlalchemy.ext sqlalchemy.ext.declarative sqlalchemy.ext.hybrid "
    "sqlalchemy.ext.mutable sqlalchemy.ext.associationproxy sqlalchemy.ext.orderinglist sqlalchemy.ext.asyncio "
    "sqlalchemy.dialects sqlalchemy.dialects.postgresql sqlalchemy.dialects.mysql sqlalchemy.dialects.sqlite "
    "sqlalchemy.dialects.mssql sqlalchemy.dialects.oracle sqlalchemy.dialects.postgresql.json sqlalchemy.future "
    "sqlalchemy.engine sqlalchemy.exc sqlalchemy.event sqlalchemy.pool sqlalchemy.util sqlalchemy.engine.reflection "
    "sqlalchemy.sql.elements sqlalchemy.sql.selectable sqlalchemy.ext.compiler sqlalchemy.orm.exc sqlalchemy.orm.session "
    "os.path collections.abc "
    # Migrations name types of other libraries by their whole path.
    "sqlmodel.sql sqlmodel.sql.sqltypes sqlalchemy_utils.types sqlalchemy_utils.types.uuid sqlalchemy_utils.types.json "
    "sqlalchemy_utils.types.email sqlalchemy_utils.types.url sqlalchemy_utils.types.choice sqlalchemy_utils.types.password "
    "sqlalchemy_utils.types.arrow sqlalchemy_utils.types.ip_address sqlalchemy_utils.types.ltree "
    "sqlalchemy_utils.types.phone_number sqlalchemy_utils.types.scalar_list sqlalchemy_utils.types.timezone "
    "sqlalchemy_utils.types.ts_vector sqlalchemy_utils.types.encrypted "
    "sqlalchemy_utils.types.encrypted.encrypted_type geoalchemy2.types pgvector.sqlalchemy pgvector.sqlalchemy.vector "
    "advanced_alchemy.types advanced_alchemy.types.guid advanced_alchemy.types.datetime advanced_alchemy.types.json"
).split()
MODULES = frozenset(_MODULES)
"""Modules inside of packages, which an attribute of the package may mean."""

_CORE_MODULES = ("sqlalchemy.sql", "sqlalchemy.types", "sqlalchemy.schema", "sqlalchemy.future")
_ALIASED_DIALECTS = {"pg": "postgresql", "pg_json": "postgresql"}


def lookup(module: str, name: str) -> Any:
    """The object of an allowed name, None for every other.

    Args:
        module: A library's module as it is imported.
        name: A name in it.
    """
    dotted = canonical(module, name)
    if dotted in _STANDARD:
        return _STANDARD[dotted]
    if not dotted.startswith("sqlalchemy."):
        return None
    table = _table()
    if dotted in table:
        return table[dotted]
    if module.startswith("sqlalchemy.dialects."):
        dialect = module.split(".")[2]
        return table.get(f"sqlalchemy.dialects.{dialect}.{name}")
    if module.startswith(_CORE_MODULES):
        return table.get(f"sqlalchemy.{name}")
    if module.startswith("sqlalchemy.orm"):
        return table.get(f"sqlalchemy.orm.{name}")
    return None


@cache
def _names() -> dict[int, str]:
    return {id(one): name for name, one in (_table() | _STANDARD).items()}


def name_of(value: Any) -> str:
    """The canonical name of an allowed object; empty for every other."""
    return _names().get(id(value), "")


def is_type(value: Any) -> bool:
    """Whether a value is a class of column types."""
    return isinstance(value, type) and issubclass(value, type_api.TypeEngine)


def is_callable(value: Any) -> bool:
    """Whether an object of a library may be called."""
    name = name_of(value)
    if name:
        last = name.rpartition(".")[2]
        if name in _STANDARD:
            return not isinstance(value, enum.EnumMeta)
        return (
            last in _SCHEMA
            or last in _EXPRESSIONS
            or last in _ORM
            or name in _EXTENSIONS
            or is_type(value)
            or name.startswith("sqlalchemy.dialects.")
        )
    # `func.lower`, not yet called.
    return isinstance(value, functions._FunctionGenerator)


def is_clause(value: Any) -> bool:
    """Whether a value is part of SQL: a table, a column, a statement, an attribute of a mapped class."""
    return isinstance(
        value,
        (
            elements.ClauseElement,
            interfaces.PropComparator,
            sql_base.SchemaEventTarget,
            util.AliasedClass,
            orm.MappedColumn,
        ),
    ) and not isinstance(value, type_api.TypeEngine)


def method_names(value: Any) -> frozenset[str]:
    """The methods that may be called on an object of a library."""
    if isinstance(value, strategy_options._AbstractLoad):
        return _LOADERS
    if isinstance(value, type_api.TypeEngine):
        return frozenset({"with_variant"})
    if isinstance(value, sql_base.ReadOnlyColumnCollection):
        return _COLLECTION_METHODS
    if isinstance(value, sqlalchemy.TextClause):
        return _CLAUSE_METHODS | {"columns"}
    if isinstance(value, (elements.ClauseElement, interfaces.PropComparator, sqlalchemy.Column)):
        return _CLAUSE_METHODS
    if isinstance(value, (schema.Index, schema.Constraint)):
        return frozenset({"ddl_if"})
    return frozenset()


def attribute_names(value: Any) -> frozenset[str]:
    """The attributes that may be read of an object of a library."""
    if isinstance(value, type_api.TypeEngine):
        return _TYPE_ATTRIBUTES
    if isinstance(value, sqlalchemy.MetaData):
        return frozenset({"tables", "schema", "naming_convention", "info"})
    if is_clause(value):
        return _CLAUSE_ATTRIBUTES
    if isinstance(value, enum.Enum):
        return frozenset({"value", "name"})
    if isinstance(value, datetime.timedelta):
        return frozenset({"days", "seconds"})
    return frozenset()
