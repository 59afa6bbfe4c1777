"""`junit`: a test suite a file, a failed test a violation. Must hold only characters that XML 1.0 allows."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from sqlalchemy_guard.cli.output import by_file
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from sqlalchemy_guard.cli.output import Finding, Report

_FORBIDDEN = lazy_pattern("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """The report as XML."""
    files = by_file(report.findings)
    total = sum(map(len, files.values()))
    # A run without violations is one test that passed: readers take an empty report for a broken one.
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<testsuites name="sqlalchemy-guard" tests="{max(total, 1)}" failures="{total}" errors="0">',
    ]
    if not files:
        lines.append('  <testsuite name="sqlalchemy-guard" tests="1" failures="0" errors="0" skipped="0">')
        lines.append('    <testcase name="no violations" classname="sqlalchemy-guard"/>')
        lines.append("  </testsuite>")
    for path, findings in files.items():
        shown = _attribute(report.shown(path))
        counts = f'tests="{len(findings)}" failures="{len(findings)}" errors="0" skipped="0"'
        lines.append(f"  <testsuite name={shown} {counts}>")
        for finding in findings:
            lines += _case(finding, shown)
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])


def _case(finding: Finding, shown: str) -> list[str]:
    row, column = finding.span.line + 1, finding.span.column + 1
    name = _attribute(f"{finding.rule.code} {finding.rule.name} {row}:{column}")
    message = finding.violation.message
    body = escape(_clean(f"line {row}, column {column}: {message}"))
    return [
        f'    <testcase name={name} classname={shown} file={shown} line="{row}">',
        f'      <failure type="{finding.rule.code}" message={_attribute(message)}>{body}</failure>',
        "    </testcase>",
    ]


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)


def _attribute(text: str) -> str:
    return quoteattr(_clean(text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
