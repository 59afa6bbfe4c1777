"""The smallest edits by whole lines that turn one text into another, so that an editor keeps its cursors.

This module must never give edits that overlap or do not lead to the second text.
"""

from __future__ import annotations

from sqlalchemy_guard.text.edit import Edit
from sqlalchemy_guard.text.lines import LineIndex, split_lines

# Beyond so many differing lines the comparison would take longer than anybody gains from it.
_MOST_LINES = 4000


def minimal_edits(old: str, new: str) -> tuple[Edit, ...]:
    """Disjoint, sorted edits, offsets in code points of `old`; none where the texts are equal."""
    before, after = split_lines(old), split_lines(new)
    shared = min(len(before), len(after))
    head = 0
    while head < shared and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < shared - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    # Loaded with the first fix that is applied.
    from difflib import SequenceMatcher

    index = LineIndex(before)
    old_lines, new_lines = before[head : len(before) - tail], after[head : len(after) - tail]
    if max(len(old_lines), len(new_lines)) > _MOST_LINES:
        changes = [(0, len(old_lines), 0, len(new_lines))]
    else:
        matcher = SequenceMatcher(None, old_lines, new_lines, autojunk=False)
        changes = [(i, j, k, m) for tag, i, j, k, m in matcher.get_opcodes() if tag != "equal"]
    return tuple(
        Edit(index.offset(head + low, 0), index.offset(head + high, 0), "".join(new_lines[first:last]))
        for low, high, first, last in changes
        if low != high or first != last
    )
