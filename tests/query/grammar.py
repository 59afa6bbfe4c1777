"""The grammar of query chains over the oracle's model, for the generator: entities, links, terminals.

Alternatives stand between semicolons, `@3` behind one says how often it is drawn: about as often as in real code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from sqlalchemy_guard.facts.query import Consumer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Choose = Callable[[Sequence[Any]], Any]


def _alternatives(text: str) -> tuple[str, ...]:
    """What may be drawn, each as often as its weight says."""
    found: list[str] = []
    for written in re.split(r";|\n", text):
        code, _, weight = written.strip().partition(" @")
        found.extend([code] * int(weight or 1) if code else [])
    return tuple(found)


ENTITIES = {
    "User": _alternatives(
        """
        User @3; User.id; User.name; User, User.name; User.id, User.name; User, Address; func.count(User.id)
        func.max(User.id), func.count(); User.name, func.count(User.id); U2; User.shout; User.name_length
        User.name.label('n'); User, Address.email; User.settings; User, User.settings; User.id + 1
        User.id, U2.id, Address.id; User.name, User.name; User.id, func.lower(User.name).label('low'), Address.id
        User.id, User.name.label('n'), U2.id; User.id, Address.id, func.count(User.id).label('email')
        User.id, Address.id; User, U2; Bundle('b', User.id, User.name); User, func.length(User.name)
        User.id, Address; Tag, User; Bundle('b', User.id, Address.id); Bundle('b', User.id), Bundle('c', U2.id)
        User, Bundle('b', User.id); Bundle('b', User.name), User.id; User.name, Bundle('b', User.name.label('n'))
        Bundle('b', User.shout, func.max(User.id))
        User.id.label('n'), func.count().label('c'); func.count().label('n'), User.name; opaque_thing
        func.coalesce(User.nick, 'none')
        case((User.id > 1, 'many'), else_='one'); User.called; func.count(distinct(User.name))
        User.name.distinct(); func.max(User.id).label('top'); cast(User.id, String)
        func.row_number().over(order_by=User.id); User, counts.c.n; exists().where(Address.user_id == User.id)
        literal_column('1').label('one'); counts; repeated; func.count(User.id), User.name; user_tags.c.tag_id
        select(func.count(Address.id)).where(Address.user_id == User.id).scalar_subquery()
        func.lower(User.name).label('low'), User.id
    """
    ),
    "Address": _alternatives(
        """
        Address @2; Address.email; Address.email, User.name; Address, User; A2
    """
    ),
    "Order": _alternatives(
        """
        Order @2; Order.total; func.sum(Order.total); Order, User; Order.total, func.count()
    """
    ),
    "Company": _alternatives(
        """
        Company @2; Company.name; Company, Employee; Company.id
    """
    ),
    "Contract": _alternatives(
        """
        Contract; Contract.title; Contract, Company
    """
    ),
    "Node": _alternatives(
        """
        Node @2; Node.name; Node, N2
    """
    ),
    "Employee": _alternatives(
        """
        Employee; Manager; Employee.name; Manager.bonus; Employee, Company
    """
    ),
    "Vehicle": _alternatives(
        """
        Vehicle; Car; Car.doors; Vehicle.wheels, Car.doors
    """
    ),
    "Line": _alternatives(
        """
        Line; Line.product; Line, Order
    """
    ),
    "Paper": _alternatives(
        """
        Paper; Letter; Letter.stamp
    """
    ),
    "Tag": _alternatives(
        """
        Tag @2; Tag.word; Tag.uses; func.count(Tag.id); Tag, User
    """
    ),
    "Profile": _alternatives(
        """
        Profile; Profile.bio; Profile, User
    """
    ),
    "Part": _alternatives(
        """
        Part; Part.id; Part, Line
    """
    ),
    "Person": _alternatives(
        """
        Person @2; P2; Person.mood; Person.note; Person, P2; Person.name, P2.name
        func.count(distinct(Person.name))
    """
    ),
    "Shape": _alternatives(
        """
        Shape @2; Circle; Circle.radius; Shape.kind; Shape, Person
    """
    ),
    "some_class": _alternatives(
        """
        some_class @3; some_class, Address; some_class, some_class.name; User, some_class; some_class.id
    """
    ),
    "tables": _alternatives(
        """
        user_tags @4; friendships; user_tags.c.tag_id; user_tags.c.user_id, user_tags.c.tag_id; user_tags, Tag
    """
    ),
    "with_polymorphic": _alternatives(
        """
        every @2; every.id; every.name, every.Manager.bonus
    """
    ),
}

ANY = _alternatives(
    """
        distinct(); limit(1); limit(2); limit(100); offset(1); limit(number); slice(1, 3); slice(0, 2)
        populate_existing(); autoflush(False); execution_options(populate_existing=True); order_by(None)
        with_for_update(); with_for_update(nowait=True); enable_eagerloads(False); reset_joinpoint()
        filter(text('1 = 1')); filter(literal(True)); params(x=1); prefix_with('/* p */'); yield_per(2)
        correlate(None); order_by(text('1')); group_by(None); with_labels(); filter(); order_by(); tuples()
        order_by(False); group_by(False)
        only_return_tuples(True); with_for_update(read=True); with_for_update(skip_locked=True)
        with_hint(User, '/* x */'); with_statement_hint('/* x */'); suffix_with('/* s */')
        execution_options(stream_results=True); options(); where(literal(True)); apply_labels()
        add_columns(literal(1).label('one')); limit(None); offset(None); limit(0); limit(number).offset(number)
        filter_by(); execution_options(yield_per=2); execution_options(autoflush=False); group_by(); having(text('1'))
        options(selectinload('*')).limit(2); offset(number); distinct().limit(2); with_for_update(key_share=True)
        add_columns(func.count()).group_by(text('1')); from_statement(text('select 1')); filter(*())
    """
)

LINKS = {
    "User": _alternatives(
        """
        filter(User.id > 1); filter(User.name == name, User.id < 4); filter_by(name='ann'); filter_by(id=1)
        filter_by(name=name, id=number); filter_by(nick=None); filter_by(email='x'); filter_by(user_id=1)
        filter(Address.user_id == User.id); filter(Address.email == 'x'); filter(opaque_condition)
        filter(opaque_join); filter(User.addresses.any(Address.email == 'x')); filter(User.tags.any())
        filter(User.id.in_([1, 2, 3])); filter(or_(User.id == 1, User.nick.is_(None)))
        filter(User.id.in_(session.query(Address.user_id))); filter(User.id.in_(select(Address.user_id)))
        filter(session.query(Address).filter(Address.user_id == User.id).exists())
        filter(~User.addresses.any()); join(User.addresses) @2; outerjoin(User.addresses); join(User.tags)
        outerjoin(User.tags); join(User.profile); join(Address); join(Address, User.id == Address.user_id)
        join(Address, User.addresses); outerjoin(Address, Address.user_id == User.id); join(User.orders)
        join(A2, User.addresses); join(User.addresses.of_type(A2)); join(User.addresses, isouter=True)
        join(User.addresses.and_(Address.email == 'x')); outerjoin(counts, counts.c.user_id == User.id)
        join(Address, onclause=Address.user_id == User.id, full=False); join(U2, U2.id == User.id)
        join(Order, Order.customer_id == User.id); join(Order.lines); join(user_tags); join(Tag)
        options(joinedload(User.addresses)); options(selectinload(User.addresses)); options(defer(User.name))
        options(subqueryload(User.addresses)); options(lazyload(User.orders)); options(joinedload(User.tags))
        options(joinedload(User.addresses), selectinload(User.tags)); options(load_only(User.name))
        options(contains_eager(User.addresses)); options(joinedload(User.profile)); options(noload(User.orders))
        options(selectinload(User.orders).joinedload(Order.lines)); options(joinedload(User.orders))
        options(with_loader_criteria(User, User.id > 1)); options([joinedload(User.addresses)])
        order_by(User.name); order_by(User.id.desc()); order_by(User.name, User.id); order_by(Address.id)
        order_by(desc('id')); group_by(User.id); group_by(User.name); having(func.count(User.id) > 1)
        with_entities(User.id); with_entities(User.name, User.nick); with_entities(func.count(User.id))
        with_entities(Address); with_entities(User); with_entities(User, Address.email); add_columns(User.nick)
        add_columns(Address.email); add_entity(Address); add_columns(func.count()); select_from(User)
        select_from(User, Address); select_from(Address, User); select_from(U2, User)
        select_from(Address); select_from(user_tags); filter(U2.id == User.id)
        union(session.query(User).filter(User.id == 2)); union_all(session.query(User))
        filter(User.shout == 'ann!'); filter(User.id == bindparam('x'))
        from_statement(text('select * from users')); from_statement(select(User).where(User.id > 1))
        filter(User.name_length == 3); filter_by(shout='ann!')
        with_parent(session.get(Order, 1), Order.customer); filter(counts.c.n > 1); filter_by(opaque=1)
        order_by('name'); order_by(text('name')); order_by(text('users_name')); group_by('name')
        order_by(User.name.desc(), User.id.asc()); order_by(desc(User.name)); order_by(func.lower(User.name))
        filter(User.called == 'ann'); filter_by(called='ann'); filter(User.words.contains('red'))
        filter(User.name.in_(['ann', 'bob'])); filter(User.nick != None); filter(User.name.ilike('A%'))
        filter(and_(User.id > 0, not_(User.name == 'x'))); filter(User.id.between(1, 3))
        filter(repeated.id == User.id); where(User.id > 1); filter(exists().where(Address.user_id == User.id))
        filter(User.settings.is_(None)); join(repeated, repeated.id == User.id)
        outerjoin(User.addresses.of_type(A2)); join(User.orders).join(Order.lines)
        filter(User.id == session.query(func.max(Address.user_id)).scalar_subquery())
        join(counts, User.id == counts.c.user_id); options(raiseload('*')); options(selectinload('*'))
        options(defer(User.name), undefer(User.nick)); options(joinedload(User.orders).joinedload(Order.lines))
        options(selectinload(User.addresses).load_only(Address.email))
        options(joinedload(User.profile).raiseload('*'))
        options(joinedload(User.addresses.and_(Address.email == 'x'))); options(immediateload(User.tags))
        options(contains_eager(User.addresses.of_type(A2)))
        options(with_loader_criteria(Address, Address.email == 'x', include_aliases=True))
        with_parent(session.get(Tag, 1), Tag.users); with_entities(User.name).distinct()
        with_entities(func.max(User.id), User.name); with_entities(User.id.label('key'))
        add_columns(func.length(User.name).label('size')); correlate(Address); having(User.id > 1)
        group_by(User.id, User.name); union(session.query(User), session.query(User).filter_by(id=1))
        intersect_all(session.query(User)); filter(case((User.id > 1, True), else_=False))
        from_statement(union_all(select(User), select(User)))
        filter(tuple_(User.id, User.name).in_([(1, 'ann')])); filter(func.lower(User.name) == 'ann')
        options(option); options(joining); filter(User.addresses); filter(~User.tags.any(), User.orders)
        order_by(desc('name'))
        filter(User.tags.contains(session.get(Tag, 1))); select_from(join(User, Address)); order_by(func.count())
        select_from(outerjoin(User, Address, User.addresses)); select_from(join(Address, User)); distinct(User.name)
        select_from(join(User, Address)).join(Order, Order.customer_id == User.id)
        order_by(collate(User.name, 'NOCASE'))
        order_by(nulls_last(User.nick)); order_by(User.nick.desc().nulls_last(), User.id)
        order_by(literal_column('name'))
        order_by(case((User.name == 'ann', 1), else_=2), User.id); order_by('n'); group_by('n'); having(text('n > 1'))
        group_by(User.name).having(func.count(User.id) > 1).order_by(func.count(User.id)); order_by(text('n desc'))
        filter(session.query(func.count(Address.id)).filter(Address.user_id == User.id).correlate(User).scalar_subquery() > 1)
        filter(session.query(func.count(Address.id)).filter(Address.user_id == User.id).scalar_subquery() > 0)
        filter(User.id.in_(session.query(Address.user_id).distinct()))
        filter(~User.id.in_(session.query(Address.user_id)))
        filter(User.id.notin_(session.query(Address.user_id).filter(Address.email == 'x').subquery().select()))
        filter(User.id == session.query(func.max(U2.id)).filter(U2.name == User.name).as_scalar())
        filter(~exists().where(U2.id > User.id))
        filter(session.query(U2).filter(U2.name == User.name, U2.id > User.id).exists())
        filter(User.profile.has(bio='b1'))
        filter(~session.query(Address.id).join(Address.user).filter(Address.email == 'x').exists())
        join(session.query(Address.user_id).distinct().subquery('sub'), text('sub.user_id = users.id'))
        filter(*[User.id > 1, User.name == 'ann']); filter_by(**{'name': 'ann'}); with_for_update(of=User)
        options(joinedload(User.addresses, innerjoin=True)); options(Load(User).joinedload(User.addresses))
        options(subqueryload('*'))
        options(defaultload(User.addresses).joinedload(Address.user)); options(Load(Address).joinedload(Address.user))
        options(joinedload(User.orders).selectinload(Order.lines)); options(Load(User).load_only(User.name))
        options(joinedload('*'))
        join(Address, and_(Address.user_id == User.id, Address.email == 'x'))
        outerjoin(Address).filter(Address.id == None)
        join(Order).join(Line); join(target=Address, onclause=Address.user_id == User.id)
        join(Address).join(Order, Order.customer_id == User.id)
        join(User.addresses).filter_by(email='x')
        join(User.addresses).options(contains_eager(User.addresses)).order_by(Address.id)
        outerjoin(User.addresses).group_by(User.id).having(func.count(Address.id) > 1)
        outerjoin(User.addresses).filter_by(name='ann')
        join(A2, A2.user_id == User.id).filter_by(email='x'); join(A2, A2.user_id == User.id).filter(A2.email == 'x')
        with_entities(User.name.label('n'), func.count().label('c')).group_by(User.name)
        with_entities(func.count()).select_from(User)
        with_entities(func.count(distinct(User.id))); with_entities(literal(1))
        with_entities(Address.email).join(Address, Address.user_id == User.id)
        with_entities(User.id, User.name).order_by(User.id)
        add_columns(func.count(Address.id).label('n')).outerjoin(User.addresses).group_by(User.id)
        add_columns(session.query(func.count(Address.id)).filter(Address.user_id == User.id).correlate(User).label('n'))
        union(session.query(User).filter_by(id=1)).limit(1)
        union_all(session.query(User)).filter_by(name='ann').distinct()
        intersect(session.query(User).join(User.addresses)); except_(session.query(User).filter(User.nick == None))
        join(User.addresses).distinct(); join(User.addresses).distinct().order_by(User.name).limit(2)
        slice(number, None)
        filter(Address.user_id == User.id, Address.email == 'x'); filter(User.id == Address.user_id).group_by(User.id)
        filter(User.addresses.any(email='x')); filter(func.count(User.id) > 1)
        filter(User.id == Order.customer_id).distinct()
    """
    ),
    "Address": _alternatives(
        """
        join(Address.user) @2; outerjoin(Address.user); filter_by(email='x'); filter_by(id=1)
        filter(Address.id > 1); filter(User.name == 'ann'); filter(Address.user.has(User.name == 'ann'))
        options(joinedload(Address.user)); options(joinedload(Address.user).joinedload(User.addresses))
        options(contains_eager(Address.user)); options(joinedload(Address.user).selectinload(User.tags))
        order_by(Address.email); order_by(Address.id); order_by(User.id); filter_by(name='ann')
        with_parent(session.get(User, 1), User.addresses); join(User); join(U2, Address.user); select_from(User)
        filter_by(user=None); filter_by(user=session.get(User, 1)); join(User.tags); join(User.addresses)
        with_entities(Address.email); filter(Address.user == None); group_by(Address.email)
        intersect(session.query(Address).filter(Address.id < 3))
        except_(session.query(Address).filter_by(id=1)); union(session.query(Address)).filter_by(id=2)
    """
    ),
    "Order": _alternatives(
        """
        join(Order.lines); join(Order.customer); filter(Order.total > 0); filter_by(total=1); order_by(Order.id)
        options(joinedload(Order.lines)); options(lazyload(Order.customer)); group_by(Order.total)
        options(joinedload(Order.customer)); join(User.addresses); outerjoin(Order.customer); filter_by(id=1)
        having(func.count() > 1); filter(Order.customer_id.is_(None)); options(selectinload(Order.lines))
        union(session.query(Order).filter_by(id=3)); with_entities(Order.total, func.count(Order.id))
    """
    ),
    "Company": _alternatives(
        """
        join(Company.employees); filter_by(name='acme'); options(lazyload(Company.employees)); filter_by(id=1)
        options(selectinload(Company.employees)); filter(Company.id == 1); order_by(Company.name)
        outerjoin(Company.employees); filter(Employee.company_id == Company.id); join(Manager)
        join(Company.employees.of_type(Manager)); filter_by(bonus=5); filter_by(kind='manager')
    """
    ),
    "Contract": _alternatives(
        """
        join(Contract.company); filter_by(title='c'); options(lazyload(Contract.company)); order_by(Contract.id)
        options(joinedload(Contract.company)); filter(Contract.id == 1); options(noload(Contract.company))
    """
    ),
    "Node": _alternatives(
        """
        join(Node.children); join(Node.parent); join(Node.parent.of_type(N2)); join(N2, Node.parent)
        outerjoin(N2, Node.children); filter(N2.name == 'root'); filter_by(name='leaf')
        filter(Node.name == 'leaf'); options(joinedload(Node.children)); options(joinedload(Node.parent))
        order_by(Node.id); order_by(N2.id); options(joinedload(Node.parent).joinedload(Node.children))
        filter_by(parent=None); filter_by(parent_id=1); filter(Node.children.any(Node.name == 'deep'))
        filter(Node.parent_id == N2.id)
    """
    ),
    "Employee": _alternatives(
        """
        filter(Employee.name == 'max'); filter_by(name='max'); filter(Manager.bonus > 5); join(Employee.company)
        filter_by(bonus=5); order_by(Employee.id); options(joinedload(Employee.company)); filter_by(id=2)
        options(selectinload(Employee.company)); join(Manager, Manager.id == Employee.id); join(Company)
        filter(Manager.company_id == None); filter_by(kind='manager'); join(Manager.company)
    """
    ),
    "Vehicle": _alternatives(
        """
        filter(Vehicle.wheels == 4); filter_by(wheels=4); filter(Car.doors == 5); filter_by(doors=5)
        order_by(Vehicle.id); order_by(Car.doors); group_by(Vehicle.wheels)
    """
    ),
    "Line": _alternatives(
        """
        join(Line.order); filter_by(number=1); filter(Line.order_id == 1); options(joinedload(Line.order))
        order_by(Line.order_id, Line.number); filter_by(total=1); join(Order); join(Order.customer)
    """
    ),
    "Paper": _alternatives(
        """
        filter(Paper.title == 'p'); filter_by(title='l'); filter(Letter.stamp == 's'); order_by(Letter.id)
    """
    ),
    "Tag": _alternatives(
        """
        join(Tag.users); filter(Tag.uses > 1); filter_by(word='red'); order_by(Tag.word); filter_by(uses=0)
        options(joinedload(Tag.users)); options(subqueryload(Tag.users)); filter(~Tag.users.any())
        join(user_tags); outerjoin(user_tags, user_tags.c.tag_id == Tag.id)
        with_parent(session.get(User, 1), User.tags); join(Tag.users).filter_by(id=1)
        filter(user_tags.c.tag_id == Tag.id); group_by(Tag.id); order_by(Tag.uses.desc())
    """
    ),
    "Profile": _alternatives(
        """
        join(Profile.user); filter_by(bio='b1'); options(joinedload(Profile.user)); filter(Profile.user_id == 1)
        order_by(Profile.id); filter_by(user=session.get(User, 1)); join(Profile.user).filter_by(name='ann')
    """
    ),
    "Part": _alternatives(
        """
        join(Part.line); filter_by(number=1); options(joinedload(Part.line)); join(Line); outerjoin(Part.line)
        order_by(Part.id); filter(Part.order_id == None); join(Part.line).join(Line.order); join(Line.parts)
        options(joinedload(Part.line).joinedload(Line.order)); filter(Part.line.has(Line.product == 'p'))
    """
    ),
    "Person": _alternatives(
        """
        join(Person.friends); join(P2, Person.friends); join(Person.friends.of_type(P2)); filter_by(mood='glad')
        filter(Person.friends.any(Person.name == 'lee')); options(joinedload(Person.friends))
        options(undefer(Person.note)); options(selectinload(Person.admirers)); order_by(Person.id)
        filter(P2.id == Person.id); join(friendships, friendships.c.left_id == Person.id)
        outerjoin(P2, Person.admirers); filter(Person.mood.is_(None)); filter_by(name='kim')
        group_by(Person.name); with_parent(session.get(Person, 1), Person.friends)
        options(load_only(Person.name))
    """
    ),
    "Shape": _alternatives(
        """
        filter(Circle.radius > 1); filter_by(kind='circle'); join(Shape.person); order_by(Shape.id)
        options(joinedload(Shape.person)); filter(Shape.person_id == 1); join(Person); outerjoin(Shape.person)
        filter_by(radius=3); options(selectinload(Shape.person)); group_by(Shape.kind)
    """
    ),
    "some_class": _alternatives(
        """
        filter(some_class.id > 1); filter_by(name='ann'); filter_by(id=number); join(some_class.addresses)
        join(Address); outerjoin(some_class.addresses); join(Address, Address.user_id == some_class.id)
        filter(Address.user_id == some_class.id); options(joinedload(some_class.addresses)); group_by(some_class.name)
        options(selectinload(some_class.tags)); order_by(some_class.id) @2; select_from(some_class)
        filter(User.id < 3)
        filter(some_class.addresses.any()); with_entities(some_class.id); with_entities(some_class)
        union(session.query(some_class).filter_by(id=2)); union_all(session.query(some_class))
        join(U2, U2.id == some_class.id)
        from_statement(text('select * from users union all select * from users')); filter_by(email='x')
        with_parent(session.get(Address, 1), Address.user); filter(some_class.nick.is_(None))
        add_columns(some_class.name)
    """
    ),
    "tables": _alternatives(
        """
        filter(user_tags.c.tag_id > 1) @2; filter(user_tags.c.user_id == number); filter_by(tag_id=1)
        filter(user_tags.c.tag_id == Tag.id); filter(user_tags.c.tag_id.in_([1, 2])); order_by(user_tags.c.tag_id)
        join(Tag, Tag.id == user_tags.c.tag_id); filter(friendships.c.left_id == 1); group_by(user_tags.c.tag_id)
        filter(user_tags.c.user_id.in_(session.query(User.id).filter(User.id > 1)))
        filter_by(user_id=number, tag_id=2)
        filter(user_tags.c.user_id.in_(select(Address.user_id))); filter(Tag.id == 1); filter(opaque_condition)
    """
    ),
    "with_polymorphic": _alternatives(
        """
        filter(every.Manager.bonus > 5); filter_by(name='max'); join(every.company); order_by(every.id)
        options(joinedload(every.company)); filter(every.kind == 'manager'); filter_by(kind='manager')
    """
    ),
}

TERMINALS = _alternatives(
    """
        .all() @12; .first() @9; .count() @6; .one() @4; .one_or_none() @4; .scalar() @3; .delete() @2
        .exists() @2; .subquery() @3; .cte(); .scalar_subquery(); .statement; [0] @2; [1:3]; [:2] @2; [1:]
        [number]; [::2]; .subquery('sub'); .cte('cte'); .label('lab'); .get(1); .get((1, 2))
        .delete(synchronize_session=False); .delete('fetch'); .update({'name': 'new'}); .whereclause
        .update({'name': 'new'}, synchronize_session='evaluate'); .subquery(with_labels=True); [0:number]
        .cte(recursive=True); .subquery(name='sub'); .filter_by(id=1).delete(synchronize_session='evaluate')
        .update({User.name: 'new'}); .as_scalar(); [5]; .value(User.id); .value(func.count())
        .update({'tag_id': 7}); .update({user_tags.c.tag_id: 7}, synchronize_session=False); .delete(False)
        .update({User.id: User.id + 10}, synchronize_session=False)
        .update({'nick': None}, synchronize_session='fetch')
        .update({User.nick: func.upper(User.name)}, 'fetch'); .update(values={'name': name})
        .update(dict(name='new'))
        .update({User.nick: session.query(func.max(Address.email)).scalar_subquery()}, False)
        .update({'nick': User.name})
        .get({'id': 1}); .get(number); .get(None); .get([1, 2]); .get(ident=1); .exists().label('found')
        .order_by(None).count()
        .with_entities(func.count()).scalar(); .with_entities(func.count(User.id)).scalar()
        .with_entities(User.id).all() @2
        .values(User.id, User.name); .values(User.id, U2.id); .values(func.count()); .values(User.id.label('n'))
        .with_entities(User.id).distinct().count(); .limit(1).first(); .limit(1).one_or_none(); .distinct().count()
        .group_by(User.id).count()
    """
)

CONSUMED = (
    *(Consumer.ITERATED, Consumer.ITERATED_AGAIN, Consumer.LISTED, Consumer.UNPACKED),
    Consumer.NESTED,
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
