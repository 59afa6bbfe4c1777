"""What the tests of `facts` compare: everything that a file's facts say, with absolute positions, and sources to edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, Frame
    from sqlalchemy_guard.facts.file import FileFacts
    from sqlalchemy_guard.syntax.syntax import Syntax
    from sqlalchemy_guard.text.document import Document, LineEdit

SHOP = '''\
from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, relationship, sessionmaker
from app.extensions import *

if TYPE_CHECKING:
    from app.models import Order, User
else:
    Order = None

DEBUG = False
url = "sqlite://"
if os.environ.get("URL"):
    url = os.environ["URL"]
url += "?timeout=" + str(5)
engine = create_engine(url)
factory = sessionmaker(engine)
session = None
tables = ["users"]
tables += ["orders"]
for table in tables:
    last = table
try:
    import fast
except ImportError:
    fast = None


def init(uri):
    global session, engine
    engine = create_engine(uri)
    session = sessionmaker(engine)
    app.db = session
    return session


@contextmanager
def scope(commit=True):
    current = factory()
    try:
        yield current
        if commit:
            current.commit()
    except Exception:
        current.rollback()
        raise
    finally:
        current.close()


class Base:
    registry = {}

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def query(self):
        return self.session.query(User)


class Orders(Base):
    """Has more lines than are kept in one piece."""

    model: type[Order] = Order
    limit = 20
    cache = {name: None for name in tables}

    class Meta:
        ordering = "id"

        def describe(self):
            return self.ordering

    def __init__(self, session, user=None):
        super().__init__(session)
        self.user = user
        self.seen = []

    def all(self):
        found = self.session.query(Order)
        for filter_ in self.filters():
            found = found.filter(filter_)
        while found.count() > self.limit:
            found = found.limit(self.limit)
        return found.all()

    async def load(self, ids):
        result = await self.session.execute(select(Order).where(Order.id.in_(ids)))
        orders = [order for order in result.scalars() if order.open]
        self.seen = orders
        return orders

    def report(self, kind):
        global last
        total = 0
        last = kind

        def add(order):
            nonlocal total
            total += order.price
            self.last_order = order
            return self.session.get(Order, order.id)

        class Line:
            width = 80

            def show(self):
                return print(self.width)

            def hide(self):
                return add(self)

        if isinstance(kind, str):
            kind = kind.strip()
            title = f"orders of {kind}"
        else:
            title = "%s" % kind
        for order in self.all():
            with self.session.begin() as transaction:
                add(order)
                if order.paid:
                    transaction.commit()
                    continue
                match order.state:
                    case "new":
                        self.session.add(order)
                    case other:
                        print(other, title)
        if total > 100:
            raise ValueError(total)
        lines = [Line() for _ in range(3)]
        last, rest = lines[0], lines[1:]
        app.report = last
        del rest
        os.environ["LAST"] = str(total)
        last = title
        self.session.commit()
        return lines
        print("never")


def main():
    with scope() as session:
        orders = Orders(session)
        orders.report("all")
    try:
        orders.all()
    except ValueError as error:
        print(error)
    else:
        session.close()
    return orders


url = url.strip()
orders = Orders(factory())
orders.all()
handler = lambda request: scope(request)
'''

SNIPPETS = (
    "",
    "\n",
    "x = 1\n",
    "url = 'postgresql://'\n",
    "del session\n",
    "    self.extra = Session()\n",
    "        other = self.session.query(User).first()\n        other.name = 'x'\n",
    "def added(a, *, b=url):\n    return a.commit(b)\n\n\n",
    "class Added(Orders):\n    kind = 1\n    def m(self):\n        self.kind = self.all()\n\n\n",
    "    @property\n",
    "if DEBUG:\n    session = factory()\n    from app.tools import session as tools\n",
    "from app.more import *\n",
    "\n".join(f"    field_{i} = relationship('Order', uselist={i})" for i in range(32)) + "\n",
    "def long():\n" + "".join(f"    step_{i} = engine.connect({i})\n" for i in range(35)) + "\n\n",
    "    global url, tables\n    tables = url = None\n",
    "(\n",
    '"""\n',
    "    return 1\n",
    "for url in tables:\n    print(url)\n",
    "raise SystemExit\n",
)
WORDS = (
    "url",
    "session",
    "self",
    "x",
    "Orders",
    "1",
    "commit",
    "(",
    ")",
    ":",
    " ",
    "\n",
    "'",
    "#",
    "\\",
    "    ",
)

edits = st.one_of(
    st.tuples(st.just("insert"), st.integers(0, 400), st.sampled_from(SNIPPETS)),
    st.tuples(st.just("delete"), st.integers(0, 400), st.integers(1, 8)),
    st.tuples(st.just("copy"), st.integers(0, 400), st.integers(1, 45)),
    st.tuples(st.just("char"), st.integers(0, 8000), st.sampled_from(WORDS)),
    st.tuples(st.just("erase"), st.integers(0, 8000), st.integers(1, 12)),
    st.tuples(st.just("type"), st.integers(0, 400), st.sampled_from(SNIPPETS)),
    st.tuples(st.just("undo"), st.just(0), st.just("")),
)
"""An edit: what is done, where (a line or an offset, taken modulo the text's), and with what."""


def apply(document: Document, edit: tuple[str, int, object]) -> Iterator[tuple[Document, LineEdit]]:
    """The versions that an edit leads through; `undo` leads to none."""
    kind, where, what = edit
    line = where % len(document.lines)
    if kind == "insert":
        yield document.replace(line, 0, line, 0, str(what))
    elif kind == "delete" and isinstance(what, int):
        yield document.replace(line, 0, line + what, 0, "")
    elif kind == "copy" and isinstance(what, int):
        yield document.replace(line, 0, line, 0, "".join(document.lines[line : line + what]))
    elif kind in ("char", "erase"):
        offset = where % (len(document.text) + 1)
        start = document.position(offset)
        if isinstance(what, int):
            yield document.replace(*start, *document.position(offset + what), "")
        else:
            yield document.replace(*start, *start, str(what))
    elif kind == "type":
        column = 0
        for char in str(what)[:60]:
            document, line_edit = document.replace(line, column, line, column, char)
            line, column = (line + 1, 0) if char == "\n" else (line, column + 1)
            yield document, line_edit


def facts_of(syntax: Syntax, facts: FileFacts) -> dict[str, object]:
    """Everything that the facts say, comparable, whatever the pieces are that the file was cut into."""
    calls = sorted((_call(call) for unit in facts.units() for call in unit.calls), key=repr)
    return {
        "names": {name: facts.value_of(name) for name in sorted(facts.names)},
        "bindings": {
            name: [(b.value, b.annotation, b.conditional, _line(b)) for b in found]
            for name, found in sorted(facts.names.items())
        },
        "outlines": dict(sorted(facts.outlines.items())),
        "functions": {
            name: [(f.outline(), _header(f), sorted(_call(c)[0] for c in f.call_facts)) for f in found]
            for name, found in sorted(facts.functions.items())
        },
        "classes": {
            name: [
                (c.outline(), _header(c), [(a.name, _line(a)) for a in c.attributes.values()]) for c in found
            ]
            for name, found in sorted(facts.classes.items())
        },
        "stars": facts.stars,
        "imported": facts.imported_modules(),
        "foreign sets": facts.foreign_sets,
        "imports": facts.imports(),
        "named": facts.named_fixtures,
        "called": {name: sorted(facts.calls_of(name), key=repr) for name in sorted(facts.called_names())},
        "item sets": sorted(
            (
                (s.statement.lineno + s.chunk.shift, s.base, s.key, s.value)
                for unit in facts.units()
                for s in unit.item_sets
            ),
            key=repr,
        ),
        "unit functions": sorted(_header(f) for unit in facts.units() for f in unit.functions),
        "unit classes": sorted(_header(c) for unit in facts.units() for c in unit.classes),
        "calls": calls,
    }


def _call(call: CallFact) -> tuple[object, ...]:
    node, shift = call.node, call.chunk.shift
    return (
        (node.lineno + shift, node.col_offset, (node.end_lineno or 0) + shift, node.end_col_offset),
        call.value,
        call.awaited,
        call.statement.lineno + shift,
        type(call.statement).__name__,
        call.function and call.function.qualname,
        list(_frames(call.frame)),
        [_place(frame) for frame in call.loops()],
    )


def _frames(frame: Frame | None) -> Iterator[tuple[object, ...]]:
    while frame is not None:
        yield frame.kind, _place(frame), frame.contexts
        frame = frame.parent


def _place(frame: Frame) -> int:
    return getattr(frame.node, "lineno", 0) + frame.chunk.shift if hasattr(frame.node, "lineno") else -1


def _line(fact: object) -> int:
    return fact.node.lineno + fact.chunk.shift  # type: ignore[attr-defined, no-any-return]


def _header(fact: object) -> tuple[str, int]:
    return fact.qualname, fact.header.lineno + fact.chunk.shift  # type: ignore[attr-defined]
