"""Takes the picture of the README in a real VS Code: `python -m tests.editors.vscode.picture`."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.client import build
from tests.editors import support
from tests.editors.vscode import install

PICTURE = support.ROOT / "docs" / "images" / "vscode.png"
SETTINGS = {
    "chat.disableAIFeatures": True,
    "editor.fontSize": 14,
    "editor.minimap.enabled": False,
    "extensions.autoUpdate": "off",
    "git.enabled": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "workbench.colorTheme": "Default Light Modern",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.startupEditor": "none",
}
WHERE = {
    "file": "shop/db.py",
    "line": "create_engine(database_url())",
    "word": "create_engine",
    "action": "Add `pool_pre_ping=True`",
}


def main() -> None:
    vscode = install.install(install.NEWEST)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        machine = home / "data" / "Machine"
        machine.mkdir(parents=True)
        (machine / "settings.json").write_text(json.dumps(SETTINGS), "utf-8")
        shop = Path(folder) / "shop"
        shutil.copytree(
            support.ROOT / "examples" / "shop", shop, ignore=shutil.ignore_patterns("__pycache__")
        )
        options = {
            "server": str(vscode.server),
            "tools": str(vscode.tools),
            "chromium": vscode.chromium,
            "vsix": str(build.extension_archive(Path(folder))),
            "home": str(home),
            "folder": str(shop),
            "picture": str(PICTURE),
            **WHERE,
        }
        (home / "options.json").write_text(json.dumps(options), "utf-8")
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        script = Path(__file__).with_name("picture.mjs")
        subprocess.run([vscode.node, script, home / "options.json"], check=True)


if __name__ == "__main__":
    main()
