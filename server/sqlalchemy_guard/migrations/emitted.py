"""The SQL that the operations of a revision emit, as Alembic's own offline mode writes it. This module must never connect."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError

from sqlalchemy_guard.migrations.replay import follow
from sqlalchemy_guard.sql.natives import LIBRARY_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.migrations.history import Environment
    from sqlalchemy_guard.migrations.revision import Revision
    from sqlalchemy_guard.project.workspace import Workspace


def emitted(
    workspace: Workspace,
    environment: Environment,
    revision: Revision,
    direction: str,
    dialect: str,
    poll: Callable[[], None],
) -> dict[int, list[str]]:
    """The SQL by line (0-based) of the operation's call; a sentence in its place where the database cannot do it.

    Args:
        workspace: All files.
        environment: The revision's environment.
        revision: The revision.
        direction: `upgrade` or `downgrade`.
        dialect: One of `replay.DIALECTS`.
        poll: Raises to end it.

    Raises:
        Whatever `poll` raises.
    """
    applied: list[tuple[int, str, list[Any], dict[str, Any], str | None]] = []
    real = follow(
        workspace, environment, dialect, revision, direction, lambda *each: applied.append(each), poll
    )
    found: dict[int, list[str]] = {}
    for line, name, args, given, batch in applied:
        found.setdefault(line, []).append(_sql(real, name, args, given, batch))
    return found


def _sql(dialect: Any, name: str, args: list[Any], given: dict[str, Any], batch: str | None) -> str:
    buffer = io.StringIO()
    options = {"as_sql": True, "output_buffer": buffer, "literal_binds": True}
    operations = Operations(MigrationContext.configure(dialect=dialect, opts=options))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if batch is None:
                getattr(operations, name)(*args, **given)
            else:
                with operations.batch_alter_table(batch, recreate="never") as together:
                    getattr(together, name)(*args, **given)
    except (CommandError, NotImplementedError, *LIBRARY_ERRORS) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return f"-- {dialect.name} cannot do this: {reason}"
    return "\n".join(line.rstrip() for line in buffer.getvalue().strip().splitlines() if line.strip())
