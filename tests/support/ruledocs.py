"""The documentation of a rule as data: the fences of its Example and its Use instead.

A fence is ` ```python ` (or ` ```toml ` for the configuration), and may open with a line `# path: models.py` that is
not part of the file; a fence of another language that opens so is a file as well.
` ```python no-fix ` says that this rule offers no fix for the example.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy_guard.rules.api import Rule

_FENCE = re.compile(r"^```(\w+)[ \t]*([\w-]*)[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"^# path: (\S+)\n")
_LANGUAGES = {"python": "example.py", "toml": "pyproject.toml"}
_PROSE = {"console", "diff", "ini", "sh", "sql", "text"}
"""Languages of fences that are there to be read."""


@dataclass(frozen=True, slots=True)
class Examples:
    """The executable part of a rule's documentation.

    Attributes:
        bad: The example's files, texts by path.
        good: The same project done right: the files of "Use instead" laid over those of the example. Nothing when it
            only shows what is no code, a command for example.
        shown: The paths that "Use instead" shows.
        fixed: Whether the fix turns `bad` into `good`; not when a fence is tagged `no-fix` or `good` is empty.
    """

    bad: dict[str, str]
    good: dict[str, str]
    shown: tuple[str, ...]
    fixed: bool


def examples(rule: Rule) -> Examples:
    """The executable part of a rule's documentation.

    Raises:
        ValueError: the example lacks its fence, or a fence is malformed; the message names the rule.
    """
    sections = rule.sections()
    bad, bad_tags = _files(rule, "Example", sections["Example"])
    good, good_tags = _files(rule, "Use instead", sections["Use instead"])
    if not bad:
        raise ValueError(f"{rule.module}: Example: no fence")
    if unknown := (bad_tags | good_tags) - {"", "no-fix"}:
        raise ValueError(f"{rule.module}: unknown tag of a fence: {', '.join(sorted(unknown))}")
    fixed = bool(good) and "no-fix" not in bad_tags | good_tags
    return Examples(bad, bad | good if good else {}, tuple(good), fixed)


def _files(rule: Rule, heading: str, body: str) -> tuple[dict[str, str], set[str]]:
    files: dict[str, str] = {}
    tags: set[str] = set()
    for language, tag, text in _FENCE.findall(body + "\n"):
        named = _PATH.match(text)
        if language in _PROSE and named is None:
            continue
        if language not in _LANGUAGES and named is None:
            raise ValueError(f"{rule.module}: {heading}: a fence is python or toml, not {language}")
        path = named[1] if named else _LANGUAGES[language]
        if path in files:
            raise ValueError(f"{rule.module}: {heading}: two fences for {path}; name one with `# path: ...`")
        files[path] = text[named.end() :] if named else text
        tags.add(tag)
    return files, tags
