"""Code actions and hovers, as clients of different abilities get them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sqlalchemy_guard.cache.pages import page_path
from sqlalchemy_guard.lsp.edits import difference
from sqlalchemy_guard.lsp.suppress import disable_file, disable_line
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.text.edit import apply_edits
from sqlalchemy_guard.text.span import Span
from tests.lsp.support.driver import Client, insert, span

URI = "file:///project/module.py"
TEXT = "a = BAD\nb = BAD\nc = WORSE\n"
MODERN: dict[str, Any] = {
    "textDocument": {
        "codeAction": {
            "isPreferredSupport": True,
            "dataSupport": True,
            "resolveSupport": {"properties": ["edit"]},
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix", "source"]}},
        },
        "hover": {"contentFormat": ["markdown", "plaintext"]},
        "publishDiagnostics": {
            "relatedInformation": True,
            "codeDescriptionSupport": True,
            "dataSupport": True,
            "versionSupport": True,
        },
    },
    "workspace": {"workspaceEdit": {"documentChanges": True}},
    "window": {"showDocument": {"support": True}},
}


def titles(actions: list[dict[str, Any]]) -> list[str]:
    return [action["title"] for action in actions]


def test_what_is_offered_for_a_safe_fix() -> None:
    with Client() as client:
        client.initialize(MODERN)
        client.open(URI, TEXT)
        actions = client.actions(URI, (0, 4, 0, 7))
        assert titles(actions) == [
            "Write GOOD",
            "Fix all bad-word (SAG901) in this file",
            "Disable SAG901 for this line",
            "Disable SAG901 for this file",
            "Show documentation for SAG901",
        ]
        assert [action.get("isPreferred") for action in actions] == [True, None, None, None, None]
        assert {action["kind"] for action in actions} == {"quickfix"}
        (about,) = actions[0]["diagnostics"]
        assert about["range"] == span(0, 4, 0, 7)
        assert about["code"] == "SAG901"


def test_an_unsafe_fix_says_so_and_is_never_preferred() -> None:
    with Client() as client:
        client.initialize(MODERN)
        client.open(URI, TEXT)
        first = client.actions(URI, (2, 4, 2, 4))[0]
        assert first["title"] == "Write GOOD (may change behaviour)"
        assert "isPreferred" not in first


def test_edits_carry_the_version_that_they_are_for() -> None:
    with Client() as client:
        client.initialize(MODERN)
        client.open(URI, TEXT, version=3)
        client.change(URI, 4, insert(0, 0, "\n"))
        offered = client.actions(URI, (1, 4, 1, 7))[0]
        assert "edit" not in offered
        (change,) = client.request("codeAction/resolve", offered)["edit"]["documentChanges"]
        assert change["textDocument"] == {"uri": URI, "version": 4}
        assert change["edits"] == [{"range": span(1, 4, 1, 7), "newText": "GOOD"}]


def test_a_fix_of_what_is_not_there_any_more_has_no_edit() -> None:
    with Client() as client:
        client.initialize(MODERN)
        client.open(URI, TEXT)
        offered = client.actions(URI, (0, 4, 0, 7))[0]
        client.change(URI, 2, {"text": "a = 1\n"})
        assert "edit" not in client.request("codeAction/resolve", offered)


def test_resolving_computes_the_edit_from_the_newest_text() -> None:
    with Client() as client:
        client.initialize(MODERN)
        client.open(URI, TEXT)
        lazy = client.actions(URI, (0, 4, 0, 7))[1]
        assert "edit" not in lazy
        client.change(URI, 2, insert(0, 0, "\n"))
        (change,) = client.request("codeAction/resolve", lazy)["edit"]["documentChanges"]
        assert change["textDocument"]["version"] == 2
        assert change["edits"] == [{"range": span(1, 0, 3, 0), "newText": "a = GOOD\nb = GOOD\n"}]


def test_a_client_that_cannot_resolve_gets_all_edits_at_once() -> None:
    with Client() as client:
        assert client.initialize()["capabilities"]["codeActionProvider"]["resolveProvider"] is False
        client.open(URI, TEXT)
        fix, fix_all, *_ = client.actions(URI, (0, 4, 0, 7))
        assert "isPreferred" not in fix
        assert fix_all["edit"]["changes"][URI] == [
            {"range": span(0, 0, 2, 0), "newText": "a = GOOD\nb = GOOD\n"}
        ]


@pytest.mark.parametrize(
    ("only", "kinds"),
    [
        (None, {"quickfix"}),
        (["quickfix"], {"quickfix"}),
        (["source.fixAll"], {"source.fixAll.sqlalchemy-guard"}),
        (["source.fixAll.sqlalchemy-guard"], {"source.fixAll.sqlalchemy-guard"}),
        (["source"], {"source.fixAll.sqlalchemy-guard"}),
        ([""], {"quickfix", "source.fixAll.sqlalchemy-guard"}),
        (["source.fixAll.other"], set()),
        (["source.organizeImports", "refactor"], set()),
        ([], set()),
    ],
)
def test_only_what_is_asked_for(only: list[str] | None, kinds: set[str]) -> None:
    with Client() as client:
        client.initialize(MODERN)
        client.open(URI, TEXT)
        assert {action["kind"] for action in client.actions(URI, (0, 0, 3, 0), only)} == kinds


def test_fix_all_is_safe_and_whole() -> None:
    with Client() as client:
        client.initialize(MODERN)
        client.open(URI, TEXT)
        (action,) = client.actions(URI, (0, 0, 0, 0), ["source.fixAll"])
        (change,) = action["edit"]["documentChanges"]
        assert change["edits"] == [{"range": span(0, 0, 2, 0), "newText": "a = GOOD\nb = GOOD\n"}]
        client.change(URI, 2, {"text": "c = WORSE\n"})
        assert client.actions(URI, (0, 0, 0, 0), ["source.fixAll"]) == []


def test_a_cursor_elsewhere_on_the_line_is_enough() -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, TEXT)
        assert titles(client.actions(URI, (0, 0, 0, 0)))[0] == "Write GOOD"
        assert client.actions(URI, (0, 0, 0, 1)) == []
        assert client.actions(URI, (3, 0, 3, 0)) == []


@pytest.mark.parametrize("supported", [True, False])
def test_documentation_is_shown(supported: bool) -> None:
    with Client() as client:
        client.initialize(MODERN if supported else {})
        client.open(URI, TEXT)
        command = client.actions(URI, (0, 4, 0, 7))[-1]["command"]
        client.request(
            "workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]}
        )
        method = "window/showDocument" if supported else "window/showMessage"
        shown = client.wait(method, lambda message: message.get("method") == method)["params"]
        page = Path(page_path("bad-word.md"))
        assert shown["uri"] == page.as_uri() if supported else shown["message"].endswith(str(page))
        assert "## What it does" in page.read_text(encoding="utf-8")
        client.request(
            "workspace/executeCommand", {"command": command["command"], "arguments": ["../../SAG901"]}
        )
        assert sum(message.get("method") == method for message in client.received) == 1


def test_diagnostics_hold_what_the_client_understands() -> None:
    with Client() as client:
        client.initialize(MODERN)
        client.open(URI, "BAD\n")
        (found,) = client.published(URI, 1)
    assert found["codeDescription"] == {"href": Path(page_path("bad-word.md")).as_uri()}
    assert found["data"] == {"fix": "safe"}
    assert found["severity"] == 2
    with Client() as client:
        client.initialize()
        client.open(URI, "BAD\n")
        (found,) = client.published(URI, 1)
    assert set(found) == {"range", "severity", "code", "source", "message"}


def test_hover_shows_the_documentation_where_the_rule_is_violated() -> None:
    with Client() as client:
        client.initialize(MODERN)
        client.open(URI, TEXT)
        where = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 5}}
        found = client.request("textDocument/hover", where)
        assert found["range"] == span(0, 4, 0, 7)
        assert found["contents"]["kind"] == "markdown"
        assert "## What it does" in found["contents"]["value"]
        assert client.request("textDocument/hover", where | {"position": {"line": 0, "character": 0}}) is None


@pytest.mark.parametrize(
    ("text", "line", "statement", "wanted"),
    [
        ("x = 1\n", 0, (0, 1), "x = 1  # noqa: SAG301\n"),
        ("x = 1  \r\n", 0, (0, 1), "x = 1  # noqa: SAG301\r\n"),
        ("x = 1  # why\n", 0, (0, 1), "x = 1  # why  # noqa: SAG301\n"),
        ("x = 1  # noqa: F401\n", 0, (0, 1), "x = 1  # noqa: F401, SAG301\n"),
        ("x = f(\n  1,\n)\n", 1, (0, 3), "x = f(\n  1,  # noqa: SAG301\n)\n"),
        ('x = """a\nb"""\n', 0, (0, 2), 'x = """a\nb"""  # noqa: SAG301\n'),
        ("x = 1 + \\\n  2\n", 0, (0, 2), "x = 1 + \\\n  2  # noqa: SAG301\n"),
        ("x = 1  # noqa\n", 0, (0, 1), None),
        ("x = 1", 0, (0, 1), "x = 1  # noqa: SAG301"),
    ],
)
def test_a_rule_is_silenced_on_a_line_that_can_carry_a_comment(
    text: str, line: int, statement: tuple[int, int], wanted: str | None
) -> None:
    found = disable_line(Document.from_text(URI, text), Span(line, 0, line, 1), statement, "SAG301")
    assert (apply_edits(text, [found]) if found else None) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x\n", "# sqlalchemy-guard: noqa: SAG301\nx\n"),
        (
            "#!/bin/python\n# coding: utf-8\nx\n",
            "#!/bin/python\n# coding: utf-8\n# sqlalchemy-guard: noqa: SAG301\nx\n",
        ),
        ("x\r\n", "# sqlalchemy-guard: noqa: SAG301\r\nx\r\n"),
        ("# sqlalchemy-guard: noqa: SAG101\nx\n", "# sqlalchemy-guard: noqa: SAG101, SAG301\nx\n"),
    ],
)
def test_a_rule_is_silenced_in_a_whole_file(text: str, wanted: str) -> None:
    assert apply_edits(text, [disable_file(Document.from_text(URI, text), "SAG301")]) == wanted


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a\nb\nc\n", "a\nX\nc\n"),
        ("a\nb\nc", "a\nb\nc\nd"),
        ("a\n", ""),
        ("", "a\n"),
        ("a\nb\nc\nd\ne\n", "a\nc\nd\nX\ne\nY"),
        ("a\r\nb\r\n", "a\r\nc\r\nb\r\n"),
        ("x\n" * 3000 + "y", "z\n" * 3000),
    ],
)
def test_a_difference_makes_the_one_text_the_other(old: str, new: str) -> None:
    assert apply_edits(old, difference(Document.from_text(URI, old), new)) == new
