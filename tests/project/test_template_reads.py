"""Templates as the code's readers: what they read is parsed whatever they hold, and looked at again when they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from sqlalchemy_guard.config import SettingsStore
from sqlalchemy_guard.facts.templates import parse
from sqlalchemy_guard.facts.values import Ref
from sqlalchemy_guard.project.template_reads import reads_of
from sqlalchemy_guard.project.templates import Template
from sqlalchemy_guard.project.workspace import Workspace
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.vfs import Vfs
from tests.support.fixture import Project

if TYPE_CHECKING:
    from pathlib import Path

MODELS = """
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from flask import render_template

class Base(DeclarativeBase):
    pass

class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    posts: Mapped[list["Post"]] = relationship()

class Post(Base):
    __tablename__ = "post"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))

def page(session: Session) -> str:
    return render_template("users.html", users=session.scalars(select(User)).all())
"""
LAZY = "{% for user in users %}{{ user.posts }}{% endfor %}\n"


def read_in(text: str) -> list[tuple[str, str]]:
    """What rendering a template reads of `users`: the attributes, each with the text at its place."""
    document = Document.from_text("/shop/templates/users.html", text)
    template = Template("/shop/templates/users.html", "users.html", parse(text), document)
    workspace = Workspace([], Vfs(), SettingsStore(Vfs(), isolated=True))
    found = reads_of(workspace, template, {"users": Ref("", "users")})
    lines = document.lines
    result = []
    for each in found:
        span = each.template.span(each.read.start, each.read.end)
        assert span.line == span.end_line
        result.append((each.read.name, lines[span.line][span.column : span.end_column]))
    return result


def test_places_are_those_of_the_attributes() -> None:
    text = (
        "{# {{ users.none }} #}\r\n{% set first = users[0] %}é{{ first.name|upper ~ '}}' }}\n"
        "{%- for key, user in users.items() if user.is_new -%}{{ user['team'].name if user else '%}' }}{%- endfor %}"
    )
    assert read_in(text) == [
        ("name", "name"),
        ("items", "items"),
        ("is_new", "is_new"),
        ("team", "'team'"),
        ("name", "name"),
    ]


def test_what_is_half_typed_is_read_as_far_as_it_goes() -> None:
    assert read_in("{% for user in users %}{{ user.name }}{{ user.") == [("name", "name")]
    assert read_in("{% endfor %}{% if %}{{ users.size }}{% else %}") == [("size", "size")]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(
    ["{%", "%}", "{{", "}}", "for", "in", "if", "else", "endfor", "endif", "set", "=", "users", "x", ".", "|", "(", ")", "[",
     "]", ",", ":", "'", '"', "is", "not", "macro", "block", "endblock", "include", "extends", "raw", "endraw", "{#", "#}",
     "call", "with", " ", "\n", "1", "~", "*", "import", "as", "from", "map", "attribute"]
)).map(" ".join))  # fmt: skip
def test_no_text_is_too_odd(text: str) -> None:
    assert all(name for name, _ in read_in(text))


def test_a_template_that_changes_is_looked_at_again(tmp_path: Path) -> None:
    project = Project(tmp_path, {"shop.py": MODELS, "templates/users.html": LAZY})

    def codes() -> list[str]:
        return [each.rule.code for each in project.report("shop.py").violations if each.rule.code == "SAG303"]

    template = tmp_path / "templates" / "users.html"
    assert codes() == ["SAG303"]
    template.write_text("{{ users|length }}\n", encoding="utf-8")
    project.workspace.changed_on_disk([str(template)])
    assert codes() == []
    template.write_text(LAZY, encoding="utf-8")
    project.workspace.changed_on_disk([str(template)])
    assert codes() == ["SAG303"]
    template.unlink()
    project.workspace.changed_on_disk([str(template)])
    assert codes() == []
    template.write_text(LAZY, encoding="utf-8")
    project.workspace.changed_on_disk([str(template)])
    assert codes() == ["SAG303"]
