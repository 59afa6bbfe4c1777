"""Every known pitfall of rewriting a query: the form that is right, and that both sides behave the same."""

from __future__ import annotations

import pytest

from sqlalchemy_guard.facts.query import Consumer
from sqlalchemy_guard.fixes.select.rewrite import Refusal, Rewrite
from tests.query.oracle import check, difference, new_code

SAFE = {
    # de-duplication
    "session.query(aliased(User, select(User).subquery())).all()": (
        "session.scalars(select(aliased(User, select(User).subquery()))).unique().all()"
    ),
    "session.query(Address).join(repeated, Address.user).all()": (
        "session.scalars(select(Address).join(repeated, Address.user)).unique().all()"
    ),
    "session.query(repeated).all()": "session.scalars(select(repeated)).unique().all()",
    "session.query(some_class).filter_by(name=name).all()": (
        "session.scalars(select(some_class).filter_by(name=name)).unique().all()"
    ),
    "session.query(Shape).filter_by(id=1).delete()": "session.execute(delete(Shape).where(Shape.id == 1)).rowcount",
    "session.query(Manager).filter_by(id=2, company_id=None).delete(synchronize_session=False)": (
        "session.execute(delete(Manager).where(Manager.id == 2, Manager.company_id.is_(None))"
        ".execution_options(synchronize_session=False)).rowcount"
    ),
    "session.query(some_class).filter_by(name='dan').delete()": (
        "session.execute(delete(some_class).where(some_class.name == 'dan')).rowcount"
    ),
    "session.query(User.id).join(Address, Address.user_id == User.id).join(some_class, some_class.id == User.id).count()": (
        "session.scalar(select(func.count()).select_from(select(User.id).join(Address, Address.user_id == User.id)"
        ".join(some_class, some_class.id == User.id).subquery()))"
    ),
    "session.query(User).filter(User.tags.contains(session.get(Tag, 1))).all()": (
        "session.scalars(select(User).where(User.tags.contains(session.get(Tag, 1)))).unique().all()"
    ),
    "session.query(User).filter(User.addresses.contains(session.get(Address, 1))).all()": (
        "session.scalars(select(User).where(User.addresses.contains(session.get(Address, 1)))).all()"
    ),
    "session.query(some_class).get(1)": "session.get(some_class, 1)",
    "session.query(user_tags).filter(user_tags.c.tag_id > 1).delete()": (
        "session.execute(delete(user_tags).where(user_tags.c.tag_id > 1)).rowcount"
    ),
    "session.query(user_tags).filter_by(tag_id=1).update({'tag_id': 7}, synchronize_session=False)": (
        "session.execute(update(user_tags).filter_by(tag_id=1).values({'tag_id': 7})"
        ".execution_options(synchronize_session=False)).rowcount"
    ),
    "session.query(User, Tag).order_by(text(\"name desc, 'id', lower(word)\")).count()": (
        "session.scalar(select(func.count()).select_from("
        "select(User, Tag).order_by(text(\"name desc, 'id', lower(word)\")).subquery()))"
    ),
    "session.query(User.id).execution_options(yield_per=2).all()": (
        "session.execute(select(User.id).execution_options(yield_per=2)).all()"
    ),
    "session.query(User, Bundle('b', User.id, func.lower(User.name).label('low'))).all()": (
        "session.execute(select(User, Bundle('b', User.id, func.lower(User.name).label('low')))).all()"
    ),
    "session.query(Order).order_by('total').first()": (
        "session.scalars(select(Order).order_by('total').limit(1)).first()"
    ),
    "session.query(User).options(selectinload(User.orders)).order_by('name').group_by(User.name).all()": (
        "session.scalars(select(User).options(selectinload(User.orders)).order_by('name').group_by(User.name)).all()"
    ),
    "session.query(func.row_number().over(order_by=User.id)).with_entities(User).all()": "session.scalars(select(User)).all()",
    "session.query(User).with_entities(User.id, User.name).filter_by(name='ann').all()": (
        "session.execute(select(User.id, User.name).filter_by(name='ann')).all()"
    ),
    "session.query(User).filter(User.id > 1).with_entities(User.id).all()": (
        "session.execute(select(User).where(User.id > 1).with_only_columns(User.id)).all()"
    ),
    "session.query(Address).union(session.query(Address)).union_all(session.query(Address).filter_by(id=1)).all()": (
        "session.scalars(select(aliased(Address, union_all(select(aliased(Address, union(select(Address), select(Address))"
        ".subquery())), select(Address).filter_by(id=1)).subquery()))).unique().all()"
    ),
    "session.query(User).all()": "session.scalars(select(User)).all()",
    "session.query(User).join(User.addresses).all()": (
        "session.scalars(select(User).join(User.addresses)).unique().all()"
    ),
    "session.query(User).filter(Address.user_id == User.id).all()": (
        "session.scalars(select(User).where(Address.user_id == User.id)).unique().all()"
    ),
    "session.query(User, User.name).join(User.addresses).all()": (
        "session.execute(select(User, User.name).join(User.addresses)).unique().all()"
    ),
    "session.query(Address).select_from(select(Address).join(Address.user).subquery()).filter(Address.id == 1).all()": (
        "session.scalars(select(Address).select_from(select(Address).join(Address.user).subquery())"
        ".where(Address.id == 1)).unique().all()"
    ),
    "session.query(User).with_for_update(read=True).with_for_update().get(1)": (
        "session.get(User, 1, with_for_update=True)"
    ),
    "session.query(User).execution_options(a=1, b=1).execution_options(a=2).get(1)": (
        "session.get(User, 1, execution_options=dict(b=1, a=2))"
    ),
    "session.query(User).filter(User.addresses).order_by(User.id).all()": (
        "session.scalars(select(User).where(User.addresses).order_by(User.id)).unique().all()"
    ),
    "session.query(User).order_by(User.name).order_by(False).order_by(User.id).all()": (
        "session.scalars(select(User).order_by(User.name).order_by(None).order_by(User.id)).all()"
    ),
    "session.query(User.id, Address.id).join(Address.user).order_by(Address.id).all()": (
        "session.execute(select(User.id, Address.id).join(Address.user).order_by(Address.id)"
        ".set_label_style(LABEL_STYLE_NONE)).all()"
    ),
    "session.query(User.id, U2.id, User.name).order_by(User.id, U2.id.desc()).first()": (
        "session.execute(select(User.id, U2.id, User.name).order_by(User.id, U2.id.desc())"
        ".set_label_style(LABEL_STYLE_NONE).limit(1)).first()"
    ),
    "session.query(User.name).join(User.addresses).all()": (
        "session.execute(select(User.name).join(User.addresses)).all()"
    ),
    "session.query(Address).from_statement(text('select * from addresses union all select * from addresses')).all()": (
        "session.scalars(select(Address).from_statement("
        "text('select * from addresses union all select * from addresses'))).unique().all()"
    ),
    "session.query(Address).union_all(session.query(Address)).all()": (
        "session.scalars(select(aliased(Address, union_all(select(Address), select(Address)).subquery())))"
        ".unique().all()"
    ),
    "session.query(Address).join(Address.user).filter(User.id > 0).order_by(Address.id).limit(3).all()": (
        "session.scalars(select(Address).join(Address.user).where(User.id > 0).order_by(Address.id).limit(3)).all()"
    ),
    "session.query(User).join(User.tags).all()": "session.scalars(select(User).join(User.tags)).unique().all()",
    "session.query(User, Tag).join(User.tags).all()": (
        "session.execute(select(User, Tag).join(User.tags)).unique().all()"
    ),
    "session.query(User, Address).join(User.addresses).all()": (
        "session.execute(select(User, Address).join(User.addresses)).all()"
    ),
    "session.query(User).join(User.profile).all()": (
        "session.scalars(select(User).join(User.profile)).unique().all()"
    ),
    # joined eager loading
    "session.query(User).options(joinedload(User.addresses)).all()": (
        "session.scalars(select(User).options(joinedload(User.addresses))).unique().all()"
    ),
    "session.query(User).options(selectinload(User.addresses)).all()": (
        "session.scalars(select(User).options(selectinload(User.addresses))).all()"
    ),
    "session.query(Address).options(joinedload(Address.user)).all()": (
        "session.scalars(select(Address).options(joinedload(Address.user))).all()"
    ),
    "session.query(Company).all()": "session.scalars(select(Company)).unique().all()",
    "session.query(Contract).all()": "session.scalars(select(Contract)).unique().all()",
    "session.query(Order).all()": "session.scalars(select(Order)).all()",
    "session.query(Company).get(1)": "session.get(Company, 1)",
    "session.query(Company).first()": "session.scalars(select(Company).limit(1)).first()",
    # first
    "session.query(User).first()": "session.scalars(select(User).limit(1)).first()",
    "session.query(User).limit(5).first()": "session.scalars(select(User).limit(1)).first()",
    "session.query(User.name.label('n')).options(defer(User.name)).all()": (
        "session.execute(select(User.name.label('n')).options(defer(User.name))).all()"
    ),
    "session.query(func.count(User.id)).options(selectinload(User.addresses)).scalar()": (
        "session.scalar(select(func.count(User.id)).options(selectinload(User.addresses)))"
    ),
    "session.query(session.query(Employee).with_statement_hint('/* x */').exists()).scalar()": (
        "session.scalar(select(select(Employee).with_statement_hint('/* x */').exists()))"
    ),
    "session.query(User).join(User.addresses).options(contains_eager(User.addresses)).first()": (
        "session.scalars(select(User).join(User.addresses).options(contains_eager(User.addresses)).limit(1)).first()"
    ),
    "session.query(User.id, User.name).first()": "session.execute(select(User.id, User.name).limit(1)).first()",
    # rows
    "session.query(User).tuples().all()": "session.execute(select(User)).all()",
    "session.query(User, User.name).only_return_tuples(False).all()": "session.execute(select(User, User.name)).all()",
    "session.query(Bundle('b', User.id, User.name)).all()": (
        "session.execute(select(Bundle('b', User.id, User.name))).all()"
    ),
    "session.query(User.id).all()": "session.execute(select(User.id)).all()",
    "session.query(User, Address).all()": "session.execute(select(User, Address)).all()",
    "session.query(User.id, User.name.label('n'), Address.id).join(User.addresses).all()": (
        "session.execute(select(User.id, User.name.label('n'), Address.id).join(User.addresses)"
        ".set_label_style(LABEL_STYLE_NONE)).all()"
    ),
    "session.query(User, User).all()": "session.execute(select(User, User)).all()",
    # an option that a variable holds
    "session.query(User).options(joining).all()": "session.scalars(select(User).options(joining)).unique().all()",
    "session.query(User).options(option).all()": "session.scalars(select(User).options(option)).all()",
    "session.query(User).options(joining).limit(2).count()": (
        "session.scalar(select(func.count()).select_from(select(User).limit(2).subquery()))"
    ),
    # one value of the first row
    "session.query(User).filter_by(id=1).value(User.name)": (
        "session.scalar(select(User).filter_by(id=1).with_only_columns(User.name))"
    ),
    "session.query(User).filter(User.id > 99).value(User.name)": (
        "session.scalar(select(User).where(User.id > 99).with_only_columns(User.name))"
    ),
    "session.query(Address.email).options(joinedload(Address.user)).value(User.id)": (
        "session.scalar(select(Address.email).with_only_columns(User.id))"
    ),
    # filter_by() addresses the union
    "session.query(Address).union_all(session.query(Address)).filter_by(id=2).count()": (
        "session.scalar(select(func.count()).select_from(select(aliased(Address, "
        "union_all(select(Address), select(Address)).subquery())).filter_by(id=2).subquery()))"
    ),
    # several FROM elements
    "session.query(User.id).select_from(User, Address).filter(User.id == Address.user_id).all()": (
        "session.execute(select(User.id).select_from(User, Address).where(User.id == Address.user_id)).all()"
    ),
    # order
    "session.query(User.name).order_by(User.name).order_by(False).all()": (
        "session.execute(select(User.name).order_by(User.name).order_by(None)).all()"
    ),
    "session.query(User.name).group_by(User.name).group_by(False).all()": (
        "session.execute(select(User.name).group_by(User.name).group_by(None)).all()"
    ),
    # a relationship as a criterion is its join condition
    "session.query(User).filter(User.addresses).all()": (
        "session.scalars(select(User).where(User.addresses)).unique().all()"
    ),
    "session.query(User).filter(or_(User.addresses, User.id == 1)).all()": (
        "session.scalars(select(User).where(or_(User.addresses, User.id == 1))).unique().all()"
    ),
    # one value
    "session.query(User.id).scalar()": "session.execute(select(User.id)).scalar_one_or_none()",
    "session.query(User.id).filter_by(id=1).scalar()": (
        "session.execute(select(User.id).filter_by(id=1)).scalar_one_or_none()"
    ),
    "session.query(func.count(User.id)).scalar()": "session.scalar(select(func.count(User.id)))",
    "session.query(func.count(User.id)).group_by(User.name).scalar()": (
        "session.execute(select(func.count(User.id)).group_by(User.name)).scalar_one_or_none()"
    ),
    "session.query(User).join(User.addresses).filter(User.id == 1).one()": (
        "session.scalars(select(User).join(User.addresses).where(User.id == 1)).unique().one()"
    ),
    "session.query(User).filter_by(id=99).one()": "session.scalars(select(User).filter_by(id=99)).one()",
    "session.query(User).filter_by(name='ann').one_or_none()": (
        "session.scalars(select(User).filter_by(name='ann')).one_or_none()"
    ),
    # counting and existence
    "session.query(User).filter_by(name='ann').count()": (
        "session.scalar(select(func.count()).select_from(User).filter_by(name='ann'))"
    ),
    "session.query(User).limit(1).count()": (
        "session.scalar(select(func.count()).select_from(select(User).limit(1).subquery()))"
    ),
    "session.query(User.name).distinct().count()": (
        "session.scalar(select(func.count()).select_from(select(User.name).distinct().subquery()))"
    ),
    "session.query(User).options(joinedload(User.addresses)).count()": (
        "session.scalar(select(func.count()).select_from(User))"
    ),
    "session.query(session.query(User).filter(User.id == 1).exists()).scalar()": (
        "session.scalar(select(select(User).where(User.id == 1).exists()))"
    ),
    # get
    "session.query(User).get(1)": "session.get(User, 1)",
    "session.query(User).options(joinedload(User.tags)).populate_existing().with_for_update().get(1)": (
        "session.get(User, 1, options=[joinedload(User.tags)], populate_existing=True, with_for_update=True)"
    ),
    "session.query(User).with_for_update(nowait=True).get(1)": (
        "session.get(User, 1, with_for_update=dict(nowait=True))"
    ),
    "session.query(Line).get((1, 2))": "session.get(Line, (1, 2))",
    # slices
    "session.query(User).order_by(User.id)[1:3]": (
        "session.scalars(select(User).order_by(User.id).slice(1, 3)).all()"
    ),
    "session.query(User).order_by(User.id)[5]": (
        "session.scalars(select(User).order_by(User.id).slice(5, 6)).all()[0]"
    ),
    # changing what is selected
    "session.query(User).filter(User.id == 1).with_entities(User.name).all()": (
        "session.execute(select(User).where(User.id == 1).with_only_columns(User.name)).all()"
    ),
    "session.query(User).with_entities(func.count()).scalar()": ("session.scalar(select(func.count()))"),
    # filter_by
    "session.query(User).join(User.addresses).filter_by(email='x').all()": (
        "session.scalars(select(User).join(User.addresses).filter_by(email='x')).unique().all()"
    ),
    "session.query(User).join(User.addresses).filter_by(id=1).all()": (
        "session.scalars(select(User).join(User.addresses).where(Address.id == 1)).unique().all()"
    ),
    "session.query(User).join(User.addresses).filter_by(id=None).all()": (
        "session.scalars(select(User).join(User.addresses).where(Address.id.is_(None))).unique().all()"
    ),
    "session.query(User).join(User.addresses).filter_by(id=1 if name else 2).all()": (
        "session.scalars(select(User).join(User.addresses).where(Address.id == (1 if name else 2))).unique().all()"
    ),
    "session.query(User).join(A2, User.addresses).filter_by(id=1).all()": (
        "session.scalars(select(User).join(A2, User.addresses).where(A2.id == 1)).unique().all()"
    ),
    "session.query(User).join(User.addresses).reset_joinpoint().filter_by(id=1).all()": (
        "session.scalars(select(User).join(User.addresses).where(User.id == 1)).unique().all()"
    ),
    "session.query(User).distinct().order_by(User.name).all()": (
        "session.scalars(select(User).distinct().order_by(User.name)).all()"
    ),
    "session.query(func.count(User.id)).filter_by(name='ann').scalar()": (
        "session.scalar(select(func.count(User.id)).filter_by(name='ann'))"
    ),
    "session.query(User.id + 1).filter_by(shout='ann!').all()": (
        "session.execute(select(User.id + 1).where(User.shout == 'ann!')).all()"
    ),
    "session.query(User, Address.email).join(Address.user).all()": (
        "session.execute(select(User, Address.email).join(Address.user)).unique().all()"
    ),
    # what a terminal does not heed
    "session.query(User).options(joinedload(User.addresses)).with_for_update().filter_by(id=1).delete()": (
        "session.execute(delete(User).filter_by(id=1)).rowcount"
    ),
    "session.query(User).order_by(User.name).get(1)": "session.get(User, 1)",
    "session.query(User).yield_per(2).count()": "session.scalar(select(func.count()).select_from(User))",
    # bulk writes
    "session.query(User).filter(User.id > 2).delete()": "session.execute(delete(User).where(User.id > 2)).rowcount",
    "session.query(User).filter(User.id > 2).delete(synchronize_session='fetch')": (
        "session.execute(delete(User).where(User.id > 2).execution_options(synchronize_session='fetch')).rowcount"
    ),
    "session.query(User).filter_by(id=1).update({'nick': 'n'}, False)": (
        "session.execute(update(User).filter_by(id=1).values({'nick': 'n'})"
        ".execution_options(synchronize_session=False)).rowcount"
    ),
    # execution options
    "session.query(User).yield_per(2).all()": "session.scalars(select(User).execution_options(yield_per=2)).all()",
    "session.query(Address).join(Address.user).yield_per(1).all()": (
        "session.scalars(select(Address).join(Address.user).execution_options(yield_per=1)).all()"
    ),
    "session.query(User).populate_existing().autoflush(False).all()": (
        "session.scalars(select(User).execution_options(populate_existing=True, autoflush=False)).all()"
    ),
    "session.query(Address).enable_eagerloads(False).all()": "session.scalars(select(Address)).all()",
    "session.query(User).enable_eagerloads(False).subquery()": "select(User).subquery()",
    "session.query(Address).with_parent(session.get(User, 1), User.addresses).all()": (
        "session.scalars(select(Address).where(with_parent(session.get(User, 1), User.addresses))).all()"
    ),
    "session.query(User).filter(User.id == bindparam('x')).params(x=1).all()": (
        "session.scalars(select(User).where(User.id == bindparam('x')), {\"x\": 1}).all()"
    ),
    "session.query(User).filter(User.id == bindparam('x')).params(x=1).subquery()": (
        "select(User).where(User.id == bindparam('x')).params(x=1).subquery()"
    ),
    "session.query(User).filter(User.id == bindparam('x')).params({'x': 1}).delete()": (
        "session.execute(delete(User).where(User.id == bindparam('x')), {'x': 1}).rowcount"
    ),
    "session.query(User).filter(User.id == bindparam('x')).params(x=1).count()": (
        "session.scalar(select(func.count()).select_from(User).where(User.id == bindparam('x')), {\"x\": 1})"
    ),
    # statements
    "session.query(User).populate_existing().statement": "select(User)",
    "session.query(User).execution_options(x=1).statement": "select(User).execution_options(x=1)",
    "session.query(User.id).statement": "select(User.id)",
    "session.query(User.id).subquery('s')": "select(User.id).subquery('s')",
    "session.query(User).subquery(with_labels=True)": (
        "select(User).set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL).subquery()"
    ),
    "session.query(User.id).cte(name='c')": "select(User.id).cte(name='c')",
    "session.query(User.id).as_scalar()": "select(User.id).scalar_subquery()",
    "session.query(User.id).label('x')": "select(User.id).label('x')",
    # inheritance and criteria that are not understood
    "session.query(Manager).filter_by(name='max').all()": "session.scalars(select(Manager).filter_by(name='max')).all()",
    "session.query(Car).all()": "session.scalars(select(Car)).all()",
    "session.query(Letter).all()": "session.scalars(select(Letter)).unique().all()",
    "session.query(User).filter(opaque_join).all()": "session.scalars(select(User).where(opaque_join)).unique().all()",
    "session.query(User).filter(User.id.in_(session.query(Address.user_id))).all()": (
        "session.scalars(select(User).where(User.id.in_(session.query(Address.user_id)))).all()"
    ),
    "session.query(User).filter(User.addresses.any(Address.email == 'x')).all()": (
        "session.scalars(select(User).where(User.addresses.any(Address.email == 'x'))).all()"
    ),
}

CONSUMED = {
    ("session.query(User).join(User.addresses)", Consumer.ITERATED): (
        "session.scalars(select(User).join(User.addresses)).unique()"
    ),
    ("session.query(User)", Consumer.ITERATED_AGAIN): "session.scalars(select(User)).all()",
    ("session.query(User.id, User.name)", Consumer.UNPACKED): "session.execute(select(User.id, User.name))",
    ("session.query(User.id, Address.id)", Consumer.UNPACKED): "session.execute(select(User.id, Address.id))",
    ("session.query(User.id)", Consumer.NESTED): "select(User.id)",
    ("session.query(User).filter(User.id > 1).values(User.id, U2.id)", Consumer.LISTED): (
        "session.execute(select(User).where(User.id > 1).with_only_columns(User.id, U2.id)"
        ".set_label_style(LABEL_STYLE_NONE))"
    ),
    ("session.query(User).filter(User.id > 2).delete()", Consumer.STATEMENT): (
        "session.execute(delete(User).where(User.id > 2))"
    ),
}

UNSAFE = {
    "session.query(repeated).outerjoin(counts, counts.c.user_id == User.id).with_entities(User).exists()": (
        "exists() begins its joins"
    ),
    "session.query(User.id, *opaque_columns).all()": "what `*opaque_columns` is could not be found",
    "session.query(Address).tuples().union(session.query(Address)).all()": "do not name its class",
    "session.query(Address, U2).select_from(U2).with_parent(session.get(User, 1), User.addresses).all()": (
        "asks for another class"
    ),
    "session.query(user_tags.c.tag_id).from_statement(text('select tag_id from user_tags')).all()": (
        "needs something of a mapped class"
    ),
    "session.query(Tag).order_by(Tag.uses.desc()).exists()": "orders by the label",
    "session.query(User).options(joinedload(User.addresses)).order_by('name').limit(2).all()": "in order_by()",
    "session.query(User).options(joinedload(User.addresses)).order_by('name').first()": "in order_by()",
    "session.query(func.row_number().over(order_by=User.id)).options(selectinload(User.addresses)).all()": (
        "where no mapped class is selected"
    ),
    "session.query(literal_column('1').label('one')).options(joinedload(User.profile).raiseload('*')).all()": (
        "where no mapped class is selected"
    ),
    "session.query(user_tags.c.tag_id).options(load_only(User.name)).first()": "where no mapped class is selected",
    "session.query(Tag.uses).exists()": "a column that is an expression",
    "session.query(User, User.name).select_from(user_tags).join(Address, Address.user_id == User.id).exists()": (
        "select_from() names another class"
    ),
    "session.query(func.row_number().over(order_by=User.id)).filter(User.id > 1).with_entities(User).all()": "belongs to no class",
    "session.query(user_tags.c.tag_id).exists()": "plain column",
    "session.query(Manager).join(Manager, Manager.id == Employee.id).exists()": "joins from",
    "session.query(User.id, User.id).all()": "called `id`",
    "session.query(User, User.id, Address.id).all()": "called `id`",
    "session.query(User.id, User.name, User.id).all()": "called `id`",
    "session.query(User, literal(1).label('n'), literal(2).label('n')).count()": "the same label",
    "session.query(User.id, func.count(Address.id).label('id')).group_by(User.id).all()": "called `id`",
    "session.query(select(func.count(Tag.id)).scalar_subquery()).join(user_tags).all()": "what join() begins with",
    "session.query(Manager.name, Employee.name).all()": "called `name`",
    "session.query(User, User.settings).join(User.addresses).all()": "hashed",
    "session.query(User).enable_eagerloads(False).all()": "lazyload",
    "session.query(opaque_thing).all()": "taken to be a mapped class",
    "session.query(User)[number]": "negative index",
    "session.query(User).order_by('users_name').all()": "only the SQL of Query has",
    "session.query(User).order_by(text('users_name desc')).all()": "only the SQL of Query has",
    "session.query(User).distinct().join(User.addresses).order_by(Address.id).all()": "SELECT DISTINCT",
    "session.query(User).join(User.addresses).join(User.addresses).all()": "joined twice",
    "session.query(Address.email, User.name).outerjoin(Address.user).add_columns(literal(1)).outerjoin(Address.user).all()": (
        "joined twice"
    ),
    "session.query(User).options(joinedload(User.addresses)).order_by(desc('name')).limit(2).all()": "in order_by()",
    "session.query(User)[:number]": "bounds",
    "session.query(User).union(session.query(User)).all()": "computed again",
    "session.query(U2).order_by('name').where(User.id > 1).exists()": "looks for a name",
    "session.query(User.name.label('n'), session.query(func.count(Tag.id)).label('n')).count()": "the same label",
    "session.query(literal_column('1').label('one')).filter(User.id > 1).join(user_tags).all()": "what join() begins with",
    "session.query(User).join(select(Address), User.addresses).all()": "may be a statement",
    "session.query(User).join(opaque_thing, User.addresses).all()": "may be a statement",
    "session.query(User).join(Address, text('addresses.user_id = users.id')).all()": "refuses text()",
    "session.query(Company).order_by('name').limit(1).all()": "in order_by()",
    "session.query(Order).order_by(desc('total')).distinct().all()": "in order_by()",
    "session.query(Address).options(joinedload(Address.user)).order_by('email').group_by(Address.id).all()": "in order_by()",
    "session.query(Bundle('b', User.id, Address.id)).join(User.addresses).all()": "called `id`",
    "session.query(Bundle('b', User.name), Bundle('c', U2.name)).all()": "called `name`",
    "session.query(User.id, Bundle('b', func.max(U2.id))).all()": "are called `Bundle",
    "session.query(User, Tag).order_by(text('id')).count()": "as ambiguous",
    "session.query(User).join(User.addresses).order_by(desc(text('id'))).exists()": "as ambiguous",
    "session.query(Address).join(User, opaque_join).order_by(text('id')).all()": "as ambiguous",
}

REFUSED = {
    "session.query(User).execution_options(yield_per=2).all()": "does not turn de-duplication off",
    "session.query(User).filter_by(id=1).get(1)": "get() behind",
    "session.query(Address, User).join(U2, Address.user).with_parent(session.get(User, 1), User.addresses).all()": (
        "Query raises here"
    ),
    "session.query(User).value(User)": "takes columns",
    "session.query(some_class).join(Address, Address.user_id == some_class.id).value(func.count())": (
        "joined to another class"
    ),
    "session.query(User.name).union(session.query(User.name)).filter_by(name='x').all()": "a union of columns",
    "session.query(Address).join(User).with_parent(session.get(User, 1), User.addresses).all()": (
        "behind a join() without a relationship"
    ),
    "session.query(U2).join(Address, User).all()": "two classes",
    "session.query(User).filter(User.id == 1).get(1)": "get() behind where()",
    "session.query(User)[-1]": "IndexError",
    "session.query(User).join(User.addresses).delete()": "behind join()",
    "session.query(User).limit(1).delete()": "behind limit()",
    "session.query(User).limit(1).filter(User.id == 1).all()": "before limit()",
    "session.query(User).from_self().all()": "aliased(Entity, stmt.subquery())",
    "session.query(User).join('addresses').all()": "join(Class.name)",
    "session.query(User).join(User.addresses, User.tags).all()": "two calls",
    "session.query(User).join((Address, Address.user_id == User.id)).all()": "tuple",
    "session.query(User).union(session.query(User)).filter(User.id == 1).all()": "after a union",
    "session.query(User).options(joinedload('addresses')).with_polymorphic('*').all()": "with_polymorphic",
    "session.query(User).from_statement(text('select * from users'))[1:]": "Query raises here",
    "session.query(func.count(User.id)).exists()": "drops what is selected",
    "session.query([User.id]).all()": "unpack it",
    "session.query().all()": "selects nothing",
    "session.query(User).filter_by(nmae='x').all()": "no attribute `nmae`",
    "session.query(User).values(User)": "takes columns",
    "session.query(User).join(User.addresses).values(Address.email)": "joined to another class",
    "session.query(User).session": "no session",
    "session.query(User).all": "handed on",
    "session.query(User).update([('name', 'x')])": "ordered_values",
}


@pytest.mark.parametrize(("code", "expected"), SAFE.items())
def test_a_safe_form_is_written_and_behaves_the_same(code: str, expected: str) -> None:
    found = check(code)
    assert isinstance(found, Rewrite), found
    assert new_code(code, found) == expected
    assert found.doubts == ()
    assert difference(code, found, Consumer.UNKNOWN) is None


@pytest.mark.parametrize(("case", "expected"), CONSUMED.items())
def test_the_consumer_decides_the_form(case: tuple[str, Consumer], expected: str) -> None:
    code, consumer = case
    found = check(code, consumer)
    assert isinstance(found, Rewrite), found
    assert new_code(code, found) == expected
    assert found.doubts == ()
    assert difference(code, found, consumer) is None


@pytest.mark.parametrize(("code", "reason"), UNSAFE.items())
def test_what_is_not_proven_is_offered_with_its_reason(code: str, reason: str) -> None:
    found = check(code)
    assert isinstance(found, Rewrite), found
    assert reason in " ".join(found.doubts)


@pytest.mark.parametrize(("code", "reason"), REFUSED.items())
def test_what_has_no_form_is_refused_with_a_sentence(code: str, reason: str) -> None:
    found = check(code)
    assert isinstance(found, Refusal), found
    assert reason in found.reason


@pytest.mark.parametrize(
    "consumer",
    [
        *(Consumer.TRUTH, Consumer.LENGTH, Consumer.RETURNED, Consumer.PASSED, Consumer.ASSIGNED),
        *(Consumer.ATTRIBUTE, Consumer.STATEMENT, Consumer.AWAITED, Consumer.INDEXED, Consumer.UNKNOWN),
    ],
)
def test_a_query_that_escapes_is_left_alone(consumer: Consumer) -> None:
    assert isinstance(check("session.query(User).filter_by(id=1)", consumer), Refusal)
