"""The settings that come from the editor, and the configuration files that change under our feet.

The editor's settings may come with `initialize`, be pushed, or be asked for; each way replaces what came before. This
module must never interpret a setting: the settings store does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.config import options
from sqlalchemy_guard.config.store import FILE_NAMES
from sqlalchemy_guard.documents.kinds import EDITOR_PATTERNS
from sqlalchemy_guard.logs import Log
from sqlalchemy_guard.lsp.capabilities import SECTION, dig
from sqlalchemy_guard.lsp.uris import to_file_id
from sqlalchemy_guard.project.target import PATTERNS

if TYPE_CHECKING:
    from sqlalchemy_guard.lsp.analysis import Analysis
    from sqlalchemy_guard.lsp.session import Session
    from sqlalchemy_guard.vfs.files import Stamp

log = Log(__name__)

_READ = ("*.ini", ".git/HEAD", ".git/index", "script.py.mako", "*.html", "*.jinja", "*.jinja2", "*.j2")
_NAMES = dict.fromkeys((*FILE_NAMES, "*.py", "*.pyi", *PATTERNS, *_READ))
_PATTERNS = tuple(dict.fromkeys((*(f"**/{name}" for name in _NAMES), *EDITOR_PATTERNS)))


class Configuration:
    """The editor's settings of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._overrides: dict[str, dict[str, Any]] = {}
        self._stamps: dict[str, Stamp | None] = {}
        self._watching = False

    def start(self, given: Any) -> None:
        """Take `initializationOptions`: the settings, or `settings` and `folders` (settings by folder URI)."""
        if not isinstance(given, dict):
            return
        folders = given.get("folders")
        settings = given.get("settings", given)
        self._put("", dig(settings, SECTION) or settings)
        for uri, mapping in folders.items() if isinstance(folders, dict) else ():
            self._put(to_file_id(uri), mapping)

    def register(self) -> None:
        """Ask the client to tell of changed files and settings."""
        client = self._session.client
        registrations: list[dict[str, Any]] = []
        if client.watch_registration:
            watchers = [{"globPattern": pattern} for pattern in _PATTERNS]
            registrations.append(
                {"method": "workspace/didChangeWatchedFiles", "registerOptions": {"watchers": watchers}}
            )
            self._watching = True
        if client.configuration_registration:
            registrations.append(
                {"method": "workspace/didChangeConfiguration", "registerOptions": {"section": SECTION}}
            )
        for registration in registrations:
            registration["id"] = f"guard/{registration['method']}"
        if registrations:
            self._session.request(
                "client/registerCapability", {"registrations": registrations}, lambda _: None
            )

    def ask(self) -> None:
        """Ask the client for its settings, for all files and for each folder."""
        if not self._session.client.configuration:
            return
        folders = self._session.folders.uris()
        items = [{"section": SECTION}, *({"section": SECTION, "scopeUri": uri} for uri in folders)]

        def use(answers: Any) -> None:
            if isinstance(answers, list) and len(answers) == len(items):
                before = dict(self._overrides)
                for uri, answer in zip(["", *folders], answers, strict=True):
                    self._put(to_file_id(uri) if uri else "", answer)
                if self._overrides != before:
                    self._apply_again()

        self._session.request("workspace/configuration", {"items": items}, use)

    def changed(self, settings: Any) -> None:
        """The client pushed settings, or only said that there are others."""
        pushed = dig(settings, SECTION)
        if isinstance(pushed, dict):
            self._put("", pushed)
            self._apply_again()
        self.ask()

    def _put(self, folder: str, given: Any) -> None:
        if isinstance(given, dict):
            self._overrides[folder] = {key: value for key, value in given.items() if _is_option(key)}

    def apply(self, analysis: Analysis) -> None:
        """Lay the editor's settings over those of the files."""
        for folder, mapping in self._overrides.items():
            for problem in analysis.settings.set_folder_overrides(folder, mapping):
                log.warning("editor settings: %s", problem.message)
                self._session.notify(
                    "window/logMessage", {"type": 2, "message": f"Setting skipped: {problem.message}"}
                )

    def _apply_again(self) -> None:
        self.apply(self._session.analysis)
        self._settings_changed()

    def _settings_changed(self) -> None:
        self._session.analysis.checker.settings_changed()
        self._session.recheck()

    # -- configuration files ---------------------------------------------------------------------------------------

    def is_config_path(self, file_id: str) -> bool:
        """Whether a file is a configuration file of ours, by its name."""
        return os.path.basename(file_id) in FILE_NAMES

    def saved(self, file_id: str) -> None:
        """A document was saved. Without a watcher this is the moment to look at the configuration files."""
        if self.is_config_path(file_id):
            self._reread(file_id)
        elif not self._watching:
            self._look(file_id)
        self._look_at_git()

    def _look_at_git(self) -> None:
        """What was added or committed meanwhile may say something else of open revisions."""
        if self._session.analysis.workspace.look_at_git():
            self._session.recheck()

    def _look(self, file_id: str) -> None:
        """Compare the configuration file that holds for a file with the one of before."""
        analysis = self._session.analysis
        folder = os.path.dirname(file_id) if os.path.isabs(file_id) else ""
        stamps: dict[str, Stamp | None] = {}
        while folder:
            for name in FILE_NAMES:
                path = os.path.join(folder, name)
                stamps[path] = analysis.vfs.stamp(path)
            parent = os.path.dirname(folder)
            folder = parent if parent != folder else ""
        changed = [path for path, stamp in stamps.items() if self._stamps.get(path, stamp) != stamp]
        fresh = not self._stamps.keys() >= stamps.keys()
        self._stamps.update(stamps)
        if changed or fresh:
            analysis.settings.invalidate()
            self._settings_changed()

    def watched(self, uris: list[str]) -> None:
        """Files were created, changed or deleted."""
        analysis = self._session.analysis
        file_ids = [to_file_id(uri) for uri in uris]
        for file_id in file_ids:
            if self.is_config_path(file_id):
                self._reread(file_id)
        inside_git = [file_id for file_id in file_ids if f"{os.sep}.git{os.sep}" in file_id]
        if len(inside_git) < len(file_ids):
            analysis.workspace.changed_on_disk([each for each in file_ids if each not in inside_git])
            self._session.affected()
        if inside_git:
            self._look_at_git()

    def _reread(self, file_id: str) -> None:
        if self._session.analysis.settings.invalidate(file_id):
            self._settings_changed()


def _is_option(key: str) -> bool:
    """Whether a setting is the server's; clients keep settings of their own under the same name."""
    kebab = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in key).replace("_", "-")
    return kebab in options()
