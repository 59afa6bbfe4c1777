"""What a parameter is: by annotation, default, `self`, dependency, decorator, fixture, overridden method, or its callers.

This module must never conclude anything from a parameter's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Param, Ref, Value
from sqlalchemy_guard.project import fixtures, type_forms
from sqlalchemy_guard.project.types import (
    UNKNOWN_TYPE,
    ClassType,
    FunctionType,
    Instance,
    Type,
    known,
    likely,
    options,
    union,
)

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import FunctionFacts, Parameter
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_STATIC = frozenset({"builtins.staticmethod"})
_CLASS = frozenset({"builtins.classmethod"})
_MAX_CALLERS = 200


def type_of_parameter(resolver: Resolver, value: Param, file: SourceFile) -> Type:
    """The type of a parameter of a function of this file."""
    resolver.keys.add((file.file_id, value.qualname))
    function = file.facts.function(value.qualname)
    if function is None:
        return UNKNOWN_TYPE
    parameter = function.parameter(value.name)
    if parameter is None:
        return UNKNOWN_TYPE
    if parameter.kind in ("var-positional", "var-keyword"):
        return UNKNOWN_TYPE
    if parameter.annotation is not None:
        declared = resolver.instance_of(parameter.annotation, file)
        if next(known(declared), None) is not None:
            return _without_none(declared)
    own = _self(resolver, function, parameter, file)
    if own is not None:
        return own
    if parameter.default is not None:
        default = resolver.type_of(parameter.default, file)
        injected = type_forms.injected_by(resolver, default)
        if injected is not None:
            return injected
    for source in (_overridden, fixtures.given, _injected_by_decorator, _passed_by_callers):
        found = source(resolver, function, parameter, file)
        if next(known(found), None) is not None:
            return _without_none(found)
    if parameter.default is not None:
        return _without_none(resolver.type_of(parameter.default, file))
    return UNKNOWN_TYPE


def _without_none(type_: Type) -> Type:
    """An optional parameter is what it is when it is given."""
    kept = list(known(type_))
    return union(kept) if kept else UNKNOWN_TYPE


def _self(resolver: Resolver, function: FunctionFacts, parameter: Parameter, file: SourceFile) -> Type | None:
    """The first parameter of a method."""
    if function.owner is None or not function.parameters or function.parameters[0] is not parameter:
        return None
    for decorator in function.decorators:
        name = resolver.external_name(decorator, file)
        if name in _STATIC:
            return None
        if name in _CLASS or (type(decorator) is Attr and decorator.name in ("expression", "comparator")):
            return ClassType((file.file_id, function.owner))
        if name in ("sqlalchemy.orm.declared_attr", "sqlalchemy.orm.declared_attr.directive"):
            return ClassType((file.file_id, function.owner))
    if function.name in ("__new__", "__init_subclass__", "__class_getitem__"):
        return ClassType((file.file_id, function.owner))
    return Instance((file.file_id, function.owner))


def _overridden(resolver: Resolver, function: FunctionFacts, parameter: Parameter, file: SourceFile) -> Type:
    """The annotation of the same parameter in the method that this one overrides."""
    if function.owner is None:
        return UNKNOWN_TYPE
    for ref in resolver.ancestors(ClassType((file.file_id, function.owner)))[1:]:
        found = resolver.class_facts(ref)
        if found is None:
            continue
        facts, source = found
        inherited = source.facts.function(facts.methods.get(function.name, ""))
        other = inherited.parameter(parameter.name) if inherited is not None else None
        if inherited is not None and other is not None and other.annotation is not None:
            resolver.keys.add((source.file_id, inherited.qualname))
            return resolver.instance_of(other.annotation, source)
    return UNKNOWN_TYPE


def _injected_by_decorator(
    resolver: Resolver, function: FunctionFacts, parameter: Parameter, file: SourceFile
) -> Type:
    """`@provide_session`: a decorator of the workspace whose wrapper calls the function with `session=…`, or with a
    session in front of the caller's arguments."""
    for decorator in function.decorators:
        target = decorator.func if type(decorator) is Call else decorator
        for option in options(resolver.type_of(target, file)):
            if not isinstance(option, FunctionType):
                continue
            source = resolver.sources.file(option.file_id)
            outer = source.facts.function(option.qualname) if source is not None else None
            if outer is None or source is None:
                continue
            found = _from_wrapper(resolver, outer, function, parameter, source, depth=0)
            if next(known(found), None) is not None:
                return found
    return UNKNOWN_TYPE


def _from_wrapper(
    resolver: Resolver,
    outer: FunctionFacts,
    function: FunctionFacts,
    parameter: Parameter,
    source: SourceFile,
    depth: int,
) -> Type:
    resolver.keys.add((source.file_id, outer.qualname))
    if depth > 2:
        return UNKNOWN_TYPE
    positions = [p.name for p in function.parameters if p.kind == "positional"]
    for qualname in outer.nested:
        wrapper = source.facts.function(qualname)
        if wrapper is None:
            continue
        for fact in resolver.calls_in(wrapper, source):
            call = fact.value
            if type(call.func) is not Param or not call.func.qualname.startswith(outer.qualname):
                continue
            keyword = call.keyword(parameter.name)
            if keyword is not None:
                return resolver.type_of(keyword, source)
            if parameter.name in positions and positions.index(parameter.name) < len(call.args):
                passed = call.args[positions.index(parameter.name)]
                type_ = resolver.type_of(passed, source)
                if next(known(type_), None) is not None:
                    return type_
        found = _from_wrapper(resolver, wrapper, function, parameter, source, depth + 1)
        if next(known(found), None) is not None:
            return found
    return UNKNOWN_TYPE


def _passed_by_callers(
    resolver: Resolver, function: FunctionFacts, parameter: Parameter, file: SourceFile
) -> Type:
    """What the callers pass, in this and in other known files, when all of them that are understood pass the same."""
    called = function.name
    if called == "__init__" and function.owner is not None:
        called = function.owner.rpartition(".")[2]
    if called.startswith("__"):
        return UNKNOWN_TYPE
    passed = [
        (call, argument, source)
        for call, source in resolver.sources.calls_of(
            called, file.file_id if function.owner is None else None
        )
        if (argument := _argument(call, function, parameter)) is not None
    ]
    if len(passed) > _MAX_CALLERS:
        # A name that everybody uses: callers elsewhere are too many to be asked.
        passed = [one for one in passed if one[2] is file and _may_call(one[0].func, function)]
    found: list[Instance | ClassType] = []
    for call, argument, source in passed[:_MAX_CALLERS]:
        if (source is file and _may_call(call.func, function)) or _calls(
            resolver, call, source, function, file
        ):
            options_ = known(resolver.type_of(argument, source))
            found.extend(option for option in options_ if isinstance(option, (Instance, ClassType)))
    if len({likely(option) for option in found}) != 1:
        # What was only guessed says nothing against what is known.
        found = [option for option in found if isinstance(option, ClassType) or not option.likely]
    if len({likely(option) for option in found}) != 1:
        return UNKNOWN_TYPE
    return next((option for option in found if isinstance(option, Instance) and option.likely), found[0])


def _calls(
    resolver: Resolver, call: Call, source: SourceFile, function: FunctionFacts, file: SourceFile
) -> bool:
    """Whether a call is proven to call a function of a file."""
    for option in known(resolver.type_of(call.func, source)):
        if isinstance(option, FunctionType):
            return option.file_id == file.file_id and option.qualname == function.qualname
        if isinstance(option, ClassType):
            if function.name != "__init__" or function.owner is None:
                return False
            member = resolver.member(option, "__init__")
            return member is not None and member.function is function
    return False


def _may_call(func: Value, function: FunctionFacts) -> bool:
    if function.owner is None:
        return type(func) is Ref and not func.module and func.name == function.name
    return (
        type(func) is Attr
        and func.name == function.name
        and type(func.base) is Param
        and func.base.qualname.rpartition(".")[0] == function.owner
    )


def _argument(call: Call, function: FunctionFacts, parameter: Parameter) -> Value | None:
    keyword = call.keyword(parameter.name)
    if keyword is not None:
        return keyword
    positions = [p.name for p in function.parameters if p.kind == "positional"]
    if function.owner is not None:
        positions = positions[1:]
    if parameter.name in positions:
        index = positions.index(parameter.name)
        if index < len(call.args):
            return call.args[index]
    return None
