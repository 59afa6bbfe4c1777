"""Queries that flow through variables, functions and files: all of a flow is rewritten, and the program does the same.

Each program is a project of a few files; `run(session, flag)` of its last one is executed before and after on real SQLAlchemy.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.rules.api import Applicability
from tests.query.flows import FLOWS, REFUSED
from tests.query.oracle import difference_of_programs
from tests.query.test_product import MAPPINGS
from tests.support.fixture import Project

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

IMPORTS = """\
from __future__ import annotations

from sqlalchemy.orm import Query, Session, aliased, joinedload

from models import Address, Order, Tag, User
"""

_HEADER = re.compile(r"^# (\w+\.py)\n", re.MULTILINE)


def files_of(program: str) -> dict[str, str]:
    """The files of a program: `# name.py` begins one; without it all of it is `app.py`."""
    text = textwrap.dedent(program).strip() + "\n"
    parts = _HEADER.split(text)
    found = dict(zip(parts[1::2], parts[2::2], strict=True)) if len(parts) > 1 else {"app.py": text}
    return {name: f"{IMPORTS}\n\n{code.strip()}\n" for name, code in found.items()}


def plan(folder: Path, files: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The files after every safe fix, and what is said about the queries that are left."""
    project = Project(folder, {"models.py": MAPPINGS[0], **files})
    fixed = project.fixed_by(Applicability.SAFE, {"SAG301"})
    left = []
    for path, report, violation in project.violations():
        if violation.rule.code == "SAG301" and violation.applicability is not Applicability.SAFE:
            fix = project.fix(report, violation)
            left.append(f"{path}: {violation.message} {fix.title if fix is not None else ''}")
    return {path: fixed[path] for path in files}, left


LONG = "".join(f"                total += {number}\n" for number in range(40))
"""So many lines that a definition with them is cut into parts."""

FLOWS |= {
    "beside a long function inside": (
        f"""
        def run(session: Session, flag):
            q = session.query(User.id).order_by(User.id)

            def counted(total=0):
{LONG}
                return total

            if flag:
                q = q.filter(User.id > 1)
            return [(each[0], counted()) for each in q.all()]
        """,
        f"""
        def run(session: Session, flag):
            q = select(User.id).order_by(User.id)

            def counted(total=0):
{LONG}
                return total

            if flag:
                q = q.where(User.id > 1)
            return [(each[0], counted()) for each in session.execute(q).all()]
        """,
    ),
}
REFUSED |= {
    "read in a long function inside": (
        f"""
        def run(session: Session, flag):
            q = session.query(User.id).order_by(User.id)

            def counted(total=0):
{LONG}
                return total + q.count()

            return counted() if flag else q.count()
        """,
        "is read in a function or lambda inside run()",
    ),
}
FLOWS |= {
    "other columns in each branch": (
        """
        def run(session: Session, flag):
            if flag:
                q = session.query(User.name).filter(User.id > 1)
            else:
                q = session.query(Address.email, User.id).join(Address.user)
            return sorted(each[0] for each in q)
        """,
        """
        def run(session: Session, flag):
            if flag:
                q = select(User.name).where(User.id > 1)
            else:
                q = select(Address.email, User.id).join(Address.user)
            return sorted(each[0] for each in session.execute(q))
        """,
    ),
    "a session that is an attribute, in both branches": (
        """
        class Holder:
            def __init__(self, session: Session):
                self.session = session

        def run(session: Session, flag):
            holder = Holder(session)
            if flag:
                q = holder.session.query(User).filter(User.id > 1)
            else:
                q = holder.session.query(User).filter(User.id < 3)
            q = q.order_by(User.id)
            return q.all()
        """,
        """
        class Holder:
            def __init__(self, session: Session):
                self.session = session

        def run(session: Session, flag):
            holder = Holder(session)
            if flag:
                q = select(User).where(User.id > 1)
            else:
                q = select(User).where(User.id < 3)
            q = q.order_by(User.id)
            return holder.session.scalars(q).all()
        """,
    ),
    "members of a union that join a class": (
        """
        def run(session: Session, flag):
            one = session.query(Address).join(User).filter(User.id > 1)
            other = session.query(Address).filter(Address.id == 1)
            return sorted(
                each.id for each in one.union(other)
            )
        """,
        """
        def run(session: Session, flag):
            one = select(Address).join(User).where(User.id > 1)
            other = select(Address).where(Address.id == 1)
            return sorted(
                each.id
                for each in session.scalars(
                    select(aliased(Address, union(one, other).subquery()))
                ).unique()
            )
        """,
    ),
    "the class of an object": (
        """
        def run(session: Session, flag):
            user = session.get(User, 1)
            q = session.query(type(user))
            if flag:
                q = q.filter(User.id > 1)
            return sorted(each.id for each in q.all()) + [session.query(user.__class__).get(1).id]
        """,
        """
        def run(session: Session, flag):
            user = session.get(User, 1)
            q = select(type(user))
            if flag:
                q = q.where(User.id > 1)
            return sorted(each.id for each in session.scalars(q).unique().all()) + [
                session.get(user.__class__, 1).id
            ]
        """,
    ),
}


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_is_rewritten_and_means_the_same(name: str, tmp_path: Path) -> None:
    before = files_of(FLOWS[name][0])
    after, left = plan(tmp_path, before)
    assert not left, left
    expected = files_of(FLOWS[name][1])
    for path, text in after.items():
        assert text.partition("User\n")[2] == expected[path].partition("User\n")[2], text
    problem = difference_of_programs(before, after)
    assert problem is None, problem


@pytest.mark.parametrize("name", REFUSED)
def test_all_of_it_or_nothing(name: str, tmp_path: Path) -> None:
    before = files_of(REFUSED[name][0])
    after, left = plan(tmp_path, before)
    assert after == before
    assert any(REFUSED[name][1] in each for each in left), left
