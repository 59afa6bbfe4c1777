"""Writes the server's settings into `package.json`, from the schema that the server itself gives.

Every setting is unset by default, so that what a project's configuration file says holds; what is in force then is
told in the description. `--check` changes nothing and fails when the file is out of date.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

CLIENT = Path(__file__).resolve().parent.parent
PACKAGE = CLIENT / "package.json"
PREFIX = "sqlalchemyGuard"
GROUP = "What is checked"

sys.path.insert(0, str(CLIENT.parent / "server"))


def main() -> None:
    from sqlalchemy_guard.config import json_schema

    old = PACKAGE.read_text("utf-8")
    package = json.loads(old)
    groups = [group for group in package["contributes"]["configuration"] if group["title"] != GROUP]
    groups.append({"title": GROUP, "properties": settings(json_schema())})
    package["contributes"]["configuration"] = groups
    new = json.dumps(package, indent=2, ensure_ascii=False) + "\n"
    if new == old:
        return
    if "--check" in sys.argv[1:]:
        sys.exit(f"{PACKAGE} is out of date: run `python {Path(__file__).name}`")
    PACKAGE.write_text(new, "utf-8", newline="\n")


def settings(schema: dict[str, Any]) -> dict[str, Any]:
    """The editor's settings by full name for a schema of options in kebab case."""
    return {f"{PREFIX}.{camel_case(name)}": setting(option) for name, option in schema["properties"].items()}


def setting(option: dict[str, Any]) -> dict[str, Any]:
    """One option as an editor's setting that may be null, which means unset."""
    result = {key: value for key, value in option.items() if key not in ("description", "default")}
    result["type"] = [option["type"], "null"]
    if "enum" in option:
        result["enum"] = [None, *option["enum"]]
    result["default"] = None
    result["scope"] = "resource"
    result["markdownDescription"] = f"{option['description']}{in_force(option.get('default'))}"
    return result


def in_force(default: Any) -> str:
    """A sentence that says what holds while neither the editor nor a configuration file says anything."""
    if default in (None, [], {}):
        return ""
    shown = ", ".join(f"`{item}`" for item in default) if isinstance(default, list) else f"`{default}`"
    return f" Without this and without a configuration file: {shown}."


def camel_case(name: str) -> str:
    return re.sub("-([a-z])", lambda match: match[1].upper(), name)


if __name__ == "__main__":
    main()
