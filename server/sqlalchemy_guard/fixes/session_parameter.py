"""The parameter by which a route of FastAPI takes the session of its request.

This module must never decide whether a route should.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.imports import Placed, need, need_all
from sqlalchemy_guard.fixes.relationship_text import module_for
from sqlalchemy_guard.project.type_forms import injected_by
from sqlalchemy_guard.project.types import FunctionType, Instance, known

if TYPE_CHECKING:
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.handlers import SessionDependency
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.text.edit import Edit


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
