"""What the client can do, as far as it matters here, and what the server says it can do.

Clients are believed in nothing: a capability of the wrong type counts as absent. This module must never import pygls or
lsprotocol, because `initialize` is answered before they are loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy_guard import __version__
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy_guard.text.columns import Encoding

SECTION = "sqlalchemyGuard"
FIX_ALL_KIND = "source.fixAll.sqlalchemy-guard"
SHOW_DOCUMENTATION = "sqlalchemy-guard.showDocumentation"
OPEN_FILE = "sqlalchemy-guard.openFile"
SHOW_SQL = "sqlalchemy-guard.showSql"
_ENCODINGS: Mapping[str, Encoding] = {"utf-8": "utf-8", "utf-16": "utf-16", "utf-32": "utf-32"}


def dig(value: Any, *keys: str) -> Any:
    """The value under nested keys, None where something on the way is missing or no mapping."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


@dataclass(frozen=True, slots=True)
class Client:
    """What the client can do.

    Attributes:
        encoding: The unit of columns that was agreed on.
        pulls: It asks for diagnostics itself and can be told to ask again.
        others: See the protocol's capabilities of the same meaning.
    """

    encoding: Encoding = "utf-16"
    pulls: bool = False
    related_information: bool = False
    code_description: bool = False
    diagnostic_data: bool = False
    document_changes: bool = False
    creates_files: bool = False
    resolves_edit: bool = False
    preferred: bool = False
    markdown_hover: bool = False
    lens_refresh: bool = False
    show_document: bool = False
    configuration: bool = False
    configuration_registration: bool = False
    watch_registration: bool = False
    progress: bool = False
    notebooks: bool = False

    @classmethod
    def of(cls, params: Any) -> Client:
        """The client that sent these parameters of `initialize`."""
        capabilities = dig(params, "capabilities")
        document, workspace = dig(capabilities, "textDocument"), dig(capabilities, "workspace")
        window = dig(capabilities, "window")
        published = dig(document, "publishDiagnostics")
        pulled = dig(document, "diagnostic")
        pulls = isinstance(pulled, dict) and dig(workspace, "diagnostics", "refreshSupport") is True
        resolvable = dig(document, "codeAction", "resolveSupport", "properties")
        formats = dig(document, "hover", "contentFormat")

        def told(key: str) -> bool:
            return dig(published, key) is True or (pulls and dig(pulled, key) is True)

        return cls(
            encoding=_encoding(dig(capabilities, "general", "positionEncodings")),
            pulls=pulls,
            related_information=told("relatedInformation"),
            code_description=told("codeDescriptionSupport"),
            diagnostic_data=told("dataSupport"),
            document_changes=dig(workspace, "workspaceEdit", "documentChanges") is True,
            creates_files=dig(workspace, "workspaceEdit", "documentChanges") is True
            and isinstance(operations := dig(workspace, "workspaceEdit", "resourceOperations"), list)
            and "create" in operations,
            resolves_edit=isinstance(resolvable, list)
            and "edit" in resolvable
            and dig(document, "codeAction", "dataSupport") is True,
            preferred=dig(document, "codeAction", "isPreferredSupport") is True,
            markdown_hover=isinstance(formats, list) and "markdown" in formats,
            lens_refresh=dig(workspace, "codeLens", "refreshSupport") is True,
            show_document=dig(window, "showDocument", "support") is True,
            configuration=dig(workspace, "configuration") is True,
            configuration_registration=dig(workspace, "didChangeConfiguration", "dynamicRegistration")
            is True,
            watch_registration=dig(workspace, "didChangeWatchedFiles", "dynamicRegistration") is True,
            progress=dig(window, "workDoneProgress") is True,
            notebooks=isinstance(dig(capabilities, "notebookDocument", "synchronization"), dict),
        )


def _encoding(offered: Any) -> Encoding:
    """The client's first offer that we know: it lists them in the order of its preference."""
    if isinstance(offered, list):
        for name in offered:
            if isinstance(name, str) and name in _ENCODINGS:
                return _ENCODINGS[name]
    return "utf-16"


def initialize_result(client: Client) -> dict[str, Any]:
    """The answer to `initialize`."""
    capabilities: dict[str, Any] = {
        "positionEncoding": client.encoding,
        "textDocumentSync": {"openClose": True, "change": 2, "save": {"includeText": False}},
        "hoverProvider": True,
        "codeActionProvider": {
            "codeActionKinds": ["quickfix", FIX_ALL_KIND],
            "resolveProvider": client.resolves_edit,
        },
        "executeCommandProvider": {"commands": [SHOW_DOCUMENTATION, OPEN_FILE, SHOW_SQL]},
        "codeLensProvider": {"resolveProvider": False},
        "workspace": {"workspaceFolders": {"supported": True, "changeNotifications": True}},
    }
    if client.notebooks:
        selector = {"notebook": "*", "cells": [{"language": "python"}]}
        capabilities["notebookDocumentSync"] = {"notebookSelector": [selector], "save": True}
    if client.pulls:
        capabilities["diagnosticProvider"] = {
            "identifier": "sqlalchemy-guard",
            "interFileDependencies": True,
            "workspaceDiagnostics": False,
        }
    return {"capabilities": capabilities, "serverInfo": {"name": "sqlalchemy-guard", "version": __version__}}
