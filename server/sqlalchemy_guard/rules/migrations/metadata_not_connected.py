"""Alembic's `env.py` does not see the models, or not all of them.

## What it does
Reports `target_metadata = None` where the workspace has models, and model modules that are not imported when `env.py` runs, neither
there nor in what it imports. Silent where modules are imported at run time (`importlib`, `pkgutil`): they may be among them.

## Why is this bad?
Autogenerate compares the database with the tables that the `MetaData` has at that moment. Without metadata it refuses to work; a
model whose module nobody imported is a table that it proposes to drop.

## Example
```python
# path: shop/__init__.py
```

```python
# path: shop/base.py
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    created_at = None
    updated_at = None
```

```python
# path: shop/product.py
from shop.base import Base
from sqlalchemy.orm import Mapped, mapped_column


class Product(Base):
    __tablename__ = "product"

    id: Mapped[int] = mapped_column(primary_key=True)
```

```python
# path: shop/main.py
from shop.product import Product

print(Product)
```

```python
# path: alembic/env.py
from alembic import context
from shop.base import Base

target_metadata = Base.metadata
context.configure(target_metadata=target_metadata)
context.run_migrations()
```

## Use instead
```python
# path: alembic/env.py
from alembic import context
from shop.base import Base
import shop.product  # noqa: F401

target_metadata = Base.metadata
context.configure(target_metadata=target_metadata)
context.run_migrations()
```

## Fix safety
Safe: the application stays as it is; autogenerate sees more.

## References
- [Alembic: auto generating migrations](https://alembic.sqlalchemy.org/en/latest/autogenerate.html)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import NONE
from sqlalchemy_guard.fixes.imports import need
from sqlalchemy_guard.migrations.history import history
from sqlalchemy_guard.project.file_roles import is_migration_file, is_test_file
from sqlalchemy_guard.project.tables import all_tables
from sqlalchemy_guard.project.target_metadata import TargetMetadata, imported_with, only_owner
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG513", Severity.ERROR, Applicability.SAFE)

_FEW = 3


@rule.on(TargetMetadata)
def check(context: Context, target: TargetMetadata) -> Iterator[Violation]:
    """Report metadata that is not there, and models that are not in it."""
    workspace = context.workspace
    context.resolver.keys.add(workspace.READ)
    tables = (
        [table for table in all_tables(workspace) if _counts(table.file.file_id)] if workspace.is_read else []
    )
    if not tables:
        return
    if target.value == NONE:
        if len({environment.env for environment in history(workspace)}) > 1:
            # Another environment may have them.
            return
        owner = only_owner(context.workspace, {table.metadata for table in tables}, context.file_id)
        yield context.violation(
            rule,
            target.chunk,
            target.node,
            "Autogenerate sees no models while `target_metadata` is None: give it the metadata of their base",
            statement=target.statement,
            applicability=Applicability.SAFE if owner is not None else None,
            subject=(target, owner, ()),
        )
        return
    wanted = target.metadata(workspace, context.file)
    seen = imported_with(workspace, context.file) if wanted is not None else None
    if wanted is None or seen is None:
        return
    missing = sorted(
        {
            table.file.file_id
            for table in tables
            if table.metadata in wanted
            and table.file.file_id not in seen
            and _is_used(context, table.file.file_id)
        }
    )
    names = [workspace.modules.dotted(file_id) for file_id in missing]
    if names:
        shown = ", ".join(f"`{name}`" for name in names[:_FEW])
        more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
        can = all(
            workspace.modules.find(name, context.file_id) == at
            for name, at in zip(names, missing, strict=True)
        )
        yield context.violation(
            rule,
            target.chunk,
            target.node,
            f"Autogenerate does not see the models of {shown}{more}, which nothing imports here: it would drop their tables",
            statement=target.statement,
            applicability=Applicability.SAFE if can else None,
            subject=(target, None, tuple(names)),
        )


def _counts(file_id: str) -> bool:
    """Whether the models of a file are the application's."""
    return not is_test_file(file_id) and not is_migration_file(file_id)


def _is_used(context: Context, file_id: str) -> bool:
    """Whether the application imports a file at all."""
    from sqlalchemy_guard.project.index import IMPORTS

    context.resolver.keys.add((IMPORTS, ""))
    # What has nothing to say about databases was not analysed until it is asked for by name.
    context.workspace.naming(context.workspace.modules.dotted(file_id).rpartition(".")[2])
    return any(_counts(each) for each in context.workspace.dependents(file_id))


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Import what is missing."""
    target, owner, names = violation.subject
    source, statements = context.source, context.module_statements()
    if owner is not None:
        module, name, ending = owner
        imported = need(source, statements, module, name, first_party={module.partition(".")[0]})
        start, end = (
            source.start(target.node, target.chunk.shift),
            source.end(target.node, target.chunk.shift),
        )
        edits = (*imported.edits, Edit(start, end, f"{imported.expression}{ending}"))
        title = f"Give it `{name}{ending}`"
        return Fix(title, Applicability.SAFE, {context.file_id: tuple(sorted(edits))})
    before = source.start(target.statement, target.chunk.shift)
    imports = [
        source.end(each.node, each.shift)
        for each in statements
        if isinstance(each.node, (ast.Import, ast.ImportFrom)) and source.end(each.node, each.shift) < before
    ]
    if not imports:
        return None
    at = source.line_end(max(imports))
    text = "".join(f"{source.newline}import {name}  # noqa: F401" for name in names)
    title = f"Import {names[0]}" if len(names) == 1 else f"Import {len(names)} modules of models"
    return Fix(title, Applicability.SAFE, {context.file_id: (Edit(at, at, text),)})
