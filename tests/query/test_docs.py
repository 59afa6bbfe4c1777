"""The page of supported forms is what the tables say."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy_guard.facts.query import TERMINALS as READ
from sqlalchemy_guard.fixes.select import consumers, links, terminals
from sqlalchemy_guard.fixes.select.docs import render_docs

PAGE = Path(__file__).parents[2] / "docs" / "query-rewriting.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_docs()


def test_every_link_and_terminal_is_on_the_page() -> None:
    page = render_docs()
    for name in [*links.LINKS, *terminals.TERMINALS, *links.REFUSED, *terminals.REFUSED]:
        assert (name if name != "[]" else "[index]") in page
    for consumer in [*consumers.CONSUMERS, *consumers.REFUSED]:
        assert consumer.value in page


def test_what_is_read_as_a_terminal_has_a_form_or_a_reason() -> None:
    assert set(terminals.TERMINALS) | set(terminals.REFUSED) == set(READ)
