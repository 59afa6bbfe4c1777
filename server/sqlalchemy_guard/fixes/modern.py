"""Writes forms of SQLAlchemy 1.x as those of 2.x, where the new form follows from the old one (`project.removed`).

Every function gives the edits of one call, or None where a comment would be lost or something is in the way. This module
must never decide what is old.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.arguments import remove_argument
from sqlalchemy_guard.fixes.blocks import wrap
from sqlalchemy_guard.fixes.imports import instead, need
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.fixes.local_names import bound_in
from sqlalchemy_guard.fixes.naming import fresh
from sqlalchemy_guard.project.removed import (
    Chained,
    Connected,
    Inspected,
    Parameters,
    Relinked,
    Renamed,
    Replaced,
    Rewrite,
)
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.result_uses import Parent
    from sqlalchemy_guard.fixes.imports import Placed
    from sqlalchemy_guard.fixes.source import Source

Edits = tuple[Edit, ...]


def modernized(
    source: Source, statements: Sequence[Placed], parent: Parent, fact: CallFact, rewrite: Rewrite
) -> Edits | None:
    """The edits that write a call as `rewrite` says.

    Args:
        source: The text.
        statements: The module's top level, for imports.
        parent: Gives the node around a node.
        fact: The call.
        rewrite: The new form.
    """
    match rewrite:
        case Renamed():
            return _renamed(source, statements, fact, rewrite)
        case Relinked():
            return _relinked(source, statements, fact, rewrite)
        case Replaced(name=name):
            imported = need(source, statements, "sqlalchemy", name, taken=bound_in(fact.function))
            return _with(source, fact, [_whole(source, fact, f"{imported.expression}()")], imported.edits)
        case Inspected(method=method):
            imported = need(source, statements, "sqlalchemy", "inspect", taken=bound_in(fact.function))
            receiver = _receiver(source, fact)
            if receiver is None:
                return None
            start = source.start(fact.node, fact.chunk.shift)
            edit = Edit(
                start,
                source.end(fact.node.func, fact.chunk.shift),
                f"{imported.expression}({receiver}).{method}",
            )
            return _with(source, fact, [edit], imported.edits)
        case Chained():
            return _chained(source, fact, rewrite)
        case Parameters():
            return _parameters(source, fact)
        case Connected(method=method):
            return _connected(source, parent, fact, method)


def _with(source: Source, fact: CallFact, edits: list[Edit], imported: Edits = ()) -> Edits:
    return (*imported, *reflow(source, fact.statement, edits, fact.chunk.shift))


def _whole(source: Source, fact: CallFact, text: str) -> Edit:
    shift = fact.chunk.shift
    return Edit(source.start(fact.node, shift), source.end(fact.node, shift), text)


def _receiver(source: Source, fact: CallFact) -> str | None:
    func = fact.node.func
    return source.segment(func.value, fact.chunk.shift) if isinstance(func, ast.Attribute) else None


def _renamed(source: Source, statements: Sequence[Placed], fact: CallFact, new: Renamed) -> Edits | None:
    func, shift = fact.node.func, fact.chunk.shift
    end = source.end(func, shift)
    if isinstance(func, ast.Attribute):
        return _with(source, fact, [Edit(end - len(func.attr), end, new.new)])
    if not isinstance(func, ast.Name):
        return None
    imported = instead(source, statements, new.module, new.old, new.new, taken=bound_in(fact.function))
    return _with(source, fact, [Edit(source.start(func, shift), end, imported.expression)], imported.edits)


def _relinked(source: Source, statements: Sequence[Placed], fact: CallFact, new: Relinked) -> Edits | None:
    func, shift = fact.node.func, fact.chunk.shift
    if not isinstance(func, ast.Attribute):
        return None
    imported = [
        need(source, statements, "sqlalchemy", name, taken=bound_in(fact.function)) for name in new.imports
    ]
    text = new.text.format(*[one.expression for one in imported])
    start = source.end(func, shift) - len(func.attr)
    edits = [Edit(start, source.end(fact.node, shift), text)]
    return _with(source, fact, edits, tuple(edit for one in imported for edit in one.edits))


# -- arguments ---------------------------------------------------------------------------------------------------------


def _value(argument: ast.expr | ast.keyword) -> ast.expr:
    return argument.value if isinstance(argument, ast.keyword) else argument


def unpacked(source: Source, node: ast.expr, shift: int, *, is_last: bool) -> list[Edit] | None:
    """Take the brackets of a display away, or put a star in front of another expression.

    Args:
        source: The text.
        node: The argument.
        shift: Of the chunk that it comes from.
        is_last: Whether no other argument follows.
    """
    start, end = source.start(node, shift), source.end(node, shift)
    if not isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return [Edit(start, start, "*")]
    if source.text[start] not in "[({" or not node.elts:
        return None
    if isinstance(node, ast.Tuple) and source.text[end - 1] != ")":
        return None
    closing = end - 1
    last = source.end(node.elts[-1], shift)
    inside = [token for token in source.tokens(last, closing) if token.kind in ("comma", "comment")]
    edits = [Edit(start, start + 1, "")]
    comma = next((token for token in inside if token.kind == "comma"), None)
    behind = source.text[end : source.line_end(end)].lstrip()
    if comma is not None and (not is_last or behind.startswith(",")):
        edits.append(Edit(comma.start, comma.end, ""))
    return [*edits, Edit(closing, end, "")]


def _chained(source: Source, fact: CallFact, new: Chained) -> Edits | None:
    call, shift = fact.node, fact.chunk.shift
    if not new.moved and not new.dropped:
        (holder,) = new.spread
        arguments: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
        if isinstance(holder, ast.keyword):
            return _rebuilt(source, fact, new)
        edits = unpacked(source, holder, shift, is_last=len(arguments) == 1)
        return _with(source, fact, edits) if edits is not None else None
    if not new.spread and not new.moved and len(new.dropped) == 1:
        return remove_argument(source, call, new.dropped[0], shift, fact.statement)
    return _rebuilt(source, fact, new)


def _rebuilt(source: Source, fact: CallFact, new: Chained) -> Edits | None:
    """The call written anew: what stays in its parentheses, then the links."""
    call, shift = fact.node, fact.chunk.shift
    opening = source.opening(call, shift)
    end = source.end(call, shift)
    if source.comments(opening, end):
        return None
    gone = {id(one) for one in (*new.dropped, *(argument for argument, _, _ in new.moved))}
    kept = []
    arguments: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    for argument in sorted(arguments, key=lambda one: source.start(one, shift)):
        if id(argument) not in gone:
            is_spread = any(argument is one for one in new.spread)
            kept.append(_items(source, argument, shift) if is_spread else source.segment(argument, shift))
    links = [_link(source, argument, method, shift, is_list=many) for argument, method, many in new.moved]
    text = f"({', '.join(one for one in kept if one)}){''.join(links)}"
    return _with(source, fact, [Edit(opening, end, text)])


def _items(source: Source, argument: ast.expr | ast.keyword, shift: int) -> str:
    node = _value(argument)
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return ", ".join(source.segment(item, shift) for item in node.elts)
    return f"*{source.segment(node, shift)}"


def _link(source: Source, argument: ast.expr | ast.keyword, method: str, shift: int, *, is_list: bool) -> str:
    if method.endswith("()"):
        return f".{method}"
    node = _value(argument)
    is_display = isinstance(node, (ast.List, ast.Tuple))
    text = _items(source, node, shift) if is_list and is_display else source.segment(node, shift)
    return f".{method}({text})"


def _parameters(source: Source, fact: CallFact) -> Edits | None:
    """`execute(statement, a=1)` and `execute(statement, {…}, {…})` with one argument behind the statement."""
    call, shift = fact.node, fact.chunk.shift
    first, *rest = call.args
    start = source.end(first, shift)
    end = source.end(call, shift) - 1
    if source.comments(start, end):
        return None
    if call.keywords:
        entries = ", ".join(f'"{one.arg}": {source.segment(one.value, shift)}' for one in call.keywords)
        text = f", {{{entries}}}"
        begin, last = call.keywords[0], call.keywords[-1]
        lead = source.text.rindex(",", start, source.start(begin, shift))
        return _with(source, fact, [Edit(lead, source.end(last, shift), text)])
    begin_at, last_at = source.start(rest[0], shift), source.end(rest[-1], shift)
    return _with(source, fact, [Edit(begin_at, begin_at, "["), Edit(last_at, last_at, "]")])


# -- connections -------------------------------------------------------------------------------------------------------

_READ_AT_ONCE = frozenset(
    ("fetchall", "fetchone", "fetchmany", "first", "scalar", "all", "one", "one_or_none", "scalar_one",
     "scalar_one_or_none", "rowcount", "inserted_primary_key", "lastrowid", "keys")
)  # fmt: skip


def _connected(source: Source, parent: Parent, fact: CallFact, method: str) -> Edits | None:
    """Put a connection around a simple statement that is done with the result at its end."""
    statement, shift = fact.statement, fact.chunk.shift
    if not isinstance(statement, (ast.Expr, ast.Assign, ast.AnnAssign, ast.Return)):
        return None
    if not _is_read(parent, fact):
        return None
    receiver = fact.node.func.value if isinstance(fact.node.func, ast.Attribute) else None
    if receiver is None or any(isinstance(part, (ast.Call, ast.Lambda)) for part in ast.walk(receiver)):
        return None
    if any(isinstance(part, ast.Lambda | ast.Await | ast.Yield) for part in ast.walk(statement)):
        return None
    name = fresh("connection", {*bound_in(fact.function), *_names(source, fact)})
    text = source.segment(receiver, shift)
    wrapped = wrap(source, [statement], f"with {text}.{method}() as {name}:", shift)
    if wrapped is None:
        return None
    return (*wrapped, Edit(source.start(receiver, shift), source.end(receiver, shift), name))


def _names(source: Source, fact: CallFact) -> set[str]:
    """At module level: the names of the whole module."""
    if fact.function is not None:
        return set()
    return {part.id for part in ast.walk(ast.parse(source.text)) if isinstance(part, ast.Name)}


def _is_read(parent: Parent, fact: CallFact) -> bool:
    """Whether nobody sees the result itself after the statement."""
    if fact.node.func.attr == "scalar":  # type: ignore[attr-defined]
        return True
    node: ast.AST = fact.node
    around = parent(fact.chunk, node)
    if isinstance(around, ast.Expr):
        return True
    while isinstance(around, ast.Attribute):
        if around.attr in _READ_AT_ONCE:
            return True
        call = parent(fact.chunk, around)
        if not isinstance(call, ast.Call) or around.attr not in ("scalars", "mappings", "unique"):
            return False
        around = parent(fact.chunk, call)
    if isinstance(around, ast.Call) and isinstance(around.func, ast.Name):
        return around.func.id in ("list", "tuple", "set", "dict", "sorted", "len") and node in around.args
    # A list or set display collects the rows, a generator does not.
    comprehension = parent(fact.chunk, around) if isinstance(around, ast.comprehension) else None
    return isinstance(comprehension, (ast.ListComp, ast.SetComp, ast.DictComp))
