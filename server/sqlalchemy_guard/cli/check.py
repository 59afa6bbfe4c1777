"""`sqlalchemy-guard check`: finds violations, shows them, fixes them. Must never analyse by itself."""

from __future__ import annotations

import io
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.cache import runs
from sqlalchemy_guard.cache.folder import directory
from sqlalchemy_guard.cli.kept import Kept
from sqlalchemy_guard.cli.main import EXIT_OK, EXIT_VIOLATIONS, UsageError
from sqlalchemy_guard.cli.output import (
    FORMATS,
    FORMATS_WITH_FIXES,
    HUMAN_FORMATS,
    Finding,
    Report,
    count,
    render,
)
from sqlalchemy_guard.cli.terminal import progress, wants_color, warn
from sqlalchemy_guard.documents.kinds import checked_kind
from sqlalchemy_guard.vfs import Skipped, Source, Vfs, canonical, decode

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy_guard.check import FileReport
    from sqlalchemy_guard.cli.results import Plain
    from sqlalchemy_guard.cli.session import Opened
    from sqlalchemy_guard.config import ConfigFile
    from sqlalchemy_guard.fix import FixOutcome
    from sqlalchemy_guard.rules.api import Rule
    from sqlalchemy_guard.text.document import Document

_STDIN = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `check`."""
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="files and folders (default: here); - is standard input"
    )
    fixing = parser.add_argument_group("fixes")
    fixing.add_argument("--fix", action="store_true", help="apply fixes that keep SQL and values the same")
    fixing.add_argument(
        "--unsafe-fixes", action="store_true", help="also fixes that may change behaviour or schema"
    )
    fixing.add_argument(
        "--diff", action="store_true", help="show what --fix would change, and change nothing"
    )
    selection = parser.add_argument_group("rules")
    for flag, words in (
        ("--select", "check these rules: codes, prefixes, names or ALL, separated by commas"),
        ("--extend-select", "check these rules, too"),
        ("--ignore", "do not check these rules"),
    ):
        selection.add_argument(flag, action="append", type=_words, metavar="RULES", help=words)
    settings = parser.add_argument_group("settings")
    settings.add_argument(
        "--config",
        action="append",
        default=[],
        metavar="FILE|KEY=VALUE",
        help="a TOML file, or one setting in TOML",
    )
    settings.add_argument(
        "--all-revisions",
        action="store_true",
        help="judge the operations of migrations that are in the main branch of Git, too",
    )
    settings.add_argument("--isolated", action="store_true", help="ignore all configuration files")
    settings.add_argument(
        "--baseline", metavar="FILE", help="report only what this file does not put off; '' reports all"
    )
    settings.add_argument(
        "--force-exclude", action="store_true", help="apply excludes to files that are named, too"
    )
    settings.add_argument("--no-cache", action="store_true", help="neither read nor write the cache")
    settings.add_argument("--cache-dir", metavar="FOLDER", help="where results are kept between runs")
    settings.add_argument("--stdin-filename", metavar="FILE", help="the file whose text is on standard input")
    output = parser.add_argument_group("output")
    output.add_argument("--output-format", choices=FORMATS, default="full", help="default: %(default)s")
    output.add_argument("--statistics", action="store_true", help="count violations by rule instead")
    output.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="default: %(default)s"
    )
    output.add_argument("-q", "--quiet", action="store_true", help="no warnings, no summary, no progress bar")
    output.add_argument("-e", "--exit-zero", action="store_true", help="exit 0 although there are violations")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def run(options: argparse.Namespace) -> int:
    """Check, and fix or show."""
    return _Run(options).run()


class _Run:
    """One run of the command."""

    def __init__(self, options: argparse.Namespace) -> None:
        from sqlalchemy_guard.rules.api import Applicability

        self.options = options
        self.applicability = Applicability.UNSAFE if options.unsafe_fixes else Applicability.SAFE
        self.stdin = _STDIN in options.paths or (options.stdin_filename is not None and not options.paths)
        if self.stdin and len(options.paths) > 1:
            raise UsageError("standard input (-) cannot be checked together with files")
        if options.stdin_filename is not None and not self.stdin:
            raise UsageError("--stdin-filename needs - as the only path")
        self.incomplete = False
        self.documents: dict[str, Document] = {}

    def run(self) -> int:
        """The exit code."""
        if not (self.stdin or self.options.fix or self.options.diff):
            return self._run_plain()
        self._prepare(Vfs())
        if self.stdin:
            self._read_stdin()
        self.opened.read_project(not self.options.quiet)
        reports = self._check("checking")
        for report in reports:
            problem = report.problems[0] if report.problems else None
            self._tell_trouble(report.file_id, report.internal, report.skipped, problem)
        if self.options.diff:
            return self._diff()
        fixed: Mapping[str, int] = {}
        if self.options.fix:
            fixed = self._fix()
            reports = self._check("checking again") if fixed else reports
        return self._show([finding for report in reports for finding in self._findings(report)], fixed)

    def _run_plain(self) -> int:
        """Check and show; nothing is analysed that the results of the last run tell."""
        from sqlalchemy_guard.cli.results import findings

        looked = runs.now()
        store = None if self.options.no_cache else runs.Store(self._cache_folder(), self._identity())
        kept = Kept.load(store) if store is not None else None
        if kept is not None and kept.holds(with_folders=True):
            self.files, results = kept.files, kept.results
        else:
            results = self._results(store, kept, looked)
            kept = None
        if not self.files and not self.incomplete:
            self._warn("no Python files found under the paths given")
        for file_id in self.files:
            plain = results[file_id]
            self._tell_trouble(file_id, plain["internal"], plain["skipped"], plain["problem"])
        shown = [f for file_id in self.files for f in findings(file_id, results[file_id], self._document)]
        code = self._show(shown, {})
        if kept is not None and store is not None:
            kept.refresh(store, looked)
        return code

    def _shows_fixes(self) -> bool:
        return self.options.output_format in FORMATS_WITH_FIXES and not self.options.statistics

    def _cache_folder(self) -> str:
        return directory(self.options.cache_dir)

    def _identity(self) -> list[object]:
        """What tells this invocation from others that may have other results."""
        options = self.options
        named = [canonical(path) for path in options.paths or ["."]]
        chosen = [options.select, options.extend_select, options.ignore, options.config, options.baseline]
        return [canonical("."), named, chosen, options.isolated, options.force_exclude, self._shows_fixes()]

    def _results(self, store: runs.Store | None, kept: Kept | None, looked: int) -> dict[str, Plain]:
        """The results by file, computed where the last run does not tell them, and kept for the next."""
        from sqlalchemy_guard.cli.kept import keep
        from sqlalchemy_guard.cli.results import to_plain
        from sqlalchemy_guard.vfs.recording import RecordingVfs

        vfs = RecordingVfs() if store is not None else Vfs()
        self._prepare(vfs)
        project = self.opened.project_files() if store is not None else []
        if kept is not None and store is not None and isinstance(vfs, RecordingVfs) and not self.incomplete:
            same = kept.files == self.files and kept.project == project
            if same and kept.holds(with_folders=False):
                kept.refresh(store, looked, vfs.record.walked)
                return kept.results
        self.opened.read_project(not self.options.quiet)
        results: dict[str, Plain] = {}
        for file_id in progress(self.files, "checking", not self.options.quiet):
            results[file_id] = to_plain(self.checker, self.checker.check(file_id), self._shows_fixes())
        self.documents = self.opened.workspace.documents
        failed = self.incomplete or any(plain["internal"] for plain in results.values())
        if store is not None and isinstance(vfs, RecordingVfs) and not failed:
            keep(store, looked, vfs.record, self.files, project, results)
        return results

    def _document(self, path: str) -> Document:
        """The text of a file that has violations."""
        from sqlalchemy_guard.text.document import Document

        known = self.documents.get(path)
        if known is None:
            known = self.documents[path] = Document.from_text(path, Vfs().read_text(path) or "")
        return known

    def _prepare(self, vfs: Vfs) -> None:
        """Open the workspace, and find out which files to check."""
        from sqlalchemy_guard.check import Checker
        from sqlalchemy_guard.rules.registry import rules

        self.rules: Mapping[str, Rule] = rules()
        self.opened = self._open(vfs)
        self.checker = Checker(self.opened.workspace)
        for path, _, reason in self.opened.skipped:
            self._cannot(path, reason)
        self.files = self.opened.files
        if not self.stdin:
            self.files = [file.path for file in self._config_files()] + self.files

    def _open(self, vfs: Vfs) -> Opened:
        from sqlalchemy_guard.cli.session import open_workspace

        file, overrides = self._overrides()
        paths = [self.options.stdin_filename or "stdin.py"] if self.stdin else self.options.paths or ["."]
        opened = open_workspace(
            paths,
            overrides,
            config=file,
            isolated=self.options.isolated,
            force_exclude=self.options.force_exclude,
            walk=not self.stdin,
            vfs=vfs,
        )
        for problem in opened.settings.problems:
            raise UsageError(f"--config: {problem.message}")
        if self.options.baseline:
            from sqlalchemy_guard.baseline import Baselines
            from sqlalchemy_guard.config import Settings

            unusable = Baselines(vfs).problem(Settings(baseline=canonical(self.options.baseline)))
            if unusable is not None:
                raise UsageError(f"--baseline {self.options.baseline}: {unusable}")
        return opened

    def _overrides(self) -> tuple[str | None, dict[str, Any]]:
        """The configuration file that was named, if any, and the settings of the command line."""
        file, overrides = self._config()
        for name in ("select", "extend_select", "ignore"):
            given = getattr(self.options, name)
            if given is not None:
                overrides[name.replace("_", "-")] = [word for words in given for word in words]
            self._require_rules(overrides.get(name.replace("_", "-")), f"--{name.replace('_', '-')}")
        if self.options.all_revisions:
            overrides["revisions"] = "all"
        if self.options.baseline is not None:
            overrides["baseline"] = self.options.baseline and canonical(self.options.baseline)
        return file, overrides

    def _config(self) -> tuple[str | None, dict[str, Any]]:
        import tomllib

        file: str | None = None
        overrides: dict[str, Any] = {}
        for given in self.options.config:
            if Vfs().stamp(given) is not None:
                if file is not None:
                    raise UsageError("--config: only one configuration file can be used")
                file = given
                continue
            if "=" not in given:
                raise UsageError(f"--config: {given} does not exist and is no KEY=VALUE")
            try:
                overrides |= tomllib.loads(given)
            except tomllib.TOMLDecodeError as error:
                raise UsageError(f"--config: `{given}` is not valid TOML: {error}") from None
        if file is not None and self.options.isolated:
            raise UsageError("--config with a file and --isolated exclude each other")
        return file, overrides

    def _require_rules(self, words: object, flag: str) -> None:
        from sqlalchemy_guard.config import names_a_rule, unknown_selector

        for word in words if isinstance(words, list) else ():
            if isinstance(word, str) and not names_a_rule(word, self.rules.values()):
                raise UsageError(
                    f"{flag}: {unknown_selector(word, self.rules.values(), 'command line').message}"
                )

    def _read_stdin(self) -> None:
        from sqlalchemy_guard.text.document import Document

        [file_id] = self.opened.files
        found = decode(file_id, sys.stdin.buffer.read())
        if not isinstance(found, Source):
            raise UsageError(f"standard input {found.reason}")
        self.stdin_source = found
        self.opened.workspace.open(file_id, Document.from_text(file_id, found.text))

    def _config_files(self) -> list[ConfigFile]:
        files = self.opened.config_files()
        for file in files:
            for problem in file.problems:
                if not problem.key:
                    raise UsageError(f"{self._name(file.path)}: {problem.message}")
        return files

    def _check(self, label: str) -> list[FileReport]:
        files = progress(self.files, label, not self.options.quiet)
        return [self.checker.check(file_id) for file_id in files]

    def _tell_trouble(
        self, file_id: str, internal: Iterable[str], skipped: str | None, problem: Sequence[Any] | None
    ) -> None:
        for failure in internal:
            self._cannot(file_id, f"was not checked whole: {failure}; please report this")
        if skipped is not None and checked_kind(file_id) is not None:
            # What happens to be called like a script or a manifest need not be one.
            self._warn(f"{self._name(file_id)} {skipped}")
        elif skipped is not None:
            self._cannot(file_id, skipped)
        elif problem is not None:
            line, column, message = problem
            place = f"{self._name(file_id)}:{line + 1}:{column + 1}"
            if checked_kind(file_id) is None:
                message = f"this is not valid Python ({message}); the rest of the file was checked"
            self._warn(f"{place}: {message}")

    def _diff(self) -> int:
        from sqlalchemy_guard.cli.diff import unified_diff

        old = self._texts()
        outcome = self._outcome()
        changed = 0
        for file_id in sorted(outcome.texts):
            before = old.get(file_id) or self.opened.vfs.read_text(file_id) or ""
            diff = unified_diff(self._name(file_id), before, outcome.texts[file_id])
            sys.stdout.write(diff)
            changed += bool(diff)
        if not self.options.quiet:
            would = (
                f"Would fix {count(sum(outcome.counts.values()), 'violation')} in {count(changed, 'file')}."
            )
            print(would if changed else "Nothing to fix.", file=sys.stderr)
        failed = changed or self.incomplete
        return EXIT_VIOLATIONS if failed and not self.options.exit_zero else EXIT_OK

    def _fix(self) -> Mapping[str, int]:
        """Apply fixes to the files, or to standard output.

        Returns:
            How many violations were fixed, by rule code.
        """
        from sqlalchemy_guard.text.document import Document

        old = self._texts()
        outcome = self._outcome()
        if self.stdin:
            [file_id] = self.opened.files
            text = outcome.texts.get(file_id, self.stdin_source.text)
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode(self.stdin_source.encoding))
            sys.stdout.buffer.flush()
            self.opened.workspace.open(file_id, Document.from_text(file_id, text))
            return outcome.counts
        written = [file_id for file_id, text in outcome.texts.items() if self._write(file_id, old, text)]
        self.opened.workspace.changed_on_disk(written)
        return outcome.counts if written else {}

    def _write(self, file_id: str, old: Mapping[str, str], text: str) -> bool:
        source = self.opened.vfs.read(file_id)
        if isinstance(source, Skipped) and source.kind == "missing" and file_id not in old:
            # A fix makes it.
            trouble = self.opened.vfs.create(file_id, text)
            if trouble is not None:
                self._cannot(file_id, f"{trouble.reason}; it was not written")
            return trouble is None
        if not isinstance(source, Skipped) and source.text != old.get(file_id, source.text):
            source = Skipped(file_id, "changed", "was changed by somebody else meanwhile")
        trouble = source if isinstance(source, Skipped) else self.opened.vfs.write(source, text)
        if trouble is not None:
            self._cannot(file_id, f"{trouble.reason}; it was not fixed")
        return trouble is None

    def _texts(self) -> dict[str, str]:
        return {file_id: document.text for file_id, document in self.opened.workspace.documents.items()}

    def _outcome(self) -> FixOutcome:
        from sqlalchemy_guard.fix import fix_all

        outcome = fix_all(self.checker, self.files, self.applicability)
        for note in outcome.notes:
            self._warn(note)
        for file_id in outcome.unconverged:
            self._warn(f"{self._name(file_id)} still has violations with a fix; run again")
        return outcome

    def _show(self, findings: Sequence[Finding], fixed: Mapping[str, int]) -> int:
        """Print the report; to standard error when standard output holds the fixed text. Returns the exit code."""
        failed = (self.incomplete or bool(findings)) and not self.options.exit_zero
        code = EXIT_VIOLATIONS if failed else EXIT_OK
        stream = sys.stderr if self.stdin and self.options.fix else sys.stdout
        name = self.options.output_format
        report = Report(
            findings,
            canonical("."),
            self.applicability,
            wants_color(self.options.color, stream),
            fixed,
            [self._path(file_id) for file_id in self.files],
            self._rules_shown(name),
        )
        if self.options.statistics:
            from sqlalchemy_guard.cli.output.statistics import render as render_statistics

            text = render_statistics(report, name)
        else:
            text = render(name, report)
        if name in HUMAN_FORMATS and self.options.quiet and not report.findings:
            return code
        if name not in HUMAN_FORMATS and isinstance(stream, io.TextIOWrapper):
            # What machines read is UTF-8 everywhere.
            stream.reconfigure(encoding="utf-8")
        stream.write(text)
        return code

    def _rules_shown(self, name: str) -> Mapping[str, Rule]:
        """All rules, for the one format that describes them."""
        if name != "sarif":
            return {}
        from sqlalchemy_guard.rules.registry import rules

        return rules()

    def _findings(self, report: FileReport) -> Iterator[Finding]:
        documents = self.opened.workspace.documents
        document = documents.get(report.file_id)
        if document is None:
            return
        for violation in report.violations:
            make_fix = partial(self.checker.fix, report, violation)
            yield Finding(violation, self._path(report.file_id), document, make_fix, documents.get)

    def _path(self, file_id: str) -> str:
        """What a file is called in reports; standard input without a name is a hyphen."""
        return _STDIN if self.stdin and self.options.stdin_filename is None else file_id

    def _name(self, file_id: str) -> str:
        path = self._path(file_id)
        base = os.path.join(canonical("."), "")
        return path.removeprefix(base)

    def _cannot(self, path: str, reason: str) -> None:
        self.incomplete = True
        warn(f"{self._name(path)} {reason}", self.options.color)

    def _warn(self, message: str) -> None:
        if not self.options.quiet:
            warn(message, self.options.color)
