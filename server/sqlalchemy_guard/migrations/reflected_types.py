"""Types of columns as a database reports them: what was declared as `String()` comes back as `VARCHAR`.

Revisions that look before they change ask for them with `isinstance`. This module must never guess.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects import postgresql

from sqlalchemy_guard.sql.natives import LIBRARY_ERRORS, UnknownType, quietly

if TYPE_CHECKING:
    from sqlalchemy import Dialect

_SAME = {
    "VARCHAR": "character varying",
    "CHAR": "character",
    "DECIMAL": "numeric",
    "FLOAT": "double precision",
}
"""What PostgreSQL calls a type that was made under another name."""
_ARGUMENTS = ("length", "precision", "scale", "timezone")


def reflected(declared: Any, dialect: Dialect) -> Any:
    """The type that an inspector finds for a declared one; None where that cannot be told."""
    if isinstance(declared, (UnknownType, sqltypes.NullType)):
        return None
    try:
        impl = declared.dialect_impl(dialect)
        text = str(quietly(lambda: declared.compile(dialect=dialect)))
    except LIBRARY_ERRORS:
        return None
    while isinstance(impl, sqltypes.TypeDecorator):
        impl = impl.impl_instance
    if isinstance(impl, sqlalchemy.ARRAY):
        item = reflected(impl.item_type, dialect)
        return None if item is None else postgresql.ARRAY(item)
    if isinstance(impl, sqlalchemy.Enum) and dialect.name != "sqlite":
        return impl if isinstance(impl, postgresql.ENUM) else None
    found = _named(re.sub(r"\s*\([^)]*\)", "", text), dialect)
    if found is None:
        return None
    given = {key: getattr(impl, key) for key in _ARGUMENTS if getattr(impl, key, None) is not None}
    if "timezone" in given:
        given["timezone"] = "WITH TIME ZONE" in text
    if (length := re.search(r"\((\d+)\)", text)) and issubclass(found, sqltypes.String):
        # A type that is no text of itself: `Uuid` as `CHAR(32)`.
        given["length"] = int(length[1])
    made: Any = found()
    for key, value in given.items():
        if hasattr(made, key):
            setattr(made, key, value)
    return made


def _named(text: str, dialect: Dialect) -> Any:
    """The class of a type by the name that the database has for it."""
    known: dict[str, Any] = getattr(dialect, "ischema_names", {})
    names = (_SAME.get(text, text.lower()),) if dialect.name == "postgresql" else (text, text.lower())
    found = next((known[name] for name in names if name in known), None)
    return found if isinstance(found, type) and issubclass(found, sqltypes.TypeEngine) else None
