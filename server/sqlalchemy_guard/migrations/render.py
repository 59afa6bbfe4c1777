"""The revision that would put a history in step, as text: what `alembic revision --autogenerate -m` would write, reviewed.

The project's own template, names of files, time zone and prefixes are used. Beyond what Alembic writes: renames are renames, a
NOT NULL column comes with a default for the rows that are there, indexes are built concurrently where the project does that, and
what cannot be taken back says so. This module must never write a file.
"""

from __future__ import annotations

import ast
import contextlib
import datetime
import io
import os
import re
import tokenize
import uuid
import warnings
from typing import TYPE_CHECKING, Any

import sqlalchemy
from alembic.autogenerate.api import render_python_code
from alembic.autogenerate.render import _repr_type
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext

from sqlalchemy_guard.fixes.layout import expression as laid_out
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.migrations import reviewed
from sqlalchemy_guard.migrations.template import NotUnderstood, fill, written
from sqlalchemy_guard.project.target import Targets
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.sql.natives import LIBRARY_ERRORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.migrations.difference import Difference
    from sqlalchemy_guard.migrations.drift import Drift
    from sqlalchemy_guard.project.workspace import Workspace

_ALTERING = (
    ops.AlterColumnOp,
    ops.CreateForeignKeyOp,
    ops.CreateUniqueConstraintOp,
    ops.CreateCheckConstraintOp,
    ops.CreatePrimaryKeyOp,
    ops.DropConstraintOp,
)
_DEFAULT_FILE = "%(rev)s_%(slug)s"
_DEFAULT_SLUG = 40
_TEMPLATE = '''\
"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
'''
"""For projects whose own template is not there or not understood."""


class RenderError(Exception):
    """No revision can be written; the message says why."""


class Rendered(NamedTuple):
    """A revision that is still to be written.

    Attributes:
        path: Where it belongs.
        text: Its text.
        id: Its revision id.
        notes: What somebody should know who reads it, in sentences.
    """

    path: str
    text: str
    id: str
    notes: tuple[str, ...]


def render(
    workspace: Workspace,
    drift: Drift,
    message: str,
    differences: Sequence[Difference] | None = None,
    *,
    now: datetime.datetime | None = None,
    revision: str | None = None,
) -> Rendered:
    """The revision for some differences.

    Args:
        workspace: All files.
        drift: What differs.
        message: What the revision is about.
        differences: Which of them; all when not given.
        now: The time of its creation, the present one when not given.
        revision: Its id, a random one when not given.

    Raises:
        RenderError: there is nothing to write, or nowhere to put it.
    """
    environment, comparison = drift.environment, drift.comparison
    if comparison is None:
        raise RenderError(drift.problem)
    wanted = comparison.differences if differences is None else list(differences)
    if not wanted:
        raise RenderError("the migrations are in step with the models")
    heads = environment.graph.heads
    if len(heads) != 1:
        raise RenderError("the history has several heads: merge them first (`alembic merge heads`)")
    review = reviewed.review(workspace, drift, wanted)
    context = MigrationContext.configure(
        dialect=comparison.side.dialect, opts={"target_metadata": comparison.side.target}
    )
    imports: set[str] = set()
    is_old = _target(workspace, heads[0].file_id) == "1.4"
    upgrades = _code(review.upgrade, context, drift, imports, is_old)
    if review.has_unnamed:
        upgrades = [_with_convention(statement) for statement in upgrades]
    downgrades = _code(review.downgrade, context, drift, imports, is_old)
    id_ = revision or uuid.uuid4().hex[-12:]
    created = now or _now(environment.options.get("timezone"))
    values = {
        "message": message,
        "up_revision": id_,
        "down_revision": heads[0].id,
        "branch_labels": None,
        "depends_on": None,
        "create_date": str(created),
        "imports": "\n".join(sorted(imports)),
        "upgrades": _body(upgrades, review.upgrade_notes),
        "downgrades": _body(downgrades, review.downgrade_notes),
    }
    notes = list(review.notes)
    template = _template(workspace, environment.scripts.folder)
    try:
        text = fill(template or _TEMPLATE, values)
        ast.parse(text)
    except (NotUnderstood, SyntaxError, ValueError) as error:
        reason = str(error) if isinstance(error, NotUnderstood) else "it does not give Python"
        notes.append(f"script.py.mako was not used: {reason}")
        text = fill(_TEMPLATE, values)
    folder = os.path.dirname(heads[0].file_id)
    name = _file_name(environment.options, id_, message, created)
    return Rendered(
        os.path.join(folder, *name.split("/")),
        _tidied(text, workspace.settings_for(heads[0].file_id).line_length),
        id_,
        tuple(notes),
    )


def _target(workspace: Workspace, file_id: str) -> str | None:
    """For which SQLAlchemy a file is written, as far as that is known."""
    targets = Targets(workspace.vfs, workspace.folders, workspace.resolver)
    return workspace.settings_for(file_id).target_version or targets.of(file_id)


# -- where it goes -------------------------------------------------------------------------------------------------------


def _now(zone: str | None) -> datetime.datetime:
    if zone:
        import zoneinfo

        for name in (zone, zone.upper(), zone.title()):
            # A zone that this machine does not know is the local time, as far as a comment goes.
            with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
                found = datetime.datetime.now(datetime.UTC).astimezone(zoneinfo.ZoneInfo(name))
                return found.replace(microsecond=0)
    return datetime.datetime.now()  # Alembic writes the local time without a zone


def _template(workspace: Workspace, folder: str) -> str | None:
    return workspace.text_of(os.path.join(folder, "script.py.mako"))


def _file_name(options: Any, id_: str, message: str, created: datetime.datetime) -> str:
    """The name of the file, as `file_template` says."""
    try:
        most = int(options.get("truncate_slug_length", _DEFAULT_SLUG))
    except ValueError:
        most = _DEFAULT_SLUG
    slug = "_".join(re.findall(r"\w+", message)).lower()
    if len(slug) > most:
        slug = slug[:most].rsplit("_", 1)[0] + "_"
    values = {
        "rev": id_,
        "slug": slug,
        "epoch": int(created.timestamp()),
        **{part: getattr(created, part) for part in ("year", "month", "day", "hour", "minute", "second")},
    }
    pattern = options.get("file_template", _DEFAULT_FILE)
    try:
        name = str(pattern % values)
    except (TypeError, ValueError, KeyError):
        name = _DEFAULT_FILE % values
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/".join(parts).rstrip(".") + ".py"


# -- code ----------------------------------------------------------------------------------------------------------------


def _code(
    operations: Sequence[Any], context: MigrationContext, drift: Drift, imports: set[str], is_old: bool
) -> list[str]:
    """Statements of Python for operations; `is_old`: for SQLAlchemy 1.4."""
    as_batch = drift.configured.options.get("render_as_batch") is True or (
        # SQLite alters no tables: there the option is no matter of taste.
        "sqlite" in drift.dialects and any(isinstance(one, _ALTERING) for one in operations)
    )
    prefix = drift.configured.options.get("user_module_prefix")
    container = ops.UpgradeOps(list(_grouped(operations)))

    def render_item(kind: str, item: Any, autogenerate: Any) -> Any:
        if kind != "type":
            return False
        found = _own_type(item, drift, prefix)
        if isinstance(found, str):
            return found
        if is_old and isinstance(found or item, sqlalchemy.UUID) and context.dialect.name == "postgresql":
            # SQLAlchemy 1.4 knows this one as PostgreSQL's alone.
            return "postgresql.UUID()"
        return False if found is None else _repr_type(found, autogenerate)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = render_python_code(
                container,
                render_as_batch=as_batch,
                imports=(),
                render_item=render_item,
                migration_context=context,
                user_module_prefix=prefix if isinstance(prefix, str) else None,
            )
    except (*LIBRARY_ERRORS, NotImplementedError) as error:
        raise RenderError(f"Alembic could not write it: {error}") from error
    for name in ("postgresql", "mysql", "sqlite", "mssql", "oracle"):
        if re.search(rf"\b{name}\.\w", text):
            imports.add(f"from sqlalchemy.dialects import {name}")
    return _statements(text)


def _grouped(operations: Sequence[Any]) -> list[Any]:
    """Operations of one table in a row are one block, so that batch mode has one `with`."""
    found: list[Any] = []
    for operation in operations:
        key = reviewed.table_of(operation)
        if key is None:
            found.append(operation)
        elif (
            found
            and isinstance(found[-1], ops.ModifyTableOps)
            and (found[-1].schema, found[-1].table_name) == key
            and not _needs_own_block(found[-1], operation)
        ):
            found[-1].ops.append(operation)
        else:
            found.append(ops.ModifyTableOps(key[1], [operation], schema=key[0]))
    return found


def _with_convention(statement: str) -> str:
    """A batch that drops a constraint gets to know what those without a name are called."""
    if "drop_constraint(" not in statement or not statement.startswith("with op.batch_alter_table("):
        return statement
    pairs = ", ".join(f"{written(key)}: {written(value)}" for key, value in reviewed.CONVENTION.items())
    return statement.replace(", schema=None)", f", schema=None, naming_convention={{{pairs}}})", 1)


def _needs_own_block(block: ops.ModifyTableOps, operation: Any) -> bool:
    """A default that filled in rows is only gone after they were filled in: batch mode does all of a block at once."""
    return (
        isinstance(operation, ops.AlterColumnOp)
        and operation.modify_server_default is None
        and any(
            isinstance(one, ops.AddColumnOp) and one.column.name == operation.column_name for one in block.ops
        )
    )


def _own_type(type_: Any, drift: Drift, prefix: Any) -> Any:
    """How a type is written: as text, as another type, or None for as Alembic writes it.

    A type of the user's is the type that is behind it in the database: a revision must not change with the application.
    """
    is_own = isinstance(type_, sqlalchemy.types.TypeDecorator) and not type(type_).__module__.startswith(
        "sqlalchemy."
    )
    if not is_own:
        public = _public(type_)
        return None if public is type_ else public
    if isinstance(prefix, str):
        return f"{prefix}{type(type_).__name__}()"
    assert drift.comparison is not None
    inner = type_.dialect_impl(drift.comparison.side.dialect)
    plain = inner.impl_instance if isinstance(inner, sqlalchemy.types.TypeDecorator) else inner
    generic = type_.impl_instance
    is_portable = type(generic).__module__ == "sqlalchemy.sql.sqltypes" and _is_same(generic, plain, drift)
    return _public(generic if is_portable else plain)


def _is_same(one: Any, other: Any, drift: Drift) -> bool:
    """Whether two types are one for the database."""
    assert drift.comparison is not None
    compiler = drift.comparison.side.dialect.type_compiler_instance
    try:
        return bool(compiler.process(one) == compiler.process(other))
    except LIBRARY_ERRORS:
        return False


def _public(type_: Any) -> Any:
    """A type as the nearest one that SQLAlchemy exports: dialects and drivers have their own beneath."""
    for cls in type(type_).__mro__:
        parts = cls.__module__.split(".")
        home = sqlalchemy
        if parts[:2] == ["sqlalchemy", "dialects"]:
            home = getattr(sqlalchemy.dialects, parts[2], sqlalchemy)
        elif parts[0] != "sqlalchemy":
            return type_
        if getattr(home, cls.__name__, None) is cls:
            return type_ if cls is type(type_) else type_.adapt(cls)
    return type_


def _statements(text: str) -> list[str]:
    """The statements of Alembic's text, without its marker comments, as Black writes strings."""
    lines = [line for line in text.splitlines() if "### " not in line]
    source = "\n".join(lines)
    module = ast.parse(re.sub(r"(?m)^    ", "", source))
    if all(isinstance(one, ast.Pass) for one in module.body):
        return []
    return [_outside_of_transactions(_quoted(ast.unparse(one))) for one in module.body]


def _outside_of_transactions(statement: str) -> str:
    """PostgreSQL builds an index concurrently only outside of a transaction."""
    if "postgresql_concurrently=True" not in statement or not statement.startswith("op."):
        return statement
    inner = "".join(f"\n    {line}" for line in statement.splitlines())
    return f"with op.get_context().autocommit_block():{inner}"


def _quoted(text: str) -> str:
    """Strings in double quotes, where that needs no escape."""
    found = [
        (token.start, token.end, written(ast.literal_eval(token.string)))
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.STRING and token.string.startswith("'") and '"' not in token.string
    ]
    lines = text.splitlines()
    for start, end, new in reversed(found):
        if start[0] == end[0]:
            line = lines[start[0] - 1]
            lines[start[0] - 1] = line[: start[1]] + new + line[end[1] :]
    return "\n".join(lines)


def _body(statements: Sequence[str], notes: Sequence[str]) -> str:
    """Statements in a function, the first line without indentation, as templates want them."""
    text = "".join(f"    # {note}\n" for note in notes)
    text += "".join(f"    {line}\n" for statement in statements for line in statement.splitlines())
    if not statements:
        text += "    pass\n" if notes else ""
    return text.strip()


def _tidied(text: str, limit: int) -> str:
    """The text with its long statements laid out, and without blank lines that an empty value left."""
    text = re.sub(r"[ \t]+(?=\n)", "", text)
    text = re.sub(r"\n{4,}", "\n\n\n", text)
    text = re.sub(r"((?:^|\n)(?:import|from)[^\n]*\n)\n\n\n?(?=[a-z_]+(?::[^\n=]*)? = )", r"\1\n", text)
    if not text.endswith("\n"):
        text += "\n"
    text = re.sub(r'(?s)\A("""(?:(?!""").)*"""\n)(?=\S)', r"\1\n", text)
    # From the last to the first: what is laid out moves only what stands behind it.
    source = Source(text, limit)
    for target in reversed(_long_calls(text, limit)):
        start, end = source.start(target, 0), source.end(target, 0)
        text = text[:start] + laid_out(text[start:end], source, start) + text[end:]
    return text


def _long_calls(text: str, limit: int) -> list[ast.expr]:
    """Calls that stand alone in functions on lines that are too long, in the order of the lines."""
    lines = text.splitlines()
    found = [
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and node.col_offset
        and node.lineno == node.end_lineno
        and len(lines[node.lineno - 1]) > limit
    ]
    return sorted(found, key=lambda node: node.lineno)
