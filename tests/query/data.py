"""The tables and the data of every test: duplicates, empty collections, NULLs, more than a few rows."""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

if sqlalchemy.__version__.startswith("1."):
    from tests.query import models_classic as models
else:
    from tests.query import models

__all__ = ["engine", "models"]


def engine(*, empty: bool = False):
    """An in-memory database with the tables and, unless it is to be empty, the data."""
    made = create_engine("sqlite://", poolclass=StaticPool)
    models.Base.metadata.create_all(made)
    if not empty:
        with Session(made) as session:
            _fill(session)
    return made


def _fill(session: Session) -> None:

    session.add_all(
        [
            models.User(id=1, name="ann", nick="a", settings={"x": 1}),
            models.User(id=2, name="bob", nick=None, settings=None),
            models.User(id=3, name="ann", nick="a3", settings={"x": [2]}),
            models.User(id=4, name="dan", nick=None),
            models.Address(id=1, email="x", user_id=1),
            models.Address(id=2, email="y", user_id=1),
            models.Address(id=3, email="x", user_id=2),
            models.Address(id=4, email="z", user_id=None),
            models.Tag(id=1, word="red"),
            models.Tag(id=2, word="blue"),
            models.Tag(id=3, word="lone"),
            models.Profile(id=1, bio="b1", user_id=1),
            models.Profile(id=2, bio="b2", user_id=1),
            *(models.Order(id=n, total=n % 3, customer_id=n % 4 or None) for n in range(1, 12)),
            *(models.Line(order_id=n, number=m, product="p") for n in (1, 2, 3) for m in (1, 2)),
            *(models.Part(id=n, order_id=n % 3 or None, number=1 if n % 3 else None) for n in range(1, 6)),
            models.Node(id=1, name="root"),
            models.Node(id=2, name="leaf", parent_id=1),
            models.Node(id=3, name="leaf", parent_id=1),
            models.Node(id=4, name="deep", parent_id=2),
            models.Company(id=1, name="acme"),
            models.Company(id=2, name="void"),
            models.Contract(id=1, title="c", company_id=1),
            models.Contract(id=2, title="d", company_id=None),
            models.Employee(id=1, name="eve", company_id=1),
            models.Manager(id=2, name="max", company_id=1, bonus=5),
            models.Manager(id=3, name="mia", company_id=None, bonus=7),
            models.Vehicle(id=1, wheels=2),
            models.Car(id=2, wheels=4, doors=5),
            models.Car(id=3, wheels=4, doors=None),
            models.Paper(id=1, title="p"),
            models.Letter(id=1, title="l", stamp="s"),
            models.Person(id=1, name="kim", mood="glad", note="n"),
            models.Person(id=2, name="lee", mood=None),
            models.Person(id=3, name="kim", mood="sad"),
            models.Shape(id=1, person_id=1),
            models.Circle(id=2, person_id=1, radius=3),
            models.Circle(id=3, person_id=None, radius=3),
        ]
    )
    session.flush()
    pairs = [(1, 1), (1, 2), (1, 1), (2, 1)]
    session.execute(models.user_tags.insert(), [{"user_id": user, "tag_id": tag} for user, tag in pairs])
    known = [(1, 2), (1, 3), (2, 1)]
    session.execute(models.friendships.insert(), [{"left_id": a, "right_id": b} for a, b in known])
    session.commit()
