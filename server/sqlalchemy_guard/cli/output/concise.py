"""`concise`: a line a violation, as compilers write it. Must never span a violation over two lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.cli.output.summary import marker, summary
from sqlalchemy_guard.cli.terminal import Style, visible

if TYPE_CHECKING:
    from sqlalchemy_guard.cli.output import Report


def render(report: Report) -> str:
    """The report as text."""
    style = Style(report.color)
    lines = []
    for finding in report.findings:
        place = (
            f"{style('bold', report.shown(finding.path))}:{finding.span.line + 1}:{finding.span.column + 1}"
        )
        code = style("red", finding.rule.code)
        lines.append(f"{place}: {code}{marker(report, finding, style)} {visible(finding.violation.message)}")
    return "\n".join([*lines, *summary(report, style), ""])
