"""`gitlab`: the Code Quality report. A fingerprint must never depend on line numbers: code moves."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy_guard.cli.output import Finding, Report

_SEVERITIES = {"error": "critical", "warning": "major", "information": "minor", "hint": "info"}


def render(report: Report) -> str:
    """The report as a JSON array."""
    taken: dict[str, int] = {}
    issues = []
    for finding in report.findings:
        path = report.shown(finding.path).replace("\\", "/")
        identity = "\0".join((finding.rule.code, path, _line(finding), finding.violation.message))
        repeated = taken[identity] = taken.get(identity, -1) + 1
        span = finding.span
        issues.append(
            {
                "description": finding.violation.message,
                "check_name": finding.rule.code,
                "fingerprint": hashlib.sha256(f"{identity}\0{repeated}".encode()).hexdigest(),
                "severity": _SEVERITIES[finding.severity],
                "location": {
                    "path": path,
                    "positions": {
                        "begin": {"line": span.line + 1, "column": span.column + 1},
                        "end": {"line": span.end_line + 1, "column": span.end_column + 1},
                    },
                },
                "content": {"body": finding.rule.url},
            }
        )
    return json.dumps(issues, indent=2, ensure_ascii=False) + "\n"


def _line(finding: Finding) -> str:
    lines = finding.document.lines
    return lines[finding.span.line].strip() if finding.span.line < len(lines) else ""
