"""Options of `.ini` files that are database URLs, with their places. Must never expand or judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.documents.facts import UrlOption
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.documents.facts import PlainDocument

_SECTION = lazy_pattern(r"\[(?P<name>[^\]]+)\]")
_OPTION = lazy_pattern(
    r"(?P<name>(?:[\w.-]*[._-])?(?:sqlalchemy[._]url|database[._]url|db[._]url))\s*[=:]\s*(?P<value>\S+)\s*$"
)


def url_options(plain: PlainDocument) -> Iterator[UrlOption]:
    """The options of a file that are written as URLs of SQLAlchemy."""
    section = ""
    offset = 0
    for number, line in enumerate(plain.document.lines):
        body = line.rstrip("\r\n")
        head = _SECTION.match(body)
        found = _OPTION.match(body)
        if head:
            section = head["name"]
        elif found and "://" in found["value"]:
            yield UrlOption(plain, section, found["value"], offset + found.start("value"), number)
        offset += len(line)
