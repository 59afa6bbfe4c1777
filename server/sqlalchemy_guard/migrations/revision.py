"""One revision, as its file says: its id, what it follows and what it depends on, read as data.

This module must never run a revision, nor look at what it does to the schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Const, Sequence, Typed
from sqlalchemy_guard.project.types import Literal
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import Binding
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.workspace import File, Workspace

NAMES = ("revision", "down_revision", "branch_labels", "depends_on")


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision file of an environment.

    Attributes:
        file_id: The file.
        id: Its `revision`.
        down: The revisions that it follows, as written: none for a base, several for a merge.
        labels: Its `branch_labels`.
        depends_on: Revisions, or labels, that must be there before it without being its parents.
        is_known: Whether all of these could be read; `down` may be too short otherwise.
    """

    file_id: str
    id: str
    down: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    is_known: bool = True

    @property
    def is_merge(self) -> bool:
        """Whether it joins branches."""
        return len(self.down) > 1


def revision_of(workspace: Workspace, file_id: str) -> Revision | None:
    """What a file says about itself; None when it is no revision, or its id cannot be read."""
    file = workspace.file(file_id)
    workspace.resolver.keys.update((file_id, name) for name in NAMES)
    if file is None or "revision" not in file.facts.names:
        return None
    read = {name: _strings(workspace, file, name) for name in NAMES}
    own = read["revision"]
    if own is None or len(own) != 1:
        return None
    return Revision(
        file_id,
        own[0],
        read["down_revision"] or (),
        read["branch_labels"] or (),
        read["depends_on"] or (),
        None not in read.values() and "down_revision" in file.facts.names,
    )


def binding_of(file: File, name: str) -> Binding | None:
    """Where a revision's file says one of `NAMES`; its node's lines are relative to its chunk."""
    bindings = file.facts.names.get(name)
    return bindings[-1] if bindings else None


def _strings(workspace: Workspace, file: File, name: str) -> tuple[str, ...] | None:
    """The strings that a name of the module stands for: none for None; None when they cannot be read."""
    bound = file.facts.value_of(name)
    if bound is None:
        return ()
    return _of_value(workspace, file, bound[0])


def _of_value(workspace: Workspace, file: File, value: Value) -> tuple[str, ...] | None:
    if type(value) is Typed:
        value = value.value
    if type(value) is Sequence:
        parts = [_of_value(workspace, file, item) for item in value.items]
        return None if None in parts else tuple(text for part in parts for text in part or ())
    if type(value) is Const:
        said = value.value
    else:
        type_ = workspace.resolver.type_of(value, file)
        if not isinstance(type_, Literal):
            return None
        said = type_.value
    if said is None:
        return ()
    return (said,) if isinstance(said, str) else None
