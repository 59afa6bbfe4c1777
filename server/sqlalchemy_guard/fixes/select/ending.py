"""How the step that leaves the Query API is written: its form, and what is asked of every form.

This module must never know a terminal by name: `terminals` lists them.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import EntityKind
from sqlalchemy_guard.fixes.select.links import bind
from sqlalchemy_guard.fixes.select.ordering import ambiguous_word, orders_by_name
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.statement import ENTITIES, eager_collections, joins_eagerly
from sqlalchemy_guard.fixes.select.tree import Argument, Chain, Step, instantiate
from sqlalchemy_guard.records import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.facts.query import Link, SessionInfo
    from sqlalchemy_guard.fixes.select.statement import Statement
    from sqlalchemy_guard.fixes.select.tree import Tree

    Finish = Callable[["Ending"], "str | Tree | None"]


@dataclass(frozen=True, slots=True)
class Ending:
    """What a terminal sees: the statement, itself, the session, and whether its value is thrown away."""

    statement: Statement
    link: Link
    session: Tree
    source: SessionInfo
    is_bare: bool

    @property
    def entity(self) -> Tree:
        """The one thing that is selected."""
        return self.statement.selected[0].tree


@dataclass(frozen=True, slots=True)
class TerminalForm:
    """How one terminal is written.

    Attributes:
        entity: The template for one object per row.
        rows: The template for rows; the same when empty.
        finish: Looks closer: gives another template or a tree, or refuses.
        parameters: The method's parameters, when the template names them.
        names_rows: Whether rows leave with their column names.
        shape: Whether it matters if objects or rows come.
        selects: Whether its value is SQL: nothing is executed.
        note: What a reader should know.
    """

    entity: str
    rows: str = ""
    finish: Finish | None = None
    parameters: tuple[str, ...] = ()
    names_rows: bool = False
    shape: bool = True
    selects: bool = False
    note: str = ""


def finish(ending: Ending, form: TerminalForm) -> Tree:
    """The new expression.

    Raises:
        Refuse: it has no proven form here.
    """
    statement = ending.statement
    if form.shape:
        check_shape(statement, names_rows=form.names_rows)
        if (
            statement.has_entities
            and "yield_per_option" in statement.clauses
            and "yield_per" not in statement.clauses
        ):
            raise Refuse(
                "Query raises here: yield_per of execution_options() does not turn de-duplication off"
            )
    elif "from_statement" in statement.clauses and ending.link.name != "statement":
        raise Refuse(f"Query raises here: {ending.link.name or 'nesting'} cannot follow from_statement()")
    adds_columns = statement.clauses >= {"distinct", "order_by"} and not statement.since_2
    if adds_columns and statement.orders_by_others():
        statement.doubt("before SQLAlchemy 2, Query adds to SELECT DISTINCT what ORDER BY names")
    if statement.options and not statement.heeds_options:
        statement.doubt(
            "where no mapped class is selected, Query may raise for a loader option that select() ignores"
        )
    if orders_by_name(statement) and _is_nested(ending):
        statement.doubt("Query may not find the name in order_by() where joined loading needs a subquery")
    word = ambiguous_word(statement)
    if word is not None and (form.shape or ending.link.name in ("count", "exists")):
        statement.doubt(f"the database may refuse `{word}` as ambiguous where select() has it selected")
    if form.selects:
        if (
            statement.clauses & {"populate_existing", "autoflush", "yield_per"}
            and "flow" in statement.clauses
        ):
            statement.doubt("a Query's own loading options are no part of its statement")
        if statement.parameters is not None:
            statement.steps.append(Step("params", statement.bound, origin=ending.link.node))
            statement.parameters = None
    found = (form.finish(ending) if form.finish else None) or (
        form.entity if statement.single or not form.rows else form.rows
    )
    tree = write(ending, found, form.parameters, loads=not form.selects) if isinstance(found, str) else found
    return _with_parameters(tree, statement) if statement.parameters is not None else tree


def _is_nested(ending: Ending) -> bool:
    """Whether joined loading may put the statement into a subquery: a limit does so for collections, GROUP BY and
    DISTINCT for all that is joined."""
    statement = ending.statement
    models = [each.info.model for each in statement.selected if each.info.kind in ENTITIES]
    if statement.clauses & {"distinct", "group_by"}:
        separate = all(statement.loads_separately(option) for option in statement.options)
        return not separate or any(map(joins_eagerly, models))
    if not statement.clauses & {"limit", "offset"} and ending.link.name not in ("first", "[]"):
        return False
    collections = any(model is None or eager_collections(model, frozenset()) for model in models)
    return collections or not all(map(statement.harmless, statement.options))


def _with_parameters(tree: Tree, statement: Statement) -> Tree:
    """The execution with the values of bound parameters, which Query hands over there as well."""
    assert statement.parameters is not None
    if not isinstance(tree, Chain) or tree.steps[0].name not in ("scalars", "execute", "scalar"):
        raise Refuse("params() of a statement that is not executed here: write bindparams() at its text()")
    first = tree.steps[0]
    arguments = (*(first.arguments or ()), Argument(statement.parameters))
    return Chain(tree.head, (replace(first, arguments=arguments), *tree.steps[1:]))


def write(ending: Ending, template: str, parameters: tuple[str, ...] = (), *, loads: bool = True) -> Tree:
    """A template with everything in it replaced."""
    statement = ending.statement
    if ".unique()" in template and statement.de_duplicates and not statement.single:
        reason = statement.unhashable()
        if reason is not None:
            statement.doubt(reason)
    values = bind(ending.link, parameters) if parameters else {}
    return instantiate(
        template,
        {
            **statement.names,
            "session": ending.session,
            "stmt": statement.tree(loads=loads),
            "inner": statement.tree(executed=False),
            "entity": ending.entity,
            **{name: statement.argument(node) for name, node in values.items()},
        },
        {
            "args": statement.arguments(ending.link),
            **{name: () for name in parameters if name not in values},
        },
        ending.link.node,
        frozenset() if statement.de_duplicates else frozenset(("unique",)),
    )


def check_shape(statement: Statement, *, names_rows: bool) -> None:
    """Demand that it is known whether objects or rows come.

    Args:
        statement: The statement, as far as it will be built.
        names_rows: Whether rows leave with their column names.
    """
    # Only SQL would show these labels: rows of Query keep the columns' own names.
    statement.steps = [step for step in statement.steps if step.name != "set_label_style"]
    if all(isinstance(each.node, ast.Starred) for each in statement.selected):
        raise Refuse(
            "what is selected is hidden: a class needs `session.scalars()`, columns `session.execute()`"
        )
    if statement.unsure_entities:
        named = next(each for each in statement.selected if each.info.kind in UNSURE)
        what = statement.text.segment(named.node)
        if len(statement.selected) == 1:
            if not isinstance(named.node, ast.Name):
                raise Refuse(
                    f"what `{what}` is could not be found: a class needs `session.scalars(select(…))`, "
                    "a column `session.execute(select(…))`"
                )
            statement.single = True
            statement.assumed = True
            statement.doubt(f"`{what}` is taken to be a mapped class")
        else:
            statement.doubt(f"what `{what}` is could not be found")
    if names_rows and not statement.single:
        name = statement.same_names()
        # Names of what stands inside a bundle are seen even where its row is not.
        bundles = any(each.info.kind is EntityKind.BUNDLE for each in statement.selected)
        if statement.by_position and not bundles:
            name = None
        if name is not None and statement.keeps_names:
            style = Argument(statement.names["LABEL_STYLE_NONE"])
            statement.steps.append(Step("set_label_style", (style,), origin=None))
        elif name is not None:
            statement.doubt(f"two columns are called `{name}`: rows of select() name the second `{name}_1`")


UNSURE = frozenset((EntityKind.UNKNOWN, EntityKind.VALUE))
