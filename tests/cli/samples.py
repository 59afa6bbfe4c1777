"""Hand-made findings that exercise every corner of the output formats."""

from __future__ import annotations

from sqlalchemy_guard.cli.output import Finding, Report
from sqlalchemy_guard.rules.api import Applicability, Fix, Related, Rule, Severity, Span, Violation
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.text.edit import Edit

FOLDER = "/project"
CRUD = """\
from sqlalchemy.orm import Session


def users(session: Session):
\tname = "数据 é"
    return session.query(User).filter_by(
        name=name,
    ).all()
"""
MODELS = "class Ключ(Base):\r\n    pass\r\n"


def make_rule(code: str, name: str, section: str, severity: Severity, fix: Applicability | None) -> Rule:
    """A rule as its module would declare it."""
    rule = Rule(code=code, severity=severity, fix_applicability=fix)
    rule.module = f"sqlalchemy_guard.rules.{section}.{name.replace('-', '_')}"
    rule.__dict__["explanation"] = f"Use of {name}.\n\n## What it does\nFinds {name} & more."
    return rule


LEGACY_QUERY = make_rule("SAG301", "legacy-query", "querying", Severity.ERROR, Applicability.SAFE)
MISSING_NAME = make_rule("SAG204", "missing-tablename", "models", Severity.WARNING, Applicability.UNSAFE)
HINT = make_rule("SAG105", "session-without-factory", "engine", Severity.HINT, None)
RULES = {rule.code: rule for rule in (HINT, MISSING_NAME, LEGACY_QUERY)}


def findings() -> list[Finding]:
    """One with a safe fix over several lines, one with an unsafe fix, one without; odd characters in each."""
    crud, models = f"{FOLDER}/app/crud.py", f"{FOLDER}/app/models #1.py"
    documents = {crud: Document.from_text(crud, CRUD), models: Document.from_text(models, MODELS)}
    start = CRUD.index("session.query")
    safe = Fix(
        "Rewrite as `select()`",
        Applicability.SAFE,
        {crud: (Edit(0, 0, "import x\n"), Edit(start, start + 7, "s"))},
    )
    unsafe = Fix("Add `__tablename__`", Applicability.UNSAFE, {models: (Edit(19, 19, "    n = 1\r\n"),)})
    related = (Related(models, Span(0, 6, 0, 10), "`User` is declared here"),)
    query = Violation(
        LEGACY_QUERY,
        "`session.query()` is legacy: 100% of it, really\nbuild a `select()`",
        Span(5, 11, 7, 11),
        (5, 8),
        Severity.ERROR,
        Applicability.SAFE,
        related,
    )
    name = Violation(
        MISSING_NAME,
        'no `__tablename__` in "<Ключ>" & co',
        Span(0, 6, 0, 10),
        (0, 1),
        Severity.WARNING,
        Applicability.UNSAFE,
    )
    wide = Violation(HINT, "control \x1b[31m character, a::b", Span(4, 9, 4, 11), (4, 5), Severity.HINT)
    return [
        Finding(wide, crud, documents[crud], lambda: None, documents.get),
        Finding(query, crud, documents[crud], lambda: safe, documents.get),
        Finding(name, models, documents[models], lambda: unsafe, documents.get),
    ]


def report(
    *, empty: bool = False, unsafe: bool = False, color: bool = False, fixed: dict[str, int] | None = None
) -> Report:
    """A report of the sample findings."""
    least = Applicability.UNSAFE if unsafe else Applicability.SAFE
    return Report(
        [] if empty else findings(), FOLDER, least, color, fixed or {}, [f"{FOLDER}/app/crud.py"], RULES
    )
