"""The checker: hands facts to the rules that subscribed to them, and keeps what is still true.

A unit of a file is checked again when it was evaluated anew, when something that its last check read means something else,
or when the settings changed. A rule that raises is switched off for that file, noted, and the others go on.
This module must never know a rule by its name.
"""

from __future__ import annotations

import os
import tomllib
from functools import partial
from operator import is_not
from typing import TYPE_CHECKING

from sqlalchemy_guard.baseline import Baselines, fresh
from sqlalchemy_guard.config import ConfigProblem, parse_document, rule_selected
from sqlalchemy_guard.context import Context, DocumentContext, PlainContext
from sqlalchemy_guard.documents.kinds import checked_kind
from sqlalchemy_guard.facts.values import Attr, Ref
from sqlalchemy_guard.logs import Log
from sqlalchemy_guard.notes import Apart, Notes, Part, UnitReport, order
from sqlalchemy_guard.project.answers import NO_KEYS
from sqlalchemy_guard.project.bodies import whole
from sqlalchemy_guard.project.calls import LibraryCall, LoopCall, resolve_call
from sqlalchemy_guard.project.target import VERSIONS, Targets
from sqlalchemy_guard.project.types import FunctionType
from sqlalchemy_guard.project.unit_facts import PRODUCERS
from sqlalchemy_guard.records import dataclass, field
from sqlalchemy_guard.rules.meta import ConfigFact, UnusedSuppression
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.vfs import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sqlalchemy_guard.config import Settings
    from sqlalchemy_guard.document_check import DocumentChecker
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.units import Contribution, Unit
    from sqlalchemy_guard.project.answers import Key
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
    from sqlalchemy_guard.project.unit_facts import Producer
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.rules.api import Check, Fix, Rule, Violation
    from sqlalchemy_guard.syntax.chunk import Chunk
    from sqlalchemy_guard.syntax.suppressions import Suppression
    from sqlalchemy_guard.syntax.syntax import Problem

    _Judge = Callable[[list[Violation], list[Apart]], None]

log = Log(__name__)

_OURS = "SAG"
"""What the codes of our rules begin with."""


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
        put_off: Whether what a baseline knows is left out.

    Attributes:
        poll: Called between small pieces of work. What it raises ends the check or the fix that was asked for and
            reaches the caller; what was found until then is kept, so that the next time begins where this one ended.
    """

    def __init__(
        self, workspace: Workspace, rules: Mapping[str, Rule] | None = None, *, put_off: bool = True
    ) -> None:
        if rules is None:
            from sqlalchemy_guard.rules import registry

            rules = registry.rules()
        self.workspace = workspace
        self.rules = rules
        self.targets = Targets(workspace.vfs, workspace.folders, workspace.resolver)
        self._baselines = Baselines(workspace.vfs) if put_off else None
        self.poll: Callable[[], None] = lambda: None
        self._subscriptions: dict[tuple[str, ...], _Subscriptions] = {}
        self._selected: dict[str, tuple[Settings, _Subscriptions]] = {}
        self._failed: dict[tuple[str, str], str] = {}
        self._notes: dict[str, Notes] = {}
        # By file what suppressions left, and of what.
        self._silenced: dict[str, tuple[tuple[object, ...], list[Violation]]] = {}
        self._query_knowledge: tuple[set[tuple[str, str]], QueryKnowledge] | None = None
        self._plain: DocumentChecker | None = None

    # -- front ends ------------------------------------------------------------------------------------------------

    def check(self, file_id: str) -> FileReport:
        """What is wrong in a file. Cheap when nothing changed; raises nothing but what `poll` raises."""
        if self.workspace.settings.is_config_path(file_id):
            return self._check_configuration(file_id)
        if checked_kind(file_id) is not None:
            return self._check_document(file_id)
        file = self.workspace.file(file_id)
        if file is None:
            return FileReport(file_id, None, skipped=self.workspace.skipped.get(file_id, "cannot be read"))
        settings, subscriptions = self._subscriptions_for(file_id)
        context = Context(self, file, settings)
        found = self._found(context, subscriptions)
        violations = self._suppressed(found, context, subscriptions)
        known = self._baselines.known(settings, file_id) if self._baselines is not None else None
        if known:
            violations = fresh(violations, known, file.document.lines)
        internal = [why for (failed_id, _), why in self._failed.items() if failed_id == file_id]
        return FileReport(
            file_id, file.document.version, violations, list(file.syntax.problems), None, internal
        )

    def fix(self, report: FileReport, violation: Violation) -> Fix | None:
        """The fix of a violation of the file's newest report, computed now; None when there is none (any more)."""
        self.poll()
        if self.workspace.settings.is_config_path(report.file_id):
            return violation.rule.make_fix(self._document_context(report.file_id), violation)
        if violation.applicability is None:
            return None
        context: DocumentContext
        if checked_kind(report.file_id) is not None:
            document = self.workspace.documents.get(report.file_id)
            if document is None:
                return None
            settings = self.workspace.settings_for(report.file_id)
            context = PlainContext(self, report.file_id, settings, document)
        else:
            file = self.workspace.file(report.file_id)
            if file is None:
                return None
            context = Context(self, file, self.workspace.settings_for(report.file_id))
        try:
            return violation.rule.make_fix(context, violation)
        except Exception as error:
            self._note_failure(report.file_id, violation.rule, error)
            return None

    def forget(self, file_id: str) -> None:
        """Forget what was found in a file: the next check runs all rules on all of it."""
        self._notes.pop(file_id, None)
        self._silenced.pop(file_id, None)
        file = self.workspace.file(file_id) if checked_kind(file_id) is None else None
        for unit in file.facts.units() if file is not None else ():
            unit.report = None

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
            reports = [self._unit(unit, context, subscriptions) for unit in contribution.units]
            violations = [violation for report in reports for violation in report.violations()]
            keys = reports[0].keys if reports else NO_KEYS
            if len(reports) > 1:
                keys = resolver.shared(keys.union(*[report.keys for report in reports]))
            if any(report.apart for report in reports):
                keys |= {whole(file.file_id)}
            notes.put(contribution, violations, keys)
        # What was loaded meanwhile may have changed what was read before: the next check looks at it again.
        notes.generation, notes.revision = generation, revision
        self._notes[file.file_id] = notes
        return notes.violations(file.syntax.moves)

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
        known: list[Part] | None = None
        if type(kept) is UnitReport and kept.settings is context.settings:
            if kept.is_current():
                if kept.revision == resolver.revision:
                    return kept
                if resolver.valid(kept.keys, kept.revision):
                    if kept.apart and not resolver.valid(frozenset((whole(context.file_id),)), kept.revision):
                        kept = unit.report = self._once_more(kept, context)
                    kept.revision = resolver.revision
                    return kept
            known = kept.parts or []
        keys, revision = resolver.collect(), resolver.revision
        violations: list[Violation] = []
        apart: list[Apart] = []
        parts: list[Part] | None = None
        try:
            judges = self._judges(unit, context, subscriptions)
            if known is None:
                for judge in judges:
                    judge(violations, apart)
            else:
                parts = self._parts(judges, known, whole(context.file_id))
                violations = [violation for part in parts for violation in part.own]
                apart = [each for part in parts for each in part.apart]
        except Exception as error:
            # An error of ours in the analysis of this unit must not cost the user the rest of the file.
            log.exception("a part of %s could not be analysed", context.file.file_id, exc_info=error)
            self._failed[context.file.file_id, f"line {unit.chunk.start + 1}"] = (
                f"the code from line {unit.chunk.start + 1} on could not be analysed: {type(error).__name__}: {error}"
            )
        report = unit.report = UnitReport(
            violations, apart, resolver.shared(keys), revision, context.settings, parts
        )
        return report

    def _parts(self, judges: Iterable[_Judge], known: list[Part], all_of_it: Key) -> list[Part]:
        """What is said of a unit that is as it was, because something that it rests on is not: most of that, too, is as it was."""
        resolver = self.workspace.resolver
        parts: list[Part] = []
        for number, judge in enumerate(judges):
            part = known[number] if number < len(known) else None
            keys = part.keys | {all_of_it} if part is not None and part.apart else NO_KEYS
            if part is None or not resolver.valid(keys or part.keys, part.revision) or not part.is_current():
                outer, revision = resolver.keys, resolver.revision
                found: list[Violation] = []
                apart: list[Apart] = []
                read = resolver.collect()
                try:
                    judge(found, apart)
                finally:
                    resolver.keys = outer
                part = Part(found, apart, resolver.shared(read), revision)
            resolver.keys |= part.keys
            parts.append(part)
        return parts

    def _once_more(self, kept: UnitReport, context: Context) -> UnitReport:
        """The report of a unit that is as it was, in a file that is not."""
        resolver = context.resolver
        keys, revision = resolver.collect(), resolver.revision
        apart: list[Apart] = []
        for each in kept.apart:
            said: list[Violation] = []
            self._dispatch([(each.rule, each.check)], each.fact, context, said)
            apart.append(Apart(each.rule, each.check, each.fact, said))
        keys.discard(whole(context.file_id))
        return UnitReport(
            kept.own, apart, resolver.shared(kept.keys | keys), revision, kept.settings, kept.parts
        )

    def _judges(self, unit: Unit, context: Context, subscriptions: _Subscriptions) -> Iterator[_Judge]:
        """What is to be asked of a unit: always the same, in the same order, under the same settings."""
        by_fact = subscriptions.by_fact
        loops = LoopCall in by_fact
        for fact in unit.calls:
            func = fact.value.func
            wanted = type(func) is Ref or (type(func) is Attr and func.name in subscriptions.last_names)
            in_loop = loops and next(fact.loops(), None) is not None
            if wanted or in_loop or type(func) is not Attr:
                yield partial(self._judge_call, fact, in_loop, context, subscriptions)
        for kind, produce in PRODUCERS.items():
            checks = by_fact.get(kind)
            if checks:
                yield partial(self._judge_facts, produce, unit, checks, context)

    def _judge_call(
        self,
        fact: CallFact,
        in_loop: bool,
        context: Context,
        subscriptions: _Subscriptions,
        found: list[Violation],
        apart: list[Apart],
    ) -> None:
        resolved = resolve_call(context.resolver, fact, context.file)
        if isinstance(resolved, LibraryCall):
            if not resolved.likely or context.settings.inference != "proven":
                self._dispatch(subscriptions.by_call.get(resolved.name), resolved, context, found, apart)
        elif isinstance(resolved, FunctionType) and in_loop:
            self._dispatch(
                subscriptions.by_fact.get(LoopCall), LoopCall(fact, resolved), context, found, apart
            )

    def _judge_facts(
        self,
        produce: Producer,
        unit: Unit,
        checks: list[tuple[Rule, Check]],
        context: Context,
        found: list[Violation],
        apart: list[Apart],
    ) -> None:
        for made in produce(unit, context.file, self.workspace):
            self._dispatch(checks, made, context, found, apart)

    def _dispatch(
        self,
        checks: list[tuple[Rule, Check]] | None,
        fact: object,
        context: DocumentContext,
        found: list[Violation],
        apart: list[Apart] | None = None,
    ) -> None:
        """Run checks on a fact.

        Args:
            checks: The checks with their rules.
            fact: The fact.
            context: Where it comes from.
            found: Takes what they say.
            apart: Takes what they say and rests on the whole file, when given.
        """
        file_id, resolver = context.file_id, self.workspace.resolver
        all_of_it = whole(file_id)
        for rule, check in checks or ():
            if (file_id, rule.code) in self._failed:
                continue
            try:
                said = list(check(context, fact))
            except Exception as error:
                self._note_failure(file_id, rule, error)
                continue
            if apart is not None and all_of_it in resolver.keys:
                resolver.keys.discard(all_of_it)
                apart.append(Apart(rule, check, fact, said))
            else:
                found.extend(said)

    def _note_failure(self, file_id: str, rule: Rule, error: Exception) -> None:
        """A rule failed: an error of ours, which must not cost the user the other rules."""
        log.exception("%s failed on %s and is switched off for this file", rule.code, file_id, exc_info=error)
        self._failed[file_id, rule.code] = f"{rule.code} failed: {type(error).__name__}: {error}"

    # -- suppression -----------------------------------------------------------------------------------------------

    def _suppressed(
        self, found: list[Violation], context: Context, subscriptions: _Subscriptions
    ) -> list[Violation]:
        suppressions = context.file.syntax.suppressions
        comments, whole = suppressions.naming(_OURS), suppressions.of_file()
        if not comments and not whole:
            return found
        given = (found, comments, whole, subscriptions)
        kept = self._silenced.get(context.file_id)
        if kept is None or any(map(is_not, kept[0], given)):
            kept = (given, self._not_silenced(found, comments, whole, context, subscriptions))
            self._silenced[context.file_id] = kept
        return kept[1]

    def _not_silenced(
        self,
        found: list[Violation],
        comments: tuple[Suppression, ...],
        whole: tuple[Suppression, ...],
        context: Context,
        subscriptions: _Subscriptions,
    ) -> list[Violation]:
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
        ours = sorted(code for code in comment.codes if code.startswith(_OURS))
        unknown = tuple(code for code in ours if code not in self.rules)
        idle = tuple(code for code in ours if code not in used and code in self.rules)
        return UnusedSuppression(comment, idle, unknown) if idle or unknown else None

    # -- documents that are not Python -----------------------------------------------------------------------------

    def _check_document(self, file_id: str) -> FileReport:
        document = self.workspace.documents.get(file_id)
        if document is None:
            read = self.workspace.vfs.read(file_id)
            if isinstance(read, Skipped):
                return FileReport(file_id, None, skipped=read.reason)
            document = self.workspace.documents[file_id] = Document.from_text(file_id, read.text)
        if self._plain is None:
            from sqlalchemy_guard.document_check import DocumentChecker

            self._plain = DocumentChecker(self, self._dispatch)
        settings, subscriptions = self._subscriptions_for(file_id)
        report = FileReport(file_id, document.version)
        try:
            checked = self._plain.check(file_id, document, settings, subscriptions.by_fact)
        except Exception as error:
            # An error of ours must not cost the user the other files.
            log.exception("%s could not be analysed", file_id, exc_info=error)
            report.internal.append(f"the document could not be analysed: {type(error).__name__}: {error}")
            return report
        known = self._baselines.known(settings, file_id) if self._baselines is not None else None
        report.violations = fresh(checked.violations, known, document.lines) if known else checked.violations
        report.problems = checked.problems
        report.internal = [why for (failed_id, _), why in self._failed.items() if failed_id == file_id]
        return report

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
        subscriptions = self._subscriptions_for(file_id)[1].by_fact.get(ConfigFact, ())
        context = self._document_context(file_id)
        for problem in self._config_problems(settings, problems) if subscriptions else ():
            for _, check in subscriptions:
                report.violations.extend(check(context, ConfigFact(problem, text)))
        report.violations.sort(key=lambda violation: violation.span)
        return report

    def _config_problems(self, settings: Settings, problems: list[ConfigProblem]) -> list[ConfigProblem]:
        from sqlalchemy_guard.config import selector_problems

        found = [*problems, *selector_problems(settings, list(self.rules.values()))]
        unusable = self._baselines.problem(settings) if self._baselines is not None else None
        if unusable is not None:
            key = (*settings.prefix, "baseline")
            words = f"The baseline is not used: {unusable}; write it with `sqlalchemy-guard baseline`"
            found.append(ConfigProblem(settings.origins["baseline"], key, words, on_value=True))
        return found

    def _document_context(self, file_id: str) -> DocumentContext:
        return DocumentContext(self, file_id, self.workspace.settings_for(file_id))

    # -- helpers ---------------------------------------------------------------------------------------------------

    def query_knowledge(self, chunk: Chunk, file: File) -> QueryKnowledge:
        """What the nodes of a chunk mean inside a query; kept while the unit that the chunk belongs to is checked."""
        # Large, and only wanted where queries are.
        from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
        from sqlalchemy_guard.project.query_scope import QueryScope

        kept, keys = self._query_knowledge, self.workspace.resolver.keys
        if kept is not None and kept[0] is keys and chunk in kept[1].scope.chunks:
            return kept[1]
        scope = QueryScope(chunk)
        made = QueryKnowledge(self.workspace, self.workspace.mappings, file, scope)
        keys.add(VERSIONS)
        settings = self.workspace.settings_for(file.file_id)
        made.sessions.target = settings.target_version or self.targets.of(file.file_id)
        self._query_knowledge = (keys, made)
        return made
