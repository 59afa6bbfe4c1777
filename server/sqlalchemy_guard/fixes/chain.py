"""Whether two places in a text belong to one chain of attributes and calls: `User.query` and what is called on it.

Read from the text alone, so that it costs nothing where thousands of edits are merged. This module must never parse.
"""

from __future__ import annotations

from sqlalchemy_guard.text.patterns import lazy_pattern

_MOST = 2000
"""Characters between two places that are worth a look."""

_LINKS = lazy_pattern(r"\w*(?:\s*\.\s*\w*)*")
_OPENING, _CLOSING = "([{", ")]}"


def are_one_chain(text: str, start: int, end: int) -> bool:
    """Whether nothing but attributes, and calls or subscripts as a whole, stands between two offsets."""
    if end - start > _MOST:
        return False
    depth, links = 0, []
    for character in text[start:end]:
        if character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
            if depth < 0:
                return False
        elif not depth:
            if character not in "_." and not character.isalnum() and not character.isspace():
                return False
            links.append(character)
    return depth == 0 and _LINKS.fullmatch("".join(links)) is not None
