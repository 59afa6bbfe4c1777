"""The modules of a project as the evaluator sees them: a name is evaluated when somebody asks for it, once.

The statements that bind a name run in their order, with the values of all other names at the end of their modules; a statement
runs once, whichever of its names is asked for first. Cycles give something opaque. What was read is recorded, so that whoever
keeps a result can tell which edits concern it. This module must never import anything.
"""

from __future__ import annotations

import ast
import os
import sys
from typing import TYPE_CHECKING

from sqlalchemy_guard.project.externals import canonical
from sqlalchemy_guard.project.workspace import File
from sqlalchemy_guard.sql import allowed, library, standins, statements
from sqlalchemy_guard.sql.bindings import COMPOUND, TYPING_ONLY, bound_names, inner_statements
from sqlalchemy_guard.sql.scopes import Frame
from sqlalchemy_guard.sql.values import MISSING, Class, Function, Instance, Library, Opaque, Value
from sqlalchemy_guard.text.document import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.sql.evaluator import Evaluator
    from sqlalchemy_guard.syntax.chunk import Chunk

MOST_RETRIES = 3
"""How often a name is evaluated again that was unknown because of a cycle."""
Statement = tuple["Chunk", ast.stmt]
_LIBRARIES = frozenset({"sqlalchemy", "alembic", "sqlmodel", "flask_sqlalchemy", *sys.stdlib_module_names})
_COLUMNS = frozenset({"Column", "mapped_column"})


class Program:
    """All modules of one evaluator.

    Attributes:
        read: The names of modules that were read, `(file, name)`; `""` stands for a module's statements that bind nothing.
        bodies: The functions that ran.
        cycles: How often a name was asked for while it was being evaluated.
        running: How many names are being evaluated, inside one another.
        provisional: The names that are unknown only as long as others are being evaluated.
        tables: The tables that were made, each with the chunk and the statement that made it.
    """

    def __init__(self, evaluator: Evaluator, workspace: Workspace) -> None:
        self._evaluator = evaluator
        self._workspace = workspace
        self._modules: dict[str, Module | None] = {}
        self.read: set[tuple[str, str]] = set()
        self.bodies: dict[int, Function] = {}
        self.cycles = 0
        self.running = 0
        self.provisional: list[tuple[Module, str]] = []
        self.tables: dict[int, tuple[Value, Frame, ast.AST]] = {}

    def module(self, file_id: str) -> Module | None:
        """The module of a file, None when it cannot be read."""
        if file_id not in self._modules:
            file = self._workspace.file(file_id)
            self._modules[file_id] = Module(self._evaluator, file, self._dotted(file_id)) if file else None
        return self._modules[file_id]

    def modules(self) -> list[Module]:
        """The modules that were asked for."""
        return [module for module in self._modules.values() if module is not None]

    def forget(self, kept: Mapping[str, set[str]]) -> None:
        """Forget all modules and names of modules but some."""
        self._modules = {
            file_id: module
            for file_id, module in self._modules.items()
            if module is not None and file_id in kept
        }
        for file_id, module in self._modules.items():
            if module is not None:
                module.forget(kept[file_id])

    def _dotted(self, file_id: str) -> str:
        return self._workspace.modules.dotted(file_id) if os.path.isabs(file_id) else file_id

    # -- what the evaluator tells ------------------------------------------------------------------------------------

    def entered(self, function: Function) -> None:
        """A function runs: what follows rests on its body."""
        self.bodies[id(function.node)] = function

    def extended(self, base: Class) -> None:
        """A class is extended: what follows rests on it."""
        self.read.add((base.module.file_id, base.qualname.partition(".")[0]))

    def made(self, table: Value) -> None:
        """A table was made by the statement that runs."""
        place = self._evaluator.place
        if place is not None and not isinstance(table, Opaque):
            self.tables.setdefault(id(table), (table, *place))

    def run_class_body(self, frame: Frame, body: Sequence[Statement]) -> None:
        """Run the statements of a class; one that fails leaves its names unknown and the others alone."""
        for chunk, statement in body:
            self.run_one(frame, chunk, statement)

    def run_one(self, frame: Frame, chunk: Chunk, statement: ast.stmt) -> None:
        """Run one statement of a module or class; when it raises, the names that it would have bound are unknown."""
        evaluator = self._evaluator
        try:
            statements.run(evaluator, [(chunk, statement)], frame)
        except statements.CATCHABLE as error:
            if statements.is_ours(evaluator, error):
                raise
            evaluator.note(f"{type(error).__name__}: {error}", statement)
            # What a column would have been is unknown as a column: its table has one more than is seen.
            dotted = "sqlalchemy.Column()" if _mentions(statement, _COLUMNS) else ""
            for name in bound_names(statement):
                frame.env.setdefault(name, Opaque(name, dotted))

    # -- imports -----------------------------------------------------------------------------------------------------

    def imported(self, dotted: str, module: Module) -> Value:
        """What `import dotted` binds when it is used under its whole name."""
        file_id = self._find(dotted, module)
        if file_id is not None:
            return self._found(file_id, dotted)
        # `import alembic.op as op`: a host may stand for a whole module.
        return self._evaluator.hosts.get(dotted) or Library(dotted)

    def _find(self, dotted: str, module: Module) -> str | None:
        """The file of a module of the project; a module of a package does not hide a library of its last name."""
        modules = self._workspace.modules
        file_id = modules.find(dotted, module.file_id)
        if file_id is not None and dotted.partition(".")[0] in _LIBRARIES and not file_id.endswith(os.sep):
            return file_id if modules.dotted(file_id) == dotted else None
        return file_id

    def _found(self, file_id: str, dotted: str) -> Value:
        if file_id.endswith(os.sep):
            return Namespace(self, file_id, dotted)
        found = self.module(file_id)
        return Opaque(dotted) if found is None else found

    def imported_name(self, dotted: str, name: str, module: Module) -> Value:
        """What `from dotted import name` binds.

        Raises:
            ImportError: a library that is known has no such name.
        """
        file_id = self._find(dotted, module)
        if file_id is None:
            return self.library(dotted, name)
        if not file_id.endswith(os.sep):
            source = self.module(file_id)
            found = source.get(name) if source is not None and source is not module else MISSING
            if found is not MISSING:
                return found
        inner = self._workspace.modules.submodule(file_id, name)
        if inner is not None:
            return self._found(inner, f"{dotted}.{name}")
        return Opaque(name)

    def star(self, dotted: str, name: str, module: Module) -> Value:
        """What `from dotted import *` binds to a name; MISSING when it does not."""
        file_id = self._find(dotted, module)
        if file_id is None:
            known = library.known(canonical(dotted, name))
            native = allowed.lookup(dotted, name) if known is MISSING else None
            return known if native is None else native
        source = None if file_id.endswith(os.sep) else self.module(file_id)
        return source.get(name) if source is not None and source is not module else MISSING

    def library(self, dotted: str, name: str) -> Value:
        """A name of a module outside the project: what a host or the allow-list has for it, else an opaque value."""
        full = canonical(dotted, name)
        hosts = self._evaluator.hosts
        for one in (full, f"{dotted}.{name}"):
            if one in hosts:
                return hosts[one]
        if (found := library.known(full)) is not MISSING:
            return found
        if (native := allowed.lookup(dotted, name)) is not None:
            return native
        if f"{dotted}.{name}" in allowed.MODULES:
            return Library(f"{dotted}.{name}")
        stand_in = self._stand_in(dotted.partition(".")[0])
        found = stand_in.get(name) if stand_in is not None and not name.startswith("_") else MISSING
        return Opaque(name, full) if found is MISSING else found

    def _stand_in(self, package: str) -> Module | None:
        """What is known of a well-known library, as a module; None for every other."""
        text = standins.SOURCES.get(package)
        if text is None:
            return None
        file_id = f"{standins.PREFIX}{package}"
        if file_id not in self._modules:
            file = File(file_id, Document.from_text(file_id, text))
            self._modules[file_id] = Module(self._evaluator, file, package)
        return self._modules[file_id]

    def submodule(self, file_id: str, name: str, dotted: str) -> Value:
        """A module inside a package; MISSING when there is none."""
        inner = self._workspace.modules.submodule(file_id, name)
        return MISSING if inner is None else self._found(inner, f"{dotted}.{name}")


class Namespace:
    """A folder of modules without a file of its own."""

    def __init__(self, program: Program, folder: str, dotted: str) -> None:
        self._program, self._folder, self._dotted = program, folder, dotted

    def attribute(self, name: str) -> Value:
        """A module in it."""
        found = self._program.submodule(self._folder, name, self._dotted)
        return Opaque(name) if found is MISSING else found


class Module:
    """A module of the project.

    Attributes:
        file: Its file.
        file_id: That file's id.
        document: The version that was read.
        may_yield: Whether the word stands anywhere in it: most modules have no generators to look for.
        name: Its dotted name.
    """

    def __init__(self, evaluator: Evaluator, file: File, name: str) -> None:
        self.file_id = file.file_id
        self.name = name
        self._evaluator = evaluator
        self.read_again(file)
        self._values: dict[str, Value] = {}
        self._running: set[str] = set()
        self._retries: dict[str, int] = {}
        self._ran: dict[int, dict[str, Value]] = {}

    def read_again(self, file: File) -> None:
        """Take the statements from a file as it is now; what was evaluated stays."""
        self.file = file
        self.document = file.document
        self.may_yield = "yield" in file.document.text
        self._cut = {
            id(chunk.body[0]): chunk
            for chunk in file.syntax.iter_chunks()
            if chunk.children is not None and chunk.body
        }
        self._binding: dict[str, list[Statement]] = {}
        self._stars: list[Statement] = []
        self._effects: list[Statement] = []
        for chunk in file.syntax.chunks:
            for statement in chunk.body:
                self._index(chunk, statement)

    def forget(self, kept: set[str]) -> None:
        """Forget the values of all names but some."""
        self._values = {name: value for name, value in self._values.items() if name in kept}
        self._retries.clear()
        self._ran.clear()

    def kept(self, name: str) -> Value:
        """The value of a name that was evaluated; MISSING for others."""
        return self._values.get(name, MISSING)

    def _index(self, chunk: Chunk, statement: ast.stmt) -> None:
        """Which names a statement of the module binds or changes."""
        names = bound_names(statement)
        for name in names:
            self._binding.setdefault(name, []).append((chunk, statement))
        for star in _stars(statement):
            self._stars.append((chunk, star))
        if not names:
            self._effects.append((chunk, statement))

    def body_of(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, chunk: Chunk | None
    ) -> list[Statement]:
        """The statements of a definition with their chunks, whether it was cut or not."""
        cut = self._cut.get(id(node))
        if cut is not None and cut.children is not None:
            return [(child, statement) for child in cut.children for statement in child.body]
        assert chunk is not None
        return [(chunk, statement) for statement in node.body]

    def names(self) -> list[str]:
        """The names that the module binds, imports among them, in source order."""
        return list(self._binding)

    def statements_of(self, name: str) -> list[Statement]:
        """The statements of the module that bind or change a name; for `""` those that bind nothing."""
        return list(self._binding.get(name, ()) if name else self._effects)

    def get(self, name: str) -> Value:
        """A name at the end of the module; MISSING when nothing binds it. Raises nothing but what `poll` raises."""
        if name in self._values:
            self._evaluator.program.read.add((self.file_id, name))
            return self._values[name]
        evaluator = self._evaluator
        evaluator.program.read.add((self.file_id, name))
        if name in self._running:
            evaluator.program.cycles += 1
            return Opaque(name)
        if name not in self._binding:
            return self._from_stars(name)
        self._running.add(name)
        program = evaluator.program
        program.running += 1
        cycles = program.cycles
        place, uncertain = evaluator.place, evaluator.uncertain
        evaluator.uncertain = []
        try:
            value = evaluator.guarded(name, lambda: self._evaluate(name))
        finally:
            evaluator.uncertain = uncertain
            self._running.discard(name)
            program.running -= 1
            if not program.running and program.provisional:
                for module, one in program.provisional:
                    module.ask_again(one)
                program.provisional.clear()
            if place is not None:
                evaluator.at(*place)
        if cycles != program.cycles and _is_unknown(value) and self._retries.get(name, 0) < MOST_RETRIES:
            # It met itself, or a name that still runs: asked for again later, it may be known.
            self._retries[name] = self._retries.get(name, 0) + 1
            self._take_back(name)
            return value
        self._values[name] = value
        if cycles != program.cycles and _is_unknown(value) and program.running:
            program.provisional.append((self, name))
        return value

    def _take_back(self, name: str) -> None:
        for _, statement in self._binding[name]:
            self._ran.pop(id(statement), None)

    def ask_again(self, name: str) -> None:
        """A name was unknown only because others were being evaluated: whoever asks from now on has it evaluated."""
        self._values.pop(name, None)
        self._retries.pop(name, None)
        self._take_back(name)

    def _evaluate(self, name: str) -> Value:
        value: Value = MISSING
        self._evaluator.budget.descend()
        try:
            for chunk, statement in self._binding[name]:
                env = self._ran.get(id(statement))
                if env is None:
                    frame = Frame(self, None, chunk)
                    if value is not MISSING:
                        frame.env[name] = value
                    self._ran[id(statement)] = frame.env
                    self._evaluator.program.run_one(frame, chunk, statement)
                    self._ran[id(statement)] = env = frame.env
                if name in env:
                    value = env[name]
            if value is MISSING or isinstance(value, (Opaque, Instance)):
                seen = self._for_type_checkers(name)
                if value is MISSING or isinstance(seen, (Module, Class)):
                    # A name that is loaded late, by an object that only the run understands.
                    return seen
            return value
        finally:
            self._evaluator.budget.ascend()

    def _for_type_checkers(self, name: str) -> Value:
        """A name that only type checkers see bound: what they see, as when the module gives it by `__getattr__`."""
        for chunk, statement in self._binding[name]:
            if isinstance(statement, ast.If) and ast.unparse(statement.test) in TYPING_ONLY:
                for inner in statement.body:
                    if name in bound_names(inner):
                        frame = Frame(self, None, chunk)
                        self._evaluator.program.run_one(frame, chunk, inner)
                        return frame.env.get(name, MISSING)
        return MISSING

    def _from_stars(self, name: str) -> Value:
        """A name that a star import may bring."""
        if name.startswith("__"):
            return MISSING
        program = self._evaluator.program
        for _, statement in reversed(self._stars):
            assert isinstance(statement, ast.ImportFrom)
            dotted = "." * statement.level + (statement.module or "")
            self._running.add(name)
            try:
                found = program.star(dotted, name, self)
            finally:
                self._running.discard(name)
            if found is not MISSING:
                self._values[name] = found
                return found
        return MISSING

    def attribute(self, name: str) -> Value:
        """`module.name`."""
        found = self.get(name)
        if found is MISSING and name == "__name__":
            return self.name
        if found is MISSING:
            found = self._evaluator.program.submodule(self.file_id, name, self.name)
        return Opaque(f"{self.name.rpartition('.')[2]}.{name}") if found is MISSING else found

    def run_effects(self, wanted: frozenset[str]) -> None:
        """Run the statements of the module that bind nothing and mention one of some names: `Table(…)`, loops over tables."""
        self._evaluator.program.read.add((self.file_id, ""))
        for chunk, statement in self._effects:
            if id(statement) in self._ran or not _mentions(statement, wanted):
                continue
            frame = Frame(self, None, chunk)
            self._ran[id(statement)] = frame.env
            self._evaluator.guarded("", lambda: self._evaluator.program.run_one(frame, chunk, statement))  # noqa: B023


def _is_unknown(value: Value) -> bool:
    return isinstance(value, Opaque) or (
        isinstance(value, Class) and value.native is None and value.is_unknown()
    )


def _mentions(statement: ast.stmt, wanted: frozenset[str]) -> bool:
    return any(
        (isinstance(node, ast.Name) and node.id in wanted)
        or (isinstance(node, ast.Attribute) and node.attr in wanted)
        for node in ast.walk(statement)
    )


def _stars(statement: ast.stmt) -> Iterator[ast.ImportFrom]:
    if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
        yield statement
    elif isinstance(statement, COMPOUND):
        for inner in inner_statements(statement):
            yield from _stars(inner)
