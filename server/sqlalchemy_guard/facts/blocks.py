"""Blocks of statements, for the evaluator: where one stands, what running it gave, and how that is put together.

This module must never evaluate anything.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.declarations import Frame
from sqlalchemy_guard.facts.values import Param, Value, either
from sqlalchemy_guard.records import dataclass, field

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import (
        Attribute,
        Binding,
        CallFact,
        ClassFacts,
        FunctionFacts,
        ItemSet,
    )
    from sqlalchemy_guard.facts.values import Ref
    from sqlalchemy_guard.syntax.chunk import Chunk

Env = dict[str, Value]
Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True, eq=False)
class Deferred:
    """A nested function, evaluated when its enclosing body is done, because it sees that body's final names."""

    facts: FunctionFacts
    body: Body
    closure: Env | None = None
    done: BlockResult | None = None

    def restarted(self) -> Deferred:
        """The same function to be evaluated again; its chunks answer from their memos where they can."""
        self.done = None
        return self


@dataclass(slots=True, eq=False)
class BlockResult:
    """What running a block gave. `env_in` and `env_out` are its environments; everything else are notes in source order."""

    env_in: Env
    env_out: Env
    bindings: list[Binding] = field(default_factory=list)
    stars: list[Ref] = field(default_factory=list)
    imports: list[Ref] = field(default_factory=list)
    attribute_sets: list[tuple[Value, str, Value | None, Value]] = field(default_factory=list)
    calls: list[CallFact] = field(default_factory=list)
    item_sets: list[ItemSet] = field(default_factory=list)
    returned: list[Value] = field(default_factory=list)
    yielded: list[Value] = field(default_factory=list)
    deferred: list[Deferred] = field(default_factory=list)
    functions: list[FunctionFacts] = field(default_factory=list)
    classes: list[ClassFacts] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)
    methods: list[tuple[str, str]] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    attribute_names: set[str] = field(default_factory=set)
    globals_in: frozenset[str] = frozenset()
    globals_out: frozenset[str] = frozenset()
    terminated: bool = False


@dataclass(slots=True)
class Body:
    """The statements of a definition: its own, or those of the chunks that it was cut into."""

    chunk: Chunk
    statements: list[ast.stmt]
    children: list[Chunk] | None


@dataclass(slots=True, eq=False)
class Scope:
    """Where a block stands.

    Attributes:
        kind: module, class or function.
        qualname: Prefix for definitions inside, "" at module level.
        function: The function that is evaluated, or None.
        owner: Qualified name of the class whose body or method this is, or None.
        closure: Names of enclosing functions.
        frame: The frame of the definition itself.
        definition: The facts of the definition whose body this is; what was evaluated in it holds only as long as
            they are the same object.
    """

    kind: str
    qualname: str
    function: FunctionFacts | None = None
    owner: str | None = None
    closure: Env = field(default_factory=dict)
    frame: Frame | None = None
    definition: object = None


MODULE_SCOPE = Scope("module", "")


def body_of(node: Definition | ast.ClassDef, chunk: Chunk) -> Body:
    """The body of a definition that stands in (or is the header of) a chunk."""
    if chunk.children is not None and chunk.body and chunk.body[0] is node:
        return Body(chunk, [], chunk.children)
    return Body(chunk, node.body, None)


def class_scope(facts: ClassFacts, closure: Env) -> Scope:
    """The scope of a class body."""
    frame = Frame("class", facts.header, facts.chunk, None)
    return Scope("class", facts.qualname, None, facts.qualname, closure, frame, facts)


def merge_notes(into: BlockResult, block: BlockResult) -> None:
    """Take over what does not belong to the block's own scope: declarations and bindings of outer names."""
    into.imports.extend(block.imports)
    into.functions.extend(block.functions)
    into.classes.extend(block.classes)
    into.attribute_sets.extend(block.attribute_sets)
    into.bindings.extend(block.bindings)
    into.item_sets.extend(block.item_sets)
    into.attribute_names |= block.attribute_names


def fill_class(facts: ClassFacts, blocks: list[BlockResult]) -> None:
    """Write what running a class body gave into the class's facts."""
    for block in blocks:
        for attribute in block.attributes:
            known = facts.attributes.get(attribute.name)
            if known is not None and attribute.value is None and known.value is not None:
                continue
            facts.attributes[attribute.name] = attribute
        for name, qualname in block.methods:
            facts.methods[name] = qualname
    prefix = facts.qualname + "."
    selves = {
        function.qualname: function.parameters[0].name
        for block in blocks
        for function in block.functions
        if function.owner == facts.qualname and function.parameters
    }
    for block in blocks:
        for inner in block.classes:
            if inner.qualname.startswith(prefix) and inner.qualname.count(".") == prefix.count("."):
                facts.classes[inner.name] = inner.qualname
                facts.methods.pop(inner.name, None)
        for base, name, annotation, value in block.attribute_sets:
            if type(base) is Param and selves.get(base.qualname) == base.name:
                before = facts.instance.get(name)
                if before is None:
                    facts.instance[name] = (annotation, value)
                else:
                    facts.instance[name] = (before[0] or annotation, either((before[1], value)))
