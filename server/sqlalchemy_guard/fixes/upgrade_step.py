"""Edits that put a command in front of another one, in the form of the document that both stand in. Must never know a rule.

Where the form is not understood for certain (quotes inside of quotes, variables in lists that no shell reads), there are none.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.release_command import before_release
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from sqlalchemy_guard.documents.facts import UnmigratedRun
    from sqlalchemy_guard.text.document import Document

STEP_NAME = "Migrate the database"


def edits_of(document: Document, run: UnmigratedRun) -> tuple[Edit, ...]:
    """The edits that run the migrations before a command; none where that cannot be written."""
    upgrade = run.upgrade
    if upgrade is None or run.command.end <= run.command.start:
        # Where a command stands is not known behind escapes.
        return ()
    text, step, command = document.text, run.step, run.command
    newline = "\r\n" if "\r\n" in text else "\n"
    if step.form == "key":
        return before_release(text, run.document.kind, step.start, upgrade, newline)
    line_start = text.rfind("\n", 0, command.start) + 1
    if step.form == "step":
        return _step(text, run, upgrade, newline)
    if step.form == "item":
        prefix = text[line_start : text.find("-", line_start) + 1]
        if prefix.strip() == "-":
            return (Edit(line_start, line_start, f"{prefix} {upgrade}{newline}"),)
        return ()
    if step.form == "lines" and command.opens_line:
        prefix = text[line_start : command.start]
        if not prefix.strip() and command is not None and not run.command.guarded:
            return (Edit(line_start, line_start, f"{prefix}{upgrade}{newline}"),)
        if prefix.strip(" \t@-+") == "":
            return (Edit(line_start, line_start, f"{prefix}{upgrade}{newline}"),)
    nested = command not in step.commands
    if step.form == "shell" or (nested and step.form in ("argv", "lines", "shell")) or step.form == "lines":
        quotes = any(sign in upgrade for sign in "'\"")
        return () if quotes or command.guarded else (Edit(command.start, command.start, f"{upgrade} && "),)
    return _arguments(text, run, upgrade) if step.form == "argv" else ()


def _step(text: str, run: UnmigratedRun, upgrade: str, newline: str) -> tuple[Edit, ...]:
    """A step of its own before the one that runs the command, in the same folder."""
    start = run.step.start
    line_start = text.rfind("\n", 0, start) + 1
    prefix = text[line_start:start]
    if prefix.strip() != "-":
        return ()
    indent = " " * len(prefix)
    if run.document.kind == "azure":
        lines = [f"{prefix}script: {upgrade}", f"{indent}displayName: {STEP_NAME}"]
        folder = f"{indent}workingDirectory: {run.step.folder}"
    else:
        lines = [f"{prefix}name: {STEP_NAME}", f"{indent}run: {upgrade}"]
        folder = f"{indent}working-directory: {run.step.folder}"
    if run.step.folder and run.step.folder in text[start : run.step.end]:
        lines.append(folder)
    blank = (
        newline
        if line_start >= 2 and not text[text.rfind("\n", 0, line_start - 1) + 1 : line_start].strip()
        else ""
    )
    return (Edit(line_start, line_start, newline.join(lines) + newline + blank),)


def _arguments(text: str, run: UnmigratedRun, upgrade: str) -> tuple[Edit, ...]:
    """The list of arguments given to a shell, which migrates and then becomes the program."""
    command = run.command
    words = [word.text for word in command.words]
    start, end = command.words[0].start, command.words[-1].end
    source = text[command.start : command.end]
    is_list = command.start < start or source.lstrip().startswith(("[", "-"))
    if any("\n" in word for word in words):
        return ()
    if is_list:
        start, end = command.start, command.end
        line = shlex.join(words)
        if any("$" in word for word in words):
            # No shell has read the variables until now.
            return ()
    else:
        # Written as one text: what Compose splits as a shell would.
        if text[start - 1 : start] in ("'", '"') or "$$" in source:
            return ()
        line = text[start:end]
    script = f"{upgrade} && exec {line.removeprefix('exec ')}"
    if not is_list and run.document.kind == "compose":
        if "'" in script:
            return ()
        return (
            Edit(
                start,
                end,
                f"sh -c '{script}'"
                if ": " not in script and " #" not in script
                else json.dumps(f"sh -c '{script}'"),
            ),
        )
    return (Edit(start, end, f'["sh", "-c", {json.dumps(script, ensure_ascii=False)}]'),)
