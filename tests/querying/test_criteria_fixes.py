"""The fixes of rules about criteria and eager loading, run on SQLAlchemy: the SQL, or the objects, are what was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from sqlalchemy_guard.rules.api import Applicability

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixture import Project

HEAD = """\
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    boss: Mapped["User | None"] = relationship(remote_side=[id])
    orders: Mapped[list["Order"]] = relationship(order_by="Order.id")


class Order(Base):
    __tablename__ = "order"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))


def run(session: Session, size: int = 2):
    return """

# The condition as it is written, and the SQL that was meant.
CRITERIA = [
    ("User.name is None", '"user".name IS NULL'),
    ("not User.name is None", '"user".name IS NOT NULL'),
    ("User.boss is not None", '"user".boss_id IS NOT NULL'),
    ("not User.id > 1", '"user".id <= 1'),
    ("User.id > 1 and User.name != None or User.boss_id is None",
     '"user".id > 1 AND "user".name IS NOT NULL OR "user".boss_id IS NULL'),
    ("User.id in [1, 2]", '"user".id IN (1, 2)'),
    ("User.id not in (1, 2)", '("user".id NOT IN (1, 2))'),
    ("1 < User.id <= 3", '"user".id > 1 AND "user".id <= 3'),
    ("(User.name is None) | (User.id == 1)", '"user".name IS NULL OR "user".id = 1'),
    ("None == User.name", '"user".name IS NULL'),
    ("User.name != None", '"user".name IS NOT NULL'),
]  # fmt: skip


def _module(text: str, project: Project, rules: list[str]) -> dict[str, Any]:
    fixed = project.fixed_by(Applicability.SAFE, rules)["app.py"]
    assert fixed != text
    return _executed(fixed)


def _executed(text: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "app"}
    exec(compile(text, "app.py", "exec", dont_inherit=True), namespace)
    return namespace


@pytest.mark.parametrize(("written", "meant"), CRITERIA)
def test_the_database_decides(written: str, meant: str, make_project: Callable[..., Project]) -> None:
    text = f"{HEAD}select(User).where({written})\n"
    rules = ["SAG308", "SAG321"]
    module = _module(text, make_project({"app.py": text}, rules), rules)
    sql = str(module["run"](None).compile(compile_kwargs={"literal_binds": True}))
    assert sql.replace("\n", "").partition("WHERE ")[2] == meant


def _session(module: dict[str, Any]) -> Session:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    module["Base"].metadata.create_all(engine)
    session = Session(engine)
    user, order = module["User"], module["Order"]
    session.add_all([user(orders=[order(), order()]), user(orders=[order()]), user(), user(orders=[order()])])
    session.commit()
    session.expunge_all()
    return session


@pytest.mark.parametrize(
    "written",
    [
        "session.scalars(select(User).options(joinedload(User.orders))).all()",
        "session.execute(select(User).options(joinedload(User.orders))).scalars().all()",
        "list(session.scalars(select(User).options(joinedload(User.orders))))",
        "[user for user in session.scalars(select(User).options(joinedload(User.orders)))]",
    ],
)
def test_what_raised_gives_each_object_once(written: str, make_project: Callable[..., Project]) -> None:
    text = f"{HEAD}{written}\n"
    before = _executed(text)
    with pytest.raises(InvalidRequestError, match="unique"):
        before["run"](_session(before))
    module = _module(text, make_project({"app.py": text}, ["SAG305"]), ["SAG305"])
    found = module["run"](_session(module))
    assert sorted((user.id, len(user.orders)) for user in found) == [(1, 2), (2, 1), (3, 0), (4, 1)]


@pytest.mark.parametrize(
    "written",
    [
        "session.query(User).options(joinedload(User.orders)).order_by(User.id).limit(size).all()",
        "session.scalars(select(User).options(joinedload(User.orders)).order_by(User.id)"
        ".offset(1).limit(size)).unique().all()",
    ],
)
def test_pages_have_the_same_objects(written: str, make_project: Callable[..., Project]) -> None:
    text = f"{HEAD}{written}\n"
    pages = []
    for module in (_executed(text), _module(text, make_project({"app.py": text}, ["SAG317"]), ["SAG317"])):
        found = module["run"](_session(module))
        pages.append([(user.id, [order.id for order in user.orders]) for user in found])
    assert pages[0] == pages[1]
