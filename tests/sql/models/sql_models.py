import enum
import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import JSON, Column, DateTime, UniqueConstraint
from sqlmodel import Field, Relationship, SQLModel


class Level(str, enum.Enum):
    low = "low"
    high = "high"


class TeamHero(SQLModel, table=True):
    team_id: int | None = Field(default=None, foreign_key="team.id", primary_key=True)
    hero_id: int | None = Field(default=None, foreign_key="hero.id", primary_key=True)


class HeroBase(SQLModel):
    name: str = Field(index=True, max_length=50)
    age: int | None = None
    price: Decimal = Field(default=0, max_digits=5, decimal_places=2)


class Hero(HeroBase, table=True):
    __table_args__ = (UniqueConstraint("name", "age"),)
    registry_of: ClassVar[str] = "x"

    id: int | None = Field(default=None, primary_key=True)
    token: uuid.UUID = Field(default_factory=uuid.uuid4, unique=True)
    level: Level = Level.low
    made: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    size: float = Field(sa_column_kwargs={"server_default": "1"})
    teams: list["Team"] = Relationship(back_populates="heroes", link_model=TeamHero)


class Team(SQLModel, table=True):
    __tablename__ = "team"
    id: int | None = Field(default=None, primary_key=True)
    active: bool
    heroes: list[Hero] = Relationship(back_populates="teams", link_model=TeamHero)
