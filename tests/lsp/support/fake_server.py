"""A server whose only rule dislikes the word BAD and replaces it by GOOD; OTHER in one file depends on the others.

The analysis has the signatures of the real one but costs next to nothing, so that tests see the server alone. It counts
columns in code points, as the real one does.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.check import FileReport
from sqlalchemy_guard.config import SettingsStore, rule_selected
from sqlalchemy_guard.lsp.analysis import Analysis
from sqlalchemy_guard.rules.api import Applicability, Fix, Severity, Span, Violation
from sqlalchemy_guard.text.edit import Edit, apply_edits
from sqlalchemy_guard.vfs import Vfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy_guard.text.document import Document, LineEdit

_WORD = re.compile(r"\b(BAD|WORSE)\b")


def _rule(code: str, name: str) -> Any:
    explanation = f"The word {name}.\n\n## What it does\nFinds **it**.\n\n```python\n{name} = 1\n```"
    return SimpleNamespace(
        code=code,
        name=name,
        default=True,
        modern=False,
        severity=Severity.WARNING,
        url=f"https://example.org/{code}",
        explanation=explanation,
    )


RULES = {"BAD": _rule("SAG901", "bad-word"), "WORSE": _rule("SAG902", "worse-word")}
APPLICABILITY = {"BAD": Applicability.SAFE, "WORSE": Applicability.UNSAFE}


class FakeWorkspace:
    """Keeps documents; a file that names another one in a comment `# uses NAME` depends on it."""

    def __init__(self, folders: list[str], vfs: Vfs, settings: SettingsStore) -> None:
        self.folders, self.vfs, self.settings = folders, vfs, settings
        self.documents: dict[str, Document] = {}
        self.found: dict[str, dict[int, list[Violation]]] = {}
        self.is_read = False

    def file(self, file_id: str) -> None:
        """Nothing is known of a file but what is wrong in it."""

    def open(self, file_id: str, document: Document) -> None:
        self.documents[file_id] = document
        self.found[file_id] = {
            n: look(line, n) for n, line in enumerate(document.lines) if _WORD.search(line)
        }

    def change(self, file_id: str, document: Document, line_edits: Sequence[LineEdit]) -> set[str]:
        exported = "EXPORT" in self.documents[file_id].text
        self.documents[file_id] = document
        dirty: set[int] = set()
        found = self.found[file_id]
        for start, removed, added in line_edits:
            shift = added - removed
            if shift:
                gone = range(start, start + removed)
                found = {n + shift if n > start else n: v for n, v in found.items() if n not in gone}
                dirty = {n + shift if n > start else n for n in dirty if n not in gone}
            dirty.update(range(start, start + added))
        for n in dirty:
            found.pop(n, None)
            if n < len(document.lines) and _WORD.search(document.lines[n]):
                found[n] = look(document.lines[n], n)
        for n, violations in found.items():
            if violations and violations[0].span.line != n:
                found[n] = look(document.lines[n], n)
        self.found[file_id] = {n: v for n, v in found.items() if n < len(document.lines)}
        return {"EXPORT"} if exported != ("EXPORT" in document.text) else set()

    def close(self, file_id: str) -> None:
        self.documents.pop(file_id, None)
        self.found.pop(file_id, None)

    def changed_on_disk(self, file_ids: Sequence[str]) -> None:
        for file_id in file_ids:
            self.vfs.read(file_id)

    def settings_for(self, file_id: str) -> Any:
        return self.settings.for_file(file_id)

    def dependents(self, file_id: str) -> set[str]:
        name = Path(file_id).name
        return {other for other, document in self.documents.items() if f"# uses {name}" in document.text}

    def index_steps(self) -> Iterator[tuple[int, int]]:
        for done in range(1, 2001):
            yield done, 2000


def look(line: str, number: int) -> list[Violation]:
    """The violations of a line."""
    return [
        Violation(
            rule=RULES[match[0]],
            message=f"{match[0]} is a bad word; write GOOD",
            span=Span(number, match.start(), number, match.end()),
            lines=(number, number + 1),
            severity=Severity.WARNING,
            applicability=APPLICABILITY[match[0]],
        )
        for match in _WORD.finditer(line)
    ]


class FakeChecker:
    """Reports words. Files with `# uses` report OTHER as long as a document exports it; CRASH raises."""

    def __init__(self, workspace: FakeWorkspace) -> None:
        self.workspace = workspace
        self.rules = {rule.code: rule for rule in RULES.values()}
        self.poll: Callable[[], None] = lambda: None

    def check(self, file_id: str) -> FileReport:
        document = self.workspace.documents[file_id]
        if any("CRASH" in line for line in document.lines[:1]):
            raise RuntimeError("an error of the analysis")
        if "PRINT" in document.lines[0]:
            print("a rule prints to standard output")
            os.write(1, b"and so does a library below it\n")
        settings = self.workspace.settings_for(file_id)
        found = self.workspace.found[file_id]
        violations = [
            one for n in sorted(found) for one in found[n] if rule_selected(settings, one.rule, file_id)
        ]
        if "# uses" in document.lines[0] and any(
            "EXPORT" in d.text for d in self.workspace.documents.values()
        ):
            violations.append(
                Violation(RULES["BAD"], "somebody exports", Span(0, 0, 0, 1), (0, 1), Severity.HINT)
            )
        return FileReport(file_id, document.version, violations)

    def fix(self, report: FileReport, violation: Violation) -> Fix | None:
        if violation.applicability is None:
            return None
        document = self.workspace.documents[report.file_id]
        start = document.offset(violation.span.line, violation.span.column)
        end = document.offset(violation.span.end_line, violation.span.end_column)
        return Fix("Write GOOD", violation.applicability, {report.file_id: (Edit(start, end, "GOOD"),)})

    def settings_changed(self) -> None:
        """Nothing is kept."""


def fix_all(
    checker: Any, file_ids: Sequence[str], applicability: Applicability, codes: Sequence[str] | None = None
) -> Any:
    texts = {}
    for file_id in file_ids:
        report = checker.check(file_id)
        edits = [
            edit
            for one in report.violations
            if one.applicability is not None
            and one.applicability >= applicability
            and (codes is None or one.rule.code in codes)
            for edit in checker.fix(report, one).edits[file_id]
        ]
        if edits:
            texts[file_id] = apply_edits(checker.workspace.documents[file_id].text, edits)
    return SimpleNamespace(texts=texts, counts={})


def build(folders: list[str]) -> Analysis:
    """The fake in the place of the real analysis."""
    vfs = Vfs()
    settings = SettingsStore(vfs)
    workspace: Any = FakeWorkspace(folders, vfs, settings)
    checker: Any = FakeChecker(workspace)
    return Analysis(vfs, settings, workspace, checker, FakeChecker.fix, fix_all)


def main() -> int:
    """Run it; the options are those of the real server."""
    import sqlalchemy_guard.lsp.main as real
    from sqlalchemy_guard.cli.server import add_arguments, run

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    real.build = build
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
