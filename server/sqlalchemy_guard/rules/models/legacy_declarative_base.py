"""Declarative base made by `declarative_base()` instead of a class on `DeclarativeBase`.

## What it does
Reports `declarative_base()`, `registry.generate_base()`, `@as_declarative` and imports from `sqlalchemy.ext.declarative` of
what lives in `sqlalchemy.orm`. Silent in projects whose requirements, or the setting `target-version`, admit SQLAlchemy 1.4.

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

from sqlalchemy_guard.fixes.blocks import replace_statement
from sqlalchemy_guard.fixes.classes import add_base, prepend, undecorate
from sqlalchemy_guard.fixes.import_lists import move
from sqlalchemy_guard.fixes.imports import need
from sqlalchemy_guard.project.bases import (
    DECORATORS,
    FUNCTIONS,
    LEGACY_MODULE,
    MAKERS,
    MOVED,
    LegacyBase,
    legacy_base,
    serves_another,
)
from sqlalchemy_guard.project.bodies import ImportFact, body_of, is_docstring
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.check import Context
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.text.edit import Edit

rule = Rule("SAG201", Severity.WARNING, Applicability.SAFE)


@rule.on_call(*FUNCTIONS, *DECORATORS)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a base that a function makes."""
    parent = context.parent(call.fact.chunk, call.fact.node)
    if serves_another(context.resolver, call.fact, context.file, parent) or context.target_version == "1.4":
        return
    function = call.name.rpartition(".")[2]
    message = f"`{function}()` makes a base that type checkers cannot see through; write a class on `DeclarativeBase`"
    base = legacy_base(call)
    yield context.at_call(
        rule,
        call.fact,
        message,
        node=call.fact.node.func,
        applicability=_applicability(context, base) if base is not None else None,
        subject=base,
    )


def _applicability(context: Context, base: LegacyBase) -> Applicability:
    uses_meta = context.workspace.binds("DeclarativeMeta")
    statement = base.statement
    facts = context.file.facts.class_(statement.name) if isinstance(statement, ast.ClassDef) else None
    changes = uses_meta or (facts is not None and "__init__" in facts.methods)
    return Applicability.UNSAFE if changes else Applicability.SAFE


@rule.on(ImportFact)
def check_import(context: Context, fact: ImportFact) -> Iterator[Violation]:
    """Report what is imported from where it no longer lives, unless the call of it is reported anyway."""
    module = fact.node.module or ""
    if fact.node.level or module.removesuffix(".api") != LEGACY_MODULE:
        return
    moved = [alias for alias in fact.node.names if alias.name in MOVED | MAKERS]
    reasons = [alias for alias in moved if alias.name in MOVED or not _is_called(context, alias)]
    if not reasons or context.target_version == "1.4":
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


def _is_called(context: Context, alias: ast.alias) -> bool:
    name = alias.asname or alias.name
    calls = (call for unit in context.file.facts.units() for call in unit.calls)
    return any(isinstance(call.node.func, ast.Name) and call.node.func.id == name for call in calls)


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the class, or import from the new place."""
    subject = violation.subject
    if not isinstance(subject, LegacyBase):
        return _fix_import(context, *subject)
    imported = need(
        context.source, context.module_statements(), "sqlalchemy.orm", "DeclarativeBase", taken={subject.name}
    )
    edits: tuple[Edit, ...] | None
    if isinstance(subject.statement, ast.Assign):
        edits = _new_class(context, subject, imported.expression)
    else:
        edits = _undecorated(context, subject, subject.statement, imported.expression)
    title = f"Write `{subject.name}` as a class on `DeclarativeBase`"
    certainty = violation.applicability or Applicability.UNSAFE
    return Fix(title, certainty, {context.file.file_id: (*edits, *imported.edits)}) if edits else None


def _lines(context: Context, base: LegacyBase) -> list[str]:
    """What the body of the class must say."""
    given = {"metadata": base.metadata, "registry": base.registry}
    shift = base.fact.chunk.shift
    return [
        f"{name} = {context.source.segment(node, shift)}" for name, node in given.items() if node is not None
    ]


def _new_class(context: Context, base: LegacyBase, parent: str) -> tuple[Edit, ...]:
    source, shift = context.source, base.fact.chunk.shift
    parents = [*([source.segment(base.mixin, shift)] if base.mixin is not None else []), parent]
    body = "".join(f"\n{source.indentation}{line}" for line in _lines(context, base) or ["pass"])
    text = f"class {base.name}({', '.join(parents)}):{body}"
    return (
        *replace_statement(source, base.statement, text, shift),
        *context.blank_lines_around(base.fact.chunk, base.statement),
    )


def _undecorated(
    context: Context, base: LegacyBase, class_: ast.ClassDef, parent: str
) -> tuple[Edit, ...] | None:
    source, chunk = context.source, base.fact.chunk
    facts = context.file.facts.class_(class_.name)
    first = next((found for found in body_of(facts) if not is_docstring(found[1])), None) if facts else None
    said = prepend(source, first[1], _lines(context, base), first[0].shift) if first else ()
    if said is None or (first is None and _lines(context, base)):
        return None
    return (
        *undecorate(source, class_, base.fact.node, chunk.shift),
        *add_base(source, class_, parent, chunk.shift),
        *said,
    )


def _fix_import(context: Context, fact: ImportFact, moved: list[ast.alias]) -> Fix | None:
    edits = move(context.source, fact.node, moved, fact.siblings, "sqlalchemy.orm", fact.chunk.shift)
    title = "Import from `sqlalchemy.orm`"
    return Fix(title, Applicability.SAFE, {context.file.file_id: edits}) if edits is not None else None
