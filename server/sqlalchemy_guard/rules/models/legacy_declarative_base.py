"""Declarative base made by `declarative_base()` instead of a class on `DeclarativeBase`.

## What it does
Reports `declarative_base()`, `registry.generate_base()`, `@as_declarative` and `sqlalchemy.ext.declarative`.

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
`DeclarativeMeta`, because the class has another metaclass then.

## References
- [Migrating to DeclarativeBase](https://docs.sqlalchemy.org/en/20/changelog/whatsnew_20.html#migrating-an-existing-mapping)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.blocks import replace_statement
from sqlalchemy_guard.fixes.imports import need
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.check import Context
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG201", Severity.WARNING, Applicability.SAFE)

_KEPT = frozenset({"cls", "metadata", "name"})


@rule.on_call(
    "sqlalchemy.orm.declarative_base",
    "sqlalchemy.orm.registry.generate_base",
    "sqlalchemy.orm.as_declarative",
    "sqlalchemy.orm.registry.as_declarative_base",
)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a base that a function makes."""
    if context.settings.target_version == "1.4":
        return
    function = call.name.rpartition(".")[2]
    message = f"`{function}()` makes a base that type checkers cannot see through; write a class on `DeclarativeBase`"
    yield context.at_call(
        rule, call.fact, message, node=call.fact.node.func, applicability=_applicability(context, call)
    )


def _applicability(context: Context, call: LibraryCall) -> Applicability | None:
    fact, statement = call.fact, call.fact.statement
    plain = (
        call.name == "sqlalchemy.orm.declarative_base"
        and isinstance(statement, ast.Assign)
        and statement.value is fact.node
        and len(statement.targets) == 1
        and isinstance(statement.targets[0], ast.Name)
        and not fact.node.args
    )
    if (
        not plain
        or any(name not in _KEPT for name, _ in fact.value.keywords)
        or not _same_name(fact.node, statement)
    ):
        return None
    uses_meta = any("DeclarativeMeta" in file.facts.names for file in context.workspace.known_files())
    return Applicability.UNSAFE if uses_meta else Applicability.SAFE


def _same_name(node: ast.Call, statement: ast.stmt) -> bool:
    """Whether `name=`, when it is given, is the name that the class will have anyway."""
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    given = [keyword.value for keyword in node.keywords if keyword.arg == "name"]
    return all(
        isinstance(value, ast.Constant) and isinstance(target, ast.Name) and value.value == target.id
        for value in given
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the class, with the mixin and the metadata that the function was given."""
    fact = violation.subject
    source, shift = context.source, fact.chunk.shift
    target = fact.statement.targets[0].id
    given = {keyword.arg: source.segment(keyword.value, shift) for keyword in fact.node.keywords}
    imported = need(source, context.module_statements(), "sqlalchemy.orm", "DeclarativeBase", taken={target})
    bases = ", ".join([*([given["cls"]] if "cls" in given else []), imported.expression])
    body = f"metadata = {given['metadata']}" if "metadata" in given else "pass"
    text = f"class {target}({bases}):\n{source.indentation}{body}"
    edits = (
        *replace_statement(source, fact.statement, text, shift),
        *context.blank_lines_around(fact.chunk, fact.statement),
        *imported.edits,
    )
    title = f"Write `{target}` as a class on `DeclarativeBase`"
    return Fix(title, violation.applicability or Applicability.UNSAFE, {context.file.file_id: edits})
