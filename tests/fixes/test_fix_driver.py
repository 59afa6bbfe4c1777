"""`fix.py` with a checker made for the test: merging, rounds, the contract, the overlay."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from sqlalchemy_guard import fix
from sqlalchemy_guard.check import FileReport
from sqlalchemy_guard.fix import fix_all, single
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Span, Violation
from sqlalchemy_guard.syntax.syntax import Syntax
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.text.edit import Edit

SAFE, UNSAFE = Applicability.SAFE, Applicability.UNSAFE

MakeEdits = Callable[["FakeWorkspace", str, re.Match[str]], dict[str, tuple[Edit, ...]]]


class FakeWorkspace:
    def __init__(self, texts: dict[str, str], opened: set[str]) -> None:
        self.disk = {file_id: Document.from_text(file_id, text) for file_id, text in texts.items()}
        self.documents = dict(self.disk)
        self.opened = set(opened)

    def is_open(self, file_id: str) -> bool:
        return file_id in self.opened

    def open(self, file_id: str, document: Document) -> None:
        self.opened.add(file_id)
        self.documents[file_id] = document

    def change(self, file_id: str, document: Document, line_edits: object) -> None:
        assert self.is_open(file_id)
        self.documents[file_id] = document

    def close(self, file_id: str) -> None:
        self.opened.discard(file_id)
        self.documents[file_id] = self.disk[file_id]

    def file(self, file_id: str) -> Any:
        document = self.documents[file_id]
        return SimpleNamespace(document=document, syntax=Syntax(document))


@dataclass
class FakeRule:
    rule: Rule
    pattern: str
    edits: MakeEdits
    applicability: Applicability = SAFE


@dataclass
class FakeChecker:
    workspace: FakeWorkspace
    rules: list[FakeRule] = field(default_factory=list)
    poll: Callable[[], None] = lambda: None

    def check(self, file_id: str) -> FileReport:
        document = self.workspace.documents[file_id]
        report = FileReport(file_id, document.version)
        for fake in self.rules:
            for match in re.finditer(fake.pattern, document.text):
                start = document.index.position(match.start())
                end = document.index.position(match.end())
                report.violations.append(
                    Violation(
                        rule=fake.rule,
                        message="wrong",
                        span=Span(*start, *end),
                        lines=(start[0], end[0] + 1),
                        severity=Severity.WARNING,
                        applicability=fake.applicability,
                        subject=(fake, match),
                    )
                )
        report.violations.sort(key=lambda violation: violation.span)
        return report

    def forget(self, file_id: str) -> None:
        assert file_id in self.workspace.documents

    def fix(self, report: FileReport, violation: Violation) -> Fix | None:
        fake, match = violation.subject
        return Fix("Mend it", fake.applicability, fake.edits(self.workspace, report.file_id, match))


def make_rule(code: str) -> Any:
    rule = object.__new__(Rule)
    rule.code = code
    return rule


def by(new: str) -> MakeEdits:
    return lambda _, file_id, match: {file_id: (Edit(match.start(), match.end(), match.expand(new)),)}


def checker(texts: dict[str, str], *rules: FakeRule, opened: set[str] | None = None) -> FakeChecker:
    return FakeChecker(FakeWorkspace(texts, opened or set()), list(rules))


def test_all_violations_of_a_file_are_fixed_and_the_workspace_gets_its_documents_back() -> None:
    fake = checker(
        {"a.py": "old(1)\nold(2)\n", "b.py": "x = 1\n"}, FakeRule(make_rule("SAG901"), r"\bold\b", by("new"))
    )
    outcome = fix_all(fake, ["a.py", "b.py"], SAFE)
    assert outcome.texts == {"a.py": "new(1)\nnew(2)\n"}
    assert outcome.counts == {"SAG901": 2}
    assert outcome.unconverged == ()
    assert fake.workspace.documents["a.py"].text == "old(1)\nold(2)\n"
    assert not fake.workspace.opened


def test_an_open_document_stays_open_with_its_own_text_and_version() -> None:
    fake = checker({"a.py": "disk\n"}, FakeRule(make_rule("SAG901"), r"\bold\b", by("new")))
    editor = Document.from_text("a.py", "old\n", 7)
    fake.workspace.open("a.py", editor)
    assert fix_all(fake, ["a.py"], SAFE).texts == {"a.py": "new\n"}
    assert fake.workspace.documents["a.py"] is editor
    assert fake.workspace.is_open("a.py")


def test_clashing_fixes_are_made_one_after_the_other() -> None:
    fake = checker(
        {"a.py": "f(g(1))\n"},
        FakeRule(make_rule("SAG901"), r"f\((.*)\)", by(r"F(\1)")),
        FakeRule(make_rule("SAG902"), r"g\((\d)\)", by(r"G(\1)")),
    )
    outcome = fix_all(fake, ["a.py"], SAFE)
    assert outcome.texts == {"a.py": "F(G(1))\n"}
    assert outcome.counts == {"SAG901": 1, "SAG902": 1}


def test_two_fixes_of_one_chain_do_not_meet_in_one_round() -> None:
    """One rewrites what a chain begins with, the other adds a link behind it: the second must see what the first wrote."""
    fake = checker(
        {"a.py": "x = old.all(1)\ny = old\nz = 3\n"},
        FakeRule(make_rule("SAG901"), r"\bold\b", by("run(new)")),
        FakeRule(make_rule("SAG902"), r"(?<=old\.)all\(1\)|(?<=new\)\.)all\(1\)", by("late(1)")),
        FakeRule(make_rule("SAG903"), r"z = 3", by("z = 4")),
    )
    outcome = fix_all(fake, ["a.py"], SAFE)
    assert outcome.texts == {"a.py": "x = run(new).late(1)\ny = run(new)\nz = 4\n"}


def test_the_same_import_of_two_fixes_is_added_once() -> None:
    def edits(_: FakeWorkspace, file_id: str, match: re.Match[str]) -> dict[str, tuple[Edit, ...]]:
        return {file_id: (Edit(0, 0, "import new\n"), Edit(match.start(), match.end(), "new"))}

    fake = checker({"a.py": "x = 1\nold(1)\nold(2)\n"}, FakeRule(make_rule("SAG901"), r"\bold\b", edits))
    assert fix_all(fake, ["a.py"], SAFE).texts == {"a.py": "import new\nx = 1\nnew(1)\nnew(2)\n"}


def test_a_fix_that_breaks_the_syntax_is_rejected_and_the_others_are_made() -> None:
    fake = checker(
        {"a.py": "old(1)\nbad(2)\n"},
        FakeRule(make_rule("SAG901"), r"\bold\b", by("new")),
        FakeRule(make_rule("SAG902"), r"\bbad\b", by("((")),
    )
    outcome = fix_all(fake, ["a.py"], SAFE)
    assert outcome.texts == {"a.py": "new(1)\nbad(2)\n"}
    assert outcome.counts == {"SAG901": 1}
    [note] = outcome.notes
    assert note == "a.py:2:1: the fix of SAG902 was not applied: the result would not be valid Python"


@pytest.mark.parametrize("applicability", [SAFE, UNSAFE])
def test_only_an_unsafe_fix_may_lose_a_comment(applicability: Applicability) -> None:
    fake = checker(
        {"a.py": "old  # why\n"}, FakeRule(make_rule("SAG901"), r"old  # why", by("new"), applicability)
    )
    outcome = fix_all(fake, ["a.py"], UNSAFE)
    if applicability is UNSAFE:
        assert outcome.texts == {"a.py": "new\n"}
    else:
        assert outcome.texts == {}
        assert "lose the comment '# why'" in outcome.notes[0]


def test_a_suppression_may_go_but_not_what_else_its_comment_says() -> None:
    fake = checker(
        {"a.py": "x = 1  # why  # noqa: SAG301\ny = 1  # noqa\n"},
        FakeRule(make_rule("SAG001"), r"  # noqa[^\n]*", by("")),
    )
    assert fix_all(fake, ["a.py"], SAFE).texts == {"a.py": "x = 1  # why\ny = 1\n"}


def test_edits_of_several_files_are_made_together_or_not_at_all() -> None:
    def edits(workspace: FakeWorkspace, file_id: str, match: re.Match[str]) -> dict[str, tuple[Edit, ...]]:
        other = workspace.documents["b.py"].text
        return {
            file_id: (Edit(match.start(), match.end(), "new"),),
            "b.py": (Edit(0, len(other), match["body"]),),
        }

    rule = FakeRule(make_rule("SAG901"), r"old\((?P<body>[^)]*)\)", edits)
    good = fix_all(checker({"a.py": "old(y)\n", "b.py": "z"}, rule), ["a.py"], SAFE)
    assert good.texts == {"a.py": "new\n", "b.py": "y"}
    bad = fix_all(checker({"a.py": "old(+)\n", "b.py": "z"}, rule), ["a.py"], SAFE)
    assert bad.texts == {}
    assert len(bad.notes) == 1


def test_fixes_that_undo_each_other_end_and_are_named() -> None:
    fake = checker(
        {"a.py": "tick\n"},
        FakeRule(make_rule("SAG901"), r"tick", by("tock")),
        FakeRule(make_rule("SAG902"), r"tock", by("tick")),
    )
    outcome = fix_all(fake, ["a.py"], SAFE)
    assert outcome.unconverged == ("a.py",)


def test_codes_and_applicability_select() -> None:
    rules = (
        FakeRule(make_rule("SAG901"), r"\bone\b", by("ONE")),
        FakeRule(make_rule("SAG902"), r"\btwo\b", by("TWO"), UNSAFE),
    )
    texts = {"a.py": "one\ntwo\n"}
    assert fix_all(checker(texts, *rules), ["a.py"], SAFE).texts == {"a.py": "ONE\ntwo\n"}
    assert fix_all(checker(texts, *rules), ["a.py"], UNSAFE).texts == {"a.py": "ONE\nTWO\n"}
    assert fix_all(checker(texts, *rules), ["a.py"], UNSAFE, {"SAG902"}).texts == {"a.py": "one\nTWO\n"}


def test_a_file_that_did_not_parse_before_is_fixed_too() -> None:
    fake = checker({"a.py": "old(1)\ndef (\n"}, FakeRule(make_rule("SAG901"), r"\bold\b", by("new")))
    assert fix_all(fake, ["a.py"], SAFE).texts == {"a.py": "new(1)\ndef (\n"}


def test_imports_go_with_their_last_reader() -> None:
    text = "from lib import kept, old\n\nold(1)\nold(2)\nkept\n"
    fake = checker({"a.py": text}, FakeRule(make_rule("SAG901"), r"\bold(?=\()", by("new")))
    assert fix_all(fake, ["a.py"], SAFE).texts == {"a.py": "from lib import kept\n\nnew(1)\nnew(2)\nkept\n"}
    report = fake.check("a.py")
    first = single(fake, report, report.violations[0])
    assert first is not None
    assert len(first.edits["a.py"]) == 1


def test_a_single_fix_is_held_to_the_contract() -> None:
    fake = checker({"a.py": "bad(2)\n"}, FakeRule(make_rule("SAG902"), r"\bbad\b", by("((")))
    report = fake.check("a.py")
    assert single(fake, report, report.violations[0]) is None


def test_whoever_waits_is_asked_between_small_pieces_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "    x = [\n" + "        1,\n" * 30 + "    ]\n"
    text = "import lib\n" + "\n\n".join(
        f"def f{n}():\n    # {n}\n    return old({n}, {'1 + ' * 40}1)\n\n\nclass C{n}:\n{lines}"
        for n in range(60)
    )
    fake = checker({"a.py": text}, FakeRule(make_rule("SAG901"), r"old\(", by("new(")))
    parsed = [0]
    original = fix._parse

    def counted(part: str) -> Any:
        parsed[-1] += len(part)
        return original(part)

    monkeypatch.setattr(fix, "_parse", counted)
    fake.poll = lambda: parsed.append(0)
    outcome = fix_all(fake, ["a.py"], SAFE)
    assert outcome.counts == {"SAG901": 60}
    # Each statement is judged by itself; the whole text is read once at a time, to look for imports nobody reads.
    assert len(parsed) > 120
    assert max(parsed) < 1.5 * len(text)


def test_an_end_in_the_midst_gives_the_documents_back() -> None:
    text = "".join(f"old({n})\n" for n in range(100))

    class Enough(Exception):
        pass

    for last in (1, 6, 10):
        fake = checker({"a.py": text}, FakeRule(make_rule("SAG901"), r"old\(", by("new(")), opened={"a.py"})
        left = iter(range(last))

        def poll(left: Any = left) -> None:
            if next(left, None) is None:
                raise Enough

        fake.poll = poll
        with pytest.raises(Enough):
            fix_all(fake, ["a.py"], SAFE)
        assert fake.workspace.documents["a.py"].text == text
        assert fake.workspace.is_open("a.py")
