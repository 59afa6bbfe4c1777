"""The workspace: which files there are, their facts, and who depends on whose.

Files are analysed when somebody asks for them; an open document overrides the disk. Background indexing is a generator of
small steps, so that a front end can run it in the gaps between keystrokes. This module must never touch LSP objects.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.file import FileFacts
from sqlalchemy_guard.facts.lookups import BOUND, CLASS, NOTED, STORED, possible_answers
from sqlalchemy_guard.facts.values import Const, Param
from sqlalchemy_guard.project.modules import Modules
from sqlalchemy_guard.project.resolve import Key, Resolver
from sqlalchemy_guard.syntax.syntax import Syntax
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.vfs import Skipped, Vfs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from sqlalchemy_guard.config import Settings, SettingsStore
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.types import ClassRef
    from sqlalchemy_guard.text.document import LineEdit

RELEVANT = ("sqlalchemy", "sqlmodel", "session", "alembic", "db.", "Base", "models")
"""A file without any of these words has nothing to say to the rules and is not parsed while indexing."""


class File:
    """A file of the workspace.

    Attributes:
        file_id: Absolute canonical path, or the URI of a document that is no file.
        document: The version that was analysed.
        dirty: Names whose outline changed since the checker last looked.
    """

    def __init__(self, file_id: str, document: Document) -> None:
        self.file_id = file_id
        self.document = document
        self.syntax = Syntax(document)
        self.facts = FileFacts(self.syntax.chunks)

    def update(self, document: Document, line_edits: Sequence[LineEdit]) -> set[str]:
        """Follow the document; returns the names whose outline changed."""
        self.document = document
        change = self.syntax.update(document, line_edits)
        return self.facts.update(self.syntax.chunks, change)


class Workspace:
    """All folders of one client or of one run of the command line.

    Args:
        folders: Absolute paths.
        vfs: The disk.
        settings: The settings of every file.
    """

    def __init__(self, folders: list[str], vfs: Vfs, settings: SettingsStore) -> None:
        self.folders = list(folders)
        self.vfs = vfs
        self.settings = settings
        self.modules = Modules(self.folders, vfs.names, self._source_roots)
        self.resolver = Resolver(self)
        self.documents: dict[str, Document] = {}
        self.skipped: dict[str, str] = {}
        self._files: dict[str, File | None] = {}
        self._open: set[str] = set()
        self.consulted: set[str] = set()
        self._classes: dict[str, dict[str, None]] = {}
        self._shelf: dict[Key, list[str]] = {}
        self._shelved: set[str] = set()
        self._answers: dict[str, frozenset[Key]] = {}
        self._binders: dict[str, set[str]] = {}
        self._asked: set[Key] = set()
        self._counted: set[str] | None = None
        self._recent: dict[str, int] = {}
        self._shed: set[str] = set()
        self._stored: dict[str, dict[str, list[Value]]] = {}

    # -- files -----------------------------------------------------------------------------------------------------

    def file(self, file_id: str) -> File | None:
        """The file with its facts, analysed on demand; None when it cannot be read (`skipped` tells why)."""
        self.consulted.add(file_id)
        if file_id in self._files:
            if file_id in self._recent:
                self._recent[file_id] = self._recent.pop(file_id)
            return self._files[file_id]
        source = self.vfs.read(file_id)
        if isinstance(source, Skipped):
            self.skipped[file_id] = source.reason
            self._files[file_id] = None
            return None
        self.skipped.pop(file_id, None)
        return self._analyse(file_id, Document.from_text(file_id, source.text))

    def _analyse(self, file_id: str, document: Document) -> File:
        file = File(file_id, document)
        self._files[file_id] = file
        self.documents[file_id] = document
        self._recent[file_id] = len(document.lines)
        if file_id in self._shed:
            # What it answers is known, and has not changed.
            self._shed.discard(file_id)
        else:
            self._note(file)
        return file

    def shed(self, most: int, least: int) -> bool:
        """Forget the syntax and facts of the files that were not consulted for longest, when there are too many. They are
        analysed again when somebody asks for them; for runs in which no file changes.

        Args:
            most: From how many lines of files in memory on, open documents aside.
            least: How many lines to keep then.

        Returns:
            Whether something was forgotten. It is held by cycles: memory is free after a collection.
        """
        total = sum(self._recent.values())
        if total <= most:
            return False
        for file_id in list(self._recent):
            if total <= least:
                break
            total -= self._recent.pop(file_id)
            if file_id not in self._open:
                self._files.pop(file_id, None)
                self.documents.pop(file_id, None)
                self._shed.add(file_id)
        return True

    def open(self, file_id: str, document: Document) -> None:
        """An editor's text overrides the disk."""
        self._open.add(file_id)
        if os.path.isabs(file_id) and self.modules.add_virtual(file_id):
            self.resolver.changed({(self._module_key(file_id), "")})
        self._replace(file_id, document)

    def is_open(self, file_id: str) -> bool:
        """Whether an editor's text overrides the disk."""
        return file_id in self._open

    def change(self, file_id: str, document: Document, line_edits: Sequence[LineEdit]) -> set[str]:
        """The next version of an open document; returns the names whose meaning to others changed."""
        file = self._files.get(file_id)
        if file is None:
            self.open(file_id, document)
            return set()
        self.documents[file_id] = document
        changed = file.update(document, line_edits)
        if changed:
            self._note(file)
            self.resolver.changed({(file_id, name) for name in changed})
        return changed

    def close(self, file_id: str) -> None:
        """The disk counts again."""
        self._open.discard(file_id)
        self.changed_on_disk([file_id])

    def changed_on_disk(self, file_ids: Sequence[str]) -> None:
        """Files were created, changed or deleted; open documents keep the editor's text."""
        self.modules.forget()
        keys: set[Key] = set()
        for file_id in file_ids:
            keys.add((self._module_key(file_id), ""))
            if file_id in self._open:
                continue
            old = self._files.pop(file_id, None)
            self.documents.pop(file_id, None)
            before = old.facts.outlines if old is not None else {}
            fresh = self.file(file_id) if old is not None else None
            after = fresh.facts.outlines if fresh is not None else {}
            keys.update(
                (file_id, name)
                for name in before.keys() | after.keys()
                if before.get(name) != after.get(name)
            )
        self.resolver.changed(keys)

    def _replace(self, file_id: str, document: Document) -> None:
        old = self._files.get(file_id)
        before = old.facts.outlines if old is not None else {}
        if old is not None and old.document.text == document.text:
            old.document = old.syntax.document = document
            self.documents[file_id] = document
            return
        after = self._analyse(file_id, document).facts.outlines
        self.resolver.changed(
            {(file_id, name) for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        )

    def _module_key(self, file_id: str) -> str:
        return self.modules.dotted(file_id) if os.path.isabs(file_id) else file_id

    def _source_roots(self, file_id: str) -> tuple[str, ...]:
        return self.settings.for_file(file_id).source_roots() if os.path.isabs(file_id) else ()

    def settings_for(self, file_id: str) -> Settings:
        """The settings in force for a file."""
        return self.settings.for_file(file_id)

    # -- the workspace as a whole ----------------------------------------------------------------------------------

    def classes_named(self, name: str, near: str) -> list[ClassRef]:
        """Classes of that name in the files that were analysed, those in the nearest folders first."""
        self._asks((CLASS, name))
        found: list[tuple[int, str, str]] = []
        for file_id in list(self._classes.get(name, ())):
            file = self.file(file_id)
            if file is None:
                continue
            for qualname in file.facts.classes:
                if qualname.rpartition(".")[2] == name:
                    common = _shared_folders(file_id, near)
                    found.append((-common, file_id, qualname))
        return [(file_id, qualname) for _, file_id, qualname in sorted(found)]

    def stored_attributes(self, name: str) -> Iterator[tuple[Value, File]]:
        """What known files assign to attributes of that name of objects that are not their own `self`."""
        self._asks((STORED, name))
        # Resolving one may load further files, and with them further assignments.
        for file_id, values in list(self._stored.get(name, {}).items()):
            file = self.file(file_id)
            if file is not None:
                for value in values:
                    yield value, file

    def binds(self, name: str) -> bool:
        """Whether a known file binds a name of `NOTED` at its top level."""
        self._asks((BOUND, name))
        return bool(self._binders.get(name))

    def _asks(self, key: Key) -> None:
        """Somebody looks for a name in all files: what is on the shelf and has it is read now."""
        self.resolver.keys.add(key)
        self._asked.add(key)
        for file_id in self._shelf.pop(key, ()):
            self.file(file_id)

    def shelve(self, file_id: str, answers: Iterable[Key]) -> None:
        """Make a file known that was analysed in an earlier run and is unchanged: it is read when somebody asks for it,
        or looks for a name that it has.

        Args:
            file_id: The file.
            answers: What `answers` said of it then.
        """
        for key in answers:
            self._shelf.setdefault(key, []).append(file_id)
            self._shelved.add(file_id)

    def answers(self, file_id: str) -> frozenset[Key]:
        """The look-ups by name, over all files, to which a file has an answer, or may have one if it is on the shelf."""
        return self._answers.get(file_id, frozenset())

    def _note(self, file: File) -> None:
        """Keep the indexes by name in step with a file that was analysed anew."""
        if self._counted is not None and file.file_id not in self._counted:
            return
        before = self._answers.pop(file.file_id, frozenset())
        for kind, name in before:
            if kind == STORED:
                self._stored.get(name, {}).pop(file.file_id, None)
            elif kind == BOUND:
                self._binders.get(name, set()).discard(file.file_id)
        answers: set[Key] = {(BOUND, name) for name in NOTED if name in file.facts.names}
        for _, name in answers:
            self._binders.setdefault(name, set()).add(file.file_id)
        for qualname in file.facts.classes:
            name = qualname.rpartition(".")[2]
            answers.add((CLASS, name))
            self._classes.setdefault(name, {})[file.file_id] = None
        for base, name, _, value in file.facts.attribute_sets:
            if not (type(base) is Param and base.name in ("self", "cls")) and type(value) is not Const:
                answers.add((STORED, name))
                self._stored.setdefault(name, {}).setdefault(file.file_id, []).append(value)
        if answers:
            self._answers[file.file_id] = frozenset(answers)
        changed = (before ^ answers) | {key for key in answers if key[0] == STORED}
        # What comes from the shelf was read before the first answer to any look-up that it answers.
        if file.file_id not in self._shelved and not self._asked.isdisjoint(changed):
            self.resolver.changed(self._asked & changed)

    def dependents(self, file_id: str) -> set[str]:
        """Known files that import this one, directly or through others."""
        importers: dict[str, set[str]] = {}
        for other_id, other in self._files.items():
            if other is None:
                continue
            for module in other.facts.imported_modules():
                target = self.modules.find(module, other_id)
                if target is not None:
                    importers.setdefault(target, set()).add(other_id)
                    for name in other.facts.names:
                        inner = self.modules.submodule(target, name)
                        if inner is not None:
                            importers.setdefault(inner, set()).add(other_id)
        found: set[str] = set()
        todo = [file_id]
        while todo:
            for importer in importers.get(todo.pop(), ()):
                if importer not in found:
                    found.add(importer)
                    todo.append(importer)
        found.discard(file_id)
        return found

    def discover(self) -> list[str]:
        """The Python files of the workspace's folders."""
        return [found for found in self.vfs.discover(self.folders, self.settings) if isinstance(found, str)]

    def index_steps(self) -> Iterator[tuple[int, int]]:
        """Analyse the workspace file by file; yields (done, total) after each. Stop asking to cancel."""
        files = self.discover()
        for done, file_id in enumerate(files, 1):
            if file_id not in self._files:
                source = self.vfs.read(file_id)
                if isinstance(source, Skipped):
                    self.skipped[file_id] = source.reason
                elif any(word in source.text for word in RELEVANT):
                    self._analyse(file_id, Document.from_text(file_id, source.text))
            yield done, len(files)

    def survey_steps(self, files: Sequence[str], asked: Collection[str]) -> Iterator[tuple[int, int]]:
        """Analyse those files that will be checked, put the others on the shelf by what they may answer; yields (done, total)
        after each.

        No other file counts from now on when a name is looked for in all files, so that the results do not depend on the
        order in which files are checked, nor on which.
        """
        self._counted = set(self._shelved)
        for done, file_id in enumerate(files, 1):
            source = self.vfs.read(file_id)
            if isinstance(source, Skipped):
                self.skipped[file_id] = source.reason
            elif any(word in source.text for word in RELEVANT):
                answers = None if file_id in asked else possible_answers(source.text)
                self._counted.add(file_id)
                if answers is None:
                    self._analyse(file_id, Document.from_text(file_id, source.text))
                else:
                    self._answers[file_id] = answers
                    self.shelve(file_id, answers)
            yield done, len(files)


def _shared_folders(one: str, other: str) -> int:
    """How many leading folders two files share."""
    shared = 0
    for left, right in zip(one.split(os.sep)[:-1], other.split(os.sep)[:-1], strict=False):
        if left != right:
            break
        shared += 1
    return shared
