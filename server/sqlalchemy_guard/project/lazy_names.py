"""Names that a module gives without binding them: lazily, by `lazy_loader`, or as its stub beside it says.

This module must never run a module's `__getattr__`.
"""

from __future__ import annotations

import builtins
import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call, Const, Item, Mapping, Ref, Sequence
from sqlalchemy_guard.project.answers import module_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile


def lazily_bound(resolver: Resolver, source: SourceFile, name: str) -> tuple[Value, SourceFile] | None:
    """What a name means that a module does not bind, and the file that says it: the stub, or the module itself."""
    if name.startswith("__") or hasattr(builtins, name):
        return None
    stub = _stub_of(resolver, source)
    if stub is not None:
        resolver.keys.add((stub.file_id, name))
        said = stub.facts.value_of(name)
        if said is not None:
            return said[0], stub
    resolver.keys.add((source.file_id, "__getattr__"))
    getter = source.facts.value_of("__getattr__")
    attached = getter[0].base if getter is not None and type(getter[0]) is Item else None
    if type(attached) is Call and resolver.external_name(attached.func, source) == "lazy_loader.attach":
        for module, names in _attached(attached):
            if name in names:
                return Ref(f".{module}", name), source
    return None


def _stub_of(resolver: Resolver, source: SourceFile) -> SourceFile | None:
    folder, base = os.path.split(source.file_id)
    if not base.endswith(".py"):
        return None
    resolver.keys |= module_keys(base.removesuffix(".py"))
    if f"{base}i" not in resolver.sources.modules.names(folder):
        return None
    return resolver.sources.file(f"{source.file_id}i")


def _attached(call: Call) -> Iterator[tuple[str, set[object]]]:
    """The modules that a call of `attach` names, with the names that it takes from each."""
    given: Value | None = call.keyword("submod_attrs") or (call.args[2] if len(call.args) > 2 else None)
    for module, names in given.entries if type(given) is Mapping else ():
        if type(module) is Const and isinstance(module.value, str) and type(names) is Sequence:
            yield module.value, {each.value for each in names.items if type(each) is Const}
