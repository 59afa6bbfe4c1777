"""What is where in the workspace: classes, assignments to attributes, calls and imports, by name, of all known files.

Kept in step name by name while files are edited; each change gives the keys of the answers that it may change.
This module must never resolve a value or read a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Const

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy_guard.facts.file import FileFacts
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.modules import Modules
    from sqlalchemy_guard.project.resolve import Key

CLASSES, STORED, CALLED, IMPORTS = "*classes", "*stored", "*called", "*imports"
"""`(CLASSES, "User")` is the key of what rests on which classes of that name there are; the others likewise.
`(IMPORTS, "")` is the key of what rests on which file imports which."""


class Index:
    """The tables by name.

    Args:
        modules: Finds the files of imported modules.
    """

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._classes: dict[str, dict[str, None]] = {}
        self._stored: dict[str, dict[str, list[tuple[Value, Value]]]] = {}
        self._called: dict[str, dict[str, None]] = {}
        self._facts: dict[str, FileFacts] = {}
        self._importers: dict[str, dict[str, None]] = {}
        self._targets: dict[str, frozenset[str]] = {}
        self._unsettled: dict[str, None] = {}

    def learn(self, file_id: str, facts: FileFacts) -> set[Key]:
        """A file was analysed anew; returns the keys of what may mean something else."""
        keys = self.forget(file_id)
        keys.add((IMPORTS, ""))
        self._facts[file_id] = facts
        self._unsettled[file_id] = None
        names = {name.removeprefix("*stored.") for name in facts.outlines if name.startswith("*stored.")}
        for name in facts.called_names():
            self._called.setdefault(name, {})[file_id] = None
            keys.add((CALLED, name))
        return (
            keys
            | self._learn_classes(file_id, facts, facts.classes)
            | self._learn_stored(file_id, facts, names)
        )

    def update(self, file_id: str, facts: FileFacts, changed: Iterable[str]) -> set[Key]:
        """A file was edited; returns the keys of what may mean something else.

        Args:
            file_id: The file.
            facts: Its facts as they now are.
            changed: What `FileFacts.update` returned.
        """
        keys: set[Key] = set()
        classes: list[str] = []
        stored: set[str] = set()
        for name in changed:
            if not name.startswith("*"):
                classes.append(name)
            elif name.startswith("*called."):
                called = name.removeprefix("*called.")
                keys.add((CALLED, called))
                if facts.calls_of(called):
                    self._called.setdefault(called, {})[file_id] = None
                else:
                    self._called.get(called, {}).pop(file_id, None)
            elif name.startswith("*stored."):
                stored.add(name.removeprefix("*stored."))
            elif name == "*imports":
                self._unsettled[file_id] = None
                keys.add((IMPORTS, ""))
        keys |= self._learn_classes(file_id, facts, classes)
        return keys | self._learn_stored(file_id, facts, stored) if stored else keys

    def forget(self, file_id: str) -> set[Key]:
        """A file went; returns the keys of what may mean something else."""
        keys: set[Key] = set()
        facts = self._facts.pop(file_id, None)
        if facts is None:
            return keys
        keys.add((IMPORTS, ""))
        for qualname in facts.classes:
            name = qualname.rpartition(".")[2]
            self._classes.get(name, {}).pop(file_id, None)
            keys.add((CLASSES, name))
        for name in facts.called_names():
            self._called.get(name, {}).pop(file_id, None)
            keys.add((CALLED, name))
        for outline in facts.outlines:
            if outline.startswith("*stored."):
                name = outline.removeprefix("*stored.")
                self._stored.get(name, {}).pop(file_id, None)
                keys.add((STORED, name))
        self._settle(file_id, frozenset())
        self._unsettled.pop(file_id, None)
        return keys

    def _learn_classes(self, file_id: str, facts: FileFacts, names: Iterable[str]) -> set[Key]:
        keys: set[Key] = set()
        for qualname in names:
            name = qualname.rpartition(".")[2]
            if qualname in facts.classes:
                # Its own outline is another key: only that it exists matters here.
                if file_id not in self._classes.setdefault(name, {}):
                    self._classes[name][file_id] = None
                    keys.add((CLASSES, name))
            elif file_id in self._classes.get(name, ()):
                if not any(other.rpartition(".")[2] == name for other in facts.classes):
                    # So that it is news when the class comes back.
                    del self._classes[name][file_id]
                keys.add((CLASSES, name))
        return keys

    def _learn_stored(self, file_id: str, facts: FileFacts, names: set[str]) -> set[Key]:
        if not names:
            return set()
        values: dict[str, list[tuple[Value, Value]]] = {}
        for base, name, _, value in facts.foreign_sets:
            if name in names and type(value) is not Const:
                values.setdefault(name, []).append((base, value))
        for name in names:
            if name in values:
                self._stored.setdefault(name, {})[file_id] = values[name]
            else:
                self._stored.get(name, {}).pop(file_id, None)
        return {(STORED, name) for name in names}

    def classes_named(self, name: str) -> list[tuple[str, str]]:
        """The classes of a name: file id and qualified name."""
        found: list[tuple[str, str]] = []
        for file_id in self._classes.get(name, ()):
            classes = self._facts[file_id].classes
            if name in classes:
                found.append((file_id, name))
            else:
                ending = "." + name
                found.extend((file_id, qualname) for qualname in classes if qualname.endswith(ending))
        return found

    def stored(self, name: str) -> list[tuple[Value, Value, str]]:
        """What is assigned to attributes of that name of objects that are no method's own `self`: object, value and file."""
        found = self._stored.get(name, {}).items()
        return [(base, value, file_id) for file_id, values in found for base, value in values]

    def calling(self, name: str) -> list[str]:
        """The files that call something of that last name with arguments."""
        return list(self._called.get(name, ()))

    # -- imports ---------------------------------------------------------------------------------------------------

    def modules_changed(self) -> None:
        """Files came or went: what the imports mean is found out anew."""
        self._unsettled.update(dict.fromkeys(self._facts))

    def settle(self, file_id: str) -> None:
        """Find the files that a file imports, if that is not known."""
        if file_id in self._unsettled:
            del self._unsettled[file_id]
            self._settle(file_id, frozenset(self._imported(file_id)))

    def dependents(self, file_id: str) -> set[str]:
        """Known files that import this one, directly or through others; without the file itself."""
        for unsettled in list(self._unsettled):
            self.settle(unsettled)
        found: set[str] = set()
        todo = [file_id]
        while todo:
            for importer in self._importers.get(todo.pop(), ()):
                if importer not in found:
                    found.add(importer)
                    todo.append(importer)
        found.discard(file_id)
        return found

    def targets_of(self, file_id: str) -> frozenset[str]:
        """The files that a known file imports itself."""
        self.settle(file_id)
        return self._targets.get(file_id, frozenset())

    def _imported(self, file_id: str) -> Iterable[str]:
        find, submodule = self._modules.find, self._modules.submodule
        for module, name in self._facts[file_id].imports():
            target = find(module, file_id)
            if target is not None:
                yield target
                inner = submodule(target, name) if name not in ("", "*") else None
                if inner is not None:
                    yield inner

    def _settle(self, file_id: str, targets: frozenset[str]) -> None:
        before = self._targets.pop(file_id, frozenset())
        for target in before - targets:
            self._importers[target].pop(file_id, None)
        for target in targets - before:
            self._importers.setdefault(target, {})[file_id] = None
        if targets:
            self._targets[file_id] = targets
