"""Edits of one chain are told by the text between them."""

from __future__ import annotations

import pytest

from sqlalchemy_guard.fixes.chain import are_one_chain


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        ("", True),
        (".filter(User.id == 1)\n    .", True),
        ("[0].", True),
        (" == 1)\n    .", True),
        ("a, b(c)[d]).options(x).", True),
        (" = ", False),
        (", ", False),
        (") + ", False),
        (".filter(", False),
        ("\n    return ", False),
    ],
)
def test_what_stands_between(between: str, expected: bool) -> None:
    """Attributes, calls and subscripts as a whole; the first edit may stand in the brackets of a call."""
    assert are_one_chain(f"x{between}y", 1, 1 + len(between)) is expected
