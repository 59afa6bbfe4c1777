"""Literate specifications: Markdown whose headings name tests and whose fences are the files of a small project.

- ` ```py ` is a Python file, called `example.py`, or what a line like `` `models.py`: `` before the fence says. Files
  without a name that follow in the same section are `example_2.py`, `example_3.py` and so on, of the same project.
- Fences of other languages (` ```yaml `, ` ```dockerfile `, ` ```ini `, ` ```sh `, ` ```make `, ` ```procfile `) are files when a
  line before them names one.
- ` ```toml ` is the configuration (`pyproject.toml` where it holds a `[tool.` table, else `sqlalchemy-guard.toml`). It
  holds for the section and the sections below it.
- ` ```html ` is a template, called what the line before the fence says; it is there to be read by the code.
- `# error: [rule-name]` or `# error: [rule-name] "part of the message"` says that the line has a violation; on a
  line of its own it speaks of the next line. Violations and assertions match one to one. These comments are taken out
  before the analysis, together with the blanks before them.
- ` ```py fixed ` (or another language) is that file after all safe fixes, ` ```py unsafe-fixed ` with unsafe ones too.

This module must never know which analysis is behind a specification: it is handed one, see `Analyse`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path


class SpecError(Exception):
    """The specification itself is malformed; the message names file and line."""


class Finding(NamedTuple):
    """A violation as a specification sees it.

    Attributes:
        rule: The rule's name.
        message: The whole message.
        line: 0-based.
    """

    rule: str
    message: str
    line: int


class Analysed(Protocol):
    """The result of the analysis of one small project."""

    def findings(self, path: str) -> Sequence[Finding]:
        """The violations of a file."""

    def fixed(self, *, unsafe: bool) -> Mapping[str, str]:
        """The texts of all files by path, after all fixes that are safe (or at least unsafe)."""


Analyse = Callable[[Mapping[str, str]], Analysed]
"""Analyses the files, texts by relative path, configuration among them."""


class Assertion(NamedTuple):
    """What one `# error:` comment claims. `line` is 0-based in the file, `at` 1-based in the specification."""

    rule: str
    message: str
    line: int
    at: int


@dataclass(frozen=True, slots=True)
class Source:
    """A file of a section: its text without assertions, and these."""

    path: str
    text: str
    assertions: tuple[Assertion, ...]
    lines: tuple[int, ...]
    """For each line of the text the 1-based line of the specification."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A fence with a file's text after the fixes; its content is the specification's lines `[start, end)`, 0-based."""

    path: str
    text: str
    unsafe: bool
    start: int
    end: int


@dataclass(slots=True)
class Section:
    """One test: a heading, the files below it, and what they must look like after the fixes."""

    title: str
    level: int
    at: int
    configuration: Source | None = None
    sources: list[Source] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    templates: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, str]:
        """The texts of the project by path."""
        every = [*([self.configuration] if self.configuration else []), *self.sources]
        return {source.path: source.text for source in every} | self.templates

    @property
    def is_test(self) -> bool:
        """A section that only holds configuration for those below it is none."""
        asserted = self.configuration is not None and bool(self.configuration.assertions)
        return bool(self.sources or self.expected or asserted)

    @property
    def checked(self) -> list[Source]:
        """The files whose violations are compared: the Python files, and the configuration with them."""
        return [*self.sources, *([self.configuration] if self.configuration else [])]


_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*$")
_FENCE = re.compile(r"^(`{3,})\s*([\w-]*)\s*(.*?)\s*$")
_PATH = re.compile(r"^`([^`\s]+?):?`:?\s*$")
_ASSERTION = re.compile(r'[ \t]*# error: \[(?P<rule>[a-z0-9-]+)\](?: "(?P<message>(?:[^"\\]|\\.)*)")?\s*$')
_PLAIN = ("yaml", "ini", "sh", "dockerfile", "make", "procfile", "groovy")
"""Languages of fences that are files when a line before them names one."""
_TAGS = {"": None, "fixed": False, "unsafe-fixed": True}


def parse(path: Path) -> list[Section]:
    """The tests of a specification, in order.

    Raises:
        SpecError: the specification is malformed or holds no test.
    """
    parser = _Parser(path.name)
    parser.feed(path.read_text(encoding="utf-8").split("\n"))
    sections = [section for section in parser.sections if section.is_test]
    if not sections:
        raise SpecError(f"{path.name}: no test: a heading followed by a py fence is one")
    titles = [section.title for section in sections]
    for section in sections:
        if titles.count(section.title) > 1:
            raise SpecError(f"{path.name}:{section.at}: two tests are called {section.title!r}")
    return sections


class _Parser:
    """Reads one specification. State: the section being read, its ancestors, and the path line just seen."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sections: list[Section] = []
        self._ancestors: list[Section] = []
        self._path: str | None = None
        self._unnamed = 0
        self._configured = False

    def feed(self, lines: list[str]) -> None:
        at = 0
        while at < len(lines):
            line = lines[at]
            if heading := _HEADING.match(line):
                self._open(len(heading[1]), heading[2], at)
            elif fence := _FENCE.match(line):
                end = at + 1
                while end < len(lines) and lines[end].rstrip() != fence[1]:
                    end += 1
                if end == len(lines):
                    raise self._error(at, "the fence is never closed")
                self._fence(fence[2], fence[3], lines[at + 1 : end], at + 1)
                self._path = None
                at = end
            elif named := _PATH.match(line):
                self._path = named[1]
            elif line.strip():
                self._path = None
            at += 1

    def _open(self, level: int, title: str, at: int) -> None:
        while self._ancestors and self._ancestors[-1].level >= level:
            self._ancestors.pop()
        parent = self._ancestors[-1] if self._ancestors else None
        # The title of the document would be the same words in front of every test.
        above = f"{parent.title} - " if parent and parent.level > 1 else ""
        section = Section(above + title, level, at + 1, parent.configuration if parent else None)
        if section.configuration:
            # What the parent asserts about its configuration is asserted once, there.
            section.configuration = _without_assertions(section.configuration)
        self._ancestors.append(section)
        self.sections.append(section)
        self._path, self._unnamed, self._configured = None, 0, False

    def _fence(self, language: str, tag: str, body: list[str], start: int) -> None:
        if language == "html" and self._ancestors and self._path is not None:
            # Read by what is checked, and not checked itself.
            self._ancestors[-1].templates[self._path] = _joined(body)
            self._path = None
            return
        if language not in ("py", "toml") and (language not in _PLAIN or (self._path is None and not tag)):
            return
        if not self._ancestors:
            raise self._error(start - 1, "a fence before the first heading belongs to no test")
        section = self._ancestors[-1]
        if tag not in _TAGS:
            raise self._error(start - 1, f"unknown tag {tag!r}: use fixed or unsafe-fixed")
        unsafe = _TAGS[tag]
        if unsafe is not None:
            path = self._path or self._above(section, language, start)
            if any(e.path == path and e.unsafe == unsafe for e in section.expected):
                raise self._error(start - 1, f"a second {tag} fence for {path}")
            section.expected.append(Expected(path, _joined(body), unsafe, start, start + len(body)))
            return
        source = self._source(language, body, start)
        if language == "toml":
            if self._configured:
                raise self._error(start - 1, "a second configuration in this section")
            section.configuration, self._configured = source, True
            return
        if source.path in section.files:
            raise self._error(start - 1, f"a second file called {source.path} in this section")
        section.sources.append(source)

    def _above(self, section: Section, language: str, start: int) -> str:
        above = section.sources[-1] if language != "toml" and section.sources else section.configuration
        if above is None or (language == "py") != above.path.endswith((".py", ".pyi", ".ipynb")):
            raise self._error(start - 1, "no fence above that these fixes could belong to")
        return above.path

    def _source(self, language: str, body: list[str], start: int) -> Source:
        path = self._path
        if path is None and language == "toml":
            table = any(line.startswith("[tool.") for line in body)
            path = "pyproject.toml" if table else "sqlalchemy-guard.toml"
        elif path is None:
            self._unnamed += 1
            path = "example.py" if self._unnamed == 1 else f"example_{self._unnamed}.py"
        texts: list[str] = []
        numbers: list[int] = []
        assertions: list[Assertion] = []
        for number, line in enumerate(body, start + 1):
            rest, claims = self._claims(line, number)
            assertions.extend(Assertion(rule, message, len(texts), number) for rule, message in claims)
            if rest.strip() or not claims:
                texts.append(rest)
                numbers.append(number)
        if assertions and assertions[-1].line >= len(texts):
            raise self._error(assertions[-1].at - 1, "the assertion stands above no line")
        return Source(path, _joined(texts), tuple(assertions), tuple(numbers))

    def _claims(self, line: str, number: int) -> tuple[str, list[tuple[str, str]]]:
        """The line without its assertions, and these as (rule, part of the message)."""
        claims: list[tuple[str, str]] = []
        rest = line
        while match := _ASSERTION.search(rest):
            claims.insert(0, (match["rule"], re.sub(r"\\(.)", r"\1", match["message"] or "")))
            rest = rest[: match.start()]
        if re.search(r"#\s*error\s*:", rest):
            raise self._error(
                number - 1, 'write `# error: [rule-name]` or `# error: [rule-name] "part of the message"`'
            )
        return rest, claims

    def _error(self, at: int, message: str) -> SpecError:
        return SpecError(f"{self.name}:{at + 1}: {message}")


def run(section: Section, analyse: Analyse, name: str) -> list[str]:
    """Run one test.

    Args:
        section: The test.
        analyse: The analysis.
        name: The specification's file name, for messages.

    Returns:
        What is wrong, one message for each thing; nothing when the test passes.
    """
    analysed = analyse(section.files)
    failures: list[str] = []
    for source in section.checked:
        failures.extend(_compare(source, list(analysed.findings(source.path)), name))
    for expected in section.expected:
        actual = analysed.fixed(unsafe=expected.unsafe).get(expected.path)
        if actual is None:
            failures.append(f"{name}:{expected.start}: there is no file {expected.path}")
        elif actual != expected.text:
            difference = unified_diff(
                expected.text.splitlines(),
                actual.splitlines(),
                "expected",
                "after the fixes",
                lineterm="",
                n=2,
            )
            failures.append(
                f"{name}:{expected.start}: {expected.path} is not this after the fixes "
                f"(pytest --bless rewrites the fence):\n" + "\n".join(f"    {line}" for line in difference)
            )
    return failures


def bless(path: Path, section: Section, analyse: Analyse) -> None:
    """Rewrite the section's fixed fences with what the fixes give today."""
    analysed = analyse(section.files)
    (current,) = [other for other in parse(path) if other.title == section.title]
    lines = path.read_text(encoding="utf-8").split("\n")
    for expected in reversed(current.expected):
        actual = analysed.fixed(unsafe=expected.unsafe)[expected.path]
        lines[expected.start : expected.end] = actual.removesuffix("\n").split("\n") if actual else []
    path.write_text("\n".join(lines), encoding="utf-8", newline="\n")


def _compare(source: Source, findings: list[Finding], name: str) -> list[str]:
    """Match assertions and violations one to one, line by line."""
    failures: list[str] = []
    lines = source.text.split("\n")
    for line in sorted({claim.line for claim in source.assertions} | {finding.line for finding in findings}):
        claims = [claim for claim in source.assertions if claim.line == line]
        here = [finding for finding in findings if finding.line == line]
        matched = _match(claims, here)
        for index, claim in enumerate(claims):
            if index not in matched:
                part = f' with "{claim.message}" in its message' if claim.message else ""
                failures.append(
                    f"{name}:{claim.at}: no violation of {claim.rule}{part} at: {lines[line].strip()}"
                )
        for index, finding in enumerate(here):
            if index not in matched.values():
                at = source.lines[line] if line < len(source.lines) else 0
                failures.append(
                    f"{name}:{at}: unexpected {finding.rule}: {finding.message}\n    at: {lines[line].strip()}"
                )
    return failures


def _match(claims: list[Assertion], findings: list[Finding]) -> dict[int, int]:
    """A largest one-to-one matching: indexes of claims to indexes of findings."""
    taken: dict[int, int] = {}

    def place(claim: int, seen: set[int]) -> bool:
        for index, finding in enumerate(findings):
            fits = finding.rule == claims[claim].rule and claims[claim].message in finding.message
            if not fits or index in seen:
                continue
            seen.add(index)
            if index not in taken or place(taken[index], seen):
                taken[index] = claim
                return True
        return False

    for claim in range(len(claims)):
        place(claim, set())
    return {claim: finding for finding, claim in taken.items()}


def _without_assertions(source: Source) -> Source:
    return Source(source.path, source.text, (), source.lines)


def _joined(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)
