"""A database password in the source.

## What it does
Reports database URLs with a user's password in strings and f-strings, in `sqlalchemy.url` of `alembic.ini` and other `.ini`
files, and passwords that are literals in `URL.create()`. Placeholders, passwords that are the user's name or a word of
examples, files that are called an example or a sample, and tests are left alone.

## Why is this bad?
Everybody who can read the repository, its history, a backup or a stack trace can read the database. The password cannot be
changed without a release, and development and production share it.

## Example
```python
from sqlalchemy import create_engine

engine = create_engine(
    "postgresql://shop:f6yNq2sK@db.internal/shop",
    pool_size=10,
    max_overflow=20,
    pool_pre_ping=True,
)
```

## Use instead
```python
import os

from sqlalchemy import create_engine

engine = create_engine(
    os.environ["DATABASE_URL"],
    pool_size=10,
    max_overflow=20,
    pool_pre_ping=True,
)
```

## Fix safety
Unsafe: the environment has to have the URL, and the password that was published has to be changed. In `alembic.ini` the option is
emptied and `env.py` sets it from the environment; other `.ini` files get no fix.

## References
- [Database URLs](https://docs.sqlalchemy.org/en/20/core/engines.html#database-urls)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.documents.facts import UrlOption
from sqlalchemy_guard.facts.values import Const
from sqlalchemy_guard.fixes.arguments import replace_node
from sqlalchemy_guard.fixes.imports import need_module
from sqlalchemy_guard.project.credentials import DatabaseUrl, has_secret, is_secret
from sqlalchemy_guard.project.engines import CREATORS
from sqlalchemy_guard.project.file_roles import is_sample_file, is_test_file
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context, PlainContext
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.syntax.chunk import Chunk

rule = Rule("SAG114", Severity.WARNING, Applicability.UNSAFE)

_MESSAGE = "A database password in the source: everybody who reads it has the database; read {what} from the environment"

_TITLE = "Read `{variable}` from the environment, which has to have it"


@rule.on(DatabaseUrl)
def check(context: Context, url: DatabaseUrl) -> Iterator[Violation]:
    """Report a URL with a password."""
    if not context.is_test() and not is_sample_file(context.file.file_id):
        yield _violation(context, url.chunk, url.node, url.statement, "DATABASE_URL")


@rule.on_call("sqlalchemy.URL.create")
def check_create(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a literal password of `URL.create()`."""
    given, user = call.fact.value.keyword("password"), call.fact.value.keyword("username")
    if type(given) is not Const or not isinstance(given.value, str) or context.is_test():
        return
    if is_sample_file(context.file.file_id):
        return
    if not is_secret(given.value, str(user.value) if type(user) is Const else ""):
        return
    node = next(keyword.value for keyword in call.fact.node.keywords if keyword.arg == "password")
    if isinstance(node, ast.Constant):
        yield _violation(context, call.fact.chunk, node, call.fact.statement, "DATABASE_PASSWORD")


@rule.on(UrlOption)
def check_option(context: PlainContext, option: UrlOption) -> Iterator[Violation]:
    """Report a URL with a password in a configuration file."""
    from sqlalchemy_guard.migrations.url_option import edits_of

    file_id = context.file_id
    if has_secret(option.value) and not is_test_file(file_id) and not is_sample_file(file_id):
        yield context.violation(
            rule,
            option.start,
            option.start + len(option.value),
            _MESSAGE.format(what="the URL"),
            applicability=Applicability.UNSAFE if edits_of(context.workspace, option) else None,
            subject=option,
        )


def _violation(
    context: Context, chunk: Chunk, node: ast.Constant | ast.JoinedStr, statement: ast.stmt, variable: str
) -> Violation:
    what = "the URL" if variable == "DATABASE_URL" else "it"
    return context.violation(
        rule,
        chunk,
        node,
        _MESSAGE.format(what=what),
        statement=statement,
        applicability=Applicability.UNSAFE if _is_replaceable(context, chunk, node) else None,
        subject=(node, statement, chunk, variable),
    )


def _is_replaceable(context: Context, chunk: Chunk, node: ast.AST) -> bool:
    """Whether the string is what is stored or given to the engine, not a default beside the environment."""
    parent = context.parent(chunk, node)
    call = context.parent(chunk, parent) if isinstance(parent, ast.keyword) else parent
    if not isinstance(call, ast.Call):
        return isinstance(parent, (ast.Assign, ast.AnnAssign, ast.Dict))
    name = context.resolver.external_name(context.value_of(call.func), context.file)
    return name in (*CREATORS, "sqlalchemy.make_url", "sqlalchemy.URL.create")


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Read it from the environment."""
    if isinstance(violation.subject, UrlOption):
        from sqlalchemy_guard.migrations.url_option import edits_of

        moved = edits_of(context.workspace, violation.subject)
        return Fix(_TITLE.format(variable="DATABASE_URL"), Applicability.UNSAFE, moved) if moved else None
    node, statement, chunk, variable = violation.subject
    source = context.source
    imported = need_module(source, context.module_statements(), "os")
    text = f"{imported.expression}.environ[{source.quote}{variable}{source.quote}]"
    edits = replace_node(source, node, text, chunk.shift, statement)
    title = _TITLE.format(variable=variable)
    return Fix(title, Applicability.UNSAFE, {context.file.file_id: (*imported.edits, *edits)})
