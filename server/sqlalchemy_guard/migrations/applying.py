"""How one operation of a revision is applied: its arguments converted, and what is in doubt where they are not known.

An operation that makes sense without what is not known of it is applied, and leaves a doubt about the rest; of any other, nothing
that it may have changed is known any more. This module must never guess an argument.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import sqlalchemy
from alembic.util import CommandError

from sqlalchemy_guard.migrations.state import COLUMNS, CONSTRAINTS
from sqlalchemy_guard.sql.natives import LIBRARY_ERRORS, Unknown, convert
from sqlalchemy_guard.sql.values import ANY_KEYWORDS, Class, Host, Native, Opaque, Value

if TYPE_CHECKING:
    from sqlalchemy_guard.migrations.emulation import Emulation

_WITHOUT_EFFECT = frozenset(
    """
    bulk_insert create_entity drop_entity replace_entity create_view drop_view replace_view create_function drop_function
    create_trigger drop_trigger create_sequence drop_sequence create_extension create_schema drop_schema
    create_geospatial_index drop_geospatial_index
    """.split()
)
"""Operations, those of well-known extensions among them, that change no table: indexes of geometries belong to their type."""

_LIKE = {
    "create_geospatial_table": "create_table", "drop_geospatial_table": "drop_table",
    "add_geospatial_column": "add_column", "drop_geospatial_column": "drop_column",
}  # fmt: skip
"""GeoAlchemy's operations, which do the same for tables with geometries."""
_ASPECTS = {"type_": "type", "nullable": "nullable", "server_default": "server_default"}
"""Keywords of `alter_column` without which the rest of it makes sense, with what is not known then."""
_IRRELEVANT = frozenset(
    """
    existing_type existing_server_default existing_nullable existing_comment existing_autoincrement postgresql_using info
    if_exists if_not_exists mysql_engine mysql_charset mysql_collate mysql_default_charset mysql_row_format
    """.split()
)
_FAILS = (CommandError, *LIBRARY_ERRORS)


class Applying(Host):
    """Operations whose arguments are converted, or named where they are not known."""

    _names: frozenset[str]
    batch: str | None = None
    """The table of the batch."""

    def __init__(self, environment: Emulation) -> None:
        self._environment = environment

    def get(self, name: str) -> Value:
        like = _LIKE.get(name, name)
        if like in self._names:
            return Native(f"op.{name}", lambda _, args, keywords: self._apply(like, args, keywords))
        if name in _WITHOUT_EFFECT:
            return Native(f"op.{name}", lambda *_: None)
        if (
            not name.startswith("_")
            and hasattr(self, name)
            and name not in ("get", "set", "enter", "leave", "items")
        ):
            return getattr(self, name)
        return Native(f"op.{name}", lambda _, args, keywords: self._not_known(name, args, keywords))

    def _not_known(self, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
        """An operation that somebody added: it may have done anything to the tables that it names."""
        self._environment.limit(f"op.{name} is not known here")
        recorder = self._environment.recorder
        given = {str(one) for one in (self.batch, *args, *keywords.values()) if isinstance(one, str)}
        for key in list(recorder.schema.tables):
            if key[1] in given:
                recorder.doubt(key, COLUMNS)
                recorder.doubt(key, CONSTRAINTS)
        if "table" in name:
            recorder.schema.has_unknown_tables = True
        return Opaque(f"op.{name}()")

    def _target(self) -> Any:
        raise NotImplementedError

    def _table(self, name: str, args: list[Value], keywords: dict[str, Value]) -> tuple[Value, Value]:
        """The table and schema that an operation is about, as far as they are known."""
        raise NotImplementedError

    def _apply(self, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
        environment = self._environment
        evaluator = environment.evaluator
        unknown: list[str] = []
        parts: list[str] = []
        sure: list[Any] = []
        given: dict[str, Any] = {}
        for index, arg in enumerate(args):
            if name == "create_table" and index > 0 and (isinstance(arg, (Opaque, Class))):
                unknown.append(arg.name)
                continue
            try:
                sure.append(convert(evaluator, arg, False))
            except Unknown as error:
                unknown.append(error.name)
                break
        for key, value in keywords.items():
            if key == ANY_KEYWORDS:
                unknown.append(value.name)
                continue
            try:
                given[key] = convert(evaluator, value, False)
            except Unknown as error:
                if key not in _IRRELEVANT:
                    unknown.append(error.name)
                    parts.append(key)
        if unknown and not self._goes_without(name, sure, args, parts, len(unknown)):
            self._doubt(name, args, keywords, f"{unknown[0]} is not known here")
            return Opaque(f"op.{name}()")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = getattr(self._target(), name)(*sure, **given)
        except _FAILS as error:
            evaluator.budget.check()
            self._doubt(
                name, args, keywords, str(error).splitlines()[0] if str(error) else type(error).__name__
            )
            return Opaque(f"op.{name}()")
        if environment.applied is not None and not unknown:
            environment.applied(name, sure, given, self.batch)
        if unknown:
            self._doubt(name, args, keywords, f"{unknown[0]} is not known here")
        return result

    def _goes_without(
        self, name: str, sure: list[Any], args: list[Value], parts: list[str], number: int
    ) -> bool:
        """Whether an operation makes sense without what is not known of it: a table that has some known columns, a column of
        which only one aspect is not known."""
        if name == "alter_column":
            return len(parts) == number and all(part in _ASPECTS for part in parts)
        return name == "create_table" and bool(sure) and type(args[0]) in (str, sqlalchemy.quoted_name)

    def _doubt(self, name: str, args: list[Value], keywords: dict[str, Value], reason: str) -> None:
        """Of what the operation is about, nothing that it may have changed is known any more."""
        environment = self._environment
        environment.limit(f"op.{name}: {reason}")
        recorder = environment.recorder
        table, schema = self._table(name, args, keywords)
        if isinstance(table, Opaque) or table is None:
            if name in ("create_table", "rename_table"):
                recorder.schema.has_unknown_tables = True
            elif name == "alter_column":
                self._doubt_columns(keywords)
            elif name != "drop_index":
                for key in list(recorder.schema.tables):
                    recorder.doubt(key, CONSTRAINTS if "constraint" in name or "key" in name else COLUMNS)
            return
        key = recorder.key(table, None if isinstance(schema, Opaque) else schema)
        if name in ("create_table", "rename_table", "drop_table"):
            recorder.doubt(key, COLUMNS)
            recorder.doubt(key, CONSTRAINTS)
        elif name in ("add_column", "drop_column", "alter_column"):
            column = self._column(args, keywords)
            state = recorder.schema.tables.get(key)
            if name == "alter_column" and column is not None and state is not None and state.column(column):
                given = {key for key, value in keywords.items() if isinstance(value, Opaque)}
                for what in {_ASPECTS[part] for part in given if part in _ASPECTS} or set(_ASPECTS.values()):
                    recorder.doubt(key, what, column)
            else:
                recorder.doubt(key, COLUMNS)
        else:
            recorder.doubt(key, CONSTRAINTS)

    def _doubt_columns(self, keywords: dict[str, Value]) -> None:
        """Some column of some table was changed."""
        recorder = self._environment.recorder
        names = {
            "type_": "type",
            "nullable": "nullable",
            "server_default": "server_default",
            "new_column_name": "existence",
        }
        doubts = [what for keyword, what in names.items() if keyword in keywords]
        for key, table in list(recorder.schema.tables.items()):
            for column in table.columns:
                for what in doubts:
                    recorder.doubt(key, what, column.name)

    def _column(self, args: list[Value], keywords: dict[str, Value]) -> str | None:
        found = keywords.get("column_name", args[1] if len(args) > 1 else None)
        new = keywords.get("new_column_name", found)
        # What was applied goes by its new name.
        return str(new) if isinstance(found, str) and isinstance(new, str) else None
