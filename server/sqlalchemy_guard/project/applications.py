"""Engines of one application: which calls make one for the same database, as far as the code says.

This module must never judge how many there should be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Item, Ref, Value
from sqlalchemy_guard.project.engines import engine_of
from sqlalchemy_guard.project.file_roles import is_test_file
from sqlalchemy_guard.project.handlers import is_command
from sqlalchemy_guard.project.index import IMPORTS
from sqlalchemy_guard.project.runs import decorated_by, is_script
from sqlalchemy_guard.project.types import ClassType, Instance, known
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.workspace import File, Workspace

_NAMES = {
    "sqlalchemy.create_engine": "create_engine",
    "sqlalchemy.ext.asyncio.create_async_engine": "create_async_engine",
}
_ENVIRONMENT = frozenset({"os.environ", "os.environ.get", "os.getenv", "os.environ.setdefault"})


@dataclass(slots=True, eq=False)
class MadeEngine:
    """A call that makes an engine.

    Attributes:
        fact: The call.
        file: Where it stands.
    """

    fact: CallFact
    file: File

    @property
    def place(self) -> tuple[str, int, int]:
        """Its place, by which engines are put in order."""
        return self.file.file_id, self.fact.node.lineno + self.fact.chunk.shift, self.fact.node.col_offset


def url_key(resolver: Resolver, call: Call, file: SourceFile) -> object:
    """What tells the URL of an engine from others: its text, a variable of the environment, an attribute; None if unknown."""
    url = call.keyword("url") or (call.args[0] if call.args else None)
    if url is None:
        return None
    if (
        type(url) is Call
        and url.args
        and resolver.external_name(url.func, file) in ("builtins.str", "sqlalchemy.make_url")
    ):
        url = url.args[0]
    return _key(resolver, *resolver.definition_of(url, file))


def _key(resolver: Resolver, value: Value, file: SourceFile) -> object:
    if type(value) is Const:
        return ("text", value.value) if isinstance(value.value, str) else None
    if type(value) is Item and type(value.index) is Const:
        return ("environment", value.index.value) if _is_environment(resolver, value.base, file) else None
    if type(value) is Call:
        name = value.args[0] if value.args else None
        known_name = type(name) is Const and _is_environment(resolver, value.func, file)
        return ("environment", name.value) if known_name and type(name) is Const else None
    if type(value) is Attr:
        for option in known(resolver.type_of(value.base, file)):
            if isinstance(option, (Instance, ClassType)) and type(option.ref) is tuple:
                return ("attribute", option.ref, value.name)
    return None


def _is_environment(resolver: Resolver, value: Value, file: SourceFile) -> bool:
    return resolver.external_name(value, file) in _ENVIRONMENT


def counts(resolver: Resolver, made: MadeEngine) -> bool:
    """Whether a call makes one of an application's engines: not of tests, scripts, commands, nor without a pool."""
    file, function = made.file, made.fact.function
    if is_test_file(file.file_id) or is_script(resolver, file) or "down_revision" in file.facts.names:
        return False
    if file.file_id.replace("\\", "/").endswith("/env.py"):
        return False
    if function is not None and (
        is_command(resolver, function, file) or "pytest.fixture" in decorated_by(resolver, function, file)
    ):
        return False
    frames = made.fact.frame.outwards() if made.fact.frame is not None else ()
    if any(frame.kind in ("if", "else", "try", "except", "match") for frame in frames):
        # One of several that exclude each other.
        return False
    return not engine_of(resolver, made.fact.value, file).has_no_pool


def engines_like(workspace: Workspace, name: str, key: object) -> Iterator[MadeEngine]:
    """The engines of an application's code that are made by one function for one URL."""
    resolver = workspace.resolver
    last = _NAMES.get(name, "")
    files = {source.file_id: source for _, source in workspace.calls_of(last, None)}
    for file in files.values():
        for unit in file.facts.units_calling(last):
            for fact in unit.calls:
                func = fact.value.func
                if not isinstance(func, (Attr, Ref)) or func.name != last:
                    continue
                if resolver.external_name(func, file) != name:
                    continue
                made = MadeEngine(fact, file)
                if url_key(resolver, fact.value, file) == key and counts(resolver, made):
                    yield made


def belong_together(workspace: Workspace, one: File, other: File) -> bool:
    """Whether two files are of one application: one imports the other, or some third file that is no test imports both."""
    if one is other:
        return True
    workspace.resolver.keys.add((IMPORTS, ""))
    users = {one.file_id, *workspace.dependents(one.file_id)}
    others = {other.file_id, *workspace.dependents(other.file_id)}
    return any(not is_test_file(file_id) for file_id in users & others)
