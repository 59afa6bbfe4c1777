"""Emacs with the configuration of docs/editors/emacs.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.editors import support

if TYPE_CHECKING:
    from pathlib import Path

DRIVER = support.ROOT / "tests" / "editors" / "emacs" / "driver.el"


def test_eglot(tmp_path: Path) -> None:
    program = support.debian_program("emacs", "emacs-nox", "elpa-eglot")
    home = tmp_path / "home"
    environment = support.environment(home)
    configuration = home / "init.el"
    configuration.write_text(support.fences("emacs.md", "Eglot")["init.el"], "utf-8")
    file = support.write_project(tmp_path / "project")
    output = support.run_editor(
        [program, "-Q", "--batch", "-l", DRIVER],
        file.parent,
        environment | {"GUARD_CONFIGURATION": str(configuration)},
    )
    assert "PASSED" in output
    assert file.read_text("utf-8") == support.ALL_FIXED
