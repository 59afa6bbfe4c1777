"""The session that a request has already where the framework has no `Depends`: what a middleware or a hook keeps on it.

Starlette and Sanic keep it on the request, Flask and Quart on `g`, aiohttp as an item of the request; Litestar hands it to the
parameter that its dependencies name. This module must never judge who uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Mapping, Param, Value
from sqlalchemy_guard.project.bodies import rests_on_all
from sqlalchemy_guard.project.calls import session_kind
from sqlalchemy_guard.project.type_forms import given_by
from sqlalchemy_guard.project.types import ClassType, FunctionType, known
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.workspace import File, Workspace

_NAMES = (
    "session", "db", "db_session", "async_session", "dbsession", "sa_session", "sql_session", "database_session", "s",
)  # fmt: skip
"""What such an attribute is called; that it holds a session is resolved."""

_HOLDERS = {"starlette": "state", "fastapi": "state", "litestar": "state", "sanic": "ctx"}
_GLOBALS = {"flask": ("flask.g", "flask.globals.g"), "quart": ("quart.g", "quart.globals.g")}
_CONFIGURATIONS = ("SQLAlchemyAsyncConfig", "SQLAlchemySyncConfig")
_PLUGINS = ("litestar.plugins.sqlalchemy.", "advanced_alchemy.extensions.litestar.")


@dataclass(frozen=True, slots=True)
class RequestSession:
    """How a handler comes to the session of its request.

    Attributes:
        expression: What is read, with `{request}` for the request; empty for a parameter that is filled.
        parameter: The name of that parameter, or empty.
        imported: Module and name that the expression needs, or None.
    """

    expression: str
    parameter: str = ""
    imported: tuple[str, str] | None = None


def request_session(
    workspace: Workspace,
    function: FunctionFacts,
    file: File,
    framework: str,
    kind: str,
    counts: Callable[[SourceFile], bool],
) -> RequestSession | None:
    """What gives handlers of a framework the session of their request; None where nothing is known to.

    Args:
        workspace: The files.
        function: The handler.
        file: Its file.
        framework: What calls it.
        kind: `"sync"` or `"async"`.
        counts: Whether what a file says matters.
    """
    if framework == "litestar":
        injected = _injected(workspace, function, file, kind, counts)
        if injected is not None:
            return RequestSession("", injected)
    if framework == "aiohttp":
        return _item(workspace, kind, counts)
    for name in _NAMES:
        for base, source in _stored(workspace, name, kind, counts):
            if _is_request(workspace.resolver, base, source, framework):
                return RequestSession(f"{{request}}.{_HOLDERS[framework]}.{name}")
            if workspace.resolver.external_name(base, source) in _GLOBALS.get(framework, ()):
                return RequestSession(f"g.{name}", imported=(framework, "g"))
    return None


def request_named(function: FunctionFacts) -> str | None:
    """How a handler calls the request that it is given; None where it has none."""
    names = [parameter.name for parameter in function.parameters if parameter.kind == "positional"]
    if "request" in names:
        return "request"
    if function.owner is None:
        return None
    return names[1] if len(names) > 1 and names[1] == "req" else f"{names[0]}.request" if names else None


def _stored(
    workspace: Workspace, name: str, kind: str, counts: Callable[[SourceFile], bool]
) -> Iterator[tuple[Value, File]]:
    """The objects of which an attribute of a name is set to a session."""
    files = {source.file_id: source for _, _, source in workspace.stored_attributes(name)}
    for source in files.values():
        for base, attribute, _, value in source.facts.foreign_sets if counts(source) else ():
            if (
                attribute == name
                and session_kind(workspace.resolver, workspace.resolver.type_of(value, source)) == kind
            ):
                yield base, source


def _is_request(resolver: Resolver, base: Value, file: SourceFile, framework: str) -> bool:
    """Whether an object is what a request of a framework keeps for whoever handles it."""
    if type(base) is not Attr or base.name != _HOLDERS.get(framework) or type(base.base) is not Param:
        return False
    request = base.base
    if request.name in ("request", "req"):
        return True
    function = file.facts.function(request.qualname)
    parameter = function.parameter(request.name) if function is not None else None
    if parameter is None or parameter.annotation is None:
        return False
    return (resolver.external_name(parameter.annotation, file) or "").endswith(".Request")


def _item(workspace: Workspace, kind: str, counts: Callable[[SourceFile], bool]) -> RequestSession | None:
    """The item of a request that a middleware of aiohttp sets to a session."""
    resolver = workspace.resolver
    for source in workspace.naming("middleware")[0]:
        rests_on_all(resolver, source)
        for unit in source.facts.units() if counts(source) else ():
            for found in unit.item_sets:
                if type(found.base) is not Param or type(found.key) is not Const:
                    continue
                decorators = found.function.decorators if found.function is not None else ()
                if any(
                    resolver.external_name(each, source) == "aiohttp.web.middleware" for each in decorators
                ):
                    if session_kind(resolver, resolver.type_of(found.value, source)) == kind:
                        return RequestSession(f"{{request}}[{found.key.value!r}]".replace("'", '"'))
    return None


def _injected(
    workspace: Workspace,
    function: FunctionFacts,
    file: File,
    kind: str,
    counts: Callable[[SourceFile], bool],
) -> str | None:
    """The name of the parameter that Litestar fills with a session."""
    resolver = workspace.resolver
    given: list[tuple[Value, SourceFile]] = []
    if function.owner is not None:
        member = resolver.member(ClassType((file.file_id, function.owner)), "dependencies")
        if member is not None and member.attribute is not None and member.attribute.value is not None:
            given.append((member.attribute.value, member.file))
    for call, source in workspace.calls_of("Litestar", None):
        dependencies = call.keyword("dependencies")
        is_app = resolver.external_name(call.func, source) in ("litestar.Litestar", "litestar.app.Litestar")
        if dependencies is not None and is_app and counts(source):
            given.append((dependencies, source))
    for value, where in given:
        mapping, home = resolver.definition_of(value, where)
        for key, provided in mapping.entries if type(mapping) is Mapping else ():
            if (
                type(key) is Const
                and isinstance(key.value, str)
                and _provides(resolver, provided, home) == kind
            ):
                return key.value
    return _of_plugin(workspace, kind, counts)


def _provides(resolver: Resolver, value: Value, file: SourceFile) -> str | None:
    """The kind of session that `Provide(f)`, or `f` itself, gives."""
    if type(value) is Call:
        if resolver.external_name(value.func, file) not in ("litestar.di.Provide", "litestar.Provide"):
            return None
        value = value.args[0] if value.args else value
    for option in known(resolver.type_of(value, file)):
        source = resolver.sources.file(option.file_id) if isinstance(option, FunctionType) else None
        if source is None or not isinstance(option, FunctionType):
            continue
        facts = source.facts.function(option.qualname)
        if facts is not None:
            return session_kind(resolver, given_by(resolver.result_of(facts, source, None)))
    return None


def _of_plugin(workspace: Workspace, kind: str, counts: Callable[[SourceFile], bool]) -> str | None:
    """The key under which the plugin for SQLAlchemy provides its session."""
    name = _CONFIGURATIONS[0 if kind == "async" else 1]
    for call, source in workspace.calls_of(name, None):
        made = workspace.resolver.external_name(call.func, source) or ""
        if made.startswith(_PLUGINS) and counts(source):
            key = call.keyword("session_dependency_key")
            return key.value if type(key) is Const and isinstance(key.value, str) else "db_session"
    return None
