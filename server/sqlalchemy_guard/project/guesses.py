"""What is concluded from names alone: `session`, `db_session` and the like in a file that uses SQLAlchemy.

Whatever comes from here is marked `likely`, never proven; rules weaken their fixes accordingly. This module must never be
asked before everything that can prove has been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Ref
from sqlalchemy_guard.project.externals import SQLALCHEMY_FAMILY
from sqlalchemy_guard.project.types import (
    UNKNOWN_TYPE,
    ClassType,
    External,
    Instance,
    Type,
    known,
    likely,
    options,
)

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.values import Param
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_SESSION_NAMES = frozenset(
    [
        "session",
        "db_session",
        "dbsession",
        "sess",
        "db",
        "async_session",
        "sql_session",
        "database_session",
        "db_sess",
        "sa_session",
        "_session",
        "session_",
        "dbs",
        "_db",
        "DBSession",
        "sessao",
    ]
)
_FACTORY_NAMES = frozenset(
    [
        "Session",
        "AsyncSession",
        "get_session",
        "session_scope",
        "new_session",
        "create_session",
        "make_session",
    ]
)
_FOREIGN_FACTORIES = frozenset(
    ["DBSession", "ThreadSession", "ScopedSession", "LocalSession", "get_db_session", "db_session"]
)
_FACTORY_ENDS = ("sessionlocal", "session_factory", "sessionmaker", "session_maker")
_MAX_IMPORTS = 60

SESSION = Instance("sqlalchemy.orm.Session", (), True)
ASYNC_SESSION = Instance("sqlalchemy.ext.asyncio.AsyncSession", (), True)


def guess(resolver: Resolver, name: str, file: SourceFile) -> Type:
    """What a parameter or attribute of that name is likely to be, unknown when its name says nothing."""
    if name in _SESSION_NAMES and uses_sqlalchemy(resolver, file):
        return SESSION
    return UNKNOWN_TYPE


def is_of_another_library(resolver: Resolver, value: Param, file: SourceFile) -> bool:
    """Whether a parameter's annotation names a class of a library that is neither SQLAlchemy nor made for it.

    `db: databases.Database` is what it says. What is called `…Session` there may well be one of SQLAlchemy's.
    """
    function = file.facts.function(value.qualname)
    parameter = function.parameter(value.name) if function is not None else None
    if parameter is None or parameter.annotation is None:
        return False
    said = list(known(resolver.type_of(parameter.annotation, file)))
    return bool(said) and all(
        isinstance(option, External)
        and (
            option.name.startswith("databases.")
            or not option.name.startswith((*SQLALCHEMY_FAMILY, "typing.", "typing_extensions."))
        )
        and option.name.rpartition(".")[2][:1].isupper()
        and not option.name.endswith("Session")
        for option in said
    )


def guess_made(resolver: Resolver, func: Type, name: str, file: SourceFile) -> Type:
    """What a call is likely to give when its callee was not found: a session for factories called like one."""
    # Somebody else's package: only names that nobody but SQLAlchemy's users would choose.
    plausible = name in _FOREIGN_FACTORIES or name.lower().endswith(_FACTORY_ENDS)
    if not isinstance(func, External):
        plausible = func == UNKNOWN_TYPE and (plausible or name in _FACTORY_NAMES)
    if not plausible or not uses_sqlalchemy(resolver, file):
        return UNKNOWN_TYPE
    return ASYNC_SESSION if name.lower().startswith("async") else SESSION


def stored_elsewhere(resolver: Resolver, name: str, file: SourceFile) -> Type:
    """What other code stores in attributes of that name (`app.db = SQLAlchemy()`, `request.state.db = Session()`),
    when all of it is the same thing of SQLAlchemy's."""
    found: set[Type] = set()
    for _, value, source in resolver.sources.stored_attributes(name):
        for option in options(resolver.type_of(value, source)):
            if isinstance(option, Instance) and _is_sqlalchemy(resolver, option):
                found.add(likely(option))
        if len(found) > 1:
            return UNKNOWN_TYPE
    return found.pop() if len(found) == 1 else UNKNOWN_TYPE


def _is_sqlalchemy(resolver: Resolver, type_: Instance) -> bool:
    if isinstance(type_.ref, str):
        return type_.ref.startswith(("sqlalchemy.", "sqlmodel.", "flask_sqlalchemy."))
    return resolver.external_ancestor(ClassType(type_.ref)) is not None


def uses_sqlalchemy(resolver: Resolver, file: SourceFile) -> bool:
    """Whether a module imports SQLAlchemy, a companion of it, or anything of the workspace that is made with it."""
    return resolver.remembered(("uses", file.file_id), lambda: _uses_sqlalchemy(resolver, file))


def _uses_sqlalchemy(resolver: Resolver, file: SourceFile) -> bool:
    facts = file.facts
    resolver.keys.add((file.file_id, "*imports"))
    for module in facts.imported_modules():
        if module.startswith(SQLALCHEMY_FAMILY):
            return True
    imported = [
        name
        for name, bindings in facts.names.items()
        if type(bindings[-1].value) is Ref and bindings[-1].value.module
    ]
    for name in sorted(imported)[:_MAX_IMPORTS]:
        for option in known(resolver.name(name, file)):
            if isinstance(option, ClassType) and resolver.is_model(option):
                return True
            if isinstance(option, Instance) and _is_sqlalchemy(resolver, option):
                return True
    return False
