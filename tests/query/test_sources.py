"""Kinds of sessions, registries, what is only likely, comments, and queries inside queries."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from flask import Flask, abort
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlmodel import Field, SQLModel, create_engine
from sqlmodel import Session as SQLModelSession
from sqlmodel import select as sqlmodel_select

from sqlalchemy_guard.facts.query import (
    Certainty,
    ColumnInfo,
    Consumer,
    EntityInfo,
    EntityKind,
    ModelInfo,
    SessionInfo,
    SessionKind,
    outermost,
    read_query,
)
from sqlalchemy_guard.fixes.select.rewrite import Refusal, Rewrite, rewrite
from sqlalchemy_guard.fixes.select.tree import Imported
from sqlalchemy_guard.records import replace
from tests.query.names import NAMES
from tests.query.oracle import RESOLVER, check, new_code
from tests.query.support import Resolver, Text


def with_session(info: SessionInfo, name: str = "session") -> Resolver:
    return Resolver(NAMES, {name: info})


def test_a_likely_session_is_never_safe() -> None:
    found = check(
        "session.query(User).all()", resolver=with_session(SessionInfo(SessionKind.SYNC, Certainty.LIKELY))
    )
    assert isinstance(found, Rewrite)
    assert found.doubts == ("the receiver is only likely a Session",)


def test_an_unseen_factory_is_never_safe() -> None:
    found = check(
        "session.query(User).all()", resolver=with_session(SessionInfo(SessionKind.SYNC, has_query_cls=None))
    )
    assert isinstance(found, Rewrite)
    assert not found.is_safe


def test_a_query_class_of_its_own_is_refused() -> None:
    found = check(
        "session.query(User).all()", resolver=with_session(SessionInfo(SessionKind.SYNC, has_query_cls=True))
    )
    assert isinstance(found, Refusal)
    assert "with_loader_criteria" in found.reason


def test_an_async_session_has_no_queries() -> None:
    found = check("session.query(User).all()", resolver=with_session(SessionInfo(SessionKind.ASYNC)))
    assert isinstance(found, Refusal)
    assert "await session.scalars" in found.reason


def test_a_dotted_receiver_keeps_its_text() -> None:
    resolver = with_session(SessionInfo(SessionKind.SCOPED), "self.db.session")
    found = check("self.db.session.query(User).first()", resolver=resolver)
    assert isinstance(found, Rewrite)
    assert found.text() == "self.db.session.scalars(select(User).limit(1)).first()"


def test_a_query_property_uses_the_registry() -> None:
    registry = SessionInfo(SessionKind.SCOPED, text="DBSession")
    found = check("User.query.filter_by(id=1).one()", resolver=Resolver(NAMES, {}, registry))
    assert isinstance(found, Rewrite)
    assert found.text() == "DBSession.scalars(select(User).filter_by(id=1)).one()"


def test_a_query_property_without_a_known_registry_is_refused() -> None:
    found = check("User.query.all()", resolver=Resolver(NAMES, {}, SessionInfo(SessionKind.SCOPED)))
    assert isinstance(found, Refusal)


def test_imports_are_named_and_spelled_as_the_file_has_them() -> None:
    found = check("session.query(User).join(User.addresses).count()")
    assert isinstance(found, Rewrite)
    assert found.imports == {Imported("sqlalchemy", "select"), Imported("sqlalchemy", "func")}
    spelled = found.text(lambda name: f"sa.{name.name}")
    assert spelled == "session.scalar(sa.select(sa.func.count()).select_from(User).join(User.addresses))"


def test_what_follows_the_terminal_keeps_its_text() -> None:
    code = "session.query(User).first().name.strip()"
    found = check(code)
    assert isinstance(found, Rewrite)
    assert new_code(code, found) == "session.scalars(select(User).limit(1)).first().name.strip()"


def test_a_query_that_is_an_argument_becomes_a_statement() -> None:
    found = check("session.query(User.id).filter(session.query(Address).filter_by(id=1).exists()).all()")
    assert isinstance(found, Rewrite)
    assert found.text() == (
        "session.execute(select(User.id).where(select(Address).filter_by(id=1).exists())).all()"
    )


def test_every_comment_stays_with_its_argument_or_link() -> None:
    code = """(
    session.query(User)  # everybody
    # but not the first
    .filter(User.id > 1)  # é criterion
    .order_by(
        # by name
        User.name,  # first
        User.id,
    )
    .all()
)"""
    found = check(code)
    assert isinstance(found, Rewrite)
    assert found.is_safe
    assert found.text() == (
        "session.scalars(select(User  # everybody\n)"
        ".where(\n# but not the first\nUser.id > 1)  # é criterion\n"
        ".order_by(\n# by name\nUser.name,   # first\nUser.id)).all()"
    )
    ast.parse(f"({found.text()})")


def test_the_chain_is_found_from_its_source() -> None:
    tree = ast.parse("x = session.query(User).filter_by(id=1).first().name + 1", mode="exec")
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    source = next(
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "query"
    )
    assert ast.unparse(outermost(source, parents.get)) == "session.query(User).filter_by(id=1).first().name"


def test_other_query_methods_are_no_queries() -> None:
    node = ast.parse("dns.query(User).all()", mode="eval").body
    assert read_query(node, RESOLVER) is None


# Flask-SQLAlchemy and SQLModel, executed

db = SQLAlchemy()


class Author(db.Model):  # type: ignore[name-defined]
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list[Book]] = relationship()


class Book(db.Model):  # type: ignore[name-defined]
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))


@pytest.fixture(scope="module")
def application() -> Any:
    made = Flask(__name__)
    made.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    db.init_app(made)
    with made.app_context():
        db.create_all()
        db.session.add_all(
            [Author(id=n, name="a" if n % 2 else "b", books=[Book(), Book()]) for n in range(1, 8)]
        )
        db.session.commit()
        yield made
        db.session.remove()
        db.engine.dispose()


FLASK = {
    "Author.query.all()": "db.session.scalars(db.select(Author)).all()",
    "Author.query.get_or_404(3)": "db.get_or_404(Author, 3)",
    "Author.query.get_or_404(99, description='no')": "db.get_or_404(Author, 99, description='no')",
    "Author.query.filter_by(name='a').first_or_404()": (
        "db.first_or_404(db.select(Author).filter_by(name='a').limit(1))"
    ),
    "Author.query.filter_by(name='c').first_or_404('gone')": (
        "db.first_or_404(db.select(Author).filter_by(name='c').limit(1), description='gone')"
    ),
    "Author.query.filter_by(id=2).one_or_404()": "db.one_or_404(db.select(Author).filter_by(id=2))",
    "Author.query.filter_by(name='a').one_or_404()": "db.one_or_404(db.select(Author).filter_by(name='a'))",
    "Author.query.order_by(Author.id).paginate(page=2, per_page=3).items": (
        "db.paginate(db.select(Author).order_by(Author.id), page=2, per_page=3).items"
    ),
    "Author.query.join(Author.books).paginate(page=1, per_page=4).total": (
        "db.paginate(db.select(Author).join(Author.books), page=1, per_page=4).total"
    ),
    "db.session.query(Author).filter_by(name='a').count()": (
        "db.session.scalar(db.select(db.func.count()).select_from(Author).filter_by(name='a'))"
    ),
    "Author.query.filter(Author.id > 100).delete()": (
        "db.session.execute(db.delete(Author).where(Author.id > 100)).rowcount"
    ),
}


ABORTS = {
    "Author.query.get_or_404(3)": "db.session.get(Author, 3) or abort(404)",
    "Author.query.get_or_404(99, description='no')": "db.session.get(Author, 99) or abort(404, description='no')",
    "Author.query.filter_by(name='a').first_or_404()": (
        "db.session.scalars(select(Author).filter_by(name='a').limit(1)).first() or abort(404)"
    ),
    "Author.query.filter_by(name='c').first_or_404('gone')": (
        "db.session.scalars(select(Author).filter_by(name='c').limit(1)).first() or abort(404, description='gone')"
    ),
    "db.session.query(Author.id, Author.name).filter_by(name='c').first_or_404()": (
        "db.session.execute(select(Author.id, Author.name).filter_by(name='c').limit(1)).first() or abort(404)"
    ),
    "db.session.query(Author.id).order_by(Author.id).first_or_404()": (
        "db.session.execute(select(Author.id).order_by(Author.id).limit(1)).first() or abort(404)"
    ),
}


class FlaskResolver(Resolver):
    """Knows the two models of this file."""

    def entity(self, node: ast.expr) -> EntityInfo:
        name = node.id if isinstance(node, ast.Name) else ""
        columns = {each: ColumnInfo(each) for each in ("id", "name", "author_id")}
        if name in ("Author", "Book"):
            return EntityInfo(EntityKind.MODEL, ModelInfo(name, name, ("id",), columns), name)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = self.entity(node.value)
            kind = EntityKind.COLUMN if node.attr in columns else EntityKind.RELATIONSHIP
            return replace(owner, kind=kind, attribute=node.attr) if owner.model else owner
        return EntityInfo(EntityKind.UNKNOWN)


@pytest.mark.filterwarnings(
    "ignore::sqlalchemy.exc.SADeprecationWarning", "ignore::sqlalchemy.exc.LegacyAPIWarning"
)
@pytest.mark.parametrize(("code", "expected"), FLASK.items())
@pytest.mark.usefixtures("application")
def test_flask(code: str, expected: str) -> None:
    info = SessionInfo(SessionKind.FLASK, text="db.session", database="db")
    resolver = FlaskResolver({}, {"db.session": replace(info, text=None)}, info)
    found = check(code, resolver=resolver)
    assert isinstance(found, Rewrite), found
    assert new_code(code, found) == expected
    assert found.is_safe
    assert executed(code) == executed(expected)


@pytest.mark.filterwarnings(
    "ignore::sqlalchemy.exc.SADeprecationWarning", "ignore::sqlalchemy.exc.LegacyAPIWarning"
)
@pytest.mark.parametrize(("code", "expected"), ABORTS.items())
@pytest.mark.usefixtures("application")
def test_flask_aborts_before_version_3(code: str, expected: str) -> None:
    info = SessionInfo(SessionKind.FLASK, text="db.session", aborts=True)
    found = check(code, resolver=FlaskResolver({}, {"db.session": replace(info, text=None)}, info))
    assert isinstance(found, Rewrite), found
    assert new_code(code, found) == expected
    assert found.is_safe
    assert executed(code) == executed(expected)


def test_flask_aborts_are_left_to_who_replaces_them() -> None:
    info = SessionInfo(SessionKind.FLASK, text="db.session")
    found = check("Author.query.first_or_404()", resolver=FlaskResolver({}, {}, info))
    assert isinstance(found, Refusal)


def executed(code: str) -> Any:
    """The value or the error of an expression over the application's models."""
    try:
        value = eval(code, {"db": db, "Author": Author, "Book": Book, "select": select, "abort": abort})
    except Exception as error:
        return type(error), str(error)
    finally:
        db.session.rollback()
    return value


def test_flask_one_or_404_cannot_de_duplicate() -> None:
    info = SessionInfo(SessionKind.FLASK, text="db.session", database="db")
    found = check("Author.query.join(Author.books).one_or_404()", resolver=FlaskResolver({}, {}, info))
    assert isinstance(found, Refusal)
    assert "unique()" in found.reason


class Hero(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


SQLMODEL = {
    "session.query(Hero).filter_by(name='x').all()": "session.exec(select(Hero).filter_by(name='x')).all()",
    "session.query(Hero.id, Hero.name).all()": "session.exec(select(Hero.id, Hero.name)).all()",
    "session.query(Hero.id).all()": "session.execute(select(Hero.id)).all()",
    "session.query(Hero).get(1)": "session.get(Hero, 1)",
    "session.query(Hero).first()": "session.exec(select(Hero).limit(1)).first()",
}


@pytest.mark.parametrize(("code", "expected"), SQLMODEL.items())
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_sqlmodel(code: str, expected: str) -> None:
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)

    class HeroResolver(Resolver):
        def entity(self, node: ast.expr) -> EntityInfo:
            model = ModelInfo("Hero", "Hero", ("id",), {name: ColumnInfo(name) for name in ("id", "name")})
            if isinstance(node, ast.Name) and node.id == "Hero":
                return EntityInfo(EntityKind.MODEL, model, "Hero")
            if isinstance(node, ast.Attribute):
                return EntityInfo(EntityKind.COLUMN, model, "Hero", node.attr, hashable=True)
            return EntityInfo(EntityKind.UNKNOWN)

    node = ast.parse(code, mode="eval").body
    resolver = HeroResolver({}, {"session": SessionInfo(SessionKind.SQLMODEL)})
    expression = read_query(node, resolver, Consumer.UNKNOWN)
    assert expression is not None
    found = rewrite(expression, resolver, Text(code))
    assert isinstance(found, Rewrite), found
    assert found.text() == expected
    assert found.is_safe
    from sqlalchemy import select as plain_select

    uses_plain = Imported("sqlalchemy", "select") in found.imports
    with SQLModelSession(engine) as session:
        session.add_all([Hero(id=1, name="x"), Hero(id=2, name="y")])
        session.flush()
        names = {"session": session, "Hero": Hero, "select": plain_select if uses_plain else sqlmodel_select}
        assert eval(code, dict(names)) == eval(expected, dict(names))
    engine.dispose()
