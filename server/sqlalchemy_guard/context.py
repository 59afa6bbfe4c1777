"""What rules see of the world while they look at one file: its text and facts, types across files, ways to say what is wrong.

The checker makes one `Context` for each file that it checks. This module must never know a rule, nor decide what is
checked when.
"""

from __future__ import annotations

import ast
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy_guard.config import severity_of
from sqlalchemy_guard.facts.values import UNKNOWN, Attr, Ref
from sqlalchemy_guard.fixes.file_source import source_of
from sqlalchemy_guard.fixes.imports import Placed
from sqlalchemy_guard.project.file_roles import is_test_file
from sqlalchemy_guard.project.reads import Spot
from sqlalchemy_guard.project.statements import Statements
from sqlalchemy_guard.project.target import VERSIONS
from sqlalchemy_guard.project.types import ClassType
from sqlalchemy_guard.rules.api import Applicability, Related, Rule, Severity, Span, Violation
from sqlalchemy_guard.syntax.parents import parents_in
from sqlalchemy_guard.text.columns import from_utf8
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy_guard.config import Settings
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.query import ModelInfo
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.fixes.source import Located, Source
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
    from sqlalchemy_guard.project.reads import Step
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.target import Targets
    from sqlalchemy_guard.project.types import Type
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk


class Services(Protocol):
    """What the checker keeps for all files and lends to the contexts that it makes."""

    workspace: Workspace
    targets: Targets

    def query_knowledge(self, chunk: Chunk, file: File) -> QueryKnowledge:
        """What the nodes of a chunk mean inside a query."""


class DocumentContext:
    """What a rule may ask for while it looks at a document of any kind.

    Attributes:
        file_id: The document.
        workspace: All files.
        resolver: Types of values.
        settings: The settings in force for the document.
    """

    def __init__(self, services: Services, file_id: str, settings: Settings) -> None:
        self._services = services
        self.file_id = file_id
        self.workspace: Workspace = services.workspace
        self.resolver: Resolver = services.workspace.resolver
        self.settings = settings

    def severity(self, rule: Rule) -> Severity:
        """How bad the settings say it is."""
        configured = severity_of(self.settings, rule)
        return Severity(configured) if configured is not None else rule.severity


class PlainContext(DocumentContext):
    """What a rule may ask for while it looks at one document that is not Python.

    Attributes:
        document: The document.
    """

    def __init__(self, services: Services, file_id: str, settings: Settings, document: Document) -> None:
        super().__init__(services, file_id, settings)
        self.document = document

    def violation(
        self,
        rule: Rule,
        start: int,
        end: int,
        message: str,
        *,
        first: int | None = None,
        applicability: Applicability | None = None,
        related: tuple[Related, ...] = (),
        subject: Any = None,
    ) -> Violation:
        """A violation at a place of this document.

        Args:
            rule: The rule that was broken.
            start: Offset of the place.
            end: Offset behind it; what follows the place's line is not pointed at.
            message: What is wrong, why, and what to do.
            first: Offset of the statement, on any line of which a suppression comment may stand; `start` when not given.
            applicability: Of the fix that can be made, None when there is none.
            related: Other places.
            subject: What the fix needs.
        """
        line, column = self.document.position(start)
        end_line, end_column = self.document.position(max(start, end))
        lines = (self.document.position(start if first is None else min(first, start))[0], end_line + 1)
        if end_line > line:
            text = self.document.lines[line]
            end_line, end_column = line, max(column, len(text.rstrip()))
        span = Span(line, column, end_line, end_column)
        return Violation(rule, message, span, lines, self.severity(rule), applicability, related, subject)

    def place(self, file_id: str, start: int, end: int, message: str) -> Related | None:
        """Another place that explains a violation; None when the file cannot be read (any more)."""
        document = self.workspace.documents.get(file_id)
        if document is None:
            text = self.workspace.text_of(file_id)
            if text is None:
                return None
            document = self.workspace.documents[file_id] = Document.from_text(file_id, text)
        return Related(file_id, Span(*document.position(start), *document.position(end)), message)


class Context(DocumentContext):
    """What a rule may ask for while it looks at one file of Python.

    Attributes:
        file: The file.
    """

    def __init__(self, services: Services, file: File, settings: Settings) -> None:
        super().__init__(services, file.file_id, settings)
        self.file = file

    @cached_property
    def source(self) -> Source:
        """The text, for fixes."""
        return source_of(self.workspace, self.file)

    @property
    def target_version(self) -> str | None:
        """The SQLAlchemy version that the code must run on: configured, or as the project's requirements say."""
        self.resolver.keys.add(VERSIONS)
        return self._target_version

    @property
    def has_scalars(self) -> bool:
        """Whether the code may use `session.scalars(select(Class))`: no project on SQLAlchemy 1.3 may."""
        self.resolver.keys.add(VERSIONS)
        return self._has_scalars

    # Asked of the disk once for each check of a file.

    @cached_property
    def _target_version(self) -> str | None:
        return self.settings.target_version or self._services.targets.of(self.file.file_id)

    @cached_property
    def _has_scalars(self) -> bool:
        return self.settings.target_version is not None or self._services.targets.has_scalars(
            self.file.file_id
        )

    def module_statements(self) -> list[Placed]:
        """The statements of the module's own level, for imports."""
        return [Placed(node, chunk.shift) for chunk in self.file.syntax.chunks for node in chunk.body]

    def blank_lines_around(self, chunk: Chunk, statement: ast.stmt) -> tuple[Edit, ...]:
        """What a statement lacks of the blank lines that a class wants before and behind it: two, or one in a block."""
        source, lines = self.source, self.file.document.lines
        first = source.first_line(statement, chunk.shift)
        while first and lines[first - 1].lstrip().startswith("#"):
            first -= 1
        margin = source.margin(source.offset(first))
        wanted = 1 if margin else 2
        edits = []
        before = _blank_run(lines, first - 1, -1)
        above = lines[first - before - 1] if first - before > 0 else margin
        opens_block = not above.startswith(margin)
        if before < wanted and first - before > 0 and not opens_block:
            at = source.offset(first)
            edits.append(Edit(at, at, source.newline * (wanted - before)))
        last = (statement.end_lineno or statement.lineno) + chunk.shift
        after = _blank_run(lines, last, 1)
        behind = lines[last + after] if last + after < len(lines) else ""
        if after < wanted and behind.strip() and behind.startswith(margin):
            at = source.offset(last)
            edits.append(Edit(at, at, source.newline * (wanted - after)))
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
            elif chunk.children and chunk.body and chunk.body[0] is statement:
                # Of a definition that was cut only the header is sure to stand where it says.
                inner = next((child for child in chunk.children if child.body), None)
                if inner is not None:
                    last_line = max(last_line, inner.body[0].lineno - 1 + inner.shift)
            else:
                last_line = max(last_line, (statement.end_lineno or statement.lineno) + chunk.shift)
        return Violation(
            rule,
            message,
            span,
            (first, last_line),
            self.severity(rule),
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
        return Related(file.file_id, span, message, chunk, chunk.shift)

    def explained(self, steps: Iterable[Step]) -> tuple[Related, ...]:
        """The places that explain a read."""
        return tuple(
            Related(step.path, step.span, step.message) if isinstance(step, Spot) else self.related(*step)
            for step in steps
        )

    def mapping_place(self, model: ModelInfo, name: str) -> Related | None:
        """Where an attribute of a mapped class is declared; None where no class body declares it."""
        file_id, _, qualname = model.identity.rpartition(":")
        member = self.resolver.member(ClassType((file_id, qualname)), name)
        if member is None or member.attribute is None:
            return None
        attribute = member.attribute
        return self.related(
            member.file, attribute.chunk, attribute.node, f"`{model.name}.{name}` is mapped here"
        )

    def class_place(self, ref: tuple[str, str], message: str) -> Related | None:
        """Where a class, of this file or another one, is defined; None when it is not there any more."""
        file = self.workspace.file(ref[0])
        facts = file.facts.class_(ref[1]) if file is not None else None
        if file is None or facts is None:
            return None
        return self.related(
            file, facts.chunk, self.name_of(facts.chunk, facts.header, file.document.lines), message
        )

    def name_of(
        self,
        chunk: Chunk,
        header: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
        lines: list[str] | None = None,
    ) -> Located:
        """The name in a definition's header, which is where a violation of the whole definition points.

        Args:
            chunk: The chunk of the definition.
            header: The definition.
            lines: Those of its file when it is not this one.
        """
        line = (self.file.document.lines if lines is None else lines)[header.lineno - 1 + chunk.shift]
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
        return parents_in(chunk).get(node)

    @cached_property
    def statements(self) -> Statements:
        """How statements are built."""
        return Statements(self.resolver, self.workspace.mappings)

    def query_knowledge(self, chunk: Chunk) -> QueryKnowledge:
        """What the nodes of a chunk mean inside a query."""
        return self._services.query_knowledge(chunk, self.file)

    def is_test(self) -> bool:
        """Whether the file belongs to tests: by its own name or by a folder called `tests` or `test`."""
        return self._is_test

    @cached_property
    def _is_test(self) -> bool:
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
