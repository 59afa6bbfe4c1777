"""How much of a code base's use of SQLAlchemy was understood: the measure of the analysis itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Item, Param, Ref, Value
from sqlalchemy_guard.project.calls import session_kind
from sqlalchemy_guard.project.engines import CREATORS
from sqlalchemy_guard.project.externals import FACTORIES, REGISTRIES
from sqlalchemy_guard.project.guesses import uses_sqlalchemy
from sqlalchemy_guard.project.model import model_of
from sqlalchemy_guard.project.types import ClassType, Instance, Type, known
from sqlalchemy_guard.records import NamedTuple, dataclass, field
from sqlalchemy_guard.text.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.workspace import File, Workspace

DISTINCT = frozenset(
    [
        "query",
        "scalars",
        "commit",
        "rollback",
        "flush",
        "add_all",
        "merge",
        "expunge",
        "expunge_all",
        "refresh",
        "filter_by",
        "one_or_none",
        "scalar_one_or_none",
        "scalar_one",
        "with_entities",
        "outerjoin",
        "order_by",
        "with_for_update",
        "bulk_save_objects",
    ]
)
"""Methods that hardly any other library has: every call of them in a file that uses SQLAlchemy counts."""

SHARED = frozenset(
    ["execute", "scalar", "add", "delete", "get", "close", "begin", "filter", "all", "first", "one", "count"]
)
"""Methods that other objects have as well: they count where the receiver is SQLAlchemy's or called like a session."""


class Unresolved(NamedTuple):
    """A call that looks like SQLAlchemy but whose receiver is unknown.

    Attributes:
        path: The file's id.
        span: Where the call stands.
        text: Its source, perhaps over several lines.
        why: Where resolution ended, in words for the user.
    """

    path: str
    span: Span
    text: str
    why: str


@dataclass()
class Stats:
    """What was found and how sure it is.

    Attributes:
        session_expressions: Expressions that were resolved to a session.
        calls_total: Calls that look like calls of a session or a query.
        proven: Those whose receiver was resolved to SQLAlchemy's object.
        likely: Those whose receiver is one by all signs.
        unknown: The rest; listed in `unresolved`.
    """

    files: int = 0
    models: int = 0
    columns: int = 0
    relationships: int = 0
    engines: int = 0
    factories: int = 0
    session_expressions: int = 0
    calls_total: int = 0
    proven: int = 0
    likely: int = 0
    unknown: int = 0
    unresolved: list[Unresolved] = field(default_factory=list)


def collect(workspace: Workspace, file_ids: Iterable[str]) -> Stats:
    """Measure what was understood of these files."""
    stats = Stats()
    for file_id in file_ids:
        file = workspace.file(file_id)
        if file is None:
            continue
        stats.files += 1
        resolver = workspace.resolver
        is_relevant = uses_sqlalchemy(resolver, file)
        for unit in file.facts.units():
            for class_ in unit.classes:
                model = model_of(resolver, class_, file)
                if model is not None and model.is_mapped:
                    stats.models += 1
                    _count_attributes(workspace, file, class_.qualname, stats)
            for fact in unit.calls:
                _count_call(workspace, file, fact, stats, is_relevant)
    return stats


def _count_attributes(workspace: Workspace, file: File, qualname: str, stats: Stats) -> None:
    facts = file.facts.class_(qualname)
    for attribute in facts.attributes.values() if facts is not None else ():
        made = workspace.resolver.type_of(attribute.value, file) if attribute.value is not None else None
        if isinstance(made, Instance) and made.ref == "sqlalchemy.orm.Relationship":
            stats.relationships += 1
        elif workspace.resolver.mapped_type(attribute, file) is not None or _is_field(
            workspace, file, qualname
        ):
            stats.columns += 1


def _is_field(workspace: Workspace, file: File, qualname: str) -> bool:
    ancestors = workspace.resolver.ancestors(ClassType((file.file_id, qualname)))
    return "sqlmodel.SQLModel" in ancestors


def _count_call(workspace: Workspace, file: File, fact: CallFact, stats: Stats, is_relevant: bool) -> None:
    resolver = workspace.resolver
    made = resolver.type_of(fact.value, file)
    for option in known(made):
        if isinstance(option, Instance) and option.ref in FACTORIES | REGISTRIES:
            stats.factories += 1
        if session_kind(resolver, option) is not None:
            stats.session_expressions += 1
    func = fact.value.func
    if resolver.external_name(func, file) in CREATORS:
        stats.engines += 1
    if type(func) is not Attr or func.name not in DISTINCT | SHARED:
        return
    receiver = resolver.type_of(func.base, file)
    sure = [option for option in known(receiver) if _is_ours(workspace, option)]
    if sure:
        stats.calls_total += 1
        if all(isinstance(option, Instance) and option.likely for option in sure):
            stats.likely += 1
        else:
            stats.proven += 1
        return
    if next(known(receiver), None) is not None or not is_relevant:
        return
    if func.name in SHARED and not _is_called_like_a_session(func.base):
        return
    stats.calls_total += 1
    stats.unknown += 1
    stats.unresolved.append(_unresolved(file, fact, func.base))


def _is_ours(workspace: Workspace, type_: Type) -> bool:
    if isinstance(type_, (Instance, ClassType)):
        refs = (
            [type_.ref] if isinstance(type_.ref, str) else workspace.resolver.ancestors(ClassType(type_.ref))
        )
        return any(
            isinstance(ref, str) and ref.startswith(("sqlalchemy.", "sqlmodel.", "flask_sqlalchemy."))
            for ref in refs
        )
    return False


def _is_called_like_a_session(value: Value) -> bool:
    name = getattr(value, "name", "")
    return isinstance(name, str) and ("session" in name.lower() or name.lower() in ("db", "query"))


def _unresolved(file: File, fact: CallFact, receiver: Value) -> Unresolved:
    lines = file.document.lines
    node, shift = fact.node.func, fact.chunk.shift
    first, last = node.lineno - 1 + shift, (node.end_lineno or node.lineno) - 1 + shift
    span = Span(first, node.col_offset, last, node.end_col_offset or node.col_offset)
    text = "".join(lines[first : last + 1]).strip()
    return Unresolved(file.file_id, span, text, _why(receiver))


def _why(value: Value) -> str:
    """Where resolution ended, in words."""
    for inner in _inwards(value):
        value = inner
    if isinstance(value, Param):
        return f"nothing says what the parameter `{value.name}` is"
    if isinstance(value, Ref):
        return f"`{value.name or value.module}` was not found in the workspace"
    if isinstance(value, Const):
        return "a literal"
    return "the expression's type is unknown"


def _inwards(value: Value) -> Iterator[Value]:
    while isinstance(value, (Attr, Call, Item)):
        value = value.func if isinstance(value, Call) else value.base
        yield value
