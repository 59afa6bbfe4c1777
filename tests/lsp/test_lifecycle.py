"""How the server leaves: when told to, when nobody speaks to it any more, when the client dies."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.lsp.support.driver import FAKE, REAL, ROOT, TIMEOUT, Client, environment, frame

if TYPE_CHECKING:
    from collections.abc import Sequence

URI = "file:///project/module.py"


@pytest.mark.parametrize("late", [False, True], ids=["while loading", "when loaded"])
def test_shutdown_and_exit(late: bool) -> None:
    client = Client()
    client.initialize()
    if late:
        client.open(URI, "BAD\n")
        assert client.actions(URI, (0, 0, 0, 0))
    client.request("shutdown")
    refused = client.start_request("textDocument/hover", {})
    assert client.answer(refused)["error"]["code"] == -32600
    client.notify("exit")
    assert client.end() == 0


def test_exit_without_shutdown_is_an_error() -> None:
    client = Client()
    client.initialize()
    client.notify("exit")
    assert client.end() == 1


def test_exit_before_initialize() -> None:
    client = Client()
    client.notify("exit")
    assert client.end() == 1


@pytest.mark.parametrize("late", [False, True], ids=["while loading", "when loaded"])
@pytest.mark.parametrize("goodbye", [False, True])
def test_the_end_of_the_input(late: bool, goodbye: bool) -> None:
    client = Client()
    client.initialize()
    if late:
        client.open(URI, "BAD\n")
        assert client.actions(URI, (0, 0, 0, 0))
    if goodbye:
        client.request("shutdown")
    assert client.process.stdin is not None
    client.process.stdin.close()
    assert client.end() == (0 if goodbye else 1)
    assert not any("Fatal" in line or "Traceback" in line for line in client.log), client.log


def test_a_client_that_does_not_read_any_more() -> None:
    with subprocess.Popen(
        [sys.executable, *FAKE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
        cwd=ROOT,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdout.close()
        server.stdin.write(frame({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}))
        server.stdin.flush()
        assert server.wait(TIMEOUT) == 1


@pytest.mark.skipif(os.name == "nt", reason="the client's process is a POSIX one here")
def test_the_client_dies_while_its_pipe_is_held_open() -> None:
    # `sleep` inherits nothing; the test itself holds both pipes, so only the watch can notice.
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as editor:
        client = Client()
        client.initialize(processId=editor.pid)
        client.open(URI, "BAD\n")
        assert client.actions(URI, (0, 0, 0, 0))
        editor.kill()
        assert client.end() == 1


def test_a_client_of_another_machine_is_not_missed() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait(TIMEOUT)
    with Client() as client:
        client.initialize(processId=gone.pid)
        client.open(URI, "BAD\n")
        assert len(client.published(URI, 1)) == 1


def test_without_docstrings() -> None:
    source = "from sqlalchemy import create_engine\n\nengine = create_engine('postgresql://x')\n"
    with Client(REAL, ["-OO"]) as client:
        client.initialize()
        client.open(URI, source)
        found = client.published(URI, 1)
        assert "SAG101" in [one["code"] for one in found]
        where = {"textDocument": {"uri": URI}, "position": found[0]["range"]["start"]}
        assert "stripped" in client.request("textDocument/hover", where)["contents"]["value"]


def listening(arguments: Sequence[str]) -> tuple[subprocess.Popen[str], int]:
    """A server on a port, and which."""
    server = subprocess.Popen(
        [sys.executable, *FAKE, *arguments, "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=ROOT,
    )
    assert server.stderr is not None
    found = re.search(r":(\d+)$", server.stderr.readline().strip())
    assert found
    return server, int(found[1])


def test_over_tcp() -> None:
    server, port = listening(["--tcp"])
    with (
        socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection,
        connection.makefile("rb") as stream,
    ):

        def answer(**message: object) -> object:
            connection.sendall(frame({"jsonrpc": "2.0", "params": {}, **message}))
            length = int(stream.readline().split(b":")[1])
            stream.readline()
            return json.loads(stream.read(length))["result"]

        assert answer(id=1, method="initialize")
        assert answer(id=2, method="shutdown") is None
        connection.sendall(frame({"jsonrpc": "2.0", "method": "exit"}))
        assert server.wait(TIMEOUT) == 0
    assert server.stderr is not None
    server.stderr.close()


def test_over_websockets() -> None:
    client = pytest.importorskip("websockets.sync.client")
    server, port = listening(["--ws"])
    with client.connect(f"ws://127.0.0.1:{port}") as connection:

        def answer(**message: object) -> object:
            connection.send(json.dumps({"jsonrpc": "2.0", "params": {}, **message}))
            return json.loads(connection.recv(TIMEOUT))["result"]

        assert answer(id=1, method="initialize")
        assert answer(id=2, method="shutdown") is None
        connection.send(json.dumps({"jsonrpc": "2.0", "method": "exit"}))
        assert server.wait(TIMEOUT) == 0
    assert server.stderr is not None
    server.stderr.close()


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, *FAKE, "--tcp", "--port", port],
            env=environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    assert done.returncode == 2
    assert "cannot listen" in done.stderr


def test_the_first_diagnostics_do_not_wait_for_pygls() -> None:
    # The same front, in a process where importing pygls never succeeds until the diagnostics are out.
    script = textwrap.dedent(
        """
        import sys
        from tests.lsp.support import fake_server
        for name in ("pygls", "lsprotocol", "asyncio"):
            sys.modules[name] = None
        sys.exit(fake_server.main())
        """
    )
    client = Client(["-c", script], cwd=ROOT)
    client.initialize()
    client.open(URI, "BAD\n")
    assert len(client.published(URI, 1)) == 1
    # Loading fails then, which ends the server with the reason in its log.
    assert client.end() == 1
    assert any("ModuleNotFoundError" in line for line in client.log)
