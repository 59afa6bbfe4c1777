"""What the body of a class, its bases and its mixins declare for a mapping: columns, relationships, the table.

Each attribute by itself; how tables relate is the business of `mapping`. This module must never look at another model
than the one it was asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.units import STORED
from sqlalchemy_guard.facts.values import Attr, Call, Const, Mapping, Ref, Value
from sqlalchemy_guard.project import stubs
from sqlalchemy_guard.project.externals import BASES, DECLARATIVE_BASES
from sqlalchemy_guard.project.model import model_of
from sqlalchemy_guard.project.types import UNKNOWN_TYPE, ClassType, External, Instance, Literal, Type, known
from sqlalchemy_guard.records import dataclass, field
from sqlalchemy_guard.text.words import snake_case

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import ClassFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_COLUMNS = frozenset(
    ("sqlalchemy.Column", "sqlalchemy.orm.mapped_column", "sqlalchemy.orm.MappedColumn", "sqlmodel.Field",
     "sqlmodel.main.Field", "sqlalchemy.orm.deferred")
)  # fmt: skip
_RELATIONSHIPS = frozenset(
    ("sqlalchemy.orm.relationship", "sqlalchemy.orm.relation", "sqlmodel.Relationship", "sqlalchemy.orm.dynamic_loader")
)  # fmt: skip
_EXPRESSIONS = frozenset(("sqlalchemy.orm.column_property", "sqlalchemy.orm.query_expression"))
_WRAPPERS = _EXPRESSIONS | {"sqlalchemy.orm.deferred"}
_OTHERS = frozenset(
    (
        "sqlalchemy.orm.synonym",
        "sqlalchemy.orm.composite",
        "sqlalchemy.ext.associationproxy.association_proxy",
    )
)
_HYBRIDS = ("hybrid_property", "hybrid_method", "Comparator", "expression")
_MAPPED = frozenset(
    ("sqlalchemy.orm.Mapped", "sqlalchemy.orm.DynamicMapped", "sqlalchemy.orm.WriteOnlyMapped")
)
_HARMLESS_BASES = (
    "builtins.",
    "typing.",
    "abc.",
    "collections.",
    "enum.",
    "dataclasses.",
    "typing_extensions.",
)

_UNHASHABLE = frozenset(
    (
        "JSON",
        "JSONB",
        "ARRAY",
        "HSTORE",
        "PickleType",
        "MutableDict",
        "MutableList",
        "MutableSet",
        "as_mutable",
    )
)
_HASHABLE_MODULES = ("sqlalchemy.",)
_HASHABLE_PYTHON = frozenset(
    ("builtins.int", "builtins.str", "builtins.bool", "builtins.float", "builtins.bytes", "datetime.datetime",
     "datetime.date", "datetime.time", "datetime.timedelta", "decimal.Decimal", "uuid.UUID")
)  # fmt: skip


@dataclass(slots=True, eq=False)
class ColumnDeclaration:
    """A column attribute.

    Attributes:
        name: The attribute.
        column: The column's name in the table.
        hashable: Whether its values can be hashed, None when unknown.
        primary: Whether it belongs to the primary key.
        foreign: Table and column that it refers to.
    """

    name: str
    column: str
    hashable: bool | None
    primary: bool
    foreign: tuple[tuple[str, str], ...]


@dataclass(slots=True, eq=False)
class RelationshipDeclaration:
    """A relationship attribute as it is written: the call (None for a bare annotation), the annotation, and the file."""

    name: str
    call: Call | None
    annotation: Value | None
    file: SourceFile
    dynamic: bool


@dataclass(slots=True, eq=False)
class Declared:
    """What a class declares, inherited declarations included.

    Attributes:
        table: The table's name, None when it cannot be told.
        others: Attributes for criteria that are neither column nor relationship, or that were not understood.
        computed: Whether loading an object computes SQL expressions.
        concrete: Whether the mapper is concrete.
        polymorphic: Whether the mapper distinguishes classes by a column.
        complete: Whether all bases were understood.
    """

    table: str | None = None
    columns: dict[str, ColumnDeclaration] = field(default_factory=dict)
    relationships: dict[str, RelationshipDeclaration] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    computed: bool = False
    concrete: bool = False
    polymorphic: bool = False
    complete: bool = True

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The attributes of the primary key."""
        return tuple(name for name, each in self.columns.items() if each.primary)


def is_mapped(resolver: Resolver, ref: tuple[str, str]) -> bool:
    """Whether a class has, or shares, a table."""
    found = resolver.class_facts(ref)
    model = model_of(resolver, *found) if found is not None else None
    return model is not None and model.is_mapped and _has_columns(resolver, ref)


def _has_columns(resolver: Resolver, ref: tuple[str, str]) -> bool:
    """Whether a class has a table name of its own or columns: a base without them is the application's own base."""
    for each in resolver.ancestors(ClassType(ref)):
        found = resolver.class_facts(each)
        if found is None:
            continue
        names = found[0].attributes
        if "__tablename__" in names or "__table__" in names or "__tablename__" in found[0].methods:
            return True
        if any(_kind(resolver, attribute.value, found[1]) == "column" for attribute in names.values()):
            return True
    return False


def has_own_table(resolver: Resolver, ref: tuple[str, str]) -> bool:
    """Whether a class that inherits from a mapped one has a table of its own."""
    found = resolver.class_facts(ref)
    if found is None:
        return False
    facts, file = found
    name = facts.attributes.get("__tablename__")
    if name is not None:
        return not (type(name.value) is Const and name.value.value is None)
    if "__table__" in facts.attributes:
        return True
    values = (_completed(resolver, attribute.value, file) for attribute in facts.attributes.values())
    return any(_kind(resolver, value, file) == "column" and _is_primary(value) for value in values)


def declare(resolver: Resolver, ref: tuple[str, str]) -> Declared:
    """What a class, its bases and mixins declare."""
    found = Declared()
    kind = ""
    primary: list[tuple[ClassFacts, SourceFile]] = []
    for each in resolver.ancestors(ClassType(ref)):
        if isinstance(each, str):
            kind = kind or (each if each in DECLARATIVE_BASES else "")
            if not _understood(each):
                found.complete = False
            continue
        facts = resolver.class_facts(each)
        if facts is None:
            found.complete = False
            continue
        primary.append(facts)
    for class_, file in primary:
        if not _bases_known(resolver, class_, file):
            found.complete = False
        _read(resolver, class_, file, found, sqlmodel=kind == "sqlmodel.SQLModel")
    if found.table is None and kind == "flask_sqlalchemy.Model":
        found.table = snake_case(ref[1].rpartition(".")[2])
    if found.table is None and kind == "sqlmodel.SQLModel":
        found.table = ref[1].rpartition(".")[2].lower()
    return found


def _understood(ref: str) -> bool:
    return (
        ref in DECLARATIVE_BASES
        or ref in stubs.CLASSES
        or ref in BASES
        or ref.startswith(_HARMLESS_BASES)
        or ref
        in ("sqlalchemy.ext.asyncio.AsyncAttrs", "flask_login.UserMixin", "flask_login.mixins.UserMixin")
    )


def _bases_known(resolver: Resolver, facts: ClassFacts, file: SourceFile) -> bool:
    return all(next(known(resolver.type_of(base, file)), None) is not None for base in facts.bases)


def _read(
    resolver: Resolver, facts: ClassFacts, file: SourceFile, found: Declared, *, sqlmodel: bool
) -> None:
    """The declarations of one class body; what nearer classes said stays."""
    seen = found.columns.keys() | found.relationships.keys() | found.others
    for name, attribute in facts.attributes.items():
        if name.startswith("__"):
            _special(resolver, name, attribute.value, file, found)
        elif name not in seen:
            _attribute(resolver, name, attribute.value, attribute.annotation, file, found, sqlmodel=sqlmodel)
    resolver.keys.add((file.file_id, STORED))
    for value, name, annotation, assigned in file.facts.foreign_sets:
        if (
            type(value) is Ref
            and not value.module
            and value.name == facts.qualname
            and name not in found.columns
            and name not in found.relationships
        ):
            _attribute(resolver, name, assigned, annotation, file, found, sqlmodel=False)
    for name, qualname in facts.methods.items():
        function = file.facts.function(qualname)
        if function is None or name in seen:
            continue
        names = [
            resolver.external_name(each.func if type(each) is Call else each, file) or _last(each)
            for each in function.decorators
        ]
        if any(each.endswith(("declared_attr", "declared_attr.cascading")) for each in names):
            resolver.keys.add((file.file_id, qualname))
            if name.startswith("__"):
                _special(resolver, name, function.returned, file, found)
            elif function.returned is not None:
                _attribute(
                    resolver, name, function.returned, function.annotation, file, found, sqlmodel=False
                )
            else:
                found.others.add(name)
        elif any(each.endswith(_HYBRIDS) for each in names) or _was_hybrid(resolver, file, qualname):
            found.others.add(name)


def _was_hybrid(resolver: Resolver, file: SourceFile, qualname: str) -> bool:
    """Whether an earlier definition of the name is a hybrid, to which the last one adds a setter or a comparator."""
    resolver.keys.add((file.file_id, qualname))
    earlier = file.facts.functions.get(qualname, [])[:-1]
    names = [resolver.external_name(each, file) or _last(each) for one in earlier for each in one.decorators]
    return any(each.endswith(_HYBRIDS) for each in names)


def _last(value: Value) -> str:
    return value.name if type(value) in (Ref, Attr) else ""  # type: ignore[attr-defined]


def _special(resolver: Resolver, name: str, value: Value | None, file: SourceFile, found: Declared) -> None:
    if name == "__tablename__" and found.table is None:
        made = resolver.type_of(value, file) if value is not None else UNKNOWN_TYPE
        if isinstance(made, Literal) and isinstance(made.value, str):
            found.table = made.value
    elif name == "__table__":
        found.complete = False
    elif name == "__mapper_args__":
        if type(value) is not Mapping:
            found.polymorphic = True
            return
        for key, item in value.entries:
            text = key.value if type(key) is Const else None
            if text == "concrete":
                found.concrete = not (type(item) is Const and item.value is False)
            elif text is None or (isinstance(text, str) and text.startswith("polymorphic")):
                found.polymorphic = True


def _attribute(
    resolver: Resolver,
    name: str,
    value: Value | None,
    annotation: Value | None,
    file: SourceFile,
    found: Declared,
    *,
    sqlmodel: bool,
) -> None:
    value = _completed(resolver, value, file)
    mapped = resolver.instance_of(annotation, file) if annotation is not None else UNKNOWN_TYPE
    wrapper = mapped.ref if isinstance(mapped, Instance) and mapped.ref in _MAPPED else None
    kind = _kind(resolver, value, file)
    if kind is None and value is None:
        if wrapper == "sqlalchemy.orm.Mapped" or (sqlmodel and annotation is not None):
            kind = "column"
        elif wrapper is not None:
            kind = "relationship"
    elif kind is None and sqlmodel and annotation is not None:
        kind = "column"
    if kind == "column":
        call = value if type(value) is Call else None
        found.columns[name] = _column(resolver, name, call, mapped, file)
    elif kind == "relationship":
        assert value is None or type(value) is Call
        dynamic = wrapper is not None and wrapper != "sqlalchemy.orm.Mapped"
        if type(value) is Call:
            dynamic = dynamic or _function(resolver, value, file).endswith("dynamic_loader")
        found.relationships[name] = RelationshipDeclaration(name, value, annotation, file, dynamic)
    elif kind == "expression":
        found.others.add(name)
        found.computed = True
    elif kind == "other" or (kind is None and wrapper is not None):
        found.others.add(name)


def _completed(resolver: Resolver, value: Value | None, file: SourceFile) -> Value | None:
    """A call of a `partial(…)` of the same file with the arguments that were given to that; anything else as it is."""
    if type(value) is not Call:
        return value
    given, home = resolver.definition_of(value.func, file)
    if (
        type(given) is not Call
        or not given.args
        or home.file_id != file.file_id
        or resolver.external_name(given.func, home) != "functools.partial"
    ):
        return value
    said = {name for name, _ in value.keywords}
    kept = tuple(each for each in given.keywords if each[0] is None or each[0] not in said)
    return Call(given.args[0], (*given.args[1:], *value.args), (*kept, *value.keywords))


def _function(resolver: Resolver, call: Call, file: SourceFile) -> str:
    return resolver.external_name(call.func, file) or ""


def _kind(resolver: Resolver, value: Value | None, file: SourceFile) -> str | None:
    """What an assigned value makes of an attribute: column, relationship, expression, other, or None for nothing."""
    if type(value) is not Call:
        return "other" if value is not None and _may_be_mapped(resolver.type_of(value, file)) else None
    name = _function(resolver, value, file)
    if name in _COLUMNS:
        return "column"
    if name in _RELATIONSHIPS:
        return "relationship"
    if name in _EXPRESSIONS:
        # `column_property(Column(…), Parent.column)` names a column of its own.
        inner = value.args[0] if value.args else None
        return "column" if type(inner) is Call and _kind(resolver, inner, file) == "column" else "expression"
    if name in _OTHERS:
        return "other"
    made = resolver.type_of(value, file)
    for option in known(made):
        if isinstance(option, Instance):
            if option.ref in ("sqlalchemy.Column", "sqlalchemy.orm.MappedColumn"):
                return "column"
            if option.ref == "sqlalchemy.orm.Relationship":
                return "other"
            return None
    # An unknown function may make anything.
    return "other" if next(known(made), None) is None else None


def _may_be_mapped(type_: Type) -> bool:
    return any(isinstance(option, Instance) and option.ref == "sqlalchemy.Column" for option in known(type_))


def _is_primary(value: Value | None) -> bool:
    if type(value) is not Call:
        return False
    primary = value.keyword("primary_key")
    if primary is None:
        inner = next(
            (each for each in value.args if type(each) is Call and each.keyword("primary_key")), None
        )
        return inner is not None and _is_primary(inner)
    return type(primary) is Const and primary.value is True


def _column(
    resolver: Resolver, name: str, call: Call | None, mapped: Type, file: SourceFile
) -> ColumnDeclaration:
    foreign: list[tuple[str, str]] = []
    column = name
    hashable: bool | None = None
    if call is not None:
        if _function(resolver, call, file) in _WRAPPERS and call.args and type(call.args[0]) is Call:
            call = call.args[0]
        if call.args and type(call.args[0]) is Const and isinstance(call.args[0].value, str):
            column = call.args[0].value
        given = call.keyword("name")
        if type(given) is Const and isinstance(given.value, str):
            column = given.value
        reference = call.keyword("foreign_key")
        if type(reference) is Const and isinstance(reference.value, str):
            foreign.append(_split(reference.value))
        arguments = [*call.args]
        for keyword in ("type_", "sa_type"):
            extra = call.keyword(keyword)
            if extra is not None:
                arguments.append(extra)
        nested = call.keyword("sa_column")
        if type(nested) is Call:
            return _column(resolver, name, nested, mapped, file)
        for argument in arguments:
            if type(argument) is Const:
                continue
            made = argument.func if type(argument) is Call else argument
            named = resolver.external_name(made, file) or ""
            if named == "sqlalchemy.ForeignKey" and type(argument) is Call:
                foreign.extend(_foreign(resolver, argument, file))
                continue
            judged = _hashable_type(resolver, argument, file, named)
            if judged is not None:
                hashable = judged
    if hashable is None:
        hashable = True if foreign else _hashable_python(mapped)
    return ColumnDeclaration(name, column, hashable, _is_primary(call), tuple(foreign))


def _foreign(resolver: Resolver, call: Call, file: SourceFile) -> list[tuple[str, str]]:
    target = call.args[0] if call.args else call.keyword("column")
    made = resolver.type_of(target, file) if target is not None else UNKNOWN_TYPE
    if isinstance(made, Literal) and isinstance(made.value, str):
        return [_split(made.value)]
    if type(target) is Attr:
        for option in known(resolver.type_of(target.base, file)):
            if isinstance(option, ClassType) and isinstance(option.ref, tuple):
                facts = resolver.class_facts(option.ref)
                attribute = facts[0].attributes.get("__tablename__") if facts is not None else None
                if attribute is not None and type(attribute.value) is Const:
                    return [(str(attribute.value.value), target.name)]
                return [(snake_case(option.ref[1].rpartition(".")[2]), target.name)]
    return []


def _split(text: str) -> tuple[str, str]:
    table, _, column = text.rpartition(".")
    return table.rpartition(".")[2], column


def _hashable_type(resolver: Resolver, value: Value, file: SourceFile, name: str) -> bool | None:
    """Whether values of a column type can be hashed; None when that is unknown or the value is no type."""
    last = name.rpartition(".")[2] or _last(value.func if type(value) is Call else value)
    if last in _UNHASHABLE:
        return False
    if name.startswith("sqlalchemy.") and last not in (
        "TypeDecorator",
        "TypeEngine",
        "Identity",
        "Computed",
        "Sequence",
    ):
        return not any(part in name for part in ("mutable",))
    return None


def _hashable_python(mapped: Type) -> bool | None:
    inner = (
        mapped.args[0] if isinstance(mapped, Instance) and mapped.ref in _MAPPED and mapped.args else mapped
    )
    options = list(known(inner))
    if not options:
        return None
    if all(
        isinstance(option, (Instance, External, ClassType)) and _ref(option) in _HASHABLE_PYTHON
        for option in options
    ):
        return True
    if any(_ref(option) in ("builtins.list", "builtins.dict", "builtins.set") for option in options):
        return False
    return None


def _ref(type_: Type) -> object:
    return type_.name if isinstance(type_, External) else getattr(type_, "ref", None)
