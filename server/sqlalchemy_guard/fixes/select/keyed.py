"""Terminals that take exactly one mapped class: `get`, and the bulk writes `update` and `delete`, which take a table as well.

What stands before them is not applied by Query but refused or ignored, so only a few links may.
This module must never write a SELECT.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import EntityKind, Inheritance
from sqlalchemy_guard.fixes.select import filtering
from sqlalchemy_guard.fixes.select.links import bind
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.tree import Argument, Call, Imported, Step, Text, extend

if TYPE_CHECKING:
    from sqlalchemy_guard.fixes.select.ending import Ending
    from sqlalchemy_guard.fixes.select.statement import Statement
    from sqlalchemy_guard.fixes.select.tree import Tree


def no_more_than(
    ending: Ending, allowed: frozenset[str], what: str, ignored: frozenset[str] = frozenset()
) -> None:
    """Leave out what the terminal ignores.

    Args:
        ending: The end of the chain.
        allowed: Steps and clauses that the terminal heeds.
        what: Its name.
        ignored: Steps and clauses that do nothing before it.

    Raises:
        Refuse: there is more, or not one mapped class is selected.
    """
    statement = ending.statement
    takes_tables = "where" in allowed
    statement.steps = [step for step in statement.steps if step.name not in ignored or step.name in allowed]
    statement.clauses -= ignored - allowed
    if takes_tables and len(statement.selected) == 1 and statement.selected[0].info.kind is EntityKind.TABLE:
        if statement.models or len(statement.owners) != 1:
            statement.doubt(f"the criteria of {what}() name more than its table")
    elif len(statement.selected) != 1 or statement.selected[0].info.kind is not EntityKind.MODEL:
        if len(statement.selected) == 1 and statement.selected[0].info.kind is EntityKind.UNKNOWN:
            statement.doubt(
                f"`{statement.text.segment(statement.selected[0].node)}` is taken to be a mapped class"
            )
        else:
            raise Refuse(f"{what}() needs one mapped class: Query raises here")
    extra = sorted({step.name for step in statement.steps} - allowed - {"filter_by"}) or sorted(
        statement.clauses - allowed - _BEGUN
    )
    if extra:
        raise Refuse(f"{what}() behind {extra[0]}() raises or ignores it: remove that call")


def bulk_base(statement: Statement, name: str) -> None:
    """Begin a query that is built over several expressions as the bulk write that it ends in.

    Args:
        statement: The query before any link.
        name: `delete` or `update`.

    Raises:
        Refuse: it is not of one mapped class.
    """
    if [each.info.kind for each in statement.selected] != [EntityKind.MODEL]:
        raise Refuse(f"{name}() needs one mapped class: Query raises here")
    model = statement.selected[0].info.model
    if model is None or model.inheritance not in (Inheritance.NONE, Inheritance.SINGLE):
        raise Refuse(f"{name}() of a class with several tables: write it in one expression")
    function = statement.names[name]
    assert isinstance(function, Text | Imported)
    statement.base = Call(function, (Argument(statement.selected[0].tree),))
    statement.clauses.add("bulk")


def check_bulk(statement: Statement, name: str) -> None:
    """Hold the links of such a query to those that the statement has as well.

    Raises:
        Refuse: another one was applied.
    """
    if statement.execution or statement.parameters is not None or not statement.clauses <= _BULK_CLAUSES:
        raise Refuse(f"{name}() of a query that was built before: write it in one expression")


_BEGUN = frozenset(("flow", "bulk"))
"""What says only that a query was begun in another expression."""
_BULK_CLAUSES = _BEGUN | {"where"}
DML_CLAUSES = frozenset(("where", "execution_options", "params"))
_IGNORED_BY_ALL = frozenset(
    (
        *("set_label_style", "prefix_with", "suffix_with", "with_hint", "with_statement_hint", "correlate"),
        *("having", "autoflush", "yield_per", "no_eagerloads"),
    )
)
DML_IGNORED = _IGNORED_BY_ALL | {"options", "with_for_update", "populate_existing"}
"""What Query.update() and Query.delete() neither refuse nor heed."""


def delete(ending: Ending) -> Tree:
    values = bind(ending.link, ("synchronize_session", "delete_args"))
    no_more_than(ending, DML_CLAUSES, "delete", DML_IGNORED)
    return _dml(ending, "delete", (), values, "delete_args")


def update(ending: Ending) -> Tree:
    values = bind(ending.link, ("values", "synchronize_session", "update_args"))
    no_more_than(ending, DML_CLAUSES, "update", DML_IGNORED)
    if "values" not in values:
        raise Refuse("update() needs its values")
    assigned = values["values"]
    step = Step("values", (Argument(ending.statement.atom(assigned)),), origin=ending.link.node)
    if isinstance(assigned, ast.List | ast.Tuple):
        raise Refuse("update() with a list of pairs: write `update(Class).where(…).ordered_values(*pairs)`")
    return _dml(ending, "update", (step,), values, "update_args")


def _dml(
    ending: Ending, name: str, assignments: tuple[Step, ...], values: dict[str, ast.expr], options: str
) -> Tree:
    statement = ending.statement
    info = statement.selected[0].info
    tables = info.model.inheritance if info.model is not None else None
    several = info.kind is EntityKind.MODEL and tables not in (Inheritance.NONE, Inheritance.SINGLE)
    if several:
        # A class with several tables: 2.1 finds its columns in each of them.
        statement.steps = [
            (filtering.qualified(statement, step) or step) if step.name == "filter_by" else step
            for step in statement.steps
        ]
    # An earlier expression may have had one.
    is_begun = "bulk" in statement.clauses
    if (is_begun or any(step.name == "filter_by" for step in statement.steps)) and (
        several or len(statement.owners) != 1 or statement.opaque
    ):
        statement.doubt(f"filter_by() of {name}() searches every table that its criteria name")
    function = statement.names[name]
    assert isinstance(function, Text | Imported)
    steps = [*statement.steps, *assignments]
    if options in values:
        given = values[options]
        if not isinstance(given, ast.Dict) or not all(
            isinstance(key, ast.Constant) and isinstance(key.value, str) for key in given.keys
        ):
            raise Refuse(f"{options} is not written out: use `.with_dialect_options(name=value)`")
        named = tuple(
            Argument(statement.atom(value), key.value)
            for key, value in zip(given.keys, given.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        )
        if any(argument.keyword == "preserve_parameter_order" for argument in named):
            raise Refuse("preserve_parameter_order: write `update(Class).where(…).ordered_values(*pairs)`")
        steps.append(Step("with_dialect_options", named, origin=ending.link.node))
    execution = statement.executed_with(loads=False)
    if "synchronize_session" in values:
        argument = Argument(statement.atom(values["synchronize_session"]), "synchronize_session")
        before = execution.pop().arguments or () if execution else ()
        execution.append(Step("execution_options", (*before, argument), origin=ending.link.node))
    tree = extend(
        statement.base if is_begun else Call(function, (Argument(ending.entity),)), *steps, *execution
    )
    executed = extend(ending.session, Step("execute", (Argument(tree),), origin=ending.link.node))
    return executed if ending.is_bare else extend(executed, Step("rowcount", origin=ending.link.node))


GET_CLAUSES = frozenset(("options", "populate_existing", "with_for_update", "execution_options"))
GET_IGNORED = _IGNORED_BY_ALL | {"order_by", "distinct"}
"""What Query.get() neither refuses nor heeds."""


def get(ending: Ending) -> Tree:
    statement = ending.statement
    no_more_than(ending, GET_CLAUSES, "get", GET_IGNORED)
    ident = bind(ending.link, ("ident",)).get("ident")
    if ident is None:
        raise Refuse("get() needs the primary key")
    return extend(
        ending.session,
        Step(
            "get",
            (Argument(ending.entity), Argument(statement.atom(ident)), *get_arguments(statement)),
            origin=ending.link.node,
        ),
    )


def get_arguments(statement: Statement) -> list[Argument]:
    """The links before `get()` as its keyword arguments."""
    found: list[Argument] = []
    options = [
        argument for step in statement.steps if step.name == "options" for argument in step.arguments or ()
    ]
    if options:
        if any(argument.prefix or not isinstance(argument.value, Text) for argument in options):
            raise Refuse("options() before get(): write `session.get(Class, key, options=[…])`")
        texts = ", ".join(argument.value.text for argument in options if isinstance(argument.value, Text))
        found.append(Argument(Text(f"[{texts}]"), "options"))
    if "populate_existing" in statement.clauses:
        found.append(Argument(Text("True"), "populate_existing"))
    locks = [step for step in statement.steps if step.name == "with_for_update"]
    if locks:
        # The last one counts.
        given_last = locks[-1].arguments
        value: Tree = Call(Text("dict"), given_last) if given_last else Text("True")
        found.append(Argument(value, "with_for_update"))
    if "execution_options" in statement.clauses:
        given = [
            argument for step in statement.executed_with(loads=False) for argument in step.arguments or ()
        ]
        given = [argument for argument in given if argument.keyword != "populate_existing"]
        last = {argument.keyword: argument for argument in given if argument.keyword is not None}
        given = [
            argument for argument in given if argument.keyword is None or last[argument.keyword] is argument
        ]
        found.append(Argument(Call(Text("dict"), tuple(given)), "execution_options"))
    return found
