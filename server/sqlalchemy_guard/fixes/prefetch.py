"""Objects that a loop looks up one by one, loaded before the loop with one statement.

Only look-ups by the whole primary key are understood, in a `for` loop over a collection that has a name. This module must never
decide whether that is worth while.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Element, Value
from sqlalchemy_guard.fixes.imports import Placed, need
from sqlalchemy_guard.fixes.layout import expression
from sqlalchemy_guard.fixes.naming import fresh, snake_case
from sqlalchemy_guard.project.keyed_queries import parts
from sqlalchemy_guard.project.types import ClassType, Instance, TupleType, known
from sqlalchemy_guard.records import dataclass
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.facts.declarations import CallFact, Frame
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk

    Parent = Callable[[Chunk, ast.AST], ast.AST | None]

_REPEATABLE = frozenset(
    ("builtins.list", "builtins.set", "builtins.frozenset", "builtins.tuple", "builtins.dict", "typing.Sequence", "typing.List",
     "typing.Collection", "typing.Set", "typing.Tuple")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prefetch:
    """How a look-up becomes one in a dictionary.

    Attributes:
        fact: The look-up.
        loop: The loop.
        entity: How the code names the class.
        key: The attribute of the primary key.
        wanted: The expression of the key that is looked up.
        query: What the rows are selected by, with `{}` for the criterion; needs `select` when it mentions it.
        is_async: Whether the look-up is awaited.
    """

    fact: CallFact
    loop: ast.For
    entity: str
    key: str
    wanted: ast.expr
    query: str
    is_async: bool

    @property
    def item(self) -> str:
        """A name for one of the objects."""
        return snake_case(self.entity.rpartition(".")[2])


def prefetch(fact: CallFact, name: str, loop: Frame, file: File, workspace: Workspace) -> Prefetch | None:
    """The plan for a look-up in a loop, None where its form is not understood.

    Args:
        fact: The look-up.
        name: The canonical name of what is called.
        loop: The innermost loop around it.
        file: Their file.
        workspace: The files.
    """
    node, head = fact.node, loop.node
    if not isinstance(head, ast.For) or loop.chunk is not fact.chunk or not isinstance(head.target, ast.Name):
        return None
    found = _look_up(node, fact.value, name)
    if found is None:
        return None
    entity, entity_value, key, wanted, query = found
    if not _is_dotted(head.iter) or not _is_dotted(entity) or not _depends_on(wanted, head.target.id):
        return None
    model = _model(entity_value, file, workspace)
    if model is None or (key and key != model):
        return None
    if not _is_repeatable(fact.value, file, workspace):
        return None
    return Prefetch(fact, head, ast.unparse(entity), model, wanted, query, fact.awaited)


def _look_up(node: ast.Call, value: Call, name: str) -> tuple[ast.expr, Value, str, ast.expr, str] | None:
    """Entity, its value, the attribute ("" for the primary key), the key, and the text of the statement for all rows."""
    method = name.rpartition(".")[2]
    func = node.func
    if not isinstance(func, ast.Attribute) or node.keywords:
        return None
    if method == "get" and name.startswith("sqlalchemy.orm.Query") and len(node.args) == 1:
        source, value_ = func.value, value.func.base  # type: ignore[attr-defined]
        entity = _queried(source, value_)
        return (
            (*entity, "", node.args[0], f"{ast.unparse(source)}.filter({{}})") if entity is not None else None
        )
    if method == "get" and len(node.args) == 2 and _is_dotted(func.value):
        text = f"{ast.unparse(func.value)}.scalars(select({ast.unparse(node.args[0])}).where({{}}))"
        return node.args[0], value.args[0], "", node.args[1], text
    if method in ("first", "one_or_none") and not node.args and name.startswith("sqlalchemy.orm.Query"):
        link, link_value = func.value, value.func.base  # type: ignore[attr-defined]
        if not isinstance(link, ast.Call) or not isinstance(link.func, ast.Attribute) or len(link.args) != 1:
            return None
        if link.func.attr not in ("filter", "where") or link.keywords:
            return None
        entity = _queried(link.func.value, link_value.func.base)
        criterion = _equality(link.args[0], entity[0]) if entity is not None else None
        if entity is None or criterion is None:
            return None
        return (*entity, *criterion, f"{ast.unparse(link.func.value)}.filter({{}})")
    return None


def _queried(node: ast.expr, value: Value) -> tuple[ast.expr, Value] | None:
    """The class that `session.query(User)` or `User.query` selects."""
    if isinstance(node, ast.Attribute) and node.attr == "query" and isinstance(value, Attr):
        return node.value, value.base
    if isinstance(node, ast.Call) and isinstance(value, Call) and len(node.args) == 1 and not node.keywords:
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr == "query" and _is_dotted(func.value):
            return node.args[0], value.args[0]
    return None


def _equality(node: ast.expr, entity: ast.expr) -> tuple[str, ast.expr] | None:
    """Attribute and key of `User.id == key`."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq):
        return None
    left = node.left
    if not isinstance(left, ast.Attribute) or ast.dump(left.value) != ast.dump(entity):
        return None
    return left.attr, node.comparators[0]


def _is_dotted(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _depends_on(node: ast.expr, target: str) -> bool:
    """Whether a key is the loop's variable, an attribute of it, or an item with a constant key."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant):
            return False
        node = node.value
    return isinstance(node, ast.Name) and node.id == target


def _model(value: Value, file: File, workspace: Workspace) -> str | None:
    """The attribute of the primary key of a mapped class, None when it has several or is not known."""
    types = list(known(workspace.resolver.type_of(value, file)))
    if len(types) != 1 or not isinstance(types[0], ClassType):
        return None
    model = workspace.mappings.model(types[0].ref)
    return model.primary_key[0] if model is not None and len(model.primary_key) == 1 else None


def _is_repeatable(value: Call, file: File, workspace: Workspace) -> bool:
    """Whether what is walked can be walked twice."""
    for part in parts(value):
        if isinstance(part, Element):
            types = list(known(workspace.resolver.type_of(part.base, file)))
            return bool(types) and all(
                isinstance(option, TupleType) or (isinstance(option, Instance) and option.ref in _REPEATABLE)
                for option in types
            )
    return False


def edits(made: Prefetch, source: Source, level: list[Placed], parent: Parent) -> tuple[Edit, ...] | None:
    """The edits that write a plan; None where the loop shares its line with something else.

    Args:
        made: The plan.
        source: The text.
        level: The module's top level, for the import.
        parent: The node that contains a node of a chunk.
    """
    shift = made.fact.chunk.shift
    at = source.start(made.loop, shift)
    line = source.line_start(at)
    if source.text[line:at].strip():
        return None
    names = {
        node.id
        for statement in made.fact.chunk.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name)
    }
    name = fresh(f"{made.item}s_by_{made.key}", names)
    item = made.item
    walked, target = source.segment(made.loop.iter, shift), source.segment(made.loop.target, shift)
    wanted = source.segment(made.wanted, shift)
    keys = walked if wanted == target else f"[{wanted} for {target} in {walked}]"
    import_edits: tuple[Edit, ...] = ()
    query = made.query
    if "select(" in query:
        imported = need(source, level, "sqlalchemy", "select")
        query, import_edits = query.replace("select(", f"{imported.expression}(", 1), imported.edits
    rows = query.format(f"{made.entity}.{made.key}.in_({keys})")
    rows = f"await {rows}" if made.is_async else rows
    margin = source.margin(at)
    text = expression(f"{{{item}.{made.key}: {item} for {item} in {rows}}}", source, at, after=len(name) + 3)
    node: ast.AST = made.fact.node
    holder = parent(made.fact.chunk, node)
    outer = holder if isinstance(holder, ast.Await) else made.fact.node
    return (
        *import_edits,
        Edit(line, line, f"{margin}{name} = {text}{source.newline}"),
        Edit(source.start(outer, shift), source.end(outer, shift), f"{name}.get({wanted})"),
    )
