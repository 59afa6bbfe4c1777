"""The forms that the fix of removed-in-2 writes, run on SQLAlchemy 2: they do what the old ones did on 1.4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, insert
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from sqlalchemy_guard.rules.api import Applicability

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixture import Project

HEAD = """\
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, and_, case, delete, select, text, update
from sqlalchemy.orm import Session

users = Table("users", MetaData(), Column("id", Integer, primary_key=True), Column("name", String))


def run(engine: Engine, connection: Connection, session: Session):
    columns = [users.c.id, users.c.name]
    return """

# What 1.4 gives for the old form on the rows (1, ann), (2, bob), (3, bob).
CASES: list[tuple[str, Any]] = [
    ("connection.execute(select([users.c.id, users.c.name], users.c.id > 1)).all()", [(2, "bob"), (3, "bob")]),
    ("connection.execute(select(columns).order_by(users.c.id.desc()).limit(1)).all()", [(3, "bob")]),
    ("connection.execute(select([users.c.name], distinct=True, order_by=[users.c.name])).all()", [("ann",), ("bob",)]),
    ("connection.execute(select([users.c.id], order_by=[users.c.id], limit=1, offset=1)).all()", [(2,)]),
    ("connection.execute(users.select(users.c.name == 'ann')).all()", [(1, "ann")]),
    ("connection.execute(update(users, users.c.id == 1, values={'name': 'x'})).rowcount", 1),
    ("connection.execute(delete(users, users.c.name == 'bob')).rowcount", 2),
    (
        "connection.execute(select([case([(users.c.id == 1, 'one')], else_='more')])).all()",
        [("one",), ("more",), ("more",)],
    ),
    ("connection.execute(text('SELECT id FROM users WHERE name = :name'), name='ann').all()", [(1,)]),
    ("connection.execute(select([users.c.id]).where(and_())).all()", [(1,), (2,), (3,)]),
    ("engine.execute(select([users.c.id])).fetchall()", [(1,), (2,), (3,)]),
    ("engine.scalar(text('SELECT max(id) FROM users'))", 3),
    ("engine.has_table('users')", True),
    ("engine.table_names()", ["users"]),
    ("[row['name'] for row in connection.execute(select([users.c.name]))]", ["ann", "bob", "bob"]),
    ("session.query(users.c.id).filter(users.c.id.in_(session.query(users.c.id).as_scalar())).count()", 3),
]  # fmt: skip


@pytest.mark.parametrize(("old", "expected"), CASES)
def test_the_new_form_gives_what_the_old_one_gave(
    old: str, expected: object, make_project: Callable[..., Project]
) -> None:
    project = make_project({"app.py": HEAD + old + "\n"}, ["SAG315"])
    fixed = project.fixed_by(Applicability.SAFE, ["SAG315"])["app.py"]
    assert fixed != HEAD + old + "\n"
    engine = create_engine("sqlite://", poolclass=StaticPool)
    users = Table("users", MetaData(), Column("id", Integer, primary_key=True), Column("name", String))
    users.create(engine)
    with engine.begin() as connection:
        rows = [{"id": 1, "name": "ann"}, {"id": 2, "name": "bob"}, {"id": 3, "name": "bob"}]
        connection.execute(insert(users), rows)
    namespace: dict[str, Any] = {}
    exec(compile(fixed, "app.py", "exec"), namespace)
    with engine.connect() as connection, Session(engine) as session:
        assert namespace["run"](engine, connection, session) == expected
