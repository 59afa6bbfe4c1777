"""Types as SQL writes them, as types of SQLAlchemy. This module must never guess: what is unknown stays so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.dialects import mysql, postgresql

from sqlalchemy_guard.sql.natives import UnknownType

if TYPE_CHECKING:
    from collections.abc import Callable

_PLAIN: dict[str, Any] = {
    "INT": sqlalchemy.Integer,
    "SERIAL": sqlalchemy.Integer,
    "BIGINT": sqlalchemy.BigInteger,
    "BIGSERIAL": sqlalchemy.BigInteger,
    "SMALLINT": sqlalchemy.SmallInteger,
    "SMALLSERIAL": sqlalchemy.SmallInteger,
    "BOOLEAN": sqlalchemy.Boolean,
    "TEXT": sqlalchemy.Text,
    "DATE": sqlalchemy.Date,
    "TIME": sqlalchemy.Time,
    "DATETIME": sqlalchemy.DateTime,
    "TIMESTAMP": sqlalchemy.DateTime,
    "TIMESTAMPNTZ": sqlalchemy.DateTime,
    "JSON": sqlalchemy.JSON,
    "FLOAT": sqlalchemy.REAL,
    "DOUBLE": sqlalchemy.DOUBLE_PRECISION,
    "UUID": sqlalchemy.UUID,
    "VARBINARY": sqlalchemy.LargeBinary,
    "BLOB": sqlalchemy.LargeBinary,
    "INTERVAL": sqlalchemy.Interval,
}
_POSTGRESQL: dict[str, Any] = {
    "JSONB": postgresql.JSONB,
    "INET": postgresql.INET,
    "TSVECTOR": postgresql.TSVECTOR,
    "HSTORE": postgresql.HSTORE,
    "INT4RANGE": postgresql.INT4RANGE,
    "INT8RANGE": postgresql.INT8RANGE,
    "TSTZRANGE": postgresql.TSTZRANGE,
    "DATERANGE": postgresql.DATERANGE,
    "NUMRANGE": postgresql.NUMRANGE,
}
_MYSQL: dict[str, Any] = {
    "TINYINT": mysql.TINYINT,
    "MEDIUMTEXT": mysql.MEDIUMTEXT,
    "LONGTEXT": mysql.LONGTEXT,
    "MEDIUMBLOB": mysql.MEDIUMBLOB,
    "LONGBLOB": mysql.LONGBLOB,
}


def type_of(node: Any, dialect: str, enum: Callable[[str], tuple[str, ...] | None]) -> Any:
    """The type of SQLAlchemy for one that sqlglot read.

    Args:
        node: Its tree, or None.
        dialect: SQLAlchemy's name of the dialect.
        enum: Gives the values of a named enum type, None for every other name.
    """
    from sqlglot import exp

    if not isinstance(node, exp.DataType):
        return UnknownType("SQL")
    kind = node.this.name if hasattr(node.this, "name") else str(node.this)
    if kind == "ARRAY" and len(node.expressions) == 1:
        inner = type_of(node.expressions[0], dialect, enum)
        return UnknownType("SQL") if isinstance(inner, UnknownType) else postgresql.ARRAY(inner)
    numbers = [int(one.name) for one in node.find_all(exp.Literal) if one.name.isdigit()]
    if kind in ("VARCHAR", "NVARCHAR", "CHAR", "NCHAR"):
        made = (
            sqlalchemy.CHAR if kind.endswith("CHAR") and not kind.endswith("VARCHAR") else sqlalchemy.String
        )
        return made(numbers[0] if numbers else None)
    if kind == "DECIMAL":
        precision, scale = (*numbers, None, None)[:2]
        return sqlalchemy.Numeric(precision, scale)
    if kind in ("TIMESTAMPTZ", "TIMESTAMPLTZ"):
        # What MySQL calls TIMESTAMP has no time zone there.
        return (
            sqlalchemy.TIMESTAMP() if dialect in ("mysql", "mariadb") else sqlalchemy.DateTime(timezone=True)
        )
    if kind in ("USERDEFINED", "ENUM"):
        name = str(node.args.get("kind") or "").strip('"').rpartition(".")[2].strip('"')
        values = enum(name) if name else tuple(one.name for one in node.find_all(exp.Literal))
        return sqlalchemy.Enum(*values, name=name or None) if values else UnknownType(name or "SQL")
    if kind in ("FLOAT", "DOUBLE") and dialect == "sqlite":
        return sqlalchemy.Float()
    if kind == "TINYINT" and dialect in ("mysql", "mariadb"):
        return mysql.TINYINT(display_width=numbers[0] if numbers else None)
    found = _PLAIN.get(kind) or (_POSTGRESQL if dialect == "postgresql" else _MYSQL).get(kind)
    return found() if found is not None else UnknownType(kind)
