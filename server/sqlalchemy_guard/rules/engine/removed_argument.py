"""An argument that SQLAlchemy 2 no longer takes.

## What it does
Reports arguments of engines, sessions, factories, `MetaData`, `declarative_base()`, `text()` and string types that SQLAlchemy
2 rejects or has stopped to honour: `autocommit=True`, `convert_unicode`, `strategy`, `encoding`, `case_sensitive`,
`implicit_returning`, `bind` on metadata and others. `future=True` is reported where the project's requirements say that
it runs on 2.0 or later. Projects for 1.4 are left alone.

## Why is this bad?
The call fails with `TypeError` or `ArgumentError` as soon as it runs. What is only ignored misleads the reader.

## Example
```python
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker(autoflush=False, weak_identity_map=True)
```

## Use instead
```python
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker(autoflush=False)
```

## Fix safety
Safe where the argument does nothing or what it asked for is now always so. Unsafe for `autocommit=True`, without which changes
must be committed, and for what nothing replaces. No fix for `bind`, whose uses need an engine, and for a mock engine.

## References
- [SQLAlchemy 2.0 migration guide](https://docs.sqlalchemy.org/en/20/changelog/migration_20.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Const
from sqlalchemy_guard.fixes.arguments import remove_argument
from sqlalchemy_guard.project.engines import CREATORS
from sqlalchemy_guard.project.externals import FACTORIES, SESSIONS
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG113", Severity.ERROR, Applicability.SAFE, modern=True)

_SAFE, _UNSAFE = Applicability.SAFE, Applicability.UNSAFE


class _Removed(NamedTuple):
    """What became of an argument.

    Attributes:
        instead: What to do, as the second half of the message.
        fix: How far its removal may be trusted, None when removing it is not enough.
        ignored: Whether it is accepted and does nothing, at least for some value.
    """

    instead: str
    fix: Applicability | None = _SAFE
    ignored: bool = False


_FUTURE = _Removed("this is how it always works; leave it out", ignored=True)
_UNICODE = _Removed("text is always Unicode; leave it out")
_SESSION = {
    "autocommit": _Removed("commit where the work is done, or use `with session.begin():`", _UNSAFE),
    "future": _FUTURE,
    "weak_identity_map": _Removed("the identity map is always weak; leave it out"),
    "extension": _Removed("listen to session events instead", None),
    "_enable_transaction_accounting": _Removed("leave it out"),
}
_ENGINE = {
    "future": _FUTURE,
    "convert_unicode": _UNICODE,
    "strategy": _Removed("leave it out", _UNSAFE),
    "implicit_returning": _Removed(
        "RETURNING is always used where the database has it; leave it out", ignored=True
    ),
    "empty_in_strategy": _Removed("leave it out", ignored=True),
    "case_sensitive": _Removed("result columns are always case sensitive; leave it out"),
    "encoding": _Removed("drivers encode text themselves; leave it out"),
    "listeners": _Removed("listen to pool events instead", None),
    "pool_listeners": _Removed("listen to pool events instead", None),
    "pool_threadlocal": _Removed("leave it out", _UNSAFE),
    "use_threadlocal": _Removed("leave it out", _UNSAFE),
}
_BIND = _Removed("give the engine to the call that needs it, as in `create_all(engine)`", None)
_TEXT = {
    "bind": _Removed("execute it on a connection or session", None),
    "autocommit": _Removed("commit, or use `engine.begin()`", _UNSAFE),
    "bindparams": _Removed("call `.bindparams(…)` on the result", None),
    "typemap": _Removed("call `.columns(…)` on the result", None),
}
_STRING = {"convert_unicode": _UNICODE, "unicode_error": _UNICODE, "_warn_on_bytestring": _UNICODE}

_ARGUMENTS: dict[str, dict[str, _Removed]] = {
    **dict.fromkeys(CREATORS, _ENGINE),
    **dict.fromkeys(FACTORIES | SESSIONS, _SESSION),
    "sqlalchemy.MetaData": {"bind": _BIND},
    "sqlalchemy.orm.declarative_base": {"bind": _BIND},
    "sqlalchemy.text": _TEXT,
    **{
        f"sqlalchemy.{name}": _STRING
        for name in ("String", "Text", "Unicode", "UnicodeText", "VARCHAR", "CHAR")
    },
}


@rule.on_call(*_ARGUMENTS)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report the keywords of a call that SQLAlchemy 2 rejects."""
    target = context.target_version
    if target == "1.4":
        return
    arguments = _ARGUMENTS[call.name]
    for keyword in call.fact.node.keywords:
        removed = arguments.get(keyword.arg or "")
        value = call.fact.value.keyword(keyword.arg or "")
        if removed is None or value is None or not _matters(keyword, value, target):
            continue
        if removed.ignored and not (type(value) is Const and value.value is False):
            message = f"`{keyword.arg}` does nothing in SQLAlchemy 2: {removed.instead}"
        else:
            message = f"`{keyword.arg}` is gone in SQLAlchemy 2, the call fails: {removed.instead}"
        applicability = _UNSAFE if call.likely and removed.fix else removed.fix
        if keyword.arg == "strategy" and type(value) is Const and value.value == "mock":
            message, applicability = '`strategy="mock"` is deprecated: use `create_mock_engine()`', None
        yield context.at_call(
            rule, call.fact, message, node=keyword, applicability=applicability, subject=(call.fact, keyword)
        )


def _matters(keyword: ast.keyword, value: Value, target: str | None) -> bool:
    literal = value.value if type(value) is Const else None
    if keyword.arg == "autocommit":
        return literal is True
    if keyword.arg == "future":
        # Under 1.4 it chooses the new interface.
        return target is not None and isinstance(literal, bool)
    return True


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Remove the argument."""
    fact, keyword = violation.subject
    if violation.applicability is None:
        return None
    edits = remove_argument(context.source, fact.node, keyword, fact.chunk.shift, fact.statement)
    return Fix(f"Remove `{keyword.arg}`", violation.applicability, {context.file.file_id: edits})
