"""Texts as clients edit them: units of columns, line ends, form feeds, URIs of all kinds."""

from __future__ import annotations

import ntpath
import os
from typing import TYPE_CHECKING, Any

import pytest

from sqlalchemy_guard.lsp.uris import to_file_id, to_uri
from tests.lsp.support.driver import Client, edit, insert, span

if TYPE_CHECKING:
    from pathlib import Path

URI = "file:///project/module.py"


@pytest.mark.parametrize(
    ("offered", "agreed", "column"),
    [
        (["utf-8", "utf-16"], "utf-8", 12),
        (["utf-16", "utf-8"], "utf-16", 9),
        (["utf-32"], "utf-32", 8),
        (["ebcdic", "utf-32", "utf-8"], "utf-32", 8),
        (None, "utf-16", 9),
    ],
)
def test_columns_are_counted_in_the_unit_that_was_agreed_on(
    offered: list[str] | None, agreed: str, column: int
) -> None:
    # é: 1 unit of UTF-16, 2 bytes; 😀: 2 units, 4 bytes.
    general: dict[str, Any] = {"general": {"positionEncodings": offered}} if offered else {}
    with Client() as client:
        assert client.initialize(general)["capabilities"]["positionEncoding"] == agreed
        client.open(URI, 'é = "😀"\n')
        assert client.published(URI, 1) == []
        # Typed behind the closing quote, whose column depends on the unit.
        client.change(URI, 2, insert(0, column - 1, ", BAD"))
        found = client.published(URI, 2)
        assert [one["range"] for one in found] == [span(0, column + 1, 0, column + 4)]
        action = client.actions(URI, (0, column + 1, 0, column + 1))[0]
        assert action["edit"]["changes"][URI] == [
            {"range": span(0, column + 1, 0, column + 4), "newText": "GOOD"}
        ]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_line_end_counts_once(newline: str) -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, newline.join(["a", "b", "c BAD", ""]))
        assert client.published(URI, 1)[0]["range"] == span(2, 2, 2, 5)
        client.change(URI, 2, insert(1, 0, f"new{newline}"))
        assert client.published(URI, 2)[0]["range"] == span(3, 2, 3, 5)
        client.change(URI, 3, edit(1, 0, 3, 2, ""))
        assert client.published(URI, 3)[0]["range"] == span(1, 0, 1, 3)


def test_a_form_feed_ends_no_line() -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, "x = 1\n\x0c\n\x1c\u2028\x85y = 2\nBAD\n")
        assert client.published(URI, 1)[0]["range"] == span(3, 0, 3, 3)
        client.change(URI, 2, edit(2, 3, 2, 4, "BAD"))
        assert [one["range"] for one in client.published(URI, 2)] == [span(2, 3, 2, 6), span(3, 0, 3, 3)]


def test_a_whole_text_and_several_changes_at_once() -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, "BAD\n")
        client.change(URI, 2, {"text": "a\nb\n"}, insert(1, 1, " = BAD"), insert(0, 0, "\n"))
        assert [one["range"] for one in client.published(URI, 2)] == [span(2, 4, 2, 7)]


def test_a_place_outside_of_the_text_is_the_nearest_inside() -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, "x")
        client.change(URI, 2, insert(99, 99, " BAD"))
        assert [one["range"] for one in client.published(URI, 2)] == [span(0, 2, 0, 5)]


def test_closing_takes_the_diagnostics_back() -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, "BAD\n")
        assert client.published(URI, 1)
        client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        assert client.published(URI, None) == []


@pytest.mark.parametrize(
    "uri", ["untitled:Untitled-1", "vscode-vfs://github/a/b.py", "file:///project/with%20space.py"]
)
def test_documents_that_are_no_files_are_checked_too(uri: str) -> None:
    with Client() as client:
        client.initialize({"workspace": {"workspaceEdit": {"documentChanges": True}}})
        client.open(uri, "BAD\n", version=7)
        assert len(client.published(uri, 7)) == 1
        change = client.actions(uri, (0, 0, 0, 1))[0]["edit"]["documentChanges"][0]
        assert change["textDocument"] == {"uri": uri, "version": 7}


def test_nothing_is_published_for_what_is_only_shown() -> None:
    with Client() as client:
        client.initialize()
        client.open("git:/project/module.py?ref", "BAD\n")
        client.open(URI, "BAD\n")
        assert client.published(URI, 1)
        assert all(not one["diagnostics"] for one in client.publications("git:/project/module.py?ref"))
        assert client.actions("git:/project/module.py?ref", (0, 0, 0, 1)) == []


def test_documents_of_other_languages_are_left_alone() -> None:
    with Client() as client:
        client.initialize()
        client.open("file:///project/notes.txt", "BAD\n", language="plaintext")
        client.change("file:///project/notes.txt", 2, insert(0, 0, "x"))
        client.open(URI, "BAD\n")
        assert client.published(URI, 1)
        assert client.publications("file:///project/notes.txt") == []


@pytest.mark.parametrize(
    ("uri", "windows", "file_id"),
    [
        ("file:///c%3A/Users/me/a%20b.py", True, "c:\\Users\\me\\a b.py"),
        ("file:///C:/Users/me/a%20b.py", True, "c:\\Users\\me\\a b.py"),
        ("file:///C%3A/Users/me/x/../a.py", True, "c:\\Users\\me\\a.py"),
        ("file://localhost/C:/a.py", True, "c:\\a.py"),
        ("file://C:/Users/a.py", True, "c:\\Users\\a.py"),
        ("file://C%3A/Users/a.py", True, "c:\\Users\\a.py"),
        ("file:///c%3A", True, "c:"),
        ("file://Server/Share/Caf%C3%A9/a.py", True, "\\\\server\\share\\Caf\u00e9\\a.py"),
        ("untitled:Untitled-1", True, "untitled:Untitled-1"),
        ("vscode-notebook-cell:/c%3A/a.ipynb#W0", True, "vscode-notebook-cell:/c%3A/a.ipynb#W0"),
        ("file:///home/me/%C3%A9.py", False, "/home/me/é.py"),
        ("file:///home/me/a%23b.py#L3", False, "/home/me/a#b.py"),
        ("FILE:///home/me/x/../a.py", False, "/home/me/a.py"),
        ("git:/home/a.py?x", False, "git:/home/a.py?x"),
    ],
)
def test_ids_of_documents(monkeypatch: pytest.MonkeyPatch, uri: str, windows: bool, file_id: str) -> None:
    if windows:
        monkeypatch.setattr("sqlalchemy_guard.lsp.uris.canonical", windows_canonical)
    assert to_file_id(uri, windows=windows) == file_id


def windows_canonical(path: str) -> str:
    """What `canonical` makes of an absolute path on Windows."""
    drive, rest = ntpath.splitdrive(ntpath.normpath(path))
    return drive.lower() + rest


@pytest.mark.parametrize(
    ("file_id", "uri"),
    [
        ("c:\\Users\\me\\a b.py", "file:///c%3A/Users/me/a%20b.py"),
        ("c:\\caf\u00e9\\#1 100%.py", "file:///c%3A/caf%C3%A9/%231%20100%25.py"),
        ("\\\\server\\share\\a.py", "file://server/share/a.py"),
        ("untitled:Untitled-1", "untitled:Untitled-1"),
    ],
)
def test_uris_of_files_on_windows_lead_back(monkeypatch: pytest.MonkeyPatch, file_id: str, uri: str) -> None:
    monkeypatch.setattr("sqlalchemy_guard.lsp.uris.canonical", windows_canonical)
    assert to_uri(file_id, windows=True) == uri
    assert to_file_id(uri, windows=True) == file_id


@pytest.mark.skipif(os.name == "nt", reason="paths of POSIX systems")
@pytest.mark.parametrize(
    "path", ["/home/me/a b.py", "/home/é/#1.py", "/tmp/100%.py", "/tmp/a\\b.py", "/tmp/\udcff.py"]
)
def test_uris_of_files_lead_back(path: str) -> None:
    assert to_file_id(to_uri(path)) == path


def test_a_client_is_answered_in_its_own_spelling(tmp_path: Path) -> None:
    uri = (tmp_path / "a.py").as_uri().replace("a.py", "%61.py")
    with Client() as client:
        client.initialize()
        client.open(uri, "BAD\n")
        assert client.published(uri, 1)
        assert list(client.actions(uri, (0, 0, 0, 1))[0]["edit"]["changes"]) == [uri]
