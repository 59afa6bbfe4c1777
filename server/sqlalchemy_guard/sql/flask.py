"""Flask-SQLAlchemy as the evaluator sees it: the extension object, its `Model`, and how its models get their tables' names.

This module must never know an application, a session or an engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

import sqlalchemy
from sqlalchemy import orm

from sqlalchemy_guard.sql.declarative import Declarative, Empty
from sqlalchemy_guard.sql.values import MISSING, Class, Host, Native, Opaque, Value
from sqlalchemy_guard.text.words import snake_case

if TYPE_CHECKING:
    from sqlalchemy_guard.sql.evaluator import Evaluator

_LIBRARY = ("sqlalchemy", "sqlalchemy.orm")
_MADE: WeakKeyDictionary[Evaluator, WeakSet[Database]] = WeakKeyDictionary()
"""The extension objects of each evaluator. They know their evaluator, so that holding them here would keep both for ever."""


class Extension:
    """Stands for the class `flask_sqlalchemy.SQLAlchemy`, also as a base of the user's own."""


class NamedModel:
    """What the extension adds to a declarative class: a name for its table, and no table for a child without a primary key."""

    def __init_subclass__(cls, **_: Any) -> None:
        if _is_nameless(cls):
            setattr(cls, "__tablename__", snake_case(cls.__name__))  # noqa: B010
        super().__init_subclass__()

    @classmethod
    def __table_cls__(cls, *args: Any, **keywords: Any) -> Any:
        """The table, unless the class has no key of its own and a parent with a table."""
        has_key = any(
            (isinstance(one, sqlalchemy.Column) and one.primary_key)
            or isinstance(one, sqlalchemy.PrimaryKeyConstraint)
            for one in args
        )
        if has_key or not any("__table__" in base.__dict__ for base in cls.__mro__[1:-1]):
            return sqlalchemy.Table(*args, **keywords)
        if "__tablename__" in cls.__dict__:
            delattr(cls, "__tablename__")
        return None


def _is_nameless(cls: Any) -> bool:
    """Whether a class gets a name for a table: it is a model, not abstract, and none is given for it."""
    if cls.__dict__.get("__abstract__", False) or orm.DeclarativeBase in cls.__bases__:
        return False
    if not issubclass(cls, orm.DeclarativeBase):
        return False
    for base in cls.__mro__:
        if "__tablename__" in base.__dict__:
            if isinstance(base.__dict__["__tablename__"], orm.declared_attr):
                return False
            is_parents = issubclass(base, orm.DeclarativeBase) and not base.__dict__.get(
                "__abstract__", False
            )
            return bool(base is not cls and is_parents)
    return "__table__" not in cls.__dict__


class Database(Host):
    """A `SQLAlchemy(…)` object: its model class, its metadata, and every name of SQLAlchemy."""

    def __init__(self, declarative: Declarative, cls: Class | None, keywords: dict[str, Value]) -> None:
        self._declarative = declarative
        self._cls = cls
        self._keywords = keywords
        self._model: Value = None
        self._own: dict[str, Value] = {}

    def get(self, name: str) -> Value:
        """An attribute of the extension object."""
        if name.startswith("_"):
            return Opaque(f"db.{name}")
        if name in self._own:
            return self._own[name]
        if name == "Model":
            return self.model()
        if name == "metadata":
            native = getattr(self.model(), "native", None)
            return native.metadata if native is not None else Opaque("db.metadata")
        if name == "Table":
            return Native("db.Table", self._table)
        if name == "session":
            return Opaque("db.session", "flask_sqlalchemy.SQLAlchemy.session")
        program = self._declarative.evaluator.program
        for module in _LIBRARY:
            found = program.library(module, name)
            if not isinstance(found, Opaque):
                return found
        own = self._cls.find(name)[0] if self._cls is not None else MISSING
        return Opaque(f"db.{name}") if own is MISSING else own

    def set(self, name: str, value: Value) -> None:
        """`db.x = …`"""
        self._own[name] = value

    def model(self) -> Value:
        """The class that models extend."""
        if self._model is None:
            self._model = self._make_model()
        return self._model

    def _make_model(self) -> Value:
        declarative = self._declarative
        given = self._keywords.get("model_class", MISSING)
        place = declarative.evaluator.place
        if isinstance(given, Opaque) or place is None:
            return Opaque("db.Model")
        bases = [given] if isinstance(given, Class) else []
        made = Class("Model", "Model", place[0].module, bases, {})
        if isinstance(given, Class) and declarative.is_declarative(given.native):
            made.namespace["__abstract__"] = True
            made.native = type(
                "Model", (NamedModel, given.native), {"__abstract__": True, "__module__": made.module.name}
            )
            declarative.take(made, made.native)
            return made
        parents = [one for one in map(declarative.mixin, bases) if one is not Empty]
        keywords = {key: self._keywords[key] for key in ("metadata",) if key in self._keywords}
        made.native = declarative.make_base(made, (NamedModel, *parents), keywords)
        return made

    def _table(self, evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
        """`db.Table(name, …)`, with or without metadata."""
        metadata = self.get("metadata")
        if len(args) > 1 and isinstance(args[1], sqlalchemy.MetaData):
            metadata, args = args[1], [args[0], *args[2:]]
        keywords = {key: value for key, value in keywords.items() if key != "bind_key"}
        return (
            evaluator.call(sqlalchemy.Table, [args[0], metadata, *args[1:]], keywords)
            if args
            else Opaque("db.Table()")
        )


def only_database(evaluator: Evaluator) -> Database | None:
    """The extension object of the application; None where the evaluator made none or several."""
    made = list(_MADE.get(evaluator, ()))
    return made[0] if len(made) == 1 else None


def install(declarative: Declarative) -> None:
    """Tell the evaluator what stands for the extension."""
    evaluator = declarative.evaluator

    def construct(_: Evaluator, cls: Class | None, args: list[Value], keywords: dict[str, Value]) -> Value:
        made = Database(declarative, cls, keywords)
        _MADE.setdefault(evaluator, WeakSet()).add(made)
        return made

    evaluator.hosts["flask_sqlalchemy.SQLAlchemy"] = Extension
    evaluator.hosts["flask_sqlalchemy.Model"] = Empty
    evaluator.constructors[Extension] = construct
