"""Settings: what is read from mappings and files, what is reported, and which rules hold where."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlalchemy_guard.config import (
    Settings,
    SettingsStore,
    is_excluded,
    json_schema,
    locate,
    locate_offsets,
    options,
    parse_document,
    parse_settings,
    path_matches,
    rule_selected,
    selector_problems,
    severity_of,
)
from sqlalchemy_guard.config.locate import scan
from sqlalchemy_guard.vfs import Vfs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class FakeRule:
    code: str
    name: str
    default: bool = True
    modern: bool = False


LEGACY_QUERY = FakeRule("SAG301", "legacy-query", modern=True)
COMMIT_IN_LOOP = FakeRule("SAG401", "commit-in-loop")
SHARED_SESSION = FakeRule("SAG108", "shared-session")
OFF = FakeRule("SAG601", "opt-in", default=False)
RULES = [LEGACY_QUERY, COMMIT_IN_LOOP, SHARED_SESSION, OFF]


def parse(toml: str) -> Settings:
    settings, problems = parse_settings(tomllib.loads(toml), "x.toml", root="/p")
    assert problems == []
    return settings


def selected(settings: Settings, path: str = "/p/app/models.py") -> list[str]:
    return [rule.code for rule in RULES if rule_selected(settings, rule, path)]


def test_defaults() -> None:
    settings = Settings()
    assert (settings.line_length, settings.pool_size, settings.max_overflow) == (88, 10, 20)
    assert (settings.target_version, settings.inference, settings.profile, settings.run) == (
        None,
        "likely",
        "default",
        "onType",
    )
    assert selected(settings) == ["SAG301", "SAG401", "SAG108"]


def test_every_option_is_read() -> None:
    settings = parse(
        """
        select = ["SAG3"]
        extend-select = ["opt-in"]
        ignore = ["SAG301"]
        exclude = ["gen"]
        extend-exclude = ["old/*.py"]
        src = ["lib"]
        line-length = 100
        target-version = "1.4"
        inference = "proven"
        profile = "strict"
        revisions = "all"
        dialect = "mysql"
        code-lens = "off"
        baseline = "known.json"
        pool-size = 5
        max-overflow = -1
        created-at-names = ["entered"]
        updated-at-names = ["touched"]
        run = "onSave"
        [per-file-ignores]
        "tests/*" = ["ALL"]
        [severity]
        SAG3 = "error"
        """
    )
    values = {option.name for option in options().values()}
    assert {name.replace("-", "_") for name in settings.origins} == values
    assert settings.max_overflow == -1
    assert settings.per_file_ignores == {"tests/*": ("ALL",)}
    assert settings.source_roots() == ("/p/lib",)
    assert set(settings.origins.values()) == {"x.toml"}


@pytest.mark.parametrize(
    ("toml", "key", "suggestion", "on_value"),
    [
        ('selct = ["SAG"]', ("selct",), "select", False),
        ('lineLength = "x"', ("lineLength",), "line-length", False),
        ("line_length = 3", ("line_length",), "line-length", False),
        ('select = "SAG301"', ("select",), '["SAG301"]', True),
        ("ignore = [1]", ("ignore", 0), '"1"', True),
        ('line-length = "100"', ("line-length",), "100", True),
        ("line-length = 0", ("line-length",), None, True),
        ("line-length = true", ("line-length",), None, True),
        ("target-version = 2.0", ("target-version",), '"2.0"', True),
        ('inference = "prooven"', ("inference",), '"proven"', True),
        ("per-file-ignores = 3", ("per-file-ignores",), None, True),
        ('per-file-ignores = {"a.py" = "SAG"}', ("per-file-ignores", "a.py"), '["SAG"]', True),
        ('severity = {SAG301 = "warn"}', ("severity", "SAG301"), '"warning"', True),
    ],
)
def test_a_bad_key_is_reported_and_the_rest_holds(
    toml: str, key: tuple[str | int, ...], suggestion: str | None, on_value: bool
) -> None:
    settings, problems = parse_settings(tomllib.loads(toml + "\npool-size = 7"), "x.toml")
    assert settings.pool_size == 7
    [problem] = problems
    assert (problem.key, problem.suggestion, problem.on_value) == (key, suggestion, on_value)
    assert problem.message


@pytest.mark.parametrize(
    "value", [None, 3, "x", [], {}, [[]], [{}], {"a": None}, {"a": [3]}, {"a": {"b": []}}]
)
def test_no_value_makes_it_fail(value: object) -> None:
    for name in options():
        settings, _ = parse_settings({name: value}, "x.toml")
        assert isinstance(settings, Settings)


@pytest.mark.parametrize(
    ("toml", "codes"),
    [
        ('select = ["ALL"]', ["SAG301", "SAG401", "SAG108", "SAG601"]),
        ('select = ["SAG"]', ["SAG301", "SAG401", "SAG108", "SAG601"]),
        ('select = ["sag3"]', ["SAG301"]),
        ('select = ["commit-in-loop"]', ["SAG401"]),
        ("select = []", []),
        ('extend-select = ["SAG6"]', ["SAG301", "SAG401", "SAG108", "SAG601"]),
        ('ignore = ["SAG"]', []),
        ('ignore = ["SAG4", "legacy-query"]', ["SAG108"]),
        ('select = ["SAG301"]\nignore = ["SAG3"]', ["SAG301"]),
        ('select = ["SAG3"]\nignore = ["SAG301"]', []),
        ('select = ["SAG301"]\nignore = ["SAG301"]', []),
        ('ignore = ["SAG"]\nextend-select = ["SAG4"]', ["SAG401"]),
        ('profile = "strict"', ["SAG301", "SAG401", "SAG108", "SAG601"]),
        ('profile = "legacy"', ["SAG401", "SAG108"]),
        ('profile = "legacy"\nextend-select = ["SAG301"]', ["SAG301", "SAG401", "SAG108"]),
    ],
)
def test_selection(toml: str, codes: list[str]) -> None:
    assert selected(parse(toml)) == codes


def test_per_file_ignores_and_severity() -> None:
    settings = parse(
        """
        [per-file-ignores]
        "tests" = ["SAG3"]
        "*_old.py" = ["commit-in-loop"]
        "!app/**" = ["SAG108"]
        [severity]
        SAG = "hint"
        legacy-query = "error"
        """
    )
    assert selected(settings, "/p/app/a.py") == ["SAG301", "SAG401", "SAG108"]
    assert selected(settings, "/p/tests/unit/a.py") == ["SAG401"]
    assert selected(settings, "/p/app/x_old.py") == ["SAG301", "SAG108"]
    assert severity_of(settings, LEGACY_QUERY) == "error"
    assert severity_of(settings, OFF) == "hint"
    assert severity_of(Settings(), OFF) is None


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("build", "/p/build/x.py", True),
        ("build", "/p/a/build/b/x.py", True),
        ("build", "/p/builder/x.py", False),
        ("p", "/p/x.py", False),
        ("a/b", "/p/a/b/c.py", True),
        ("a/b", "/p/x/a/b/c.py", False),
        ("./a/", "/p/a/c.py", True),
        ("*.py", "/p/a/c.py", True),
        ("**/c.py", "/p/c.py", True),
        ("**/c.py", "/p/a/b/c.py", True),
        ("a/*.py", "/p/a/b/c.py", True),
        ("/p/a", "/p/a/c.py", True),
        ("a\\b", "\\p\\a\\b\\c.py", True),
        ("", "/p/c.py", False),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert path_matches(pattern, "/p", path) is matches


def test_folders_above_the_root_are_not_looked_at() -> None:
    settings = Settings(root="/home/build/project")
    assert not is_excluded(settings, "/home/build/project/app.py")
    assert is_excluded(settings, "/home/build/project/build/app.py")
    assert not is_excluded(settings, "/home/build/project/build/app.py", ancestors=False)


def test_unknown_selectors_have_the_nearest_name() -> None:
    settings = parse(
        """
        select = ["SAG301", "legacy-qery", "E501"]
        per-file-ignores = {"a" = ["SAG999"]}
        severity = {"comit-in-loop" = "error"}
        """
    )
    problems = {problem.key: problem for problem in selector_problems(settings, RULES)}
    assert problems["select", 1].suggestion == '"legacy-query"'
    assert problems["select", 2].suggestion is None
    assert problems["per-file-ignores", "a", 0].suggestion is None
    assert problems["severity", "comit-in-loop"].suggestion == "commit-in-loop"
    assert len(problems) == 4
    assert {problem.source for problem in problems.values()} == {"x.toml"}


@pytest.mark.parametrize(
    ("toml", "length"),
    [
        ("[tool.sqlalchemy-guard]\nline-length = 99\n[tool.ruff]\nline-length = 120", 99),
        ("[tool.sqlalchemy-guard]\n[tool.ruff]\nline-length = 120\n[tool.black]\nline-length = 100", 120),
        ("[tool.sqlalchemy-guard]\n[tool.black]\nline-length = 100", 100),
        ('[tool.sqlalchemy-guard]\n[tool.black]\nline-length = "x"', 88),
        ("[tool.sqlalchemy-guard]", 88),
    ],
)
def test_line_length_follows_the_formatter(toml: str, length: int) -> None:
    parsed = parse_document(tomllib.loads(toml), "/p/pyproject.toml", "/p")
    assert parsed is not None
    assert (parsed[0].line_length, parsed[1]) == (length, [])


def test_a_pyproject_without_our_table_says_nothing() -> None:
    assert parse_document({"tool": {"ruff": {}}}, "/p/pyproject.toml") is None
    assert parse_document({"tool": 3}, "/p/pyproject.toml") is None
    parsed = parse_document({"tool": {"sqlalchemy-guard": 3}}, "/p/pyproject.toml")
    assert parsed is not None
    assert len(parsed[1]) == 1


TOML = '''# ignore = 1
[tool."sqlalchemy-guard"]   # comment ]
select = [  # "SAG1"
    "SAG301", 'SAG4',
    """SAG]5""",
]
per-file-ignores = { "tests/*.py" = ["ALL"], 'é.py'=["x"] }
line-length = 100 # hundred
tool.deep = 1
[tool.sqlalchemy-guard.severity]
SAG301 = "error"
[[tool.mypy.overrides]]
module = "a"
[[tool.mypy.overrides]]
module = "b"
'''


@pytest.mark.parametrize(
    ("key", "found", "value"),
    [
        (("select",), "select", False),
        (("select", 0), '"SAG301"', True),
        (("select", 1), "'SAG4'", True),
        (("select", 2), '"""SAG]5"""', True),
        (("per-file-ignores", "tests/*.py"), '"tests/*.py"', False),
        (("per-file-ignores", "é.py"), "'é.py'", False),
        (("per-file-ignores", "é.py", 0), '"x"', True),
        (("line-length",), "100", True),
        (("line-length",), "line-length", False),
        (("tool", "deep"), "1", True),
        (("severity", "SAG301"), '"error"', True),
        (("severity",), "severity", False),
        (("nothing",), '"sqlalchemy-guard"', False),
        ((), '"sqlalchemy-guard"', False),
    ],
)
def test_locate(key: tuple[str | int, ...], found: str, value: bool) -> None:
    tomllib.loads(TOML)
    start, end = locate_offsets(TOML, ("tool", "sqlalchemy-guard", *key), value=value)
    assert TOML[start:end] == found
    line, column, end_line, end_column = locate(TOML, ("tool", "sqlalchemy-guard", *key), value=value)
    lines = TOML.split("\n")
    assert line == end_line
    assert lines[line][column:end_column] == found


def test_locate_in_arrays_of_tables() -> None:
    start, end = locate_offsets(TOML, ("tool", "mypy", "overrides", 1, "module"), value=True)
    assert (TOML[start:end], TOML[:start].count("\n")) == ('"b"', 14)


@pytest.mark.parametrize(
    "broken",
    ["a = [\n", "[a\nb = 1", "a = 'x\nb = 1", "= 3\nb = 1", "a = {b = \n", "[" * 5000, "a=" + "[" * 5000],
)
def test_locate_survives_what_is_no_toml(broken: str) -> None:
    assert locate(broken, ("zzz",)) == (0, 0, 0, 0)


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


PIECES = st.sampled_from(
    ["a", "b.c", '"d e"', "'f'", " = ", "=", "1", "2.0", "true", '"x]"', "'y#'", '"""z\n"""', "[", "]", "[[", "]]",
     "{", "}", ",", "\n", "\r\n", "# c\n", " ", "\\", "é", "\x0c"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30).map("".join))
def test_every_value_that_toml_reads_is_found_where_it_stands(text: str) -> None:
    places = scan(text)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for path, value in leaves(document):
        assert tomllib.loads(f"x = {text[places[path].start : places[path].end]}")["x"] == value


def test_schema_takes_what_the_parser_takes() -> None:
    schema = json_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    assert validator.is_valid({"select": ["SAG3"], "severity": {"SAG301": "hint"}, "line-length": 100})
    for bad in (
        {"selct": []},
        {"select": "x"},
        {"line-length": 0},
        {"severity": {"SAG301": "warn"}},
        {"run": "x"},
    ):
        assert not validator.is_valid(bad), bad
        assert parse_settings(bad, "x")[1], bad
    assert set(schema["properties"]) == set(options())
    assert all(entry["description"] for entry in schema["properties"].values())


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_nearest_file_wins_whole(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.sqlalchemy-guard]\nline-length = 77\npool-size = 3")
    write(tmp_path / "a" / "sqlalchemy-guard.toml", "line-length = 99")
    write(tmp_path / "a" / "pyproject.toml", "[tool.sqlalchemy-guard]\nline-length = 1")
    write(tmp_path / "b" / "pyproject.toml", "[project]\nname = 'b'")
    write(tmp_path / "c" / ".sqlalchemy-guard.toml", "line-length = 66")
    store = SettingsStore(Vfs())
    lengths = {
        name: store.for_file(str(tmp_path / name / "x.py")).line_length
        for name in ("", "a", "a/deep/er", "b", "c")
    }
    assert lengths == {"": 77, "a": 99, "a/deep/er": 99, "b": 77, "c": 66}
    assert store.for_file(str(tmp_path / "a" / "x.py")).pool_size == 10
    assert store.for_file(str(tmp_path / "b" / "x.py")).root == str(tmp_path)
    assert store.for_file("untitled:Untitled-1") == Settings()


def test_invalidate_reads_again(tmp_path: Path) -> None:
    config = write(tmp_path / "sqlalchemy-guard.toml", "line-length = 99")
    store = SettingsStore(Vfs())
    file = str(tmp_path / "x.py")
    assert store.for_file(file) is store.for_file(file)
    write(tmp_path / "sqlalchemy-guard.toml", "line-length = 55\nbad = 1")
    assert store.for_file(file).line_length == 99
    assert not store.invalidate(file)
    assert store.invalidate(config)
    assert store.for_file(file).line_length == 55
    found = store.config_file(file)
    assert found is not None
    assert [problem.key for problem in found.problems] == [("bad",)]


def test_a_file_that_is_no_toml_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path / "sqlalchemy-guard.toml", "line-length = = 99")
    store = SettingsStore(Vfs())
    found = store.config_file(str(tmp_path / "x.py"))
    assert found is not None
    assert "not valid TOML" in found.problems[0].message
    assert store.for_file(str(tmp_path / "x.py")).line_length == 88


def test_overrides_of_editor_and_command_line(tmp_path: Path) -> None:
    write(tmp_path / "sqlalchemy-guard.toml", 'select = ["SAG3"]\nignore = ["SAG301"]\nline-length = 99')
    file = str(tmp_path / "x.py")
    store = SettingsStore(Vfs(), {"ignore": ["SAG4"], "line-length": 60})
    problems = store.set_folder_overrides(
        str(tmp_path), {"select": ["SAG"], "lineLength": 70, "run": None, "odd": 1}
    )
    assert [problem.key for problem in problems] == [("odd",)]
    settings = store.for_file(file)
    assert settings.line_length == 60
    assert settings.origins["line-length"] == "command line"
    assert selected(settings, file) == ["SAG301", "SAG108", "SAG601"]
    assert store.for_file(str(tmp_path.parent / "y.py")).overlays[0].select is None


def test_select_of_the_command_line_replaces_the_file(tmp_path: Path) -> None:
    write(tmp_path / "sqlalchemy-guard.toml", 'select = ["SAG4"]\nignore = ["SAG301"]')
    store = SettingsStore(Vfs(), {"select": ["SAG301"]})
    assert selected(store.for_file(str(tmp_path / "x.py"))) == ["SAG301"]


def test_isolated_and_one_named_file(tmp_path: Path) -> None:
    write(tmp_path / "sqlalchemy-guard.toml", "line-length = 99")
    named = write(tmp_path / "other.toml", "line-length = 44")
    file = str(tmp_path / "x.py")
    assert SettingsStore(Vfs(), isolated=True).for_file(file).line_length == 88
    assert SettingsStore(Vfs(), config=named).for_file(file).line_length == 44
    assert SettingsStore(Vfs(), {"nonsense": 1}).problems[0].source == "command line"


def test_windows_paths() -> None:
    class Disk:
        def read_text(self, path: str) -> str | None:
            return "line-length = 42" if path == "c:\\p\\sqlalchemy-guard.toml" else None

    settings = SettingsStore(Disk()).for_file("c:\\p\\app\\x.py")
    assert (settings.line_length, settings.root) == (42, "c:\\p")
    assert settings.source_roots() == ("c:/p", "c:/p/src")


@pytest.mark.parametrize(
    ("files", "length"),
    [
        ({"pyproject.toml": "[tool.black]\nline-length = 100\n"}, 100),
        ({"pyproject.toml": "[tool.ruff]\nline-length = 101\n"}, 101),
        ({"ruff.toml": "line-length = 102\n", "pyproject.toml": "[tool.black]\nline-length = 100\n"}, 102),
        ({"pyproject.toml": "[tool.black]\nline-length = 100\n", "app/.ruff.toml": "line-length = 70\n"}, 70),
        ({"ruff.toml": "line-length = 99\n", "sqlalchemy-guard.toml": "ignore = ['SAG1']\n"}, 99),
        ({"ruff.toml": "line-length = 99\n", "sqlalchemy-guard.toml": "line-length = 60\n"}, 60),
        ({"ruff.toml": "line-length = = \n"}, 88),
        ({"pyproject.toml": "[project]\nname = 'line'\n"}, 88),
    ],
)
def test_line_length_of_the_nearest_formatter(tmp_path: Path, files: dict[str, str], length: int) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    store = SettingsStore(Vfs())
    assert store.for_file(str(tmp_path / "app" / "models.py").replace("\\", "/")).line_length == length
