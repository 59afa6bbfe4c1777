"""The fix of raw-sql-string, run on SQLAlchemy: `text()` gives what the driver gives for the plain string."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine

from sqlalchemy_guard.rules.api import Applicability

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixture import Project

HEAD = """\
from sqlalchemy import Connection


def run(connection: Connection):
    return connection.execute("""

# The string as it is written, the string that the driver takes, and parameters.
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("\"SELECT ':name', '12:30', 'a%'\"", "SELECT ':name', '12:30', 'a%'", {}),
    ("r\"SELECT ':name', '\\n'\"", "SELECT ':name', '\\n'", {}),
    ("'SELECT ' \"':x'\"", "SELECT ':x'", {}),
    ('"""SELECT\n:name"""', "SELECT :name", {"name": "ann"}),
    ('"SELECT %(name)s || %(name)s"', "SELECT :name || :name", {"name": "ann"}),
]


@pytest.mark.parametrize(("written", "plain", "parameters"), CASES)
def test_the_database_gets_the_same(
    written: str, plain: str, parameters: dict[str, Any], make_project: Callable[..., Project]
) -> None:
    old = HEAD + written + (f", {parameters!r})" if parameters else ")") + ".one()\n"
    fixed = make_project({"app.py": old}, ["SAG307"]).fixed_by(Applicability.SAFE, ["SAG307"])["app.py"]
    assert fixed != old
    namespace: dict[str, Any] = {}
    exec(compile(fixed, "app.py", "exec"), namespace)
    with create_engine("sqlite://").connect() as connection:
        expected = connection.exec_driver_sql(plain, parameters).one()
        assert namespace["run"](connection) == expected
