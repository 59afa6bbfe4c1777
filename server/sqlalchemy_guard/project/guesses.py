"""What is concluded from names alone: `session`, `db_session` and the like in a file that uses SQLAlchemy.

Whatever comes from here is marked `likely`, never proven; rules weaken their fixes accordingly. This module must never be
asked before everything that can prove has been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Ref
from sqlalchemy_guard.project.externals import SQLALCHEMY_FAMILY
from sqlalchemy_guard.project.types import UNKNOWN_TYPE, ClassType, Instance, Type, known, likely, options

if TYPE_CHECKING:
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
_QUERY_NAMES = frozenset({"query", "base_query", "db_query", "qry"})
_MAX_IMPORTS = 60

SESSION = Instance("sqlalchemy.orm.Session", (), True)
QUERY = Instance("sqlalchemy.orm.Query", (), True)


def guess(resolver: Resolver, name: str, file: SourceFile) -> Type:
    """What a parameter or attribute of that name is likely to be, unknown when its name says nothing."""
    if name in _SESSION_NAMES and uses_sqlalchemy(resolver, file):
        return SESSION
    return UNKNOWN_TYPE


def stored_elsewhere(resolver: Resolver, name: str, file: SourceFile) -> Type:
    """What other code stores in attributes of that name (`app.db = SQLAlchemy()`, `request.state.db = Session()`),
    when all of it is the same thing of SQLAlchemy's."""
    found: set[Type] = set()
    for value, source in resolver.sources.stored_attributes(name):
        for option in options(resolver.type_of(value, source)):
            if isinstance(option, Instance) and _is_sqlalchemy(resolver, option):
                found.add(likely(option))
    return found.pop() if len(found) == 1 else UNKNOWN_TYPE


def _is_sqlalchemy(resolver: Resolver, type_: Instance) -> bool:
    if isinstance(type_.ref, str):
        return type_.ref.startswith(("sqlalchemy.", "sqlmodel.", "flask_sqlalchemy."))
    return resolver.external_ancestor(ClassType(type_.ref)) is not None


def uses_sqlalchemy(resolver: Resolver, file: SourceFile) -> bool:
    """Whether a module imports SQLAlchemy, a companion of it, or anything of the workspace that is made with it."""
    facts = file.facts
    for imported in facts.imported_modules():
        if imported.startswith(SQLALCHEMY_FAMILY):
            return True
    resolver.keys.add((file.file_id, "*imports"))
    seen = 0
    for name, bindings in facts.names.items():
        value = bindings[-1].value
        if type(value) is not Ref or not value.module:
            continue
        seen += 1
        if seen > _MAX_IMPORTS:
            break
        for option in known(resolver.name(name, file)):
            if isinstance(option, ClassType) and resolver.is_model(option):
                return True
            if isinstance(option, Instance) and _is_sqlalchemy(resolver, option):
                return True
    return False
