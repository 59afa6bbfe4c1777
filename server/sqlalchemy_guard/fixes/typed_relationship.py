"""The edits that give an untyped relationship its annotation, and leave out of the call what that says.

This module must never decide what the relationship holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.annotations import annotate, annotate_result
from sqlalchemy_guard.fixes.arguments import remove_arguments
from sqlalchemy_guard.fixes.imports import need_all
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.fixes.relationship_shape import names_itself
from sqlalchemy_guard.fixes.relationship_text import annotation, module_for
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.fixes.type_imports import is_bound, need_types
from sqlalchemy_guard.project.configured import configured
from sqlalchemy_guard.records import dataclass
from sqlalchemy_guard.text.edit import apply_edits
from sqlalchemy_guard.text.minimal import minimal_edits

if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence

    from sqlalchemy_guard.fixes.imports import Placed
    from sqlalchemy_guard.fixes.relationship_text import Shape
    from sqlalchemy_guard.project.declared_attributes import DeclaredAttribute
    from sqlalchemy_guard.project.relationships import Relationship
    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.text.edit import Edit


@dataclass(frozen=True, slots=True)
class Untyped:
    """A relationship without `Mapped`.

    Attributes:
        relationship: It.
        side: The same as one of the classes has it that it is declared for.
        shape: What it holds.
        name: What the other class is called.
        declared: The method that makes it, None for an attribute.
    """

    relationship: Relationship
    side: Relationship
    shape: Shape
    name: str
    declared: DeclaredAttribute | None


def annotated(
    workspace: Workspace, source: Source, statements: Sequence[Placed], file_id: str, untyped: Untyped
) -> tuple[str, tuple[Edit, ...]]:
    """The annotation as it is written, and the edits of the file.

    Args:
        workspace: All files.
        source: The text of the relationship's file.
        statements: The top level of that.
        file_id: Its id.
        untyped: The relationship.
    """
    relationship, shape, name, declared = untyped.relationship, untyped.shape, untyped.name, untyped.declared
    shift, owner = relationship.attribute.chunk.shift, relationship.owner
    taken = {*owner.attributes, *owner.methods, *owner.classes}
    pattern, wanted = annotation(source, statements, shape, name, taken=taken)
    own = {workspace.modules.dotted(file_id).partition(".")[0]}
    names, imported = need_all(source, statements, wanted, taken=taken, first_party=own)
    said = pattern.format(*names)
    if declared is None:
        edits = annotate(source, relationship.statement, said, shift)
    else:
        function = declared.function
        edits = annotate_result(source, function.header, said, function.chunk.shift)
    # What the annotation says need not be said twice.
    gone = [each for each in relationship.node.keywords if each.arg == "lazy" and shape.wrapper != "Mapped"]
    given = relationship.node.args[:1] if len(relationship.node.args) == 1 else []
    named = [each for each in given if names_itself(each, name) and not _has_comment(source, each, shift)]
    edits += remove_arguments(source, relationship.node, (*named, *gone), shift)
    statement = relationship.statement if declared is None else declared.statement
    changes = (*reflow(source, statement, edits, shift), *imported)
    target = configured(workspace, untyped.side).target
    if target is not None and target[0] != file_id and not is_bound(statements, name):
        module = module_for(workspace, target[0], file_id, statements)
        if module is not None:
            now = Source(apply_edits(source.text, changes), source.line_length)
            text = apply_edits(now.text, need_types(now, [(module, name)]))
            changes = minimal_edits(source.text, text)
    return said, changes


def _has_comment(source: Source, node: ast.expr, shift: int) -> bool:
    """Whether a comment stands behind an argument, which would lose what it speaks of."""
    end = source.end(node, shift)
    return bool(source.comments(end, source.line_end(end)))
