"""Fixes of relationships must not change the mapping: SQLAlchemy configures both sides, and every attribute is compared."""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest

from sqlalchemy_guard.rules.api import Applicability

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.fixture import Project

BACKREFS = """
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, String, Table, and_
from sqlalchemy.orm import backref, declarative_base, foreign, relationship

Base = declarative_base()

follows = Table(
    "follows",
    Base.metadata,
    Column("follower_id", ForeignKey("user.id"), primary_key=True),
    Column("followed_id", ForeignKey("user.id"), primary_key=True),
)
post_tags = Table(
    "post_tags",
    Base.metadata,
    Column("post_id", ForeignKey("post.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class User(Base):
    __tablename__ = "user"
    id = Column(Integer, primary_key=True)
    name = Column(String)
    boss_id = Column(ForeignKey("user.id"))

    team = relationship("User", backref=backref("boss", remote_side=[id]))
    followed = relationship(
        "User",
        secondary=follows,
        primaryjoin=id == follows.c.follower_id,
        secondaryjoin=id == follows.c.followed_id,
        backref=backref("followers", lazy="dynamic"),
        lazy="dynamic",
    )

    def __repr__(self):
        return self.name


class Post(Base):
    __tablename__ = "post"
    id = Column(Integer, primary_key=True)
    title = Column(String)
    author_id = Column(Integer, ForeignKey("user.id"), nullable=False)
    editor_id = Column(Integer, ForeignKey("user.id"))

    author = relationship(
        User, foreign_keys=[author_id], lazy="joined", backref=backref("posts", cascade="all, delete-orphan", order_by=title)
    )
    editor = relationship("User", foreign_keys=editor_id, backref=backref("edited", passive_deletes=True), post_update=True)
    tags = relationship("Tag", secondary=post_tags, backref=backref("posts", order_by="desc(Post.title)", collection_class=set))
    notes = relationship("Note", backref="post", cascade="all", order_by="Note.id")
    late_notes = relationship(
        "Note",
        primaryjoin="and_(Post.id == foreign(Note.post_id), Note.late > 3)",
        viewonly=True,
        backref=backref("late_post", overlaps="post,notes"),
        overlaps="post,notes",
    )
    summary = relationship("Summary", backref="post", uselist=False)


class Tag(Base):
    __tablename__ = "tag"
    id = Column(Integer, primary_key=True)


class Note(Base):
    __tablename__ = "note"
    id = Column(Integer, primary_key=True)
    late = Column(Integer)
    post_id = Column(ForeignKey("post.id"), nullable=False)


class Summary(Base):
    __tablename__ = "summary"
    id = Column(ForeignKey("post.id"), primary_key=True)
    text = Column(String)


class Person(Base):
    __tablename__ = "person"
    id = Column(Integer, primary_key=True)
    kind = Column(String)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}


class Engineer(Person):
    __tablename__ = "engineer"
    id = Column(ForeignKey("person.id"), primary_key=True)
    firm_id = Column(ForeignKey("firm.id"))
    firm = relationship("Firm", backref="engineers")
    __mapper_args__ = {"polymorphic_identity": "engineer"}


class Manager(Person):
    level = Column(Integer)
    office_id = Column(ForeignKey("firm.id"))
    office = relationship("Firm", backref=backref("managers", lazy="raise"))
    __mapper_args__ = {"polymorphic_identity": "manager"}


class Firm(Base):
    __tablename__ = "firm"
    id = Column(Integer, primary_key=True)
    part = Column(Integer, primary_key=True)


class Branch(Base):
    __tablename__ = "branch"
    __table_args__ = (ForeignKeyConstraint(["firm_id", "firm_part"], ["firm.id", "firm.part"]),)
    id = Column(Integer, primary_key=True)
    firm_id = Column(Integer, nullable=False)
    firm_part = Column(Integer)
    firm = relationship("Firm", backref=backref("branches", uselist=True))
"""


SHAPES = """
from typing import List, Optional

from sqlalchemy import Column, ForeignKey, Integer, String, Table
from sqlalchemy.ext.orderinglist import ordering_list
from sqlalchemy.orm import attribute_keyed_dict, declarative_base, relationship

Base = declarative_base()
likes = Table("likes", Base.metadata, Column("a", ForeignKey("post.id")), Column("b", ForeignKey("user.id")))


class User(Base):
    __tablename__ = "user"
    id = Column(Integer, primary_key=True)
    boss_id = Column(ForeignKey("user.id"))
    boss = relationship("User", remote_side=[id], back_populates="team")
    team = relationship("User", back_populates="boss")
    posts = relationship("Post", back_populates="author", lazy="dynamic")
    logs = relationship("Log", lazy="write_only")
    profile = relationship("Profile", uselist=False)
    settings = relationship("Setting", collection_class=attribute_keyed_dict("name"))
    liked = relationship("Post", secondary=likes, collection_class=set)
    rows = relationship(lambda: Row, collection_class=ordering_list("place"), order_by="Row.place")


class Post(Base):
    __tablename__ = "post"
    id = Column(Integer, primary_key=True)
    author_id = Column(ForeignKey("user.id"), nullable=False)
    author = relationship(User, back_populates="posts")
    latest = relationship(
        "Log", primaryjoin="and_(Post.id == foreign(Log.post_id), Log.last)", viewonly=True, uselist=False
    )


class Log(Base):
    __tablename__ = "log"
    id = Column(Integer, primary_key=True)
    user_id = Column(ForeignKey("user.id"))
    post_id = Column(Integer)
    last = Column(Integer)
    post = relationship("Post", primaryjoin="Log.post_id == Post.id", foreign_keys=[post_id])


class Profile(Base):
    __tablename__ = "profile"
    id = Column(ForeignKey("user.id"), primary_key=True)


class Setting(Base):
    __tablename__ = "setting"
    id = Column(ForeignKey("user.id"), primary_key=True)
    name = Column(String(20), primary_key=True)


class Row(Base):
    __tablename__ = "row"
    id = Column(Integer, primary_key=True)
    place = Column(Integer)
    user_id = Column(ForeignKey("user.id"))
"""


CONTRADICTIONS = """
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    only: Mapped[list["Post"]] = relationship(back_populates="author", uselist=False)
    odd: Mapped["Post"] = relationship(uselist=True, viewonly=True)


class Post(Base):
    __tablename__ = "post"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    author: Mapped[list["User"]] = relationship(back_populates="only")
"""


def load(text: str, name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    sys.modules[name] = module
    try:
        exec(compile(text, name, "exec"), module.__dict__)
        # Only its own mappers: those of other tests in this process are none of our business.
        module.Base.registry.configure()
    finally:
        del sys.modules[name]
    return module


def relationships(module: types.ModuleType) -> dict[tuple[str, str], dict[str, Any]]:
    """All relationships of a module's mappers, with everything that makes them what they are."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for mapper in module.Base.registry.mappers:
        for relationship in mapper.relationships:
            found[mapper.class_.__name__, relationship.key] = {
                "target": relationship.mapper.class_.__name__,
                "direction": relationship.direction.name,
                "uselist": relationship.uselist,
                "reverse": sorted(str(other) for other in relationship._reverse_property),
                "cascade": str(relationship.cascade),
                "lazy": relationship.lazy,
                "collection": getattr(relationship.collection_class, "__name__", None) or "list",
                "join": str(relationship.primaryjoin),
                "second join": str(relationship.secondaryjoin),
                "secondary": str(relationship.secondary),
                "remote": sorted(str(column) for column in relationship.remote_side),
                "order": str(relationship.order_by and [str(each) for each in relationship.order_by]),
                "others": [
                    relationship.viewonly,
                    relationship.post_update,
                    relationship.passive_deletes,
                    relationship.passive_updates,
                    relationship.sync_backref,
                ],
            }
    module.Base.registry.dispose()
    return found


def fixed(make_project: Callable[..., Project], text: str, *codes: str) -> str:
    project = make_project({"models.py": text}, codes)
    return project.fixed_by(Applicability.SAFE, codes)["models.py"]


def test_both_sides_of_a_backref_stay_what_they_are(make_project: Callable[..., Project]) -> None:
    after = fixed(make_project, BACKREFS, "SAG216")
    before = relationships(load(BACKREFS, "before"))
    assert relationships(load(after, "after")) == before, after
    assert "backref" not in after.partition("class User")[0].replace("sync_backref", ""), after
    assert "backref=" not in after, after


@pytest.mark.parametrize("head", ["", "from __future__ import annotations\n"], ids=["evaluated", "lazy"])
@pytest.mark.parametrize("text", [BACKREFS, SHAPES], ids=["backrefs", "shapes"])
def test_annotated_relationships_stay_what_they_are(
    make_project: Callable[..., Project], text: str, head: str
) -> None:
    text = head + text
    after = fixed(make_project, text, "SAG203", "SAG216")
    before = relationships(load(text, "before"))
    assert relationships(load(after, "after")) == before, after
    left = [line for line in after.splitlines() if "= relationship(" in line and "Mapped[" not in line]
    assert not left, after


def test_annotations_follow_what_the_mapping_is(make_project: Callable[..., Project]) -> None:
    after = fixed(make_project, CONTRADICTIONS, "SAG218")
    before = relationships(load(CONTRADICTIONS, "before"))
    # The list that an attribute of one object never was is no collection class any more.
    now = relationships(load(after, "after"))
    assert {key: each | {"collection": ""} for key, each in now.items()} == {
        key: each | {"collection": ""} for key, each in before.items()
    }
    assert "Mapped[list" not in after, after
    assert "uselist=True" not in after, after


TWO_FILES = {
    "shop_models/__init__.py": "",
    "shop_models/base.py": """
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass
""",
    "shop_models/owners.py": """
from typing import Optional

from sqlalchemy import Column, ForeignKey, Integer
from sqlalchemy.orm import relationship

from shop_models.base import Base


class Owner(Base):
    __tablename__ = "owner"
    id = Column(Integer, primary_key=True)
    first_id = Column(ForeignKey("cart.id"))
    first = relationship("Cart", foreign_keys=[first_id], post_update=True)
""",
    "shop_models/carts.py": """
from sqlalchemy import Column, ForeignKey, Integer
from sqlalchemy.orm import backref, relationship

from .base import Base


class Cart(Base):
    __tablename__ = "cart"
    id = Column(Integer, primary_key=True)
    owner_id = Column(ForeignKey("owner.id"))
    owner = relationship("Owner", foreign_keys=[owner_id], backref=backref("carts", cascade="all", order_by=id))
""",
}


@pytest.mark.parametrize("head", ["", "from __future__ import annotations\n"], ids=["evaluated", "lazy"])
def test_files_that_name_each_other_can_be_imported(
    make_project: Callable[..., Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    files = {path: head + text for path, text in TWO_FILES.items()}
    after = make_project(files).fixed_by(Applicability.SAFE, ["SAG203", "SAG216"])
    assert "if TYPE_CHECKING:" in after["shop_models/owners.py"]
    mapped = []
    for number, texts in enumerate((files, after)):
        folder = tmp_path / f"side_{number}"
        for path, text in texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        with monkeypatch.context() as patched:
            patched.syspath_prepend(str(folder))
            for name in [name for name in sys.modules if name.startswith("shop_models")]:
                patched.delitem(sys.modules, name)
            importlib.invalidate_caches()
            importlib.import_module("shop_models.carts")
            importlib.import_module("shop_models.owners")
            configure_mappers()
            mapped.append(relationships(sys.modules["shop_models.base"]))
            for name in [name for name in sys.modules if name.startswith("shop_models")]:
                del sys.modules[name]
        assert mapped[0] == mapped[1], after
