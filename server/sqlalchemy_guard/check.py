"""The checker: hands facts to the rules that subscribed to them, and keeps what is still true.

A unit of a file is checked again when it was evaluated anew, when something that its last check read means something else,
or when the settings changed. A rule that raises is switched off for that file, noted, and the others go on.
This module must never know a rule by its name.
"""

from __future__ import annotations

import ast
import logging
import os
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.config import ConfigProblem, locate, parse_document, rule_selected, severity_of
from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts, ItemSet
from sqlalchemy_guard.facts.values import UNKNOWN, Attr, Ref
from sqlalchemy_guard.fixes.imports import Placed
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.notes import Notes, UnitReport, order
from sqlalchemy_guard.project.bodies import ImportFact, imports_of
from sqlalchemy_guard.project.calls import LibraryCall, LoopCall, resolve_call
from sqlalchemy_guard.project.columns import Column, columns_of
from sqlalchemy_guard.project.flask_options import EngineOptions, options_of
from sqlalchemy_guard.project.mapping import Mappings
from sqlalchemy_guard.project.model import Model, model_of
from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
from sqlalchemy_guard.project.query_scope import QueryScope
from sqlalchemy_guard.project.query_sources import QueryAttribute, query_attributes
from sqlalchemy_guard.project.target import Targets
from sqlalchemy_guard.project.types import FunctionType
from sqlalchemy_guard.rules.api import Applicability, Check, Fix, Related, Rule, Severity, Span, Violation
from sqlalchemy_guard.rules.meta import ConfigFact, UnusedSuppression
from sqlalchemy_guard.text.columns import from_utf8
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy_guard.config import Settings
    from sqlalchemy_guard.facts.units import Contribution, Unit
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.fixes.source import Located
    from sqlalchemy_guard.project.resolve import Key, Resolver, SourceFile
    from sqlalchemy_guard.project.types import Type
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk
    from sqlalchemy_guard.syntax.suppressions import Suppression
    from sqlalchemy_guard.syntax.syntax import Problem

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class FileReport:
    """What is wrong in one file.

    Attributes:
        file_id: The file.
        version: The document's version, None for a file on the disk.
        violations: In order of their place, suppressed ones left out.
        problems: What could not be parsed.
        skipped: Why the file was not analysed at all, or None.
        internal: Rules that failed on the file: code and what happened.
    """

    file_id: str
    version: int | None
    violations: list[Violation] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    skipped: str | None = None
    internal: list[str] = field(default_factory=list)


class Context:
    """What a rule may ask for while it looks at one file.

    Attributes:
        file: The file.
        workspace: All files.
        resolver: Types of values.
        settings: The settings in force for the file.
    """

    def __init__(self, checker: Checker, file: File, settings: Settings) -> None:
        self._checker = checker
        self.file = file
        self.workspace: Workspace = checker.workspace
        self.resolver: Resolver = checker.workspace.resolver
        self.settings = settings

    @cached_property
    def source(self) -> Source:
        """The text, for fixes."""
        return Source(self.file.document.text, self.settings.line_length, self.file.document.lines)

    @cached_property
    def target_version(self) -> str | None:
        """The SQLAlchemy version that the code must run on: configured, or as the project's requirements say."""
        return self.settings.target_version or self._checker.targets.of(self.file.file_id)

    def module_statements(self) -> list[Placed]:
        """The statements of the module's own level, for imports."""
        return [Placed(node, chunk.shift) for chunk in self.file.syntax.chunks for node in chunk.body]

    def blank_lines_around(self, chunk: Chunk, statement: ast.stmt) -> tuple[Edit, ...]:
        """What a top-level statement lacks of the two blank lines that a class wants before and behind it."""
        source, lines = self.source, self.file.document.lines
        first = source.first_line(statement, chunk.shift)
        while first and lines[first - 1].lstrip().startswith("#"):
            first -= 1
        edits = []
        before = _blank_run(lines, first - 1, -1)
        if before < 2 and first - before > 0:
            at = source.offset(first)
            edits.append(Edit(at, at, source.newline * (2 - before)))
        last = (statement.end_lineno or statement.lineno) + chunk.shift
        after = _blank_run(lines, last, 1)
        if after < 2 and last + after < len(lines) and lines[last + after].strip():
            at = source.offset(last)
            edits.append(Edit(at, at, source.newline * (2 - after)))
        return tuple(edits)

    def value_of(self, node: ast.expr) -> Value:
        """The symbolic value of a name or dotted name of the module."""
        if isinstance(node, ast.Attribute):
            return Attr(self.value_of(node.value), node.attr)
        return Ref("", node.id) if isinstance(node, ast.Name) else UNKNOWN

    def type_of(self, value: Value, file: SourceFile | None = None) -> Type:
        """The type of a value of this file (or of another one)."""
        return self.resolver.type_of(value, file or self.file)

    def span(self, chunk: Chunk, node: Located) -> Span:
        """Where a node stands."""
        lines = self.file.document.lines
        first, last = node.lineno - 1 + chunk.shift, (node.end_lineno or node.lineno) - 1 + chunk.shift
        end = node.col_offset if node.end_col_offset is None else node.end_col_offset
        return Span(first, from_utf8(lines[first], node.col_offset), last, from_utf8(lines[last], end))

    def violation(
        self,
        rule: Rule,
        chunk: Chunk,
        node: Located,
        message: str,
        *,
        statement: ast.stmt | None = None,
        applicability: Applicability | None = None,
        related: tuple[Related, ...] = (),
        subject: Any = None,
        end: Located | None = None,
    ) -> Violation:
        """A violation at a node of this file.

        Args:
            rule: The rule that was broken.
            chunk: The chunk that the node belongs to.
            node: Where to point.
            message: What is wrong, why, and what to do.
            statement: The statement that a suppression comment may stand on; the node's own lines when not given.
            applicability: Of the fix that can be made, None when there is none.
            related: Other places.
            subject: What the fix needs.
            end: Where to stop pointing, when the node itself says more than is wrong.
        """
        span = self.span(chunk, node)
        if end is not None:
            last = self.span(chunk, end)
            span = Span(span.line, span.column, last.end_line, last.end_column)
        first, last_line = span.line, span.end_line + 1
        if statement is not None:
            first = min(first, statement.lineno - 1 + chunk.shift)
            body = getattr(statement, "body", None)
            if isinstance(body, list) and body and not isinstance(statement, ast.Expr):
                last_line = max(last_line, body[0].lineno - 1 + chunk.shift)
            else:
                last_line = max(last_line, (statement.end_lineno or statement.lineno) + chunk.shift)
        severity = self._checker.severity(self.settings, rule)
        return Violation(
            rule,
            message,
            span,
            (first, last_line),
            severity,
            applicability,
            related,
            subject,
            chunk,
            chunk.shift,
        )

    def at_call(
        self,
        rule: Rule,
        fact: CallFact,
        message: str,
        *,
        node: Located | None = None,
        applicability: Applicability | None = None,
        related: tuple[Related, ...] = (),
        subject: Any = None,
        end: Located | None = None,
    ) -> Violation:
        """A violation at a call (or at a node inside it)."""
        return self.violation(
            rule,
            fact.chunk,
            node or fact.node,
            message,
            statement=fact.statement,
            applicability=applicability,
            related=related,
            subject=subject if subject is not None else fact,
            end=end,
        )

    def related(self, file: SourceFile, chunk: Chunk, node: Located, message: str) -> Related:
        """Another place that explains a violation."""
        lines = self.workspace.documents[file.file_id].lines
        first, last = node.lineno - 1 + chunk.shift, (node.end_lineno or node.lineno) - 1 + chunk.shift
        end = node.col_offset if node.end_col_offset is None else node.end_col_offset
        span = Span(first, from_utf8(lines[first], node.col_offset), last, from_utf8(lines[last], end))
        return Related(file.file_id, span, message)

    def name_of(self, chunk: Chunk, header: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Located:
        """The name in a definition's header, which is where a violation of the whole definition points."""
        line = self.file.document.lines[header.lineno - 1 + chunk.shift]
        column = line.find(header.name, from_utf8(line, header.col_offset) + 1)
        if column < 0:
            return header
        start = len(line[:column].encode("utf-8", "surrogatepass"))
        return ast.Name(
            header.name,
            lineno=header.lineno,
            col_offset=start,
            end_lineno=header.lineno,
            end_col_offset=start + len(header.name.encode("utf-8", "surrogatepass")),
        )

    def parent(self, chunk: Chunk, node: ast.AST) -> ast.AST | None:
        """The node that directly contains a node of a chunk."""
        return self._checker.parents(chunk).get(node)

    def query_knowledge(self, chunk: Chunk) -> QueryKnowledge:
        """What the nodes of a chunk mean inside a query."""
        return self._checker.query_knowledge(chunk, self.file)

    def is_test(self) -> bool:
        """Whether the file belongs to tests: by its own name or by a folder called `tests` or `test`."""
        return is_test_file(self.file.file_id)

    def is_migration(self) -> bool:
        """Whether the file is an Alembic environment or a revision."""
        names, file_id = self.file.facts.names, self.file.file_id
        read = ("target_metadata", "config", "context", "down_revision", "revision")
        self.resolver.keys.update((file_id, name) for name in read)
        if os.path.basename(self.file.file_id) == "env.py":
            return "target_metadata" in names or "config" in names or "context" in names
        return "down_revision" in names and "revision" in names


def _blank_run(lines: list[str], start: int, step: int) -> int:
    """How many blank lines stand from a line on, in one direction."""
    count = 0
    while 0 <= start + count * step < len(lines) and not lines[start + count * step].strip():
        count += 1
    return count


def is_test_file(file_id: str) -> bool:
    """Whether a file belongs to tests."""
    parts = file_id.replace("\\", "/").split("/")
    name = parts[-1]
    if (
        name.startswith("test_")
        or name.endswith(("_test.py", "_tests.py"))
        or name in ("conftest.py", "tests.py")
    ):
        return True
    return any(part in ("tests", "test", "testing") for part in parts[-6:-1])


class _Subscriptions:
    """The checks that a file's settings select, by what they subscribe to."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.by_fact: dict[type, list[tuple[Rule, Check]]] = {}
        self.by_call: dict[str, list[tuple[Rule, Check]]] = {}
        for rule in rules:
            for fact, check in rule.checks:
                self.by_fact.setdefault(fact, []).append((rule, check))
            for name, check in rule.call_checks:
                self.by_call.setdefault(name, []).append((rule, check))
        self.last_names = frozenset(name.rpartition(".")[2].removesuffix("()") for name in self.by_call)


class Checker:
    """Checks the files of a workspace.

    Args:
        workspace: The files.
        rules: The rules by code; the registry's when not given.

    Attributes:
        poll: Called between small pieces of work. What it raises ends the check or the fix that was asked for and
            reaches the caller; what was found until then is kept, so that the next time begins where this one ended.
    """

    def __init__(self, workspace: Workspace, rules: Mapping[str, Rule] | None = None) -> None:
        if rules is None:
            from sqlalchemy_guard.rules import registry

            rules = registry.rules()
        self.workspace = workspace
        self.rules = rules
        self.targets = Targets(workspace.vfs, workspace.folders)
        self.poll: Callable[[], None] = lambda: None
        self._subscriptions: dict[tuple[str, ...], _Subscriptions] = {}
        self._selected: dict[str, tuple[Settings, _Subscriptions]] = {}
        self._failed: dict[tuple[str, str], str] = {}
        self._notes: dict[str, Notes] = {}
        self._parents: tuple[Chunk | None, dict[ast.AST, ast.AST]] = (None, {})
        self.mappings = Mappings(workspace.resolver, workspace)
        self._query_knowledge: tuple[set[tuple[str, str]], QueryKnowledge] | None = None

    # -- front ends ------------------------------------------------------------------------------------------------

    def check(self, file_id: str) -> FileReport:
        """What is wrong in a file. Cheap when nothing changed; raises nothing but what `poll` raises."""
        if self.workspace.settings.is_config_path(file_id):
            return self._check_configuration(file_id)
        file = self.workspace.file(file_id)
        if file is None:
            return FileReport(file_id, None, skipped=self.workspace.skipped.get(file_id, "cannot be read"))
        settings, subscriptions = self._subscriptions_for(file_id)
        context = Context(self, file, settings)
        found = self._found(context, subscriptions)
        violations = self._suppressed(found, context, subscriptions)
        internal = [why for (failed_id, _), why in self._failed.items() if failed_id == file_id]
        return FileReport(
            file_id, file.document.version, violations, list(file.syntax.problems), None, internal
        )

    def fix(self, report: FileReport, violation: Violation) -> Fix | None:
        """The fix of a violation of the file's newest report, computed now; None when there is none (any more)."""
        self.poll()
        if self.workspace.settings.is_config_path(report.file_id):
            return self._fix_configuration(report, violation)
        file = self.workspace.file(report.file_id)
        if file is None or violation.applicability is None:
            return None
        context = Context(self, file, self.workspace.settings_for(report.file_id))
        try:
            return violation.rule.make_fix(context, violation)
        except Exception as error:
            self._note_failure(report.file_id, violation.rule, error)
            return None

    def settings_changed(self) -> None:
        """Settings files were edited: select the rules anew."""
        self._selected.clear()

    def _found(self, context: Context, subscriptions: _Subscriptions) -> list[Violation]:
        """All violations of a file in order of their place; looks only at what may say something else than last time."""
        file, resolver = context.file, context.resolver
        facts = file.facts
        notes = self._notes.get(file.file_id)
        fresh: Iterable[Contribution] | None = None
        if notes is not None and notes.facts is facts and notes.settings is context.settings:
            fresh = facts.since(notes.generation)
            changed = resolver.changed_since(notes.revision)
            if fresh is not None and changed is not None:
                fresh = notes.affected(fresh, changed)
            else:
                fresh = None
        if notes is None or fresh is None:
            # Known from the end of the loop on: until then they do not speak of the whole file.
            notes = Notes(facts, context.settings)
            fresh = facts.contributions()
        generation, revision = facts.generation, resolver.revision
        for contribution in fresh:
            self.poll()
            violations: list[Violation] = []
            keys: set[Key] = set()
            for unit in contribution.units:
                report = self._unit(unit, context, subscriptions)
                violations.extend(report.violations)
                keys |= report.keys
            notes.put(contribution, violations, keys)
        # What was loaded meanwhile may have changed what was read before: the next check looks at it again.
        notes.generation, notes.revision = generation, revision
        self._notes[file.file_id] = notes
        return notes.violations()

    # -- units -----------------------------------------------------------------------------------------------------

    def _subscriptions_for(self, file_id: str) -> tuple[Settings, _Subscriptions]:
        settings = self.workspace.settings_for(file_id)
        kept = self._selected.get(file_id)
        if kept is not None and kept[0] is settings:
            return kept
        codes = tuple(code for code, rule in self.rules.items() if rule_selected(settings, rule, file_id))
        subscriptions = self._subscriptions.get(codes)
        if subscriptions is None:
            subscriptions = self._subscriptions[codes] = _Subscriptions(self.rules[code] for code in codes)
        self._selected[file_id] = (settings, subscriptions)
        return settings, subscriptions

    def _unit(self, unit: Unit, context: Context, subscriptions: _Subscriptions) -> UnitReport:
        resolver = context.resolver
        kept = unit.report
        if type(kept) is UnitReport and kept.settings is context.settings:
            if kept.revision == resolver.revision or resolver.valid(kept.keys, kept.revision):
                kept.revision = resolver.revision
                return kept
        keys, revision = resolver.collect(), resolver.revision
        violations: list[Violation] = []
        try:
            self._run(unit, context, subscriptions, violations)
        except Exception as error:
            # An error of ours in the analysis of this unit must not cost the user the rest of the file.
            log.exception("a part of %s could not be analysed", context.file.file_id, exc_info=error)
            self._failed[context.file.file_id, f"line {unit.chunk.start + 1}"] = (
                f"the code from line {unit.chunk.start + 1} on could not be analysed: {type(error).__name__}: {error}"
            )
        report = unit.report = UnitReport(violations, frozenset(keys), revision, context.settings)
        return report

    def _run(
        self, unit: Unit, context: Context, subscriptions: _Subscriptions, found: list[Violation]
    ) -> None:
        by_fact = subscriptions.by_fact
        loops = LoopCall in by_fact
        proven_only = context.settings.inference == "proven"
        for fact in unit.calls:
            func = fact.value.func
            wanted = type(func) is Ref or (type(func) is Attr and func.name in subscriptions.last_names)
            in_loop = loops and next(fact.loops(), None) is not None
            if not wanted and not in_loop and type(func) is Attr:
                continue
            resolved = resolve_call(context.resolver, fact, context.file)
            if isinstance(resolved, LibraryCall):
                if resolved.likely and proven_only:
                    continue
                self._dispatch(subscriptions.by_call.get(resolved.name), resolved, context, found)
            elif isinstance(resolved, FunctionType) and in_loop:
                self._dispatch(by_fact.get(LoopCall), LoopCall(fact, resolved), context, found)
        for kind, facts in ((FunctionFacts, unit.functions), (ItemSet, unit.item_sets)):
            for declared in facts if kind in by_fact else ():
                self._dispatch(by_fact[kind], declared, context, found)
        if EngineOptions in by_fact:
            for options in options_of(unit):
                self._dispatch(by_fact[EngineOptions], options, context, found)
        if ImportFact in by_fact and unit.kind == "leaf":
            for imported in imports_of(unit.chunk):
                self._dispatch(by_fact[ImportFact], imported, context, found)
        if QueryAttribute in by_fact:
            for attribute in query_attributes(unit, context.file.document.lines):
                self._dispatch(by_fact[QueryAttribute], attribute, context, found)
        if Column in by_fact:
            for class_ in unit.classes:
                for column in columns_of(context.resolver, class_, context.file):
                    self._dispatch(by_fact[Column], column, context, found)
        if Model in by_fact:
            for class_ in unit.classes:
                model = model_of(context.resolver, class_, context.file)
                if model is not None:
                    self._dispatch(by_fact[Model], model, context, found)

    def _dispatch(
        self,
        checks: list[tuple[Rule, Check]] | None,
        fact: object,
        context: Context,
        found: list[Violation],
    ) -> None:
        for rule, check in checks or ():
            file_id = context.file.file_id
            if (file_id, rule.code) in self._failed:
                continue
            try:
                found.extend(check(context, fact))
            except Exception as error:
                self._note_failure(file_id, rule, error)

    def _note_failure(self, file_id: str, rule: Rule, error: Exception) -> None:
        """A rule failed: an error of ours, which must not cost the user the other rules."""
        log.exception("%s failed on %s and is switched off for this file", rule.code, file_id, exc_info=error)
        self._failed[file_id, rule.code] = f"{rule.code} failed: {type(error).__name__}: {error}"

    # -- suppression -----------------------------------------------------------------------------------------------

    def _suppressed(
        self, found: list[Violation], context: Context, subscriptions: _Subscriptions
    ) -> list[Violation]:
        suppressions = context.file.syntax.suppressions
        comments = list(suppressions.all())
        whole = suppressions.of_file()
        if not comments and not whole:
            return list(found)
        by_line: dict[int, list[int]] = {}
        for index, comment in enumerate(comments):
            by_line.setdefault(comment.span.line, []).append(index)
        used: dict[int, set[str]] = {}
        kept: list[Violation] = []
        for violation in found:
            code = violation.rule.code
            silent = any(comment.covers(code) for comment in whole)
            for line in range(*violation.lines) if by_line else ():
                for index in by_line.get(line, ()):
                    if comments[index].covers(code):
                        used.setdefault(index, set()).add(code)
                        silent = True
            if not silent:
                kept.append(violation)
        unused = subscriptions.by_fact.get(UnusedSuppression)
        late: list[Violation] = []
        for index, comment in enumerate(comments if unused else ()):
            fact = self._unused(comment, used.get(index, set()))
            if fact is not None:
                self._dispatch(unused, fact, context, late)
        return sorted([*kept, *late], key=order) if late else kept

    def _unused(self, comment: Suppression, used: set[str]) -> UnusedSuppression | None:
        """A bare `# noqa` serves other linters too and is never ours to judge; codes of other linters neither."""
        if comment.codes is None:
            return None
        ours = sorted(code for code in comment.codes if code.startswith("SAG"))
        unknown = tuple(code for code in ours if code not in self.rules)
        idle = tuple(code for code in ours if code not in used and code in self.rules)
        return UnusedSuppression(comment, idle, unknown) if idle or unknown else None

    # -- configuration files ---------------------------------------------------------------------------------------

    def _check_configuration(self, file_id: str) -> FileReport:
        document = self.workspace.documents.get(file_id)
        if document is None:
            read = self.workspace.vfs.read_text(file_id)
            if read is None:
                return FileReport(file_id, None, skipped="cannot be read")
            document = self.workspace.documents[file_id] = Document.from_text(file_id, read)
        text = document.text
        report = FileReport(file_id, document.version)
        try:
            parsed = parse_document(tomllib.loads(text), file_id, root=os.path.dirname(file_id))
        except (tomllib.TOMLDecodeError, RecursionError):
            # A half-typed TOML file is the TOML plug-in's to report; the settings of before stay in force.
            return report
        if parsed is None:
            return report
        settings, problems = parsed
        for rule in self.rules.values():
            if not any(fact is ConfigFact for fact, _ in rule.checks):
                continue
            if not rule_selected(self.workspace.settings_for(file_id), rule, file_id):
                continue
            for problem in self._config_problems(settings, problems):
                for fact, check in rule.checks:
                    if fact is ConfigFact:
                        report.violations.extend(check(self, ConfigFact(problem, text)))  # type: ignore[arg-type]
        report.violations.sort(key=lambda violation: violation.span)
        return report

    def _config_problems(self, settings: Settings, problems: list[ConfigProblem]) -> list[ConfigProblem]:
        from sqlalchemy_guard.config import selector_problems

        return [*problems, *selector_problems(settings, list(self.rules.values()))]

    def _fix_configuration(self, report: FileReport, violation: Violation) -> Fix | None:
        return violation.rule.make_fix(self, violation)  # type: ignore[arg-type]

    # -- helpers ---------------------------------------------------------------------------------------------------

    def severity(self, settings: Settings, rule: Rule) -> Severity:
        """How bad the settings say it is."""
        configured = severity_of(settings, rule)
        return Severity(configured) if configured is not None else rule.severity

    def parents(self, chunk: Chunk) -> dict[ast.AST, ast.AST]:
        """For each node of a chunk the node that contains it; kept for the chunk asked for last."""
        if self._parents[0] is not chunk:
            parents: dict[ast.AST, ast.AST] = {}
            todo: list[ast.AST] = list(chunk.body)
            while todo:
                node = todo.pop()
                for child in ast.iter_child_nodes(node):
                    parents[child] = node
                    todo.append(child)
            self._parents = (chunk, parents)
        return self._parents[1]

    def query_knowledge(self, chunk: Chunk, file: File) -> QueryKnowledge:
        """What the nodes of a chunk mean inside a query; kept while the unit that the chunk belongs to is checked."""
        kept, keys = self._query_knowledge, self.workspace.resolver.keys
        if kept is not None and kept[0] is keys and chunk in kept[1].scope.chunks:
            return kept[1]
        scope = QueryScope(chunk)
        values = {node: value for each in scope.chunks for node, value in file.facts.values_in(each).items()}
        made = QueryKnowledge(self.workspace, self.mappings, file, scope, values)
        made.sessions.has_helpers = self.targets.of(file.file_id) != "1.4"
        self._query_knowledge = (keys, made)
        return made


__all__ = [
    "Checker",
    "ConfigFact",
    "Context",
    "FileReport",
    "UnusedSuppression",
    "is_test_file",
    "locate",
]
