"""Mappings: what attributes a mapped class has, with everything that its bases, mixins and other classes add.

The answers are `facts.query.ModelInfo`, put together from class facts across files and kept with the keys they rest on.
Whatever is not understood makes a mapping incomplete. This module must never guess towards the safe side of a fix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import ColumnInfo, Inheritance, ModelInfo, RelationshipInfo
from sqlalchemy_guard.facts.values import Call, Const
from sqlalchemy_guard.project import declared
from sqlalchemy_guard.project.imperative import mapped_by_call
from sqlalchemy_guard.project.mentions import BACKREF, backref_calls, target_name
from sqlalchemy_guard.project.relationships import annotated
from sqlalchemy_guard.project.subclasses import subclasses
from sqlalchemy_guard.project.types import ClassType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.declared import Declared, RelationshipDeclaration
    from sqlalchemy_guard.project.resolve import Key, Resolver, SourceFile
    from sqlalchemy_guard.project.subclasses import Mentioning
    from sqlalchemy_guard.project.types import ClassRef

Ref = tuple[str, str]


class Mappings:
    """The mappings of a workspace.

    Args:
        resolver: Types of values.
        files: Who knows which files mention a class.
    """

    def __init__(self, resolver: Resolver, files: Mentioning) -> None:
        self.resolver = resolver
        self.files = files
        self._models: dict[Ref, tuple[int, frozenset[Key], ModelInfo | None]] = {}
        self._declared: dict[Ref, tuple[int, frozenset[Key], Declared]] = {}

    def model(self, ref: ClassRef) -> ModelInfo | None:
        """The mapping of a class; None when it is no mapped class."""
        if isinstance(ref, str):
            return None
        kept = self._models.get(ref)
        if kept is not None and self.resolver.valid(kept[1], kept[0]):
            self.resolver.keys |= kept[1]
            return kept[2]
        outer, self.resolver.keys = self.resolver.keys, set()
        revision = self.resolver.revision
        try:
            found = self._model(ref)
        finally:
            inner, self.resolver.keys = self.resolver.shared(self.resolver.keys), outer
            outer |= inner
        self._models[ref] = (revision, inner, found)
        return found

    def declared(self, ref: Ref) -> Declared:
        """What the class, its bases and mixins declare."""
        kept = self._declared.get(ref)
        if kept is not None and self.resolver.valid(kept[1], kept[0]):
            self.resolver.keys |= kept[1]
            return kept[2]
        outer, self.resolver.keys = self.resolver.keys, set()
        revision = self.resolver.revision
        try:
            found = declared.declare(self.resolver, ref)
        finally:
            inner, self.resolver.keys = self.resolver.shared(self.resolver.keys), outer
            outer |= inner
        self._declared[ref] = (revision, inner, found)
        return found

    def _model(self, ref: Ref) -> ModelInfo | None:
        is_declared = self.resolver.is_model(ClassType(ref))
        if not is_declared and not self._names_table(ref):
            return mapped_by_call(self.resolver, ref)
        own = self.declared(ref)
        parents = self._mapped_parents(ref)
        inheritance = self._inheritance(ref, own, parents)
        primary = own.primary_key
        if parents and inheritance is Inheritance.JOINED:
            primary = self.declared(parents[0]).primary_key or primary
        relationships = {name: self._relationship(ref, own, each) for name, each in own.relationships.items()}
        complete = own.complete and is_declared
        for name, info in self._backrefs(ref, parents):
            if name is None or info is None:
                complete = False
            elif name not in relationships:
                relationships[name] = info
        return ModelInfo(
            ref[1].rpartition(".")[2],
            f"{ref[0]}:{ref[1]}",
            primary,
            {name: ColumnInfo(name, each.hashable) for name, each in own.columns.items()},
            relationships,
            frozenset(own.others),
            inheritance,
            f"{parents[0][0]}:{parents[0][1]}" if parents else None,
            complete,
            own.computed,
            complete and not any(map(self._has_truth, (ref, *self._children(ref)))),
        )

    def _has_truth(self, ref: Ref) -> bool:
        """Whether objects of a class say themselves whether they are true."""
        class_ = ClassType(ref)
        return any(self.resolver.member(class_, name) is not None for name in ("__bool__", "__len__"))

    def _names_table(self, ref: Ref) -> bool:
        """Whether a class whose bases are not known says itself which table it is mapped to."""
        found = self.resolver.class_facts(ref)
        return found is not None and not found[0].attributes.keys().isdisjoint(("__tablename__", "__table__"))

    # -- inheritance -----------------------------------------------------------------------------------------------

    def _mapped_parents(self, ref: Ref) -> list[Ref]:
        """The mapped classes among the ancestors, nearest first."""
        return [
            each
            for each in self.resolver.ancestors(ClassType(ref))[1:]
            if isinstance(each, tuple)
            and self.resolver.is_model(ClassType(each))
            and declared.is_mapped(self.resolver, each)
        ]

    def _children(self, ref: Ref) -> list[Ref]:
        return subclasses(self.resolver, self.files, ref)

    def _inheritance(self, ref: Ref, own: Declared, parents: list[Ref]) -> Inheritance:
        if own.concrete:
            return Inheritance.CONCRETE
        if parents:
            if not declared.has_own_table(self.resolver, ref):
                return Inheritance.SINGLE
            base = self.declared(parents[0])
            keys = [each for name, each in own.columns.items() if name in own.primary_key]
            if any(table == base.table for each in keys for table, _ in each.foreign):
                return Inheritance.JOINED
            return Inheritance.UNKNOWN
        children = [
            each for each in self._children(ref) if declared.is_mapped(self.resolver, each) and each != ref
        ]
        if any(self.declared(child).concrete for child in children):
            return Inheritance.CONCRETE
        if any(declared.has_own_table(self.resolver, child) for child in children):
            return Inheritance.JOINED
        return Inheritance.SINGLE if children or own.polymorphic else Inheritance.NONE

    # -- relationships ---------------------------------------------------------------------------------------------

    def _relationship(self, ref: Ref, own: Declared, each: RelationshipDeclaration) -> RelationshipInfo:
        call = each.call
        target, annotated = self._annotated(each)
        if target is None and call is not None:
            found = self.resolver.relationship_target(call, each.file, ref)
            target = found if isinstance(found, tuple) else None
        known_options = call is None or not call.has_mapping
        secondary = call is not None and (call.keyword("secondary") is not None or not known_options)
        uselist = _constant(call, "uselist")
        direction = self._to_one(ref, own, target, call) if not secondary else False
        if annotated is not None:
            collection: bool | None = annotated
        elif isinstance(uselist, bool):
            collection = uselist
        elif secondary:
            collection = True
        else:
            collection = None if direction is None else not direction
        lazy = self._lazy(each)
        to_one = (
            direction is True
            and known_options
            and (
                call is None or (call.keyword("primaryjoin") is None and call.keyword("foreign_keys") is None)
            )
            and self._refers_to_key(own, target)
        )
        return RelationshipInfo(
            each.name,
            collection,
            to_one,
            secondary,
            lazy,
            known_options,
            lambda: self.model(target) if target else None,
        )

    def _annotated(self, each: RelationshipDeclaration) -> tuple[Ref | None, bool | None]:
        """The target and whether it is a collection, by the annotation."""
        said = annotated(self.resolver, each.annotation, each.file)
        if said is None or (said.target is None and not said.collection):
            return None, None
        return said.target, said.collection

    def _lazy(self, each: RelationshipDeclaration) -> str | None:
        if each.dynamic:
            return "dynamic"
        call = each.call
        if call is None:
            return "select"
        lazy = call.keyword("lazy")
        for name, value in call.keywords:
            if name == "sa_relationship_kwargs":
                # SQLModel hands these on.
                entries = getattr(value, "entries", None)
                if entries is None:
                    return None
                for key, item in entries:
                    if type(key) is Const and key.value == "lazy":
                        lazy = item
        if lazy is None:
            return None if call.has_mapping else "select"
        return _strategy(lazy)

    def _to_one(self, ref: Ref, own: Declared, target: Ref | None, call: Call | None) -> bool | None:
        """Whether the keys go from this class to the target: True for many-to-one, None when it cannot be told."""
        if target is None:
            return None
        other = self.declared(target)
        if other.table is None or own.table is None:
            return None
        if other.table == own.table:
            return True if call is not None and call.keyword("remote_side") is not None else None
        here = any(table == other.table for each in own.columns.values() for table, _ in each.foreign)
        there = any(table == own.table for each in other.columns.values() for table, _ in each.foreign)
        if here == there:
            return None
        return here

    def _refers_to_key(self, own: Declared, target: Ref | None) -> bool:
        """Whether the foreign keys to the target's table refer to its whole primary key."""
        if target is None:
            return False
        other = self.declared(target)
        referred = [
            column for each in own.columns.values() for table, column in each.foreign if table == other.table
        ]
        keys = [other.columns[name].column for name in other.primary_key if name in other.columns]
        return len(keys) == 1 and len(referred) == 1 and referred == keys

    def _backrefs(self, ref: Ref, parents: list[Ref]) -> Iterable[tuple[str | None, RelationshipInfo | None]]:
        """What relationships of other classes add to this class and its bases."""
        for target in (ref, *parents):
            name = target[1].rpartition(".")[2]
            self.resolver.keys.add((BACKREF, name))
            for file in list(self.files.mentioning((BACKREF, name))):
                for qualname in list(file.facts.classes):
                    found = self.resolver.class_facts((file.file_id, qualname))
                    if found is None:
                        continue
                    # What comes to say something is told by the mentions; these are what says something already.
                    for call, _, method in backref_calls(file.facts, found[0]):
                        if method is not None:
                            self.resolver.keys.add((file.file_id, method))
                        if target_name(call) == name and self.resolver.relationship_target(
                            call, file, (file.file_id, qualname)
                        ) in (target, None):
                            yield self._backref((file.file_id, qualname), file, call)

    def _backref(
        self, source: Ref, file: SourceFile, call: Call
    ) -> tuple[str | None, RelationshipInfo | None]:
        given = call.keyword("backref")
        lazy: Value | None = None
        uselist: object = None
        readable = True
        if type(given) is Call and self.resolver.external_name(given.func, file) == "sqlalchemy.orm.backref":
            lazy = given.keyword("lazy")
            uselist = _constant(given, "uselist")
            readable = not given.has_mapping
            given = given.args[0] if given.args else given.keyword("name")
        if type(given) is not Const or not isinstance(given.value, str):
            return None, None
        secondary = call.keyword("secondary") is not None or call.has_mapping
        strategy: str | None = "select" if readable else None
        if lazy is not None:
            strategy = _strategy(lazy)
        collection = uselist if isinstance(uselist, bool) else (True if secondary else None)
        # The direction of the other side is not asked for: it may be this very mapping that is being made.
        return given.value, RelationshipInfo(
            given.value, collection, False, secondary, strategy, readable, lambda: self.model(source)
        )


def _strategy(lazy: Value) -> str | None:
    """The loading strategy that `lazy=` names."""
    if type(lazy) is not Const:
        return None
    if isinstance(lazy.value, str):
        return lazy.value
    return "noload" if lazy.value is None else "select" if lazy.value else "joined"


def _constant(call: Call | None, name: str) -> object:
    value = call.keyword(name) if call is not None else None
    return value.value if type(value) is Const else None
