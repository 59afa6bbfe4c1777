"""The ways through a function: which statements may run behind which."""

from __future__ import annotations

import ast
import textwrap

import pytest

from sqlalchemy_guard.project.paths import Paths, Point, walk


def marks(points: list[Point]) -> set[str]:
    """The names that are called with nothing in steps: `a()` is the mark `a`."""
    return {
        node.func.id
        for point in points
        for node in point.nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def behind(text: str, mark: str, *, errors: bool = True, alive: str = "") -> set[str]:
    """The marks that may run behind a mark; `return` and `raise` for the exits."""
    statements = ast.parse(textwrap.dedent(text)).body
    call = next(
        node
        for statement in statements
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == mark
    )
    paths = Paths(statements)
    starts = [following for point in paths.at(call) for following in point.next]
    found = list(walk(starts, errors=errors, alive=alive))
    exits = {point.kind for point in found if point in (paths.returned, paths.raised)}
    return marks(found) | exits


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a()\nb()", {"b", "return"}),
        ("if x:\n  a()\nelse:\n  b()\nc()", {"c", "return"}),
        ("if x:\n  a()\n  return\nc()", {"return"}),
        ("while x:\n  a()\n  break\nelse:\n  b()\nc()", {"c", "return"}),
        ("while True:\n  a()", {"a"}),
        ("for x in xs:\n  b()\n  a()\nelse:\n  c()", {"a", "b", "c", "return"}),
        ("for x in xs:\n  if x:\n    a()\n    continue\n  b()", {"a", "b", "return"}),
        ("try:\n  a()\n  return\nfinally:\n  f()\nc()", {"f", "return"}),
        ("for x in xs:\n  try:\n    a()\n    break\n  finally:\n    f()\nelse:\n  b()\nc()", {"f", "c", "return"}),
        ("try:\n  a()\nexcept E:\n  h()\nelse:\n  b()\nc()", {"b", "c", "return"}),
        ("match x:\n  case 1:\n    a()\n  case _:\n    b()\nc()", {"c", "return"}),
        ("a()\nwith m as x:\n  raise E", {"raise"}),
        ("a()\nbreak\nb()", {"raise"}),
    ],
)  # fmt: skip
def test_ordinary_ways(text: str, expected: set[str]) -> None:
    assert behind(text, "a", errors=False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a()\nx = 1", {"return"}),
        ("a()\nb()", {"b", "return", "raise"}),
        ("a()\ntry:\n  b()\nexcept Exception:\n  h()", {"b", "h", "return", "raise"}),
        ("a()\ntry:\n  b()\nexcept Exception:\n  pass", {"b", "return"}),
        ("a()\ntry:\n  b()\nexcept KeyError:\n  pass", {"b", "return", "raise"}),
        ("a()\nwith suppress(E):\n  b()\nc()", {"suppress", "b", "c", "return", "raise"}),
        ("try:\n  try:\n    a()\n    b()\n  finally:\n    f()\nexcept:\n  pass", {"b", "f", "return"}),
    ],
)
def test_errors(text: str, expected: set[str]) -> None:
    assert behind(text, "a") == expected


@pytest.mark.parametrize(
    ("test", "runs"),
    [
        ("s", True), ("not s", False), ("s is None", False), ("s is not None", True), ("other", None),
    ],
)  # fmt: skip
def test_what_is_alive_passes_its_tests(test: str, runs: bool | None) -> None:
    found = behind(f"a()\nif {test}:\n  b()\nelse:\n  c()", "a", errors=False, alive="s")
    assert found == {"return", *({"b", "c"} if runs is None else {"b"} if runs else {"c"})}


def test_a_long_chain_of_branches_is_no_deep_one() -> None:
    text = (
        "a()\nif x == 0:\n  b()\n" + "".join(f"elif x == {n}:\n  b()\n" for n in range(700)) + "else:\n  c()"
    )
    assert behind(text, "a", errors=False) == {"b", "c", "return"}
