"""The settings as one frozen dataclass, and how they are read from a mapping.

The dataclass is the only list of options: the JSON schema, the documentation and the editors' settings are
generated from it. This module must never do I/O, and never fail on what a user wrote: a bad key is reported
and skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal, Protocol

from sqlalchemy_guard.records import Field, NamedTuple, dataclass, field, fields, replace

TABLE = "sqlalchemy-guard"
DEFAULT_LINE_LENGTH = 88
SEVERITIES = ("error", "warning", "information", "hint")
DEFAULT_EXCLUDE = (
    ".bzr", ".direnv", ".eggs", ".git", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox", ".pants.d",
    ".pyenv", ".pytest_cache", ".pytype", ".ruff_cache", ".svn", ".tox", ".venv", ".vscode", "__pycache__",
    "__pypackages__", "_build", "buck-out", "build", "dist", "node_modules", "site-packages", "venv",
)  # fmt: skip

KeyPath = tuple[str | int, ...]
_EMPTY: Mapping[str, Any] = MappingProxyType({})


class ConfigProblem(NamedTuple):
    """Something in a configuration that was skipped.

    Attributes:
        source: The file it stands in, or "command line" / "editor".
        key: The path to it from the top of that document; integers are positions in arrays.
        message: What is wrong and what to do.
        suggestion: What it was probably meant to be, ready to replace the key or the value.
        on_value: Whether the value is wrong, not the key.
    """

    source: str
    key: KeyPath
    message: str
    suggestion: str | None = None
    on_value: bool = False


class RuleLike(Protocol):
    """What the selection needs to know of a rule."""

    code: str
    default: bool
    modern: bool

    @property
    def name(self) -> str:
        """The rule's name in kebab case."""
        ...


class Selection(NamedTuple):
    """One layer of rule selection; a later layer is laid over an earlier one."""

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


def _option(
    kind: str, help: str, default: Any, *, choices: tuple[str, ...] = (), minimum: int = 0, maximum: int = 0
) -> Any:
    metadata = {"kind": kind, "help": help, "choices": choices, "minimum": minimum, "maximum": maximum}
    if default is _EMPTY:
        return field(default_factory=lambda: _EMPTY, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """The settings in force for a file. Fields with metadata are the options a user may write."""

    select: tuple[str, ...] | None = _option(
        "selectors",
        "Rules to check, by code, prefix (`SAG3`), name or `ALL`. Unset: the profile's rules.",
        None,
    )
    extend_select: tuple[str, ...] = _option("selectors", "Rules to check besides the selected ones.", ())
    ignore: tuple[str, ...] = _option("selectors", "Rules not to check. The more specific selector wins.", ())
    per_file_ignores: Mapping[str, tuple[str, ...]] = _option(
        "selectors-by-pattern",
        "Rules not to check in files that match a pattern; `!` before a pattern inverts it.",
        _EMPTY,
    )
    severity: Mapping[str, str] = _option(
        "severities", "Severity by rule code, prefix or name.", _EMPTY, choices=SEVERITIES
    )
    exclude: tuple[str, ...] = _option("strings", "Files and folders not to check.", DEFAULT_EXCLUDE)
    extend_exclude: tuple[str, ...] = _option(
        "strings", "Files and folders not to check besides `exclude`.", ()
    )
    src: tuple[str, ...] = _option(
        "strings",
        "Folders that absolute imports start from, relative to the configuration file.",
        (".", "src"),
    )
    line_length: int = _option(
        "integer",
        "Length of lines that fixes keep to. "
        "Unset: that of `[tool.ruff]` or `[tool.black]` in the same file, else 88.",
        DEFAULT_LINE_LENGTH,
        minimum=1,
        maximum=1000,
    )
    target_version: Literal["1.4", "2.0", "2.1"] | None = _option(
        "choice",
        "The SQLAlchemy version that the project targets. Unset: read from the project's requirements.",
        None,
        choices=("1.4", "2.0", "2.1"),
    )
    inference: Literal["proven", "likely"] = _option(
        "choice",
        "`proven`: report only where the object was resolved; `likely`: also where it is very probable.",
        "likely",
        choices=("proven", "likely"),
    )
    profile: Literal["default", "strict", "legacy"] = _option(
        "choice",
        "Rules checked without `select`. `default`: those on by default; `strict`: all; "
        "`legacy`: those on by default that ask for nothing which only SQLAlchemy 2 code does, "
        "for code that stays with 1.4 for now.",
        "default",
        choices=("default", "strict", "legacy"),
    )
    baseline: str | None = _option(
        "path",
        "File of violations that are put off, as `sqlalchemy-guard baseline` writes it: only new ones are reported. "
        "Relative to the configuration file.",
        None,
    )
    pool_size: int = _option(
        "integer", "The `pool_size` that the fix of SAG102 writes.", 10, minimum=0, maximum=100_000
    )
    max_overflow: int = _option(
        "integer", "The `max_overflow` that the fix of SAG102 writes.", 20, minimum=-1, maximum=100_000
    )
    revisions: Literal["new", "all"] = _option(
        "choice",
        "The Alembic revisions whose operations are judged. `new`: those that the main branch of Git does not have yet, or, "
        "where that is not known, those that no revision follows; `all`: the old ones too.",
        "new",
        choices=("new", "all"),
    )
    created_at_names: tuple[str, ...] = _option(
        "strings",
        "Names that SAG207 takes for the time of creation; the first is what its fix writes. "
        "Case and underscores do not matter.",
        (
            "created_at", "created_on", "created", "created_dt", "create_time", "created_time", "creation_time", "created_date",
            "creation_date", "date_created", "date_added", "inserted_at", "time_created", "ctime",
        ),
    )  # fmt: skip
    updated_at_names: tuple[str, ...] = _option(
        "strings",
        "Names that SAG208 takes for the time of the last change; the first is what its fix writes. "
        "Case and underscores do not matter.",
        (
            "updated_at", "updated_on", "updated", "updated_dt", "update_at", "update_time", "updated_time",
            "updated_date", "last_updated", "modified_at", "modified_on", "modified", "modified_dt", "modified_time",
            "last_modified", "date_modified", "changed_on", "changed_at", "last_updated_at", "last_update", "last_update_date",
            "last_upd_date", "last_modified_at", "last_modified_date", "modified_date", "modification_date", "date_updated",
            "time_updated", "mtime",
        ),
    )  # fmt: skip
    run: Literal["onType", "onSave"] = _option(
        "choice",
        "When an editor checks: at every change, or on save.",
        "onType",
        choices=("onType", "onSave"),
    )
    dialect: Literal["postgresql", "mysql", "sqlite", "mssql", "oracle"] | None = _option(
        "choice",
        "The database whose SQL an editor shows. Unset: that of the engines' URLs, else PostgreSQL.",
        None,
        choices=("postgresql", "mysql", "sqlite", "mssql", "oracle"),
    )
    code_lens: Literal["schema", "all", "off"] = _option(
        "choice",
        "What an editor shows above definitions. `schema`: above a revision its place in the history and what "
        "`downgrade` takes back, above a model whether the migrations build its table; `all`: above a statement that is "
        "executed its SQL as well.",
        "schema",
        choices=("schema", "all", "off"),
    )
    root: str = ""
    """Folder that relative patterns and `src` start from: that of the configuration file."""
    prefix: KeyPath = ()
    """Keys that lead to the table in its document."""
    overlays: tuple[Selection, ...] = ()
    """Selections of the editor and the command line, laid over the file's."""
    origins: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Where each option that is set came from, by its kebab-case name."""

    def baseline_path(self) -> str | None:
        """Where the baseline is; absolute when the settings have a root."""
        if self.baseline is None or not self.root or _is_absolute(self.baseline):
            return self.baseline
        return f"{self.root.rstrip(_SEPARATORS)}/{self.baseline.removeprefix('./')}"

    def source_roots(self) -> tuple[str, ...]:
        """`src` as paths with forward slashes, absolute when the settings have a root."""
        base = self.root.replace("\\", "/").rstrip("/")
        result = []
        for entry in self.src:
            plain = entry.replace("\\", "/").rstrip("/")
            absolute = _is_absolute(plain)
            clean = plain.removeprefix("./")
            if absolute or not self.root:
                result.append(plain or "/")
            else:
                result.append(base or "/" if clean in ("", ".") else f"{base}/{clean}")
        return tuple(dict.fromkeys(result))


_SEPARATORS = "/\\"


def _is_absolute(path: str) -> bool:
    """Whether a path starts at the top, here or on Windows."""
    return path.startswith(("/", "\\")) or path[1:2] == ":"


def options() -> Mapping[str, Field]:
    """The options a user may write, by kebab-case name; the metadata has `kind`, `help`, `choices`."""
    return _OPTIONS


_OPTIONS = MappingProxyType({f.name.replace("_", "-"): f for f in fields(Settings) if f.metadata})


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, or None."""
    candidates = list(known)
    folded = {candidate.lower(): candidate for candidate in candidates}
    plain = word.lower().replace("_", "-")
    if plain in folded:
        return folded[plain]
    import difflib

    found = difflib.get_close_matches(plain, folded, 1, 0.6)
    return folded[found[0]] if found else None


def parse_settings(
    mapping: Mapping[str, Any],
    source: str,
    *,
    root: str = "",
    prefix: KeyPath = (),
    line_length: int | None = None,
) -> tuple[Settings, list[ConfigProblem]]:
    """Settings from the mapping of our own table.

    Args:
        mapping: Option names in kebab case to values, as a TOML or JSON reader gives them.
        source: Path of the file, or "command line" / "editor"; kept in `origins` and in problems.
        root: The folder that patterns are relative to.
        prefix: Keys that lead to the table in its document.
        line_length: Taken when the mapping has none.
    """
    problems: list[ConfigProblem] = []
    values = parse_values(mapping, source, prefix, problems)
    origins = {name.replace("_", "-"): source for name in values}
    if line_length is not None and "line_length" not in values:
        values["line_length"] = line_length
        origins["line-length"] = f"{source} (another tool's line-length)"
    return Settings(**values, root=root, prefix=prefix, origins=MappingProxyType(origins)), problems


def parse_document(
    document: Mapping[str, Any], source: str, root: str = ""
) -> tuple[Settings, list[ConfigProblem]] | None:
    """Settings from a whole TOML document: a `pyproject.toml` when it is called so, else a file of our own.

    Returns:
        None when a `pyproject.toml` has no table of ours.
    """
    if source.replace("\\", "/").rpartition("/")[2] != "pyproject.toml":
        return parse_settings(document, source, root=root)
    tool = document.get("tool")
    if not isinstance(tool, Mapping) or TABLE not in tool:
        return None
    table = tool[TABLE]
    prefix: KeyPath = ("tool", TABLE)
    if not isinstance(table, Mapping):
        problem = ConfigProblem(source, prefix, "This must be a table of settings", None, True)
        return Settings(root=root), [problem]
    return parse_settings(table, source, root=root, prefix=prefix, line_length=foreign_line_length(tool))


def foreign_line_length(tool: Mapping[str, Any]) -> int | None:
    """The line length that Ruff or Black is told to keep, so that fixes need no formatting afterwards."""
    for name in ("ruff", "black"):
        table = tool.get(name)
        value = table.get("line-length", table.get("line_length")) if isinstance(table, Mapping) else None
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1000:
            return value
    return None


def parse_values(
    mapping: Mapping[str, Any], source: str, prefix: KeyPath, problems: list[ConfigProblem]
) -> dict[str, Any]:
    """The valid options of a mapping by field name; what is not valid goes to `problems`."""
    values: dict[str, Any] = {}
    for key, value in mapping.items():
        option = _OPTIONS.get(key)
        if option is None:
            meant = nearest(key, _OPTIONS)
            hint = f"; did you mean `{meant}`?" if meant else ""
            problems.append(ConfigProblem(source, (*prefix, key), f"Unknown setting `{key}`{hint}", meant))
            continue
        reader = _Reader(source, (*prefix, key), option.metadata, problems)
        parsed = _READERS[option.metadata["kind"]](reader, value)
        if parsed is not _BAD:
            values[option.name] = parsed
    return values


_BAD: Any = object()


class _Reader(NamedTuple):
    """Where a value stands and what it must be."""

    source: str
    key: KeyPath
    metadata: Mapping[str, Any]
    problems: list[ConfigProblem]

    def bad(self, message: str, suggestion: str | None = None, at: KeyPath = ()) -> Any:
        self.problems.append(ConfigProblem(self.source, (*self.key, *at), message, suggestion, True))
        return _BAD

    def strings(self, value: Any, at: KeyPath = ()) -> Any:
        if isinstance(value, str):
            return self.bad(f"`{self.key[-1]}` must be a list of strings", f'["{value}"]', at)
        if not isinstance(value, (list, tuple)):
            return self.bad(f"`{self.key[-1]}` must be a list of strings", None, at)
        for index, item in enumerate(value):
            if not isinstance(item, str):
                self.bad(
                    "This must be a string",
                    f'"{item}"' if isinstance(item, (int, float)) else None,
                    (*at, index),
                )
        return tuple(item for item in value if isinstance(item, str))

    def integer(self, value: Any) -> Any:
        low, high = self.metadata["minimum"], self.metadata["maximum"]
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        plain = value if isinstance(value, str) and value.isdecimal() else None
        return self.bad(f"`{self.key[-1]}` must be a whole number from {low} to {high}", plain)

    def path(self, value: Any) -> Any:
        if isinstance(value, str):
            return value or None
        return self.bad(f"`{self.key[-1]}` must be the path of a file, in quotes")

    def choice(self, value: Any, at: KeyPath = ()) -> Any:
        choices = self.metadata["choices"]
        if isinstance(value, str) and value in choices:
            return value
        listed = ", ".join(f'"{choice}"' for choice in choices)
        meant = nearest(str(value), choices)
        return self.bad(
            f"`{(*self.key, *at)[-1]}` must be one of {listed}", f'"{meant}"' if meant else None, at
        )

    def selectors_by_pattern(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return self.bad(f"`{self.key[-1]}` must be a table of file patterns and lists of rules")
        parsed = {pattern: self.strings(rules, (pattern,)) for pattern, rules in value.items()}
        return MappingProxyType({pattern: rules for pattern, rules in parsed.items() if rules is not _BAD})

    def severities(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return self.bad(f"`{self.key[-1]}` must be a table of rules and severities")
        parsed = {rule: self.choice(severity, (rule,)) for rule, severity in value.items()}
        return MappingProxyType({rule: severity for rule, severity in parsed.items() if severity is not _BAD})


_READERS: Mapping[str, Callable[[_Reader, Any], Any]] = {
    "strings": _Reader.strings,
    "selectors": _Reader.strings,
    "integer": _Reader.integer,
    "choice": _Reader.choice,
    "path": _Reader.path,
    "selectors-by-pattern": _Reader.selectors_by_pattern,
    "severities": _Reader.severities,
}


def overlay(
    settings: Settings, mapping: Mapping[str, Any], source: str
) -> tuple[Settings, list[ConfigProblem]]:
    """The settings with those of an editor or a command line laid over them.

    A selection laid over replaces the one below when it has `select`, else it adds to it; everything else
    replaces.
    """
    problems: list[ConfigProblem] = []
    values = parse_values(mapping, source, (), problems)
    origins = dict(settings.origins) | {name.replace("_", "-"): source for name in values}
    layer = Selection(values.pop("select", None), values.pop("extend_select", ()), values.pop("ignore", ()))
    if "extend_exclude" in values:
        values["extend_exclude"] = (*settings.extend_exclude, *values["extend_exclude"])
    overlays = (*settings.overlays, layer) if layer != Selection() else settings.overlays
    return replace(settings, **values, overlays=overlays, origins=MappingProxyType(origins)), problems
