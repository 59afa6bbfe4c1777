"""Flows through several files follow edits of any of them: reports and fixes are those of the same texts opened anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sqlalchemy_guard.fixes.query_component import Solver
from sqlalchemy_guard.rules.api import Applicability
from tests.project.test_incremental_check import Editor, is_valid, said

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "models.py": """\
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Song(Base):
    __tablename__ = "song"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
""",
    "songs.py": """\
from sqlalchemy.orm import Query, Session

from models import Song


def every(db: Session) -> Query[Song]:
    return db.query(Song)


def titled(query, title):
    if title is None:
        return query
    return query.filter(Song.title == title)


class Songs:
    def __init__(self, db: Session):
        self.db = db

    def found(self):
        return self.db.query(Song).order_by(Song.id)
""",
    "views.py": """\
from sqlalchemy.orm import Session

import songs


def search(session: Session, title):
    found = songs.titled(songs.every(session), title)

    return found.all()


def listed(session: Session):
    owner = songs.Songs(session)
    return [song.id for song in owner.found()]


def one(session: Session, title):
    number = 1
    song = (
        session.query(songs.Song)
        .filter(
            songs.Song.title == title,
            songs.Song.id > number,
        )
        .first()
    )
    if song is None:
        query = session.query(songs.Song.id).count()
    return song
""",
}
LINES = (
    "\n",
    "# a comment\n",
    "    if found:\n        return None\n",
    "    found = found.filter(songs.Song.id > 1)\n",
    "    found = []\n",
    "def more(session: Session):\n    return songs.every(session)\n\n\n",
    "    query = query.limit(3)\n",
    "    db = None\n",
    "songs.every(None)\n",
    "class Others(Songs):\n    def found(self):\n        return []\n\n\n",
)
edits = st.tuples(
    st.sampled_from(("songs.py", "views.py")),
    st.one_of(
        st.tuples(st.just("insert"), st.integers(0, 24), st.sampled_from(LINES)),
        st.tuples(st.just("delete"), st.integers(0, 24), st.integers(1, 3)),
        st.tuples(st.just("erase"), st.integers(0, 700), st.integers(1, 8)),
    ),
)


def everything(editor: Editor) -> dict[str, object]:
    """What is said about every file, and the fixes that are offered."""
    found: dict[str, object] = {}
    for path, file_id in editor.ids.items():
        report = editor.checker.check(file_id)
        fixes = []
        for violation in report.violations:
            fix = editor.checker.fix(report, violation) if violation.applicability else None
            fixes.append(fix and (fix.title, fix.applicability, sorted(fix.edits.items())))
        found[path] = (said(report), fixes)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("songs")
    for path, text in FILES.items():
        (folder / path).write_text(text, encoding="utf-8")
    return folder


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(edits, min_size=1, max_size=5))
@example([("songs.py", ("insert", 0, "\n")), ("views.py", ("insert", 8, LINES[2]))])
@example([("views.py", ("insert", 7, LINES[3])), ("views.py", ("insert", 11, LINES[5]))])
@example([("views.py", ("insert", 5, LINES[8])), ("views.py", ("delete", 5, 1))])
def test_flows_follow_edits(folder: Path, steps: list[tuple[str, tuple[str, int, object]]]) -> None:
    editor = Editor(folder, FILES)
    everything(editor)
    for path, edit in steps:
        editor.edit(path, edit)
        actual = everything(editor)
        if all(is_valid(document.text) for document in editor.documents.values()):
            fresh = Editor(folder, {path: document.text for path, document in editor.documents.items()})
            assert actual == everything(fresh)


ASIDE = (
    "note(1)",
    "note(22)",
    "note(session)",
    "note(query)",
    "note(found)",
    "note(title)",
    "session.expunge_all()",
    "title.strip()",
    "found.append(1)",
    "query.all()",
    "songs.every(session)",
    "session.query(songs.Song).all()",
    "number = 2",
    "from fakes import songs",
    "note(number)",
    "note(query := None)",
    "query = None",
    "title = note(1)",
    "session = None",
    "return None",
    "pass",
    "note(lambda: query)",
    "db = 1",
    "global query",
    "del session",
    "[query for query in ()]",
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flows_follow_a_statement_that_is_typed_on(folder: Path, data: st.DataObject) -> None:
    texts = dict(FILES)
    path = data.draw(st.sampled_from(sorted(texts)))
    lines = texts[path].splitlines(keepends=True)
    inside = [
        number
        for number, line in enumerate(lines)
        if line.startswith("    ") and line.strip() and not line.lstrip().startswith((")", "."))
    ]
    at = data.draw(st.sampled_from(inside))
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    aside = data.draw(st.sampled_from(ASIDE))
    lines.insert(at, f"{indent}{aside}\n")
    texts[path] = "".join(lines)
    editor = Editor(folder, texts)
    everything(editor)
    for aside in data.draw(st.lists(st.sampled_from(ASIDE), min_size=1, max_size=4)):
        editor.rewrite(path, at, f"{indent}{aside}")
        actual = everything(editor)
        if all(is_valid(document.text) for document in editor.documents.values()):
            fresh = Editor(folder, {each: document.text for each, document in editor.documents.items()})
            assert actual == everything(fresh)


def test_a_flow_is_not_followed_again_for_a_statement_beside_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solved: list[str] = []
    solve = Solver.solve

    def counted(solver: Solver) -> object:
        solved.append("")
        return solve(solver)

    monkeypatch.setattr(Solver, "solve", counted)
    at = next(n for n, line in enumerate(FILES["views.py"].splitlines()) if "songs.titled(" in line)
    texts = dict(FILES)
    lines = texts["views.py"].splitlines(keepends=True)
    lines.insert(at, "    note(1)\n")
    texts["views.py"] = "".join(lines)
    editor = Editor(folder, texts)
    everything(editor)
    for warm in ("note(22)", "note(1)"):
        # What was parsed with its neighbours is followed anew once.
        editor.rewrite("views.py", at, f"    {warm}")
        everything(editor)
    for text, again in (
        ("note(2)", 0),
        ("note(None)", 0),
        ("note(found)", 1),
        ("note(3)", 1),
        ("title = 1", 1),
    ):
        solved.clear()
        editor.rewrite("views.py", at, f"    {text}")
        everything(editor)
        assert bool(solved) == bool(again), text


def applicabilities(editor: Editor) -> set[Applicability | None]:
    report = editor.checker.check(editor.ids["songs.py"])
    return {each.applicability for each in report.violations if each.rule.code == "SAG301"}


def test_nothing_is_safe_while_the_workspace_is_being_read(folder: Path) -> None:
    editor = Editor(folder, FILES)
    assert applicabilities(editor) == {Applicability.SAFE}
    steps = editor.workspace.index_steps()
    assert applicabilities(editor) == {Applicability.UNSAFE}
    list(steps)
    assert applicabilities(editor) == {Applicability.SAFE}
