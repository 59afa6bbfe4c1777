"""The documentation of the rules as pages on the user's own machine, which every editor can open, also without a network.

The pages stand in the cache directory and are written when there is nothing else to do, at the latest when one is asked
for. This module must never analyse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.cache.pages import keep_page, page_path
from sqlalchemy_guard.logs import Log
from sqlalchemy_guard.lsp.uris import to_uri

if TYPE_CHECKING:
    from sqlalchemy_guard.lsp.session import Session
    from sqlalchemy_guard.rules.api import Rule

log = Log(__name__)

WHEN_IDLE = 3.0
"""Seconds after which pages are written: nobody reads that early."""


def page_uri(rule: Rule) -> str:
    """Where the page of a rule stands."""
    return to_uri(page_path(_name(rule)))


def write_pages(session: Session) -> None:
    """Bring the pages of all rules up to date, one after the other."""
    rules = iter(session.analysis.checker.rules.values())

    def write_next() -> None:
        rule = next(rules, None)
        if rule is not None and keep(rule):
            session.schedule.later("pages", 0, write_next)

    write_next()


def keep(rule: Rule) -> bool:
    """Bring the page of a rule up to date; False when it cannot be written."""
    return keep_page(_name(rule), f"# {rule.name} ({rule.code})\n\n{rule.explanation}\n")


def show(session: Session, code: str) -> None:
    """Open the page of a rule in the client, or tell where it is."""
    rule = session.analysis.checker.rules.get(code)
    if rule is None:
        log.warning("no rule has the code %s", code)
        return
    if not keep(rule):
        text = f"{rule.code}: the documentation could not be written to {page_path(_name(rule))}"
        session.notify("window/showMessage", {"type": 2, "message": text})
    elif session.client.show_document:
        session.request("window/showDocument", {"uri": page_uri(rule), "takeFocus": True}, lambda _: None)
    else:
        text = f"{rule.code} is explained in {page_path(_name(rule))}"
        session.notify("window/showMessage", {"type": 3, "message": text})


def _name(rule: Rule) -> str:
    return f"{rule.name}.md"
