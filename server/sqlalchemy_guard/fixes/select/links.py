"""The refining steps: for each method of Query its form on `select()`, in one table, and what it does to
the rows.

To add a link: one line in `LINKS`. Its form is a template: `stmt` stands for what came before, `*args` for
all arguments as they were written, a name of `parameters` for that argument. A link that changes which
rows can come, or what `filter_by` addresses, names an effect. This module must never know how the
statement is executed.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import Consumer, EntityInfo, EntityKind, read_query
from sqlalchemy_guard.fixes.select import filtering, joining, ordering
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.statement import ENTITIES, Selected
from sqlalchemy_guard.fixes.select.tree import Call, Chain, Step, Text, instantiate
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy_guard.facts.query import Link
    from sqlalchemy_guard.fixes.select.statement import Statement

    Effect = Callable[[Statement, Link], str | None]


@dataclass(frozen=True, slots=True)
class LinkForm:
    """How one method of Query is written on a statement.

    Attributes:
        form: The template; empty when the effect gives it.
        effect: What the link does to what is known about the statement; may return another template.
        parameters: The method's parameters in order, when the template names them.
        clause: What later links and terminals call it.
        criterion: Query refuses it once LIMIT or OFFSET were applied.
        execution: It belongs to the execution, not to the SQL.
        after_union: Whether it means the same behind a union.
        after_statement: Whether it may follow from_statement().
        note: What a reader should know.
    """

    form: str
    effect: Effect | None = None
    parameters: tuple[str, ...] = ()
    clause: str = ""
    criterion: bool = False
    execution: bool = False
    after_union: bool = False
    after_statement: bool = False
    note: str = ""


def apply(statement: Statement, link: Link) -> None:
    """Add one link to a statement.

    Raises:
        Refuse: the link has no proven form here.
    """
    form = LINKS.get(link.name)
    if form is None:
        raise Refuse(REFUSED.get(link.name, f"`{link.name}` is not a method of Query with a known 2.x form"))
    if link.call is None:
        raise Refuse(f"the method `{link.name}` itself is handed on: call it where it is written")
    if form.criterion and statement.clauses & {"limit", "offset"}:
        raise Refuse(f"Query raises here: call {link.name}() before limit() and offset()")
    if "union" in statement.clauses and not (form.after_union or form.execution):
        raise Refuse(
            f"{link.name}() after a union applies to its subquery: name it with "
            "`alias = aliased(Entity, union(...).subquery())` and use `alias` in select() and in criteria"
        )
    if "from_statement" in statement.clauses and not (form.execution or form.after_statement):
        raise Refuse(f"Query raises here: {link.name}() cannot follow from_statement()")
    template = (form.effect(statement, link) if form.effect else None) or form.form
    if template:
        write(statement, link, template, form)
    if form.clause:
        statement.clauses.add(form.clause)


def write(statement: Statement, link: Link, template: str, form: LinkForm) -> None:
    """Append the template's steps to the statement."""
    values = bind(link, form.parameters) if form.parameters else {}
    marker = Text("stmt")
    tree = instantiate(
        template,
        {
            **statement.names,
            "stmt": marker,
            **{name: statement.atom(node) for name, node in values.items()},
        },
        {
            "args": statement.arguments(link),
            **{name: () for name in form.parameters if name not in values},
        },
        link.node,
    )
    assert isinstance(tree, Chain)
    if form.execution:
        for step in tree.steps:
            statement.execution.append(step)
    else:
        statement.steps.extend(tree.steps)


def bind(link: Link, parameters: tuple[str, ...]) -> dict[str, ast.expr]:
    """Arguments by the method's parameter names.

    Raises:
        Refuse: they cannot be told apart.
    """
    if link.has_unpacking or len(link.args) > len(parameters):
        raise Refuse(f"the arguments of {link.name}() are not visible one by one")
    found = dict(zip(parameters, link.args, strict=False))
    for keyword in link.keywords:
        if keyword.arg not in parameters or keyword.arg in found:
            raise Refuse(f"{link.name}() has no parameter {keyword.arg!r} that could be rewritten")
        found[keyword.arg] = keyword.value
    return found


# effects


def _execution_options(statement: Statement, link: Link) -> None:
    for each in link.keywords:
        if each.arg == "yield_per":
            statement.clauses.add("yield_per_option")
        if each.arg in ("compiled_cache", "isolation_level"):
            raise Refuse(f"a statement cannot carry {each.arg}: give `execution_options` to the execution")


def _as_rows(statement: Statement, link: Link) -> None:
    setting = bind(link, ("value",)).get("value") if link.name == "only_return_tuples" else None
    if setting is not None and not (isinstance(setting, ast.Constant) and isinstance(setting.value, bool)):
        raise Refuse(
            f"{link.name}() with a variable: choose `session.execute()` or `session.scalars()` by it"
        )
    statement.as_rows = setting is None or (isinstance(setting, ast.Constant) and setting.value is True)
    statement.select(statement.selected)


def _criteria(statement: Statement, link: Link) -> None:
    for node in link.args:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            raise Refuse(f"a string as criterion of {link.name}(): wrap it in text()")
        unpacked = node.value if isinstance(node, ast.Starred) else node
        statement.refer(unpacked, is_criterion=True)
    if link.keywords:
        raise Refuse(f"{link.name}() takes no keyword arguments")


def _slice(_: Statement, link: Link) -> None:
    if len(link.args) != 2 or link.has_unpacking or link.keywords:
        raise Refuse("slice() takes a start and a stop")


def _options(statement: Statement, link: Link) -> None:
    given: list[ast.expr] = []
    for node in link.args:  # Query takes lists of options, select() does not
        given.extend(node.elts if isinstance(node, ast.List | ast.Tuple) else [node])
    if link.keywords:
        raise Refuse("options() takes no keyword arguments")
    statement.steps.append(Step("options", statement.positional(given), origin=link.node))
    for node in given:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            raise Refuse("options() with a string was removed: use loader functions on class attributes")
        if isinstance(node, ast.Starred):
            statement.options.append(node.value)
            continue
        statement.options.append(node)
        if not isinstance(node, ast.Call) and statement.knowledge.option(node) is None:
            statement.doubt(
                f"`{statement.text.segment(node)}` may be a list, which options() of select() refuses"
            )


def _select_from(statement: Statement, link: Link) -> None:
    if statement.clauses & {
        "where",
        "join",
        "order_by",
        "group_by",
        "limit",
        "offset",
        "distinct",
        "select_from",
    }:
        raise Refuse("Query raises here: select_from() must come before criteria")
    for node in link.args:
        info = statement.knowledge.entity(node)
        statement.refer(node, info)
        if info.owner is None:
            statement.opaque = statement.opaque or "a part of the statement is not known"
        statement.sources.append(info)
        statement.joined.append(info)
    if link.args:
        statement.target = statement.knowledge.entity(link.args[0])
        statement.target_node = link.args[0]


def _from_statement(statement: Statement, link: Link) -> None:
    if statement.clauses & {
        "where",
        "join",
        "order_by",
        "group_by",
        "limit",
        "offset",
        "distinct",
        "select_from",
    }:
        raise Refuse("Query raises here: from_statement() cannot follow criteria")
    if any(each.info.kind is EntityKind.BUNDLE for each in statement.selected):
        raise Refuse("from_statement() of a Bundle: Query raises here")
    if not statement.heeds_options:
        statement.doubt("from_statement() of select() needs something of a mapped class")
    if len(link.args) != 1 or link.keywords or isinstance(link.args[0], ast.Constant | ast.JoinedStr):
        raise Refuse("from_statement() takes one statement: wrap a string in text()")


def _params(statement: Statement, link: Link) -> None:
    if statement.parameters is not None or len(link.args) + bool(link.keywords) != 1 or link.has_unpacking:
        raise Refuse("params() more than once or of both kinds: hand one mapping to the execution")
    statement.bound = statement.arguments(link)
    if link.args:
        statement.parameters = statement.atom(link.args[0])
    else:
        values = (f'"{each.arg}": {statement.text.segment(each.value)}' for each in link.keywords)
        statement.parameters = Text("{" + ", ".join(values) + "}")


def _yield_per(statement: Statement, _: Link) -> None:
    if any(not statement.harmless(option) for option in statement.options):
        statement.doubt("yield_per() together with eager loading of collections raises")


def _with_entities(statement: Statement, link: Link) -> str:
    if not link.args or link.has_unpacking or link.keywords:
        raise Refuse("with_entities() hides what is selected: write select() with the columns")
    selected = chosen(statement, link.args)
    untouched = not (statement.clauses or statement.steps or statement.execution)
    if untouched and isinstance(statement.base, Call) and not statement.unsure_entities:
        # Nothing has used what was selected before: the statement begins with the columns.
        statement.begin(selected)
        return ""
    if not any(each.info.kind in ENTITIES or each.info.model is not None for each in statement.selected):
        statement.doubt("select() of what belongs to no class does not load objects later either")
    statement.select(selected)
    statement.sources.extend(each.info for each in selected)
    statement.clauses.add("with_entities")
    return "stmt.with_only_columns(*args)"


def _add(statement: Statement, link: Link) -> str | None:
    if not link.args or link.has_unpacking or link.keywords:
        raise Refuse(f"{link.name}() hides what is selected: write it in select()")
    if link.name in ("add_entity", "add_column") and len(link.args) != 1:
        raise Refuse(f"{link.name}() takes one argument: use aliased() in select()")
    added = chosen(statement, link.args)
    statement.select([*statement.selected, *added])
    statement.sources.extend(each.info for each in added)
    return None


def chosen(statement: Statement, nodes: Iterable[ast.expr]) -> list[Selected]:
    """Expressions of a SELECT list with what they mean.

    Raises:
        Refuse: one of them cannot be selected.
    """
    found = []
    for node in nodes:
        info = statement.knowledge.entity(node)
        inner = read_query(node, statement.knowledge, Consumer.NESTED)
        if inner is not None and inner.terminal is not None:
            kind = EntityKind.TABLE if inner.terminal.name in ("subquery", "cte") else EntityKind.EXPRESSION
            given = inner.terminal.args[0] if inner.terminal.name == "label" and inner.terminal.args else None
            label = given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None
            info = EntityInfo(kind, label=label, hashable=True if inner.terminal.name == "exists" else None)
        if info.kind is EntityKind.RELATIONSHIP:
            raise Refuse("a relationship cannot be selected: join it and select its class")
        found.append(Selected(node, info, statement.argument(node)))
    return found


def _with_parent(statement: Statement, link: Link) -> str:
    values = bind(link, ("instance", "property", "from_entity"))
    if "property" not in values:
        raise Refuse(
            "with_parent() without the relationship: write where(with_parent(object, Class.relationship))"
        )
    if "from_entity" in values:
        return "stmt.where(with_parent(instance, property, from_entity))"
    if statement.target is not None and "plain_join" in statement.clauses:
        raise Refuse("Query raises here: with_parent() finds no class behind a join() without a relationship")
    if (
        "join" in statement.clauses
        and statement.target is not None
        and statement.target.kind is EntityKind.ALIAS
    ):
        raise Refuse("Query raises here: with_parent() takes no aliased class that join() brought")
    zero = statement.target or statement.selected[0].info
    if zero.model is None or (zero.attribute is not None and zero.attribute not in zero.model.columns):
        raise Refuse(
            "whose parent with_parent() asks for is not known: write where(with_parent(object, Class.relationship))"
        )
    relation = statement.knowledge.entity(values["property"])
    if relation.model is None or relation.attribute is None:
        statement.opaque = statement.opaque or "the relationship of with_parent() is not known"
    else:
        known = relation.model.relationships.get(relation.attribute)
        if known is None or known.secondary:
            statement.opaque = statement.opaque or "with_parent() may go through an association table"
    if statement.target is None and zero.owner == zero.model.identity:
        return "stmt.where(with_parent(instance, property))"
    where = filtering.spelling(statement, zero, statement.target_node or statement.selected[0].node)
    if where is None:
        raise Refuse(
            "the class behind with_parent() has no name here: write where(with_parent(object, Class.relationship))"
        )
    if relation.model is not None and relation.attribute is not None:
        known = relation.model.relationships.get(relation.attribute)
        if known is None or known.target is None or known.target.identity != zero.model.identity:
            statement.doubt("with_parent() asks for another class than its relationship leads to")
    return f"stmt.where(with_parent(instance, property, {where}))"


def _enable_eagerloads(statement: Statement, link: Link) -> None:
    setting = bind(link, ("value",)).get("value")
    if isinstance(setting, ast.Constant) and setting.value is True:
        return
    if not (isinstance(setting, ast.Constant) and setting.value is False):
        raise Refuse("enable_eagerloads() with a variable: choose the loader options by it")
    statement.clauses.add("no_eagerloads")


def _union(statement: Statement, link: Link) -> str:
    return filtering.union(statement, link)


LINKS: Mapping[str, LinkForm] = {
    "filter": LinkForm("stmt.where(*args)", _criteria, clause="where", criterion=True),
    "where": LinkForm("stmt.where(*args)", _criteria, clause="where", criterion=True),
    "filter_by": LinkForm(
        "",
        filtering.filter_by,
        clause="where",
        criterion=True,
        after_union=True,
        note="`stmt.filter_by(…)`; `stmt.where(Entity.name == …)` where 2.1 looks into other classes",
    ),
    "order_by": LinkForm("stmt.order_by(*args)", ordering.ordered, clause="order_by", criterion=True),
    "group_by": LinkForm("stmt.group_by(*args)", ordering.ordered, clause="group_by", criterion=True),
    "having": LinkForm("stmt.having(*args)", _criteria, clause="having", criterion=True),
    "limit": LinkForm("stmt.limit(*args)", clause="limit", after_union=True),
    "offset": LinkForm("stmt.offset(*args)", clause="offset", after_union=True),
    "slice": LinkForm("stmt.slice(*args)", _slice, clause="limit", after_union=True),
    "distinct": LinkForm("stmt.distinct(*args)", clause="distinct", after_union=True),
    "join": LinkForm("stmt.join(*args)", joining.join, clause="join", criterion=True),
    "outerjoin": LinkForm("stmt.outerjoin(*args)", joining.join, clause="join", criterion=True),
    "reset_joinpoint": LinkForm(
        "", joining.reset_joinpoint, note="left out; `filter_by` behind it is qualified"
    ),
    "select_from": LinkForm("stmt.select_from(*args)", _select_from, clause="select_from"),
    "with_entities": LinkForm(
        "",
        _with_entities,
        note="`select(*args)` directly behind `query()`, else `stmt.with_only_columns(*args)`",
    ),
    "add_columns": LinkForm("stmt.add_columns(*args)", _add),
    "add_column": LinkForm("stmt.add_columns(*args)", _add),
    "add_entity": LinkForm("stmt.add_columns(*args)", _add),
    "options": LinkForm(
        "",
        _options,
        clause="options",
        after_statement=True,
        note="`stmt.options(…)`; a list of options is unpacked",
    ),
    "with_for_update": LinkForm("stmt.with_for_update(*args)", clause="with_for_update"),
    "correlate": LinkForm("stmt.correlate(*args)", clause="correlate"),
    "prefix_with": LinkForm("stmt.prefix_with(*args)"),
    "suffix_with": LinkForm("stmt.suffix_with(*args)"),
    "with_hint": LinkForm("stmt.with_hint(*args)"),
    "with_statement_hint": LinkForm("stmt.with_statement_hint(*args)"),
    "set_label_style": LinkForm("stmt.set_label_style(*args)"),
    "with_labels": LinkForm("stmt.set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)"),
    "apply_labels": LinkForm("stmt.set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)"),
    "with_parent": LinkForm(
        "stmt.where(with_parent(instance, property))",
        _with_parent,
        ("instance", "property", "from_entity"),
        clause="where",
        criterion=True,
    ),
    "execution_options": LinkForm(
        "stmt.execution_options(*args)",
        _execution_options,
        clause="execution_options",
        execution=True,
        after_union=True,
    ),
    "params": LinkForm(
        "",
        _params,
        clause="params",
        execution=True,
        note="the second argument: `session.scalars(stmt, {…})`; `stmt.params(*args)` of what is not executed",
    ),
    "tuples": LinkForm("", _as_rows, note="one class gives rows as well: `session.execute(stmt)`"),
    "only_return_tuples": LinkForm("", _as_rows, note="as `tuples()` with True, left out with False"),
    "populate_existing": LinkForm(
        "stmt.execution_options(populate_existing=True)", clause="populate_existing", execution=True
    ),
    "autoflush": LinkForm(
        "stmt.execution_options(autoflush=setting)", None, ("setting",), clause="autoflush", execution=True
    ),
    "yield_per": LinkForm(
        "stmt.execution_options(yield_per=count)",
        _yield_per,
        ("count",),
        clause="yield_per",
        execution=True,
        note="turns de-duplication off, so `.unique()` is not written",
    ),
    "enable_eagerloads": LinkForm(
        "",
        _enable_eagerloads,
        note='left out where nothing is loaded eagerly; else `options(lazyload("*"))`, not proven the same',
    ),
    "from_statement": LinkForm("stmt.from_statement(*args)", _from_statement, clause="from_statement"),
    **{
        name: LinkForm(
            "",
            _union,
            clause="union",
            after_union=True,
            note="`select(aliased(Entity, union(stmt, …).subquery()))`",
        )
        for name in ("union", "union_all", "intersect", "intersect_all", "except_", "except_all")
    },
}
"""Query's methods that give a Query, and their form on `select()`."""

REFUSED: Mapping[str, str] = {
    "from_self": "from_self() was removed: use `aliased(Entity, stmt.subquery())`",
    "select_entity_from": "select_entity_from() was removed: use `aliased(Entity, stmt.subquery())`",
    "with_polymorphic": "Query.with_polymorphic() was removed: use `select(with_polymorphic(Base, [...]))`",
    "with_session": "with_session() moves a query between sessions: execute the statement on that session",
    "with_transformation": "with_transformation() hands the Query to a function: give that a select()",
    "enable_assertions": "enable_assertions() has no counterpart: write the statement in the order SQL has",
    "with_lockmode": "with_lockmode() was removed: use with_for_update()",
    "from_joinpoint": "from_joinpoint was removed: use aliased()",
    "ext": "ext() on Query is new code already: write select()",
}
"""Methods of Query without a proven form, and what to write instead."""
