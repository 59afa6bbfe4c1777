"""`sarif`: SARIF 2.1.0 for code scanning. Places must be URIs with forward slashes everywhere."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy_guard import __version__

if TYPE_CHECKING:
    from sqlalchemy_guard.cli.output import Finding, Report
    from sqlalchemy_guard.rules.api import Rule

_LEVELS = {"error": "error", "warning": "warning", "information": "note", "hint": "note"}
_BASE = "SRCROOT"


def render(report: Report) -> str:
    """The report as a SARIF log with one run."""
    codes = sorted({finding.rule.code: finding.rule for finding in report.findings} | dict(report.rules))
    rules = {code: report.rules.get(code) or _rule(report, code) for code in codes}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "sqlalchemy-guard",
                        "informationUri": "https://sqlalchemy-guard.readthedocs.io",
                        "version": __version__,
                        "rules": [_descriptor(rule) for rule in rules.values()],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {_BASE: {"uri": _file_uri(report.working_folder).rstrip("/") + "/"}},
                "results": [
                    _result(report, finding, codes.index(finding.rule.code)) for finding in report.findings
                ],
            }
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _rule(report: Report, code: str) -> Rule:
    return next(finding.rule for finding in report.findings if finding.rule.code == code)


def _descriptor(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.summary},
        "help": {"text": rule.explanation, "markdown": rule.explanation},
        "helpUri": rule.url,
        "defaultConfiguration": {"level": _LEVELS[rule.severity.value], "enabled": rule.default},
        "properties": {"tags": ["sqlalchemy", rule.section]},
    }


def _result(report: Report, finding: Finding, index: int) -> dict[str, Any]:
    span = finding.span
    result: dict[str, Any] = {
        "ruleId": finding.rule.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": finding.violation.message},
        "locations": [
            {"physicalLocation": _location(report, finding.path, (span[0], span[1]), (span[2], span[3]))}
        ],
        "partialFingerprints": {"sourceLine/v1": _fingerprint(report, finding)},
    }
    if finding.related:
        result["relatedLocations"] = [
            {
                "id": number,
                "message": {"text": related.message},
                "physicalLocation": _location(report, related.path, related.span[:2], related.span[2:]),
            }
            for number, related in enumerate(finding.related)
        ]
    edits = finding.edits()
    if finding.fix is not None and edits:
        changes: dict[str, list[dict[str, Any]]] = {}
        for edit in edits:
            replacement = {
                "deletedRegion": _region(edit.start, edit.end),
                "insertedContent": {"text": edit.content},
            }
            changes.setdefault(edit.path, []).append(replacement)
        result["fixes"] = [
            {
                "description": {"text": finding.fix.title},
                "artifactChanges": [
                    {"artifactLocation": _artifact(report, path), "replacements": replacements}
                    for path, replacements in changes.items()
                ],
            }
        ]
    return result


def _fingerprint(report: Report, finding: Finding) -> str:
    lines, row = finding.document.lines, finding.span.line
    text = lines[row].strip() if row < len(lines) else ""
    identity = "\0".join((finding.rule.code, report.shown(finding.path), text))
    return hashlib.sha256(identity.encode()).hexdigest()


def _location(report: Report, path: str, start: tuple[int, ...], end: tuple[int, ...]) -> dict[str, Any]:
    return {"artifactLocation": _artifact(report, path), "region": _region(start, end)}


def _region(start: tuple[int, ...], end: tuple[int, ...]) -> dict[str, int]:
    return {
        "startLine": start[0] + 1,
        "startColumn": start[1] + 1,
        "endLine": end[0] + 1,
        "endColumn": end[1] + 1,
    }


def _artifact(report: Report, path: str) -> dict[str, str]:
    shown = report.shown(path)
    if shown != path:
        return {"uri": quote(shown.replace("\\", "/")), "uriBaseId": _BASE}
    return {"uri": _file_uri(path)}


def _file_uri(path: str) -> str:
    plain = path.replace("\\", "/")
    if plain.startswith("/") or plain[1:2] == ":":
        return "file://" + quote(plain if plain.startswith("/") else "/" + plain, safe="/:")
    return quote(plain, safe="/:")
