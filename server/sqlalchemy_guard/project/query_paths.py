"""How the session of a query is named in another function than the one that made the query.

A path is what a session's expression begins with (a parameter, or an object of a module) and the attributes read from
it. It is followed through calls: from a parameter to what the caller passes, and back. This module must never guess a name:
where the same session has none, there is none.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Param, Ref, Typed, Value
from sqlalchemy_guard.project.index import IMPORTS
from sqlalchemy_guard.project.module_names import importable_as
from sqlalchemy_guard.project.query_references import given_by_caller
from sqlalchemy_guard.project.types import ModuleType
from sqlalchemy_guard.records import dataclass, replace

if TYPE_CHECKING:
    from sqlalchemy_guard.project.query_bodies import Body
    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.workspace import File, Workspace

_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Path:
    """What a session is made of.

    Attributes:
        parameter: The parameter of the function at hand that it begins with, "" for an object of a module.
        home: The file and name of the object of a module.
        attributes: What is read from it.
    """

    parameter: str = ""
    home: tuple[str, str] = ("", "")
    attributes: tuple[str, ...] = ()

    def then(self, attributes: tuple[str, ...]) -> Path:
        """The path with more attributes."""
        return replace(self, attributes=self.attributes + attributes)

    def behind(self, start: Path) -> tuple[str, ...] | None:
        """The attributes that lead from another path to this one."""
        count = len(start.attributes)
        if (start.parameter, start.home) != (self.parameter, self.home):
            return None
        return self.attributes[count:] if self.attributes[:count] == start.attributes else None


@dataclass(frozen=True, slots=True)
class Spelled:
    """A session's expression in a function.

    Attributes:
        text: The expression.
        imported: Module and name of what it needs and the file does not import.
    """

    text: str
    imported: tuple[str, str] | None = None


def path_of(value: Value, body: Body, workspace: Workspace) -> Path | None:
    """The path of an expression's value in a function; None when it begins with something of the function's own."""
    attributes: list[str] = []
    while True:
        if type(value) is Typed:
            value = value.value
        elif type(value) is Attr:
            attributes.insert(0, value.name)
            value = value.base
        else:
            break
    if type(value) is Param:
        own = value.qualname == body.function.qualname and value.name not in body.stores
        return Path(value.name, attributes=tuple(attributes)) if own else None
    if type(value) is Ref:
        return _of_module(value, tuple(attributes), body.file, workspace)
    return None


def _of_module(
    value: Ref, attributes: tuple[str, ...], file: SourceFile, workspace: Workspace
) -> Path | None:
    """The object of a module that imports lead to."""
    resolver = workspace.resolver
    for _ in range(_DEPTH):
        type_ = resolver.type_of(value, file)
        if isinstance(type_, ModuleType):
            target = workspace.file(type_.file_id) if type_.file_id and attributes else None
            if target is None:
                return None
            value, attributes, file = Ref("", attributes[0]), attributes[1:], target
            continue
        if value.module:
            found = resolver.module(value.module, file)
            target = workspace.file(found) if found is not None and not found.endswith(("/", "\\")) else None
            if target is None:
                return None
            value, file = Ref("", value.name), target
            continue
        resolver.keys.add((file.file_id, value.name))
        bindings = file.facts.names.get(value.name)
        if not bindings or len(bindings) > 1:
            return None
        bound = bindings[0].value
        if type(bound) is Ref and bound.module:
            value = bound
            continue
        return Path(home=(file.file_id, value.name), attributes=attributes)
    return None


def passed(
    path: Path, call: ast.Call | None, named: ast.expr, callee: Body
) -> tuple[ast.expr, tuple[str, ...]] | None:
    """What a caller passes for the parameter that a callee's session begins with, and what is read from it.

    Args:
        path: The session in the callee; it begins with a parameter.
        call: The call; None for a property that is read.
        named: What names the callee: `query` in `query()`, `self.query`.
        callee: The function that is called.
    """
    name = path.parameter
    function = callee.function
    if given_by_caller(function) != function.parameters and function.parameters[0].name == name:
        return (named.value, path.attributes) if isinstance(named, ast.Attribute) else None
    argument = argument_of(call, callee, name) if call is not None else None
    return (argument, path.attributes) if argument is not None else None


def argument_of(call: ast.Call, callee: Body, name: str) -> ast.expr | None:
    """What a call passes for a parameter; None when it passes nothing, or that is not visible."""
    if any(isinstance(each, ast.Starred) for each in call.args) or any(
        each.arg is None for each in call.keywords
    ):
        return None
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    positional = [each.name for each in given_by_caller(callee.function) if each.kind == "positional"]
    if name in positional and positional.index(name) < len(call.args):
        return call.args[positional.index(name)]
    return None


def spelled(path: Path, body: Body, workspace: Workspace) -> Spelled | None:
    """How a function names a session."""
    tail = "".join(f".{each}" for each in path.attributes)
    if path.parameter:
        return Spelled(path.parameter + tail)
    home, name = path.home
    file = body.file
    taken = body.stores.keys() | {each.name for each in body.function.parameters}
    if file.file_id == home:
        return Spelled(name + tail) if name not in taken else None
    for local in file.facts.names:
        if local in taken:
            continue
        type_ = workspace.resolver.type_of(Ref("", local), file)
        if isinstance(type_, ModuleType):
            if type_.file_id == home:
                return Spelled(f"{local}.{name}{tail}")
        elif _of_module(Ref("", local), (), file, workspace) == Path(home=path.home) and _is_direct(
            local, file, home, workspace
        ):
            return Spelled(local + tail)
    module = importable_as(workspace.resolver, home, file)
    if not module or name in taken or name in file.facts.names or makes_cycle(workspace, file, home):
        return None
    return Spelled(name + tail, (module, name))


def _is_direct(local: str, file: File, home: str, workspace: Workspace) -> bool:
    """Whether a name is imported from where it is made, or from a package: others may lose it with their queries."""
    value = file.facts.names[local][-1].value
    found = workspace.resolver.module(value.module, file) if type(value) is Ref and value.module else home
    return found is not None and (found == home or found.endswith("__init__.py"))


def makes_cycle(workspace: Workspace, file: File, home: str) -> bool:
    """Whether a file that imports another one would make an import cycle."""
    workspace.resolver.keys.add((IMPORTS, ""))
    return home in workspace.dependents(file.file_id)
