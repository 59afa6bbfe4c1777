"""Safe fixes of transactions, run: both sides write the same rows on a real database, and the same after an error."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import StaticPool

from sqlalchemy_guard.rules.api import Applicability

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixture import Project

HEAD = """
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()
"""

BY_HAND = """
def work(User, names, fail):
    session = SessionLocal()
    try:
        for name in names:
            session.add(User(name=name))
        session.flush()
        if fail:
            raise ValueError("no")
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()
"""

FLUSHING = """
def work(User, names, fail):
    with SessionLocal() as session:
        for name in names:
            session.add(User(name=name))
            session.flush()
        if fail:
            raise ValueError("no")
        session.commit()
"""

LEFT_OPEN = """
def work(User, names, fail):
    session = SessionLocal()
    for name in names:
        session.add(User(name=name))
    if fail:
        session.close()
        raise ValueError("no")
    session.commit()
    session.close()
"""

LOST = """
def work(User, names, fail):
    with SessionLocal() as session:
        session.add_all([User(name=name) for name in names])
        if fail:
            raise ValueError("no")
"""


def run(code: str, *, fail: bool) -> tuple[list[str], list[tuple[Any, ...]], int]:
    """What a side does: how it ended, the rows, and how many connections are still in use."""

    class Base(DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "user"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]

    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    namespace: dict[str, Any] = {}
    exec(compile(code, "side", "exec"), namespace)
    namespace["SessionLocal"].configure(bind=engine)
    open_now = 0

    def count(delta: int) -> Callable[..., None]:
        def listener(*_: object) -> None:
            nonlocal open_now
            open_now += delta

        return listener

    event.listen(engine, "begin", count(1))
    event.listen(engine, "commit", count(-1))
    event.listen(engine, "rollback", count(-1))
    ended = ["ok"]
    try:
        namespace["work"](User, ["spongebob", "sandy"], fail)
    except ValueError as error:
        ended = [str(error)]
    left_open = open_now
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(text("SELECT id, name FROM user ORDER BY id"))]
    return ended, rows, left_open


@pytest.mark.parametrize("fail", [False, True])
@pytest.mark.parametrize(
    ("code", "body"),
    [("SAG403", BY_HAND), ("SAG406", FLUSHING), ("SAG107", LEFT_OPEN)],
    ids=["manual-transaction", "flush-in-loop", "session-not-closed"],
)
def test_both_sides_do_the_same(
    code: str, body: str, fail: bool, make_project: Callable[..., Project]
) -> None:
    before = textwrap.dedent(HEAD + body)
    fixed = make_project({"example.py": before}, [code]).fixed_by(Applicability.SAFE, [code])["example.py"]
    assert fixed != before
    assert run(before, fail=fail) == run(fixed, fail=fail)


def test_a_lost_change_is_kept_and_an_error_still_undoes_it(make_project: Callable[..., Project]) -> None:
    before = HEAD + LOST
    fixed = make_project({"example.py": before}, ["SAG405"]).fixed_by(Applicability.SAFE, ["SAG405"])[
        "example.py"
    ]
    assert run(before, fail=False)[1] == []
    assert run(fixed, fail=False) == (["ok"], [(1, "spongebob"), (2, "sandy")], 0)
    assert run(fixed, fail=True) == (["no"], [], 0)
