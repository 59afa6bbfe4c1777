"""Input that no client should send: each gets an error or a line in the log, and the server lives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sqlalchemy_guard.lsp.transport import Framing, Malformed
from tests.lsp.support.driver import Client, frame, span

URI = "file:///project/module.py"


def alive(client: Client) -> None:
    """The server still does its work."""
    client.open("file:///project/alive.py", "BAD\n")
    assert len(client.published("file:///project/alive.py", 1)) == 1


def test_bytes_that_are_no_json() -> None:
    with Client() as client:
        client.initialize()
        client.write(b"Content-Length: 9\r\n\r\n{not json")
        assert client.answer(None)["error"]["code"] == -32700
        alive(client)


@pytest.mark.parametrize("wrong", [-7, 40])
def test_a_wrong_content_length(wrong: int) -> None:
    with Client() as client:
        client.initialize()
        body = json.dumps({"jsonrpc": "2.0", "method": "$/nothing", "params": {"text": "x" * 50}}).encode()
        client.write(b"Content-Length: %d\r\n\r\n%s" % (len(body) + wrong, body))
        alive(client)


def test_headers_that_say_nothing() -> None:
    with Client() as client:
        client.initialize()
        client.write(b"Content-Type: text/plain\r\n\r\n")
        client.write(b"Content-Length: many\r\n\r\n")
        client.write(b"content-length:  2 \r\nX-Other: 1\r\n\r\n[]")
        alive(client)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"id": 77, "method": "textDocument/nothing", "params": {}}, -32601),
        ({"id": 77, "method": "textDocument/hover", "params": {"textDocument": 3}}, -32602),
        ({"id": 77, "method": "textDocument/hover"}, -32602),
        ({"id": 77, "method": "textDocument/codeAction", "params": []}, -32602),
        ({"id": 77, "method": "textDocument/diagnostic", "params": None}, -32602),
        ({"id": 77, "method": "codeAction/resolve", "params": {"title": "x", "data": {"uri": 1}}}, -32603),
        ({"id": 77, "method": "workspace/executeCommand", "params": {"command": "rm -rf"}}, -32602),
        ({"id": 77, "method": "initialize", "params": {}}, -32600),
        ({"id": 77, "method": 5}, -32600),
    ],
)
def test_requests_that_cannot_be_followed(message: dict[str, Any], code: int) -> None:
    with Client() as client:
        client.initialize()
        client.send(message)
        assert client.answer(77)["error"]["code"] == code
        alive(client)


@pytest.mark.parametrize(
    "message",
    [
        {
            "method": "textDocument/didChange",
            "params": {"textDocument": {"uri": URI}, "contentChanges": [{}]},
        },
        {"method": "textDocument/didChange", "params": {"textDocument": {"uri": URI}, "contentChanges": 3}},
        {"method": "textDocument/didOpen", "params": {"textDocument": {"uri": 5, "text": None}}},
        {"method": "textDocument/didOpen"},
        {"method": "textDocument/didClose", "params": {"textDocument": {"uri": "file:///never/opened.py"}}},
        {"method": "textDocument/didSave", "params": {}},
        {"method": "workspace/didChangeWatchedFiles", "params": {"changes": [5]}},
        {"method": "workspace/didChangeConfiguration", "params": {"settings": 5}},
        {
            "method": "workspace/didChangeConfiguration",
            "params": {"settings": {"sqlalchemyGuard": {"ignore": 5}}},
        },
        {"method": "notebookDocument/didChange", "params": {"notebookDocument": {"uri": "file:///x.ipynb"}}},
        {"method": "unknown/notification", "params": [1]},
        {"method": "$/unknown"},
        {"id": "never asked", "result": 5},
        {"id": 5, "error": {"code": 1, "message": "no"}},
        {},
    ],
    ids=str,
)
def test_notifications_that_cannot_be_followed(message: dict[str, Any]) -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, "x\n")
        client.send(message)
        alive(client)
        client.change(URI, 9, {"text": "BAD BAD\n"})
        assert len(client.published(URI, 9)) == 2


def test_a_change_of_the_wrong_form_does_not_undo_the_right_one_before_it() -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, "x\n")
        client.change(URI, 2, {"text": "BAD\n"}, {"range": span(0, 0, 0, 0)})
        assert len(client.published(URI, 2)) == 1


def test_nothing_is_answered_before_initialize() -> None:
    with Client() as client:
        early = client.start_request("textDocument/hover", {})
        assert client.answer(early)["error"]["code"] == -32002
        client.initialize()
        alive(client)


@pytest.mark.parametrize("params", [None, [], {"capabilities": 5}, {"capabilities": {"textDocument": [1]}}])
def test_a_poor_initialize_is_enough(params: Any) -> None:
    with Client() as client:
        assert client.request("initialize", params)["capabilities"]["positionEncoding"] == "utf-16"
        client.notify("initialized")
        alive(client)
        hover = {"textDocument": {"uri": "file:///project/alive.py"}, "position": {"line": 0, "character": 0}}
        assert client.request("textDocument/hover", hover)["contents"]["kind"] == "plaintext"


def test_what_is_printed_never_reaches_the_client() -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, "PRINT BAD\n")
        assert len(client.published(URI, 1)) == 1
        alive(client)
    assert client.raw_errors == []
    log = "".join(client.log)
    assert "a rule prints to standard output" in log
    assert "and so does a library below it" in log


def messages(data: bytes, size: int) -> list[object]:
    """What is read of a stream that gives so many bytes at a time."""
    framing = Framing()
    found: list[object] = []
    for at in range(0, len(data), size):
        found.extend(framing.feed(data[at : at + size]))
    broken = framing.end()
    return found if broken is None else [*found, broken]


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_messages_are_whole_however_they_arrive(size: int) -> None:
    wanted = [{"a": 1}, {"b": "é😀"}]
    assert messages(b"".join(map(frame, wanted)), size) == wanted


def test_a_stream_that_ends_in_a_message_says_so() -> None:
    (last,) = messages(frame({"a": 1})[:-2], 4)
    assert isinstance(last, Malformed)
    assert "ended 2 bytes before" in last.reason


def test_a_header_without_an_end_does_not_fill_the_memory() -> None:
    found = messages(b"x" * 300_000 + frame({"a": 1}), 1 << 12)
    assert found[-1] == {"a": 1}
    assert all(isinstance(one, Malformed) for one in found[:-1])
    assert len(found) > 1
