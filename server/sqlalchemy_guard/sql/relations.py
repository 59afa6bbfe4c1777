"""Relationships: made when all classes are there, with callbacks in the place of every string that SQLAlchemy would evaluate.

A relationship whose target is not found, or whose join SQLAlchemy cannot make out, is left out and named; the models are
then made again without it. This module must never hand a string of the user's to SQLAlchemy, names of attributes aside.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import orm
from sqlalchemy.sql import visitors

from sqlalchemy_guard.sql import forms, natives
from sqlalchemy_guard.sql.declarative import OURS, Declarative, Pending
from sqlalchemy_guard.sql.natives import Unknown
from sqlalchemy_guard.sql.scopes import Frame
from sqlalchemy_guard.sql.values import ANY_KEYWORDS, MISSING, Class, Function, Host, Opaque, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.sql.evaluator import Evaluator

_EVALUATED = frozenset(
    {"primaryjoin", "secondaryjoin", "foreign_keys", "remote_side", "order_by", "secondary"}
)
_PLAIN = frozenset(
    """
    uselist back_populates overlaps viewonly lazy passive_deletes passive_updates post_update enable_typechecks single_parent
    innerjoin distinct_target_key cascade cascade_backrefs load_on_pending join_depth omit_join sync_backref doc info
    active_history
    """.split()
)
_FUNCTIONS = (
    "and_",
    "or_",
    "not_",
    "func",
    "desc",
    "asc",
    "cast",
    "text",
    "literal",
    "case",
    "select",
    "exists",
    "null",
)
_ORM_FUNCTIONS = ("foreign", "remote")


class Relationships:
    """Makes the relationships of one generation.

    Args:
        declarative: The classes.
        excluded: The relationships to leave out: file, class, attribute.

    Attributes:
        current: The relationship whose target SQLAlchemy asked for last.
        places: Which relationship of ours a native one is.
    """

    def __init__(self, declarative: Declarative, excluded: set[tuple[str, str, str]]) -> None:
        self._declarative = declarative
        self._evaluator: Evaluator = declarative.evaluator
        self._excluded = excluded
        self._names: dict[Any, dict[str, list[Class]]] = {}
        self.current: tuple[Class, str] | None = None
        self._making: tuple[Class, str] | None = None

    def make_all(self) -> None:
        """Make every relationship that was kept aside and add it to its class."""
        for cls in self._declarative.classes:
            if cls.native is not None:
                known = self._names.setdefault(cls.native.registry, {})
                known.setdefault(cls.name, []).append(cls)
        for cls, name, pending in self._declarative.relationships:
            for owner in self._owners(cls):
                if (owner.module.file_id, owner.qualname, name) not in self._excluded:
                    self._add(owner, name, pending)

    def _owners(self, cls: Class) -> list[Class]:
        """The mapped classes that a relationship of a class belongs to: of a mixin all that get it from nowhere else."""
        if _is_mapped(cls):
            return [cls]
        return [
            one
            for one in self._declarative.classes
            if _is_mapped(one)
            and any(base is cls for base in one.mro)
            and not any(
                _is_mapped(base) and any(inner is cls for inner in base.mro)
                for base in one.mro[1:]
                if isinstance(base, Class)
            )
        ]

    def _add(self, cls: Class, name: str, pending: Pending) -> None:
        try:
            made = self._make(cls, name, pending)
            natives.quietly(lambda: setattr(cls.native, name, made))
        except Unknown as error:
            self._declarative.unrelated.append((cls, name, f"{error.name} is not known"))
        except natives.LIBRARY_ERRORS as error:
            self._evaluator.budget.check()
            self._declarative.unrelated.append((cls, name, str(error).partition("\n")[0][:300]))

    # -- one relationship ------------------------------------------------------------------------------------------

    def _make(self, cls: Class, name: str, pending: Pending) -> Any:
        self._making = (cls, name)
        keywords = dict(pending.keywords)
        annotation = keywords.pop("*annotation", None)
        if keywords.pop(ANY_KEYWORDS, None) is not None:
            raise Unknown("**")
        given = self._plain(cls, keywords)
        other = given.get("back_populates")
        if other is not None and any(name == other for _, _, name in self._excluded):
            # The other side may be one that is left out; without it, this side is a relationship all the same.
            given.pop("back_populates")
        argument = pending.args[0] if pending.args else keywords.get("argument", MISSING)
        if len(pending.args) > 1:
            keywords.setdefault("secondary", pending.args[1])
        if isinstance(annotation, forms.Mapped):
            self._from_annotation(annotation, given, keywords)
            if argument is MISSING or argument is None:
                argument = annotation
        for key in _EVALUATED & keywords.keys():
            self._evaluated(cls, key, keywords[key], given)
        if "collection_class" in keywords:
            self._collection(keywords["collection_class"], given)
        if keywords.get("backref") is not None:
            given["backref"] = self._backref(cls, keywords["backref"])
        target = self._target(cls, argument)

        def entity() -> Any:
            self.current = (cls, name)
            return target

        return orm.relationship(entity, **given)

    def _plain(self, cls: Class, keywords: dict[str, Value]) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for key in _PLAIN & keywords.keys():
            value = keywords[key]
            if isinstance(value, Opaque):
                self._evaluator.note(f"{cls.name}: {key} of a relationship is not known")
            elif isinstance(value, (str, bool, int, tuple, list, type(None))):
                given[key] = value
        return given

    def _from_annotation(
        self, annotation: forms.Mapped, given: dict[str, Any], keywords: dict[str, Value]
    ) -> None:
        """What SQLAlchemy would take from `Mapped[…]`."""
        if annotation.kind != "mapped":
            given.setdefault("lazy", annotation.kind)
            given["uselist"] = True
            return
        found = forms.target(self._evaluator, annotation.inner, annotation.frame)
        given.setdefault("uselist", found.collection is not None)
        if found.collection in (set,) and "collection_class" not in keywords:
            given["collection_class"] = set

    def _collection(self, value: Value, given: dict[str, Any]) -> None:
        if value in (list, set) or (callable(value) and not isinstance(value, (Function, Class))):
            given["collection_class"] = value
        elif isinstance(value, Class):
            given["collection_class"] = next((one for one in value.natives if one in (list, set)), list)
            given.setdefault("uselist", True)

    def _backref(self, cls: Class, value: Value) -> Any:
        if isinstance(value, str):
            return value
        if isinstance(value, Pending) and value.args and isinstance(value.args[0], str):
            keywords = dict(value.keywords)
            given = self._plain(cls, keywords)
            for key in _EVALUATED & keywords.keys():
                self._evaluated(cls, key, keywords[key], given)
            if "collection_class" in keywords:
                self._collection(keywords["collection_class"], given)
            return orm.backref(value.args[0], **given)
        raise Unknown("backref")

    def _evaluated(self, cls: Class, key: str, value: Value, given: dict[str, Any]) -> None:
        """An argument that may be a string for SQLAlchemy to evaluate, a callable, or the thing itself."""
        if value is None or value is False:
            given[key] = value
        elif isinstance(value, str):
            given[key] = self._later(cls, value, key)
        elif isinstance(value, Function):
            call = natives.callback(self._evaluator, value)
            given[key] = self._marked(lambda: _known(call()))
        elif isinstance(value, (list, tuple)) and any(isinstance(one, str) for one in value):
            texts = [self._later(cls, one, key) if isinstance(one, str) else one for one in value]
            given[key] = lambda: [
                one() if callable(one) and not natives.is_clause(one) else one for one in texts
            ]
        else:
            given[key] = _known(natives.convert(self._evaluator, value, False))

    def _marked(self, work: Callable[[], Any]) -> Callable[[], Any]:
        """A callback of the relationship that is being made: what it raises is that one's failure."""
        place = self._making

        def call() -> Any:
            self.current = place
            return work()

        return call

    def _later(self, cls: Class, text: str, key: str) -> Callable[[], Any]:
        def resolve() -> Any:
            if key == "secondary":
                table = cls.native.metadata.tables.get(text)
                if table is not None:
                    return table
            value = self.resolve(cls, text)
            value = list(value) if isinstance(value, tuple) else value
            if key == "secondary" and isinstance(value, Class):
                return value.native.__table__
            return _known(natives.convert(self._evaluator, value, False))

        return self._marked(resolve)

    # -- names in strings ------------------------------------------------------------------------------------------

    def _target(self, cls: Class, argument: Value) -> Any:
        """The native class that a relationship leads to.

        Raises:
            Unknown: it is not found.
        """
        found: Value = argument
        shown = "its target"
        if isinstance(argument, forms.Mapped):
            inner = forms.target(self._evaluator, argument.inner, argument.frame).expression
            shown = ast.unparse(inner)
            found = self._evaluator.guarded("", lambda: self._evaluator.evaluate(inner, argument.frame))
            if not isinstance(found, Class):
                found = self.resolve(cls, shown)
        elif isinstance(argument, str):
            shown = argument
            found = self.resolve(cls, argument)
        elif isinstance(argument, Function):
            found = self._evaluator.run(argument)
            found = self.resolve(cls, found) if isinstance(found, str) else found
        if isinstance(found, Opaque):
            # A name that a cycle of imports hides still is the name of a class, if only one has it.
            known = self._names.get(cls.native.registry, {}).get(found.name, [])
            found = known[0] if len(known) == 1 else found
        if isinstance(found, Class) and _is_mapped(found):
            return found.native
        raise Unknown(found.name if isinstance(found, (Class, Opaque)) and found.name else shown)

    def resolve(self, cls: Class, text: str) -> Value:
        """What a string means that SQLAlchemy would evaluate: names of classes and tables of the registry."""
        try:
            node = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return Opaque(text)
        found = self._by_path(cls, text.strip())
        if found is not None:
            return found
        frame = Frame(cls.module, None, cls.chunk)
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id not in frame.env:
                value = self._name(cls, part.id)
                if value is not MISSING:
                    frame.env[part.id] = value
        node = _Paths(self, cls, frame).visit(node)
        return self._evaluator.guarded(text, lambda: self._evaluator.evaluate(node, frame))

    def _by_path(self, cls: Class, text: str) -> Class | None:
        """A class by its name, or by its module's path and its name."""
        path, _, name = text.rpartition(".")
        found = self._names.get(cls.native.registry, {}).get(name, [])
        if path:
            found = [one for one in found if f".{one.module.name}".endswith(f".{path}")]
        else:
            found = [one for one in found if one is cls] or found
        near = [one for one in found if one.module is cls.module]
        return next(iter(near or found), None)

    def _name(self, cls: Class, name: str) -> Value:
        found = self._by_path(cls, name)
        if found is not None:
            return found
        metadata: sqlalchemy.MetaData = cls.native.metadata
        if name in metadata.tables:
            return metadata.tables[name]
        if any(key.startswith(f"{name}.") for key in metadata.tables):
            return _Schema(metadata, name)
        if name in _FUNCTIONS:
            return getattr(sqlalchemy, name)
        return getattr(orm, name) if name in _ORM_FUNCTIONS else MISSING


def _known(condition: Any) -> Any:
    """A part of a relationship.

    Raises:
        Unknown: a value in it is not known.
    """
    if isinstance(condition, sqlalchemy.ClauseElement):
        for part in visitors.iterate(condition):
            if isinstance(part, sqlalchemy.BindParameter) and part.required:
                raise Unknown(str(part.key))
    return condition


class _Paths(ast.NodeTransformer):
    """Replaces `package.module.Class` by a name of the frame."""

    def __init__(self, relationships: Relationships, cls: Class, frame: Frame) -> None:
        self._relationships, self._cls, self._frame = relationships, cls, frame

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """An attribute that may be the path of a class."""
        text = ast.unparse(node)
        found = self._relationships._by_path(self._cls, text)
        if found is None:
            self.generic_visit(node)
            return node
        name = text.replace(".", " ")
        self._frame.env[name] = found
        return ast.copy_location(ast.Name(name, ast.Load()), node)


class _Schema(Host):
    """The tables of a schema, as attributes."""

    def __init__(self, metadata: sqlalchemy.MetaData, name: str) -> None:
        self._metadata, self._name = metadata, name

    def get(self, name: str) -> Value:
        """A table of the schema."""
        found = self._metadata.tables.get(f"{self._name}.{name}")
        return Opaque(f"{self._name}.{name}") if found is None else found


def _is_mapped(cls: Class) -> bool:
    return (
        isinstance(cls.native, type) and "__mapper__" in cls.native.__dict__ and OURS in cls.native.__dict__
    )
