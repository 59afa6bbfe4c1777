"""The attributes that the fix of legacy-loader-string writes, run on SQLAlchemy 2: what was named by text is loaded and joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from sqlalchemy_guard.rules.api import Applicability

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixture import Project

HEAD = """\
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Load, Mapped, Session, defaultload, joinedload, joinedload_all, load_only
from sqlalchemy.orm import mapped_column, relationship, selectinload


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    orders: Mapped[list["Order"]] = relationship()


class Order(Base):
    __tablename__ = "order"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    items: Mapped[list["Item"]] = relationship()


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"))


def read(session: Session):
    return """

# The query of 1.x, what is not loaded of the user, and what is not loaded of its order.
LOADED = [
    ('session.query(User).options(joinedload("orders"))', set(), {"items"}),
    ('session.query(User).options(joinedload("orders"), selectinload("orders.items"))', set(), set()),
    ('session.query(User).options(joinedload("orders").joinedload("items"))', set(), set()),
    ('session.query(User).options(joinedload_all("orders.items"))', set(), set()),
    ('session.query(User).options(selectinload("orders").load_only("id"))', set(), {"items", "user_id"}),
    ('session.query(User).options(Load(User).selectinload("orders"))', set(), {"items"}),
    ('session.query(User).options(load_only("id"))', {"name", "orders"}, None),
]
JOINED = [
    ('session.query(User).join("orders").join("items")', 'FROM user JOIN "order" ON user.id = "order".user_id '
     'JOIN item ON "order".id = item.order_id'),
    ('session.query(User).outerjoin("orders", "items")', 'FROM user LEFT OUTER JOIN "order" ON user.id = '
     '"order".user_id LEFT OUTER JOIN item ON "order".id = item.order_id'),
    ('session.query(User).join(Order, "orders")', 'FROM user JOIN "order" ON user.id = "order".user_id'),
]  # fmt: skip


@pytest.fixture
def run(make_project: Callable[..., Project]) -> Callable[[str], tuple[Any, dict[str, Any]]]:
    """Gives the query that the fixed text makes, and the names of its module."""

    def fixed(old: str) -> tuple[Any, dict[str, Any]]:
        project = make_project({"app.py": HEAD + old + "\n"}, ["SAG314"])
        text = project.fixed_by(Applicability.SAFE, ["SAG314"])["app.py"]
        # What the old form imported is gone: an unused import stays where a reader may still want it.
        text = text.replace(", joinedload_all", "")
        namespace: dict[str, Any] = {"__name__": "app"}
        exec(compile(text, "app.py", "exec", dont_inherit=True), namespace)
        engine = create_engine("sqlite://", poolclass=StaticPool)
        namespace["Base"].metadata.create_all(engine)
        session = Session(engine)
        item, order = namespace["Item"](id=1), namespace["Order"](id=1)
        order.items.append(item)
        session.add(namespace["User"](id=1, name="ann", orders=[order]))
        session.commit()
        session.expunge_all()
        return namespace["read"](session), namespace

    return fixed


@pytest.mark.parametrize(("old", "of_user", "of_order"), LOADED)
def test_what_was_named_is_loaded(
    old: str,
    of_user: set[str],
    of_order: set[str] | None,
    run: Callable[[str], tuple[Any, dict[str, Any]]],
) -> None:
    query, _ = run(old)
    user = query.one()
    assert inspect(user).unloaded == of_user
    if of_order is not None:
        assert inspect(user.orders[0]).unloaded == of_order


@pytest.mark.parametrize(("old", "joined"), JOINED)
def test_what_was_named_is_joined(
    old: str, joined: str, run: Callable[[str], tuple[Any, dict[str, Any]]]
) -> None:
    query, _ = run(old)
    assert " ".join(str(query).split()).endswith(joined)
