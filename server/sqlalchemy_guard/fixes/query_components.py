"""Components of queries, each solved once: whoever asks for another query of the same component gets the same answer.

What was grown to its end says the same from each of its queries; what was given up before is known for the one that it was
begun at. This module must never look at a query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.query_component import Component, Solver
from sqlalchemy_guard.fixes.query_renewal import Renewal, is_current
from sqlalchemy_guard.fixes.select.rewrite import Refusal
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    import ast

    from sqlalchemy_guard.project.answers import Rests
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
    from sqlalchemy_guard.project.workspace import Workspace

_MOST = 1000
"""So many queries are known; then those of texts that were edited are forgotten."""


@dataclass(slots=True, eq=False)
class _Solved:
    """What came of following a query, and what that rests on.

    Attributes:
        solver: The walk.
        outcome: The component, or why there is none.
        rests: What it rests on besides the statements of its functions.
        renewal: Brings it in step with edits of these.
    """

    solver: Solver
    outcome: Component | Refusal
    rests: Rests
    renewal: Renewal

    def is_current(self, workspace: Workspace) -> bool:
        """Whether all functions of the component still are what they were."""
        return all(
            workspace.file(body.file.file_id) is body.file and is_current(body)
            for body in self.solver.bodies.known.values()
        )

    def holds(self, knowledge: QueryKnowledge) -> bool:
        """Whether it still is right, or can be made so."""
        workspace = knowledge.workspace
        if self.solver.has_helpers != knowledge.sessions.has_helpers or not workspace.resolver.holds(
            self.rests
        ):
            return False
        bodies = self.solver.bodies.known.values()
        if any(workspace.file(body.file.file_id) is not body.file for body in bodies):
            return False
        if not all(map(is_current, bodies)):
            component = self.outcome if isinstance(self.outcome, Component) else None
            if not self.renewal.renew(knowledge, component):
                return False
        workspace.resolver.keys |= self.solver.bodies.rests_on
        return True

    def told(self, start: ast.expr) -> Component | Refusal:
        """The answer for one of its queries; a line is where it is now."""
        if self.solver.unknown is not None:
            return Refusal(start, self.solver.reason_of(self.solver.unknown))
        return self.outcome


def component_of(start: ast.expr, knowledge: QueryKnowledge) -> Component | Refusal:
    """Everything that a query's value reaches, rewritten; or why nothing is.

    Args:
        start: The expression that makes the query.
        knowledge: What is known where it stands.
    """
    workspace = knowledge.workspace
    resolver = workspace.resolver
    memory: dict[ast.expr, _Solved] = resolver.remembered("components of queries", dict)
    kept = memory.get(start)
    if kept is not None and kept.holds(knowledge):
        return kept.told(start)
    solver, found, rests = _solved(start, knowledge)
    if rests is not None:
        if len(memory) > _MOST:
            stale = [node for node, each in memory.items() if not each.is_current(workspace)]
            for node in stale if 2 * len(stale) > len(memory) else list(memory):
                del memory[node]
        solved = _Solved(solver, found, rests, Renewal(solver))
        memory[start] = solved
        if isinstance(found, Component) or solver.unknown is not None:
            # Grown to its end, it says the same of each of its queries.
            memory.update((node, solved) for node in solver.sources if solver.covers(node))
    return found


def _solved(start: ast.expr, knowledge: QueryKnowledge) -> tuple[Solver, Component | Refusal, Rests | None]:
    """The component; one that ends in bulk writes begins with the statement of theirs."""
    resolver = knowledge.workspace.resolver
    solver = Solver(start, knowledge)

    def solve() -> tuple[Solver, Component | Refusal]:
        found = solver.solve()
        if isinstance(found, Refusal) and found.bulk:
            again = Solver(start, knowledge, found.bulk)
            component = again.solve()
            again.bodies.rests_on |= solver.bodies.rests_on
            if isinstance(component, Component):
                return again, component
            solver.bodies.rests_on |= again.bodies.rests_on
        return solver, found

    (used, found), rests = resolver.recorded(solve)
    resolver.keys |= used.bodies.rests_on
    return used, found, rests
