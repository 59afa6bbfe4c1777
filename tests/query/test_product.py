"""The whole product on chains out of the grammar: its own inference, its own fixes, and both sides executed.

A project of two files is written, every safe fix is applied to a fixed point, and each function must do the same as before.
"""

from __future__ import annotations

import ast
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sqlalchemy_guard.facts.query import Consumer
from sqlalchemy_guard.rules.api import Applicability
from tests.query import models
from tests.query.grammar import chains
from tests.query.names import IMPORTED
from tests.query.oracle import difference_of_codes
from tests.support.fixture import Project

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EXAMPLES = int(os.environ.get("SQLALCHEMY_GUARD_PROJECTS", "4"))
PER_PROJECT = 15
AS_FOUND = (Phase.explicit, Phase.reuse, Phase.generate)
"""A chain is short already; making it shorter on three versions of SQLAlchemy takes minutes."""

MAPPINGS = [
    (Path(__file__).parent / name).read_text(encoding="utf-8") for name in ("models.py", "models_classic.py")
]
"""The mapping in both styles: what is inferred from them must be the same."""


def _imports(module: str, names: Iterable[str]) -> str:
    lines = "".join(f"    {name},\n" for name in sorted(names))
    return f"from {module} import (\n{lines})\n"


HEADER = "".join(
    (
        "import sqlalchemy\n",
        *(
            _imports(module, (name for name, (where, _) in IMPORTED.items() if where == module))
            for module in ("sqlalchemy", "sqlalchemy.orm")
        ),
        "from sqlalchemy.orm import with_polymorphic\n\n",
        _imports("models", (*(model.__name__ for model in models.MODELS), "friendships", "user_tags")),
        """
U2 = aliased(User, name="u2")
A2 = aliased(Address)
N2 = aliased(Node, name="n2")
P2 = aliased(Person)
every = with_polymorphic(Employee, [Manager])
repeated = aliased(User, select(User).join(User.addresses).subquery())
counts = (
    select(Address.user_id, func.count(Address.id).label("n")).group_by(Address.user_id).subquery("counts")
)
opaque_condition = User.id > 1
opaque_join = Address.user_id == User.id
number = 2
name = "ann"
""",
    )
)
"""What the module of queries begins with: the names of the oracle."""

BODIES = {
    Consumer.ITERATED: "return [each for each in {}]",
    Consumer.LISTED: "return list({})",
    Consumer.UNPACKED: "return [*{}]",
    Consumer.STATEMENT: "{}",
    Consumer.NESTED: "return select(User.id).where(User.id.in_({}))",
}


def expressions(text: str) -> list[str]:
    """What each function of a module evaluates."""
    found = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            last = node.body[-1]
            assert isinstance(last, ast.Return | ast.Expr)
            assert last.value is not None
            found.append(ast.unparse(last.value))
    return found


def fixed(folder: Path, queries: str, mapping: str = MAPPINGS[0]) -> str:
    """The module of queries after every safe fix."""
    project = Project(folder, {"models.py": mapping, "queries.py": queries})
    return project.fixed_by(Applicability.SAFE, {"SAG301"})["queries.py"]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=AS_FOUND)
@given(st.lists(chains(), min_size=PER_PROJECT, max_size=PER_PROJECT), st.sampled_from(MAPPINGS))
def test_a_safe_fix_of_a_project_changes_nothing(drawn: Sequence[tuple[str, Consumer]], mapping: str) -> None:
    functions = [
        f"\n\ndef f{place}(session: Session, s: Session):\n    {BODIES.get(consumer, 'return {}').format(code)}\n"
        for place, (code, consumer) in enumerate(drawn)
    ]
    before = HEADER + "".join(functions)
    with tempfile.TemporaryDirectory() as folder:
        after = fixed(Path(folder), before, mapping)
    for (_, consumer), old, new in zip(drawn, expressions(before), expressions(after), strict=True):
        if old != new:
            kind = consumer if consumer is Consumer.STATEMENT else Consumer.UNKNOWN
            problem = difference_of_codes(old, new, kind)
            assert problem is None, problem


def test_plain_chains_are_fixed() -> None:
    codes = ("session.query(User).filter(User.id == number).first()", "session.query(Order).all()")
    before = HEADER + "".join(
        f"\n\ndef f{place}(session: Session):\n    return {code}\n" for place, code in enumerate(codes)
    )
    with tempfile.TemporaryDirectory() as folder:
        after = fixed(Path(folder), before)
    assert "session.query(" not in after
