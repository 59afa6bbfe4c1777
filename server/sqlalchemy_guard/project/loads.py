"""Statements that load objects: what they select, with which loader options, and how few rows they may give.

Built link by link from a chain of calls. This module must never follow a value; `rows` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Operation, Value
from sqlalchemy_guard.project.loader_options import LoaderOption, decides
from sqlalchemy_guard.records import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.project.resolve import SourceFile

Ref = tuple[str, str]

FEW = 5
"""Up to so many rows a loop costs little."""


@dataclass(frozen=True, slots=True, eq=False)
class Entity:
    """A mapped class among the things that a statement selects; `spelled` is the value that names it."""

    ref: Ref
    spelled: Value
    is_alias: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """A SELECT of objects: `select(User).where(…)`, `session.query(User).filter(…)`, `User.query`, `session.get(User, 1)`.

    Attributes:
        root: The expression that it begins with.
        file: Where it stands.
        entities: What it selects; None for what is no mapped class.
        links: The calls chained to the root, in order.
        options: The relationships that its loader options name, None when they are not all known.
        limit: The number of rows that it asks for at most, when that is a constant.
        keyed: The attributes that its criteria compare with one value.
        is_query: Whether it is a `Query`, which executes itself.
        is_async: Whether that runs in an asynchronous session, for one that executes itself.
        likely: Whether its session was concluded from a name.
    """

    root: Value
    file: SourceFile
    entities: tuple[Entity | None, ...]
    links: tuple[Call, ...] = ()
    options: tuple[LoaderOption, ...] | None = ()
    limit: int | None = None
    keyed: frozenset[str] = frozenset()
    is_query: bool = False
    is_async: bool = False
    likely: bool = False

    def linked(self, call: Call, options: tuple[LoaderOption, ...] | None) -> Statement | None:
        """The statement with one more call chained to it; None when it then selects something else.

        Args:
            call: The link.
            options: What the arguments of `.options(…)` were read as.
        """
        assert isinstance(call.func, Attr)
        name = call.func.name
        if name in _RESELECTING:
            return None
        made = replace(self, links=(*self.links, call))
        if name == "options":
            known = self.options is not None and options is not None
            return replace(made, options=(*(self.options or ()), *(options or ())) if known else None)
        if name in ("add_columns", "add_column", "add_entity"):
            return replace(made, entities=(*self.entities, *[None] * len(call.args)))
        if name in ("limit", "fetch") and call.args:
            limit = call.args[0].value if isinstance(call.args[0], Const) else None
            return replace(made, limit=limit if isinstance(limit, int) else None)
        if name in ("where", "filter", "filter_by"):
            return replace(made, keyed=self.keyed | frozenset(_compared(call)))
        return made

    def decided(self, path: tuple[str, ...]) -> LoaderOption | None:
        """The option that says how the relationship at the end of a path is loaded."""
        return decides(self.options or (), path)


_RESELECTING = frozenset(
    ("with_only_columns", "with_entities", "from_self", "union", "union_all", "intersect", "except_", "from_statement",
     "columns", "values", "select_entity_from")
)  # fmt: skip


def _compared(call: Call) -> Iterator[str]:
    """The attributes that criteria compare with a single value."""
    yield from (name for name, _ in call.keywords if name is not None)
    todo = list(call.args)
    while todo:
        value = todo.pop()
        if isinstance(value, Operation) and value.name == "Eq" and isinstance(value.operands[0], Attr):
            yield value.operands[0].name
        elif isinstance(value, Call) and isinstance(value.func, Attr) and value.func.name == "with_parent":
            yield "*"


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """One execution of a statement.

    Attributes:
        statement: What is executed.
        call: The call that executes it, with its file; of a `Query` that is iterated, None.
        is_async: Whether the session is asynchronous.
        likely: Whether the session was concluded from a name.
    """

    statement: Statement
    call: Call | None
    file: SourceFile
    is_async: bool
    likely: bool

    @property
    def is_small(self) -> bool:
        """Whether it gives a handful of rows at most."""
        return self.statement.limit is not None and self.statement.limit <= FEW
