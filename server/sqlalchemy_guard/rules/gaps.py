"""What the rules for timestamps share: how a gap is told and filled, in the words of all of them.

This module must never find gaps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.timestamps import fill, is_partial
from sqlalchemy_guard.project.tables import place_of
from sqlalchemy_guard.rules.api import Applicability, Fix

if TYPE_CHECKING:
    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.timestamps import Gap
    from sqlalchemy_guard.rules.api import Related

_SHOWN = 20
"""So many tables are shown as related places; the message counts them all."""


def gap_message(context: Context, gap: Gap) -> str:
    """What is missing, where, and what to do."""
    settings = context.settings
    names = (settings.created_at_names[0], settings.updated_at_names[0])
    wanted = f"`{names[0]}`" if gap.which == "created" else f"`{names[1]}`"
    neither = f"neither `{names[0]}` nor `{names[1]}`" if gap.both else f"no {wanted}"
    todo = f"inherit from `{gap.mixin[1]}`" if gap.mixin is not None else "add it"
    if not gap.is_wide:
        return f"`{gap.facts.name}` has {neither}: nobody will know when its rows {_verb(gap)}; {todo}"
    if is_partial(gap, (context.file_id, gap.facts.qualname)):
        todo = "add it here"
    elif gap.mixin is None:
        todo = "add a mixin"
    shown = ", ".join(f"`{table.model[1]}`" for table in gap.tables[:3] if table.model is not None)
    more = f" and {len(gap.tables) - 3} more" if len(gap.tables) > 3 else ""
    return f"{len(gap.tables)} of {gap.total} models have {neither} ({shown}{more}); {todo}"


def _verb(gap: Gap) -> str:
    return "came in" if gap.which == "created" else "last changed"


def gap_places(context: Context, gap: Gap) -> tuple[Related, ...]:
    """The classes that a wide gap stands for."""
    found = []
    for table in gap.tables[:_SHOWN] if gap.is_wide else ():
        place = place_of(context.workspace, table)
        if place is not None:
            found.append(context.related(place.file, place.chunk, place.head, f"table `{table.name}`"))
    return tuple(found)


def _is_typed(gap: Gap) -> bool:
    """Whether some of the classes are written in the style of SQLAlchemy 2."""
    return any(
        column.python is not None or (column.call is not None and column.call.kind == "mapped_column")
        for table in gap.tables
        for column in table.columns.values()
    )


def gap_fix(context: Context, gap: Gap) -> Fix | None:
    """The fix of a gap."""
    # Beside untyped columns too: a new one without `Mapped` would only ask for the next change.
    typed = context.target_version != "1.4" and (context.settings.profile != "legacy" or _is_typed(gap))
    filled = fill(context.workspace, context.settings, gap, context.file, typed=typed)
    if filled is None or not filled.edits:
        return None
    return Fix(f"{filled.title} (migrate existing databases)", Applicability.UNSAFE, filled.edits)
