"""Both ways of declaring the oracle's mapping give the same mapping, so that every version is asked about the same."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import class_mapper

from tests.query import models, models_classic


@pytest.mark.parametrize("table", models.Base.metadata.tables)
def test_tables_are_the_same(table: str) -> None:
    new, old = (module.Base.metadata.tables[table] for module in (models, models_classic))
    assert [(each.name, str(each.type), each.nullable, each.primary_key) for each in new.columns] == [
        (each.name, str(each.type), each.nullable, each.primary_key) for each in old.columns
    ]
    assert {each.target_fullname for each in new.foreign_keys} == {
        each.target_fullname for each in old.foreign_keys
    }


@pytest.mark.parametrize("model", [model.__name__ for model in models.MODELS])
def test_attributes_are_the_same(model: str) -> None:
    new, old = (class_mapper(getattr(module, model)) for module in (models, models_classic))
    assert set(new.all_orm_descriptors.keys()) == set(old.all_orm_descriptors.keys())
    assert {(each.key, each.lazy, each.uselist, each.direction) for each in new.relationships} == {
        (each.key, each.lazy, each.uselist, each.direction) for each in old.relationships
    }
