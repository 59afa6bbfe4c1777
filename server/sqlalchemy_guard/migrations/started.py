"""Which migrations an application or a run of tests needs: found by what is imported, else by where it runs.

An application belongs to an environment when it imports, itself or through others, what uses SQLAlchemy and what the
environment's `env.py` imports as well. Where that cannot be seen, nothing is concluded. This module must never run anything.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.documents.commands import application, application_folder, test_paths
from sqlalchemy_guard.migrations.environment import environments
from sqlalchemy_guard.project.file_roles import is_migration_file, is_test_file
from sqlalchemy_guard.project.revision_names import is_revision
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from sqlalchemy_guard.documents.commands import Program
    from sqlalchemy_guard.migrations.environment import Scripts
    from sqlalchemy_guard.project.workspace import Workspace

_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile", ".git")
_USES = lazy_pattern(r"\b(?:sqlalchemy|sqlmodel|flask_sqlalchemy)\b")
_UPGRADES = lazy_pattern(r"\b(?:alembic|flask_migrate|Migrate)\b")
_MEMORY = lazy_pattern(r"sqlite(?:\+\w+)?://|testcontainers|pytest_postgresql|pytest_alembic|alembic_runner")
_SERVES = lazy_pattern(
    r"\b(?:uvicorn|app|application|server|web|socketio|waitress|hypercorn)\.run\w*\(|\b[Gg]ranian\(|\bserve\("
)
_NAMED = lazy_pattern(r"""["']([A-Za-z_][\w.]*):[A-Za-z_]\w*["']""")
_NOT_APPLICATIONS = frozenset(
    {"docs", "doc", "examples", "example", "benchmarks", "benchmark", "load_testing", "site-packages"}
)


def environments_of(workspace: Workspace) -> list[Scripts]:
    """The environments of applications, one a script folder; those of documentation and tests are left out."""
    found: dict[str, Scripts] = {}
    for scripts in environments(workspace):
        if _NOT_APPLICATIONS.isdisjoint(scripts.folder.split(os.sep)) and not is_test_file(scripts.env):
            found.setdefault(scripts.folder, scripts)
    return list(found.values())


def root_of(workspace: Workspace, scripts: Scripts) -> str:
    """The folder of the project that an environment belongs to."""
    folder = os.path.dirname(scripts.folder)
    here = scripts.configurations[0].here if scripts.configurations else ""
    while True:
        names = workspace.names_in(folder)
        if any(mark in names for mark in _MARKS) or (folder == here and "__init__.py" not in names):
            return folder
        parent = os.path.dirname(folder)
        if folder in workspace.folders or parent == folder:
            return folder
        folder = parent


def server_environment(workspace: Workspace, program: Program, folder: str, kin: str) -> Scripts | None:
    """The environment of the application that a server is given.

    Args:
        folder: Where the server runs, as far as that is known.
        kin: The folder of the document that says so.
    """
    found = environments_of(workspace)
    if not found:
        return None
    named = application(program)
    if named is None:
        return _alone(workspace, found, folder)
    base = os.path.normpath(os.path.join(folder, application_folder(program).lstrip("/")))
    file_id = _module_file(
        workspace, named, (base, folder, kin, *(root_of(workspace, each) for each in found))
    )
    return _connected(workspace, found, file_id) if file_id is not None else None


def script_environment(workspace: Workspace, name: str, folder: str, kin: str) -> Scripts | None:
    """The environment of a module or a file that starts an application by itself."""
    found = environments_of(workspace)
    bases = (folder, kin, *(root_of(workspace, each) for each in found)) if found else ()
    file_id = _module_file(workspace, name, bases)
    if file_id is None or is_test_file(file_id) or is_migration_file(file_id):
        return None
    text = _text(workspace, file_id)
    if text is None or not _SERVES.search(text):
        return None
    # A server that loads the application anew is given its name.
    named = [
        _module_file(workspace, each, (os.path.dirname(file_id), *bases)) for each in _NAMED.findall(text)
    ]
    for each in (file_id, *named):
        scripts = _connected(workspace, found, each) if each is not None else None
        if scripts is not None:
            return scripts
    return None


def tested_environment(workspace: Workspace, program: Program, folder: str) -> Scripts | None:
    """The environment of the application that a run of tests is for: the one of the folder where they run."""
    places = {
        os.path.normpath(os.path.join(folder, path.partition("::")[0])) for path in test_paths(program)
    } or {folder}
    if any("unit" in path or "frontend" in path for path in test_paths(program)):
        return None
    for scripts in environments_of(workspace):
        root = root_of(workspace, scripts)
        if all(_is_inside(place, root) for place in places) and _has_tests(workspace, root):
            inner = [
                each
                for each in environments_of(workspace)
                if root_of(workspace, each).startswith(root + os.sep)
            ]
            return None if inner else scripts
    return None


def _has_tests(workspace: Workspace, root: str) -> bool:
    """Whether tests are seen: else what they do with the database is not known."""
    files, _ = workspace.naming("assert")
    return any(is_test_file(file.file_id) and _is_inside(file.file_id, root) for file in files)


def _alone(workspace: Workspace, found: list[Scripts], folder: str) -> Scripts | None:
    """The environment of the project where something runs that does not name its application, when there is but one."""
    return found[0] if len(found) == 1 and _is_inside(folder, root_of(workspace, found[0])) else None


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def _module_file(workspace: Workspace, name: str, bases: tuple[str, ...]) -> str | None:
    """The file of a module that somebody names without saying from where."""
    is_path = name.endswith(".py") or "/" in name
    path = name.lstrip("./") if is_path else name.replace(".", "/")
    if (
        path.startswith("app/")
        and is_path
        and not any(workspace.vfs.exists(os.path.join(b, path)) for b in bases)
    ):
        # The usual folder of an image, which no folder of the repository is called like.
        path = path.removeprefix("app/")
    endings = [path, os.path.join(path, "__main__.py"), os.path.join(path, "main.py")] if is_path else []
    endings += [] if is_path else [f"{path}.py", f"{path}/__init__.py"]
    for base in bases:
        for inner in ("", "src"):
            for ending in endings:
                file_id = os.path.normpath(os.path.join(base, inner, *ending.split("/")))
                folder, last = os.path.split(file_id)
                if last.endswith(".py") and last in workspace.names_in(folder):
                    return file_id
    return None


def _connected(workspace: Workspace, found: list[Scripts], file_id: str) -> Scripts | None:
    reached = workspace.imports_of(file_id) | {file_id}
    tables = {each for each in reached if _USES.search(_text(workspace, each) or "")}
    if not tables:
        return None
    for scripts in found:
        theirs = workspace.imports_of(scripts.env)
        if theirs & tables:
            return scripts
        if not theirs and _is_inside(file_id, root_of(workspace, scripts)) and len(found) == 1:
            # Flask-Migrate: `env.py` asks the running application for its models.
            return scripts
    return None


def _text(workspace: Workspace, file_id: str) -> str | None:
    file = workspace.file(file_id)
    return file.document.text if file is not None else None


def concerns(workspace: Workspace, scripts: Scripts, file_id: str) -> bool:
    """Whether a file may have to do with an environment: not one of another project beside its own."""
    top = next((each for each in workspace.folders if _is_inside(scripts.folder, each)), "")
    if not _is_inside(file_id, top):
        return False
    own = root_of(workspace, scripts)
    others = {root_of(workspace, each) for each in environments_of(workspace)}
    return not any(_is_inside(file_id, other) and not _is_inside(own, other) for other in others)


def upgrades_in_code(workspace: Workspace, scripts: Scripts, *, tests: bool) -> bool:
    """Whether Python code of the project runs the migrations itself, or makes the tables for its tests.

    Args:
        tests: Whether it is enough that tests do, or that the tables are made by whatever means.
    """
    question = f"upgrades in code of {scripts.folder} {tests}"
    return workspace.resolver.gathered(question, lambda: _upgrades_in_code(workspace, scripts, tests=tests))


def _upgrades_in_code(workspace: Workspace, scripts: Scripts, *, tests: bool) -> bool:
    words = ("upgrade", "create_all", "sqlite", "testcontainers", "pytest_alembic", "pytest_postgresql")
    for word in words if tests else words[:1]:
        files, is_all = workspace.naming(word)
        if not is_all:
            return True
        for file in files:
            text = file.document.text
            if is_revision(workspace.resolver, file) or os.path.basename(file.file_id) == "env.py":
                continue
            if not concerns(workspace, scripts, file.file_id):
                continue
            of_tests = is_test_file(file.file_id)
            if word == "upgrade":
                if (tests or not of_tests) and _UPGRADES.search(text):
                    return True
            elif word == "create_all" or (of_tests and _MEMORY.search(text)):
                return True
    return False
