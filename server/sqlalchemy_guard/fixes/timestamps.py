"""Edits that give classes timestamps: by the workspace's mixin, by columns of their own, or by one new mixin for all.

This module must never decide which classes need them.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.imports import Placed, need_all
from sqlalchemy_guard.fixes.naming import fresh
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.project.bodies import body_of, is_docstring
from sqlalchemy_guard.project.columns import is_dataclass
from sqlalchemy_guard.project.index import IMPORTS
from sqlalchemy_guard.project.model import model_of
from sqlalchemy_guard.project.module_names import importable_as
from sqlalchemy_guard.project.tables import place_of
from sqlalchemy_guard.records import NamedTuple, dataclass
from sqlalchemy_guard.text.edit import Edit, apply_edits
from sqlalchemy_guard.text.minimal import minimal_edits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy_guard.config import Settings
    from sqlalchemy_guard.facts.declarations import ClassFacts
    from sqlalchemy_guard.project.timestamps import Gap
    from sqlalchemy_guard.project.workspace import File, Workspace


@dataclass(slots=True)
class Columns:
    """The columns to write.

    Attributes:
        created: The name of the one for the time of creation, None when it is not wanted.
        updated: The name of the one for the time of the last change, likewise.
        typed: Whether to annotate them, as SQLAlchemy 2.0 does.
    """

    created: str | None
    updated: str | None
    typed: bool

    def imports(self) -> list[tuple[str, str]]:
        """What the lines need, in the order in which `lines` takes the names."""
        own = [("sqlalchemy", "DateTime"), ("sqlalchemy", "func")]
        if not self.typed:
            return [*own, ("sqlalchemy", "Column")]
        return [
            *own,
            ("sqlalchemy.orm", "mapped_column"),
            ("sqlalchemy.orm", "Mapped"),
            ("datetime", "datetime"),
        ]

    def lines(self, names: Sequence[str], source: Source, margin: str) -> list[str]:
        """The columns as source lines without their margin, broken where they are too long."""
        kind, func, call, *rest = names
        now = f"{kind}(timezone=True), server_default={func}.now()"
        tail = "" if self.typed else ", nullable=False"
        annotation = f": {rest[0]}[{rest[1]}]" if self.typed else ""
        made = []
        for name, more in ((self.created, ""), (self.updated, f", onupdate={func}.now()")):
            if name is None:
                continue
            head, inside = f"{name}{annotation} = {call}(", f"{now}{more}{tail}"
            if len(margin) + len(head) + len(inside) + 1 > source.line_length:
                deeper = f"{source.newline}{margin}{source.indentation}"
                if len(deeper) - len(source.newline) + len(inside) > source.line_length:
                    inside = inside.replace(", ", f",{deeper}") + ","
                inside = f"{deeper}{inside}{source.newline}{margin}"
            made.append(f"{head}{inside})")
        return made


class Filled(NamedTuple):
    """How a gap is filled.

    Attributes:
        title: What the edits do.
        edits: By file.
    """

    title: str
    edits: dict[str, tuple[Edit, ...]]


class Texts:
    """The texts of several files, changed one edit after the other.

    Args:
        workspace: Has the files.
        line_length: How long lines may be.
    """

    def __init__(self, workspace: Workspace, line_length: int) -> None:
        self._workspace = workspace
        self._line_length = line_length
        self._before: dict[str, str] = {}
        self._now: dict[str, Source] = {}

    def source(self, file: File) -> Source:
        """The text as it is now."""
        if file.file_id not in self._now:
            self._before[file.file_id] = file.document.text
            self._now[file.file_id] = Source(file.document.text, self._line_length)
        return self._now[file.file_id]

    def tree(self, file: File) -> ast.Module:
        """The module as it is now.

        Raises:
            SyntaxError: the file does not parse as a whole.
        """
        return ast.parse(self.source(file).text)

    def apply(self, file: File, edits: Iterable[Edit]) -> None:
        """Change the text."""
        self._now[file.file_id] = Source(apply_edits(self.source(file).text, edits), self._line_length)

    def need(self, file: File, wanted: list[tuple[str, str]], taken: Iterable[str] = ()) -> list[str]:
        """Import names; returns how they are spelled."""
        statements = [Placed(node, 0) for node in self.tree(file).body]
        names, edits = need_all(self.source(file), statements, wanted, taken=frozenset(taken))
        self.apply(file, edits)
        return names

    def edits(self) -> dict[str, tuple[Edit, ...]]:
        """All changes by file."""
        return {
            file_id: edits
            for file_id, source in self._now.items()
            if (edits := minimal_edits(self._before[file_id], source.text))
        }


def add_columns(texts: Texts, file: File, facts: ClassFacts, columns: Columns) -> None:
    """Write columns behind the last assignment of a class's body.

    Raises:
        SyntaxError: the file does not parse as a whole.
        LookupError: the class is not where it was.
    """
    names = texts.need(file, columns.imports(), {*facts.attributes, *facts.methods})
    node = _class(texts, file, facts.qualname)
    source = texts.source(file)
    last = _last_column(node)
    if last is None:
        raise LookupError(facts.qualname)
    end = source.line_end(source.end(last))
    margin = source.margin(source.start(last))
    if isinstance(last, ast.Pass):
        start = source.start(last)
        text = f"{source.newline}{margin}".join(columns.lines(names, source, margin))
        texts.apply(file, [Edit(start, source.end(last), text)])
        return
    text = "".join(f"{source.newline}{margin}{line}" for line in columns.lines(names, source, margin))
    texts.apply(file, [Edit(end, end, text)])


def _last_column(node: ast.ClassDef) -> ast.stmt | None:
    """The statement behind which a column goes: the last column, with the docstring behind it."""
    body = node.body
    place = None
    for index, statement in enumerate(body):
        value = getattr(statement, "value", None)
        func = value.func if isinstance(value, ast.Call) else None
        called = (
            func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
        )
        bare = isinstance(statement, ast.AnnAssign) and statement.value is None
        if bare or called in ("Column", "mapped_column", "Field", "deferred"):
            place = index
    if place is None:
        plain = [i for i, each in enumerate(body) if isinstance(each, (ast.Assign, ast.AnnAssign, ast.Pass))]
        if not plain:
            return body[0] if is_docstring(body[0]) else None
        place = plain[-1]
    if place + 1 < len(body) and is_docstring(body[place + 1]):
        place += 1
    return body[place]


def add_mixin(texts: Texts, file: File, facts: ClassFacts, module: str | None, name: str) -> None:
    """Put a mixin in front of the bases of a class, imported from a module when it is not of this one.

    Raises:
        SyntaxError: the file does not parse as a whole.
        LookupError: the class is not where it was.
    """
    if module is not None:
        (name,) = texts.need(file, [(module, name)])
    node = _class(texts, file, facts.qualname)
    source = texts.source(file)
    if node.bases:
        start = source.start(node.bases[0])
        texts.apply(file, [Edit(start, start, f"{name}, ")])
        return
    start = source.text.index(node.name, source.start(node) + len("class")) + len(node.name)
    if source.text[start] == "(":
        texts.apply(file, [Edit(start + 1, start + 1, f"{name}, " if node.keywords else name)])
    else:
        texts.apply(file, [Edit(start, start, f"({name})")])


def new_mixin(texts: Texts, file: File, beside: str, columns: Columns) -> str:
    """Write a mixin in front of a class of the module, or behind the assignment to a name; returns what it is called.

    Raises:
        SyntaxError: the file does not parse as a whole.
        LookupError: the class or name is not where it was.
    """
    names = texts.need(file, columns.imports())
    source = texts.source(file)
    name = fresh("TimestampMixin", file.facts.names.keys() | file.facts.classes.keys())
    indent, newline = source.indentation, source.newline
    body = "".join(f"{newline}{indent}{each}" for each in columns.lines(names, source, indent))
    text = f"class {name}:{body}{newline}"
    gap = newline * 2
    assigned = [node for node in texts.tree(file).body if beside in _bound(node)]
    if assigned:
        at = source.next_line(source.end(assigned[-1]))
        rest = source.text[at:]
        between = (
            newline * max(0, 2 - (len(rest) - len(rest.lstrip("\r\n"))) // len(newline))
            if rest.strip()
            else ""
        )
        ended = "" if at == 0 or source.text[at - 1] in "\r\n" else newline
        texts.apply(file, [Edit(at, at, f"{ended}{gap}{text}{between}")])
        return name
    line = source.first_line(_class(texts, file, beside))
    while line and source.lines[line - 1].startswith("#"):
        line -= 1
    at = source.offset(line)
    texts.apply(file, [Edit(at, at, f"{text}{gap}")])
    return name


def _bound(node: ast.stmt) -> list[str]:
    """The names that an assignment binds."""
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _home(workspace: Workspace, gap: Gap, file: File) -> tuple[File, str]:
    """Where a new mixin goes: beside the base class, or else where the base or extension object is made."""
    if any(table.model == (file.file_id, gap.facts.qualname) for table in gap.tables):
        made = gap.tables[0].metadata
        home = workspace.file(made[0]) if made is not None and made[1].isidentifier() else None
        if made is not None and home is not None and home is not file and made[1] in home.facts.names:
            return home, made[1]
    return file, gap.facts.qualname


def _class(texts: Texts, file: File, qualname: str) -> ast.ClassDef:
    level: list[ast.stmt] = texts.tree(file).body
    found: ast.ClassDef | None = None
    for part in qualname.split("."):
        found = next((each for each in level if isinstance(each, ast.ClassDef) and each.name == part), None)
        if found is None:
            raise LookupError(qualname)
        level = found.body
    assert found is not None
    return found


def module_for(workspace: Workspace, file: File, target: str) -> str | None:
    """The module by which a file imports from another, as it does already or by its full name; None where it cannot.

    A file that the other one imports itself cannot import from it without a circle.
    """
    for chunk in file.syntax.chunks:
        for node in chunk.body:
            if isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                if workspace.modules.find(module, file.file_id) == target:
                    return module
    if target in workspace.dependents(file.file_id):
        return None
    dotted = importable_as(workspace.resolver, target, file)
    return dotted if workspace.modules.find(dotted, file.file_id) == target else None


def body_is_blocked(facts: ClassFacts) -> bool:
    """Whether a class's body stands on the line of its head."""
    body = body_of(facts)
    return not body or body[0][1].lineno + body[0][0].shift == facts.header.lineno + facts.chunk.shift


def can_fill(workspace: Workspace, gap: Gap, file: File) -> bool:
    """Whether `fill` knows how to fill a gap: not for SQLModel, nor where the order of a dataclass's fields would change."""
    anchor = (file.file_id, gap.facts.qualname)
    if gap.mixin is not None and not gap.is_mixin_free and not is_partial(gap, anchor):
        return False
    for table in gap.tables:
        found = workspace.resolver.class_facts(table.model) if table.model is not None else None
        model = model_of(workspace.resolver, *found) if found is not None else None
        if model is None or model.kind == "sqlmodel.SQLModel" or is_dataclass(workspace.resolver, model.type):
            return False
        if body_is_blocked(model.facts):
            return False
    if is_partial(gap, anchor) or (gap.mixin is None and not gap.is_wide):
        return True
    home = gap.mixin[0] if gap.mixin is not None else _home(workspace, gap, file)[0].file_id
    places = [place_of(workspace, table) for table in gap.tables]
    workspace.resolver.keys.add((IMPORTS, ""))
    return all(
        place is not None
        and (place.file.file_id == home or module_for(workspace, place.file, home) is not None)
        for place in places
    )


def is_partial(gap: Gap, anchor: tuple[str, str]) -> bool:
    """Whether the gap is shown at the mixin or base that gives its tables the other timestamp."""
    return gap.is_wide and all(
        any(column.owner == anchor for column in table.columns.values()) for table in gap.tables
    )


def fill(workspace: Workspace, settings: Settings, gap: Gap, file: File, *, typed: bool) -> Filled | None:
    """The edits that fill a gap in all files, and what they do; None where some file has no place for them.

    Args:
        workspace: Has the files.
        settings: Names and line length.
        gap: What is missing.
        file: The file where the gap is shown.
        typed: Whether columns are annotated.
    """
    names = (settings.created_at_names[0], settings.updated_at_names[0])
    columns = Columns(
        names[0] if gap.which == "created" else None,
        names[1] if gap.both or gap.which == "updated" else None,
        typed,
    )
    wanted = " and ".join(f"`{name}`" for name in (columns.created, columns.updated) if name is not None)
    texts = Texts(workspace, settings.line_length)
    anchor = (file.file_id, gap.facts.qualname)
    try:
        if is_partial(gap, anchor) or (gap.mixin is None and not gap.is_wide):
            add_columns(texts, file, gap.facts, columns)
            return Filled(f"Add {wanted} to `{gap.facts.name}`", texts.edits())
        if gap.mixin is not None:
            home, name = gap.mixin
            title = f"Inherit from `{name}`"
        else:
            holder, beside = _home(workspace, gap, file)
            home, name = holder.file_id, new_mixin(texts, holder, beside, columns)
            title = f"Introduce `{name}` with {wanted}"
        for table in gap.tables:
            place = place_of(workspace, table)
            found = workspace.resolver.class_facts(table.model) if table.model is not None else None
            if place is None or found is None:
                return None
            module = module_for(workspace, place.file, home) if place.file.file_id != home else None
            if module is None and place.file.file_id != home:
                return None
            add_mixin(texts, place.file, found[0], module, name)
    except (SyntaxError, LookupError):
        return None
    count = len(gap.tables)
    return Filled(title + (f" in {count} models" if count > 1 else ""), texts.edits())
