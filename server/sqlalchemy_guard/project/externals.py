"""The libraries that the product knows: canonical names, and which class extends which.

SQLAlchemy re-exports most names from several modules; each has one canonical home here. Facts about libraries only:
this module must never look at the user's code.
"""

from __future__ import annotations

_HOMES: dict[str, str] = {
    "sqlalchemy": """
        create_engine engine_from_config create_pool_from_url make_url URL Engine Connection MetaData Table Column
        select text literal_column literal column table func insert update delete exists and_ or_ not_ case cast join
        outerjoin union union_all union intersect except_ intersect_all except_all values bindparam desc asc null true false
        distinct tuple_ type_coerce extract within_group over label lateral tablesample alias inspect event
        ForeignKey ForeignKeyConstraint PrimaryKeyConstraint UniqueConstraint CheckConstraint Index Sequence Identity
        Computed DDL FetchedValue DefaultClause Select Insert Update Delete TextClause Result Row RowMapping
        ScalarResult CursorResult MappingResult Subquery CTE CompoundSelect ColumnElement Null
        Integer BigInteger SmallInteger String Text Unicode UnicodeText Boolean Date DateTime Time Interval Float Double
        Numeric LargeBinary Enum JSON Uuid UUID PickleType ARRAY TypeDecorator TypeEngine collate nullslast nullsfirst
        nulls_last nulls_first tstring
        BOOLEAN CHAR DATE DATETIME DECIMAL FLOAT INT INTEGER NUMERIC REAL SMALLINT BIGINT TEXT TIME TIMESTAMP VARCHAR
        NVARCHAR NCHAR CLOB BLOB BINARY VARBINARY Transaction RootTransaction NestedTransaction
    """,
    "sqlalchemy.pool": """
        Pool NullPool StaticPool QueuePool SingletonThreadPool AssertionPool AsyncAdaptedQueuePool FallbackAsyncAdaptedQueuePool
    """,
    "sqlalchemy.orm": """
        Session sessionmaker scoped_session Query DeclarativeBase DeclarativeBaseNoMeta MappedAsDataclass DeclarativeMeta
        declarative_base as_declarative declared_attr declarative_mixin registry Mapped mapped_column MappedColumn
        relationship Relationship RelationshipProperty relation backref dynamic_loader DynamicMapped WriteOnlyMapped
        AppenderQuery WriteOnlyCollection joinedload selectinload subqueryload lazyload immediateload raiseload noload
        contains_eager defaultload load_only defer undefer undefer_group with_expression selectin_polymorphic aliased
        with_polymorphic with_parent with_loader_criteria Load column_property composite synonym deferred query_expression
        mapper Mapper configure_mappers clear_mappers SessionTransaction InstrumentedAttribute QueryableAttribute Bundle
        attribute_mapped_collection attribute_keyed_dict column_keyed_dict object_session make_transient make_transient_to_detached
        validates reconstructor foreign remote close_all_sessions Synonym ColumnProperty class_mapper joinedload_all
        subqueryload_all orm_insert_sentinel ORMExecuteState SessionEvents
    """,
    "sqlalchemy.ext.asyncio": """
        create_async_engine async_engine_from_config AsyncEngine AsyncConnection AsyncSession async_sessionmaker
        async_scoped_session AsyncTransaction AsyncSessionTransaction AsyncResult AsyncScalarResult AsyncAttrs
        async_object_session async_session create_async_pool_from_url
    """,
}

_DEEP: dict[str, tuple[str, ...]] = {
    "sqlalchemy": (
        "sqlalchemy.sql",
        "sqlalchemy.future",
        "sqlalchemy.engine",
        "sqlalchemy.types",
        "sqlalchemy.schema",
        "sqlalchemy.util",
        "sqlalchemy.testing.schema",
    ),
    # `sqlalchemy.testing.schema` is where editors import columns from by mistake; what it makes is the real thing.
    "sqlalchemy.orm": ("sqlalchemy.orm", "sqlalchemy.ext.declarative", "sqlalchemy.testing.schema"),
    "sqlalchemy.pool": ("sqlalchemy.pool",),
    "sqlalchemy.ext.asyncio": ("sqlalchemy.ext.asyncio",),
}

_HOME_OF: dict[str, dict[str, str]] = {
    home: {name: f"{home}.{name}" for name in names.split()} for home, names in _HOMES.items()
}

SQLMODEL_OWN = frozenset({"SQLModel", "Session", "Field", "Relationship", "create_engine", "select"})

KNOWN_MODULES = frozenset({
    "sqlalchemy.orm", "sqlalchemy.ext", "sqlalchemy.ext.asyncio", "sqlalchemy.ext.declarative", "sqlalchemy.ext.automap",
    "sqlalchemy.ext.hybrid", "sqlalchemy.ext.associationproxy", "sqlalchemy.ext.mutable", "sqlalchemy.pool",
    "sqlalchemy.sql", "sqlalchemy.sql.expression", "sqlalchemy.engine", "sqlalchemy.engine.url", "sqlalchemy.types",
    "sqlalchemy.dialects", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.mysql", "sqlalchemy.dialects.sqlite",
    "sqlalchemy.exc", "sqlalchemy.future", "sqlalchemy.schema", "sqlalchemy.event", "sqlalchemy.util",
    "sqlalchemy.orm.session", "sqlalchemy.orm.query", "sqlalchemy.orm.exc", "sqlalchemy.orm.attributes",
    "sqlalchemy.ext.asyncio.session", "sqlalchemy.ext.asyncio.engine", "sqlmodel.ext", "sqlmodel.ext.asyncio",
    "sqlmodel.ext.asyncio.session", "flask_sqlalchemy", "alembic.op", "alembic.context", "sqlalchemy.orm.scoping",
    "collections.abc", "os.path", "contextlib", "typing", "typing_extensions", "fastapi", "fastapi.params",
})  # fmt: skip

SQLALCHEMY_FAMILY = (
    "sqlalchemy", "sqlmodel", "flask_sqlalchemy", "alembic", "advanced_alchemy", "sqlalchemy_utils", "geoalchemy2",
    "fastapi_sqlalchemy", "fastapi_async_sqlalchemy", "zope.sqlalchemy", "sqlalchemy_mixins", "flask_appbuilder",
    "flask_sqlalchemy_lite", "quart_sqlalchemy", "litestar.plugins.sqlalchemy", "databases",
)  # fmt: skip
"""Top-level modules whose import means that a file uses SQLAlchemy."""

BASES: dict[str, tuple[str, ...]] = {
    "sqlmodel.Session": ("sqlalchemy.orm.Session",),
    "sqlmodel.ext.asyncio.session.AsyncSession": ("sqlalchemy.ext.asyncio.AsyncSession",),
    "flask_sqlalchemy.Session": ("sqlalchemy.orm.Session",),
    "flask_sqlalchemy.Query": ("sqlalchemy.orm.Query",),
    "sqlalchemy.orm.AppenderQuery": ("sqlalchemy.orm.Query",),
    "sqlalchemy.orm.InstrumentedAttribute": ("sqlalchemy.ColumnElement",),
    "sqlalchemy.Column": ("sqlalchemy.ColumnElement",),
    "flask_sqlalchemy.Model": (),
    "sqlmodel.SQLModel": (),
    "sqlalchemy.orm.MappedAsDataclass": (),
    "sqlalchemy.TypeDecorator": (),
}
"""The bases of a library class that matter; others have none."""

DECLARATIVE_BASES = frozenset({
    "sqlalchemy.orm.DeclarativeBase", "sqlalchemy.orm.DeclarativeBaseNoMeta", "sqlalchemy.orm.declarative_base()",
    "flask_sqlalchemy.Model", "sqlmodel.SQLModel", "advanced_alchemy.base.BigIntBase", "advanced_alchemy.base.UUIDBase",
    "advanced_alchemy.base.UUIDAuditBase", "advanced_alchemy.base.BigIntAuditBase",
    "advanced_alchemy.base.DeclarativeBase", "sqlalchemy.ext.automap.automap_base()", "flask_appbuilder.Model",
    "flask_appbuilder.models.sqla.Model",
})  # fmt: skip
"""What a class must have among its ancestors to be mapped."""

SESSIONS = frozenset({
    "sqlalchemy.orm.Session", "sqlalchemy.ext.asyncio.AsyncSession", "sqlmodel.Session",
    "sqlmodel.ext.asyncio.session.AsyncSession", "flask_sqlalchemy.Session",
})  # fmt: skip
ASYNC_SESSIONS = frozenset(
    {"sqlalchemy.ext.asyncio.AsyncSession", "sqlmodel.ext.asyncio.session.AsyncSession"}
)
REGISTRIES = frozenset({"sqlalchemy.orm.scoped_session", "sqlalchemy.ext.asyncio.async_scoped_session"})
FACTORIES = frozenset({"sqlalchemy.orm.sessionmaker", "sqlalchemy.ext.asyncio.async_sessionmaker"})


def is_public(module: str, name: str) -> bool:
    """Whether a name is one of a library module's documented names."""
    return name in _HOME_OF.get(module, {})


def canonical(module: str, name: str) -> str:
    """The canonical dotted name of a name imported from a module outside the workspace; `name` may be empty."""
    if not name:
        return module
    if module.startswith("sqlalchemy"):
        if module == "sqlalchemy" and name in (
            "orm",
            "ext",
            "pool",
            "sql",
            "types",
            "exc",
            "event",
            "engine",
        ):
            return f"{module}.{name}"
        for home, prefixes in _DEEP.items():
            if module == home or module.startswith(tuple(prefix for prefix in prefixes)):
                known = _HOME_OF[home].get(name)
                if known is not None:
                    return known
        if module.startswith("sqlalchemy.dialects"):
            return f"{module}.{name}"
        return f"{module}.{name}"
    if module == "sqlmodel" or module.startswith("sqlmodel."):
        if module.startswith("sqlmodel.ext.asyncio"):
            return f"sqlmodel.ext.asyncio.session.{name}" if name == "AsyncSession" else f"{module}.{name}"
        if name in ("create_engine", "select"):
            return f"sqlalchemy.{name}"
        if name in SQLMODEL_OWN:
            return f"sqlmodel.{name}"
        return canonical("sqlalchemy", name) if name in _HOME_OF["sqlalchemy"] else f"{module}.{name}"
    if module.startswith("flask_sqlalchemy"):
        return f"flask_sqlalchemy.{name}" if name[:1].isupper() else f"{module}.{name}"
    if module == "typing_extensions":
        return f"typing.{name}"
    if module == "collections.abc":
        return f"typing.{name}"
    return f"{module}.{name}"
