"""Prints why an editor was not tested: a skip that nobody sees is a hole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.stats.get("skipped", []):
        if "tests/editors/" in report.nodeid and isinstance(report.longrepr, tuple):
            terminalreporter.write_line(f"not tested: {report.nodeid}: {report.longrepr[2]}")
