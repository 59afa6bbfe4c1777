"""A revision imports the application's models: it runs with the models of today, not with those of its time.

## What it does
Reports imports of mapped classes, of modules that define them, and of the metadata or the base into a revision. Types, enums and
helpers may be imported. Silent for classes that the revision defines itself.

## Why is this bad?
A revision is run again on every new database, years later. By then the class has columns that do not exist yet at that point of
the history, and the SELECT fails; or the class is gone, and the import fails. Autogenerate never writes such an import.

## Example
```python no-fix
# path: alembic/versions/8b20_stock.py
from alembic import op
from shop.models import Product
from sqlalchemy import update

revision = "8b20"
down_revision = None


def upgrade():
    op.get_bind().execute(update(Product).values(stock=0))


def downgrade():
    pass
```

```python no-fix
# path: shop/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class Product(Base):
    __tablename__ = "product"

    id: Mapped[int] = mapped_column(primary_key=True)
    stock: Mapped[int]
```

## Use instead
```python no-fix
# path: alembic/versions/8b20_stock.py
import sqlalchemy as sa
from alembic import op

revision = "8b20"
down_revision = None

product = sa.table("product", sa.column("stock", sa.Integer()))


def upgrade():
    op.get_bind().execute(sa.update(product).values(stock=0))


def downgrade():
    pass
```

## Fix safety
No fix: which columns the revision needs is for you to say.

## References
- [Alembic: bulk_insert](https://alembic.sqlalchemy.org/en/latest/ops.html#alembic.operations.Operations.bulk_insert)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Ref
from sqlalchemy_guard.migrations.review import is_reviewed
from sqlalchemy_guard.project.bodies import rests_on_all
from sqlalchemy_guard.project.revision_names import RevisionName
from sqlalchemy_guard.project.types import ClassType, Instance, ModuleType, known
from sqlalchemy_guard.rules.api import Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.types import Type
    from sqlalchemy_guard.syntax.chunk import Chunk

rule = Rule("SAG511", Severity.WARNING, None)


@rule.on(RevisionName)
def check(context: Context, name: RevisionName) -> Iterator[Violation]:
    """Report imports of models anywhere in a revision."""
    del name
    rests_on_all(context.resolver, context.file)
    found: list[tuple[Chunk, ast.Import | ast.ImportFrom, ast.alias, str]] = []
    for chunk, node in _nodes(context):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found += [(chunk, node, alias, what) for alias, what in _models(context, node)]
    if not found or not is_reviewed(context.workspace, context.file_id, context.settings):
        return
    for chunk, node, alias, what in found:
        message = f"{what} will have changed when this revision is run again; write the tables that it needs here (`sa.table`)"
        yield context.violation(rule, chunk, alias, message, statement=node)


def _nodes(context: Context) -> Iterator[tuple[Chunk, ast.AST]]:
    """The nodes of the file, in the parts of long functions as well."""
    for unit in context.file.facts.units():
        for chunk in unit.chunk.parts():
            for statement in chunk.body:
                for node in ast.walk(statement):
                    yield chunk, node


def _models(context: Context, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[ast.alias, str]]:
    """The names of an import that are models, or modules that models are taken from."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            value = Ref("." * node.level + (node.module or ""), alias.name)
        else:
            value = Ref(alias.name, "")
        what = _model(context, context.type_of(value), alias.name)
        if what is not None and (
            (alias.asname is None and "." in alias.name) or _uses(context, value, alias)
        ):
            yield alias, what


def _uses(context: Context, value: Ref, alias: ast.alias) -> bool:
    """Whether a revision takes more from a module of models than what is no model, such as a constant."""
    if not isinstance(context.type_of(value), ModuleType):
        return True
    nodes = [node for _, node in _nodes(context)]
    taken = {id(node.value): node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names = [
        taken.get(id(node))
        for node in nodes
        if isinstance(node, ast.Name) and node.id == (alias.asname or alias.name)
    ]
    return not names or any(name is None or _may_be_model(context, Attr(value, name)) for name in names)


def _may_be_model(context: Context, value: Attr) -> bool:
    type_ = context.type_of(value)
    return not any(known(type_)) or _model(context, type_, value.name) is not None


def _model(context: Context, type_: Type, name: str) -> str | None:
    if isinstance(type_, ClassType) and isinstance(type_.ref, tuple):
        return f"The model `{name}`" if context.resolver.is_model(type_) else None
    if isinstance(type_, Instance) and type_.ref == "sqlalchemy.MetaData":
        return f"The metadata `{name}`"
    if (
        isinstance(type_, ModuleType)
        and type_.file_id is not None
        and not type_.file_id.endswith(("/", "\\"))
    ):
        file = context.workspace.file(type_.file_id)
        if file is not None:
            rests_on_all(context.resolver, file)
            classes = (ClassType((file.file_id, qualname)) for qualname in file.facts.classes)
            if any(context.resolver.is_model(each) for each in classes):
                return f"The models of `{name}`"
    return None
