"""Definitions in SQL as objects of SQLAlchemy: names, columns, constraints and indexes of the trees that sqlglot reads.

What has no object in SQLAlchemy, or is not understood, is None or an error of the library; nothing is guessed. This module must
never change the records.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import schema as sa_schema

from sqlalchemy_guard.migrations.enum_types import enum_values
from sqlalchemy_guard.migrations.sql_types import type_of

if TYPE_CHECKING:
    from sqlglot import exp

    from sqlalchemy_guard.migrations.recorder import Recorder
    from sqlalchemy_guard.migrations.state import Key

_DIALECTS = {"postgresql": "postgres", "mssql": "tsql", "mariadb": "mysql"}


def glot_dialect(name: str) -> str:
    """What sqlglot calls a dialect of SQLAlchemy."""
    return _DIALECTS.get(name, name)


class Definitions:
    """Reads definitions for one dialect.

    Args:
        recorder: Whose dialect, schema and enum types the definitions are about.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def of(self, table: exp.Expression) -> Key:
        """The key of a table, index or type in a tree."""
        from sqlglot import exp

        found = table if isinstance(table, exp.Table) else table.find(exp.Table)
        if found is None:
            return None, ""
        return self._recorder.key(
            self.text(found.this), self.text(found.args["db"]) if found.args.get("db") else None
        )

    def text(self, identifier: Any) -> str:
        """The name of an identifier as the database has it."""
        from sqlglot import exp

        found = identifier if isinstance(identifier, exp.Identifier) else identifier.find(exp.Identifier)
        if found is None:
            return str(identifier.name)
        longest = self._recorder.dialect.max_identifier_length
        return (str(found.name) if found.args.get("quoted") else self._folded(str(found.name)))[:longest]

    def key(self, written: str) -> Key:
        """The key of a name as SQL has it."""
        parts = re.findall(r'"[^"]+"|`[^`]+`|\[[^\]]+\]|\w+', written)
        plain = [part[1:-1] if part[0] in '"`[' else self._folded(part) for part in parts]
        return self._recorder.key(plain[-1], plain[-2] if len(plain) > 1 else None)

    def _folded(self, name: str) -> str:
        return name.lower() if self._recorder.dialect.name == "postgresql" else name

    def built(self, key: Key, parts: list[exp.Expression]) -> sa_schema.Table | None:
        """The table of a list of column definitions and constraints; None where one of them is not understood."""
        from sqlglot import exp

        items: list[Any] = []
        for part in parts:
            if isinstance(part, exp.ColumnDef):
                items.append(self.column(part))
            else:
                made = self.constraint(part)
                if made is None:
                    return None
                items.append(made)
        return sa_schema.Table(key[1], sa_schema.MetaData(), *items, schema=key[0])

    def column(self, part: exp.ColumnDef) -> sa_schema.Column[Any]:
        """A column definition."""
        from sqlglot import exp

        made_type = type_of(part.args.get("kind"), self._recorder.dialect.name, self.enum)
        items: list[Any] = []
        given: dict[str, Any] = {}
        for constraint in part.args.get("constraints") or ():
            kind = constraint.kind
            if isinstance(kind, exp.NotNullColumnConstraint):
                given["nullable"] = bool(kind.args.get("allow_null"))
            elif isinstance(kind, exp.PrimaryKeyColumnConstraint):
                given["primary_key"] = True
            elif isinstance(kind, exp.UniqueColumnConstraint):
                given["unique"] = True
            elif isinstance(kind, exp.DefaultColumnConstraint):
                given["server_default"] = self.default(kind.this)
            elif isinstance(kind, exp.Reference):
                items.append(self._reference(kind))
            elif isinstance(kind, exp.CheckColumnConstraint):
                items.append(sa_schema.CheckConstraint(self.sql(kind.this)))
            elif isinstance(kind, exp.GeneratedAsIdentityColumnConstraint):
                items.append(sa_schema.Identity(always=bool(kind.this)))
        return sa_schema.Column(self.text(part.this), made_type, *items, **given)

    def enum(self, name: str) -> tuple[str, ...] | None:
        return enum_values(self._recorder, self._recorder.key(self._folded(name), None))

    def sql(self, expression: exp.Expression) -> str:
        dialect = self._recorder.dialect.name
        return str(expression.sql(dialect=glot_dialect(dialect)))

    def default(self, expression: exp.Expression) -> Any:
        from sqlglot import exp

        if isinstance(expression, exp.Literal) and expression.is_string:
            return str(expression.name)
        return (
            None
            if isinstance(expression, exp.Null)
            else sqlalchemy.text(self.sql(expression).replace(":", "\\:"))
        )

    def _reference(self, reference: exp.Reference) -> sa_schema.ForeignKey:
        table, columns, options = self._referred(reference)
        return sa_schema.ForeignKey(f"{table}.{columns[0] if columns else 'id'}", **options)

    def _referred(self, reference: exp.Reference) -> tuple[str, list[str], dict[str, Any]]:
        from sqlglot import exp

        key = self.of(reference.this)
        columns = (
            [self.text(one) for one in reference.this.expressions]
            if isinstance(reference.this, exp.Schema)
            else []
        )
        options: dict[str, Any] = {}
        for option in reference.args.get("options") or ():
            words = str(option).upper()
            for place in ("DELETE", "UPDATE"):
                if words.startswith(f"ON {place} "):
                    options[f"on{place.lower()}"] = words.removeprefix(f"ON {place} ")
        return ".".join(part for part in key if part), columns, options

    def constraint(self, part: exp.Expression, name: str | None = None) -> Any:
        """A constraint of a table; None where it is not understood."""
        from sqlglot import exp

        if isinstance(part, exp.Constraint):
            return (
                self.constraint(part.expressions[0], self.text(part.this))
                if len(part.expressions) == 1
                else None
            )
        if isinstance(part, exp.PrimaryKey):
            return sa_schema.PrimaryKeyConstraint(*[self.text(one) for one in part.expressions], name=name)
        if isinstance(part, exp.UniqueColumnConstraint) and isinstance(part.this, exp.Schema):
            own = self.text(part.this.this) if part.this.this is not None else name
            return sa_schema.UniqueConstraint(*[self.text(one) for one in part.this.expressions], name=own)
        if isinstance(part, exp.ForeignKey):
            table, columns, options = self._referred(part.args["reference"])
            local = [self.text(one) for one in part.expressions]
            remote = [f"{table}.{column}" for column in columns or ["id"]]
            if len(remote) != len(local):
                return None
            return sa_schema.ForeignKeyConstraint(local, remote, name=name, **options)
        if isinstance(part, exp.CheckColumnConstraint):
            return sa_schema.CheckConstraint(self.sql(part.this), name=name)
        return None

    def index(self, parsed: exp.Create) -> sa_schema.Index | None:
        """The index of a statement; None where it has no table."""
        from sqlglot import exp

        index = parsed.this
        owner = index.args.get("table")
        parameters = index.args.get("params")
        if owner is None or parameters is None:
            return None
        key = self.of(owner)
        expressions: list[Any] = []
        for ordered in parameters.args.get("columns") or ():
            inner = ordered.this if isinstance(ordered, exp.Ordered) else ordered
            plain = isinstance(inner, (exp.Column, exp.Identifier)) and not (
                isinstance(ordered, exp.Ordered) and ordered.args.get("desc")
            )
            expressions.append(
                self.text(inner) if plain else sqlalchemy.text(self.sql(ordered).replace(":", "\\:"))
            )
        names = [one for one in expressions if isinstance(one, str)]
        columns = [sa_schema.Column(name, sqlalchemy.Integer) for name in dict.fromkeys(names)]
        table = sa_schema.Table(key[1], sa_schema.MetaData(), *columns, schema=key[0])
        name = self.text(index.this) if index.this is not None else None
        given: dict[str, Any] = {}
        if parameters.args.get("where") is not None and self._recorder.dialect.name in (
            "postgresql",
            "sqlite",
        ):
            condition = self.sql(parameters.args["where"].this).replace(":", "\\:")
            given[f"{self._recorder.dialect.name}_where"] = sqlalchemy.text(condition)
        return sa_schema.Index(
            name, *expressions, unique=bool(parsed.args.get("unique")), _table=table, **given
        )
