"""Declarative base made by `declarative_base()` instead of a class on `DeclarativeBase`.

## What it does
Reports `declarative_base()`, `registry.generate_base()`, `@as_declarative` and imports from `sqlalchemy.ext.declarative` of
what lives in `sqlalchemy.orm`. Silent in migrations, which keep frozen copies of models, and in projects whose requirements,
or the setting `target-version`, admit SQLAlchemy 1.4.

## Why is this bad?
Type checkers cannot see through a base that a function makes, so `Mapped[...]` attributes lose their types. The functions are
legacy API since 2.0, and their old module prints a deprecation warning.

## Example
```python
from sqlalchemy.orm import declarative_base

Base = declarative_base()
```

## Use instead
```python
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass
```

## Fix safety
Safe for the arguments `cls`, `metadata` and `name`; with others there is no fix. Unsafe in a workspace that uses
`DeclarativeMeta`, because the class has another metaclass then, and for a decorated class with an `__init__` of its own, which
the decorator used to replace.

## References
- [Migrating to DeclarativeBase](https://docs.sqlalchemy.org/en/20/changelog/whatsnew_20.html#migrating-an-existing-mapping)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.bases import class_text, decorated_class
from sqlalchemy_guard.fixes.blocks import replace_statement
from sqlalchemy_guard.fixes.import_lists import move
from sqlalchemy_guard.fixes.imports import instead
from sqlalchemy_guard.project.bases import (
    DECORATORS,
    FUNCTIONS,
    LEGACY_MODULE,
    MAKERS,
    MOVED,
    LegacyBase,
    is_noticed,
    legacy_base,
    serves_another,
)
from sqlalchemy_guard.project.bodies import ImportFact
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall

_TYPE_COMMENT = lazy_pattern(r"[ \t]*#[ \t]*type:(?![ \t]*ignore\b)[^#\r\n]*?(?=[ \t]*(?:[#\r\n]|\Z))")

rule = Rule("SAG201", Severity.WARNING, Applicability.SAFE, modern=True)


@rule.on_call(*FUNCTIONS, *DECORATORS)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a base that a function makes."""
    parent = context.parent(call.fact.chunk, call.fact.node)
    if context.is_migration():
        return
    if serves_another(context.resolver, call.fact, context.file, parent) or context.target_version == "1.4":
        return
    function = call.name.rpartition(".")[2]
    message = f"`{function}()` makes a base that type checkers cannot see through; write a class on `DeclarativeBase`"
    base = legacy_base(call)
    certainty = (
        Applicability.UNSAFE
        if base and is_noticed(context.workspace, context.file, base)
        else rule.fix_applicability
    )
    yield context.at_call(
        rule,
        call.fact,
        message,
        node=call.fact.node.func,
        applicability=certainty if base is not None else None,
        subject=base,
    )


@rule.on(ImportFact)
def check_import(context: Context, fact: ImportFact) -> Iterator[Violation]:
    """Report what is imported from where it no longer lives; makers of bases are reported where they are called."""
    module = fact.node.module or ""
    if fact.node.level or module.removesuffix(".api") != LEGACY_MODULE:
        return
    moved = [alias for alias in fact.node.names if alias.name in MOVED | MAKERS]
    reasons = [alias for alias in moved if alias.name in MOVED]
    if not reasons or context.is_migration() or context.target_version == "1.4":
        return
    names = " and ".join(f"`{alias.name}`" for alias in reasons)
    message = f"{names} moved: import from `sqlalchemy.orm`, `{module}` is the legacy place and warns"
    yield context.violation(
        rule,
        fact.chunk,
        fact.node,
        message,
        applicability=Applicability.SAFE,
        subject=(fact, moved),
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the class, or import from the new place."""
    subject = violation.subject
    if not isinstance(subject, LegacyBase):
        return _fix_import(context, *subject)
    function = subject.fact.node.func
    old = function.id if isinstance(function, ast.Name) else ""
    statements = context.module_statements()
    imported = instead(
        context.source, statements, "sqlalchemy.orm", old, "DeclarativeBase", taken={subject.name}
    )
    edits: tuple[Edit, ...] | None
    if isinstance(subject.statement, ast.Assign):
        edits = _new_class(context, subject, imported.expression)
    else:
        edits = decorated_class(
            context.source, subject, subject.statement, imported.expression, context.file.facts
        )
    title = f"Write `{subject.name}` as a class on `DeclarativeBase`"
    certainty = violation.applicability or Applicability.UNSAFE
    return Fix(title, certainty, {context.file.file_id: (*edits, *imported.edits)}) if edits else None


def _new_class(context: Context, base: LegacyBase, parent: str) -> tuple[Edit, ...]:
    source, shift = context.source, base.fact.chunk.shift
    edits = [
        *replace_statement(source, base.statement, class_text(source, base, parent), shift),
        *context.blank_lines_around(base.fact.chunk, base.statement),
    ]
    # `# type: Any` declares a variable: behind `pass` it is a syntax error to type checkers.
    end = source.end(base.statement, shift)
    declared = _TYPE_COMMENT.match(source.text, end, source.line_end(end))
    if declared is not None:
        edits.append(Edit(end, declared.end(), ""))
    return tuple(edits)


def _fix_import(context: Context, fact: ImportFact, moved: list[ast.alias]) -> Fix | None:
    edits = move(context.source, fact.node, moved, fact.siblings, "sqlalchemy.orm", fact.chunk.shift)
    title = "Import from `sqlalchemy.orm`"
    return Fix(title, Applicability.SAFE, {context.file.file_id: edits}) if edits is not None else None
