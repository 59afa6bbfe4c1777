"""The functions that queries flow through: their statements, what is known about the nodes in them, and their text.

Every function that is looked at is noted as something that the answer rests on, its statements apart from what others see
of it: an edit of some of them leaves the answer as it is. This module must never follow a value.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.statement_words import words_in, words_of_cut
from sqlalchemy_guard.project.bodies import body_of
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.facts.query import EntityInfo, ModelInfo, SessionInfo
    from sqlalchemy_guard.facts.statement_words import Words
    from sqlalchemy_guard.project.answers import Key
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
    from sqlalchemy_guard.project.types import FunctionType
    from sqlalchemy_guard.project.workspace import File
    from sqlalchemy_guard.syntax.chunk import Chunk

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
FLOW = "*flow."
"""What the keys of the statements of functions begin with."""
FunctionKey = tuple[str, str]
"""File and qualified name of a function."""


class Body:
    """One function.

    Attributes:
        function: Its facts.
        file: Its file.
        knowledge: What its nodes mean.
        statements: Its statements, nested definitions with theirs.
    """

    def __init__(self, function: FunctionFacts, file: File, knowledge: QueryKnowledge) -> None:
        self.function = function
        self.file = file
        self.knowledge = knowledge
        self.key: FunctionKey = (file.file_id, function.qualname)
        self.statements = [statement for _, statement in body_of(function)]
        self._names: _Names | None = None
        self._words: dict[ast.stmt, Words] | None = None

    def renew(self, function: FunctionFacts, knowledge: QueryKnowledge) -> None:
        """The function was edited in places that nothing concluded about it rests on.

        Args:
            function: Its facts now.
            knowledge: What its nodes mean.
        """
        self.function, self.knowledge = function, knowledge
        self.statements = [statement for _, statement in body_of(function)]
        self._names = self._words = None

    @property
    def stores(self) -> dict[str, list[ast.Name]]:
        """For each name that it binds the nodes that do."""
        return self._all_names().stores

    @property
    def mentioned(self) -> set[str]:
        """The names that definitions and lambdas inside it mention."""
        return self._all_names().mentioned

    @property
    def captured(self) -> set[str]:
        """Those of them that are no parameters there, and so may be this function's own."""
        return self._all_names().captured

    @property
    def declared_elsewhere(self) -> set[str]:
        """The names that are `global` or `nonlocal` in it."""
        return self._all_names().declared_elsewhere

    def _all_names(self) -> _Names:
        if self._names is None:
            self._names = _Names({}, set(), set(), set())
            for names in _names_of(self.function):
                for name, nodes in names.stores.items():
                    self._names.stores.setdefault(name, []).extend(nodes)
                self._names.mentioned.update(names.mentioned)
                self._names.captured.update(names.captured)
                self._names.declared_elsewhere.update(names.declared_elsewhere)
        return self._names

    @property
    def name(self) -> str:
        """How messages name the function."""
        return self.function.name

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node that holds a node."""
        return self.knowledge.scope.parent(node)

    def words(self, statement: ast.stmt) -> Words:
        """What tells of a statement whether to go through it."""
        if self._words is None:
            self._words = {}
            for chunk in self.knowledge.scope.chunks:
                self._words.update(chunk.once(words_in))
            for chunk, inner in body_of(self.function):
                if inner not in self._words:
                    self._words[inner] = words_of_cut(chunk)
        return self._words[statement]

    def place(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Where a node stands in the file: line and column."""
        return node.lineno + self.knowledge.scope.shift(node), node.col_offset


class _Names(NamedTuple):
    """What some statements do with names; see `Body`."""

    stores: dict[str, list[ast.Name]]
    mentioned: set[str]
    captured: set[str]
    declared_elsewhere: set[str]


def _names_of(function: FunctionFacts) -> Iterator[_Names]:
    """What the parts of a function do with names, found again for the parts that were edited only."""
    chunk = function.chunk
    if chunk.children is None or not chunk.body or chunk.body[0] is not function.header:
        yield _names_in(function.header.body, False)
        return
    for child in chunk.children:
        yield child.once(_own_names)
        # A definition inside that was cut: its statements stand in its own chunks.
        for part in child.parts():
            if part is not child:
                names, bound = part.once(_inner_names), _bound_around(part, chunk)
                yield names._replace(captured=names.captured - bound) if bound else names


def _own_names(chunk: Chunk) -> _Names:
    return _names_in(chunk.body, False)


def _inner_names(chunk: Chunk) -> _Names:
    return _names_in(chunk.body, True)


def _bound_around(part: Chunk, outer: Chunk) -> frozenset[str]:
    """The parameters of the definitions between a chunk and the function that is meant."""
    found: set[str] = set()
    around = part.parent
    while around is not None and around is not outer:
        for statement in around.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                found |= parameters(statement.args)
        around = around.parent
    return frozenset(found)


def parameters(arguments: ast.arguments) -> set[str]:
    """The names that a definition or lambda binds by being called."""
    every = (
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    )
    return {each.arg for each in every if each is not None}


def _names_in(statements: list[ast.stmt], is_inside: bool) -> _Names:
    """What statements do with names.

    Args:
        statements: The statements.
        is_inside: Whether they stand in a definition inside the function that is meant.
    """
    names = _Names({}, set(), set(), set())
    nothing: frozenset[str] = frozenset()
    todo: list[tuple[ast.AST, bool, frozenset[str]]] = [
        (statement, is_inside, nothing) for statement in statements
    ]
    while todo:
        node, inside, bound = todo.pop()
        if isinstance(node, ast.Name):
            if inside:
                names.mentioned.add(node.id)
                if node.id not in bound:
                    names.captured.add(node.id)
            elif not isinstance(node.ctx, ast.Load):
                names.stores.setdefault(node.id, []).append(node)
            continue
        if isinstance(node, ast.Global | ast.Nonlocal):
            names.declared_elsewhere.update(node.names)
        within = inside or isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Lambda))
        if isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            body = node.body if isinstance(node.body, list) else [node.body]
            own = bound | parameters(node.args)
            todo.extend((child, True, own) for child in body)
            # Defaults, decorators and annotations stand outside of it.
            inner = set(map(id, body))
            todo.extend(
                (child, True, bound) for child in ast.iter_child_nodes(node) if id(child) not in inner
            )
        else:
            todo.extend((child, within, bound) for child in ast.iter_child_nodes(node))
    return names


class Bodies:
    """The functions that one component looks at, each made once.

    Args:
        first: What is known where the component was begun.

    Attributes:
        known: Those that were looked at.
        rests_on: The keys of their statements, for who keeps what is concluded.
    """

    def __init__(self, first: QueryKnowledge) -> None:
        self.first = first
        self.workspace = first.workspace
        self._scopes: dict[Chunk, QueryKnowledge] = dict.fromkeys(first.scope.chunks, first)
        self.known: dict[FunctionKey, Body] = {}
        self.rests_on: set[Key] = set()

    def knowledge(self, file: File, chunk: Chunk) -> QueryKnowledge:
        """What the nodes of a chunk mean."""
        found = self._scopes.get(chunk)
        if found is None:
            found = self.first.beside(file, chunk)
            self._scopes.update(dict.fromkeys(found.scope.chunks, found))
        return found

    def of(self, file: File, function: FunctionFacts) -> Body:
        """The body of a function."""
        key = (file.file_id, function.qualname)
        body = self.known.get(key)
        if body is None:
            file.facts.followed.add(function.qualname)
            chunks = body_of(function)
            leaf = chunks[0][0] if chunks else function.chunk
            while leaf.children:
                leaf = leaf.children[0]
            body = self.known[key] = Body(function, file, self.knowledge(file, leaf))
        self.workspace.resolver.keys.add(key)
        self.rests_on.add((key[0], f"{FLOW}{key[1]}"))
        return body

    def called(self, type_: FunctionType) -> Body | None:
        """The body of a function of the workspace."""
        file = self.workspace.file(type_.file_id)
        function = file.facts.function(type_.qualname) if file is not None else None
        return self.of(file, function) if file is not None and function is not None else None

    def around(self, node: ast.AST, file: File, chunk: Chunk) -> Body | None:
        """The body that a node stands in; None in the module and in class bodies."""
        if chunk.children is not None:
            # The header of what was cut: decorators and defaults belong to what is around it.
            chunk_around, here = chunk.parent, None
        else:
            scope = self.knowledge(file, chunk).scope
            here = scope.parent(node)
            while here is not None and not isinstance(here, (*_FUNCTIONS, ast.ClassDef)):
                here = scope.parent(here)
            chunk_around = chunk.parent
        header = here if here is not None else chunk_around.body[0] if chunk_around is not None else None
        if not isinstance(header, _FUNCTIONS):
            return None
        for functions in file.facts.functions.values():
            for function in functions:
                if function.header is header:
                    return self.of(file, function)
        return None


class JointKnowledge:
    """A `facts.query.Knowledge` of several scopes: each node is answered for by its own.

    Attributes:
        here: The body whose text is being written: names are spelled as they mean the same there.
    """

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.here: Body | None = None

    def of(self, node: ast.AST) -> QueryKnowledge:
        """Who knows about a node."""
        if self.here is not None and self.here.knowledge.scope.holds(node):
            return self.here.knowledge
        for body in self._bodies.known.values():
            if body.knowledge.scope.holds(node):
                return body.knowledge
        return self._bodies.first

    def session(self, receiver: ast.expr) -> SessionInfo | None:
        """The session that a receiver is."""
        return self.of(receiver).session(receiver)

    def registry(self, query: ast.Attribute) -> tuple[SessionInfo, EntityInfo] | None:
        """Session and entity of `Model.query`."""
        return self.of(query).registry(query)

    def entity(self, node: ast.expr) -> EntityInfo:
        """What an expression means."""
        return self.of(node).entity(node)

    def qualified_name(self, node: ast.expr) -> str | None:
        """The dotted name of something imported."""
        return self.of(node).qualified_name(node)

    def option(self, node: ast.expr) -> str | None:
        """The loader function that one option begins with."""
        return self.of(node).option(node)

    def spelling(self, model: ModelInfo) -> str | None:
        """How the file names a mapped class at the place that is being written."""
        return (self.here.knowledge if self.here is not None else self._bodies.first).spelling(model)
