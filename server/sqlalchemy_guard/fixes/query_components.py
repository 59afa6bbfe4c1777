"""Components of queries, each solved once: whoever asks for another query of the same component gets the same answer.

Kept are components that were grown to their end, because what they say is the same from each of their queries. This module
must never look at a query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.query_component import Component, Solver
from sqlalchemy_guard.fixes.select.rewrite import Refusal
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    import ast

    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.answers import Rests
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk

_MOST = 1000
"""So many queries are known; then those of texts that were edited are forgotten."""


@dataclass(slots=True, eq=False)
class _Solved:
    """What came of a component that was grown to its end, and what that rests on."""

    solver: Solver
    outcome: Component | None
    rests: Rests

    def is_current(self, workspace: Workspace) -> bool:
        """Whether all functions of the component still are what they were."""
        return all(is_current(workspace, file, chunk) for file, chunk in self.solver.places())

    def told(self, start: ast.expr) -> Component | Refusal:
        """The answer for one of its queries; a line is where it is now."""
        if self.outcome is not None:
            return self.outcome
        assert self.solver.unknown is not None, "without a component there is a use that is not understood"
        return Refusal(start, self.solver.reason_of(self.solver.unknown))


def component_of(start: ast.expr, knowledge: QueryKnowledge, source: Source) -> Component | Refusal:
    """Everything that a query's value reaches, rewritten; or why nothing is.

    Args:
        start: The expression that makes the query.
        knowledge: What is known where it stands.
        source: The text of its file.
    """
    workspace = knowledge.workspace
    resolver = workspace.resolver
    memory: dict[ast.expr, _Solved] = resolver.remembered("components of queries", dict)
    kept = memory.get(start)
    if (
        kept is not None
        and kept.solver.has_helpers == knowledge.sessions.has_helpers
        and kept.is_current(workspace)
        and resolver.holds(kept.rests)
    ):
        return kept.told(start)
    solver, found, rests = _solved(start, knowledge, source)
    outcome = found if isinstance(found, Component) else None
    if rests is not None and (outcome is not None or solver.unknown is not None):
        if len(memory) > _MOST:
            stale = [node for node, each in memory.items() if not each.is_current(workspace)]
            for node in stale if 2 * len(stale) > len(memory) else list(memory):
                del memory[node]
        solved = _Solved(solver, outcome, rests)
        memory.update((node, solved) for node in solver.sources if solver.covers(node))
    return found


def _solved(
    start: ast.expr, knowledge: QueryKnowledge, source: Source
) -> tuple[Solver, Component | Refusal, Rests | None]:
    """The component; one that ends in bulk writes begins with the statement of theirs."""
    resolver = knowledge.workspace.resolver
    solver = Solver(start, knowledge, source)

    def solve() -> tuple[Solver, Component | Refusal]:
        found = solver.solve()
        if isinstance(found, Refusal) and found.bulk:
            again = Solver(start, knowledge, source, found.bulk)
            component = again.solve()
            if isinstance(component, Component):
                return again, component
        return solver, found

    # Some of what is known about the nodes was asked for before, and is not asked for again.
    asked = frozenset(resolver.keys)
    (used, found), rests = resolver.recorded(solve)
    return used, found, (rests[0], resolver.shared(rests[1] | asked)) if rests is not None else None


def is_current(workspace: Workspace, file: File, chunk: Chunk) -> bool:
    """Whether a file still is what it was and has the chunk."""
    if workspace.file(file.file_id) is not file:
        return False
    while chunk.parent is not None:
        if not any(each is chunk for each in chunk.parent.children or ()):
            return False
        chunk = chunk.parent
    return any(each is chunk for each in file.syntax.chunks)
