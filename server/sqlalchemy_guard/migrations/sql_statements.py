"""SQL that revisions run: DDL read by sqlglot (`sql_definitions.py`, `sql_commands.py`) and applied to the records.

Statements that touch no table's definition (DML, functions, views, grants) have no effect. DDL that is not understood is a limit:
named, with a doubt about the table that it is about. This module must never run SQL.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import schema as sa_schema

from sqlalchemy_guard.migrations import reading
from sqlalchemy_guard.migrations.sql_commands import NAME, Commands, pattern
from sqlalchemy_guard.migrations.sql_definitions import Definitions, glot_dialect
from sqlalchemy_guard.migrations.sql_types import type_of
from sqlalchemy_guard.migrations.state import COLUMNS, CONSTRAINTS, Key, TableState
from sqlalchemy_guard.records import replace
from sqlalchemy_guard.sql.natives import LIBRARY_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlglot import exp

    from sqlalchemy_guard.migrations.recorder import Recorder

_RELEVANT = r"(?is)^\s*(create|alter|drop|rename|comment)\b"
_COMMENTS = r"(?s)\A(\s*(--[^\n]*(\n|\Z)|/\*.*?\*/))+"
_NO_TABLE = (
    r"(?is)^\s*(create|alter|drop)\s+(or\s+replace\s+)?(temp(orary)?\s+)?(unlogged\s+)?"
    r"(function|procedure|trigger|event|view|materialized|extension|sequence|schema|role|user|policy|rule|aggregate|operator|"
    r"domain|cast|statistics|publication|subscription|server|database|collation|default|recursive|constraint\s+trigger|"
    r"text\s+search|system|algorithm|definer)\b"
)


class Statements:
    """Applies SQL to what a recorder records.

    Args:
        recorder: Where it ends.
        limit: Told, in words, what could not be followed.
    """

    def __init__(self, recorder: Recorder, limit: Callable[[str], None]) -> None:
        self._recorder = recorder
        self._limit = limit
        self._definitions = Definitions(recorder)
        self._commands = Commands(recorder, self._definitions)

    def run(self, sql: str) -> None:
        """Apply the statements of a text."""
        for statement in _split(sql):
            text = pattern(_COMMENTS).sub("", statement).strip()
            if re.match(r"(?is)\s*do\b", text) and re.search(r"(?is)\b(alter|create|drop)\s+table\b", text):
                self._limit("runs a DO block with DDL, which is not followed")
            elif pattern(_RELEVANT).match(text) and not pattern(_NO_TABLE).match(text):
                self._run_one(text)

    # -- one statement -------------------------------------------------------------------------------------------------

    def _run_one(self, text: str) -> None:
        if self._commands.run(text):
            return
        from sqlglot import errors, exp, parse_one

        logging.getLogger("sqlglot").setLevel(logging.ERROR)
        dialect = self._recorder.dialect.name
        try:
            parsed = parse_one(text, read=glot_dialect(dialect))
        except (errors.SqlglotError, RecursionError):
            self._not_understood(text)
            return
        try:
            if isinstance(parsed, exp.Create):
                self._create(parsed, text)
            elif isinstance(parsed, exp.Drop):
                self._drop(parsed)
            elif isinstance(parsed, exp.Alter):
                self._alter(parsed, text)
            elif not isinstance(parsed, exp.Comment):
                self._not_understood(text)
        except LIBRARY_ERRORS:
            # A form that SQLAlchemy has no object for.
            self._not_understood(text)

    def _not_understood(self, text: str) -> None:
        """DDL that nobody follows: the table that it is about is in doubt."""
        shown = " ".join(text.split())
        self._limit(f"runs SQL that is not followed: {shown[:80]}{'…' if len(shown) > 80 else ''}")
        found = re.match(
            rf"(?is)(?:alter|create|drop|rename)\s+table\s+(?:if\s+(?:not\s+)?exists\s+)?(?:only\s+)?{NAME}",
            text,
        )
        if found is not None:
            key = self._definitions.key(found[1])
            self._recorder.doubt(key, COLUMNS)
            self._recorder.doubt(key, CONSTRAINTS)
            if text[:6].lower() == "create" and key not in self._recorder.schema.tables:
                self._recorder.make(
                    TableState(
                        key, unknown=frozenset({COLUMNS, CONSTRAINTS}), revision=self._recorder.revision
                    )
                )

    def _create(self, parsed: exp.Create, text: str) -> None:
        from sqlglot import exp

        kind = str(parsed.args.get("kind", "")).upper()
        if kind == "TYPE":
            values = (
                tuple(literal.name for literal in parsed.expression.find_all(exp.Literal))
                if parsed.expression
                else ()
            )
            self._recorder.schema.enums[self._definitions.of(parsed.this)] = values
        elif kind == "INDEX":
            made = self._definitions.index(parsed)
            if made is not None:
                self._recorder.create_index(made)
        elif kind == "TABLE" and isinstance(parsed.this, exp.Schema) and not parsed.find(exp.LikeProperty):
            key = self._definitions.of(parsed.this.this)
            table = self._definitions.built(key, list(parsed.this.expressions))
            if table is None:
                self._not_understood(text)
            elif re.match(r"(?is)create\s+(global\s+|local\s+)?temp", text) is None:
                self._recorder.make(
                    reading.table_state(table, self._recorder.dialect, self._recorder.revision),
                    bool(parsed.args.get("exists")),
                )
        elif kind == "TABLE" and re.match(r"(?is)create\s+(global\s+|local\s+)?temp", text) is None:
            self._not_understood(text)

    def _drop(self, parsed: exp.Drop) -> None:
        kind = str(parsed.args.get("kind", "")).upper()
        exists = bool(parsed.args.get("exists"))
        for target in parsed.args.get("tables") or ([parsed.this] if parsed.this is not None else []):
            key = self._definitions.of(target)
            if kind == "TABLE":
                self._recorder.unmake(key, exists)
            elif kind == "INDEX":
                owner = parsed.args.get("cluster")
                self._recorder.unindex(
                    key[1], self._definitions.of(owner) if owner is not None else None, exists
                )
            elif kind == "TYPE":
                self._recorder.schema.enums.pop(key, None)

    def _alter(self, parsed: exp.Alter, text: str) -> None:
        from sqlglot import exp

        kind = str(parsed.args.get("kind", "")).upper()
        actions = parsed.args.get("actions") or []
        key = self._definitions.of(parsed.this)
        if kind == "INDEX":
            for action in actions:
                if isinstance(action, exp.AlterRename):
                    self._rename_index(key[1], self._definitions.of(action)[1])
            return
        if kind != "TABLE":
            return
        exists = bool(parsed.args.get("exists"))
        if (exists and key not in self._recorder.schema.tables) or self._recorder.find(
            key[1], key[0]
        ) is None:
            return
        for action in actions:
            if not self._act(key, action):
                self._not_understood(text)
                return

    def _act(self, key: Key, action: exp.Expression) -> bool:
        """One action of ALTER TABLE; whether it was understood."""
        from sqlglot import exp

        recorder = self._recorder
        table = recorder.schema.tables.get(key)
        if table is None:
            return True
        if isinstance(action, exp.ColumnDef):
            made = self._definitions.built(key, [action])
            assert made is not None
            state = reading.table_state(made, recorder.dialect, recorder.revision)
            recorder.insert(table, state.columns[0])
            for constraint in made.constraints:
                if not isinstance(constraint, sa_schema.PrimaryKeyConstraint):
                    recorder.add_constraint(constraint)
        elif isinstance(action, exp.Drop):
            return self._drop_part(key, table, action)
        elif isinstance(action, exp.AlterColumn):
            self._alter_column(key, action)
        elif isinstance(action, exp.ModifyColumn):
            column = self._definitions.column(action.this)
            old = (
                self._definitions.text(action.args["rename_from"])
                if action.args.get("rename_from")
                else column.name
            )
            recorder.alter_column(
                key[1],
                old,
                schema=key[0],
                type_=column.type,
                nullable=column.nullable,
                server_default=column.server_default,
                name=column.name if old != column.name else None,
            )
        elif isinstance(action, exp.RenameColumn):
            recorder.alter_column(
                key[1],
                self._definitions.text(action.this),
                schema=key[0],
                name=self._definitions.text(action.args["to"]),
            )
        elif isinstance(action, exp.AlterRename):
            recorder.rename_table(key[1], self._definitions.of(action)[1], key[0])
        elif isinstance(action, exp.AddConstraint):
            return all(self._add_constraint(key, one) for one in action.expressions)
        else:
            return False
        return True

    def _add_constraint(self, key: Key, part: exp.Expression) -> bool:
        from sqlglot import exp

        recorder = self._recorder
        table = recorder.schema.tables[key]
        if isinstance(part, exp.IndexColumnConstraint):
            names = [self._definitions.text(one) for one in part.expressions]
            index = sa_schema.Index(
                self._definitions.text(part.this) if part.this is not None else names[0], *names
            )
            self._host(key, names).append_constraint(index)
            recorder.create_index(index)
            return True
        constraint = self._definitions.constraint(part)
        if constraint is None:
            return False
        host = self._host(key, [column.name for column in table.columns])
        host.append_constraint(constraint)
        recorder.add_constraint(constraint)
        return True

    def _host(self, key: Key, names: list[str]) -> sa_schema.Table:
        """A table on which a constraint can stand."""
        columns = [sa_schema.Column(name, sqlalchemy.Integer) for name in names]
        return sa_schema.Table(key[1], sa_schema.MetaData(), *columns, schema=key[0])

    def _drop_part(self, key: Key, table: TableState, action: exp.Drop) -> bool:
        kind = str(action.args.get("kind", "")).upper()
        exists = bool(action.args.get("exists"))
        kinds = {"CONSTRAINT": None, "FOREIGN KEY": "foreignkey", "CHECK": "check", "PRIMARY KEY": "primary"}
        for target in action.args.get("tables") or ([action.this] if action.this is not None else []):
            name = self._definitions.text(target)
            table = self._recorder.schema.tables[key]
            if kind == "COLUMN":
                if not (exists and table.column(name) is None):
                    self._recorder.remove(table, name)
            elif kind in kinds:
                self._recorder.unconstrain(table, name, kinds[kind], exists)
            elif kind in ("INDEX", "KEY"):
                self._recorder.unindex(name, key, exists)
            else:
                return False
        return True

    def _alter_column(self, key: Key, action: exp.AlterColumn) -> None:
        given: dict[str, Any] = {}
        if action.args.get("dtype") is not None:
            given["type_"] = type_of(
                action.args["dtype"], self._recorder.dialect.name, self._definitions.enum
            )
        if action.args.get("allow_null") is not None:
            given["nullable"] = bool(action.args["allow_null"])
        if action.args.get("default") is not None:
            given["server_default"] = self._definitions.default(action.args["default"])
        elif action.args.get("drop"):
            given["server_default"] = None
        self._recorder.alter_column(key[1], self._definitions.text(action.this), schema=key[0], **given)

    def _rename_index(self, old: str, new: str) -> None:
        recorder = self._recorder
        for table in list(recorder.schema.tables.values()):
            if table.index(old) is not None:
                recorder.schema.put(
                    replace(
                        table,
                        indexes=tuple(
                            replace(index, name=new, revision=recorder.revision)
                            if index.name == old
                            else index
                            for index in table.indexes
                        ),
                    )
                )
            elif table.constraint(old) is not None:
                self._commands.rename_constraint(table.key, old, new)


def _split(sql: str) -> list[str]:
    """The statements of a text: parted at semicolons that stand in no string, comment or dollar quotes."""
    if ";" not in sql:
        return [sql]
    parts = r"(?s)'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|(\$\w*\$).*?\1|;"
    found: list[str] = []
    start = 0
    for match in pattern(parts).finditer(sql):
        if match[0] == ";":
            found.append(sql[start : match.start()])
            start = match.end()
    found.append(sql[start:])
    return [statement for statement in found if statement.strip()]
