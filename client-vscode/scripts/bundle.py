"""Fills `bundled/` with the server, its dependencies and the script that starts it.

Only pure Python goes in, so that one bundle serves every platform and every Python from 3.11 on. The versions are
those of `bundled-constraints.txt`; a dependency that is not named there is an error, not a surprise.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

CLIENT = Path(__file__).resolve().parent.parent
ROOT = CLIENT.parent
BUNDLED = CLIENT / "bundled"
LIBS = BUNDLED / "libs"
CONSTRAINTS = CLIENT / "bundled-constraints.txt"
SMOKE = """
import sys
sys.path.insert(0, sys.argv[1])
import pathspec, pygls.lsp.server, sqlalchemy_guard
for module in (pathspec, pygls.lsp.server, sqlalchemy_guard):
    assert module.__file__.startswith(sys.argv[1]), module.__file__
"""


def main() -> None:
    shutil.rmtree(BUNDLED, ignore_errors=True)
    install_dependencies()
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(ROOT / "server" / "sqlalchemy_guard", LIBS / "sqlalchemy_guard", ignore=ignore)
    shutil.copy2(CLIENT / "launcher" / "launch.py", BUNDLED / "launch.py")
    strip()
    subprocess.run([sys.executable, "-I", "-S", "-B", "-c", SMOKE, str(LIBS)], check=True)
    count = sum(1 for path in BUNDLED.rglob("*") if path.is_file())
    print(f"bundled: {count} files, {', '.join(distributions())}")


def install_dependencies() -> None:
    """The dependencies of pyproject.toml and theirs, at the versions of the constraints."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        required = tomllib.load(file)["project"]["dependencies"]
    pure = [
        "--only-binary=:all:",
        "--implementation=py",
        "--abi=none",
        "--platform=any",
        "--python-version=3.11",
    ]
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    command += [*pure, f"--constraint={CONSTRAINTS}", f"--target={LIBS}", "--root-user-action=ignore"]
    subprocess.run([*command, *required], check=True)
    pinned = {line.split("==")[0] for line in CONSTRAINTS.read_text("utf-8").splitlines() if "==" in line}
    installed = {name.partition(" ")[0] for name in distributions()}
    if pinned != installed:
        raise SystemExit(f"{CONSTRAINTS.name} and the bundle differ: {sorted(pinned ^ installed)}")


def distributions() -> list[str]:
    """What `libs` holds, as "name version"; names in the normal form of package indexes."""
    found = [path.name.removesuffix(".dist-info").split("-") for path in LIBS.glob("*.dist-info")]
    return sorted(f"{re.sub('[-_.]+', '-', name).lower()} {version}" for name, version in found)


def strip() -> None:
    """Takes out what nothing imports; `*.dist-info` stays, for it holds the licences."""
    for pattern in ("bin", "Scripts", "**/__pycache__", "**/tests", "**/test"):
        for path in list(LIBS.glob(pattern)):
            shutil.rmtree(path, ignore_errors=True)
    # What `pip` notes of this machine says nothing to a user and would make two builds differ.
    for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
        for path in list(LIBS.glob(f"*.dist-info/{name}")):
            path.unlink()


if __name__ == "__main__":
    main()
