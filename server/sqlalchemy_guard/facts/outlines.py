"""What others can see of the names of a file, in a form that can be compared before and after an edit.

This module must never evaluate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import same

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.file import FileFacts


def outline_of(facts: FileFacts, name: str) -> object:
    """What others can see of a name or qualified name besides the calls in it; None when it is not defined."""
    parts: list[object] = []
    if name in facts.names:
        parts.append(facts.value_of(name))
    if name in facts.functions:
        parts.append(facts.functions[name][-1].outline())
        # What the earlier ones are decorated with says what the last one adds to: a setter to a property.
        parts.extend(tuple(earlier.decorators) for earlier in facts.functions[name][:-1])
    if name in facts.classes:
        parts.append(facts.classes[name][-1].outline())
    return tuple(parts) or None


def calls_outline_of(facts: FileFacts, name: str) -> object:
    """What others can see of the calls in a function; None when there are none."""
    functions = facts.functions.get(name)
    return (functions[-1].calls_outline() or None) if functions else None


def compare(outlines: dict[str, object], name: str, outline: object, changed: set[str]) -> None:
    """Note an outline; the name of one that is not the same as before is added to `changed`."""
    # What is nested deeper than Python's stack cannot be compared: taking it for changed is always right.
    if same(outlines.get(name), outline):
        return
    changed.add(name)
    if outline is None:
        del outlines[name]
    else:
        outlines[name] = outline
