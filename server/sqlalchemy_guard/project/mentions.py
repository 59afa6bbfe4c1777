"""What a file says about classes of other files, by name: backrefs, subclasses, ways to replace `Query`.

A mapping is complete only with what others add to it. The workspace keeps an index of these mentions, so that a model
finds them, and is looked at anew when they come or go. Names only: this module must never resolve one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import (
    Attr,
    Call,
    ClassName,
    Const,
    Def,
    Either,
    Function,
    Param,
    Ref,
    Value,
)
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.facts.declarations import ClassFacts
    from sqlalchemy_guard.facts.file import FileFacts
    from sqlalchemy_guard.project.resolve import Key

BACKREF, SUBCLASS, QUERY_CLASS, TABLE = "*backref", "*subclass", "*query class", "*table"
"""`(BACKREF, "")` stands for backrefs on classes that cannot be told.

`(TABLE, "")` is the key of what rests on which classes and calls of the workspace may make tables."""
MAKES_BACKREF = "*makes backref"
"""`(MAKES_BACKREF, "User Post.author")`: the method `Post.author` makes a backref on a `User`; `(BACKREF, "User")` changes
with it, also where another relationship of the file makes one on that class."""
QUERY_DOUBLE = "*query double"
"""`(QUERY_DOUBLE, "")`: something that is no Session may have a `query()` that takes classes."""
RELATED = "*related"
"""`(RELATED, "posts")`: a class has a relationship of that name, or a property, which may read one; `(RELATED, "")` is the
key of what rests on which of these names there are."""

_RELATIONSHIPS = frozenset(("relationship", "relation", "Relationship"))
_PROPERTIES = frozenset(("property", "hybrid_property", "cached_property", "reify"))

QUERY_EVENTS = frozenset(
    (
        "before_compile",
        "before_compile_update",
        "before_compile_delete",
        "after_bulk_update",
        "after_bulk_delete",
    )
)
"""Events that only Query fires."""

QUERY_CLASS_KEYWORDS = frozenset(("query_cls", "query_class"))
"""Arguments and attributes that give a session or a model an own Query class."""

_DOUBLE = lazy_pattern(
    r"def query\((self|cls), *(\*?\w+ *(=[^:]*)?[,)]|\*?\w+ *: *(Any|type\b|Type\b))|def query\(\s*$"
    r"|\.query\.(return_value|side_effect)|\.query\(.*\.(return_value|side_effect)\b"
    r"|\bquery *= *(lambda|Mock|MagicMock|mock|pretend|stub|call_recorder|SimpleNamespace)\b"
)
_REPLACES: frozenset[Key] = frozenset({(QUERY_CLASS, "")})
_DOUBLES: frozenset[Key] = frozenset({(QUERY_DOUBLE, "")})


def of_queries(lines: Iterable[str]) -> frozenset[Key]:
    """The keys of what lines say about `Query`: whether they may give sessions or models a Query class of their own, or
    listen to its events, and whether they may make something with a `query()` that is no Session."""
    found: frozenset[Key] = frozenset()
    for line in lines:
        if "query" not in line:
            # Nearly every line ends here: two words stand in front of the five names that hold one of them.
            if ("compile" in line or "after_bulk" in line) and any(event in line for event in QUERY_EVENTS):
                found |= _REPLACES
        elif any(keyword in line for keyword in QUERY_CLASS_KEYWORDS):
            found |= _REPLACES
        elif _DOUBLE.search(line):
            found |= _DOUBLES
    return found


class Mentions:
    """Which known file says what."""

    def __init__(self) -> None:
        self._files: dict[Key, dict[str, None]] = {}
        self._classes: dict[str, dict[str, frozenset[Key]]] = {}
        self._keys: dict[str, frozenset[Key]] = {}
        self._related: frozenset[str] | None = None

    def learn(self, file_id: str, facts: FileFacts, lines: Iterable[str]) -> set[Key]:
        """A file was analysed; returns the keys of what may mean something else."""
        self._classes[file_id] = {qualname: of_class(facts, qualname) for qualname in facts.classes}
        return self._set(file_id, self._said(file_id, facts) | of_queries(lines))

    def _said(self, file_id: str, facts: FileFacts) -> frozenset[Key]:
        """What the classes and the calls of a file say."""
        tables: frozenset[Key] = frozenset({(TABLE, "")}) if "Table" in facts.called_names() else frozenset()
        return tables.union(*self._classes[file_id].values())

    def update(
        self, file_id: str, facts: FileFacts, changed: Iterable[str], turned: Iterable[str]
    ) -> set[Key]:
        """A file was edited; looks at the lines that went or came, and at classes only where one changed.

        Args:
            file_id: The file.
            facts: Its facts as they now are.
            changed: The names whose outline changed.
            turned: The lines that went and those that came.
        """
        before = self._keys.get(file_id, frozenset())
        of_query = of_queries(turned) | (before & (_REPLACES | _DOUBLES))
        known = self._classes.setdefault(file_id, {})
        owners = {each for name in changed for each in (name, name.rpartition(".")[0])}
        touched = owners.intersection((*facts.classes, *known))
        if of_query <= before and not touched and "*called.Table" not in owners:
            return set()
        for qualname in touched | (facts.classes.keys() ^ known.keys()):
            if qualname in facts.classes:
                known[qualname] = of_class(facts, qualname)
            else:
                known.pop(qualname, None)
        return self._set(file_id, self._said(file_id, facts) | of_query)

    def forget(self, file_id: str) -> set[Key]:
        """A file went; returns the keys of what may mean something else."""
        self._classes.pop(file_id, None)
        return self._set(file_id, frozenset())

    def files(self, key: Key) -> list[str]:
        """The files that mention something."""
        return list(self._files.get(key, ()))

    def _set(self, file_id: str, said: frozenset[Key]) -> set[Key]:
        before = self._keys.pop(file_id, frozenset())
        if said:
            self._keys[file_id] = said
        for key in before - said:
            self._files[key].pop(file_id, None)
        for key in said - before:
            self._files.setdefault(key, {})[file_id] = None
        differing = set(before ^ said)
        differing.update(
            (BACKREF, each.partition(" ")[0]) for kind, each in before ^ said if kind == MAKES_BACKREF
        )
        if any(kind == TABLE for kind, _ in differing):
            differing.add((TABLE, ""))
        if any(kind == RELATED for kind, _ in differing):
            differing.add((RELATED, ""))
            self._related = None
        return differing

    def related_names(self) -> frozenset[str]:
        """The names under `RELATED`."""
        if self._related is None:
            self._related = frozenset(
                name for kind, name in self._files if kind == RELATED and self._files[kind, name]
            )
        return self._related


def of_class(facts: FileFacts, qualname: str) -> frozenset[Key]:
    """The keys of what a class of a file says about classes elsewhere."""
    found: set[Key] = set()
    for class_ in facts.classes[qualname]:
        if class_.bases or class_.decorators or _may_declare_columns(class_):
            found.update(((TABLE, ""), (TABLE, qualname)))
        found.update((SUBCLASS, name) for base in class_.bases if (name := last_name(base)))
        for value, backref, method in backref_calls(facts, class_):
            target = target_name(value) or ""
            found.add((BACKREF, target))
            if method is not None:
                found.add((MAKES_BACKREF, f"{target} {method}"))
            name = backref_name(backref)
            if name is not None:
                found.add((RELATED, name))
        found.update((RELATED, name) for name in _related(facts, class_))
    return frozenset(found)


def backref_calls(facts: FileFacts, class_: ClassFacts) -> Iterator[tuple[Call, Value, str | None]]:
    """The relationships of a class that make another on the other side.

    Args:
        facts: Of the class's file.
        class_: The class; what its methods return counts, because a mixin declares relationships in `declared_attr`s.

    Returns:
        Each call, what its `backref` says, and the method that returns the call, None for an attribute.
    """
    declared: list[tuple[Value | None, str | None]] = [
        (attribute.value, None) for attribute in class_.attributes.values()
    ]
    for qualname in class_.methods.values():
        function = facts.function(qualname)
        if function is not None and function.decorators:
            declared.append((function.returned, qualname))
    for value, method in declared:
        for call in value.options if type(value) is Either else (value,):
            given = call.keyword("backref") if type(call) is Call else None
            if type(call) is Call and given is not None:
                yield call, given, method


def backref_name(given: Value) -> str | None:
    """The attribute that `backref="name"` or `backref=backref("name")` makes; None when it cannot be read."""
    named = (given.args[0] if given.args else given.keyword("name")) if type(given) is Call else given
    return named.value if type(named) is Const and isinstance(named.value, str) else None


def _may_declare_columns(class_: ClassFacts) -> bool:
    return any(
        type(attribute.value) is Call
        and last_name(attribute.value.func) in ("Column", "mapped_column", "Field")
        for attribute in class_.attributes.values()
    )


def _related(facts: FileFacts, class_: ClassFacts) -> list[str]:
    """The relationships and deferred columns of a class, and the properties of one that has any."""
    relationships = [
        attribute.name
        for attribute in class_.attributes.values()
        if type(attribute.value) is Call
        and (last_name(attribute.value.func) in _RELATIONSHIPS or _is_deferred(attribute.value))
    ]
    properties: list[str] = []
    for name, qualname in class_.methods.items():
        function = facts.function(qualname)
        if function is None:
            continue
        returned = function.returned
        if type(returned) is Call and last_name(returned.func) in _RELATIONSHIPS:
            relationships.append(name)
        elif any(last_name(decorator) in _PROPERTIES for decorator in function.decorators):
            properties.append(name)
    return relationships + properties if relationships else []


def _is_deferred(call: Call) -> bool:
    return last_name(call.func) == "deferred" or call.keyword("deferred") is not None


def last_name(value: Value) -> str | None:
    """The last part of a name."""
    if type(value) in (Ref, Attr, ClassName):
        name: str = value.name  # type: ignore[attr-defined]
        return name
    if type(value) is Def:
        return value.qualname.rpartition(".")[2]
    return None


def target_name(call: Call) -> str | None:
    """The name of the class that `relationship(…)` names, without its module; None when it is no name."""
    target = call.args[0] if call.args else call.keyword("argument")
    if type(target) is Attr and type(target.base) is Param:
        # `cls.target_name`, which subclasses set.
        return None
    if type(target) is Function:
        target = target.result
    if type(target) is Const:
        return target.value.rpartition(".")[2] if isinstance(target.value, str) else None
    return last_name(target) if target is not None else None
