"""Session factories of a module: which of them makes what a direct construction makes.

This module must never judge who uses them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call, Value, same
from sqlalchemy_guard.project.externals import ASYNC_SESSIONS, FACTORIES
from sqlalchemy_guard.project.types import ClassType, Instance, known

if TYPE_CHECKING:
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_ENGINES = frozenset({"sqlalchemy.Engine", "sqlalchemy.ext.asyncio.AsyncEngine"})


def engine_given(resolver: Resolver, call: Call, file: SourceFile) -> Value | None:
    """The engine that a construction of a session is given, None for connections and whatever else."""
    bind = call.keyword("bind") or (call.args[0] if call.args else None)
    if bind is None or len(call.args) > 1:
        return None
    engines = [option for option in known(resolver.type_of(bind, file)) if isinstance(option, Instance)]
    return bind if engines and all(option.ref in _ENGINES for option in engines) else None


def options_given(call: Call) -> dict[str | None, Value]:
    """The keyword arguments besides the engine."""
    return {name: value for name, value in call.keywords if name != "bind"}


def class_of(resolver: Resolver, call: Call, file: SourceFile) -> str | None:
    """The library class that a call constructs."""
    for option in known(resolver.type_of(call.func, file)):
        if isinstance(option, ClassType) and isinstance(option.ref, str):
            return option.ref
    return None


def factory_like(resolver: Resolver, call: Call, file: SourceFile) -> str | None:
    """The name of the module's factory that makes the same sessions as a call of the class."""
    engine, made = engine_given(resolver, call, file), class_of(resolver, call, file)
    for name, bindings in file.facts.names.items():
        value = bindings[-1].value
        if len(bindings) != 1 or type(value) is not Call or engine is None:
            continue
        if not any(
            isinstance(one, Instance) and one.ref in FACTORIES for one in known(resolver.type_of(value, file))
        ):
            continue
        resolver.keys.add((file.file_id, name))
        bind = engine_given(resolver, value, file)
        options = options_given(value)
        class_ = options.pop("class_", None)
        produced = next(
            (one.ref for one in known(resolver.type_of(class_, file)) if isinstance(one, ClassType)), None
        ) if class_ is not None else default_class(resolver, value, file)  # fmt: skip
        if bind is None or not same(bind, engine) or produced != made:
            continue
        if options.keys() == options_given(call).keys() and all(
            same(given, options[key]) for key, given in options_given(call).items()
        ):
            return name
    return None


def default_class(resolver: Resolver, call: Call, file: SourceFile) -> str:
    """The class of a factory's sessions that names none."""
    made = resolver.external_name(call.func, file) or ""
    return "sqlalchemy.ext.asyncio.AsyncSession" if "async" in made else "sqlalchemy.orm.Session"


def is_async(class_: str) -> bool:
    """Whether a class of sessions is asynchronous."""
    return class_ in ASYNC_SESSIONS
