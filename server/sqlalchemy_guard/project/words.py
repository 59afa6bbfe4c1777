"""Which files have a word in their text: asked for single names, kept in step with edits.

Files that were not analysed because they have nothing to say by themselves are looked at as well: they may call what
others define. Names only: this module must never look at what a word means.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy_guard.project.resolve import Key

WORD = "*word"
"""`(WORD, "find")` is the key of what rests on where the word `find` stands."""

_IDENTIFIER = lazy_pattern(r"[^\W\d]\w*")


class Words:
    """The files that have the words that somebody asked for.

    Args:
        read: Gives the text of a file, None when it cannot be read.
    """

    def __init__(self, read: Callable[[str], str | None]) -> None:
        self._read = read
        self._asked: dict[str, set[str]] = {}
        self._aside: set[str] = set()
        self._aside_words: dict[str, list[str]] | None = None

    def put_aside(self, file_id: str) -> None:
        """A file was read and not analysed."""
        self._aside.add(file_id)
        self._aside_words = None

    def renew_aside(self, file_id: str) -> set[Key]:
        """A file that is not analysed came, went or changed; returns the keys of what may mean something else."""
        self.put_aside(file_id)
        return {(WORD, word) for word in self._asked}

    def files(self, word: str, known: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
        """The files that have a word.

        Args:
            word: An identifier.
            known: Id and text of every analysed file; read when the word is asked for the first time only.

        Returns those that were analysed, and those that were put aside.
        """
        found = self._asked.get(word)
        if found is None:
            found = self._asked[word] = {file_id for file_id, text in known if _has(text, word)}
        return sorted(found), self._all_aside().get(word, [])

    def _all_aside(self) -> dict[str, list[str]]:
        if self._aside_words is None:
            words: dict[str, list[str]] = {}
            for file_id in sorted(self._aside):
                for word in set(_IDENTIFIER.findall(self._read(file_id) or "")):
                    words.setdefault(word, []).append(file_id)
            self._aside_words = words
        return self._aside_words

    def learn(self, file_id: str, text: str) -> set[Key]:
        """A file was analysed; returns the keys of what may mean something else."""
        if file_id in self._aside:
            self._aside.discard(file_id)
            self._aside_words = None
        keys: set[Key] = set()
        for word, files in self._asked.items():
            has = _has(text, word)
            if has or file_id in files:
                keys.add((WORD, word))
            (files.add if has else files.discard)(file_id)
        return keys

    def update(self, file_id: str, text: Callable[[], str], lines: Iterable[str]) -> set[Key]:
        """A file was edited.

        Args:
            file_id: The file.
            text: Gives its text as it now is.
            lines: Those that went and those that came.

        Returns:
            The keys of what may mean something else.
        """
        if not self._asked:
            return set()
        touched = self._asked.keys() & {word for line in lines for word in _IDENTIFIER.findall(line)}
        for word in touched:
            (self._asked[word].add if _has(text(), word) else self._asked[word].discard)(file_id)
        return {(WORD, word) for word in touched}

    def forget(self, file_id: str) -> set[Key]:
        """A file went; returns the keys of what may mean something else."""
        if file_id in self._aside:
            self._aside.discard(file_id)
            self._aside_words = None
        found = {word for word, files in self._asked.items() if file_id in files}
        for word in found:
            self._asked[word].discard(file_id)
        return {(WORD, word) for word in found}


def _has(text: str, word: str) -> bool:
    return word in text and re.search(rf"\b{re.escape(word)}\b", text) is not None
