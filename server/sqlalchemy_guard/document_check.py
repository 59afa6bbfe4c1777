"""The checker's part for documents that are not Python: facts to rules, comments that silence, what is kept between checks.

A document is checked again when its text, its settings or something that its facts rest on changed. This module must never
know a rule by its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.context import PlainContext
from sqlalchemy_guard.documents.facts import PlainDocument
from sqlalchemy_guard.documents.kinds import YAML_KINDS, checked_kind
from sqlalchemy_guard.documents.noqa import Silences
from sqlalchemy_guard.migrations.document_facts import PRODUCERS
from sqlalchemy_guard.notes import order
from sqlalchemy_guard.records import dataclass, field
from sqlalchemy_guard.syntax.syntax import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy_guard.config import Settings
    from sqlalchemy_guard.context import Services
    from sqlalchemy_guard.project.answers import Key
    from sqlalchemy_guard.rules.api import Check, Rule, Violation
    from sqlalchemy_guard.text.document import Document

    Dispatch = Callable[[list[tuple[Rule, Check]], object, PlainContext, list[Violation]], None]


@dataclass(slots=True, eq=False)
class Checked:
    """What was found in one version of a document.

    Attributes:
        violations: In order of their place, silenced ones left out.
        problems: Why it could not be read, at most one.
    """

    document: Document
    settings: Settings
    keys: frozenset[Key] = frozenset()
    revision: int = 0
    violations: list[Violation] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class DocumentChecker:
    """Checks documents that are not Python.

    Args:
        services: What contexts need of the checker.
        dispatch: Hands a fact to checks.
    """

    def __init__(self, services: Services, dispatch: Dispatch) -> None:
        self._services = services
        self._dispatch = dispatch
        self._kept: dict[str, Checked] = {}

    def check(
        self,
        file_id: str,
        document: Document,
        settings: Settings,
        by_fact: Mapping[type, list[tuple[Rule, Check]]],
    ) -> Checked:
        """What is wrong in a document. Cheap when nothing changed."""
        resolver = self._services.workspace.resolver
        kept = self._kept.get(file_id)
        if (
            kept is not None
            and kept.document is document
            and kept.settings is settings
            and resolver.valid(kept.keys, kept.revision)
        ):
            return kept
        checked = Checked(document, settings, revision=resolver.revision)
        keys = resolver.collect()
        self._find(file_id, checked, by_fact)
        checked.keys = resolver.shared(keys)
        self._kept[file_id] = checked
        return checked

    def _find(self, file_id: str, checked: Checked, by_fact: Mapping[type, list[tuple[Rule, Check]]]) -> None:
        kind = checked_kind(file_id)
        if kind is None:
            return
        context = PlainContext(self._services, file_id, checked.settings, checked.document)
        plain = PlainDocument(file_id, kind, checked.document)
        found: list[Violation] = []
        try:
            for fact_type, produce in PRODUCERS.items():
                checks = by_fact.get(fact_type)
                for fact in produce(plain, self._services.workspace) if checks else ():
                    self._dispatch(checks or [], fact, context, found)
        except ValueError as error:
            if kind not in YAML_KINDS:
                raise
            if "{%" in checked.document.text or "{{" in checked.document.text:
                # A template of something else, which is no YAML before it is filled in.
                return
            line, column = getattr(error, "line", 0), getattr(error, "column", 0)
            checked.problems.append(
                Problem(line, column, f"this is not valid YAML ({error}); it was not checked")
            )
        silences = Silences(kind, checked.document.lines)
        shown = [each for each in found if not silences.covers(each.rule.code, *each.lines)]
        checked.violations = sorted(shown, key=order)
