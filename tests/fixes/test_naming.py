"""Names: table names equal Flask-SQLAlchemy's."""

from __future__ import annotations

from flask_sqlalchemy.model import camel_to_snake_case
from hypothesis import given
from hypothesis import strategies as st

from sqlalchemy_guard.fixes.naming import fresh, nearest
from sqlalchemy_guard.text.words import snake_case


@given(st.text(alphabet="ABCabc12_", min_size=1, max_size=12))
def test_snake_case_is_that_of_flask_sqlalchemy(name: str) -> None:
    assert snake_case(name) == camel_to_snake_case(name)


def test_nearest() -> None:
    assert nearest("adress", ["address", "user"]) == "address"
    assert nearest("Adress", ["address"]) == "address"
    assert nearest("user", ["user"]) is None
    assert nearest("x", ["address"]) is None


def test_fresh() -> None:
    assert fresh("a", {"b"}) == "a"
    assert fresh("a", {"a", "a_2"}) == "a_3"
