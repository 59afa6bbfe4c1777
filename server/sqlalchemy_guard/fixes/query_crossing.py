"""What becomes of a query at a call: how its session is named on the other side, and how the call is written.

This module must never follow a value itself.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.query_walk import Walk
from sqlalchemy_guard.fixes.select import source
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.tree import Argument, Call, Text
from sqlalchemy_guard.project.mentions import last_name
from sqlalchemy_guard.project.query_paths import Path, passed, path_of, spelled
from sqlalchemy_guard.project.types import ClassType, known
from sqlalchemy_guard.records import replace

if TYPE_CHECKING:
    from sqlalchemy_guard.fixes.select.state import State
    from sqlalchemy_guard.fixes.select.tree import Tree
    from sqlalchemy_guard.project.query_bodies import Body

_HIDES_SESSION = "the session is not at hand in {}(): hand it in, or execute the query where it is made"


class Crossing(Walk):
    """The calls of a function."""

    def _check_bound(self, call: ast.Call, callee: Body) -> None:
        """Refuse a method that is called through its class: what it is given counts one further."""
        function = callee.function
        if function.owner is None or not isinstance(call.func, ast.Attribute):
            return
        if {last_name(each) for each in function.decorators} & {"staticmethod", "classmethod"}:
            return
        if any(isinstance(each, ClassType) for each in known(self.body.knowledge.type(call.func.value))):
            raise Refuse(f"{callee.name}() is called through its class: call it on an object")

    def _call_tree(self, node: ast.expr, written: dict[ast.expr, State]) -> Tree:
        text = self.solver.text
        if not isinstance(node, ast.Call) or all(
            state.tree == Text(text.segment(each), each) for each, state in written.items()
        ):
            return Text(text.segment(node), node)

        def tree(each: ast.expr) -> Tree:
            return written[each].tree if each in written else Text(text.segment(each), each)

        positional = [
            Argument(tree(each.value), prefix="*") if isinstance(each, ast.Starred) else Argument(tree(each))
            for each in node.args
        ]
        named = [Argument(tree(each.value), each.arg, "" if each.arg else "**") for each in node.keywords]
        return Call(Text(text.segment(node.func), node.func), (*positional, *named))

    def _handed(self, state: State, call: ast.Call, callee: Body, name: str) -> State:
        """A query as the parameter of a function sees it, its session named there if it can be."""
        workspace = self.solver.workspace
        found: tuple[str, Path] | None = None
        path = state.path if isinstance(state.path, Path) else None
        if path is not None:
            for parameter in callee.function.parameters:
                sent = passed(Path(parameter.name), call, call.func, callee)
                if sent is None or parameter.name in callee.stores:
                    continue
                start = path_of(self.body.knowledge.value(sent[0]), self.body, workspace)
                rest = path.behind(start) if start is not None else None
                if rest is not None:
                    found = (".".join((parameter.name, *rest)), Path(parameter.name, attributes=rest))
                    break
            if found is None and not path.parameter:
                text = spelled(path, callee, workspace)
                if text is not None:
                    self.solver.import_(callee, text.imported)
                    found = (text.text, path)
        return self._moved(state, callee, name, found)

    def _returned(
        self, result: State, call: ast.Call | None, name_node: ast.expr, callee: Body, given: list[State]
    ) -> State:
        """A query that a function returned as its caller sees it."""
        for state in given:
            if state.roots == result.roots:
                return replace(
                    result, receiver=state.receiver, path=state.path, session=state.session, place=state.place
                )
        workspace = self.solver.workspace
        path = result.path if isinstance(result.path, Path) else None
        found: tuple[str, Path] | None = None
        if path is not None and path.parameter:
            sent = passed(path, call, name_node, callee)
            if sent is not None and _is_dotted(sent[0]):
                start = path_of(self.body.knowledge.value(sent[0]), self.body, workspace)
                text = ".".join((self.solver.text.segment(sent[0]), *sent[1]))
                found = (text, start.then(sent[1]) if start is not None else Path("?", attributes=(text,)))
        elif path is not None:
            name = spelled(path, self.body, workspace)
            if name is not None:
                found = (name.text, path)
                self.solver.import_(self.body, name.imported)
        place = self.body.place(call) if call is not None else (0, 0)
        return replace(self._moved(result, self.body, "", found), place=place, loops=self._loops)

    def _moved(self, state: State, body: Body, name: str, found: tuple[str, Path] | None) -> State:
        session = state.session
        database = None
        if found is not None and session.database is not None and found[0].endswith(".session"):
            database = found[0].removesuffix(".session")
        session = replace(session, database=database)
        moved = state.here(Text(name))
        moved.statement.names = source.names(session)
        return replace(
            moved,
            session=session,
            receiver=Text(found[0]) if found is not None else None,
            path=found[1] if found is not None else None,
            why=_HIDES_SESSION.format(body.name),
            foreign=True,
            loops=0,
            place=(0, 0),
        )


def _is_dotted(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)
