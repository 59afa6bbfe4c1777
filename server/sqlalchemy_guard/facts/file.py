"""The facts of one file, kept up to date while it is edited: units for the rules, a Summary for other files.

A unit is what is checked again as a whole: a leaf chunk with everything in it, a cut function, or the head of a cut class.
After an edit only stale chunks are evaluated; the names whose meaning to others changed are returned. The result equals an
evaluation from scratch. This module must never resolve a name of another file.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy_guard.facts.declarations import Binding, ClassFacts, FunctionFacts
from sqlalchemy_guard.facts.evaluate import (
    MODULE_SCOPE,
    BlockResult,
    Deferred,
    Evaluator,
    Scope,
    class_scope,
    complete_function,
    fill_class,
    finish,
)
from sqlalchemy_guard.facts.memos import HeadMemo, LeafMemo, keep, known_in, recording
from sqlalchemy_guard.facts.multimap import mark, move, put, take
from sqlalchemy_guard.facts.outlines import calls_outline_of, compare, outline_of
from sqlalchemy_guard.facts.scripts import asks_for_main
from sqlalchemy_guard.facts.units import (
    ITEMS,
    NOTHING,
    SCRIPT,
    STORED,
    WHOLE,
    Contribution,
    Unit,
    called_otherwise,
    imported_by,
    is_foreign,
    is_same_class,
    items_otherwise,
)
from sqlalchemy_guard.facts.values import UNKNOWN, Call, Ref, Value, either, same

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.facts.blocks import Env
    from sqlalchemy_guard.facts.units import AttributeSet
    from sqlalchemy_guard.syntax.chunk import Chunk
    from sqlalchemy_guard.syntax.syntax import Change

T = TypeVar("T")


class FileFacts:
    """Facts of one file.

    Attributes:
        names: Module-level bindings by name, in source order.
        functions: Functions by qualified name, every definition of it in source order.
        classes: Classes likewise.
        outlines: For each name or qualified name what others see of it; the file's Summary. `*` stands for the star
            imports, `*calls.f` for the calls in a function f, `*imports` for all imports, `*named` for the names that
            decorators give, `*stored.x` for what is assigned to attributes called x. (`update` tells of `*called.x`
            besides: the calls of something called x, and of `*body.f`: the body of a function f that somebody looked into.)
        generation: Counts the contributions that came and went; see `since`.
        is_watched: Whether somebody looked at all of it: `update` tells of `*whole` then, whatever was edited.
        watched: Qualified names of functions whose bodies somebody looked at: `update` tells of `*body.x` whenever such a
            function was read anew, whether its outline changed or not.
        followed: Those that somebody follows values through: likewise, of `*flow.x`.
    """

    def __init__(self, chunks: list[Chunk]) -> None:
        self.names: dict[str, list[Binding]] = {}
        self.functions: dict[str, list[FunctionFacts]] = {}
        self.classes: dict[str, list[ClassFacts]] = {}
        self.outlines: dict[str, object] = {}
        self._chunks = chunks
        self._top: dict[Chunk, Contribution] = {}
        self._holders: dict[str, list[Chunk]] = {}
        self._mentions: dict[str, list[Chunk]] = {}
        self._rebound: set[str] = set()
        self._importing: dict[Chunk, None] = {}
        self._naming: dict[Chunk, None] = {}
        self._calling: dict[str, list[Unit]] = {}
        self._modules: tuple[frozenset[tuple[str, str]], frozenset[str]] = (frozenset(), frozenset())
        self._recent: deque[Contribution] = deque(maxlen=64)
        self.generation = 0
        self.watched: set[str] = set()
        self.followed: set[str] = set()
        self.is_watched = False
        self._starring: dict[Chunk, None] = {}
        self._running: dict[Chunk, None] = {}
        self._storing: dict[Chunk, None] = {}
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

    @property
    def is_script(self) -> bool:
        """Whether the module asks for `__main__`: it runs by itself."""
        return bool(self._running)

    @property
    def stars(self) -> list[Ref]:
        """The star imports in source order."""
        return [star for one in self._in_order(self._starring) for star in one.stars]

    @property
    def foreign_sets(self) -> list[AttributeSet]:
        """The assignments to attributes of other objects than a method's own `self`: base, name, annotation, value."""
        return [found for one in self._in_order(self._storing) for found in one.foreign_sets]

    @property
    def named_fixtures(self) -> list[tuple[Value, str]]:
        """See `Unit.named`; summarized as `*named`."""
        return [found for one in self._in_order(self._naming) for unit in one.units for found in unit.named]

    def _in_order(self, chunks: Iterable[Chunk]) -> list[Contribution]:
        return [self._top[chunk] for chunk in sorted(chunks, key=_place)]

    def called_names(self) -> Iterable[str]:
        """The last names of what is called with arguments."""
        return self._calling.keys()

    def calls_of(self, name: str) -> list[Call]:
        """The calls with arguments of something of that last name, in no particular order."""
        return [call for unit in self._calling.get(name, ()) for call in unit.called[name]]

    def units_calling(self, name: str) -> Iterable[Unit]:
        """The units that call something of that last name with arguments, in no particular order."""
        return self._calling.get(name, ())

    def imports(self) -> frozenset[tuple[str, str]]:
        """What is imported, in functions as well: the module as written and the name, empty for the module itself."""
        found = self.outlines.get("*imports")
        return found if isinstance(found, frozenset) else frozenset()

    def imported_modules(self) -> frozenset[str]:
        """The modules that the file imports, in functions as well, as written."""
        imports = self.imports()
        if self._modules[0] is not imports:
            self._modules = (imports, frozenset(module for module, _ in imports))
        return self._modules[1]

    def update(self, chunks: list[Chunk], change: Change | None = None) -> set[str]:
        """Bring the facts in step with the chunks of the file.

        Args:
            chunks: The top-level chunks.
            change: What the syntax said of the update that led to them; everything is looked at without it.

        Returns:
            The names and qualified names whose outline changed (appeared, disappeared, or means something else).
        """
        self._chunks = chunks
        if change is None:
            return self._updated(chunks, None)
        with recording(known_in(change.removed)) as recorded:
            changed = self._updated(chunks, change)
        keep(recorded)
        return changed

    def _updated(self, chunks: list[Chunk], change: Change | None) -> set[str]:
        old = [self._top.pop(chunk) for chunk in self._gone(chunks, change)]
        # What takes the place of another chunk most likely begins with the same names; this is proven below.
        likely = old[0].env_in if len(old) == 1 else {}
        fresh: dict[Contribution, None] = {}
        for chunk in self._candidates(chunks, change):
            kept = self._top.get(chunk)
            if kept is None or chunk.stale:
                if kept is not None:
                    old.append(kept)
                env = kept.env_in if kept is not None else likely
                fresh[self._contribution(chunk, env)] = None
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
        contribution.foreign_sets = [found for found in contribution.attribute_sets if is_foreign(found[0])]
        contribution.is_main = asks_for_main(chunk)
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
        place = len(into.units)
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
        if head.unit is not None and is_same_class(head.unit.classes[0], fresh):
            fresh = head.unit.classes[0]
        else:
            head.unit = Unit("class", chunk)
            head.unit.classes = [fresh]
            head.unit.calls = list(head.result.calls)
            head.unit.summarize()
        into.units.insert(place, head.unit)
        into.classes.append(fresh)
        outer = BlockResult({}, {})
        outer.methods = head.result.methods
        outer.classes = [fresh]
        outer.functions = into.functions[before:]
        return [outer]

    def _cut_function(
        self,
        chunk: Chunk,
        head: HeadMemo,
        deferred: Deferred,
        scope: Scope,
        into: Contribution,
        *,
        again: bool,
    ) -> BlockResult:
        function = deferred.facts
        if again or head.unit is None or deferred.done is None:
            total = complete_function(deferred.restarted(), scope.closure)
            unit = head.unit = Unit("function", chunk)
            unit.functions = [function, *total.functions]
            unit.classes = list(total.classes)
            unit.item_sets = list(total.item_sets)
            unit.calls = [*head.result.calls, *[call for f in unit.functions for call in f.call_facts]]
            unit.attribute_names = head.result.attribute_names | total.attribute_names
            unit.summarize()
            into.renewed.update(function.qualname for function in unit.functions)
            _clear_stale(chunk)
        else:
            total, unit = deferred.done, head.unit
        into.functions.extend(total.functions)
        into.classes.extend(total.classes)
        into.bindings.extend(total.bindings)
        into.imports.extend(total.imports)
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
            isinstance(kept, LeafMemo)
            and not chunk.stale
            and kept.scope.definition is scope.definition
            and same(kept.result.env_in, env)
        ):
            leaf = kept
        else:
            if Evaluator.recording is not None:
                Evaluator.recording.begin(chunk)
            result = Evaluator(scope, chunk, env).run(chunk.body)
            finish(result, scope)
            unit = Unit("leaf", chunk)
            unit.functions = result.functions
            unit.classes = result.classes
            unit.item_sets = result.item_sets
            unit.calls = [*result.calls, *[call for f in result.functions for call in f.call_facts]]
            unit.attribute_names = result.attribute_names
            unit.summarize()
            leaf = chunk.memo = LeafMemo(result, unit, scope)
        into.units.append(leaf.unit)
        self._merge(leaf.result, into)
        return leaf.result

    def _head(self, chunk: Chunk, scope: Scope, env: Env) -> HeadMemo:
        kept = chunk.memo
        node = chunk.body[0]
        if (
            isinstance(kept, HeadMemo)
            and kept.scope.definition is scope.definition
            and kept.node is node
            and same(kept.result.env_in, env)
        ):
            return kept
        if Evaluator.recording is not None:
            Evaluator.recording.begin(chunk)
        result = Evaluator(scope, chunk, env, shallow=True).run(chunk.body)
        deferred = result.deferred[0] if result.deferred else None
        facts: ClassFacts | FunctionFacts = deferred.facts if deferred is not None else result.classes.pop()
        result.deferred = []
        head = chunk.memo = HeadMemo(node, result, deferred, facts, scope)
        return head

    def _merge(self, result: BlockResult, into: Contribution) -> None:
        into.bindings.extend(result.bindings)
        into.functions.extend(result.functions)
        into.classes.extend(result.classes)
        into.stars.extend(result.stars)
        into.imports.extend(result.imports)
        into.attribute_sets.extend(result.attribute_sets)
        into.reads |= result.reads

    # -- names that are bound more than once -----------------------------------------------------------------------

    def _flow_rebound_names(self, touched: set[str], fresh: dict[Contribution, None]) -> None:
        """Module-level code that reads a name bound more than once sees the binding that reaches it.

        All other names mean the same everywhere in the module and stay references, so that the result does not depend
        on how the file was cut into chunks. Only what mentions such a name that was touched is looked at, and what
        follows where that turns out to mean something else.
        """
        rebound = self._rebound
        affected = touched & rebound
        for name in touched:
            if len(self.names.get(name, ())) > 1:
                rebound.add(name)
                affected.add(name)
            else:
                rebound.discard(name)
        waiting = {chunk for name in affected for chunk in self._mentions.get(name, ())}
        waiting.update(one.chunk for one in fresh if one.env_in or not one.reads.isdisjoint(rebound))
        queue = [(chunk.start, number, chunk) for number, chunk in enumerate(waiting)]
        heapq.heapify(queue)
        number = len(queue)
        done: set[Chunk] = set()
        while queue:
            _, _, chunk = heapq.heappop(queue)
            if chunk in done:
                continue
            done.add(chunk)
            contribution = self._top[chunk]
            wanted = contribution.mentions() & rebound
            start = {name: self._reaching(name, chunk) for name in sorted(wanted)}
            before = contribution
            if not same(start, contribution.env_in):
                contribution = self._contribution(chunk, start)
                touched |= self._register([before], [contribution])
                fresh.pop(before, None)
                fresh[contribution] = None
            elif contribution not in fresh:
                continue
            for name in wanted:
                follower = self._following(name, chunk)
                if follower is not None:
                    number += 1
                    heapq.heappush(queue, (follower.start, number, follower))

    def _reaching(self, name: str, chunk: Chunk) -> Value:
        """What a name stands for where a top-level chunk begins."""
        mentions = self._mentioning(name)
        index = bisect_left(mentions, chunk.start, key=_place)
        return self._top[mentions[index - 1]].env_out.get(name, UNKNOWN) if index else UNKNOWN

    def _following(self, name: str, chunk: Chunk) -> Chunk | None:
        """The next top-level chunk that mentions a name."""
        mentions = self._mentioning(name)
        index = bisect_right(mentions, chunk.start, key=_place)
        return mentions[index] if index < len(mentions) else None

    def _mentioning(self, name: str) -> list[Chunk]:
        mentions = self._mentions[name]
        mentions.sort(key=_place)
        return mentions

    # -- what came and went ----------------------------------------------------------------------------------------

    def _log(self, contribution: Contribution) -> None:
        self.generation += 1
        self._recent.append(contribution)

    def since(self, generation: int) -> list[Contribution] | None:
        """The contributions that came or went (`is_alive`) since a generation; None when that is too long ago."""
        count = self.generation - generation
        if count > len(self._recent):
            return None
        return [self._recent[-number] for number in range(count, 0, -1)]

    # -- the summary -----------------------------------------------------------------------------------------------

    def _register(self, old: Iterable[Contribution], fresh: Iterable[Contribution]) -> set[str]:
        """Bring the tables in step; returns the names about which something else is said than before."""
        touched: set[str] = set()
        before = {contribution.chunk: contribution for contribution in old}
        after = {contribution.chunk: contribution for contribution in fresh}
        for chunk in before.keys() | after.keys():
            gone, come = before.get(chunk, NOTHING), after.get(chunk, NOTHING)
            for contribution in (gone, come):
                if contribution is not NOTHING:
                    contribution.is_alive = contribution is come
                    self._log(contribution)
            move(self._mentions, gone.mentions(), come.mentions(), chunk)
            move(self._holders, {name for name, _ in gone.facts()}, {name for name, _ in come.facts()}, chunk)
            gone_facts = {id(fact): name for name, fact in gone.facts()}
            come_facts = {id(fact): name for name, fact in come.facts()}
            touched.update([name for fact, name in gone_facts.items() if fact not in come_facts])
            touched.update([name for fact, name in come_facts.items() if fact not in gone_facts])
            touched |= come.renewed
            for unit in set(gone.units).difference(come.units):
                for name in unit.called:
                    take(self._calling, name, unit)
            for unit in set(come.units).difference(gone.units):
                for name in unit.called:
                    self._calling.setdefault(name, []).append(unit)
            mark(self._starring, chunk, come.stars)
            mark(self._running, chunk, come.is_main)
            mark(self._storing, chunk, come.foreign_sets)
            mark(self._importing, chunk, come.imports)
            mark(self._naming, chunk, any(unit.named for unit in come.units))
        for name in touched:
            holders = self._holders.get(name, [])
            if len(holders) > 1:
                holders.sort(key=_place)
            found = [self._top[chunk] for chunk in holders]
            bindings = [b for one in found for b in one.bindings if b.name == name]
            if len(bindings) > 1:
                # What functions bind is noted behind what stands outside them, chunk by chunk.
                bindings.sort(key=_binding_place)
            put(self.names, name, bindings)
            put(self.functions, name, [f for one in found for f in one.functions if f.qualname == name])
            put(self.classes, name, [c for one in found for c in one.classes if c.qualname == name])
        return touched

    def _changed(
        self, touched: set[str], old: Iterable[Contribution], fresh: Iterable[Contribution]
    ) -> set[str]:
        changed: set[str] = set()
        for name in touched:
            compare(self.outlines, name, outline_of(self, name), changed)
            compare(self.outlines, f"*calls.{name}", calls_outline_of(self, name), changed)
        both = (*old, *fresh)
        if any(contribution.stars for contribution in both):
            compare(self.outlines, "*", tuple(self.stars) or None, changed)
        if any(contribution.is_main for contribution in both):
            compare(self.outlines, SCRIPT, self.is_script or None, changed)
        if imported_by(old) != imported_by(fresh):
            found = {(ref.module, ref.name) for chunk in self._importing for ref in self._top[chunk].imports}
            compare(self.outlines, "*imports", frozenset(found) or None, changed)
        if any(unit.named for contribution in both for unit in contribution.units):
            compare(self.outlines, "*named", tuple(self.named_fixtures) or None, changed)
        changed.update(f"*called.{name}" for name in called_otherwise(old, fresh))
        changed.update(f"*body.{name}" for name in touched & self.watched)
        changed.update(f"*flow.{name}" for name in touched & self.followed)
        if items_otherwise(old, fresh):
            changed.add(ITEMS)
        if self.is_watched and both:
            changed.add(WHOLE)
        stored = {name for contribution in both for _, name, _, _ in contribution.foreign_sets}
        if stored:
            values: dict[str, list[tuple[Value, Value]]] = {name: [] for name in stored}
            for base, name, _, value in self.foreign_sets:
                if name in stored:
                    values[name].append((base, value))
            others = len(changed)
            for name in stored:
                compare(self.outlines, f"*stored.{name}", tuple(values[name]) or None, changed)
            if len(changed) > others:
                changed.add(STORED)
        return changed


def _outermost(chunk: Chunk) -> Chunk:
    while chunk.parent is not None:
        chunk = chunk.parent
    return chunk


def _place(chunk: Chunk) -> int:
    return chunk.start


def _binding_place(binding: Binding) -> int:
    line: int = getattr(binding.node, "lineno", 0)
    return line + binding.chunk.shift


def _clear_stale(chunk: Chunk) -> None:
    if chunk.stale:
        chunk.stale = False
        for child in chunk.children or ():
            _clear_stale(child)
