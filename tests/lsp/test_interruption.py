"""Work that nobody waits for any more is ended in its midst, and what it leaves behind is whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sqlalchemy_guard.lsp.analysis import build
from sqlalchemy_guard.lsp.session import Session
from sqlalchemy_guard.lsp.transport import Inbox
from tests.lsp.support.driver import change_message, insert

if TYPE_CHECKING:
    from collections.abc import Callable

URI = "file:///project/app.py"
TEXT = "from sqlalchemy import create_engine\n" + "".join(
    f"\n\ndef make_{n}():\n    return create_engine('postgresql://db/{n}')\n" for n in range(40)
)


class Talk:
    """A session with the real analysis and without a process; what it sends is kept."""

    def __init__(self, *, pulls: bool = False) -> None:
        self.inbox = Inbox()
        self.sent: list[dict[str, Any]] = []
        self.session = Session(self.inbox, lambda text: self.sent.append(json.loads(text)), build)
        capabilities = {
            "textDocument": {"diagnostic": {}} if pulls else {},
            "workspace": {"diagnostics": {"refreshSupport": pulls}},
        }
        self.session.receive(
            {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"capabilities": capabilities}}
        )
        item = {"uri": URI, "languageId": "python", "version": 1, "text": TEXT}
        self.session.receive(
            {"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": item}}
        )

    def at_poll(self, number: int, happens: Callable[[], None]) -> None:
        """Let something happen just before the analysis polls for the `number`-th time."""
        checker = self.session.analysis.checker
        poll, polls = checker.poll, iter(range(1, number + 1))

        def counted() -> None:
            if next(polls, None) == number:
                happens()
            poll()

        checker.poll = counted

    def pull(self, message_id: int) -> dict[str, Any]:
        """The answer to a request for diagnostics."""
        params = {"textDocument": {"uri": URI}}
        self.session.receive(
            {"jsonrpc": "2.0", "id": message_id, "method": "textDocument/diagnostic", "params": params}
        )
        return next(message for message in self.sent if message.get("id") == message_id)

    def published(self) -> list[tuple[int, int]]:
        """The versions that were published, and how many diagnostics each has."""
        return [
            (message["params"]["version"], len(message["params"]["diagnostics"]))
            for message in self.sent
            if message.get("method") == "textDocument/publishDiagnostics"
        ]


def whole() -> int:
    """How many diagnostics the text has."""
    talk = Talk()
    talk.session.flush()
    ((_, count),) = talk.published()
    assert count >= 40
    return count


@pytest.mark.parametrize("number", [1, 3, 6])
def test_a_check_is_given_up_for_a_newer_version(number: int) -> None:
    talk = Talk()
    change = {"jsonrpc": "2.0", **change_message(URI, 2, insert(0, 0, "# one more line\n"))}
    talk.at_poll(number, lambda: talk.inbox.put(change))
    talk.session.flush()
    assert talk.published() == []
    talk.session.pump()
    assert talk.published() == [(2, whole())]


def test_a_pull_is_refused_when_a_newer_version_arrives_meanwhile() -> None:
    talk = Talk(pulls=True)
    change = {"jsonrpc": "2.0", **change_message(URI, 2, insert(0, 0, "# one more line\n"))}
    talk.at_poll(4, lambda: talk.inbox.put(change))
    assert talk.pull(1)["error"]["code"] == -32802
    talk.session.pump()
    assert len(talk.pull(2)["result"]["items"]) == whole()


def test_a_pull_that_is_cancelled_while_it_runs() -> None:
    talk = Talk(pulls=True)
    cancel = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 1}}
    talk.at_poll(4, lambda: talk.inbox.put(cancel))
    assert talk.pull(1)["error"]["code"] == -32800
    assert len(talk.pull(2)["result"]["items"]) == whole()


@pytest.mark.parametrize("number", [3, 30, 45])
def test_fixing_all_that_is_cancelled_leaves_the_documents_as_they_were(number: int) -> None:
    from sqlalchemy_guard.lsp import actions
    from sqlalchemy_guard.lsp.server import make_server

    talk = Talk()
    talk.session.flush()
    before = talk.session.analysis.workspace.documents["/project/app.py"]
    server = make_server(talk.session)
    server.adopt()
    talk.session.connect(server.protocol.feed)
    polls: list[None] = []
    checker = talk.session.analysis.checker
    poll = checker.poll
    checker.poll = lambda: polls.append(None)
    whole_file = ((0, 0), (200, 0))
    (done,) = actions.offer(talk.session, URI, whole_file, ["source.fixAll"])
    checker.poll = poll
    assert len(polls) > number, "there is work left to be cancelled"
    cancel = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 7}}
    talk.at_poll(number, lambda: talk.inbox.put(cancel))
    params = {
        "textDocument": {"uri": URI},
        "range": {"start": {"line": 0, "character": 0}, "end": {"line": 200, "character": 0}},
        "context": {"diagnostics": [], "only": ["source.fixAll"]},
    }
    request = {"jsonrpc": "2.0", "id": 7, "method": "textDocument/codeAction", "params": params}
    talk.session.receive(request)
    answer = next(message for message in talk.sent if message.get("id") == 7)
    assert answer["error"]["code"] == -32800
    assert talk.session.analysis.workspace.documents["/project/app.py"] is before
    # And the same can be done afterwards.
    assert actions.offer(talk.session, URI, whole_file, ["source.fixAll"]) == [done]
