"""How a handler takes the session of its request: as a parameter, or from what keeps it.

This module must never decide whether a route should.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.imports import Placed, need, need_all
from sqlalchemy_guard.fixes.parameters import add_first
from sqlalchemy_guard.fixes.relationship_text import module_for
from sqlalchemy_guard.project.bodies import body_of
from sqlalchemy_guard.project.request_sessions import request_named
from sqlalchemy_guard.project.type_forms import injected_by
from sqlalchemy_guard.project.types import FunctionType, Instance, known
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.handlers import SessionDependency
    from sqlalchemy_guard.project.request_sessions import RequestSession
    from sqlalchemy_guard.project.workspace import File, Workspace


class Given(NamedTuple):
    """How a handler has the session from now on.

    Attributes:
        title: The parameter or the expression.
        statement: What binds the name in place of the `with` block; empty where a parameter does.
        edits: The parameter, the imports, and other names for the session.
    """

    title: str
    statement: str
    edits: tuple[Edit, ...]


def given_by_parameter(
    dependency: SessionDependency,
    block: ast.With | ast.AsyncWith,
    made: CallFact,
    workspace: Workspace,
    file: File,
    source: Source,
) -> Given | None:
    """A parameter that FastAPI fills, called what the block calls its session; None where it cannot be said."""
    taken = annotation_for(dependency, workspace, file, source)
    name, function = _bound_by(block), made.function
    if (
        taken is None
        or function is None
        or function.parameter(name) is not None
        or function.owner is not None
    ):
        return None
    annotation, imports = taken
    parameter = add_first(source, function.header, f"{name}: {annotation}", function.chunk.shift)
    return Given(f"{name}: {annotation}", "", (*imports, *parameter))


def given_by_request(
    session: RequestSession,
    block: ast.With | ast.AsyncWith,
    made: CallFact,
    file: File,
    source: Source,
) -> Given | None:
    """What the request keeps, or the parameter of the name that Litestar fills; None where it cannot be said."""
    level = [Placed(node, chunk.shift) for chunk in file.syntax.chunks for node in chunk.body]
    name, function = _bound_by(block), made.function
    if function is None:
        return None
    if session.parameter:
        other = () if session.parameter == name else _called(block, session.parameter, made, source)
        kind = "AsyncSession" if isinstance(block, ast.AsyncWith) else "Session"
        module = "sqlalchemy.ext.asyncio" if kind == "AsyncSession" else "sqlalchemy.orm"
        imported = need(source, level, module, kind)
        text = f"{session.parameter}: {imported.expression}"
        parameter = _with(function, text, source)
        if other is None:
            return Given(text, f"{name} = {session.parameter}", (*imported.edits, *parameter))
        return Given(text, "", (*imported.edits, *parameter, *other))
    request = request_named(function)
    if request is None and "{request}" in session.expression:
        return None
    expression = session.expression.format(request=request)
    edits: tuple[Edit, ...] = ()
    if session.imported is not None:
        imported = need(source, level, *session.imported)
        expression, edits = expression.replace(session.imported[1], imported.expression, 1), imported.edits
    return Given(expression, f"{name} = {expression}", edits)


def _with(function: FunctionFacts, parameter: str, source: Source) -> tuple[Edit, ...]:
    """A function with one parameter more."""
    is_method = function.owner is not None
    return add_first(source, function.header, parameter, function.chunk.shift, is_method=is_method)


def _bound_by(block: ast.With | ast.AsyncWith) -> str:
    bound = block.items[0].optional_vars
    assert isinstance(bound, ast.Name), "who asks has seen to it"
    return bound.id


def _called(
    block: ast.With | ast.AsyncWith, new: str, made: CallFact, source: Source
) -> tuple[Edit, ...] | None:
    """The session by another name in all of a block; None where one of the names means something else as well."""
    old, shift = _bound_by(block), made.chunk.shift
    assert made.function is not None, "who asks has seen to it"
    everywhere = [part for _, statement in body_of(made.function) for part in ast.walk(statement)]
    inside = {id(part) for statement in block.body for part in ast.walk(statement)}
    found: list[Edit] = []
    for part in everywhere:
        if isinstance(part, ast.arg) and part.arg in (old, new):
            return None
        if (
            not isinstance(part, ast.Name)
            or part.id not in (old, new)
            or part is block.items[0].optional_vars
        ):
            continue
        start, end = source.start(part, shift), source.end(part, shift)
        # The parts of a formatted string have places of their own since Python 3.12 only.
        if id(part) not in inside or part.id == new or source.text[start:end] != old:
            return None
        if not isinstance(part.ctx, ast.Load):
            return None
        found.append(Edit(start, end, new))
    return tuple(found)


def annotation_for(
    dependency: SessionDependency, workspace: Workspace, file: File, source: Source
) -> tuple[str, tuple[Edit, ...]] | None:
    """The annotation of a parameter for the session, an alias where there is one, with the imports; None where it cannot be said.

    Args:
        dependency: What fills the parameter.
        workspace: The files.
        file: The file of the function.
        source: Its text.
    """
    level = [Placed(node, chunk.shift) for chunk in file.syntax.chunks for node in chunk.body]
    resolver = workspace.resolver
    module = module_for(workspace, dependency.file.file_id, file.file_id, level)
    root = (module or "").partition(".")[0]
    if dependency.alias is not None:
        if dependency.file.file_id == file.file_id:
            return dependency.alias, ()
        if module is None:
            return None
        imported = need(source, level, module, dependency.alias, first_party={root})
        return imported.expression, imported.edits
    given = injected_by(resolver, resolver.type_of(dependency.call, dependency.file))
    made = [option for option in known(given) if isinstance(option, Instance)] if given is not None else []
    target = dependency.call.args[0] if dependency.call.args else None
    found = list(known(resolver.type_of(target, dependency.file))) if target is not None else []
    if len(made) != 1 or len(found) != 1 or not isinstance(made[0].ref, str):
        return None
    function, (home, _, session) = found[0], made[0].ref.rpartition(".")
    if not isinstance(function, FunctionType) or "." in function.qualname:
        return None
    wanted = [("typing", "Annotated"), (home, session), ("fastapi", "Depends")]
    if function.file_id != file.file_id:
        home = module_for(workspace, function.file_id, file.file_id, level) or ""
        if not home:
            return None
        wanted.append((home, function.qualname))
        root = home.partition(".")[0]
    names, edits = need_all(source, level, wanted, first_party={root})
    provider = names[3] if len(names) > 3 else function.qualname
    return f"{names[0]}[{names[1]}, {names[2]}({provider})]", edits
