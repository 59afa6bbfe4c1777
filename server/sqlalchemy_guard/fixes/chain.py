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
    """Whether nothing but attributes, and calls or subscripts as a whole, stands between two offsets.

    The first of them may stand in the brackets of such a call.
    """
    if end - start > _MOST:
        return False
    links: list[str] = []
    depth, is_chain = 0, True
    for character in text[start:end]:
        if character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
            if depth < 0:
                # It begins inside the brackets of a link: what is written there may be the end of the chain so far.
                depth, is_chain = 0, True
                links.clear()
        elif not depth:
            is_chain = is_chain and (character in "_." or character.isalnum() or character.isspace())
            links.append(character)
    return is_chain and depth == 0 and _LINKS.fullmatch("".join(links)) is not None
