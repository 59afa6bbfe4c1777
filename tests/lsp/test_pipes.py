"""Pipes are read by whoever handles the messages, at any time, and never in vain."""

from __future__ import annotations

import io
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.lsp.pipes import connect
from sqlalchemy_guard.lsp.transport import Inbox, Malformed, Writer
from tests.lsp.support.driver import frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes cannot be asked there")


def socket_pair() -> tuple[int, int]:
    read, write = socket.socketpair()
    return read.detach(), write.detach()


class Line:
    """Both ends of a connection that is made of two pipes or pairs of sockets, as libuv makes them."""

    def __init__(self, pair: Callable[[], tuple[int, int]]) -> None:
        read, self.client_out = pair()
        self.client_in, write = pair()
        self.source, self.sink = io.FileIO(read, "r"), io.FileIO(write, "w")
        self.inbox = Inbox()
        pipe = connect(self.source, self.sink, self.inbox)
        assert pipe is not None
        self.writer = Writer(pipe, lambda: None)

    def say(self, data: bytes) -> None:
        """The client writes all of it."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self.client_out, rest) :]


@pytest.fixture(params=[os.pipe, socket_pair])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    made = Line(request.param)
    yield made
    made.source.close()
    made.sink.close()
    os.close(made.client_in)


def test_looking_does_not_wait(line: Line) -> None:
    assert not line.inbox.waiting()
    with pytest.raises(TimeoutError):
        line.inbox.get(0)
    whole = frame({"id": 1})
    line.say(whole[:-3])
    assert not line.inbox.waiting()
    line.say(whole[-3:] + frame({"id": 2}))
    assert line.inbox.waiting()
    assert [line.inbox.get(), line.inbox.pop()] == [{"id": 1}, {"id": 2}]
    os.close(line.client_out)


def test_the_end_is_told_once(line: Line) -> None:
    line.say(frame({"id": 1})[:-2])
    os.close(line.client_out)
    assert isinstance(line.inbox.get(), Malformed)
    assert line.inbox.get() is None
    assert not line.inbox.waiting()
    assert line.inbox.arrivals is not None
    assert line.inbox.arrivals.ended


def test_a_cancellation_overtakes_what_it_cancels(line: Line) -> None:
    line.say(frame({"id": 1, "method": "x"}) + frame({"method": "$/cancelRequest", "params": {"id": 1}}))
    line.inbox.look()
    assert line.inbox.cancelled == {1}
    os.close(line.client_out)


def test_a_client_that_writes_all_before_it_reads(line: Line) -> None:
    # Far more in both directions than pipes hold: each side could wait for the other one for ever.
    said = [{"id": number, "text": "x" * 1000} for number in range(2000)]
    answer = "y" * 3_000_000
    server = threading.Thread(target=line.writer.send, args=(answer,), daemon=True)
    heard = bytearray()

    def client() -> None:
        line.say(b"".join(map(frame, said)))
        while len(heard) < len(answer):
            heard.extend(os.read(line.client_in, 1 << 16))

    talking = threading.Thread(target=client, daemon=True)
    talking.start()
    server.start()
    server.join(60)
    talking.join(60)
    assert not server.is_alive()
    assert not talking.is_alive()
    assert heard.endswith(answer.encode())
    assert [line.inbox.get(10) for _ in said] == said
    os.close(line.client_out)


def test_a_client_that_is_gone_is_not_written_to(line: Line) -> None:
    lost: list[bool] = []
    os.close(line.client_out)
    os.dup2(os.open(os.devnull, os.O_RDONLY), line.client_in)
    gone = Writer(connect(line.source, line.sink, Inbox()) or line.sink, lambda: lost.append(True))
    gone.send("x" * 1_000_000)
    assert lost == [True]


def test_files_are_read_by_a_thread(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    path.write_bytes(frame({"id": 1}))
    inbox = Inbox()
    with path.open("rb", buffering=0) as source, path.open("ab", buffering=0) as sink:
        assert connect(source, sink, inbox) is None
    assert inbox.arrivals is None
