"""What SQLAlchemy 2 no longer takes of the API of 1.x, read beside the migration guide: one table row for each form.

A row says what is gone and what to write; where the new form follows from the old one it says as data how (`Rewrite`).
Arguments of engines, sessions and types are SAG113's, strings in loader options and joins SAG314's. This module must never
edit anything.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Collected, Const, Sequence, Star, Value
from sqlalchemy_guard.project.types import Instance, known
from sqlalchemy_guard.records import NamedTuple, dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile


@dataclass(frozen=True, slots=True)
class Renamed:
    """A function has another name in the same module."""

    module: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Relinked:
    """A link of a chain is called otherwise: `text` stands for `name(arguments)`; `imports` come from `sqlalchemy`."""

    text: str
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chained:
    """Arguments that are links of a chain now: which stay (`spread` without the brackets around them), which become what.

    Attributes:
        spread: Arguments that are a list whose items are arguments now.
        moved: Arguments with the method they become and whether the argument is a list of the method's arguments.
        dropped: Arguments that say nothing.
    """

    spread: tuple[ast.expr | ast.keyword, ...] = ()
    moved: tuple[tuple[ast.expr | ast.keyword, str, bool], ...] = ()
    dropped: tuple[ast.expr | ast.keyword, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameters:
    """Bound values of an execution that are one dictionary now, or a list of them."""


@dataclass(frozen=True, slots=True)
class Connected:
    """`engine.execute(…)` needs a connection around its statement: `method` gives it."""

    method: str


@dataclass(frozen=True, slots=True)
class Inspected:
    """`engine.name(…)` is `inspect(engine).method(…)`."""

    method: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """The call is this name of `sqlalchemy`, called."""

    name: str


Rewrite = Renamed | Relinked | Chained | Parameters | Connected | Inspected | Replaced


class Removed(NamedTuple):
    """Something that is gone.

    Attributes:
        what: How it is written.
        instead: What to do, as the second half of a sentence.
        rewrite: How the new form follows from the old one; None where it does not.
        node: Where to point, None for the call.
        deprecated: Whether 2.x still takes it, with a warning.
    """

    what: str
    instead: str
    rewrite: Rewrite | None = None
    node: ast.expr | ast.keyword | None = None
    deprecated: bool = False


def removed(call: LibraryCall, resolver: Resolver, file: SourceFile) -> Removed | None:
    """What is gone in a call whose name is in `JUDGES`; None where it is right."""
    return JUDGES[call.name](call, resolver, file)


def _always(row: Removed) -> Callable[[LibraryCall, Resolver, SourceFile], Removed | None]:
    return lambda _call, _resolver, _file: row


# -- select(), update() and the like: arguments that are links now ----------------------------------------------------

_WHERE, _VALUES, _FROM = ("where", False), ("values", False), ("select_from", True)
_SELECT_KEYWORDS: dict[str, tuple[str, bool]] = {
    "whereclause": _WHERE,
    "from_obj": _FROM,
    "order_by": ("order_by", True),
    "group_by": ("group_by", True),
    "having": ("having", False),
    "limit": ("limit", False),
    "offset": ("offset", False),
    "prefixes": ("prefix_with", True),
    "suffixes": ("suffix_with", True),
}
_DML_KEYWORDS: dict[str, tuple[str, bool]] = {
    "whereclause": _WHERE,
    "values": _VALUES,
    "returning": ("returning", True),
    "prefixes": ("prefix_with", True),
}


class _Constructor(NamedTuple):
    """How a constructor took in 1.x what has methods now.

    Attributes:
        kept: How many positional arguments stay.
        positional: What those behind them become.
        keywords: What keywords become.
    """

    kept: int
    positional: tuple[tuple[str, bool], ...]
    keywords: dict[str, tuple[str, bool]]


_CONSTRUCTORS: dict[str, _Constructor] = {
    "sqlalchemy.select": _Constructor(1, (_WHERE, _FROM), _SELECT_KEYWORDS),
    "sqlalchemy.Table.select": _Constructor(0, (_WHERE,), _SELECT_KEYWORDS),
    "sqlalchemy.insert": _Constructor(1, (_VALUES,), _DML_KEYWORDS),
    "sqlalchemy.update": _Constructor(1, (_WHERE, _VALUES), _DML_KEYWORDS),
    "sqlalchemy.delete": _Constructor(1, (_WHERE,), _DML_KEYWORDS),
    "sqlalchemy.Table.insert": _Constructor(0, (_VALUES,), _DML_KEYWORDS),
    "sqlalchemy.Table.update": _Constructor(0, (_WHERE, _VALUES), _DML_KEYWORDS),
    "sqlalchemy.Table.delete": _Constructor(0, (_WHERE,), _DML_KEYWORDS),
}


def _constructor(call: LibraryCall, resolver: Resolver, file: SourceFile) -> Removed | None:
    made = _CONSTRUCTORS[call.name]
    node, value = call.fact.node, call.fact.value
    if any(isinstance(arg, ast.Starred) for arg in node.args):
        return None
    spread: list[ast.expr | ast.keyword] = []
    kept = made.kept
    name = call.name.rpartition(".")[2]
    if call.name == "sqlalchemy.select":
        columns = value.args[0] if value.args else value.keyword("columns")
        holder = (
            node.args[0] if node.args else next((one for one in node.keywords if one.arg == "columns"), None)
        )
        is_list = columns is not None and _is_list(resolver, columns, file)
        if columns is None or holder is None:
            kept = 0
        elif is_list:
            spread.append(holder)
        elif isinstance(holder, ast.keyword):
            return None  # what it holds is not known
        else:
            kept = len(node.args)
    if len(node.args) > kept + len(made.positional):
        return None
    moved: list[tuple[ast.expr | ast.keyword, str, bool]] = [
        (arg, *link) for arg, link in zip(node.args[kept:], made.positional, strict=False)
    ]
    dropped: list[ast.expr | ast.keyword] = []
    hidden = any(given.arg is None for given in node.keywords)
    for given in node.keywords:
        link = made.keywords.get(given.arg or "")
        constant = given.value.value if isinstance(given.value, ast.Constant) else ...
        if given.arg == "distinct" and constant in (True, False, None):
            link, constant = ("distinct()", False), constant or None
        if link is not None and constant is None:
            dropped.append(given)
        elif link is not None:
            moved.append((given, *link))
        elif given.arg in _UNREADABLE:
            hidden = True
            dropped.append(given)
    if not (spread or moved or dropped):
        return None
    rewrite = None if hidden else Chained(tuple(spread), tuple(moved), tuple(dropped))
    if spread and not moved and not dropped:
        return Removed("select([…])", "give the columns one by one", rewrite)
    links = [f"`.{one.removesuffix('()')}()`" for one in dict.fromkeys(one for _, one, _ in moved)]
    instead = f"call {' and '.join(links)} on the statement" if links else "call methods of the statement"
    return Removed(f"{name}() with clauses as arguments", instead, rewrite)


_UNREADABLE = frozenset(
    ("inline", "use_labels", "correlate", "for_update", "bind", "preserve_parameter_order", "return_defaults")
)


def _is_list(resolver: Resolver, value: Value, file: SourceFile) -> bool:
    if type(value) in (Sequence, Collected):
        return value.kind in ("list", "tuple", "set", "generator")  # type: ignore[attr-defined]
    kinds = list(known(resolver.type_of(value, file)))
    return bool(kinds) and all(isinstance(kind, Instance) and kind.ref == "builtins.list" for kind in kinds)


def _case(call: LibraryCall, resolver: Resolver, file: SourceFile) -> Removed | None:
    node, value = call.fact.node, call.fact.value
    whens = value.args[0] if value.args else value.keyword("whens")
    holder = node.args[0] if node.args else next((one for one in node.keywords if one.arg == "whens"), None)
    if whens is None or holder is None or type(whens) is Star:
        return None
    if _is_list(resolver, whens, file) and not _is_pair(whens, resolver, file):
        rest = [one for one in node.args if one is not holder]
        return Removed("case([…])", "give the pairs one by one", None if rest else Chained(spread=(holder,)))
    return None


def _is_pair(value: Value, resolver: Resolver, file: SourceFile) -> bool:
    """Whether the value is `(condition, result)`, which `case()` takes."""
    return (
        type(value) is Sequence
        and value.kind == "tuple"
        and not all(type(item) is Sequence and item.kind == "tuple" for item in value.items)
    )


def _conjunction(call: LibraryCall, _resolver: Resolver, _file: SourceFile) -> Removed | None:
    node = call.fact.node
    if node.args or node.keywords:
        return None
    name = call.name.rpartition(".")[2]
    rewrite = Replaced("true") if name == "and_" else None
    meant = "`true()`" if name == "and_" else "`true()` or `false()`, whichever is meant"
    return Removed(f"{name}() without arguments", f"write {meant}", rewrite, deprecated=True)


# -- execution ---------------------------------------------------------------------------------------------------------


def _engine_execute(call: LibraryCall, resolver: Resolver, file: SourceFile) -> Removed | None:
    method = call.name.rpartition(".")[2]
    statement = call.fact.value.args[0] if call.fact.value.args else None
    rewrite: Rewrite | None = None
    node = call.fact.node
    if statement is not None and len(node.args) <= 2 and not node.keywords:
        kinds = list(known(resolver.type_of(statement, file)))
        raw = not kinds or any(not isinstance(kind, Instance) or not _is_statement(kind) for kind in kinds)
        if len(node.args) == 1 or not raw:
            reads = all(isinstance(kind, Instance) and kind.ref in _READING for kind in kinds) and bool(kinds)
            rewrite = Connected("connect" if reads else "begin")
    return Removed(
        f"Engine.{method}()", "execute on a connection: `with engine.begin() as connection:`", rewrite
    )


_READING = ("sqlalchemy.Select", "sqlalchemy.CompoundSelect")


def _is_statement(kind: Instance) -> bool:
    return isinstance(kind.ref, str) and kind.ref.startswith("sqlalchemy.")


def _connection_execute(call: LibraryCall, _resolver: Resolver, _file: SourceFile) -> Removed | None:
    node = call.fact.node
    named = [
        one for one in node.keywords if one.arg not in ("parameters", "execution_options", "statement", None)
    ]
    positional = node.args[2:]
    if not named and not (positional and all(isinstance(arg, ast.Dict) for arg in node.args[1:])):
        return None
    readable = (
        not any(one.arg is None for one in node.keywords)
        and not any(isinstance(arg, ast.Starred) for arg in node.args)
        and len(named) == len(node.keywords)
        and not (named and len(node.args) > 1)
    )
    what = "execute() with values as keywords" if named else "execute() with several dictionaries"
    instead = "give them in a dictionary" if named else "give them in one list"
    return Removed(what, instead, Parameters() if readable else None, (named or positional)[0])


# -- schema ------------------------------------------------------------------------------------------------------------


def _table(call: LibraryCall, _resolver: Resolver, _file: SourceFile) -> Removed | None:
    node = call.fact.node
    given = {one.arg: one for one in node.keywords}
    autoload = given.get("autoload")
    if autoload is not None:
        has_engine = "autoload_with" in given
        pointless = isinstance(autoload.value, ast.Constant) and autoload.value.value in (True, False)
        rewrite = (
            Chained(dropped=(autoload,))
            if pointless
            and (
                has_engine or autoload.value.value is False  # type: ignore[attr-defined]
            )
            else None
        )
        instead = "leave it out" if rewrite else "give the engine or connection: `autoload_with=engine`"
        return Removed("Table(autoload=…)", instead, rewrite, autoload)
    for name, new in (("useexisting", "extend_existing"), ("bind", "an engine at the call that needs it")):
        if name in given:
            return Removed(f"Table({name}=…)", f"use {new}", None, given[name])
    return None


def _needs_engine(call: LibraryCall, _resolver: Resolver, _file: SourceFile) -> Removed | None:
    if call.fact.node.args or call.fact.node.keywords:
        return None
    name = call.name.removeprefix("sqlalchemy.")
    return Removed(f"{name}() without an engine", "give it the engine or a connection", None)


# -- the ORM -----------------------------------------------------------------------------------------------------------


def _begin(call: LibraryCall, _resolver: Resolver, _file: SourceFile) -> Removed | None:
    given = next((one for one in call.fact.node.keywords if one.arg == "subtransactions"), None)
    if given is None:
        return None
    if isinstance(given.value, ast.Constant) and given.value.value is False:
        return Removed("begin(subtransactions=…)", "leave it out", Chained(dropped=(given,)), given)
    instead = "let the outermost caller begin and commit, or use `begin_nested()`"
    return Removed("begin(subtransactions=True)", instead, None, given)


_LOCKS = {
    "read": "read=True",
    "update": "",
    "update_nowait": "nowait=True",
    "read_nowait": "read=True, nowait=True",
}


def _lockmode(call: LibraryCall, _resolver: Resolver, _file: SourceFile) -> Removed | None:
    mode = call.fact.value.args[0] if len(call.fact.value.args) == 1 else None
    text = _LOCKS.get(str(mode.value)) if type(mode) is Const else None
    rewrite = Relinked(f"with_for_update({text})") if text is not None else None
    return Removed("Query.with_lockmode()", "use `with_for_update()`", rewrite)


def _join_arguments(call: LibraryCall, _resolver: Resolver, _file: SourceFile) -> Removed | None:
    for one in call.fact.node.keywords:
        if one.arg in ("aliased", "from_joinpoint"):
            if isinstance(one.value, ast.Constant) and one.value.value is False:
                return Removed(f"join({one.arg}=…)", "leave it out", Chained(dropped=(one,)), one)
            return Removed(f"join({one.arg}=True)", "join to an `aliased()` class", None, one)
    return None


_RENAMED = {
    "relation": "relationship",
    "eagerload": "joinedload",
}


def _labels(owner: str) -> Removed:
    rewrite = Relinked("set_label_style({0})", ("LABEL_STYLE_TABLENAME_PLUS_COL",))
    instead = "use `set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)`"
    return Removed(owner, instead, rewrite)


_SCALAR = Relinked("scalar_subquery()")
_FROM_SELF = "select from `aliased(Entity, statement.subquery())`"
_STATEMENTS = ("Select", "CompoundSelect", "Insert", "Update", "Delete", "TextClause")

JUDGES: dict[str, Callable[[LibraryCall, Resolver, SourceFile], Removed | None]] = {
    **dict.fromkeys(_CONSTRUCTORS, _constructor),
    "sqlalchemy.case": _case,
    "sqlalchemy.and_": _conjunction,
    "sqlalchemy.or_": _conjunction,
    "sqlalchemy.Engine.execute": _engine_execute,
    "sqlalchemy.Engine.scalar": _engine_execute,
    "sqlalchemy.Connection.execute": _connection_execute,
    "sqlalchemy.Connection.scalar": _connection_execute,
    "sqlalchemy.Engine.table_names": _always(
        Removed(
            "Engine.table_names()", "use `inspect(engine).get_table_names()`", Inspected("get_table_names")
        )
    ),
    "sqlalchemy.Engine.has_table": _always(
        Removed("Engine.has_table()", "use `inspect(engine).has_table(…)`", Inspected("has_table"))
    ),
    **{
        f"sqlalchemy.Engine.{name}": _always(
            Removed(f"Engine.{name}()", "use `with engine.begin() as connection:`")
        )
        for name in ("run_callable", "transaction")
    },
    **{
        f"sqlalchemy.{owner}.{method}": _always(
            Removed(f".{method}() of a statement", "execute it on a connection or session")
        )
        for owner in _STATEMENTS
        for method in ("execute", "scalar")
    },
    "sqlalchemy.Table": _table,
    "sqlalchemy.Table.create": _needs_engine,
    "sqlalchemy.Table.drop": _needs_engine,
    "sqlalchemy.Table.exists": _always(Removed("Table.exists()", "use `inspect(engine).has_table(name)`")),
    "sqlalchemy.Table.count": _always(
        Removed("Table.count()", "use `select(func.count()).select_from(table)`")
    ),
    "sqlalchemy.MetaData.create_all": _needs_engine,
    "sqlalchemy.MetaData.drop_all": _needs_engine,
    "sqlalchemy.MetaData.reflect": _needs_engine,
    "sqlalchemy.Select.as_scalar": _always(
        Removed("as_scalar()", "use `scalar_subquery()`", _SCALAR, deprecated=True)
    ),
    "sqlalchemy.orm.Query.as_scalar": _always(
        Removed("as_scalar()", "use `scalar_subquery()`", _SCALAR, deprecated=True)
    ),
    "sqlalchemy.Select.apply_labels": _always(_labels("Select.apply_labels()")),
    "sqlalchemy.Select.with_labels": _always(_labels("Select.with_labels()")),
    "sqlalchemy.orm.Query.with_labels": _always(_labels("Query.with_labels()")._replace(deprecated=True)),
    **{
        f"sqlalchemy.Select.append_{name}": _always(
            Removed(f"Select.append_{name}()", f"assign what `{new}()` returns")
        )
        for name, new in {
            "column": "add_columns",
            "whereclause": "where",
            "order_by": "order_by",
            "group_by": "group_by",
            "having": "having",
            "from": "select_from",
        }.items()
    },
    "sqlalchemy.orm.Query.from_self": _always(Removed("Query.from_self()", _FROM_SELF)),
    "sqlalchemy.orm.Query.select_entity_from": _always(Removed("Query.select_entity_from()", _FROM_SELF)),
    "sqlalchemy.orm.Query.with_polymorphic": _always(
        Removed("Query.with_polymorphic()", "query `with_polymorphic(Entity, …)`")
    ),
    "sqlalchemy.orm.Query.with_lockmode": _lockmode,
    "sqlalchemy.orm.Query.join": _join_arguments,
    "sqlalchemy.orm.Query.outerjoin": _join_arguments,
    "sqlalchemy.orm.Query.values": _always(
        Removed("Query.values()", "use `with_entities()` or `select()`", deprecated=True)
    ),
    "sqlalchemy.orm.Query.value": _always(
        Removed("Query.value()", "use `with_entities().scalar()` or `select()`", deprecated=True)
    ),
    "sqlalchemy.orm.Session.begin": _begin,
    **{
        f"sqlalchemy.orm.{old}": _always(
            Removed(f"{old}()", f"use `{new}()`", Renamed("sqlalchemy.orm", old, new))
        )
        for old, new in _RENAMED.items()
    },
    "sqlalchemy.orm.mapper": _always(Removed("mapper()", "use `registry.map_imperatively()`")),
    "sqlalchemy.orm.create_session": _always(
        Removed("create_session()", "use `Session()` or a `sessionmaker`", deprecated=True)
    ),
    "sqlalchemy.orm.comparable_property": _always(
        Removed("comparable_property()", "use `hybrid_property` with a comparator")
    ),
}
"""For each canonical name of a call: what of it is gone."""
