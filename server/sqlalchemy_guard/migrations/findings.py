"""Differences in words, put together by the place where they are mended. This module must never decide what differs."""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING, Any

from alembic.operations import ops

from sqlalchemy_guard.migrations.reflection import column_type
from sqlalchemy_guard.records import dataclass
from sqlalchemy_guard.sql.natives import LIBRARY_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy

    from sqlalchemy_guard.migrations.difference import Comparison, Difference, Side
    from sqlalchemy_guard.migrations.history import Environment
    from sqlalchemy_guard.migrations.state import Key
    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.sql.models import Place
    from sqlalchemy_guard.sql.models import Schema as Models

_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What differs at one place.

    Attributes:
        message: What differs, as a sentence without its full stop.
        place: Where the models say something else: a column, a class, or the revision for what the models do not have.
        home: Where the table is declared: the class or the call, None for a table that no model has.
        differences: The differences behind it.
        revision: The revision that touched it last; empty for what is new.
    """

    message: str
    place: Place | None
    home: Place | None
    differences: tuple[Difference, ...]
    revision: str


def findings_of(
    workspace: Workspace,
    environment: Environment,
    models: Models,
    tables: Mapping[Key, sqlalchemy.Table],
    comparison: Comparison,
) -> list[Finding]:
    """The differences of a comparison by place, those of many tables with one cause (a mixin's column) in one.

    Args:
        workspace: All files.
        environment: Whose history was compared.
        models: Where tables are declared.
        tables: The models' own tables by key.
        comparison: What was found.
    """
    groups: dict[Any, list[tuple[Difference, Place | None]]] = defaultdict(list)
    for one in comparison.differences:
        if one.kind == "part_of_table":
            continue
        table = tables.get(one.key)
        column = one.column if one.kind != "remove_column" else None
        if table is not None and column is None:
            column = _only_column(one, table)
        place = models.place(table, column) if table is not None else _declared(workspace, environment)
        enum = _named_enum(one, table, comparison.side)
        if enum:
            # All columns of a type have its values.
            groups[enum, one.old].append((one, place))
            continue
        what = (place, one.kind, one.column or tuple(_columns(one)) or one.key, _target(one))
        # Two of a kind in one table are two findings.
        number = next(n for n in count() if all(other.key != one.key for other, _ in groups[(*what, n)]))
        groups[(*what, number)].append((one, place))
    found = []
    for group in filter(None, groups.values()):
        differences = tuple(one for one, _ in group)
        message = sentence(differences[0], comparison.side)
        if len(differences) > 1:
            of_columns = differences[0].kind == "enum"
            names = [f"{one.table}.{one.column}" if of_columns else one.table for one in differences]
            more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
            kind = "columns" if of_columns else "tables"
            message += f"; so in {len(names)} {kind}: {', '.join(names[:_MOST_NAMES])}{more}"
        first = tables.get(differences[0].key)
        home = models.place(first) if first is not None else None
        found.append(Finding(message, group[0][1], home, differences, differences[0].revision))
    return sorted(found, key=_order)


def _named_enum(one: Difference, table: sqlalchemy.Table | None, side: Side) -> str:
    """The name of the type whose values differ, where the database knows it by its name; else empty."""
    if one.kind != "enum" or table is None or one.column is None or side.dialect.name != "postgresql":
        return ""
    return str(getattr(table.c[one.column].type, "name", None) or "")


def _order(finding: Finding) -> tuple[str, tuple[int, ...], str]:
    place = finding.place
    return (
        (place.file_id, (place.span.line, place.span.column), finding.message)
        if place
        else ("", (0,), finding.message)
    )


def _only_column(one: Difference, table: sqlalchemy.Table) -> str | None:
    """The column whose declaration a key or an index of one column mostly is part of."""
    columns = _columns(one)
    return columns[0] if len(columns) == 1 and columns[0] in table.c else None


def _columns(one: Difference) -> list[str]:
    if not one.operations:
        return []
    operation = one.operations[-1]
    if isinstance(operation, (ops.CreateIndexOp, ops.DropIndexOp)):
        return [str(getattr(each, "name", each)) for each in operation.to_index().expressions]
    if isinstance(operation, (ops.CreateForeignKeyOp, ops.CreateUniqueConstraintOp, ops.DropConstraintOp)):
        constraint = operation.to_constraint()
        if hasattr(constraint, "elements"):
            return [element.parent.name for element in constraint.elements]
        return [column.name for column in getattr(constraint, "columns", ())]
    return []


def _target(one: Difference) -> str:
    """The table that a foreign key points at; empty for other parts, and where it is changed."""
    operation = one.operations[-1] if one.operations else None
    if not one.kind.endswith("_foreignkey"):
        return ""
    elements = getattr(operation.to_constraint(), "elements", ())  # type: ignore[union-attr]
    return elements[0].target_fullname.rpartition(".")[0] if elements else ""


def _declared(workspace: Workspace, environment: Environment) -> Place | None:
    """Where `env.py` says what it compares with: the place of tables that no model has."""
    from sqlalchemy_guard.sql.models import Place

    file = workspace.file(environment.env)
    if file is None:
        return None
    for binding in file.facts.names.get("target_metadata", ())[-1:]:
        return Place(environment.env, file.syntax.node_span(binding.chunk, binding.node))
    from sqlalchemy_guard.text.span import Span

    return Place(environment.env, Span(0, 0, 0, 0))


# -- words ---------------------------------------------------------------------------------------------------------------


def sentence(one: Difference, side: Side) -> str:
    """What a difference says, for people."""
    table = f"`{one.table}`"
    column = f"`{one.table}.{one.column}`" if one.column else table
    operation = one.operations[0] if one.operations else None
    kind = one.kind
    if kind == "add_table":
        return f"no migration creates the table {table}"
    if kind == "remove_table":
        return f"the migrations create the table {table}, which no model has"
    if kind == "rename_table":
        return f"the table {table} is `{one.old}` in the migrations: no migration renames it"
    if kind == "add_column":
        return f"no migration adds the column {column}"
    if kind == "remove_column":
        return f"the migrations leave the column {column}, which the model does not have"
    if kind == "rename_column":
        return f"the column {column} is `{one.old}` in the migrations: no migration renames it"
    if kind == "type":
        old = side.schema.tables[one.key].column(one.column or "")
        before = written(side, column_type(old)) if old is not None else "?"
        return (
            f"{column} is {written(side, operation.modify_type)} in the model and {before} in the migrations"  # type: ignore[union-attr]
        )
    if kind == "nullable":
        words = ("nullable", "NOT NULL") if operation.modify_nullable else ("NOT NULL", "nullable")  # type: ignore[union-attr]
        return f"{column} is {words[0]} in the model and {words[1]} in the migrations"
    if kind == "default":
        before, after = one.old
        return f"{column} has the server default {_or_none(after)} in the model and {_or_none(before)} in the migrations"
    if kind == "comment":
        return f"the comment of {column} is not that of the migrations"
    if kind == "enum":
        return _enum(column, *one.old)
    return _of_part(one, table)


def _or_none(default: str | None) -> str:
    return "none" if default is None else f"`{default}`"


def _enum(column: str, before: tuple[str, ...], after: tuple[str, ...]) -> str:
    added = [f"`{value}`" for value in after if value not in before]
    gone = [f"`{value}`" for value in before if value not in after]
    words = []
    if added:
        words.append(f"{', '.join(added)} {'is' if len(added) == 1 else 'are'} in no migration")
    if gone:
        words.append(f"{', '.join(gone)} only in the migrations")
    return f"the values of the enum of {column} differ: {' and '.join(words)}"


_PARTS = {
    "index": "index",
    "unique": "unique constraint",
    "foreignkey": "foreign key",
    "check": "check constraint",
}


def _of_part(one: Difference, table: str) -> str:
    verb, _, what = one.kind.partition("_")
    part = _PARTS[what]
    columns = _columns(one)
    name, target = _name(one), _target(one)
    shown = " ".join(
        word
        for word in (
            part,
            f"`{name}`" if name else "",
            f"on {table}",
            f"({', '.join(columns)})" if columns else "",
            f"to `{target}`" if target else "",
        )
        if word
    )
    if verb == "add":
        return f"no migration creates the {shown}"
    if verb == "remove":
        return f"the migrations leave the {shown}, which the model does not have"
    if one.old and name and one.old != name:
        return f"the {shown} is `{one.old}` in the migrations"
    return f"the {shown} is another one in the migrations{_how(one)}"


def _how(one: Difference) -> str:
    if one.kind != "change_foreignkey" or len(one.operations) < 2:
        return ""
    old, new = one.operations[0].to_constraint(), one.operations[-1].to_constraint()
    for option in ("ondelete", "onupdate"):
        before, after = getattr(old, option), getattr(new, option)
        if (before or "").lower() != (after or "").lower():
            words = f"ON {option.removeprefix('on').upper()}"
            return f": {words} {after or 'is not set'} in the model, {before or 'not set'} there"
    return ""


def _name(one: Difference) -> str | None:
    operation = one.operations[-1]
    if one.kind.endswith("check"):
        return str(one.old)
    name = getattr(operation, "index_name", None) or getattr(operation, "constraint_name", None)
    return None if name is None else str(name)


def written(side: Side, type_: Any) -> str:
    """A type as the dialect writes it."""
    try:
        return f"`{side.dialect.type_compiler_instance.process(type_)}`"
    except LIBRARY_ERRORS:
        return f"`{type_!r}`"
