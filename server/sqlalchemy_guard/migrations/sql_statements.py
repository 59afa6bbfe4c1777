"""SQL that revisions run: DDL read by sqlglot and applied to the records.

Statements that touch no table's definition (DML, functions, views, grants) have no effect. DDL that is not understood is a limit:
named, with a doubt about the table that it is about. This module must never run SQL.
"""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import schema as sa_schema

from sqlalchemy_guard.migrations import reading
from sqlalchemy_guard.migrations.sql_types import type_of
from sqlalchemy_guard.migrations.state import COLUMNS, CONSTRAINTS, Key, TableState
from sqlalchemy_guard.records import replace
from sqlalchemy_guard.sql.natives import LIBRARY_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlglot import exp

    from sqlalchemy_guard.migrations.recorder import Recorder

_DIALECTS = {"postgresql": "postgres", "mssql": "tsql", "mariadb": "mysql"}
_RELEVANT = r"(?is)^\s*(create|alter|drop|rename|comment)\b"
_COMMENTS = r"(?s)\A(\s*(--[^\n]*(\n|\Z)|/\*.*?\*/))+"
_NO_TABLE = (
    r"(?is)^\s*(create|alter|drop)\s+(or\s+replace\s+)?(temp(orary)?\s+)?(unlogged\s+)?"
    r"(function|procedure|trigger|event|view|materialized|extension|sequence|schema|role|user|policy|rule|aggregate|operator|"
    r"domain|cast|statistics|publication|subscription|server|database|collation|default|recursive|constraint\s+trigger|"
    r"text\s+search|system|algorithm|definer)\b"
)
_NAME = r'((?:"[^"]+"|`[^`]+`|\[[^\]]+\]|\w+)(?:\.(?:"[^"]+"|`[^`]+`|\[[^\]]+\]|\w+))?)'


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


class Statements:
    """Applies SQL to what a recorder records.

    Args:
        recorder: Where it ends.
        limit: Told, in words, what could not be followed.
    """

    def __init__(self, recorder: Recorder, limit: Callable[[str], None]) -> None:
        self._recorder = recorder
        self._limit = limit

    def run(self, sql: str) -> None:
        """Apply the statements of a text."""
        for statement in _split(sql):
            text = _pattern(_COMMENTS).sub("", statement).strip()
            if re.match(r"(?is)\s*do\b", text) and re.search(r"(?is)\b(alter|create|drop)\s+table\b", text):
                self._limit("runs a DO block with DDL, which is not followed")
            elif _pattern(_RELEVANT).match(text) and not _pattern(_NO_TABLE).match(text):
                self._run_one(text)

    def set_enum(self, key: Key, values: tuple[str, ...], old: Key | None = None) -> None:
        """A named enum type has these values from here on, in every column."""
        schema = self._recorder.schema
        schema.enums[key] = values
        for table in list(schema.tables.values()):
            for column in table.columns:
                if isinstance(column.type, sqlalchemy.Enum) and column.type.name == (old or key)[1]:
                    made = sqlalchemy.Enum(
                        *values, name=key[1], schema=column.type.schema, native_enum=column.type.native_enum
                    )
                    changed = replace(column, type=made, revision=self._recorder.revision)
                    schema.put(schema.tables[table.key].with_column(column.name, changed))

    # -- one statement -------------------------------------------------------------------------------------------------

    def _run_one(self, text: str) -> None:
        if self._special(text):
            return
        from sqlglot import errors, exp, parse_one

        logging.getLogger("sqlglot").setLevel(logging.ERROR)
        dialect = self._recorder.dialect.name
        try:
            parsed = parse_one(text, read=_DIALECTS.get(dialect, dialect))
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
            rf"(?is)(?:alter|create|drop|rename)\s+table\s+(?:if\s+(?:not\s+)?exists\s+)?(?:only\s+)?{_NAME}",
            text,
        )
        if found is not None:
            key = self._key(found[1])
            self._recorder.doubt(key, COLUMNS)
            self._recorder.doubt(key, CONSTRAINTS)
            if text[:6].lower() == "create" and key not in self._recorder.schema.tables:
                self._recorder.make(
                    TableState(
                        key, unknown=frozenset({COLUMNS, CONSTRAINTS}), revision=self._recorder.revision
                    )
                )

    def _special(self, text: str) -> bool:
        """Forms that sqlglot keeps as they are. Whether this was one of them, or has no effect."""
        schema = self._recorder.schema
        if found := re.match(
            rf"(?is)alter\s+type\s+{_NAME}\s+add\s+value\s+(?:if\s+not\s+exists\s+)?'((?:[^']|'')*)'", text
        ):
            key = self._key(found[1])
            values = self._values(key)
            value = found[2].replace("''", "'")
            if values is not None and value not in values:
                self.set_enum(key, (*values, value))
            return True
        if found := re.match(
            rf"(?is)alter\s+type\s+{_NAME}\s+rename\s+value\s+'([^']*)'\s+to\s+'([^']*)'", text
        ):
            key = self._key(found[1])
            values = self._values(key)
            if values is not None:
                self.set_enum(key, tuple(found[3] if value == found[2] else value for value in values))
            return True
        if found := re.match(rf"(?is)alter\s+type\s+{_NAME}\s+rename\s+to\s+{_NAME}", text):
            key = self._key(found[1])
            values = self._values(key)
            if values is not None:
                self.set_enum((key[0], self._key(found[2])[1]), values, old=key)
                schema.enums.pop(key, None)
            return True
        if found := re.match(
            rf"(?is)alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?{_NAME}\s+rename\s+constraint\s+{_NAME}\s+to\s+{_NAME}",
            text,
        ):
            self._rename_constraint(self._key(found[1]), self._key(found[2])[1], self._key(found[3])[1])
            return True
        if found := re.match(rf"(?is)rename\s+table\s+{_NAME}\s+to\s+{_NAME}\s*;?\Z", text):
            old, new = self._key(found[1]), self._key(found[2])
            self._recorder.rename_table(old[1], new[1], old[0])
            return True
        if found := re.match(
            rf"(?is)alter\s+table\s+(?:only\s+)?{_NAME}\s+add\s+constraint\s+{_NAME}\s+unique\s+using\s+index\s+{_NAME}",
            text,
        ):
            self._promote(self._key(found[1]), self._key(found[2])[1], self._key(found[3])[1])
            return True
        harmless = (
            r"(?is)(comment\b|alter\s+type\b.*\bowner\b|alter\s+table\s+\S+\s+(owner|validate|convert|engine|set\s*\(|reset|"
            r"enable|disable|replica|cluster|auto_increment|force|no\s+force|set\s+(logged|unlogged|schema\s+public))\b|"
            r"drop\s+type\b|alter\s+sequence\b|alter\s+table\s+\S+\s+alter\s+(column\s+)?\S+\s+set\s+(statistics|storage)|"
            r"create\s+type\b(?!.*\benum\b)|alter\s+index\b(?!.*\brename\b)|create\s+virtual\b)"
        )
        return _pattern(harmless).match(text) is not None

    def _key(self, written: str) -> Key:
        """The key of a name as SQL has it."""
        parts = re.findall(r'"[^"]+"|`[^`]+`|\[[^\]]+\]|\w+', written)
        plain = [part[1:-1] if part[0] in '"`[' else self._folded(part) for part in parts]
        return self._recorder.key(plain[-1], plain[-2] if len(plain) > 1 else None)

    def _folded(self, name: str) -> str:
        return name.lower() if self._recorder.dialect.name == "postgresql" else name

    def _values(self, key: Key) -> tuple[str, ...] | None:
        """The values of an enum type."""
        if key in self._recorder.schema.enums:
            return self._recorder.schema.enums[key]
        for table in self._recorder.schema.tables.values():
            for column in table.columns:
                if isinstance(column.type, sqlalchemy.Enum) and column.type.name == key[1]:
                    return tuple(column.type.enums)
        return None

    def _rename_constraint(self, key: Key, old: str, new: str) -> None:
        table = self._recorder.find(key[1], key[0])
        if table is None:
            return
        if table.constraint(old) is None or self._recorder.is_uncertain:
            self._recorder.doubt(key, CONSTRAINTS)
            return
        self._recorder.schema.put(
            replace(
                table,
                constraints=tuple(
                    replace(one, name=new, is_named=True, revision=self._recorder.revision)
                    if one.name == old
                    else one
                    for one in table.constraints
                ),
            )
        )

    def _promote(self, key: Key, name: str, index: str) -> None:
        """A unique index becomes a constraint."""
        table = self._recorder.find(key[1], key[0])
        found = table.index(index) if table is not None else None
        if table is None or found is None or None in found.columns:
            self._recorder.doubt(key, CONSTRAINTS)
            return
        self._recorder.unindex(index, key)
        columns = [sa_schema.Column(column, sqlalchemy.Integer) for column in found.columns]
        made = sa_schema.Table(key[1], sa_schema.MetaData(), *columns, schema=key[0])
        constraint = sa_schema.UniqueConstraint(*made.columns, name=name)
        self._recorder.add_constraint(constraint)

    # -- what sqlglot understands --------------------------------------------------------------------------------------

    def _of(self, table: exp.Expression) -> Key:
        """The key of a table, index or type in a tree."""
        from sqlglot import exp

        found = table if isinstance(table, exp.Table) else table.find(exp.Table)
        if found is None:
            return None, ""
        return self._recorder.key(
            self._text(found.this), self._text(found.args["db"]) if found.args.get("db") else None
        )

    def _text(self, identifier: Any) -> str:
        """The name of an identifier as the database has it."""
        from sqlglot import exp

        found = identifier if isinstance(identifier, exp.Identifier) else identifier.find(exp.Identifier)
        if found is None:
            return str(identifier.name)
        longest = self._recorder.dialect.max_identifier_length
        return (str(found.name) if found.args.get("quoted") else self._folded(str(found.name)))[:longest]

    def _create(self, parsed: exp.Create, text: str) -> None:
        from sqlglot import exp

        kind = str(parsed.args.get("kind", "")).upper()
        if kind == "TYPE":
            values = (
                tuple(literal.name for literal in parsed.expression.find_all(exp.Literal))
                if parsed.expression
                else ()
            )
            self._recorder.schema.enums[self._of(parsed.this)] = values
        elif kind == "INDEX":
            self._create_index(parsed)
        elif kind == "TABLE" and isinstance(parsed.this, exp.Schema) and not parsed.find(exp.LikeProperty):
            key = self._of(parsed.this.this)
            table = self._built(key, list(parsed.this.expressions))
            if table is None:
                self._not_understood(text)
            elif re.match(r"(?is)create\s+(global\s+|local\s+)?temp", text) is None:
                self._recorder.make(
                    reading.table_state(table, self._recorder.dialect, self._recorder.revision),
                    bool(parsed.args.get("exists")),
                )
        elif kind == "TABLE" and re.match(r"(?is)create\s+(global\s+|local\s+)?temp", text) is None:
            self._not_understood(text)

    def _built(self, key: Key, parts: list[exp.Expression]) -> sa_schema.Table | None:
        """The table of a list of column definitions and constraints; None where one of them is not understood."""
        from sqlglot import exp

        items: list[Any] = []
        for part in parts:
            if isinstance(part, exp.ColumnDef):
                items.append(self._column(part))
            else:
                made = self._constraint(part)
                if made is None:
                    return None
                items.append(made)
        return sa_schema.Table(key[1], sa_schema.MetaData(), *items, schema=key[0])

    def _column(self, part: exp.ColumnDef) -> sa_schema.Column[Any]:
        """A column definition."""
        from sqlglot import exp

        made_type = type_of(part.args.get("kind"), self._recorder.dialect.name, self._enum)
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
                given["server_default"] = self._default(kind.this)
            elif isinstance(kind, exp.Reference):
                items.append(self._reference(kind))
            elif isinstance(kind, exp.CheckColumnConstraint):
                items.append(sa_schema.CheckConstraint(self._sql(kind.this)))
            elif isinstance(kind, exp.GeneratedAsIdentityColumnConstraint):
                items.append(sa_schema.Identity(always=bool(kind.this)))
        return sa_schema.Column(self._text(part.this), made_type, *items, **given)

    def _enum(self, name: str) -> tuple[str, ...] | None:
        return self._values(self._recorder.key(self._folded(name), None))

    def _sql(self, expression: exp.Expression) -> str:
        dialect = self._recorder.dialect.name
        return str(expression.sql(dialect=_DIALECTS.get(dialect, dialect)))

    def _default(self, expression: exp.Expression) -> Any:
        from sqlglot import exp

        if isinstance(expression, exp.Literal) and expression.is_string:
            return str(expression.name)
        return (
            None
            if isinstance(expression, exp.Null)
            else sqlalchemy.text(self._sql(expression).replace(":", "\\:"))
        )

    def _reference(self, reference: exp.Reference) -> sa_schema.ForeignKey:
        table, columns, options = self._referred(reference)
        return sa_schema.ForeignKey(f"{table}.{columns[0] if columns else 'id'}", **options)

    def _referred(self, reference: exp.Reference) -> tuple[str, list[str], dict[str, Any]]:
        from sqlglot import exp

        key = self._of(reference.this)
        columns = (
            [self._text(one) for one in reference.this.expressions]
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

    def _constraint(self, part: exp.Expression, name: str | None = None) -> Any:
        """A constraint of a table; None where it is not understood."""
        from sqlglot import exp

        if isinstance(part, exp.Constraint):
            return (
                self._constraint(part.expressions[0], self._text(part.this))
                if len(part.expressions) == 1
                else None
            )
        if isinstance(part, exp.PrimaryKey):
            return sa_schema.PrimaryKeyConstraint(*[self._text(one) for one in part.expressions], name=name)
        if isinstance(part, exp.UniqueColumnConstraint) and isinstance(part.this, exp.Schema):
            own = self._text(part.this.this) if part.this.this is not None else name
            return sa_schema.UniqueConstraint(*[self._text(one) for one in part.this.expressions], name=own)
        if isinstance(part, exp.ForeignKey):
            table, columns, options = self._referred(part.args["reference"])
            local = [self._text(one) for one in part.expressions]
            remote = [f"{table}.{column}" for column in columns or ["id"]]
            if len(remote) != len(local):
                return None
            return sa_schema.ForeignKeyConstraint(local, remote, name=name, **options)
        if isinstance(part, exp.CheckColumnConstraint):
            return sa_schema.CheckConstraint(self._sql(part.this), name=name)
        return None

    def _create_index(self, parsed: exp.Create) -> None:
        from sqlglot import exp

        index = parsed.this
        owner = index.args.get("table")
        parameters = index.args.get("params")
        if owner is None or parameters is None:
            return
        key = self._of(owner)
        expressions: list[Any] = []
        for ordered in parameters.args.get("columns") or ():
            inner = ordered.this if isinstance(ordered, exp.Ordered) else ordered
            plain = isinstance(inner, (exp.Column, exp.Identifier)) and not (
                isinstance(ordered, exp.Ordered) and ordered.args.get("desc")
            )
            expressions.append(
                self._text(inner) if plain else sqlalchemy.text(self._sql(ordered).replace(":", "\\:"))
            )
        names = [one for one in expressions if isinstance(one, str)]
        columns = [sa_schema.Column(name, sqlalchemy.Integer) for name in dict.fromkeys(names)]
        table = sa_schema.Table(key[1], sa_schema.MetaData(), *columns, schema=key[0])
        name = self._text(index.this) if index.this is not None else None
        given: dict[str, Any] = {}
        if parameters.args.get("where") is not None and self._recorder.dialect.name in (
            "postgresql",
            "sqlite",
        ):
            condition = self._sql(parameters.args["where"].this).replace(":", "\\:")
            given[f"{self._recorder.dialect.name}_where"] = sqlalchemy.text(condition)
        made = sa_schema.Index(
            name, *expressions, unique=bool(parsed.args.get("unique")), _table=table, **given
        )
        self._recorder.create_index(made)

    def _drop(self, parsed: exp.Drop) -> None:
        kind = str(parsed.args.get("kind", "")).upper()
        exists = bool(parsed.args.get("exists"))
        for target in parsed.args.get("tables") or ([parsed.this] if parsed.this is not None else []):
            key = self._of(target)
            if kind == "TABLE":
                self._recorder.unmake(key, exists)
            elif kind == "INDEX":
                owner = parsed.args.get("cluster")
                self._recorder.unindex(key[1], self._of(owner) if owner is not None else None, exists)
            elif kind == "TYPE":
                self._recorder.schema.enums.pop(key, None)

    def _alter(self, parsed: exp.Alter, text: str) -> None:
        from sqlglot import exp

        kind = str(parsed.args.get("kind", "")).upper()
        actions = parsed.args.get("actions") or []
        key = self._of(parsed.this)
        if kind == "INDEX":
            for action in actions:
                if isinstance(action, exp.AlterRename):
                    self._rename_index(key[1], self._of(action)[1])
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
            made = self._built(key, [action])
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
            column = self._column(action.this)
            old = self._text(action.args["rename_from"]) if action.args.get("rename_from") else column.name
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
                key[1], self._text(action.this), schema=key[0], name=self._text(action.args["to"])
            )
        elif isinstance(action, exp.AlterRename):
            recorder.rename_table(key[1], self._of(action)[1], key[0])
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
            names = [self._text(one) for one in part.expressions]
            index = sa_schema.Index(self._text(part.this) if part.this is not None else names[0], *names)
            self._host(key, names).append_constraint(index)
            recorder.create_index(index)
            return True
        constraint = self._constraint(part)
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
            name = self._text(target)
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
            given["type_"] = type_of(action.args["dtype"], self._recorder.dialect.name, self._enum)
        if action.args.get("allow_null") is not None:
            given["nullable"] = bool(action.args["allow_null"])
        if action.args.get("default") is not None:
            given["server_default"] = self._default(action.args["default"])
        elif action.args.get("drop"):
            given["server_default"] = None
        self._recorder.alter_column(key[1], self._text(action.this), schema=key[0], **given)

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
                self._rename_constraint(table.key, old, new)


def _split(sql: str) -> list[str]:
    """The statements of a text: parted at semicolons that stand in no string, comment or dollar quotes."""
    if ";" not in sql:
        return [sql]
    pattern = r"(?s)'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|(\$\w*\$).*?\1|;"
    found: list[str] = []
    start = 0
    for match in _pattern(pattern).finditer(sql):
        if match[0] == ";":
            found.append(sql[start : match.start()])
            start = match.end()
    found.append(sql[start:])
    return [statement for statement in found if statement.strip()]
