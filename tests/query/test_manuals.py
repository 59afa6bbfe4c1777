"""Queries as manuals and tutorials of the 1.x years write them: every one is rewritten safely and behaves the same."""

from __future__ import annotations

import pytest

from sqlalchemy_guard.facts.query import Consumer
from sqlalchemy_guard.fixes.select.rewrite import Rewrite
from tests.query.oracle import check, difference

WRITTEN = """
session.query(User.id, func.count(Address.id)).join(User.addresses).group_by(User.id).all()
session.query(User.name, func.count(Address.id).label('total')).outerjoin(Address).group_by(User.name)\
.order_by(desc('total')).all()
session.query(User, counts.c.n).outerjoin(counts, User.id == counts.c.user_id).order_by(User.id).all()
session.query(User).join(counts, User.id == counts.c.user_id).filter(counts.c.n > 1).all()
session.query(Node, N2).join(N2, Node.parent).filter(N2.name == 'root').all()
session.query(User).join(A2, User.addresses).filter(A2.email == 'x').order_by(User.id).all()
session.query(User).join(User.addresses).options(contains_eager(User.addresses)).order_by(User.id, Address.id).all()
session.query(User).outerjoin(A2, User.addresses).options(contains_eager(User.addresses.of_type(A2))).all()
session.query(User).options(with_loader_criteria(Address, Address.email != 'x'), selectinload(User.addresses)).all()
session.query(User).from_statement(text('SELECT * FROM users WHERE name = :name').bindparams(name='ann')).all()
session.query(User).from_statement(text('SELECT * FROM users WHERE name = :name')).params(name='ann').all()
session.query(User.id, User.name).from_statement(text('SELECT id, name FROM users')).all()
session.query(Address).filter_by(id=1).union(session.query(Address).filter_by(id=2)).all()
session.query(Address).union_all(session.query(Address).filter_by(id=2)).count()
session.query(Address.email).intersect(session.query(Address.email).filter(Address.id > 1)).all()
session.query(Address.email).except_(session.query(Address.email).filter(Address.id > 2)).all()
session.query(Address.email.label('e')).union(session.query(User.name)).all()
session.query(User).filter(User.id == session.query(func.max(Address.user_id)).scalar_subquery()).one()
session.query(User).filter(User.id == session.query(func.max(Address.user_id)).as_scalar()).one()
session.query(User.name, session.query(func.count(Address.id)).filter(Address.user_id == User.id).label('total')).all()
session.query(User).filter(session.query(Address).filter(Address.user_id == User.id).exists()).all()
session.query(User).filter(~session.query(Address).filter(Address.user_id == User.id).exists()).all()
session.query(literal(True)).filter(session.query(User).filter_by(name='ann').exists()).scalar()
session.query(session.query(User).filter_by(name='nobody').exists()).scalar()
session.query(User).filter(User.id.in_(session.query(Address.user_id).filter(Address.email == 'x'))).all()
session.query(User).filter(User.id.in_(session.query(Address.user_id).subquery())).all()
session.query(User).filter(User.id.notin_(session.query(Address.user_id).filter(Address.user_id != None).subquery())).all()
session.query(Node.id).filter(Node.parent_id == None).cte('tree', recursive=True)
session.query(User.id.label('key')).subquery('keys').c.key
session.query(User).select_from(Address).join(Address.user).filter(Address.email == 'x').all()
session.query(User).select_from(User).outerjoin(User.orders).group_by(User.id).having(func.count(Order.id) == 0).all()
session.query(func.count(User.id)).select_from(User).scalar()
session.query(func.count()).select_from(User).filter(User.id > 1).scalar()
session.query(func.count('*')).select_from(User).scalar()
session.query(func.count(distinct(User.name))).scalar()
session.query(func.count(User.name.distinct())).scalar()
session.query(User.name).distinct().order_by(User.name).all()
session.query(User.name).distinct().count()
session.query(distinct(User.name)).all()
session.query(User).limit(2).count()
session.query(User).group_by(User.name).count()
session.query(User).distinct().count()
session.query(User).join(User.addresses).count()
session.query(User).filter(User.name == 'ann').first()
session.query(User).yield_per(10).all()
session.query(User).with_for_update().filter_by(id=1).one()
session.query(User).with_for_update(read=True, nowait=True, of=User, skip_locked=True).filter_by(id=1).one()
session.query(User).with_for_update(of=[User], key_share=True).first()
session.query(User).execution_options(stream_results=True).all()
session.query(User).execution_options(schema_translate_map={'a': None}).all()
session.query(User).get(5)
session.query(Line).get((1, 2))
session.query(Line).get({'order_id': 1, 'number': 2})
session.query(User).get({'id': 1})
session.query(User).options(joinedload(User.addresses)).get(1)
session.query(User).order_by(User.id)[2]
session.query(User).order_by(User.id)[99]
session.query(User).order_by(User.id)[1:3]
session.query(User).order_by(User.id)[:2]
session.query(User).order_by(User.id)[2:]
session.query(User).order_by(User.id)[::2]
session.query(User).filter(None).all()
session.query(User).filter(User.name.like('%a%')).filter(User.name.like('%n%')).all()
session.query(User).filter(or_(User.name == 'ann', User.name == 'bob')).order_by(User.id.desc()).all()
session.query(User).filter(and_(User.name == 'ann', User.id > 1)).all()
session.query(User).filter(text('id < 3')).order_by(text('id')).all()
session.query(User).filter(text('id < :value and name = :name')).params(value=22, name='ann').order_by(User.id).one()
session.query(User).filter(User.addresses.any(email='x')).all()
session.query(Address).filter(Address.user.has(name='ann')).all()
session.query(Address).filter(Address.user == session.get(User, 1)).all()
session.query(Address).filter(with_parent(session.get(User, 1), User.addresses)).all()
session.query(Address).with_parent(session.get(User, 1), User.addresses).all()
session.query(User).filter(User.addresses.contains(session.get(Address, 1))).all()
session.query(User).filter_by(name='ann').delete()
session.query(User).filter(User.id > 2).delete(synchronize_session='evaluate')
session.query(User).filter(User.id > 2).delete(synchronize_session=False)
session.query(User).filter(User.name == 'ann').update({'name': 'dan'})
session.query(User).filter(User.name == 'ann').update({User.name: User.name + 'x'}, synchronize_session='fetch')
session.query(User).update({'nick': func.lower(User.name)}, synchronize_session=False)
session.query(Bundle('pair', User.id, User.name)).filter(User.id > 1).all()
session.query(Bundle('pair', User.id, User.name), User).all()
session.query(User.id).add_columns(User.name).all()
session.query(User).add_columns(Address.email).join(User.addresses).all()
session.query(User).add_entity(Address).join(User.addresses).all()
session.query(User).join(User.addresses).with_entities(Address.email).all()
session.query(User).filter_by(name='ann').with_entities(func.count()).scalar()
session.query(User).with_entities(User.id, User.name).order_by(User.id).first()
session.query(User).join(User.orders).filter_by(total=1).reset_joinpoint().join(User.addresses).filter_by(email='x').all()
session.query(User).join(User.orders).join(Order.lines).filter(Line.number == 1).all()
session.query(User).join(Address, User.id == Address.user_id, isouter=True).all()
session.query(User, Address).join(Address, full=False).all()
session.query(Employee).filter(every.Manager.bonus > 1).all()
session.query(every).filter(or_(every.Manager.bonus > 5, every.name == 'eve')).all()
session.query(Company).join(Company.employees.of_type(Manager)).filter(Manager.bonus > 1).all()
session.query(Company).filter(Company.employees.of_type(Manager).any(Manager.bonus > 1)).all()
session.query(Manager).join(Manager.company).filter(Company.name == 'acme').all()
session.query(User).options(selectinload(User.addresses), joinedload(User.profile)).order_by(User.id).all()
session.query(User).options(joinedload(User.orders).subqueryload(Order.lines)).all()
session.query(User).options(load_only(User.id, User.name)).all()
session.query(User).options(defer(User.name)).first()
session.query(Person).options(undefer(Person.note)).all()
session.query(User).populate_existing().all()
session.query(User.id).filter(User.id == 7).label('foo')
session.query(User).filter(User.id == 7).statement.subquery()
session.query(literal_column('1')).scalar()
session.query(text('1')).scalar()
session.query(User.name + '!').all()
session.query(case((User.id > 2, 'many'), else_='few').label('size')).all()
session.query(cast(User.id, String)).first()
session.query(func.coalesce(User.nick, 'none')).order_by(User.id).all()
session.query(User.id, func.row_number().over(order_by=User.name)).all()
session.query(tuple_(User.id, User.name)).filter(tuple_(User.id, User.name).in_([(1, 'ann')])).count()
session.query(user_tags).all()
session.query(user_tags.c.tag_id).filter(user_tags.c.user_id == 1).all()
session.query(counts).all()
session.query(counts.c.n).order_by(counts.c.user_id).all()
session.query(User).join(user_tags, user_tags.c.user_id == User.id).filter(user_tags.c.tag_id == 1).all()
session.query(User).prefix_with('/* hint */').all()
session.query(User).order_by(User.name.desc().nulls_last()).all()
session.query(User).order_by(None).order_by(User.id).all()
session.query(User).order_by(User.id).offset(1).limit(2).all()
session.query(User).slice(1, 3).all()
session.query(User).autoflush(False).filter_by(id=1).one_or_none()
session.query(User).filter(User.shout == 'ann!').one_or_none()
session.query(Tag).filter(Tag.uses > 1).all()
session.query(User).filter(User.words.contains('red')).all()
session.query(aliased(User)).all()
"""

ITERATED = """
session.query(User)
session.query(User.id, User.name)
session.query(User).join(User.addresses)
session.query(Company).order_by(Company.name)
session.query(User).filter(User.id.in_([1, 2])).order_by(User.id).limit(1)
"""


@pytest.mark.parametrize("code", WRITTEN.strip().splitlines())
def test_what_is_written_in_manuals_is_safe(code: str) -> None:
    found = check(code)
    assert isinstance(found, Rewrite), found
    assert found.doubts == ()
    assert difference(code, found, Consumer.UNKNOWN) is None


@pytest.mark.parametrize("consumer", [Consumer.ITERATED, Consumer.ITERATED_AGAIN, Consumer.LISTED])
@pytest.mark.parametrize("code", ITERATED.strip().splitlines())
def test_iteration_is_safe(code: str, consumer: Consumer) -> None:
    found = check(code, consumer)
    assert isinstance(found, Rewrite), found
    assert found.doubts == ()
    assert difference(code, found, consumer) is None
