"""The whole vocabulary of somebody who writes a rule: Rule, Violation, Fix, Applicability, Severity.

A rule module holds a docstring (its documentation, executed by a test), `rule = Rule(...)`, a check decorated with
`@rule.on(FactType)` and, where the rule has one, a fix decorated with `@rule.fix`. This module must never know a rule.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard import records
from sqlalchemy_guard.records import NamedTuple, dataclass, field
from sqlalchemy_guard.text.patterns import lazy_pattern
from sqlalchemy_guard.text.span import Span as Span  # noqa: TC001 (part of the vocabulary at run time)

if TYPE_CHECKING:
    from sqlalchemy_guard.context import DocumentContext
    from sqlalchemy_guard.syntax.chunk import Chunk
    from sqlalchemy_guard.text.edit import Edit


class Severity(Enum):
    """How bad it is; the words are those of the configuration file."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"
    HINT = "hint"


class Applicability(IntEnum):
    """How far a fix may be trusted. SAFE: same SQL, same values, comments kept. UNSAFE: may change behaviour or schema,
    the title says how. DISPLAY: shown to be read, may not even parse."""

    DISPLAY = 1
    UNSAFE = 2
    SAFE = 3


class Related(NamedTuple):
    """Another place that explains a violation. Made by `Context.related`.

    Attributes:
        path: The file's id in the workspace (absolute path or URI).
        span: Where, at the time of the report that holds it.
        message: What is there.
        chunk: The chunk of that file that `span` moves with, None when nothing moves.
        shift: That chunk's `shift` when `span` was true.
    """

    path: str
    span: Span
    message: str
    chunk: Chunk | None = None
    shift: int = 0

    @property
    def is_current(self) -> bool:
        """Whether the text that it was found in is still there, at the same lines or others."""
        return self.chunk is None or self.chunk.is_alive


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that mend a violation.

    Attributes:
        title: What the fix does, in the imperative, as a code action shows it.
        applicability: How far it may be trusted.
        edits: For each file id the edits, offsets in code points of the text that was analysed.
        creates: The files among these that are not there yet; their edits insert into an empty text.
    """

    title: str
    applicability: Applicability
    edits: Mapping[str, tuple[Edit, ...]]
    creates: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Violation:
    """One broken guideline at one place of one file. Made by `Context.violation`.

    Attributes:
        rule: The rule that was broken.
        message: What is wrong, why, and what to do, in one sentence or two.
        span: Where, at the time of the report that holds it.
        lines: The lines `[first, end)` on which a suppression comment counts: those of the statement.
        severity: As configured.
        applicability: Of the fix that `Rule.make_fix` will give, None when there is none.
        related: Other places that explain it.
        subject: What the check hands to the fix; opaque to everybody else.
        chunk: The chunk that `span` and `lines` move with, None when nothing moves.
        shift: That chunk's `shift` when `span` was true.
    """

    rule: Rule
    message: str
    span: Span
    lines: tuple[int, int]
    severity: Severity
    applicability: Applicability | None = None
    related: tuple[Related, ...] = ()
    subject: Any = None
    chunk: Chunk | None = None
    shift: int = 0


class RuleError(Exception):
    """A rule module is not of the form that this page describes; the message names the file and what to mend."""


# Which context a rule gets follows from what it subscribed to: `Context` for Python, `DocumentContext` for the rest.
Check = Callable[[Any, Any], Iterable[Violation]]
MakeFix = Callable[[Any, Violation], "Fix | None"]

SECTIONS: Mapping[str, str] = {
    "tool": "The tool itself",
    "engine": "Engine and session setup",
    "models": "ORM models",
    "querying": "Querying",
    "transactions": "Transactions",
    "migrations": "Migrations",
}

_HEADING = lazy_pattern(r"^## (?P<title>.+?)\s*$", re.MULTILINE)


@dataclass(eq=False)
class Rule:
    """A rule: its metadata, what it subscribes to and, through its module's docstring, its documentation.

    Args:
        code: `SAG` and three digits.
        severity: The default severity.
        fix: The best applicability that a fix of this rule can have, None when no fix exists.
        default: Whether the rule is on without being selected.
        modern: Whether it asks for what code of SQLAlchemy 2 looks like: nothing for a team that stays with 1.4.
    """

    code: str
    severity: Severity
    fix_applicability: Applicability | None
    default: bool = True
    modern: bool = False
    module: str = field(init=False)
    checks: list[tuple[type, Check]] = field(init=False, default_factory=list)
    call_checks: list[tuple[str, Check]] = field(init=False, default_factory=list)
    _make_fix: MakeFix | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        # The frame of the constructor's caller, which is the module of the rule: beyond the constructor, and what made it.
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_globals.get("__name__") in (None, records.__name__):
            frame = frame.f_back
        self.module = frame.f_globals["__name__"]
        if not re.fullmatch(r"SAG\d{3}", self.code):
            raise RuleError(f"{self.module}: the code {self.code!r} is not SAG and three digits")

    @property
    def name(self) -> str:
        """The bad pattern in kebab case: the module's name."""
        return self.module.rpartition(".")[2].replace("_", "-")

    @property
    def section(self) -> str:
        """The folder the rule lives in: a key of `SECTIONS`."""
        return self.module.split(".")[-2]

    @cached_property
    def explanation(self) -> str:
        """The documentation in Markdown; a short sentence instead where docstrings are stripped (`python -OO`)."""
        doc = sys.modules[self.module].__doc__
        if doc:
            # Loaded by those who read, not by those who check.
            from inspect import cleandoc

            return cleandoc(doc)
        return f"{self.code} {self.name} (documentation was stripped)"

    @property
    def summary(self) -> str:
        """The documentation's first line."""
        return self.explanation.partition("\n")[0]

    def sections(self) -> dict[str, str]:
        """The documentation by its `##` headings."""
        parts = _HEADING.split(self.explanation)
        return {title: body.strip() for title, body in zip(parts[1::2], parts[2::2], strict=True)}

    @property
    def url(self) -> str:
        """Where the documentation is published."""
        return f"https://sqlalchemy-guard.readthedocs.io/rules/{self.name}"

    def on(self, *facts: type) -> Callable[[Check], Check]:
        """Subscribe a check to facts: it is called once for each fact of these types."""

        def register(check: Check) -> Check:
            self.checks.extend((fact, check) for fact in facts)
            return check

        return register

    def on_call(self, *names: str) -> Callable[[Check], Check]:
        """Subscribe a check to calls of library functions, classes and methods, by canonical name.

        The check receives a `project.calls.LibraryCall`: whatever the name, alias or file the call came through.
        """

        def register(check: Check) -> Check:
            self.call_checks.extend((name, check) for name in names)
            return check

        return register

    def fix(self, make: MakeFix) -> MakeFix:
        """Register the function that computes a violation's fix, called only when somebody wants the edits."""
        if self.fix_applicability is None:
            raise RuleError(f"{self.module}: declares no fix but registers one")
        self._make_fix = make
        return make

    def make_fix(self, context: DocumentContext, violation: Violation) -> Fix | None:
        """The fix of a violation of this rule, or None."""
        return self._make_fix(context, violation) if self._make_fix and violation.applicability else None

    @property
    def has_fix(self) -> bool:
        """Whether a fix is registered."""
        return self._make_fix is not None
