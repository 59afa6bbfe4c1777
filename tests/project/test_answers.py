"""Answers that rest on many keys: they rest on a group, which changes when any of its members does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.project import answers as module
from sqlalchemy_guard.project.answers import Answers

if TYPE_CHECKING:
    import pytest

    from sqlalchemy_guard.project.answers import Key

MANY: set[Key] = {("a.py", f"name{number}") for number in range(500)}
MEMBER = ("a.py", "name7")
OTHER = ("b.py", "name7")


def test_few_keys_are_kept_as_they_are() -> None:
    assert Answers().shared({MEMBER, OTHER}) == {MEMBER, OTHER}


def test_many_keys_become_one() -> None:
    answers = Answers()
    kept = answers.shared(MANY)
    assert len(kept) == 1
    assert answers.shared(set(MANY)) == kept


def test_a_group_holds_until_a_member_changes() -> None:
    answers = Answers()
    kept, revision = answers.shared(MANY), answers.revision
    for _ in range(10):
        answers.changed({OTHER})
    assert answers.valid(kept, revision)
    answers.changed({MEMBER})
    assert not answers.valid(kept, revision)
    assert kept <= (answers.changed_since(revision) or set())


def test_a_group_of_groups_changes_with_the_innermost_member() -> None:
    answers = Answers()
    outer = answers.shared({*answers.shared(MANY), *(("c.py", f"name{number}") for number in range(100))})
    revision = answers.revision
    answers.changed({MEMBER})
    assert not answers.valid(outer, revision)


def test_a_change_while_the_answer_was_looked_for_counts() -> None:
    for later in range(12):
        answers = Answers()
        revision = answers.revision
        answers.changed({MEMBER})
        for _ in range(later):
            answers.changed({OTHER})
        kept = answers.shared(MANY)
        assert not answers.valid(kept, revision)
        assert kept <= (answers.changed_since(revision) or set())
        assert answers.valid(kept, answers.revision)


def test_what_was_gathered_changes_with_a_member_of_its_group() -> None:
    answers = Answers()
    asked = []

    def answer() -> int:
        asked.append(1)
        answers.keys |= answers.shared(MANY)
        return len(asked)

    assert [answers.gathered("q", answer), answers.gathered("q", answer)] == [1, 1]
    answers.changed({MEMBER})
    assert answers.gathered("q", answer) == 2


def test_forgotten_groups_are_taken_for_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GROUPS", 1)
    answers = Answers()
    kept, revision = answers.shared(MANY), answers.revision
    answers.shared({("d.py", f"name{number}") for number in range(100)})
    assert not answers.valid(kept, revision)
