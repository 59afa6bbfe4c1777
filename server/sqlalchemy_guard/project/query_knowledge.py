"""What the expressions of a legacy query mean, answered by the resolver: a `facts.query.Knowledge` for one scope.

Every node has a symbolic value, and every value a type or a definition. What neither says is unknown.
This module must never decide how anything is rewritten.
"""

from __future__ import annotations

import ast
import sys
from collections import ChainMap
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.facts.memos import values_in
from sqlalchemy_guard.facts.query import (
    UNKNOWN_ENTITY,
    ColumnInfo,
    EntityInfo,
    EntityKind,
    ModelInfo,
    SessionInfo,
)
from sqlalchemy_guard.facts.values import (
    UNKNOWN,
    Attr,
    Await,
    Call,
    ClassName,
    Collected,
    Const,
    Def,
    Either,
    Element,
    Function,
    Item,
    Joined,
    Mapping,
    Operation,
    Param,
    Ref,
    Sequence,
    Typed,
    Value,
)
from sqlalchemy_guard.project.externals import SQLALCHEMY_FAMILY
from sqlalchemy_guard.project.query_scope import QueryScope
from sqlalchemy_guard.project.query_sessions import QuerySessions
from sqlalchemy_guard.project.types import (
    UNKNOWN_TYPE,
    ClassType,
    External,
    FunctionType,
    Instance,
    Literal,
    MethodType,
    ModuleType,
    Type,
    known,
    options,
)

if TYPE_CHECKING:
    from collections.abc import Mapping as Map

    from sqlalchemy_guard.project.answers import Key
    from sqlalchemy_guard.project.mapping import Mappings
    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk

_ALIASES = frozenset(
    ("sqlalchemy.orm.aliased", "sqlalchemy.orm.with_polymorphic", "sqlalchemy.orm.AliasedClass")
)
_AGGREGATES = frozenset(
    ("count", "sum", "max", "min", "avg", "array_agg", "string_agg", "group_concat", "bool_or", "bool_and", "every",
     "stddev", "variance", "json_agg", "jsonb_agg", "json_object_agg", "bit_and", "bit_or", "percentile_cont", "mode")
)  # fmt: skip
_UNHASHABLE_FUNCTIONS = frozenset(
    ("array_agg", "json_agg", "jsonb_agg", "json_object_agg", "json_build_object")
)
_TABLES = frozenset(
    ("sqlalchemy.Table", "sqlalchemy.Subquery", "sqlalchemy.CTE", "sqlalchemy.TableClause", "sqlalchemy.Alias",
     "sqlalchemy.TableValuedAlias", "sqlalchemy.Lateral")
)  # fmt: skip
_EXPRESSION_FUNCTIONS = frozenset(
    f"sqlalchemy.{name}"
    for name in (
        "and_ or_ not_ case cast literal literal_column text null true false exists desc asc distinct nullslast nullsfirst "
        "nulls_last nulls_first tuple_ type_coerce extract within_group over label column bindparam collate "
        "between any_ all_"
    ).split()
)
_EXPRESSION_TYPES = frozenset(("sqlalchemy.ColumnElement", "sqlalchemy.TextClause"))
_STATEMENTS = frozenset(("sqlalchemy.Select", "sqlalchemy.orm.Query", "flask_sqlalchemy.Query"))
_DEPTH = 24
_SOME_CLASS = EntityInfo(EntityKind.MODEL)
"""A class that is not known by name. Query and select() take no class but a mapped one."""


class QueryKnowledge:
    """Answers about the nodes of one scope.

    Args:
        workspace: All files.
        mappings: The mapped classes.
        file: Their file.
        scope: The nodes.
    """

    def __init__(
        self,
        workspace: Workspace,
        mappings: Mappings,
        file: File,
        scope: QueryScope,
    ) -> None:
        self.workspace = workspace
        self.resolver = workspace.resolver
        self.mappings = mappings
        self.file = file
        self.scope = scope
        parts: list[Any] = [values_in(chunk) for chunk in scope.chunks]
        # Putting the values of a long function together would take longer than asking each of its parts.
        self.values: Map[ast.expr, Value] = parts[0] if len(parts) == 1 else ChainMap(*parts)
        self.sessions = QuerySessions(workspace, file, self.values)
        # What was asked for is asked again by others, who rest on the same.
        self._entities: dict[ast.expr, tuple[EntityInfo, frozenset[Key]]] = {}
        self._spellings: dict[str, tuple[str, frozenset[Key]]] = {}

    def beside(self, file: File, chunk: Chunk) -> QueryKnowledge:
        """The same about another scope, perhaps of another file."""
        scope = QueryScope(chunk)
        made = QueryKnowledge(self.workspace, self.mappings, file, scope)
        made.sessions.target = self.sessions.target
        return made

    def value(self, node: ast.expr) -> Value:
        """The symbolic value of a node."""
        return self.values.get(node, UNKNOWN)

    def type(self, node: ast.expr) -> Type:
        """The type of a node."""
        return self.resolver.type_of(self.value(node), self.file)

    # -- Knowledge -------------------------------------------------------------------------------------------------

    def session(self, receiver: ast.expr) -> SessionInfo | None:
        """The session that a receiver is."""
        return self.sessions.session(receiver, takes_classes=self._takes_classes(receiver))

    def _takes_classes(self, receiver: ast.expr) -> bool:
        """Whether `receiver.query()` is given mapped classes, or columns and expressions of such."""
        method = self.scope.parent(receiver)
        call = self.scope.parent(method) if isinstance(method, ast.Attribute) else None
        if not isinstance(call, ast.Call) or call.func is not method or call.keywords:
            return False
        given = [self.entity(node) for node in call.args]
        return any(each.model is not None for each in given) and all(
            each.kind not in (EntityKind.VALUE, EntityKind.UNKNOWN) for each in given
        )

    def registry(self, query: ast.Attribute) -> tuple[SessionInfo, EntityInfo] | None:
        """Session and entity of `Model.query`."""
        if query.attr != "query":
            return None
        entity = self.entity(query.value)
        if entity.kind is not EntityKind.MODEL or entity.model is None:
            return None
        session = self.sessions.registry(query)
        return (session, entity) if session is not None else None

    def entity(self, node: ast.expr) -> EntityInfo:
        """What an expression means."""
        kept = self._entities.get(node)
        if kept is not None:
            self.resolver.keys |= kept[1]
            return kept[0]
        found, keys = self._entities[node] = self.resolver.noted(lambda: self._entity(node))
        if found.kind is EntityKind.MODEL and found.model is not None and isinstance(node, ast.Name):
            self._spellings[found.model.identity] = node.id, keys
        return found

    def qualified_name(self, node: ast.expr) -> str | None:
        """The dotted name of something imported."""
        value = self.value(node)
        if type(value) not in (Ref, Attr):
            return None
        return self._name_of_function(value, self.file)

    def option(self, node: ast.expr) -> str | None:
        """The loader function that one option begins with."""
        return self._option(self.value(node), self.file, 0)

    def _option(self, value: Value, file: SourceFile, depth: int) -> str | None:
        value, file = self.resolver.definition_of(value, file)
        if depth > _DEPTH or type(value) is not Call:
            return None
        module, _, name = (self._name_of_function(value.func, file) or "").rpartition(".")
        if module == "sqlalchemy.orm" and name in _OPTIONS:
            return name
        return self._option(value.func.base, file, depth + 1) if type(value.func) is Attr else None

    def spelling(self, model: ModelInfo) -> str | None:
        """How the file names a mapped class."""
        found = self._spellings.get(model.identity)
        if found is not None:
            self.resolver.keys |= found[1]
            return found[0]
        for option in known(self.resolver.name(model.name, self.file)):
            if isinstance(option, ClassType) and self._is(option, model):
                return model.name
        return None

    def _is(self, class_: ClassType, model: ModelInfo) -> bool:
        return isinstance(class_.ref, tuple) and f"{class_.ref[0]}:{class_.ref[1]}" == model.identity

    # -- entities --------------------------------------------------------------------------------------------------

    def _entity(self, node: ast.expr) -> EntityInfo:
        if isinstance(node, ast.Constant | ast.JoinedStr):
            return EntityInfo(EntityKind.VALUE)
        return self.entity_of(self.value(node), self.file, 0)

    def entity_of(self, value: Value, file: SourceFile, depth: int) -> EntityInfo:
        """What a symbolic value means."""
        if depth > _DEPTH:
            return UNKNOWN_ENTITY
        value, file = self.resolver.definition_of(value, file)
        kind = type(value)
        if kind in (Const, Joined, Mapping, Collected, Function):
            return EntityInfo(EntityKind.VALUE)
        if kind is Operation:
            return self._operation(value, file, depth)  # type: ignore[arg-type]
        if kind is Sequence:
            kinds = {self.entity_of(item, file, depth + 1).kind for item in value.items}  # type: ignore[attr-defined]
            return EntityInfo(EntityKind.VALUE) if kinds <= {EntityKind.VALUE} else UNKNOWN_ENTITY
        if kind is Either:
            found = [self.entity_of(option, file, depth + 1) for option in value.options]  # type: ignore[attr-defined]
            if all(each == found[0] for each in found):
                return found[0]
            return _SOME_CLASS if all(each.kind is EntityKind.MODEL for each in found) else UNKNOWN_ENTITY
        if kind is Call:
            return self._call(value, file, depth)  # type: ignore[arg-type]
        if kind is Attr:
            found_attribute = self._attribute(value, file, depth)  # type: ignore[arg-type]
            if found_attribute is not None:
                return found_attribute
        return self._by_type(value, file)

    def _by_type(self, value: Value, file: SourceFile) -> EntityInfo:
        type_ = self.resolver.type_of(value, file)
        options_ = list(known(type_))
        if len(options_) == 1 and isinstance(options_[0], ClassType) and isinstance(options_[0].ref, tuple):
            model = self.mappings.model(options_[0].ref)
            if model is not None:
                return EntityInfo(EntityKind.MODEL, model, model.identity)
        if options_ and all(
            isinstance(option, ClassType) and isinstance(option.ref, tuple) for option in options(type_)
        ):
            return _SOME_CLASS
        if len(options_) == 1 and isinstance(options_[0], Instance):
            ref = options_[0].ref
            if ref in _TABLES:
                return EntityInfo(EntityKind.TABLE, owner=f"table {id(value)}")
            if ref in _EXPRESSION_TYPES:
                return EntityInfo(EntityKind.EXPRESSION)
        if any(_is_sql(option) for option in options_):
            return UNKNOWN_ENTITY
        return EntityInfo(EntityKind.VALUE) if self._is_value(value, file, 0) else UNKNOWN_ENTITY

    def _is_value(self, value: Value, file: SourceFile, depth: int) -> bool:
        """Whether something that has no SQL type is a plain value: where it comes from decides."""
        if depth > _DEPTH:
            return False
        value, file = self.resolver.definition_of(value, file)
        if isinstance(value, Param | Const | Joined | Mapping | Collected | Operation):
            return True
        type_ = self.resolver.type_of(value, file)
        if any(_is_sql(option) or isinstance(option, ClassType) for option in known(type_)):
            return False
        if isinstance(value, Attr | Item | Element | Await):
            base = value.base
            return self._is_value(base, file, depth + 1) or any(
                isinstance(option, Instance | FunctionType | Literal) for option in known(type_)
            )
        if isinstance(value, Call):
            func = self.resolver.type_of(value.func, file)
            if any(_in_family(option) for option in known(func)):
                return _executes(func)
            if any(
                isinstance(option, FunctionType | ClassType | External | MethodType) for option in known(func)
            ):
                return True
            return type(value.func) is Attr and self._is_value(value.func.base, file, depth + 1)
        if isinstance(value, Either):
            return all(self._is_value(option, file, depth + 1) for option in value.options)
        if isinstance(value, Typed):
            return self._is_value(value.value, file, depth + 1)
        if isinstance(value, Sequence):
            return all(self._is_value(item, file, depth + 1) for item in value.items)
        if isinstance(value, Ref | ClassName | Def):
            return _is_value_type(type_)
        return False

    def _attribute(self, value: Attr, file: SourceFile, depth: int) -> EntityInfo | None:
        """An attribute of a class, an alias or a table; None when its base is none of them."""
        base = value.base
        if type(base) is Attr and base.name in ("c", "columns"):
            table = self.entity_of(base.base, file, depth + 1)
            if table.kind is EntityKind.TABLE:
                return EntityInfo(
                    EntityKind.COLUMN, owner=table.owner, attribute=value.name, hashable=table.hashable
                )
        if value.name == "__class__":
            return _SOME_CLASS
        owner = self.entity_of(base, file, depth + 1)
        if owner.kind not in (EntityKind.MODEL, EntityKind.ALIAS):
            if owner.kind in (EntityKind.COLUMN, EntityKind.EXPRESSION, EntityKind.AGGREGATE):
                return UNKNOWN_ENTITY
            return None
        model = owner.model
        if model is None:
            return None if self._is_plain_class(base, file) else UNKNOWN_ENTITY
        if value.name in model.relationships:
            return EntityInfo(EntityKind.RELATIONSHIP, model, owner.owner, value.name)
        if value.name in model.columns:
            column: ColumnInfo = model.columns[value.name]
            return EntityInfo(EntityKind.COLUMN, model, owner.owner, value.name, hashable=column.hashable)
        if value.name in model.others:
            return EntityInfo(EntityKind.COLUMN, model, owner.owner, value.name)
        if value.name == "__table__":
            return EntityInfo(EntityKind.TABLE, model, owner.owner)
        return None if model.complete else UNKNOWN_ENTITY

    def _is_plain_class(self, value: Value, file: SourceFile) -> bool:
        """Whether something is a class of the workspace that is not mapped: an enumeration, or a mixin."""
        return all(
            isinstance(option, ClassType)
            and isinstance(option.ref, tuple)
            and self.mappings.model(option.ref) is None
            for option in options(self.resolver.type_of(value, file))
        )

    def _operation(self, value: Operation, file: SourceFile, depth: int) -> EntityInfo:
        found = [self.entity_of(operand, file, depth + 1) for operand in value.operands]
        if all(each.kind is EntityKind.VALUE for each in found):
            return EntityInfo(EntityKind.VALUE)
        if any(each.kind is EntityKind.UNKNOWN for each in found):
            return UNKNOWN_ENTITY
        aggregate = any(each.kind is EntityKind.AGGREGATE for each in found)
        hashable = all(each.hashable is True or each.kind is EntityKind.VALUE for each in found) or None
        return EntityInfo(
            EntityKind.AGGREGATE if aggregate and value.name not in _COMPARISONS else EntityKind.EXPRESSION,
            hashable=hashable,
        )

    def _bundle(self, value: Call, file: SourceFile, depth: int) -> EntityInfo:
        columns = [self.entity_of(each, file, depth + 1) for each in value.args[1:]]
        names = [each.label or each.attribute for each in columns]
        return EntityInfo(EntityKind.BUNDLE, names=() if None in names else tuple(filter(None, names)))

    def _call(self, value: Call, file: SourceFile, depth: int) -> EntityInfo:
        name = self._name_of_function(value.func, file)
        if name in _ALIASES:
            return self._alias(value, file, depth)
        if name is not None:
            if name.startswith("sqlalchemy.func."):
                last = name.rpartition(".")[2]
                return EntityInfo(
                    EntityKind.AGGREGATE if last in _AGGREGATES else EntityKind.EXPRESSION,
                    hashable=last not in _UNHASHABLE_FUNCTIONS,
                )
            if name in ("sqlalchemy.distinct", "sqlalchemy.label", "sqlalchemy.collate") and value.args:
                inner = self.entity_of(value.args[-1 if name.endswith("label") else 0], file, depth + 1)
                return EntityInfo(EntityKind.EXPRESSION, hashable=inner.hashable)
            if name == "builtins.type" and len(value.args) == 1 and not value.keywords:
                return _SOME_CLASS
            if name in _EXPRESSION_FUNCTIONS:
                return EntityInfo(EntityKind.EXPRESSION, hashable=_hashable_call(name))
            if name == "sqlalchemy.orm.Bundle":
                plain = all(keyword not in ("single_entity", None) for keyword, _ in value.keywords)
                return self._bundle(value, file, depth) if plain else UNKNOWN_ENTITY
        if type(value.func) is Attr:
            owner = self.entity_of(value.func.base, file, depth + 1)
            if owner.kind in (
                EntityKind.COLUMN,
                EntityKind.EXPRESSION,
                EntityKind.AGGREGATE,
                EntityKind.RELATIONSHIP,
            ):
                return self._method(owner, value)
            if owner.kind is EntityKind.TABLE and value.func.name == "alias":
                return EntityInfo(EntityKind.TABLE, owner=f"table {id(value)}")
        return self._by_type(value, file)

    def _name_of_function(self, func: Value, file: SourceFile) -> str | None:
        for option in known(self.resolver.type_of(func, file)):
            if isinstance(option, External):
                return option.name
            if isinstance(option, ClassType) and isinstance(option.ref, str):
                return option.ref
            if isinstance(option, MethodType) and option.name == "exists" and option.owner.ref in _STATEMENTS:
                return "sqlalchemy.exists"
        return None

    def _method(self, owner: EntityInfo, call: Call) -> EntityInfo:
        assert isinstance(call.func, Attr)
        name = call.func.name
        kind = EntityKind.AGGREGATE if owner.kind is EntityKind.AGGREGATE else EntityKind.EXPRESSION
        if name == "label":
            given = call.args[0] if call.args else None
            label = given.value if type(given) is Const and isinstance(given.value, str) else None
            return EntityInfo(kind, owner.model, owner.owner, label=label, hashable=owner.hashable)
        if name == "of_type":
            return owner
        if name == "over":
            return EntityInfo(EntityKind.EXPRESSION, hashable=owner.hashable)
        if name in ("filter", "within_group"):
            return EntityInfo(kind, hashable=owner.hashable)
        if name in _KEEP_TYPE:
            return EntityInfo(EntityKind.EXPRESSION, hashable=owner.hashable)
        if name in _BOOLEAN:
            return EntityInfo(EntityKind.EXPRESSION, hashable=True)
        return EntityInfo(EntityKind.EXPRESSION)

    def _alias(self, value: Call, file: SourceFile, depth: int) -> EntityInfo:
        if not value.args:
            return UNKNOWN_ENTITY
        target = self.entity_of(value.args[0], file, depth + 1)
        if target.kind is EntityKind.TABLE:
            return EntityInfo(EntityKind.TABLE, owner=f"table {id(value)}")
        if target.model is None:
            return UNKNOWN_ENTITY
        name = self._name_of_function(value.func, file) or ""
        selectable = value.args[(2 if name.endswith("with_polymorphic") else 1) :]
        repeats = bool(selectable) or any(
            keyword in ("alias", "selectable", None) for keyword, _ in value.keywords
        )
        return EntityInfo(EntityKind.ALIAS, target.model, f"alias {id(value)}", repeats=repeats)


_COMPARISONS = frozenset(
    ("==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not", "and", "or", "not")
)
_OPTIONS = frozenset(
    ("joinedload", "selectinload", "subqueryload", "lazyload", "noload", "raiseload", "immediateload", "contains_eager",
     "defaultload", "load_only", "defer", "undefer", "undefer_group", "with_expression", "with_loader_criteria", "Load")
)  # fmt: skip
"""Functions that give one loader option, whose methods give one again."""
_KEEP_TYPE = frozenset(
    ("desc", "asc", "nulls_last", "nulls_first", "nullslast", "nullsfirst", "distinct", "collate")
)
_BOOLEAN = frozenset(
    ("in_", "notin_", "not_in", "is_", "isnot", "is_not", "like", "ilike", "notlike", "not_like", "notilike", "not_ilike",
     "between", "startswith", "endswith", "contains", "icontains", "istartswith", "iendswith", "match", "regexp_match",
     "is_distinct_from", "is_not_distinct_from", "any", "has", "op")
)  # fmt: skip


def _hashable_call(name: str) -> bool | None:
    """Whether the values of an expression that such a function makes can surely be hashed."""
    last = name.rpartition(".")[2]
    return True if last in ("and_", "or_", "not_", "exists", "extract", "null", "true", "false") else None


def _is_sql(type_: Type) -> bool:
    """Whether objects of a type are SQL constructs, or may be."""
    if isinstance(type_, Instance):
        return isinstance(type_.ref, str) and type_.ref in (
            _TABLES
            | _EXPRESSION_TYPES
            | {"sqlalchemy.Select", "sqlalchemy.CompoundSelect", "sqlalchemy.Column", "sqlalchemy.orm.Query",
               "flask_sqlalchemy.Query", "sqlalchemy.orm.InstrumentedAttribute", "sqlalchemy.orm.Relationship",
               "sqlalchemy.orm.MappedColumn"}
        )  # fmt: skip
    return isinstance(type_, External) and type_.name.startswith(SQLALCHEMY_FAMILY)


def _in_family(type_: Type) -> bool:
    if isinstance(type_, MethodType):
        ref = type_.owner.ref
        return isinstance(ref, str) and ref.startswith(SQLALCHEMY_FAMILY)
    if isinstance(type_, ClassType):
        return isinstance(type_.ref, str) and type_.ref.startswith(SQLALCHEMY_FAMILY)
    return isinstance(type_, External) and type_.name.startswith(SQLALCHEMY_FAMILY)


_EXECUTING = frozenset(
    ("all", "first", "one", "one_or_none", "scalar", "get", "get_one", "count", "fetchall", "fetchone", "execute",
     "scalars", "scalar_one", "scalar_one_or_none", "merge", "fetchmany", "exec", "first_or_404", "get_or_404", "one_or_404")
)  # fmt: skip


def _executes(func: Type) -> bool:
    """Whether a library method gives values of the database, not SQL."""
    return all(isinstance(option, MethodType) and option.name in _EXECUTING for option in known(func))


def _is_value_type(type_: Type) -> bool:
    found = list(options(type_))
    if not found or UNKNOWN_TYPE in found:
        return False
    for option in found:
        if isinstance(option, ClassType | ModuleType):
            return False
        if isinstance(option, External):
            module, _, last = option.name.rpartition(".")
            package = module.partition(".")[0]
            # A name of somebody else's package: objects and constants are values, classes may be mapped.
            if (
                package not in sys.stdlib_module_names
                and package != "builtins"
                and not (last[:1].islower() or last.isupper())
            ):
                return False
    return True
