"""What a Jinja template says by itself: its tags as a tree, with what each holds still as tokens.

Custom tags are passed over, so that what stands in them belongs to what is around. This module must never look at another template,
and never fail: a template that does not end what it began ends it where the text ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.jinja_lexing import tags
from sqlalchemy_guard.records import dataclass, field

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.jinja_lexing import Token

_CONTAINERS = frozenset(("for", "if", "block", "macro", "call", "filter", "with", "autoescape", "set"))
_LEAVES = frozenset(("include", "import", "from", "extends", "set", "do", "print"))


@dataclass(slots=True, eq=False)
class Node:
    """A tag and what stands in it.

    Attributes:
        kind: Its first word; `output` for `{{ … }}`.
        tokens: What follows that word.
        body: What stands in it, in order.
        branches: The `elif` and `else` parts, which are nodes of these kinds.
    """

    kind: str
    tokens: tuple[Token, ...]
    body: list[Node] = field(default_factory=list)
    branches: list[Node] = field(default_factory=list)


def parse(text: str) -> list[Node]:
    """The tags of a template as a tree."""
    top: list[Node] = []
    blocks = [top]
    opened: list[Node] = []
    for tag in tags(text):
        if tag.kind == "{":
            blocks[-1].append(Node("output", tag.tokens))
            continue
        if not tag.tokens:
            continue
        kind, rest = tag.tokens[0].text, tag.tokens[1:]
        if kind in ("elif", "else") and opened and opened[-1].kind in ("if", "for"):
            branch = Node(kind, rest)
            opened[-1].branches.append(branch)
            blocks[-1] = branch.body
        elif kind.startswith("end"):
            wanted = kind[3:]
            if any(node.kind == wanted for node in opened):
                while opened:
                    blocks.pop()
                    if opened.pop().kind == wanted:
                        break
        elif kind in _CONTAINERS and not (kind == "set" and any(token.text == "=" for token in rest)):
            node = Node(kind, rest)
            blocks[-1].append(node)
            opened.append(node)
            blocks.append(node.body)
        elif kind in _LEAVES:
            blocks[-1].append(Node(kind, rest))
    return top
