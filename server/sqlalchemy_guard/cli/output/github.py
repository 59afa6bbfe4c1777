"""`github`: workflow commands that annotate a pull request. Must escape what would end a property."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy_guard.cli.output import Report

_LEVELS = {"error": "error", "warning": "warning", "information": "notice", "hint": "notice"}


def render(report: Report) -> str:
    """The report as workflow commands."""
    lines = []
    for finding in report.findings:
        span, path = finding.span, report.shown(finding.path).replace("\\", "/")
        properties = {
            "file": path,
            "line": span.line + 1,
            "col": span.column + 1,
            "endLine": span.end_line + 1,
        }
        # The columns of an annotation hold for its first line alone.
        if span.end_line == span.line:
            properties["endColumn"] = span.end_column + 1
        properties["title"] = f"{finding.rule.code} {finding.rule.name}"
        listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
        lines.append(f"::{_LEVELS[finding.severity]} {listed}::{_data(finding.violation.message)}\n")
    return "".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
