"""Which tables say when their rows were made and last changed, and where a team would add what is missing.

Gaps are put together for each `MetaData`: few are shown at their classes, many at the one place where a mixin belongs. This
module must never decide what a gap is worth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sqlalchemy_guard.facts.values import Call, Const, Joined
from sqlalchemy_guard.project.columns import columns_of, is_dataclass
from sqlalchemy_guard.project.mentions import TABLE
from sqlalchemy_guard.project.model import model_of
from sqlalchemy_guard.project.tables import all_tables, mapped_parents, place_of, table_of
from sqlalchemy_guard.project.types import ClassType
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.config import Settings
    from sqlalchemy_guard.facts.declarations import ClassFacts
    from sqlalchemy_guard.facts.units import Unit
    from sqlalchemy_guard.project.metadata import MetadataId
    from sqlalchemy_guard.project.resolve import Resolver
    from sqlalchemy_guard.project.table_columns import TableColumn
    from sqlalchemy_guard.project.tables import ClassId, Table
    from sqlalchemy_guard.project.workspace import File, Workspace

Which = Literal["created", "updated"]

_FEW = 3
"""So many classes are each shown by themselves."""
_SOME = 10
"""So many are, where twice as many have the timestamp."""


@dataclass(slots=True, eq=False)
class Gap:
    """Tables without a timestamp, shown at one class.

    Attributes:
        which: What is missing.
        both: Whether the other one is missing too.
        tables: The tables, in the order of their files.
        total: How many tables of the `MetaData` should have it.
        mixin: The class that the workspace has for it, None when there is none.
        is_mixin_free: Whether any model may take the mixin as one more base: it has timestamps only, and is no model itself.
        is_wide: Whether the gap stands for tables of other classes.
        facts: The class where it is shown: the table's own, the base, or the mixin that has the other timestamp.
    """

    which: Which
    both: bool
    tables: list[Table]
    total: int
    mixin: ClassId | None
    is_mixin_free: bool
    is_wide: bool
    facts: ClassFacts


_FIRST_VALUES = frozenset(
    {"default", "server_default", "insert_default", "default_factory", "sa_column_kwargs"}
)
"""What gives a column a value when its row comes in."""


@dataclass(slots=True, eq=False)
class IdleTimestamp:
    """A column for the time of the last change that nothing sets when a row changes.

    Attributes:
        name: The attribute.
        facts: The class that declares it.
    """

    name: str
    facts: ClassFacts


@dataclass(slots=True, eq=False)
class _Found:
    which: Which
    both: bool
    tables: list[Table]
    total: int
    mixin: ClassId | None
    is_mixin_free: bool
    is_wide: bool


Names = tuple[tuple[str, ...], tuple[str, ...]]


def gaps(unit: Unit, file: File, workspace: Workspace) -> list[Gap]:
    """The gaps that are shown at the classes of a unit."""
    if not unit.classes:
        return []
    found = _gathered(workspace, _names(workspace.settings_for(file.file_id)))
    return [
        Gap(
            each.which,
            each.both,
            each.tables,
            each.total,
            each.mixin,
            each.is_mixin_free,
            each.is_wide,
            class_,
        )
        for class_ in unit.classes
        for each in found.get((file.file_id, class_.qualname), ())
    ]


def idle_timestamps(unit: Unit, file: File, workspace: Workspace) -> list[IdleTimestamp]:
    """The columns of a unit's classes for the time of the last change that nothing sets."""
    found: list[IdleTimestamp] = []
    if not unit.classes:
        return found
    names = _names(workspace.settings_for(file.file_id))[1]
    for class_ in unit.classes:
        for column in columns_of(workspace.resolver, class_, file):
            if folded(column.name) not in names or not column.is_readable:
                continue
            says = any(key is not None and "onupdate" in key for key, _ in column.call.keywords)
            computed = "sqlalchemy.Computed" in column.items or column.keyword("sa_column") is not None
            if says or computed or _is_set_by_database(column.keyword("server_default")):
                continue
            if not any(key in _FIRST_VALUES for key, _ in column.call.keywords):
                # Whoever made it sets it, in ways that nobody sees here: values in dictionaries, another program.
                continue
            if not _stands_in_table(workspace, (file.file_id, class_.qualname)) or _is_set(
                workspace, class_, column.name
            ):
                continue
            found.append(IdleTimestamp(column.name, class_))
    return found


def _stands_in_table(workspace: Workspace, ref: ClassId) -> bool:
    owners = workspace.resolver.gathered(
        "owners",
        lambda: {column.owner for table in all_tables(workspace) for column in table.columns.values()},
    )
    return ref in owners


def _is_set_by_database(value: object) -> bool:
    """Whether a server's default says `ON UPDATE`, as MySQL's do."""
    if type(value) is Const:
        return isinstance(value.value, str) and "update" in value.value.lower()
    if type(value) is Call:
        return any(_is_set_by_database(arg) for arg in value.args)
    return type(value) is Joined


def _is_set(workspace: Workspace, class_: ClassFacts, name: str) -> bool:
    """Whether the application, an event or a trigger seems to set it."""
    if next(iter(workspace.stored_attributes(name)), None) is not None or name in class_.instance:
        return True
    if name == "updated_at" and workspace.naming("FastCRUD")[0]:
        # Its `update()` sets the column of that name.
        return True
    for function in ("values", "update", "DDL", "PGTrigger"):
        for call, _ in workspace.calls_of(function, None):
            if function in ("DDL", "PGTrigger") or call.keyword(name) is not None:
                return True
    return False


def folded(name: str) -> str:
    """A name without case and underscores."""
    return name.replace("_", "").lower()


def _names(settings: Settings) -> Names:
    return tuple(map(folded, settings.created_at_names)), tuple(map(folded, settings.updated_at_names))


def _gathered(workspace: Workspace, names: Names) -> dict[ClassId, list[_Found]]:
    return workspace.resolver.gathered(f"timestamps {names}", lambda: _find(workspace, names))


def _find(workspace: Workspace, names: Names) -> dict[ClassId, list[_Found]]:
    groups: dict[MetadataId, list[Table]] = {}
    for table in all_tables(workspace):
        if table.model is not None and table.metadata is not None and _should_have(workspace, table):
            groups.setdefault(table.metadata, []).append(table)
    found: dict[ClassId, list[_Found]] = {}
    for metadata, tables in groups.items():
        has: dict[int, tuple[bool, bool]] = {
            id(table): (_has(workspace, table, names[0]), _has(workspace, table, names[1]))
            for table in tables
        }
        mixins = _mixins(workspace, names, metadata)
        for which, index in (("created", 0), ("updated", 1)):
            lacking = [table for table in tables if not has[id(table)][index]]
            # Who lacks both is told once, of the first.
            told = [table for table in lacking if index == 0 or has[id(table)][0]]
            mixin = mixins[index] or _owner(workspace, tables, names[index], (*names[0], *names[1]))
            for anchor, group, is_wide in _anchored(workspace, told, len(tables), names[1 - index]):
                both = index == 0 and not any(has[id(table)][1] for table in group)
                entry = _Found(which, both, group, len(tables), mixin, mixins[index] is not None, is_wide)  # type: ignore[arg-type]
                found.setdefault(anchor, []).append(entry)
    return found


def _owner(
    workspace: Workspace, tables: list[Table], names: tuple[str, ...], both: tuple[str, ...]
) -> ClassId | None:
    """The abstract model from which most tables have a timestamp, and that brings nothing else but a key."""
    used: dict[ClassId, int] = {}
    for table in tables:
        for column in table.columns.values():
            owner = column.owner
            declared = (
                workspace.resolver.class_facts(owner)
                if _is_named(column, names) and owner is not None
                else None
            )
            model = model_of(workspace.resolver, *declared) if declared is not None else None
            if isinstance(owner, tuple) and model is not None and model.is_abstract and not model.is_base:
                if not any(_is_content(each, owner, both) for each in table.columns.values()):
                    used[owner] = used.get(owner, 0) + 1
    return max(used, key=lambda owner: (used[owner], owner)) if used else None


def _is_content(column: TableColumn, owner: ClassId, both: tuple[str, ...]) -> bool:
    """Whether a class declares a column that other models would not want with the timestamps."""
    return column.owner == owner and not column.primary_key and not _is_named(column, both)


def _anchored(
    workspace: Workspace, tables: list[Table], total: int, others: tuple[str, ...]
) -> list[tuple[ClassId, list[Table], bool]]:
    """The classes at which gaps are shown, with the tables that each stands for, and whether these are others'."""
    by_mixin: dict[ClassId, list[Table]] = {}
    rest: list[Table] = []
    for table in tables:
        column = next((each for each in table.columns.values() if _is_named(each, others)), None)
        owner = column.owner if column is not None else None
        if isinstance(owner, tuple) and owner != table.model and not _is_mapped(workspace, owner):
            by_mixin.setdefault(owner, []).append(table)
        else:
            rest.append(table)
    alone = [owner for owner, group in by_mixin.items() if len(group) == 1]
    if len(alone) > _FEW:
        # These are no mixins of timestamps, but the columns of one model each, written elsewhere.
        rest += [table for owner in alone for table in by_mixin.pop(owner)]
    found = [(owner, group, True) for owner, group in by_mixin.items()]
    if len(rest) <= _FEW or (len(rest) <= _SOME and 2 * len(rest) <= total - len(rest)):
        return [*found, *[(table.model, [table], False) for table in rest if table.model is not None]]
    first = rest[0].model
    assert first is not None
    return [*found, (_base_of(workspace, first) or first, rest, True)]


def _base_of(workspace: Workspace, ref: ClassId) -> ClassId | None:
    """The application's own base class above a model."""
    for each in workspace.resolver.ancestors(ClassType(ref)):
        known_class = workspace.resolver.class_facts(each)
        model = model_of(workspace.resolver, *known_class) if known_class is not None else None
        if model is not None and model.is_base and isinstance(each, tuple):
            return each
    return None


def _is_mapped(workspace: Workspace, ref: ClassId) -> bool:
    return table_of(workspace, ref) is not None


def _should_have(workspace: Workspace, table: Table) -> bool:
    """Whether rows of a table are things of their own: no association, view, joined child, nor anything hidden."""
    resolver = workspace.resolver
    assert table.model is not None
    if not table.is_complete or mapped_parents(resolver, table.model) or not table.columns:
        return False
    place = place_of(workspace, table)
    if place is None or _is_left_out(resolver, place.file):
        return False
    if "view" in (table.name or "").lower().split("_") or table.model[1].endswith("View"):
        return False
    if table.name == "alembic_version":
        # Alembic's own, which it writes itself.
        return False
    keys = [column for column in table.columns.values() if column.foreign_keys]
    identity = table.primary_key()
    is_association = len(keys) >= 2 and (
        (bool(identity) and all(column.foreign_keys for column in identity))
        or all(column.foreign_keys or column.primary_key for column in table.columns.values())
    )
    return not is_association


def _is_left_out(resolver: Resolver, file: File) -> bool:
    """Whether a file is a test, an example or a migration, whose models are nobody's schema."""
    parts = file.file_id.replace("\\", "/").lower().split("/")
    if parts[-1].startswith("test_") or parts[-1] == "conftest.py":
        return True
    folders = {
        "tests",
        "test",
        "testing",
        "migrations",
        "versions",
        "alembic",
        "examples",
        "docs",
        "docs_src",
    }
    resolver.keys.add((file.file_id, "down_revision"))
    return not folders.isdisjoint(parts[-6:-1]) or "down_revision" in file.facts.names


def _has(workspace: Workspace, table: Table, names: tuple[str, ...]) -> bool:
    if any(_is_named(column, names) for column in table.columns.values()):
        return True
    assert table.model is not None
    for each in workspace.resolver.ancestors(ClassType(table.model)):
        found = workspace.resolver.class_facts(each)
        if found is not None and any(
            folded(name) in names for name in (*found[0].attributes, *found[0].methods)
        ):
            return True
    return False


def _is_named(column: TableColumn, names: tuple[str, ...]) -> bool:
    return folded(column.name or "") in names or folded(column.attribute or "") in names


def _mixins(
    workspace: Workspace, names: Names, metadata: MetadataId
) -> tuple[ClassId | None, ClassId | None]:
    """The class that the workspace has for each timestamp: it declares timestamps and nothing else, and is no model.

    One that declares both is better than one that declares one; then the one that most tables have.
    """
    resolver = workspace.resolver
    used: dict[object, int] = {}
    for table in all_tables(workspace):
        if table.metadata == metadata:
            for owner in {column.owner for column in table.columns.values()}:
                used[owner] = used.get(owner, 0) + 1
    best: list[tuple[int, int, ClassId] | None] = [None, None]
    for file in workspace.mentioning((TABLE, "")):
        if _is_left_out(resolver, file):
            continue
        for qualname, classes in list(file.facts.classes.items()):
            facts, ref = classes[-1], (file.file_id, qualname)
            if "." in qualname or "__tablename__" in facts.attributes or "__tablename__" in facts.methods:
                continue
            columns = [
                folded(column.name)
                for each in resolver.ancestors(ClassType(ref))
                if (found := resolver.class_facts(each)) is not None
                for column in columns_of(resolver, *found)
            ]
            flags = (any(name in names[0] for name in columns), any(name in names[1] for name in columns))
            if not any(flags) or any(name not in (*names[0], *names[1]) for name in columns):
                continue
            if model_of(resolver, facts, file) is not None or is_dataclass(resolver, ClassType(ref)):
                # A base would be a second one beside the model's own.
                continue
            for index, flag in enumerate(flags):
                rank = (sum(flags), used.get(ref, 0), ref)
                if flag and (best[index] is None or rank > best[index]):  # type: ignore[operator]
                    best[index] = rank
    created, updated = best
    return created[2] if created is not None else None, updated[2] if updated is not None else None
