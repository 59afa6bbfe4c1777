"""Where objects come from: values followed back to the statement that loads them, through results, loops and functions.

Objects, collections, rows and statements are `Shape`s. A value that no statement is known for has none.
This module must never judge what is done with an object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import DEFERRED, RelationshipInfo
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
    Item,
    Operation,
    Param,
    Ref,
    Sequence,
    Star,
    Typed,
    Value,
)
from sqlalchemy_guard.project import row_calls
from sqlalchemy_guard.project.configured import is_backref_collection, is_collection
from sqlalchemy_guard.project.effects import argument_of
from sqlalchemy_guard.project.loads import Entity, Load, Statement
from sqlalchemy_guard.project.relationships import relationship_of
from sqlalchemy_guard.project.scopes import Scope
from sqlalchemy_guard.project.shapes import NOTHING, Hop, Loaded, Many, Row, Shape, Shapes
from sqlalchemy_guard.project.types import ClassType, FunctionType, Instance, known
from sqlalchemy_guard.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.facts.query import ModelInfo
    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.workspace import Workspace

_CALLERS = 24
"""So many callers of a function are looked at for what they pass."""
_CALLERS_DEEP = 3
"""And so many callers of callers."""
_MOST = 12
"""So many alternatives are kept."""


class Rows:
    """Follows values; used for one unit, as its answers are kept as long as it lives.

    Args:
        workspace: The files.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.resolver = workspace.resolver
        self._kept: dict[tuple[int, int], tuple[Value, Scope, Shapes]] = {}
        self._scopes: dict[str, Scope] = {}
        self._callers = 0

    def scope(self, file: SourceFile) -> Scope:
        """The scope of a file."""
        return self._scopes.setdefault(file.file_id, Scope(file))

    def model(self, ref: tuple[str, str]) -> ModelInfo | None:
        """The mapping of a class."""
        return self.workspace.mappings.model(ref)

    def shapes(self, value: Value, scope: Scope) -> Shapes:
        """What a value is, as far as its loading is known."""
        key = (id(value), id(scope))
        kept = self._kept.get(key)
        if kept is not None:
            return kept[2]
        # What comes back to itself has no shape there.
        self._kept[key] = (value, scope, NOTHING)
        try:
            found = tuple(self._shapes(value, scope))[:_MOST]
        except RecursionError:
            found = NOTHING
        self._kept[key] = (value, scope, found)
        return found

    def _shapes(self, value: Value, scope: Scope) -> Iterable[Shape]:
        match value:
            case Typed():
                return self.shapes(value.value, scope)
            case Await():
                return self.shapes(value.base, scope)
            case Either():
                return [shape for option in value.options for shape in self.shapes(option, scope)]
            case Element():
                return [item for shape in self.shapes(value.base, scope) for item in self.iterated(shape)]
            case Item():
                return self._item(value, scope)
            case Attr():
                return self._attribute(value, scope)
            case Call():
                return row_calls.called(self, value, scope)
            case Collected():
                items = self.shapes(value.element, scope)
                return [Many(items, value.kind == "dict")] if items else NOTHING
            case Sequence():
                return self._sequence(value, scope)
            case Param():
                bound = scope.bound(value)
                return self.shapes(*bound) if bound is not None else self._passed(value, scope)
            case Ref() | ClassName():
                followed, file = self.resolver.definition_of(value, scope.file)
                ends = followed is value or isinstance(followed, Def)
                return NOTHING if ends else self.shapes(followed, scope.elsewhere(file))
        return NOTHING

    # -- parts of collections --------------------------------------------------------------------------------------

    def iterated(self, shape: Shape) -> Iterator[Shape]:
        """What one step of iterating gives."""
        if isinstance(shape, Statement) and shape.is_query:
            shape = self.executed(shape, None, shape.file)
        if isinstance(shape, Many) and not shape.is_mapping:
            for item in shape.items:
                yield from self._walked(item)

    def _walked(self, shape: Shape) -> Iterator[Shape]:
        match shape:
            case Loaded():
                # The few objects that a statement may give are hardly more than one.
                few = not shape.path and (shape.load.is_small or self._is_single(shape))
                yield shape if few else replace(shape, walked=True)
            case Row():
                items = tuple(
                    tuple(part for each in item for part in self._walked(each)) for item in shape.items
                )
                yield replace(shape, items=items)
            case Many():
                yield shape

    def _is_single(self, shape: Loaded) -> bool:
        """Whether the criteria name the whole primary key."""
        model = self.model(shape.entity.ref)
        return (
            model is not None
            and bool(model.primary_key)
            and shape.load.statement.keyed.issuperset(model.primary_key)
        )

    def single(self, shape: Shape) -> Iterator[Shape]:
        """One of the things that a collection holds, by itself."""
        if isinstance(shape, Many):
            for item in shape.items:
                yield _alone(item)

    def _item(self, value: Item, scope: Scope) -> Iterator[Shape]:
        index = value.index
        for shape in self.shapes(value.base, scope):
            if isinstance(shape, Statement) and shape.is_query:
                shape = self.executed(shape, None, shape.file)
            if isinstance(index, Operation) and index.name == "slice":
                if not isinstance(shape, Row) and not _is_short(index):
                    yield shape
            elif isinstance(shape, Row):
                at = index.value if isinstance(index, Const) else None
                if isinstance(at, int) and -len(shape.items) <= at < len(shape.items):
                    yield from shape.items[at]
            else:
                yield from self.single(shape)

    def _sequence(self, value: Sequence, scope: Scope) -> Iterator[Shape]:
        if any(isinstance(item, Star) for item in value.items):
            starred = [item.base for item in value.items if isinstance(item, Star)]
            items = [
                item
                for base in starred
                for shape in self.shapes(base, scope)
                for item in self.iterated(shape)
            ]
            if items:
                yield Many(tuple(items))
        elif value.kind == "tuple" and len(value.items) <= 8:
            items_ = tuple(self.shapes(item, scope) for item in value.items)
            if any(items_):
                yield Row(items_)

    def executed(self, statement: Statement, call: Call | None, file: SourceFile, *, is_async: bool = False,
                 likely: bool = False) -> Many:  # fmt: skip
        """The rows of a statement."""
        load = Load(statement, call, file, is_async or statement.is_async, likely or statement.likely)
        parts: list[Shapes] = []
        names: list[str] = []
        for entity in statement.entities:
            parts.append((Loaded(load, entity, (), entity.ref),) if entity is not None else NOTHING)
            names.append(entity.ref[1].rpartition(".")[2] if entity is not None else "")
        if statement.is_query and len(parts) == 1:
            return Many(parts[0])
        return Many((Row(tuple(parts), tuple(names)),))

    # -- attributes ------------------------------------------------------------------------------------------------

    def _attribute(self, value: Attr, scope: Scope) -> Iterator[Shape]:
        base, name = value.base, value.name
        if name == "query":
            yield from self._query_attribute(value, scope)
        for shape in self.shapes(base, scope):
            match shape:
                case Loaded():
                    yield from self.related(shape, name)
                    yield from self._property(shape, name, value, scope)
                case Row() if name in shape.names:
                    yield from shape.items[shape.names.index(name)]
                case Many() if name == "items":
                    # The objects of a page.
                    yield shape
        if isinstance(base, Param) and scope.bound(base) is None:
            yield from self._own(base, name, scope)

    def relationship(self, shape: Loaded, name: str) -> RelationshipInfo | None:
        """The relationship of that name, None when the attribute is none or is not understood."""
        model = self.model(shape.ref)
        found = model.relationships.get(name) if model is not None else None
        if found is None or not found.known:
            return None
        if found.collection is None:
            return self.resolver.remembered(
                ("direction", shape.ref, name), lambda: self._directed(shape.ref, found, name)
            )
        return found

    def deferred(self, shape: Loaded, name: str) -> RelationshipInfo | None:
        """The column of that name that is loaded when it is read, as one object that hangs on each row; None when it is none."""
        model = self.model(shape.ref)
        member = self.resolver.member(ClassType(shape.ref), name) if model is not None else None
        call = member.attribute.value if member is not None and member.attribute is not None else None
        if model is None or member is None or name not in model.columns or type(call) is not Call:
            return None
        given = call.keyword("deferred")
        made = self.resolver.external_name(call.func, member.file)
        is_deferred = made == "sqlalchemy.orm.deferred" or (
            made == "sqlalchemy.orm.mapped_column" and type(given) is Const and given.value is True
        )
        if not is_deferred or call.keyword("deferred_raiseload") or call.keyword("raiseload"):
            return None
        return RelationshipInfo(name, None, secondary=False, lazy=DEFERRED)

    def _directed(self, ref: tuple[str, str], info: RelationshipInfo, name: str) -> RelationshipInfo:
        """The relationship with what the keys of the tables say about its direction."""
        member = self.resolver.member(ClassType(ref), name)
        if member is None or member.attribute is None:
            target = info.target
            file_id, _, qualname = target.identity.rpartition(":") if target is not None else ("", "", "")
            return replace(info, collection=is_backref_collection(self.workspace, (file_id, qualname), name))
        declared = relationship_of(self.resolver, member.attribute, member.owner, member.file)
        said = is_collection(self.workspace, declared) if declared is not None else None
        return replace(info, collection=said)

    def related(self, shape: Loaded, name: str) -> Iterator[Shape]:
        """What a relationship of an object gives."""
        info = self.relationship(shape, name)
        if info is None or info.lazy in ("dynamic", "write_only"):
            return
        target = info.target
        if target is None:
            return
        if info.collection is not True and self.is_way_back(shape, info):
            yield self._owner(shape)
            return
        file_id, _, qualname = target.identity.rpartition(":")
        hop = Hop(shape.ref, info)
        one = replace(shape, path=(*shape.path, hop), ref=(file_id, qualname))
        if info.collection is not False:
            yield Many((one,))
        if info.collection is not True:
            yield one

    def is_way_back(self, shape: Loaded, info: RelationshipInfo) -> bool:
        """Whether a scalar relationship leads to the very object whose collection was followed last."""
        last = shape.path[-1] if shape.path else None
        if last is None or last.info.secondary or last.info.collection is False or info.target is None:
            return False
        return info.target.identity in self._kin(last.owner)

    def _kin(self, ref: tuple[str, str]) -> set[str]:
        """The identities of a class and its ancestors."""
        ancestors = self.resolver.ancestors(ClassType(ref))
        return {f"{each[0]}:{each[1]}" for each in ancestors if isinstance(each, tuple)}

    def _owner(self, shape: Loaded) -> Loaded:
        """The object whose collection was followed last."""
        path = shape.path[:-1]
        is_one = shape.alone and not any(hop.info.collection is not False for hop in path)
        return replace(shape, path=path, ref=shape.path[-1].owner, walked=shape.walked and not is_one)

    def _property(self, shape: Loaded, name: str, value: Attr, scope: Scope) -> Iterator[Shape]:
        member = self.resolver.member(ClassType(shape.ref), name)
        if (
            member is None
            or member.function is None
            or not self.resolver.is_property(member.function, member.file)
        ):
            return
        function = member.function
        if function.returned is None or not function.parameters or not scope.may_enter(function):
            return
        own = {function.parameters[0].name: (value.base, scope)}
        yield from self.shapes(function.returned, Scope(member.file, function, own, scope))

    def _query_attribute(self, value: Attr, scope: Scope) -> Iterator[Shape]:
        """`Model.query`"""
        for option in known(self.resolver.type_of(value.base, scope.file)):
            if not isinstance(option, ClassType) or not isinstance(option.ref, tuple):
                continue
            for made in known(self.resolver.type_of(value, scope.file)):
                if isinstance(made, Instance) and made.ref in (
                    "sqlalchemy.orm.Query",
                    "flask_sqlalchemy.Query",
                ):
                    entity = Entity(option.ref, value.base)
                    yield Statement(value, scope.file, (entity,), is_query=True)

    def _own(self, base: Param, name: str, scope: Scope) -> Iterator[Shape]:
        """What the methods of a class that is not mapped assign to an attribute of `self`."""
        function = scope.file.facts.function(base.qualname)
        if (
            function is None
            or function.owner is None
            or function.parameters[:1] != (function.parameter(base.name),)
        ):
            return
        class_ = ClassType((scope.file.file_id, function.owner))
        if self.resolver.is_model(class_):
            return
        member = self.resolver.member(class_, name)
        if member is not None and member.instance is not None:
            yield from self.shapes(member.instance[1], scope.elsewhere(member.file))

    # -- functions -------------------------------------------------------------------------------------------------

    def entered(self, function: FunctionType, call: Call, scope: Scope) -> Scope | None:
        """The scope of a function of the workspace that a call enters, None when it cannot be followed."""
        self.resolver.keys.add((function.file_id, function.qualname))
        file = self.resolver.sources.file(function.file_id)
        facts = file.facts.function(function.qualname) if file is not None else None
        if file is None or facts is None or not scope.may_enter(facts):
            return None
        arguments: dict[str, tuple[Value, Scope]] = {}
        for parameter in facts.parameters:
            given = argument_of(call, facts, parameter.name)
            if given is not None:
                arguments[parameter.name] = (given, scope)
            elif parameter.default is not None:
                arguments[parameter.name] = (parameter.default, self.scope(file))
        if facts.owner is not None and facts.parameters and isinstance(call.func, Attr):
            arguments[facts.parameters[0].name] = (call.func.base, scope)
        return Scope(file, facts, arguments, scope)

    def _passed(self, parameter: Param, scope: Scope) -> Iterator[Shape]:
        """What the callers of a function pass for a parameter."""
        file = scope.file
        function = file.facts.function(parameter.qualname)
        if (
            function is None
            or scope.depth
            or function.name.startswith("__")
            or self._callers >= _CALLERS_DEEP
        ):
            return
        self._callers += 1
        try:
            yield from list(self._from_callers(parameter, function, file))
        finally:
            self._callers -= 1

    def _from_callers(self, parameter: Param, function: FunctionFacts, file: SourceFile) -> Iterator[Shape]:
        looked = 0
        for call, source in self.resolver.sources.calls_of(function.name, file.file_id):
            looked += 1
            if looked > _CALLERS:
                return
            argument = argument_of(call, function, parameter.name)
            if argument is None or not self._calls(call, source, file, parameter.qualname):
                continue
            shapes = self.shapes(argument, self.scope(source))
            fact = row_calls.fact_of(call, source) if shapes else None
            if fact is not None:
                for shape in shapes:
                    yield row_calls.handed_over(shape, fact, source, argument)

    def _calls(self, call: Call, source: SourceFile, file: SourceFile, qualname: str) -> bool:
        return any(
            isinstance(option, FunctionType) and (option.file_id, option.qualname) == (file.file_id, qualname)
            for option in known(self.resolver.type_of(call.func, source))
        )


def _alone(shape: Shape) -> Shape:
    """A thing that was taken out of its collection once."""
    if isinstance(shape, Loaded):
        return replace(shape, walked=False, alone=shape.alone or not shape.path)
    if isinstance(shape, Row):
        return replace(shape, items=tuple(tuple(_alone(each) for each in item) for item in shape.items))
    return shape


def _is_short(index: Operation) -> bool:
    """Whether a slice is a handful of items from the start."""
    last = index.operands[-1] if index.operands else None
    return (
        len(index.operands) == 1
        and isinstance(last, Const)
        and isinstance(last.value, int)
        and 0 < last.value <= 5
    )
