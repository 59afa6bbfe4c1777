"""Reports of a workspace that followed edits are those of the same texts opened anew, in every file."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sqlalchemy_guard.check import Checker
from sqlalchemy_guard.config import SettingsStore
from sqlalchemy_guard.project.workspace import Workspace
from sqlalchemy_guard.rules import registry
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.vfs import Vfs, canonical
from tests.facts.support import SHOP, apply

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy_guard.check import FileReport

FILES = {
    "app/__init__.py": "",
    "app/extensions.py": """\
from sqlalchemy import create_engine
from sqlalchemy.orm import declarative_base, scoped_session, sessionmaker

engine = create_engine("postgresql://db/app")
Session = sessionmaker(bind=engine)
registry = scoped_session(Session)
Base = declarative_base()


def save(session, commit=True):
    session.flush()
    if commit:
        session.commit()
""",
    "app/models.py": """\
from app.extensions import *
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import relationship


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String)
    orders = relationship("Order", backref="user")


class Order(Base):
    __tablename__ = "orders"
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("users.id"))
    items = relationship("Item", lazy="dynamic")
""",
    "app/items.py": """\
from sqlalchemy import Column, ForeignKey, Integer
from sqlalchemy.orm import relationship
from .extensions import Base, Session


class Item(Base):
    __tablename__ = "items"
    id = Column(Integer, primary_key=True)
    order_id = Column(Integer, ForeignKey("orders.id"))
    order = relationship("Order", back_populates="items")
    buyer = relationship("Usr", secondary="order", foreign_keys="Item.ordr_id")


def fill(session, orders):
    for order in orders:
        session.add(Item(order_id=order.id))
        session.commit()
""",
    "app/repository.py": """\
from app import extensions
from app.models import Order, User


class Repository:
    def __init__(self, session=None):
        self.session = session or extensions.Session()

    def orders(self):
        return self.session.query(Order).filter(Order.id == None).all()

    def save(self, order):
        extensions.save(self.session)


class Users(Repository):
    def rename(self, names):
        for user in self.session.query(User).all():
            user.name = names[user.id]
            print(user.orders)
            self.save(user)
        return self.session.query(User).get(1)
""",
    "app/shop.py": SHOP,
    "app/main.py": """\
from app.extensions import Session, registry, save
from app.items import fill
from app.repository import Users
import app.shop as shop


def main(app):
    app.db = Session()
    session = registry()
    for name in ("a", "b"):
        save(session, commit=name == "a")
        save(session)
    users = Users(session)
    users.rename({})
    fill(session, users.orders())
    with shop.scope() as current:
        current.execute("SELECT 1")
    return app.db.query(shop.Orders)
""",
}
PATHS = tuple(path for path in FILES if FILES[path])
SNIPPETS = (
    "Session = None\n",
    "from app.models import User as Base\n",
    "session.commit()\n",
    "        self.session.commit()\n",
    "    for user in session.query(User).all():\n        session.commit()\n",
    "class Order(Base):\n    __tablename__ = 'other'\n\n\n",
    "def save(session, commit=False):\n    if not commit:\n        session.commit()\n\n\n",
    "from sqlalchemy.orm import Session\n",
    "\n\n",
    "import app.models, app.items\n",
    "save(Session())  # noqa: SAG501\n",
    "    order_id = Column(ForeignKey('users.id'))\n",
    "    extra = relationship('Item', backref='extras')\n",
    "    order = relationship('Order', uselist=False)\n",
    "class Usr(Base):\n    __tablename__ = 'usr'\n    id = Column(Integer, primary_key=True)\n\n\n",
)
WORDS = ("x", "session", "Base", "(", ")", ":", "\n", "#", "None", ".", "    ")
edits = st.tuples(
    st.sampled_from(PATHS),
    st.one_of(
        st.tuples(st.just("insert"), st.integers(0, 200), st.sampled_from(SNIPPETS)),
        st.tuples(st.just("delete"), st.integers(0, 200), st.integers(1, 4)),
        st.tuples(st.just("char"), st.integers(0, 4000), st.sampled_from(WORDS)),
        st.tuples(st.just("erase"), st.integers(0, 4000), st.integers(1, 10)),
    ),
)


class Editor:
    """A workspace on disk with all files open."""

    def __init__(self, folder: Path, texts: dict[str, str], select: Sequence[str] = ()) -> None:
        self.folder = folder
        vfs = Vfs()
        settings = SettingsStore(vfs, {"extend-select": list(select)}, isolated=True)
        self.workspace = Workspace([canonical(str(folder))], vfs, settings)
        self.checker = Checker(self.workspace, registry.rules())
        self.ids = {path: canonical(os.path.join(str(folder), *path.split("/"))) for path in texts}
        self.documents = {path: Document.from_text(self.ids[path], text, 1) for path, text in texts.items()}
        deque(self.workspace.index_steps(), maxlen=0)
        for path, document in self.documents.items():
            self.workspace.open(self.ids[path], document)

    def edit(self, path: str, edit: tuple[str, int, object]) -> None:
        for document, line_edit in apply(self.documents[path], edit):
            self.documents[path] = document
            self.workspace.change(self.ids[path], document, [line_edit])

    def replace(self, path: str, first: int, end: int, text: str) -> None:
        """Put a text in the place of the lines `[first, end)`."""
        document, line_edit = self.documents[path].replace(first, 0, end, 0, text, "utf-32")
        self.documents[path] = document
        self.workspace.change(self.ids[path], document, [line_edit])

    def rewrite(self, path: str, line: int, text: str) -> None:
        """Put a text in the place of what a line says, as typing in it does."""
        document = self.documents[path]
        end = len(document.lines[line].rstrip("\r\n"))
        document, line_edit = document.replace(line, 0, line, end, text, "utf-32")
        self.documents[path] = document
        self.workspace.change(self.ids[path], document, [line_edit])

    def reports(self) -> dict[str, object]:
        return {path: said(self.checker.check(self.ids[path])) for path in self.documents}


def said(report: FileReport) -> tuple[object, ...]:
    return (
        report.skipped,
        report.internal,
        [
            (v.rule.code, v.span, v.lines, v.message, v.applicability, [one[:3] for one in v.related])
            for v in report.violations
        ],
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    for path, text in FILES.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def test_the_files_say_something(folder: Path) -> None:
    reports = Editor(folder, FILES).reports()
    assert sum(bool(said[2]) for said in reports.values()) >= 4  # type: ignore[index]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(edits, min_size=1, max_size=5))
@example([("app/extensions.py", ("char", 150, "x"))])
@example(
    [("app/models.py", ("delete", 0, 1)), ("app/models.py", ("insert", 0, "from app.extensions import *\n"))]
)
def test_reports_follow_edits(folder: Path, steps: list[tuple[str, tuple[str, int, object]]]) -> None:
    editor = Editor(folder, FILES)
    editor.reports()
    for path, edit in steps:
        editor.edit(path, edit)
        actual = editor.reports()
        if all(is_valid(document.text) for document in editor.documents.values()):
            fresh = Editor(folder, {path: document.text for path, document in editor.documents.items()})
            expected = fresh.reports()
            assert actual == expected
            assert fresh.reports() == expected


def is_valid(text: str) -> bool:
    try:
        compile(text, "<text>", "exec", flags=0x400, dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def test_of_a_unit_that_stands_only_what_changed_is_judged_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers of an edited function are judged part by part from the second edit on."""
    editor = Editor(folder, FILES)
    editor.reports()
    judged: list[str] = []

    def count(name: str) -> None:
        judge = getattr(Checker, name)

        def counted(self: Checker, *given: object) -> None:
            judged.append(name)
            judge(self, *given)

        monkeypatch.setattr(Checker, name, counted)

    count("_judge_call")
    count("_judge_facts")
    line = FILES["app/extensions.py"].split("\n").index("    session.flush()")
    counts = []
    for text in ("    session.rollback()", "    session.flush()", "    session.rollback()"):
        judged.clear()
        editor.rewrite("app/extensions.py", line, text)
        said = editor.reports()
        counts.append(len(judged))
    assert counts[0] > 2 * counts[1] > 0
    assert counts[1] == counts[2]
    fresh = Editor(folder, {path: document.text for path, document in editor.documents.items()})
    assert said == fresh.reports()
