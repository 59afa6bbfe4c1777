"""Holds every fix to its promises, over all documentation, all specifications and the files of `tests/corpus/`.

Each of these small projects is also taken with Windows line ends and with a comment on every line: a fix that is SAFE
keeps them, wherever they stand.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from sqlalchemy_guard.rules import registry
from sqlalchemy_guard.rules.api import Applicability
from sqlalchemy_guard.text.edit import Edit
from tests.support import contract, mdtest
from tests.support.ruledocs import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.support.fixture import Project

HERE = Path(__file__).parent
VARIANTS = {"as written": lambda text: text, "CRLF": contract.crlf, "commented": contract.commented}


class Case(NamedTuple):
    """A small project: where it comes from, its files, and the rules to select besides the default ones."""

    title: str
    files: Mapping[str, str]
    selected: tuple[str, ...]


def cases() -> Iterator[Case]:
    for rule in registry.rules().values():
        # Malformed documentation and specifications are reported by the tests that run them.
        with suppress(ValueError):
            yield Case(f"page of {rule.name}", examples(rule).bad, () if rule.default else (rule.code,))
    for path in sorted((HERE / "specs").rglob("*.md")):
        rule = registry.by_name().get(path.stem)
        selected = (rule.code,) if rule and not rule.default else ()
        sections: list[mdtest.Section] = []
        with suppress(mdtest.SpecError):
            sections = mdtest.parse(path)
        for section in sections:
            yield Case(f"{path.stem}: {section.title}", section.files, selected)
    for path in sorted((HERE / "corpus").iterdir()):
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        folder = path if path.is_dir() else path.parent
        # The bytes decide: reading as text would turn the line ends of some of these files into others.
        yield Case(
            f"corpus: {path.name}",
            {f.relative_to(folder).as_posix(): f.read_bytes().decode() for f in files},
            (),
        )


def names(project: Project) -> list[str]:
    return [violation.rule.name for _, _, violation in project.violations()]


@pytest.fixture(params=cases(), ids=lambda case: case.title)
def case(request: pytest.FixtureRequest) -> Case:
    """Each of the projects in turn."""
    return request.param


@pytest.fixture(params=VARIANTS)
def project(request: pytest.FixtureRequest, case: Case, make_project: Callable[..., Project]) -> Project:
    """The project, in each of its variants."""
    vary = VARIANTS[request.param]
    files = {path: vary(text) if path.endswith(".py") else text for path, text in case.files.items()}
    return make_project(files, case.selected)


def test_every_single_fix_keeps_its_promises(
    project: Project, case: Case, make_project: Callable[..., Project]
) -> None:
    broken: list[str] = []
    before = names(project)
    for path, report, violation in project.violations():
        where = f"{path}:{violation.span.line + 1}: {violation.rule.name}"
        fix = project.fix(report, violation)
        if violation.applicability is None or fix is None:
            if violation.applicability is not None or fix is not None:
                broken.append(f"{where}: announced {violation.applicability!r}, got {fix!r} (see the log)")
            continue
        if fix.applicability is not violation.applicability:
            broken.append(f"{where}: announced {violation.applicability!r}, got {fix.applicability!r}")
        if not fix.title or fix.title.endswith(".") or not any(fix.edits.values()):
            broken.append(f"{where}: a fix has a title without a full stop, and edits; this has {fix!r}")
        for file_id, edits in fix.edits.items():
            document = project.workspace.documents.get(file_id)
            assert (document is None) == (file_id in fix.creates)
            text = document.text if document is not None else ""
            broken += [f"{where}: {problem}" for problem in contract.broken_edits(text, edits)]
        if fix.applicability is Applicability.DISPLAY or broken:
            continue
        after = project.applied(fix)
        kept = fix.applicability is Applicability.SAFE
        problems = contract.broken_texts(project.texts, after, keeps_comments=kept)
        left = names(make_project(after, case.selected))
        problems += contract.new_violations(before, left)
        if left.count(violation.rule.name) >= before.count(violation.rule.name):
            change = contract.difference(project.texts[path], after[path])
            problems.append(f"the violation is still there after its own fix:\n{change}")
        broken += [f"{where}: {problem}" for problem in problems]
    if broken:
        pytest.fail("\n".join(broken), pytrace=False)


@pytest.mark.parametrize("applicability", [Applicability.SAFE, Applicability.UNSAFE], ids=["safe", "unsafe"])
def test_all_fixes_together_reach_a_fixed_point(
    project: Project, case: Case, make_project: Callable[..., Project], applicability: Applicability
) -> None:
    before = names(project)
    after = project.fixed_by(applicability)
    again = make_project(after, case.selected)
    broken = contract.broken_texts(project.texts, after, keeps_comments=applicability is Applicability.SAFE)
    broken += contract.new_violations(before, names(again))
    broken += [
        f"{path}:{violation.span.line + 1}: {violation.rule.name} could still be fixed"
        for path, _, violation in again.violations()
        if violation.applicability is not None and violation.applicability >= applicability
    ]
    if again.fixed_by(applicability) != after:
        broken.append("fixing a second time changes the text again")
    if broken:
        pytest.fail("\n".join(broken), pytrace=False)


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ("x = 1  # kept\n", "x = 1\n", "lost comments: kept"),
        ("x = 1  # twice\ny = 2  # twice\n", "x = 1  # twice\ny = 2\n", "lost comments: twice"),
        ("x = 1  # why  # noqa: SAG101\n", "x = 1\n", "lost comments: why"),
        ("x = 1\n", "x = (1\n", "no longer parses"),
        ("x = 1\r\n", "x = 2\n", "line ends"),
        ("from a import b\n\nb()\n", "from a import b\n\nc()\n", "no longer used: b"),
        ("import a.b as c\n\nc()\n", "import a.b as c\n", "no longer used: c"),
    ],
)
def test_a_broken_promise_is_seen(before: str, after: str, word: str) -> None:
    assert word in "\n".join(contract.broken_texts({"a.py": before}, {"a.py": after}, keeps_comments=True))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1  # kept\n", "# kept\nx = 1\n"),
        ("x = 1  # noqa: SAG101\n", "x = 1\n"),
        ("x = 1  # why  # noqa: SAG101\n", "x = 1  # why\n"),
        ("x = 1\r\n", "x = 2\r\n"),
        ("from a import b, c\n\nb()\n", "from a import b, c\n\nb(1)\n"),
        ('from a import b\n\nb()\n', 'from a import b\n\nx: "b"\n'),
        ("x = (1\n", "anything goes where nothing parsed ((\n"),
    ],
)  # fmt: skip
def test_a_kept_promise_is_believed(before: str, after: str) -> None:
    assert contract.broken_texts({"a.py": before}, {"a.py": after}, keeps_comments=True) == []


@pytest.mark.parametrize(
    ("edits", "word"),
    [
        ((Edit(0, 99, "y"),), "outside"),
        ((Edit(4, 5, "2"), Edit(0, 1, "y")), "not sorted"),
        ((Edit(4, 5, "2"), Edit(4, 5, "2")), "not sorted and distinct"),
        ((Edit(0, 3, "y"), Edit(2, 5, "2")), "overlap"),
        ((Edit(4, 5, "1"),), "changes nothing"),
    ],
)
def test_bad_edits_are_seen(edits: tuple[Edit, ...], word: str) -> None:
    assert word in "\n".join(contract.broken_edits("x = 1\n", edits))


def test_a_new_violation_is_seen() -> None:
    assert contract.new_violations(["a", "b", "b"], ["b", "b"]) == []
    assert contract.new_violations(["a", "b"], ["b", "b"]) == ["1 new violation(s) of b"]


def test_every_line_that_can_bear_a_comment_gets_one() -> None:
    text = 'x = [\n    1,\n    """a\n    b""",\n]\n\ny = 1 + \\\n    2  # mine\n'
    assert contract.commented(text) == (
        'x = [  # remark 1\n    1,  # remark 2\n    """a\n    b""",  # remark 4\n]  # remark 5\n\n'
        "y = 1 + \\\n    2  # mine\n"
    )
