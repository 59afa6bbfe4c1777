"""Comments for other linters follow what they silence, and nothing else is touched."""

from __future__ import annotations

import pytest

from sqlalchemy_guard.fixes.silenced import settled
from sqlalchemy_guard.text.edit import apply_edits

BROKEN = "x = f(\n    a == True\n).b()"


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (
            "x = f(a == True)  # noqa: E712\n",
            BROKEN + "  # noqa: E712\n",
            BROKEN.replace("True", "True  # noqa: E712"),
        ),
        ("x = f(a == True)  # noqa\n", BROKEN + "  # noqa\n", BROKEN.replace("True", "True  # noqa")),
        (
            "x = f(a == True)  # why  # noqa: E712 - for SQL\n",
            BROKEN + "  # why  # noqa: E712 - for SQL\n",
            BROKEN.replace("True", "True  # noqa: E712 - for SQL") + "  # why",
        ),
        (
            "x = f(a == None)  # noqa: E711  # why\n",
            "x = f(a.is_(None))  # noqa: E711  # why\n",
            "x = f(a.is_(None))  # why",
        ),
        (
            "x = f(a == None)  # noqa: F401,E711,W1\n",
            "x = a.b  # noqa: F401,E711,W1\n",
            "x = a.b  # noqa: F401, W1",
        ),
        ("x = f(a == None)  # noqa\n", "x = f(a.is_(None))  # noqa\n", "x = f(a.is_(None))  # noqa"),
        # It says more than this: it stays as it is.
        (
            "x = f(a == True)  # noqa: E712, E501\n",
            BROKEN + "  # noqa: E712, E501\n",
            BROKEN + "  # noqa: E712, E501",
        ),
        # It silenced nothing before.
        ("x = f(\n    a == True\n)  # noqa: E712\n", BROKEN + "  # noqa: E712\n", BROKEN + "  # noqa: E712"),
        # No comment can stand at the end of the comparison's line.
        (
            "x = f(a == True, 'b')  # noqa: E712\n",
            'x = f(a == True, """\n""")  # noqa: E712\n',
            'x = f(a == True, """\n""")  # noqa: E712',
        ),
        # Another statement's comparison is its own affair; the header of a loop is apart from its body.
        (
            "for x in f(a == None):  # noqa: E711\n    g(b == None)\n",
            "for x in f(a.is_(None)):  # noqa: E711\n    g(b == None)\n",
            "for x in f(a.is_(None)):\n    g(b == None)",
        ),
        (
            "x = '# noqa: E711', a == None\n",
            "x = '# noqa: E711', a.is_(None)\n",
            "x = '# noqa: E711', a.is_(None)",
        ),
    ],
)
def test_comments_go_where_linters_read_them(before: str, after: str, wanted: str) -> None:
    assert apply_edits(after, settled(before, after)).rstrip("\n") == wanted


def test_texts_that_do_not_parse_are_left_alone() -> None:
    assert settled("x = (\n", "x = f(a == True)  # noqa: E712\n") == ()
    assert settled("x = 1\n", "x = (\n") == ()
