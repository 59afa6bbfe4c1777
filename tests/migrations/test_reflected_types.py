"""Types as an inspector reports them are what SQLite really reports."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from sqlalchemy_guard.migrations.reflected_types import reflected
from sqlalchemy_guard.sql.ddl import dialect_named
from sqlalchemy_guard.sql.natives import UnknownType

DECLARED: list[Any] = [
    sa.String(),
    sa.String(20),
    sa.Unicode(9),
    sa.Text(),
    sa.Integer(),
    sa.BigInteger(),
    sa.Boolean(),
    sa.DateTime(timezone=True),
    sa.TIMESTAMP(),
    sa.Float(),
    sa.Numeric(10, 2),
    sa.JSON(),
    sa.Uuid(),
    sa.LargeBinary(),
    sa.Enum("a", "bcd", name="kind"),
    sa.Interval(),
]


@pytest.mark.parametrize("declared", DECLARED, ids=repr)
def test_sqlite(declared: Any) -> None:
    table = sa.Table("items", sa.MetaData(), sa.Column("one", declared))
    with sa.create_engine("sqlite://").connect() as connection:
        table.create(connection)
        (real,) = sa.inspect(connection).get_columns("items")
    told = reflected(declared, dialect_named("sqlite"))
    assert (type(told), repr(told)) == (type(real["type"]), repr(real["type"]))


def test_postgresql_has_names_of_its_own() -> None:
    dialect = dialect_named("postgresql")
    told = [type(reflected(one, dialect)).__name__ for one in DECLARED]
    assert told[:6] == ["VARCHAR", "VARCHAR", "VARCHAR", "TEXT", "INTEGER", "BIGINT"]
    assert told[6:] == [
        "BOOLEAN", "TIMESTAMP", "TIMESTAMP", "DOUBLE_PRECISION", "NUMERIC", "JSON", "UUID", "BYTEA", "ENUM", "INTERVAL",
    ]  # fmt: skip
    assert reflected(DECLARED[7], dialect).timezone is True
    assert repr(reflected(sa.ARRAY(sa.String(3)), dialect)) == "ARRAY(VARCHAR(length=3))"


def test_what_is_unknown_stays_unknown() -> None:
    assert reflected(UnknownType("of a plug-in"), dialect_named("sqlite")) is None
