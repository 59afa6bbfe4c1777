"""What the output formats render, and the list of them: one module a format, imported when it is asked for.

A format's module has `render(report) -> str`. It must never analyse, and never write.
"""

from __future__ import annotations

import importlib
import os
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple, dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Span, Violation
    from sqlalchemy_guard.text.document import Document

FORMATS = ("full", "concise", "json", "jsonl", "github", "gitlab", "junit", "sarif")
HUMAN_FORMATS = ("full", "concise")
FORMATS_WITH_FIXES = ("full", "json", "jsonl", "sarif")


class EditPlace(NamedTuple):
    """An edit by places: 0-based lines and columns in code points, end exclusive."""

    path: str
    content: str
    start: tuple[int, int]
    end: tuple[int, int]


class RelatedPlace(NamedTuple):
    """Another place that explains a finding."""

    path: str
    span: Span
    message: str


class Finding:
    """A violation with everything that an output format shows of it.

    Args:
        violation: What was found.
        path: Absolute path of the file, or the name that standard input goes by.
        document: The text that was analysed.
        make_fix: Computes the fix; called once, and only by formats that show it.
        document_of: The document of another file that the fix edits, None when it is not known.
    """

    def __init__(
        self,
        violation: Violation,
        path: str,
        document: Document,
        make_fix: Callable[[], Fix | None],
        document_of: Callable[[str], Document | None],
    ) -> None:
        self.violation = violation
        self.path = path
        self.document = document
        self._make_fix = make_fix
        self._document_of = document_of

    @property
    def rule(self) -> Rule:
        """The rule that was broken."""
        return self.violation.rule

    @property
    def span(self) -> Span:
        """Where."""
        return self.violation.span

    @property
    def severity(self) -> str:
        """In the words of the configuration file."""
        return self.violation.severity.value

    @property
    def related(self) -> tuple[RelatedPlace, ...]:
        """Other places that explain it."""
        return tuple(RelatedPlace(each.path, each.span, each.message) for each in self.violation.related)

    @cached_property
    def fix(self) -> Fix | None:
        """The fix, None when there is none."""
        return self._make_fix() if self.violation.applicability is not None else None

    def edits(self) -> list[EditPlace]:
        """The edits of the fix; those of files that are not known any more are left out."""
        places = []
        for file_id, edits in self.fix.edits.items() if self.fix else ():
            document = self._document_of(file_id)
            if self.fix is not None and file_id in self.fix.creates:
                places += [EditPlace(file_id, edit.new, (0, 0), (0, 0)) for edit in edits]
            elif document is not None:
                position = document.position
                places += [EditPlace(file_id, e.new, position(e.start), position(e.end)) for e in edits]
        return places


@dataclass()
class Report:
    """All that a run found.

    Attributes:
        findings: Sorted by path and place.
        working_folder: Paths below it are shown relative to it.
        color: Whether to colour; only formats for people do.
        applicability: The least applicability of a fix that `--fix` would apply as it was called.
        fixed: How many violations were fixed, by rule code.
        paths: All files that were checked.
        rules: All rules by code.
    """

    findings: Sequence[Finding]
    working_folder: str
    applicability: Applicability
    color: bool = False
    fixed: Mapping[str, int] = field(default_factory=dict)
    paths: Sequence[str] = ()
    rules: Mapping[str, Rule] = field(default_factory=dict)

    def is_fixable(self, finding: Finding) -> bool:
        """Whether `--fix` would mend it, given `--unsafe-fixes` or not."""
        found = finding.violation.applicability
        return found is not None and found >= self.applicability

    def shown(self, path: str) -> str:
        """A path as people read it: relative where it lies in the working folder."""
        base = os.path.join(self.working_folder, "")
        return path[len(base) :] if path.startswith(base) else path


def render(name: str, report: Report) -> str:
    """The report in a format."""
    module = importlib.import_module(f"sqlalchemy_guard.cli.output.{name}")
    text: str = module.render(report)
    return text


def count(number: int, noun: str) -> str:
    """A number with its noun, plural where it must be."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def by_file(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """The findings by path, in their order."""
    files: dict[str, list[Finding]] = {}
    for finding in findings:
        files.setdefault(finding.path, []).append(finding)
    return files
