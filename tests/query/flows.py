"""Programs in which queries flow through variables, functions and files: those that are rewritten, and those that are left.

In all of them `# name.py` begins a file, and `run(session, flag)` of the last one is what is executed. Data only.
"""

from __future__ import annotations

FLOWS: dict[str, tuple[str, str]] = {
    "straight": (
        """
        def run(session: Session, flag):
            q = session.query(User).filter(User.id > 0)
            q = q.order_by(User.id)
            return q.all()
        """,
        """
        def run(session: Session, flag):
            q = select(User).where(User.id > 0)
            q = q.order_by(User.id)
            return session.scalars(q).all()
        """,
    ),
    "a conditional join": (
        """
        def run(session: Session, flag):
            q = session.query(User)
            if flag:
                q = q.join(User.addresses).filter(Address.email != 'x')
            return q.order_by(User.id).all()
        """,
        """
        def run(session: Session, flag):
            q = select(User)
            if flag:
                q = q.join(User.addresses).where(Address.email != 'x')
            return session.scalars(q.order_by(User.id)).unique().all()
        """,
    ),
    "several uses": (
        """
        def run(session: Session, flag):
            q = session.query(User.name).filter_by(name='ann')
            if flag:
                q = q.filter(User.id > 1)
            return [q.count(), q.limit(1).all(), q.first()]
        """,
        """
        def run(session: Session, flag):
            q = select(User.name).filter_by(name='ann')
            if flag:
                q = q.where(User.id > 1)
            return [
                session.scalar(select(func.count()).select_from(q.subquery())),
                session.execute(q.limit(1)).all(),
                session.execute(q.limit(1)).first(),
            ]
        """,
    ),
    "a loop of criteria": (
        """
        def run(session: Session, flag):
            q = session.query(User)
            for word in ('a', 'n'):
                q = q.filter(User.name.contains(word))
            return [each.id for each in q]
        """,
        """
        def run(session: Session, flag):
            q = select(User)
            for word in ('a', 'n'):
                q = q.where(User.name.contains(word))
            return [each.id for each in session.scalars(q)]
        """,
    ),
    "branches that each make a query, and a second name": (
        """
        def run(session: Session, flag):
            if flag:
                found = session.query(User).filter(User.id > 1)
                str(flag)
            else:
                found = session.query(User)
            ordered = found.order_by(User.id) if flag else found.order_by(User.name)
            found = ordered.all()
            return [len(found), ordered.count()]
        """,
        """
        def run(session: Session, flag):
            if flag:
                found = select(User).where(User.id > 1)
                str(flag)
            else:
                found = select(User)
            ordered = found.order_by(User.id) if flag else found.order_by(User.name)
            found = session.scalars(ordered).all()
            return [
                len(found),
                session.scalar(select(func.count()).select_from(ordered.subquery())),
            ]
        """,
    ),
    "a function that returns it": (
        """
        # queries.py
        def users(session: Session, newest: bool) -> Query[User]:
            q = session.query(User)
            if newest:
                return q.order_by(User.id.desc())
            return q.order_by(User.id)

        # app.py
        import queries

        def run(session: Session, flag):
            names = [user.name for user in queries.users(session, flag)]
            return [names, queries.users(session, newest=True).filter(User.id > 1).first()]
        """,
        """
        # queries.py
        def users(session: Session, newest: bool) -> Select[tuple[User]]:
            q = select(User)
            if newest:
                return q.order_by(User.id.desc())
            return q.order_by(User.id)

        # app.py
        import queries

        def run(session: Session, flag):
            names = [user.name for user in session.scalars(queries.users(session, flag))]
            return [
                names,
                session.scalars(
                    queries.users(session, newest=True).where(User.id > 1).limit(1)
                ).first(),
            ]
        """,
    ),
    "a function that refines it, for queries of several kinds": (
        """
        # queries.py
        def page(query: Query, size: int | None, order=None):
            if order is not None:
                query = query.order_by(order)
            return query.limit(size) if size else query

        # app.py
        from queries import page

        def run(session: Session, flag):
            first = page(session.query(User).join(User.addresses), 2, User.id)
            rows = page(session.query(User.id, User.name), None, User.id).all()
            second = session.query(Address)
            second = page(second.filter(Address.id > 1), 1)
            return [first.all(), rows, second.all()]
        """,
        """
        # queries.py
        def page(query: Select, size: int | None, order=None):
            if order is not None:
                query = query.order_by(order)
            return query.limit(size) if size else query

        # app.py
        from queries import page

        def run(session: Session, flag):
            first = page(select(User).join(User.addresses), 2, User.id)
            rows = session.execute(page(select(User.id, User.name), None, User.id)).all()
            second = select(Address)
            second = page(second.where(Address.id > 1), 1)
            return [session.scalars(first).unique().all(), rows, session.scalars(second).all()]
        """,
    ),
    "methods, a property and a class method": (
        """
        class Users:
            def __init__(self, session: Session) -> None:
                self.session = session

            @property
            def _query(self):
                return self.session.query(User)

            def _named(self, name):
                return self._query.filter(User.name == name)

            def first(self, name):
                return self._named(name).first()

            def everybody(self):
                found = []
                for user in self._query.order_by(User.id):
                    found.append(user.id)
                return found

            @classmethod
            def with_addresses(cls, session: Session):
                return session.query(User).join(User.addresses)


        def run(session: Session, flag):
            users = Users(session)
            return [users.first("ann"), users.everybody(), Users.with_addresses(session).count()]
        """,
        """
        class Users:
            def __init__(self, session: Session) -> None:
                self.session = session

            @property
            def _query(self):
                return select(User)

            def _named(self, name):
                return self._query.where(User.name == name)

            def first(self, name):
                return self.session.scalars(self._named(name).limit(1)).first()

            def everybody(self):
                found = []
                for user in self.session.scalars(self._query.order_by(User.id)):
                    found.append(user.id)
                return found

            @classmethod
            def with_addresses(cls, session: Session):
                return select(User).join(User.addresses)


        def run(session: Session, flag):
            users = Users(session)
            return [
                users.first("ann"),
                users.everybody(),
                session.scalar(
                    select(func.count()).select_from(Users.with_addresses(session).subquery())
                ),
            ]
        """,
    ),
    "a function that executes what it is given": (
        """
        # queries.py
        def listed(session: Session, query):
            return [each.id for each in query.order_by(User.id)]

        # app.py
        from queries import listed as ids

        def run(session: Session, flag):
            query = session.query(User)
            if flag:
                query = query.join(User.addresses)
            return ids(session, query)
        """,
        """
        # queries.py
        def listed(session: Session, query):
            return [each.id for each in session.scalars(query.order_by(User.id)).unique()]

        # app.py
        from queries import listed as ids

        def run(session: Session, flag):
            query = select(User)
            if flag:
                query = query.join(User.addresses)
            return ids(session, query)
        """,
    ),
    "the session of an object that is handed in": (
        """
        class Request:
            def __init__(self, db: Session) -> None:
                self.db = db


        def users(request: Request):
            return request.db.query(User).options(joinedload(User.addresses))


        def run(session: Session, flag):
            request = Request(session)
            query = users(request).order_by(User.id)
            if query is None:
                return None
            return query.all()
        """,
        """
        class Request:
            def __init__(self, db: Session) -> None:
                self.db = db


        def users(request: Request):
            return select(User).options(joinedload(User.addresses))


        def run(session: Session, flag):
            request = Request(session)
            query = users(request).order_by(User.id)
            if query is None:
                return None
            return request.db.scalars(query).unique().all()
        """,
    ),
    "early returns and exceptions": (
        """
        def run(session: Session, flag):
            q = session.query(Order)
            try:
                if flag:
                    raise ValueError
                q = q.filter(Order.id > 1)
            except ValueError:
                q = q.filter(Order.id < 3)
            finally:
                str(flag)
            if not flag:
                return q.count()
            with session.no_autoflush:
                while True:
                    q = q.order_by(Order.id)
                    break
            return list(q)
        """,
        """
        def run(session: Session, flag):
            q = select(Order)
            try:
                if flag:
                    raise ValueError
                q = q.where(Order.id > 1)
            except ValueError:
                q = q.where(Order.id < 3)
            finally:
                str(flag)
            if not flag:
                return session.scalar(select(func.count()).select_from(q.subquery()))
            with session.no_autoflush:
                while True:
                    q = q.order_by(Order.id)
                    break
            return list(session.scalars(q))
        """,
    ),
    "a query inside another one": (
        """
        def addressed(session: Session):
            return session.query(Address.user_id)


        def run(session: Session, flag):
            inner = addressed(session).filter(Address.id > 1)
            query = session.query(User).filter(User.id.in_(inner))
            return query.order_by(User.id).all()
        """,
        """
        def addressed(session: Session):
            return select(Address.user_id)


        def run(session: Session, flag):
            inner = addressed(session).where(Address.id > 1)
            query = select(User).where(User.id.in_(inner))
            return session.scalars(query.order_by(User.id)).unique().all()
        """,
    ),
    "set operations": (
        """
        def run(session: Session, flag):
            one = session.query(Address).filter(Address.id > 1)
            other = session.query(Address).join(Address.user).filter(User.name == "ann")
            both = one.union_all(other.filter(Address.id > 0), session.query(Address))
            return both.limit(5).all()
        """,
        """
        def run(session: Session, flag):
            one = select(Address).where(Address.id > 1)
            other = select(Address).join(Address.user).where(User.name == "ann")
            both = select(
                aliased(
                    Address,
                    union_all(one, other.where(Address.id > 0), select(Address)).subquery(),
                )
            )
            return session.scalars(both.limit(5)).unique().all()
        """,
    ),
    "an EXISTS of a query, asked for alone": (
        """
        def run(session: Session, flag):
            query = session.query(User).filter(User.name == "ann")
            if flag:
                query = query.filter(User.id > 100)
            return session.query(query.exists()).scalar()
        """,
        """
        def run(session: Session, flag):
            query = select(User).where(User.name == "ann")
            if flag:
                query = query.where(User.id > 100)
            return session.scalar(select(query.exists()))
        """,
    ),
    "definitions inside with parameters of the same name": (
        """
        def run(session: Session, flag):
            def narrowed(q, word):
                return q.filter(User.name.contains(word))

            q = session.query(User)
            for word in ("a", "n"):
                q = narrowed(q, word)
            known = sorted(((each.id, each.id) for each in q), key=lambda q: [-each for each in q])
            return known, [each.id for each in q.order_by(User.id)]
        """,
        """
        def run(session: Session, flag):
            def narrowed(q, word):
                return q.where(User.name.contains(word))

            q = select(User)
            for word in ("a", "n"):
                q = narrowed(q, word)
            known = sorted(
                ((each.id, each.id) for each in session.scalars(q)),
                key=lambda q: [-each for each in q],
            )
            return known, [each.id for each in session.scalars(q.order_by(User.id))]
        """,
    ),
    "bulk writes at the end": (
        """
        def run(session: Session, flag):
            q = session.query(Tag).filter_by(word="red")
            if flag:
                q = q.filter(Tag.id > 0)
            names = session.query(User)
            for part in ("a", "n"):
                names = names.filter(User.name.contains(part))
            changed = names.filter(User.id < 4).update({"name": "other"}, synchronize_session="fetch")
            q.delete(synchronize_session=False)
            gone = session.query(Address)
            gone = gone.filter(Address.id > 2).filter(Address.user_id != None)
            deleted = gone.delete()
            return changed, deleted, session.query(User).order_by(User.id).all()
        """,
        """
        def run(session: Session, flag):
            q = delete(Tag).filter_by(word="red")
            if flag:
                q = q.where(Tag.id > 0)
            names = update(User)
            for part in ("a", "n"):
                names = names.where(User.name.contains(part))
            changed = session.execute(
                names.where(User.id < 4)
                .values({"name": "other"})
                .execution_options(synchronize_session="fetch")
            ).rowcount
            session.execute(q.execution_options(synchronize_session=False))
            gone = delete(Address)
            gone = gone.where(Address.id > 2).where(Address.user_id != None)
            deleted = session.execute(gone).rowcount
            return changed, deleted, session.scalars(select(User).order_by(User.id)).all()
        """,
    ),
    "the session of the module, in another module": (
        """
        # database.py
        from sqlalchemy.orm import scoped_session, sessionmaker

        Current = scoped_session(sessionmaker())

        # queries.py
        from database import Current

        def users():
            return Current.query(User).filter(User.id > 1)

        # app.py
        import queries
        from database import Current as Known

        def run(session: Session, flag):
            Known.configure(bind=session.get_bind())
            return queries.users().order_by(User.id).all()
        """,
        """
        # database.py
        from sqlalchemy.orm import scoped_session, sessionmaker

        Current = scoped_session(sessionmaker())

        # queries.py
        def users():
            return select(User).where(User.id > 1)

        # app.py
        import queries
        from database import Current as Known

        def run(session: Session, flag):
            Known.configure(bind=session.get_bind())
            return Known.scalars(queries.users().order_by(User.id)).all()
        """,
    ),
}
"""The program before and after."""

REFUSED: dict[str, tuple[str, str]] = {
    "text that orders by an ambiguous name on one path": (
        """
        from sqlalchemy import text

        def run(session: Session, flag):
            q = session.query(User, Tag)
            if flag:
                q = q.filter(User.id > 0)
            else:
                q = q.order_by(text('name, id'))
            return q.count() if flag else 0
        """,
        "as ambiguous",
    ),
    "filter_by of one column or another": (
        """
        def run(session: Session, flag):
            q = session.query(User.name) if flag else session.query(Address.email)
            return q.filter_by(id=1).all()
        """,
        "different columns",
    ),
    "a class or a column": (
        """
        def run(session: Session, flag):
            q = session.query(User) if flag else session.query(Address.email)
            return q.all()
        """,
        "different things",
    ),
    "scalar() of an aggregate or a column": (
        """
        from sqlalchemy import func

        def run(session: Session, flag):
            q = session.query(func.count(User.id)) if flag else session.query(Address.email)
            return q.scalar()
        """,
        "different columns",
    ),
    "DISTINCT of one column or another": (
        """
        def run(session: Session, flag):
            q = session.query(User.name) if flag else session.query(Address.email).distinct()
            return q.order_by(User.name).all()
        """,
        "different things",
    ),
    "subquery() of one column or another": (
        """
        def run(session: Session, flag):
            q = session.query(User.name) if flag else session.query(Address.email)
            return q.subquery()
        """,
        "different columns",
    ),
    "other columns under a condition": (
        """
        def run(session: Session, flag):
            q = session.query(User)
            if flag:
                q = q.with_entities(User.id)
            return q.all()
        """,
        "under a condition",
    ),
    "filter_by behind a conditional join": (
        """
        def run(session: Session, flag):
            q = session.query(User)
            if flag:
                q = q.join(User.addresses)
            return q.filter_by(id=1).all()
        """,
        "conditional join",
    ),
    "a definition inside that reads it": (
        """
        def run(session: Session, flag):
            q = session.query(User)

            def rows(one=None, *, other=lambda: q.all()):
                return other()

            return rows()
        """,
        "is read in a function or lambda inside run()",
    ),
    "a default of a lambda": (
        """
        def run(session: Session, flag):
            q = session.query(User)
            return (lambda q=q: q.count())()
        """,
        "is read in a",
    ),
    "a bulk write beside another use": (
        """
        def run(session: Session, flag):
            q = session.query(User).filter(User.id > 2)
            found = q.count()
            return found, q.delete()
        """,
        "in one expression",
    ),
    "a bulk write behind what it does not take": (
        """
        def run(session: Session, flag):
            q = session.query(User).filter(User.id > 2)
            q = q.execution_options(synchronize_session=False)
            return q.delete()
        """,
        "in one expression",
    ),
    "a bulk write of two kinds": (
        """
        def run(session: Session, flag):
            q = session.query(User).filter(User.id > 2)
            return q.update({"name": "x"}), q.delete()
        """,
        "in one expression",
    ),
    "a bulk write of another function's query": (
        """
        def found(session: Session):
            return session.query(User).filter(User.id > 2)

        def run(session: Session, flag):
            return found(session).delete()
        """,
        "in one expression",
    ),
    "a join in a loop": (
        """
        def run(session: Session, flag):
            q = session.query(User)
            for x in (1, 2):
                q = q.join(User.addresses)
            return q.all()
        """,
        "in a loop",
    ),
    "handed to a stranger": (
        """
        import json

        def run(session: Session, flag):
            q = session.query(User)
            return json.dumps(q)
        """,
        "handed on",
    ),
    "a list in one branch": (
        """
        def run(session: Session, flag):
            q = []
            if flag:
                q = session.query(User)
            return [each.id for each in q]
        """,
        "not always a query",
    ),
    "a truth test in the caller": (
        """
        def users(session: Session):
            return session.query(User)


        def run(session: Session, flag):
            found = users(session)
            if found:
                return found.all()
        """,
        "always true",
    ),
    "a session that the caller does not see": (
        """
        from sqlalchemy.orm import sessionmaker

        Factory = sessionmaker()

        def users():
            session = Factory()
            return session.query(User)


        def run(session: Session, flag):
            return users().all()
        """,
        "not at hand",
    ),
    "another session by the same name": (
        """
        def run(session: Session, other: Session, flag):
            current = session
            q = current.query(User)
            current = other
            return q.all()
        """,
        "another session",
    ),
    "a method with two bodies": (
        """
        class Base:
            def rows(self, session: Session):
                return session.query(User)


        class Other(Base):
            def rows(self, session: Session):
                return []


        def run(session: Session, flag):
            return Base().rows(session).all()
        """,
        "overridden",
    ),
    "recursion": (
        """
        def deeper(query, depth):
            if depth:
                return deeper(query.filter(User.id > depth), depth - 1)
            return query


        def run(session: Session, flag):
            return deeper(session.query(User), 3).all()
        """,
        "calls itself",
    ),
    "a function that is handed on": (
        """
        def users(session: Session):
            return session.query(User)


        def run(session: Session, flag):
            return [each(session).all() for each in (users,)]
        """,
        "not understood",
    ),
    "a method that is called through its class": (
        """
        class Users:
            def rows(self, session: Session):
                return session.query(User)


        def run(session: Session, flag):
            return Users.rows(Users(), session).all()
        """,
        "through its class",
    ),
    "an attribute looked up by its name": (
        """
        class Users:
            def rows(self, session: Session):
                return session.query(User)


        def run(session: Session, flag):
            return getattr(Users(), "rows")(session).all() + Users().rows(session).all()
        """,
        "may be one of the calls",
    ),
    "a set operation with something unknown": (
        """
        def run(session: Session, flag, other):
            query = session.query(User)
            return other.union(query).all()
        """,
        "not understood",
    ),
    "options before a set operation": (
        """
        def run(session: Session, flag):
            one = session.query(Address).options(joinedload(Address.user))
            return one.union(session.query(Address)).all()
        """,
        "belongs to its result",
    ),
    "a property that a template may read": (
        """
        from flask import render_template

        from models import Base

        class Group(Base):
            __tablename__ = "groups"

            def users(self, session: Session):
                return session.query(User)

        def run(session: Session, flag):
            return Group().users(session).all()
        """,
        "templates are not read",
    ),
    "an import cycle": (
        """
        # database.py
        from sqlalchemy.orm import scoped_session, sessionmaker

        import app

        Current = scoped_session(sessionmaker())

        # queries.py
        from database import Current

        def users():
            return Current.query(User)

        # app.py
        import queries

        def run(session: Session, flag):
            return queries.users().all()
        """,
        "not at hand in run()",
    ),
    "nobody calls it": (
        """
        def users(session: Session):
            return session.query(User)


        def run(session: Session, flag):
            return flag
        """,
        "nobody here calls users()",
    ),
    "a receiver of unknown type": (
        """
        class Users:
            def rows(self, session: Session):
                return session.query(User)


        def run(session: Session, flag, other):
            return [Users().rows(session).all(), other.rows(session)]
        """,
        "may be one of the calls",
    ),
}
"""The program, and words of the reason that is given."""
