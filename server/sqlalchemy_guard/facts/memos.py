"""What an evaluation leaves on a chunk, and what the expressions of a chunk are worth.

The values of all expressions of all code would fill the memory: those of the chunks that were asked for last are kept, and
those of the code that is being edited. This module must never decide what has to be evaluated.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.declarations import Frame
from sqlalchemy_guard.facts.evaluate import Evaluator, Scope, complete_function, finish
from sqlalchemy_guard.facts.recording import Recording
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy_guard.facts.blocks import BlockResult, Deferred
    from sqlalchemy_guard.facts.declarations import ClassFacts, FunctionFacts
    from sqlalchemy_guard.facts.units import Unit
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.syntax.chunk import Chunk

_MOST = 64
"""Of how many chunks the values are kept: those of one large function, and of what it calls."""
_VALUES: dict[Chunk, tuple[object, dict[ast.expr, Value]]] = {}
"""By chunk the memo that its values were made for, and these; the one that was asked for last stands last."""


@dataclass(slots=True, eq=False)
class LeafMemo:
    """Memo of a leaf of the module or of a cut class."""

    result: BlockResult
    unit: Unit
    scope: Scope


@dataclass(slots=True, eq=False)
class HeadMemo:
    """Memo of the header of a cut definition: where it stood, the definition it was made for, and what it said."""

    node: object
    result: BlockResult
    deferred: Deferred | None
    facts: ClassFacts | FunctionFacts
    scope: Scope
    unit: Unit | None = None


def values_in(chunk: Chunk) -> Mapping[ast.expr, Value]:
    """The symbolic value of every expression of a leaf chunk, nested functions included.

    Where a loop runs its body twice, the values are those of the second run. They are kept while what the chunk's facts
    rest on is the same.
    """
    known = _VALUES.get(chunk)
    if known is None or known[0] is not chunk.memo:
        _put(chunk, _evaluated(chunk))
    else:
        _put(chunk, known[1])
    return _VALUES[chunk][1]


@contextmanager
def recording(known: Mapping[ast.expr, Value]) -> Iterator[Recording]:
    """Note the value of every expression that is evaluated meanwhile.

    Args:
        known: What nodes were worth before.
    """
    Evaluator.recording = recorded = Recording(known)
    try:
        yield recorded
    finally:
        Evaluator.recording = None


def known_in(chunks: Iterable[Chunk]) -> Mapping[ast.expr, Value]:
    """The values that are kept of some chunks, which are no longer in the tree; they are forgotten."""
    found: dict[ast.expr, Value] = {}
    for chunk in chunks:
        if chunk in _VALUES:
            values = _VALUES.pop(chunk)[1]
            found = found | values if found else values
    return found


def keep(recorded: Recording) -> None:
    """Keep the values of the chunks that were evaluated."""
    for chunk, noted in recorded.noted.items():
        if chunk.is_alive:
            _put(chunk, noted.values)


def _put(chunk: Chunk, values: dict[ast.expr, Value]) -> None:
    _VALUES.pop(chunk, None)
    while len(_VALUES) >= _MOST:
        del _VALUES[next(iter(_VALUES))]
    _VALUES[chunk] = (chunk.memo, values)


def _evaluated(chunk: Chunk) -> dict[ast.expr, Value]:
    """The values of a chunk, evaluated again as they were."""
    kept = chunk.memo
    with recording({}) as recorded:
        if isinstance(kept, LeafMemo):
            result = Evaluator(kept.scope, chunk, kept.result.env_in).run(chunk.body)
            finish(result, kept.scope)
        elif isinstance(kept, tuple):
            function, block, closure = kept
            frame = Frame("function", function.header, function.chunk, None)
            scope = Scope("function", function.qualname, function, function.owner, closure, frame)
            result = Evaluator(scope, chunk, block.env_in, block.globals_in).run(chunk.body)
            for again, done in zip(result.deferred, block.deferred, strict=True):
                complete_function(again, done.closure or {})
        elif isinstance(kept, HeadMemo):
            Evaluator(kept.scope, chunk, kept.result.env_in, shallow=True).run(chunk.body)
    return recorded.of(chunk).values
