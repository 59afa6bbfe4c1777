"""`jsonl`: a JSON object a line, of the same form as in `json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy_guard.cli.output.json import to_object

if TYPE_CHECKING:
    from sqlalchemy_guard.cli.output import Report


def render(report: Report) -> str:
    """The report as lines of JSON."""
    return "".join(json.dumps(to_object(finding), ensure_ascii=False) + "\n" for finding in report.findings)
