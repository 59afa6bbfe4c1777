"""The uses of a dynamic relationship's attribute in the workspace, as facts.

An answer is given only when every use is understood: where one is not, changing the others would break it.
This module must never judge a use.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.memos import values_in
from sqlalchemy_guard.facts.values import UNKNOWN, Attr, Param, Ref, Value
from sqlalchemy_guard.project import templates
from sqlalchemy_guard.project.bodies import own_nodes, rests_on_all
from sqlalchemy_guard.project.calls import session_kind
from sqlalchemy_guard.project.types import ClassType, Instance, known
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver
    from sqlalchemy_guard.project.types import ClassRef
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk

LINKS = frozenset(
    {
        "filter",
        "filter_by",
        "where",
        "order_by",
        "limit",
        "offset",
        "options",
        "join",
        "outerjoin",
        "distinct",
    }
)
ENDINGS = frozenset({"all", "first", "one", "one_or_none", "count"})
PAGES = frozenset({"paginate", "first_or_404", "one_or_404"})
"""What Flask-SQLAlchemy adds to its queries, and has on its extension for statements."""
WRITES = {"append": "add", "extend": "add_all", "add": "add", "remove": "remove", "add_all": "add_all"}


@dataclass(slots=True, eq=False)
class Use:
    """One use of the attribute on an object.

    Attributes:
        root: `user.posts`
        calls: The calls chained to it, innermost first.
        session: The expression of the session at hand, "" where none is needed; of the extension for `PAGES`.
    """

    file: File
    chunk: Chunk
    root: ast.Attribute
    calls: tuple[ast.Call, ...]
    session: str

    @property
    def whole(self) -> ast.expr:
        """The outermost expression."""
        return self.calls[-1] if self.calls else self.root

    @property
    def ending(self) -> str:
        """The name of the last method, "" for an iteration."""
        name = _method(self.calls[-1]) if self.calls else ""
        return "" if name in LINKS else name


def owner_of(file: File, statement: ast.stmt, keyword: ast.keyword) -> tuple[ClassRef, str] | None:
    """The class and the attribute that a relationship with this keyword is assigned to."""
    for classes in file.facts.classes.values():
        for facts in classes:
            for attribute in facts.attributes.values():
                if attribute.node is statement and any(part is keyword for part in ast.walk(statement)):
                    return (file.file_id, facts.qualname), attribute.name
    return None


def leaves_rows_alone(declaration: ast.AST) -> bool:
    """Whether an owner is deleted without its collection being loaded: the database sees to the rows, or nobody does."""
    calls = [node for node in ast.walk(declaration) if isinstance(node, ast.Call)]
    return any(keyword.arg in ("passive_deletes", "viewonly") for call in calls for keyword in call.keywords)


def statement_of(use: Use, parent: Callable[[Chunk, ast.AST], ast.AST | None]) -> ast.stmt:
    """The statement around a use."""
    node: ast.AST | None = use.root
    while node is not None and not isinstance(node, ast.stmt):
        node = parent(use.chunk, node)
    assert node is not None, "every expression stands in a statement"
    return node


def uses_of(
    workspace: Workspace, owner: ClassRef, name: str, parent: Callable[[Chunk, ast.AST], ast.AST | None]
) -> list[Use] | None:
    """Every use of a model's attribute on objects, None when one of them is not understood.

    Args:
        workspace: The files.
        owner: The model.
        name: The attribute.
        parent: The node that contains a node of a chunk.
    """
    files, is_all = workspace.naming(name)
    if not is_all or templates.any_says(workspace, f".{name}", owner[0]):
        return None
    found: list[Use] = []
    for file in files:
        rests_on_all(workspace.resolver, file)
        for node, chunk in _attributes(file, name):
            base = values_in(chunk).get(node.value, UNKNOWN)
            owns = _belongs(workspace.resolver, base, file, owner)
            if owns is False:
                continue
            calls = _chain(chunk, node, parent)
            use = Use(file, chunk, node, calls, "")
            if owns is None or not _is_understood(use, parent(chunk, use.whole)):
                return None
            if use.ending not in WRITES:
                session = _session(workspace.resolver, file, _function_of(file, node))
                if session is not None and use.ending in PAGES:
                    session = _extension(workspace.resolver, file, session)
                if session is None:
                    return None
                use.session = session
            found.append(use)
    return found


def _attributes(file: File, name: str) -> Iterator[tuple[ast.Attribute, Chunk]]:
    for top in file.syntax.chunks:
        for chunk in top.parts():
            for statement in chunk.body:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Attribute) and node.attr == name:
                        yield node, chunk


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _chain(
    chunk: Chunk, node: ast.expr, parent: Callable[[Chunk, ast.AST], ast.AST | None]
) -> tuple[ast.Call, ...]:
    """The calls of methods chained to an expression, up to the one that ends the query."""
    calls: list[ast.Call] = []
    current: ast.AST = node
    while not calls or _method(calls[-1]) in LINKS:
        attribute = parent(chunk, current)
        call = parent(chunk, attribute) if isinstance(attribute, ast.Attribute) else None
        if not isinstance(call, ast.Call) or call.func is not attribute:
            break
        calls.append(call)
        current = call
    return tuple(calls)


def _is_understood(use: Use, outer: ast.AST | None) -> bool:
    if not isinstance(use.root.ctx, ast.Load):
        return False
    if use.ending in WRITES:
        return len(use.calls) == 1
    if use.ending in PAGES:
        # What Query takes by position, the extension takes by name only.
        return not use.calls[-1].args
    if use.ending:
        return use.ending in ENDINGS and not use.calls[-1].args and not use.calls[-1].keywords
    if isinstance(outer, (ast.For, ast.comprehension)):
        return outer.iter is use.whole
    return (
        isinstance(outer, ast.Call)
        and isinstance(outer.func, ast.Name)
        and outer.func.id in ("list", "sorted", "set", "tuple")
        and len(outer.args) == 1
    )


def _function_of(file: File, node: ast.AST) -> FunctionFacts | None:
    for functions in file.facts.functions.values():
        for function in functions:
            if any(inner is node for _, inner in own_nodes(function)):
                return function
    return None


def _belongs(resolver: Resolver, base: Value, file: File, owner: ClassRef) -> bool | None:
    """Whether an object has the attribute: it is one of the owner or of its children. None when its type is unknown."""
    answers: list[bool] = []
    for option in known(resolver.type_of(base, file)):
        if isinstance(option, Instance):
            answers.append(owner in resolver.ancestors(ClassType(option.ref)))
        elif isinstance(option, ClassType):
            # A criterion on the class: the same for every loader.
            answers.append(False)
        else:
            answers.append(False)
    return any(answers) if answers else None


def _session(resolver: Resolver, file: File, function: FunctionFacts | None) -> str | None:
    """The expression of a session that code of a function can use."""
    if function is None:
        return None
    for parameter in function.parameters:
        if session_kind(resolver, resolver.type_of(Param(function.qualname, parameter.name), file)) == "sync":
            return parameter.name
    if function.owner is not None and function.parameters:
        own = function.parameters[0].name
        for name in ("session", "db", "db_session"):
            value = Attr(Param(function.qualname, own), name)
            type_ = resolver.type_of(value, file)
            guessed = any(isinstance(option, Instance) and option.likely for option in known(type_))
            if not guessed and session_kind(resolver, type_) == "sync":
                return f"{own}.{name}"
    for name in ("db", "session", "Session", "db_session"):
        if name not in file.facts.names:
            continue
        if session_kind(resolver, resolver.type_of(Ref("", name), file)) == "sync":
            return name
        if session_kind(resolver, resolver.type_of(Attr(Ref("", name), "session"), file)) == "sync":
            return f"{name}.session"
    return None


def _extension(resolver: Resolver, file: File, session: str) -> str | None:
    """The expression of the extension whose session an expression is."""
    name, _, attribute = session.partition(".")
    types = known(resolver.type_of(Ref("", name), file)) if attribute == "session" else ()
    is_extension = any(
        isinstance(option, Instance)
        and "flask_sqlalchemy.SQLAlchemy" in resolver.ancestors(ClassType(option.ref))
        for option in types
    )
    return name if is_extension else None
