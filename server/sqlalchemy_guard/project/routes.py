"""Functions that a web framework calls for each request, under whatever form it lets one register them.

Decorators, tables of routes, calls that add one, and methods of classes that answer. Known by the objects that these belong to,
never by names of the user's. This module must never judge what a handler does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Ref, Value
from sqlalchemy_guard.project.types import ClassType, FunctionType, known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

APPLICATIONS = {
    "fastapi.FastAPI": "fastapi", "fastapi.APIRouter": "fastapi", "fastapi.applications.FastAPI": "fastapi",
    "fastapi.routing.APIRouter": "fastapi", "flask.Flask": "flask", "flask.Blueprint": "flask", "quart.Quart": "quart",
    "quart.Blueprint": "quart", "starlette.applications.Starlette": "starlette", "starlette.routing.Router": "starlette",
    "sanic.Sanic": "sanic", "sanic.Blueprint": "sanic", "litestar.Litestar": "litestar", "litestar.Router": "litestar",
    "aiohttp.web.Application": "aiohttp", "aiohttp.web.RouteTableDef": "aiohttp",
}  # fmt: skip
"""The frameworks of what routes are added to."""

_ROUTING = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "trace", "route", "view", "api_route"}
)
_SOCKETS = frozenset({"websocket", "websocket_route", "websocket_listener", "websocket_stream"})
_LITESTAR = frozenset(
    f"{module}.{name}"
    for module in ("litestar", "litestar.handlers")
    for name in ("get", "post", "put", "patch", "delete", "head", "route")
)
_TABLES = {
    "starlette.routing.Route": "starlette", "fastapi.routing.APIRoute": "fastapi", "starlette.routing.WebSocketRoute": "socket",
}  # fmt: skip
_ADDERS = {
    "add_api_route": "fastapi", "add_url_rule": "flask", "add_route": "", "add_get": "aiohttp", "add_post": "aiohttp",
    "add_put": "aiohttp", "add_patch": "aiohttp", "add_delete": "aiohttp",
}  # fmt: skip
"""The methods of applications and routers that add a route; of one that several frameworks have, the object decides."""
_ANSWERING = {
    "starlette.endpoints.HTTPEndpoint": "starlette", "flask.views.View": "flask", "flask.views.MethodView": "flask",
    "quart.views.View": "quart", "quart.views.MethodView": "quart", "sanic.views.HTTPMethodView": "sanic",
    "aiohttp.web.View": "aiohttp",
}  # fmt: skip
_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "dispatch_request"})


def framework_of(
    resolver: Resolver, function: FunctionFacts, file: SourceFile, *, sockets: bool = True
) -> str | None:
    """The framework that calls a function for every request of a route, or None.

    Args:
        resolver: Types.
        function: What may be called.
        file: Its file.
        sockets: Whether the handlers of WebSockets count, which live as long as their connection.
    """
    for decorator in function.decorators:
        value = decorator.func if type(decorator) is Call else decorator
        if resolver.external_name(value, file) in _LITESTAR:
            return "litestar"
        if type(value) is Attr and (value.name in _ROUTING or (sockets and value.name in _SOCKETS)):
            made = application_of(resolver, value.base, file)
            if made is not None:
                return made
    if function.owner is not None:
        return _of_class(resolver, function, file)
    return _of_table(resolver, function, file, sockets=sockets)


def application_of(resolver: Resolver, value: Value, file: SourceFile) -> str | None:
    """The framework of an application, a router or a blueprint."""
    made, source = resolver.definition_of(value, file)
    return APPLICATIONS.get(resolver.external_name(made.func, source) or "") if type(made) is Call else None


def _of_class(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> str | None:
    """The framework whose base class says that a method answers requests."""
    if function.name not in _METHODS or function.owner is None:
        return None
    for ancestor in resolver.ancestors(ClassType((file.file_id, function.owner))):
        if isinstance(ancestor, str) and ancestor in _ANSWERING:
            return _ANSWERING[ancestor]
    return None


def _of_table(resolver: Resolver, function: FunctionFacts, file: SourceFile, *, sockets: bool) -> str | None:
    """The framework that a function is handed to as the handler of a route."""
    for name in ("Route", "WebSocketRoute", "APIRoute"):
        for call, source in calls_with(resolver, name, function, file):
            found = _TABLES.get(resolver.external_name(call.func, source) or "")
            if found is not None and (sockets or found != "socket"):
                return "starlette" if found == "socket" else found
    for name, framework in _ADDERS.items():
        for call, source in calls_with(resolver, name, function, file):
            if type(call.func) is not Attr:
                continue
            base = call.func.base
            if framework == "aiohttp" and type(base) is Attr and base.name == "router":
                base = base.base
            made = application_of(resolver, base, source)
            if (made is not None and framework in ("", made)) or (made == "quart" and framework == "flask"):
                return made
    return _of_aiohttp(resolver, function, file)


def _of_aiohttp(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> str | None:
    """`web.get("/", handler)` of aiohttp, of a name that very many calls have."""
    for name in ("get", "post", "put", "patch", "delete"):
        for call, source in resolver.sources.calls_of(name, file.file_id):
            func = call.func
            if type(func) is not Attr or type(func.base) is not Ref or len(call.args) < 2:
                continue
            if resolver.external_name(func, source) == f"aiohttp.web.{name}" and any(
                option == FunctionType(file.file_id, function.qualname)
                for option in known(resolver.type_of(call.args[1], source))
            ):
                return "aiohttp"
    return None


def calls_with(
    resolver: Resolver, name: str, function: FunctionFacts, file: SourceFile
) -> Iterator[tuple[Call, SourceFile]]:
    """The calls of something of a name that are given a function."""
    home = file.file_id if function.owner is None else None
    for call, source in resolver.sources.calls_of(name, home):
        for argument in (*call.args, *(value for _, value in call.keywords)):
            for option in known(resolver.type_of(argument, source)):
                if option == FunctionType(file.file_id, function.qualname):
                    yield call, source
