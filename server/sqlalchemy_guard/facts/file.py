"""The facts of one file, kept up to date while it is edited: units for the rules, a Summary for other files.

A unit is what is checked again as a whole: a leaf chunk with everything in it, a cut function, or the head of a cut class.
After an edit only stale chunks are evaluated; the names whose meaning to others changed are returned. The result equals an
evaluation from scratch. This module must never resolve a name of another file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy_guard.facts.declarations import Binding, CallFact, ClassFacts, Frame, FunctionFacts, ItemSet
from sqlalchemy_guard.facts.evaluate import (
    MODULE_SCOPE,
    BlockResult,
    Deferred,
    Env,
    Evaluator,
    Scope,
    class_scope,
    complete_function,
    fill_class,
    finish,
    recording,
)
from sqlalchemy_guard.facts.values import UNKNOWN, Param, Ref, Value, either, same

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.syntax.chunk import Chunk
    from sqlalchemy_guard.syntax.syntax import Change

AttributeSet = tuple[Value, str, "Value | None", Value]
T = TypeVar("T")


class Unit:
    """What the rules look at in one go.

    Attributes:
        chunk: The leaf, or the header of the cut definition.
        kind: leaf, function or class.
        calls: Every call in it, nested functions included, in source order of evaluation.
        functions: The functions defined in it.
        classes: The classes defined in it.
        item_sets: Assignments to items in it.
        report: The checker's own notes about this very unit.
    """

    __slots__ = ("calls", "chunk", "classes", "functions", "item_sets", "kind", "report")

    def __init__(self, kind: str, chunk: Chunk) -> None:
        self.kind = kind
        self.chunk = chunk
        self.calls: list[CallFact] = []
        self.functions: list[FunctionFacts] = []
        self.classes: list[ClassFacts] = []
        self.item_sets: list[ItemSet] = []
        self.report: Any = None


@dataclass(slots=True, eq=False)
class Contribution:
    """What a top-level chunk adds to its file.

    Attributes:
        chunk: The chunk.
        env_in: What the names that are bound more than once stand for where the chunk begins, as far as it cares.
        env_out: The same names where it ends.
        reads: The names that its module-level code reads.
        report: The checker's own notes about the units.
    """

    chunk: Chunk
    env_in: Env
    env_out: Env = field(default_factory=dict)
    units: list[Unit] = field(default_factory=list)
    bindings: list[Binding] = field(default_factory=list)
    functions: list[FunctionFacts] = field(default_factory=list)
    classes: list[ClassFacts] = field(default_factory=list)
    stars: list[Ref] = field(default_factory=list)
    attribute_sets: list[AttributeSet] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    report: Any = None

    def names(self) -> set[str]:
        """The names and qualified names that it says something about."""
        return {
            *[binding.name for binding in self.bindings],
            *[function.qualname for function in self.functions],
            *[class_.qualname for class_ in self.classes],
        }

    def imports(self) -> bool:
        """Whether it imports anything."""
        return bool(self.stars) or any(type(b.value) is Ref and b.value.module for b in self.bindings)


@dataclass(slots=True, eq=False)
class _Leaf:
    """Memo of a leaf of the module or of a cut class."""

    result: BlockResult
    unit: Unit
    scope: Scope


@dataclass(slots=True, eq=False)
class _Head:
    """Memo of the header of a cut definition: where it stood, the definition it was made for, and what it said."""

    node: object
    result: BlockResult
    deferred: Deferred | None
    facts: ClassFacts | FunctionFacts
    scope: Scope
    unit: Unit | None = None


class FileFacts:
    """Facts of one file.

    Attributes:
        names: Module-level bindings by name, in source order.
        functions: Functions by qualified name, every definition of it in source order.
        classes: Classes likewise.
        outlines: For each name or qualified name what others see of it; the file's Summary. `*` stands for the star
            imports, `*imports` for the imported modules, `*stored.x` for what is assigned to attributes called x.
    """

    def __init__(self, chunks: list[Chunk]) -> None:
        self.names: dict[str, list[Binding]] = {}
        self.functions: dict[str, list[FunctionFacts]] = {}
        self.classes: dict[str, list[ClassFacts]] = {}
        self.outlines: dict[str, object] = {}
        self._chunks = chunks
        self._top: dict[Chunk, Contribution] = {}
        self._holders: dict[str, list[Contribution]] = {}
        self._rebound: set[str] = set()
        self._starring: dict[Contribution, None] = {}
        self._storing: dict[Contribution, None] = {}
        self.update(chunks)

    def contributions(self) -> Iterator[Contribution]:
        """What each top-level chunk adds, in source order."""
        top = self._top
        return (top[chunk] for chunk in self._chunks)

    def units(self) -> Iterator[Unit]:
        """All units in source order."""
        for contribution in self.contributions():
            yield from contribution.units

    def function(self, qualname: str) -> FunctionFacts | None:
        """The last definition of a function."""
        found = self.functions.get(qualname)
        return found[-1] if found else None

    def class_(self, qualname: str) -> ClassFacts | None:
        """The last definition of a class."""
        found = self.classes.get(qualname)
        return found[-1] if found else None

    def value_of(self, name: str) -> tuple[Value, Value | None] | None:
        """What a module-level name stands for at the end of the module, and its annotation; None when it is not bound."""
        bindings = self.names.get(name)
        if not bindings:
            return None
        if len(bindings) == 1:
            return bindings[0].value, bindings[0].annotation
        last = max((i for i, binding in enumerate(bindings) if not binding.conditional), default=0)
        options = [binding.value for binding in bindings[last:] if binding.value is not UNKNOWN]
        annotation = next(
            (binding.annotation for binding in bindings if binding.annotation is not None), None
        )
        return either(options), annotation

    def values_in(self, chunk: Chunk) -> dict[ast.expr, Value]:
        """The symbolic value of every expression of a leaf chunk, nested functions included; evaluated anew on each call.

        Where a loop runs its body twice, the values are those of the second run.
        """
        kept = chunk.memo
        with recording() as recorded:
            if isinstance(kept, _Leaf):
                scope = kept.scope
                result = Evaluator(scope, chunk, kept.result.env_in).run(chunk.body)
                finish(result, scope)
            elif isinstance(kept, tuple):
                function, block, closure = kept
                frame = Frame("function", function.header, function.chunk, None)
                scope = Scope("function", function.qualname, function, function.owner, closure, frame)
                result = Evaluator(scope, chunk, block.env_in, block.globals_in).run(chunk.body)
                for deferred in result.deferred:
                    complete_function(deferred, {**closure, **result.env_out})
            elif isinstance(kept, _Head):
                Evaluator(kept.scope, chunk, kept.result.env_in, shallow=True).run(chunk.body)
        return recorded

    @property
    def stars(self) -> list[Ref]:
        """The star imports in source order."""
        return [star for contribution in _in_order(self._starring) for star in contribution.stars]

    @property
    def attribute_sets(self) -> list[AttributeSet]:
        """The assignments to attributes: base, name, annotation, value."""
        return [found for contribution in _in_order(self._storing) for found in contribution.attribute_sets]

    def imported_modules(self) -> frozenset[str]:
        """The modules that the module-level code imports, as written."""
        found = self.outlines.get("*imports")
        return found if isinstance(found, frozenset) else frozenset()

    def update(self, chunks: list[Chunk], change: Change | None = None) -> set[str]:
        """Bring the facts in step with the chunks of the file.

        Args:
            chunks: The top-level chunks.
            change: What the syntax said of the update that led to them; everything is looked at without it.

        Returns:
            The names and qualified names whose outline changed (appeared, disappeared, or means something else).
        """
        self._chunks = chunks
        old: list[Contribution] = []
        fresh: list[Contribution] = []
        for chunk in self._gone(chunks, change):
            old.append(self._top.pop(chunk))
        for chunk in self._candidates(chunks, change):
            kept = self._top.get(chunk)
            if kept is None or chunk.stale:
                if kept is not None:
                    old.append(kept)
                env = kept.env_in if kept is not None else {}
                fresh.append(self._contribution(chunk, env))
        if not old and not fresh:
            return set()
        touched = self._register(old, fresh)
        self._flow_rebound_names(touched, fresh)
        return self._changed(touched, old, fresh)

    def _gone(self, chunks: list[Chunk], change: Change | None) -> list[Chunk]:
        if change is not None:
            return [chunk for chunk in change.removed if chunk in self._top]
        alive = set(chunks)
        return [chunk for chunk in self._top if chunk not in alive]

    def _candidates(self, chunks: list[Chunk], change: Change | None) -> list[Chunk]:
        """The top-level chunks that may have to be evaluated."""
        if change is None:
            return chunks
        found: dict[Chunk, None] = {}
        for chunk in change.added:
            found[_outermost(chunk)] = None
        for chunk in change.removed:
            top = _outermost(chunk)
            if top in self._top:
                found[top] = None
        return sorted(found, key=_place)

    # -- evaluation of chunks --------------------------------------------------------------------------------------

    def _contribution(self, chunk: Chunk, env: Env) -> Contribution:
        contribution = Contribution(chunk, env)
        self._evaluate(chunk, MODULE_SCOPE, env, contribution)
        chunk.stale = False
        self._top[chunk] = contribution
        return contribution

    def _evaluate(self, chunk: Chunk, scope: Scope, env: Env, into: Contribution) -> list[BlockResult]:
        """Evaluate one chunk of the module or of a cut class; returns the blocks that its class is made of."""
        if chunk.children is None:
            result = self._leaf(chunk, scope, env, into)
            if scope is MODULE_SCOPE:
                into.env_out = result.env_out
            return [result]
        was_stale = chunk.stale
        head = self._head(chunk, scope, env)
        if scope is MODULE_SCOPE:
            into.env_out = head.result.env_out
        self._merge(head.result, into)
        if head.deferred is not None:
            return [self._cut_function(chunk, head, head.deferred, scope, into, again=was_stale)]
        facts = head.facts
        assert isinstance(facts, ClassFacts)
        unit = Unit("class", chunk)
        into.units.append(unit)
        inner = class_scope(facts, scope.closure)
        blocks: list[BlockResult] = []
        before = len(into.functions)
        for child in chunk.children or ():
            blocks.extend(self._evaluate(child, inner, {}, into))
            child.stale = False
        fresh = ClassFacts(
            facts.qualname, facts.header, facts.chunk, facts.bases, facts.keywords, facts.decorators
        )
        fill_class(fresh, blocks)
        into.classes.append(fresh)
        unit.classes = [fresh]
        unit.calls = list(head.result.calls)
        outer = BlockResult({}, {})
        outer.methods = head.result.methods
        outer.classes = [fresh]
        outer.functions = into.functions[before:]
        return [outer]

    def _cut_function(
        self, chunk: Chunk, head: _Head, deferred: Deferred, scope: Scope, into: Contribution, *, again: bool
    ) -> BlockResult:
        function = deferred.facts
        if again or head.unit is None or deferred.done is None:
            total = complete_function(deferred.restarted(), scope.closure)
            unit = head.unit = Unit("function", chunk)
            unit.functions = [function, *total.functions]
            unit.classes = list(total.classes)
            unit.item_sets = list(total.item_sets)
            unit.calls = [*head.result.calls, *[call for f in unit.functions for call in f.calls]]
            _clear_stale(chunk)
        else:
            total, unit = deferred.done, head.unit
        into.functions.extend(total.functions)
        into.classes.extend(total.classes)
        into.bindings.extend(total.bindings)
        into.attribute_sets.extend(total.attribute_sets)
        into.units.append(unit)
        block = BlockResult({}, {})
        block.methods = head.result.methods
        block.functions = unit.functions
        block.attribute_sets = total.attribute_sets
        return block

    def _leaf(self, chunk: Chunk, scope: Scope, env: Env, into: Contribution) -> BlockResult:
        kept = chunk.memo
        if (
            isinstance(kept, _Leaf)
            and not chunk.stale
            and kept.scope.definition is scope.definition
            and same(kept.result.env_in, env)
        ):
            leaf = kept
        else:
            result = Evaluator(scope, chunk, env).run(chunk.body)
            finish(result, scope)
            unit = Unit("leaf", chunk)
            unit.functions = result.functions
            unit.classes = result.classes
            unit.item_sets = result.item_sets
            unit.calls = [*result.calls, *[call for f in result.functions for call in f.calls]]
            leaf = chunk.memo = _Leaf(result, unit, scope)
        into.units.append(leaf.unit)
        self._merge(leaf.result, into)
        return leaf.result

    def _head(self, chunk: Chunk, scope: Scope, env: Env) -> _Head:
        kept = chunk.memo
        node = chunk.body[0]
        if (
            isinstance(kept, _Head)
            and kept.scope.definition is scope.definition
            and kept.node is node
            and same(kept.result.env_in, env)
        ):
            return kept
        result = Evaluator(scope, chunk, env, shallow=True).run(chunk.body)
        deferred = result.deferred[0] if result.deferred else None
        facts: ClassFacts | FunctionFacts = deferred.facts if deferred is not None else result.classes.pop()
        result.deferred = []
        head = chunk.memo = _Head(node, result, deferred, facts, scope)
        return head

    def _merge(self, result: BlockResult, into: Contribution) -> None:
        into.bindings.extend(result.bindings)
        into.functions.extend(result.functions)
        into.classes.extend(result.classes)
        into.stars.extend(result.stars)
        into.attribute_sets.extend(result.attribute_sets)
        into.reads |= result.reads

    # -- names that are bound more than once -----------------------------------------------------------------------

    def _flow_rebound_names(self, touched: set[str], fresh: list[Contribution]) -> None:
        """Module-level code that reads a name bound more than once sees the binding that reaches it.

        All other names mean the same everywhere in the module and stay references, so that the result does not depend
        on how the file was cut into chunks. Nothing is to be done where neither such a name was touched nor fresh code
        reads one.
        """
        for name in touched:
            if len(self.names.get(name, ())) > 1:
                self._rebound.add(name)
        rebound = self._rebound
        if rebound.isdisjoint(touched) and not any(
            contribution.env_in or not contribution.reads.isdisjoint(rebound) for contribution in fresh
        ):
            return
        for name in touched & rebound:
            if len(self.names.get(name, ())) <= 1:
                rebound.discard(name)
        env: Env = {}
        again: list[tuple[Contribution, Contribution]] = []
        for contribution in self.contributions():
            wanted = contribution.reads & rebound
            wanted.update(binding.name for binding in contribution.bindings if binding.name in rebound)
            if wanted or contribution.env_in:
                start = {name: env.get(name, UNKNOWN) for name in sorted(wanted)}
                if not same(start, contribution.env_in):
                    newer = self._contribution(contribution.chunk, start)
                    again.append((contribution, newer))
                    contribution = newer
                for name in wanted:
                    env[name] = contribution.env_out.get(name, UNKNOWN)
        if again:
            for before, newer in again:
                if before in fresh:
                    fresh.remove(before)
                fresh.append(newer)
            touched |= self._register([before for before, _ in again], [newer for _, newer in again])

    # -- the summary -----------------------------------------------------------------------------------------------

    def _register(self, old: list[Contribution], fresh: list[Contribution]) -> set[str]:
        """Bring the tables in step; returns the names that any of the contributions speaks of."""
        touched: set[str] = set()
        for contribution in old:
            self._starring.pop(contribution, None)
            self._storing.pop(contribution, None)
            for name in contribution.names():
                touched.add(name)
                holders = self._holders[name]
                holders.remove(contribution)
                if not holders:
                    del self._holders[name]
        for contribution in fresh:
            if contribution.stars:
                self._starring[contribution] = None
            if contribution.attribute_sets:
                self._storing[contribution] = None
            for name in contribution.names():
                touched.add(name)
                self._holders.setdefault(name, []).append(contribution)
        for name in touched:
            holders = self._holders.get(name, [])
            if len(holders) > 1:
                holders.sort(key=_contribution_place)
            _put(self.names, name, [b for one in holders for b in one.bindings if b.name == name])
            _put(self.functions, name, [f for one in holders for f in one.functions if f.qualname == name])
            _put(self.classes, name, [c for one in holders for c in one.classes if c.qualname == name])
        return touched

    def _changed(self, touched: set[str], old: list[Contribution], fresh: list[Contribution]) -> set[str]:
        changed: set[str] = set()
        for name in touched:
            self._compare(name, self._outline(name), changed)
        if any(contribution.stars for contribution in (*old, *fresh)):
            self._compare("*", tuple(self.stars) or None, changed)
        if any(contribution.imports() for contribution in (*old, *fresh)):
            self._compare("*imports", self._imports(), changed)
        stored = {
            name
            for contribution in (*old, *fresh)
            for base, name, _, _ in contribution.attribute_sets
            if is_foreign(base)
        }
        if stored:
            values: dict[str, list[Value]] = {name: [] for name in stored}
            for base, name, _, value in self.attribute_sets:
                if name in stored and is_foreign(base):
                    values[name].append(value)
            for name in stored:
                self._compare(f"*stored.{name}", tuple(values[name]) or None, changed)
        return changed

    def _compare(self, name: str, outline: object, changed: set[str]) -> None:
        known = self.outlines.get(name)
        # What is nested deeper than Python's stack cannot be compared: taking it for changed is always right.
        if not same(known, outline):
            changed.add(name)
            if outline is None:
                del self.outlines[name]
            else:
                self.outlines[name] = outline

    def _imports(self) -> frozenset[str] | None:
        found = {
            binding.value.module
            for bindings in self.names.values()
            for binding in bindings
            if type(binding.value) is Ref and binding.value.module
        }
        found.update(star.module for star in self.stars)
        return frozenset(found) or None

    def _outline(self, name: str) -> object:
        parts: list[object] = []
        if name in self.names:
            parts.append(self.value_of(name))
        if name in self.functions:
            parts.append(self.functions[name][-1].outline())
        if name in self.classes:
            parts.append(self.classes[name][-1].outline())
        return tuple(parts) or None


def is_foreign(base: Value) -> bool:
    """Whether an object whose attribute is assigned is not a method's own `self`."""
    return not (type(base) is Param and base.name in ("self", "cls"))


def _put(table: dict[str, list[T]], name: str, found: list[T]) -> None:
    if found:
        table[name] = found
    else:
        table.pop(name, None)


def _outermost(chunk: Chunk) -> Chunk:
    while chunk.parent is not None:
        chunk = chunk.parent
    return chunk


def _place(chunk: Chunk) -> int:
    return chunk.start


def _contribution_place(contribution: Contribution) -> int:
    return contribution.chunk.start


def _in_order(contributions: Iterable[Contribution]) -> list[Contribution]:
    return sorted(contributions, key=_contribution_place)


def _clear_stale(chunk: Chunk) -> None:
    if chunk.stale:
        chunk.stale = False
        for child in chunk.children or ():
            _clear_stale(child)
