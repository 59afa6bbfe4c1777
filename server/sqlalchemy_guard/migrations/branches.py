"""Branches of a history: which of several heads nobody meant to be there, and how one may be put behind another.

This module must never look at what a revision does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy_guard.migrations.graph import Graph
    from sqlalchemy_guard.migrations.revision import Revision


def loose_heads(graph: Graph) -> tuple[Revision, ...]:
    """The heads that nobody meant: several of the same base, or of the same folder, without a branch label of their own.

    Branches with a label, and histories in folders of their own that never meet, are run by name. Nothing is concluded from
    a history with a hole in it.
    """
    heads = graph.heads
    if len(heads) < 2 or any(graph.missing(revision) for revision in graph.revisions):
        return ()
    lines = {head.id: graph.ancestors(head) | {head.id} for head in heads}
    anonymous = [head for head in heads if not _has_label(graph, lines, head)]
    found = [
        head
        for head in anonymous
        if any(
            other is not head and (lines[head.id] & lines[other.id] or _folder(head) == _folder(other))
            for other in anonymous
        )
    ]
    return tuple(found)


def _has_label(graph: Graph, lines: dict[str, frozenset[str]], head: Revision) -> bool:
    others: frozenset[str] = frozenset().union(*(line for id_, line in lines.items() if id_ != head.id))
    return any(graph.by_id[id_].labels for id_ in lines[head.id] - others if id_ in graph.by_id)


def _folder(revision: Revision) -> str:
    return os.path.dirname(revision.file_id)


def fork_of(graph: Graph, head: Revision, other: Revision) -> Revision | None:
    """The first revision of a head's own branch: the one whose parent the other head's line shares. None where the branch
    is not one plain line from there to the head."""
    shared = graph.ancestors(other) | {other.id}
    at = head
    while True:
        parents = graph.parents(at)
        if len(parents) != 1 or len(at.down) != 1 or at.depends_on:
            return None
        if parents[0].id in shared:
            return at
        at = parents[0]
