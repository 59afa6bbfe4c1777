"""What calls do to rows: selecting, executing, taking results apart, sorting, and calling functions of the workspace.

The tables name what SQLAlchemy and Python are known to do. This module must never conclude anything from a name alone.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Sequence, Star, Value
from sqlalchemy_guard.project.calls import library_name
from sqlalchemy_guard.project.effects import arguments_of
from sqlalchemy_guard.project.loader_options import read_options
from sqlalchemy_guard.project.loads import Entity, Statement
from sqlalchemy_guard.project.shapes import Loaded, Many, Row
from sqlalchemy_guard.project.types import ClassType, FunctionType, Instance, known
from sqlalchemy_guard.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.loader_options import LoaderOption
    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.rows import Rows
    from sqlalchemy_guard.project.scopes import Scope
    from sqlalchemy_guard.project.shapes import Shape, Shapes

_SYNC, _ASYNC = "sqlalchemy.orm.Session.", "sqlalchemy.ext.asyncio.AsyncSession."
_SELECT, _QUERY = "sqlalchemy.Select.", "sqlalchemy.orm.Query."
_RESULTS = ("sqlalchemy.Result.", "sqlalchemy.ScalarResult.")
_KEEP = frozenset(("all", "fetchall", "fetchmany", "unique", "yield_per", "tuples", "__iter__", "freeze"))
_ONE = frozenset(
    ("first", "one", "one_or_none", "fetchone", "get", "get_or_404", "first_or_404", "one_or_404")
)
_SCALARS = frozenset(("scalar", "scalar_one", "scalar_one_or_none"))
_COPIES = frozenset(
    ("builtins.list", "builtins.sorted", "builtins.set", "builtins.tuple", "builtins.reversed", "builtins.iter",
     "builtins.frozenset", "typing.cast", "copy.copy", "itertools.chain.from_iterable")
)  # fmt: skip
_SINGLE = frozenset(("builtins.next", "builtins.max", "builtins.min", "builtins.anext"))
_MANAGERS = frozenset(("contextlib.contextmanager", "contextlib.asynccontextmanager"))
_LIKE_LISTS = frozenset(("copy", "values", "items", "pop", "popleft"))


def called(rows: Rows, call: Call, scope: Scope) -> Iterable[Shape]:
    """What a call gives, as far as loading is concerned."""
    found: list[Shape] = []
    for option in known(rows.resolver.type_of(call.func, scope.file)):
        if isinstance(option, FunctionType):
            found.extend(_function(rows, option, call, scope))
            continue
        named = library_name(rows.resolver, option)
        if named is not None:
            likely = isinstance(named[1], Instance) and named[1].likely
            found.extend(_library(rows, named[0], call, scope, likely=likely))
    if not found and isinstance(call.func, Attr) and call.func.name in _LIKE_LISTS:
        found.extend(_method(rows, call.func, scope))
    return found


def _function(rows: Rows, option: FunctionType, call: Call, scope: Scope) -> Iterator[Shape]:
    """What a function of the workspace returns or yields for these arguments."""
    inside = rows.entered(option, call, scope)
    if inside is None or inside.function is None:
        return
    for decorator in inside.function.decorators:
        if rows.resolver.external_name(decorator, inside.file) in _MANAGERS:
            return
    if inside.function.yielded is not None:
        items = rows.shapes(inside.function.yielded, inside)
        if items:
            yield Many(items)
    elif inside.function.returned is not None:
        yield from rows.shapes(inside.function.returned, inside)


def _method(rows: Rows, func: Attr, scope: Scope) -> Iterator[Shape]:
    """Methods of lists and dictionaries of objects."""
    for shape in rows.shapes(func.base, scope):
        if not isinstance(shape, Many):
            continue
        if func.name == "values" and shape.is_mapping:
            yield replace(shape, is_mapping=False)
        elif func.name == "items" and shape.is_mapping:
            yield Many((Row(((), shape.items)),))
        elif func.name == "copy":
            yield shape
        elif func.name in ("pop", "popleft"):
            # A loop around takes one after the other.
            yield from rows.iterated(shape)


def _library(rows: Rows, name: str, call: Call, scope: Scope, *, likely: bool) -> Iterator[Shape]:
    if name == "sqlalchemy.select":
        yield from _selected(rows, call, scope, is_query=False, is_async=False, likely=False)
    elif name.startswith((_SYNC, _ASYNC)):
        method = name.rpartition(".")[2]
        yield from _session(rows, method, call, scope, is_async=name.startswith(_ASYNC), likely=likely)
    elif name.startswith((_SELECT, _QUERY)):
        yield from _chained(rows, call, scope)
    elif name.startswith(_RESULTS):
        yield from _result(rows, call, scope)
    elif name == "flask_sqlalchemy.SQLAlchemy.paginate" and call.args:
        for shape in rows.shapes(call.args[0], scope):
            if isinstance(shape, Statement):
                yield from _first_of_each(rows.executed(shape, call, scope.file))
    elif name in _COPIES and call.args:
        for shape in rows.shapes(call.args[-1 if name == "typing.cast" else 0], scope):
            if isinstance(shape, Statement) and shape.is_query:
                shape = rows.executed(shape, None, shape.file)
            if name.endswith("from_iterable") and isinstance(shape, Many):
                yield from shape.items
            else:
                yield shape
    elif name in _SINGLE and call.args:
        for shape in rows.shapes(call.args[0], scope):
            yield from rows.single(shape)
    elif name in ("builtins.enumerate", "builtins.zip"):
        columns = [
            tuple(item for shape in rows.shapes(argument, scope) for item in _items(rows, shape))
            for argument in call.args[: 1 if name.endswith("enumerate") else None]
        ]
        if any(columns):
            before: list[Shapes] = [()] if name.endswith("enumerate") else []
            yield Many((Row((*before, *columns)),))
    elif name == "itertools.chain":
        for argument in call.args:
            yield from rows.shapes(argument, scope)


def _items(rows: Rows, shape: Shape) -> Shapes:
    if isinstance(shape, Statement) and shape.is_query:
        shape = rows.executed(shape, None, shape.file)
    return shape.items if isinstance(shape, Many) and not shape.is_mapping else ()


# -- statements --------------------------------------------------------------------------------------------------------


def _selected(
    rows: Rows, call: Call, scope: Scope, *, is_query: bool, is_async: bool, likely: bool
) -> Iterator[Statement]:
    entities: list[Entity | None] = []
    for argument in call.args:
        if isinstance(argument, Star):
            return
        parts = argument.items if isinstance(argument, Sequence) else (argument,)
        entities.extend(_entity(rows, part, scope) for part in parts)
    if any(entity is not None for entity in entities):
        yield Statement(
            call, scope.file, tuple(entities), is_query=is_query, is_async=is_async, likely=likely
        )


def _entity(rows: Rows, value: Value, scope: Scope) -> Entity | None:
    """The mapped class that a value names, through the parameters of functions that were entered."""
    resolver = rows.resolver
    followed, _ = resolver.definition_of(value, scope.file)
    is_alias = isinstance(followed, Call)
    for option in known(resolver.type_of(value, scope.file)):
        if isinstance(option, ClassType) and isinstance(option.ref, tuple) and resolver.is_model(option):
            return Entity(option.ref, value, is_alias)
    return None


def _session(
    rows: Rows, method: str, call: Call, scope: Scope, *, is_async: bool, likely: bool
) -> Iterator[Shape]:
    if method == "query":
        yield from _selected(rows, call, scope, is_query=True, is_async=is_async, likely=likely)
        return
    if method in ("get", "get_one") and call.args:
        entity = _entity(rows, call.args[0], scope)
        if entity is not None:
            options = _options(rows, (call.keyword("options") or Const(None),), scope)
            statement = Statement(call, scope.file, (entity,), options=options, limit=1)
            made = rows.executed(statement, call, scope.file, is_async=is_async, likely=likely)
            for shape in _first_of_each(made):
                yield from rows.single(shape)
        return
    if method not in ("execute", "scalars", "scalar", "exec", "stream", "stream_scalars"):
        return
    argument = call.args[0] if call.args else call.keyword("statement")
    for statement_ in rows.shapes(argument, scope) if argument is not None else ():
        if not isinstance(statement_, Statement):
            continue
        made = rows.executed(statement_, call, scope.file, is_async=is_async, likely=likely)
        scalars = method in ("scalars", "stream_scalars", "scalar") or (
            method == "exec" and len(statement_.entities) == 1
        )
        for shape in _first_of_each(made) if scalars else (made,):
            if method == "scalar":
                yield from rows.single(shape)
            else:
                yield shape


def _chained(rows: Rows, call: Call, scope: Scope) -> Iterator[Shape]:
    """A method of a statement: one more link, or the end of a query."""
    assert isinstance(call.func, Attr)
    name = call.func.name
    for shape in rows.shapes(call.func.base, scope):
        if not isinstance(shape, Statement):
            continue
        if not shape.is_query or name not in _KEEP | _ONE | {"paginate", "yield_per"} | _SCALARS:
            if name in _SCALARS or (shape.is_query and name in _ENDS):
                continue
            options = _options(rows, call.args, scope) if name == "options" else ()
            linked = shape.linked(call, options)
            if linked is not None:
                yield linked
            continue
        made = rows.executed(shape, call, scope.file)
        if name in _ONE:
            yield from rows.single(made)
        elif name not in _SCALARS:
            yield made


_ENDS = frozenset(
    ("count", "delete", "update", "exists", "subquery", "cte", "scalar_subquery", "as_scalar", "label")
)


def _options(rows: Rows, values: Iterable[Value], scope: Scope) -> tuple[LoaderOption, ...] | None:
    def follow(call: Value, at: Scope) -> Scope | None:
        if not isinstance(call, Call):
            return None
        for option in known(rows.resolver.type_of(call.func, at.file)):
            if isinstance(option, FunctionType):
                return rows.entered(option, call, at)
        return None

    found: list[LoaderOption] = []
    for value in values:
        read = read_options(rows.resolver, value, scope, follow)
        if read is None:
            return None
        found.extend(read)
    return tuple(found)


def _result(rows: Rows, call: Call, scope: Scope) -> Iterator[Shape]:
    """A method of a result."""
    assert isinstance(call.func, Attr)
    name = call.func.name
    for shape in rows.shapes(call.func.base, scope):
        if name == "scalars":
            at = call.args[0].value if call.args and isinstance(call.args[0], Const) else 0
            yield from _first_of_each(shape, at if isinstance(at, int) else 0)
        elif name in _KEEP:
            yield shape
        elif name in _ONE:
            yield from rows.single(shape)
        elif name in _SCALARS:
            for inner in _first_of_each(shape):
                yield from rows.single(inner)


def _first_of_each(shape: Shape, at: int = 0) -> Iterator[Shape]:
    """A result of rows as one of their values at one place."""
    if isinstance(shape, Many):
        items: list[Shape] = []
        for item in shape.items:
            if isinstance(item, Row):
                items.extend(item.items[at] if at < len(item.items) else ())
            else:
                items.append(item)
        if items:
            yield Many(tuple(items))


# -- callers -----------------------------------------------------------------------------------------------------------


def fact_of(call: Call, source: SourceFile) -> CallFact | None:
    """The place of a call that a file's facts hold."""
    for unit in source.facts.units():
        for fact in unit.calls:
            if fact.value is call:
                return fact
    return None


def handed_over(shape: Shape, fact: CallFact, source: SourceFile, argument: Value) -> Shape:
    """What a function is given by one of its callers: an object of a loop there comes once per iteration."""
    if not isinstance(shape, Loaded):
        return shape
    repeated = shape.repeated
    if shape.walked and not repeated:
        root = next((root_of(node) for value, node in arguments_of(fact) if value is argument), "")
        repeated = bool(root) and any(root in bound_by(loop.node) for loop in fact.loops())
    return replace(shape, walked=False, repeated=repeated, calls=(*shape.calls, (source, fact)))


def root_of(node: ast.AST) -> str:
    """The name that a dotted expression starts with, "" for any other."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Await | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def bound_by(loop: ast.AST) -> frozenset[str]:
    """The names that a loop or comprehension binds, in its head or its body, and those of a lambda's parameters."""
    if isinstance(loop, ast.Lambda):
        return frozenset(each.arg for each in loop.args.args)
    parts: list[ast.AST] = [loop]
    if isinstance(loop, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        parts = [generator.target for generator in loop.generators]
    return frozenset(
        node.id
        for part in parts
        for node in ast.walk(part)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
