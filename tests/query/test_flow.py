"""Queries that are built over several statements: every segment is rewritten, and the function does the same."""

from __future__ import annotations

import ast
import textwrap

import pytest

from sqlalchemy_guard.facts.query import Consumer, read_query
from sqlalchemy_guard.fixes.select.flow import Segment, rewrite_flow
from sqlalchemy_guard.fixes.select.rewrite import Refusal
from tests.query.names import NAMES
from tests.query.oracle import RESOLVER, difference_of_functions
from tests.query.support import Text


def rewritten(body: str) -> str | Refusal:
    """The body with all segments of `q` rewritten; conditional is what stands deeper than the body itself."""
    tree = ast.parse(body)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    root = None
    segments = []
    for node in sorted(
        ast.walk(tree), key=lambda each: (getattr(each, "lineno", 0), getattr(each, "col_offset", 0))
    ):
        if isinstance(node, ast.Assign) and root is None:
            root = read_query(node.value, RESOLVER, Consumer.ASSIGNED)
        elif isinstance(node, ast.Name) and node.id == "q" and isinstance(node.ctx, ast.Load):
            outer: ast.AST = node
            while isinstance(parents[outer], ast.Attribute | ast.Call | ast.Subscript):
                outer = parents[outer]
            holder = parents[outer]
            consumer = Consumer.ASSIGNED if isinstance(holder, ast.Assign) else Consumer.UNKNOWN
            if isinstance(holder, ast.comprehension):
                consumer = Consumer.ITERATED
            chain = [holder]
            while chain[-1] in parents:
                chain.append(parents[chain[-1]])
            assert isinstance(outer, ast.expr)
            segments.append(
                Segment(
                    outer,
                    consumer,
                    any(isinstance(each, ast.If) for each in chain),
                    any(isinstance(each, ast.For) for each in chain),
                )
            )
    assert root is not None
    found = rewrite_flow(root, "q", segments, RESOLVER, Text(body))
    if isinstance(found, Refusal):
        return found
    assert all(each.is_safe for each in found), found[0].doubts
    text = body
    for each in reversed(found):
        old = ast.get_source_segment(body, each.node)
        assert old is not None
        at = text.rindex(old)
        text = text[:at] + each.text() + text[at + len(old) :]
    return text


FLOWS = {
    "straight": (
        """
        q = session.query(User).filter(User.id > 0)
        q = q.order_by(User.id)
        return q.all()
        """,
        """
        q = select(User).where(User.id > 0)
        q = q.order_by(User.id)
        return session.scalars(q).all()
        """,
    ),
    "a conditional join": (
        """
        q = session.query(User)
        if flag:
            q = q.join(User.addresses).filter(Address.email == 'x')
        return q.order_by(User.id).all()
        """,
        """
        q = select(User)
        if flag:
            q = q.join(User.addresses).where(Address.email == 'x')
        return session.scalars(q.order_by(User.id)).unique().all()
        """,
    ),
    "two uses": (
        """
        q = session.query(User.name).filter_by(name='ann')
        if flag:
            q = q.filter(User.id > 1)
        return [q.count(), q.limit(1).all(), q.first()]
        """,
        """
        q = select(User.name).filter_by(name='ann')
        if flag:
            q = q.where(User.id > 1)
        return [session.scalar(select(func.count()).select_from(q.subquery())), session.execute(q.limit(1)).all(), \
session.execute(q.limit(1)).first()]
        """,
    ),
    "a loop of criteria": (
        """
        q = session.query(User)
        for word in ('a', 'n'):
            q = q.filter(User.name.contains(word))
        return [each.id for each in q]
        """,
        """
        q = select(User)
        for word in ('a', 'n'):
            q = q.where(User.name.contains(word))
        return [each.id for each in session.scalars(q)]
        """,
    ),
}


@pytest.mark.parametrize("name", FLOWS)
def test_every_segment_is_rewritten(name: str) -> None:
    before, after = (textwrap.dedent(text).strip() for text in FLOWS[name])
    # The resolver sees expressions only, and `word` is a plain value to it.
    NAMES.setdefault("word", "a")
    body = f"def f():\n{textwrap.indent(before, '    ')}"
    assert rewritten(body) == f"def f():\n{textwrap.indent(after, '    ')}"
    for flag in (True, False):
        assert difference_of_functions(before, after, flag=flag) is None


REFUSED = {
    "q = session.query(User)\nif flag:\n    q = q.with_entities(User.id)\nx = q.all()": "under a condition",
    "q = session.query(User)\nif flag:\n    q = q.join(User.addresses)\nx = q.filter_by(id=1).all()": "conditional join",
    "q = session.query(User)\nx = q.filter(User.id > 2).delete()": "in one expression",
    "q = session.query(User)\nf(q)": "not understood",
    "q = session.query(User)\nfor x in y:\n    q = q.join(User.addresses)\nx = q.all()": "in a loop",
}


@pytest.mark.parametrize(("body", "reason"), REFUSED.items())
def test_all_of_it_or_nothing(body: str, reason: str) -> None:
    found = rewritten(body)
    assert isinstance(found, Refusal), found
    assert reason in found.reason
