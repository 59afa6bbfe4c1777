"""The foreign key that a relationship without one was meant to have, and the one of several that its name means.

Columns are called as the relationship is: `author` follows `author_id`. This module must never know a rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.annotations import prefers_optional
from sqlalchemy_guard.fixes.arguments import insert_positional
from sqlalchemy_guard.fixes.classes import insert_behind
from sqlalchemy_guard.fixes.imports import Placed, need_all
from sqlalchemy_guard.project.column_types import PythonType, python_type
from sqlalchemy_guard.project.columns import Column, columns_of
from sqlalchemy_guard.project.configured import configured, mapped_tables
from sqlalchemy_guard.project.joins import is_among
from sqlalchemy_guard.project.relationships import Relationship, annotated_as
from sqlalchemy_guard.records import dataclass
from sqlalchemy_guard.text.words import snake_case

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import ClassFacts
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.table_columns import TableColumn
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.text.edit import Edit


@dataclass(frozen=True, slots=True)
class MissingKey:
    """A foreign key to be written.

    Attributes:
        file: The file of the class that gets it.
        facts: That class.
        name: The column's attribute.
        column: The column when it is there already.
        last: The column behind which a new one belongs.
        target: `table.column` that it refers to.
        python: The Python type of a new column.
        optional: Whether a new column admits NULL.
    """

    file: File
    facts: ClassFacts
    name: str
    column: Column | None
    last: Column
    target: str
    python: PythonType | None
    optional: bool


def chosen_key(workspace: Workspace, relationship: Relationship) -> str | None:
    """The text of `foreign_keys=` for the one of several keys that the relationship's name means."""
    known = configured(workspace, relationship)
    here = mapped_tables(workspace, relationship.owner_id) or []
    back = relationship.constant("back_populates")
    found: list[str] = []
    for link in known.links:
        (column, *others) = link.columns
        if others or column.attribute is None or column.owner is None:
            continue
        stem = column.attribute.rpartition("_")[0] or column.attribute
        ours = is_among(link.table, here)
        if ours and not is_among(link.target, here) and stem == relationship.name:
            own = relationship.owner.attributes.get(column.attribute)
            is_above = own is not None and own.node.lineno + own.chunk.shift < (
                relationship.attribute.node.lineno + relationship.attribute.chunk.shift
            )
            found.append(
                f"[{column.attribute}]" if is_above else _quoted(relationship.owner.name, column.attribute)
            )
        elif not ours and link.table.model is not None and stem == back:
            found.append(_quoted(link.table.model[1], column.attribute))
    return found[0] if len(found) == 1 else None


def _quoted(owner: str, attribute: str) -> str:
    return f'"{owner}.{attribute}"'


def missing_key(workspace: Workspace, relationship: Relationship) -> MissingKey | None:
    """The key that would link the two tables; None where it is not clear which side should hold it, or to what."""
    said = annotated_as(workspace.resolver, relationship)
    uselist = relationship.constant("uselist")
    collection = said.collection if said is not None else uselist if isinstance(uselist, bool) else None
    target = configured(workspace, relationship).target
    if collection is None or target is None or (uselist is False and said is None):
        return None
    holder, referred = (target, relationship.owner_id) if collection else (relationship.owner_id, target)
    tables, others = mapped_tables(workspace, holder), mapped_tables(workspace, referred)
    found = workspace.resolver.class_facts(holder)
    if not tables or not others or found is None or tables[0].model != holder or others[0].name is None:
        return None
    keys = others[0].primary_key()
    file = workspace.file(found[1].file_id)
    if (
        len(keys) != 1
        or keys[0].name is None
        or others[0].schema is not None
        or file is None
        or file.syntax.problems
    ):
        return None
    back = relationship.constant("back_populates")
    stem = (
        relationship.name
        if not collection
        else str(back)
        if back
        else snake_case(referred[1].rpartition(".")[2])
    )
    name = f"{stem}_{keys[0].attribute or keys[0].name}"
    columns = list(columns_of(workspace.resolver, found[0], file))
    present = next((each for each in columns if each.name == name), None)
    if not columns or (
        present is None and (name in found[0].attributes or tables[0].column(name) is not None)
    ):
        return None
    python = _python(workspace, keys[0]) if present is None else None
    if present is None and python is None:
        return None
    optional = said is None or said.optional or collection
    return MissingKey(
        file, found[0], name, present, columns[-1], f"{others[0].name}.{keys[0].name}", python, optional
    )


def _python(workspace: Workspace, column: TableColumn) -> PythonType | None:
    if column.type is not None:
        return python_type(workspace.resolver, column.type[0], None, column.type[1])
    ref = getattr(column.python, "ref", None) or getattr(column.python, "name", None)
    if not isinstance(ref, str):
        return None
    home, _, name = ref.rpartition(".")
    if home == "builtins":
        return PythonType(name, (), frozenset({name}))
    return PythonType("{0}", ((home, name),))


def write_key(source: Source, key: MissingKey) -> tuple[Edit, ...] | None:
    """The edits that write a foreign key, imports included; None where there is no place for it."""
    statements = [Placed(node, chunk.shift) for chunk in key.file.syntax.chunks for node in chunk.body]
    taken = {*key.facts.attributes, *key.facts.methods, *key.facts.classes}
    target = f"{source.quote}{key.target}{source.quote}"
    wanted = [("sqlalchemy", "ForeignKey")]
    if key.column is None:
        assert key.python is not None, "a new column has a type"
        wanted += [("sqlalchemy.orm", "Mapped"), ("sqlalchemy.orm", "mapped_column"), *key.python.imports]
        if key.optional and prefers_optional(statements):
            wanted.append(("typing", "Optional"))
    try:
        names, imported = need_all(source, statements, wanted, taken=taken)
    except SyntaxError:
        return None
    if key.column is not None:
        node, shift = key.column.node, key.column.attribute.chunk.shift
        text = f"{names[0]}({target})"
        place = len(node.args)
        return (*insert_positional(source, node, place, text, shift, key.column.statement), *imported)
    assert key.python is not None, "a new column has a type"
    inner = key.python.template.format(*names[3:])
    if key.optional:
        inner = f"{names[-1]}[{inner}]" if prefers_optional(statements) else f"{inner} | None"
    line = f"{key.name}: {names[1]}[{inner}] = {names[2]}({names[0]}({target}))"
    inserted = insert_behind(source, key.last.statement, line, key.last.attribute.chunk.shift)
    return (*imported, inserted) if inserted is not None else None
