"""What a receiver is, through all the ways in which code comes by a session: proven, never from its name.

Each project calls `.commit()` on what `target` names; the names say nothing on purpose.
"""

# ruff: noqa: E501 - a file of a case stands on one line
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.project.calls import LibraryCall, resolve_call

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixture import Project

SYNC = "sqlalchemy.orm.Session.commit"
ASYNC = "sqlalchemy.ext.asyncio.AsyncSession.commit"
FACTORY = "from sqlalchemy import create_engine\nfrom sqlalchemy.orm import sessionmaker\nMake = sessionmaker(create_engine('x'))\n"

CASES: dict[str, tuple[str, dict[str, str]]] = {
    "alias": (SYNC, {"a.py": "import sqlalchemy.orm as o\ns = o.Session()\ns.commit()\n"}),
    "re-export": (
        SYNC,
        {
            "pkg/__init__.py": "from .inner import Make as Factory\n",
            "pkg/inner.py": FACTORY,
            "a.py": "from pkg import Factory\nx = Factory()\nx.commit()\n",
        },
    ),
    "star": (SYNC, {"b.py": FACTORY, "a.py": "from b import *\nMake().commit()\n"}),
    "stars in a circle": (
        SYNC,
        {
            "b.py": "from c import *\n" + FACTORY,
            "c.py": "from b import *\n",
            "a.py": "from c import *\nx = Make()\nx.commit()\ny = Missing()\n",
        },
    ),
    "relative": (
        SYNC,
        {
            "p/__init__.py": "",
            "p/b.py": FACTORY,
            "p/q/__init__.py": "",
            "p/q/a.py": "from ..b import Make\nMake().commit()\n",
        },
    ),
    "folder without `__init__` that is called like a library": (
        SYNC,
        {
            "docs/sqlalchemy/orm/part.py": "x = 1\n",
            "docs/sqlalchemy/a.py": "from sqlalchemy.orm import Session as S\nS().commit()\n",
        },
    ),
    "module of a package that is called like a library": (
        SYNC,
        {
            "p/__init__.py": "",
            "p/sqlalchemy.py": "from sqlalchemy.orm import Session as S\nMake = S\n",
            "p/a.py": "from p.sqlalchemy import Make\nMake().commit()\n",
        },
    ),
    "package inside of a package that is called like a library": (
        SYNC,
        {
            "tests/__init__.py": "",
            "tests/sqlalchemy/__init__.py": "",
            "tests/sqlalchemy/a.py": "from sqlalchemy.orm import Session as S\nS().commit()\n",
        },
    ),
    "TYPE_CHECKING": (
        SYNC,
        {
            "a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sqlalchemy.orm import Session as S\n"
            "else:\n    S = object\ndef f(x: 'S'):\n    x.commit()\n"
        },
    ),
    "conditional import": (
        SYNC,
        {
            "a.py": "try:\n    from sqlmodel import Session as S\nexcept ImportError:\n    from sqlalchemy.orm import Session as S\n"
            "S().commit()\n"
        },
    ),
    "src layout": (
        SYNC,
        {
            "src/shop/__init__.py": "",
            "src/shop/b.py": FACTORY,
            "tests/a.py": "from shop.b import Make\nMake().commit()\n",
        },
    ),
    "namespace package": (
        SYNC,
        {"ns/inner/b.py": FACTORY, "a.py": "from ns.inner.b import Make\nMake().commit()\n"},
    ),
    "namespace package, by attribute": (
        SYNC,
        {
            "ns/inner/b.py": FACTORY,
            "a.py": "from ns import inner\nfrom ns.inner import b\nb.Make().commit()\n",
        },
    ),
    "several roots": (
        SYNC,
        {
            "backend/pyproject.toml": "",
            "backend/db.py": FACTORY,
            "worker/pyproject.toml": "",
            "worker/a.py": "from db import Make\nMake().commit()\n",
        },
    ),
    "annotated optional": (
        SYNC,
        {
            "a.py": "from __future__ import annotations\nfrom sqlalchemy.orm import Session\ndef f(x: Session | None = None):\n    x.commit()\n"
        },
    ),
    "Depends": (
        SYNC,
        {
            "b.py": FACTORY
            + "def give():\n    x = Make()\n    try:\n        yield x\n    finally:\n        x.close()\n",
            "a.py": "from fastapi import Depends\nfrom b import give\ndef f(x=Depends(give)):\n    x.commit()\n",
        },
    ),
    "Annotated alias": (
        ASYNC,
        {
            "b.py": "from typing import Annotated\nfrom fastapi import Depends\nfrom sqlalchemy.ext.asyncio import AsyncSession\n"
            "def give(): ...\nDb = Annotated[AsyncSession, Depends(give)]\n",
            "a.py": "from b import Db\nasync def f(x: Db):\n    await x.commit()\n",
        },
    ),
    "type statement": (
        SYNC,
        {
            "b.py": "from sqlalchemy.orm import Session\ntype Db = Session\n",
            "a.py": "from b import Db\ndef f(x: Db):\n    x.commit()\n",
        },
    ),
    "context manager function": (
        SYNC,
        {
            "b.py": FACTORY
            + "from contextlib import contextmanager\n@contextmanager\ndef scope():\n    x = Make()\n    yield x\n",
            "a.py": "from b import scope\nwith scope() as x:\n    x.commit()\n",
        },
    ),
    "context manager class": (
        SYNC,
        {
            "b.py": FACTORY
            + "class Unit:\n    def __enter__(self):\n        self.x = Make()\n        return self\n    def __exit__(self, *a): ...\n",
            "a.py": "from b import Unit\nwith Unit() as unit:\n    unit.x.commit()\n",
        },
    ),
    "decorator that injects": (
        SYNC,
        {
            "b.py": FACTORY
            + "import functools\ndef provide(func):\n    @functools.wraps(func)\n    def wrapper(*args, **kwargs):\n"
            "        with Make() as x:\n            return func(*args, x=x, **kwargs)\n    return wrapper\n",
            "a.py": "from b import provide\n@provide\ndef f(a, x=None):\n    x.commit()\n",
        },
    ),
    "fixture of conftest": (
        SYNC,
        {
            "tests/conftest.py": "import pytest\n"
            + FACTORY
            + "@pytest.fixture\ndef x():\n    yield Make()\n",
            "tests/unit/test_a.py": "def test_f(x):\n    x.commit()\n",
        },
    ),
    "fixture with another name": (
        SYNC,
        {
            "conftest.py": "import pytest\n"
            + FACTORY
            + "@pytest.fixture(name='x')\ndef make_x():\n    return Make()\n",
            "test_a.py": "def test_f(x):\n    x.commit()\n",
        },
    ),
    "global of an init function": (
        SYNC,
        {
            "b.py": "from sqlalchemy.orm import sessionmaker\nMake = None\ndef init(engine):\n    global Make\n    Make = sessionmaker(engine)\n",
            "a.py": "import b\nx = b.Make()\nx.commit()\n",
        },
    ),
    "registry": (
        SYNC,
        {
            "b.py": FACTORY + "from sqlalchemy.orm import scoped_session\nx = scoped_session(Make)\n",
            "a.py": "from b import x\nx.commit()\n",
        },
    ),
    "Flask-SQLAlchemy": (
        SYNC,
        {
            "ext.py": "from flask_sqlalchemy import SQLAlchemy\nthing = SQLAlchemy()\n",
            "a.py": "from ext import thing\nthing.session.commit()\n",
        },
    ),
    "SQLModel": (SYNC, {"a.py": "from sqlmodel import Session as S\ndef f(x: S):\n    x.commit()\n"}),
    "base in another file": (
        SYNC,
        {
            "b.py": "from sqlalchemy.orm import Session\nclass Base:\n    def __init__(self, x: Session):\n        self.x = x\n",
            "a.py": "from b import Base\nclass Repo(Base):\n    def f(self):\n        self.x.commit()\n",
        },
    ),
    "mixin": (
        SYNC,
        {
            "b.py": FACTORY + "class Mixin:\n    @property\n    def x(self):\n        return Make()\n",
            "a.py": "from b import Mixin\nclass View(object, Mixin):\n    def f(self):\n        self.x.commit()\n",
        },
    ),
    "dataclass field": (
        SYNC,
        {
            "a.py": "from dataclasses import dataclass\nfrom sqlalchemy.orm import Session\n@dataclass\nclass Repo:\n    x: Session\n"
            "    def f(self):\n        self.x.commit()\ndef g(repo: Repo):\n    repo.x.commit()\n"
        },
    ),
    "named tuple": (
        SYNC,
        {
            "a.py": "from typing import NamedTuple\nfrom sqlalchemy.orm import Session\nclass C(NamedTuple):\n    x: Session\n"
            "def g(c: C):\n    c.x.commit()\n"
        },
    ),
    "protocol": (
        SYNC,
        {
            "a.py": "from typing import Protocol\nfrom sqlalchemy.orm import Session\nclass C(Protocol):\n    @property\n"
            "    def x(self) -> Session: ...\ndef g(c: C):\n    c.x.commit()\n"
        },
    ),
    "callers in other files": (
        SYNC,
        {
            "b.py": "def store(x, row):\n    x.add(row)\n    x.commit()\n",
            "a.py": FACTORY
            + "import b\ndef main():\n    s = Make()\n    b.store(s, 1)\n    b.store(x=s, row=2)\n    s.commit()\n",
        },
    ),
    "argument of a constructor in another file": (
        SYNC,
        {
            "b.py": "class Repo:\n    def __init__(self, x):\n        self.x = x\n    def f(self):\n        self.x.commit()\n",
            "a.py": FACTORY + "from b import Repo\nr = Repo(Make())\nMake().commit()\n",
        },
    ),
    "generic repository": (
        ASYNC,
        {
            "b.py": "from typing import Generic, TypeVar\nfrom sqlalchemy.ext.asyncio import AsyncSession\nT = TypeVar('T')\n"
            "class Repo(Generic[T]):\n    model: type[T]\n    def __init__(self, x: AsyncSession):\n        self.x = x\n",
            "a.py": "from b import Repo\nclass User: ...\nclass Users(Repo[User]):\n    async def f(self):\n        await self.x.commit()\n",
        },
    ),
    "context variable": (
        SYNC,
        {
            "a.py": "from contextvars import ContextVar\nfrom sqlalchemy.orm import Session\nheld: ContextVar[Session] = ContextVar('held')\n"
            "def f():\n    held.get().commit()\n"
        },
    ),
    "request method of Pyramid": (
        SYNC,
        {
            "b.py": FACTORY + "def make(request):\n    return Make()\ndef includeme(config):\n"
            "    config.add_request_method(make, 'x', reify=True)\n",
            "a.py": "def view(request):\n    request.x.commit()\n",
        },
    ),
    "class with a name of its own for type checkers": (
        ASYNC,
        {
            "b.py": "from typing import NewType\nfrom sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker\n"
            "Reading = NewType('Reading', AsyncSession)\nWriting = NewType('Writing', Reading)\n"
            "def make(engine) -> async_sessionmaker[Writing]: ...\n",
            "a.py": "from b import Reading, make\nasync def f(x: Reading):\n    await x.commit()\n"
            "async def g(engine):\n    async with make(engine)() as s:\n        await s.commit()\n",
        },
    ),
    "factory of a base class that is not in the workspace": (
        ASYNC,
        {
            "a.py": "import sqlalchemy\nfrom base import Handler\nclass Users(Handler):\n    async def get(self):\n"
            "        async with self.AsyncSession() as s:\n            await s.commit()\n"
        },
    ),
    "factory of a package that is not in the workspace": (
        ASYNC,
        {
            "a.py": "import sqlalchemy\nfrom base import async_plain_session_factory\nasync def get():\n"
            "    async with async_plain_session_factory() as s:\n        await s.commit()\n"
        },
    ),
    "stored on the request": (
        SYNC,
        {
            "b.py": FACTORY + "def tween(request):\n    request.x = Make()\n",
            "a.py": "class View:\n    def __init__(self, request):\n        self.request = request\n"
            "    def f(self):\n        self.request.x.commit()\n",
        },
    ),
}
LIKELY = {
    "factory of a base class that is not in the workspace",
    "factory of a package that is not in the workspace",
    "stored on the request",
}
"""A name, or what other code stores in attributes of that name, is evidence, not proof."""


@pytest.mark.parametrize("name", CASES)
def test_the_receiver_is_known(name: str, make_project: Callable[..., Project]) -> None:
    expected, files = CASES[name]
    project = make_project(files)
    found = []
    for path in files:
        file = project.workspace.file(project._ids[path]) if path.endswith(".py") else None
        for unit in file.facts.units() if file is not None else ():
            found.extend(
                resolve_call(project.workspace.resolver, fact, file)
                for fact in unit.calls
                if getattr(fact.value.func, "name", "") == "commit" and file is not None
            )
    assert found
    for call in found:
        assert isinstance(call, LibraryCall)
        assert call.name == expected
        assert call.likely == (name in LIKELY)
