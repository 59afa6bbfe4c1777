"""What checking a file gave, as plain data: kept between runs, handed between processes, and made into findings again.

Everything that an output format may show is in it, the fix included, so that nothing is analysed to show it. This module must
never analyse.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy_guard.cli.output import EditPlace, Finding
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.rules.api import Applicability, Fix, Related, Severity, Violation
from sqlalchemy_guard.text.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.check import Checker, FileReport
    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.text.document import Document

Plain: TypeAlias = dict[str, Any]
"""JSON-ready: `violations`, `skipped` (why the file was not checked, or None), `problem` (the first place that could not be
parsed, or None) and `internal` (what failed inside)."""


class KnownRule(NamedTuple):
    """What the formats show of a rule beside each violation."""

    code: str
    name: str
    url: str


def to_plain(checker: Checker, report: FileReport, with_fixes: bool) -> Plain:
    """A report as plain data.

    Args:
        checker: Made the report.
        report: The report.
        with_fixes: Whether to compute the fixes, too.
    """
    violations = [_violation(checker, report, violation, with_fixes) for violation in report.violations]
    problem = list(report.problems[0]) if report.problems else None
    return {
        "violations": violations,
        "skipped": report.skipped,
        "problem": problem,
        "internal": list(report.internal),
    }


def _violation(checker: Checker, report: FileReport, violation: Violation, with_fixes: bool) -> list[Any]:
    rule = violation.rule
    fix = checker.fix(report, violation) if with_fixes and violation.applicability is not None else None
    return [
        [rule.code, rule.name, rule.url],
        violation.message,
        list(violation.span),
        violation.severity.value,
        violation.applicability,
        [[related.path, list(related.span), related.message] for related in violation.related],
        fix and [fix.title, int(fix.applicability), _edits(checker.workspace, fix)],
    ]


def _edits(workspace: Workspace, fix: Fix) -> list[list[Any]]:
    places = []
    for file_id, edits in fix.edits.items():
        document = workspace.documents.get(file_id)
        if file_id in fix.creates:
            places += [[file_id, edit.new, [0, 0], [0, 0]] for edit in edits]
        elif document is not None:
            position = document.position
            places += [[file_id, edit.new, [*position(edit.start)], [*position(edit.end)]] for edit in edits]
    return places


def findings(path: str, plain: Plain, document: Callable[[str], Document]) -> list[Finding]:
    """The findings that plain data stands for.

    Args:
        path: The file.
        plain: What `to_plain` gave.
        document: Reads a document; called only by formats that show source.
    """
    return [_PlainFinding(path, described, document) for described in plain["violations"]]


class _PlainFinding(Finding):
    def __init__(self, path: str, described: list[Any], read: Callable[[str], Document]) -> None:
        rule, message, span, severity, applicability, related, fix = described
        self.violation = Violation(
            KnownRule(*rule),  # type: ignore[arg-type]
            message,
            Span(*span),
            (span[0], span[2] + 1),
            Severity(severity),
            None if applicability is None else Applicability(applicability),
            tuple(Related(where, Span(*place), words) for where, place, words in related),
        )
        self.path = path
        self._read = read
        self._edits = fix[2] if fix else []
        self._fix = Fix(fix[0], Applicability(fix[1]), {}) if fix else None

    @cached_property
    def document(self) -> Document:  # type: ignore[override]
        return self._read(self.path)

    @property
    def fix(self) -> Fix | None:
        return self._fix

    def edits(self) -> list[EditPlace]:
        return [
            EditPlace(path, new, (start[0], start[1]), (end[0], end[1]))
            for path, new, start, end in self._edits
        ]
