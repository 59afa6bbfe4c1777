"""Revisions in the editor: a fix that creates a file, and diagnostics that follow other revisions and their configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.lsp.support.driver import REAL, Client, insert
from tests.migrations.support import ENV, revision, write

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "db/env.py": ENV,
    "db/versions/one.py": revision("1111"),
    "db/versions/two.py": revision("2222", "1111"),
    "db/versions/three.py": revision("3333", "1111"),
}
CREATES: dict[str, Any] = {
    "workspace": {"workspaceEdit": {"documentChanges": True, "resourceOperations": ["create"]}}
}


def _started(client: Client, folder: Path, capabilities: dict[str, Any]) -> str:
    write(folder, FILES)
    client.initialize(capabilities, [folder.as_uri()])
    uri = (folder / "db/versions/two.py").as_uri()
    client.open(uri, FILES["db/versions/two.py"])
    _wait(client, uri, "SAG508")
    return uri


def _wait(client: Client, uri: str, code: str | None) -> None:
    """Wait for diagnostics that have a code, or that have none of it any more."""

    def fits(message: dict[str, Any]) -> bool:
        if message.get("method") != "textDocument/publishDiagnostics" or message["params"]["uri"] != uri:
            return False
        codes = [each["code"] for each in message["params"]["diagnostics"]]
        return code in codes if code is not None else "SAG508" not in codes

    client.wait(f"diagnostics with {code}", fits)


@pytest.mark.parametrize("can", [True, False])
def test_the_merge_is_offered_to_clients_that_create_files(tmp_path: Path, can: bool) -> None:
    with Client(REAL) as client:
        uri = _started(client, tmp_path, CREATES if can else {})
        actions = client.actions(uri, (2, 0, 2, 20))
        offered = [action for action in actions if action["title"] == "Write the revision that merges them"]
        assert len(offered) == can
        if can:
            made, edited = offered[0]["edit"]["documentChanges"]
            assert made["kind"] == "create"
            assert made["uri"].endswith("_merge_heads.py")
            assert edited["textDocument"] == {"uri": made["uri"], "version": None}
            assert "down_revision = ('3333', '2222')" in edited["edits"][0]["newText"]


def test_another_revision_that_changes_is_followed(tmp_path: Path) -> None:
    with Client(REAL) as client:
        uri = _started(client, tmp_path, {})
        other = (tmp_path / "db/versions/three.py").as_uri()
        client.open(other, FILES["db/versions/three.py"])
        text = FILES["db/versions/three.py"]
        line = next(
            number for number, each in enumerate(text.splitlines()) if each.startswith("down_revision")
        )
        # It follows the other head from now on, so there is one.
        client.change(other, 2, insert(line, 0, "down_revision = '2222'\n#"))
        _wait(client, uri, None)
