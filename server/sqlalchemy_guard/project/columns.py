"""Columns of mapped classes as facts: one attribute with everything that its call says.

What cannot be read is None, never a guess. This module must never judge a column.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal

from sqlalchemy_guard.facts.values import Attr, Call, Const, Param, Sequence, Value
from sqlalchemy_guard.project.column_calls import flag, read_column
from sqlalchemy_guard.project.externals import BASES, DECLARATIVE_BASES
from sqlalchemy_guard.project.registries import registry_of
from sqlalchemy_guard.project.subclasses import subclasses
from sqlalchemy_guard.project.types import UNKNOWN_TYPE, ClassType, Instance, Type, known
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import Attribute, ClassFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.subclasses import Mentioning
    from sqlalchemy_guard.project.types import ClassRef

MAPPED = frozenset(
    {"sqlalchemy.orm.Mapped", "sqlalchemy.orm.DynamicMapped", "sqlalchemy.orm.WriteOnlyMapped"}
)


@dataclass(slots=True, eq=False)
class ForeignKeyFact:
    """A `ForeignKey(…)` of a column.

    Attributes:
        target: `"table.column"` as a string, None when it is no string that can be read.
        call: The call.
        node: Its node, in the chunk of the column.
    """

    target: str | None
    call: Call
    node: ast.expr | None


@dataclass(slots=True, eq=False)
class Column:
    """A column attribute of a class.

    Attributes:
        attribute: The attribute; its node and chunk say where it stands.
        owner: The class that declares it, which may be a mixin.
        file: That class's file.
        kind: `Column`, `mapped_column` or `Field`.
        call: The call as a value.
        node: The call's node, in the chunk of the attribute.
        database_name: The name in the table, None when it cannot be read.
        type: The SQL type as it is written, None when none is written.
        foreign_keys: Its `ForeignKey`s.
        items: Canonical names of the other positional arguments (`sqlalchemy.Identity`, …).
        is_readable: Whether nothing is hidden in `*arguments` or `**mappings`.
    """

    attribute: Attribute
    owner: ClassFacts
    file: SourceFile
    kind: str
    call: Call
    node: ast.Call
    database_name: str | None
    type: Value | None
    foreign_keys: tuple[ForeignKeyFact, ...]
    items: tuple[str, ...]
    is_readable: bool

    @property
    def name(self) -> str:
        """The attribute's name."""
        return self.attribute.name

    @property
    def statement(self) -> ast.Assign | ast.AnnAssign:
        """The assignment."""
        assert isinstance(self.attribute.node, (ast.Assign, ast.AnnAssign))
        return self.attribute.node

    @property
    def type_node(self) -> ast.expr | None:
        """The node of the SQL type."""
        written = [*zip(self.call.args, self.node.args, strict=False)]
        written += [
            (value, keyword.value)
            for (_, value), keyword in zip(self.call.keywords, self.node.keywords, strict=False)
        ]
        return next((node for value, node in written if value is self.type), None)

    @property
    def annotation(self) -> Value | None:
        """The attribute's annotation."""
        return self.attribute.annotation

    def keyword(self, name: str) -> Value | None:
        """The value of a keyword argument written out."""
        return self.call.keyword(name)

    def flag(self, name: str) -> bool | None:
        """A keyword that says True or False; None when it is absent or says something else."""
        return flag(self.call, name)


def column_of(resolver: Resolver, attribute: Attribute, owner: ClassFacts, file: SourceFile) -> Column | None:
    """The column that an attribute is, None when it is none."""
    call, statement = attribute.value, attribute.node
    if type(call) is not Call or not isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return None
    node = statement.value
    if not isinstance(node, ast.Call) or (isinstance(statement, ast.Assign) and len(statement.targets) != 1):
        return None
    read = read_column(resolver, call, file)
    if read is None:
        return None
    nodes = {id(value): argument for value, argument in zip(call.args, node.args, strict=False)}
    holder = next((keyword.value for keyword in node.keywords if keyword.arg == "foreign_key"), None)
    keys = [
        ForeignKeyFact(key.text, key.call, holder if key.call is call else nodes.get(id(key.call)))
        for key in read.foreign_keys
    ]
    name = attribute.name if read.database_name == "" else read.database_name
    return Column(
        attribute,
        owner,
        file,
        read.kind,
        call,
        node,
        name,
        read.type,
        tuple(keys),
        read.items,
        read.is_readable,
    )


def columns_of(resolver: Resolver, owner: ClassFacts, file: SourceFile) -> Iterator[Column]:
    """The columns that a class declares itself, in order."""
    for attribute in owner.attributes.values():
        column = column_of(resolver, attribute, owner, file)
        if column is not None:
            yield column


@dataclass(slots=True, eq=False)
class BareColumn:
    """A column that an annotation alone declares: `name: Mapped[str]`.

    Attributes:
        attribute: The attribute; its node and chunk say where it stands.
        owner: The class that declares it, which may be a mixin.
        file: That class's file.
    """

    attribute: Attribute
    owner: ClassFacts
    file: SourceFile

    @property
    def name(self) -> str:
        """The attribute's name, which is the column's as well."""
        return self.attribute.name

    @property
    def statement(self) -> ast.AnnAssign:
        """The annotation."""
        assert isinstance(self.attribute.node, ast.AnnAssign)
        return self.attribute.node


def bare_columns_of(resolver: Resolver, owner: ClassFacts, file: SourceFile) -> Iterator[BareColumn]:
    """The columns of a class that have a `Mapped[...]` and nothing else, in order."""
    for attribute in owner.attributes.values():
        if (
            attribute.value is None
            and attribute.annotation is not None
            and isinstance(attribute.node, ast.AnnAssign)
        ):
            declared = list(known(resolver.instance_of(attribute.annotation, file)))
            if any(
                isinstance(type_, Instance) and type_.ref == "sqlalchemy.orm.Mapped" for type_ in declared
            ):
                yield BareColumn(attribute, owner, file)


def mapped_type(resolver: Resolver, column: Column) -> Type | Literal[False] | None:
    """The type inside the column's `Mapped[…]`; False when its annotation is something else, None when unknown or absent."""
    if column.annotation is None:
        return None
    declared = list(known(resolver.instance_of(column.annotation, column.file)))
    for type_ in declared:
        if isinstance(type_, Instance) and type_.ref in MAPPED:
            return type_.args[0] if type_.args else UNKNOWN_TYPE
    return False if declared else None


def is_nullable(resolver: Resolver, column: Column) -> bool | None:
    """Whether the database column admits NULL by what the call and the class's table arguments say; None when they hide it.

    The annotation is not asked: for a `mapped_column` with `Mapped[…]` it decides only where the call says nothing.
    """
    if not column.is_readable:
        return None
    if column.keyword("nullable") is not None:
        return column.flag("nullable")
    if column.keyword("primary_key") is not None:
        key = column.flag("primary_key")
        return None if key is None else not key
    if "sqlalchemy.Identity" in column.items:
        return False
    in_key = _in_primary_key(resolver, column)
    return None if in_key is None else not in_key


def _in_primary_key(resolver: Resolver, column: Column) -> bool | None:
    """Whether a `PrimaryKeyConstraint` of the table arguments names the column; None when they cannot be read."""
    arguments = column.owner.attributes.get("__table_args__")
    if arguments is None or arguments.value is None:
        return False
    items = arguments.value.items if type(arguments.value) is Sequence else (arguments.value,)
    for item in items:
        if type(item) is not Call:
            continue
        if resolver.external_name(item.func, column.file) == "sqlalchemy.PrimaryKeyConstraint":
            if any(type(arg) is not Const for arg in item.args):
                return None
            if any(type(arg) is Const and arg.value == column.database_name for arg in item.args):
                return True
    return False


def is_dataclass(resolver: Resolver, class_: ClassType) -> bool:
    """Whether a mapped class is a dataclass, or may be because of a base or decorator that cannot be read."""
    for ref in resolver.ancestors(class_):
        if ref == "sqlalchemy.orm.MappedAsDataclass":
            return True
        found = resolver.class_facts(ref)
        if found is None:
            continue
        for decorator in found[0].decorators:
            target = decorator.func if type(decorator) is Call else decorator
            name = resolver.external_name(target, found[1]) or ""
            last = target.name if type(target) is Attr else name.rpartition(".")[2]
            if last in ("mapped_as_dataclass", "dataclass", "unmapped_dataclass", "define", "attrs"):
                return True
    return False


def may_be_dataclass(resolver: Resolver, files: Mentioning, class_: ClassType) -> bool:
    """Whether a class may become a dataclass: by its own base, or by that of a class that it is mixed into.

    Args:
        resolver: Types of values.
        files: Who knows which files name a base.
        class_: The class.
    """
    assert isinstance(class_.ref, tuple)
    return resolver.remembered(
        ("may be dataclass", class_.ref), lambda: _may_be_dataclass(resolver, files, class_.ref, set())
    )


def _may_be_dataclass(resolver: Resolver, files: Mentioning, ref: ClassRef, seen: set[ClassRef]) -> bool:
    if not isinstance(ref, tuple) or ref in seen:
        return False
    seen.add(ref)
    if is_dataclass(resolver, ClassType(ref)):
        return True
    registry = registry_of(resolver, ref)
    if registry is None:
        # A model whose base cannot be told, or a mixin.
        return (
            resolver.is_model(ClassType(ref))
            or _is_handed_in(resolver, ref)
            or any(
                _may_be_dataclass(resolver, files, child, seen) for child in subclasses(resolver, files, ref)
            )
        )
    if isinstance(registry.made, str):
        return is_dataclass(resolver, ClassType((registry.home, registry.made)))
    # `db.Model` is what the extension was made with; of one that is handed in nobody knows.
    if registry.kind != "flask_sqlalchemy.Model":
        return False
    if type(registry.made) is not Call or any(name is None for name, _ in registry.made.keywords):
        return True
    given = registry.made.keyword("model_class")
    return given is not None and not _is_plain_base(resolver, given, registry.home)


def _is_plain_base(resolver: Resolver, value: Value, home: str) -> bool:
    """Whether `model_class=` gives a base of which it is known that no dataclass comes of it."""
    file = resolver.sources.file(home)
    if file is None:
        return False
    made, _ = resolver.definition_of(value, file)
    found = list(known(resolver.type_of(value, file)))
    return bool(found) and all(
        isinstance(option, ClassType)
        and (
            option.ref == "sqlalchemy.orm.declarative_base()" and type(made) is Call and not made.keywords
            if isinstance(option.ref, str)
            else not is_dataclass(resolver, option) and not has_unknown_base(resolver, option)
        )
        for option in found
    )


def _is_handed_in(resolver: Resolver, ref: ClassRef) -> bool:
    """Whether a base of a class is an attribute of a parameter: nobody knows all that is given for it."""
    found = resolver.class_facts(ref)
    for base in found[0].bases if found is not None else ():
        while type(base) is Attr:
            base = base.base
        if type(base) is Param:
            return True
    return False


_COLUMNLESS = (
    "builtins.", "typing.", "abc.", "sqlalchemy.", "flask_login.", "werkzeug.", "pydantic.", "enum.", "dataclasses.",
)  # fmt: skip
"""Libraries whose classes bring no columns."""


def is_columnless(ref: str) -> bool:
    """Whether a class of a library brings no columns and names no table."""
    return ref in DECLARATIVE_BASES or ref in BASES or ref.startswith(_COLUMNLESS)


def has_unknown_base(resolver: Resolver, class_: ClassType) -> bool:
    """Whether a class has an ancestor that was not found or is of a library: what it brings is not known."""
    for ref in resolver.ancestors(class_):
        if isinstance(ref, str):
            if not is_columnless(ref):
                return True
            continue
        found = resolver.class_facts(ref)
        if found is not None and any(
            type(resolver.type_of(base, found[1])).__name__ == "Type" for base in found[0].bases
        ):
            return True
    return False


def attribute_names(resolver: Resolver, class_: ClassType) -> frozenset[str] | None:
    """Every name by which a column of the class may be called, in Python or in the database; None when there may be more.

    More there may be below a base that cannot be read, with a decorator or metaclass of one's own, and in reflected tables.
    """
    if has_unknown_base(resolver, class_):
        return None
    names: set[str] = set()
    for ref in resolver.ancestors(class_):
        if isinstance(ref, str):
            if "automap" in ref or "Reflect" in ref:
                return None
            continue
        found = resolver.class_facts(ref)
        if found is None:
            return None
        facts, file = found
        if facts.decorators or "__table__" in facts.attributes or "__init_subclass__" in facts.methods:
            return None
        if any(name in (None, "metaclass") for name, _ in facts.keywords):
            return None
        names.update(facts.attributes, facts.methods)
        for attribute in facts.attributes.values():
            value = attribute.value
            column = column_of(resolver, attribute, facts, file)
            if column is not None:
                if column.database_name is None or not column.is_readable:
                    return None
                names.add(column.database_name)
                key = column.keyword("key")
                if key is not None:
                    if type(key) is not Const or not isinstance(key.value, str):
                        return None
                    names.add(key.value)
            elif type(value) is Call:
                # `deferred(Column("name"))`, `Field(sa_column=Column("name"))`, helpers: a string inside may be the name.
                names.update(_strings(value))
        for method in facts.methods.values():
            function = file.facts.function(method)
            if function is not None and function.returned is not None:
                names.update(_strings(function.returned))
    return frozenset(names)


def _strings(value: Value, depth: int = 0) -> Iterator[str]:
    """The strings among a call's arguments and those of the calls inside."""
    if type(value) is Const and isinstance(value.value, str):
        yield value.value
    elif type(value) is Call and depth < 4:
        for inner in (*value.args, *(item for _, item in value.keywords)):
            yield from _strings(inner, depth + 1)
