"""What a terminal gets and a pipe does not: colours, widths and a progress bar.

This module must never write to standard output by itself.
"""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_STYLES = {
    "bold": "1",
    "red": "1;31",
    "yellow": "1;33",
    "blue": "1;34",
    "cyan": "1;36",
    "green": "1;32",
    "dim": "2",
}
_TAB = 4
_BAR = 30
_FEW = 8


def wants_color(choice: str, stream: TextIO) -> bool:
    """Whether to colour a stream.

    Args:
        choice: "always", "never" or "auto": on a terminal unless NO_COLOR is set, anywhere if FORCE_COLOR is.
    """
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class Style:
    """Colours words, or leaves them alone."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    def __call__(self, name: str, words: str) -> str:
        return f"\x1b[{_STYLES[name]}m{words}\x1b[0m" if self.enabled and words else words


def visible(text: str) -> str:
    """Source text as it may be shown on a terminal: tabs and newlines as spaces, control characters by their names."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character == "\t":
        return " " * _TAB
    if character == "\n":
        return " "
    # Also characters that turn the direction of text: they can make source look like other source.
    if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") and character not in "\u200d\ufe0f":
        return f"\\u{{{ord(character):x}}}"
    return character


def width(text: str) -> int:
    """How many cells of a terminal a text takes that `visible` has gone over."""
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character) or character in "\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def warn(message: str, color: str = "auto") -> None:
    """A warning on standard error."""
    style = Style(wants_color(color, sys.stderr))
    print(f"{style('yellow', 'warning')}: {message}", file=sys.stderr)


def progress(items: Sequence[str], label: str, enabled: bool) -> Iterator[str]:
    """The items, with a bar on standard error meanwhile; on terminals only."""
    with _Bar(label, enabled and len(items) > _FEW) as bar:
        for done, item in enumerate(items):
            bar.show(done, len(items))
            yield item


def drain(steps: Iterable[tuple[int, int]], label: str, enabled: bool) -> None:
    """Take all steps, pairs of how many are done of how many, with a bar as in `progress`."""
    with _Bar(label, enabled) as bar:
        for done, total in steps:
            bar.show(done, total)


class _Bar:
    """A line on standard error that is gone at the end."""

    def __init__(self, label: str, enabled: bool) -> None:
        self._label = label
        self._enabled = enabled and sys.stderr.isatty()
        self._filled = -1

    def __enter__(self) -> Self:
        return self

    def show(self, done: int, total: int) -> None:
        """Draw, when it looks different from before."""
        filled = done * _BAR // max(total, 1)
        if self._enabled and filled != self._filled:
            self._filled = filled
            line = f"{self._label} [{'#' * filled}{'.' * (_BAR - filled)}] {done}/{total}"
            columns = shutil.get_terminal_size().columns
            print(f"\r{line[: columns - 1]}", end="", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self._filled >= 0:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
