"""`full`: each violation with its source and what to do. Must never show more than a screen of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.cli.output.summary import marker, summary
from sqlalchemy_guard.cli.terminal import Style, visible, width
from sqlalchemy_guard.rules.api import Applicability
from sqlalchemy_guard.text.lines import content_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.cli.output import Finding, Report
    from sqlalchemy_guard.rules.api import Span

_CONTEXT = 2
_LONGEST = 5
_COLORS = {"error": "red", "warning": "yellow", "information": "blue", "hint": "cyan"}


def render(report: Report) -> str:
    """The report as text."""
    style = Style(report.color)
    blocks = ["\n".join(_block(report, finding, style)) + "\n" for finding in report.findings]
    return "\n".join([*blocks, *summary(report, style), ""])


def _block(report: Report, finding: Finding, style: Style) -> list[str]:
    span = finding.span
    head = style(_COLORS[finding.severity], finding.rule.code) + marker(report, finding, style)
    gutter = len(str(span.end_line + 1 + _CONTEXT))
    arrow, bar = style("blue", "-->"), style("blue", "|")
    indent = " " * gutter
    lines = [
        f"{head} {style('bold', visible(finding.violation.message))}",
        f"{indent}{arrow} {report.shown(finding.path)}:{span.line + 1}:{span.column + 1}",
        f"{indent} {bar}",
        *_excerpt(finding.document.lines, span, gutter, style, _COLORS[finding.severity]),
        f"{indent} {bar}",
    ]
    for related in finding.related:
        place = f"{report.shown(related.path)}:{related.span.line + 1}:{related.span.column + 1}"
        lines.append(f"{style('blue', 'note')}: {visible(related.message)} ({place})")
    if finding.fix is not None:
        unsafe = " (unsafe fix)" if finding.fix.applicability == Applicability.UNSAFE else ""
        lines.append(f"{style('cyan', 'help')}: {visible(finding.fix.title)}{unsafe}")
    lines.append(f"{style('cyan', 'docs')}: sqlalchemy-guard rule {finding.rule.code}")
    return lines


def _excerpt(source: Sequence[str], span: Span, gutter: int, style: Style, color: str) -> list[str]:
    bar = style("blue", "|")
    last = span.end_line - 1 if span.end_line > span.line and span.end_column == 0 else span.end_line
    shown = []
    above, below = max(0, span.line - _CONTEXT), min(len(source), last + _CONTEXT + 1)
    # Blank lines at the edges of the excerpt tell nothing.
    while above < min(span.line, below) and not source[above].strip():
        above += 1
    while below > last + 1 and not source[below - 1].strip():
        below -= 1
    for number in range(above, below):
        if span.line + _LONGEST <= number <= last - 1:
            if number == span.line + _LONGEST:
                shown.append(f"{style('blue', '...')}")
            continue
        text = source[number][: content_length(source[number])]
        shown.append(f"{style('blue', str(number + 1).rjust(gutter))} {bar} {visible(text)}".rstrip())
        if span.line <= number <= last:
            start = span.column if number == span.line else len(text) - len(text.lstrip())
            end = span.end_column if number == span.end_line else len(text)
            carets = max(1, width(visible(text[start:end])))
            blank = " " * width(visible(text[:start]))
            shown.append(f"{' ' * gutter} {bar} {blank}{style(color, '^' * carets)}")
    return shown
