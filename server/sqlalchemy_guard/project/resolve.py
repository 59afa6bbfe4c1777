"""The resolver: reduces symbolic values to types, across files, on demand, and remembers on what each answer rests.

An answer is kept on the value itself together with the keys it read: `(file id, name)` of a Summary, or a module's place.
It stays valid while none of these changed, so an edit invalidates exactly what it must. Cycles give unknown.
This module must never decide what is right or wrong in the user's code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

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
from sqlalchemy_guard.project import attributes, fixtures, guesses, parameters, results, stubs, type_forms
from sqlalchemy_guard.project.answers import (
    DEEPEST,
    FINAL,
    MODULES,
    Answers,
    Key,
    Memo,
    Running,
    module_keys,
)
from sqlalchemy_guard.project.attributes import Member
from sqlalchemy_guard.project.externals import (
    BASES,
    DECLARATIVE_BASES,
    KNOWN_MODULES,
    canonical,
)
from sqlalchemy_guard.project.lazy_names import lazily_bound
from sqlalchemy_guard.project.types import (
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
    known,
    list_of,
    options,
    union,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy_guard.facts.declarations import Attribute, CallFact, ClassFacts, FunctionFacts
    from sqlalchemy_guard.facts.file import FileFacts
    from sqlalchemy_guard.project.modules import Modules


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

    def calls_of(self, name: str, home: str | None) -> Iterator[tuple[Call, SourceFile]]:
        """The calls with arguments of something of that last name, in known files or in those that import `home`."""

    def stored_attributes(self, name: str) -> Iterator[tuple[Value, Value, SourceFile]]:
        """What known files assign to attributes of that name, and of which objects (never their own `self`)."""


class Resolver(Answers):
    """Answers what values are.

    Args:
        sources: Where files come from.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        super().__init__()

    # -- values ----------------------------------------------------------------------------------------------------

    def type_of(self, value: Value, file: SourceFile) -> Type:
        """The type of a value that belongs to a file. Never raises."""
        memo = value.memo
        stack = self._stack
        if type(memo) is Memo:
            if memo.run is None:
                if memo.revision == self.revision or self.valid(memo.keys, memo.revision):
                    memo.revision = self.revision
                    self.keys |= memo.keys
                    return memo.type
            elif memo.level < len(stack) and stack[memo.level] is memo.run and memo.revision == self.revision:
                self.keys |= memo.keys
                self._cut = min(self._cut, memo.level)
                return memo.type
        elif type(memo) is Running:
            self._cut = min(self._cut, memo.level)
            return UNKNOWN_TYPE
        level = len(stack)
        if level > DEEPEST:
            self._cut = 0
            return UNKNOWN_TYPE
        reduce = _REDUCERS.get(type(value))
        if reduce is None:
            return UNKNOWN_TYPE
        running = Running(level)
        outer, self.keys = self.keys, set()
        outer_cut, self._cut = self._cut, FINAL
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
            keys = self.shared(inner)
            outer |= keys
            cut, self._cut = self._cut, min(outer_cut, self._cut)
            if cut < level:
                value.memo = Memo(type_, keys, revision, cut, stack[cut])
            else:
                value.memo = Memo(type_, keys, revision)
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
                lazily = lazily_bound(self, source, name)
                if lazily is not None:
                    return self.type_of(*lazily)
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
        if next(known(found), None) is None and not guesses.is_of_another_library(self, value, file):
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
        return union(results.unwrapped(option) for option in options(self.type_of(value.base, file)))

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
            if type_.ref in (
                results.CONTEXT_MANAGER,
                "sqlalchemy.orm.SessionTransaction",
                "sqlalchemy.Transaction",
            ):
                return type_.args[0] if type_.args else UNKNOWN_TYPE
            return (
                type_
                if type_.ref.startswith(("sqlalchemy.", "sqlmodel.", "flask_sqlalchemy.", "alembic."))
                else UNKNOWN_TYPE
            )
        for name in ("__aenter__", "__enter__") if is_async else ("__enter__", "__aenter__"):
            member = self.member(ClassType(type_.ref), name)
            if member is not None and member.function is not None:
                return results.unwrapped(self.result_of(member.function, member.file, type_))
        return type_ if self.external_ancestor(ClassType(type_.ref)) is not None else UNKNOWN_TYPE

    def _item(self, value: Item, file: SourceFile) -> Type:
        base = self.type_of(value.base, file)
        form = type_forms.form_of(self, base, value.index, file)
        if form is not None:
            return form
        index = value.index.value if type(value.index) is Const else None
        return union(results.indexed(option, index) for option in options(base))

    def definition_of(self, value: Value, file: SourceFile) -> tuple[Value, SourceFile]:
        """Follow names, across files, to the expression that they were last bound to; the value itself where that ends."""
        for _ in range(12):
            if type(value) is Typed:
                value = value.value
                continue
            if type(value) is ClassName:
                value = self.meant_in_class(value, file)
                continue
            if type(value) is Attr:
                base = self.type_of(value.base, file)
                if not isinstance(base, ModuleType) or base.file_id is None:
                    return value, file
                found = self.binding(base.file_id, value.name)
            elif type(value) is Ref:
                if value.module:
                    target = self.module(value.module, file)
                else:
                    target = file.file_id
                found = self.binding(target, value.name) if target is not None else None
            else:
                return value, file
            if found is None:
                return value, file
            value, file = found
        return value, file

    def meant_in_class(self, value: ClassName, file: SourceFile) -> Value:
        """What a name in a class body stands for: the class's own attribute, else the module's name."""
        self.keys.add((file.file_id, value.qualname))
        facts = file.facts.class_(value.qualname)
        own = facts.attributes.get(value.name) if facts is not None else None
        if own is None or own.value is None or _refers_to_itself(own.value, value):
            return Ref("", value.name)
        return own.value

    def binding(self, file_id: str, name: str) -> tuple[Value, SourceFile] | None:
        """What a module's name was last bound to, with the file of that."""
        self.keys.add((file_id, name))
        if file_id.endswith(("/", "\\")) or (source := self.sources.file(file_id)) is None:
            return None
        bound = source.facts.value_of(name)
        return (bound[0], source) if bound is not None else lazily_bound(self, source, name)

    # -- attributes ------------------------------------------------------------------------------------------------

    def _attr(self, value: Attr, file: SourceFile) -> Type:
        base = self.type_of(value.base, file)
        found = union(self.attribute(option, value.name) for option in options(base))
        if next(known(found), None) is None and not isinstance(base, (ModuleType, External)):
            kept = fixtures.attribute(self, value, file)
            if next(known(kept), None) is not None:
                return kept
            added = attributes.request_attribute(self, value, file)
            if next(known(added), None) is not None:
                return added
            stored = guesses.stored_elsewhere(self, value.name, file)
            return stored if stored != UNKNOWN_TYPE else guesses.guess(self, value.name, file)
        return found

    def attribute(self, base: Type, name: str) -> Type:
        """The type of `base.name`."""
        return attributes.attribute(self, base, name)

    def member(self, class_: ClassType, name: str) -> Member | None:
        """An attribute or method of a class of the workspace, through its ancestors there."""
        return attributes.member(self, class_, name)

    def mapped_type(self, attribute: Attribute, file: SourceFile) -> Type | None:
        """The Python type of a mapped attribute (column or relationship), None when the attribute is not mapped."""
        return attributes.mapped_type(self, attribute, file)

    def relationship_target(
        self, value: Value, file: SourceFile, owner: tuple[str, str] | None = None
    ) -> ClassRef | None:
        """The class that `relationship(…)` names, by object, string or callable."""
        return attributes.relationship_target(self, value, file, owner)

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

    def calls_in(self, function: FunctionFacts, file: SourceFile) -> list[CallFact]:
        """The calls of a function of a file, in order."""
        self.keys.add((file.file_id, f"*calls.{function.qualname}"))
        return function.call_facts

    def _call(self, value: Call, file: SourceFile) -> Type:
        func = self.type_of(value.func, file)
        made = union(self.called(option, value, file) for option in options(func))
        if made == UNKNOWN_TYPE and isinstance(value.func, (Attr, Ref)):
            return guesses.guess_made(self, func, value.func.name, file)
        return made

    def called(self, func: Type, value: Call, file: SourceFile) -> Type:
        """What calling an object of a type gives."""
        return results.called(self, func, value, file)

    def result_of(self, function: FunctionFacts, file: SourceFile, bound: Type | None) -> Type:
        """What calling a function of the workspace gives (before awaiting)."""
        return results.result_of(self, function, file, bound)

    def is_property(self, function: FunctionFacts, file: SourceFile) -> bool:
        """Whether reading the attribute calls the function."""
        return results.is_property(self, function, file)


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


def _is_alias_marker(type_: Type) -> bool:
    """Whether an annotation says nothing of the value: an alias, or `Base: Any = declarative_base()` for type checkers."""
    return isinstance(type_, Instance) and type_.ref in ("typing.TypeAlias", "typing.Any")


def _refers_to_itself(value: Value, name: ClassName) -> bool:
    return type(value) is ClassName and value == name


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

__all__ = ["MODULES", "Key", "Member", "Resolver", "SourceFile", "Sources", "Unknown", "name_of"]
