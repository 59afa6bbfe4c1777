"""What a template reads of the objects that it is given: attribute by attribute, through loops, macros, includes and its parents.

This module must never look at Python code or judge a read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.jinja_expressions import Expression
from sqlalchemy_guard.facts.values import UNKNOWN, Const, Element, Item, Value, either
from sqlalchemy_guard.project.templates import find
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.jinja_expressions import AttributeRead, MacroCall
    from sqlalchemy_guard.facts.jinja_lexing import Token
    from sqlalchemy_guard.facts.templates import Node
    from sqlalchemy_guard.project.templates import Template
    from sqlalchemy_guard.project.workspace import Workspace

_DEEPEST = 8
_MOST = 600
"""So many reads of one rendering are looked at."""


class Loop(NamedTuple):
    """The head of a loop of a template."""

    template: Template
    start: int
    end: int


class TemplateRead(NamedTuple):
    """A read of an attribute: in which template, and within which loop of one."""

    template: Template
    read: AttributeRead
    loop: Loop | None


def reads_of(workspace: Workspace, template: Template, names: dict[str, Value]) -> list[TemplateRead]:
    """The attributes that rendering a template reads, in order.

    Args:
        workspace: The files.
        template: The template.
        names: What it is given.
    """
    run = _Run(workspace)
    run.template(template, dict(names))
    return run.found


class _Macro(NamedTuple):
    template: Template
    node: Node
    macros: dict[str, _Macro]


class _Run:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.found: list[TemplateRead] = []
        self.loops: list[Loop] = []
        self.overrides: dict[str, tuple[Template, Node]] = {}
        self.once = 0
        self.depth = 0
        self.active: list[Node] = []

    def template(self, template: Template, names: dict[str, Value]) -> None:
        """Render a template: what it extends first, with its blocks in place."""
        if self.depth >= _DEEPEST:
            return
        self.depth += 1
        part = _Part(self, template, names)
        parent = next((node for node in template.nodes if node.kind == "extends"), None)
        extended = part.named_template(parent) if parent is not None else None
        if parent is None or extended is None:
            part.nodes(template.nodes)
        else:
            part.nodes([node for node in template.nodes if node.kind in _PREPARING])
            for block in _blocks(template.nodes):
                self.overrides.setdefault(block.tokens[0].text, (template, block))
            self.template(extended, part.names)
        self.depth -= 1


_PREPARING = ("set", "import", "from", "macro")


def _blocks(nodes: list[Node]) -> list[Node]:
    """The blocks that a template defines, inner ones too."""
    found: list[Node] = []
    for node in nodes:
        if node.kind == "block" and node.tokens:
            found.append(node)
        found += _blocks(node.body)
        for branch in node.branches:
            found += _blocks(branch.body)
    return found


class _Part:
    """Goes through the tags of one template with its variables.

    Args:
        run: The rendering that it belongs to.
        template: The template.
        names: The variables; changed by `set`.
    """

    def __init__(
        self, run: _Run, template: Template, names: dict[str, Value], macros: dict[str, _Macro] | None = None
    ) -> None:
        self.run = run
        self.home = template
        self.names = names
        self.macros: dict[str, _Macro] = dict(macros or {})
        self.modules: dict[str, dict[str, _Macro]] = {}

    # -- expressions -----------------------------------------------------------------------------------------------

    def expression(self, tokens: tuple[Token, ...]) -> Expression:
        """A reader of expressions that notes what is read."""
        return Expression(tokens, self.names, self._note, self._call)

    def value(self, tokens: tuple[Token, ...]) -> Value:
        """An expression, read whole."""
        return self.expression(tokens).value()

    def _note(self, read: AttributeRead) -> None:
        if self.run.once == 0 and len(self.run.found) < _MOST:
            loop = self.run.loops[-1] if self.run.loops else None
            if loop is None and read.of_many:
                loop = Loop(self.home, read.start, read.end)
            self.run.found.append(TemplateRead(self.home, read, loop))

    def _call(self, call: MacroCall) -> None:
        table = self.macros if len(call.path) == 1 else self.modules.get(call.path[0], {})
        macro = table.get(call.path[-1])
        if macro is None or macro.node in self.run.active or len(self.run.active) >= _DEEPEST:
            return
        given = dict(call.keywords)
        names: dict[str, Value] = {}
        parameters = _Part(self.run, macro.template, names)
        for at, (name, default) in enumerate(_parameters(macro.node.tokens)):
            if at < len(call.args):
                names[name] = call.args[at]
            else:
                names[name] = given.get(name) or (parameters.value(default) if default else UNKNOWN)
        self.run.active.append(macro.node)
        _Part(self.run, macro.template, names, macro.macros).nodes(macro.node.body)
        self.run.active.pop()

    # -- tags ------------------------------------------------------------------------------------------------------

    def nodes(self, nodes: list[Node]) -> None:
        """Go through tags in order."""
        for node in nodes:
            if node.kind == "macro" and node.tokens:
                self.macros[node.tokens[0].text] = _Macro(self.home, node, self.macros)
        for node in nodes:
            self._node(node)

    def _node(self, node: Node) -> None:
        match node.kind:
            case "output" | "do" | "print":
                self.value(node.tokens)
            case "for":
                self._for(node)
            case "if":
                self._if(node)
            case "set":
                self._set(node)
            case "block":
                self._block(node)
            case "with":
                self._with(node)
            case "include":
                self._include(node)
            case "import" | "from":
                self._import(node)
            case "call":
                tokens = node.tokens
                if tokens and tokens[0].text == "(":
                    tokens = tokens[_closing(tokens) + 1 :]
                self.value(tokens)
                self.nodes(node.body)
            case "filter" | "autoescape":
                self.nodes(node.body)

    def _for(self, node: Node) -> None:
        at = next((i for i, token in enumerate(node.tokens) if token.text == "in"), None)
        if at is None:
            return
        targets = [token.text for token in node.tokens[:at] if token.kind == "name"]
        is_pair = any(token.text == "," for token in node.tokens[:at])
        head = self.expression(node.tokens[at + 1 :])
        items = head.disjunction()
        element = Element(items) if items is not UNKNOWN else UNKNOWN
        outer, self.names = self.names, dict(self.names)
        for index, name in enumerate(targets):
            part = Item(element, Const(index)) if is_pair and element is not UNKNOWN else element
            self.names[name] = part
        self.names["loop"] = UNKNOWN
        self.run.loops.append(Loop(self.home, node.tokens[0].start, node.tokens[-1].end))
        if head.take("if"):
            # Its own reader knows the names of the loop.
            self.value(head.tokens[head.at :])
        self.nodes(node.body)
        self.run.loops.pop()
        self.names = outer
        for branch in node.branches:
            self.nodes(branch.body)

    def _if(self, node: Node) -> None:
        self._branch(node, node.body)
        for branch in node.branches:
            self._branch(branch, branch.body)

    def _branch(self, node: Node, body: list[Node]) -> None:
        self.value(node.tokens)
        texts = [token.text for token in node.tokens]
        is_once = texts in (["loop", ".", "first"], ["loop", ".", "last"])
        self.run.once += is_once
        before = dict(self.names)
        self.nodes(body)
        for name, value in self.names.items():
            if name in before and before[name] is not value:
                self.names[name] = either((before[name], value))
        self.run.once -= is_once

    def _set(self, node: Node) -> None:
        at = next((i for i, token in enumerate(node.tokens) if token.text == "="), None)
        if at is None:
            self.nodes(node.body)
        value = self.value(node.tokens[at + 1 :]) if at is not None else UNKNOWN
        targets = [token.text for token in node.tokens[:at] if token.kind == "name"]
        for name in targets:
            self.names[name] = value if len(targets) == 1 else UNKNOWN

    def _with(self, node: Node) -> None:
        outer, self.names = self.names, dict(self.names)
        reader = self.expression(node.tokens)
        while reader.at < len(node.tokens):
            before = reader.at
            name = reader.name()
            if reader.take("="):
                self.names[name] = reader.condition()
            reader.take(",")
            reader.at = max(reader.at, before + 1)
        self.nodes(node.body)
        self.names = outer

    def _block(self, node: Node) -> None:
        name = node.tokens[0].text if node.tokens else ""
        template, override = self.run.overrides.get(name, (self.home, node))
        if override in self.run.active:
            return
        self.run.active.append(override)
        if template is self.home:
            self.nodes(override.body)
        else:
            if _says_super(override.body):
                self.nodes(node.body)
            part = _Part(self.run, template, dict(self.names), self.macros)
            part.imports(template.nodes)
            part.nodes(override.body)
        self.run.active.pop()

    def imports(self, nodes: list[Node]) -> None:
        """Take the macros that a template defines or imports at its top."""
        for node in nodes:
            if node.kind in ("import", "from"):
                self._import(node)
            elif node.kind == "macro" and node.tokens:
                self.macros[node.tokens[0].text] = _Macro(self.home, node, self.macros)

    # -- other templates -------------------------------------------------------------------------------------------

    def named_template(self, node: Node) -> Template | None:
        """The template that a tag names in a string."""
        name = node.tokens[0] if node.tokens and node.tokens[0].kind == "string" else None
        if name is None or (len(node.tokens) > 1 and node.tokens[1].text in ("~", "%", "|", "if")):
            return None
        return find(self.run.workspace, name.text[1:-1], self.home.path)

    def _include(self, node: Node) -> None:
        template = self.named_template(node)
        if template is None or self.run.depth >= _DEEPEST:
            return
        self.run.depth += 1
        names = dict(self.names) if not _is_without_context(node) else {}
        _Part(self.run, template, names).nodes(template.nodes)
        self.run.depth -= 1

    def _import(self, node: Node) -> None:
        template = self.named_template(node)
        if template is None or self.run.depth >= _DEEPEST:
            return
        self.run.depth += 1
        module = _Part(self.run, template, {})
        module.imports(template.nodes)
        self.run.depth -= 1
        words = [token.text for token in node.tokens[1:]]
        if node.kind == "import":
            if words[:1] == ["as"] and len(words) > 1:
                self.modules[words[1]] = module.macros
            return
        at = 1
        while at < len(words):
            name = alias = words[at]
            if words[at + 1 : at + 2] == ["as"] and at + 2 < len(words):
                alias, at = words[at + 2], at + 2
            if name in module.macros:
                self.macros[alias] = module.macros[name]
            at += 1


def _parameters(tokens: tuple[Token, ...]) -> list[tuple[str, tuple[Token, ...]]]:
    """The parameters of a macro, each with the tokens of its default."""
    found: list[tuple[str, tuple[Token, ...]]] = []
    depth = 0
    begin = 2
    for at, token in enumerate(tokens[1:], 1):
        depth += (token.text in _OPENING) - (token.text in _ENDING)
        if (token.text == "," and depth == 1) or (token.text == ")" and depth == 0):
            part = tokens[begin:at]
            begin = at + 1
            if part and part[0].kind == "name":
                found.append((part[0].text, part[2:]))
    return found


_OPENING, _ENDING = ("(", "[", "{"), (")", "]", "}")


def _closing(tokens: tuple[Token, ...]) -> int:
    """Where the bracket that the first token opens is closed."""
    depth = 0
    for at, token in enumerate(tokens):
        depth += (token.text in _OPENING) - (token.text in _ENDING)
        if depth == 0:
            return at
    return len(tokens)


def _is_without_context(node: Node) -> bool:
    words = [token.text for token in node.tokens]
    return words[-2:] == ["without", "context"]


def _says_super(nodes: list[Node]) -> bool:
    return any(
        any(token.text == "super" for token in node.tokens)
        or _says_super(node.body)
        or any(_says_super(branch.body) for branch in node.branches)
        for node in nodes
    )
