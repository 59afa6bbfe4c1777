"""Setting that is skipped: its name, its type or a rule that it names is not known.

## What it does
Reports what is skipped in `sqlalchemy-guard.toml` and in `[tool.sqlalchemy-guard]` of `pyproject.toml`: unknown
settings, values of the wrong type, and selectors that name no rule.

## Why is this bad?
A setting that is skipped does nothing, and nobody notices: the rule that was to be switched on stays off, the folder
that was to be left out is checked. All other settings of the file hold.

## Example
```toml
[tool.sqlalchemy-guard]
ingore = ["SAG101"]
```

## Use instead
```toml
[tool.sqlalchemy-guard]
ignore = ["SAG101"]
```

## Fix safety
Safe: writes the nearest known name, or the value in the form that is wanted, and only where nothing else becomes wrong
by it. No fix is offered when no name is near.

## References
- [Settings](https://sqlalchemy-guard.readthedocs.io/settings)
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from sqlalchemy_guard.config import locate, locate_offsets, parse_document, selector_problems
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Span, Violation
from sqlalchemy_guard.rules.meta import ConfigFact
from sqlalchemy_guard.text.edit import Edit, apply_edits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.config import ConfigProblem
    from sqlalchemy_guard.context import DocumentContext

rule = Rule("SAG002", Severity.WARNING, Applicability.SAFE)


@rule.on(ConfigFact)
def check(context: DocumentContext, fact: ConfigFact) -> Iterator[Violation]:
    """Report the problem at its key or value."""
    problem = fact.problem
    span = Span(*locate(fact.text, problem.key, value=problem.on_value))
    edit = _edit(fact)
    yield Violation(
        rule,
        f"Skipped: {problem.message}",
        span,
        (span.line, span.end_line + 1),
        context.severity(rule),
        Applicability.SAFE if edit else None,
        subject=(fact, edit),
    )


def _edit(fact: ConfigFact) -> Edit | None:
    """The edit that mends the problem and makes no other."""
    problem = fact.problem
    if problem.suggestion is None:
        return None
    start, end = locate_offsets(fact.text, problem.key, value=problem.on_value)
    edit = Edit(start, end, problem.suggestion)
    try:
        after = _problems(apply_edits(fact.text, [edit]), problem.source)
        before = _problems(fact.text, problem.source)
    except tomllib.TOMLDecodeError:
        # The name is there already: a key must not come twice.
        return None
    return edit if len(after) < len(before) else None


def _problems(text: str, source: str) -> list[ConfigProblem]:
    from sqlalchemy_guard.rules.registry import rules

    parsed = parse_document(tomllib.loads(text), source)
    return [*parsed[1], *selector_problems(parsed[0], rules().values())] if parsed else []


@rule.fix
def fix(_context: DocumentContext, violation: Violation) -> Fix | None:
    """Write what was meant."""
    fact, edit = violation.subject
    if edit is None:
        return None
    title = f"Replace by `{edit.new}`"
    return Fix(title, Applicability.SAFE, {fact.problem.source: (edit,)})
