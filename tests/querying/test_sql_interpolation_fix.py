"""The fix of sql-interpolation, proven by running both sides on SQLite: harmless values give the same rows, hostile
values are only values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from sqlalchemy_guard.rules.api import Applicability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.fixture import Project

HOSTILE = ("' OR '1'='1", "O'Brien", "x'; DROP TABLE users; --", "%", ":name", "\\", '"', "")

NAMES = {
    "text(f\"SELECT id FROM users WHERE name = '{name}'\")": "exact",
    "text(f\"SELECT id FROM users WHERE name = '{name}' OR name = '{name}' ORDER BY id\")": "exact",
    "text(\"SELECT id FROM users WHERE name = '%s'\" % name)": "exact",
    "text(\"SELECT id FROM users WHERE name = '%s' AND name LIKE '%%'\" % (name,))": "exact",
    "text(\"SELECT id FROM users WHERE name = '%(name)s'\" % {'name': name})": "exact",
    "text(\"SELECT id FROM users WHERE name = '{}'\".format(name))": "exact",
    "text(\"SELECT id FROM users WHERE name = '{0}' AND '{0}' = name\".format(name))": "exact",
    "text(\"SELECT id FROM users WHERE name = '{n}'\".format(n=name))": "exact",
    'text("SELECT id FROM users WHERE name = \'" + name + "\'")': "exact",
    'text("SELECT id FROM users WHERE name = \'" + name + "\' ORDER BY id")': "exact",
    "text(f\"SELECT id FROM {TABLE} WHERE name = '{name}'\")": "exact",
    'text(f"SELECT id FROM users " f"WHERE name = \'{name}\'")': "exact",
    'text(f"""\n    SELECT id FROM users -- all\n    WHERE name = \'{name}\'\n    """)': "exact",
    "text(f\"SELECT id FROM users WHERE name = '{name}' AND note <> '{{}}'\")": "exact",
    "text(f\"SELECT id FROM users WHERE name = '{name}' AND note <> :note\").bindparams(note='z')": "exact",
}
"""Expressions over `name`; with a hostile value the bound form finds the row of that very name."""

PATTERNS = {
    "text(f\"SELECT id FROM users WHERE name LIKE '%{name}%' ORDER BY id\")",
    "text(f\"SELECT id FROM users WHERE name LIKE '{name}%' ORDER BY id\")",
    "text(f\"SELECT id FROM users WHERE note = 'note of {name}' ORDER BY id\")",
}
LISTS = {
    "text(f\"SELECT id FROM users WHERE id IN ({', '.join(str(i) for i in ids)}) ORDER BY id\")",
    "text(f\"SELECT id FROM users WHERE id IN ({','.join(map(str, ids))}) ORDER BY id\")",
    "text(\"SELECT id FROM users WHERE id IN (%s) ORDER BY id\" % ', '.join([str(i) for i in ids]))",
    'text(f"SELECT id FROM users WHERE id IN {tuple(ids)} ORDER BY id")',
}
TEXTS = {
    "text(f\"SELECT id FROM users WHERE name IN ({', '.join(repr(n) for n in names)}) ORDER BY id\")",
    "text(\"SELECT id FROM users WHERE name IN ('{}') ORDER BY id\".format(\"','\".join(names)))",
}

INJECTIONS = {
    **{expression: ("name: str", "nobody' OR 'a' = 'a") for expression in NAMES if "AND" not in expression},
    "text(\"SELECT id FROM users WHERE name = '%s' AND name LIKE '%%'\" % (name,))": (
        "name: str",
        "x' OR 1 = 1 OR 'a' = 'b",
    ),
    **{
        expression: ("name: str", "nobody' OR 1 = 1 --")
        for expression in NAMES
        if "AND" in expression and "%%" not in expression and ":note" not in expression
    },
    "text(f\"SELECT id FROM users WHERE name = '{name}' AND note <> :note\").bindparams(note='z')": (
        "name: str",
        "nobody' OR 1 = 1 OR 'a' = 'b",
    ),
    "text(f\"SELECT id FROM users WHERE name LIKE '%{name}%' ORDER BY id\")": (
        "name: str",
        "nobody' OR 1 = 1 --",
    ),
    "text(f\"SELECT id FROM users WHERE name LIKE '{name}%' ORDER BY id\")": (
        "name: str",
        "nobody' OR 1 = 1 --",
    ),
    "text(f\"SELECT id FROM users WHERE note = 'note of {name}' ORDER BY id\")": (
        "name: str",
        "nobody' OR 1 = 1 --",
    ),
    "text(f\"SELECT id FROM users WHERE name BETWEEN '{name}' AND '{name}'\")": (
        "name: str",
        "a' AND 'z' OR 1 = 1 --",
    ),
    "text(f\"SELECT id FROM users WHERE id IN ({', '.join(str(i) for i in ids)})\")": (
        "ids",
        ["0) OR (1 = 1"],
    ),
    "text(f\"SELECT id FROM users WHERE id IN ({','.join(map(str, ids))})\")": ("ids", ["0) OR (1 = 1"]),
    "text(\"SELECT id FROM users WHERE id IN (%s)\" % ', '.join([str(i) for i in ids]))": (
        "ids",
        ["0) OR (1 = 1"],
    ),
    'text(f"SELECT id FROM users WHERE id IN {tuple(ids)}")': ("ids", ["\"') OR 1 = 1 --", 0]),
    "text(f\"SELECT id FROM users WHERE name IN ({', '.join(repr(n) for n in names)})\")": (
        "names",
        ["\"') OR 1 = 1 --"],
    ),
    "text(\"SELECT id FROM users WHERE name IN ('{}')\".format(\"','\".join(names)))": (
        "names",
        ["x') OR (1 = 1) --"],
    ),
}
"""Expressions with a value that makes another statement of them: it gives the rows of everybody."""

NAMED = {
    'text(f"SELECT id FROM users ORDER BY {name}")': "(SELECT note FROM users LIMIT 1)",
    'text(f"SELECT id FROM {name}")': "users UNION SELECT note FROM users",
    'text(f"SELECT {name} FROM users")': "note",
    'text(f"SELECT id FROM users GROUP BY {name}")': "id HAVING 1 = 1",
    'text(f"SELECT id FROM users WHERE {name} = 1")': "1",
    "text(f'SELECT id FROM users ORDER BY \"{name}\"')": 'id" DESC --',
    "text('SELECT id FROM %s' % name)": "users UNION SELECT note FROM users",
    "text('SELECT id FROM {} ORDER BY id'.format(name))": "users --",
    "text('SELECT id FROM users ORDER BY id ' + name)": "DESC LIMIT 1",
}
"""Expressions with something from outside where SQL has a name or a keyword: no parameter can stand there."""

MODULE = """\
from sqlalchemy import text
from sqlalchemy.orm import Session

TABLE = "users"


def find(session: Session, {parameter}):
    statement = {expression}
    return session.scalars(statement).all()
"""


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with Session(engine) as session:
        session.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, note TEXT)"))
        rows = [{"name": name, "note": f"note of {name}"} for name in ("ann", "bob", "bobby", *HOSTILE)]
        session.execute(text("INSERT INTO users (name, note) VALUES (:name, :note)"), rows)
        yield session


def fixed(
    make_project: Callable[..., Project], source: str, applicability: Applicability = Applicability.SAFE
) -> str:
    """The text after the fix, which leaves nothing to report."""
    project = make_project({"example.py": source})
    (violation,) = [v for _, _, v in project.violations() if v.rule.code == "SAG306"]
    assert violation.applicability is applicability
    after = project.fixed_by(applicability, {"SAG306"})["example.py"]
    again = make_project({"example.py": after})
    assert [v.message for _, _, v in again.violations() if v.rule.code == "SAG306"] == []
    return after


def run(source: str, session: Session, argument: Any) -> list[int]:
    names: dict[str, Any] = {}
    exec(compile(source, "example.py", "exec"), names)
    found: list[int] = names["find"](session, argument)
    return found


def ids_of(session: Session, name: str) -> list[int]:
    found = session.scalars(text("SELECT id FROM users WHERE name = :name"), {"name": name})
    return list(found)


@pytest.mark.parametrize("expression", NAMES)
def test_a_bound_value_is_only_a_value(
    expression: str, session: Session, make_project: Callable[..., Project]
) -> None:
    before = MODULE.format(parameter="name: str", expression=expression)
    after = fixed(make_project, before)
    for name in ("ann", "bob", "nobody"):
        assert run(after, session, name) == run(before, session, name) == ids_of(session, name)
    for name in HOSTILE:
        assert run(after, session, name) == ids_of(session, name)


@pytest.mark.parametrize("expression", INJECTIONS)
def test_what_was_injected_before_is_a_value_after(
    expression: str, session: Session, make_project: Callable[..., Project]
) -> None:
    parameter, hostile = INJECTIONS[expression]
    before = MODULE.format(parameter=parameter, expression=expression)
    after = fixed(make_project, before)
    everybody = set(session.scalars(text("SELECT id FROM users")))
    assert set(run(before, session, hostile)) == everybody, "the value has to change the statement"
    assert run(after, session, hostile) == []


@pytest.mark.parametrize("expression", NAMED)
def test_names_and_keywords_are_never_bound(
    expression: str, session: Session, make_project: Callable[..., Project]
) -> None:
    before = MODULE.format(parameter="name: str", expression=expression)
    before = before.replace(
        "from sqlalchemy import text", "from flask import request\nfrom sqlalchemy import text"
    )
    asked = before.replace("    statement =", '    name = request.args["name"]\n    statement =')
    project = make_project({"example.py": asked})
    (violation,) = [found for _, _, found in project.violations() if found.rule.code == "SAG306"]
    assert violation.applicability is None
    assert project.fixed_by(Applicability.UNSAFE, {"SAG306"}) == {"example.py": asked}
    # It is an injection all the same: the database runs what was handed in.
    run(before.replace("from flask import request\n", ""), session, NAMED[expression])


@pytest.mark.parametrize("expression", sorted(PATTERNS))
def test_a_value_inside_a_literal_keeps_what_is_around_it(
    expression: str, session: Session, make_project: Callable[..., Project]
) -> None:
    before = MODULE.format(parameter="name: str", expression=expression)
    after = fixed(make_project, before)
    for name in ("ann", "bob", "b", "nobody", "%"):
        assert run(after, session, name) == run(before, session, name)
    assert run(after, session, "' OR '1'='1") == ids_of(session, "' OR '1'='1")


@pytest.mark.parametrize("expression", sorted(LISTS))
def test_a_list_is_bound_as_a_list(
    expression: str, session: Session, make_project: Callable[..., Project]
) -> None:
    before = MODULE.format(parameter="ids", expression=expression)
    after = fixed(make_project, before)
    assert "expanding=True" in after
    for ids in ([1, 2], [2, 3, 99], (3, 1)):
        assert run(after, session, ids) == run(before, session, ids) != []
    assert run(after, session, []) == []
    assert run(after, session, ["1) OR (1=1"]) == []


@pytest.mark.parametrize("expression", sorted(TEXTS))
def test_a_list_of_quoted_texts_is_bound_as_a_list(
    expression: str, session: Session, make_project: Callable[..., Project]
) -> None:
    before = MODULE.format(parameter="names", expression=expression)
    after = fixed(make_project, before)
    for names in (["ann"], ["ann", "bob"], ["nobody", "bobby"]):
        assert run(after, session, names) == run(before, session, names)
    assert run(after, session, ["O'Brien"]) == ids_of(session, "O'Brien")


def test_text_that_gets_a_name_first(session: Session, make_project: Callable[..., Project]) -> None:
    before = MODULE.format(
        parameter="name: str", expression="f\"SELECT id FROM users WHERE name = '{name}'\""
    ).replace("scalars(statement)", "scalars(text(statement))")
    after = fixed(make_project, before)
    assert "text(statement).bindparams(name=name)" in after
    for name in ("ann", *HOSTILE):
        assert run(after, session, name) == ids_of(session, name)


def test_a_string_outside_quotes_may_change_its_meaning(
    session: Session, make_project: Callable[..., Project]
) -> None:
    before = MODULE.format(parameter="key: str", expression='text(f"SELECT id FROM users WHERE id = {key}")')
    after = fixed(make_project, before, Applicability.UNSAFE)
    assert run(after, session, "1") == run(before, session, "1") == [1]
    assert run(after, session, "1 OR 1=1") == []


def test_a_string_handed_to_execute_becomes_text(
    session: Session, make_project: Callable[..., Project]
) -> None:
    before = MODULE.format(
        parameter="name: str", expression="f\"SELECT id FROM users WHERE name = '{name}'\""
    ).replace("from sqlalchemy import text\n", "")
    after = fixed(make_project, before)
    assert "from sqlalchemy import text" in after
    for name in ("ann", *HOSTILE):
        assert run(after, session, name) == ids_of(session, name)
