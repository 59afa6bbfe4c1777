"""The real server against the recorded capabilities of real clients, through a client library that knows the protocol."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator  # noqa: TC003 (the library reads annotations)
from typing import Any

import pytest  # noqa: TC002
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities, make_test_lsp_client

from tests.lsp.support.driver import REAL, TIMEOUT, environment

URI = "file:///project/app.py"
TEXT = "from sqlalchemy import create_engine\n\nengine = create_engine('postgresql://x')\n"


def modern() -> types.ClientCapabilities:
    """A client that can do everything that matters here, as today's VS Code."""
    return types.ClientCapabilities(
        general=types.GeneralClientCapabilities(position_encodings=[types.PositionEncodingKind.Utf16]),
        text_document=types.TextDocumentClientCapabilities(
            diagnostic=types.DiagnosticClientCapabilities(data_support=True, code_description_support=True),
            publish_diagnostics=types.PublishDiagnosticsClientCapabilities(
                version_support=True, data_support=True
            ),
            code_action=types.CodeActionClientCapabilities(
                is_preferred_support=True,
                data_support=True,
                resolve_support=types.ClientCodeActionResolveOptions(properties=["edit"]),
            ),
            hover=types.HoverClientCapabilities(content_format=[types.MarkupKind.Markdown]),
        ),
        notebook_document=types.NotebookDocumentClientCapabilities(
            synchronization=types.NotebookDocumentSyncClientCapabilities()
        ),
        workspace=types.WorkspaceClientCapabilities(
            workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=True),
            diagnostics=types.DiagnosticWorkspaceClientCapabilities(refresh_support=True),
        ),
    )


PROFILES: dict[str, Any] = {
    "vscode": modern,
    "neovim 0.10": lambda: client_capabilities("neovim@v0.10"),
    "neovim 0.11": lambda: client_capabilities("neovim@v0.11"),
    "emacs": lambda: client_capabilities("emacs@v29"),
    "old vscode": lambda: client_capabilities("visual_studio_code"),
}


def make_client() -> LanguageClient:
    """A client that lets the server register what it wants, and tell that there is news."""
    client = make_test_lsp_client()

    @client.feature(types.WORKSPACE_CODE_LENS_REFRESH)
    def refresh(*_: None) -> None:
        """Whenever it likes."""

    @client.feature(types.CLIENT_REGISTER_CAPABILITY)
    def register(_: types.RegistrationParams) -> None:
        """Any."""

    return client


@pytest_lsp.fixture(
    params=list(PROFILES),
    config=ClientServerConfig([sys.executable, *REAL], make_client, environment()),
)
async def client(request: pytest.FixtureRequest, lsp_client: LanguageClient) -> AsyncIterator[None]:
    params = types.InitializeParams(
        capabilities=PROFILES[request.param](), root_uri=None, workspace_folders=[], process_id=os.getpid()
    )
    lsp_client.agreed = (await lsp_client.initialize_session(params)).capabilities
    yield
    await lsp_client.shutdown_session()


async def diagnostics(client: LanguageClient, version: int, text: str) -> list[types.Diagnostic]:
    """What the client learns of a version that it sends: asked for if the server offers that, else pushed."""
    pushed = client.wait_for_notification(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    waiting = asyncio.ensure_future(pushed)
    await asyncio.sleep(0)
    if version == 1:
        item = types.TextDocumentItem(URI, "python", 1, text)
        client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    else:
        identity = types.VersionedTextDocumentIdentifier(version, URI)
        whole = types.TextDocumentContentChangeWholeDocument(text)
        client.text_document_did_change(types.DidChangeTextDocumentParams(identity, [whole]))
    if client.agreed.diagnostic_provider is not None:
        report = await client.text_document_diagnostic_async(
            types.DocumentDiagnosticParams(types.TextDocumentIdentifier(URI))
        )
        assert isinstance(report, types.RelatedFullDocumentDiagnosticReport)
        assert not waiting.done()
        waiting.cancel()
        return list(report.items)
    published = await asyncio.wait_for(waiting, TIMEOUT)
    # Each version is sent only after the one before was answered, so no other can come.
    assert published.version == version
    return list(published.diagnostics)


async def test_diagnose_explain_and_fix(client: LanguageClient) -> None:
    found = await diagnostics(client, 1, TEXT)
    first = next(one for one in found if one.code == "SAG101")
    assert first.range == types.Range(types.Position(2, 9), types.Position(2, 22))
    document = types.TextDocumentIdentifier(URI)
    hover = await client.text_document_hover_async(types.HoverParams(document, first.range.start))
    assert hover is not None
    assert "SAG101" in getattr(hover.contents, "value", "")
    context = types.CodeActionContext(diagnostics=[first])
    actions = await client.text_document_code_action_async(
        types.CodeActionParams(document, first.range, context)
    )
    assert actions
    fix = actions[0]
    assert isinstance(fix, types.CodeAction)
    if client.agreed.code_action_provider.resolve_provider:
        assert fix.edit is None
        fix = await client.code_action_resolve_async(fix)
    assert fix.edit is not None
    if fix.edit.document_changes is not None:
        (change,) = fix.edit.document_changes
        assert isinstance(change, types.TextDocumentEdit)
        assert change.text_document.version == 1
        (edit,) = change.edits
    else:
        (edit,) = (fix.edit.changes or {})[URI]
    lines = TEXT.splitlines(keepends=True)
    line, at = lines[edit.range.start.line], edit.range.start.character
    lines[edit.range.start.line] = (
        line[:at] + getattr(edit, "new_text", "") + line[edit.range.end.character :]
    )
    assert "SAG101" not in {one.code for one in await diagnostics(client, 2, "".join(lines))}


async def test_fix_all_on_save(client: LanguageClient) -> None:
    await diagnostics(client, 1, TEXT)
    context = types.CodeActionContext(diagnostics=[], only=[types.CodeActionKind.SourceFixAll])
    whole = types.Range(types.Position(0, 0), types.Position(3, 0))
    actions = await client.text_document_code_action_async(
        types.CodeActionParams(types.TextDocumentIdentifier(URI), whole, context)
    )
    assert actions
    (action,) = actions
    assert isinstance(action, types.CodeAction)
    assert action.edit is not None
    assert "pool_pre_ping=True" in str(action.edit)
