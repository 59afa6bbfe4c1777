"""The workspace folders: those of `initialize`, and those that come and go. This module must never read a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.lsp.capabilities import dig
from sqlalchemy_guard.lsp.uris import scheme, to_file_id, to_uri
from sqlalchemy_guard.vfs import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy_guard.lsp.session import Session


class Folders:
    """The folders of one session, as the client spells them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._uris: dict[str, None] = {}

    def start(self, params: Any) -> None:
        """Take the folders of `initialize`; older clients send one root."""
        folders = dig(params, "workspaceFolders")
        root_uri, root_path = dig(params, "rootUri"), dig(params, "rootPath")
        if isinstance(folders, list):
            uris = [dig(folder, "uri") for folder in folders]
        elif isinstance(root_uri, str):
            uris = [root_uri]
        else:
            uris = [to_uri(canonical(root_path))] if isinstance(root_path, str) and root_path else []
        self._uris = dict.fromkeys(uri for uri in uris if isinstance(uri, str))

    def uris(self) -> list[str]:
        """The client's URIs."""
        return list(self._uris)

    def paths(self) -> list[str]:
        """The folders that are on the disk, as absolute paths."""
        return list(dict.fromkeys(to_file_id(uri) for uri in self._uris if scheme(uri) == "file"))

    def change(self, added: Iterable[str], removed: Iterable[str]) -> None:
        """Folders came and went."""
        before = self.paths()
        gone = {to_file_id(uri) for uri in removed}
        self._uris = {uri: None for uri in self._uris if to_file_id(uri) not in gone} | dict.fromkeys(added)
        if self.paths() != before:
            self._session.rebuild()
            self._session.configuration.ask()
            self._session.progress.start_indexing()
