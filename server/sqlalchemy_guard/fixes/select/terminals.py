"""The steps that leave the Query API: for each its form for objects and its form for rows, in one table.

To add a terminal: one line in `TERMINALS`. `session` and `stmt` stand for the session and the statement,
`entity` for the one thing that is selected, `*args` for the terminal's arguments; `.unique()` is written
only where de-duplication could show. A terminal whose form depends on more has an ending, which may give
another template or a tree, or refuse. This module must never look at what consumes the value.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import Consumer, EntityKind, Inheritance, Link, SessionKind, read_query
from sqlalchemy_guard.fixes.select.links import bind
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.tree import Argument, Call, Imported, Step, Text, Tree, extend, instantiate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy_guard.fixes.select.statement import Statement

    Finish = Callable[["Ending"], str | Tree | None]


@dataclass(frozen=True, slots=True)
class Ending:
    """What a terminal sees: the statement, itself, the session, and whether its value is thrown away."""

    statement: Statement
    link: Link
    session: Tree
    kind: SessionKind
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
        note: What a reader should know.
    """

    entity: str
    rows: str = ""
    finish: Finish | None = None
    parameters: tuple[str, ...] = ()
    names_rows: bool = False
    shape: bool = True
    note: str = ""


def finish(ending: Ending, form: TerminalForm) -> Tree:
    """The new expression.

    Raises:
        Refuse: it has no proven form here.
    """
    statement = ending.statement
    if form.shape:
        _check_shape(statement, form)
        # Only SQL would show these labels: rows of Query keep the columns' own names.
        statement.steps = [step for step in statement.steps if step.name != "set_label_style"]
    elif "from_statement" in statement.clauses and ending.link.name != "statement":
        raise Refuse(f"Query raises here: {ending.link.name or 'nesting'} cannot follow from_statement()")
    found = (form.finish(ending) if form.finish else None) or (
        form.entity if statement.single or not form.rows else form.rows
    )
    if not isinstance(found, str):
        return found
    return write(ending, found, form.parameters)


def write(ending: Ending, template: str, parameters: tuple[str, ...] = ()) -> Tree:
    """A template with everything in it replaced."""
    statement = ending.statement
    if ".unique()" in template and statement.de_duplicates and not statement.single:
        reason = statement.unhashable()
        if reason is not None:
            statement.doubt(reason)
    values = bind(ending.link, parameters) if parameters else {}
    tree = instantiate(
        template,
        {
            **statement.names,
            "session": ending.session,
            "stmt": statement.tree(),
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
    return tree


def _check_shape(statement: Statement, form: TerminalForm) -> None:
    """Demand that it is known whether objects or rows come."""
    if any(isinstance(each.node, ast.Starred) for each in statement.selected):
        raise Refuse(
            "what is selected is not visible: one class needs `session.scalars()`, columns `session.execute()`"
        )
    only = statement.selected[0]
    if (
        len(statement.selected) == 1
        and only.info.kind is EntityKind.BUNDLE
        and not _is_plain_bundle(statement, only.node)
    ):
        statement.doubt("a Bundle with `single_entity=True` gives no rows")
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
    if form.names_rows and not statement.single:
        name = statement.same_names()
        if name is not None and not statement.by_position:
            statement.doubt(f"two columns are called `{name}`: rows of select() name the second `{name}_1`")


def _is_plain_bundle(statement: Statement, node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and statement.knowledge.qualified_name(node.func) == "sqlalchemy.orm.Bundle"
        and not any(each.arg in ("single_entity", None) for each in node.keywords)
    )


UNSURE = frozenset((EntityKind.UNKNOWN, EntityKind.VALUE))


# endings


def _first(ending: Ending) -> str | None:
    statement = ending.statement
    if "from_statement" in statement.clauses:
        return "session.scalars(stmt).first()" if statement.single else "session.execute(stmt).first()"
    steps = statement.steps
    if steps and steps[-1].name == "limit" and len(steps[-1].arguments or ()) == 1:
        argument = (steps[-1].arguments or ())[0].value
        if isinstance(argument, Text) and isinstance(argument.node, ast.Constant | ast.Name):
            steps.pop()
    return None


def _scalar(ending: Ending) -> str | None:
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


SHORT_COUNT = frozenset(("where", "filter_by", "join", "outerjoin"))
"""Steps behind which rows may be counted without a subquery."""


def _drop_loaders(statement: Statement) -> None:
    """Loader options mean nothing where nothing is loaded; inside a subquery select() may even refuse
    them."""
    kept = []
    for step in statement.steps:
        if step.name == "options" and all(
            isinstance(argument.value, Text)
            and argument.value.node is not None
            and not argument.prefix
            and statement.is_loader(argument.value.node)
            for argument in step.arguments or ()
        ):
            continue
        kept.append(step)
    statement.steps = kept


def _count(ending: Ending) -> Tree | str | None:
    statement = ending.statement
    _drop_loaders(statement)
    if any(step.name == "options" for step in statement.steps):
        statement.doubt("options that are no loader options may not reach into count()'s subquery")
    infos = [each.info for each in statement.selected]
    short = (
        len(infos) == 1
        and infos[0].kind is EntityKind.MODEL
        and infos[0].model is not None
        and infos[0].model.inheritance in (Inheritance.NONE, Inheritance.JOINED)
        and all(step.name in SHORT_COUNT for step in statement.steps)
        and not statement.clauses & {"union", "select_from"}
    )
    if "yield_per" in statement.clauses:
        raise Refuse("yield_per() has no effect on count(): remove it")
    template = (
        "select(func.count()).select_from(entity)"
        if short
        else "select(func.count()).select_from(inner.subquery())"
    )
    counting = write(ending, template)
    if short:
        counting = extend(counting, *statement.steps)
    counting = extend(counting, *statement.execution)
    return extend(ending.session, Step("scalar", (Argument(counting),), origin=ending.link.node))


def _exists(ending: Ending) -> None:
    statement = ending.statement
    _drop_loaders(statement)
    if "loose_join" in statement.clauses:
        statement.doubt("exists() joins from what is selected, not from the relationship's own class")
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


def _no_more_than(ending: Ending, allowed: frozenset[str], what: str) -> None:
    statement = ending.statement
    if len(statement.selected) != 1 or statement.selected[0].info.kind is not EntityKind.MODEL:
        if len(statement.selected) == 1 and statement.selected[0].info.kind is EntityKind.UNKNOWN:
            statement.doubt(
                f"`{statement.text.segment(statement.selected[0].node)}` is taken to be a mapped class"
            )
        else:
            raise Refuse(f"{what}() needs one mapped class: Query raises here")
    extra = sorted({step.name for step in statement.steps} - allowed - {"filter_by"}) or sorted(
        statement.clauses - allowed
    )
    if extra:
        raise Refuse(f"{what}() behind {extra[0]}() raises or ignores it: remove that call")


DML_CLAUSES = frozenset(("where", "execution_options"))


def _delete(ending: Ending) -> Tree:
    values = bind(ending.link, ("synchronize_session", "delete_args"))
    _no_more_than(ending, DML_CLAUSES, "delete")
    return _dml(ending, "delete", (), values, "delete_args")


def _update(ending: Ending) -> Tree:
    values = bind(ending.link, ("values", "synchronize_session", "update_args"))
    _no_more_than(ending, DML_CLAUSES, "update")
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
    if any(step.name == "filter_by" for step in statement.steps) and (
        len(statement.owners) != 1 or statement.opaque
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
    execution = list(statement.execution)
    if "synchronize_session" in values:
        argument = Argument(statement.atom(values["synchronize_session"]), "synchronize_session")
        before = execution.pop().arguments or () if execution else ()
        execution.append(Step("execution_options", (*before, argument), origin=ending.link.node))
    tree = extend(Call(function, (Argument(ending.entity),)), *steps, *execution)
    executed = extend(ending.session, Step("execute", (Argument(tree),), origin=ending.link.node))
    return executed if ending.is_bare else extend(executed, Step("rowcount", origin=ending.link.node))


GET_CLAUSES = frozenset(("options", "populate_existing", "with_for_update", "execution_options"))


def _get(ending: Ending) -> Tree:
    statement = ending.statement
    _no_more_than(ending, GET_CLAUSES, "get")
    ident = bind(ending.link, ("ident",)).get("ident")
    if ident is None:
        raise Refuse("get() needs the primary key")
    return extend(
        ending.session,
        Step(
            "get",
            (Argument(ending.entity), Argument(statement.atom(ident)), *_get_arguments(statement)),
            origin=ending.link.node,
        ),
    )


def _get_arguments(statement: Statement) -> list[Argument]:
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
    for step in statement.steps:
        if step.name == "with_for_update":
            value: Tree = Call(Text("dict"), step.arguments) if step.arguments else Text("True")
            found.append(Argument(value, "with_for_update"))
    if "execution_options" in statement.clauses:
        given = [argument for step in statement.execution for argument in step.arguments or ()]
        given = [argument for argument in given if argument.keyword != "populate_existing"]
        found.append(Argument(Call(Text("dict"), tuple(given)), "execution_options"))
    return found


def _item(ending: Ending) -> str | Tree | None:
    index = ending.link.index
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


def _statement(ending: Ending) -> None:
    if "union" in ending.statement.clauses:
        ending.statement.doubt("the columns of a union have other names")
    if ending.statement.clauses & {"populate_existing", "autoflush", "yield_per", "from_statement"}:
        ending.statement.doubt("options of the execution are not part of Query.statement")


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _subquery(ending: Ending) -> str | None:
    _selectable(ending)
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


def _scalar_subquery(ending: Ending) -> None:
    _selectable(ending)
    if ending.statement.has_entities:
        ending.statement.doubt("a scalar subquery of a class joins what its mapping loads eagerly")


def _selectable(ending: Ending) -> None:
    _drop_loaders(ending.statement)
    if "union" in ending.statement.clauses:
        ending.statement.doubt("the columns of a union's subquery have other names")


def _flask(ending: Ending) -> None:
    if "db" not in ending.statement.names or ending.kind is not SessionKind.FLASK:
        raise Refuse(
            f"{ending.link.name}() needs the SQLAlchemy extension object: write `db.{ending.link.name}(…)`"
        )
    if not ending.statement.single:
        raise Refuse(f"{ending.link.name}() of rows: db.{ending.link.name}() gives the first column only")


def _flask_get(ending: Ending) -> Tree:
    _flask(ending)
    statement = ending.statement
    _no_more_than(ending, GET_CLAUSES, "get_or_404")
    values = bind(ending.link, ("ident", "description"))
    if "ident" not in values:
        raise Refuse("get_or_404() needs the primary key")
    arguments = [Argument(ending.entity), Argument(statement.atom(values["ident"]))]
    if "description" in values:
        arguments.append(Argument(statement.atom(values["description"]), "description"))
    return extend(
        statement.names["db"],
        Step("get_or_404", (*arguments, *_get_arguments(statement)), origin=ending.link.node),
    )


def _flask_one(ending: Ending) -> None:
    _flask(ending)
    if ending.statement.de_duplicates:
        raise Refuse(
            "db.one_or_404() does not de-duplicate: write `session.scalars(stmt).unique().one_or_none() or abort(404)`"
        )


def _flask_first(ending: Ending) -> None:
    _flask(ending)
    _first(ending)


def _paginate(ending: Ending) -> None:
    _flask(ending)
    if ending.link.args:
        raise Refuse("paginate() takes keyword arguments only since Flask-SQLAlchemy 3: name them")


TERMINALS: Mapping[str, TerminalForm] = {
    "all": TerminalForm(
        "session.scalars(stmt).unique().all()", "session.execute(stmt).unique().all()", names_rows=True
    ),
    "first": TerminalForm(
        "session.scalars(stmt.limit(1)).first()",
        "session.execute(stmt.limit(1)).first()",
        _first,
        names_rows=True,
        note="`limit(1)` replaces an earlier limit, as Query does; none behind `from_statement()`",
    ),
    "one": TerminalForm(
        "session.scalars(stmt).unique().one()", "session.execute(stmt).unique().one()", names_rows=True
    ),
    "one_or_none": TerminalForm(
        "session.scalars(stmt).unique().one_or_none()",
        "session.execute(stmt).unique().one_or_none()",
        names_rows=True,
    ),
    "scalar": TerminalForm(
        "session.scalars(stmt).unique().one_or_none()",
        "session.execute(stmt).unique().scalar_one_or_none()",
        _scalar,
        note="`session.scalar(stmt)` where one row is certain: aggregates without GROUP BY, EXISTS",
    ),
    "count": TerminalForm(
        "session.scalar(select(func.count()).select_from(stmt.subquery()))",
        finish=_count,
        shape=False,
        note="`session.scalar(select(func.count()).select_from(Entity).where(…))` where that counts the same rows",
    ),
    "get": TerminalForm(
        "session.get(entity, *args)",
        finish=_get,
        shape=False,
        note="`options=[…]`, `populate_existing=True`, `with_for_update=…` for the links before it",
    ),
    "delete": TerminalForm(
        "session.execute(delete(entity).where(criteria)).rowcount",
        finish=_delete,
        shape=False,
        note="`.rowcount` only where the value is used; `synchronize_session` in `execution_options()`",
    ),
    "update": TerminalForm(
        "session.execute(update(entity).where(criteria).values(values)).rowcount",
        finish=_update,
        shape=False,
        note="as delete; `update_args` in `with_dialect_options()`",
    ),
    "exists": TerminalForm(
        "stmt.exists()", finish=_exists, shape=False, note="another SELECT list, the same truth"
    ),
    "subquery": TerminalForm("stmt.subquery(*args)", finish=_subquery, shape=False),
    "cte": TerminalForm("stmt.cte(*args)", finish=_selectable, shape=False),
    "scalar_subquery": TerminalForm("stmt.scalar_subquery()", finish=_scalar_subquery, shape=False),
    "as_scalar": TerminalForm("stmt.scalar_subquery()", finish=_scalar_subquery, shape=False),
    "label": TerminalForm("stmt.label(*args)", finish=_scalar_subquery, shape=False),
    "statement": TerminalForm("stmt", finish=_statement, shape=False),
    "whereclause": TerminalForm("stmt.whereclause", shape=False),
    "[]": TerminalForm(
        "session.scalars(stmt.slice(start, stop)).unique().all()",
        "session.execute(stmt.slice(start, stop)).unique().all()",
        _item,
        names_rows=True,
        note="`query[5]` is `….slice(5, 6)…all()[0]`, which raises IndexError as Query does",
    ),
    "get_or_404": TerminalForm("db.get_or_404(entity, *args)", finish=_flask_get),
    "first_or_404": TerminalForm(
        "db.first_or_404(stmt.limit(1), description=description)", "", _flask_first, ("description",)
    ),
    "one_or_404": TerminalForm(
        "db.one_or_404(stmt, description=description)", "", _flask_one, ("description",)
    ),
    "paginate": TerminalForm("db.paginate(stmt, *args)", finish=_paginate),
}
"""Query's methods that leave the Query API, and their form with a session and a statement."""

REFUSED: Mapping[str, str] = {
    "value": "value() is deprecated: write `session.execute(select(column)).scalars().first()`",
    "values": "values() is deprecated: write `session.execute(select(columns))`",
    "instances": "instances() was deprecated: use `select(Entity).from_statement(…)`",
    "merge_result": "merge_result() was superseded by `sqlalchemy.orm.merge_frozen_result()`",
    "session": "a statement knows no session: use the session itself",
    "selectable": "use the statement itself",
    "column_descriptions": "`column_descriptions` of a Query and of a statement differ in their expressions: check the uses",
    "is_single_entity": "a statement does not know this: one class gives objects with `session.scalars()`",
    "get_execution_options": "read the execution options of the statement",
    "__iter__": "iterate over `session.scalars(stmt)`",
}
"""Terminals without a proven form, and what to write instead."""
