"""Attributes that queries name, and which ones the mapped classes have.

What a class may get elsewhere (bases that are not known, reflection, metaclasses, extensions, assignments from outside)
makes its names unknown. This module must never report a name that may exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Collected, Const, Def, Operation, Sequence, Star, Value
from sqlalchemy_guard.project.columns import attribute_names
from sqlalchemy_guard.project.mentions import BACKREF, backref_calls, backref_name, target_name
from sqlalchemy_guard.project.types import ClassType
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.query import ModelInfo
    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.statements import Statements

TAKING = frozenset(
    ("select", "query", "where", "filter", "having", "order_by", "group_by", "distinct", "with_entities", "add_columns",
     "with_only_columns", "join", "outerjoin", "select_from", "options", "and_", "or_", "not_", "case", "any", "has",
     "joinedload", "selectinload", "subqueryload", "lazyload", "contains_eager", "defaultload", "raiseload", "noload",
     "immediateload", "filter_by", "load_only", "defer", "undefer", "exists", "aliased", "desc", "asc", "in_",
     "returning", "values")
)  # fmt: skip
_INHERITED = frozenset(
    (
        "metadata",
        "registry",
        "query",
        "query_class",
        "awaitable_attrs",
        "mro",
        "type_annotation_map",
        "get",
        "c",
    )
)
_WORD = lazy_pattern(r"[A-Za-z_]\w*")


class Mention(NamedTuple):
    """A name that a mapped class does not have.

    Attributes:
        model: The class.
        name: The name.
        how: How it is mentioned: attribute, keyword or text.
        base: Of an attribute what it is read from.
        known: The names that the class has.
    """

    model: ModelInfo
    name: str
    how: str
    base: Value | None
    known: frozenset[str]


class MappedNames:
    """Finds the names that queries mention and classes do not have.

    Args:
        statements: How statements are built.
    """

    def __init__(self, statements: Statements) -> None:
        self.statements = statements
        self.resolver = statements.resolver

    def unknown(self, fact: CallFact, file: SourceFile) -> Iterator[Mention]:
        """The names in the arguments of a call that no class has."""
        func = fact.value.func
        name = getattr(func, "name", "")
        if name == "filter_by" and type(func) is Attr:
            yield from self._keywords(func.base, fact.value, file)
        if name not in TAKING:
            return
        if name == "order_by" and type(func) is Attr:
            yield from self._texts(func.base, fact.value, file)
        if name == "values" and type(func) is Attr:
            yield from self._columns(func.base, fact.value, file)
        for arg in fact.value.args:
            yield from self._attributes(arg, file, 0)
        for key, item in fact.value.keywords:
            if key in ("onclause", "else_", "whereclause"):
                yield from self._attributes(item, file, 0)

    def _attributes(self, value: Value, file: SourceFile, depth: int) -> Iterator[Mention]:
        """The attributes of classes in an expression; the arguments of calls that are looked at themselves are theirs."""
        if depth > 20:
            return
        if type(value) is Attr:
            found = self._missing(value, file)
            if found is not None:
                yield found
            yield from self._attributes(value.base, file, depth + 1)
        elif type(value) is Call:
            yield from self._attributes(value.func, file, depth + 1)
            if getattr(value.func, "name", "") not in TAKING:
                for arg in value.args:
                    yield from self._attributes(arg, file, depth + 1)
        elif type(value) is Operation:
            for operand in value.operands:
                yield from self._attributes(operand, file, depth + 1)
        elif type(value) is Sequence:
            for item in value.items:
                yield from self._attributes(item, file, depth + 1)
        elif type(value) is Star:
            yield from self._attributes(value.base, file, depth + 1)
        elif type(value) is Collected:
            yield from self._attributes(value.element, file, depth + 1)

    def _missing(self, value: Attr, file: SourceFile) -> Mention | None:
        name = value.name
        if name.startswith(("_", "model_")) or name in _INHERITED:
            return None
        ref = self._class_of(value.base, file, 0)
        known = self.names(ref) if ref is not None else None
        if ref is None or known is None or name in known or self._is_added(name):
            return None
        model = self.statements.mappings.model(ref)
        return Mention(model, name, "attribute", value.base, known) if model is not None else None

    def _class_of(self, value: Value, file: SourceFile, depth: int) -> tuple[str, str] | None:
        """The class that an expression is for sure, and not a subclass of it."""
        found, where = self.resolver.definition_of(value, file)
        if type(found) is Call and depth == 0:
            name = self.resolver.external_name(found.func, where)
            if name == "sqlalchemy.orm.aliased" and found.args:
                return self._class_of(found.args[0], where, 1)
            return None
        if type(found) is not Def:
            return None
        type_ = self.resolver.type_of(found, where)
        return type_.ref if isinstance(type_, ClassType) and isinstance(type_.ref, tuple) else None

    def _is_added(self, name: str) -> bool:
        """Whether some file may add an attribute of that name: by assigning to it, or as the other side of a relationship."""
        made = self.resolver.remembered("backrefs of unknown classes", self._backrefs_anywhere)
        if made is None or name in made:
            return True
        return next(iter(self.resolver.sources.stored_attributes(name)), None) is not None

    def _backrefs_anywhere(self) -> frozenset[str] | None:
        """What backrefs whose class cannot be told make, on whichever class; None when one's name cannot be read."""
        names: set[str | None] = set()
        self.resolver.keys.add((BACKREF, ""))
        for file in self.statements.mappings.files.mentioning((BACKREF, "")):
            for qualname, classes in file.facts.classes.items():
                self.resolver.keys.add((file.file_id, qualname))
                for class_ in classes:
                    self.resolver.keys.update((file.file_id, each) for each in class_.methods.values())
                    for call, given, _ in backref_calls(file.facts, class_):
                        if target_name(call) is None:
                            names.add(backref_name(given))
        return None if None in names else frozenset(name for name in names if name is not None)

    def names(self, ref: tuple[str, str]) -> frozenset[str] | None:
        """The names that a mapped class has for sure; None where there may be more."""
        return self.resolver.remembered(("mapped names", ref), lambda: self._names(ref))

    def _names(self, ref: tuple[str, str]) -> frozenset[str] | None:
        model = self.statements.mappings.model(ref)
        if model is None or not model.complete or not model.columns:
            return None
        declared = attribute_names(self.resolver, ClassType(ref))
        if declared is None:
            return None
        inner: set[str] = set()
        for each in self.resolver.ancestors(ClassType(ref)):
            found = self.resolver.class_facts(each)
            if found is None:
                continue
            facts, file = found
            if len(file.facts.classes.get(facts.qualname, ())) > 1:
                return None
            if any(name in ("__getattr__", "__getattribute__") for name in facts.methods):
                return None
            if any(
                name.startswith(("__versioned__", "__mapper_cls__", "__history")) for name in facts.attributes
            ):
                return None
            inner.update(facts.classes, facts.instance)
        return declared | model.columns.keys() | model.relationships.keys() | model.others | inner

    # -- names without a class in front ----------------------------------------------------------------------------

    def _subject(self, base: Value, file: SourceFile) -> tuple[ModelInfo, frozenset[str]] | None:
        """The only class that a statement is about, and its names."""
        forms = self.statements.of(base, file)
        if not forms.complete or not forms.statements:
            return None
        found: set[tuple[str, str]] = set()
        for form in forms.statements:
            if len(form.entities) != 1 or form.has(
                "join", "outerjoin", "join_from", "outerjoin_from", "select_from", "from_self", "from_statement", "union",
                "union_all", "subquery", "options_from", "reset_joinpoint", "set_entity",
            ):  # fmt: skip
                return None
            ref = self._class_of(*form.entities[0], 0)
            if ref is None:
                return None
            found.add(ref)
        if len(found) != 1:
            return None
        (ref,) = found
        known, model = self.names(ref), self.statements.mappings.model(ref)
        return (model, known) if known is not None and model is not None else None

    def _keywords(self, base: Value, call: Call, file: SourceFile) -> Iterator[Mention]:
        """`filter_by(name=…)`"""
        subject = self._subject(base, file)
        for key, _ in call.keywords if subject is not None else ():
            if subject is not None and key is not None and key not in subject[1] and not self._is_added(key):
                yield Mention(subject[0], key, "keyword", None, subject[1])

    def _texts(self, base: Value, call: Call, file: SourceFile) -> Iterator[Mention]:
        """`order_by("name")`"""
        for arg in call.args:
            if type(arg) is Const and isinstance(arg.value, str) and _WORD.fullmatch(arg.value):
                subject = self._subject(base, file)
                if subject is not None and arg.value not in subject[1] and not self._is_added(arg.value):
                    yield Mention(subject[0], arg.value, "text", None, subject[1])

    def _columns(self, base: Value, call: Call, file: SourceFile) -> Iterator[Mention]:
        """`update(User).values(name=…)`"""
        forms = self.statements.of(base, file).statements
        if forms and all(form.kind == "update" for form in forms):
            yield from self._keywords(base, call, file)
