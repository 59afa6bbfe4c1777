"""`stats`: the numbers as people and scripts read them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy_guard.cli.main import main
from sqlalchemy_guard.cli.stats import to_object, to_text
from sqlalchemy_guard.project.stats import Stats, Unresolved
from sqlalchemy_guard.rules.api import Span

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

STATS = Stats(
    files=1234,
    models=5,
    calls_total=8,
    proven=6,
    likely=1,
    unknown=1,
    unresolved=[Unresolved("/p/app/a.py", Span(2, 4, 3, 9), "x.query(\n    User)", "`x` is not known")],
)


def test_text() -> None:
    lines = to_text(STATS, True, "/p").splitlines()
    assert [lines[0].split(), lines[8].split()] == [
        ["files", "1,234"],
        ["receiver", "proven", "6", "75.0", "%"],
    ]
    assert len({len(line) for line in lines[:8]}) == 1
    assert lines[-1] == "app/a.py:3:5: x.query( User)  (`x` is not known)"
    assert "app/a.py" not in to_text(STATS, False, "/p")


def test_nothing_found_is_no_division_by_zero() -> None:
    assert to_text(Stats(), True, "/p").splitlines()[8].split() == ["receiver", "proven", "0"]
    assert to_object(Stats(), True)["calls"]["proven"] == {"count": 0, "share": None}


def test_object() -> None:
    described = to_object(STATS, True)
    assert described["calls"]["likely"] == {"count": 1, "share": 0.125}
    assert described["unresolved"][0] == {
        "filename": "/p/app/a.py",
        "row": 3,
        "column": 5,
        "text": "x.query(\n    User)",
        "why": "`x` is not known",
    }
    assert "unresolved" not in to_object(STATS, False)


def test_a_project_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["stats"]) == 2
    assert "no Python files under ." in capsys.readouterr().err
    (tmp_path / "models.py").write_text(
        "from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column\n\n\n"
        "class Base(DeclarativeBase):\n    pass\n\n\n"
        'class User(Base):\n    __tablename__ = "user"\n    id: Mapped[int] = mapped_column(primary_key=True)\n\n\n'
        "def all_users(session: Session):\n    return session.query(User).all()\n"
    )
    assert main(["stats", "--output-format", "json"]) == 0
    counted = json.loads(capsys.readouterr().out)
    assert (counted["files"], counted["models"], counted["columns"]) == (1, 1, 1)
    assert counted["calls"]["total"] == counted["calls"]["proven"]["count"] > 0
