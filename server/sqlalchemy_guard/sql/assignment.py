"""Statements that bind names: assignments, definitions, imports. This module must never decide which of them runs."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.sql import classes, expressions
from sqlalchemy_guard.sql.scopes import Frame
from sqlalchemy_guard.sql.values import Class, Function, Instance, Method, Opaque, Spread, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.sql.evaluator import Evaluator


def bind(frame: Frame, name: str, value: Value) -> None:
    """Bind a name where the frame says that it is bound."""
    target: Frame | None = frame
    if name in frame.outer:
        target = frame.parent
        while target is not None and name not in target.env:
            target = target.parent
    (target or frame).env[name] = value


def assign(evaluator: Evaluator, target: ast.expr, value: Value, frame: Frame) -> None:
    """Bind what an assignment, a loop or a `with` names."""
    if isinstance(target, ast.Name):
        if frame.is_class:
            place = evaluator.place
            assert place is not None
            frame.places[target.id] = (frame.chunk, place[1])
        bind(frame, target.id, value)
    elif isinstance(target, ast.Attribute):
        evaluator.set_attribute(evaluator.evaluate(target.value, frame), target.attr, value)
    elif isinstance(target, ast.Subscript):
        _assign_item(evaluator, target, value, frame)
    elif isinstance(target, (ast.Tuple, ast.List)):
        _unpack(evaluator, target.elts, value, frame)
    elif isinstance(target, ast.Starred):
        assign(evaluator, target.value, value, frame)


def _assign_item(evaluator: Evaluator, target: ast.Subscript, value: Value, frame: Frame) -> None:
    container = evaluator.evaluate(target.value, frame)
    key = evaluator.evaluate(target.slice, frame)
    if isinstance(container, (dict, list)):
        if (
            evaluator.uncertain
            or isinstance(key, Opaque)
            or (isinstance(container, list) and type(key) is not int)
        ):
            evaluator.taint(container)
            return
        container[key] = value


def _unpack(evaluator: Evaluator, targets: list[ast.expr], value: Value, frame: Frame) -> None:
    items = evaluator.iterate(value)
    star = next((i for i, target in enumerate(targets) if isinstance(target, ast.Starred)), None)
    fits = items is not None and not any(isinstance(item, Spread) for item in items)
    if (
        not fits
        or items is None
        or (len(items) < len(targets) - 1 if star is not None else len(items) != len(targets))
    ):
        shown = value.name if isinstance(value, Opaque) else "?"
        for target in targets:
            name = target.id if isinstance(target, ast.Name) else shown
            assign(evaluator, target, Opaque(name), frame)
        return
    if star is not None:
        behind = len(targets) - star - 1
        middle = items[star : len(items) - behind]
        items = [*items[:star], middle, *items[len(items) - behind :]]
    for target, item in zip(targets, items, strict=True):
        assign(evaluator, target, item, frame)


def _assign(evaluator: Evaluator, node: ast.Assign, frame: Frame) -> None:
    value = evaluator.evaluate(node.value, frame)
    for target in node.targets:
        assign(evaluator, target, value, frame)


def _annotated(evaluator: Evaluator, node: ast.AnnAssign, frame: Frame) -> None:
    if isinstance(node.target, ast.Name) and frame.is_class:
        frame.annotating[node.target.id] = (node.annotation, frame.chunk)
        frame.places[node.target.id] = (frame.chunk, node)
    if node.value is not None:
        assign(evaluator, node.target, evaluator.evaluate(node.value, frame), frame)


def _augmented(evaluator: Evaluator, node: ast.AugAssign, frame: Frame) -> None:
    old = evaluator.evaluate(node.target, frame)
    added = evaluator.evaluate(node.value, frame)
    if isinstance(old, (list, dict, set)) and evaluator.uncertain:
        evaluator.taint(old)
        return
    assign(evaluator, node.target, expressions.operate(evaluator, node.op, old, added), frame)


def _delete(evaluator: Evaluator, node: ast.Delete, frame: Frame) -> None:
    for target in node.targets:
        if isinstance(target, ast.Name):
            frame.env.pop(target.id, None)
        elif isinstance(target, ast.Subscript):
            container = evaluator.evaluate(target.value, frame)
            if isinstance(container, (dict, list)):
                evaluator.taint(container)


def _import(evaluator: Evaluator, node: ast.Import, frame: Frame) -> None:
    for alias in node.names:
        name = alias.name if alias.asname else alias.name.partition(".")[0]
        bind(frame, alias.asname or name, evaluator.program.imported(name, frame.module))


def _import_from(evaluator: Evaluator, node: ast.ImportFrom, frame: Frame) -> None:
    module = "." * node.level + (node.module or "")
    for alias in node.names:
        if alias.name != "*":
            bind(
                frame,
                alias.asname or alias.name,
                evaluator.program.imported_name(module, alias.name, frame.module),
            )


def define(evaluator: Evaluator, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
    """A function with its decorators."""
    function = make_function(evaluator, node, frame)
    if frame.is_class:
        frame.places[node.name] = (frame.chunk, node)
    value: Value = function
    for decorator in reversed(node.decorator_list):
        value = _decorated(evaluator, evaluator.evaluate(decorator, frame), value)
    bind(frame, node.name, value)


def _decorated(evaluator: Evaluator, decorator: Value, value: Value) -> Value:
    if isinstance(decorator, Opaque):
        name = decorator.dotted.removesuffix("()")
        if name in TRANSPARENT or name.rpartition(".")[2] in TRANSPARENT_LAST:
            return value
        if name in ("functools.cached_property", "sqlalchemy.util.memoized_property"):
            return value.as_kind("property") if isinstance(value, Function) else value
    return evaluator.call(decorator, [value], {})


TRANSPARENT = frozenset(
    """
    contextlib.contextmanager contextlib.asynccontextmanager functools.cache functools.lru_cache functools.wraps typing.final
    typing.overload typing.override typing.no_type_check abc.abstractmethod warnings.deprecated
    sqlalchemy.event.listens_for sqlalchemy.orm.validates sqlalchemy.orm.reconstructor sqlalchemy.ext.compiler.compiles
    sqlalchemy.orm.declarative_mixin
    """.split()
)
"""Decorators under which a function stays what it is, for whoever reads models and statements."""
TRANSPARENT_LAST = frozenset({"listens_for", "deprecated", "fixture"})


def make_function(
    evaluator: Evaluator, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, frame: Frame
) -> Function:
    """A function or lambda as a value; its defaults are evaluated now."""
    args = node.args
    positional = [*args.posonlyargs, *args.args]
    pairs = list(zip(positional[len(positional) - len(args.defaults) :], args.defaults, strict=True))
    pairs += [
        (arg, default) for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True) if default
    ]
    defaults = {arg.arg: evaluator.evaluate(default, frame) for arg, default in pairs}
    body = None if isinstance(node, ast.Lambda) else frame.module.body_of(node, frame.chunk)
    home = Frame(frame.module, _visible(frame), frame.chunk)
    home.owner, home.receiver = frame.owner, frame.receiver
    return Function(node, body, home, defaults)


def _visible(frame: Frame) -> Frame | None:
    """The frame whose names a function defined here sees: not that of a class body."""
    visible: Frame | None = frame
    while visible is not None and visible.is_class:
        visible = visible.parent
    return visible


def define_class(evaluator: Evaluator, node: ast.ClassDef, frame: Frame) -> None:
    """A class with its bases and its body."""
    bases = expressions.arguments(evaluator, node.bases, frame)
    keywords = {one.arg: evaluator.evaluate(one.value, frame) for one in node.keywords if one.arg}
    inner = Frame(frame.module, frame, frame.chunk)
    inner.is_class = True
    inner.qualname = f"{frame.qualname}.{node.name}" if frame.is_class else node.name
    chunk = frame.chunk
    depth = len(evaluator.uncertain)
    try:
        for base in bases:
            if isinstance(base, Class):
                evaluator.program.extended(base)
        evaluator.program.run_class_body(inner, frame.module.body_of(node, chunk))
    finally:
        del evaluator.uncertain[depth:]
    made = Class(
        node.name, inner.qualname, frame.module, [base for base in bases if base is not object], inner.env
    )
    made.annotations, made.keywords, made.places = inner.annotating, keywords, inner.places
    made.node, made.chunk, made.frame = node, chunk, inner
    for value in inner.env.values():
        classes.own(value, made)
    made.decorators = [evaluator.evaluate(decorator, frame) for decorator in node.decorator_list]
    value = classes.finish(evaluator, made)
    if frame.is_class:
        frame.places[node.name] = (chunk, node)
    bind(frame, node.name, value)


def entered(evaluator: Evaluator, context: Value) -> Value:
    """What `with context as x` binds to `x`."""
    if isinstance(context, Instance):
        method, _ = context.cls.find("__enter__")
        if isinstance(method, Function):
            return evaluator.call(Method(method, context), [], {})
    return context


HANDLERS: dict[type[ast.stmt], Callable[..., None]] = {
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Delete: _delete,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
}
