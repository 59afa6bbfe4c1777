"""What is known about a query value at one place: the statement so far, its session, and how two of them become one.

Where paths meet, what only one of them applied is treated as applied: that can only add `.unique()`, which never
changes objects. What would change the form is refused. This module must never look for the paths.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import EntityKind
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.statement import NAMED_COLUMNS
from sqlalchemy_guard.fixes.select.tree import Text
from sqlalchemy_guard.records import dataclass, field, replace

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.query import Link, SessionInfo
    from sqlalchemy_guard.fixes.select.statement import Selected, Statement
    from sqlalchemy_guard.fixes.select.tree import Tree

CERTAIN = frozenset(
    ("with_entities", "select_from", "from_statement", "yield_per", "params", "union", "no_eagerloads")
)
"""Clauses that decide later forms, so that paths must not differ in them."""

BULK = frozenset(("delete", "update"))
"""Terminals whose form begins with a statement of their own."""
WHOLE = frozenset(("get", "get_or_404", *BULK))
"""Terminals whose form does not begin with a SELECT, so that earlier expressions could not be kept."""

MIXED = "mixed"
"""The clause of a query that selects other columns on another path."""

_OF_ANY_COLUMNS = frozenset(("filter", "where", "order_by", "group_by", "having", "limit", "offset", "slice"))
"""Links whose form does not rest on which columns are selected."""

ENDS_OF_ANY_COLUMNS = frozenset(("all", "first", "one", "one_or_none"))
"""The same of terminals."""

_LABELS = frozenset(("set_label_style", "with_labels", "apply_labels"))


@dataclass(frozen=True, slots=True)
class State:
    """A query value.

    Attributes:
        statement: What was applied so far.
        session: What is known about its session.
        receiver: The session's expression in the function that the value is in; None where it has none.
        why: What to tell the user when there is no receiver.
        path: What the receiver is made of, to find it in other functions: opaque here.
        roots: The expressions that make the query.
        loops: How many loops are around what made it.
        tree: What is written for the expression that gave the value.
        maybe_none: Whether the value may be None instead.
        foreign: Whether it was made in another function.
        place: Where the receiver's name was read: line and column.
    """

    statement: Statement
    session: SessionInfo
    receiver: Tree | None
    roots: frozenset[ast.expr]
    loops: int = 0
    why: str = ""
    path: object = None
    tree: Tree = field(default_factory=lambda: Text(""))
    maybe_none: bool = False
    foreign: bool = False
    place: tuple[int, int] = (0, 0)

    def here(self, base: Tree) -> State:
        """The same value as it begins another expression."""
        statement = copy(self.statement)
        statement.base, statement.steps, statement.execution = base, [], []
        statement.clauses.add("flow")
        return replace(self, statement=statement, tree=base)


def admit(state: State, link: Link, loops: int) -> None:
    """Refuse a link that cannot be folded into a query that was begun elsewhere.

    Raises:
        Refuse: it would mean something else.
    """
    if link.name in _LABELS:
        raise Refuse(f"{link.name}() is left out in 2.x: remove it first")
    if link.name in ("join", "outerjoin") and loops > state.loops:
        raise Refuse(f"{link.name}() in a loop: give each turn its aliased() class")
    if MIXED in state.statement.clauses and link.name not in _OF_ANY_COLUMNS:
        raise Refuse(f"{link.name}() of what selects different columns in each branch: build two statements")
    if link.name != "filter_by":
        return
    if "conditional_join" in state.statement.clauses:
        raise Refuse("filter_by() behind a conditional join() addresses one class or another: use where()")
    named = [each.info for each in state.statement.selected]
    if state.foreign and any(
        _is_local(info.owner, info.model.identity if info.model else None) for info in named
    ):
        raise Refuse("filter_by() of an aliased class that another function made: use where()")


def _is_local(owner: str | None, identity: str | None) -> bool:
    return owner is None or owner != identity


def copy(statement: Statement) -> Statement:
    """A statement that can be changed without the first one."""
    return replace(
        statement,
        selected=list(statement.selected),
        steps=list(statement.steps),
        execution=list(statement.execution),
        clauses=set(statement.clauses),
        owners=dict(statement.owners),
        models=dict(statement.models),
        sources=list(statement.sources),
        joined=list(statement.joined),
        options=list(statement.options),
        ordering=list(statement.ordering),
        words=list(statement.words),
        doubts=list(statement.doubts),
    )


def join(one: State, other: State, name: str) -> State:
    """The value where two paths meet.

    Args:
        one: The value on one path.
        other: The value on the other.
        name: How the user calls it.

    Raises:
        Refuse: the paths give values of different forms.
    """
    if one is other:
        return one
    named = _text(one.receiver) == _text(other.receiver)
    if not named or one.path != other.path or one.session.kind is not other.session.kind:
        raise Refuse(f"`{name}` comes from one session or another: execute it in each branch")
    first, second = one.statement, other.statement
    if first.clauses & CERTAIN != second.clauses & CERTAIN or first.parameters is not second.parameters:
        what = sorted((first.clauses ^ second.clauses) & CERTAIN) or ["params"]
        raise Refuse(f"{what[0]}() under a condition changes what the query gives: build two statements")
    mixed = not _same_selection(first, second)
    if mixed and not (_are_columns(first) and _are_columns(second)):
        raise Refuse(
            f"`{name}` selects different things in each branch: execute it there, or build one select()"
        )
    return replace(
        one,
        statement=_joined(first, second, mixed=mixed),
        session=replace(one.session, replaced=one.session.replaced | other.session.replaced),
        roots=one.roots | other.roots,
        loops=max(one.loops, other.loops),
        maybe_none=one.maybe_none or other.maybe_none,
        foreign=one.foreign or other.foreign,
        place=min(one.place, other.place),
    )


def _joined(first: Statement, second: Statement, *, mixed: bool) -> Statement:
    made = copy(first)
    made.clauses |= second.clauses
    if mixed:
        made.clauses.add(MIXED)
    if first.target != second.target:
        made.clauses.add("conditional_join")
    for owner, to_one in second.owners.items():
        made.owners[owner] = to_one and made.owners.get(owner, True)
    made.models.update(second.models)
    made.sources.extend(each for each in second.sources if each not in made.sources)
    made.joined.extend(each for each in second.joined if each not in made.joined)
    made.options.extend(each for each in second.options if not any(each is other for other in made.options))
    made.ordering.extend(
        each for each in second.ordering if not any(each is other for other in made.ordering)
    )
    made.words.extend(second.words)
    made.assumed = first.assumed or second.assumed
    made.opaque = first.opaque or second.opaque
    for doubt in second.doubts:
        made.doubt(doubt)
    return made


def _same_selection(first: Statement, second: Statement) -> bool:
    return len(first.selected) == len(second.selected) and all(
        _same(*pair) for pair in zip(first.selected, second.selected, strict=True)
    )


def _are_columns(statement: Statement) -> bool:
    """Whether rows of columns come whose form does not rest on which columns they are."""
    return (
        all(each.info.kind in NAMED_COLUMNS for each in statement.selected)
        and not any(isinstance(each.node, ast.Starred) for each in statement.selected)
        and statement.same_names() is None
        and not statement.options
        and "distinct" not in statement.clauses
    )


def _same(one: Selected, other: Selected) -> bool:
    if one.node is other.node:
        return True
    if one.info.kind in (EntityKind.MODEL, EntityKind.ALIAS, EntityKind.COLUMN):
        return one.info == other.info and one.info.owner is not None
    return one.info == other.info and _text(one.tree) == _text(other.tree) != ""


def _text(tree: Tree | None) -> str:
    """The text of an atom; what two trees of other kinds have is not compared."""
    return tree.text if isinstance(tree, Text) else ""
