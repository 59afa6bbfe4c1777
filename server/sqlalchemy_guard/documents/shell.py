"""Shell scripts taken apart into simple commands with their places. Must never expand or run anything.

What is not understood is left in the words as it is written; a command that cannot be taken apart costs only itself.
"""

from __future__ import annotations

from sqlalchemy_guard.records import NamedTuple, dataclass
from sqlalchemy_guard.text.patterns import lazy_pattern

_KEYWORDS = frozenset(
    {"if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "fi", "done", "}", "esac"}
)
_HEREDOC = lazy_pattern(r"<<-?\s*(['\"]?)([A-Za-z_][\w]*)\1")
_FUNCTION = lazy_pattern(r"[\w-]+\(\)")
_LONGEST = 400_000
"""Characters of a script above which it is not taken apart: no script that somebody wrote is that long."""


class Word(NamedTuple):
    """A word of a command without its quotes, its offsets in the document, and itself as a script (`sh -c "..."`)."""

    text: str
    start: int
    end: int
    script: Script | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """A text that a shell gets, and where its characters stand in the document.

    Attributes:
        text: As the shell sees it.
        offsets: For each character, and the end, the offset in the document.
    """

    text: str
    offsets: tuple[int, ...]

    @classmethod
    def of(cls, text: str, start: int = 0) -> Script:
        """The script that is written out at an offset of the document."""
        return cls(text, tuple(range(start, start + len(text) + 1)))


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple command.

    Attributes:
        words: At least one.
        start: Offset in the document.
        end: Offset behind its last word.
        opens_line: Whether nothing but blanks stands before it on its line of the script.
        guarded: Whether it stands behind `||`, so that it runs when another one failed.
    """

    words: tuple[Word, ...]
    start: int
    end: int
    opens_line: bool
    guarded: bool = False

    @property
    def text(self) -> str:
        """The words with single blanks."""
        return " ".join(word.text for word in self.words)


def simple_commands(script: Script) -> list[Simple]:
    """The simple commands of a script in the order in which they are written."""
    return _Splitter(script).split() if len(script.text) <= _LONGEST else []


class _Splitter:
    """Walks over one script. State: the words of the command that is being read."""

    def __init__(self, script: Script) -> None:
        self._text = script.text
        self._offsets = script.offsets
        self._found: list[Simple] = []
        self._words: list[tuple[str, int, int]] = []
        self._guarded = False
        self._heredocs: list[str] = []

    def split(self) -> list[Simple]:
        text, at = self._text, 0
        while at < len(text):
            char = text[at]
            if char in "\n\r":
                self._close()
                at = self._after_heredocs(at + 1) if char == "\n" else at + 1
            elif char in " \t":
                at += 1
            elif text.startswith(("\\\n", "\\\r\n"), at):
                at += 2 if text[at + 1] == "\n" else 3
            elif char == "#":
                while at < len(text) and text[at] != "\n":
                    at += 1
            elif char in ";&|()":
                # `2>&1` is part of a word and does not come here.
                double = text[at : at + 2]
                self._close()
                self._guarded = double == "||"
                at += 2 if double in ("&&", "||", ";;", "((") else 1
            else:
                at = self._word(at)
        self._close()
        return self._found

    def _word(self, at: int) -> int:
        text, start, parts = self._text, at, list[str]()
        heredoc = _HEREDOC.match(text, at)
        if heredoc:
            self._heredocs.append(heredoc[2])
            return heredoc.end()
        while at < len(text):
            char = text[at]
            if (
                char in " \t\n\r;"
                or (char in "|&" and text[at - 1] not in "<>")
                or (char == ")" and at > start)
            ):
                if char == ")" and self._opens_command() and parts[-1:] != ["("]:
                    # The pattern of a `case`: what it leads to is a command of its own.
                    return at + 1
                break
            if char in "'\"":
                end = self._quoted(at)
                inner = text[at + 1 : end - 1]
                parts.append(inner.replace('\\"', '"') if char == '"' else inner)
                at = end
            elif char == "\\" and at + 1 < len(text):
                parts.append("" if text[at + 1] == "\n" else text[at + 1])
                at += 2
            elif text.startswith(("$(", "`", "${"), at):
                end = self._nested(at)
                parts.append(text[at:end])
                at = end
            elif char == "(" and text.startswith("()", at):
                parts.append("()")
                at += 2
            else:
                parts.append(char)
                at += 1
        word = "".join(parts)
        if self._opens_command() and (word in _KEYWORDS or _FUNCTION.fullmatch(word)):
            return max(at, start + 1)
        self._words.append((word, start, at))
        return max(at, start + 1)

    def _opens_command(self) -> bool:
        return not self._words

    def _quoted(self, at: int) -> int:
        """The index behind a quoted text; the end where it is not closed."""
        quote, text = self._text[at], self._text
        at += 1
        while at < len(text):
            if text[at] == "\\" and quote == '"':
                at += 2
                continue
            if text[at] == quote:
                return at + 1
            at += 1
        return len(text) + 1

    def _nested(self, at: int) -> int:
        """The index behind a substitution."""
        text = self._text
        if text[at] == "`":
            end = text.find("`", at + 1)
            return len(text) if end < 0 else end + 1
        opening, closing = ("(", ")") if text[at + 1] == "(" else ("{", "}")
        depth = 0
        while at < len(text):
            if text[at] == opening:
                depth += 1
            elif text[at] == closing:
                depth -= 1
                if depth == 0:
                    return at + 1
            at += 1
        return len(text)

    def _after_heredocs(self, at: int) -> int:
        """The index behind the texts that commands of the line get on standard input."""
        text = self._text
        while self._heredocs:
            wanted = self._heredocs.pop(0)
            while at < len(text):
                end = text.find("\n", at)
                line = text[at:] if end < 0 else text[at:end]
                at = len(text) if end < 0 else end + 1
                if line.strip() == wanted:
                    break
        return at

    def _close(self) -> None:
        words, self._words = self._words, []
        guarded, self._guarded = self._guarded, False
        if not words:
            return
        made = tuple(self._made(*word) for word in words)
        before = self._text[self._text.rfind("\n", 0, words[0][1]) + 1 : words[0][1]]
        self._found.append(Simple(made, made[0].start, made[-1].end, not before.strip(), guarded))

    def _made(self, word: str, start: int, end: int) -> Word:
        last, offsets = len(self._text), self._offsets
        script = None
        if " " in word:
            if end - start == len(word) + 2 and end <= last:
                script = Script(word, offsets[start + 1 : end])
            else:
                # Escapes inside: what is in it is known, where is not.
                script = Script(word, (offsets[start],) * (len(word) + 1))
        return Word(word, offsets[min(start, last)], offsets[min(end, last)], script)
