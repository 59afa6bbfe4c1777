"""What a diagnostic points at in another document is told anew when that document moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.lsp.support.driver import REAL, Client, insert

if TYPE_CHECKING:
    from pathlib import Path

HELPER = "def keep(session, number):\n    session.add(number)\n    session.commit()\n"
APP = """\
from sqlalchemy.orm import Session
from helper import keep


def fill(session: Session, numbers):
    for number in numbers:
        keep(session, number)
"""


def places(diagnostics: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """The related places, as the names of their files and lines."""
    return [
        (related["location"]["uri"].rpartition("/")[2], related["location"]["range"]["start"]["line"])
        for diagnostic in diagnostics
        for related in diagnostic.get("relatedInformation", [])
    ]


def test_a_line_above_what_another_document_points_at(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "helper.py").write_text(HELPER)
    app, helper = ((tmp_path / name).as_uri() for name in ("app.py", "helper.py"))
    with Client(REAL) as client:
        client.initialize(
            {
                "textDocument": {"publishDiagnostics": {"relatedInformation": True}},
                "window": {"workDoneProgress": True},
            },
            [tmp_path.as_uri()],
        )
        client.open(app, APP)
        client.open(helper, HELPER)
        assert places(client.published(app, 1)) == [("helper.py", 2)]
        client.wait(
            "the end of indexing",
            lambda message: (
                message["params"]["value"]["kind"] == "end"
                if message.get("method") == "$/progress"
                else False
            ),
        )
        # What follows from a document that was opened is looked at after a while; then nothing is left to be done.
        client.change(helper, 2, {"text": "keep = print\n"})
        told(client, app, [])
        client.change(helper, 3, {"text": "\n" + HELPER})
        told(client, app, [("helper.py", 3)])
        client.change(helper, 4, insert(0, 0, "\n\n"))
        told(client, app, [("helper.py", 5)])


def told(client: Client, uri: str, wanted: list[tuple[str, int]]) -> None:
    """Wait for diagnostics that point at these places."""
    client.wait(
        f"diagnostics that point at {wanted}",
        lambda message: (
            message.get("method") == "textDocument/publishDiagnostics"
            and message["params"]["uri"] == uri
            and places(message["params"]["diagnostics"]) == wanted
        ),
    )
