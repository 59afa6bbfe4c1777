"""YAML as nodes that know where they stand, multi-line texts included. Must never construct objects from tags.

`ruamel.yaml` is imported when the first document is read. Templates of Helm are read as what is left without their actions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias
from warnings import catch_warnings, simplefilter

from sqlalchemy_guard.documents.shell import Script
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

Node: TypeAlias = Any
"""A node of ruamel's composer: `value`, `start_mark.index`, `end_mark.index`."""

_ACTION = lazy_pattern(r"\{\{.*?\}\}")
_DEEPEST = 60


class BrokenYaml(ValueError):
    """The text is no YAML; `line` and `column` are 0-based."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def read_nodes(text: str) -> list[Node]:
    """The top nodes of the documents in a text.

    Raises:
        BrokenYaml: it cannot be read.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    yaml = YAML(typ="rt", pure=True)
    yaml.allow_duplicate_keys = True
    found: list[Node] = []
    try:
        with catch_warnings():
            # Of an anchor that is used twice, YAML takes the last one, and so do we.
            simplefilter("ignore")
            constructor, _ = yaml.get_constructor_parser(without_actions(text))
            composer = constructor.composer
            while composer.check_node():
                found.append(composer.get_node())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark is not None else (0, 0)
        raise BrokenYaml(str(error.problem or error.context or "not YAML"), line, column) from error
    except (YAMLError, RecursionError, ValueError, TypeError, AttributeError, AssertionError) as error:
        # Characters that YAML forbids, and what its reader stumbles over.
        raise BrokenYaml(str(error).partition("\n")[0] or type(error).__name__, 0, 0) from error
    return found


def without_actions(text: str) -> str:
    """A template of Helm with every action replaced by as many characters that YAML does not mind."""
    if "{{" not in text or "${{" in text:
        return text
    lines = []
    for line in text.splitlines(keepends=True):
        bare = _ACTION.sub("", line).strip()
        if "{{" not in line:
            lines.append(line)
        elif bare in ("", "-"):
            lines.append(_ACTION.sub(lambda found: " " * len(found[0]), line).replace("-", " "))
        else:
            lines.append(_ACTION.sub(lambda found: "x" * len(found[0]), line))
    return "".join(lines)


def is_mapping(node: Node) -> bool:
    """Whether a node is a mapping."""
    return getattr(node, "id", "") == "mapping"


def is_sequence(node: Node) -> bool:
    """Whether a node is a sequence."""
    return getattr(node, "id", "") == "sequence"


def items(node: Node, depth: int = 0) -> Iterator[tuple[str, Node, Node]]:
    """Key, key node and value of a mapping, those that it merges last; nothing for other nodes."""
    if not is_mapping(node) or depth > _DEEPEST:
        return
    merged: list[Node] = []
    seen = set()
    for key, value in node.value:
        name = key.value if isinstance(key.value, str) else ""
        if name == "<<":
            merged += value.value if is_sequence(value) else [value]
        else:
            seen.add(name)
            yield name, key, value
    for other in merged:
        for name, key, value in items(other, depth + 1):
            if name not in seen:
                seen.add(name)
                yield name, key, value


def get(node: Node, *names: str) -> Node | None:
    """The value under nested keys."""
    for name in names:
        node = next((value for key, _, value in items(node) if key == name), None)
        if node is None:
            return None
    return node


def elements(node: Node, depth: int = 0) -> Iterator[Node]:
    """The elements of a sequence, those of sequences inside as well (anchors); a scalar is its own element."""
    if node is None or depth > _DEEPEST:
        return
    if is_sequence(node):
        for element in node.value:
            if is_sequence(element):
                yield from elements(element, depth + 1)
            else:
                yield element
    elif not is_mapping(node):
        yield node


def plain(node: Node | None) -> str:
    """The text of a scalar, nothing for other nodes."""
    return node.value if node is not None and isinstance(node.value, str) else ""


def bounds(node: Node) -> tuple[int, int]:
    """Where a node begins and ends in the text, without what follows it."""
    start, end = node.start_mark.index, node.end_mark.index
    if (is_mapping(node) or is_sequence(node)) and not node.flow_style and node.value:
        last = node.value[-1]
        inner = last[1] if isinstance(last, tuple) else last
        if inner.start_mark.index > start:
            end = bounds(inner)[1]
        elif isinstance(last, tuple):
            # What an alias stands for is elsewhere, and may be the node itself.
            end = last[0].end_mark.index
    return start, max(start, end)


def script_of(node: Node, text: str) -> Script:
    """The text of a scalar with the places of its characters; nothing for other nodes."""
    start, end = node.start_mark.index, node.end_mark.index
    if not isinstance(node.value, str):
        return Script("", (start,))
    if getattr(node, "style", None) in ("|", ">"):
        return _block(text, start, end, folded=node.style == ">")
    raw = text[start:end]
    value: str = node.value
    inner = raw[1:-1] if raw[:1] in ("'", '"') else raw
    offset = start + (1 if len(inner) < len(raw) else 0)
    if inner == value:
        return Script.of(value, offset)
    folded = _flow(inner, offset)
    return folded if folded.text == value else Script(value, (start,) * (len(value) + 1))


def _flow(raw: str, start: int) -> Script:
    """A text over several lines that is folded: line ends with the blanks around them are one blank, or as many line ends as
    there are empty lines."""
    characters: list[str] = []
    offsets: list[int] = []
    at, empty = start, 0
    for number, line in enumerate(raw.splitlines(keepends=True)):
        body = line.strip(" \t\r\n")
        begin = at + len(line) - len(line.lstrip(" \t"))
        if body or number == 0:
            if number:
                characters += ["\n"] * empty or [" "]
                offsets += [begin] * max(1, empty)
            characters += body
            offsets += range(begin, begin + len(body))
            empty = 0
        else:
            empty += 1
        at += len(line)
    return Script("".join(characters), (*offsets, start + len(raw)))


def _block(text: str, start: int, end: int, *, folded: bool) -> Script:
    first = text.find("\n", start) + 1
    if not first:
        return Script("", (end,))
    lines = text[first:end].splitlines(keepends=True)
    indent = next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), 0)
    characters: list[str] = []
    offsets: list[int] = []
    at = first
    for line in lines:
        cut = min(indent, len(line) - len(line.lstrip(" ")))
        for number in range(cut, len(line)):
            characters.append(" " if folded and line[number] == "\n" and line.strip() else line[number])
            offsets.append(at + number)
        at += len(line)
    return Script("".join(characters), (*offsets, at))
