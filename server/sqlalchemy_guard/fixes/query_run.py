"""Follows query values through one function: statements in order, paths joined.

What is not understood is refused, never passed over. This module must never look for other functions: the component that
runs it does.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import TERMINALS, Consumer, Link, begins_query, below, read_query, step_of
from sqlalchemy_guard.fixes.query_crossing import Crossing
from sqlalchemy_guard.fixes.select import comments, links, source
from sqlalchemy_guard.fixes.select.ending import Ending, finish
from sqlalchemy_guard.fixes.select.keyed import bulk_base, check_bulk
from sqlalchemy_guard.fixes.select.rewrite import Rewrite, begin, form_of, nested_in, without_eagerloads
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.state import BULK, ENDS_OF_ANY_COLUMNS, MIXED, WHOLE, State, admit, join
from sqlalchemy_guard.fixes.select.tree import Text, walk
from sqlalchemy_guard.project.query_bodies import parameters
from sqlalchemy_guard.project.query_consumers import SET_OPERATIONS, consumer_of, is_method_of_query
from sqlalchemy_guard.project.query_paths import Path, argument_of, path_of
from sqlalchemy_guard.project.query_references import given_by_caller
from sqlalchemy_guard.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy_guard.facts.query import Source
    from sqlalchemy_guard.fixes.query_component import Solver
    from sqlalchemy_guard.fixes.select.statement import Statement
    from sqlalchemy_guard.fixes.select.tree import Tree
    from sqlalchemy_guard.project.query_bodies import Body

_UNITED = frozenset(
    (
        *("flow", "where", "reset_joinpoint"),
        *("join", "plain_join", "loose_join", "self_join", "conditional_join"),
        *("group_by", "having"),
        *("distinct", "limit", "offset", "order_by"),
    )
)
"""Clauses that a set operation of Query takes into its subquery; all others stay with the result."""


class Run(Crossing):
    """One way through a function.

    Args:
        solver: The component.
        body: The function.
        given: The queries that its parameters hold.

    Attributes:
        result: The query that it returns, None when it returns none.
        other: Whether it returns something else on some path.
    """

    def __init__(self, solver: Solver, body: Body, given: dict[str, State]) -> None:
        super().__init__(solver, body, given)
        self.parent = body.parent
        self.result: State | None = None
        self.other = False
        self._none = False

    def follow(self) -> None:
        """Go through the statements."""
        header = self.body.function.header
        for parameter in self.body.function.parameters:
            state = (self._held or {}).get(parameter.name)
            if state is not None and parameter.node is not None:
                self.solver.annotate(
                    self.body, parameter.node.annotation, state, header, self.body.function.chunk
                )
        self._block(self.body.statements)
        if self.result is None:
            return
        self._none = self._none or self._held is not None
        if self.other:
            raise Refuse(f"{self.body.name}() returns a Query in one branch and something else in another")
        if self._none:
            self.result = replace(self.result, maybe_none=True)
        self.solver.annotate(self.body, header.returns, self.result, header, self.body.function.chunk)

    def _store(self, target: ast.Name, value: ast.expr, *, matters: bool) -> None:
        name = target.id
        followed = (self.body.key, name) in self.solver.variables
        if not matters and not followed:
            return
        state = self._value(value, wanted=followed or self._is_start(value))
        if state is None:
            if not followed or not _is_none(value):
                self._visit(value)
            self._held_now.pop(name, None)
            return
        self.solver.add_variable(self.body, name, target)
        self._record(value, state)
        self._held_now[name] = state.here(Text(name))

    def _return(self, value: ast.expr | None, *, matters: bool) -> None:
        returning = self.body.key in self.solver.returning
        if value is None or _is_none(value):
            self._none = True
        elif not matters and not returning:
            self.other = True
        else:
            state = self._value(value, wanted=returning or self._is_start(value))
            if state is None:
                self._visit(value)
                self.other = True
            else:
                self.solver.add_returning(self.body)
                self._record(value, state)
                before = self.result
                self.result = state if before is None else self._join_results(before, state)
        self._held = None

    def _join_results(self, one: State, other: State) -> State:
        if one.receiver != other.receiver and one.path is not None and one.path == other.path:
            other = replace(other, receiver=one.receiver)
        return join(one, other, f"{self.body.name}()")

    # -- expressions -----------------------------------------------------------------------------------------------

    def _visit(self, node: ast.expr) -> None:
        """Look at an expression that is not itself a value that is followed."""
        if isinstance(node, ast.Lambda):
            self._visit_lambda(node)
            return
        if isinstance(node, ast.Call) and self._passes(node):
            return
        taken = self._chain(node)
        if taken is not None:
            self._execute(node, *taken)
            return
        self._visit_all(node)
        self._bind(node) if isinstance(node, ast.NamedExpr) else None

    def _visit_lambda(self, node: ast.Lambda) -> None:
        """A lambda must not read a query that is followed; its parameters are other values by the same names."""
        outer = self._held_now
        inner = {name: state for name, state in outer.items() if name not in parameters(node.args)}
        # Its defaults are read outside of it.
        for held, part in ((outer, node.args), (inner, node.body)):
            for each in ast.walk(part):
                if isinstance(each, ast.Name) and each.id in held:
                    raise Refuse(f"`{each.id}` is read in a lambda: build the select() outside of it")
        self._visit_all(node.args)
        self._held = inner
        try:
            self._visit(node.body)
        finally:
            self._held = outer

    def _chain(self, node: ast.expr) -> tuple[State, list[Link], Link | None] | None:
        """An expression that begins with a query that is followed: the query, its links, its terminal."""
        steps: list[Link] = []
        here = node
        while not self._begins(here):
            step = step_of(here)
            if step is None:
                return None
            steps.append(step)
            here = below(here)
        steps.reverse()
        at = next((place for place, step in enumerate(steps) if step.name in TERMINALS), len(steps))
        state = self._head(here)
        for step in steps[at + 1 :]:
            self._visit_arguments(step)
        return state, steps[:at], steps[at] if at < len(steps) else None

    def _begins(self, node: ast.expr) -> bool:
        solver = self.solver
        if isinstance(node, ast.Name):
            return isinstance(node.ctx, ast.Load) and node.id in self._held_now
        if isinstance(node, ast.Call) and node.func in solver.named:
            return solver.named[node.func].key in solver.returning
        if isinstance(node, ast.Attribute) and node in solver.named:
            called = self.parent(node)
            return solver.named[node].key in solver.returning and not (
                isinstance(called, ast.Call) and called.func is node
            )
        return node in solver.sources

    def _head(self, node: ast.expr) -> State:
        if isinstance(node, ast.Name):
            state = self._held_now[node.id]
            if state is None:
                raise Refuse(f"`{node.id}` is not always a query of a known session")
            return state.here(Text(node.id, node))
        if node in self.solver.sources:
            return self._made(node)
        made = self._call(node)
        if made is None:
            raise Refuse(f"`{ast.unparse(node)}` is not always a query of a known session")
        return made

    def _made(self, node: ast.expr) -> State:
        """The query that `session.query(…)` makes."""
        self.solver.visited(node)
        expression = read_query(node, self.solver.knowledge, Consumer.ASSIGNED)
        if expression is None:
            raise Refuse("the session behind it was not understood: write `session.scalars(select(…))`")
        session = expression.source.session
        doubts = source.admit(session, None)
        for argument in expression.entities:
            self._visit_inside(argument)
        receiver = source.receiver(expression.source, self.solver.text)
        statement = begin(expression, self.solver.knowledge, self.solver.text)
        if self.solver.bulk:
            bulk_base(statement, self.solver.bulk)
        for doubt in doubts:
            statement.doubt(doubt)
        self._import_registry(expression.source)
        return State(
            statement,
            session,
            receiver,
            frozenset((node,)),
            self._loops,
            path=self._source_path(expression.source),
            place=self.body.place(node),
        )

    def _source_path(self, made: Source) -> Path | None:
        workspace, text = self.solver.workspace, made.session.text
        if text is None:
            return path_of(self.body.knowledge.value(made.receiver), self.body, workspace)
        root, *rest = text.split(".")
        origin = self.body.knowledge.sessions.origin_of(root)
        found = path_of(origin, self.body, workspace) if origin is not None else None
        return found.then(tuple(rest)) if found is not None else None

    def _import_registry(self, made: Source) -> None:
        text = made.session.text or ""
        root = text.partition(".")[0]
        self.solver.roots.add(root)
        self.solver.import_(self.body, self.body.knowledge.sessions.imports.get(root))

    def _value(self, node: ast.expr, *, wanted: bool) -> State | None:
        """The query that an expression gives; None when it gives something else.

        Args:
            node: The expression.
            wanted: Whether queries that are made in it belong to the component.
        """
        if isinstance(node, ast.IfExp):
            wanted = wanted or self._is_query(node.body) or self._is_query(node.orelse)
            one, other = (self._value(each, wanted=wanted) for each in (node.body, node.orelse))
            if one is None or other is None:
                if one is not None or other is not None:
                    raise Refuse(f"`{ast.unparse(node)}` is not always a query of a known session")
                return None
            self._visit(node.test)
            self._record(node.body, one)
            self._record(node.orelse, other)
            return replace(join(one, other, "it"), tree=Text(self.solver.text.segment(node), node))
        if wanted:
            self._take_source(node)
        taken = self._chain(node)
        if taken is None or taken[2] is not None:
            if taken is None and wanted:
                self._follow_back(node)
            return None
        state, steps, _ = taken
        working = self._applied(state, steps)
        return replace(working, tree=working.statement.tree())

    def _is_start(self, node: ast.expr) -> bool:
        return any(each is self.solver.start for each in _spine(node)) or (
            isinstance(node, ast.IfExp) and (self._is_start(node.body) or self._is_start(node.orelse))
        )

    def _take_source(self, node: ast.expr) -> None:
        """A query that is made here belongs to the component."""
        for part in _spine(node):
            if part in self.solver.sources:
                return
            if begins_query(part, self.solver.knowledge):
                steps = [step_of(each) for each in _spine(node, part)]
                if not any(step is not None and step.name in TERMINALS for step in steps):
                    self.solver.add_source(part, self.body)
                return

    def _follow_back(self, node: ast.expr) -> None:
        """A query that comes from where nobody has looked yet."""
        for part in _spine(node):
            step = step_of(part)
            if step is not None and step.name in TERMINALS:
                return
            if not self.solver.is_query(self.body.knowledge.type(part)):
                continue
            if isinstance(part, ast.Name):
                if part.id in self.body.stores:
                    self.solver.add_variable(self.body, part.id)
                elif self.body.function.parameter(part.id) is not None:
                    self.solver.add_filled(self.body, part.id)
            elif isinstance(part, ast.Call):
                callee = self.solver.callee(part, self.body)
                if callee is not None:
                    self.solver.add_returning(callee)

    def _applied(self, state: State, steps: list[Link]) -> State:
        statement = state.statement
        statement.knowledge, statement.text = self.solver.knowledge, self.solver.text
        statement.nested = nested_in(self.solver.knowledge, self.solver.text)
        for link in steps:
            if "flow" in statement.clauses:
                admit(state, link, self._loops)
            if link.name in SET_OPERATIONS:
                self._unite(statement, link)
            else:
                self._visit_arguments(link)
            links.apply(statement, link)
        if self.solver.bulk:
            check_bulk(statement, self.solver.bulk)
        return state

    def _unite(self, statement: Statement, link: Link) -> None:
        """Follow the queries that a set operation takes besides the one that it is called on."""
        if self.solver.bulk:
            raise Refuse(f"{self.solver.bulk}() of {link.name}(): Query raises here")
        members: dict[ast.expr, Tree] = {}
        extra = statement.clauses - _UNITED
        for node in link.args:
            state = self._value(node, wanted=True)
            if state is None:
                self._visit_inside(node)
                continue
            members[node] = state.tree
            extra |= state.statement.clauses - _UNITED
            if "order_by" in state.statement.clauses:
                statement.doubt(f"ORDER BY inside {link.name}() fails on some databases")
            for doubt in state.statement.doubts:
                statement.doubt(doubt)
        if extra:
            raise Refuse(f"{sorted(extra)[0]} before {link.name}() belongs to its result: put it behind it")
        others = nested_in(self.solver.knowledge, self.solver.text)
        statement.nested = lambda node: members.get(node) or others(node)

    def _visit_arguments(self, link: Link) -> None:
        for argument in (*link.args, *(each.value for each in link.keywords)):
            self._visit_inside(argument)
        if link.index is not None:
            self._visit_inside(link.index)

    def _visit_inside(self, node: ast.expr) -> None:
        """A part of an expression that is rewritten as a whole: it must keep its own text."""
        before = self.solver.count()
        self._visit(node)
        if self.solver.count() != before:
            raise Refuse("a query inside another one that is built elsewhere: give it a statement of its own")

    def _execute(self, node: ast.expr, state: State, steps: list[Link], terminal: Link | None) -> None:
        """The place where a query leaves the Query API."""
        consumer = consumer_of(node, self.parent, self.body.file.facts.names)
        if terminal is None and isinstance(node, ast.Name) and self._is_compared(node):
            return
        if terminal is None and is_method_of_query(node, self.parent, self.solver.knowledge.qualified_name):
            holder = self.parent(node)
            assert isinstance(holder, ast.Call)
            assert isinstance(holder.func, ast.Attribute)
            self._follow_back(holder.func.value)
            raise Refuse(
                f"{holder.func.attr}() of another query, which is not understood: build both as select()"
            )
        working = self._applied(state, steps)
        if terminal is not None:
            self._visit_arguments(terminal)
        statement = working.statement
        last = steps[-1] if steps else Link("", node)
        form, link = form_of(terminal, consumer, last)
        if MIXED in statement.clauses and terminal is not None and link.name not in ENDS_OF_ANY_COLUMNS:
            raise Refuse(
                f"{link.name}() of what selects different columns in each branch: build two statements"
            )
        bulk = self.solver.bulk
        if bulk and link.name != bulk:
            raise Refuse(f"{bulk}() of a query that is used in other ways, too: build two statements")
        if bulk:
            check_bulk(statement, bulk)
        elif link.name in WHOLE:
            why = f"{link.name}() of a query that was built before: write it in one expression"
            raise Refuse(why, link.name if link.name in BULK else "")
        if "no_eagerloads" in statement.clauses:
            without_eagerloads(statement, link)
        if not form.shape and statement.options:
            statement.doubt("loader options of an earlier statement reach into a subquery")
        if working.foreign and statement.parameters is not None:
            raise Refuse("params() of a query that another function executes: hand the values in")
        receiver = working.receiver or Text("session")
        bare = consumer is Consumer.STATEMENT
        tree = finish(Ending(statement, link, receiver, working.session, bare), form)
        if any(part is receiver for part in walk(tree)):
            if working.receiver is None:
                raise Refuse(working.why)
            self._check_stable(working, node)
        self._write(link.node, tree, tuple(statement.doubts))

    def _is_compared(self, node: ast.expr) -> bool:
        holder = self.parent(node)
        return isinstance(holder, ast.Compare) and all(
            isinstance(each, ast.Is | ast.IsNot) for each in holder.ops
        )

    def _check_stable(self, state: State, node: ast.expr) -> None:
        """Refuse a session whose name means something else where the query is executed."""
        names = state.receiver.text.split(".") if isinstance(state.receiver, Text) else [""]
        root = names[0]
        if not all(name.isidentifier() for name in names):
            raise Refuse(
                "the session is made anew where the query is executed: give the session a name, and execute with it"
            )
        stores = self.body.stores.get(root, [])
        is_parameter = self.body.function.parameter(root) is not None
        if len(stores) + is_parameter < 2:
            return
        used = self.body.place(node)
        if self._loops != state.loops or any(state.place < self.body.place(each) < used for each in stores):
            raise Refuse(
                f"`{root}` may be another session where the query is executed: give each its own name"
            )

    # -- calls -----------------------------------------------------------------------------------------------------

    def _passes(self, node: ast.Call) -> bool:
        """Follow queries that are handed to a function of the workspace whose result is no query."""
        solver = self.solver
        known = solver.named.get(node.func)
        if known is not None and known.key in solver.returning:
            return False
        if known is None and not any(self._is_query(each) for each in _arguments(node)):
            return False
        callee = known or solver.callee(node, self.body)
        if callee is None:
            return False
        if known is None and not any(
            self._hands_on(node, each.name, callee) for each in given_by_caller(callee.function)
        ):
            return False
        self._call(node)
        return True

    def _hands_on(self, node: ast.Call, name: str, callee: Body) -> bool:
        argument = argument_of(node, callee, name)
        return argument is not None and self._is_query(argument)

    def _is_query(self, node: ast.expr) -> bool:
        """Whether an expression gives a query that is followed."""
        for part in _spine(node):
            if self._begins(part) or part is self.solver.start:
                steps = [step_of(each) for each in _spine(node, part)]
                return not any(step is None or step.name in TERMINALS for step in steps)
        return False

    def _call(self, node: ast.expr) -> State | None:
        """Follow the values through a function and back; the query that it returns."""
        solver = self.solver
        call = node if isinstance(node, ast.Call) else None
        name_node = call.func if call is not None else node
        callee = solver.named.get(name_node) or (solver.callee(call, self.body) if call is not None else None)
        if callee is None:
            raise Refuse("the Query is handed on, out of sight: hand on a select()")
        given: dict[str, State] = {}
        written: dict[ast.expr, State] = {}
        if call is not None:
            self._check_bound(call, callee)
            if isinstance(call.func, ast.Attribute):
                self._visit_inside(call.func.value)
            for parameter in given_by_caller(callee.function):
                argument = argument_of(call, callee, parameter.name)
                wanted = (callee.key, parameter.name) in solver.filled
                if argument is None:
                    if wanted:
                        raise Refuse(
                            f"{callee.name}() is also called without the query: build a select() by hand"
                        )
                    continue
                state = self._value(argument, wanted=wanted or self._is_start(argument))
                if state is None:
                    if wanted:
                        raise Refuse(
                            f"{callee.name}() is also given something that is no query of a known session"
                        )
                    continue
                solver.add_filled(callee, parameter.name)
                written[argument] = state
                given[parameter.name] = self._handed(state, call, callee, parameter.name)
            for argument in _arguments(call):
                if argument not in written:
                    # What a chain begins with is written as a whole.
                    (self._visit_inside if callee.key in solver.returning else self._visit)(argument)
        for key, _ in solver.filled:
            if key == callee.key and not given:
                raise Refuse(f"{callee.name}() is also called without the query: build a select() by hand")
        run = solver.run(callee, given)
        solver.visited(name_node)
        tree = self._call_tree(node, written)
        if run.result is None or callee.key not in solver.returning:
            for argument, state in written.items():
                self._record(argument, state)
            return None
        result = self._returned(run.result, call, name_node, callee, list(written.values()))
        return replace(result.here(tree), foreign=True)

    # -- what is written -------------------------------------------------------------------------------------------

    def _record(self, node: ast.expr, state: State) -> None:
        """The expression whose value is followed."""
        self._write(node, state.tree, tuple(state.statement.doubts))

    def _write(self, node: ast.expr, tree: Tree, doubts: tuple[str, ...]) -> None:
        notes, complete = comments.collect(node, self.solver.text.segment(node), tree)
        if not complete:
            doubts = (*doubts, "a comment would be lost")
        self.solver.record(self.body, Rewrite(node, tree, doubts, notes))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _spine(node: ast.expr, stop: ast.expr | None = None) -> Iterable[ast.expr]:
    """An expression and what it begins with, outside in, down to `stop`, which is left out."""
    here = node
    while here is not stop:
        yield here
        if step_of(here) is None:
            return
        here = below(here)


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [
        *(each.value if isinstance(each, ast.Starred) else each for each in call.args),
        *(each.value for each in call.keywords),
    ]
