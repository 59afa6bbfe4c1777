"""The values of named enum types in the records. This module must never read SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy

from sqlalchemy_guard.records import replace

if TYPE_CHECKING:
    from sqlalchemy_guard.migrations.recorder import Recorder
    from sqlalchemy_guard.migrations.state import Key


def enum_values(recorder: Recorder, key: Key) -> tuple[str, ...] | None:
    """The values of an enum type; None where they are not known."""
    if key in recorder.schema.enums:
        return recorder.schema.enums[key]
    for table in recorder.schema.tables.values():
        for column in table.columns:
            if isinstance(column.type, sqlalchemy.Enum) and column.type.name == key[1]:
                return tuple(column.type.enums)
    return None


def set_enum(recorder: Recorder, key: Key, values: tuple[str, ...], old: Key | None = None) -> None:
    """A named enum type has these values from here on, in every column.

    Args:
        recorder: Whose records change.
        key: The type's key.
        values: Its values, in order.
        old: The key that it had before, where it is renamed.
    """
    schema = recorder.schema
    schema.enums[key] = values
    for table in list(schema.tables.values()):
        for column in table.columns:
            if isinstance(column.type, sqlalchemy.Enum) and column.type.name == (old or key)[1]:
                made = sqlalchemy.Enum(
                    *values, name=key[1], schema=column.type.schema, native_enum=column.type.native_enum
                )
                changed = replace(column, type=made, revision=recorder.revision)
                schema.put(schema.tables[table.key].with_column(column.name, changed))
