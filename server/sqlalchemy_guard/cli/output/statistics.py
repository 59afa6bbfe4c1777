"""`--statistics`: how many violations each rule has, instead of them. Must never list a rule without any."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy_guard.cli.output.summary import summary
from sqlalchemy_guard.cli.terminal import Style

if TYPE_CHECKING:
    from sqlalchemy_guard.cli.output import Report


def render(report: Report, output_format: str) -> str:
    """The counts, as JSON for the JSON formats, else as a table; the most frequent first."""
    rules = {finding.rule.code: finding.rule for finding in report.findings}
    found = Counter(finding.rule.code for finding in report.findings)
    fixable = Counter(finding.rule.code for finding in report.findings if report.is_fixable(finding))
    ordered = sorted(found, key=lambda code: (-found[code], code))
    if output_format in ("json", "jsonl"):
        rows = [
            {"code": code, "name": rules[code].name, "count": found[code], "fixable_count": fixable[code]}
            for code in ordered
        ]
        return json.dumps(rows, indent=2) + "\n"
    style = Style(report.color)
    widest = max((len(str(number)) for number in found.values()), default=1)
    lines = []
    for code in ordered:
        star = (
            f"[{style('cyan', '*')}]" if fixable[code] == found[code] else "[-]" if fixable[code] else "[ ]"
        )
        lines.append(f"{found[code]:>{widest}}  {style('red', code)}  {star}  {rules[code].name}")
    return "\n".join([*lines, *summary(report, style), ""])
