"""Mapped classes as facts.

This module must never judge a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call, Const, Ref, Value
from sqlalchemy_guard.project.externals import DECLARATIVE_BASES
from sqlalchemy_guard.project.types import ClassType, options
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import ClassFacts
    from sqlalchemy_guard.project.resolve import Member, Resolver, SourceFile


@dataclass(slots=True, eq=False)
class Model:
    """A class with a declarative base among its ancestors: a mapped class, an abstract one, or a base itself.

    Attributes:
        facts: The class as its file declares it.
        type: The class object.
        kind: The library base that makes it one, by canonical name (`flask_sqlalchemy.Model`, `sqlmodel.SQLModel`, …).
        is_base: Whether the declarative base is a direct parent and the class is the application's own base.
        is_abstract: Whether it says `__abstract__ = True`, or is a SQLModel class without `table=True`.
    """

    facts: ClassFacts
    type: ClassType
    kind: str
    is_base: bool
    is_abstract: bool

    @property
    def is_mapped(self) -> bool:
        """Whether SQLAlchemy maps it to a table."""
        return not self.is_base and not self.is_abstract


def model_of(resolver: Resolver, facts: ClassFacts, file: SourceFile) -> Model | None:
    """The model that a class is, None when it is none."""
    type_ = ClassType((file.file_id, facts.qualname))
    ancestors = resolver.ancestors(type_)
    kind = next((ref for ref in ancestors if isinstance(ref, str) and ref in DECLARATIVE_BASES), None)
    if kind is None:
        return None
    abstract = facts.attributes.get("__abstract__")
    is_abstract = abstract is not None and type(abstract.value) is Const and abstract.value.value is True
    is_base = False
    if kind == "sqlmodel.SQLModel":
        table = next((value for name, value in facts.keywords if name == "table"), None)
        is_abstract = not (type(table) is Const and table.value is True)
    elif kind in ("sqlalchemy.orm.DeclarativeBase", "sqlalchemy.orm.DeclarativeBaseNoMeta"):
        is_base = any(
            isinstance(option, ClassType) and option.ref == kind
            for base in facts.bases
            for option in options(resolver.type_of(base, file))
        )
    elif (
        kind == "flask_sqlalchemy.Model"
        and any(_is_extensions_own(resolver, base, file) for base in facts.bases)
    ) or any(_is_base_decorator(resolver, decorator, file) for decorator in facts.decorators):
        is_base = True
    # Concrete children have tables, their common base has none.
    is_abstract = is_abstract or any(
        resolver.external_name(base, file) == "sqlalchemy.ext.declarative.AbstractConcreteBase"
        for base in facts.bases
    )
    return Model(facts, type_, kind, is_base, is_abstract)


def _is_extensions_own(resolver: Resolver, base: Value, file: SourceFile) -> bool:
    """Whether a base is the extension's class itself and not an application's `db.Model`."""
    base, file = resolver.definition_of(base, file)
    return type(base) is Ref and base.name == "Model" and base.module.startswith("flask_sqlalchemy")


def _is_base_decorator(resolver: Resolver, decorator: Value, file: SourceFile) -> bool:
    target = decorator.func if type(decorator) is Call else decorator
    return resolver.external_name(target, file) in (
        "sqlalchemy.orm.as_declarative",
        "sqlalchemy.orm.registry.as_declarative_base",
    )


def inherited(resolver: Resolver, model: Model, name: str) -> Member | None:
    """An attribute of the class, its mixins or bases, across files."""
    return resolver.member(model.type, name)


def model_parents(resolver: Resolver, model: Model) -> Iterator[Model]:
    """The model classes among the ancestors, nearest first."""
    for ref in resolver.ancestors(model.type)[1:]:
        found = resolver.class_facts(ref)
        if found is not None:
            parent = model_of(resolver, *found)
            if parent is not None:
                yield parent
