"""Every specification's project stays what it says while statements are taken out of it and put back.

An answer that rests on something nobody noted shows here: the reports of the workspace that followed the edits differ from
those of the same texts opened anew.
"""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest

from sqlalchemy_guard.rules import registry
from tests.project.test_incremental_check import Editor
from tests.support import mdtest

SPECS = Path(__file__).parents[1] / "specs"
EDITS = 3


def sections() -> list[tuple[Path, mdtest.Section]]:
    return [
        (path, section)
        for path in sorted(SPECS.rglob("*.md"))
        for section in mdtest.parse(path)
        if any(name.endswith(".py") for name in section.files)
    ]


def statements(text: str) -> list[tuple[int, int]]:
    """The lines `[first, end)` of the statements that can go: those that do not stand alone in their block."""
    found = []
    for node in ast.walk(ast.parse(text)):
        for block in ("body", "orelse", "finalbody"):
            body = getattr(node, block, None)
            if isinstance(body, list) and len(body) > 1:
                for one in body:
                    first = min([one.lineno, *(each.lineno for each in getattr(one, "decorator_list", []))])
                    found.append((first - 1, one.end_lineno))
    return found


@pytest.mark.parametrize("case", sections(), ids=lambda case: f"{case[0].stem}: {case[1].title}")
def test_reports_follow_statements_that_go_and_come(
    case: tuple[Path, mdtest.Section], tmp_path: Path
) -> None:
    path, section = case
    texts = {name: text for name, text in section.files.items() if name.endswith(".py")}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    rule = registry.by_name().get(path.stem)
    select = [rule.code] if rule is not None and not rule.default else []
    editor = Editor(tmp_path, texts, select)
    before = editor.reports()
    places = [
        (name, first, end)
        for name, text in texts.items()
        if _is_plain(text)
        for first, end in statements(text)
        if end < len(editor.documents[name].lines)
    ]
    random.Random(section.title).shuffle(places)
    for name, first, end in places[:EDITS]:
        taken = "".join(editor.documents[name].lines[first:end])
        editor.replace(name, first, end, "")
        fresh = Editor(tmp_path, {each: document.text for each, document in editor.documents.items()}, select)
        expected = fresh.reports()
        assert editor.reports() == expected, f"{name} without lines {first + 1} to {end}"
        assert fresh.reports() == expected
        editor.replace(name, first, first, taken)
        assert editor.reports() == before, f"{name} with lines {first + 1} to {end} put back"


def _is_plain(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True
