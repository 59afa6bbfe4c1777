"""Rewrites an expression and asks every SQLAlchemy that is supported whether both sides behave the same.

`check(code)` rewrites one expression; whatever it is, safe or not, both sides can be compared with `difference()`.
"""

from __future__ import annotations

import ast

from sqlalchemy_guard.facts.query import Consumer, SessionInfo, SessionKind, read_query
from sqlalchemy_guard.fixes.select.rewrite import Refusal, Rewrite, rewrite
from tests.query import execution, versions
from tests.query.names import NAMES
from tests.query.support import Resolver, Text

SESSION = SessionInfo(SessionKind.SYNC)
RESOLVER = Resolver(NAMES, {"session": SESSION, "s": SESSION})


def check(
    code: str, consumer: Consumer = Consumer.UNKNOWN, resolver: Resolver = RESOLVER
) -> Rewrite | Refusal:
    """Rewrite one expression."""
    node = ast.parse(code, mode="eval").body
    expression = read_query(node, resolver, consumer)
    assert expression is not None, code
    return rewrite(expression, resolver, Text(code))


def new_code(code: str, found: Rewrite) -> str:
    """The whole new expression: what stood behind the terminal stays."""
    segment = ast.get_source_segment(code, found.node)
    assert segment is not None
    assert code.startswith(segment)
    return found.text() + code[len(segment) :]


def difference(code: str, found: Rewrite, consumer: Consumer) -> str | None:
    """How the two sides differ on any version of SQLAlchemy; None when they do not."""
    return difference_of_codes(code, new_code(code, found), consumer)


def difference_of_codes(old: str, new: str, consumer: Consumer = Consumer.UNKNOWN) -> str | None:
    """How two expressions differ on any version of SQLAlchemy; None when they do not."""
    problem = execution.difference(old, new, consumer)
    return problem or versions.ask("difference", old, new, consumer.name)


def difference_of_programs(before: dict[str, str], after: dict[str, str]) -> str | None:
    """How two programs of a few modules differ, on every SQLAlchemy that has the names they use."""
    problem = execution.difference_of_programs(before, after)
    for version in versions.OTHERS:
        if problem is None and (version != "1.4" or not any("Select" in text for text in after.values())):
            problem = versions.ask_one(version, "difference_of_programs", before, after)
    return problem
