"""Chains out of the grammar: whatever is called safe behaves the same, on data and on empty tables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, settings

from sqlalchemy_guard.fixes.select.rewrite import Refusal
from tests.query.grammar import chains
from tests.query.oracle import check, difference

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.query import Consumer

EXAMPLES = int(os.environ.get("SQLALCHEMY_GUARD_CHAINS", "250"))
AS_FOUND = (Phase.explicit, Phase.reuse, Phase.generate)
"""A chain is short already; making it shorter on three versions of SQLAlchemy takes minutes."""


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=AS_FOUND)
@given(chains())
def test_a_safe_rewrite_changes_nothing(chain: tuple[str, Consumer]) -> None:
    code, consumer = chain
    found = check(code, consumer)
    if isinstance(found, Refusal):
        assert found.reason
    elif found.is_safe:
        problem = difference(code, found, consumer)
        assert problem is None, problem
