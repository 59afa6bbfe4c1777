"""The sessions behind legacy queries: which kind they are, how well that is known, and how to name them.

This module must never look at what a query selects.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import Certainty, SessionInfo, SessionKind
from sqlalchemy_guard.facts.values import UNKNOWN, Attr, Call, Const, Param, Ref, Value
from sqlalchemy_guard.project import stubs
from sqlalchemy_guard.project.attributes import query_property
from sqlalchemy_guard.project.externals import ASYNC_SESSIONS, BASES
from sqlalchemy_guard.project.homes import Home, home_of
from sqlalchemy_guard.project.index import IMPORTS
from sqlalchemy_guard.project.mentions import QUERY_CLASS, QUERY_CLASS_KEYWORDS, QUERY_DOUBLE, QUERY_EVENTS
from sqlalchemy_guard.project.module_names import importable_as
from sqlalchemy_guard.project.types import ClassType, Instance, Type, known, options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.workspace import File, Workspace

_QUERIES = frozenset(("sqlalchemy.orm.Query", "flask_sqlalchemy.Query"))
# Mixins of libraries that only add methods.
_ADD_ONLY = frozenset(("sqlalchemy_searchable.SearchQueryMixin", "flask_sqlalchemy.BaseQuery"))
# What Flask-SQLAlchemy adds to Query, and later to its extension object.
_HELPERS = frozenset(("get_or_404", "first_or_404", "one_or_404", "paginate"))
# Nothing else of Query goes through these, so that an own one changes only the chains that call it.
_ALONE = frozenset(("get", "delete", "update"))
_DATABASE = "flask_sqlalchemy.SQLAlchemy"


class QuerySessions:
    """Answers about the receivers of one chunk.

    Args:
        workspace: All files.
        file: The file of the chunk.
        values: The symbolic values of the chunk's expressions.

    Attributes:
        imports: Module and name of what the texts given so far need, and no import of the file gives.
    """

    def __init__(self, workspace: Workspace, file: SourceFile, values: Mapping[ast.expr, Value]) -> None:
        self.workspace = workspace
        self.resolver: Resolver = workspace.resolver
        self.file = file
        self.values = values
        self.imports: dict[str, tuple[str, str]] = {}
        self.target: str | None = None
        """The oldest SQLAlchemy that the project runs on, None when nothing says it."""

    @property
    def has_helpers(self) -> bool:
        """Whether the extension object has `first_or_404()` and the like: Flask-SQLAlchemy 3, not 2."""
        return self.target != "1.4"

    @property
    def _since_2(self) -> bool:
        return self.target is not None and self.target != "1.4"

    def session(self, receiver: ast.expr, *, takes_classes: bool = False) -> SessionInfo | None:
        """The session that a receiver is, None when it is none.

        Args:
            receiver: The expression.
            takes_classes: Whether its `query()` is given mapped classes or their columns.
        """
        value = self.values.get(receiver, UNKNOWN)
        type_ = self.resolver.type_of(value, self.file)
        kinds: set[SessionKind] = set()
        doubtful = named_only = False
        for option in options(type_):
            kind = self._kind(option)
            if kind is None:
                doubtful = doubtful or next(known(option), None) is not None
                continue
            kinds.add(kind)
            named_only = named_only or (isinstance(option, Instance) and option.likely)
        if len(kinds) != 1:
            return None
        doubtful = doubtful or (
            named_only and not (takes_classes and self._only_sessions_take_classes(value))
        )
        certainty = Certainty.LIKELY if doubtful else Certainty.PROVEN
        kind = kinds.pop()
        database = None
        if kind is SessionKind.FLASK and isinstance(receiver, ast.Attribute):
            owner = self.resolver.type_of(self.values.get(receiver.value, UNKNOWN), self.file)
            if any(isinstance(each, Instance) and self._is_database(each) for each in known(owner)):
                database = ast.unparse(receiver.value)
        aborts = kind is SessionKind.FLASK and self._aborts()
        helpers = database if aborts and self.has_helpers else None
        return SessionInfo(
            kind,
            certainty,
            own_query_class(self.workspace),
            database=helpers,
            aborts=aborts,
            since_2=self._since_2,
            replaced=self._replaced(frozenset()),
        )

    def _only_sessions_take_classes(self, value: Value) -> bool:
        """Whether what is called like a session, and is asked for mapped classes, must be one of this workspace's sessions:
        it is handed in, and nothing else here that could be handed in has a `query()` for classes."""
        defined, _ = self.resolver.definition_of(value, self.file)
        if type(defined) not in (Param, Attr):
            return False
        self.resolver.keys.add((QUERY_DOUBLE, ""))
        return not any(True for _ in self.workspace.mentioning((QUERY_DOUBLE, "")))

    def _aborts(self) -> bool:
        """Whether nobody replaces the query's own `first_or_404()` and the like."""
        return own_query_class(self.workspace, _HELPERS.__contains__) is False

    def _kind(self, type_: Type) -> SessionKind | None:
        if not isinstance(type_, Instance):
            return None
        class_ = ClassType(type_.ref)
        refs = self.resolver.ancestors(class_)
        if isinstance(type_.ref, tuple) and self.resolver.member(class_, "query") is not None:
            return None
        if stubs.PROXIED & set(refs):
            held = type_.args[0] if type_.args else None
            if held is not None and isinstance(held, Instance):
                inner = self._kind(held)
                if inner in (SessionKind.FLASK, SessionKind.ASYNC):
                    return inner
            return SessionKind.SCOPED
        if ASYNC_SESSIONS & set(refs):
            return SessionKind.ASYNC
        if "flask_sqlalchemy.Session" in refs:
            return SessionKind.FLASK
        if "sqlmodel.Session" in refs:
            return SessionKind.SQLMODEL
        if any(ref == "sqlalchemy.orm.Session" for ref in _all_bases(refs)):
            return SessionKind.SYNC
        return None

    def _is_database(self, type_: Instance) -> bool:
        if isinstance(type_.ref, str):
            return type_.ref == _DATABASE
        return _DATABASE in self.resolver.ancestors(ClassType(type_.ref))

    # -- Model.query -----------------------------------------------------------------------------------------------

    def registry(self, query: ast.Attribute) -> SessionInfo | None:
        """The session behind `Model.query`."""
        value = self.values.get(query, UNKNOWN)
        made = self.resolver.type_of(value, self.file)
        if not any(isinstance(option, Instance) and option.ref in _QUERIES for option in known(made)):
            return None
        flask = any(
            isinstance(option, Instance) and option.ref == "flask_sqlalchemy.Query" for option in known(made)
        )
        refs = self._classes_of(query.value)
        own_class = own_query_class(self.workspace, of=refs)
        replaced = self._replaced(refs)
        if flask:
            database = self._name_for(query, self._is_database, [])
            text = f"{database}.session" if database is not None else None
            aborts = self._aborts()
            helpers = database if aborts and self.has_helpers else None
            return SessionInfo(
                SessionKind.FLASK, Certainty.PROVEN, own_class, text, helpers, aborts, self._since_2, replaced
            )
        text = self._name_for(query, self._is_registry, self._registries(query.value))
        return SessionInfo(
            SessionKind.SCOPED, Certainty.PROVEN, own_class, text, since_2=self._since_2, replaced=replaced
        )

    def _replaced(self, of: frozenset[object]) -> frozenset[str]:
        """The methods of `_ALONE` that an own Query class replaces."""
        return frozenset(name for name in _ALONE if own_query_class(self.workspace, name.__eq__, of))

    def _classes_of(self, model: ast.expr) -> frozenset[object]:
        """The classes that a class gets its attributes from, itself among them."""
        found = known(self.resolver.type_of(self.values.get(model, UNKNOWN), self.file))
        refs = [self.resolver.ancestors(option) for option in found if isinstance(option, ClassType)]
        return frozenset(ref for each in refs for ref in each)

    def origin_of(self, name: str) -> Value | None:
        """What the first name of a session's text stands for, whether the file imports it yet or not."""
        if name in self.imports:
            return Ref(*self.imports[name])
        return Ref("", name) if name in self.file.facts.names else None

    def _is_registry(self, type_: Instance) -> bool:
        return bool(stubs.PROXIED & set(self.resolver.ancestors(ClassType(type_.ref))))

    def _registries(self, model: ast.expr) -> list[Home]:
        """Where the registries stand whose `query_property()` is the `query` of a class: files and names."""
        found = []
        for option in known(self.resolver.type_of(self.values.get(model, UNKNOWN), self.file)):
            made = query_property(self.resolver, option) if isinstance(option, ClassType) else None
            value = made[0] if made is not None else None
            if made is not None and isinstance(value, Call) and isinstance(value.func, Attr):
                home = home_of(self.resolver, value.func.base, made[1])
                if home is not None:
                    found.append(home)
        return found

    def _name_for(
        self, query: ast.Attribute, wanted: Callable[[Instance], bool], homes: list[Home]
    ) -> str | None:
        """A name of this file for an object of the wanted type, or one that can be imported from the class's module.

        Args:
            query: `Model.query`.
            wanted: Tells the type.
            homes: Where the objects stand that may be meant, if that is known: the file of one, and its name there.
        """
        here = self._named(self.file, wanted, homes)
        if here is not None:
            return here[0]
        for option in known(self.resolver.type_of(self.values.get(query.value, UNKNOWN), self.file)):
            if not isinstance(option, ClassType):
                continue
            near = [ref[0] for ref in self.resolver.ancestors(option) if isinstance(ref, tuple)]
            for file_id in dict.fromkeys((*near, *(home for home, _ in homes))):
                source = self.workspace.file(file_id)
                found = self._named(source, wanted, homes) if source is not None else None
                if source is None or found is None:
                    continue
                name, origin = found
                if name in self.file.facts.names:
                    return None
                module = (
                    origin
                    if origin and not origin.startswith(".")
                    else importable_as(self.resolver, source.file_id, self.file)
                )
                home = self.resolver.module(module, self.file)
                if home is not None and self._closes_cycle(home, name):
                    continue
                self.imports[name] = (module, name)
                return name
        return None

    def _closes_cycle(self, home: str, name: str) -> bool:
        """Whether importing a name here closes a cycle that its other imports do not make already."""
        self.resolver.keys.update(((IMPORTS, ""), (self.file.file_id, "*imports")))
        if home not in self.workspace.dependents(self.file.file_id):
            return False
        if any(self.resolver.module(each, self.file) == home for each in self.file.facts.imported_modules()):
            return False
        return not any(self._takes(target, name, home) for target in self._imported(self.file))

    def _imported(self, file: SourceFile) -> set[str]:
        """The modules that a file imports from whenever it is imported itself."""
        found = {
            self.resolver.module(binding.value.module, file)
            for bindings in file.facts.names.values()
            for binding in bindings
            if type(binding.value) is Ref and binding.value.module and not binding.conditional
        }
        return {target for target in found if target is not None}

    def _takes(self, file_id: str, name: str, home: str) -> bool:
        """Whether a module takes a name from where it is made: who imports that module has it taken, too."""
        source = self.workspace.file(file_id)
        self.resolver.keys.add((file_id, name))
        return source is not None and any(
            type(binding.value) is Ref
            and not binding.conditional
            and binding.value.name == name
            and self.resolver.module(binding.value.module, source) == home
            for binding in source.facts.names.get(name, ())
        )

    def _named(
        self, file: SourceFile, wanted: Callable[[Instance], bool], homes: list[Home]
    ) -> tuple[str, str | None] | None:
        """A module-level name of a file for an object of the wanted type, and the module that it is imported from."""
        for name, bindings in file.facts.names.items():
            for option in known(self.resolver.name(name, file)):
                if isinstance(option, Instance) and wanted(option):
                    if homes and home_of(self.resolver, Ref("", name), file) not in homes:
                        continue
                    value = bindings[-1].value
                    same = type(value) is Ref and value.name == name
                    return name, value.module if type(value) is Ref and same else None
        return None


def _all_bases(refs: tuple[object, ...]) -> list[object]:
    found = list(refs)
    for ref in found:
        if isinstance(ref, str):
            found.extend(base for base in BASES.get(ref, ()) if base not in found)
    return found


def _changes_queries(name: str) -> bool:
    """Whether a method of this name changes what other chains do: an own `paginate()` changes only itself."""
    return (
        name not in _HELPERS
        and name not in _ALONE
        and (name in stubs.METHODS["sqlalchemy.orm.Query"] or name.startswith("_"))
    )


def own_query_class(
    workspace: Workspace,
    matters: Callable[[str], bool] = _changes_queries,
    of: frozenset[object] = frozenset(),
) -> bool | None:
    """Whether sessions of the workspace make queries of an own class with behaviour, or listen to events of Query.

    True when one does, None when somebody names a class that cannot be read, False when nobody does.

    Args:
        workspace: All files.
        matters: Whether a method of this name in the own class counts.
        of: The class whose `query` it is about, with its bases: what other models say of theirs does not count.
    """
    resolver = workspace.resolver
    resolver.keys.add((QUERY_CLASS, ""))
    answer: bool | None = False
    for file in workspace.mentioning((QUERY_CLASS, "")):
        found = _in_file(resolver, file, matters, of)
        if found:
            return True
        answer = None if found is None else answer
    return answer


def _in_file(
    resolver: Resolver, file: File, matters: Callable[[str], bool], of: frozenset[object]
) -> bool | None:
    answer: bool | None = False
    for unit in file.facts.units():
        for fact in unit.calls:
            texts = [each.value for each in fact.value.args if type(each) is Const]
            if any(text in QUERY_EVENTS for text in texts if isinstance(text, str)):
                return True
            for name, value in fact.value.keywords:
                if name in QUERY_CLASS_KEYWORDS:
                    found = _has_behaviour(resolver, value, file, matters)
                    if found:
                        return True
                    answer = None if found is None else answer
    for qualname, classes in file.facts.classes.items():
        ref = (file.file_id, qualname)
        if ref not in of and resolver.is_model(ClassType(ref)):
            continue
        for name in QUERY_CLASS_KEYWORDS:
            attribute = classes[-1].attributes.get(name)
            if attribute is not None and attribute.value is not None:
                found = _has_behaviour(resolver, attribute.value, file, matters)
                if found:
                    return True
                answer = None if found is None else answer
    return answer


def _has_behaviour(
    resolver: Resolver, value: Value, file: SourceFile, matters: Callable[[str], bool]
) -> bool | None:
    """Whether a Query class changes what methods of Query do: it overrides one, or something that all go through."""
    if type(value) is Const and value.value is None:
        return False
    answer: bool | None = None
    for option in known(resolver.type_of(value, file)):
        if not isinstance(option, ClassType):
            continue
        answer = False
        for ref in resolver.ancestors(option):
            if isinstance(ref, str):
                if ref not in _QUERIES and ref not in _ADD_ONLY and not ref.startswith("builtins."):
                    # Somebody else's query class: what it does is not known.
                    answer = None
                continue
            found = resolver.class_facts(ref)
            if found is None:
                continue
            for name in found[0].methods:
                if matters(name):
                    return True
    return answer
