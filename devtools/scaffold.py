"""Makes the files of a new rule: the module with the form of its documentation, and its specification."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.rules import registry
from sqlalchemy_guard.rules.api import SECTIONS

if TYPE_CHECKING:
    from pathlib import Path

MODULE = '''"""One sentence that says what is wrong.

## What it does
Which use it finds, and which it leaves alone.

## Why is this bad?
What happens to somebody who writes it.

## Example
```python
```

## Use instead
```python
```

## Fix safety
When the fix is safe, when it is unsafe, when none is offered.

## References
- [SQLAlchemy](https://docs.sqlalchemy.org/en/20/)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.rules.api import Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.rules.api import Violation

rule = Rule("{code}", Severity.WARNING, fix_applicability=None)


@rule.on_call("sqlalchemy.the_function_or_class_or_method")
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Say what a violation is."""
    yield context.at_call(rule, call.fact, "What is wrong, why, and what to do")
'''

SPEC = """# {name}

## What is found

```py
```
"""


class ScaffoldError(Exception):
    """The new rule cannot be made; the message says why."""


def free_code(section: str) -> str:
    """The code after the last one of a section.

    Raises:
        ScaffoldError: the section is full.
    """
    digit = list(SECTIONS).index(section)
    last = max((int(code[3:]) for code in registry.rules() if code[3] == str(digit)), default=digit * 100)
    if last % 100 == 99:
        raise ScaffoldError(f"the section {section} has no free code after SAG{last:03}")
    return f"SAG{last + 1:03}"


def new_rule(root: Path, target: str, code: str | None = None) -> list[Path]:
    """Write the files of a new rule.

    Args:
        root: The repository.
        target: `section/rule-name`.
        code: The rule's code; the next free one of its section when None.

    Returns:
        The files that were made.

    Raises:
        ScaffoldError: the section does not exist, or the name or the code is taken or of another form.
    """
    section, _, name = target.partition("/")
    if section not in SECTIONS:
        raise ScaffoldError(f"no section {section!r}; the sections are {', '.join(SECTIONS)}")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise ScaffoldError(f"{name!r} is not in kebab case")
    if name in registry.by_name():
        raise ScaffoldError(f"{name} exists: {registry.by_name()[name].module}")
    code = code or free_code(section)
    if not re.fullmatch(rf"SAG{list(SECTIONS).index(section)}\d\d", code):
        raise ScaffoldError(
            f"codes of the section {section} are SAG{list(SECTIONS).index(section)} and two digits"
        )
    if code in registry.rules():
        raise ScaffoldError(f"{code} is taken by {registry.rules()[code].name}")
    files = {
        root / f"server/sqlalchemy_guard/rules/{section}/{name.replace('-', '_')}.py": MODULE.replace(
            "{code}", code
        ),
        root / f"tests/specs/{name}.md": SPEC.replace("{name}", name),
    }
    for path in files:
        if path.exists():
            raise ScaffoldError(f"{path.relative_to(root).as_posix()} exists")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return list(files)
