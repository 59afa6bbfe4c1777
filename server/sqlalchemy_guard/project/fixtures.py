"""pytest's fixtures: which one a parameter of a test asks for, what it gives, and what it has stored in that.

Free functions that take the resolver. This module must never conclude anything from a name but what pytest itself does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Param, Value
from sqlalchemy_guard.project import type_forms
from sqlalchemy_guard.project.answers import module_keys
from sqlalchemy_guard.project.types import UNKNOWN_TYPE, ClassType, FunctionType, Type, known, options, union

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import FunctionFacts, Parameter
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_DECORATORS = frozenset(("pytest.fixture", "pytest_asyncio.fixture", "pytest.yield_fixture"))
_NAMESPACES = frozenset(("pyramid.testing.DummyRequest", "types.SimpleNamespace"))
"""What keeps its keyword arguments as attributes."""
_FOLDERS = 12
_DEPTH = 6


def given(resolver: Resolver, function: FunctionFacts, parameter: Parameter, file: SourceFile) -> Type:
    """What a test's, or a fixture's, parameter is: what the fixture of its name gives."""
    for fixture, source in asked_for(resolver, function, parameter.name, file):
        result = resolver.result_of(fixture, source, None)
        found = union(type_forms.given_by(option) for option in options(result))
        if next(known(found), None) is not None:
            return found
    return UNKNOWN_TYPE


def attribute(resolver: Resolver, value: Attr, file: SourceFile, depth: int = 0) -> Type:
    """What a fixture stored in the object that it gives: `request.db = session; return request`."""
    base = value.base
    function = file.facts.function(base.qualname) if type(base) is Param else None
    if type(base) is not Param or function is None or depth > _DEPTH:
        return UNKNOWN_TYPE
    for fixture, source in asked_for(resolver, function, base.name, file):
        source.facts.watched.add(fixture.qualname)
        resolver.keys.update(
            ((source.file_id, f"*body.{fixture.qualname}"), (source.file_id, fixture.qualname))
        )
        made = fixture.returned if fixture.yielded is None else fixture.yielded
        if made is None:
            continue
        stored = _stored_in(resolver, made, value.name, source)
        if stored is not None:
            return resolver.type_of(stored, source)
        if type(made) is Param:
            return attribute(resolver, Attr(made, value.name), source, depth + 1)
        return UNKNOWN_TYPE
    return UNKNOWN_TYPE


def _stored_in(resolver: Resolver, made: Value, name: str, source: SourceFile) -> Value | None:
    """What was assigned to an attribute of an object, or given to it at its making, when that was one thing."""
    found = [value for base, attr, _, value in source.facts.foreign_sets if attr == name and base == made]
    if found:
        return found[0] if len(found) == 1 else None
    if type(made) is Call and resolver.external_name(made.func, source) in _NAMESPACES:
        return made.keyword(name)
    return None


def is_fixture(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> bool:
    """Whether a function is a fixture."""
    for decorator in function.decorators:
        name = resolver.external_name(decorator.func if type(decorator) is Call else decorator, file)
        if name in _DECORATORS:
            return True
    return False


def asked_for(
    resolver: Resolver, function: FunctionFacts, name: str, file: SourceFile
) -> Iterator[tuple[FunctionFacts, SourceFile]]:
    """The fixtures of a name that a test, or a fixture, may ask for, the nearest first: of its class, in its file,
    and in every `conftest.py` at or above it."""
    base = os.path.basename(file.file_id)
    is_test_file = base.startswith("test_") or base.endswith("_test.py") or base == "conftest.py"
    is_test = function.name.startswith("test") and is_test_file
    if not is_test and not (is_test_file and is_fixture(resolver, function, file)):
        return
    if function.owner is not None:
        beside = resolver.member(ClassType((file.file_id, function.owner)), name)
        nearest = beside.function if beside is not None else None
        if beside is not None and nearest is not None and nearest is not function:
            if is_fixture(resolver, nearest, beside.file):
                yield nearest, beside.file
                return
    folder = os.path.dirname(file.file_id)
    candidates = [file.file_id]
    modules = resolver.sources.modules
    for _ in range(_FOLDERS):
        if "conftest.py" in modules.names(folder):
            candidates.append(os.path.join(folder, "conftest.py"))
        parent = os.path.dirname(folder)
        if parent == folder or folder in modules.folders:
            break
        folder = parent
    resolver.keys |= module_keys("conftest")
    for candidate in candidates:
        resolver.keys.update(((candidate, name), (candidate, "*named")))
        source = resolver.sources.file(candidate)
        if source is None:
            continue
        for fixture in _named(resolver, source, name):
            if fixture is not function:
                yield fixture, source


def _named(resolver: Resolver, source: SourceFile, name: str) -> list[FunctionFacts]:
    found: list[FunctionFacts] = []
    direct = source.facts.function(name)
    if direct is not None and is_fixture(resolver, direct, source):
        found.append(direct)
    imported = resolver.name(name, source)
    for option in options(imported):
        if isinstance(option, FunctionType) and option.file_id != source.file_id:
            other = resolver.sources.file(option.file_id)
            function = other.facts.function(option.qualname) if other is not None else None
            if function is not None:
                found.append(function)
    resolver.keys.add((source.file_id, "*named"))
    for text, qualname in source.facts.named_fixtures:
        function = source.facts.function(qualname)
        if type(text) is Const and text.value == name and function is not None:
            resolver.keys.add((source.file_id, qualname))
            if is_fixture(resolver, function, source):
                found.append(function)
    return found
