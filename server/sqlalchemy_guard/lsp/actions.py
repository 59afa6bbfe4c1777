"""Code actions: computed from our own newest report, whatever ranges the client remembers.

Edits carry the version that they are made for. This module must never compute a fix itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.lsp.capabilities import FIX_ALL_KIND, SHOW_DOCUMENTATION
from sqlalchemy_guard.lsp.convert import diagnostic, place
from sqlalchemy_guard.lsp.diagnostics import moved_span
from sqlalchemy_guard.lsp.edits import client_edit, difference
from sqlalchemy_guard.lsp.notebooks import Notebook
from sqlalchemy_guard.lsp.suppress import disable_file, disable_line
from sqlalchemy_guard.lsp.suppress_plain import plain_file, plain_line
from sqlalchemy_guard.records import replace
from sqlalchemy_guard.rules.api import Applicability, Span
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy_guard.check import FileReport
    from sqlalchemy_guard.lsp.documents import OpenDocument, Part
    from sqlalchemy_guard.lsp.session import Session
    from sqlalchemy_guard.rules.api import Fix, Violation

QUICK_FIX = "quickfix"
UNSAFE = " (may change behaviour)"
Place = tuple[int, int]
Action = dict[str, Any]


def offer(session: Session, uri: str, given: tuple[Place, Place], only: Sequence[str] | None) -> list[Action]:
    """The actions for a range of the client's.

    Args:
        given: Start and end as the client's lines and characters.
        only: The kinds that are asked for; None: those that belong into a menu.
    """
    document = session.document(uri)
    part = document.part(uri) if document is not None else None
    if document is None or part is None or document.read_only:
        return []
    report = session.check(document)
    found: list[Action] = []
    if _wanted(QUICK_FIX, only):
        lines, encoding = part.document.lines, session.client.encoding
        start, end = (place(lines, {"line": at[0], "character": at[1]}, encoding) for at in given)
        span = moved_span(Span(*start, *end), part.start)
        found += _Offer(session, document, part, report).quick_fixes(_touched(report.violations, span))
    if only is not None and _wanted(FIX_ALL_KIND, only):
        edit = _fix_all(session, document, None, Applicability.SAFE)
        if edit is not None:
            found.append({"title": "Fix all that can be fixed safely", "kind": FIX_ALL_KIND, "edit": edit})
    return found


def resolve(session: Session, action: Action) -> Action:
    """An action with its edit, computed from the newest text."""
    data = action.get("data") or {}
    if "uri" not in data:
        # Some clients resolve every action, also those that have nothing to compute.
        return action
    document = session.document(data["uri"])
    if document is None:
        return action
    if "span" in data:
        edit = _fix_at(session, document, data["code"], tuple(data["span"]))
    else:
        edit = _fix_all(session, document, [data["code"]], Applicability(data["applicability"]))
    if edit is not None:
        action["edit"] = edit
    return action


class _Offer:
    """What is offered for one document and one report."""

    def __init__(self, session: Session, document: OpenDocument, part: Part, report: FileReport) -> None:
        self._session = session
        self._document = document
        self._part = part
        self._report = report

    def quick_fixes(self, violations: list[Violation]) -> list[Action]:
        """All fixes first, then what holds for a whole file, then how to silence, then where to read on."""
        codes = {violation.rule.code: violation for violation in violations}
        found = [action for violation in violations for action in self._fix(violation)]
        found += [action for violation in codes.values() for action in self._fix_rule(violation)]
        found += [action for violation in violations for action in self._disable(violation)]
        found += [action for violation in codes.values() for action in self._about(violation)]
        return found

    def _action(self, title: str, violation: Violation) -> Action:
        violation_ = diagnostic(self._local(violation), self._part.document.lines, self._session.client)
        return {"title": title, "kind": QUICK_FIX, "diagnostics": [violation_]}

    def _local(self, violation: Violation) -> Violation:
        return replace(violation, span=moved_span(violation.span, -self._part.start))

    def _fix(self, violation: Violation) -> Iterator[Action]:
        # Whether edits fit into the cells of a notebook is only known with the edits.
        lazy = self._session.client.resolves_edit and not isinstance(self._document, Notebook)
        fix = _fix_of(self._session, self._document, self._report, violation, judged=not lazy)
        if fix is None or fix.applicability is Applicability.DISPLAY:
            return
        if fix.creates and not self._session.client.creates_files:
            return
        edit = None if lazy else client_edit(self._session, fix.edits, fix.creates)
        if edit is None and not lazy:
            return
        safe = fix.applicability is Applicability.SAFE
        action = self._action(fix.title if safe else fix.title + UNSAFE, violation)
        if lazy:
            span = list(violation.span)
            action["data"] = {"uri": self._part.uri, "code": violation.rule.code, "span": span}
        else:
            action["edit"] = edit
        if safe and self._session.client.preferred:
            action["isPreferred"] = True
        yield action

    def _fix_rule(self, violation: Violation) -> Iterator[Action]:
        rule, applicability = violation.rule, violation.applicability
        alike = [one for one in self._report.violations if one.rule is rule and one.applicability is not None]
        if len(alike) < 2 or applicability is None or applicability is Applicability.DISPLAY:
            return
        unsafe = UNSAFE if applicability is Applicability.UNSAFE else ""
        action = self._action(f"Fix all {rule.name} ({rule.code}) in this file{unsafe}", violation)
        if self._session.client.resolves_edit:
            data = {"uri": self._part.uri, "code": rule.code, "applicability": int(applicability)}
            yield action | {"data": data}
            return
        edit = _fix_all(self._session, self._document, [rule.code], applicability)
        if edit is not None:
            yield action | {"edit": edit}

    def _disable(self, violation: Violation) -> Iterator[Action]:
        if self._document.is_config:
            return
        code, document = violation.rule.code, self._document.document
        kind = self._document.kind
        on_line: Edit | None
        if kind is not None:
            on_line = plain_line(document, kind, violation.span, code)
            whole = plain_file(document, kind, code)
        else:
            on_line = disable_line(document, violation.span, violation.lines, code)
            whole = disable_file(document, code)
        offers = [(f"Disable {code} for this line", on_line), (f"Disable {code} for this file", whole)]
        for title, wanted in offers:
            edit = (
                client_edit(self._session, {self._document.file_id: (wanted,)})
                if wanted is not None
                else None
            )
            if edit is not None:
                yield self._action(title, violation) | {"edit": edit}

    def _about(self, violation: Violation) -> Iterator[Action]:
        title = f"Show documentation for {violation.rule.code}"
        command = {"title": title, "command": SHOW_DOCUMENTATION, "arguments": [violation.rule.code]}
        yield self._action(title, violation) | {"command": command}


def _fix_of(
    session: Session, document: OpenDocument, report: FileReport, violation: Violation, *, judged: bool
) -> Fix | None:
    """The fix of a violation, kept for as long as the document's version.

    Args:
        judged: Whether it is held to the contract and tidied, which whoever applies it needs and a menu does not.
    """
    kept = document.fixes.get((id(violation), judged))
    if kept is None:
        analysis = session.analysis
        if judged:
            fix = analysis.fix(analysis.checker, report, violation)
        else:
            fix = analysis.checker.fix(report, violation)
        kept = document.fixes[id(violation), judged] = (violation, fix)
    return kept[1]


def _fix_at(
    session: Session, document: OpenDocument, code: str, span: tuple[int, ...]
) -> dict[str, Any] | None:
    """The edit of the fix that was offered; None when the violation is not there any more."""
    report = session.check(document)
    for violation in report.violations:
        if violation.rule.code == code and tuple(violation.span) == span:
            fix = _fix_of(session, document, report, violation, judged=True)
            return None if fix is None else client_edit(session, fix.edits, fix.creates)
    return None


def _fix_all(
    session: Session, document: OpenDocument, codes: Sequence[str] | None, applicability: Applicability
) -> dict[str, Any] | None:
    session.sync(document)
    analysis = session.analysis
    texts = dict(analysis.workspace.documents)
    outcome = analysis.fix_all(analysis.checker, [document.file_id], applicability, codes)
    edits = {
        file_id: difference(texts[file_id], text)
        for file_id, text in outcome.texts.items()
        if file_id in texts and texts[file_id].text != text
    }
    made: dict[str, tuple[Edit, ...]] = {
        file_id: (Edit(0, 0, text),) for file_id, text in outcome.texts.items() if file_id not in texts
    }
    return client_edit(session, edits | made, made)


def _wanted(kind: str, only: Sequence[str] | None) -> bool:
    return only is None or any(not asked or kind == asked or kind.startswith(f"{asked}.") for asked in only)


def _touched(violations: Sequence[Violation], span: Span) -> list[Violation]:
    """The violations that a range touches; for a mere cursor that touches none, those of its line."""
    start, end = (span.line, span.column), (span.end_line, span.end_column)
    touched = [
        one
        for one in violations
        if (one.span.line, one.span.column) <= end and start <= (one.span.end_line, one.span.end_column)
    ]
    if touched or start != end:
        return touched
    return [one for one in violations if one.span.line <= span.line <= one.span.end_line]
