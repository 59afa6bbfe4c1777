"""The grammar of query chains over the oracle's model, for the generator: entities, links, terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from sqlalchemy_guard.facts.query import Consumer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Choose = Callable[[Sequence[Any]], Any]

ENTITIES = {
    "User": (
        *(
            "User",
            "User",
            "User",
            "User.id",
            "User.name",
            "User, User.name",
            "User.id, User.name",
            "User, Address",
        ),
        *("func.count(User.id)", "func.max(User.id), func.count()", "User.name, func.count(User.id)", "U2"),
        *("User.shout", "User.name_length", "User.name.label('n')", "User, Address.email", "User.settings"),
        *(
            "User, User.settings",
            "User.id + 1",
            "User.id, Address.id",
            "User, U2",
            "Bundle('b', User.id, User.name)",
        ),
        *("User, func.length(User.name)", "User.id, Address", "Tag, User", "opaque_thing"),
    ),
    "Address": ("Address", "Address", "Address.email", "Address.email, User.name", "Address, User", "A2"),
    "Order": (
        "Order",
        "Order",
        "Order.total",
        "func.sum(Order.total)",
        "Order, User",
        "Order.total, func.count()",
    ),
    "Company": ("Company", "Company", "Company.name", "Company, Employee", "Company.id"),
    "Contract": ("Contract", "Contract.title", "Contract, Company"),
    "Node": ("Node", "Node", "Node.name", "Node, N2"),
    "Employee": ("Employee", "Manager", "Employee.name", "Manager.bonus", "Employee, Company"),
    "Vehicle": ("Vehicle", "Car", "Car.doors", "Vehicle.wheels, Car.doors"),
    "Line": ("Line", "Line.product", "Line, Order"),
    "Paper": ("Paper", "Letter", "Letter.stamp"),
}

ANY = (
    *(
        "distinct()",
        "limit(1)",
        "limit(2)",
        "limit(100)",
        "offset(1)",
        "limit(number)",
        "slice(1, 3)",
        "slice(0, 2)",
    ),
    *(
        "populate_existing()",
        "autoflush(False)",
        "execution_options(populate_existing=True)",
        "order_by(None)",
    ),
    *("with_for_update()", "with_for_update(nowait=True)", "enable_eagerloads(False)", "reset_joinpoint()"),
    *(
        "filter(text('1 = 1'))",
        "filter(literal(True))",
        "params(x=1)",
        "prefix_with('/* p */')",
        "yield_per(2)",
    ),
    *("correlate(None)", "order_by(text('1'))", "group_by(None)", "with_labels()", "filter()", "order_by()"),
)

LINKS = {
    "User": (
        *(
            "filter(User.id > 1)",
            "filter(User.name == name, User.id < 4)",
            "filter_by(name='ann')",
            "filter_by(id=1)",
        ),
        *(
            "filter_by(name=name, id=number)",
            "filter_by(nick=None)",
            "filter_by(email='x')",
            "filter_by(user_id=1)",
        ),
        *("filter(Address.user_id == User.id)", "filter(Address.email == 'x')", "filter(opaque_condition)"),
        *(
            "filter(opaque_join)",
            "filter(User.addresses.any(Address.email == 'x'))",
            "filter(User.tags.any())",
        ),
        *("filter(User.id.in_([1, 2, 3]))", "filter(or_(User.id == 1, User.nick.is_(None)))"),
        *(
            "filter(User.id.in_(session.query(Address.user_id)))",
            "filter(User.id.in_(select(Address.user_id)))",
        ),
        *(
            "filter(session.query(Address).filter(Address.user_id == User.id).exists())",
            "filter(~User.addresses.any())",
        ),
        *("join(User.addresses)", "join(User.addresses)", "outerjoin(User.addresses)", "join(User.tags)"),
        *(
            "outerjoin(User.tags)",
            "join(User.profile)",
            "join(Address)",
            "join(Address, User.id == Address.user_id)",
        ),
        *(
            "join(Address, User.addresses)",
            "outerjoin(Address, Address.user_id == User.id)",
            "join(User.orders)",
        ),
        *(
            "join(A2, User.addresses)",
            "join(User.addresses.of_type(A2))",
            "join(User.addresses, isouter=True)",
        ),
        *(
            "join(User.addresses.and_(Address.email == 'x'))",
            "outerjoin(counts, counts.c.user_id == User.id)",
        ),
        *("join(Address, onclause=Address.user_id == User.id, full=False)", "join(U2, U2.id == User.id)"),
        *("join(Order, Order.customer_id == User.id)", "join(Order.lines)", "join(user_tags)", "join(Tag)"),
        *(
            "options(joinedload(User.addresses))",
            "options(selectinload(User.addresses))",
            "options(defer(User.name))",
        ),
        *(
            "options(subqueryload(User.addresses))",
            "options(lazyload(User.orders))",
            "options(joinedload(User.tags))",
        ),
        *("options(joinedload(User.addresses), selectinload(User.tags))", "options(load_only(User.name))"),
        *(
            "options(contains_eager(User.addresses))",
            "options(joinedload(User.profile))",
            "options(noload(User.orders))",
        ),
        *("options(selectinload(User.orders).joinedload(Order.lines))", "options(joinedload(User.orders))"),
        *("options(with_loader_criteria(User, User.id > 1))", "options([joinedload(User.addresses)])"),
        *(
            "order_by(User.name)",
            "order_by(User.id.desc())",
            "order_by(User.name, User.id)",
            "order_by(Address.id)",
        ),
        *(
            "order_by(desc('id'))",
            "group_by(User.id)",
            "group_by(User.name)",
            "having(func.count(User.id) > 1)",
        ),
        *(
            "with_entities(User.id)",
            "with_entities(User.name, User.nick)",
            "with_entities(func.count(User.id))",
        ),
        *("with_entities(Address)", "with_entities(User)", "with_entities(User, Address.email)"),
        *(
            "add_columns(User.nick)",
            "add_columns(Address.email)",
            "add_entity(Address)",
            "add_columns(func.count())",
        ),
        *("select_from(User)", "select_from(Address)", "select_from(user_tags)", "filter(U2.id == User.id)"),
        *(
            "union(session.query(User).filter(User.id == 2))",
            "union_all(session.query(User))",
            "filter(User.shout == 'ann!')",
        ),
        *("filter(User.id == bindparam('x'))", "from_statement(text('select * from users'))"),
        *(
            "from_statement(select(User).where(User.id > 1))",
            "filter(User.name_length == 3)",
            "filter_by(shout='ann!')",
        ),
        *(
            "with_parent(session.get(Order, 1), Order.customer)",
            "filter(counts.c.n > 1)",
            "filter_by(opaque=1)",
        ),
    ),
    "Address": (
        *(
            "join(Address.user)",
            "join(Address.user)",
            "outerjoin(Address.user)",
            "filter_by(email='x')",
            "filter_by(id=1)",
        ),
        *(
            "filter(Address.id > 1)",
            "filter(User.name == 'ann')",
            "filter(Address.user.has(User.name == 'ann'))",
        ),
        *(
            "options(joinedload(Address.user))",
            "options(joinedload(Address.user).joinedload(User.addresses))",
        ),
        *(
            "options(contains_eager(Address.user))",
            "options(joinedload(Address.user).selectinload(User.tags))",
        ),
        *("order_by(Address.email)", "order_by(Address.id)", "order_by(User.id)", "filter_by(name='ann')"),
        *(
            "with_parent(session.get(User, 1), User.addresses)",
            "join(User)",
            "join(U2, Address.user)",
            "select_from(User)",
        ),
        *(
            "filter_by(user=None)",
            "filter_by(user=session.get(User, 1))",
            "join(User.tags)",
            "join(User.addresses)",
        ),
        *("with_entities(Address.email)", "filter(Address.user == None)", "group_by(Address.email)"),
        *(
            "intersect(session.query(Address).filter(Address.id < 3))",
            "except_(session.query(Address).filter_by(id=1))",
        ),
    ),
    "Order": (
        *(
            "join(Order.lines)",
            "join(Order.customer)",
            "filter(Order.total > 0)",
            "filter_by(total=1)",
            "order_by(Order.id)",
        ),
        *("options(joinedload(Order.lines))", "options(lazyload(Order.customer))", "group_by(Order.total)"),
        *(
            "options(joinedload(Order.customer))",
            "join(User.addresses)",
            "outerjoin(Order.customer)",
            "filter_by(id=1)",
        ),
        *(
            "having(func.count() > 1)",
            "filter(Order.customer_id.is_(None))",
            "options(selectinload(Order.lines))",
        ),
        *("union(session.query(Order).filter_by(id=3))", "with_entities(Order.total, func.count(Order.id))"),
    ),
    "Company": (
        *(
            "join(Company.employees)",
            "filter_by(name='acme')",
            "options(lazyload(Company.employees))",
            "filter_by(id=1)",
        ),
        *("options(selectinload(Company.employees))", "filter(Company.id == 1)", "order_by(Company.name)"),
        *("outerjoin(Company.employees)", "filter(Employee.company_id == Company.id)", "join(Manager)"),
        *("join(Company.employees.of_type(Manager))", "filter_by(bonus=5)", "filter_by(kind='manager')"),
    ),
    "Contract": (
        *(
            "join(Contract.company)",
            "filter_by(title='c')",
            "options(lazyload(Contract.company))",
            "order_by(Contract.id)",
        ),
        *(
            "options(joinedload(Contract.company))",
            "filter(Contract.id == 1)",
            "options(noload(Contract.company))",
        ),
    ),
    "Node": (
        *(
            "join(Node.children)",
            "join(Node.parent)",
            "join(Node.parent.of_type(N2))",
            "join(N2, Node.parent)",
        ),
        *(
            "outerjoin(N2, Node.children)",
            "filter(N2.name == 'root')",
            "filter_by(name='leaf')",
            "filter(Node.name == 'leaf')",
        ),
        *(
            "options(joinedload(Node.children))",
            "options(joinedload(Node.parent))",
            "order_by(Node.id)",
            "order_by(N2.id)",
        ),
        *(
            "options(joinedload(Node.parent).joinedload(Node.children))",
            "filter_by(parent=None)",
            "filter_by(parent_id=1)",
        ),
        *("filter(Node.children.any(Node.name == 'deep'))", "filter(Node.parent_id == N2.id)"),
    ),
    "Employee": (
        *(
            "filter(Employee.name == 'max')",
            "filter_by(name='max')",
            "filter(Manager.bonus > 5)",
            "join(Employee.company)",
        ),
        *(
            "filter_by(bonus=5)",
            "order_by(Employee.id)",
            "options(joinedload(Employee.company))",
            "filter_by(id=2)",
        ),
        *(
            "options(selectinload(Employee.company))",
            "join(Manager, Manager.id == Employee.id)",
            "join(Company)",
        ),
        *("filter(Manager.company_id == None)", "filter_by(kind='manager')", "join(Manager.company)"),
    ),
    "Vehicle": (
        *(
            "filter(Vehicle.wheels == 4)",
            "filter_by(wheels=4)",
            "filter(Car.doors == 5)",
            "filter_by(doors=5)",
        ),
        *("order_by(Vehicle.id)", "order_by(Car.doors)", "group_by(Vehicle.wheels)"),
    ),
    "Line": (
        *(
            "join(Line.order)",
            "filter_by(number=1)",
            "filter(Line.order_id == 1)",
            "options(joinedload(Line.order))",
        ),
        *(
            "order_by(Line.order_id, Line.number)",
            "filter_by(total=1)",
            "join(Order)",
            "join(Order.customer)",
        ),
    ),
    "Paper": (
        "filter(Paper.title == 'p')",
        "filter_by(title='l')",
        "filter(Letter.stamp == 's')",
        "order_by(Letter.id)",
    ),
}

TERMINALS = (
    *(
        ".all()",
        ".all()",
        ".all()",
        ".first()",
        ".first()",
        ".one()",
        ".one_or_none()",
        ".scalar()",
        ".count()",
    ),
    *(
        ".exists()",
        ".subquery()",
        ".cte()",
        ".scalar_subquery()",
        ".statement",
        ".delete()",
        "[0]",
        "[1:3]",
        "[:2]",
    ),
    *(
        "[1:]",
        "[number]",
        "[::2]",
        ".subquery('sub')",
        ".cte('cte')",
        ".label('lab')",
        ".get(1)",
        ".get((1, 2))",
    ),
    *(".delete(synchronize_session=False)", ".delete('fetch')", ".update({'name': 'new'})", ".whereclause"),
    *(
        ".update({'name': 'new'}, synchronize_session='evaluate')",
        ".subquery(with_labels=True)",
        "[0:number]",
    ),
)

CONSUMED = (
    *(Consumer.ITERATED, Consumer.ITERATED_AGAIN, Consumer.LISTED, Consumer.UNPACKED),
    *(Consumer.NESTED, Consumer.RETURNED),
)

ROOTS = (*ENTITIES, *("User",) * 6, *("Address",) * 2)


def compose(choose: Choose) -> tuple[str, Consumer]:
    """One chain and what consumes it.

    Args:
        choose: Picks one of several things.
    """
    root = choose(ROOTS)
    entities = choose(ENTITIES[root])
    links = [choose(LINKS[root] * 2 + ANY) for _ in range(choose((0, 1, 1, 2, 2, 3, 4)))]
    code = f"session.query({entities})" + "".join(f".{link}" for link in links)
    end = choose((*("terminal",) * 12, *("consumed",) * 2, "exists"))
    if end == "consumed":
        return code, choose(CONSUMED)
    if end == "exists":
        return f"session.query({code}.exists()).scalar()", Consumer.UNKNOWN
    terminal = choose(TERMINALS)
    bare = terminal.startswith((".delete", ".update")) and choose((True, False))
    return code + terminal, Consumer.STATEMENT if bare else Consumer.UNKNOWN


@st.composite
def chains(draw: st.DrawFn) -> tuple[str, Consumer]:
    """One chain and what consumes it."""
    return compose(lambda options: draw(st.sampled_from(options)))
