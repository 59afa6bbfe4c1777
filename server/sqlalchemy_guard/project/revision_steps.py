"""What a revision does, step by step: each `op.…` call of `upgrade()` and `downgrade()` with its arguments by name.

Batch mode, functions of the same file and helpers of other files are followed. The steps stand in the order in which they are
written; nothing is run, and no branch is decided. This module must never judge a step.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Enter, Sequence, Star
from sqlalchemy_guard.project.calls import LibraryCall, resolve_call
from sqlalchemy_guard.project.revision_names import is_revision
from sqlalchemy_guard.project.types import FunctionType, Literal
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.facts.units import Unit
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.workspace import File, Workspace

_OP = "alembic.op."
_BATCH = "alembic.operations.BatchOperations."
_DEEPEST = 4

_SIGNATURES = {
    "create_table": ("table_name", "*columns"),
    "drop_table": ("table_name",),
    "rename_table": ("table_name", "new_table_name"),
    "create_table_comment": ("table_name", "comment"),
    "drop_table_comment": ("table_name",),
    "add_column": ("table_name", "column"),
    "drop_column": ("table_name", "column_name"),
    "alter_column": ("table_name", "column_name", "nullable"),
    "create_index": ("name", "table_name", "columns"),
    "drop_index": ("name", "table_name"),
    "create_unique_constraint": ("name", "table_name", "columns"),
    "create_primary_key": ("name", "table_name", "columns"),
    "create_check_constraint": ("name", "table_name", "condition"),
    "create_exclude_constraint": ("name", "table_name", "*elements"),
    "create_foreign_key": ("name", "table_name", "referent_table", "local_cols", "remote_cols"),
    "drop_constraint": ("name", "table_name", "type_"),
    "execute": ("sqltext",),
    "bulk_insert": ("table", "rows"),
    "batch_alter_table": ("table_name",),
}
"""The positional parameters of the operations; batch operations have no `table_name`."""

_ALIASES = {
    "constraint_name": "name",
    "index_name": "name",
    "source_table": "table_name",
    "source": "table_name",
    "source_schema": "schema",
    "referent": "referent_table",
    "tablename": "table_name",
    "old_table_name": "table_name",
    "fields": "columns",
    "type": "type_",
}
"""What parameters are, or once were, called besides."""

_NO_STEPS = frozenset(
    {"f", "get_bind", "get_context", "batch_alter_table", "inline_literal", "implementation"}
)


@dataclass(slots=True, eq=False)
class Step:
    """One step of a revision.

    Attributes:
        name: `add_column`, `drop_table`, `execute`: an operation; `data` for statements that are sent through the connection
            or a session; `call` for a call of something that is not known.
        fact: The call.
        file: The file that the call stands in.
        batch: The call of `op.batch_alter_table` that it belongs to.
        is_certain: Whether it is done whenever the function runs: it stands in no branch and no loop.
        resolver: Reads the arguments.
    """

    name: str
    fact: CallFact
    file: SourceFile
    batch: Call | None
    is_certain: bool
    resolver: Resolver

    @property
    def is_operation(self) -> bool:
        """Whether it is one of Alembic's operations."""
        return self.name not in ("data", "call")

    def _parameters(self) -> tuple[str, ...]:
        names = _SIGNATURES.get(self.name, ())
        return tuple(name for name in names if name != "table_name") if self.batch is not None else names

    def value(self, parameter: str) -> Value | None:
        """The value of an argument by the parameter's present name; None when it is not given."""
        call = self.fact.value
        for key, value in call.keywords:
            if key is not None and (key == parameter or _ALIASES.get(key) == parameter):
                return value
        at = self._position(parameter)
        given = call.args
        if at is None or at >= len(given) or any(type(each) is Star for each in given[: at + 1]):
            return None
        return given[at]

    def node(self, parameter: str) -> ast.expr | None:
        """The node of an argument; None when it is not given."""
        for keyword in self.fact.node.keywords:
            if keyword.arg is not None and (
                keyword.arg == parameter or _ALIASES.get(keyword.arg) == parameter
            ):
                return keyword.value
        at = self._position(parameter)
        given = self.fact.node.args
        return given[at] if at is not None and self.value(parameter) is not None and at < len(given) else None

    def _position(self, parameter: str) -> int | None:
        names = self._parameters()
        return names.index(parameter) if parameter in names else None

    def rest(self, parameter: str) -> list[tuple[Value, ast.expr]]:
        """The arguments that a parameter like `*columns` takes."""
        at = self._position(f"*{parameter}")
        pairs = list(zip(self.fact.value.args, self.fact.node.args, strict=False))
        return pairs[at:] if at is not None else []

    def has(self, parameter: str) -> bool:
        """Whether an argument is given, or may be in a `**mapping`."""
        return self.value(parameter) is not None or self.fact.value.has_mapping

    def text(self, parameter: str) -> str | None:
        """The string that an argument is; `op.f("name")` is its name. None when it is not given or not known."""
        value = self.value(parameter)
        return text_of(self.resolver, value, self.file) if value is not None else None

    def literal(self, parameter: str) -> object:
        """The constant that an argument is: `Ellipsis` when it is not given or not known."""
        value = self.value(parameter)
        return literal_of(self.resolver, value, self.file) if value is not None else ...

    def texts(self, parameter: str) -> tuple[str, ...] | None:
        """The strings of a list of them; None when one is not known."""
        value = self.value(parameter)
        if type(value) is not Sequence:
            return None
        found = [text_of(self.resolver, item, self.file) for item in value.items]
        return None if None in found else tuple(text for text in found if text is not None)

    @property
    def table(self) -> str | None:
        """The name of the table that it is about, without schema; None when it is about none, or when that is not known."""
        if self.batch is not None:
            given = self.batch.args[0] if self.batch.args else self.batch.keyword("table_name")
            return text_of(self.resolver, given, self.file) if given is not None else None
        return self.text("table_name") if "table_name" in _SIGNATURES.get(self.name, ()) else None

    @property
    def schema(self) -> str | None:
        """The schema that it names; None when it names none, or when that is not known."""
        if self.batch is not None:
            given = self.batch.keyword("schema")
            return text_of(self.resolver, given, self.file) if given is not None else None
        return self.text("schema")

    @property
    def column(self) -> Column | None:
        """The column of `add_column`."""
        value, node = self.value("column"), self.node("column")
        return column_of(self, value, node) if value is not None and node is not None else None

    @property
    def columns(self) -> list[Column]:
        """The columns of `create_table` that are written as such."""
        made = (column_of(self, value, node) for value, node in self.rest("columns"))
        return [column for column in made if column is not None]


@dataclass(slots=True, eq=False)
class Column:
    """A `Column(…)` in an operation: its call, and what is written there.

    Attributes:
        name: None when it is not known.
        value: The call.
        node: The call's node.
        file: The file it stands in.
        type: The value of its type, None when it has none.
        shift: That of the chunk that the node belongs to.
    """

    name: str | None
    value: Call
    node: ast.Call
    file: SourceFile
    type: Value | None
    shift: int
    resolver: Resolver

    def literal(self, keyword: str) -> object:
        """The constant that a keyword argument is: `Ellipsis` when it is not given or not known."""
        value = self.value.keyword(keyword)
        return literal_of(self.resolver, value, self.file) if value is not None else ...

    def items(self, name: str) -> list[Call]:
        """The calls of a canonical name among its arguments (`sqlalchemy.ForeignKey`)."""
        return [
            value
            for value in self.value.args
            if type(value) is Call and self.resolver.external_name(value.func, self.file) == name
        ]


def column_of(step: Step, value: Value, node: ast.expr) -> Column | None:
    """The column that an argument of a step is, written as a call."""
    resolver, file = step.resolver, step.file
    if type(value) is not Call or not isinstance(node, ast.Call):
        return None
    if resolver.external_name(value.func, file) != "sqlalchemy.Column":
        return None
    name = text_of(resolver, value.args[0], file) if value.args else None
    type_ = value.args[1] if len(value.args) > 1 else value.keyword("type_")
    return Column(name, value, node, file, type_, step.fact.chunk.shift, resolver)


def text_of(resolver: Resolver, value: Value, file: SourceFile) -> str | None:
    """The string that a value is, as a name in an operation; None when it is not known."""
    if type(value) is Call and type(value.func) is Attr and value.func.name == "f" and len(value.args) == 1:
        value = value.args[0]
    said = literal_of(resolver, value, file)
    return said if isinstance(said, str) else None


def literal_of(resolver: Resolver, value: Value, file: SourceFile) -> object:
    """The constant that a value is; `Ellipsis` when it is not known."""
    if type(value) is Const:
        return value.value
    type_ = resolver.type_of(value, file)
    return type_.value if isinstance(type_, Literal) else ...


def directions(
    resolver: Resolver, file: SourceFile
) -> list[tuple[FunctionFacts | None, FunctionFacts | None]]:
    """The pairs of functions that go up and down: one pair, or one for each database (`upgrade_billing`)."""
    pairs = []
    names = [name for name in file.facts.functions if name == "upgrade" or name.startswith("upgrade_")]
    up = file.facts.function("upgrade")
    resolver.keys.update(((file.file_id, "upgrade"), (file.file_id, "downgrade")))
    several = up is not None and bool(up.parameters)
    for name in names if several else ("upgrade",):
        down = name.replace("upgrade", "downgrade", 1)
        resolver.keys.update(((file.file_id, name), (file.file_id, down)))
        pairs.append((file.facts.function(name), file.facts.function(down)))
    return pairs


def steps_of(resolver: Resolver, file: SourceFile, function: FunctionFacts | None) -> list[Step]:
    """The steps of a function, those of the functions it calls among them."""
    return list(_steps(resolver, file, function, True, ())) if function is not None else []


def _steps(
    resolver: Resolver, file: SourceFile, function: FunctionFacts, certain: bool, above: tuple[str, ...]
) -> Iterator[Step]:
    resolver.keys.add((file.file_id, function.qualname))
    for fact in resolver.calls_in(function, file):
        is_certain = certain and not _is_conditional(fact)
        resolved = resolve_call(resolver, fact, file)
        if isinstance(resolved, FunctionType):
            yield from _called(resolver, fact, file, resolved, is_certain, (*above, function.qualname))
        else:
            step = _step(resolver, fact, file, resolved, is_certain)
            if step is not None:
                yield step


def _called(
    resolver: Resolver,
    fact: CallFact,
    file: SourceFile,
    called: FunctionType,
    is_certain: bool,
    above: tuple[str, ...],
) -> Iterator[Step]:
    resolver.keys.add((called.file_id, called.qualname))
    source = resolver.sources.file(called.file_id)
    function = source.facts.function(called.qualname) if source is not None else None
    if source is None or function is None or called.qualname in above or len(above) > _DEEPEST:
        yield Step("call", fact, file, None, is_certain, resolver)
    else:
        yield from _steps(resolver, source, function, is_certain, above)


def _step(
    resolver: Resolver, fact: CallFact, file: SourceFile, resolved: LibraryCall | None, is_certain: bool
) -> Step | None:
    name = resolved.name if resolved is not None else None
    if name is not None and name.startswith((_OP, _BATCH)):
        short = name.rpartition(".")[2]
        if short in _NO_STEPS:
            return None
        batch = _batch_of(resolver, fact, file) if name.startswith(_BATCH) else None
        return Step(short, fact, file, batch, is_certain, resolver)
    if name is not None and name.startswith(("sqlalchemy.", "sqlmodel.", "flask_sqlalchemy.")):
        is_sent = resolved is not None and resolved.owner is not None and name.rpartition(".")[2] in _SENDING
        return Step("data", fact, file, None, is_certain, resolver) if is_sent else None
    if name is None and type(fact.value.func) is Attr and fact.value.func.name in _SENDING:
        return Step("data", fact, file, None, is_certain, resolver)
    return None


_SENDING = frozenset(
    {
        "execute",
        "exec_driver_sql",
        "scalar",
        "scalars",
        "query",
        "add",
        "add_all",
        "merge",
        "delete",
        "commit",
    }
    | {
        "bulk_save_objects",
        "bulk_insert_mappings",
        "bulk_update_mappings",
        "exec",
        "create",
        "drop",
        "create_all",
        "drop_all",
    }
)


def _batch_of(resolver: Resolver, fact: CallFact, file: SourceFile) -> Call:
    """The call that a batch operation's context comes from; one that says nothing where it is handed in."""
    func = fact.value.func
    base = func.base if type(func) is Attr else None
    if type(base) is Enter and type(base.base) is Call:
        return base.base
    return Call(fact.value.func, (), ())


def _is_conditional(fact: CallFact) -> bool:
    frames = fact.frame.outwards() if fact.frame is not None else ()
    return any(frame.kind not in ("with", "async with") for frame in frames)


@dataclass(slots=True, eq=False)
class Operation:
    """A step of a revision where it is written: the fact that rules about single operations want.

    Attributes:
        step: The step.
        direction: `upgrade` or `downgrade`; one function may serve both.
        steps: All steps of that direction, the step among them.
        opposite: The steps of the other direction, of every database.
    """

    step: Step
    direction: str
    steps: list[Step]
    opposite: list[Step]


def operations(unit: Unit, file: File, workspace: Workspace) -> Iterator[Operation]:
    """The operations that are written in a unit of a revision file and that one of its directions comes to."""
    resolver = workspace.resolver
    if not unit.functions or not unit.calls or not is_revision(resolver, file):
        return
    own = {id(fact) for function in unit.functions for fact in resolver.calls_in(function, file)}
    pairs = [[steps_of(resolver, file, each) for each in pair] for pair in directions(resolver, file)]
    for number, direction in enumerate(("upgrade", "downgrade")):
        opposite = [step for pair in pairs for step in pair[1 - number]]
        for steps in (pair[number] for pair in pairs):
            for step in steps:
                if id(step.fact) in own:
                    yield Operation(step, direction, steps, opposite)


@dataclass(slots=True, eq=False)
class Directions:
    """Both directions of a revision.

    Attributes:
        upgrade: The function.
        downgrade: Its counterpart, None when there is none.
        up: The steps of the one.
        down: The steps of the other.
    """

    upgrade: FunctionFacts
    downgrade: FunctionFacts | None
    up: list[Step]
    down: list[Step]


def both_directions(unit: Unit, file: File, workspace: Workspace) -> Iterator[Directions]:
    """The directions whose `downgrade` is defined in a unit, or whose `upgrade` is when there is no `downgrade`."""
    resolver = workspace.resolver
    if not unit.functions or not is_revision(resolver, file):
        return
    for upgrade, downgrade in directions(resolver, file):
        told = downgrade if downgrade is not None else upgrade
        if upgrade is None or told is None:
            continue
        if any(each.qualname == told.qualname and each.chunk is told.chunk for each in unit.functions):
            up, down = steps_of(resolver, file, upgrade), steps_of(resolver, file, downgrade)
            yield Directions(upgrade, downgrade, up, down)
