"""A file while somebody types: one statement is broken, the others are to be fixed all the same."""
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

engine = create_engine("postgresql://localhost/shop")


def broken(session: Session):
    return session.query(


def whole(session: Session):
    other = create_engine("postgresql://localhost/other", echo=True)  # kept
    return other
