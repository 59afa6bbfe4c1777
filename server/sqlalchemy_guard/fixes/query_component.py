"""The whole flow of query values: through variables, functions, properties and their callers, across files.

A component grows from one query to everything that its value reaches, and to everything that reaches the same variables,
parameters and results. Every place in it is understood and rewritten, or nothing is. `query_run` follows the values through
one function; this module joins the functions and must never look at a statement.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Ref, Value
from sqlalchemy_guard.fixes.file_source import source_of
from sqlalchemy_guard.fixes.query_run import Run
from sqlalchemy_guard.fixes.select.rewrite import Refusal, Rewrite
from sqlalchemy_guard.fixes.select.source import Refuse, hidden
from sqlalchemy_guard.fixes.select.tree import Imported, Step, Text, extend
from sqlalchemy_guard.project.mentions import last_name
from sqlalchemy_guard.project.query_bodies import Bodies, JointKnowledge
from sqlalchemy_guard.project.query_references import has_templates, is_overridden, references_to
from sqlalchemy_guard.project.types import ClassType, FunctionType, Instance, known
from sqlalchemy_guard.records import dataclass, field

if TYPE_CHECKING:
    from sqlalchemy_guard.fixes.select.state import State
    from sqlalchemy_guard.fixes.select.tree import Tree
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.query_bodies import Body, FunctionKey
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
    from sqlalchemy_guard.project.query_references import Reference
    from sqlalchemy_guard.project.types import Type
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk

LARGEST = 40
"""So many functions are followed at most."""
LONGEST = 400
"""So many times one is run at most."""

_PLAIN_DECORATORS = frozenset(
    (
        "staticmethod",
        "classmethod",
        "property",
        "cached_property",
        "override",
        "final",
        "no_type_check",
        "reify",
    )
)
_SAYS_QUERY = frozenset(("sqlalchemy.orm.Query", "flask_sqlalchemy.Query"))


@dataclass(frozen=True, slots=True)
class Written:
    """A rewrite and where it stands."""

    rewrite: Rewrite
    statement: ast.stmt
    file: File
    chunk: Chunk


@dataclass(slots=True)
class Component:
    """What is rewritten together.

    Attributes:
        written: The rewrites.
        sources: The expressions that make queries.
        doubts: Why it is not proven to mean the same.
        imports: For each file, module and name of what it must import besides SQLAlchemy's names.
        functions: The functions that are changed.
    """

    written: list[Written] = field(default_factory=list)
    sources: frozenset[ast.expr] = frozenset()
    doubts: tuple[str, ...] = ()
    imports: dict[str, dict[tuple[str, str], None]] = field(default_factory=dict)
    functions: list[Body] = field(default_factory=list)


class JointText:
    """The text of nodes of several scopes."""

    def __init__(self, knowledge: JointKnowledge, workspace: Workspace) -> None:
        self._knowledge = knowledge
        self._workspace = workspace

    def source(self, file: File) -> Source:
        """The text of a file as it is now: what was found outlives edits of other functions."""
        return source_of(self._workspace, file)

    def segment(self, node: ast.expr) -> str:
        """The text of a node, without parentheses around it."""
        knowledge = self._knowledge.of(node)
        return self.source(knowledge.file).segment(node, knowledge.scope.shift(node))


class Solver:
    """Grows a component and follows its values until nothing new is reached.

    Args:
        start: The expression that makes the query: `session.query(…)` or `Model.query`.
        knowledge: What is known where it stands.
        bulk: `delete` or `update` where the query is to begin as that statement, and to stay in its function.
    """

    def __init__(self, start: ast.expr, knowledge: QueryKnowledge, bulk: str = "") -> None:
        self.bulk = bulk
        self.bodies = Bodies(knowledge)
        self.workspace = knowledge.workspace
        self.knowledge = JointKnowledge(self.bodies)
        self.text = JointText(self.knowledge, knowledge.workspace)
        self.start = start
        self.has_helpers = knowledge.sessions.has_helpers
        self.sources: set[ast.expr] = set()
        # The statements that make queries or name functions which the queries go through, and those around them.
        self.named_at: set[ast.stmt] = set()
        self.returning: dict[FunctionKey, Body] = {}
        self.filled: dict[tuple[FunctionKey, str], Body] = {}
        self.variables: set[tuple[FunctionKey, str]] = set()
        self.named: dict[ast.expr, Body] = {}
        self.grown = False
        self.doubts: dict[str, None] = {}
        self._members: dict[FunctionKey, Body] = {}
        self._references: dict[FunctionKey, list[Reference]] = {}
        self._always: dict[str, None] = {}
        self._possible: dict[FunctionKey, str] = {}
        self._running: list[FunctionKey] = []
        # Functions that were followed to their end since something grew.
        self._finished: set[FunctionKey] = set()
        self._runs = 0
        self._visited: set[ast.expr] = set()
        self._records: dict[ast.expr, tuple[Body, Rewrite]] = {}
        self._imports: dict[str, dict[tuple[str, str], None]] = {}
        # The names that registries' sessions are spelled with.
        self.roots: set[str] = set()
        self._annotated: dict[ast.expr, tuple[Body, ast.stmt, Chunk, Tree]] = {}
        self.unknown: Reference | None = None

    def solve(self) -> Component | Refusal:
        """Everything that the query's value reaches, rewritten; or why nothing is."""
        try:
            return self._solve()
        except Refuse as refused:
            return Refusal(self.start, str(refused), refused.bulk)

    def _solve(self) -> Component:
        first = self.bodies.around(self.start, self.bodies.first.file, self._chunk(self.start))
        if first is None:
            raise Refuse("the Query is built over several statements of a module: do it in a function")
        self._members[first.key] = first
        self.add_source(self.start, first)
        while True:
            self.grown = False
            self.doubts.clear()
            self._visited.clear()
            self._records.clear()
            self._annotated.clear()
            self._runs = 0
            self._running.clear()
            self._finished.clear()
            try:
                self._follow()
            except Refuse:
                # What was not known yet when it was asked for may be known the next time.
                if not self.grown:
                    raise
            if not self.grown:
                break
            if len(self._members) > LARGEST:
                raise Refuse("this query goes through too many functions: build a select() in all of them")
        self._check_complete()
        return self._component()

    def _follow(self) -> None:
        filled = {key for key, _ in self.filled}
        for key, body in list(self._members.items()):
            if key not in filled:
                self.run(body, {})

    def _chunk(self, node: ast.AST) -> Chunk:
        return self.bodies.first.scope.chunk_of(node)

    # -- what grows ------------------------------------------------------------------------------------------------

    def add_source(self, node: ast.expr, body: Body) -> None:
        """An expression makes a query of the component."""
        self.sources.add(node)
        self.named_at.update(_statements(node, body))

    def add_variable(self, body: Body, name: str, store: ast.Name | None = None) -> None:
        """A variable holds the query; `store` is where it is bound to it, when it is not read before that is seen."""
        if (body.key, name) in self.variables:
            return
        if name in body.captured or name in body.declared_elsewhere:
            raise Refuse(f"`{name}` is read in a function or lambda inside {body.name}(): hand it in")
        self.variables.add((body.key, name))
        # Nothing that was followed so far would have been followed otherwise when this is the first that is bound to it.
        is_first = store is not None and store is min(body.stores[name], key=body.place)
        if not is_first or body.key in self._finished:
            self.grown = True

    def add_returning(self, body: Body, name: str = "") -> None:
        """A function returns the query."""
        self._check_bulk(body)
        if body.key in self.returning:
            return
        function = body.function
        if function.is_async or function.yielded is not None:
            raise Refuse(f"{body.name}() is a coroutine or generator that gives a Query: return the select()")
        self._check_decorators(body)
        if function.owner is not None and has_templates(self.workspace):
            owner = ClassType((body.file.file_id, function.owner))
            if self.workspace.resolver.is_model(owner):
                self._always[f"templates are not read, and one may use `{body.name}`"] = None
        self._add_references(body)
        self.returning[body.key] = body

    def add_filled(self, body: Body, name: str) -> None:
        """A parameter is given the query."""
        self._check_bulk(body)
        if (body.key, name) in self.filled:
            return
        if name in body.captured:
            raise Refuse(f"`{name}` is read in a function or lambda inside {body.name}(): hand it in")
        self._check_decorators(body)
        self._add_references(body)
        self.filled[body.key, name] = body

    def _check_bulk(self, body: Body) -> None:
        if self.bulk:
            raise Refuse(
                f"{self.bulk}() of a query that goes through {body.name}(): write it in one expression"
            )

    def _check_decorators(self, body: Body) -> None:
        for decorator in body.function.decorators:
            if last_name(decorator) not in _PLAIN_DECORATORS:
                raise Refuse(
                    f"the Query goes through a decorator of {body.name}(): return the select() there by hand"
                )
        if is_overridden(self.workspace, body.function, body.file):
            raise Refuse(
                f"{body.name}() is overridden or overrides: return a select() in all of them by hand"
            )

    def _add_references(self, body: Body) -> None:
        if body.key not in self._references:
            found = references_to(self.workspace, body.function, body.file)
            around = [self.bodies.around(each.node, each.file, each.chunk) for each in found.proven]
            if None in around:
                raise Refuse(f"{body.name}() is also named outside of functions: build a select() by hand")
            self._references[body.key] = found.proven
            self.named.update((each.node, body) for each in found.proven)
            for reference, member in zip(found.proven, around, strict=True):
                assert member is not None, "checked above"
                self._members[member.key] = member
                self.named_at.update(_statements(reference.node, member))
            if found.possible:
                self._possible[body.key] = sorted(found.possible)[0]
        self.grown = True

    # -- what a run asks and tells ---------------------------------------------------------------------------------

    def run(self, body: Body, given: dict[str, State]) -> Run:
        """Follow the values through a function.

        Args:
            body: The function.
            given: The queries that its parameters hold.
        """
        if body.key in self._running:
            raise Refuse(f"{body.name}() calls itself with the query: build a select() by hand")
        self._runs += 1
        if self._runs > LONGEST:
            raise Refuse("this query goes through too many functions: build a select() in all of them")
        self._running.append(body.key)
        outer, self.knowledge.here = self.knowledge.here, body
        try:
            run = Run(self, body, given)
            run.follow()
        finally:
            self._running.pop()
            self._finished.add(body.key)
            self.knowledge.here = outer
        return run

    def callee(self, call: ast.Call, body: Body) -> Body | None:
        """The function of the workspace that a call calls; None when it is not certain."""
        types = list(known(body.knowledge.type(call.func)))
        if len(types) == 1 and isinstance(types[0], FunctionType):
            return self.bodies.called(types[0])
        return None

    def is_query(self, type_: Type) -> bool:
        """Whether something is a legacy query by its type."""
        return any(isinstance(each, Instance) and each.ref in _SAYS_QUERY for each in known(type_))

    def visited(self, node: ast.expr) -> None:
        """A place that names a function was understood."""
        self._visited.add(node)

    def record(self, body: Body, rewrite: Rewrite) -> None:
        """An expression is rewritten.

        Raises:
            Refuse: it is rewritten in another way for another caller.
        """
        before = self._records.get(rewrite.node)
        if before is not None and before[1].text() != rewrite.text():
            raise Refuse(f"{body.name}() is used for queries of several kinds: build a select() by hand")
        for doubt in rewrite.doubts:
            self.doubts[doubt] = None
        if rewrite.text() != self.text.segment(rewrite.node):
            self._records[rewrite.node] = (body, rewrite)

    def mark(self) -> tuple[dict[ast.expr, tuple[Body, Rewrite]], dict[str, None]]:
        """What was written so far, for `reset`."""
        return dict(self._records), dict(self.doubts)

    def reset(self, mark: tuple[dict[ast.expr, tuple[Body, Rewrite]], dict[str, None]]) -> None:
        """Forget what was written since a mark."""
        self._records, self.doubts = dict(mark[0]), dict(mark[1])

    def count(self) -> int:
        """How many expressions are rewritten so far."""
        return len(self._records)

    def import_(self, body: Body, imported: tuple[str, str] | None) -> None:
        """A file needs a name."""
        if imported is not None:
            self._imports.setdefault(body.file.file_id, {})[imported] = None

    def annotate(
        self, body: Body, node: ast.expr | None, state: State, statement: ast.stmt, chunk: Chunk
    ) -> None:
        """An annotation that speaks of a Query speaks of a Select from now on."""
        written = self._annotation(node, body, state, chunk) if node is not None else None
        if node is not None and written is not None:
            self._annotated[node] = (body, statement, chunk, written)

    def _annotation(self, node: ast.expr, body: Body, state: State, chunk: Chunk) -> Tree | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return None
        inner: ast.expr | None = None
        if isinstance(node, ast.Subscript):
            inner, head = node.slice, node.value
        else:
            head = node
        value = _value_of(head)
        types = known(self.workspace.resolver.type_of(value, body.file)) if value is not None else ()
        if not any(isinstance(each, ClassType) and each.ref in _SAYS_QUERY for each in types):
            return None
        is_new = self.has_helpers
        # SQLAlchemy 1.4 has it in another module, and it takes no types there.
        select = Imported("sqlalchemy" if is_new else "sqlalchemy.sql", "Select")
        if inner is None or not is_new:
            return select
        text = self.text.source(body.file).segment(inner, chunk.shift)
        single = len(state.statement.selected) == 1
        return extend(select, Step("", index=Text(f"tuple[{text}]" if single else text)))

    def reason_of(self, reference: Reference) -> str:
        """Why nothing is rewritten where a use of a function is not understood."""
        file_id, line = _place(reference)[:2]
        name = self.named[reference.node].name
        return f"a use of {name}() in line {line} of {_short(file_id)} is not understood: build a select() by hand"

    def covers(self, node: ast.expr) -> bool:
        """Whether a component that was grown to its end holds a query and knows what becomes of it."""
        return node in self.sources and node in self._visited

    # -- the end ---------------------------------------------------------------------------------------------------

    def _check_complete(self) -> None:
        if self.start not in self._visited:
            raise Refuse("what becomes of this Query is not known: build a select() and execute it")
        unknown = [
            reference
            for references in self._references.values()
            for reference in references
            if reference.node not in self._visited
        ]
        if unknown:
            # The first by its place: the same whichever query the component grew from.
            self.unknown = min(unknown, key=_place)
            raise Refuse(self.reason_of(self.unknown))
        for key in self._references:
            if key in self._possible:
                self.doubts[f"`{self._possible[key]}` may be one of the calls"] = None
        for key, body in self.returning.items():
            if not self._references[key]:
                self.doubts[f"nobody here calls {body.name}(): its callers must execute the select()"] = None

    def _component(self) -> Component:
        component = Component(
            sources=frozenset(self.sources),
            # The same whichever query the component grew from.
            doubts=(*sorted(self.doubts), *sorted(self._always)),
            imports={
                file_id: dict.fromkeys(sorted(names)) for file_id, names in sorted(self._imports.items())
            },
            functions=list({body.key: body for body, _ in self._records.values()}.values()),
        )
        for body in component.functions:
            names = body.stores.keys() | {each.name for each in body.function.parameters}
            for root in sorted(self.roots & names):
                raise Refuse(hidden(root))
        for node, (body, rewrite) in self._records.items():
            scope = body.knowledge.scope
            component.written.append(
                Written(rewrite, _statements(node, body)[0], body.file, scope.chunk_of(node))
            )
        for node, (body, statement, chunk, tree) in self._annotated.items():
            component.written.append(Written(Rewrite(node, tree), statement, body.file, chunk))
        return component


def _statements(node: ast.AST, body: Body) -> list[ast.stmt]:
    """The statements around an expression, the innermost first."""
    found: list[ast.stmt] = []
    here: ast.AST | None = node
    while here is not None:
        if isinstance(here, ast.stmt):
            found.append(here)
        here = body.parent(here)
    return found


def _value_of(node: ast.expr) -> Value | None:
    if isinstance(node, ast.Attribute):
        base = _value_of(node.value)
        return Attr(base, node.attr) if base is not None else None
    return Ref("", node.id) if isinstance(node, ast.Name) else None


def _place(reference: Reference) -> tuple[str, int, int]:
    return reference.file.file_id, reference.node.lineno + reference.chunk.shift, reference.node.col_offset


def _short(file_id: str) -> str:
    return file_id.replace("\\", "/").rpartition("/")[2]
