"""Messages that cross: floods of changes, answers that would be stale, cancellations."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from sqlalchemy_guard.lsp.transport import Inbox
from tests.lsp.support.driver import Client, change_message, insert

URI = "file:///project/module.py"
PULL: dict[str, Any] = {
    "textDocument": {"diagnostic": {"dynamicRegistration": False}},
    "workspace": {"diagnostics": {"refreshSupport": True}},
}


@pytest.mark.parametrize("lines", [10, 5000])
def test_of_200_queued_changes_only_the_last_is_answered_for(lines: int) -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, "x = 1\n" * lines)
        assert client.published(URI, 1) == []
        client.request(
            "textDocument/hover", {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}}
        )
        changes = [change_message(URI, 2 + n, insert(0, n, "BAD"[n % 3])) for n in range(200)]
        client.send(*changes)
        found = client.published(URI, 201)
        # "BADBAD...BA" is no word BAD; the last state has exactly what the last text has.
        assert found == []
        client.change(URI, 202, insert(0, 200, " BAD "))
        assert len(client.published(URI, 202)) == 1
        versions = [one["version"] for one in client.publications(URI)]
        assert versions == sorted(set(versions))
        assert len(versions) <= 20


def test_a_publication_never_mixes_versions() -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, "")
        for version in range(2, 60):
            client.change(URI, version, {"text": "BAD\n" * version})
        client.published(URI, 59)
        for one in client.publications(URI)[1:]:
            assert len(one["diagnostics"]) == one["version"]


def test_an_action_sees_the_change_before_it() -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, "x = 1\n")
        client.change(URI, 2, {"text": "\n\n\nBAD\n"})
        assert client.actions(URI, (3, 0, 3, 3))[0]["title"] == "Write GOOD"


def test_superseded_pulls_are_refused_and_the_last_one_answered() -> None:
    with Client() as client:
        client.initialize(PULL)
        client.open(URI, "x = 1\n")
        messages: list[dict[str, Any]] = []
        for n in range(50):
            messages.append(change_message(URI, 2 + n, {"text": "BAD\n" * (n + 1)}))
            pull = {"textDocument": {"uri": URI}}
            messages.append({"id": f"pull {n}", "method": "textDocument/diagnostic", "params": pull})
        client.send(*messages)
        assert len(client.answer("pull 49")["result"]["items"]) == 50
        for n in range(49):
            answer = client.answer(f"pull {n}")
            if "error" in answer:
                assert answer["error"]["code"] == -32802
                assert answer["error"]["data"] == {"retriggerRequest": True}
            else:
                assert len(answer["result"]["items"]) == n + 1
        assert client.publications(URI) == []


def test_a_cancelled_request_is_answered_as_cancelled() -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, "BAD\n" * 3000)
        where = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}}
        requests = [{"id": 1000 + n, "method": "textDocument/hover", "params": where} for n in range(200)]
        cancels = [{"method": "$/cancelRequest", "params": {"id": 1000 + n}} for n in range(200)]
        client.send(*requests, *cancels)
        answers = [client.answer(1000 + n) for n in range(200)]
        assert answers[-1]["error"]["code"] == -32800
        for answer in answers:
            assert ("error" in answer and answer["error"]["code"] == -32800) or answer["result"]["contents"]
        # A cancellation that comes too late, and one of nothing, change nothing; the id may be used again.
        client.notify("$/cancelRequest", {"id": 1000})
        client.notify("$/cancelRequest", {"id": "never"})
        client.send({"id": 1000, "method": "shutdown"})
        client.notify("exit")
        assert client.end() == 0


def test_dependents_are_told_after_the_change_and_only_when_it_matters() -> None:
    other = "file:///project/other.py"
    with Client() as client:
        client.initialize()
        client.open(other, "# uses module.py\n")
        client.open(URI, "x = 1\n")
        assert client.published(other, 1) == []
        client.change(URI, 2, insert(0, 0, "EXPORT = 1\n"))
        client.wait(
            "the dependent's diagnostics",
            lambda message: (
                message.get("method") == "textDocument/publishDiagnostics"
                and message["params"]["uri"] == other
                and len(message["params"]["diagnostics"]) == 1
            ),
        )
        client.change(URI, 3, insert(0, 0, "y = 1\n"))
        client.published(URI, 3)
        assert len(client.publications(other)) == 2


def test_a_client_that_pulls_is_asked_to_pull_again() -> None:
    other = "file:///project/other.py"
    with Client() as client:
        client.initialize(PULL)
        client.open(other, "# uses module.py\n")
        client.open(URI, "x = 1\n")
        pull = {"textDocument": {"uri": other}}
        first = client.request("textDocument/diagnostic", pull)
        assert first["items"] == []
        again = client.request("textDocument/diagnostic", pull | {"previousResultId": first["resultId"]})
        assert again == {"kind": "unchanged", "resultId": first["resultId"]}
        client.change(URI, 2, insert(0, 0, "EXPORT = 1\n"))
        client.wait("refresh", lambda message: message.get("method") == "workspace/diagnostic/refresh")
        news = client.request("textDocument/diagnostic", pull | {"previousResultId": first["resultId"]})
        assert news["kind"] == "full"
        assert len(news["items"]) == 1


def test_an_error_of_the_analysis_costs_one_answer() -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, "CRASH\n")
        where = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}}
        assert client.answer(client.start_request("textDocument/hover", where))["error"]["code"] == -32603
        client.change(URI, 2, {"text": "BAD\n"})
        assert len(client.published(URI, 2)) == 1


def test_the_inbox_knows_what_waits() -> None:
    inbox = Inbox()
    woken: list[int] = []
    inbox.put(change_message(URI, 1))
    inbox.put(change_message(URI, 2))
    inbox.put({"method": "$/cancelRequest", "params": {"id": 5}})
    assert inbox.cancelled == {5}
    assert inbox.has_change_of(URI)
    inbox.pop()
    assert inbox.has_change_of(URI)
    inbox.pop()
    assert not inbox.has_change_of(URI)
    inbox.attach(lambda: woken.append(1))
    assert woken == [1]
    inbox.pop()
    with pytest.raises(TimeoutError):
        inbox.get(0)
    threading.Timer(0, lambda: inbox.put(None)).start()
    assert inbox.get(10) is None
