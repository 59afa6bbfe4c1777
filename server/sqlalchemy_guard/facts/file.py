"""The facts of one file, kept up to date while it is edited: units for the rules, a Summary for other files.

A unit is what is checked again as a whole: a leaf chunk with everything in it, a cut function, or the head of a cut class.
After an edit only stale chunks are evaluated; the names whose meaning to others changed are returned. The result equals an
evaluation from scratch. This module must never resolve a name of another file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
from sqlalchemy_guard.facts.values import UNKNOWN, Ref, Value, either

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.syntax.chunk import Chunk


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
    """What a top-level chunk adds to its file."""

    units: list[Unit] = field(default_factory=list)
    bindings: list[Binding] = field(default_factory=list)
    functions: list[FunctionFacts] = field(default_factory=list)
    classes: list[ClassFacts] = field(default_factory=list)
    stars: list[Ref] = field(default_factory=list)
    attribute_sets: list[tuple[Value, str, Value | None, Value]] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    env_in: Env = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Leaf:
    """Memo of a leaf of the module or of a cut class."""

    result: BlockResult
    unit: Unit
    scope: Scope


@dataclass(slots=True, eq=False)
class _Head:
    """Memo of the header of a cut definition: the parsed definition it was made for, and what it said."""

    node: object
    result: BlockResult
    deferred: Deferred | None
    facts: ClassFacts | FunctionFacts
    scope: Scope


class FileFacts:
    """Facts of one file.

    Attributes:
        names: Module-level bindings by name, in source order.
        functions: Functions by qualified name, every definition of it in source order.
        classes: Classes likewise.
        outlines: For each name or qualified name what others see of it; the file's Summary.
    """

    def __init__(self, chunks: list[Chunk]) -> None:
        self.names: dict[str, list[Binding]] = {}
        self.functions: dict[str, list[FunctionFacts]] = {}
        self.classes: dict[str, list[ClassFacts]] = {}
        self.stars: list[Ref] = []
        self.attribute_sets: list[tuple[Value, str, Value | None, Value]] = []
        self.outlines: dict[str, object] = {}
        self._top: dict[Chunk, Contribution] = {}
        self._imported: frozenset[str] | None = None
        self.update(chunks)

    def units(self) -> Iterator[Unit]:
        """All units in source order."""
        for contribution in self._top.values():
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
                result = Evaluator(scope, chunk, block.env_in).run(chunk.body)
                for deferred in result.deferred:
                    complete_function(deferred, {**closure, **result.env_out})
            elif isinstance(kept, _Head):
                Evaluator(kept.scope, chunk, kept.result.env_in).run(chunk.body)
        return recorded

    def imported_modules(self) -> frozenset[str]:
        """The modules that the file imports, functions included, as written."""
        if self._imported is None:
            found = {
                binding.value.module
                for bindings in self.names.values()
                for binding in bindings
                if type(binding.value) is Ref and binding.value.module
            }
            found.update(star.module for star in self.stars)
            self._imported = frozenset(found)
        return self._imported

    def update(self, chunks: list[Chunk]) -> set[str]:
        """Bring the facts in step with the chunks of the file.

        Returns:
            The names and qualified names whose outline changed (appeared, disappeared, or means something else).
        """
        old, new = self._top, {}
        touched: list[Contribution] = []
        for chunk in chunks:
            kept = old.get(chunk)
            if kept is None or chunk.stale:
                fresh = self._contribution(chunk, kept.env_in if kept is not None else {})
                if kept is not None:
                    touched.append(kept)
                touched.append(fresh)
                new[chunk] = fresh
            else:
                new[chunk] = kept
        if len(new) != len(old) or touched:
            touched.extend(contribution for chunk, contribution in old.items() if chunk not in new)
        if not touched:
            return set()
        self._top = new
        self._flow_rebound_names()
        return self._reindex(touched)

    # -- evaluation of chunks --------------------------------------------------------------------------------------

    def _contribution(self, chunk: Chunk, env: Env) -> Contribution:
        contribution = Contribution(env_in=env)
        self._evaluate(chunk, MODULE_SCOPE, env, contribution)
        chunk.stale = False
        return contribution

    def _evaluate(self, chunk: Chunk, scope: Scope, env: Env, into: Contribution) -> list[BlockResult]:
        """Evaluate one chunk of the module or of a cut class; returns the blocks that its class is made of."""
        if chunk.children is None:
            return [self._leaf(chunk, scope, env, into)]
        head = self._head(chunk, scope, env)
        self._merge(head.result, into)
        if head.deferred is not None:
            unit = Unit("function", chunk)
            total = complete_function(_restarted(head.deferred), scope.closure)
            into.functions.extend(total.functions)
            into.classes.extend(total.classes)
            into.bindings.extend(total.bindings)
            into.attribute_sets.extend(total.attribute_sets)
            function = head.deferred.facts
            unit.functions = [function, *total.functions]
            unit.classes = list(total.classes)
            unit.item_sets = list(total.item_sets)
            unit.calls = [*head.result.calls, *[call for f in unit.functions for call in f.calls]]
            into.units.append(unit)
            _clear_stale(chunk)
            block = BlockResult({}, {})
            block.methods = head.result.methods
            block.functions = [function, *total.functions]
            block.attribute_sets = total.attribute_sets
            return [block]
        facts = head.facts
        assert isinstance(facts, ClassFacts)
        unit = Unit("class", chunk)
        into.units.append(unit)
        inner = class_scope(facts, scope.closure)
        blocks: list[BlockResult] = []
        before = len(into.functions)
        for child in chunk.children:
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

    def _leaf(self, chunk: Chunk, scope: Scope, env: Env, into: Contribution) -> BlockResult:
        kept = chunk.memo
        if isinstance(kept, _Leaf) and not chunk.stale and kept.result.env_in == env:
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
        if isinstance(kept, _Head) and kept.node is node and kept.result.env_in == env:
            return kept
        result = Evaluator(scope, chunk, env).run(chunk.body)
        deferred = result.deferred[0] if result.deferred else None
        facts: ClassFacts | FunctionFacts = deferred.facts if deferred is not None else result.classes.pop()
        if deferred is None and not isinstance(facts, ClassFacts):
            raise AssertionError("a cut chunk is a class or a function")
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

    def _flow_rebound_names(self) -> None:
        """Module-level code that reads a name bound more than once sees the binding that reaches it.

        All other names mean the same everywhere in the module and stay references, so that the result does not depend
        on how the file was cut into chunks.
        """
        counts: dict[str, int] = {}
        for contribution in self._top.values():
            for binding in contribution.bindings:
                counts[binding.name] = counts.get(binding.name, 0) + 1
        rebound = {name for name, count in counts.items() if count > 1}
        env: Env = {}
        for chunk, contribution in self._top.items():
            if contribution.env_in or not contribution.reads.isdisjoint(rebound):
                start = {name: env.get(name, UNKNOWN) for name in contribution.reads & rebound}
                if start != contribution.env_in:
                    self._top[chunk] = contribution = self._contribution(chunk, start)
                    contribution.reads |= start.keys()
            for binding in contribution.bindings:
                if binding.name in rebound:
                    known = env.get(binding.name)
                    env[binding.name] = (
                        either((known, binding.value)) if binding.conditional and known else binding.value
                    )

    # -- the summary -----------------------------------------------------------------------------------------------

    def _reindex(self, touched: Iterable[Contribution]) -> set[str]:
        names: set[str] = set()
        functions: set[str] = set()
        classes: set[str] = set()
        for contribution in touched:
            names.update(binding.name for binding in contribution.bindings)
            functions.update(function.qualname for function in contribution.functions)
            classes.update(class_.qualname for class_ in contribution.classes)
        for table, stale in ((self.names, names), (self.functions, functions), (self.classes, classes)):
            for name in stale:
                table.pop(name, None)
        stars: list[Ref] = []
        attribute_sets: list[tuple[Value, str, Value | None, Value]] = []
        for contribution in self._top.values():
            for binding in contribution.bindings:
                if binding.name in names:
                    self.names.setdefault(binding.name, []).append(binding)
            for function in contribution.functions:
                if function.qualname in functions:
                    self.functions.setdefault(function.qualname, []).append(function)
            for class_ in contribution.classes:
                if class_.qualname in classes:
                    self.classes.setdefault(class_.qualname, []).append(class_)
            stars.extend(contribution.stars)
            attribute_sets.extend(contribution.attribute_sets)
        self.stars, self.attribute_sets = stars, attribute_sets
        changed: set[str] = set()
        for name in names | functions | classes:
            outline = self._outline(name)
            if _differs(self.outlines.get(name), outline):
                changed.add(name)
                if outline is None:
                    self.outlines.pop(name, None)
                else:
                    self.outlines[name] = outline
        if _differs(self.outlines.get("*"), tuple(stars) or None):
            changed.add("*")
            self.outlines["*"] = tuple(stars) or None
        if changed:
            before = self.outlines.get("*imports")
            self._imported = None
            if self.imported_modules() != before:
                changed.add("*imports")
                self.outlines["*imports"] = self._imported
        return changed

    def _outline(self, name: str) -> object:
        parts: list[object] = []
        if name in self.names:
            parts.append(self.value_of(name))
        if name in self.functions:
            parts.append(self.functions[name][-1].outline())
        if name in self.classes:
            parts.append(self.classes[name][-1].outline())
        return tuple(parts) or None


def _restarted(deferred: Deferred) -> Deferred:
    """The same function to be completed again; its chunks answer from their memos where they can."""
    deferred.done = None
    return deferred


def _clear_stale(chunk: Chunk) -> None:
    if chunk.stale:
        chunk.stale = False
        for child in chunk.children or ():
            _clear_stale(child)


def _differs(old: object, new: object) -> bool:
    try:
        return old != new
    except RecursionError:
        # Values nested deeper than Python's stack cannot be compared: taking them for changed is always right.
        return True
