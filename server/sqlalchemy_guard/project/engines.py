"""Engine creations as facts: which dialect, which pool, which options, as far as the code says.

This module must never judge an engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.units import ITEMS
from sqlalchemy_guard.facts.values import Attr, Call, Const, Either, Joined, Mapping, Ref, Typed, Value
from sqlalchemy_guard.project.types import ClassType, External, known
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

CREATORS = (
    "sqlalchemy.create_engine",
    "sqlalchemy.ext.asyncio.create_async_engine",
    "sqlalchemy.engine_from_config",
    "sqlalchemy.ext.asyncio.async_engine_from_config",
)

_MAX_DEPTH = 6
_FILLING = ("update", "setdefault", "pop")


@dataclass(slots=True, eq=False)
class Engine:
    """What a call that creates an engine says.

    Attributes:
        dialect: `sqlite`, `postgresql`, … where the URL can be read, else None.
        in_memory: Whether it is an in-memory database, of SQLite or DuckDB.
        pool: Last part of the pool class's name, None when none is given, "?" when it cannot be told.
        options: Keyword arguments by name, those of readable `**mapping`s included.
        is_open: Whether options may come from a mapping that cannot be read.
    """

    dialect: str | None
    in_memory: bool
    pool: str | None
    options: dict[str, Value]
    is_open: bool

    @property
    def has_no_pool(self) -> bool:
        """Whether connections are not pooled, only one is ever held, or the pool was made elsewhere, with its own options.

        An engine that is given a pool refuses all options of pools, and so does one that only prints SQL.
        """
        made_elsewhere = not self.options.keys().isdisjoint(("pool", "strategy"))
        return self.pool in ("NullPool", "StaticPool") or self.in_memory or made_elsewhere


def engine_of(resolver: Resolver, value: Call, file: SourceFile) -> Engine:
    """What an engine-creating call of a file says."""
    options: dict[str, Value] = {}
    is_open = False
    for name, given in value.keywords:
        if name is not None:
            options[name] = given
            continue
        entries = entries_of(resolver, given, file)
        is_open = is_open or entries is None
        options.update(entries or {})
    name = resolver.external_name(value.func, file) or ""
    if name.endswith("engine_from_config"):
        # The options stand in a configuration, under a prefix.
        entries = entries_of(resolver, value.args[0], file) if value.args else None
        is_open = is_open or entries is None
        options.update({key.rpartition(".")[2]: item for key, item in (entries or {}).items()})
    return _engine(resolver, value.args[0] if value.args else options.get("url"), options, file, is_open)


def _engine(
    resolver: Resolver, url: Value | None, options: dict[str, Value], file: SourceFile, is_open: bool
) -> Engine:
    dialect, in_memory = _database(leading_text(resolver, url, file) if url is not None else None)
    pool = options.get("poolclass")
    pool_name = _pool_name(resolver, pool, file) if pool is not None else None
    return Engine(dialect, in_memory, pool_name, options, is_open)


def _database(text: str | None) -> tuple[str | None, bool]:
    scheme, separator, rest = (text or "").partition("://")
    if not separator:
        return None, False
    dialect = scheme.partition("+")[0]
    memory = rest in ("", "/", "/:memory:") or ":memory:" in rest or "mode=memory" in rest
    return dialect, dialect in ("sqlite", "duckdb") and memory


def leading_text(resolver: Resolver, value: Value, file: SourceFile, depth: int = 0) -> str | None:
    """The text that a string expression certainly starts with, through names of the workspace; None when unknown.

    For an expression that is not text to its end the known beginning is given with a `?` behind it.
    """
    if depth > _MAX_DEPTH:
        return None
    value, file = resolver.definition_of(value, file)
    if type(value) is Const:
        return value.value if isinstance(value.value, str) else None
    if type(value) is Joined and value.parts:
        first = leading_text(resolver, value.parts[0], file, depth + 1)
        if first is None:
            return None
        return (first.partition("%")[0] if value.how == "%" else first) + "?"
    if type(value) is Either:
        texts = {leading_text(resolver, option, file, depth + 1) for option in value.options}
        return texts.pop() if len(texts) == 1 else None
    if type(value) is not Call:
        return None
    name = resolver.external_name(value.func, file)
    if name == "sqlalchemy.make_url" and value.args:
        return leading_text(resolver, value.args[0], file, depth + 1)
    if name in ("sqlalchemy.URL.create", "sqlalchemy.URL"):
        driver = value.keyword("drivername") or (value.args[0] if value.args else None)
        database = value.keyword("database")
        scheme = leading_text(resolver, driver, file, depth + 1) if driver is not None else None
        inside = leading_text(resolver, database, file, depth + 1) if database is not None else ""
        return (
            f"{scheme}:///{inside}"
            if scheme is not None and inside is not None
            else scheme and f"{scheme}://?"
        )
    return None


def entries_of(resolver: Resolver, value: Value, file: SourceFile, depth: int = 0) -> dict[str, Value] | None:
    """The entries of a mapping display or `dict(…)`, through names; None when they cannot all be read."""
    value, file = resolver.definition_of(value, file)
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, Call):
        is_dict = resolver.external_name(value.func, file) == "builtins.dict"
        if not is_dict or value.args or value.has_mapping:
            return None
        return {name: item for name, item in value.keywords if name is not None}
    if not isinstance(value, Mapping):
        return None
    resolver.keys.add((file.file_id, ITEMS))
    resolver.keys.update([(file.file_id, f"*called.{name}") for name in _FILLING])
    if _is_filled_later(value, file):
        return None
    entries: dict[str, Value] = {}
    for key, item in value.entries:
        if key is None:
            inner = entries_of(resolver, item, file, depth + 1)
            if inner is None:
                return None
            entries.update(inner)
        elif type(key) is Const and isinstance(key.value, str):
            entries[key.value] = item
        else:
            return None
    return entries


def _is_filled_later(mapping: Mapping, file: SourceFile) -> bool:
    """Whether items are put into the mapping, or into the name that it was bound to."""
    names = {name for name, bindings in file.facts.names.items() if any(b.value is mapping for b in bindings)}

    def is_it(value: Value) -> bool:
        if isinstance(value, Either):
            return any(is_it(option) for option in value.options)
        if isinstance(value, Typed):
            return is_it(value.value)
        return value is mapping or (type(value) is Ref and not value.module and value.name in names)

    for unit in file.facts.units():
        if any(is_it(item.base) for item in unit.item_sets):
            return True
        for call in unit.calls:
            func = call.value.func
            if type(func) is Attr and func.name in _FILLING and is_it(func.base):
                return True
    return False


def sets_isolation(resolver: Resolver, engine: Value, file: SourceFile) -> bool:
    """Whether an engine, or the options it was made with, may set an isolation level, as `AUTOCOMMIT`."""
    value, _ = resolver.definition_of(engine, file)
    if type(value) is not Call:
        return False
    return value.has_mapping or any(
        name in ("isolation_level", "execution_options") for name, _ in value.keywords
    )


def _pool_name(resolver: Resolver, value: Value, file: SourceFile) -> str:
    for option in known(resolver.type_of(value, file)):
        if isinstance(option, ClassType) and isinstance(option.ref, str):
            return option.ref.rpartition(".")[2]
        if isinstance(option, External):
            return option.name.rpartition(".")[2]
    return "?"
