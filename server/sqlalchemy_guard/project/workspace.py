"""The workspace: which files there are, their facts, and who depends on whose.

Files are analysed when somebody asks for them; an open document overrides the disk. Background indexing is a generator of
small steps, so that a front end can run it in the gaps between keystrokes. This module must never touch LSP objects.
"""

from __future__ import annotations

import os
from itertools import chain, takewhile
from typing import TYPE_CHECKING

from sqlalchemy_guard.documents.kinds import kind_of
from sqlalchemy_guard.facts.file import FileFacts
from sqlalchemy_guard.facts.units import REPLACED, WHOLE
from sqlalchemy_guard.facts.values import same
from sqlalchemy_guard.project.index import CALLED, CLASSES, IMPORTS, STORED, Index
from sqlalchemy_guard.project.mapping import Mappings
from sqlalchemy_guard.project.mentions import RELATED, Mentions
from sqlalchemy_guard.project.modules import Modules
from sqlalchemy_guard.project.resolve import MODULES, Key, Resolver
from sqlalchemy_guard.project.target import VERSIONS, tells_versions
from sqlalchemy_guard.project.words import WORD, Words
from sqlalchemy_guard.syntax.syntax import Syntax
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.vfs import Skipped, Vfs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy_guard.config import Settings, SettingsStore
    from sqlalchemy_guard.facts.values import Call, Value
    from sqlalchemy_guard.project.types import ClassRef
    from sqlalchemy_guard.text.document import LineEdit
    from sqlalchemy_guard.vfs.git import GitFolder

MOST_ASIDE = 40
"""So many files that have nothing to say to the rules are analysed at most because they name something."""

RELEVANT = ("sqlalchemy", "sqlmodel", "session", "alembic", "db.", "Base", "models")
"""A file without any of these words has nothing to say to the rules and is not parsed while indexing."""


class File:
    """A file of the workspace.

    Attributes:
        file_id: Absolute canonical path, or the URI of a document that is no file.
        document: The version that was analysed.
    """

    def __init__(self, file_id: str, document: Document, syntax: Syntax | None = None) -> None:
        self.file_id = file_id
        self.document = document
        self.syntax = syntax or Syntax(document)
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

    Attributes:
        READ: The key of what rests on `is_read` or `is_reading`.
        LISTED: `(LISTED, folder)` is the key of what rests on the names in a folder.
        TEXT: `(TEXT, file id)` is the key of what rests on the text of a file that is not Python.
        GIT: The key of what rests on the index or the branches of Git.
        PLAIN: The key of what rests on which documents there are that are not Python.
        is_read: Whether all files were read once: until then what is found nowhere may still come.
        is_interactive: Whether somebody types: what takes long is done beside the checks then, never for one.
        is_reading: Whether an index was begun that did not come to its end.
    """

    READ: Key = ("*read", "")
    LISTED = "*listed"
    TEXT = "*text"
    GIT: Key = ("*git", "")
    PLAIN: Key = ("*plain", "")

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
        self._plain: dict[str, None] = {}
        self._git: dict[str, tuple[object, GitFolder | None]] = {}
        self._disk_changes = 0
        self.is_read = self.is_reading = False
        self.is_interactive = False
        self._index = Index(self.modules)
        self._mentions = Mentions()
        self._words = Words(vfs.read_text)
        self.mappings = Mappings(self.resolver, self)

    # -- files -----------------------------------------------------------------------------------------------------

    def file(self, file_id: str) -> File | None:
        """The file with its facts, analysed on demand; None when it cannot be read (`skipped` tells why)."""
        if file_id in self._files:
            return self._files[file_id]
        source = self.vfs.read(file_id)
        if isinstance(source, Skipped):
            self.skipped[file_id] = source.reason
            self._files[file_id] = None
            return None
        return self._keep(File(file_id, Document.from_text(file_id, source.text)))

    def _keep(self, file: File) -> File:
        """Take a file that was analysed; whatever rests on what the index gives for its names is looked at again."""
        file_id = file.file_id
        self.skipped.pop(file_id, None)
        self._files[file_id] = file
        self.documents[file_id] = file.document
        self.resolver.changed(self._index.learn(file_id, file.facts))
        self.resolver.changed(self._mentions.learn(file_id, file.facts, file.document.lines))
        self.resolver.changed(self._words.learn(file_id, file.document.text))
        return file

    def open(self, file_id: str, document: Document) -> None:
        """An editor's text overrides the disk."""
        self._open.add(file_id)
        if kind_of(file_id) is not None and not _is_python(file_id):
            self._take_plain(file_id, document)
            return
        if os.path.isabs(file_id) and self.modules.add_virtual(file_id):
            self._modules_changed([file_id])
        old = self._files.get(file_id)
        if old is not None and old.document.text == document.text:
            old.document = old.syntax.document = document
            self.documents[file_id] = document
            return
        self._replace(file_id, old, File(file_id, document))

    def _take_plain(self, file_id: str, document: Document) -> None:
        """The text of an open document that is not Python."""
        old = self.documents.get(file_id)
        self.documents[file_id] = document
        keys: set[Key] = set()
        if os.path.isabs(file_id) and self.modules.add_virtual(file_id):
            keys.add((self.LISTED, os.path.dirname(file_id)))
        if file_id not in self._plain:
            self._plain[file_id] = None
            keys.add(self.PLAIN)
        if old is None or old.text != document.text:
            keys.add((self.TEXT, file_id))
        self.resolver.changed(keys)

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
        turned = list(_turned(file.document, document, line_edits))
        changed = file.update(document, line_edits)
        self.resolver.changed(self._words.update(file_id, lambda: document.text, turned))
        if changed:
            keys = self._index.update(file_id, file.facts, changed)
            keys.update([(file_id, name) for name in changed])
            keys |= self._mentions.update(file_id, file.facts, changed, turned)
            self.resolver.changed(keys)
        return changed - {WHOLE}

    def close(self, file_id: str) -> None:
        """The disk counts again."""
        self._open.discard(file_id)
        if os.path.isabs(file_id):
            self.modules.remove_virtual(file_id)
        self.changed_on_disk([file_id])

    def changed_on_disk(self, file_ids: Sequence[str]) -> None:
        """Files or whole folders were created, changed or deleted; open documents keep the editor's text."""
        self._disk_changes += 1
        listed = {file_id: self.modules.is_listed(file_id) for file_id in file_ids if os.path.isabs(file_id)}
        self.modules.forget()
        moved = [
            file_id
            for file_id, was_there in listed.items()
            if was_there is None or was_there != self.modules.is_listed(file_id)
        ]
        if moved:
            self._modules_changed(moved)
        self.resolver.changed({(self.TEXT, file_id) for file_id in file_ids if not _is_python(file_id)})
        if any(map(tells_versions, file_ids)):
            self.resolver.changed({VERSIONS})
        self._plain_on_disk([file_id for file_id in file_ids if kind_of(file_id) is not None])
        wanted = dict.fromkeys(file_ids)
        for file_id in file_ids:
            if not _is_python(file_id):
                below = file_id.rstrip(os.sep) + os.sep
                wanted.update(dict.fromkeys(known for known in self._files if known.startswith(below)))
        for file_id in file_ids:
            if file_id.endswith(".py") and file_id not in self._files:
                self.resolver.changed(self._words.renew_aside(file_id))
        for file_id in wanted:
            if file_id not in self._open and (file_id in self._files or file_id in self.documents):
                self.documents.pop(file_id, None)
                known = file_id in self._files
                old = self._files.pop(file_id, None)
                source = self.vfs.read(file_id) if known else None
                if isinstance(source, Skipped):
                    self.skipped[file_id] = source.reason
                    self._replace(file_id, old, None)
                elif source is not None:
                    self._replace(file_id, old, File(file_id, Document.from_text(file_id, source.text)))

    def _plain_on_disk(self, file_ids: Sequence[str]) -> None:
        """Documents that are not Python may have come or gone."""
        for file_id in file_ids:
            there = file_id in self._open or self.vfs.exists(file_id)
            if there != (file_id in self._plain):
                self.resolver.changed({self.PLAIN})
                if there:
                    self._plain[file_id] = None
                else:
                    del self._plain[file_id]

    def _replace(self, file_id: str, old: File | None, fresh: File | None) -> None:
        """Take another analysis of a file, None when it cannot be read any more."""
        before = old.facts.outlines if old is not None else {}
        after = fresh.facts.outlines if fresh is not None else {}
        if old is not None:
            old.syntax.retire()
        if fresh is not None:
            self._keep(fresh)
        else:
            self._files[file_id] = None
            self.resolver.changed(
                self._index.forget(file_id) | self._mentions.forget(file_id) | self._words.forget(file_id)
            )
        self.resolver.changed(
            {
                (file_id, name)
                for name in before.keys() | after.keys()
                if not same(before.get(name), after.get(name))
            }
            | {(file_id, f"*body.{name}") for name in (old.facts.watched if old is not None else ())}
            | {(file_id, f"*flow.{name}") for name in (old.facts.followed if old is not None else ())}
            | {(file_id, WHOLE), (file_id, REPLACED)}
        )

    def _modules_changed(self, file_ids: Sequence[str]) -> None:
        """These files or folders came or went: what was imported by any part of their names may be found elsewhere."""
        parts = {part for file_id in file_ids for part in self.modules.parts(file_id)}
        folders = {os.path.dirname(file_id) for file_id in file_ids}
        self.resolver.changed(
            {(MODULES, part) for part in parts} | {(self.LISTED, folder) for folder in folders}
        )
        self._index.modules_changed()

    def _source_roots(self, file_id: str) -> tuple[str, ...]:
        return self.settings.for_file(file_id).source_roots() if os.path.isabs(file_id) else ()

    def settings_for(self, file_id: str) -> Settings:
        """The settings in force for a file."""
        return self.settings.for_file(file_id)

    def names_in(self, folder: str) -> frozenset[str]:
        """The names of what is in a folder, open documents that were never saved included."""
        self.resolver.keys.add((self.LISTED, folder))
        return self.modules.names(folder)

    def text_of(self, file_id: str) -> str | None:
        """The text of a file that is not Python: the editor's where it is open; None when it cannot be read."""
        self.resolver.keys.add((self.TEXT, file_id))
        document = self.documents.get(file_id)
        return document.text if document is not None else self.vfs.read_text(file_id)

    def plain_documents(self) -> list[str]:
        """The documents of the workspace that are not Python and of a kind that matters; known once all files were read."""
        self.resolver.keys.update((self.PLAIN, self.READ))
        return sorted(self._plain)

    def git(self, folder: str) -> GitFolder | None:
        """What Git knows of a folder, as of the last look at it; None outside a working tree."""
        if folder not in self._git:
            self._git[folder] = (self.vfs.git_state(folder), self.vfs.git(folder))
        self.resolver.keys.add(self.GIT)
        return self._git[folder][1]

    def look_at_git(self) -> bool:
        """See whether Git knows something else by now: a matter of a few stamps. True when it may."""
        changed = [folder for folder, (state, _) in self._git.items() if self.vfs.git_state(folder) != state]
        for folder in changed:
            del self._git[folder]
        if changed:
            self.resolver.changed({self.GIT})
        return bool(changed)

    # -- the workspace as a whole ----------------------------------------------------------------------------------

    def classes_named(self, name: str, near: str) -> list[ClassRef]:
        """Classes of that name in the files that were analysed, those in the nearest folders first."""
        self.resolver.keys.add((CLASSES, name))
        home = os.path.dirname(near).split(os.sep)

        def distance(found: tuple[str, str]) -> tuple[int, str, str]:
            file_id, qualname = found
            folder = os.path.dirname(file_id).split(os.sep)
            shared = sum(
                1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(home, folder, strict=False))
            )
            return -shared, file_id, qualname

        return [*sorted(self._index.classes_named(name), key=distance)]

    def stored_attributes(self, name: str) -> Iterator[tuple[Value, Value, File]]:
        """What known files assign to attributes of that name, and of which objects, none of which is their own `self`: object,
        value, and their file."""
        self.resolver.keys.add((STORED, name))
        # Resolving one may load further files, and with them further assignments.
        for base, value, file_id in self._index.stored(name):
            file = self._files.get(file_id)
            if file is not None:
                yield base, value, file

    def calls_of(self, name: str, home: str | None) -> Iterator[tuple[Call, File]]:
        """The calls with arguments of something of that last name in known files.

        Args:
            name: The last name of what is called.
            home: Look only into this file and those that import it, themselves or through others.
        """
        self.resolver.keys.add((CALLED, name))
        near: set[str] | None = None
        if home is not None:
            self.resolver.keys.add((IMPORTS, ""))
            near = {home, *self._index.dependents(home)}
        for file_id in self._index.calling(name):
            file = self._files.get(file_id) if near is None or file_id in near else None
            if file is not None:
                for call in file.facts.calls_of(name):
                    yield call, file

    def mentioning(self, key: Key) -> list[File]:
        """The known files that say something about classes of a name (see `mentions`)."""
        self.resolver.keys.add(key)
        found = (self._files.get(file_id) for file_id in self._mentions.files(key))
        return [file for file in found if file is not None]

    def naming(self, word: str) -> tuple[list[File], bool]:
        """The files of the workspace that have a word in their text, and whether these are all of them.

        Files that have nothing to say by themselves are analysed for it, unless they are too many.
        """
        self.resolver.keys.add((WORD, word))
        known = ((file.file_id, file.document.text) for file in self.known_files())
        analysed, aside = self._words.files(word, known)
        is_all = len(aside) <= MOST_ASIDE
        wanted = [*analysed, *aside] if is_all else analysed
        return [file for file_id in wanted if (file := self.file(file_id)) is not None], is_all

    def related_names(self) -> frozenset[str]:
        """The names that relationships and properties have in known files."""
        self.resolver.keys.add((RELATED, ""))
        return self._mentions.related_names()

    def dependents(self, file_id: str) -> set[str]:
        """Known files that import this one, in functions as well, directly or through others.

        Revisions import nothing of each other, nor of what configures them, and rest on it all the same.
        """
        found = self._index.dependents(file_id)
        file = self._files.get(file_id)
        if file is not None:
            is_theirs = "down_revision" in file.facts.names
        else:
            is_theirs = not _is_python(file_id) or os.path.basename(os.path.dirname(file_id)) == "versions"
        if is_theirs or os.path.basename(file_id) == "env.py":
            found |= {each.file_id for each in self.known_files() if "down_revision" in each.facts.names}
        return found

    def imports_of(self, file_id: str) -> set[str]:
        """The files that a file imports, in functions as well, directly or through others; without the file itself."""
        self.resolver.keys.add((IMPORTS, ""))
        found: set[str] = set()
        todo = [file_id]
        while todo:
            current = todo.pop()
            # Those that have nothing to say to the rules are links of the chain as well.
            if self.file(current) is not None:
                fresh = self._index.targets_of(current) - found
                found |= fresh
                todo.extend(fresh)
        return found - {file_id}

    def known_files(self) -> Iterator[File]:
        """Every file that was analysed."""
        return (file for file in self._files.values() if file is not None)

    def discover(self) -> list[str]:
        """What is read of the workspace's folders: Python files, and documents that are not Python."""
        walked = self.vfs.discover(self.folders, self.settings, kind_of)
        return [found for found in walked if isinstance(found, str)]

    def index_steps(self) -> Iterator[tuple[int, int]]:
        """Analyse the workspace step by step; yields (done, total) after each. Stop asking to cancel."""
        self.is_reading = True
        self.resolver.changed({self.READ})
        return self._index_steps()

    def _index_steps(self) -> Iterator[tuple[int, int]]:
        files: list[str] = []
        for found in self.vfs.discover(self.folders, self.settings, kind_of):
            if isinstance(found, str):
                if kind_of(found) is not None:
                    self._plain[found] = None
                if not _is_python(found):
                    continue
                files.append(found)
                if len(files) % 16 == 0:
                    yield 0, len(files)
        for done, file_id in enumerate(files, 1):
            changes = self._disk_changes
            if file_id not in self._files:
                source = self.vfs.read(file_id)
                if isinstance(source, Skipped):
                    self.skipped[file_id] = source.reason
                elif any(word in source.text for word in RELEVANT):
                    syntax = Syntax(Document.from_text(file_id, source.text))
                    yield done - 1, len(files)
                    file = File(file_id, syntax.document, syntax)
                    yield done - 1, len(files)
                    if changes != self._disk_changes:
                        self.file(file_id)
                    elif file_id not in self._files:
                        self._keep(file)
                        self._index.settle(file_id)
                else:
                    self._words.put_aside(file_id)
            yield done, len(files)
        self.is_read, self.is_reading = True, False
        self.resolver.changed({self.READ, self.PLAIN})


def _is_python(file_id: str) -> bool:
    return file_id.endswith((".py", ".pyi"))


def _turned(before: Document, document: Document, line_edits: Sequence[LineEdit]) -> Iterator[str]:
    """The lines that some edits took away and those that they brought."""
    known = before.turned(document)
    if known is not None:
        yield from chain.from_iterable(known)
    elif len(line_edits) > 1:
        # Each edit counts in the lines that the one before it left.
        yield from before.lines
        yield from document.lines
    else:
        for edit in line_edits:
            yield from before.lines[edit.start : edit.start + edit.removed]
            yield from document.lines[edit.start : edit.start + edit.added]
