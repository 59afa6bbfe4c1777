"""Fixes: collected from reports, merged where they do not clash, applied to a fixed point, and held to their contract.

A fix that would make a file unparsable, lose a comment while it calls itself safe, or overlap itself is rejected as a
whole and noted. Edits of several files belong together: all are made or none. Imports that nobody reads any more after
a fix go with it. This module must never know a rule by its name, and never write a file.
"""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

from sqlalchemy_guard.documents.kinds import checked_kind
from sqlalchemy_guard.fixes import imports
from sqlalchemy_guard.fixes.chain import are_one_chain
from sqlalchemy_guard.fixes.excerpt import Run, runs
from sqlalchemy_guard.fixes.silenced import settled
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.logs import Log
from sqlalchemy_guard.records import dataclass, field, replace
from sqlalchemy_guard.rules.api import Applicability
from sqlalchemy_guard.text.document import Document, LineEdit
from sqlalchemy_guard.text.edit import Edit, OverlapError, apply_edits, fit, sort_edits
from sqlalchemy_guard.text.minimal import minimal_edits
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy_guard.check import FileReport
    from sqlalchemy_guard.rules.api import Fix, Violation

log = Log(__name__)

ROUNDS = 10
STEP = 20
"""Edits after which the workspace is told, so that nobody waits long for the analysis of many."""

_start = attrgetter("start")
_SUPPRESSION = lazy_pattern(
    r"#\s*(?:sqlalchemy-guard\s*:\s*)?noqa\b[^#]*|#\s*type:(?!\s*ignore\b)[^#]*", re.IGNORECASE
)


class _Chunk(Protocol):
    @property
    def start(self) -> int: ...


class _Syntax(Protocol):
    @property
    def chunks(self) -> Sequence[_Chunk]: ...
    @property
    def problems(self) -> Sequence[object]: ...


class _File(Protocol):
    @property
    def document(self) -> Document: ...
    @property
    def syntax(self) -> _Syntax: ...


class _Workspace(Protocol):
    @property
    def documents(self) -> Mapping[str, Document]: ...
    def is_open(self, file_id: str) -> bool: ...
    def open(self, file_id: str, document: Document) -> None: ...
    def change(self, file_id: str, document: Document, line_edits: Sequence[LineEdit]) -> object: ...
    def close(self, file_id: str) -> None: ...
    def file(self, file_id: str) -> _File | None: ...


class _Checker(Protocol):
    """What is needed of `check.Checker`."""

    @property
    def workspace(self) -> _Workspace: ...
    @property
    def poll(self) -> Callable[[], None]: ...
    def check(self, file_id: str) -> FileReport: ...
    def forget(self, file_id: str) -> None: ...
    def fix(self, report: FileReport, violation: Violation) -> Fix | None: ...


@dataclass(slots=True)
class FixOutcome:
    """What fixing led to.

    Attributes:
        texts: The new text of each file that changed.
        counts: How many violations were fixed, by code.
        unconverged: Files that still had fixes after the last round.
        notes: Fixes that were rejected, one sentence each.
    """

    texts: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    unconverged: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A fix of one violation, with what recognises the violation in later rounds."""

    file_id: str
    violation: Violation
    fix: Fix
    key: tuple[str, str, str, str]


def collect(
    checker: _Checker,
    report: FileReport,
    codes: Collection[str] | None,
    applicability: Applicability,
) -> list[tuple[Violation, Fix]]:
    """The fixes of a report, in the order of the violations.

    Args:
        checker: Computes them.
        report: The newest report of a file.
        codes: The rules whose fixes are wanted, None for all.
        applicability: The least applicability.
    """
    found: list[tuple[Violation, Fix]] = []
    for violation in report.violations:
        if violation.applicability is None or violation.applicability < applicability:
            continue
        if codes is not None and violation.rule.code not in codes:
            continue
        fix = checker.fix(report, violation)
        if fix is not None and fix.applicability >= applicability and any(fix.edits.values()):
            found.append((violation, fix))
    return found


def fix_all(
    checker: _Checker,
    file_ids: Iterable[str],
    applicability: Applicability,
    codes: Collection[str] | None = None,
) -> FixOutcome:
    """Fix the files until nothing is left to fix.

    The workspace sees the texts of each round and gets its own documents back at the end, also when `Checker.poll`,
    which is called between small pieces of work, ends it.

    Args:
        checker: The checker of a workspace.
        file_ids: The files whose violations are fixed; their fixes may change other files too.
        applicability: The least applicability.
        codes: The rules whose fixes are wanted, None for all.
    """
    run = _Run(checker, sorted(set(file_ids)), applicability, codes)
    try:
        run.to_fixed_point()
    finally:
        run.restore()
    return run.outcome


def single(checker: _Checker, report: FileReport, violation: Violation) -> Fix | None:
    """The fix of one violation, held to the contract, with the imports that it leaves unused removed.

    Returns None when there is no fix, or when it breaks the contract (which is logged).
    """
    fix = checker.fix(report, violation)
    if fix is None or fix.applicability is Applicability.DISPLAY:
        return fix
    problem = _problem(checker, [fix])
    if problem is not None:
        log.error("the fix of %s in %s was rejected: %s", violation.rule.code, report.file_id, problem)
        return None
    edits = {file_id: _tidied(checker, file_id, sort_edits(own)) for file_id, own in fix.edits.items()}
    return replace(fix, edits=edits)


def _runs(workspace: _Workspace, file_id: str, edits: tuple[Edit, ...]) -> list[Run]:
    """The top-level statements that edits touch; the whole text of what is not Python."""
    file = workspace.file(file_id) if _is_python(file_id) and file_id in workspace.documents else None
    chunks = file.syntax.chunks if file is not None else ()
    if file is None or not chunks:
        return [Run(0, _text(workspace, file_id), edits)] if edits else []
    return runs(file.document, [chunk.start for chunk in chunks], edits)


class _Run:
    """One call of `fix_all`."""

    def __init__(
        self,
        checker: _Checker,
        file_ids: Sequence[str],
        applicability: Applicability,
        codes: Collection[str] | None,
    ) -> None:
        self.checker = checker
        self.file_ids = file_ids
        self.applicability = applicability
        self.codes = codes
        self.outcome = FixOutcome()
        self.originals: dict[str, tuple[Document, bool]] = {}
        # None for a file that was analysed anew after edits.
        self.made: dict[str, list[LineEdit] | None] = {}
        self.rejected: set[tuple[str, str, str, str]] = set()

    def to_fixed_point(self) -> None:
        for _ in range(ROUNDS):
            accepted = self._accept(self._candidates())
            if not accepted:
                return
            self._apply(accepted)
        self.outcome.unconverged = tuple(sorted({candidate.file_id for candidate in self._candidates()}))

    def restore(self) -> None:
        """Give the workspace back the documents it had."""
        workspace = self.checker.workspace
        for file_id, (document, was_open) in self.originals.items():
            made = self.made.get(file_id)
            if was_open and made is not None:
                back = [LineEdit(edit.start, edit.added, edit.removed) for edit in reversed(made)]
                workspace.change(file_id, document, back)
                self._forget(file_id)
            elif was_open:
                workspace.open(file_id, document)
            else:
                workspace.close(file_id)

    def _forget(self, file_id: str) -> None:
        """What is written must not rest on anything that was found in another text."""
        if _is_python(file_id):
            self.checker.forget(file_id)

    def _is_whole(self, file_id: str) -> bool:
        """Whether all of a file could be parsed."""
        file = self.checker.workspace.file(file_id) if _is_python(file_id) else None
        return file is not None and not file.syntax.problems

    def _candidates(self) -> list[_Candidate]:
        found: list[_Candidate] = []
        for file_id in self.file_ids:
            report = self.checker.check(file_id)
            for violation, fix in collect(self.checker, report, self.codes, self.applicability):
                lines = self.checker.workspace.documents[file_id].lines
                where = "".join(lines[violation.span.line : violation.span.end_line + 1])
                key = (file_id, violation.rule.code, violation.message, where)
                if key not in self.rejected:
                    found.append(_Candidate(file_id, violation, fix, key))
        return found

    def _accept(self, candidates: list[_Candidate]) -> list[_Candidate]:
        """The candidates that are applied together; the others wait for the next round, or are rejected."""
        merged = _Merge(lambda file_id: _text(self.checker.workspace, file_id))
        accepted = [
            candidate for candidate in candidates if self._sound(candidate) and merged.add(candidate.fix)
        ]
        if accepted and _problem(self.checker, [candidate.fix for candidate in accepted]) is not None:
            accepted = self._without_guilty(accepted)
        return accepted

    def _sound(self, candidate: _Candidate) -> bool:
        """Whether the fix's own edits are disjoint and lie inside their texts."""
        try:
            for file_id, edits in candidate.fix.edits.items():
                if (file_id in candidate.fix.creates) == (file_id in self.checker.workspace.documents):
                    raise KeyError(file_id)
                fit(edits, len(_text(self.checker.workspace, file_id)))
        except (OverlapError, IndexError, KeyError) as error:
            self._reject(candidate, f"its edits do not fit the text ({error})")
            return False
        return True

    def _without_guilty(self, accepted: list[_Candidate]) -> list[_Candidate]:
        """The candidates that go together without breaking the contract, each tried in turn."""
        kept: list[_Candidate] = []
        for candidate in accepted:
            problem = _problem(
                self.checker, [*(other.fix for other in kept), candidate.fix], around=candidate.fix
            )
            if problem is None:
                kept.append(candidate)
            else:
                self._reject(candidate, problem)
        return kept

    def _reject(self, candidate: _Candidate, problem: str) -> None:
        span = candidate.violation.span
        note = (
            f"{candidate.file_id}:{span.line + 1}:{span.column + 1}: "
            f"the fix of {candidate.violation.rule.code} was not applied: {problem}"
        )
        log.error("%s", note)
        self.outcome.notes.append(note)
        self.rejected.add(candidate.key)

    def _apply(self, accepted: list[_Candidate]) -> None:
        workspace, fixes = self.checker.workspace, [candidate.fix for candidate in accepted]
        tidied = {
            file_id: _tidied(self.checker, file_id, _together(file_id, fixes))
            for file_id in sorted({file_id for fix in fixes for file_id in fix.edits})
        }
        for file_id, edits in tidied.items():
            document = workspace.documents.get(file_id) or Document.from_text(file_id, "")
            if file_id not in self.originals:
                self.originals[file_id] = (document, workspace.is_open(file_id))
                workspace.open(file_id, document)
            made = self.made.setdefault(file_id, []) if self._is_whole(file_id) else None
            self.made[file_id] = made
            for following, changed in document.steps(edits, len(edits) if made is None else STEP):
                self.checker.poll()
                if made is None:
                    # Lines that were changed are the first to be taken for broken, and these are not.
                    workspace.open(file_id, following)
                else:
                    made += changed
                    workspace.change(file_id, following, changed)
            self._forget(file_id)
            text = _text(workspace, file_id)
            if text == self.originals[file_id][0].text:
                self.outcome.texts.pop(file_id, None)
            else:
                self.outcome.texts[file_id] = text
        self.outcome.counts.update(candidate.violation.rule.code for candidate in accepted)


class _Merge:
    """The edits of several fixes, none of which touches another one's place."""

    def __init__(self, text: Callable[[str], str]) -> None:
        self._text = text
        self._edits: dict[str, list[Edit]] = {}
        self._imports: dict[str, set[str]] = {}

    def add(self, fix: Fix) -> bool:
        """Take a fix in, unless one of its edits clashes; an edit that is there already is shared."""
        new = {
            file_id: [edit for edit in edits if not self._has(file_id, edit)]
            for file_id, edits in fix.edits.items()
        }
        if any(self._clashes(file_id, edit) for file_id, edits in new.items() for edit in edits):
            return False
        added = {file_id: set(_import_lines(edits)) for file_id, edits in new.items()}
        # The same import in another company, so elsewhere: with the first in the text the second is not needed.
        if any(lines & self._imports.get(file_id, set()) for file_id, lines in added.items()):
            return False
        for file_id, edits in new.items():
            self._imports.setdefault(file_id, set()).update(added[file_id])
            for edit in edits:
                insort(self._edits.setdefault(file_id, []), edit)
        return True

    def _has(self, file_id: str, edit: Edit) -> bool:
        there = self._edits.get(file_id, [])
        at = bisect_left(there, edit)
        return at < len(there) and there[at] == edit

    def _clashes(self, file_id: str, edit: Edit) -> bool:
        there = self._edits.get(file_id, [])
        at = bisect_right(there, edit.end, key=_start) - 1
        # They are disjoint and in order, so their ends are in order as well.
        if at >= 0 and there[at].end >= edit.start:
            return True
        before = there[at].end if at >= 0 else None
        behind = there[at + 1].start if at + 1 < len(there) else None
        text = self._text(file_id) if before is not None or behind is not None else ""
        # One who rewrites `User.query` and one who adds `.options()` behind it must not meet in one round.
        return (before is not None and are_one_chain(text, before, edit.start)) or (
            behind is not None and are_one_chain(text, edit.end, behind)
        )


def _import_lines(edits: Iterable[Edit]) -> Iterator[str]:
    """The imports of a module's own level that edits add as lines."""
    for edit in edits:
        if "import " in edit.new:
            yield from (line for line in edit.new.splitlines() if line.startswith(("from ", "import ")))


def _text(workspace: _Workspace, file_id: str) -> str:
    """The text of a file; of one that a fix creates, the empty text."""
    document = workspace.documents.get(file_id)
    return document.text if document is not None else ""


def _together(file_id: str, fixes: Iterable[Fix]) -> tuple[Edit, ...]:
    return sort_edits(edit for fix in fixes for edit in fix.edits.get(file_id, ()))


def _problem(checker: _Checker, fixes: Sequence[Fix], around: Fix | None = None) -> str | None:
    """What is wrong with applying the fixes together, or None.

    Args:
        around: Look only at statements that this one of them touches.
    """
    safe = [fix for fix in fixes if fix.applicability is Applicability.SAFE]
    for file_id in sorted({file_id for fix in fixes for file_id in fix.edits}):
        is_python, wanted = _is_python(file_id), () if around is None else around.edits.get(file_id, ())
        before: Counter[str] = Counter()
        after: Counter[str] = Counter()
        try:
            edits = fit(_together(file_id, fixes), len(_text(checker.workspace, file_id)))
        except (OverlapError, IndexError) as error:
            return f"its edits do not fit the text ({error})"
        kept = set(_together(file_id, safe))
        for run in _runs(checker.workspace, file_id, edits) if is_python else ():
            if around is not None and not any(edit in run.edits for edit in wanted):
                continue
            checker.poll()
            if _parse(run.text) is not None and _parse(run.edited(run.edits)) is None:
                return "the result would not be valid Python"
            if safe:
                before += _comments(run.text)
                after += _comments(run.edited(edit for edit in run.edits if edit in kept))
        lost = before - after
        if lost:
            return f"it would lose the comment {next(iter(lost))!r}"
    return None


def _is_python(file_id: str) -> bool:
    return not file_id.endswith(".toml") and checked_kind(file_id) is None


def _parse(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _comments(text: str) -> Counter[str]:
    """The comments of a text; neither suppressions, because taking an idle one away is a fix, nor declared types count."""
    source = Source(text)
    found = (text[token.start : token.end] for token in source.comments(0, len(text)))
    kept = (_SUPPRESSION.sub("", comment).strip() for comment in found)
    return Counter(comment for comment in kept if comment)


def _gone(checker: _Checker, file_id: str, edits: tuple[Edit, ...]) -> set[str]:
    """The names that statements use before the edits and do not use afterwards; those that do not parse are not looked at."""
    gone: set[str] = set()
    for run in _runs(checker.workspace, file_id, edits):
        checker.poll()
        before, after = _parse(run.text), _parse(run.edited(run.edits))
        if before is not None and after is not None:
            gone |= imports.used_names(before) - imports.used_names(after)
    return gone


def _settled(checker: _Checker, file_id: str, edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """The edits, with comments that silence other linters brought to where these read them."""
    found: list[Edit] = []
    for run in _runs(checker.workspace, file_id, edits):
        after = run.edited(run.edits) if "noqa" in run.text else ""
        moved = settled(run.text, after) if after else ()
        if moved:
            changed = minimal_edits(run.text, apply_edits(after, moved))
            found += (Edit(run.base + edit.start, run.base + edit.end, edit.new) for edit in changed)
        else:
            found += run.edits
    return sort_edits(found)


def _tidied(checker: _Checker, file_id: str, edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """The edits, and those that remove the imports whose last reader they take away."""
    if _is_python(file_id):
        edits = _settled(checker, file_id, edits)
    gone = _gone(checker, file_id, edits) if _is_python(file_id) else set()
    text = _text(checker.workspace, file_id)
    before = _parse(text) if gone else None
    if before is None:
        return edits
    checker.poll()
    reexports = re.split(r"[\\/]", file_id)[-1] == "__init__.py"
    removed = imports.unused(
        Source(text), imports.placed(before.body), edits, sorted(gone), reexports=reexports
    )
    checker.poll()
    tidied = sort_edits([*edits, *removed])
    # An import statement that the fix itself extends can only be shortened in the text that it leaves behind.
    fixed = apply_edits(text, tidied)
    tree = _parse(fixed)
    checker.poll()
    left = tree and imports.unused(
        Source(fixed), imports.placed(tree.body), (), sorted(gone), reexports=reexports
    )
    checker.poll()
    return minimal_edits(text, apply_edits(fixed, left)) if left else tidied
