"""The resolver: reduces symbolic values to types, across files, on demand, and remembers on what each answer rests.

An answer is kept on the value itself together with the keys it read: `(file id, name)` of a Summary, or a module's place.
It stays valid while none of these changed, so an edit invalidates exactly what it must. Cycles give unknown.
This module must never decide what is right or wrong in the user's code.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from sqlalchemy_guard.facts.values import (
    Attr,
    Await,
    Call,
    ClassName,
    Collected,
    Const,
    Def,
    Either,
    Element,
    Enter,
    Function,
    Item,
    Joined,
    Mapping,
    Param,
    Ref,
    Sequence,
    Star,
    Typed,
    Unknown,
    Value,
)
from sqlalchemy_guard.project import guesses, parameters, stubs, type_forms
from sqlalchemy_guard.project.externals import (
    ASYNC_SESSIONS,
    BASES,
    DECLARATIVE_BASES,
    KNOWN_MODULES,
    canonical,
    is_public,
)
from sqlalchemy_guard.project.types import (
    NONE_TYPE,
    UNKNOWN_TYPE,
    CallableType,
    ClassRef,
    ClassType,
    External,
    FunctionType,
    Instance,
    Literal,
    MethodType,
    ModuleType,
    TupleType,
    Type,
    TypeForm,
    coroutine,
    known,
    likely,
    list_of,
    options,
    union,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from sqlalchemy_guard.facts.declarations import Attribute, ClassFacts, FunctionFacts
    from sqlalchemy_guard.facts.file import FileFacts
    from sqlalchemy_guard.project.modules import Modules

T = TypeVar("T")
Key = tuple[str, str]
MODULES = "*modules"
"""`(MODULES, part)`: which files and folders called `part` there are."""


class SourceFile(Protocol):
    """What the resolver needs of a file."""

    file_id: str
    facts: FileFacts


class Sources(Protocol):
    """Where the resolver gets files from."""

    modules: Modules

    def file(self, file_id: str) -> SourceFile | None:
        """The file, analysed on demand; None when it cannot be read."""

    def classes_named(self, name: str, near: str) -> list[ClassRef]:
        """Classes of that name in the files that are known, the nearest first (string targets of relationships)."""

    def calls_of(self, name: str) -> Iterator[tuple[Call, SourceFile]]:
        """The calls with arguments of something of that last name in known files."""

    def stored_attributes(self, name: str) -> Iterator[tuple[Value, SourceFile]]:
        """What known files assign to attributes of that name of objects that are not their own `self`."""


_FEW = 4
"""So many changes are compared one by one with what an answer rests on."""

_DEEPEST = 150
_FINAL = 1_000


class Member(NamedTuple):
    """An attribute found in a class of the workspace."""

    owner: ClassFacts
    file: SourceFile
    attribute: Attribute | None
    function: FunctionFacts | None
    instance: tuple[Value | None, Value] | None


class _Memo:
    """An answer. One that a cycle cut short holds only while the value that the cycle came back to is being reduced."""

    __slots__ = ("keys", "level", "revision", "run", "type")

    def __init__(
        self, type_: Type, keys: frozenset[Key], revision: int, level: int = _FINAL, run: object = None
    ) -> None:
        self.type = type_
        self.keys = keys
        self.revision = revision
        self.level = level
        self.run = run


class _Running:
    """The mark of a value that is being reduced: how deep in the stack of those."""

    __slots__ = ("level",)

    def __init__(self, level: int) -> None:
        self.level = level


_NO_KEYS: frozenset[Key] = frozenset()
_TRANSPARENT_PROPERTIES = frozenset(
    {
        "builtins.property",
        "functools.cached_property",
        "sqlalchemy.ext.hybrid.hybrid_property",
        "werkzeug.utils.cached_property",
        "abc.abstractproperty",
        "sqlalchemy.util.memoized_property",
        "reify",
        "pyramid.decorator.reify",
    }
)
_CONTEXT_MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})
CONTEXT_MANAGER = "contextlib.AbstractContextManager"


class Resolver:
    """Answers what values are.

    Attributes:
        revision: Counts changes of Summaries; see `changed`.
        keys: What the answers given since the last `collect` rest on.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.revision = 0
        self.keys: set[Key] = set()
        self._changed: dict[Key, int] = {}
        self._recent: deque[set[Key]] = deque(maxlen=64)
        self._remembered: dict[object, tuple[int, frozenset[Key], Any]] = {}
        self._stack: list[_Running] = []
        self._cut = _FINAL

    # -- validity --------------------------------------------------------------------------------------------------

    def changed(self, keys: set[Key]) -> None:
        """These keys mean something else from now on."""
        if not keys:
            return
        self.revision += 1
        self._recent.append(keys)
        for key in keys:
            self._changed[key] = self.revision

    def changed_since(self, revision: int) -> set[Key] | None:
        """The keys that changed after a revision; None when that is too long ago to tell."""
        count = self.revision - revision
        if count > len(self._recent):
            return None
        return set().union(*[self._recent[-number] for number in range(1, count + 1)])

    def valid(self, keys: frozenset[Key], revision: int) -> bool:
        """Whether an answer that rests on these keys and was given at a revision still holds."""
        behind = self.revision - revision
        if behind <= _FEW:
            recent = self._recent
            return all(keys.isdisjoint(recent[-number]) for number in range(1, behind + 1))
        changed = self._changed
        return all(changed.get(key, 0) <= revision for key in keys)

    def collect(self) -> set[Key]:
        """Start to collect keys anew; returns the set that will be filled."""
        self.keys = set()
        return self.keys

    def remembered(self, question: Hashable, answer: Callable[[], T]) -> T:
        """The answer to a question about the workspace, found out again when something that it rests on changed."""
        kept = self._remembered.get(question)
        if kept is not None and self.valid(kept[1], kept[0]):
            self.keys |= kept[1]
            result: T = kept[2]
            return result
        outer, self.keys = self.keys, set()
        outer_cut, self._cut = self._cut, _FINAL
        revision = self.revision
        try:
            result = answer()
            if self._cut == _FINAL:
                self._remembered[question] = (revision, frozenset(self.keys), result)
        finally:
            outer |= self.keys
            self.keys, self._cut = outer, min(self._cut, outer_cut)
        return result

    # -- values ----------------------------------------------------------------------------------------------------

    def type_of(self, value: Value, file: SourceFile) -> Type:
        """The type of a value that belongs to a file. Never raises."""
        memo = value.memo
        stack = self._stack
        if type(memo) is _Memo:
            if memo.run is None:
                if memo.revision == self.revision or self.valid(memo.keys, memo.revision):
                    memo.revision = self.revision
                    self.keys |= memo.keys
                    return memo.type
            elif memo.level < len(stack) and stack[memo.level] is memo.run and memo.revision == self.revision:
                self.keys |= memo.keys
                self._cut = min(self._cut, memo.level)
                return memo.type
        elif type(memo) is _Running:
            self._cut = min(self._cut, memo.level)
            return UNKNOWN_TYPE
        level = len(stack)
        if level > _DEEPEST:
            self._cut = 0
            return UNKNOWN_TYPE
        reduce = _REDUCERS.get(type(value))
        if reduce is None:
            return UNKNOWN_TYPE
        running = _Running(level)
        outer, self.keys = self.keys, set()
        outer_cut, self._cut = self._cut, _FINAL
        value.memo = running
        stack.append(running)
        # Files that are loaded meanwhile change what was read before: the answer is of the time at which it was asked.
        revision = self.revision
        type_ = UNKNOWN_TYPE
        try:
            type_ = reduce(self, value, file)
        finally:
            stack.pop()
            inner, self.keys = self.keys, outer
            outer |= inner
            keys = frozenset(inner) if inner else _NO_KEYS
            cut, self._cut = self._cut, min(outer_cut, self._cut)
            if cut < level:
                value.memo = _Memo(type_, keys, revision, cut, stack[cut])
            else:
                value.memo = _Memo(type_, keys, revision)
                self._cut = outer_cut
        return type_

    def instance_of(self, annotation: Value, file: SourceFile) -> Type:
        """The type of a value that an annotation describes."""
        return type_forms.instance_of(self, annotation, file)

    def _const(self, value: Const, _file: SourceFile) -> Type:
        return Literal(value.value, value.kind)

    def _either(self, value: Either, file: SourceFile) -> Type:
        return union(self.type_of(option, file) for option in value.options)

    def _typed(self, value: Typed, file: SourceFile) -> Type:
        declared = self.instance_of(value.annotation, file)
        return declared if next(known(declared), None) is not None else self.type_of(value.value, file)

    def _ref(self, value: Ref, file: SourceFile) -> Type:
        if not value.module:
            return self.name(value.name, file)
        target = self.module(value.module, file)
        if target is None:
            if value.module.startswith("."):
                return UNKNOWN_TYPE
            return self.external(value.module, value.name)
        if not value.name:
            return ModuleType(value.module, target)
        return self.member_of_module(target, value.name, value.module)

    def name(self, name: str, file: SourceFile) -> Type:
        """What a name of a module stands for: its own binding, a star import's, or a builtin."""
        self.keys.add((file.file_id, name))
        self.keys.add((file.file_id, "*"))
        bound = file.facts.value_of(name)
        if bound is not None:
            return self._bound(bound, file)
        for star in file.facts.stars:
            target = self.module(star.module, file)
            if target is None:
                if not star.module.startswith("."):
                    found = self.external(star.module, name)
                    if isinstance(found, ClassType) or (
                        isinstance(found, External) and found.name in stubs.FUNCTIONS
                    ):
                        return found
                continue
            starred = self.member_of_module(target, name, star.module)
            if starred != UNKNOWN_TYPE:
                return starred
        return self.external("builtins", name)

    def _bound(self, bound: tuple[Value, Value | None], file: SourceFile) -> Type:
        value, annotation = bound
        if annotation is not None:
            declared = self.instance_of(annotation, file)
            if next(known(declared), None) is not None and not _is_alias_marker(declared):
                return declared
        return self.type_of(value, file)

    def module(self, name: str, file: SourceFile) -> str | None:
        """The file (or folder) of a module imported in a file; None outside the workspace."""
        self.keys |= module_keys(name)
        return self.sources.modules.find(name, file.file_id)

    def member_of_module(self, target: str, name: str, module: str) -> Type:
        """A name of a module of the workspace."""
        if not target.endswith(("/", "\\")):
            self.keys.add((target, name))
            self.keys.add((target, "*"))
            source = self.sources.file(target)
            if source is not None:
                bound = source.facts.value_of(name)
                if bound is not None:
                    value = bound[0]
                    if not (type(value) is Ref and value.module == "." and value.name == name):
                        return self._bound(bound, source)
                for star in source.facts.stars:
                    inner = self.module(star.module, source)
                    if inner is not None and inner != target:
                        found = self.member_of_module(inner, name, star.module)
                        if found != UNKNOWN_TYPE:
                            return found
                    elif inner is None and not star.module.startswith("."):
                        outside = self.external(star.module, name)
                        if isinstance(outside, ClassType) or (
                            isinstance(outside, External) and outside.name in stubs.FUNCTIONS
                        ):
                            return outside
        self.keys |= module_keys(name)
        inner = self.sources.modules.submodule(target, name)
        return ModuleType(f"{module}.{name}", inner) if inner is not None else UNKNOWN_TYPE

    def external(self, module: str, name: str) -> Type:
        """A name of a module outside the workspace."""
        full = canonical(module, name)
        if full in stubs.CLASSES or full in DECLARATIVE_BASES or full in BASES:
            return ClassType(full)
        if not name or full in KNOWN_MODULES:
            return ModuleType(full)
        return External(full)

    def _def(self, value: Def, file: SourceFile) -> Type:
        self.keys.add((file.file_id, value.qualname))
        if file.facts.class_(value.qualname) is not None:
            return ClassType((file.file_id, value.qualname))
        if file.facts.function(value.qualname) is not None:
            return FunctionType(file.file_id, value.qualname)
        return UNKNOWN_TYPE

    def _class_name(self, value: ClassName, file: SourceFile) -> Type:
        self.keys.add((file.file_id, value.qualname))
        facts = file.facts.class_(value.qualname)
        if facts is not None:
            if value.name in facts.attributes:
                attribute = facts.attributes[value.name]
                if attribute.value is not None and not _refers_to_itself(attribute.value, value):
                    return self.type_of(attribute.value, file)
            elif value.name in facts.methods:
                return FunctionType(file.file_id, facts.methods[value.name])
            elif value.name in facts.classes:
                return ClassType((file.file_id, facts.classes[value.name]))
        return self.name(value.name, file)

    def _param(self, value: Param, file: SourceFile) -> Type:
        found = parameters.type_of_parameter(self, value, file)
        if next(known(found), None) is None:
            return guesses.guess(self, value.name, file)
        return found

    def _sequence(self, value: Sequence, file: SourceFile) -> Type:
        if value.kind == "tuple" and not any(type(item) is Star for item in value.items):
            return TupleType(tuple(self.type_of(item, file) for item in value.items))
        items = [
            stubs.iterated(self.type_of(item.base, file)) if type(item) is Star else self.type_of(item, file)
            for item in value.items[:16]
        ]
        return Instance(f"builtins.{value.kind}", (union(items),))

    def _collected(self, value: Collected, file: SourceFile) -> Type:
        element = self.type_of(value.element, file)
        if value.kind == "dict":
            return Instance("builtins.dict", (UNKNOWN_TYPE, element))
        return Instance(f"builtins.{value.kind}", (element,)) if value.kind != "list" else list_of(element)

    def _mapping(self, value: Mapping, file: SourceFile) -> Type:
        return Instance(
            "builtins.dict", (UNKNOWN_TYPE, union(self.type_of(item, file) for _, item in value.entries[:16]))
        )

    def _joined(self, _value: Joined, _file: SourceFile) -> Type:
        return Instance("builtins.str")

    def _function(self, value: Function, file: SourceFile) -> Type:
        return CallableType(self.type_of(value.result, file))

    def _await(self, value: Await, file: SourceFile) -> Type:
        return union(_unwrapped(option) for option in options(self.type_of(value.base, file)))

    def _element(self, value: Element, file: SourceFile) -> Type:
        return union(self.iterate(option) for option in options(self.type_of(value.base, file)))

    def iterate(self, type_: Type) -> Type:
        """What one step of iterating gives, `__iter__` of the workspace's classes included."""
        if isinstance(type_, Instance) and isinstance(type_.ref, tuple):
            for name in ("__iter__", "__aiter__"):
                member = self.member(ClassType(type_.ref), name)
                if member is not None and member.function is not None:
                    return stubs.iterated(self.result_of(member.function, member.file, type_))
            for ref in self.ancestors(ClassType(type_.ref)):
                if isinstance(ref, str):
                    return stubs.iterated(Instance(ref, type_.args))
        return stubs.iterated(type_)

    def _enter(self, value: Enter, file: SourceFile) -> Type:
        return union(
            self.entered(option, is_async=value.is_async)
            for option in options(self.type_of(value.base, file))
        )

    def entered(self, type_: Type, *, is_async: bool) -> Type:
        """What `with` binds for a context manager of a type."""
        if not isinstance(type_, Instance):
            return UNKNOWN_TYPE
        if isinstance(type_.ref, str):
            if type_.ref in (CONTEXT_MANAGER, "sqlalchemy.orm.SessionTransaction", "sqlalchemy.Transaction"):
                return type_.args[0] if type_.args else UNKNOWN_TYPE
            return (
                type_
                if type_.ref.startswith(("sqlalchemy.", "sqlmodel.", "flask_sqlalchemy."))
                else UNKNOWN_TYPE
            )
        for name in ("__aenter__", "__enter__") if is_async else ("__enter__", "__aenter__"):
            member = self.member(ClassType(type_.ref), name)
            if member is not None and member.function is not None:
                return _unwrapped(self.result_of(member.function, member.file, type_))
        return type_ if self.external_ancestor(ClassType(type_.ref)) is not None else UNKNOWN_TYPE

    def _item(self, value: Item, file: SourceFile) -> Type:
        base = self.type_of(value.base, file)
        form = type_forms.form_of(self, base, value.index, file)
        if form is not None:
            return form
        index = value.index.value if type(value.index) is Const else None
        return union(_indexed(option, index) for option in options(base))

    def definition_of(self, value: Value, file: SourceFile) -> tuple[Value, SourceFile]:
        """Follow names, across files, to the expression that they were last bound to; the value itself where that ends."""
        for _ in range(12):
            if type(value) is Typed:
                value = value.value
                continue
            if type(value) is Attr:
                base = self.type_of(value.base, file)
                if not isinstance(base, ModuleType) or base.file_id is None:
                    return value, file
                found = self._binding(base.file_id, value.name)
            elif type(value) is Ref:
                if value.module:
                    target = self.module(value.module, file)
                else:
                    target = file.file_id
                found = self._binding(target, value.name) if target is not None else None
            else:
                return value, file
            if found is None:
                return value, file
            value, file = found
        return value, file

    def _binding(self, file_id: str, name: str) -> tuple[Value, SourceFile] | None:
        self.keys.add((file_id, name))
        source = self.sources.file(file_id) if not file_id.endswith(("/", "\\")) else None
        if source is None:
            return None
        bound = source.facts.value_of(name)
        return (bound[0], source) if bound is not None else None

    # -- attributes ------------------------------------------------------------------------------------------------

    def _attr(self, value: Attr, file: SourceFile) -> Type:
        base = self.type_of(value.base, file)
        found = union(self.attribute(option, value.name) for option in options(base))
        if next(known(found), None) is None and not isinstance(base, (ModuleType, External)):
            stored = guesses.stored_elsewhere(self, value.name, file)
            return stored if stored != UNKNOWN_TYPE else guesses.guess(self, value.name, file)
        return found

    def attribute(self, base: Type, name: str) -> Type:
        """The type of `base.name`."""
        if isinstance(base, ModuleType):
            if base.file_id is not None:
                return self.member_of_module(base.file_id, name, base.name)
            return self.external(base.name, name)
        if isinstance(base, External):
            return self.external(base.name, name)
        if isinstance(base, Instance):
            return self._instance_attribute(base, name)
        if isinstance(base, ClassType):
            return self._class_attribute(base, name)
        if isinstance(base, Literal) and base.kind == "str":
            return MethodType(Instance("builtins.str"), name)
        return UNKNOWN_TYPE

    def _instance_attribute(self, base: Instance, name: str) -> Type:
        if isinstance(base.ref, str):
            return self._library_attribute(base, base.ref, name)
        class_ = ClassType(base.ref)
        member = self.member(class_, name)
        if member is not None:
            return self._member_type(member, base, name)
        for ref in self.ancestors(class_):
            if isinstance(ref, str):
                found = self._library_attribute(Instance(ref, base.args, base.likely), ref, name)
                if found != UNKNOWN_TYPE:
                    return found
        return UNKNOWN_TYPE

    def _library_attribute(self, base: Instance, ref: str, name: str) -> Type:
        for class_ in _with_bases(ref):
            known_attribute = stubs.ATTRIBUTES.get(class_, {}).get(name)
            if known_attribute is not None:
                return likely(known_attribute) if base.likely else known_attribute
            if name in stubs.METHODS.get(class_, {}):
                return MethodType(base, name)
        if ref in stubs.PROXIED and base.args:
            return self.attribute(base.args[0], name)
        for module in stubs.PROXY_TARGETS.get(ref, ()):
            if is_public(module, name):
                return self.external(module, name)
        return UNKNOWN_TYPE

    def _class_attribute(self, base: ClassType, name: str) -> Type:
        if isinstance(base.ref, str):
            return self._library_class_attribute(base.ref, name, base)
        member = self.member(base, name)
        if member is not None:
            if member.function is not None:
                if self.is_property(member.function, member.file):
                    return self.result_of(member.function, member.file, base)
                return FunctionType(member.file.file_id, member.function.qualname, base)
            if member.attribute is not None:
                return self._attribute_type(member, of_instance=False)
            if member.instance is not None:
                return self._stored(member.instance, member.file)
        facts = self.class_facts(base.ref)
        if facts is not None and name in facts[0].classes:
            return ClassType((base.ref[0], facts[0].classes[name]))
        for ref in self.ancestors(base):
            if isinstance(ref, str):
                found = self._library_class_attribute(ref, name, base)
                if found != UNKNOWN_TYPE:
                    return found
        return UNKNOWN_TYPE

    def _library_class_attribute(self, ref: str, name: str, owner: ClassType) -> Type:
        for class_ in _with_bases(ref):
            found = stubs.CLASS_ATTRIBUTES.get(class_, {}).get(name)
            if found is not None:
                return found
            if name == "query" and class_ == "flask_sqlalchemy.Model":
                return Instance("flask_sqlalchemy.Query", (owner,))
            if name in stubs.METHODS.get(class_, {}):
                return MethodType(owner, name)
        return UNKNOWN_TYPE

    def member(self, class_: ClassType, name: str) -> Member | None:
        """An attribute or method of a class of the workspace, through its ancestors there."""
        for ref in self.ancestors(class_):
            if isinstance(ref, str):
                continue
            found = self.class_facts(ref)
            if found is None:
                continue
            facts, file = found
            if name in facts.attributes:
                return Member(facts, file, facts.attributes[name], None, facts.instance.get(name))
            if name in facts.methods:
                function = file.facts.function(facts.methods[name])
                if function is not None:
                    self.keys.add((file.file_id, function.qualname))
                    return Member(facts, file, None, function, None)
            if name in facts.instance:
                return Member(facts, file, None, None, facts.instance[name])
        return None

    def _member_type(self, member: Member, base: Instance, name: str) -> Type:
        if member.function is not None:
            if self.is_property(member.function, member.file):
                return self.result_of(member.function, member.file, base)
            return FunctionType(member.file.file_id, member.function.qualname, base)
        if member.attribute is not None:
            declared = self._attribute_type(member, of_instance=True)
            if next(known(declared), None) is not None or member.instance is None:
                if isinstance(declared, Instance) and declared.ref == "sqlalchemy.orm.query_property()":
                    return Instance("sqlalchemy.orm.Query", (ClassType(base.ref),))
                return declared
        if member.instance is not None:
            return self._stored(member.instance, member.file)
        return self.name(name, member.file)

    def _stored(self, stored: tuple[Value | None, Value], file: SourceFile) -> Type:
        annotation, value = stored
        if annotation is not None:
            declared = self.instance_of(annotation, file)
            if next(known(declared), None) is not None:
                return declared
        return self.type_of(value, file)

    def _attribute_type(self, member: Member, *, of_instance: bool) -> Type:
        attribute = member.attribute
        assert attribute is not None
        mapped = self.mapped_type(attribute, member.file)
        if mapped is not None:
            return mapped if of_instance else Instance("sqlalchemy.orm.InstrumentedAttribute", (mapped,))
        if attribute.annotation is not None:
            declared = self.instance_of(attribute.annotation, member.file)
            if next(known(declared), None) is not None:
                return declared
        if attribute.value is None:
            return UNKNOWN_TYPE
        type_ = self.type_of(attribute.value, member.file)
        if isinstance(type_, Instance) and type_.ref == "sqlalchemy.orm.query_property()":
            return Instance(
                "sqlalchemy.orm.Query", (ClassType((member.file.file_id, member.owner.qualname)),)
            )
        return type_

    def mapped_type(self, attribute: Attribute, file: SourceFile) -> Type | None:
        """The Python type of a mapped attribute (column or relationship), None when the attribute is not mapped."""
        if attribute.annotation is not None:
            declared = self.instance_of(attribute.annotation, file)
            if isinstance(declared, Instance) and declared.ref in _MAPPED:
                return declared.args[0] if declared.args else UNKNOWN_TYPE
        if attribute.value is None:
            return None
        type_ = self.type_of(attribute.value, file)
        if not isinstance(type_, Instance):
            return None
        if type_.ref == "sqlalchemy.orm.Relationship":
            if attribute.annotation is not None:
                declared = self.instance_of(attribute.annotation, file)
                if next(known(declared), None) is not None:
                    return declared
            target = self.relationship_target(attribute.value, file)
            if target is None:
                return UNKNOWN_TYPE
            call = attribute.value
            uselist = call.keyword("uselist") if type(call) is Call else None
            if type(uselist) is Const and uselist.value is False:
                return Instance(target)
            # The direction needs the keys; either way iterating or reading gives objects of the target.
            return union((list_of(Instance(target)), Instance(target)))
        if type_.ref in ("sqlalchemy.Column", "sqlalchemy.orm.MappedColumn"):
            return UNKNOWN_TYPE
        return None

    def relationship_target(self, value: Value, file: SourceFile) -> ClassRef | None:
        """The class that `relationship(…)` names, by object, string or callable."""
        if type(value) is not Call or not (value.args or value.keyword("argument")):
            return None
        target = value.args[0] if value.args else value.keyword("argument")
        if type(target) is Function:
            target = target.result
        if type(target) is Const and isinstance(target.value, str):
            name = target.value.rpartition(".")[2]
            here = self.name(name, file)
            if isinstance(here, ClassType):
                return here.ref
            found = self.sources.classes_named(name, file.file_id)
            return found[0] if found else None
        for option in known(self.type_of(target, file)) if target is not None else ():
            if isinstance(option, ClassType):
                return option.ref
        return None

    # -- classes ---------------------------------------------------------------------------------------------------

    def class_facts(self, ref: ClassRef) -> tuple[ClassFacts, SourceFile] | None:
        """The facts of a class of the workspace."""
        if isinstance(ref, str):
            return None
        self.keys.add(ref)
        file = self.sources.file(ref[0])
        if file is None:
            return None
        facts = file.facts.class_(ref[1])
        return (facts, file) if facts is not None else None

    def ancestors(self, class_: ClassType) -> tuple[ClassRef, ...]:
        """The class and its ancestors, nearest first, depth first, each once."""
        return self.remembered(("ancestors", class_), lambda: self._ancestors_of(class_))

    def _ancestors_of(self, class_: ClassType) -> tuple[ClassRef, ...]:
        found: dict[ClassRef, None] = {}
        todo: list[ClassRef] = [*reversed(class_.extra), class_.ref]
        while todo and len(found) < 200:
            ref = todo.pop()
            if ref in found:
                continue
            found[ref] = None
            todo.extend(reversed(self._bases(ref)))
        return tuple(found)

    def _bases(self, ref: ClassRef) -> list[ClassRef]:
        if isinstance(ref, str):
            return list(BASES.get(ref, ()))
        facts = self.class_facts(ref)
        if facts is None:
            return []
        class_, file = facts
        bases: list[ClassRef] = []
        for base in class_.bases:
            for option in options(self.type_of(base, file)):
                if isinstance(option, TypeForm):
                    option = option.instance
                if isinstance(option, ClassType):
                    bases.extend((option.ref, *option.extra))
                elif isinstance(option, Instance) and option.args:
                    bases.append(option.ref)
                elif isinstance(option, External):
                    bases.append(option.name)
        for decorator in class_.decorators:
            name = self.external_name(decorator.func if type(decorator) is Call else decorator, file)
            if name in (
                "sqlalchemy.orm.as_declarative",
                "sqlalchemy.orm.registry.as_declarative_base",
            ) or name in ("sqlalchemy.orm.registry.mapped", "sqlalchemy.orm.registry.mapped_as_dataclass"):
                bases.append("sqlalchemy.orm.declarative_base()")
        return bases

    def external_ancestor(self, class_: ClassType) -> str | None:
        """The first ancestor outside the workspace that the product knows."""
        for ref in self.ancestors(class_):
            if isinstance(ref, str) and ref in stubs.CLASSES:
                return ref
        return None

    def is_model(self, type_: Type) -> bool:
        """Whether a type is a class object with a declarative base among its ancestors."""
        if not isinstance(type_, ClassType) or isinstance(type_.ref, str):
            return False
        return any(isinstance(ref, str) and ref in DECLARATIVE_BASES for ref in self.ancestors(type_))

    def external_name(self, value: Value, file: SourceFile) -> str | None:
        """The canonical name of a function, class or method outside the workspace, None for everything else."""
        type_ = self.type_of(value, file)
        for option in known(type_):
            name = name_of(option)
            if name is not None:
                return name
        return None

    # -- calls -----------------------------------------------------------------------------------------------------

    def _call(self, value: Call, file: SourceFile) -> Type:
        func = self.type_of(value.func, file)
        made = union(self.called(option, value, file) for option in options(func))
        if made == UNKNOWN_TYPE and isinstance(value.func, (Attr, Ref)):
            return guesses.guess_made(self, func, value.func.name, file)
        return made

    def called(self, func: Type, value: Call, file: SourceFile) -> Type:
        """What calling an object of a type gives."""
        if isinstance(func, FunctionType):
            target = self.sources.file(func.file_id)
            function = target.facts.function(func.qualname) if target is not None else None
            if function is None or target is None:
                return UNKNOWN_TYPE
            return self.result_of(function, target, func.bound)
        if isinstance(func, MethodType):
            return self._method_result(func, value, file)
        if isinstance(func, ClassType):
            if isinstance(func.ref, str):
                stub = stubs.CONSTRUCTED.get(func.ref)
                if stub is not None:
                    return stub(_Site(self, file, value, None))
                return Instance(func.ref)
            return self._constructed(func, value, file)
        if isinstance(func, External):
            stub = stubs.FUNCTIONS.get(func.name)
            return stub(_Site(self, file, value, None)) if stub is not None else UNKNOWN_TYPE
        if isinstance(func, CallableType):
            return func.result
        if isinstance(func, Instance):
            if isinstance(func.ref, str):
                return func.args[0] if func.ref in _CALLED_FOR_SESSION and func.args else UNKNOWN_TYPE
            member = self.member(ClassType(func.ref), "__call__")
            if member is not None and member.function is not None:
                return self.result_of(member.function, member.file, func)
            for ref in self.ancestors(ClassType(func.ref)):
                if isinstance(ref, str) and ref in _CALLED_FOR_SESSION:
                    return Instance(_MADE_BY[ref])
        return UNKNOWN_TYPE

    def _constructed(self, class_: ClassType, value: Call, file: SourceFile) -> Type:
        ref = self.external_ancestor(class_)
        if ref is not None and ref in stubs.CONSTRUCTED:
            return stubs.CONSTRUCTED[ref](_Site(self, file, value, None))
        return Instance(class_.ref)

    def _method_result(self, method: MethodType, value: Call, file: SourceFile) -> Type:
        owner = method.owner
        ref = owner.ref
        if isinstance(ref, str):
            for class_ in _with_bases(ref):
                stub = stubs.METHODS.get(class_, {}).get(method.name)
                if stub is not None:
                    return stub(_Site(self, file, value, owner))
        if method.name in ("format", "join", "strip", "lower", "upper") and ref == "builtins.str":
            return Instance("builtins.str")
        return UNKNOWN_TYPE

    def result_of(self, function: FunctionFacts, file: SourceFile, bound: Type | None) -> Type:
        """What calling a function of the workspace gives (before awaiting)."""
        self.keys.add((file.file_id, function.qualname))
        plain = self._plain_result(function, file, bound)
        for decorator in function.decorators:
            name = self.external_name(decorator.func if type(decorator) is Call else decorator, file)
            if name in _CONTEXT_MANAGERS:
                return Instance(CONTEXT_MANAGER, (stubs.iterated(plain),))
        return plain

    def _plain_result(self, function: FunctionFacts, file: SourceFile, bound: Type | None) -> Type:
        declared = UNKNOWN_TYPE
        if function.annotation is not None:
            declared = self.instance_of(function.annotation, file)
            if isinstance(declared, Instance) and declared.ref == "typing.Self" and bound is not None:
                declared = Instance(bound.ref) if isinstance(bound, (Instance, ClassType)) else UNKNOWN_TYPE
        if function.yielded is not None:
            if isinstance(declared, Instance) and declared.args and next(known(declared.args[0]), None):
                return declared
            return Instance("typing.Generator", (self.type_of(function.yielded, file),))
        if next(known(declared), None) is None or _says_little(declared):
            if function.returned is not None:
                inferred = self.type_of(function.returned, file)
                if next(known(inferred), None) is not None:
                    declared = inferred
            elif function.annotation is None:
                declared = NONE_TYPE
        return coroutine(declared) if function.is_async else declared

    def is_property(self, function: FunctionFacts, file: SourceFile) -> bool:
        """Whether reading the attribute calls the function."""
        for decorator in function.decorators:
            target = decorator.func if type(decorator) is Call else decorator
            if self.external_name(target, file) in _TRANSPARENT_PROPERTIES:
                return True
            if type(target) is Ref and target.name in (
                "declared_attr",
                "reify",
                "classproperty",
                "cached_property",
            ):
                return True
        return False

    # -- what rules ask --------------------------------------------------------------------------------------------

    def is_async_session(self, type_: Type) -> bool:
        """Whether a session is an AsyncSession."""
        if isinstance(type_, Instance):
            refs = (type_.ref,) if isinstance(type_.ref, str) else self.ancestors(ClassType(type_.ref))
            return any(ref in ASYNC_SESSIONS for ref in refs)
        return False


class _Site:
    """A `stubs.Site`."""

    __slots__ = ("_file", "_resolver", "call", "owner")

    def __init__(
        self, resolver: Resolver, file: SourceFile, call: Call, owner: Instance | ClassType | None
    ) -> None:
        self._resolver = resolver
        self._file = file
        self.call = call
        self.owner = owner

    def type_of(self, value: Value) -> Type:
        type_ = self._resolver.type_of(value, self._file)
        if isinstance(type_, FunctionType):
            target = self._resolver.sources.file(type_.file_id)
            function = target.facts.function(type_.qualname) if target is not None else None
            if function is not None and target is not None:
                return CallableType(self._resolver.result_of(function, target, type_.bound))
        return type_

    def is_model(self, type_: Type) -> bool:
        return self._resolver.is_model(type_)


@cache
def module_keys(name: str) -> frozenset[Key]:
    """The keys that an answer rests on which looked for a module, whether it was found or not."""
    parts = [part for part in name.split(".") if part]
    return frozenset([(MODULES, "__init__"), *[(MODULES, part) for part in parts]])


def name_of(type_: Type) -> str | None:
    """The canonical name of something outside the workspace."""
    if isinstance(type_, External):
        return type_.name
    if isinstance(type_, ClassType):
        return type_.ref if isinstance(type_.ref, str) else None
    if isinstance(type_, MethodType):
        ref = type_.owner.ref
        return f"{ref}.{type_.name}" if isinstance(ref, str) else None
    return None


def _with_bases(ref: str) -> Iterator[str]:
    todo = [ref]
    while todo:
        class_ = todo.pop(0)
        yield class_
        todo.extend(BASES.get(class_, ()))


def _unwrapped(type_: Type) -> Type:
    """What awaiting gives; something that is no coroutine stays what it is."""
    if isinstance(type_, Instance) and type_.ref in ("typing.Coroutine", "typing.Awaitable") and type_.args:
        return type_.args[-1]
    return type_


def _indexed(base: Type, index: object) -> Type:
    if isinstance(base, TupleType):
        return (
            base.items[index]
            if isinstance(index, int) and -len(base.items) <= index < len(base.items)
            else UNKNOWN_TYPE
        )
    if isinstance(base, Instance) and base.args:
        if base.ref == "sqlalchemy.Row":
            return (
                base.args[index] if isinstance(index, int) and 0 <= index < len(base.args) else UNKNOWN_TYPE
            )
        if base.ref == "builtins.dict":
            return base.args[-1]
        if base.ref == "sqlalchemy.orm.Query":
            return stubs.iterated(base)
        if isinstance(base.ref, str) and base.ref.startswith(("builtins.", "typing.")):
            return base.args[0]
    return UNKNOWN_TYPE


def _says_little(type_: Type) -> bool:
    """An annotation such as `Any`, `object` or a bare `list` that the body may say more about."""
    return isinstance(type_, Instance) and (
        type_.ref in ("typing.Any", "builtins.object")
        or (
            type_.ref in ("builtins.list", "builtins.tuple", "builtins.dict", CONTEXT_MANAGER)
            and not type_.args
        )
    )


def _is_alias_marker(type_: Type) -> bool:
    return isinstance(type_, Instance) and type_.ref == "typing.TypeAlias"


def _refers_to_itself(value: Value, name: ClassName) -> bool:
    return type(value) is ClassName and value == name


_MAPPED = frozenset(
    {"sqlalchemy.orm.Mapped", "sqlalchemy.orm.DynamicMapped", "sqlalchemy.orm.WriteOnlyMapped"}
)
_MADE_BY = {
    "sqlalchemy.orm.sessionmaker": stubs.SESSION,
    "sqlalchemy.ext.asyncio.async_sessionmaker": stubs.ASYNC_SESSION,
    "sqlalchemy.orm.scoped_session": stubs.SESSION,
    "sqlalchemy.ext.asyncio.async_scoped_session": stubs.ASYNC_SESSION,
}
_CALLED_FOR_SESSION = frozenset(_MADE_BY)

_REDUCERS: dict[type[Value], Callable[..., Type]] = {
    Const: Resolver._const,
    Ref: Resolver._ref,
    Def: Resolver._def,
    ClassName: Resolver._class_name,
    Param: Resolver._param,
    Attr: Resolver._attr,
    Call: Resolver._call,
    Item: Resolver._item,
    Element: Resolver._element,
    Enter: Resolver._enter,
    Await: Resolver._await,
    Either: Resolver._either,
    Typed: Resolver._typed,
    Sequence: Resolver._sequence,
    Collected: Resolver._collected,
    Mapping: Resolver._mapping,
    Joined: Resolver._joined,
    Function: Resolver._function,
}

__all__ = ["CONTEXT_MANAGER", "Key", "Member", "Resolver", "SourceFile", "Sources", "Unknown", "name_of"]
