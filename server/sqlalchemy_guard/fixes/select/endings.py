"""Terminals that need a closer look: LIMIT of `first`, one certain row of `scalar`, counts, EXISTS,
slices, subqueries.

This module must never execute or write a statement itself other than by a template.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import Consumer, EntityKind, Inheritance, read_query, walk_references
from sqlalchemy_guard.fixes.select import links
from sqlalchemy_guard.fixes.select.ending import check_shape, write
from sqlalchemy_guard.fixes.select.links import bind
from sqlalchemy_guard.fixes.select.ordering import orders_by_name
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.statement import ENTITIES, NAMED_COLUMNS, is_computed, joins_eagerly
from sqlalchemy_guard.fixes.select.tree import Argument, Step, Text, extend
from sqlalchemy_guard.records import replace

if TYPE_CHECKING:
    from sqlalchemy_guard.fixes.select.ending import Ending
    from sqlalchemy_guard.fixes.select.statement import Statement
    from sqlalchemy_guard.fixes.select.tree import Tree


def first(ending: Ending) -> str | None:
    statement = ending.statement
    if "from_statement" in statement.clauses:
        return "session.scalars(stmt).first()" if statement.single else "session.execute(stmt).first()"
    steps = statement.steps
    if steps and steps[-1].name == "limit" and len(steps[-1].arguments or ()) == 1:
        argument = (steps[-1].arguments or ())[0].value
        if isinstance(argument, Text) and isinstance(argument.node, ast.Constant | ast.Name):
            steps.pop()
    return None


def scalar(ending: Ending) -> str | None:
    statement = ending.statement
    if "group_by" in statement.clauses or "from_statement" in statement.clauses:
        return None
    if all(each.info.kind is EntityKind.AGGREGATE for each in statement.selected):
        return "session.scalar(stmt)"
    alone = not statement.clauses - {"execution_options", "populate_existing", "autoflush"}
    if alone and len(statement.selected) == 1 and _is_exists(statement, statement.selected[0].node):
        return "session.scalar(stmt)"
    return None


def _is_exists(statement: Statement, node: ast.expr) -> bool:
    inner = read_query(node, statement.knowledge, Consumer.NESTED)
    if inner is not None:
        return inner.terminal is not None and inner.terminal.name == "exists" and not inner.trailing
    return isinstance(node, ast.Call) and statement.knowledge.qualified_name(node.func) == "sqlalchemy.exists"


def value(ending: Ending) -> None:
    _select_instead(ending)
    if len(ending.statement.selected) != 1:
        raise Refuse("value() takes one column: write `session.scalar(select(column))`")


def values(ending: Ending) -> None:
    _select_instead(ending)
    check_shape(ending.statement, names_rows=True)


def _select_instead(ending: Ending) -> None:
    """The terminal's arguments are what is selected."""
    statement = ending.statement
    name = ending.link.name
    before = [each.info.owner for each in statement.selected]
    links.apply(statement, replace(ending.link, name="with_entities"))
    after = [each.info.owner for each in statement.selected]
    if statement.joined and (set(after) != set(before[:1]) or None in after):
        raise Refuse(
            "what is joined would be joined to another class: write `session.scalar(select(column))`"
        )
    if any(each.info.kind not in NAMED_COLUMNS for each in statement.selected):
        raise Refuse(f"{name}() takes columns: write `session.execute(select(…))`")
    statement.drop_loaders()


SHORT_COUNT = frozenset(("where", "filter_by", "join", "outerjoin"))
"""Steps behind which rows may be counted without a subquery."""


def count(ending: Ending) -> Tree | str | None:
    statement = ending.statement
    statement.drop_loaders()
    if any(step.name == "options" for step in statement.steps):
        statement.doubt("options that are no loader options may not reach into count()'s subquery")
    infos = [each.info for each in statement.selected]
    labels = [info.label for info in infos if info.label is not None]
    if len(set(labels)) != len(labels):
        statement.doubt("Query refuses to count rows where two columns have the same label")
    short = (
        len(infos) == 1
        and infos[0].kind is EntityKind.MODEL
        and infos[0].model is not None
        and infos[0].model.inheritance in (Inheritance.NONE, Inheritance.JOINED)
        and all(step.name in SHORT_COUNT for step in statement.steps)
        and not statement.clauses & {"union", "select_from", "flow", "self_join"}
    )
    # Rows are loaded in no pieces where there is but one.
    statement.execution = [
        step
        for step in statement.execution
        if not any(argument.keyword == "yield_per" for argument in step.arguments or ())
    ]
    template = (
        "select(func.count()).select_from(entity)"
        if short
        else "select(func.count()).select_from(inner.subquery())"
    )
    counting = write(ending, template)
    if short:
        counting = extend(counting, *statement.steps)
    counting = extend(counting, *statement.executed_with())
    return extend(ending.session, Step("scalar", (Argument(counting),), origin=ending.link.node))


def exists(ending: Ending) -> None:
    statement = ending.statement
    statement.drop_loaders()
    if any(each.info.kind is EntityKind.COLUMN and each.info.model is None for each in statement.selected):
        statement.doubt("exists() of Query leaves out the table of a plain column")
    ordered = [info for node in statement.ordering for info in walk_references(node, statement.knowledge)]
    if any(is_computed(info) for info in ordered):
        statement.doubt("exists() of select() orders by the label of a column that is not selected any more")
    if orders_by_name(statement):
        statement.doubt("exists() of select() looks for a name in order_by() among all FROM elements")
    if any(is_computed(each.info) for each in statement.selected):
        statement.doubt("exists() of select() may leave out the table of a column that is an expression")
    named = {info.owner for info in statement.joined}
    if statement.clauses >= {"select_from", "join"} and statement.selected[0].info.owner not in named:
        statement.doubt("select_from() names another class than exists() begins with")
    if statement.clauses & {"loose_join", "self_join"}:
        statement.doubt("exists() joins from what is selected, not from the relationship's own class")
    if statement.clauses >= {"with_entities", "join"}:
        statement.doubt("exists() begins its joins with what with_entities() selects")
    kinds = {each.info.kind for each in statement.selected}
    if not kinds <= {EntityKind.MODEL, EntityKind.ALIAS, EntityKind.COLUMN}:
        raise Refuse(
            "exists() drops what is selected: write `select(literal(1)).select_from(…).where(…).exists()`"
        )
    if len({each.info.owner for each in statement.selected}) > 1:
        raise Refuse("exists() looks at the first entity only: select that one alone")
    if "distinct" in statement.clauses and statement.clauses & {"limit", "offset"}:
        raise Refuse(
            "exists() behind distinct() and limit(): distinct() applies to the constant 1 there; remove it"
        )
    if "union" in statement.clauses:
        statement.doubt("exists() replaces the SELECT list of the union")


def item(ending: Ending) -> str | Tree | None:
    index = ending.link.index
    if "from_statement" in ending.statement.clauses:
        raise Refuse("a slice behind from_statement(): Query raises here")
    if isinstance(index, ast.Slice):
        return _range(ending, index)
    if index is None or isinstance(index, ast.Tuple):
        raise Refuse("a query has no such index")
    position = _integer(index)
    if position is None or position < 0:
        if position is not None:
            raise Refuse("Query raises IndexError for a negative index: order the other way round")
        ending.statement.doubt("a negative index raised IndexError")
        text = ending.statement.text.segment(index)
        wrapped = text if isinstance(index, ast.Name | ast.Attribute | ast.Call) else f"({text})"
        bounds = (Text(text, index), Text(f"{wrapped} + 1"))
    else:
        bounds = (Text(str(position), index), Text(str(position + 1)))
    _append_slice(ending, bounds)
    return (
        "session.scalars(stmt).unique().all()[0]"
        if ending.statement.single
        else ("session.execute(stmt).unique().all()[0]")
    )


def _range(ending: Ending, index: ast.Slice) -> str:
    statement = ending.statement
    bounds = (index.lower, index.upper)
    numbers = tuple(_integer(node) if node is not None else None for node in bounds)
    if any(number is not None and number < 0 for number in numbers):
        raise Refuse("Query raises IndexError for negative bounds: order the other way round")
    if any(node is not None and number is None for node, number in zip(bounds, numbers, strict=True)):
        statement.doubt("negative or crossed bounds of a slice are not caught any more")
    start, stop = numbers
    if start is not None and stop is not None and stop <= start:
        raise Refuse("this slice is always the empty list, without any SQL")
    texts = tuple(Text("None") if node is None else statement.atom(node) for node in bounds)
    if index.lower is not None or index.upper is not None:
        _append_slice(ending, texts)
    ending_text = "[::step]" if index.step is not None else ""
    if index.step is not None:
        ending_text = f"[::{statement.text.segment(index.step)}]"
    method = "scalars" if statement.single else "execute"
    return f"session.{method}(stmt).unique().all(){ending_text}"


def _integer(node: ast.expr) -> int | None:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _append_slice(ending: Ending, bounds: tuple[Text, ...]) -> None:
    statement = ending.statement
    statement.steps.append(Step("slice", tuple(Argument(bound) for bound in bounds), origin=ending.link.node))
    statement.clauses.add("limit")


def whereclause(ending: Ending) -> None:
    # Query's own criteria know nothing of the values of parameters.
    ending.statement.steps = [step for step in ending.statement.steps if step.name != "params"]


def statement(ending: Ending) -> None:
    if "union" in ending.statement.clauses:
        ending.statement.doubt("the columns of a union have other names")


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def subquery(ending: Ending) -> str | None:
    selectable(ending)
    if not any(each.arg in ("with_labels", "reduce_columns") for each in ending.link.keywords):
        return None
    values = bind(ending.link, ("name", "with_labels", "reduce_columns"))
    on = {name for name in ("with_labels", "reduce_columns") if name in values}
    if not all(_is_true(values[name]) for name in on):
        raise Refuse("subquery() with a variable argument: write set_label_style() or reduce_columns() by it")
    labels = ".set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)" if "with_labels" in on else ""
    reduced = ".reduce_columns()" if "reduce_columns" in on else ""
    given = "name" if "name" in values else ""
    return f"stmt{labels}{reduced}.subquery({given})"


def scalar_subquery(ending: Ending) -> None:
    selectable(ending)
    if any(
        each.info.kind in ENTITIES and joins_eagerly(each.info.model) for each in ending.statement.selected
    ):
        ending.statement.doubt("a scalar subquery of a class joins what its mapping loads eagerly")


def selectable(ending: Ending) -> None:
    ending.statement.drop_loaders()
    if "union" in ending.statement.clauses:
        ending.statement.doubt("the columns of a union's subquery have other names")
