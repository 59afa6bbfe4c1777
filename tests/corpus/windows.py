"""Windows line ends, with a continuation and a string over several lines."""
from sqlalchemy import create_engine, \
    text
from sqlalchemy.ext.declarative import declarative_base
from sqlalchemy.orm import Session

Base = declarative_base()  # the old way

engine = create_engine(
    "postgresql://localhost/shop",  # where
    echo=True,
)

SQL = """
SELECT *
FROM users
"""


def names(session: Session, name: str) -> list[str]:
    rows = session.execute(text(SQL + f"WHERE name = '{name}'")).all()  # injection
    return [row.name for row in rows]


def dependency():
    session = Session(engine)
    # comment before the yield
    yield session
