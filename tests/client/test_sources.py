"""The client's sources: generated settings, and what files promise of each other and keep to themselves."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib

from sqlalchemy_guard.documents.kinds import EDITOR_PATTERNS
from tests.client import build
from tests.editors import support


def test_every_setting_is_unset_by_default() -> None:
    """A default that is sent would override the project's configuration file."""
    package = json.loads((build.CLIENT / "package.json").read_text("utf-8"))
    server, checked = package["contributes"]["configuration"]
    assert all(
        setting["default"] is None and "null" in setting["type"] for setting in checked["properties"].values()
    )
    kept = {name.split(".")[1] for name in server["properties"]}
    source = (build.CLIENT / "src" / "settings.ts").read_text("utf-8")
    listed = re.search(r"CLIENT_KEYS.*?\[(.*?)\]", source)
    assert listed
    assert kept == set(re.findall(r'"(\w+)"', listed[1]))


def test_restricted_settings_choose_programs() -> None:
    package = json.loads((build.CLIENT / "package.json").read_text("utf-8"))
    restricted = package["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    source = (build.CLIENT / "src" / "settings.ts").read_text("utf-8")
    launch = re.search(r"LAUNCH_KEYS = \[(.*?)\]", source)
    assert launch
    assert {f"sqlalchemyGuard.{key}" for key in re.findall(r'"(\w+)"', launch[1])} == set(restricted)


def test_lock_file_names_no_host() -> None:
    assert not re.search(r"https?://", (build.CLIENT / "package-lock.json").read_text("utf-8"))


def test_bundle_pins_every_dependency() -> None:
    project = tomllib.loads((support.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = (build.CLIENT / "bundled-constraints.txt").read_text("utf-8")
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["schema"]]:
        name = re.match(r"[\w.-]+", requirement)
        assert name
        normal = name[0].replace(".", "-")
        assert re.search(rf"^{normal}==", pinned, re.MULTILINE), requirement


def test_extension_and_server_have_one_version() -> None:
    project = tomllib.loads((support.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert json.loads((build.CLIENT / "package.json").read_text("utf-8"))["version"] == project["version"]


def test_launcher_is_readable_for_old_pythons() -> None:
    """So that an old Python gives the message in it and not a syntax error."""
    source = (build.CLIENT / "launcher" / "launch.py").read_text("utf-8")
    ast.parse(source, feature_version=(3, 4))


def test_launcher_refuses_to_run_unprotected() -> None:
    launcher = build.CLIENT / "launcher" / "launch.py"
    done = subprocess.run([sys.executable, launcher, "server"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "python -I -S" in done.stderr


def test_the_client_sends_the_documents_that_the_server_checks() -> None:
    source = (build.CLIENT / "src" / "client.ts").read_text(encoding="utf-8")
    patterns = re.findall(
        r'^  "(.+)",$', source.partition("const PIPELINES = [")[2].partition("];")[0], re.MULTILINE
    )
    assert tuple(patterns) == EDITOR_PATTERNS
