"""Lenses over a revision: where it stands in its history, and whether `downgrade` takes back what `upgrade` does.

This module must never judge a revision: that is what the rules are for.
"""

from __future__ import annotations

import ast
import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.features.lens import Lens
from sqlalchemy_guard.migrations.history import environments_of
from sqlalchemy_guard.migrations.idle import is_idle
from sqlalchemy_guard.migrations.revision import binding_of
from sqlalchemy_guard.project.bodies import own_nodes
from sqlalchemy_guard.project.revision_names import is_revision, named_in
from sqlalchemy_guard.project.revision_reverse import dropped_by, made_by
from sqlalchemy_guard.project.revision_steps import directions, steps_of
from sqlalchemy_guard.text.columns import from_utf8
from sqlalchemy_guard.text.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.migrations.history import Environment
    from sqlalchemy_guard.migrations.revision import Revision
    from sqlalchemy_guard.project.revision_steps import Step
    from sqlalchemy_guard.project.workspace import File, Workspace

_NO_SCHEMA = frozenset(("execute", "bulk_insert"))


def revision_lenses(workspace: Workspace, file: File) -> Iterator[Lens]:
    """The lenses of a revision's file; none for other files."""
    if not is_revision(workspace.resolver, file):
        return
    binding = binding_of(file, "revision")
    said = named_in(binding, "revision") if binding is not None else None
    if said is not None:
        line = said.statement.lineno - 1 + said.chunk.shift
        span = Span(line, 0, line, 0)
        for environment, revision in environments_of(workspace, file.file_id):
            yield from _places(workspace, environment, revision, span)
    for upgrade, downgrade in directions(workspace.resolver, file):
        if upgrade is None or downgrade is None:
            continue
        title = _taken_back(
            steps_of(workspace.resolver, file, upgrade),
            steps_of(workspace.resolver, file, downgrade),
            downgrade,
        )
        if title is not None:
            yield Lens(_head(file, downgrade), title)


def _places(workspace: Workspace, environment: Environment, revision: Revision, span: Span) -> Iterator[Lens]:
    graph = environment.graph
    if not revision.down and revision.is_known:
        yield Lens(span, f"first revision of {environment.name}")
    for parent in graph.parents(revision):
        yield Lens(span, f"follows {_named(workspace, parent)}", parent.file_id)
    for reference in graph.missing(revision):
        yield Lens(span, f"follows {reference}, which is not there")
    children = graph.children.get(revision.id, ())
    for child in children:
        yield Lens(span, f"followed by {_named(workspace, child)}", child.file_id)
    if not children:
        heads = len(graph.heads)
        yield Lens(span, "head" if heads == 1 else f"one of {heads} heads")


def _named(workspace: Workspace, revision: Revision) -> str:
    """A revision as people call it: its id and what its docstring, or its file's name, says."""
    file = workspace.file(revision.file_id)
    said = ""
    if file is not None and file.syntax.chunks and file.syntax.chunks[0].body:
        first = file.syntax.chunks[0].body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            said = str(first.value.value).strip().partition("\n")[0].strip()
    if not said:
        stem = os.path.splitext(os.path.basename(revision.file_id))[0]
        said = stem.replace(revision.id, "").strip("_-").replace("_", " ")
    return f"{revision.id} ({said})" if said else revision.id


def _taken_back(up: list[Step], down: list[Step], downgrade: FunctionFacts) -> str | None:
    """How many of the changes of the schema are taken back, in words; None when that is not known."""
    changes = [step for step in up if step.is_operation and step.name not in _NO_SCHEMA]
    if not changes:
        return None
    if any(isinstance(node, ast.Raise) for _, node in own_nodes(downgrade)):
        return "cannot be taken back: raises"
    if is_idle(downgrade):
        return f"takes back none of {_operations(len(changes))}"
    gone = {thing for step in down if (thing := dropped_by(step)) is not None}
    made = {thing for step in down if (thing := made_by(step)) is not None}
    tables = {thing.table for thing in gone if thing.kind == "table"}
    altered = [step for step in down if made_by(step) is None and dropped_by(step) is None]
    count = 0
    for step in changes:
        makes, drops = made_by(step), dropped_by(step)
        if makes is not None:
            count += makes in gone or step.table in tables
        elif drops is not None:
            count += drops in made
        else:
            twin = next((other for other in altered if other.name == step.name), None)
            if twin is not None:
                altered.remove(twin)
                count += 1
    if count < len(changes):
        return f"takes back {count} of {_operations(len(changes))}"
    return f"takes back {_operations(count)}"


def _operations(count: int) -> str:
    return "1 operation" if count == 1 else f"{count} operations"


def _head(file: File, function: FunctionFacts) -> Span:
    node, shift = function.header, function.chunk.shift
    line = node.lineno - 1 + shift
    column = from_utf8(file.document.lines[line], node.col_offset)
    return Span(line, column, line, column)
