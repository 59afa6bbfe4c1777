"""What a file may answer, told without evaluating it, contains all that its facts answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from sqlalchemy_guard.config import SettingsStore
from sqlalchemy_guard.facts.lookups import BOUND, CLASS, STORED, possible_answers
from sqlalchemy_guard.project.workspace import Workspace
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.vfs import Vfs

SERVER = Path(__file__).parents[2] / "server" / "sqlalchemy_guard"
SNIPPETS = [
    "def start(app, x):\n    app.db = x()\n    app.a, (app.b, *app.c) = x\n    with x as app.d:\n        app.e: int = x\n",
    "def start(app, x):\n    for app.i in x:\n        app.n += x\n    return [1 for app.j in x]\n",
    "class A:\n    def f(self, x):\n        self.own = x\n        def g():\n            self.inner = x\n",
    "class A:\n    @classmethod\n    def f(cls, x):\n        self = cls()\n        self.rebound = x\n        class B: pass\n",
    "self.module = f()\ntry:\n    x.y = f()\nexcept E as self:\n    x.z = f()\nelse:\n    x.w = f()\nfinally:\n    x.v = f()\n",
    "match x:\n    case 1:\n        a.b = f()\nwhile x:\n    a.c = f()\nelse:\n    a.d = f()\n",
    "from sqlalchemy.orm import DeclarativeMeta\n",
]


@pytest.mark.parametrize(
    "text", [*SNIPPETS, *(p.read_text("utf-8") for p in sorted(SERVER.rglob("*.py"))[::9])]
)
def test_nothing_that_a_file_answers_is_left_out(text: str) -> None:
    vfs = Vfs()
    workspace = Workspace([], vfs, SettingsStore(vfs))
    workspace.open("untitled:a", Document.from_text("untitled:a", text))
    possible = possible_answers(text)
    assert possible is not None
    assert workspace.answers("untitled:a") <= possible


def test_own_attributes_are_left_out_and_classes_are_found() -> None:
    assert possible_answers(SNIPPETS[2]) == {(CLASS, "A")}
    assert (STORED, "rebound") in (possible_answers(SNIPPETS[3]) or ())
    assert possible_answers(SNIPPETS[6]) == {(BOUND, "DeclarativeMeta")}
    assert possible_answers("def broken(:\n") is None
