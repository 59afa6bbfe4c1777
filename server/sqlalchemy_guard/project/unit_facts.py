"""The kinds of facts that rules may subscribe to, and how each is found in a unit of a file: one line a kind.

A producer is called only where a selected rule subscribed to its kind. What it looks up goes through the resolver, so that
its facts are looked for again when what they rest on changes. This module must never check anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.declarations import FunctionFacts, ItemSet
from sqlalchemy_guard.project.bodies import ImportFact, imports_of
from sqlalchemy_guard.project.columns import BareColumn, Column, bare_columns_of, columns_of
from sqlalchemy_guard.project.credentials import DatabaseUrl, urls_of
from sqlalchemy_guard.project.criteria import NoneCriterion, PythonCriterion, none_criteria, python_criteria
from sqlalchemy_guard.project.declared_attributes import DeclaredAttribute, declared_attributes
from sqlalchemy_guard.project.flask_options import EngineOptions, options_of
from sqlalchemy_guard.project.foreign_keys import ForeignKey, foreign_keys
from sqlalchemy_guard.project.model import Model, model_of
from sqlalchemy_guard.project.outside_reads import outside_reads
from sqlalchemy_guard.project.query_call import QueryCall, query_calls
from sqlalchemy_guard.project.query_sources import QueryAttribute, query_attributes
from sqlalchemy_guard.project.reads import LazyRead, lazy_reads
from sqlalchemy_guard.project.relationships import Relationship, relationships_of
from sqlalchemy_guard.project.revision_names import RevisionName, revision_names
from sqlalchemy_guard.project.revision_steps import Directions, Operation, both_directions, operations
from sqlalchemy_guard.project.row_keys import RowKey, row_keys
from sqlalchemy_guard.project.target_metadata import TargetMetadata, target_metadata
from sqlalchemy_guard.project.timestamps import Gap, IdleTimestamp, gaps, idle_timestamps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sqlalchemy_guard.facts.units import Unit
    from sqlalchemy_guard.project.workspace import File, Workspace

    Producer = Callable[[Unit, File, Workspace], Iterable[object]]


def _functions(unit: Unit, _file: File, _workspace: Workspace) -> list[FunctionFacts]:
    return unit.functions


def _item_sets(unit: Unit, _file: File, _workspace: Workspace) -> list[ItemSet]:
    return unit.item_sets


def _engine_options(unit: Unit, _file: File, _workspace: Workspace) -> Iterator[EngineOptions]:
    return options_of(unit)


def _imports(unit: Unit, _file: File, _workspace: Workspace) -> Iterator[ImportFact]:
    return imports_of(unit.chunk) if unit.kind == "leaf" else iter(())


def _query_attributes(unit: Unit, file: File, _workspace: Workspace) -> Iterator[QueryAttribute]:
    return query_attributes(unit, file.document.lines)


def _python_criteria(unit: Unit, _file: File, _workspace: Workspace) -> Iterator[PythonCriterion]:
    return python_criteria(unit)


def _none_criteria(unit: Unit, _file: File, _workspace: Workspace) -> Iterator[NoneCriterion]:
    return none_criteria(unit)


def _query_calls(unit: Unit, _file: File, _workspace: Workspace) -> Iterator[QueryCall]:
    return query_calls(unit)


def _row_keys(unit: Unit, file: File, workspace: Workspace) -> Iterator[RowKey]:
    return row_keys(unit, file, workspace.resolver)


def _columns(unit: Unit, file: File, workspace: Workspace) -> Iterator[Column]:
    for class_ in unit.classes:
        yield from columns_of(workspace.resolver, class_, file)


def _bare_columns(unit: Unit, file: File, workspace: Workspace) -> Iterator[BareColumn]:
    for class_ in unit.classes:
        yield from bare_columns_of(workspace.resolver, class_, file)


def _relationships(unit: Unit, file: File, workspace: Workspace) -> Iterator[Relationship]:
    for class_ in unit.classes:
        yield from relationships_of(workspace.resolver, class_, file)


def _models(unit: Unit, file: File, workspace: Workspace) -> Iterator[Model]:
    for class_ in unit.classes:
        model = model_of(workspace.resolver, class_, file)
        if model is not None:
            yield model


def _urls(unit: Unit, file: File, _workspace: Workspace) -> Iterator[DatabaseUrl]:
    return urls_of(unit, file.document.lines)


def _lazy_reads(unit: Unit, file: File, workspace: Workspace) -> Iterator[LazyRead]:
    yield from lazy_reads(unit, file, workspace)
    yield from outside_reads(unit, file, workspace)


PRODUCERS: Mapping[type, Producer] = {
    FunctionFacts: _functions,
    ItemSet: _item_sets,
    EngineOptions: _engine_options,
    ImportFact: _imports,
    QueryAttribute: _query_attributes,
    RowKey: _row_keys,
    QueryCall: _query_calls,
    PythonCriterion: _python_criteria,
    NoneCriterion: _none_criteria,
    Column: _columns,
    BareColumn: _bare_columns,
    DeclaredAttribute: declared_attributes,
    Model: _models,
    DatabaseUrl: _urls,
    ForeignKey: foreign_keys,
    Gap: gaps,
    IdleTimestamp: idle_timestamps,
    Relationship: _relationships,
    LazyRead: _lazy_reads,
    RevisionName: revision_names,
    Operation: operations,
    Directions: both_directions,
    TargetMetadata: target_metadata,
}
