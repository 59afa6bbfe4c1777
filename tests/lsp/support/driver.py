"""A raw client: frames, sends and sorts messages itself, so that a test can send what no library would.

Every wait is for a certain message and fails after `TIMEOUT`; nothing is ever taken to be "the next one".
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[3]
TIMEOUT = 30.0

FAKE = ("-m", "tests.lsp.support.fake_server")
REAL = ("-m", "sqlalchemy_guard", "server")


def environment() -> dict[str, str]:
    """The environment of a server: our packages and nothing else of the test run's."""
    path = os.pathsep.join((str(ROOT / "server"), str(ROOT)))
    # Compiled modules are kept: else every one of the many servers would compile all of them anew.
    return {
        **os.environ,
        "PYTHONPATH": path,
        "PYTHONWARNINGS": "default",
        "PYTHONDONTWRITEBYTECODE": "",
    }


class Client:
    """One server process and the client's side of its connection.

    Args:
        server: Arguments of the interpreter that start the server.
        options: Options of the interpreter before them.
    """

    def __init__(self, server: Sequence[str] = FAKE, options: Sequence[str] = (), **popen: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *options, *server],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            **popen,
        )
        self.capabilities: dict[str, Any] = {}
        self.received: list[dict[str, Any]] = []
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self.raw_errors: list[str] = []
        self.log: list[str] = []
        self._ids = 0
        self._news = threading.Condition()
        self._ended = False
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._read_log)]
        for thread in self._threads:
            thread.start()

    # -- sending ---------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, *messages: dict[str, Any]) -> None:
        """Send messages in one write."""
        self.write(b"".join(frame({"jsonrpc": "2.0", **message}) for message in messages))

    def notify(self, method: str, params: Any = None) -> None:
        """Send a notification."""
        self.send({"method": method, "params": params})

    def start_request(self, method: str, params: Any = None) -> int:
        """Send a request and do not wait; its id."""
        self._ids += 1
        self.send({"id": self._ids, "method": method, "params": params})
        return self._ids

    def request(self, method: str, params: Any = None) -> Any:
        """Send a request; its result."""
        answer = self.answer(self.start_request(method, params))
        assert "error" not in answer, answer
        return answer["result"]

    # -- receiving -------------------------------------------------------------------------------------------------

    def wait(self, what: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first message, past or to come, that is wanted."""
        deadline = time.monotonic() + TIMEOUT
        with self._news:
            while True:
                for message in self.received:
                    if wanted(message):
                        return message
                left = deadline - time.monotonic()
                if left <= 0 or (self._ended and not self._news.wait(0)):
                    raise AssertionError(
                        f"{what} never came; received {self.received[-5:]}\n" + "".join(self.log[-60:])
                    )
                self._news.wait(left)

    def answer(self, message_id: int | str | None) -> dict[str, Any]:
        """The answer to a request."""
        return self.wait(
            f"the answer to {message_id}",
            lambda message: "method" not in message and message.get("id") == message_id,
        )

    def published(self, uri: str, version: int | None = None) -> list[dict[str, Any]]:
        """The diagnostics pushed for a version of a document."""
        message = self.wait(
            f"diagnostics of {uri} version {version}",
            lambda message: (
                message.get("method") == "textDocument/publishDiagnostics"
                and message["params"]["uri"] == uri
                and message["params"].get("version") == version
            ),
        )
        found: list[dict[str, Any]] = message["params"]["diagnostics"]
        return found

    def publications(self, uri: str) -> list[dict[str, Any]]:
        """What has been pushed for a document so far."""
        with self._news:
            return [
                message["params"]
                for message in self.received
                if message.get("method") == "textDocument/publishDiagnostics"
                and message["params"]["uri"] == uri
            ]

    # -- the usual -------------------------------------------------------------------------------------------------

    def initialize(
        self, capabilities: dict[str, Any] | None = None, folders: Sequence[str] = (), **params: Any
    ) -> dict[str, Any]:
        """The usual beginning; the server's answer."""
        result: dict[str, Any] = self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": None,
                "capabilities": capabilities or {},
                "workspaceFolders": [{"uri": uri, "name": uri} for uri in folders] or None,
                **params,
            },
        )
        self.notify("initialized", {})
        return result

    def open(self, uri: str, text: str, version: int = 1, language: str = "python") -> None:
        """Open a document."""
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, uri: str, version: int, *changes: dict[str, Any]) -> None:
        """Change a document."""
        self.send(change_message(uri, version, *changes))

    def actions(
        self, uri: str, at: tuple[int, int, int, int], only: list[str] | None = None
    ) -> list[dict[str, Any]]:
        """The code actions of a range."""
        context: dict[str, Any] = {"diagnostics": []}
        if only is not None:
            context["only"] = only
        found: list[dict[str, Any]] = self.request(
            "textDocument/codeAction", {"textDocument": {"uri": uri}, "range": span(*at), "context": context}
        )
        return found

    def finish(self) -> int:
        """Say goodbye; the exit code."""
        self.request("shutdown")
        self.notify("exit")
        return self.end()

    def end(self) -> int:
        """Wait for the process; its exit code."""
        code = self.process.wait(TIMEOUT)
        for thread in self._threads:
            thread.join(TIMEOUT)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    self.log.append("the server left something unread\n")
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """A test that passes must have ended its server with code 0, unless it has looked at the code itself."""
        if kind is not None:
            self.process.kill()
            self.end()
        elif self.process.returncode is None:
            code = self.finish()
            assert code == 0, f"exit code {code}\n" + "".join(self.log[-60:])

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while True:
            length = 0
            while line := stream.readline():
                if line == b"\r\n":
                    break
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
                else:
                    self.raw_errors.append(f"no header: {line!r}")
            if not length:
                break
            message = json.loads(stream.read(length))
            with self._news:
                self.received.append(message)
                self._news.notify_all()
            if "method" in message and "id" in message:
                handler = self.answers.get(message["method"])
                result = handler(message["params"]) if handler is not None else None
                self.send({"id": message["id"], "result": result})
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.decode("utf-8", "replace"))


def frame(message: Any) -> bytes:
    """A message as it travels."""
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def change_message(uri: str, version: int, *changes: dict[str, Any]) -> dict[str, Any]:
    """A `didChange`."""
    return {
        "method": "textDocument/didChange",
        "params": {"textDocument": {"uri": uri, "version": version}, "contentChanges": list(changes)},
    }


def insert(line: int, character: int, text: str) -> dict[str, Any]:
    """A change that inserts."""
    return edit(line, character, line, character, text)


def edit(line: int, character: int, end_line: int, end_character: int, text: str) -> dict[str, Any]:
    """A change that replaces a range."""
    return {"range": span(line, character, end_line, end_character), "text": text}


def span(line: int, character: int, end_line: int, end_character: int) -> dict[str, Any]:
    """A range."""
    return {
        "start": {"line": line, "character": character},
        "end": {"line": end_line, "character": end_character},
    }
