"""From an expression's tree and text to a document that prints it as Black and Ruff do.

Comments at arguments, items and links are kept in place; a comment anywhere else, or a form that is not known,
raises `Unknown`. This module must never print anything of the expression but its own text.
"""

from __future__ import annotations

import ast
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.doc import Choice, Doc, Group, IfBreak, Indent, Line, Text, Trailing, must_break

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy_guard.fixes.scan import Token
    from sqlalchemy_guard.fixes.source import Located, Source


class Unknown(Exception):
    """The expression has a form or a comment that the layout does not know."""


# Comments that are directives may stand beyond the line's end: formatters do not break a line for them.
PRAGMAS = ("# noqa", "# type:", "# pyright:", "# pylint:", "# fmt:", "# ruff:", "# nosec", "# pragma:")

SOFT, SPACE, HARD = Line(), Line(" "), Line(hard=True)

_BOOLEAN = (ast.BoolOp, ast.BinOp, ast.Compare)
_ARITHMETIC: tuple[tuple[type[ast.operator], ...], ...] = (
    (ast.Pow,),
    (ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.MatMult),
    (ast.Add, ast.Sub),
    (ast.LShift, ast.RShift),
    (ast.BitAnd,),
    (ast.BitXor,),
    (ast.BitOr,),
)
"""Operators from what binds most to what binds least."""


def _rank(node: ast.expr) -> tuple[int, int]:
    """How little an operation's operators bind, and how many they are."""
    match node:
        case ast.BinOp(op=op):
            return next(rank for rank, ops in enumerate(_ARITHMETIC, 1) if isinstance(op, ops)), 1
        case ast.Compare(ops=ops):
            return len(_ARITHMETIC) + 1, len(ops)
        case ast.BoolOp(values=values):
            return len(_ARITHMETIC) + 2, len(values) - 1
    return 0, 0


def _operands(node: ast.expr) -> list[ast.expr]:
    """What the operators of an operation stand between or before."""
    match node:
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.Compare(left=left, comparators=comparators):
            return [left, *comparators]
        case ast.BoolOp(values=values):
            return values
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.Await(value=value):
            return [value]
    return []


def _has_items(node: ast.expr) -> bool:
    """Whether a node is a collection in brackets of its own that is not empty."""
    match node:
        case ast.List(elts=items) | ast.Set(elts=items) | ast.Tuple(elts=items):
            return bool(items)
        case ast.Dict(keys=keys):
            return bool(keys)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            return True
    return False


class Builder:
    """Builds the documents of one text whose tree starts at the text's beginning.

    Args:
        source: The text.
        vertical: Whether an outermost chain of several links has each on a line of its own, however short it is.
    """

    def __init__(self, source: Source, *, vertical: bool = False) -> None:
        self.source = source
        self.vertical = vertical
        self.text = source.text
        self.tokens: list[Token] = [
            token for token in source.tokens(0, len(self.text)) if token.kind != "newline"
        ]
        self.used: set[int] = set()
        self.tight = False

    @contextmanager
    def _form(self, *, tight: bool) -> Iterator[None]:
        """Build with no breaks outside of brackets, or with breaks."""
        before, self.tight = self.tight, tight
        try:
            yield
        finally:
            self.tight = before

    def finish(self) -> None:
        """Demand that every comment has found its place.

        Raises:
            Unknown: one has not.
        """
        if any(token.kind == "comment" and token.start not in self.used for token in self.tokens):
            raise Unknown("a comment stands where its place would be lost")

    def between(self, start: int, end: int) -> list[Token]:
        """The tokens, comments included, that lie in `[start, end)`."""
        return [token for token in self.tokens if start <= token.start and token.end <= end]

    def _own_line(self, token: Token) -> bool:
        return not self.text[self.source.line_start(token.start) : token.start].strip()

    def _comment(self, token: Token) -> str:
        self.used.add(token.start)
        return self.text[token.start : token.end].rstrip()

    def _trailing(self, token: Token) -> Trailing:
        text = self._comment(token)
        return Trailing("  " + text, free=text.startswith(PRAGMAS))

    def standing(self, node: ast.expr, left: int, right: int, *, wraps_atoms: bool = False) -> Doc:
        """An expression that stands by itself: parentheses around it are dropped, and set where it needs them.

        Args:
            node: The expression.
            left: Where it may begin, with its parentheses.
            right: Where it ends at the latest, with them.
            wraps_atoms: Whether what cannot break where it is comes on a line of its own, in parentheses.
        """
        start, end = self.source.start(node), self.source.end(node)
        for token in self.between(left, start) + self.between(end, right):
            if token.kind == "comment" or self.text[token.start : token.end] not in "()":
                raise Unknown("something stands between the expression and its parentheses")
        body = self._ternary(node) if isinstance(node, ast.IfExp) else self.doc(node, start)
        if isinstance(node, ast.Tuple) and not self._bracketed(node):
            raise Unknown("a tuple without parentheses")
        if isinstance(node, ast.NamedExpr | ast.Yield | ast.YieldFrom | ast.GeneratorExp | ast.Starred):
            raise Unknown(type(node).__name__)
        wraps = self._wraps(node)
        if not wraps and not wraps_atoms:
            return body
        wrapped = Group((IfBreak("("), Indent((SOFT, Group(body, must_break(body)))), SOFT, IfBreak(")")))
        if not wraps and isinstance(node, ast.Call | ast.Subscript):
            return Choice(body, wrapped)
        if not self._breaks_in_brackets(node):
            return wrapped
        with self._form(tight=True):
            return Choice(self.doc(node, start), wrapped)

    def _breaks_in_brackets(self, node: ast.expr) -> bool:
        """Whether an operation needs no parentheses: its one operator begins or ends with something in brackets."""
        if not isinstance(node, (*_BOOLEAN, ast.UnaryOp)) or self._operators(node)[1] != 1:
            return False
        first: ast.expr = node
        left = self.source.start(node)
        while isinstance(first, _BOOLEAN) and not self._parenthesised(first, left):
            first = _operands(first)[0]
        last: ast.expr = node
        while isinstance(last, (*_BOOLEAN, ast.UnaryOp, ast.Await)):
            if last is not node and self._parenthesised(last, left):
                break
            *before, inner = _operands(last)
            left = self.source.end(before[-1]) if before else self.source.start(last)
            last = inner
        return (
            self._parenthesised(first, self.source.start(node))
            or _has_items(first)
            or self._parenthesised(last, left)
            or _has_items(last)
            or (isinstance(last, ast.Call) and bool(last.args or last.keywords))
        )

    def _operators(self, node: ast.expr) -> tuple[int, int]:
        """The rank of the operators outside of brackets that bind least, and how many of them there are."""
        found = [_rank(node)]
        left = self.source.start(node)
        for operand in _operands(node):
            if isinstance(operand, (*_BOOLEAN, ast.UnaryOp)) and not self._parenthesised(operand, left):
                found.append(self._operators(operand))
            left = self.source.end(operand)
        top = max(rank for rank, _count in found)
        return top, sum(count for rank, count in found if rank == top)

    def _wraps(self, node: ast.expr) -> bool:
        """Whether an expression gets parentheses when it breaks, because it breaks outside brackets."""
        if isinstance(node, ast.Await):
            return not self._parenthesised(node.value, self.source.start(node)) and self._wraps(node.value)
        if isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
            return self._links(node) > 1
        if isinstance(node, _BOOLEAN):
            return True
        if isinstance(node, ast.UnaryOp):
            return not self._parenthesised(node.operand, self.source.start(node)) and self._wraps(
                node.operand
            )
        return isinstance(node, ast.IfExp)

    def _parenthesised(self, node: ast.expr, left: int) -> bool:
        return any(self.text[token.start] == "(" for token in self.between(left, self.source.start(node)))

    def _links(self, node: ast.expr) -> int:
        """How many attributes of a chain follow a call, a subscript or a parenthesis: with two it is fluent."""
        count = 0
        left = self.source.start(node)
        inner = node
        while True:
            if isinstance(inner, ast.Attribute):
                inner = inner.value
                if self._parenthesised(inner, left):
                    return count + 1
                count += isinstance(inner, ast.Call | ast.Subscript)
            elif isinstance(inner, ast.Call | ast.Subscript):
                inner = inner.func if isinstance(inner, ast.Call) else inner.value
            else:
                return count

    def doc(self, node: ast.expr, left: int) -> Doc:
        """The document of an expression, with the parentheses that open in `[left, start of node)`."""
        start = self.source.start(node)
        opened = [token for token in self.between(left, start) if self.text[token.start] == "("]
        with self._form(tight=self.tight and not opened):
            body = self._bare(node)
        for _ in opened:
            body = Group((Text("("), Indent((SOFT, body)), SOFT, Text(")")))
        return body

    def _bare(self, node: ast.expr) -> Doc:
        match node:
            case ast.Call() | ast.Attribute() | ast.Subscript():
                return self._chain(node)
            case ast.List(elts=items) | ast.Set(elts=items):
                return self._collection(node, items)
            case ast.Tuple(elts=items) if items and self._bracketed(node):
                return self._collection(node, items)
            case ast.Dict() if node.keys:
                return self._dictionary(node)
            case ast.Await(value=value):
                return (Text("await "), self.doc(value, self.source.start(node)))
            case ast.Starred(value=value):
                return (Text("*"), self.doc(value, self.source.start(node)))
            case ast.UnaryOp(op=op, operand=operand):
                sign = "not " if isinstance(op, ast.Not) else self.text[self.source.start(node)]
                return (Text(sign), self.doc(operand, self.source.start(node)))
            case ast.BoolOp() | ast.BinOp() | ast.Compare():
                return self._operation(node) if self.tight else Group(self._operation(node))
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                with self._form(tight=False):
                    return self._comprehension(node)
        return self._verbatim(node)

    def _verbatim(self, node: ast.expr) -> Doc:
        """An atom: its text as it is, which may span lines only inside one string."""
        start, end = self.source.start(node), self.source.end(node)
        text = self.text[start:end]
        if "\n" not in text and "\r" not in text:
            return Text(text)
        inner = self.between(start, end)
        if all(token.kind == "string" for token in inner):
            if len(inner) == 1:
                return Text(text)
            strings = [self.text[token.start : token.end] for token in inner]
            if not any("\n" in string or "\r" in string for string in strings):
                parts: list[Doc] = [Text(strings[0])]
                for string in strings[1:]:
                    parts += [HARD, Text(string)]
                return tuple(parts) if self.tight else Group(tuple(parts))
        raise Unknown(f"{type(node).__name__} over several lines")

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Doc:
        """A bracket with the element and each clause on a line of its own."""
        start, end = self.source.start(node), self.source.end(node)
        parts: list[Doc]
        if isinstance(node, ast.DictComp):
            value = self.doc(node.value, self.source.end(node.key))
            parts = [self.doc(node.key, start + 1), Text(": "), value]
            left = self.source.end(node.value)
        else:
            parts = [self.doc(node.elt, start + 1)]
            left = self.source.end(node.elt)
        for clause in node.generators:
            target = self.doc(clause.target, left)
            iterated = self.doc(clause.iter, self.source.end(clause.target))
            parts += [
                SPACE,
                Text("async for " if clause.is_async else "for "),
                target,
                Text(" in "),
                iterated,
            ]
            left = self.source.end(clause.iter)
            for condition in clause.ifs:
                parts += [SPACE, Text("if "), self.doc(condition, left)]
                left = self.source.end(condition)
        return Group(
            (Text(self.text[start]), Indent((SOFT, Group(tuple(parts)))), SOFT, Text(self.text[end - 1]))
        )

    def _bracketed(self, node: ast.expr) -> bool:
        """Whether a tuple's own parentheses are around it; `(a), (b)` has none."""
        depth = 0
        end = self.source.end(node)
        for token in self.between(self.source.start(node), end):
            depth += (token.kind == "open") - (token.kind == "close")
            if depth == 0:
                return token.end == end and token.kind == "close"
        return False

    def _operation(self, node: ast.expr) -> Doc:
        """Operands with a possible break before each operator, operands of equal rank in one group.

        `and` and `or` count as equal there.
        """
        operands: list[ast.expr]
        same: type[ast.expr] | tuple[()]
        if isinstance(node, ast.BoolOp):
            operands, same = node.values, ast.BoolOp
        elif isinstance(node, ast.Compare):
            operands, same = [node.left, *node.comparators], ()
        else:
            assert isinstance(node, ast.BinOp)
            if isinstance(node.op, ast.Pow):
                return self._verbatim(node)
            operands, same = [node.left, node.right], ast.BinOp
        left = self.source.start(node)
        space: Doc = Text(" ") if self.tight else SPACE
        parts: list[Doc] = []
        for operand in operands:
            if parts:
                between = self.between(left, self.source.start(operand))
                words = [
                    self.text[token.start : token.end]
                    for token in between
                    if token.kind in ("word", "operator")
                ]
                if not words:
                    raise Unknown("an operator that cannot be found")
                parts += [space, Text(" ".join(words) if words[0].isalpha() else "".join(words)), Text(" ")]
            flat = (
                isinstance(operand, same)
                and (
                    isinstance(node, ast.BoolOp)
                    or (operand is operands[0] and _rank(operand)[0] == _rank(node)[0])
                )
                and not self._parenthesised(operand, left)
            )
            parts.append(self._operation(operand) if flat else self.doc(operand, left))
            left = self.source.end(operand)
        return tuple(parts)

    def _ternary(self, node: ast.IfExp) -> Doc:
        """A conditional expression with a possible break before each of its words."""
        parts: list[Doc] = []
        left = self.source.start(node)
        for word, operand in (("", node.body), ("if ", node.test), ("else ", node.orelse)):
            if isinstance(operand, ast.IfExp) and not self._parenthesised(operand, left):
                raise Unknown("one conditional expression in another")
            parts += [SPACE, Text(word)] if word else []
            parts.append(self.doc(operand, left))
            left = self.source.end(operand)
        return tuple(parts)

    def _chain(self, node: ast.Call | ast.Attribute | ast.Subscript) -> Doc:
        links = self._links(node)
        fluent = links > 1 and not self.tight
        vertical = fluent and self.vertical
        self.vertical = self.vertical and not vertical
        parts = self._link(node, fluent)
        self.vertical = self.vertical or vertical
        return Group(parts, vertical) if fluent else parts

    def _link(self, node: ast.Call | ast.Attribute | ast.Subscript, fluent: bool) -> Doc:
        """A chain up to and with `node`; in a fluent one a break stands before each attribute of a call."""
        value = node.func if isinstance(node, ast.Call) else node.value
        start = self.source.start(node)
        parenthesised = self._parenthesised(value, start)
        if isinstance(value, ast.Call | ast.Attribute | ast.Subscript) and not parenthesised:
            before = self._link(value, fluent)
        else:
            before = self.doc(value, start)
        if isinstance(node, ast.Call | ast.Subscript):
            with self._form(tight=False):
                inner = self._arguments(node) if isinstance(node, ast.Call) else self._subscript(node)
            return (before, inner)
        parts: list[Doc] = [before]
        comments = [
            token
            for token in self.between(self.source.end(value), self.source.end(node))
            if token.kind == "comment"
        ]
        breaks = fluent and (parenthesised or isinstance(value, ast.Call | ast.Subscript))
        if comments and (not breaks or self._crowded(comments)):
            raise Unknown("a comment inside a name")
        own = [token for token in comments if self._own_line(token)]
        parts += [self._trailing(token) for token in comments if token not in own]
        if breaks:
            parts.append(SOFT)
        for token in own:
            parts += [Text(self._comment(token)), HARD]
        parts.append(Text("." + node.attr))
        return tuple(parts)

    def _subscript(self, node: ast.Subscript) -> Doc:
        opening = next(
            token
            for token in self.between(self.source.end(node.value), self.source.end(node))
            if token.kind == "open"
        )
        end = self.source.end(node)
        if isinstance(node.slice, ast.Tuple) and self.source.start(node.slice) != self.source.end(node.slice):
            first = node.slice.elts[0] if node.slice.elts else None
            if first is not None and self.source.start(node.slice) == self.source.start(first):
                return self._bracket(
                    opening.start, end, [(item, None) for item in node.slice.elts], inner=False
                )
        body = self._slice(node.slice, opening.end)
        return Group((Text("["), Indent((SOFT, body)), SOFT, Text("]")))

    def _slice(self, node: ast.expr, left: int) -> Doc:
        return self._verbatim(node) if isinstance(node, ast.Slice) else self.doc(node, left)

    def _arguments(self, node: ast.Call) -> Doc:
        opening = self.source.opening(node)
        end = self.source.end(node)
        arguments: list[Located] = [*node.args, *node.keywords]
        arguments.sort(key=self.source.start)
        lone = node.args[0] if node.args and len(arguments) == 1 else None
        if isinstance(lone, ast.GeneratorExp) and self.source.start(lone) == opening:
            # It borrows the call's parentheses.
            return self._comprehension(lone)
        items = [(argument, None) for argument in arguments]
        return self._bracket(opening, end, items, inner=True)

    def _collection(self, node: ast.expr, items: Sequence[ast.expr]) -> Doc:
        with self._form(tight=False):
            return self._bracket(
                self.source.start(node), self.source.end(node), [(item, None) for item in items], inner=False
            )

    def _dictionary(self, node: ast.Dict) -> Doc:
        items: list[tuple[Located, ast.expr | None]] = [
            (value, None) if key is None else (key, value)
            for key, value in zip(node.keys, node.values, strict=True)
        ]
        with self._form(tight=False):
            return self._bracket(self.source.start(node), self.source.end(node), items, inner=False)

    def _bracket(
        self, opening: int, end: int, items: Sequence[tuple[Located, ast.expr | None]], *, inner: bool
    ) -> Doc:
        """A bracket with its items and their comments.

        Args:
            opening: Where the bracket opens.
            end: One past where it closes.
            items: What stands inside in order; for a dictionary's entry the key with its value.
            inner: Whether the items may share one line of their own, as arguments do, or have a line each.
        """
        open_text, close_text = Text(self.text[opening]), Text(self.text[end - 1])
        lists: list[list[Token]] = [[] for _ in range(len(items) + 1)]
        edges = [self._edges(item, value) for item, value in items]
        inside = self.between(opening + 1, end - 1)
        comma = False
        for token in inside:
            at = sum(edge[1] <= token.start for edge in edges)
            if token.kind == "comment" and not any(first <= token.start < last for first, last in edges):
                lists[at].append(token)
            elif at == len(items) and token.kind == "comma":
                comma = True
        if any(self._crowded(comments) for comments in lists):
            raise Unknown("several comments behind one item")
        body: list[Doc] = []
        head: list[Doc] = []
        left = opening + 1
        for index, (item, value) in enumerate(items):
            leading: list[Doc] = []
            for token in lists[index]:
                if self._own_line(token):
                    leading += [Text(self._comment(token)), HARD]
                elif index == 0:
                    head.append(self._trailing(token))
                else:
                    # It stands behind the item before, whose comma is already there.
                    body.insert(len(body) - 1, self._trailing(token))
            body += [*leading, self._item(item, value, left)]
            left = edges[index][1]
            if index + 1 < len(items):
                body += [Text(","), SPACE]
            elif comma or len(items) > 1:
                # A formatter adds no comma behind a lone item.
                body.append(IfBreak(","))
        for token in lists[-1]:
            if self._own_line(token) or not items:
                body += [HARD, Text(self._comment(token))]
            else:
                body.append(self._trailing(token))
        if not items:
            if not body:
                return (open_text, close_text)
            return Group((open_text, Indent(tuple(body)), HARD, close_text))
        lone_tuple = self.text[opening] == "(" and not inner and len(items) == 1
        if lone_tuple:
            body = [Text(",") if part == IfBreak(",") else part for part in body]
        expand = comma and not lone_tuple
        if (
            len(items) == 1
            and isinstance(body[0], tuple | Text)
            and self._is_long_string(items[0][0])
            and len(body) == 1
        ):
            return (open_text, body[0], close_text)
        content: Doc = Group(tuple(body), expand) if inner else tuple(body)
        return Group((open_text, *head, Indent((SOFT, content)), SOFT, close_text), expand or bool(head))

    def _crowded(self, comments: Sequence[Token]) -> bool:
        """Whether more than the first comment stands at the end of a line."""
        return any(not self._own_line(token) for token in comments[1:])

    def _is_long_string(self, item: Located) -> bool:
        text = self.source.segment(item)
        return isinstance(item, ast.Constant | ast.JoinedStr) and ("\n" in text or "\r" in text)

    def _edges(self, item: Located, value: ast.expr | None) -> tuple[int, int]:
        return self.source.start(item), self.source.end(item if value is None else value)

    def _item(self, item: Located, value: ast.expr | None, left: int) -> Doc:
        if isinstance(item, ast.keyword):
            start = self.source.start(item)
            return (Text("**" if item.arg is None else f"{item.arg}="), self.doc(item.value, start))
        assert isinstance(item, ast.expr)
        if value is not None:
            return (self.doc(item, left), Text(": "), self.doc(value, self.source.end(item)))
        # Two asterisks before a dictionary's value unpack it.
        stars = [token for token in self.between(left, self.source.start(item)) if token.kind == "operator"]
        text = "".join(self.text[token.start : token.end] for token in stars)
        return (Text(text), self.doc(item, left)) if text else self.doc(item, left)
