"""A closed evaluator of Python: runs the project's source over real objects of SQLAlchemy, without importing or executing it.

Closed means: a call reaches only what the user's own source defines, what `allowed` and `harmless` name, and the methods of
`Host` objects that the caller hands in. Everything else gives an `Opaque`, which has a name and no value. What follows from
something unknown is unknown; where an `if` hangs on it, both branches run and what differs afterwards is unknown. Steps, depth,
sizes and, through `poll`, time are bounded (`budget`).

How it is used::

    evaluator = Evaluator(workspace, poll)
    module = evaluator.program.module(file_id)       # sql/program.py; None when the file cannot be read
    module.get("metadata")                           # a name of a module: on demand, remembered; cycles give an Opaque
    upgrade = module.get("upgrade")                  # values.Function
    evaluator.hosts["alembic.op"] = op               # a Host: what the library's name stands for, set before anything is read
    evaluator.run(upgrade)                           # the function's body; its unknown parameters are opaque

`run` and `module.get` raise nothing but what `poll` raises. Values (`values.py`) are plain data, SQLAlchemy's objects, and the
classes of that module. While a branch runs that may not be taken, `evaluator.uncertain` holds the unknown conditions; a host
looks there to know whether what it is told is sure. `evaluator.decide` may settle a condition: it gets the opaque value and
gives True, False or None. `evaluator.program.read` is the set of `(file, name)` that was read, `evaluator.notes` says what was
given up and where. An evaluator belongs to one generation: it remembers names, so make a new one after an edit.

This module must never call anything that came from the user's text by its name alone.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from typing import TYPE_CHECKING

from sqlalchemy.sql.base import SchemaEventTarget

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.sql import classes, expressions, functions, harmless, natives, statements
from sqlalchemy_guard.sql.budget import MOST_ITEMS, Budget, Exhausted
from sqlalchemy_guard.sql.program import Module, Namespace, Program
from sqlalchemy_guard.sql.values import (
    MISSING,
    Class,
    Function,
    Host,
    Instance,
    Library,
    Method,
    Native,
    NativeMethod,
    Opaque,
    Spread,
    Super,
    Value,
)

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Sequence

    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.sql.scopes import Frame
    from sqlalchemy_guard.sql.toward import Toward
    from sqlalchemy_guard.syntax.chunk import Chunk


class Note(NamedTuple):
    """What was given up, and where: the file, the chunk and the node (None for no place)."""

    reason: str
    file_id: str
    chunk: Chunk | None
    node: ast.AST | None


MOST_NOTES = 500


class Evaluator:
    """See the module.

    Args:
        workspace: Where the source comes from.
        poll: Called every few hundred steps; ends everything by raising.

    Attributes:
        hosts: What stands for a library's dotted name.
        methods: What methods of SQLAlchemy's objects do that the allow-list has not (`table.create`), given object and arguments.
        makers: Each is asked to make a native class of a class of ours (a mapped class, an enum, a column type).
        constructors: What makes an object of a library's class that a host stands for: called with the evaluator, the class of
            ours that extends it (or None), and the arguments.
        program: The modules.
        uncertain: The unknown conditions under which the present statement runs.
        is_lenient: Whether a function that raises gives something unknown instead, for code that is known to run to its end.
        decide: Settles an unknown condition, or not.
        fork: Asked which branch of an `if`, or whether a loop over something unknown, is taken: None for both, joined. Where
            every way is to be seen, the same code is run once for each.
        forks: How often one was taken alone.
        toward: The way to a statement, when only that is to be run, and what it rests on: `Reached` is raised then.
        watch: Told of the result of every call in the source.
        unknown_call: Answers calls of what is unknown, or not (`MISSING`).
        native_attribute: Reads an attribute of a class as its native class has it.
        class_changed: Told of attributes that are set behind a class.
        made: Our class behind each native class.
        stand_ins: What stands in annotations for a class of ours that has no native one.
        library_types: What stands in annotations for a library's class, or a value, that is not known.
        notes: What was given up.
        marks: What is not complete about a native object, by its `id`; the object is kept, too.
    """

    def __init__(self, workspace: Workspace, poll: Callable[[], None] | None = None) -> None:
        self.budget = Budget(poll)
        self.hosts: dict[str, Value] = {}
        self.methods: dict[str, Callable[[Value, list[Value], dict[str, Value]], Value]] = {}
        self.makers: list[Callable[[Evaluator, Class], object]] = [classes.make_enum, classes.make_type]
        self.constructors: dict[type, Callable[..., Value]] = {}
        self.program = Program(self, workspace)
        self.uncertain: list[str] = []
        self.running: list[ast.AST] = []
        self.is_lenient = False
        self.decide: Callable[[Opaque], bool | None] = _undecided
        self.fork: Callable[[ast.If | ast.For | ast.AsyncFor, Frame], bool | None] = _unforked
        self.forks = 0
        self.toward: Toward | None = None
        self.watch: Callable[[Frame, ast.Call, Value], None] | None = None
        self.unknown_call: Callable[[Opaque, list[Value], dict[str, Value]], Value] = _unanswered
        self.native_attribute: Callable[[Class, str], Value] = classes.native_attribute
        self.class_changed: Callable[[Class, str, Value], None] = _unchanged
        self.made: dict[type, Class] = {}
        self.library_types: dict[str | Opaque, type] = {}
        self.stand_ins: dict[Class, type] = {}
        self.notes: list[Note] = []
        self.marks: dict[int, tuple[object, frozenset[str]]] = {}
        self.calls = 0
        self.calling: tuple[Frame, ast.Call] | None = None
        self._tainted: dict[int, Value] = {}
        self._place: tuple[Frame, ast.AST] | None = None

    # -- from outside ----------------------------------------------------------------------------------------------

    def run(
        self, function: Value, args: Sequence[Value] = (), keywords: dict[str, Value] | None = None
    ) -> Value:
        """Call something of the user's code. Raises nothing but what `poll` raises."""
        return self.guarded("", lambda: self.call(function, list(args), keywords or {}))

    def guarded(self, name: str, work: Callable[[], Value]) -> Value:
        """Do a piece of work with steps of its own; what it cannot do, or what it raises, gives an opaque value."""
        depth = len(self.uncertain)
        try:
            with self.budget.one():
                return work()
        except Exhausted as error:
            self.note(str(error))
        except RecursionError:
            self.note("too deep")
        except statements.CATCHABLE as error:
            if self.budget.interrupted is error:
                raise
            self.note(f"{type(error).__name__}: {error}")
        finally:
            del self.uncertain[depth:]
        return Opaque(name)

    def note(self, reason: str, node: ast.AST | None = None) -> None:
        """Remember that something was given up."""
        if len(self.notes) < MOST_NOTES:
            frame, at = self._place or (None, None)
            place = (frame.module.file_id, frame.chunk) if frame is not None else ("", None)
            self.notes.append(Note(reason[:200], *place, node or at))

    def at(self, frame: Frame, node: ast.AST) -> None:
        """Where the evaluation is, for notes."""
        self._place = (frame, node)

    def at_call(self, frame: Frame, node: ast.Call) -> None:
        """The call that is about to be made, its arguments known."""
        self.calling = (frame, node)

    @property
    def place(self) -> tuple[Frame, ast.AST] | None:
        """The statement that runs, with its frame."""
        return self._place

    def release(self) -> None:
        """Forget who watches, and how unknown conditions are settled."""
        self.release_fork()
        self.watch, self.unknown_call, self.toward = None, _unanswered, None

    def release_fork(self) -> None:
        """From now on both branches run where a condition is unknown."""
        self.fork = _unforked

    # -- what may be incomplete ------------------------------------------------------------------------------------

    def taint(self, container: Value) -> None:
        """A container was changed in a way that is not known."""
        self._tainted[id(container)] = container

    def is_tainted(self, container: Value) -> bool:
        """Whether the content of a container is not known any more."""
        return id(container) in self._tainted

    def mark(self, value: Value, reasons: frozenset[str]) -> None:
        """Something of a native object is not known."""
        if reasons:
            _, known = self.marks.get(id(value), (None, frozenset()))
            self.marks[id(value)] = (value, known | reasons)

    def marks_of(self, value: Value) -> frozenset[str]:
        """What is not known of a native object, in words."""
        return self.marks.get(id(value), (None, frozenset()))[1]

    # -- values ----------------------------------------------------------------------------------------------------

    def truth(self, value: Value) -> bool | None:
        """Whether a value counts as true; None when that is not known."""
        if isinstance(value, Opaque):
            return self.decide(value)
        if type(value) in (list, tuple, dict, set, frozenset):
            if self.is_tainted(value):
                return None
            return None if value and all(isinstance(item, Spread) for item in value) else bool(value)
        if type(value) in harmless.PLAIN:
            return bool(value)
        if isinstance(value, (Instance, Host)):
            return (
                None if isinstance(value, Instance) and value.cls.find("__bool__")[0] is not MISSING else True
            )
        # Statements, tables and columns have no truth in Python either; comparing them is what only the run would tell.
        return None if natives.is_clause(value) else True

    def iterate(self, value: Value) -> list[Value] | None:
        """What a loop over a value gives; None when it is not known."""
        if isinstance(value, (list, tuple)):
            found: list[Value] | None = list(value)
        elif isinstance(value, (dict, str, set, frozenset)):
            found = sorted(value, key=str) if isinstance(value, (set, frozenset)) else list(value)
        elif isinstance(value, enum.EnumMeta):
            found = list(value)
        elif isinstance(value, Class) and isinstance(value.native, enum.EnumMeta):
            found = list(value.native)
        elif isinstance(value, Host):
            found = value.items()  # type: ignore[assignment]
            found = list(found) if found is not None else None
        else:
            found = natives.iterate(value)
        if found is not None and len(found) > MOST_ITEMS:
            raise Exhausted("too many items")
        return None if self.is_tainted(value) else found

    def text_of(self, value: Value) -> Value:
        """`str(value)`."""
        if isinstance(value, enum.StrEnum):
            return str(value.value)
        if isinstance(value, natives.QUOTED):
            return str(value)
        if type(value) in (str, bool, float, type(None)) or (type(value) is int and abs(value) < 10**30):
            return str(value)
        if isinstance(value, (uuid.UUID, datetime.date, datetime.time, decimal.Decimal)):
            return str(value)
        return Opaque(value.name if isinstance(value, Opaque) else "str()")

    def is_instance(self, value: Value, cls: Value) -> bool | None:
        """`isinstance(value, cls)`; None when it is not known."""
        if isinstance(value, Host):
            return value.is_kind_of(cls)
        if isinstance(value, Opaque) or isinstance(cls, Opaque):
            return None
        if isinstance(value, Instance):
            return self.is_subclass(value.cls, cls)
        native = cls.native if isinstance(cls, Class) else cls
        if isinstance(native, type):
            return isinstance(value, native) if not isinstance(value, (Class, Function)) else None
        return False if isinstance(cls, Class) and harmless.is_data(value) else None

    def is_subclass(self, value: Value, cls: Value) -> bool | None:
        """`issubclass(value, cls)`; None when it is not known."""
        if isinstance(value, Class):
            if any(one is cls for one in value.mro):
                return True
            if isinstance(cls, Class) and cls.native is not None and cls.native in value.natives:
                return True
            return None if value.is_unknown() or isinstance(cls, Opaque) else False
        if isinstance(value, type) and isinstance(cls, type):
            return issubclass(value, cls)
        return None

    def attribute(self, value: Value, name: str) -> Value:
        """`value.name`.

        Raises:
            AttributeError: there surely is none.
        """
        self.budget.spend()
        if isinstance(value, Opaque):
            return (
                self.library_value(f"{value.dotted}.{name}", value)
                if value.dotted
                else Opaque(f"{value.name}.{name}")
            )
        if isinstance(value, Host):
            return value.get(name)
        if isinstance(value, Library):
            found = self.program.library(value.dotted, name)
            return Opaque(f"{value.dotted}.{name}", found.dotted) if isinstance(found, Opaque) else found
        if isinstance(value, (Module, Namespace)):
            return value.attribute(name)
        if isinstance(value, Class):
            return classes.class_attribute(self, value, name)
        if isinstance(value, Instance):
            return classes.instance_attribute(self, value, name)
        if isinstance(value, Super):
            return classes.super_attribute(self, value, name)
        if isinstance(value, (Function, Method)):
            return functions.attribute(self, value, name)
        if isinstance(value, (Native, NativeMethod)):
            return functions.part_of_library(value, name)
        method = self.methods.get(name)
        if method is not None and isinstance(value, SchemaEventTarget):
            return Native(name, lambda _, args, keywords: method(value, args, keywords))
        return natives.attribute(self, value, name)

    def library_value(self, dotted: str, base: Opaque) -> Value:
        """What is behind the dotted name of something opaque of a library."""
        return (
            self.hosts.get(dotted, MISSING)
            if dotted in self.hosts
            else Opaque(f"{base.name}.{dotted.rpartition('.')[2]}", dotted)
        )

    def set_attribute(self, target: Value, name: str, value: Value) -> None:
        """`target.name = value`."""
        if isinstance(target, Host):
            target.set(name, value)
        elif isinstance(target, Instance):
            target.attributes[name] = Opaque(name) if self.uncertain else value
        elif isinstance(target, Class):
            classes.set_class_attribute(self, target, name, value)
        elif isinstance(target, Function) and name.isidentifier():
            target.extra[name] = value

    def call(self, callee: Value, args: list[Value], keywords: dict[str, Value]) -> Value:
        """Call a value.

        Raises:
            Exhausted: there is more to do than is allowed.
            Exception: an exception of Python that the user's code would see, see `statements.CATCHABLE`.
        """
        self.budget.spend()
        self.calls += 1
        if isinstance(callee, Opaque):
            answer = self.unknown_call(callee, args, keywords)
            if answer is not MISSING:
                return answer
            return Opaque(f"{callee.name}()", f"{callee.dotted}()" if callee.dotted else "")
        if isinstance(callee, Native):
            return callee.call(self, args, keywords)
        if isinstance(callee, Function):
            return functions.call(self, callee, args, keywords)
        if isinstance(callee, Method):
            return functions.call(self, callee.function, [callee.receiver, *args], keywords)
        if isinstance(callee, NativeMethod):
            if harmless.is_data(callee.receiver):
                return functions.call_data_method(self, callee, args, keywords)
            return natives.call_method(self, callee.receiver, callee.name, args, keywords)
        if isinstance(callee, Class):
            return classes.instantiate(self, callee, args, keywords)
        if isinstance(getattr(callee, "__self__", None), Host):
            return functions.call_host(self, callee, args, keywords)
        if isinstance(callee, Instance):
            method, _ = callee.cls.find("__call__")
            return (
                self.call(Method(method, callee), args, keywords)
                if isinstance(method, Function)
                else Opaque("()")
            )
        handler = harmless.handler_of(callee)
        if handler is not None:
            return functions.shielded(self, callee.__name__, lambda: handler(self, args, keywords))
        return natives.call(self, callee, args, keywords)

    def evaluate(self, node: ast.expr, frame: Frame) -> Value:
        """The value of an expression."""
        return expressions.evaluate(self, node, frame)

    def make_class(
        self, name: str, bases: list[Value], namespace: dict[str, Value], keywords: dict[str, Value]
    ) -> Value:
        """`type(name, bases, namespace)`."""
        frame = self._place[0] if self._place else None
        if frame is None:
            return Opaque(name)
        made = Class(name, name, frame.module, bases, namespace)
        made.keywords, made.chunk = keywords, frame.chunk
        return classes.finish(self, made)


def _unforked(node: ast.If | ast.For | ast.AsyncFor, frame: Frame) -> bool | None:
    return None


def _unanswered(callee: Opaque, args: list[Value], keywords: dict[str, Value]) -> Value:
    return MISSING


def _unchanged(cls: Class, name: str, value: Value) -> None:
    """Nobody wants to know of attributes that are set behind a class."""


def _undecided(condition: Opaque) -> bool | None:
    return None
