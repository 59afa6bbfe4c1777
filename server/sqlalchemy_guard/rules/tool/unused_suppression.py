"""Suppression comment that silences nothing: it will hide the next violation on its line.

## What it does
Reports `# noqa` comments that name rules of ours which find nothing in their statement, and codes that no rule has.
A bare `# noqa`, codes of other linters and rules that the settings switch off are left alone.

## Why is this bad?
The comment outlived what it was written for. It says that something is wrong where nothing is, and it will hide the
next real violation of the same rule. A mistyped code never silenced anything.

## Example
```python
from sqlalchemy import create_engine

engine = create_engine("sqlite://")  # noqa: SAG101
```

## Use instead
```python
from sqlalchemy import create_engine

engine = create_engine("sqlite://")
```

## Fix safety
Safe: only the codes that silence nothing are removed, and the comment when none is left. What else the comment says
stays.

## References
- [Suppressing violations](https://docs.astral.sh/ruff/linter/#error-suppression)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.config import rule_selected, severity_of
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.rules.meta import UnusedSuppression
from sqlalchemy_guard.text.edit import Edit
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG001", Severity.WARNING, Applicability.SAFE)

_CODES = lazy_pattern(r"[A-Z]+[A-Z0-9]*", re.IGNORECASE)
_SPACE = lazy_pattern(r"[ \t]*")


@rule.on(UnusedSuppression)
def check(context: Context, fact: UnusedSuppression) -> Iterator[Violation]:
    """Report the codes that silence nothing although their rules are on, and those that no rule has."""
    from sqlalchemy_guard.rules.registry import rules

    known = rules()
    idle = [code for code in fact.unused if _is_on(context, known.get(code))]
    if not idle and not fact.unknown:
        return
    words = []
    if idle:
        words.append(f"{_listed(idle)} {'finds' if len(idle) == 1 else 'find'} nothing here")
    if fact.unknown:
        words.append(f"{_listed(fact.unknown)} {'is no rule' if len(fact.unknown) == 1 else 'are no rules'}")
    span = fact.suppression.span
    yield Violation(
        rule,
        f"Unused suppression: {' and '.join(words)}; remove it, or it will hide a real violation",
        span,
        (span.line, span.line + 1),
        Severity(severity_of(context.settings, rule) or rule.severity),
        Applicability.SAFE,
        subject=frozenset((*idle, *fact.unknown)),
    )


def _is_on(context: Context, other: Rule | None) -> bool:
    return other is not None and rule_selected(context.settings, other, context.file.file_id)


def _listed(codes: list[str] | tuple[str, ...]) -> str:
    return ", ".join(f"`{code}`" for code in codes)


@rule.fix
def fix(context: Context, violation: Violation) -> Fix:
    """Remove the codes; the comment when it says nothing else; the line when it holds nothing else."""
    document = context.file.document
    start = document.offset(violation.span.line, violation.span.column)
    end = document.offset(violation.span.end_line, violation.span.end_column)
    text = document.text
    head, colon, tail = text[start:end].partition(":")
    kept = [code for code in _CODES.findall(tail) if code.upper() not in violation.subject]
    if kept:
        blank = _SPACE.match(tail)
        new = head + colon + (blank[0] if blank else "") + ", ".join(kept)
        return _fix(context, "Remove the unused codes", Edit(start, end, new))
    return _fix(context, "Remove the unused suppression", _removal(text, start, end))


def _removal(text: str, start: int, end: int) -> Edit:
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    before = text[line_start:start]
    blank = _SPACE.match(text, end)
    rest = blank.end() if blank else end
    if rest < len(text) and text[rest] not in "\r\n":
        # More words follow: they stay a comment.
        return Edit(start, rest, "" if text[rest] == "#" else "# ")
    if before.strip():
        return Edit(line_start + len(before.rstrip()), rest, "")
    newline = 2 if text.startswith("\r\n", rest) else 1
    return Edit(line_start, min(rest + newline, len(text)), "")


def _fix(context: Context, title: str, edit: Edit) -> Fix:
    return Fix(title, Applicability.SAFE, {context.file.file_id: (edit,)})
