"""A small LSP client over stdio: framed JSON, one subprocess, nothing but the standard library.

It serves the benchmarks and the demonstration, so it does what an editor does and nothing cleverer: it
answers the server's own requests, remembers the newest diagnostics of each document, and never waits without
a deadline. Reading happens on the caller's thread (a thread hop would be measured as the server's time). It
must never know which server it talks to.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

Json = dict[str, Any]


class ServerError(Exception):
    """The server died, answered with an error, or did not answer in time; the message ends with its standard
    error."""


class Client:
    """A running language server and the conversation with it. Use it as a context manager.

    Args:
        command: What starts the server.
        root: The workspace folder, which is also the working directory.
        pull: Whether to say that the client pulls diagnostics; otherwise the server has to push them.
        timeout: Seconds that any single wait may take.
        settings: The answer to every `workspace/configuration` item.
        env: Environment variables on top of this process's own.
    """

    def __init__(
        self,
        command: Sequence[str],
        root: Path,
        *,
        pull: bool = False,
        timeout: float = 60.0,
        settings: Any = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.command = list(command)
        self.root = root
        self.pull = pull
        self.timeout = timeout
        self.settings = settings
        self.diagnostics: dict[str, Json] = {}
        self.publishes = 0
        self.arrived = 0.0
        self.server: Json = {}
        self._ids = 0
        self._answers: dict[int, Json] = {}
        self._deadline: float | None = None
        self._timed_out = False
        self._closed = threading.Event()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the client
        self._process = subprocess.Popen(
            self.command,
            cwd=root,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    @property
    def encoding(self) -> str:
        """The position encoding that was agreed on."""
        return str(self.server.get("capabilities", {}).get("positionEncoding", "utf-16"))

    def initialize(self, options: Any = None) -> Json:
        """Shake hands and return the server's answer to `initialize`."""
        document: Json = {
            "synchronization": {"didSave": True},
            "publishDiagnostics": {
                "relatedInformation": True,
                "versionSupport": True,
                "codeDescriptionSupport": True,
            },
            "codeAction": {
                "dataSupport": True,
                "isPreferredSupport": True,
                "disabledSupport": True,
                "resolveSupport": {"properties": ["edit"]},
                "codeActionLiteralSupport": {
                    "codeActionKind": {
                        "valueSet": ["quickfix", "source", "source.fixAll", "source.organizeImports"]
                    }
                },
            },
        }
        if self.pull:
            document["diagnostic"] = {"dynamicRegistration": False, "relatedDocumentSupport": False}
        self.server = self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "clientInfo": {"name": "framed-json"},
                "rootUri": self.root.as_uri(),
                "workspaceFolders": [{"uri": self.root.as_uri(), "name": self.root.name}],
                "initializationOptions": options,
                "capabilities": {
                    "general": {"positionEncodings": ["utf-8", "utf-16"]},
                    "workspace": {
                        "configuration": True,
                        **({"diagnostics": {"refreshSupport": True}} if self.pull else {}),
                        "workspaceFolders": True,
                        "workspaceEdit": {"documentChanges": True},
                    },
                    "textDocument": document,
                },
            },
        )
        self.notify("initialized", {})
        return self.server

    def request(self, method: str, params: Any) -> Any:
        """Send a request and return its result. Raises `ServerError` for an error answer."""
        return self.wait_answer(self.send(method, params))

    def send(self, method: str, params: Any) -> int:
        """Send a request without waiting; its id is for `wait_answer`."""
        self._ids += 1
        self._write({"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params})
        return self._ids

    def wait_answer(self, request: int) -> Any:
        """The result of a request that was sent before."""
        while request not in self._answers:
            self._read()
        answer = self._answers.pop(request)
        if "error" in answer:
            raise ServerError(f"{self.command[0]}: {answer['error'].get('message')}{self._last_words()}")
        return answer.get("result")

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._write({"jsonrpc": "2.0", "method": method, "params": params})

    def burst(self, notifications: Sequence[tuple[str, Any]], request: tuple[str, Any] | None = None) -> int:
        """Send many notifications and perhaps a request back to back; the request's id is for `wait_answer`.

        They are written by a thread of their own: a server that answers while its output is not being read
        would block both sides.
        """
        messages: list[Json] = [
            {"jsonrpc": "2.0", "method": method, "params": params} for method, params in notifications
        ]
        if request is not None:
            self._ids += 1
            messages.append({"jsonrpc": "2.0", "id": self._ids, "method": request[0], "params": request[1]})
        data = b"".join(map(_frame, messages))
        threading.Thread(target=self._write_bytes, args=(data,), daemon=True).start()
        return self._ids

    def open(self, uri: str, text: str, version: int = 1, language: str = "python") -> None:
        """Open a document."""
        document = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def published(self, uri: str, version: int) -> list[Json]:
        """Wait for diagnostics that the server pushes for this version of a document, or a newer one."""
        while True:
            newest = self.diagnostics.get(uri)
            if newest is not None and (newest.get("version") or 0) >= version:
                diagnostics: list[Json] = newest["diagnostics"]
                return diagnostics
            self._read()

    def pulled(self, uri: str, previous: str | None = None) -> Json:
        """Ask for a document's diagnostics; the answer is a full or an unchanged report."""
        params: Json = {"textDocument": {"uri": uri}}
        if previous is not None:
            params["previousResultId"] = previous
        report: Json = self.request("textDocument/diagnostic", params)
        return report

    def close(self) -> int:
        """End the session as the protocol wants it and return the server's exit code."""
        if self._process.poll() is None:
            try:
                self.request("shutdown", None)
                self.notify("exit", None)
                self._process.wait(timeout=10)
            except (ServerError, subprocess.TimeoutExpired):
                self._process.kill()
        code = self._process.wait()
        self._closed.set()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None and not stream.closed:
                stream.close()
        return code

    def memory(self) -> int | None:
        """The server's resident memory in bytes, None where the operating system does not tell."""
        return resident_memory(self.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, message: Json) -> None:
        self._deadline = time.monotonic() + self.timeout
        self._write_bytes(_frame(message))
        self._deadline = None

    def _write_bytes(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise ServerError(
                f"{self.command[0]} does not listen any more: {error}{self._last_words()}"
            ) from error

    def _read(self) -> None:
        """Take one message: keep an answer or diagnostics, reply to a request, pass over anything else."""
        message = self._receive()
        method = message.get("method")
        if method is None:
            self._answers[message["id"]] = message
        elif "id" in message:
            self._write(
                {"jsonrpc": "2.0", "id": message["id"], "result": self._reply(method, message.get("params"))}
            )
        elif method == "textDocument/publishDiagnostics":
            self.publishes += 1
            self.diagnostics[message["params"]["uri"]] = message["params"]

    def _reply(self, method: str, params: Any) -> Any:
        if method == "workspace/configuration":
            return [self.settings for _ in params["items"]]
        return None

    def _receive(self) -> Json:
        assert self._process.stdout is not None
        stream = self._process.stdout
        self._deadline = time.monotonic() + self.timeout
        length = 0
        while line := stream.readline():
            if line == b"\r\n":
                break
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = stream.read(length) if line else b""
        self.arrived = time.perf_counter()  # before decoding, which is not the server's work
        self._deadline = None
        if not body or len(body) < length:
            reason = f"did not answer within {self.timeout:g} s" if self._timed_out else "ended unexpectedly"
            raise ServerError(f"{' '.join(self.command)} {reason}{self._last_words()}")
        message: Json = json.loads(body)
        return message

    def _watch(self) -> None:
        """Kill a server that lets us wait past the deadline: the only portable way to end a blocking read or
        write."""
        while not self._closed.wait(0.25):
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline:
                self._timed_out = True
                self._process.kill()
                return

    def _last_words(self) -> str:
        try:
            self._stderr.seek(0)
            said = self._stderr.read().decode("utf-8", "replace").strip()
        except ValueError:
            return ""
        return f"\n{said[-2000:]}" if said else ""


def _frame(message: Json) -> bytes:
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def resident_memory(pid: int) -> int | None:
    """The resident memory of a process in bytes, None where the operating system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return None
    if sys.platform == "win32":
        return None
    answer = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return int(answer) * 1024 if answer.isdigit() else None
