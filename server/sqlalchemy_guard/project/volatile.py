"""Values that differ at every call: the time, random identifiers, and what is computed from them.

This module must never judge where such a value stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Item, Joined, Operation, Value
from sqlalchemy_guard.project.types import FunctionType, options

if TYPE_CHECKING:
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

VOLATILE = frozenset({
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today", "time.time",
    "time.time_ns", "time.localtime", "time.gmtime", "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7",
    "random.random", "random.randint", "random.choice", "random.choices", "random.randrange", "random.getrandbits",
    "secrets.token_hex", "secrets.token_urlsafe", "secrets.token_bytes", "secrets.randbelow", "secrets.choice", "os.urandom",
    "django.utils.timezone.now", "arrow.now", "arrow.utcnow", "arrow.arrow.Arrow.utcnow", "arrow.arrow.Arrow.now",
    "pendulum.now", "ulid.ULID", "ulid.new", "nanoid.generate", "shortuuid.uuid", "cuid.cuid", "ksuid.ksuid",
})  # fmt: skip
"""Functions that give another value at every call, by canonical name."""


def is_volatile(resolver: Resolver, value: Value | None, file: SourceFile, depth: int = 0) -> bool:
    """Whether evaluating an expression calls something that gives another value each time, also through functions of
    the workspace; not inside lambdas, which are not evaluated yet."""
    if depth > 6 or value is None:
        return False
    if type(value) is Call:
        func = resolver.type_of(value.func, file)
        if resolver.external_name(value.func, file) in VOLATILE:
            return True
        for option in options(func):
            if isinstance(option, FunctionType):
                source = resolver.sources.file(option.file_id)
                function = source.facts.function(option.qualname) if source is not None else None
                if function is not None and source is not None and not function.is_async:
                    return is_volatile(resolver, function.returned, source, depth + 2)
        inner = [*value.args, *(item for _, item in value.keywords)]
        if type(value.func) is Attr:
            inner.append(value.func.base)
        # Computed with Python's own tools only: what a library makes of a value is not known.
        plain = (resolver.external_name(value.func, file) or "builtins.").startswith(
            ("builtins.", "datetime.")
        )
        return plain and any(is_volatile(resolver, item, file, depth + 1) for item in inner)
    if type(value) is Attr or type(value) is Item:
        return is_volatile(resolver, value.base, file, depth + 1)
    if type(value) is Operation:
        return any(is_volatile(resolver, item, file, depth + 1) for item in value.operands)
    if type(value) is Joined:
        return any(is_volatile(resolver, item, file, depth + 1) for item in value.parts)
    return False
