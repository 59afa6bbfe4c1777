"""A small pretty printer: documents of text, possible line breaks, indentation and groups, laid out at a width.

A group stays on one line when it fits together with whatever follows it up to the next certain line break;
otherwise all its own breaks become line ends. This module must never know Python.
"""

from __future__ import annotations

from sqlalchemy_guard.records import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """Literal text. Line ends in it (a multi-line string) are printed as they are, and all groups around it break."""

    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A possible line break; on one line it is `flat`. A `hard` one always breaks, and so do all groups around it."""

    flat: str = ""
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Indent:
    """Lines that begin inside are one level deeper."""

    body: Doc


@dataclass(frozen=True, slots=True)
class Group:
    """Breaks together or not at all; `expand` makes it break."""

    body: Doc
    expand: bool = False


@dataclass(frozen=True, slots=True)
class IfBreak:
    """One text when the group around it breaks, another when it does not."""

    broken: str
    flat: str = ""


@dataclass(frozen=True, slots=True)
class Trailing:
    """A comment that is printed at the end of the line, and makes all groups around it break; a `free` one needs no
    room."""

    text: str
    free: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Two forms of one thing that are the same on one line; it is never part of another group.

    `tight` has no breaks but those inside its groups, its brackets. It is taken when what stands before, between and
    behind them leaves room on their lines, however long they are inside; otherwise `loose` is.
    """

    tight: Doc
    loose: Doc


Doc = Text | Line | Indent | Group | IfBreak | Trailing | Choice | tuple["Doc", ...]


def must_break(doc: Doc) -> bool:
    """Whether something inside cannot stand on one line."""
    match doc:
        case Text(text=text):
            return "\n" in text or "\r" in text
        case tuple():
            return any(must_break(part) for part in doc)
        case Line(hard=hard):
            return hard
        case Indent(body=body):
            return must_break(body)
        case Group(body=body, expand=expand):
            return expand or must_break(body)
        case Choice(loose=loose):
            return must_break(loose)
        case Trailing():
            return True
    return False


def width(text: str) -> int:
    """How many columns a text takes in a terminal, as formatters count them."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def render(doc: Doc, columns: int, margin: str, unit: str, newline: str, column: int) -> str:
    """The text of a document.

    Args:
        doc: What to print.
        columns: How many columns a line may have.
        margin: The white space in front of new lines outside every `Indent`.
        unit: One level of indentation.
        newline: The line terminator.
        column: The columns already taken on the first line.
    """
    out: list[str] = []
    pending: list[str] = []
    stack: list[tuple[int, bool, Doc]] = [(0, True, doc)]
    while stack:
        level, broken, item = stack.pop()
        match item:
            case Text(text=text):
                out.append(text)
                column = _advance(column, text)
            case tuple():
                stack.extend((level, broken, part) for part in reversed(item))
            case Indent(body=body):
                stack.append((level + 1, broken, body))
            case IfBreak():
                text = item.broken if broken else item.flat
                out.append(text)
                column += width(text)
            case Trailing(text=text):
                pending.append(text)
            case Group(body=body):
                expand = must_break(item) or not _fits(columns - column, stack, body)
                stack.append((level, expand, body))
            case Choice(tight=tight, loose=loose):
                flat = not must_break(loose) and _fits(columns - column, stack, loose)
                edge = columns - width((margin + unit * level).expandtabs(4))
                form = tight if not flat and _has_room(columns - column, edge, stack, tight) else loose
                stack.append((level, broken, form))
            case Line(flat=flat) if not broken:
                out.append(flat)
                column += width(flat)
            case Line():
                lead = margin + unit * level
                out += [*pending, newline, lead]
                pending.clear()
                column = width(lead.expandtabs(4))
    return "".join(out + pending)


def _advance(column: int, text: str) -> int:
    """The column after a text that starts at `column`."""
    last = max(text.rfind("\n"), text.rfind("\r"))
    return column + width(text) if last < 0 else width(text[last + 1 :])


def _fits(room: int, rest: list[tuple[int, bool, Doc]], body: Doc) -> bool:
    """Whether `body` on one line, and what follows up to the next line break, fits into `room` columns."""
    waiting = len(rest)
    stack: list[tuple[bool, Doc]] = [(False, body)]
    while room >= 0:
        if not stack:
            if waiting == 0:
                return True
            waiting -= 1
            stack.append(rest[waiting][1:])
        broken, item = stack.pop()
        match item:
            case Text(text=text):
                first = text.partition("\n")[0].partition("\r")[0]
                room -= width(first)
                if len(first) < len(text):
                    return room >= 0
            case tuple():
                stack.extend((broken, part) for part in reversed(item))
            case Indent(body=inner):
                stack.append((broken, inner))
            case Group(body=inner) | Choice(loose=inner):
                # What follows a group may break if it has to, so a group there counts as broken.
                stack.append((broken, inner))
            case Trailing(text=text, free=False):
                room -= width(text)
            case IfBreak():
                room -= width(item.broken if broken else item.flat)
            case Line(flat=flat):
                if broken:
                    return True
                room -= width(flat)
    return False


def _has_room(room: int, edge: int, rest: list[tuple[int, bool, Doc]], tight: Doc) -> bool:
    """Whether the lines have room for what stands around the groups of `tight`, when each of these is broken.

    Args:
        room: The columns left on the first line.
        edge: The columns of a line on which a group closes.
        rest: What follows, outermost first.
        tight: No break stands outside its groups.
    """
    waiting = len(rest)
    stack: list[Doc] = [tight]
    while room >= 0:
        if not stack:
            waiting -= 1
            if waiting < 0 or not isinstance(rest[waiting][2], Text):
                return True
            stack.append(rest[waiting][2])
        match stack.pop():
            case Text(text=text):
                room = edge if "\n" in text or "\r" in text else room
                room -= width(text[max(text.rfind("\n"), text.rfind("\r")) + 1 :])
            case Group() if room > 0:
                room = edge - 1
            case tuple() as parts:
                stack.extend(reversed(parts))
            case _:
                return False
    return False
