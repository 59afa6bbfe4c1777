"""Classes in the place of declarative bases that a function or a decorator makes.

This module must never decide whether the class may stand there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.classes import add_base, prepend, undecorate
from sqlalchemy_guard.project.bodies import body_of, is_docstring

if TYPE_CHECKING:
    import ast

    from sqlalchemy_guard.facts.file import FileFacts
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.bases import LegacyBase
    from sqlalchemy_guard.text.edit import Edit


def _lines(source: Source, base: LegacyBase) -> list[str]:
    """What the body of the class must say."""
    given = {"metadata": base.metadata, "registry": base.registry}
    shift = base.fact.chunk.shift
    return [f"{name} = {source.segment(node, shift)}" for name, node in given.items() if node is not None]


def class_text(source: Source, base: LegacyBase, parent: str) -> str:
    """The class that says what a call was told, written from column 0; `parent` is the expression of its base."""
    mixin = [source.segment(base.mixin, base.fact.chunk.shift)] if base.mixin is not None else []
    body = "".join(f"\n{source.indentation}{line}" for line in _lines(source, base) or ["pass"])
    return f"class {base.name}({', '.join([*mixin, parent])}):{body}"


def decorated_class(
    source: Source, base: LegacyBase, class_: ast.ClassDef, parent: str, file: FileFacts
) -> tuple[Edit, ...] | None:
    """The edits by which a class does without its decorator; None where its body has no place for what that was told."""
    shift, lines = base.fact.chunk.shift, _lines(source, base)
    facts = file.class_(class_.name)
    body = [found for found in body_of(facts) if not is_docstring(found[1])] if facts else []
    said = prepend(source, body[0][1], lines, body[0][0].shift) if body else None if lines else ()
    if said is None:
        return None
    return (*undecorate(source, base.fact.node, shift), *add_base(source, class_, parent, shift), *said)
