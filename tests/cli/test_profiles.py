"""Profiles: the default is what the guidelines say, `strict` adds hints, `legacy` drops what SQLAlchemy 1.4 cannot do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy_guard.cli.main import main
from sqlalchemy_guard.config import Settings
from sqlalchemy_guard.config.selection import rule_selected
from sqlalchemy_guard.rules import registry
from sqlalchemy_guard.rules.api import Severity

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CODE = """\
from sqlalchemy import Column, ForeignKey, Integer, create_engine
from sqlalchemy.ext.declarative import declarative_base
from sqlalchemy.orm import Session, sessionmaker

engine = create_engine("postgresql://localhost/shop", pool_size=5, max_overflow=5)
make = sessionmaker(engine)
Base = declarative_base()


class User(Base):
    __tablename__ = "user"
    id = Column(Integer, primary_key=True)
    created_at = Column(Integer)
    updated_at = Column(Integer, onupdate=1)
    parent_id = Column(ForeignKey("user.id"))


def fill(session: Session, names: list[User]):
    for user in names:
        session.add(user)
    session.commit()


def find(session: Session):
    return session.query(User).all()
"""


def codes(folder: Path, profile: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    (folder / "sqlalchemy-guard.toml").write_text(f'profile = "{profile}"\n')
    (folder / "app.py").write_text(CODE)
    capsys.readouterr()
    assert main(["check", "--no-cache", "--output-format", "json", str(folder)]) == 1
    return {found["code"] for found in json.loads(capsys.readouterr().out)}


def test_what_each_profile_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    default, strict, legacy = (codes(tmp_path, name, capsys) for name in ("default", "strict", "legacy"))
    assert {"SAG101", "SAG201", "SAG202", "SAG301"} <= default
    assert strict - default == {"SAG221", "SAG407"}
    assert default <= strict
    assert default - legacy == {"SAG201", "SAG202", "SAG301"}
    assert legacy <= default


def selected(profile: str) -> set[str]:
    settings = Settings(profile=profile)  # type: ignore[arg-type]
    return {code for code, rule in registry.rules().items() if rule_selected(settings, rule, "/shop/app.py")}


def test_strict_adds_what_is_hardly_more_than_a_hint() -> None:
    added = selected("strict") - selected("default")
    assert added
    assert selected("strict") == set(registry.rules())
    assert {registry.rules()[code].severity for code in added} <= {Severity.HINT, Severity.INFORMATION}


def test_legacy_keeps_what_old_code_can_do() -> None:
    default, legacy = selected("default"), selected("legacy")
    assert legacy < default
    assert {code for code in default - legacy if not registry.rules()[code].modern} == set()
    # What is dangerous under every version stays.
    assert {"SAG101", "SAG107", "SAG108", "SAG303", "SAG306", "SAG401", "SAG405"} <= legacy
