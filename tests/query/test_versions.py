"""The workers run the version that they are asked for, and report what differs."""

from __future__ import annotations

import pytest

from tests.query import versions
from tests.query.oracle import difference_of_codes


@pytest.mark.parametrize("version", versions.OTHERS)
def test_a_worker_runs_its_version(version: str) -> None:
    assert versions.ask_one(version, "version").startswith(f"{version}.")


@pytest.mark.parametrize("version", versions.OTHERS)
def test_a_worker_reports_a_difference(version: str) -> None:
    old, new = (
        "session.query(User).join(User.addresses).all()",
        "session.scalars(select(User).join(User.addresses)).all()",
    )
    problem = versions.ask_one(version, "difference", old, new, "UNKNOWN")
    assert old in problem
    assert new in problem


def test_what_is_wrong_in_one_version_only_is_found() -> None:
    # 2.1 looks for the name in every class.
    old = "session.query(User).join(User.addresses).filter_by(id=1).all()"
    new = "session.scalars(select(User).join(User.addresses).filter_by(id=1)).unique().all()"
    for version in versions.OTHERS:
        assert versions.ask_one(version, "difference", old, new, "UNKNOWN") is None
    assert difference_of_codes(old, new) is not None
