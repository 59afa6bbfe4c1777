"""The names that expressions under test may use: the mapping, aliases of it, what SQLAlchemy gives, and plain values."""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy import orm
from sqlalchemy.orm import aliased

from tests.query.data import models

IMPORTED = {
    **{
        name: ("sqlalchemy", getattr(sqlalchemy, name))
        for name in (
            *("select", "delete", "update", "func", "union", "union_all", "intersect", "intersect_all"),
            *(
                "except_",
                "except_all",
                "and_",
                "or_",
                "not_",
                "text",
                "exists",
                "literal",
                "bindparam",
                "desc",
            ),
            *(
                "case",
                "cast",
                "distinct",
                "String",
                "tuple_",
                "collate",
                "nulls_last",
                "literal_column",
                "LABEL_STYLE_NONE",
                "LABEL_STYLE_TABLENAME_PLUS_COL",
            ),
        )
    },
    **{
        name: ("sqlalchemy.orm", getattr(orm, name))
        for name in (
            *("aliased", "joinedload", "selectinload", "subqueryload", "lazyload", "contains_eager", "defer"),
            *(
                "load_only",
                "with_parent",
                "Bundle",
                "noload",
                "raiseload",
                "with_loader_criteria",
                "Session",
                "undefer",
                "immediateload",
                "Load",
                "defaultload",
                "join",
                "outerjoin",
            ),
        )
    },
}


def namespace() -> dict[str, Any]:
    """The names of expressions with what they stand for."""
    names: dict[str, Any] = {name: value for name, (_, value) in IMPORTED.items()}
    names.update({model.__name__: model for model in models.MODELS})
    names["user_tags"] = models.user_tags
    names["friendships"] = models.friendships
    names["U2"] = aliased(models.User, name="u2")
    names["A2"] = aliased(models.Address)
    names["N2"] = aliased(models.Node, name="n2")
    names["P2"] = aliased(models.Person)
    names["counts"] = (
        models.select(models.Address.user_id, IMPORTED["func"][1].count(models.Address.id).label("n"))
        .group_by(models.Address.user_id)
        .subquery("counts")
    )
    names["every"] = orm.with_polymorphic(models.Employee, [models.Manager])
    names["repeated"] = aliased(
        models.User, models.select(models.User).join(models.User.addresses).subquery()
    )
    names["some_class"] = models.User
    names["opaque_condition"] = models.User.id > 1
    names["opaque_join"] = models.Address.user_id == models.User.id
    names["option"] = orm.selectinload(models.User.addresses)
    names["joining"] = orm.joinedload(models.User.addresses)
    names["number"] = 2
    names["name"] = "ann"
    return names


NAMES = namespace()
