"""Drift as rules see it: computed on demand by a run of the command line, and never on the way of a keystroke.

Rebuilding models and replaying a history takes from a tenth of a second to some seconds. Where somebody types
(`workspace.is_interactive`), rules get what `refresh` found last, and are asked again when it found something else. This module
must never raise because something optional is not installed.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from sqlalchemy_guard.migrations.history import history
from sqlalchemy_guard.project.bodies import rests_on_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy_guard.migrations.difference import Difference
    from sqlalchemy_guard.migrations.drift import Drift
    from sqlalchemy_guard.project.workspace import Workspace

KEY = ("*drift", "")
"""The key of what rests on the last `refresh`."""
_WORDS = ("__tablename__", "__table__", "Table", "Index", "alembic")
"""A file that says one of these may be a new part of the answer."""
_FOUND: weakref.WeakKeyDictionary[Workspace, list[Drift]] = weakref.WeakKeyDictionary()


def drifts_of(workspace: Workspace) -> list[Drift]:
    """The drift of each environment, as far as it is known now."""
    if workspace.is_interactive:
        workspace.resolver.keys.add(KEY)
        return _FOUND.get(workspace, [])
    return workspace.resolver.gathered("drift", lambda: _computed(workspace))


def refresh(workspace: Workspace, poll: Callable[[], None] | None = None) -> bool:
    """Look again, for a front end in which somebody types: on saving, or when nothing else is to do.

    Args:
        workspace: All files, read.
        poll: Called now and then; ends everything by raising, the last answer is kept then.

    Returns:
        Whether something else was found than last time, so that files must be checked again.
    """
    before = _FOUND.get(workspace, [])
    found = _drifts(workspace, poll)
    _FOUND[workspace] = found
    if _summary(before) == _summary(found):
        return False
    workspace.resolver.changed({KEY})
    return True


def _summary(drifts: Sequence[Drift]) -> list[tuple[object, ...]]:
    return [(one.environment.scripts, one.problem, one.findings) for one in drifts]


def _drifts(workspace: Workspace, poll: Callable[[], None] | None) -> list[Drift]:
    if not history(workspace):
        # Nothing heavy is loaded for a workspace without migrations.
        return []
    try:
        from sqlalchemy_guard.migrations.drift import drifts
    except ModuleNotFoundError:
        # The extra `schema` is not installed: the command `drift` says so, a check does without.
        return []
    return list(drifts(workspace, poll=poll))


def _computed(workspace: Workspace) -> list[Drift]:
    resolver = workspace.resolver
    found = _drifts(workspace, None)
    for word in _WORDS:
        workspace.naming(word)
    for file_id in sorted({file_id for one in found for file_id in one.files}):
        file = workspace.file(file_id)
        if file is not None:
            rests_on_all(resolver, file)
    return found


def id_for(drift: Drift) -> str:
    """The id of the revision that a fix writes: the same each time it is asked for."""
    from hashlib import sha256

    heads = [head.id for head in drift.environment.graph.heads]
    text = "\0".join([*heads, *(finding.message for finding in drift.findings)])
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def message_for(differences: Sequence[Difference]) -> str:
    """What a revision for some differences is about, in a few words."""
    if len(differences) == 1:
        one = differences[0]
        what = f"{one.table}.{one.column}" if one.column else one.table
        verb, _, part = one.kind.partition("_")
        verbs = {"add": "Add", "remove": "Drop", "rename": "Rename", "change": "Change"}
        if verb in verbs and part in ("table", "column"):
            return f"{verbs[verb]} {what}"
        return f"Change {what}"
    tables = list(dict.fromkeys(one.table for one in differences))
    if len(tables) > 3:
        return f"Change {len(tables)} tables"
    return f"Change {', '.join(tables[:-1])} and {tables[-1]}" if len(tables) > 1 else f"Change {tables[0]}"
