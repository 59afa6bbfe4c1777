"""Writes relationships that loader options and joins name by text as attributes of their classes.

Comments and layout stay; None wherever something is not known. This module must never decide what a text means:
`project.string_paths` does.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import EntityKind
from sqlalchemy_guard.fixes.imports import instead
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.fixes.local_names import bound_in
from sqlalchemy_guard.project.string_paths import COLUMN_OPTIONS, links_of
from sqlalchemy_guard.project.types import Instance, known
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.query import ModelInfo
    from sqlalchemy_guard.facts.result_uses import Parent
    from sqlalchemy_guard.fixes.imports import Placed
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.string_paths import Link, Named, Paths

_ALL = "_all"
_OLD = {"eagerload": "joinedload"}


class Attributes:
    """Writes the attributes of one file.

    Args:
        source: The text.
        statements: The module's top level, for imports.
        parent: Gives the node around a node.
        paths: What the texts mean.
    """

    def __init__(self, source: Source, statements: Sequence[Placed], parent: Parent, paths: Paths) -> None:
        self.source = source
        self.statements = statements
        self.parent = parent
        self.paths = paths

    # -- loader options --------------------------------------------------------------------------------------------

    def loaded(self, fact: CallFact) -> tuple[Edit, ...] | None:
        """A loader option, with all that is chained to it."""
        links = links_of(self.parent, fact.chunk, fact.node)
        model = self._start(fact, links)
        edits: list[Edit] = []
        imported: tuple[Edit, ...] = ()
        for link in links:
            if link.name == "Load":
                continue
            if not link.strings:
                model = self._end(link)
                continue
            if model is None or len(link.strings) != len(link.node.args):
                return None
            if link.name in COLUMN_OPTIONS:
                found = [self.paths.walk(model, [str(one.value)], columns=True) for one in link.strings]
                for one, path in zip(link.strings, found, strict=True):
                    if path is None:
                        return None
                    edits.append(self._at(fact, one, path[0].text))
                continue
            names = [name for one in link.strings for name in str(one.value).split(".")]
            path = self.paths.walk(model, names)
            if path is None:
                return None
            model = path[-1].owner.relationships[path[-1].name].target
            plain = link.name.removesuffix(_ALL)
            if len(path) == 1 and plain == link.name and plain not in _OLD:
                edits.append(self._at(fact, link.strings[0], path[0].text))
                continue
            written = self._several(fact, link, path)
            if written is None or (imported and written[1]):
                return None
            edits.append(written[0])
            imported = imported or written[1]
        return (*imported, *reflow(self.source, fact.statement, edits, fact.chunk.shift)) if edits else None

    def _at(self, fact: CallFact, node: ast.expr, text: str) -> Edit:
        shift = fact.chunk.shift
        return Edit(self.source.start(node, shift), self.source.end(node, shift), text)

    def _start(self, fact: CallFact, links: list[Link]) -> ModelInfo | None:
        """The class that the first option starts from."""
        first = links[0]
        if first.name == "Load":
            entity = self.paths.knowledge.entity(first.node.args[0]) if first.node.args else None
            return entity.model if entity is not None and entity.kind is EntityKind.MODEL else None
        if not first.strings:
            return None
        holder = self.parent(fact.chunk, links[-1].node)
        if (
            isinstance(holder, ast.Call)
            and isinstance(holder.func, ast.Attribute)
            and holder.func.attr == "options"
        ):
            return self.paths.subject(holder.func.value)
        return None

    def _end(self, link: Link) -> ModelInfo | None:
        """The class that an option's attributes lead to."""
        return self.paths.target(link.node.args[-1]) if link.node.args else None

    def _several(self, fact: CallFact, link: Link, path: list[Named]) -> tuple[Edit, tuple[Edit, ...]] | None:
        """One option for each step of a path: all as the last one where the name says so (`joinedload_all`)."""
        call, shift = link.node, fact.chunk.shift
        start, end = self.source.start(call.func, shift), self.source.end(call, shift)
        if call.keywords or self.source.comments(self.source.opening(call, shift), end):
            return None
        plain = link.name.removesuffix(_ALL)
        last = _OLD.get(plain, plain)
        before = last if link.name.endswith(_ALL) else "defaultload"
        names = [*([before] * (len(path) - 1)), last]
        imported: tuple[Edit, ...] = ()
        lead = names[0]
        if isinstance(call.func, ast.Attribute):
            start = self.source.end(call.func, shift) - len(call.func.attr)
        elif lead != link.name:
            # The old name goes with its import where nothing else uses it.
            gone = link.name if last != link.name else ""
            found = instead(
                self.source, self.statements, "sqlalchemy.orm", gone, lead, taken=bound_in(fact.function)
            )
            lead, imported = found.expression, found.edits
        links = [f"{name}({each.text})" for name, each in zip([lead, *names[1:]], path, strict=True)]
        return Edit(start, end, ".".join(links)), imported

    # -- joins -----------------------------------------------------------------------------------------------------

    def joined(self, fact: CallFact) -> tuple[Edit, ...] | None:
        """`join("orders")`, `join("orders", "items")`, `join(Order, "orders")`."""
        call, shift = fact.node, fact.chunk.shift
        if not isinstance(call.func, ast.Attribute):
            return None
        point = self.paths.join_point(call.func.value)
        if point is None or any(keyword.arg not in ("isouter", "full") for keyword in call.keywords):
            return None
        args = call.args
        if len(args) == 2 and not _is_text(args[0]) and _is_text(args[1]):
            path = self.paths.walk(point, [_text(args[1])])
            edits = [self._at(fact, args[1], path[0].text)] if path is not None else []
        elif all(_is_text(arg) for arg in args):
            path = self.paths.walk(point, [name for arg in args for name in _text(arg).split(".")])
            if path is None:
                return None
            if len(path) == 1:
                edits = [self._at(fact, args[0], path[0].text)]
            else:
                opening, end = self.source.opening(call, shift), self.source.end(call, shift)
                if call.keywords or self.source.comments(opening, end):
                    return None
                start = self.source.end(call.func, shift) - len(call.func.attr)
                text = ".".join(f"{call.func.attr}({each.text})" for each in path)
                edits = [Edit(start, end, text)]
        else:
            return None
        return reflow(self.source, fact.statement, edits, shift) if edits else None

    def parented(self, fact: CallFact) -> tuple[Edit, ...] | None:
        """`with_parent(user, "orders")`"""
        call = fact.node
        given = call.args[1] if len(call.args) > 1 else call.keywords[0].value if call.keywords else None
        if given is None or not call.args or not _is_text(given):
            return None
        knowledge = self.paths.knowledge
        for kind in known(knowledge.type(call.args[0])):
            if isinstance(kind, Instance) and isinstance(kind.ref, tuple) and not kind.likely:
                model = knowledge.mappings.model(kind.ref)
                path = self.paths.walk(model, [_text(given)]) if model is not None else None
                if path is not None:
                    edits = [self._at(fact, given, path[0].text)]
                    return reflow(self.source, fact.statement, edits, fact.chunk.shift)
        return None


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _text(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""
