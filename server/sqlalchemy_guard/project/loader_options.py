"""Loader options as facts: which relationships and deferred columns a statement's `.options(…)` names, and how to load each.

Options are followed through variables, lists, functions and arguments. What is not understood makes the whole unknown:
this module must never take a part of the options for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import (
    Attr,
    Call,
    Const,
    Either,
    Item,
    Param,
    Sequence,
    Star,
    Typed,
    Value,
    same,
)
from sqlalchemy_guard.project.types import ClassType, External, FunctionType, Instance, known
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.scopes import Scope

EAGER = frozenset(("joinedload", "selectinload", "subqueryload", "contains_eager", "immediateload", "joinedload_all",
                   "subqueryload_all", "selectinload_all", "eagerload", "eagerload_all"))  # fmt: skip
"""Options that load a relationship with the rows."""
_EXPLICIT = frozenset(("lazyload", "raiseload", "noload", "defaultload", "write_only"))
_UNDEFER = frozenset(("undefer", "undefer_group", "load_only"))
"""Options that load deferred columns with the rows: those that they name, or nobody knows which."""
_HARMLESS = frozenset(("defer", "with_expression", "with_loader_criteria", "selectin_polymorphic",
                       "set_relationship_caching", "set_ancestor"))  # fmt: skip
_NAMES = EAGER | _EXPLICIT
_ANY = "*"
_SOME_COLUMNS = "columns"
"""Stands for columns of which the option does not say the names; no attribute of a path is followed by it."""


class LoaderOption(NamedTuple):
    """One relationship that an option names.

    Attributes:
        path: The relationships from the entity on; `*` stands for all.
        strategy: The option's function.
        call: The call that says so, with its file: where a nested option can be chained.
    """

    path: tuple[str, ...]
    strategy: str
    call: Call
    file: SourceFile


Options = tuple[LoaderOption, ...]


def decides(options: Iterable[LoaderOption], path: tuple[str, ...]) -> LoaderOption | None:
    """The option that says how a relationship is loaded: it names the path, or all relationships at its end."""
    found: LoaderOption | None = None
    for option in options:
        if option.strategy != "defaultload" and (option.path == path or option.path[-1:] == (_ANY,)):
            found = option
    return found


def undefers(options: Iterable[LoaderOption], path: tuple[str, ...]) -> bool:
    """Whether an option loads the deferred column at the end of a path."""
    return any(
        option.strategy in _UNDEFER and option.path in (path, (*path[:-1], _SOME_COLUMNS))
        for option in options
    )


def read_options(
    resolver: Resolver, value: Value, scope: Scope, follow: Callable[[Value, Scope], Scope | None]
) -> Options | None:
    """The relationships that an argument of `.options(…)` names, None when it is not understood.

    Args:
        resolver: Types.
        value: The argument.
        scope: What the parameters of its function stand for.
        follow: Gives the scope of a function that a call enters, None where that is not known.
    """
    return _Reader(resolver, follow).read(value, scope, 0)


class _Reader:
    def __init__(self, resolver: Resolver, follow: Callable[[Value, Scope], Scope | None]) -> None:
        self.resolver = resolver
        self.follow = follow

    def read(self, value: Value, scope: Scope, depth: int) -> Options | None:
        """What an argument says."""
        if depth > 12:
            return None
        kind = type(value)
        if isinstance(value, Typed):
            return self.read(value.value, scope, depth + 1)
        if isinstance(value, Star):
            return self.read(value.base, scope, depth + 1)
        if isinstance(value, Either):
            # An option of one branch counts for both: it is the author's to decide.
            return self._all(value.options, scope, depth)
        if isinstance(value, Sequence):
            if value.kind == "list" and _is_extended(value, scope.file):
                return None
            return self._all(value.items, scope, depth)
        if isinstance(value, Param):
            bound = scope.bound(value)
            return self.read(bound[0], bound[1], depth + 1) if bound is not None else None
        if isinstance(value, Call):
            return self._call(value, scope, depth)
        if kind is Const:
            return () if value == Const(None) else None
        if isinstance(value, Attr):
            stored = self._stored(value, scope)
            if stored is not None:
                return self.read(*stored, depth + 1)
        followed, file = self.resolver.definition_of(value, scope.file)
        if followed is value or isinstance(followed, Item):
            return None
        return self.read(followed, scope.elsewhere(file), depth + 1)

    def _all(self, values: Iterable[Value], scope: Scope, depth: int) -> Options | None:
        found: list[LoaderOption] = []
        for each in values:
            read = self.read(each, scope, depth + 1)
            if read is None:
                return None
            found.extend(read)
        return tuple(found)

    def _stored(self, value: Attr, scope: Scope) -> tuple[Value, Scope] | None:
        """What an attribute of a class of the workspace holds."""
        for option in known(self.resolver.type_of(value.base, scope.file)):
            if isinstance(option, ClassType | Instance) and isinstance(option.ref, tuple):
                member = self.resolver.member(ClassType(option.ref), value.name)
                if member is not None and member.attribute is not None and member.attribute.value is not None:
                    return member.attribute.value, scope.elsewhere(member.file)
        return None

    def _call(self, value: Call, scope: Scope, depth: int) -> Options | None:
        name = self._function(value, scope)
        if name in _HARMLESS:
            return ()
        if name in _UNDEFER:
            return _columns(name, (), value, scope)
        if name == "Load":
            return (LoaderOption((), "Load", value, scope.file),)
        if name in _NAMES:
            return self._named(name, (), value, scope)
        if isinstance(value.func, Attr) and value.func.name in _NAMES | _HARMLESS | _UNDEFER | {"options"}:
            before = self.read(value.func.base, scope, depth + 1)
            if not before:
                return None if before is None or value.func.name != "options" else ()
            if value.func.name in _HARMLESS:
                return before
            path = before[-1].path
            if before[-1].strategy in _UNDEFER:
                path = path[:-1]
            if value.func.name in _UNDEFER:
                # What is chained to it goes on from the relationship in front of it.
                return (*before[:-1], *_columns(value.func.name, path, value, scope), before[-1])
            if value.func.name == "options":
                inner = self._all(value.args, scope, depth)
                if inner is None:
                    return None
                return (*before, *(each._replace(path=path + each.path) for each in inner))
            further = self._named(value.func.name, path, value, scope)
            return (*before, *further) if further is not None else None
        inside = self.follow(value, scope)
        if inside is None or inside.function is None or inside.function.returned is None:
            return None
        return self.read(inside.function.returned, inside, depth + 1)

    def _function(self, value: Call, scope: Scope) -> str | None:
        """The last name of a library function; None for functions of the workspace."""
        for option in known(self.resolver.type_of(value.func, scope.file)):
            if isinstance(option, FunctionType):
                return None
            name = option.name if isinstance(option, External) else getattr(option, "ref", None)
            if isinstance(name, str) and name.startswith(("sqlalchemy.orm", "sqlmodel.")):
                return name.rpartition(".")[2]
        return None

    def _named(self, strategy: str, before: tuple[str, ...], value: Call, scope: Scope) -> Options | None:
        names: list[str] = []
        for argument in value.args:
            found = _names(argument)
            if found is None:
                return None
            names.extend(found)
        if not names:
            return None
        every = strategy.endswith("_all")
        return tuple(
            LoaderOption(
                (*before, *names[: at + 1]),
                strategy if every or at == len(names) - 1 else "defaultload",
                value,
                scope.file,
            )
            for at in range(len(names))
        )


def _columns(strategy: str, before: tuple[str, ...], value: Call, scope: Scope) -> Options:
    """The deferred columns that an option loads."""
    named = [_names(argument) if strategy != "undefer_group" else None for argument in value.args]
    return tuple(
        LoaderOption(
            (*before, names[-1] if names and names[-1] != _ANY else _SOME_COLUMNS),
            strategy,
            value,
            scope.file,
        )
        for names in named
    )


def _names(value: Value) -> list[str] | None:
    """The attributes that an argument of an option names."""
    if isinstance(value, Typed):
        return _names(value.value)
    if isinstance(value, Attr):
        return [value.name]
    if isinstance(value, Const) and isinstance(value.value, str):
        return value.value.split(".")
    if isinstance(value, Call) and isinstance(value.func, Attr) and value.func.name in ("of_type", "and_"):
        return _names(value.func.base)
    return None


def _is_extended(value: Sequence, file: SourceFile) -> bool:
    """Whether a list is changed after it was written down."""
    return any(
        isinstance(call.func, Attr) and same(call.func.base, value)
        for name in ("append", "extend", "insert")
        for call in file.facts.calls_of(name)
    )
