"""Functions that frameworks call beside handlers of requests: dependencies, tasks, commands, factories of applications.

Known by the objects that decorators and calls belong to, never by names of the user's. This module must never judge them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Item, Ref, Sequence, same
from sqlalchemy_guard.project.calls import session_kind
from sqlalchemy_guard.project.routes import APPLICATIONS, calls_with
from sqlalchemy_guard.project.type_forms import injected_by
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_TASKS = frozenset({"celery.shared_task", "dramatiq.actor", "rq.decorators.job", "huey.task"})
_COMMANDS = frozenset(
    {"click.command", "click.group", "click.decorators.command", "typer.Typer", "click.Group"}
)


def is_dependency(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> bool:
    """Whether FastAPI calls a function to fill parameters: it is what some `Depends(…)` names."""
    return any(
        (resolver.external_name(call.func, source) or "").startswith("fastapi.")
        for name in ("Depends", "Security")
        for call, source in calls_with(resolver, name, function, file)
    )


def is_task(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> bool:
    """Whether a queue of tasks calls a function."""
    for decorator in function.decorators:
        value = decorator.func if type(decorator) is Call else decorator
        if resolver.external_name(value, file) in _TASKS:
            return True
        if type(value) is Attr and value.name == "task":
            made, source = resolver.definition_of(value.base, file)
            if type(made) is Call and resolver.external_name(made.func, source) in (
                "celery.Celery",
                "celery.app.Celery",
            ):
                return True
    return False


def is_command(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> bool:
    """Whether a function is a command of a command line."""
    for decorator in function.decorators:
        value = decorator.func if type(decorator) is Call else decorator
        if type(value) is Attr and value.name in ("command", "callback", "cli"):
            return True
        if resolver.external_name(value, file) in _COMMANDS:
            return True
    return False


def makes_application(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> bool:
    """Whether a function makes an application, as factories of applications do: it runs once.

    Applications are objects of classes, whose names are capitalized under whatever alias.
    """
    return any(
        isinstance(func := fact.value.func, (Attr, Ref))
        and func.name[:1].isupper()
        and resolver.external_name(func, file) in APPLICATIONS
        for fact in resolver.calls_in(function, file)
    )


@dataclass(slots=True, eq=False)
class SessionDependency:
    """What fills parameters of handlers with a session.

    Attributes:
        call: `Depends(f)`.
        file: Where it stands.
        alias: The name of the module that means the annotated type with it, or None.
    """

    call: Call
    file: SourceFile
    alias: str | None


def session_dependency(
    resolver: Resolver, kind: str, counts: Callable[[SourceFile], bool]
) -> SessionDependency | None:
    """The workspace's dependency for sessions of a kind: one with an alias where there is one.

    Args:
        resolver: Types.
        kind: `"sync"` or `"async"`.
        counts: Whether what a file says matters.
    """
    found: SessionDependency | None = None
    for call, file in resolver.sources.calls_of("Depends", None):
        if _gives(resolver, call, file) != kind or not counts(file):
            continue
        alias = next((bound for bound in file.facts.names if _is_alias(resolver, bound, call, file)), None)
        if alias is not None:
            return SessionDependency(call, file, alias)
        found = found or SessionDependency(call, file, None)
    return found


def _gives(resolver: Resolver, call: Call, file: SourceFile) -> str | None:
    injected = injected_by(resolver, resolver.type_of(call, file))
    return session_kind(resolver, injected) if injected is not None else None


def _is_alias(resolver: Resolver, name: str, call: Call, file: SourceFile) -> bool:
    """Whether a name of a module means `Annotated[…, Depends(f)]`."""
    bound = file.facts.value_of(name)
    value = bound[0] if bound is not None else None
    if type(value) is not Item or type(value.index) is not Sequence:
        return False
    return any(same(item, call) for item in value.index.items) and resolver.external_name(
        value.base, file
    ) in ("typing.Annotated", "typing_extensions.Annotated")
