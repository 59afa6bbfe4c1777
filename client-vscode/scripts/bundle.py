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
NOT_PURE = {"markupsafe"}
"""Published for single platforms only; without its compiled module it falls back to Python."""
DONE_WITHOUT = {"exceptiongroup", "greenlet", "tomli"}
"""Only for what the server never does (asynchronous drivers), or for a Python older than ours."""
SMOKE = """
import sys
sys.path.insert(0, sys.argv[1])
import alembic.autogenerate, mako.template, markupsafe, pathspec, pygls.lsp.server, ruamel.yaml, sqlalchemy.orm, sqlglot
import sqlalchemy_guard
modules = (alembic, mako, markupsafe, pathspec, pygls, ruamel.yaml, sqlalchemy, sqlalchemy_guard, sqlglot)
for module in modules:
    assert module.__file__.startswith(sys.argv[1]), module.__file__
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase): pass
class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
for dialect in (mssql, mysql, oracle, postgresql, sqlite):
    assert "FROM" in str(sqlalchemy.select(User).compile(dialect=dialect.dialect()))
assert mako.template.Template("${a | h}").render(a="<") == "&lt;"
assert sqlglot.parse_one("ALTER TABLE a ADD COLUMN b INT").key == "alter"
assert ruamel.yaml.YAML(typ="rt", pure=True).compose("a: 1").end_mark.index == 4
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
    """The dependencies of pyproject.toml and of its extra `schema`, and theirs, at the versions of the constraints."""
    pinned = dict(
        line.split("==") for line in CONSTRAINTS.read_text("utf-8").splitlines() if not line.startswith("#")
    )
    pure = ["--implementation=py", "--abi=none", "--platform=any"]
    install([f"{name}=={version}" for name, version in pinned.items() if name not in NOT_PURE], pure)
    # Which platform's does not matter: all of them carry the same Python.
    some = ["--implementation=cp", "--abi=cp311", "--platform=manylinux2014_x86_64"]
    install([f"{name}=={version}" for name, version in pinned.items() if name in NOT_PURE], some)
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    wanted = required([*project["dependencies"], *project["optional-dependencies"]["schema"]])
    installed = {name.partition(" ")[0] for name in distributions()}
    if not pinned.keys() == installed == wanted:
        surplus = sorted(pinned.keys() ^ installed | installed ^ wanted)
        raise SystemExit(f"{CONSTRAINTS.name}, the bundle and what is required differ: {surplus}")


def install(requirements: list[str], kind: list[str]) -> None:
    """Install exactly these distributions, wheels of one kind only."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    command += ["--no-deps", "--only-binary=:all:", "--python-version=3.11", *kind]
    command += [f"--target={LIBS}", "--root-user-action=ignore"]
    subprocess.run([*command, *requirements], check=True)


def required(requirements: list[str]) -> set[str]:
    """The names of what is required, and of what that requires, as the distributions in `libs` say."""
    found: set[str] = set()
    todo = [normal(requirement) for requirement in requirements]
    while todo:
        name = todo.pop()
        if name in found or name in DONE_WITHOUT:
            continue
        found.add(name)
        for folder in LIBS.glob("*.dist-info"):
            if normal(folder.name.partition("-")[0]) == name:
                lines = (folder / "METADATA").read_text("utf-8").partition("\n\n")[0].splitlines()
                theirs = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")]
                todo += [normal(each) for each in theirs if "extra ==" not in each]
    return found


def normal(requirement: str) -> str:
    """The name in a requirement, in the normal form of package indexes."""
    return re.sub("[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


def distributions() -> list[str]:
    """What `libs` holds, as "name version"; names in the normal form of package indexes."""
    found = [path.name.removesuffix(".dist-info").split("-") for path in LIBS.glob("*.dist-info")]
    return sorted(f"{normal(name)} {version}" for name, version in found)


def strip() -> None:
    """Takes out what nothing imports, and what runs on one platform; `*.dist-info` stays, for it holds the licences."""
    for pattern in (
        "bin",
        "Scripts",
        "**/__pycache__",
        "**/tests",
        "**/test",
        "alembic/testing",
        "sqlalchemy/testing",
    ):
        for path in list(LIBS.glob(pattern)):
            shutil.rmtree(path, ignore_errors=True)
    for pattern in ("*.so", "*.pyd", "*.dll", "*.dylib", "*.c", "*.pxd", "*.pyx"):
        for path in list(LIBS.rglob(pattern)):
            path.unlink()
    # What `pip` notes of this machine says nothing to a user and would make two builds differ.
    for name in ("RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json"):
        for path in list(LIBS.glob(f"*.dist-info/{name}")):
            path.unlink()


if __name__ == "__main__":
    main()
