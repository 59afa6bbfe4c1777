"""The SQL of a statement, shown to who points at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tests.lsp.support.driver import REAL, Client, insert

APP = """\
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    posts: Mapped[list["Post"]] = relationship()


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))


def find(session: Session, name: str):
    return session.scalars(select(User).options(selectinload(User.posts)).where(User.name == name)).all()


def old(session: Session):
    return session.query(Post.id).all()


def both(session: Session):
    return session.execute(select(User.id, Post.id)).all()


def plain(names):
    return sorted(names)
"""
MARKDOWN: dict[str, Any] = {"textDocument": {"hover": {"contentFormat": ["markdown"]}}}


def shown(client: Client, uri: str, needle: str, word: str) -> str | None:
    row = next(number for number, line in enumerate(APP.splitlines()) if needle in line)
    column = APP.splitlines()[row].index(word) + 1
    answer = client.request(
        "textDocument/hover",
        {"textDocument": {"uri": uri}, "position": {"line": row, "character": column}},
    )
    return None if answer is None else answer["contents"]["value"]


def test_the_statement_under_the_pointer(tmp_path: Path) -> None:
    uri = (tmp_path / "app.py").as_uri()
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "sqlalchemy-guard.toml").write_text('ignore = ["ALL"]\n')
    with Client(REAL) as client:
        client.initialize(MARKDOWN, [tmp_path.as_uri()])
        client.open(uri, APP)
        text = shown(client, uri, "selectinload(User.posts)", "select(")
        assert text is not None
        assert "FROM users\nWHERE users.name = " in text
        assert "Rows: `User`" in text
        assert "selectinload(User.posts)" in text.split("```")[2]
        text = shown(client, uri, "session.query", "all(")
        assert text is not None
        assert "SELECT posts.id" in text
        assert shown(client, uri, "sorted(names)", "sorted") is None
        text = shown(client, uri, "select(User.id, Post.id)", "execute")
        assert text is not None
        assert "**Not linked:" in text


def test_the_configured_dialect_is_shown(tmp_path: Path) -> None:
    uri = (tmp_path / "app.py").as_uri()
    text = APP.replace("return session.query(Post.id).all()", "return session.query(Post.id).limit(3).all()")
    (tmp_path / "app.py").write_text(text)
    (tmp_path / "sqlalchemy-guard.toml").write_text('ignore = ["ALL"]\ndialect = "mssql"\n')
    with Client(REAL) as client:
        client.initialize(MARKDOWN, [tmp_path.as_uri()])
        client.open(uri, text)
        found = shown(client, uri, "session.query", "query")
        assert found is not None
        assert "TOP 3" in found


def test_unlinked_tables_are_reported_while_nothing_else_is_to_do(tmp_path: Path) -> None:
    uri = (tmp_path / "app.py").as_uri()
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "sqlalchemy-guard.toml").write_text('select = ["SAG313"]\n')

    def wait(client: Client, rows: list[str]) -> None:
        def fits(message: dict[str, Any]) -> bool:
            if message.get("method") != "textDocument/publishDiagnostics":
                return False
            found = [each["range"]["start"]["line"] for each in message["params"]["diagnostics"]]
            return [
                row for row, line in enumerate(text.splitlines()) if any(one in line for one in rows)
            ] == found

        client.wait(f"SAG313 at {rows}", fits)

    with Client(REAL) as client:
        client.initialize({}, [tmp_path.as_uri()])
        text = APP
        client.open(uri, text)
        wait(client, ["select(User.id, Post.id)"])
        lines = text.splitlines(keepends=True)
        row = next(number for number, line in enumerate(lines) if "session.query(Post.id)" in line)
        lines[row] = lines[row].replace("query(Post.id)", "query(Post.id, User.name)")
        text = "".join(lines)
        client.change(
            uri, 2, insert(row, APP.splitlines()[row].index("Post.id") + len("Post.id"), ", User.name")
        )
        wait(client, ["session.query(Post.id, User.name)", "select(User.id, Post.id)"])


def test_a_lens_shows_the_sql_as_a_page(tmp_path: Path) -> None:
    uri = (tmp_path / "app.py").as_uri()
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "sqlalchemy-guard.toml").write_text('ignore = ["ALL"]\ncode-lens = "all"\n')
    with Client(REAL) as client:
        client.initialize({"window": {"showDocument": {"support": True}}}, [tmp_path.as_uri()])
        client.open(uri, APP)
        found = client.request("textDocument/codeLens", {"textDocument": {"uri": uri}})
        rows = [APP.splitlines()[lens["range"]["start"]["line"]] for lens in found]
        assert [row.partition("session.")[2].partition("(")[0] for row in rows] == [
            "scalars",
            "query",
            "execute",
        ]
        command = found[1]["command"]
        assert command["title"] == "SQL"
        client.request(
            "workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]}
        )
        shown_page = client.wait(
            "showDocument", lambda message: message.get("method") == "window/showDocument"
        )
        page = Path(url2pathname(urlsplit(shown_page["params"]["uri"]).path)).read_text(encoding="utf-8")
        assert "SELECT posts.id" in page
