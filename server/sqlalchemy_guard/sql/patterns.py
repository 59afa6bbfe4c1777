"""Patterns of `match`: whether a value fits one. This module must never run a case."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.sql import harmless
from sqlalchemy_guard.sql.values import Opaque, Value

if TYPE_CHECKING:
    from sqlalchemy_guard.sql.evaluator import Evaluator
    from sqlalchemy_guard.sql.scopes import Frame


def fits(evaluator: Evaluator, pattern: ast.pattern, subject: Value, frame: Frame) -> bool | None:
    """Whether a value fits a pattern, None when that is not known; names that it captures are bound."""
    if isinstance(pattern, ast.MatchAs):
        known = fits(evaluator, pattern.pattern, subject, frame) if pattern.pattern is not None else True
        if pattern.name is not None and known is not False:
            frame.env[pattern.name] = subject
        return known
    if isinstance(pattern, ast.MatchOr):
        answers = [fits(evaluator, one, subject, frame) for one in pattern.patterns]
        return True if True in answers else None if None in answers else False
    if isinstance(pattern, (ast.MatchValue, ast.MatchSingleton)):
        wanted = pattern.value
        value = evaluator.evaluate(wanted, frame) if isinstance(wanted, ast.expr) else wanted
        if subject is value:
            return True
        if isinstance(subject, Opaque) or isinstance(value, Opaque):
            return None
        return bool(subject == value) if harmless.is_known(subject) and harmless.is_known(value) else None
    if isinstance(pattern, ast.MatchClass) and not pattern.patterns and not pattern.kwd_patterns:
        return evaluator.is_instance(subject, evaluator.evaluate(pattern.cls, frame))
    capture(pattern, frame)
    return None


def capture(pattern: ast.pattern, frame: Frame) -> None:
    """Bind the names in a pattern that is not understood to something unknown."""
    for node in ast.walk(pattern):
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if isinstance(name, str):
            frame.env[name] = Opaque(name)
