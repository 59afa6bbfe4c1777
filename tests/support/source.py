"""What the tests of fixes ask of a Python text: its comments, its line ends, its unused imports.

Written against `tokenize` and `ast` alone and on purpose not with the shipped code, which is what is under test.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter

_SUPPRESSION = re.compile(r"#\s*(?:noqa|sqlalchemy-guard)\b.*|#\s*type:(?!\s*ignore)[^#]*", re.IGNORECASE)
_NEWLINE = re.compile(r"\r\n|\r|\n")


def comments(text: str) -> Counter[str]:
    """The comments with their counts. Suppressions and declared types are no prose: what stands in front of one counts."""
    found: Counter[str] = Counter()
    # tokenize reads lines as io gives them; a lone \r would otherwise hide a comment's end.
    readline = io.StringIO(_NEWLINE.sub("\n", text)).readline
    for token in tokenize.generate_tokens(readline):
        if token.type == tokenize.COMMENT and (prose := _SUPPRESSION.sub("", token.string).strip("# \t")):
            found[prose] += 1
    return found


def newlines(text: str) -> set[str]:
    """The kinds of line ends in a text."""
    return set(_NEWLINE.findall(text))


def unused_imports(text: str) -> set[str]:
    """The names that are imported anywhere in a text and never used in it, by a rough rule that errs towards "used". What is
    imported for its effect says so: `# noqa: F401`."""
    tree, lines = ast.parse(text), text.splitlines()
    bound: set[str] = set()
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and lines[node.lineno - 1].endswith("# noqa: F401"):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # A string may be an annotation or an entry of `__all__`.
            used.update(re.findall(r"\w+", node.value))
    return bound - used - {"*", "annotations"}
