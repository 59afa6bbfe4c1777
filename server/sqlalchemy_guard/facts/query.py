"""What one expression of the legacy Query API says: source, entities, links, terminal and consumer, as plain
data.

`session.query(User).filter_by(id=1).first()` is a source (`session.query`), entities (`User`), links
(`filter_by`), a terminal (`first`) and whatever consumes its value. This module takes such an expression
apart by its syntax and defines the small vocabulary in which somebody who resolves names tells what the
parts mean (`Knowledge` and the records that it returns). It must never resolve a name itself, and never
decide how to rewrite anything: that is `fixes.select`.
"""

from __future__ import annotations

import ast
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from sqlalchemy_guard.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Certainty(Enum):
    """How well a receiver is known. PROVEN: its name was resolved to SQLAlchemy's object. LIKELY: the name
    and the module's imports suggest it."""

    PROVEN = "proven"
    LIKELY = "likely"


class SessionKind(Enum):
    """What the query is made from; it decides how a statement is executed."""

    SYNC = "Session"  # also the session that AsyncSession.run_sync hands to its function
    SCOPED = "scoped_session"
    FLASK = "Flask-SQLAlchemy session"
    SQLMODEL = "sqlmodel.Session"
    ASYNC = "AsyncSession"  # has no query(): always an error of the code


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """The session behind a query.

    Attributes:
        kind: Which session it is.
        certainty: How well that is known.
        has_query_cls: Whether `session.query()` gives a subclass of Query with behaviour of its own
            (`sessionmaker(query_cls=)`; Flask-SQLAlchemy's default is none in this sense) or the workspace
            listens to events that only Query fires (`before_compile`, `after_bulk_update`, …); None when
            that is not known.
        text: For `Model.query` the expression that stands for the registry's session (`db.session`,
            `Session`); for `session.query` None: the receiver keeps its own text.
        database: For Flask-SQLAlchemy the expression of the extension object (`db`) that has `get_or_404`,
            `paginate` and the like; None when it is not visible.
        aborts: Whether `first_or_404()` and `get_or_404()` of its queries are Flask-SQLAlchemy's own, which abort by
            Flask's `abort()`.
        since_2: Whether the project is known to run on SQLAlchemy 2 or newer only.
        replaced: Methods that an own Query class replaces although nothing else of Query goes through them.
    """

    kind: SessionKind
    certainty: Certainty = Certainty.PROVEN
    has_query_cls: bool | None = False
    text: str | None = None
    database: str | None = None
    aborts: bool = False
    since_2: bool = False
    replaced: frozenset[str] = frozenset()


class Inheritance(Enum):
    """How a mapped class takes part in mapped inheritance."""

    NONE = "none"
    SINGLE = "single table"
    JOINED = "joined table"
    CONCRETE = "concrete table"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A mapped column attribute.

    Attributes:
        name: The attribute's name on the class.
        hashable: Whether the Python values of its type can be hashed (JSON, ARRAY, HSTORE, PickleType
            cannot); None when the type is not known.
    """

    name: str
    hashable: bool | None = True


DEFERRED = "deferred"
"""The strategy of a column that is loaded when it is read."""


@dataclass(frozen=True, slots=True)
class RelationshipInfo:
    """A relationship attribute.

    Attributes:
        name: The attribute's name on the class.
        collection: Whether it holds many objects; None when that could not be found.
        to_one: Whether at most one row of the target belongs to each row of this side, by the database's own
            keys: a many-to-one without `secondary` and without own `primaryjoin` whose foreign key refers to
            the target's primary key. `uselist=False` alone is no proof.
        secondary: Whether it goes, or may go, through an association table.
        lazy: The loading strategy in the mapping (`"select"`, `"joined"`, `"selectin"`, `"subquery"`,
            `"dynamic"`, `"write_only"`, `"noload"`, `"raise"`, …; `False` is `"joined"`, `True` is
            `"select"`), None when unknown.
        known: Whether everything that matters about it was understood.
        resolve: Gives the target's `ModelInfo`, None when it is not known. A function, as mappings are
            circular.
    """

    name: str
    collection: bool | None
    to_one: bool = False
    secondary: bool = True
    lazy: str | None = "select"
    known: bool = True
    resolve: Callable[[], ModelInfo | None] = field(default=lambda: None, compare=False, repr=False)

    @property
    def target(self) -> ModelInfo | None:
        """The mapped class at the other end."""
        return self.resolve()


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A mapped class.

    Attributes:
        name: The class's name.
        identity: Distinguishes classes of the same name (module and qualified name).
        primary_key: Names of the attributes of the primary key, in order; empty when unknown.
        columns: Column attributes by name, inherited ones included.
        relationships: Relationships by name, inherited and `backref`-made ones included.
        others: Names that can be used in criteria but are neither: hybrids, `column_property`, synonyms,
            composites, association proxies.
        inheritance: How the class takes part in mapped inheritance, seen from itself (a base with children
            counts).
        parent: Identity of the mapped base class, None without one.
        complete: Whether all bases and mixins were understood, so that an attribute not listed does not
            exist.
        computed: Whether an SQL expression is mapped as an attribute.
        truthy: Whether its objects are always true.
    """

    name: str
    identity: str
    primary_key: tuple[str, ...]
    columns: Mapping[str, ColumnInfo] = field(compare=False, hash=False)
    relationships: Mapping[str, RelationshipInfo] = field(default_factory=dict, compare=False, hash=False)
    others: frozenset[str] = frozenset()
    inheritance: Inheritance = Inheritance.NONE
    parent: str | None = None
    complete: bool = True
    computed: bool = False
    truthy: bool = True

    def has(self, name: str) -> bool:
        """Whether criteria can use an attribute of this name."""
        return name in self.columns or name in self.relationships or name in self.others


class EntityKind(Enum):
    """What an expression inside a query means."""

    MODEL = "mapped class"
    ALIAS = "aliased class"  # aliased(User), with_polymorphic(...)
    COLUMN = "column attribute"  # User.name; hybrids and column_property too
    RELATIONSHIP = "relationship attribute"
    AGGREGATE = "aggregate function"  # func.count(...) and the like, labelled or not, without OVER
    EXPRESSION = "SQL expression"
    BUNDLE = "bundle"  # one that gives rows: with `single_entity=True` it is unknown
    TABLE = "table or subquery"  # Table, Subquery, CTE, select(...).alias()
    # No SQL construct, so that it can only become a bound parameter. Parameters of functions, attributes of
    # instances and results of the application's own calls are values unless something says that they are SQL.
    VALUE = "plain value"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class EntityInfo:
    """What an expression inside a query means.

    Attributes:
        kind: What it is.
        model: Of a class or alias the mapping; of a column or relationship attribute the class that it was
            read from.
        owner: Distinguishes FROM elements: the identity of the class, of the alias (the variable that holds
            it), or of the table. Two expressions with the same owner refer to the same FROM element. None
            when unknown.
        attribute: The name of the column or relationship attribute.
        label: The name given by `.label("…")`, if that is how the expression ends.
        hashable: Whether the values of the column or expression can be hashed; None when unknown.
        repeats: Of an alias: whether it stands for a subquery, which may hold the same row several times.
        names: Of a bundle: what its columns are called; empty when not all of that is known.
    """

    kind: EntityKind
    model: ModelInfo | None = None
    owner: str | None = None
    attribute: str | None = None
    label: str | None = None
    hashable: bool | None = None
    repeats: bool = False
    names: tuple[str, ...] = ()


UNKNOWN_ENTITY = EntityInfo(EntityKind.UNKNOWN)


class Knowledge(Protocol):
    """What the resolver knows; handed in by the caller, asked about nodes of the expression and nothing
    else."""

    def session(self, receiver: ast.expr) -> SessionInfo | None:
        """The session that `receiver.query(...)` is called on; None when it is none."""

    def registry(self, query: ast.Attribute) -> tuple[SessionInfo, EntityInfo] | None:
        """For `Model.query` (Flask-SQLAlchemy, `query_property()`): session and entity; None when it is not
        that."""

    def entity(self, node: ast.expr) -> EntityInfo:
        """What an expression means; `UNKNOWN_ENTITY` when it cannot be told."""

    def qualified_name(self, node: ast.expr) -> str | None:
        """The dotted name of what a name or attribute refers to through the file's imports, by the module
        where users import it (`sqlalchemy.orm.joinedload`, `sqlalchemy.func.count`); None when it is nothing
        imported."""

    def option(self, node: ast.expr) -> str | None:
        """The name of the loader function that a variable's one option begins with; None when it may hold a list."""

    def spelling(self, model: ModelInfo) -> str | None:
        """How this file can name a mapped class at the place of the query; None when it is not in scope
        there."""


class Consumer(Enum):
    """What the code around the expression does with its value."""

    ASSIGNED = "assigned to a name and every use seen"
    RETURNED = "returned"
    ITERATED = "iterated once"
    ITERATED_AGAIN = "iterated more than once"
    TRUTH = "truth-tested"
    LENGTH = "len()"
    INDEXED = "indexed"
    PASSED = "passed on"
    ATTRIBUTE = "attribute read"
    AWAITED = "awaited"
    UNPACKED = "iterated or unpacked, each row by position only"
    STATEMENT = "bare statement"
    LISTED = "list(), tuple(), set() or sorted()"
    NESTED = "argument of another query or statement"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Link:
    """One step of a chain: `.name(args, keywords)`, `.name` without a call, or a subscript (name `[]`).

    Attributes:
        name: Method or attribute name; `[]` for a subscript.
        node: The whole expression up to and including this step.
        call: The call, None for an attribute read or a subscript.
        index: What stands between the brackets of a subscript.
    """

    name: str
    node: ast.expr
    call: ast.Call | None = None
    index: ast.expr | None = None

    @property
    def args(self) -> list[ast.expr]:
        """The positional arguments."""
        return self.call.args if self.call else []

    @property
    def keywords(self) -> list[ast.keyword]:
        """The keyword arguments."""
        return self.call.keywords if self.call else []

    def keyword(self, name: str) -> ast.expr | None:
        """The value of a keyword argument."""
        return next((each.value for each in self.keywords if each.arg == name), None)

    @property
    def has_unpacking(self) -> bool:
        """Whether `*args` or `**kwargs` hide how many arguments there are."""
        return any(isinstance(arg, ast.Starred) for arg in self.args) or any(
            each.arg is None for each in self.keywords
        )


@dataclass(frozen=True, slots=True)
class Source:
    """Where the query comes from.

    Attributes:
        node: The expression `session.query(...)` or `Model.query`.
        receiver: The session expression; the model expression for `Model.query`.
        session: What is known about the session.
        is_registry: Whether it is `Model.query`.
    """

    node: ast.expr
    receiver: ast.expr
    session: SessionInfo
    is_registry: bool = False


@dataclass(frozen=True, slots=True)
class QueryExpression:
    """One expression of the Query API, taken apart.

    Attributes:
        node: The whole expression.
        source: Where the query comes from.
        entities: The expressions that are selected: arguments of `query(...)`, or the class of `Class.query`.
        links: The refining steps in order (`filter`, `join`, …).
        terminal: The step that leaves the Query API (`all`, `first`, `subquery`, `[]`, …); None when the
            value of the expression is still a Query.
        trailing: Steps after the terminal: they apply to its value and keep their text.
        consumer: What becomes of the value.
    """

    node: ast.expr
    source: Source
    entities: tuple[ast.expr, ...]
    links: tuple[Link, ...]
    terminal: Link | None
    trailing: tuple[Link, ...]
    consumer: Consumer = Consumer.UNKNOWN


TERMINALS = frozenset(
    (
        *("all", "first", "one", "one_or_none", "scalar", "get", "count", "exists", "delete", "update", "[]"),
        *("subquery", "cte", "scalar_subquery", "as_scalar", "label", "statement", "selectable"),
        *("get_or_404", "first_or_404", "one_or_404", "paginate"),
        *("value", "values", "instances", "merge_result", "session", "__iter__"),
        *("whereclause", "column_descriptions", "is_single_entity", "get_execution_options"),
    )
)
"""Steps whose value is not a Query any more."""


def outermost(source: ast.expr, parent: Callable[[ast.AST], ast.AST | None]) -> ast.expr:
    """The whole chain that begins with `source`: climbs over attribute reads, calls of them and subscripts.

    Args:
        source: `session.query(...)` or `Model.query`.
        parent: Gives the node that holds a node.
    """
    node = source
    while True:
        holder = parent(node)
        if (isinstance(holder, ast.Attribute | ast.Subscript) and holder.value is node) or (
            isinstance(holder, ast.Call) and holder.func is node
        ):
            node = holder
            continue
        return node


def read_query(
    node: ast.expr, knowledge: Knowledge, consumer: Consumer = Consumer.UNKNOWN
) -> QueryExpression | None:
    """Take an expression apart; None when it is no chain that begins with a query.

    Args:
        node: The outermost expression of the chain (see `outermost`).
        knowledge: Who knows what names mean.
        consumer: What becomes of the value.
    """
    steps: list[Link] = []
    here = node
    while True:
        source = _source(here, knowledge)
        if source is not None:
            break
        step = step_of(here)
        if step is None:
            return None
        steps.append(step)
        here = below(here)
    steps.reverse()
    at = next((place for place, step in enumerate(steps) if step.name in TERMINALS), len(steps))
    terminal = steps[at] if at < len(steps) else None
    if isinstance(source.node, ast.Call):
        entities = tuple(source.node.args)
    else:
        entities = (source.receiver,)
    return QueryExpression(
        node, source, entities, tuple(steps[:at]), terminal, tuple(steps[at + 1 :]), consumer
    )


def read_refinement(
    node: ast.expr, name: str
) -> tuple[tuple[Link, ...], Link | None, tuple[Link, ...]] | None:
    """Take apart a chain that begins with a variable which holds a query.

    Args:
        node: The outermost expression of the chain.
        name: The variable.

    Returns:
        Links, terminal and what follows it; None when the expression does not begin with the variable.
    """
    steps: list[Link] = []
    while not (isinstance(node, ast.Name) and node.id == name):
        step = step_of(node)
        if step is None:
            return None
        steps.append(step)
        node = below(node)
    steps.reverse()
    at = next((place for place, step in enumerate(steps) if step.name in TERMINALS), len(steps))
    return tuple(steps[:at]), steps[at] if at < len(steps) else None, tuple(steps[at + 1 :])


def _source(node: ast.expr, knowledge: Knowledge) -> Source | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "query":
        session = knowledge.session(node.func.value)
        return Source(node, node.func.value, session) if session else None
    if isinstance(node, ast.Attribute):
        found = knowledge.registry(node)
        if found is not None:
            return Source(node, node.value, found[0], is_registry=True)
    return None


def begins_query(node: ast.expr, knowledge: Knowledge) -> bool:
    """Whether an expression is `session.query(…)` or `Model.query`."""
    return _source(node, knowledge) is not None


def step_of(node: ast.expr) -> Link | None:
    """The last step of a chain: a call of a method, an attribute, a subscript; None for other expressions."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return Link(node.func.attr, node, call=node)
    if isinstance(node, ast.Attribute):
        return Link(node.attr, node)
    if isinstance(node, ast.Subscript):
        return Link("[]", node, index=node.slice)
    return None


def below(node: ast.expr) -> ast.expr:
    """A chain without its last step."""
    if isinstance(node, ast.Call):
        node = node.func
    assert isinstance(node, ast.Attribute | ast.Subscript)
    return node.value


def walk_references(
    node: ast.expr, knowledge: Knowledge, *, is_criterion: bool = False
) -> Iterator[EntityInfo]:
    """What inside an expression may bring a FROM element into the statement that holds it.

    Args:
        node: The expression.
        knowledge: Who knows what names mean.
        is_criterion: Whether it stands where a whole criterion is expected: a name that looks like a plain
            value is then an SQL expression that came from elsewhere.

    Yields:
        The known entities, and `UNKNOWN_ENTITY` for each part that is not understood. Subqueries keep
        their FROM elements to themselves.
    """
    info = knowledge.entity(node)
    if info.kind is EntityKind.RELATIONSHIP and is_criterion:
        yield UNKNOWN_ENTITY  # as a criterion it stands for its join condition, with the table at the other end
    elif info.kind is EntityKind.VALUE:
        if is_criterion and not isinstance(node, ast.Constant):
            yield UNKNOWN_ENTITY
    elif info.kind is not EntityKind.UNKNOWN and info.owner is not None:
        yield info
    elif isinstance(node, ast.Constant) or is_subquery(node, knowledge):
        return
    elif isinstance(node, ast.Call):
        yield from _walk_call(node, knowledge)
    elif isinstance(node, ast.Attribute | ast.Name | ast.Lambda | ast.Await | ast.Yield | ast.YieldFrom):
        yield info
    else:
        logical = isinstance(node, ast.BoolOp | ast.UnaryOp) or (
            isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr)
        )
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from walk_references(child, knowledge, is_criterion=is_criterion and logical)


def _walk_call(node: ast.Call, knowledge: Knowledge) -> Iterator[EntityInfo]:
    name = knowledge.qualified_name(node.func)
    if name is None and isinstance(node.func, ast.Attribute):  # a method of a column: User.name.in_(...)
        left = list(walk_references(node.func.value, knowledge))
        yield from left or (UNKNOWN_ENTITY,)
        info = knowledge.entity(node.func.value)
        if info.kind is EntityKind.RELATIONSHIP and node.func.attr in ("any", "has", "contains"):
            relation = info.model.relationships.get(info.attribute or "") if info.model is not None else None
            if node.func.attr == "contains" and (
                relation is None or relation.secondary or not relation.known
            ):
                yield UNKNOWN_ENTITY  # the association table comes into the statement
            return  # its criteria stand in an EXISTS of their own
    elif name is None or not name.startswith(("sqlalchemy.", "sqlmodel.")):
        yield UNKNOWN_ENTITY
        return
    logical = (name or "").rpartition(".")[2] in ("and_", "or_", "not_")
    for argument in [*node.args, *(each.value for each in node.keywords)]:
        value = argument.value if isinstance(argument, ast.Starred) else argument
        yield from walk_references(value, knowledge, is_criterion=logical)


def is_subquery(node: ast.expr, knowledge: Knowledge) -> bool:
    """Whether a chain begins with `select(...)`, `exists(...)` or a query, so that it is a SELECT of its
    own."""
    here = node
    while True:
        if _source(here, knowledge) is not None:
            return True
        if isinstance(here, ast.Call) and knowledge.qualified_name(here.func) in SELECTS:
            return True
        if step_of(here) is None:
            return False
        here = below(here)


SELECTS = frozenset(
    ("sqlalchemy.select", "sqlalchemy.exists", "sqlalchemy.union", "sqlalchemy.union_all", "sqlmodel.select")
)
"""Functions whose value is a SELECT that keeps its FROM elements to itself."""
