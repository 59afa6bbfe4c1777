"""The last lines of the formats for people: how many violations, how many can be fixed, and how.

This module must never say a number that was not counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.cli.output import count
from sqlalchemy_guard.rules.api import Applicability

if TYPE_CHECKING:
    from sqlalchemy_guard.cli.output import Finding, Report
    from sqlalchemy_guard.cli.terminal import Style


def marker(report: Report, finding: Finding, style: Style) -> str:
    """` [*]` where `--fix` would mend the violation."""
    return f" [{style('cyan', '*')}]" if report.is_fixable(finding) else ""


def summary(report: Report, style: Style) -> list[str]:
    """The closing lines."""
    remaining, fixed = len(report.findings), sum(report.fixed.values())
    lines = []
    if fixed:
        lines.append(f"Found {count(remaining + fixed, 'violation')} ({fixed} fixed, {remaining} remaining).")
    elif remaining:
        lines.append(f"Found {count(remaining, 'violation')}.")
    else:
        lines.append("No violations found.")
    fixable = sum(map(report.is_fixable, report.findings))
    hidden = sum(
        finding.violation.applicability == Applicability.UNSAFE and not report.is_fixable(finding)
        for finding in report.findings
    )
    star = f"[{style('cyan', '*')}]"
    if fixable:
        flags = "`--fix`" if report.applicability == Applicability.SAFE else "`--fix --unsafe-fixes`"
        more = f" ({hidden} more with `--unsafe-fixes`)" if hidden else ""
        lines.append(f"{star} {fixable} fixable with {flags}{more}.")
    elif hidden:
        lines.append(
            f"{hidden} fixable with `--fix --unsafe-fixes`; read these fixes before you commit them."
        )
    return lines
