"""Loader options put into the statement that loads the objects: `.options(selectinload(User.posts))`.

A statement is changed where it begins, so that every way in which it goes on has the option. This module must never
decide whether a relationship should be loaded.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import DEFERRED
from sqlalchemy_guard.facts.values import Call
from sqlalchemy_guard.fixes.arguments import add_keyword, insert_positional
from sqlalchemy_guard.fixes.file_source import source_of
from sqlalchemy_guard.fixes.imports import Placed, need_all
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.project.loader_options import EAGER
from sqlalchemy_guard.project.reads import function_around
from sqlalchemy_guard.project.types import ClassType, ModuleType, known
from sqlalchemy_guard.records import dataclass
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy_guard.facts.query import RelationshipInfo
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.loader_options import LoaderOption
    from sqlalchemy_guard.project.loads import Statement
    from sqlalchemy_guard.project.reads import LazyRead, Place
    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk

    Parent = Callable[[Chunk, ast.AST], ast.AST | None]

_ORM = "sqlalchemy.orm"
_ENDINGS = frozenset(
    ("all", "first", "one", "one_or_none", "get", "scalar", "paginate", "count", "delete", "update", "exists", "subquery",
     "cte", "get_or_404", "first_or_404", "one_or_404", "scalar_subquery", "as_scalar", "label", "merge_result", "values",
     "alias", "statement", "compile", "in_")
)  # fmt: skip
_NO_JOINS = frozenset(
    ("with_for_update", "group_by", "distinct", "having", "with_lockmode", "union", "union_all", "from_self")
)
"""With these a join is no plain addition to a statement."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the option goes, and what it says.

    Attributes:
        place: Where the statement begins.
        steps: The functions of the option, each with the class and the attribute that it names.
        imports: Module and name of each class that the file does not know yet.
        chained_to: The call of an option that loads a part of the path already, which the steps are chained to.
    """

    place: Place
    steps: tuple[tuple[str, str, str], ...]
    imports: tuple[tuple[str, str], ...]
    chained_to: ast.Call | None = None

    @property
    def text(self) -> str:
        """The option as it is written without import names."""
        return ".".join(f"{function}({owner}.{name})" for function, owner, name in self.steps)


def plans(reads: Sequence[LazyRead], workspace: Workspace, *, anywhere: bool = False) -> tuple[Plan, ...]:
    """How a statement can load all that is read of its rows: one option for each way that is part of no longer one.

    Empty where one of them is not known.

    Args:
        reads: Reads of the rows of one statement.
        workspace: The files.
        anywhere: Whether a function that gets one object for many callers may be changed too.
    """
    found: list[Plan] = []
    paths = [read.path for read in reads]
    for read in reads:
        if any(len(path) > len(read.path) and path[: len(read.path)] == read.path for path in paths):
            continue
        made = plan(read, workspace, anywhere=anywhere)
        if made is not None and made.chained_to in [each.chained_to for each in found if each.chained_to]:
            # A second option at the same place would go on from the end of the first.
            made = plan(read, workspace, anywhere=anywhere, may_chain=False)
        if made is None or (found and made.place.node is not found[0].place.node):
            return ()
        found.append(made)
    return tuple(found)


def texts(made: Sequence[Plan]) -> str:
    """The options as a message names them."""
    shown = [f"`{each.text}`" for each in made[:2]]
    return ", ".join(shown) + (f" and {len(made) - 2} more" if len(made) > 2 else "")


def title(made: Sequence[Plan]) -> str:
    """What a fix that writes plans does."""
    return f"Add {texts(made)}"


def plan(
    read: LazyRead, workspace: Workspace, *, anywhere: bool = False, may_chain: bool = True
) -> Plan | None:
    """How the statement that loads an object can load a relationship of it as well; None where that is not known.

    Args:
        read: The read.
        workspace: The files.
        anywhere: Whether a function that gets one object for many callers may be changed too.
        may_chain: Whether an option that is there may be made longer.
    """
    place, statement = read.query, read.source.load.statement
    if place is None or statement.options is None:
        return None
    here = function_around(read.site.chunk, read.site.node)
    if not anywhere and read.source.alone and function_around(place.chunk, place.node) is not here:
        # Whoever gets one object by a function of many callers must not make all of them load its collections.
        return None
    first = _spelled(statement, read, place, workspace)
    if first is None:
        return None
    infos = [*(hop.info for hop in read.source.path), read.info]
    owners = [first]
    imports: list[tuple[str, str]] = []
    refs = [*(hop.owner for hop in read.source.path), read.source.ref]
    for ref in refs[1:]:
        named = _class_name(ref, place, workspace)
        if named is None:
            return None
        owner, module = named
        owners.append(owner)
        if module:
            imports.append((module, owner))
    names = [info.name for info in infos]
    done, before = _loaded_part(statement, names, place) if may_chain else (0, None)
    functions = [_loader(info, statement) for info in infos]
    steps = tuple(zip(functions, owners, names, strict=True))
    needed = tuple(each for each in imports if each[1] in owners[done:])
    return Plan(place, steps[done:], needed, before)


def _loader(info: RelationshipInfo, statement: Statement) -> str:
    if info.lazy == DEFERRED:
        return "undefer"
    joins = not any(link.func.name in _NO_JOINS for link in statement.links)  # type: ignore[attr-defined]
    return "joinedload" if info.collection is False and joins else "selectinload"


def _loaded_part(statement: Statement, names: list[str], place: Place) -> tuple[int, ast.Call | None]:
    """How much of a path an option of the same file loads already, and that option's call."""
    for length in range(len(names) - 1, 0, -1):
        option = statement.decided(tuple(names[:length]))
        if option is not None and option.strategy in EAGER:
            node = _call_of(option, place)
            return (length, node) if node is not None else (0, None)
    return 0, None


def _call_of(option: LoaderOption, place: Place) -> ast.Call | None:
    """The call of an option in the chunk of a statement, when nothing is chained to it."""
    if option.file.file_id != place.file.file_id:
        return None
    text = ast.dump(place.node)
    calls = [
        node
        for statement in place.chunk.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and _begins_with(node, text)
    ]
    for outer in calls:
        for node in ast.walk(outer):
            if isinstance(node, ast.Call) and _is_option(node, option):
                chained = any(
                    isinstance(other, ast.Attribute) and other.value is node for other in ast.walk(outer)
                )
                return None if chained else node
    return None


def _begins_with(node: ast.expr, text: str) -> bool:
    while isinstance(node, ast.Call | ast.Attribute):
        if ast.dump(node) == text:
            return True
        node = node.func if isinstance(node, ast.Call) else node.value
    return False


def _is_option(node: ast.Call, option: LoaderOption) -> bool:
    """Whether a call is one that says what an option says."""
    func = node.func
    name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    last = node.args[-1] if node.args else None
    return (
        name == option.strategy
        and isinstance(last, ast.Attribute)
        and last.attr == option.path[-1]
        and len(node.args) == len(option.call.args)
    )


def _spelled(statement: Statement, read: LazyRead, place: Place, workspace: Workspace) -> str | None:
    """How the statement names the entity, when that is a class or an alias and no variable for one of several."""
    entity, node = read.source.entity, place.node
    types = list(known(workspace.resolver.type_of(entity.spelled, statement.file)))
    if len(types) != 1 or not isinstance(types[0], ClassType) or types[0].ref != entity.ref:
        return None
    if isinstance(statement.root, Call) and isinstance(node, ast.Call):
        nodes = [
            part
            for each in node.args
            for part in (each.elts if isinstance(each, ast.List | ast.Tuple) else [each])
        ]
        at = next((i for i, each in enumerate(statement.entities) if each is entity), len(nodes))
        named = nodes[at] if at < len(nodes) else None
    else:
        named = node.value if isinstance(node, ast.Attribute) else None
    if not isinstance(named, ast.Name | ast.Attribute) or (
        isinstance(named, ast.Name) and named.id in ("cls", "self")
    ):
        return None
    return ast.unparse(named)


def _class_name(ref: tuple[str, str], place: Place, workspace: Workspace) -> tuple[str, str] | None:
    """How a file can name a class, and the module to import it from, "" when it knows it already."""
    resolver, file = workspace.resolver, place.file
    name = ref[1]
    if "." in name:
        return None
    if resolver.name(name, file) == ClassType(ref):
        return name, ""
    if name in file.facts.names:
        return None
    for chunk in file.syntax.chunks:
        for node in chunk.body:
            if isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                if node.level == 0 and resolver.module(module, file) is not None:
                    found = resolver.module(module, file)
                    if found is not None and resolver.member_of_module(found, name, module) == ClassType(ref):
                        return name, module
    for bound in list(file.facts.names):
        type_ = resolver.name(bound, file)
        if isinstance(type_, ModuleType) and type_.file_id == ref[0]:
            if resolver.attribute(type_, name) == ClassType(ref):
                return f"{bound}.{name}", ""
    return None


def _is_current(made: Plan, workspace: Workspace) -> bool:
    """Whether the file of the statement still has the chunk that it stands in."""
    file = workspace.file(made.place.file.file_id)
    todo = list(file.syntax.chunks) if file is made.place.file else []
    while todo:
        chunk = todo.pop()
        if chunk is made.place.chunk:
            return True
        todo.extend(chunk.children or ())
    return False


def edits(made: Sequence[Plan], workspace: Workspace, parent: Parent) -> dict[str, tuple[Edit, ...]] | None:
    """The edits that write plans into the file of their statement, None when that changed meanwhile.

    Args:
        made: The plans, all of one statement.
        workspace: The files.
        parent: The node that contains a node of a chunk.
    """
    if not made or not _is_current(made[0], workspace):
        return None
    place = made[0].place
    source = source_of(workspace, place.file)
    level = [Placed(node, chunk.shift) for chunk in place.file.syntax.chunks for node in chunk.body]
    functions = list(dict.fromkeys(each.steps[0][0] for each in made if each.chained_to is None))
    classes = list(dict.fromkeys(name for each in made for name in each.imports))
    own = {workspace.modules.dotted(place.file.file_id).partition(".")[0]}
    wanted = [*((_ORM, function) for function in functions), *classes]
    names, import_edits = need_all(source, level, wanted, first_party=own)
    spelled = dict(zip(functions, names, strict=False))
    shift = place.chunk.shift
    inside: list[Edit] = []
    options: list[str] = []
    for each in made:
        parts = [f"{function}({owner}.{name})" for function, owner, name in each.steps]
        if each.chained_to is not None:
            end = source.end(each.chained_to, shift)
            inside.append(Edit(end, end, f".{'.'.join(parts)}"))
        else:
            function, owner, name = each.steps[0]
            options.append(".".join((f"{spelled[function]}({owner}.{name})", *parts[1:])))
    if options:
        inside.extend(_added(source, place, ", ".join(options), shift, parent))
    statement = _statement(place, parent)
    return {place.file.file_id: (*import_edits, *reflow(source, statement, tuple(inside), shift))}


def _added(source: Source, place: Place, text: str, shift: int, parent: Parent) -> tuple[Edit, ...]:
    """The option as an argument of the last `.options(…)` of the chain, or in a new one at its end."""
    node = place.node
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("get", "get_one")
    ):
        given = next((each.value for each in node.keywords if each.arg == "options"), None)
        if isinstance(given, ast.List | ast.Tuple) and given.elts:
            end = source.end(given.elts[-1], shift)
            return (Edit(end, end, f", {text}"),)
        return add_keyword(source, node, "options", f"[{text}]", shift)
    last = node
    options: ast.Call | None = None
    for link in _links(place, parent):
        last = link
        if isinstance(link.func, ast.Attribute) and link.func.attr == "options" and not _is_open(link):
            options = link
    if options is not None:
        return insert_positional(source, options, len(options.args), text, shift)
    end = source.end(last, shift)
    line_end = source.line_end(end)
    statement = _statement(place, parent)
    # A statement with a body goes on behind its header, where no line may begin with a link.
    around = _expression(place, parent) if hasattr(statement, "body") else statement
    if source.end(around, shift) > line_end and source.comments(end, line_end):
        # What stands behind the link on its line speaks of the link.
        return (Edit(line_end, line_end, f"{source.newline}{source.margin(end)}.options({text})"),)
    return (Edit(end, end, f".options({text})"),)


def _is_open(call: ast.Call) -> bool:
    return any(isinstance(argument, ast.Starred) for argument in call.args) and bool(call.keywords)


def _links(place: Place, parent: Parent) -> Iterator[ast.Call]:
    """The calls chained to where a statement begins, up to the one that ends it."""
    node: ast.AST = place.node
    while True:
        attribute = parent(place.chunk, node)
        call = parent(place.chunk, attribute) if isinstance(attribute, ast.Attribute) else None
        if (
            not isinstance(attribute, ast.Attribute)
            or not isinstance(call, ast.Call)
            or call.func is not attribute
        ):
            return
        if attribute.attr in _ENDINGS or attribute.attr.startswith("__"):
            return
        yield call
        node = call


def _expression(place: Place, parent: Parent) -> ast.expr:
    """The outermost expression around a query."""
    found, node = place.node, parent(place.chunk, place.node)
    while node is not None and not isinstance(node, ast.stmt):
        found = node if isinstance(node, ast.expr) else found
        node = parent(place.chunk, node)
    return found


def _statement(place: Place, parent: Parent) -> ast.stmt:
    node: ast.AST | None = place.node
    while node is not None and not isinstance(node, ast.stmt):
        node = parent(place.chunk, node)
    assert node is not None, "every expression stands in a statement"
    return node
