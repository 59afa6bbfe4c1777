"""`json`: one array in Ruff's form, for tools that read Ruff.

Rows and columns are 1-based, columns in code points. Must never leave a key out where it has nothing to say.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy_guard.cli.output import Finding, Report


def render(report: Report) -> str:
    """The report as a JSON array."""
    return (
        json.dumps([to_object(finding) for finding in report.findings], indent=2, ensure_ascii=False) + "\n"
    )


def to_object(finding: Finding) -> dict[str, Any]:
    """A finding as a JSON-ready mapping. An edit of another file than the finding's names it."""
    span, fix = finding.span, finding.fix
    return {
        "code": finding.rule.code,
        "name": finding.rule.name,
        "message": finding.violation.message,
        "severity": finding.severity,
        "filename": finding.path,
        "location": location(span.line, span.column),
        "end_location": location(span.end_line, span.end_column),
        "fix": fix
        and {
            "applicability": fix.applicability.name.lower(),
            "message": fix.title,
            "edits": [
                {
                    "content": edit.content,
                    "location": location(*edit.start),
                    "end_location": location(*edit.end),
                    **({"filename": edit.path} if edit.path != finding.path else {}),
                }
                for edit in finding.edits()
            ],
        },
        "related": [
            {
                "message": related.message,
                "filename": related.path,
                "location": location(related.span.line, related.span.column),
                "end_location": location(related.span.end_line, related.span.end_column),
            }
            for related in finding.related
        ],
        "url": finding.rule.url,
    }


def location(line: int, column: int) -> dict[str, int]:
    """A 0-based place as Ruff writes it."""
    return {"row": line + 1, "column": column + 1}
