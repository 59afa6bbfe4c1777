"""A statement while links are applied to it: its steps, its FROM elements, and what is proven about its rows.

The question that decides most forms is `repeats()`: can one entity come back more than once, so that
Query's silent de-duplication must be written as `.unique()`? The answer is "no" only when it is proven.
This module must never know a method of Query: the tables in `links` and `terminals` call it.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import EntityKind, Inheritance, walk_references
from sqlalchemy_guard.fixes.select.tree import Argument, Call, Imported, Step, Text, extend
from sqlalchemy_guard.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy_guard.facts.query import EntityInfo, Knowledge, Link, ModelInfo
    from sqlalchemy_guard.fixes.select.source import SourceText
    from sqlalchemy_guard.fixes.select.tree import Tree

ENTITIES = frozenset((EntityKind.MODEL, EntityKind.ALIAS))
NAMED_COLUMNS = frozenset((EntityKind.COLUMN, EntityKind.EXPRESSION, EntityKind.AGGREGATE))
COLUMNS = NAMED_COLUMNS | {EntityKind.TABLE}


@dataclass(frozen=True, slots=True)
class Selected:
    """One expression of the SELECT list: the user's node, what it means, how it is written."""

    node: ast.expr
    info: EntityInfo
    tree: Tree


@dataclass(slots=True)
class Statement:
    """What is known after some links.

    Attributes:
        knowledge: Who knows what names mean.
        text: The text of the nodes.
        names: What the names in templates stand for.
        selected: The SELECT list as it is now.
        base: The beginning: `select(...)` with the first SELECT list.
        steps: What was appended to it.
        execution: Steps that belong to the execution, not to the SQL: they go to the outermost statement.
        clauses: Which kinds of links were applied: `where`, `join`, `limit`, `order_by`, …
        owners: FROM elements that are in the statement; the value says whether each of its rows belongs to
            one row of the selected entities at most (`True`: it cannot multiply rows).
        sources: The FROM elements that were named: selected, joined, or given to select_from().
        joined: Those of them that were joined or given to select_from().
        options: Loader options.
        nested: Rewrites a query that stands inside this one; None where that is not offered.
        target: What `filter_by` addresses; None stands for the first selected expression.
        target_node: The expression that named it.
        single: Whether the result is one object per row (False: rows).
        as_rows: Whether rows were asked for even of one class.
        parameters: Values of bound parameters, which go to the execution.
        bound: The same as arguments of `params()`, for a statement that is not executed here.
        ordering: What the rows are ordered by.
        words: The names without a table in the text() that orders the rows.
        assumed: Whether the one thing selected is only taken to be a mapped class.
        by_position: Whether rows are read by position only, so that column names do not matter.
        opaque: Why nothing can be said about repeated rows, None while something can.
        doubts: Reasons why the rewrite is not proven to be the same.
        since_2: Whether what only SQLAlchemy 1.4 does is of no concern.
    """

    knowledge: Knowledge
    text: SourceText
    names: dict[str, Tree]
    selected: list[Selected]
    base: Tree
    steps: list[Step] = field(default_factory=list)
    execution: list[Step] = field(default_factory=list)
    clauses: set[str] = field(default_factory=set)
    owners: dict[str, bool] = field(default_factory=dict)
    models: dict[str, ModelInfo] = field(default_factory=dict)
    target: EntityInfo | None = None
    target_node: ast.expr | None = None
    sources: list[EntityInfo] = field(default_factory=list)
    joined: list[EntityInfo] = field(default_factory=list)
    nested: Callable[[ast.expr], Tree | None] | None = None
    single: bool = False
    as_rows: bool = False
    parameters: Tree | None = None
    bound: tuple[Argument, ...] = ()
    ordering: list[ast.expr] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    assumed: bool = False
    by_position: bool = False
    opaque: str | None = None
    doubts: list[str] = field(default_factory=list)
    since_2: bool = False
    options: list[ast.expr] = field(default_factory=list)

    # what is written

    def tree(self, *, executed: bool = True, loads: bool = True) -> Tree:
        """The statement; with its execution steps unless something else will carry them.

        Args:
            executed: Whether execution steps are written.
            loads: Whether those are written as well that only say how objects are loaded.
        """
        return extend(self.base, *self.steps, *(self.executed_with(loads=loads) if executed else ()))

    def executed_with(self, *, loads: bool = True) -> list[Step]:
        """The execution steps; two `execution_options()` become one where no keyword is hidden or repeated."""
        merged: list[Step] = []
        for step in self.execution:
            if not loads and _says_how_to_load(step):
                continue
            last = merged[-1] if merged else None
            if last is not None and last.name == step.name == "execution_options":
                both = (*(last.arguments or ()), *(step.arguments or ()))
                names = [argument.keyword for argument in both]
                if None not in names and len(set(names)) == len(names):
                    merged[-1] = Step(step.name, both, origin=step.origin)
                    continue
            merged.append(step)
        return merged

    def atom(self, node: ast.expr) -> Text:
        """The user's expression."""
        return Text(self.text.segment(node), node)

    def arguments(self, link: Link) -> tuple[Argument, ...]:
        """All arguments of a link as they were written."""
        return (*self.positional(link.args), *self.named(link.keywords))

    def positional(self, nodes: Iterable[ast.expr]) -> tuple[Argument, ...]:
        """Positional arguments as they were written."""
        return tuple(
            Argument(self.atom(node.value), prefix="*")
            if isinstance(node, ast.Starred)
            else Argument(self.argument(node))
            for node in nodes
        )

    def argument(self, node: ast.expr) -> Tree:
        """The user's expression; a query inside it that is proven becomes a statement as well."""
        return (self.nested(node) if self.nested is not None else None) or self.atom(node)

    def named(self, keywords: Iterable[ast.keyword]) -> tuple[Argument, ...]:
        """Keyword arguments as they were written."""
        return tuple(Argument(self.atom(each.value), each.arg, "" if each.arg else "**") for each in keywords)

    def doubt(self, reason: str) -> None:
        """Something is not proven: the rewrite is offered with this reason."""
        if reason not in self.doubts:
            self.doubts.append(reason)

    # what is known

    def begin(self, entities: list[Selected]) -> None:
        """`select()` of the entities, and nothing else."""
        function = self.names["select"]
        assert isinstance(function, Text | Imported)
        self.base = Call(
            function,
            tuple(
                Argument(self.atom(each.node.value), prefix="*")
                if isinstance(each.node, ast.Starred)
                else Argument(each.tree)
                for each in entities
            ),
        )
        self.owners, self.models, self.opaque = {}, {}, None
        self.select(entities)
        self.sources = [each.info for each in entities]

    def select(self, entities: list[Selected]) -> None:
        """A new SELECT list."""
        self.selected = entities
        self.single = not self.as_rows and len(entities) == 1 and entities[0].info.kind in ENTITIES
        for each in entities:
            self.refer(each.node, each.info)

    def refer(self, node: ast.expr, info: EntityInfo | None = None, *, is_criterion: bool = False) -> None:
        """An expression is part of the SELECT list or of a criterion: its FROM elements come into the
        statement."""
        found = (
            [info]
            if info is not None and info.owner
            else walk_references(node, self.knowledge, is_criterion=is_criterion)
        )
        for each in found:
            if each.owner is None or is_computed(each):
                self.opaque = self.opaque or "a part of the statement is not known"
            else:
                self.owners.setdefault(each.owner, False)
                if each.model is not None:
                    self.models.setdefault(each.owner, each.model)

    def join(self, info: EntityInfo, *, to_one: bool) -> None:
        """A join: its target comes into the statement."""
        if info.owner is None:
            self.opaque = self.opaque or "a joined table is not known"
            return
        self.owners[info.owner] = to_one and not info.repeats and info.owner not in self.owners
        if info.model is not None:
            self.models[info.owner] = info.model

    @property
    def has_entities(self) -> bool:
        """Whether a mapped class is selected, so that Query de-duplicates."""
        return self.assumed or any(each.info.kind in ENTITIES for each in self.selected)

    @property
    def heeds_options(self) -> bool:
        """Whether select() looks at loader options as Query always does: only when something selected is
        proven to come from a mapped class, which the ORDER BY of a window function does not tell."""
        if self.assumed or "with_entities" in self.clauses or self.unsure_entities:
            return True  # these have a doubt of their own
        for each in self.selected:
            if each.info.kind in ENTITIES | {EntityKind.BUNDLE} or each.info.model is not None:
                return True
            node = each.node
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and each.info.label:
                node = node.func.value
            windows = any(isinstance(part, ast.Attribute) and part.attr == "over" for part in ast.walk(node))
            if not windows and any(part.model for part in walk_references(node, self.knowledge)):
                return True
        return False

    @property
    def unsure_entities(self) -> bool:
        """Whether something is selected that may or may not be a mapped class."""
        return any(each.info.kind not in ENTITIES | COLUMNS | {EntityKind.BUNDLE} for each in self.selected)

    @property
    def de_duplicates(self) -> bool:
        """Whether `.unique()` must be written: Query de-duplicates here and its effect cannot be ruled
        out."""
        return self.has_entities and "yield_per" not in self.clauses and self.repeats()

    def repeats(self) -> bool:
        """Whether the same entity, or the same row of entities, may come twice. False only when that is
        proven."""
        if self.opaque is not None or "union" in self.clauses or "from_statement" in self.clauses:
            return True
        keyed = {
            each.info.owner
            for each in self.selected
            if each.info.kind in ENTITIES
            and each.info.model is not None
            and _has_key(each.info.model)
            and not each.info.repeats
        }
        if any(owner not in keyed and not to_one for owner, to_one in self.owners.items()):
            return True
        for each in self.selected:
            if each.info.kind in ENTITIES and (
                each.info.model is None or eager_collections(each.info.model, frozenset())
            ):
                return True
        return any(not self.harmless(option) for option in self.options)

    def loads_separately(self, option: ast.expr) -> bool:
        """Whether a loader option is known to join nothing."""
        names = {
            each.attr if isinstance(each, ast.Attribute) else each.id
            for each in ast.walk(option)
            if isinstance(each, ast.Attribute | ast.Name)
        }
        return not names & {"joinedload", "contains_eager"} and self.harmless(option)

    def harmless(self, option: ast.expr) -> bool:
        """Whether a loader option is known not to join a collection."""
        if not isinstance(option, ast.Call):
            return self.knowledge.option(option) in SEPARATE_LOADERS
        calls: list[ast.Call] = []
        node: ast.expr = option
        while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            calls.append(node)
            if self.knowledge.qualified_name(node.func) is not None:
                break
            node = node.func.value
        else:
            if not isinstance(node, ast.Call):
                return False
            calls.append(node)
        for call in reversed(calls):
            qualified = self.knowledge.qualified_name(call.func)
            name = (
                qualified.rpartition(".")[2]
                if qualified
                else call.func.attr
                if isinstance(call.func, ast.Attribute)
                else ""
            )
            if name in SEPARATE_LOADERS:
                return True
            if name in COLUMN_OPTIONS:
                continue
            if name != "joinedload" or len(call.args) != 1 or isinstance(call.args[0], ast.Call):
                return False
            info = self.knowledge.entity(call.args[0])
            relationship = (
                info.model.relationships.get(info.attribute or "")
                if info.kind is EntityKind.RELATIONSHIP and info.model
                else None
            )
            if relationship is None or not relationship.to_one or relationship.target is None:
                return False
            if eager_collections(relationship.target, frozenset()):
                return False
        return True

    def is_loader(self, option: ast.expr) -> bool:
        """Whether an option says only how attributes are loaded."""
        if not isinstance(option, ast.Call):
            return self.knowledge.option(option) in LOADERS
        node: ast.expr = option
        while isinstance(node, ast.Call) and self.knowledge.qualified_name(node.func) is None:
            if not isinstance(node.func, ast.Attribute):
                return False
            node = node.func.value
        if not isinstance(node, ast.Call):
            return False
        qualified = self.knowledge.qualified_name(node.func) or ""
        return qualified.rpartition(".")[2] in LOADERS

    def drop_loaders(self) -> None:
        """Loader options mean nothing where nothing is loaded; inside a subquery select() may even refuse
        them."""
        self.steps = [
            step
            for step in self.steps
            if step.name != "options"
            or not all(
                isinstance(argument.value, Text)
                and argument.value.node is not None
                and not argument.prefix
                and self.is_loader(argument.value.node)
                for argument in step.arguments or ()
            )
        ]

    def unhashable(self) -> str | None:
        """Why `.unique()` on rows may fail where Query did not: the reason, None when it cannot."""
        for each in self.selected:
            if each.info.kind in COLUMNS and each.info.hashable is not True:
                certain = "cannot" if each.info.hashable is False else "perhaps cannot"
                what = self.text.segment(each.node)
                return f"the values of `{what}` {certain} be hashed, which unique() needs"
        return None

    def orders_by_others(self) -> bool:
        """Whether the rows are ordered by what is not selected."""
        selected = {(each.info.owner, each.info.attribute) for each in self.selected}
        for node in self.ordering:
            here = self.ordered_by(node)
            if isinstance(here, ast.Constant):
                continue
            info = self.knowledge.entity(here)
            whole = info.model is not None and info.attribute in info.model.columns
            if info.kind is EntityKind.COLUMN and (
                (info.owner, info.attribute) in selected or (whole and (info.owner, None) in selected)
            ):
                continue
            return True
        return False

    def ordered_by(self, node: ast.expr) -> ast.expr:
        """What an element of ORDER BY names, without how it orders."""
        while isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in ORDERS and not node.args:
                node = node.func.value
            elif (
                len(node.args) == 1
                and (self.knowledge.qualified_name(node.func) or "").rpartition(".")[2] in ORDERS
            ):
                node = node.args[0]
            else:
                break
        return node

    @property
    def keeps_names(self) -> bool:
        """Whether `LABEL_STYLE_NONE` gives rows the names that Query gives them: plain columns of classes, and
        labels that nothing else has.

        No column may come twice, for which one is meant could not be told: neither by itself, nor by a class
        and its base.
        """
        infos = [each.info for each in self.selected]
        plain = [info for info in infos if info.label is None]
        labels = [info.label for info in infos if info.label is not None]
        names = {*labels, *(info.attribute for info in plain)}
        return (
            not self.clauses & {"union", "from_statement"}
            and len({(info.owner, info.attribute) for info in plain}) == len(plain)
            and len(names) == len({info.attribute for info in plain}) + len(labels)
            and all(info.kind in NAMED_COLUMNS for info in infos)
            and all(
                info.kind is EntityKind.COLUMN
                and info.model is not None
                and info.attribute in info.model.columns
                and info.model.inheritance is Inheritance.NONE
                for info in plain
            )
        )

    def same_names(self) -> str | None:
        """The name that two columns of the rows share, so that `row.name` would mean another one; None
        without."""
        seen: set[str] = set()
        if len(self.selected) > 1:
            table = next((each.node for each in self.selected if each.info.kind is EntityKind.TABLE), None)
            if table is not None:
                return f"{self.text.segment(table)}.…"
        for each in self.selected:
            if each.info.kind is EntityKind.BUNDLE:
                inner = each.info.names
                if not inner:
                    return f"{self.text.segment(each.node)}.…"
                if len(set(inner)) < len(inner) or not seen.isdisjoint(inner):
                    return next(name for name in inner if name in seen or inner.count(name) > 1)
                seen.update(inner)
                continue
            name = each.info.label or each.info.attribute
            if name is None and each.info.kind in ENTITIES and isinstance(each.node, ast.Name):
                name = each.node.id
            if name is None and isinstance(each.node, ast.Call):
                qualified = self.knowledge.qualified_name(each.node.func) or ""
                seen.add(qualified.rpartition(".")[2])
            if name is None:
                continue
            if name in seen and each.info.kind not in ENTITIES:
                return name
            seen.add(name)
        return None


def _says_how_to_load(step: Step) -> bool:
    """Whether an execution step came from a method of Query that does not touch its statement."""
    origin = step.origin
    return (
        isinstance(origin, ast.Call)
        and isinstance(origin.func, ast.Attribute)
        and origin.func.attr != "execution_options"
    )


def loads_eagerly(model: ModelInfo | None) -> bool:
    """Whether a model's mapping loads something along with it; True when not proven."""
    if model is None or not model.complete:
        return True
    return any(not each.known or each.lazy not in NOT_EAGER for each in model.relationships.values())


def joins_eagerly(model: ModelInfo | None) -> bool:
    """Whether a model's mapping joins something when it is loaded; True when not proven."""
    if model is None or not model.complete:
        return True
    return any(not each.known or each.lazy in ("joined", None) for each in model.relationships.values())


NOT_EAGER = frozenset(("select", "noload", "raise", "raise_on_sql", "dynamic", "write_only"))
"""Loading strategies of a mapping that do nothing when the object is loaded."""


ORDERS = frozenset(
    ("desc", "asc", "nulls_first", "nulls_last", "nullsfirst", "nullslast", "collate", "distinct")
)
"""Functions and methods that say how a column orders."""

SEPARATE_LOADERS = frozenset(
    (
        "selectinload",
        "subqueryload",
        "lazyload",
        "noload",
        "raiseload",
        "immediateload",
        "with_loader_criteria",
    )
)
"""Loader options whose relationship, and everything behind it, never joins into the statement."""

COLUMN_OPTIONS = frozenset(
    ("load_only", "defer", "undefer", "undefer_group", "with_expression", "Load", "options")
)
"""Loader options about columns of the entity that they follow."""


LOADERS = (
    (SEPARATE_LOADERS - {"with_loader_criteria"})
    | COLUMN_OPTIONS
    | {"joinedload", "contains_eager", "defaultload"}
)
"""Options that say only how attributes are loaded."""


def is_computed(info: EntityInfo) -> bool:
    """Whether an attribute stands for an expression, which may name other tables: hybrids, proxies."""
    model = info.model
    return info.kind is EntityKind.COLUMN and model is not None and info.attribute not in model.columns


def _has_key(model: ModelInfo) -> bool:
    return bool(model.primary_key) and model.inheritance not in (Inheritance.CONCRETE, Inheritance.UNKNOWN)


def eager_collections(model: ModelInfo, visited: frozenset[str]) -> bool:
    """Whether loading a model joins, by its mapping, something that can multiply rows; True when not
    proven."""
    if not model.complete:
        return True
    if model.identity in visited:
        return False
    for relationship in model.relationships.values():
        if not relationship.known or relationship.lazy is None:
            return True
        if relationship.lazy == "joined":
            target = relationship.target
            if not relationship.to_one or target is None:
                return True
            if eager_collections(target, visited | {model.identity}):
                return True
    return False
