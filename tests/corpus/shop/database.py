"""The one engine, handed to everybody else by this module."""

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, sessionmaker

engine = create_engine("postgresql://localhost/shop")  # from the settings some day
SessionLocal = sessionmaker(bind=engine)


class Base(DeclarativeBase):
    """All models."""
