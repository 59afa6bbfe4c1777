"""Statements: runs a block, both ways where a condition is unknown, and joins what comes out.

This module must never evaluate an expression itself.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.sql import assignment, harmless, patterns
from sqlalchemy_guard.sql.bindings import bound_names
from sqlalchemy_guard.sql.scopes import Frame, join_envs
from sqlalchemy_guard.sql.toward import Reached
from sqlalchemy_guard.sql.values import Class, Function, Host, Opaque, Spread, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy_guard.sql.evaluator import Evaluator
    from sqlalchemy_guard.syntax.chunk import Chunk


class Raised(Exception):
    """The user's code raised something of its own or something unknown; `value` is that."""

    def __init__(self, value: Value) -> None:
        super().__init__(str(value))
        self.value = value


class Returned(NamedTuple):
    """A block ended with `return`."""

    value: Value


class Jump(NamedTuple):
    """A block ended with `break` or `continue`."""

    kind: str


Outcome = Returned | Jump | None

CATCHABLE: tuple[type[Exception], ...] = (
    Raised,
    *(error for error in harmless.ERRORS.values() if error is not Exception),
)
"""What the user's code can catch. `Exception` itself is wrapped as `Raised`: ours and `poll`'s are of that class, too."""

_BREAK, _CONTINUE = Jump("break"), Jump("continue")


def run(evaluator: Evaluator, block: Sequence[tuple[Chunk, ast.stmt]], frame: Frame) -> Outcome:
    """Run statements; gives how they ended, None at the end of the block.

    Raises:
        Raised, or an exception of Python: what the user's code raised and did not catch.
    """
    toward = evaluator.toward
    for chunk, statement in block:
        if toward is not None and id(statement) in toward.skipped:
            continue
        evaluator.budget.spend()
        frame.chunk = chunk
        evaluator.at(frame, statement)
        handler = _HANDLERS.get(type(statement))
        if handler is not None:
            if toward is not None and id(statement) in toward.before:
                outcome = carefully(evaluator, statement, frame, handler)
            else:
                outcome = handler(evaluator, statement, frame)
            reached(evaluator, statement)
            if outcome is not None:
                return outcome
    return None


def carefully(
    evaluator: Evaluator, statement: ast.stmt, frame: Frame, handler: Callable[..., Outcome]
) -> Outcome:
    """Run a statement on the way to another one: when it raises, the names that it would have bound are unknown."""
    depth = len(evaluator.uncertain)
    try:
        return handler(evaluator, statement, frame)
    except CATCHABLE as error:
        if is_ours(evaluator, error):
            raise
        del evaluator.uncertain[depth:]
        evaluator.note(f"{type(error).__name__}: {error}", statement)
        for name in bound_names(statement):
            frame.env.setdefault(name, Opaque(name))
        return None


def reached(evaluator: Evaluator, statement: ast.stmt) -> None:
    """End the run when this is the statement that is looked for.

    Raises:
        Reached: it is.
    """
    if evaluator.toward is not None and statement is evaluator.toward.last:
        raise Reached


def _passes(evaluator: Evaluator, node: ast.stmt, block: Sequence[ast.stmt]) -> bool:
    """Whether the way to the statement that is looked for goes through a block of another one."""
    return evaluator.toward is not None and evaluator.toward.within(node, block)


def run_body(evaluator: Evaluator, body: list[ast.stmt], frame: Frame) -> Outcome:
    """Run a block inside of a statement."""
    chunk = frame.chunk
    assert chunk is not None
    evaluator.budget.descend()
    try:
        return run(evaluator, [(chunk, statement) for statement in body], frame)
    finally:
        evaluator.budget.ascend()


def is_ours(evaluator: Evaluator, error: BaseException) -> bool:
    """Whether an error is none of the user's code: what `poll` raised, or too many calls inside one another."""
    return evaluator.budget.interrupted is error or isinstance(error, RecursionError)


# -- branches ------------------------------------------------------------------------------------------------------


def either(
    evaluator: Evaluator, condition: str, frame: Frame, branches: Sequence[Callable[[], Outcome]]
) -> Outcome:
    """Run every one of several branches of which one is taken, and join them.

    A branch that raises is taken not to be the one. What one that returns gives joins the function's result, and what follows
    runs uncertainly.
    """
    before, chunk, known = dict(frame.env), frame.chunk, len(frame.results)
    ended: list[dict[str, Value]] = []
    outcomes: list[Outcome] = []
    error: Exception | None = None
    for branch in branches:
        frame.env = dict(before)
        frame.chunk = chunk
        evaluator.uncertain.append(condition)
        depth = len(evaluator.uncertain)
        try:
            outcome = branch()
        except CATCHABLE as raised:
            if is_ours(evaluator, raised):
                raise
            error = raised
            continue
        finally:
            del evaluator.uncertain[depth - 1 :]
        if outcome is None:
            ended.append(frame.env)
        else:
            outcomes.append(outcome)
    frame.chunk = chunk
    if not ended and not outcomes:
        frame.env = before
        assert error is not None
        raise error
    if not ended:
        return _last(frame, outcomes, before)
    returned = [outcome for outcome in outcomes if isinstance(outcome, Returned)]
    frame.results.extend(outcome.value for outcome in returned)
    frame.env = join_envs(ended)
    if outcomes or len(frame.results) > known:
        # Whatever follows happens only when nothing returned before; the call's end takes this back.
        evaluator.uncertain.append(condition)
    return None


def _last(frame: Frame, outcomes: list[Outcome], before: dict[str, Value]) -> Outcome:
    """How the statement ends of which every branch leaves the block."""
    returned = [outcome for outcome in outcomes if isinstance(outcome, Returned)]
    if len(returned) == len(outcomes):
        frame.results.extend(outcome.value for outcome in returned[1:])
        return returned[0]
    frame.results.extend(outcome.value for outcome in returned)
    frame.env = before
    return next(outcome for outcome in outcomes if not isinstance(outcome, Returned))


def _if(evaluator: Evaluator, node: ast.If, frame: Frame) -> Outcome:
    condition = evaluator.evaluate(node.test, frame)
    reached(evaluator, node)
    known = evaluator.truth(condition)
    if _passes(evaluator, node, node.body):
        known = True
    elif _passes(evaluator, node, node.orelse):
        known = False
    elif known is None:
        known = _forked(evaluator, node, frame)
    if known is not None:
        return run_body(evaluator, node.body if known else node.orelse, frame)
    return either(
        evaluator,
        _shown(condition),
        frame,
        [lambda: run_body(evaluator, node.body, frame), lambda: run_body(evaluator, node.orelse, frame)],
    )


def _shown(condition: Value) -> str:
    return condition.name if isinstance(condition, Opaque) else "?"


def _match(evaluator: Evaluator, node: ast.Match, frame: Frame) -> Outcome:
    subject = evaluator.evaluate(node.subject, frame)
    reached(evaluator, node)
    for case in node.cases:
        if _passes(evaluator, node, case.body):
            patterns.capture(case.pattern, frame)
            patterns.fits(evaluator, case.pattern, subject, frame)
            return run_body(evaluator, case.body, frame)
    possible: list[ast.match_case] = []
    for case in node.cases:
        fits = patterns.fits(evaluator, case.pattern, subject, frame)
        if fits and case.guard is not None:
            fits = evaluator.truth(evaluator.evaluate(case.guard, frame))
        if fits is not False:
            possible.append(case)
        if fits:
            break
    else:
        if not possible:
            return None
    if len(possible) == 1 and fits:
        return run_body(evaluator, possible[0].body, frame)
    branches: list[Callable[[], Outcome]] = [_case(evaluator, case, frame) for case in possible]
    if not fits:
        branches.append(lambda: None)
    return either(evaluator, _shown(subject), frame, branches)


def _case(evaluator: Evaluator, case: ast.match_case, frame: Frame) -> Callable[[], Outcome]:
    return lambda: run_body(evaluator, case.body, frame)


# -- loops ---------------------------------------------------------------------------------------------------------


def _for(evaluator: Evaluator, node: ast.For | ast.AsyncFor, frame: Frame) -> Outcome:
    iterable = evaluator.evaluate(node.iter, frame)
    items = evaluator.iterate(iterable)
    reached(evaluator, node)
    if _passes(evaluator, node, node.orelse):
        return run_body(evaluator, node.orelse, frame)
    if _passes(evaluator, node, node.body) and (not items or isinstance(items[0], Spread)):
        return _once(evaluator, node, Spread(_shown(iterable)), frame)()
    if items is None:
        items = [Spread(_shown(iterable))]
    depth = len(evaluator.uncertain)
    try:
        for item in items:
            evaluator.budget.spend()
            if isinstance(item, Spread) and (taken := _forked(evaluator, node, frame)) is not None:
                outcome = _once(evaluator, node, item, frame)() if taken else None
            elif isinstance(item, Spread):
                outcome = either(
                    evaluator, _shown(item), frame, [_once(evaluator, node, item, frame), lambda: None]
                )
            else:
                assignment.assign(evaluator, node.target, item, frame)
                outcome = run_body(evaluator, node.body, frame)
            if isinstance(outcome, Returned):
                return outcome
            if outcome == _BREAK:
                return None
    finally:
        if not frame.results:
            # An uncertain `break` or `continue` ends with its loop; an uncertain `return` does not.
            del evaluator.uncertain[depth:]
    return run_body(evaluator, node.orelse, frame)


def _once(
    evaluator: Evaluator, node: ast.For | ast.AsyncFor, item: Value, frame: Frame
) -> Callable[[], Outcome]:
    def iteration() -> Outcome:
        assignment.assign(evaluator, node.target, Opaque(_target_name(node.target)), frame)
        outcome = run_body(evaluator, node.body, frame)
        return None if isinstance(outcome, Jump) else outcome

    return iteration


def _target_name(target: ast.expr) -> str:
    return target.id if isinstance(target, ast.Name) else "item"


def _while(evaluator: Evaluator, node: ast.While, frame: Frame) -> Outcome:
    depth = len(evaluator.uncertain)
    while True:
        evaluator.budget.spend()
        condition = evaluator.evaluate(node.test, frame)
        reached(evaluator, node)
        if _passes(evaluator, node, node.body):
            return run_body(evaluator, node.body, frame)
        known = evaluator.truth(condition)
        if known is None:
            return either(
                evaluator,
                _shown(condition),
                frame,
                [lambda: _without_jump(run_body(evaluator, node.body, frame)), lambda: None],
            )
        if not known:
            return run_body(evaluator, node.orelse, frame)
        forks = evaluator.forks
        outcome = run_body(evaluator, node.body, frame)
        if isinstance(outcome, Returned):
            return outcome
        if outcome == _BREAK:
            return None
        if len(evaluator.uncertain) > depth or evaluator.forks > forks:
            # It may have been left here: how often it runs is not known.
            del evaluator.uncertain[depth:]
            return None


def _forked(evaluator: Evaluator, node: ast.If | ast.For | ast.AsyncFor, frame: Frame) -> bool | None:
    """Which branch of an unknown condition this run takes; None when it takes both."""
    taken = evaluator.fork(node, frame)
    evaluator.forks += taken is not None
    return taken


def _without_jump(outcome: Outcome) -> Outcome:
    return None if isinstance(outcome, Jump) else outcome


# -- errors and contexts -------------------------------------------------------------------------------------------


def _try(evaluator: Evaluator, node: ast.Try, frame: Frame) -> Outcome:
    before = dict(frame.env)
    for block in (node.orelse, node.finalbody, *(one.body for one in node.handlers)):
        if _passes(evaluator, node, block):
            return _behind(evaluator, node, block, frame)
    try:
        outcome = run_body(evaluator, node.body, frame)
        if outcome is None:
            outcome = run_body(evaluator, node.orelse, frame)
    except CATCHABLE as error:
        if is_ours(evaluator, error):
            raise
        handler = next((one for one in node.handlers if _catches(evaluator, one, error, frame)), None)
        if handler is None:
            raise
        frame.env = {**before, **frame.env}
        if handler.name:
            frame.env[handler.name] = error.value if isinstance(error, Raised) else Opaque(handler.name)
        outcome = run_body(evaluator, handler.body, frame)
    return run_body(evaluator, node.finalbody, frame) or outcome


def _behind(evaluator: Evaluator, node: ast.Try, block: list[ast.stmt], frame: Frame) -> Outcome:
    """What follows the body of a `try`: after it was run as far as it can be."""
    carefully(evaluator, node, frame, lambda *_: run_body(evaluator, node.body, frame))
    for handler in node.handlers:
        if handler.body is block and handler.name:
            frame.env[handler.name] = Opaque(handler.name)
    return run_body(evaluator, block, frame)


def _catches(evaluator: Evaluator, handler: ast.ExceptHandler, error: Exception, frame: Frame) -> bool:
    """Whether a handler may be the one for an error; one that nobody knows is."""
    if handler.type is None:
        return True
    wanted = evaluator.evaluate(handler.type, frame)
    for one in wanted if isinstance(wanted, tuple) else (wanted,):
        if isinstance(one, type) and not isinstance(error, Raised):
            if isinstance(error, one):
                return True
        elif isinstance(one, Class) and isinstance(error, Raised):
            if evaluator.is_instance(error.value, one) is not False:
                return True
        elif isinstance(error, Raised) or one is Exception:
            return True
    return False


def _raise(evaluator: Evaluator, node: ast.Raise, frame: Frame) -> Outcome:
    value = evaluator.evaluate(node.exc, frame) if node.exc is not None else Opaque("raise")
    if isinstance(value, CATCHABLE) or (isinstance(value, type) and issubclass(value, CATCHABLE)):
        raise value
    raise Raised(value)


def _with(evaluator: Evaluator, node: ast.With | ast.AsyncWith, frame: Frame) -> Outcome:
    hosts: list[Host] = []
    for item in node.items:
        context = evaluator.evaluate(item.context_expr, frame)
        entered: Value = Opaque(_shown(context))
        if isinstance(context, Host):
            hosts.append(context)
            entered = context.enter()
        elif isinstance(context, list) and context:
            # A generator under `@contextmanager`.
            entered = context[0]
        elif not isinstance(context, Opaque):
            entered = assignment.entered(evaluator, context)
        if item.optional_vars is not None:
            assignment.assign(evaluator, item.optional_vars, entered, frame)
    reached(evaluator, node)
    try:
        return run_body(evaluator, node.body, frame)
    finally:
        for host in reversed(hosts):
            host.leave()


# -- simple statements ---------------------------------------------------------------------------------------------


def _return(evaluator: Evaluator, node: ast.Return, frame: Frame) -> Outcome:
    return Returned(evaluator.evaluate(node.value, frame) if node.value is not None else None)


def _assert(evaluator: Evaluator, node: ast.Assert, frame: Frame) -> Outcome:
    if evaluator.truth(evaluator.evaluate(node.test, frame)) is False:
        raise AssertionError
    return None


def _expression(evaluator: Evaluator, node: ast.Expr, frame: Frame) -> Outcome:
    if not isinstance(node.value, ast.Constant):
        evaluator.evaluate(node.value, frame)
    return None


def _define(evaluator: Evaluator, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> Outcome:
    assignment.define(evaluator, node, frame)
    if evaluator.toward is not None and evaluator.toward.passes(node) is not None:
        # What a function inside gets, nobody knows; the names around it are those of now.
        inner = Function(node, frame.module.body_of(node, frame.chunk), frame, {})
        evaluator.call(inner, [Spread("…")], {})
    return None


def _define_class(evaluator: Evaluator, node: ast.ClassDef, frame: Frame) -> Outcome:
    assignment.define_class(evaluator, node, frame)
    return None


def _outer(evaluator: Evaluator, node: ast.Global | ast.Nonlocal, frame: Frame) -> Outcome:
    frame.outer.update(node.names)
    return None


def _jump(evaluator: Evaluator, node: ast.Break | ast.Continue, frame: Frame) -> Outcome:
    return _BREAK if isinstance(node, ast.Break) else _CONTINUE


_HANDLERS: dict[type[ast.stmt], Callable[..., Outcome]] = {
    ast.If: _if,
    ast.Match: _match,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.Try: _try,
    ast.TryStar: _try,
    ast.Raise: _raise,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Return: _return,
    ast.Assert: _assert,
    ast.Expr: _expression,
    ast.FunctionDef: _define,
    ast.AsyncFunctionDef: _define,
    ast.ClassDef: _define_class,
    ast.Global: _outer,
    ast.Nonlocal: _outer,
    ast.Break: _jump,
    ast.Continue: _jump,
    **assignment.HANDLERS,
}
