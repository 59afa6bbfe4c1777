"""Branches of a history: which of several heads nobody meant to be there.

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


def nearest(graph: Graph, revision: Revision, reference: str) -> str | None:
    """The id that is written almost like the reference and that nothing follows yet."""
    from difflib import get_close_matches

    free = [each.id for each in graph.heads if each is not revision]
    found = get_close_matches(reference, free, 2, 0.7)
    return found[0] if len(found) == 1 else None
