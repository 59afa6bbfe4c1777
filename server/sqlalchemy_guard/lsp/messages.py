"""The text of messages: answers, errors and requests of JSON-RPC. This module must never know a method."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any


class ErrorCode(IntEnum):
    """The codes of JSON-RPC and of the language server protocol that are used here."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    SERVER_NOT_INITIALIZED = -32002
    SERVER_CANCELLED = -32802
    REQUEST_CANCELLED = -32800


class RequestError(Exception):
    """A request is answered with an error; a notification is ignored."""

    def __init__(self, code: ErrorCode, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


def response_text(message_id: int | str | None, result: str) -> str:
    """An answer whose result is JSON text."""
    return f'{{"jsonrpc":"2.0","id":{json.dumps(message_id)},"result":{result}}}'


def error_text(message_id: int | str | None, code: ErrorCode, message: str, data: Any = None) -> str:
    """An answer that says what went wrong."""
    error: dict[str, Any] = {"code": int(code), "message": message}
    if data is not None:
        error["data"] = data
    return json.dumps({"jsonrpc": "2.0", "id": message_id, "error": error})


def request_text(message_id: str, method: str, params: Any) -> str:
    """A request to the client; no `params` when they are None."""
    message = {"jsonrpc": "2.0", "id": message_id, "method": method}
    if params is not None:
        message["params"] = params
    return json.dumps(message)
