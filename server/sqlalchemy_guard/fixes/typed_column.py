"""How the type of a column is written: `Mapped[…]` in the style of its file, with the imports that it needs.

This module must never decide which type a column has, nor whether it may be None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.annotations import prefers_optional
from sqlalchemy_guard.fixes.imports import need_all
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from sqlalchemy_guard.fixes.imports import Placed
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.column_types import PythonType
    from sqlalchemy_guard.text.edit import Edit


@dataclass(frozen=True, slots=True)
class Written:
    """An annotation as the file would have it.

    Attributes:
        annotation: `Mapped[…]`.
        maker: What `mapped_column` is called there; "" where it was not asked for.
        imports: The edits that import what both need.
    """

    annotation: str
    maker: str
    imports: tuple[Edit, ...]


def annotation_of(
    source: Source,
    statements: Sequence[Placed],
    python: PythonType,
    *,
    nullable: bool,
    with_maker: bool,
    taken: Container[str],
) -> Written | None:
    """The annotation of a column; None where the file does not parse elsewhere, so that nothing can be imported.

    Args:
        source: The text of the file.
        statements: Its top level.
        python: The Python type.
        nullable: Whether None is to be admitted besides.
        with_maker: Whether `mapped_column` is needed, too.
        taken: Names that mean something else in the class.
    """
    wanted = list(python.imports)
    has_optional = nullable and prefers_optional(statements)
    if has_optional:
        wanted.append(("typing", "Optional"))
    wanted.append(("sqlalchemy.orm", "Mapped"))
    if with_maker:
        wanted.append(("sqlalchemy.orm", "mapped_column"))
    try:
        names, imports = need_all(source, statements, wanted, taken=taken)
    except SyntaxError:
        return None
    inner = python.template.format(*names)
    if nullable:
        inner = f"{names[len(python.imports)]}[{inner}]" if has_optional else f"{inner} | None"
    mapped = names[wanted.index(("sqlalchemy.orm", "Mapped"))]
    return Written(f"{mapped}[{inner}]", names[-1] if with_maker else "", tuple(imports))
