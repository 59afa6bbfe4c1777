"""What the pieces of a file say: units, which the rules look at in one go, and contributions, one for each top-level chunk.

Plain data. This module must never evaluate anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.facts.values import Attr, Call, Param, Ref, Value, same
from sqlalchemy_guard.records import dataclass, field
from sqlalchemy_guard.syntax.chunk import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.facts.blocks import Env
    from sqlalchemy_guard.facts.declarations import Binding, CallFact, ClassFacts, FunctionFacts, ItemSet

AttributeSet = tuple[Value, str, "Value | None", Value]


STORED = "*stored"
"""The name under which an assignment to an attribute of any object but `self` that came or went is told."""
SCRIPT = "*script"
"""The name of whether a module runs by itself."""
ITEMS = "*items"
"""The name under which an assignment to an item that came or went is told."""
WHOLE = "*whole"
"""The name under which an edit of anything in a file is told."""
REPLACED = "*replaced"
"""The name under which it is told that a file was read anew, with other definitions perhaps."""


class Unit:
    """What the rules look at in one go.

    Attributes:
        chunk: The leaf, or the header of the cut definition.
        kind: leaf, function or class.
        calls: Every call in it, nested functions included, in source order of evaluation.
        functions: The functions defined in it.
        classes: The classes defined in it.
        item_sets: Assignments to items in it.
        called: The calls that pass something, by the last name of what they call.
        named: The names that decorators give to functions (`@fixture(name="db")`), with the functions' own.
        attribute_names: The names of all attributes that are read in it.
        report: The checker's own notes about this very unit.
    """

    __slots__ = (
        "attribute_names",
        "called",
        "calls",
        "chunk",
        "classes",
        "functions",
        "item_sets",
        "kind",
        "named",
        "report",
    )

    def __init__(self, kind: str, chunk: Chunk) -> None:
        self.kind = kind
        self.chunk = chunk
        self.calls: list[CallFact] = []
        self.functions: list[FunctionFacts] = []
        self.classes: list[ClassFacts] = []
        self.item_sets: list[ItemSet] = []
        self.called: dict[str, list[Call]] = {}
        self.named: list[tuple[Value, str]] = []
        self.attribute_names: set[str] = set()
        self.report: Any = None

    def summarize(self) -> None:
        """Bring `called` and `named` in step with the rest."""
        for fact in self.calls:
            call = fact.value
            if (call.args or call.keywords) and isinstance(call.func, (Attr, Ref)):
                self.called.setdefault(call.func.name, []).append(call)
        self.named = [
            (name, function.qualname)
            for function in self.functions
            for decorator in function.decorators
            if type(decorator) is Call and (name := decorator.keyword("name")) is not None
        ]


@dataclass(slots=True, eq=False)
class Contribution:
    """What a top-level chunk adds to its file.

    Attributes:
        chunk: The chunk.
        env_in: What the names that are bound more than once stand for where the chunk begins, as far as it cares.
        env_out: The same names where it ends.
        reads: The names that its module-level code reads.
        foreign_sets: The assignments to attributes of other objects than a method's own `self`.
        renewed: Qualified names of cut functions that were evaluated again, whose facts are the same objects.
        is_main: Whether it asks for `__main__`: the module runs by itself.
        is_alive: False once another one took its place.
    """

    chunk: Chunk
    env_in: Env
    env_out: Env = field(default_factory=dict)
    units: list[Unit] = field(default_factory=list)
    bindings: list[Binding] = field(default_factory=list)
    functions: list[FunctionFacts] = field(default_factory=list)
    classes: list[ClassFacts] = field(default_factory=list)
    stars: list[Ref] = field(default_factory=list)
    imports: list[Ref] = field(default_factory=list)
    attribute_sets: list[AttributeSet] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    foreign_sets: list[AttributeSet] = field(default_factory=list)
    renewed: set[str] = field(default_factory=set)
    is_main: bool = False
    is_alive: bool = True

    def facts(self) -> Iterator[tuple[str, object]]:
        """Everything that it says about names and qualified names."""
        for binding in self.bindings:
            yield binding.name, binding
        for function in self.functions:
            yield function.qualname, function
        for class_ in self.classes:
            yield class_.qualname, class_

    def mentions(self) -> set[str]:
        """The names that its module-level code reads or binds."""
        return self.reads.union([binding.name for binding in self.bindings])


def is_foreign(base: Value) -> bool:
    """Whether an object whose attribute is assigned is not a method's own `self`."""
    return not (type(base) is Param and base.name in ("self", "cls"))


def is_same_class(one: ClassFacts, other: ClassFacts) -> bool:
    """Whether the facts of a cut class came out the same: of the very same statements, as far as these stand in its body."""
    return (
        list(one.attributes.items()) == list(other.attributes.items())
        and list(one.methods.items()) == list(other.methods.items())
        and one.classes == other.classes
        and list(one.instance) == list(other.instance)
        and same(one.instance, other.instance)
    )


NOTHING = Contribution(Chunk(0, 0, 0, []), {})
"""What a chunk says that is not there."""


def items_otherwise(old: Iterable[Contribution], fresh: Iterable[Contribution]) -> bool:
    """Whether new contributions assign to other items than those that they replace."""
    gone = {unit: None for contribution in old for unit in contribution.units}
    come = {unit: None for contribution in fresh for unit in contribution.units}
    before = [item for unit in gone if unit not in come for item in unit.item_sets]
    after = [item for unit in come if unit not in gone for item in unit.item_sets]
    return len(before) != len(after) or not all(
        same((one.base, one.key, one.value), (other.base, other.key, other.value))
        for one, other in zip(before, after, strict=True)
    )


def imported_by(contributions: Iterable[Contribution]) -> set[tuple[str, str]]:
    """What contributions import: the modules as written and the names."""
    return {(ref.module, ref.name) for contribution in contributions for ref in contribution.imports}


def called_otherwise(old: Iterable[Contribution], fresh: Iterable[Contribution]) -> set[str]:
    """The last names of callees whose calls are not the same in new contributions as in those that they replace."""
    gone = [unit for contribution in old for unit in contribution.units]
    come = [unit for contribution in fresh for unit in contribution.units]
    before: dict[str, list[Call]] = {}
    after: dict[str, list[Call]] = {}
    # Calls that pass nothing are told apart by where they stand alone.
    bare_before: dict[str, list[str]] = {}
    bare_after: dict[str, list[str]] = {}
    for units, kept, calls, bare in (
        (gone, set(come), before, bare_before),
        (come, set(gone), after, bare_after),
    ):
        for unit in units:
            if unit in kept:
                continue
            for name, found in unit.called.items():
                calls.setdefault(name, []).extend(found)
            for fact in unit.calls:
                call = fact.value
                if not call.args and not call.keywords and isinstance(call.func, (Attr, Ref)):
                    where = fact.function.qualname if fact.function is not None else ""
                    bare.setdefault(call.func.name, []).append(where)
    differing = {name for name in before.keys() | after.keys() if not same(before.get(name), after.get(name))}
    moved = {
        name
        for name in bare_before.keys() | bare_after.keys()
        if bare_before.get(name) != bare_after.get(name)
    }
    return differing | moved
