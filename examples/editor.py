"""What an editor keeps beside the conversation: the open texts, their versions, and edits applied to them.

It speaks through `bench.client` and knows nothing about the server but the protocol.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    from bench.client import Client, Json


@dataclass
class Buffer:
    """An open file.

    Attributes:
        path: Where it is on disk.
        original: The text that was opened.
        text: The text now.
        version: The version that the server knows.
        diagnostics: What the server last said about it.
    """

    path: Path
    original: str
    text: str
    version: int = 1
    diagnostics: list[Json] = field(default_factory=list)


class Editor:
    """Open files and a server that watches them.

    Args:
        client: An initialized client that pulls diagnostics.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.buffers: dict[str, Buffer] = {}

    def open(self, path: Path) -> None:
        """Open a file of the disk."""
        text = path.read_bytes().decode("utf-8")
        self.buffers[path.as_uri()] = Buffer(path, text, text)
        self.client.open(path.as_uri(), text, language="python" if path.suffix == ".py" else path.suffix[1:])

    def refresh(self) -> None:
        """Fetch the diagnostics of every open file."""
        for uri, buffer in self.buffers.items():
            items = self.client.pulled(uri)["items"]
            buffer.diagnostics = sorted(
                items, key=lambda d: (d["range"]["start"]["line"], str(d.get("code")))
            )

    def actions(self, uri: str, where: Json, kind: str, diagnostics: list[Json]) -> list[Json]:
        """The code actions of one kind for a range of a file."""
        context = {"diagnostics": diagnostics, "only": [kind], "triggerKind": 1}
        params = {"textDocument": {"uri": uri}, "range": where, "context": context}
        found: list[Json] = self.client.request("textDocument/codeAction", params) or []
        return [action for action in found if "disabled" not in action]

    def apply(self, action: Json) -> bool:
        """Carry out a code action in the open files; whether any text changed."""
        if "edit" not in action:
            action = self.client.request("codeAction/resolve", action)
        edit = action.get("edit") or {}
        changes: list[tuple[str, list[Json]]] = list((edit.get("changes") or {}).items())
        changes += [
            (each["textDocument"]["uri"], each["edits"]) for each in edit.get("documentChanges") or []
        ]
        changed = False
        for uri, edits in changes:
            changed |= self._edit(self._known(uri), edits)
        return changed

    def save(self) -> None:
        """Write the changed files."""
        for buffer in self.buffers.values():
            if buffer.text != buffer.original:
                buffer.path.write_bytes(buffer.text.encode("utf-8"))

    def offset(self, text: str, position: Json) -> int:
        """The index into a text of a position in the agreed encoding."""
        line: int = position["line"]
        start = 0
        for _ in range(line):
            following = text.find("\n", start)
            if following < 0:
                return len(text)
            start = following + 1
        end = text.find("\n", start)
        row = text[start : len(text) if end < 0 else end]
        unit = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}[self.client.encoding]
        width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[self.client.encoding]
        return start + len(row.encode(unit)[: position["character"] * width].decode(unit, "ignore"))

    def _known(self, uri: str) -> str:
        """The URI under which the file is open, should the server spell it in another way."""
        if uri in self.buffers:
            return uri
        path = Path(url2pathname(unquote(urlsplit(uri).path)))
        return next((known for known, buffer in self.buffers.items() if buffer.path == path), uri)

    def _edit(self, uri: str, edits: list[Json]) -> bool:
        buffer = self.buffers[uri]
        text = buffer.text
        places = [
            (self.offset(text, e["range"]["start"]), self.offset(text, e["range"]["end"]), e["newText"])
            for e in edits
        ]
        for start, end, new in sorted(places, key=lambda place: place[:2], reverse=True):
            text = text[:start] + new + text[end:]
        if text == buffer.text:
            return False
        buffer.text = text
        buffer.version += 1
        self.client.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": uri, "version": buffer.version},
                "contentChanges": [{"text": text}],
            },
        )
        return True
