"""Collections that a statement loads by a join: by its options or by the mappings, in this file or another one.

Such a statement gives an object once for each row of the join. What an option does not say for sure is taken as loading
nothing: this module must never report a collection that is loaded otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Either, Sequence, Star, Typed, Value
from sqlalchemy_guard.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy_guard.facts.query import ModelInfo
    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.statements import Statement, Statements

_JOINS = frozenset(("joinedload", "contains_eager"))
_STRATEGIES = _JOINS | frozenset(
    ("selectinload", "subqueryload", "lazyload", "immediateload", "raiseload", "noload", "defaultload")
)
_COLUMNS = frozenset(
    ("load_only", "defer", "undefer", "undefer_group", "with_expression", "selectin_polymorphic")
)
_HARMLESS = _COLUMNS | frozenset(("with_loader_criteria",))
_DEEPEST = 4

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class JoinedCollection:
    """A collection that is loaded by a join.

    Attributes:
        owner: The class that has it.
        name: Its attribute.
        path: The relationships from the statement's entity on.
        strategy: `joinedload` or `contains_eager`.
        option: The call of the option that says so, None where the mapping does.
        file: Where the option stands.
    """

    owner: ModelInfo
    name: str
    path: Path
    strategy: str
    option: Call | None
    file: SourceFile | None


@dataclass(slots=True)
class _Options:
    """What the options of a statement say: for each path its strategy and the call; whether all were understood."""

    said: dict[Path, tuple[str, Call, SourceFile]] = field(default_factory=dict)
    wildcard: bool = False
    complete: bool = True


def joined_collections(statements: Statements, statement: Statement) -> list[JoinedCollection]:
    """The collections that a form of a statement loads by a join, nearest first."""
    if statement.has("enable_eagerloads", "from_statement", "with_only_columns", "with_entities"):
        return []
    options = _Reader(statements).read(statement)
    found: list[JoinedCollection] = []
    for value, file in statement.entities:
        entity = statements.model(value, file)
        if entity is not None:
            _walk(entity, (), options, {entity.identity}, found)
    return sorted(found, key=lambda one: len(one.path))


def _walk(
    model: ModelInfo, path: Path, options: _Options, seen: set[str], found: list[JoinedCollection]
) -> None:
    for name, each in model.relationships.items():
        here = (*path, name)
        said = options.said.get(here)
        by_mapping = said is None or said[0] == "defaultload"
        if by_mapping:
            is_joined = each.lazy == "joined" and options.complete and not options.wildcard and each.known
        else:
            is_joined = said is not None and said[0] in _JOINS
        target = each.target
        # A mapping that comes back to a class stops there; options go on as far as they say.
        if not is_joined or (by_mapping and (target is None or target.identity in seen)):
            continue
        if each.collection:
            found.append(
                JoinedCollection(
                    model,
                    name,
                    here,
                    "joinedload" if by_mapping or said is None else said[0],
                    None if by_mapping or said is None else said[1],
                    None if by_mapping or said is None else said[2],
                )
            )
        if target is not None and len(here) < _DEEPEST:
            _walk(target, here, options, {*seen, target.identity}, found)


class _Reader:
    """Reads the options of statements."""

    def __init__(self, statements: Statements) -> None:
        self.statements = statements
        self.resolver = statements.resolver

    def read(self, statement: Statement) -> _Options:
        """What the options of a statement say."""
        options = _Options()
        for step in statement.calls("options"):
            for arg in step.call.args:
                self._option(arg, step.file, (), options, 0)
        return options

    def _option(
        self, value: Value, file: SourceFile, before: Path, options: _Options, depth: int
    ) -> Path | None:
        """Note what an option says; the path that it comes to, None when it is not understood."""
        value, file = self.resolver.definition_of(value, file)
        if depth > 12:
            options.complete = False
            return None
        if type(value) is Typed:
            return self._option(value.value, file, before, options, depth + 1)
        if type(value) in (Star, Sequence):
            items: Iterable[Value] = value.items if type(value) is Sequence else (value.base,)  # type: ignore[attr-defined]
            for item in items:
                self._option(item, file, before, options, depth + 1)
            return None
        if type(value) is Either or type(value) is not Call:
            options.complete = False
            return None
        return self._call(value, file, before, options, depth)

    def _call(
        self, value: Call, file: SourceFile, before: Path, options: _Options, depth: int
    ) -> Path | None:
        path: Path | None = before
        name = (self.resolver.external_name(value.func, file) or "").removeprefix("sqlalchemy.orm.")
        if name == "Load":
            return before
        if name not in _STRATEGIES | _HARMLESS:
            if type(value.func) is not Attr or value.func.name not in _STRATEGIES | _HARMLESS | {"options"}:
                options.complete = False
                return None
            name = value.func.name
            path = self._option(value.func.base, file, before, options, depth + 1)
            if path is None:
                return None
        if name in _HARMLESS:
            return path
        if name == "options":
            for arg in value.args:
                self._option(arg, file, path or (), options, depth + 1)
            return path
        for arg in value.args:
            if type(arg) is Const and isinstance(arg.value, str):
                # Texts: a wildcard, or what only 1.x reads.
                options.wildcard = options.wildcard or arg.value.endswith("*")
                options.complete = options.complete and arg.value.endswith("*")
                return None
            step = self._relationship(arg, file)
            if step is None or path is None:
                options.complete = False
                return None
            path = (*path, step)
            options.said[path] = (name, value, file)
        return path

    def _relationship(self, value: Value, file: SourceFile) -> str | None:
        """The relationship that an attribute names, `of_type()` and `and_()` behind it included."""
        while type(value) is Call and type(value.func) is Attr and value.func.name in ("of_type", "and_"):
            value = value.func.base
        if type(value) is not Attr:
            return None
        model = self.statements.model(value.base, file)
        return value.name if model is not None and value.name in model.relationships else None
