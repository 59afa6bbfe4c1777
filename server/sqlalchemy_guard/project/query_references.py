"""Every place that names a function of the workspace: its calls, its reads as a property, and what else is done with it.

A method is looked for through the types of its receivers; receivers of unknown type that may be meant are told apart.
This module must never judge a place.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.memos import values_in
from sqlalchemy_guard.facts.values import UNKNOWN, Value
from sqlalchemy_guard.project.bodies import rests_on_all
from sqlalchemy_guard.project.index import IMPORTS
from sqlalchemy_guard.project.mentions import SUBCLASS, last_name
from sqlalchemy_guard.project.query_bodies import FLOW
from sqlalchemy_guard.project.types import ClassType, FunctionType, Instance, ModuleType, known
from sqlalchemy_guard.records import NamedTuple, dataclass, field
from sqlalchemy_guard.syntax.parents import parents_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy_guard.facts.declarations import FunctionFacts, Parameter
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk


_TEMPLATES = ("jinja2", "mako", "pyramid", "fastapi.templating", "starlette.templating", "django", "tornado")
_BY_TEXT = frozenset(("getattr", "attrgetter", "methodcaller"))


@dataclass(frozen=True, slots=True)
class Reference:
    """A place that names a function.

    Attributes:
        node: The name or attribute.
        file: Its file.
        chunk: Its chunk.
    """

    node: ast.Name | ast.Attribute
    file: File
    chunk: Chunk


@dataclass(slots=True)
class References:
    """All places that name one function.

    Attributes:
        proven: Those that surely do.
        possible: Those whose receiver is not known; as they are written.
    """

    proven: list[Reference] = field(default_factory=list)
    possible: list[str] = field(default_factory=list)


def references_to(workspace: Workspace, function: FunctionFacts, home: File) -> References:
    """Where the workspace names a function, its own definition left out."""
    found = References()
    names = {function.name}
    files, is_all = workspace.naming(function.name)
    if not is_all:
        found.possible.append(f"{function.name}()")
    for file in files:
        workspace.resolver.keys.add((file.file_id, "*imports"))
        here = names | _renamed(file, function.name)
        for chunk in leaves_of(file):
            lines = file.document.lines[chunk.start : chunk.end]
            if not any(name in line for name in here for line in lines):
                continue
            _look(workspace, function, home, file, chunk, here, found)
    return found


class _Said(NamedTuple):
    """The names in a chunk.

    Attributes:
        names: What is read, by its last name.
        calls: The calls of these.
        by_text: The calls that may name a method by its text.
    """

    names: dict[str, list[ast.Name | ast.Attribute]]
    calls: dict[ast.expr, ast.Call]
    by_text: list[ast.Call]


def _said(chunk: Chunk) -> _Said:
    said = _Said({}, {}, [])
    for node in parents_in(chunk):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name | ast.Attribute):
                said.calls[node.func] = node
            if _last_name(node.func) in _BY_TEXT:
                said.by_text.append(node)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            said.names.setdefault(_last_name(node), []).append(node)
    for nodes in said.names.values():
        nodes.sort(key=lambda node: (node.lineno, node.col_offset))
    return said


def _look(
    workspace: Workspace,
    function: FunctionFacts,
    home: File,
    file: File,
    chunk: Chunk,
    names: set[str],
    found: References,
) -> None:
    said = chunk.once(_said)
    found.possible.extend(ast.unparse(call) for call in said.by_text if _by_text(call, function.name))
    nodes = [
        node
        for name in names
        for node in said.names.get(name, ())
        if isinstance(node, ast.Name) or name == function.name
    ]
    if not nodes:
        return
    values = values_in(chunk)
    resolver = workspace.resolver
    for node in nodes:
        meant = _means(workspace, node, file, values, function, home)
        if meant:
            found.proven.append(Reference(node, file, chunk))
            continue
        # Another statement of the function around it may give it another meaning; a variable is no method unless it is
        # read from a class, which names it as well.
        around = _function_around(node, chunk)
        if not around:
            rests_on_all(resolver, file)
        elif isinstance(node, ast.Attribute) or function.owner is None:
            file.facts.followed.add(around)
            resolver.keys.add((file.file_id, FLOW + around))
        if meant is None and _fits(said.calls.get(node), function):
            found.possible.append(ast.unparse(node))
    resolver.keys.add((file.file_id, "*"))


def _function_around(node: ast.AST, chunk: Chunk) -> str:
    """The qualified name of the innermost function around a node; empty where there is none."""
    definitions: list[ast.AST] = []
    here: ast.AST | None = node
    part: Chunk | None = chunk
    while part is not None:
        parents = parents_in(part)
        while here is not None:
            definitions.append(here)
            here = parents.get(here)
        part = part.parent
        here = part.body[0] if part is not None else None
    name = around = ""
    inside = ""
    for each in reversed(definitions):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name += inside + each.name
            is_class = isinstance(each, ast.ClassDef)
            inside = "." if is_class else ".<locals>."
            around = around if is_class else name
    return around


def _means(
    workspace: Workspace,
    node: ast.Name | ast.Attribute,
    file: File,
    values: Mapping[ast.expr, Value],
    function: FunctionFacts,
    home: File,
) -> bool | None:
    """Whether a place names the function; None when that is not known."""
    resolver = workspace.resolver
    if isinstance(node, ast.Name) or function.owner is None:
        options = known(resolver.type_of(values.get(node, UNKNOWN), file))
        return any(_is(option, function, home) for option in options)
    base = resolver.type_of(values.get(node.value, UNKNOWN), file)
    answers: set[bool] = set()
    for option in known(base):
        if isinstance(option, Instance | ClassType) and isinstance(option.ref, tuple):
            member = resolver.member(ClassType(option.ref), function.name)
            answers.add(member is not None and member.function is function)
        elif isinstance(option, ModuleType):
            answers.add(
                any(_is(each, function, home) for each in known(resolver.attribute(option, node.attr)))
            )
        else:
            answers.add(False)
    if True in answers:
        return True
    return False if answers else None


def _is(type_: object, function: FunctionFacts, home: File) -> bool:
    return (
        isinstance(type_, FunctionType)
        and type_.file_id == home.file_id
        and type_.qualname == function.qualname
    )


def _last_name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _by_text(call: ast.Call, name: str) -> bool:
    """Whether a call that looks an attribute up by its name as text means this one: `getattr(users, "find")`."""
    return any(isinstance(each, ast.Constant) and each.value == name for each in call.args)


def _fits(call: ast.Call | None, function: FunctionFacts) -> bool:
    """Whether a call may be one of the function, by its arguments; an attribute that is only read may be anything."""
    if call is None:
        return function.owner is not None and bool(function.decorators)
    if any(isinstance(each, ast.Starred) for each in call.args) or any(
        each.arg is None for each in call.keywords
    ):
        return True
    parameters = [each for each in given_by_caller(function) if each.kind in ("positional", "keyword")]
    names = [each.name for each in parameters]
    needed = {each.name for each in parameters if each.default is None}
    positional = [each.name for each in parameters if each.kind == "positional"]
    given = set(positional[: len(call.args)]) | {each.arg for each in call.keywords if each.arg}
    variable = {each.kind for each in function.parameters} & {"var-positional", "var-keyword"}
    if len(call.args) > len(positional) and "var-positional" not in variable:
        return False
    return needed <= given and (given <= set(names) or bool(variable))


def given_by_caller(function: FunctionFacts) -> tuple[Parameter, ...]:
    """The parameters without the one that a method's object goes to."""
    static = any(last_name(each) == "staticmethod" for each in function.decorators)
    return function.parameters if function.owner is None or static else function.parameters[1:]


def _renamed(file: File, name: str) -> set[str]:
    """The names that a file may import something of this name under: what is written as `name as other`."""
    return set(re.findall(rf"\b{re.escape(name)}(?:\s|\\|#[^\n]*\n)+as\s+(\w+)", file.document.text))


def leaves_of(file: File) -> Iterator[Chunk]:
    """The leaf chunks of a file, and the headers of what was cut."""
    todo = list(file.syntax.chunks)
    while todo:
        chunk = todo.pop()
        yield chunk
        todo.extend(chunk.children or ())


def is_overridden(workspace: Workspace, function: FunctionFacts, home: File) -> bool:
    """Whether a method has the place of another one, or another one may have its place, in a class below or above."""
    if function.owner is None:
        return False
    resolver = workspace.resolver
    own = ClassType((home.file_id, function.owner))
    for ref in resolver.ancestors(own)[1:]:
        facts = resolver.class_facts(ref)
        if facts is not None and (function.name in facts[0].methods or function.name in facts[0].attributes):
            return True
    todo, seen = [own], {own}
    while todo:
        parent = todo.pop()
        assert isinstance(parent.ref, tuple)
        for file in workspace.mentioning((SUBCLASS, parent.ref[1].rpartition(".")[2])):
            for qualname, classes in file.facts.classes.items():
                child = ClassType((file.file_id, qualname))
                if child in seen or own.ref not in resolver.ancestors(child):
                    continue
                seen.add(child)
                todo.append(child)
                if function.name in classes[-1].methods or function.name in classes[-1].attributes:
                    return True
    return False


def has_templates(workspace: Workspace) -> bool:
    """Whether the workspace renders templates, which name attributes where nobody reads."""
    resolver = workspace.resolver
    resolver.keys.add((IMPORTS, ""))
    return resolver.remembered("renders templates", lambda: _renders(workspace))


def _renders(workspace: Workspace) -> bool:
    workspace.resolver.keys.add((IMPORTS, ""))
    return any(
        module.startswith(_TEMPLATES) or name.startswith("render_template")
        for file in workspace.known_files()
        for module, name in file.facts.imports()
    )
