"""The JSON schema of our settings table, generated from the dataclass.

Editors that know JSON schemas complete and check the configuration with it; the VS Code extension's settings
and the documentation are made from it. This module must never name an option.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy_guard.config.settings import DEFAULT_LINE_LENGTH, Settings, options

_STRINGS = {"type": "array", "items": {"type": "string"}}


def json_schema() -> dict[str, Any]:
    """The schema of a `sqlalchemy-guard.toml`, or of our table in a `pyproject.toml`, ready for JSON."""
    defaults = Settings()
    properties = {}
    for name, option in options().items():
        default = getattr(defaults, option.name)
        properties[name] = {
            "description": option.metadata["help"],
            **_type(option.metadata["kind"], option.metadata),
            **({} if default is None or default == DEFAULT_LINE_LENGTH else {"default": _plain(default)}),
        }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "sqlalchemy-guard",
        "description": "Settings of sqlalchemy-guard, in its own file or under [tool.sqlalchemy-guard].",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _type(kind: str, metadata: Any) -> dict[str, Any]:
    if kind == "integer":
        return {"type": "integer", "minimum": metadata["minimum"], "maximum": metadata["maximum"]}
    if kind == "path":
        return {"type": "string"}
    if kind == "choice":
        return {"type": "string", "enum": list(metadata["choices"])}
    if kind == "selectors-by-pattern":
        return {"type": "object", "additionalProperties": _STRINGS}
    if kind == "severities":
        return {
            "type": "object",
            "additionalProperties": {"type": "string", "enum": list(metadata["choices"])},
        }
    return dict(_STRINGS)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, (str, int)) else dict(value)
