"""What SQLAlchemy's (and its companions') functions, methods and attributes give, as far as the rules need it.

A stub is a function from the call to a type. The tables are meant to be read beside SQLAlchemy's reference and extended by
a line. This module must never look at the user's code except through the small `Site` that it is handed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from sqlalchemy_guard.project.types import (
    NONE_TYPE,
    UNKNOWN_TYPE,
    CallableType,
    ClassRef,
    ClassType,
    External,
    Instance,
    Literal,
    TupleType,
    Type,
    TypeForm,
    coroutine,
    known,
    list_of,
    options,
    union,
)

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.values import Call, Value


class Site(Protocol):
    """The call that a stub answers for.

    Attributes:
        call: The call.
        owner: The object whose method is called, or None.
    """

    call: Call
    owner: Instance | ClassType | None

    def type_of(self, value: Value) -> Type:
        """The type of an argument."""

    def is_model(self, type_: Type) -> bool:
        """Whether a type is a mapped class object."""


Stub = Callable[[Site], Type]

SESSION = "sqlalchemy.orm.Session"
ASYNC_SESSION = "sqlalchemy.ext.asyncio.AsyncSession"
QUERY = "sqlalchemy.orm.Query"
SELECT = "sqlalchemy.Select"


def instance(ref: ClassRef) -> Stub:
    """Always an instance of one class."""
    made = Instance(ref)
    return lambda _site: made


def keep(site: Site) -> Type:
    """The object itself, as a builder's method returns it."""
    return site.owner if isinstance(site.owner, Instance) else UNKNOWN_TYPE


def unknown(_site: Site) -> Type:
    """Something that no rule asks for."""
    return UNKNOWN_TYPE


def awaited(stub: Stub) -> Stub:
    """The same, to be awaited."""
    return lambda site: coroutine(stub(site))


def _entities(site: Site) -> tuple[Type, ...]:
    found: list[Type] = []
    for arg in site.call.args:
        type_ = site.type_of(arg)
        if isinstance(type_, Instance) and type_.ref in ("builtins.list", "builtins.tuple"):
            found.extend(type_.args)
        elif isinstance(type_, TupleType):
            found.extend(type_.items)
        else:
            found.append(type_)
    return tuple(found)


def element(entities: tuple[Type, ...], site: Site) -> Type:
    """What one result of a statement over these entities is: the object for one entity, else a row."""
    if len(entities) == 1:
        first = entities[0]
        if site.is_model(first):
            return object_of(first)
    return row(entities)


def object_of(entity: Type) -> Type:
    """What an entity or column gives in a row."""
    if isinstance(entity, ClassType):
        return Instance(entity.ref)
    if isinstance(entity, Instance) and entity.args and entity.ref in _COLUMN_LIKE:
        return entity.args[0]
    return UNKNOWN_TYPE


_COLUMN_LIKE = frozenset({"sqlalchemy.orm.InstrumentedAttribute", "sqlalchemy.Column"})


def row(entities: tuple[Type, ...]) -> Type:
    """A result row."""
    return Instance("sqlalchemy.Row", tuple(object_of(entity) for entity in entities))


def _query(site: Site) -> Type:
    likely = isinstance(site.owner, Instance) and site.owner.likely
    return Instance(QUERY, _entities(site), likely)


def _owner_args(site: Site) -> tuple[Type, ...]:
    return site.owner.args if isinstance(site.owner, Instance) else ()


def _query_list(site: Site) -> Type:
    return list_of(element(_owner_args(site), site))


def _query_one(site: Site) -> Type:
    return element(_owner_args(site), site)


def _query_maybe(site: Site) -> Type:
    return union((element(_owner_args(site), site), NONE_TYPE))


def _query_value(site: Site) -> Type:
    args = _owner_args(site)
    return union((object_of(args[0]), NONE_TYPE)) if args else UNKNOWN_TYPE


def _reselected(site: Site) -> Type:
    owner = site.owner
    return Instance(owner.ref, _entities(site), owner.likely) if isinstance(owner, Instance) else UNKNOWN_TYPE


def _added(site: Site) -> Type:
    owner = site.owner
    if not isinstance(owner, Instance):
        return UNKNOWN_TYPE
    return Instance(owner.ref, owner.args + _entities(site), owner.likely)


def _statement_entities(type_: Type) -> tuple[Type, ...]:
    for option in known(type_):
        if isinstance(option, Instance) and option.ref in (SELECT, QUERY, "sqlalchemy.CompoundSelect"):
            return option.args
    return ()


def _execute(site: Site) -> Type:
    args = _statement_entities(site.type_of(site.call.args[0])) if site.call.args else ()
    return Instance("sqlalchemy.Result", args)


def _scalars(site: Site) -> Type:
    if not site.call.args:
        return Instance("sqlalchemy.ScalarResult", _owner_args(site)[:1])
    return Instance("sqlalchemy.ScalarResult", _statement_entities(site.type_of(site.call.args[0]))[:1])


def _scalar(site: Site) -> Type:
    args = _statement_entities(site.type_of(site.call.args[0])) if site.call.args else ()
    return union((object_of(args[0]), NONE_TYPE)) if args else UNKNOWN_TYPE


def _exec(site: Site) -> Type:
    """SQLModel's `exec`: scalars for a single entity or column, rows otherwise."""
    args = _statement_entities(site.type_of(site.call.args[0])) if site.call.args else ()
    return Instance("sqlalchemy.ScalarResult" if len(args) == 1 else "sqlalchemy.Result", args)


def _get(site: Site) -> Type:
    if not site.call.args:
        return UNKNOWN_TYPE
    return union((object_of(site.type_of(site.call.args[0])), NONE_TYPE))


def _get_one(site: Site) -> Type:
    return object_of(site.type_of(site.call.args[0])) if site.call.args else UNKNOWN_TYPE


def _first_argument(site: Site) -> Type:
    return site.type_of(site.call.args[0]) if site.call.args else UNKNOWN_TYPE


def _cast(site: Site) -> Type:
    made = [
        Instance(option.ref) if isinstance(option, ClassType) else option.instance
        for option in options(_first_argument(site))
        if isinstance(option, ClassType | TypeForm)
    ]
    if not made and len(site.call.args) > 1:
        return site.type_of(site.call.args[1])
    return union(made)


def _row_list(site: Site) -> Type:
    return list_of(row(_owner_args(site)))


def _row_one(site: Site) -> Type:
    return row(_owner_args(site))


def _row_maybe(site: Site) -> Type:
    return union((row(_owner_args(site)), NONE_TYPE))


def _scalar_list(site: Site) -> Type:
    args = _owner_args(site)
    return list_of(object_of(args[0]) if args else UNKNOWN_TYPE)


def _scalar_one(site: Site) -> Type:
    args = _owner_args(site)
    return object_of(args[0]) if args else UNKNOWN_TYPE


def _scalar_maybe(site: Site) -> Type:
    return union((_scalar_one(site), NONE_TYPE))


def _session_of_factory(site: Site) -> Type:
    owner = site.owner
    return owner.args[0] if isinstance(owner, Instance) and owner.args else UNKNOWN_TYPE


def _factory(default: str, ref: str) -> Stub:
    def make(site: Site) -> Type:
        class_ = site.call.keyword("class_")
        made: Type = Instance(default)
        if class_ is not None:
            for option in known(site.type_of(class_)):
                if isinstance(option, ClassType):
                    made = Instance(option.ref)
        return Instance(ref, (made,))

    return make


def _scoped(async_: bool) -> Stub:
    ref = "sqlalchemy.ext.asyncio.async_scoped_session" if async_ else "sqlalchemy.orm.scoped_session"
    default = Instance(ASYNC_SESSION if async_ else SESSION)

    def make(site: Site) -> Type:
        session: Type = default
        factory = site.call.args[0] if site.call.args else site.call.keyword("session_factory")
        if factory is not None:
            for option in known(site.type_of(factory)):
                if isinstance(option, Instance) and option.args:
                    session = option.args[0]
                elif isinstance(option, CallableType):
                    session = option.result
        return Instance(ref, (session,))

    return make


def _declarative_base(site: Site) -> Type:
    cls = site.call.keyword("cls")
    extra = tuple(
        option.ref
        for option in (known(site.type_of(cls)) if cls is not None else ())
        if isinstance(option, ClassType)
    )
    return ClassType("sqlalchemy.orm.declarative_base()", extra)


def _aliased(site: Site) -> Type:
    return _first_argument(site)


def _query_property(site: Site) -> Type:
    return Instance("sqlalchemy.orm.query_property()", _owner_args(site))


def _depends(site: Site) -> Type:
    """FastAPI's `Depends(f)` as a default value: what `f` gives when FastAPI has called it."""
    target = site.call.args[0] if site.call.args else site.call.keyword("dependency")
    return Instance("fastapi.Depends", (site.type_of(target),)) if target is not None else UNKNOWN_TYPE


def _method_names(names: str) -> tuple[str, ...]:
    return tuple(names.split())


def _all(names: str, stub: Stub) -> dict[str, Stub]:
    return dict.fromkeys(names.split(), stub)


FUNCTIONS: dict[str, Stub] = {
    "sqlalchemy.create_engine": instance("sqlalchemy.Engine"),
    "sqlalchemy.engine_from_config": instance("sqlalchemy.Engine"),
    "sqlalchemy.ext.asyncio.create_async_engine": instance("sqlalchemy.ext.asyncio.AsyncEngine"),
    "sqlalchemy.ext.asyncio.async_engine_from_config": instance("sqlalchemy.ext.asyncio.AsyncEngine"),
    "sqlalchemy.orm.sessionmaker": _factory(SESSION, "sqlalchemy.orm.sessionmaker"),
    "sqlalchemy.ext.asyncio.async_sessionmaker": _factory(
        ASYNC_SESSION, "sqlalchemy.ext.asyncio.async_sessionmaker"
    ),
    "sqlalchemy.orm.scoped_session": _scoped(async_=False),
    "sqlalchemy.ext.asyncio.async_scoped_session": _scoped(async_=True),
    "sqlalchemy.orm.declarative_base": _declarative_base,
    "sqlalchemy.ext.automap.automap_base": lambda _site: ClassType("sqlalchemy.ext.automap.automap_base()"),
    "sqlalchemy.orm.aliased": _aliased,
    "sqlalchemy.orm.with_polymorphic": _aliased,
    "sqlalchemy.select": lambda site: Instance(SELECT, _entities(site)),
    "sqlalchemy.union": instance("sqlalchemy.CompoundSelect"),
    "sqlalchemy.union_all": instance("sqlalchemy.CompoundSelect"),
    "sqlalchemy.insert": instance("sqlalchemy.Insert"),
    "sqlalchemy.update": instance("sqlalchemy.Update"),
    "sqlalchemy.delete": instance("sqlalchemy.Delete"),
    "sqlalchemy.text": instance("sqlalchemy.TextClause"),
    "sqlalchemy.dialects.postgresql.insert": instance("sqlalchemy.Insert"),
    "sqlalchemy.dialects.mysql.insert": instance("sqlalchemy.Insert"),
    "sqlalchemy.dialects.sqlite.insert": instance("sqlalchemy.Insert"),
    "sqlalchemy.orm.object_session": lambda _site: union((Instance(SESSION), NONE_TYPE)),
    "sqlalchemy.ext.asyncio.async_object_session": lambda _site: union((Instance(ASYNC_SESSION), NONE_TYPE)),
    "sqlalchemy.orm.relationship": instance("sqlalchemy.orm.Relationship"),
    "sqlalchemy.orm.relation": instance("sqlalchemy.orm.Relationship"),
    "sqlalchemy.orm.dynamic_loader": instance("sqlalchemy.orm.Relationship"),
    "sqlmodel.Relationship": instance("sqlalchemy.orm.Relationship"),
    "sqlalchemy.orm.mapped_column": instance("sqlalchemy.orm.MappedColumn"),
    "alembic.op.batch_alter_table": instance("alembic.operations.BatchOperations"),
    "alembic.op.get_bind": instance("sqlalchemy.Connection"),
    "alembic.context.get_bind": instance("sqlalchemy.Connection"),
    "contextlib.closing": _first_argument,
    "contextlib.nullcontext": _first_argument,
    "builtins.next": lambda site: _iterated(_first_argument(site)),
    "builtins.anext": lambda site: coroutine(_iterated(_first_argument(site))),
    "builtins.iter": _first_argument,
    "builtins.list": lambda site: list_of(_iterated(_first_argument(site))),
    "builtins.sorted": lambda site: list_of(_iterated(_first_argument(site))),
    "builtins.reversed": lambda site: list_of(_iterated(_first_argument(site))),
    "builtins.set": lambda site: Instance("builtins.set", (_iterated(_first_argument(site)),)),
    "builtins.tuple": lambda site: list_of(_iterated(_first_argument(site))),
    "builtins.enumerate": lambda site: list_of(TupleType((UNKNOWN_TYPE, _iterated(_first_argument(site))))),
    "builtins.zip": lambda site: list_of(
        TupleType(tuple(_iterated(site.type_of(a)) for a in site.call.args))
    ),
    # A Query of a class of its own, with methods that SQLAlchemy's does not have.
    "oslo_db.sqlalchemy.utils.model_query": lambda site: Instance(QUERY, (_first_argument(site),), True),
    "oslo_db.sqlalchemy.utils.paginate_query": _first_argument,
    "typing.cast": _cast,
    # A name of its own for type checkers; at run time the class that it was made from.
    "typing.NewType": lambda site: (
        site.type_of(site.call.args[1]) if len(site.call.args) == 2 else UNKNOWN_TYPE
    ),
    "copy.copy": _first_argument,
    "fastapi.Depends": _depends,
    "fastapi.Security": _depends,
    "fastapi.params.Depends": _depends,
}


def _iterated(type_: Type) -> Type:
    """What iterating gives."""
    return union(iterated(option) for option in options(type_))


def iterated(type_: Type) -> Type:
    """What one step of iterating a value of this type gives."""
    if isinstance(type_, TupleType):
        return union(type_.items)
    if isinstance(type_, Instance) and type_.ref == "sqlalchemy.Result":
        return row(type_.args)
    if isinstance(type_, Instance) and type_.args:
        if type_.ref == "sqlalchemy.ScalarResult":
            return object_of(type_.args[0])
        if type_.ref == QUERY:
            first = type_.args[0]
            return (
                object_of(first) if len(type_.args) == 1 and isinstance(first, ClassType) else row(type_.args)
            )
        if isinstance(type_.ref, str) and type_.ref.startswith(("builtins.", "typing.")):
            return type_.args[0]
    return UNKNOWN_TYPE


_QUERY_LINKS = """
    filter filter_by where order_by group_by having limit offset slice distinct join outerjoin select_from options
    with_for_update populate_existing execution_options enable_eagerloads yield_per params autoflush correlate prefix_with
    suffix_with with_hint with_statement_hint with_parent reset_joinpoint from_statement union union_all intersect except_
    except_all intersect_all with_labels set_label_style enable_assertions select_entity_from from_self with_transformation
    add_entity with_lockmode with_polymorphic with_session only_return_tuples tuples
"""
_SELECT_LINKS = """
    where filter filter_by order_by group_by having limit offset slice fetch distinct join outerjoin join_from outerjoin_from
    select_from options with_for_update execution_options correlate correlate_except prefix_with suffix_with with_hint
    with_statement_hint set_label_style params reduce_columns group_by order_by add_cte
"""
_DML_LINKS = """
    where values returning execution_options options prefix_with with_hint on_conflict_do_nothing on_conflict_do_update
    on_duplicate_key_update from_select ordered_values return_defaults inline filter_by with_dialect_options
"""

# Statements of 1.x executed themselves on the engine that their metadata was bound to.
_CONNECTIONLESS: dict[str, Stub] = {"execute": instance("sqlalchemy.Result"), "scalar": unknown}

_QUERY_METHODS: dict[str, Stub] = {
    **_all(_QUERY_LINKS, keep),
    **_all("all", _query_list),
    **_all("one", _query_one),
    **_all("first one_or_none get", _query_maybe),
    **_all("scalar", _query_value),
    **_all("with_entities", _reselected),
    **_all("add_columns add_column", _added),
    **_all("count delete update exists label value values", unknown),
    **_all("subquery", instance("sqlalchemy.Subquery")),
    **_all("cte", instance("sqlalchemy.CTE")),
    **_all("scalar_subquery as_scalar", instance("sqlalchemy.ColumnElement")),
    **_all("get_or_404 first_or_404 one_or_404", _query_one),
    **_all("paginate", instance("flask_sqlalchemy.Pagination")),
}

_SESSION_METHODS: dict[str, Stub] = {
    "query": _query,
    "execute": _execute,
    "scalars": _scalars,
    "scalar": _scalar,
    "get": _get,
    "get_one": _get_one,
    "merge": _first_argument,
    "connection": instance("sqlalchemy.Connection"),
    "get_bind": instance("sqlalchemy.Engine"),
    "begin": lambda site: Instance("sqlalchemy.orm.SessionTransaction", (keep(site),)),
    "begin_nested": lambda site: Instance("sqlalchemy.orm.SessionTransaction", (keep(site),)),
    "exec": _exec,
    "no_autoflush": keep,
    **_all(
        "add add_all delete commit rollback flush refresh expire expire_all expunge expunge_all close close_all reset "
        "bulk_save_objects bulk_insert_mappings bulk_update_mappings in_transaction is_modified prepare invalidate "
        "enable_relationship_loading bind_mapper bind_table delete_all merge_all get_transaction",
        unknown,
    ),
}


def _held(site: Site) -> Type:
    """What a context variable holds, by its annotation."""
    owner = site.owner
    return owner.args[0] if isinstance(owner, Instance) and owner.args else UNKNOWN_TYPE


_ASYNC = frozenset(
    _method_names(
        "execute scalars scalar get get_one merge connection refresh delete commit rollback flush close close_all reset "
        "stream stream_scalars run_sync exec invalidate aclose"
    )
)


def _run_sync(site: Site) -> Type:
    target = site.type_of(site.call.args[0]) if site.call.args else UNKNOWN_TYPE
    return target.result if isinstance(target, CallableType) else UNKNOWN_TYPE


_ASYNC_SESSION_METHODS: dict[str, Stub] = {
    **{
        name: awaited(stub) if name in _ASYNC else stub
        for name, stub in _SESSION_METHODS.items()
        if name != "query"
    },
    "stream": awaited(_execute),
    "stream_scalars": awaited(_scalars),
    "run_sync": awaited(_run_sync),
    "aclose": awaited(unknown),
}

METHODS: dict[str, dict[str, Stub]] = {
    SESSION: _SESSION_METHODS,
    ASYNC_SESSION: _ASYNC_SESSION_METHODS,
    QUERY: _QUERY_METHODS,
    SELECT: {
        **_all(_SELECT_LINKS, keep),
        **_all("with_only_columns", _reselected),
        **_all("add_columns", _added),
        **_all("subquery alias", instance("sqlalchemy.Subquery")),
        **_all("cte", instance("sqlalchemy.CTE")),
        **_all("scalar_subquery as_scalar label", instance("sqlalchemy.ColumnElement")),
        **_all("union union_all intersect except_", instance("sqlalchemy.CompoundSelect")),
        **_all("exists", instance("sqlalchemy.ColumnElement")),
        **_all("apply_labels with_labels", keep),
        **_all(
            "append_column append_whereclause append_order_by append_group_by append_having append_from",
            unknown,
        ),
        **_CONNECTIONLESS,
    },
    "sqlalchemy.CompoundSelect": {
        **_all(_SELECT_LINKS, keep),
        **_all("subquery alias", instance("sqlalchemy.Subquery")),
        **_all("cte", instance("sqlalchemy.CTE")),
        **_CONNECTIONLESS,
    },
    "sqlalchemy.Insert": {**_all(_DML_LINKS, keep), **_CONNECTIONLESS},
    "sqlalchemy.Update": {**_all(_DML_LINKS, keep), **_CONNECTIONLESS},
    "sqlalchemy.Delete": {**_all(_DML_LINKS, keep), **_CONNECTIONLESS},
    "sqlalchemy.TextClause": {**_all("bindparams columns", keep), **_CONNECTIONLESS},
    "sqlalchemy.Table": {
        "select": lambda site: (
            Instance(SELECT, (site.owner,)) if isinstance(site.owner, Instance) else UNKNOWN_TYPE
        ),
        "insert": instance("sqlalchemy.Insert"),
        "update": instance("sqlalchemy.Update"),
        "delete": instance("sqlalchemy.Delete"),
        **_all("alias", instance("sqlalchemy.Alias")),
        **_all("create drop exists count", unknown),
    },
    "sqlalchemy.Result": {
        "scalars": _scalars,
        "unique": keep,
        "yield_per": keep,
        "tuples": keep,
        "freeze": keep,
        "columns": unknown,
        **_all("all fetchall fetchmany", _row_list),
        **_all("one", _row_one),
        **_all("first one_or_none fetchone", _row_maybe),
        **_all("scalar scalar_one_or_none", _scalar_maybe),
        **_all("scalar_one", _scalar_one),
        **_all("mappings keys close partitions", unknown),
    },
    "sqlalchemy.ScalarResult": {
        "unique": keep,
        "yield_per": keep,
        **_all("all fetchall fetchmany", _scalar_list),
        **_all("one", _scalar_one),
        **_all("first one_or_none", _scalar_maybe),
        **_all("close partitions", unknown),
    },
    "sqlalchemy.Engine": {
        **_all("connect", instance("sqlalchemy.Connection")),
        "begin": lambda _site: Instance("sqlalchemy.Transaction", (Instance("sqlalchemy.Connection"),)),
        "execute": lambda _site: Instance("sqlalchemy.Result"),
        "execution_options": keep,
        **_all("dispose raw_connection scalar table_names has_table run_callable transaction", unknown),
    },
    "sqlalchemy.ext.asyncio.AsyncEngine": {
        **_all("connect", instance("sqlalchemy.ext.asyncio.AsyncConnection")),
        "begin": lambda _site: Instance(
            "sqlalchemy.Transaction", (Instance("sqlalchemy.ext.asyncio.AsyncConnection"),)
        ),
        "execution_options": keep,
        "dispose": awaited(unknown),
    },
    "sqlalchemy.Connection": {
        "execute": _execute,
        "scalars": _scalars,
        "scalar": _scalar,
        "exec_driver_sql": lambda _site: Instance("sqlalchemy.Result"),
        "execution_options": keep,
        "begin": lambda site: Instance("sqlalchemy.Transaction", (keep(site),)),
        "begin_nested": lambda site: Instance("sqlalchemy.Transaction", (keep(site),)),
        **_all("commit rollback close invalidate detach in_transaction", unknown),
    },
    "sqlalchemy.ext.asyncio.AsyncConnection": {
        "execute": awaited(_execute),
        "scalars": awaited(_scalars),
        "scalar": awaited(_scalar),
        "exec_driver_sql": awaited(lambda _site: Instance("sqlalchemy.Result")),
        "stream": awaited(_execute),
        "run_sync": awaited(_run_sync),
        "begin": lambda site: Instance("sqlalchemy.Transaction", (keep(site),)),
        "begin_nested": lambda site: Instance("sqlalchemy.Transaction", (keep(site),)),
        **_all("commit rollback close", awaited(unknown)),
    },
    "sqlalchemy.orm.sessionmaker": {
        "begin": lambda site: Instance("sqlalchemy.orm.SessionTransaction", (_session_of_factory(site),)),
        "configure": unknown,
    },
    "sqlalchemy.ext.asyncio.async_sessionmaker": {
        "begin": lambda site: Instance("sqlalchemy.orm.SessionTransaction", (_session_of_factory(site),)),
        "configure": unknown,
    },
    "sqlalchemy.orm.scoped_session": {
        "remove": unknown,
        "configure": unknown,
        "query_property": _query_property,
    },
    "sqlalchemy.ext.asyncio.async_scoped_session": {"remove": awaited(unknown), "configure": unknown},
    "contextvars.ContextVar": {"get": _held},
    "sqlalchemy.MetaData": _all("create_all drop_all reflect clear", unknown),
    "alembic.operations.BatchOperations": _all(
        "add_column alter_column drop_column create_index drop_index create_unique_constraint create_foreign_key "
        "create_check_constraint create_primary_key create_exclude_constraint drop_constraint create_table_comment "
        "drop_table_comment execute f get_bind get_context",
        unknown,
    ),
    "sqlalchemy.orm.registry": {
        "generate_base": lambda _site: ClassType("sqlalchemy.orm.declarative_base()"),
        "mapped": _first_argument,
        "as_declarative_base": unknown,
        "map_imperatively": unknown,
        "configure": unknown,
        "mapped_as_dataclass": _first_argument,
    },
    "flask_sqlalchemy.SQLAlchemy": {
        **_all("create_all drop_all init_app reflect", unknown),
        **_all("get_or_404", _get_one),
        **_all("first_or_404 one_or_404", lambda site: _scalar(site)),
        **_all("paginate", instance("flask_sqlalchemy.Pagination")),
        **_all("create_scoped_session", instance("sqlalchemy.orm.scoped_session")),
    },
}

ATTRIBUTES: dict[str, dict[str, Type]] = {
    "flask_sqlalchemy.SQLAlchemy": {
        "session": Instance("sqlalchemy.orm.scoped_session", (Instance("flask_sqlalchemy.Session"),)),
        "Model": ClassType("flask_sqlalchemy.Model"),
        "engine": Instance("sqlalchemy.Engine"),
        "metadata": Instance("sqlalchemy.MetaData"),
        "Query": ClassType("flask_sqlalchemy.Query"),
    },
    "sqlalchemy.ext.asyncio.AsyncSession": {"sync_session": Instance(SESSION)},
    "sqlalchemy.ext.asyncio.AsyncEngine": {"sync_engine": Instance("sqlalchemy.Engine")},
    "sqlalchemy.orm.scoped_session": {
        "session_factory": Instance("sqlalchemy.orm.sessionmaker", (Instance(SESSION),))
    },
    "sqlalchemy.orm.Session": {"no_autoflush": Instance("sqlalchemy.orm.SessionTransaction")},
    "flask_sqlalchemy.Pagination": {},
    "sqlalchemy.orm.registry": {"metadata": Instance("sqlalchemy.MetaData")},
}

CLASS_ATTRIBUTES: dict[str, dict[str, Type]] = {
    "sqlalchemy.orm.DeclarativeBase": {"metadata": Instance("sqlalchemy.MetaData")},
    "sqlalchemy.orm.DeclarativeBaseNoMeta": {"metadata": Instance("sqlalchemy.MetaData")},
    "sqlalchemy.orm.declarative_base()": {"metadata": Instance("sqlalchemy.MetaData")},
    "sqlalchemy.ext.automap.automap_base()": {"metadata": Instance("sqlalchemy.MetaData")},
    "flask_sqlalchemy.Model": {"metadata": Instance("sqlalchemy.MetaData")},
    "sqlmodel.SQLModel": {"metadata": Instance("sqlalchemy.MetaData")},
}

CONSTRUCTED: dict[str, Stub] = {
    name: FUNCTIONS[name]
    for name in (
        "sqlalchemy.orm.sessionmaker",
        "sqlalchemy.ext.asyncio.async_sessionmaker",
        "sqlalchemy.orm.scoped_session",
        "sqlalchemy.ext.asyncio.async_scoped_session",
    )
}

CLASSES = frozenset(
    {
        *METHODS,
        *ATTRIBUTES,
        *CLASS_ATTRIBUTES,
        *CONSTRUCTED,
        "sqlmodel.Session",
        "sqlmodel.ext.asyncio.session.AsyncSession",
        "flask_sqlalchemy.Session",
        "flask_sqlalchemy.Query",
        "sqlalchemy.orm.Mapped",
        "sqlalchemy.orm.DynamicMapped",
        "sqlalchemy.orm.WriteOnlyMapped",
        "sqlalchemy.orm.MappedAsDataclass",
        "sqlalchemy.Column",
        "sqlalchemy.Table",
        "sqlalchemy.orm.InstrumentedAttribute",
        "sqlalchemy.Row",
        "sqlalchemy.orm.SessionTransaction",
        "sqlalchemy.Transaction",
        *[
            f"builtins.{name}"
            for name in "list dict set frozenset tuple type str int bytes float bool object".split()
        ],
    }
)
"""External names that are classes."""

PROXIED = frozenset({"sqlalchemy.orm.scoped_session", "sqlalchemy.ext.asyncio.async_scoped_session"})
"""Classes that answer with the methods of the session that they hold."""

PROXY_TARGETS: dict[str, tuple[str, ...]] = {
    "flask_sqlalchemy.SQLAlchemy": ("sqlalchemy", "sqlalchemy.orm"),
}
"""Objects whose other attributes are the names of these modules (`db.Column`, `db.relationship`)."""

FORMS = frozenset(
    {
        "typing.Annotated", "typing.Optional", "typing.Union", "typing.Generator", "typing.Iterator", "typing.Iterable",
        "typing.AsyncGenerator", "typing.AsyncIterator", "typing.AsyncIterable", "typing.Sequence", "typing.List",
        "typing.Set", "typing.Type", "typing.Callable", "typing.Awaitable", "typing.Coroutine", "typing.Collection",
        "typing.ContextManager", "typing.AsyncContextManager", "typing.ClassVar", "typing.Final", "typing.Dict",
        "typing.Mapping", "typing.Tuple", "typing.FrozenSet", "contextlib.AbstractContextManager",
        "contextlib.AbstractAsyncContextManager", "typing.Required", "typing.NotRequired", "typing.ReadOnly",
        "fastapi.Depends", "typing.Self", "typing.MutableSequence",
    }
)  # fmt: skip
"""Generic forms that may stand in an annotation."""

__all__ = [
    "ATTRIBUTES",
    "CLASSES",
    "CLASS_ATTRIBUTES",
    "CONSTRUCTED",
    "FORMS",
    "FUNCTIONS",
    "METHODS",
    "PROXIED",
    "PROXY_TARGETS",
    "External",
    "Literal",
    "Site",
    "iterated",
    "object_of",
]
