"""DDL that sqlglot keeps as plain text: enum types, renamed constraints, indexes that become constraints.

Beside it, what has no effect on the definition of a table (owners, storage, statistics). This module must never guess what a form
means that it does not name.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import sqlalchemy
from sqlalchemy import schema as sa_schema

from sqlalchemy_guard.migrations.enum_types import enum_values, set_enum
from sqlalchemy_guard.migrations.state import CONSTRAINTS, Key
from sqlalchemy_guard.records import replace

if TYPE_CHECKING:
    from sqlalchemy_guard.migrations.recorder import Recorder
    from sqlalchemy_guard.migrations.sql_definitions import Definitions

NAME = r'((?:"[^"]+"|`[^`]+`|\[[^\]]+\]|\w+)(?:\.(?:"[^"]+"|`[^`]+`|\[[^\]]+\]|\w+))?)'
"""A name in SQL, quoted in whatever way, with its schema."""


@cache
def pattern(text: str) -> re.Pattern[str]:
    """A pattern, compiled when it is first used."""
    return re.compile(text)


class Commands:
    """Applies such forms to what a recorder records.

    Args:
        recorder: Where they end.
        definitions: Reads names.
    """

    def __init__(self, recorder: Recorder, definitions: Definitions) -> None:
        self._recorder = recorder
        self._definitions = definitions

    def run(self, text: str) -> bool:
        """Forms that sqlglot keeps as they are. Whether this was one of them, or has no effect."""
        schema = self._recorder.schema
        if found := re.match(
            rf"(?is)alter\s+type\s+{NAME}\s+add\s+value\s+(?:if\s+not\s+exists\s+)?'((?:[^']|'')*)'", text
        ):
            key = self._definitions.key(found[1])
            values = enum_values(self._recorder, key)
            value = found[2].replace("''", "'")
            if values is not None and value not in values:
                set_enum(self._recorder, key, (*values, value))
            return True
        if found := re.match(
            rf"(?is)alter\s+type\s+{NAME}\s+rename\s+value\s+'([^']*)'\s+to\s+'([^']*)'", text
        ):
            key = self._definitions.key(found[1])
            values = enum_values(self._recorder, key)
            if values is not None:
                set_enum(
                    self._recorder, key, tuple(found[3] if value == found[2] else value for value in values)
                )
            return True
        if found := re.match(rf"(?is)alter\s+type\s+{NAME}\s+rename\s+to\s+{NAME}", text):
            key = self._definitions.key(found[1])
            values = enum_values(self._recorder, key)
            if values is not None:
                set_enum(self._recorder, (key[0], self._definitions.key(found[2])[1]), values, old=key)
                schema.enums.pop(key, None)
            return True
        if found := re.match(
            rf"(?is)alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?{NAME}\s+rename\s+constraint\s+{NAME}\s+to\s+{NAME}",
            text,
        ):
            self.rename_constraint(
                self._definitions.key(found[1]),
                self._definitions.key(found[2])[1],
                self._definitions.key(found[3])[1],
            )
            return True
        if found := re.match(rf"(?is)rename\s+table\s+{NAME}\s+to\s+{NAME}\s*;?\Z", text):
            old, new = self._definitions.key(found[1]), self._definitions.key(found[2])
            self._recorder.rename_table(old[1], new[1], old[0])
            return True
        if found := re.match(
            rf"(?is)alter\s+table\s+(?:only\s+)?{NAME}\s+add\s+constraint\s+{NAME}\s+unique\s+using\s+index\s+{NAME}",
            text,
        ):
            self._promote(
                self._definitions.key(found[1]),
                self._definitions.key(found[2])[1],
                self._definitions.key(found[3])[1],
            )
            return True
        harmless = (
            r"(?is)(comment\b|alter\s+type\b.*\bowner\b|alter\s+table\s+\S+\s+(owner|validate|convert|engine|set\s*\(|reset|"
            r"enable|disable|replica|cluster|auto_increment|force|no\s+force|set\s+(logged|unlogged|schema\s+public))\b|"
            r"drop\s+type\b|alter\s+sequence\b|alter\s+table\s+\S+\s+alter\s+(column\s+)?\S+\s+set\s+(statistics|storage)|"
            r"create\s+type\b(?!.*\benum\b)|alter\s+index\b(?!.*\brename\b)|create\s+virtual\b)"
        )
        return pattern(harmless).match(text) is not None

    def rename_constraint(self, key: Key, old: str, new: str) -> None:
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
