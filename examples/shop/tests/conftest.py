"""Every test has a freshly migrated database in a file of its own."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = tempfile.TemporaryDirectory(prefix="shop-")
os.environ["SHOP_DATABASE_URL"] = f"sqlite:///{Path(FOLDER.name) / 'shop.db'}"

from alembic import command  # noqa: E402 - the engine is made on import, from the environment
from alembic.config import Config  # noqa: E402
from fastapi.testclient import TestClient  # noqa: E402
from sqlalchemy.orm import Session  # noqa: E402

from shop import db, seed  # noqa: E402
from shop.main import app  # noqa: E402


@pytest.fixture(autouse=True)
def database() -> Iterator[None]:
    config = Config(Path(__file__).parent.parent / "alembic.ini")
    command.upgrade(config, "head")
    with db.SessionFactory.begin() as session:
        seed.fill(session)
    yield
    command.downgrade(config, "base")


@pytest.fixture
def session() -> Iterator[Session]:
    with db.SessionFactory() as session:
        yield session


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client
