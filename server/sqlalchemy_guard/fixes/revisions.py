"""Edits of a revision file's own identifiers, and the text of a revision that merges others.

This module must never decide which revision follows which.
"""

from __future__ import annotations

import ast
import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.project.revision_names import named_in
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from sqlalchemy_guard.project.workspace import Workspace


def relinked(workspace: Workspace, file_id: str, old: str, new: str) -> tuple[Edit, ...]:
    """The edits by which a revision names another one where it named `old`, in its identifiers and in its docstring.

    Nothing where the name does not stand there as a string.
    """
    file = workspace.file(file_id)
    if file is None:
        return ()
    source = Source.of(file.document)
    edits: list[Edit] = []
    for name in ("down_revision", "depends_on"):
        bindings = file.facts.names.get(name)
        said = named_in(bindings[-1], name) if bindings else None
        if said is not None:
            named = (node for node in ast.walk(said.node) if isinstance(node, ast.Constant))
            edits += [
                _within(source, node, said.chunk.shift, old, new) for node in named if node.value == old
            ]
    if not edits:
        return ()
    first = file.syntax.chunks[0]
    for statement in first.body[:1]:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            text = source.segment(statement, first.shift)
            for line in text.splitlines(keepends=True):
                if line.lstrip().lower().startswith("revises:") and old in line:
                    at = source.start(statement, first.shift) + text.index(line) + line.index(old)
                    edits.append(Edit(at, at + len(old), new))
    return tuple(sorted(edits))


def _within(source: Source, node: ast.Constant, shift: int, old: str, new: str) -> Edit:
    at = source.start(node, shift) + source.segment(node, shift).index(old)
    return Edit(at, at + len(old), new)


def merged(workspace: Workspace, file_id: str, heads: tuple[str, ...]) -> tuple[str, str] | None:
    """The file id and the text of a revision that merges heads, written as the file of one of them is.

    Its id follows from those of the heads, so that two who ask get the same one. None where the file is there already.
    """
    file = workspace.file(file_id)
    if file is None:
        return None
    from hashlib import sha256

    source = Source.of(file.document)
    id_ = sha256("\0".join(heads).encode("utf-8", "surrogatepass")).hexdigest()[:12]
    folder, name = os.path.dirname(file_id), f"{id_}_merge_heads.py"
    if name in workspace.names_in(folder):
        return None
    quote = source.quote
    said = named_in(file.facts.names["revision"][-1], "revision")
    is_annotated = said is not None and isinstance(said.statement, ast.AnnAssign)
    kinds = (": str", ": tuple[str, ...]", ": None", ": None") if is_annotated else ("", "", "", "")
    parents = ", ".join(f"{quote}{head}{quote}" for head in heads)
    values = (f"{quote}{id_}{quote}", f"({parents})", "None", "None")
    names = ("revision", "down_revision", "branch_labels", "depends_on")
    upgrade = file.facts.function("upgrade")
    arrow = " -> None" if upgrade is not None and upgrade.header.returns is not None else ""
    lines = [
        f'"""Merge {" and ".join(heads)}',
        "",
        f"Revision ID: {id_}",
        f"Revises: {', '.join(heads)}",
        '"""',
        "",
        *(f"{each}{kind} = {value}" for each, kind, value in zip(names, kinds, values, strict=True)),
    ]
    for direction in ("upgrade", "downgrade"):
        lines += ["", "", f"def {direction}(){arrow}:", f"{source.indentation}pass"]
    return os.path.join(folder, name), source.newline.join([*lines, ""])
