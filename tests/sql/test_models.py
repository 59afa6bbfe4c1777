"""Models rebuilt from source are what SQLAlchemy makes of the same source when Python runs it, column by column."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import MetaData, event, orm
from sqlmodel import SQLModel

from sqlalchemy_guard.sql import models
from sqlalchemy_guard.sql.natives import UNKNOWN, UnknownType
from sqlalchemy_guard.text.document import Document
from tests.support.fixture import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.sql.models import Schema

SOURCES = sorted(Path(__file__).with_name("models").glob("*.py"))


def described(metadata: MetaData) -> dict[str, Any]:
    """All that a `MetaData` says, as data that can be compared."""
    return {
        table.fullname: {
            "columns": [
                (
                    column.name,
                    repr(column.type).replace("AutoString", "String"),
                    column.nullable,
                    column.primary_key,
                    sorted((key._get_colspec(), key.ondelete) for key in column.foreign_keys),
                    column.default is not None,
                    column.onupdate is not None,
                    str(getattr(column.server_default, "arg", column.server_default)),
                    column.comment,
                    column.autoincrement,
                )
                for column in table.columns
            ],
            "indexes": sorted(
                (str(index.name), [str(one) for one in index.expressions], bool(index.unique))
                for index in table.indexes
            ),
            "constraints": sorted(
                (type(one).__name__, str(one.name), [column.name for column in getattr(one, "columns", ())])
                for one in table.constraints
            ),
            "comment": table.comment,
        }
        for table in metadata.tables.values()
    }


def relationships(registry: Any) -> list[tuple[Any, ...]]:
    """The relationships of all classes of a registry."""
    return sorted(
        (
            mapper.class_.__name__,
            one.key,
            one.mapper.class_.__name__,
            one.direction.name,
            bool(one.uselist),
            str(one.lazy),
            sorted(column.name for column in one.remote_side),
            one.back_populates or "",
        )
        for mapper in registry.mappers
        for one in mapper.relationships
    )


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    names: list[str] = []
    # SQLModel has one registry for the whole process: what other tests have mapped is kept out of this one's.
    own = orm.registry()
    monkeypatch.setattr(SQLModel, "_sa_registry", own)
    monkeypatch.setattr(SQLModel, "metadata", own.metadata)

    def execute(path: Path) -> Any:
        module = types.ModuleType(f"guarded_{path.stem}")
        sys.modules[module.__name__] = module
        names.append(module.__name__)
        exec(compile(path.read_text(), str(path), "exec", dont_inherit=True), module.__dict__)
        return module

    yield execute
    for name in names:
        del sys.modules[name]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")
def test_rebuilt_models_are_the_real_ones(tmp_path: Path, imported: Any, source: Path) -> None:
    real = imported(source)
    schema = models.rebuild(Project(tmp_path, {"main.py": source.read_text()}).workspace)
    assert schema.unknown == []
    metadatas = [one for one in vars(real).values() if isinstance(one, MetaData)]
    registries = []
    for value in vars(real).values():
        registry = getattr(value, "registry", getattr(value, "_sa_registry", None))
        if isinstance(value, type) and isinstance(registry, orm.registry):
            metadatas.append(value.metadata)
            registries.append(registry)
        elif isinstance(value, orm.registry):
            registries.append(value)
    for registry in registries:
        registry.configure()
    tables = {name: table for metadata in metadatas for name, table in described(metadata).items()}
    rebuilt = {name: table for base in schema.bases for name, table in described(base.metadata).items()}
    assert rebuilt == tables
    expected = sorted({one for registry in registries for one in map(_frozen, relationships(registry))})
    found = sorted(
        {one for base in schema.bases if base.registry for one in map(_frozen, relationships(base.registry))}
    )
    assert found == expected


def _frozen(one: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(tuple(part) if isinstance(part, list) else part for part in one)


def rebuilt(tmp_path: Path, **files: str) -> tuple[Project, Schema]:
    project = Project(tmp_path, {f"{name}.py": text for name, text in files.items()})
    return project, models.rebuild(project.workspace)


HEAD = """
from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
"""


def test_models_across_files_and_cycles(tmp_path: Path) -> None:
    _, schema = rebuilt(
        tmp_path,
        base=f"{HEAD}\nclass Base(DeclarativeBase):\n    pass\n",
        users=f"""{HEAD}
from typing import TYPE_CHECKING
from base import Base
if TYPE_CHECKING:
    from posts import Post

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    posts: Mapped[list["Post"]] = relationship(back_populates="author")
""",
        posts=f"""{HEAD}
from base import Base
from users import User

class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    author: Mapped[User] = relationship(back_populates="posts")
""",
    )
    assert schema.unknown == []
    (base,) = schema.bases
    assert relationships(base.registry) == [
        ("Post", "author", "User", "MANYTOONE", False, "select", ["id"], "posts"),
        ("User", "posts", "Post", "ONETOMANY", True, "select", ["author_id"], "author"),
    ]


def test_what_is_unknown_is_named_and_placed(tmp_path: Path) -> None:
    project, schema = rebuilt(
        tmp_path,
        main=f"""{HEAD}
from elsewhere import JsonType, LENGTH, make_constraint

class Base(DeclarativeBase):
    pass

class User(Base):
    __tablename__ = "users"
    __table_args__ = (make_constraint(),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(LENGTH))
    data = mapped_column(JsonType, nullable=False)
    posts: Mapped[list["Nowhere"]] = relationship()
""",
    )
    assert sorted((one.what, one.reason) for one in schema.unknown) == [
        ("User.posts", "Nowhere is not known"),
        ("users", "constraints not known"),
        ("users.data", "type JsonType not known"),
        ("users.name", "type String() not known"),
    ]
    lines = project.texts["main.py"].splitlines()
    placed = {one.what: lines[one.place.span.line].strip() for one in schema.unknown if one.place}
    assert placed["users.data"].startswith("data =")
    assert placed["User.posts"].startswith("posts:")
    table = schema.tables[0]
    assert isinstance(table.c.name.type, UnknownType)
    assert (table.c.data.nullable, table.info[UNKNOWN]) == (False, frozenset({"constraints"}))


def test_a_relationship_that_cannot_be_made_out_costs_nothing_else(tmp_path: Path) -> None:
    _, schema = rebuilt(
        tmp_path,
        main=f"""{HEAD}
class Base(DeclarativeBase):
    pass

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    pets: Mapped[list["Pet"]] = relationship(back_populates="owner")
    posts: Mapped[list["Post"]] = relationship()

class Pet(Base):
    __tablename__ = "pets"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped["User"] = relationship(back_populates="pets")

class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
""",
    )
    (base,) = schema.bases
    assert [one[:2] for one in relationships(base.registry)] == [("User", "posts")]
    assert {one.what for one in schema.unknown} == {"User.pets", "Pet.owner"}
    assert schema.rounds > 1


def test_two_broken_workspaces_do_not_meet(tmp_path: Path) -> None:
    text = f"""{HEAD}
class Base(DeclarativeBase):
    pass
class A(Base):
    __tablename__ = "a"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    _, first = rebuilt(tmp_path / "one", main=text + "    b = relationship('B')\n")
    _, second = rebuilt(tmp_path / "two", main=text)
    assert len(first.unknown) == 1
    assert second.unknown == []
    assert first.bases[0].metadata is not second.bases[0].metadata


def edit(project: Project, path: str, old: str, new: str) -> None:
    """The user changes an open file."""
    file_id = project.report(path).file_id
    text = project.workspace.documents[file_id].text
    assert old in text
    project.workspace.open(file_id, Document.from_text(file_id, text.replace(old, new)))


def test_only_an_edit_of_what_was_read_rebuilds(tmp_path: Path) -> None:
    project, schema = rebuilt(
        tmp_path,
        main=f"""{HEAD}
from names import LENGTH, table_name

class Base(DeclarativeBase):
    pass

class User(Base):
    __tablename__ = table_name("user")
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(LENGTH))

    def greet(self):
        return "hello"

def other():
    return 1
""",
        names="LENGTH = 10\nUNUSED = 1\ndef table_name(name):\n    return name + 's'\n",
    )
    again = lambda: models.rebuild(project.workspace)  # noqa: E731
    assert again() is schema
    edit(project, "main.py", "return 1", "return 2")
    edit(project, "main.py", '"hello"', '"good morning"')
    edit(project, "names.py", "UNUSED = 1", "UNUSED = 2")
    assert again() is schema
    edit(project, "names.py", "LENGTH = 10", "LENGTH = 20")
    longer = again()
    assert longer is not schema
    assert longer.tables[0].c.name.type.length == 20
    edit(project, "names.py", "name + 's'", "name + '_table'")
    assert again().tables[0].name == "user_table"
    edit(
        project,
        "main.py",
        "def other():",
        "class Pet(Base):\n    __tablename__ = 'pets'\n    id: Mapped[int] = mapped_column(primary_key=True)\n\ndef other():",
    )
    assert [table.name for table in again().tables] == ["pets", "user_table"]


def test_places(tmp_path: Path) -> None:
    project, schema = rebuilt(
        tmp_path,
        main=f"""{HEAD}
from sqlalchemy import Column, Table

class Base(DeclarativeBase):
    pass

class Mixin:
    made: Mapped[int] = mapped_column("made_at")

class User(Mixin, Base):
    __tablename__ = "users"
    key: Mapped[int] = mapped_column("id", primary_key=True)

links = Table(
    "links",
    Base.metadata,
    Column("user_id", ForeignKey("users.id")),
)
""",
    )
    lines = project.texts["main.py"].splitlines()

    def line(name: str, column: str | None = None) -> str:
        table = next(table for table in schema.tables if table.name == name)
        place = schema.place(table, column)
        assert place is not None
        return lines[place.span.line].strip()

    assert line("users") == "class User(Mixin, Base):"
    assert line("users", "id").startswith("key:")
    assert line("users", "made_at").startswith("made:")
    assert line("links") == "links = Table("
    assert line("links", "user_id").startswith('Column("user_id"')


def test_configuring_mappers_can_be_interrupted(tmp_path: Path) -> None:
    """Whoever types does not wait for hundreds of mappers; the next try finds everything as it was."""
    source = f"{HEAD}\nclass Base(DeclarativeBase):\n    pass\n" + "".join(
        f"\nclass T{number}(Base):\n    __tablename__ = 't{number}'\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
        for number in range(20)
    )
    project = Project(tmp_path, {"main.py": source})

    class Arrived(BaseException):
        """Something else is to do."""

    configured: list[object] = []

    def count(mapper: object, _: object) -> None:
        configured.append(mapper)

    def poll() -> None:
        if len(configured) == 5:
            raise Arrived

    event.listen(orm.Mapper, "mapper_configured", count)
    try:
        with pytest.raises(Arrived):
            models.rebuild(project.workspace, poll)
    finally:
        event.remove(orm.Mapper, "mapper_configured", count)
    assert len(configured) == 5
    assert len(models.rebuild(project.workspace).tables) == 20


def test_a_base_of_a_library_has_its_naming_convention(tmp_path: Path) -> None:
    text = (
        "import sqlalchemy as sa\nfrom sqlalchemy_helpers import Base\n\n"
        'class Item(Base):\n    __tablename__ = "items"\n'
        "    id = sa.Column(sa.Integer, primary_key=True)\n    code = sa.Column(sa.String(8), unique=True)\n"
    )
    _, schema = rebuilt(tmp_path, main=text)
    (table,) = schema.tables
    assert {str(one.name) for one in table.constraints} == {"pk_items", "uq_items_code"}
    assert schema.unknown == []
