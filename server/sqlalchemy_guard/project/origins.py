"""Where a value that is put into SQL text comes from: from the source code, from outside, or from somewhere unknown.

A value is harmless when it can only be one of the texts that the code (or the database's own catalogue) holds, or a
number. It comes from outside when a request, a command line or a console handed it in. This module must never look at
the SQL.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import (
    Attr,
    Await,
    Call,
    Collected,
    Const,
    Def,
    Either,
    Element,
    Item,
    Joined,
    Mapping,
    Operation,
    Param,
    Ref,
    Sequence,
    Star,
    Typed,
    Value,
)
from sqlalchemy_guard.project.effects import argument_of
from sqlalchemy_guard.project.sql_text import appended
from sqlalchemy_guard.project.tested_values import is_checked
from sqlalchemy_guard.project.types import (
    ClassType,
    External,
    FunctionType,
    Instance,
    Literal,
    ModuleType,
    known,
)

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_MAX_DEPTH = 10
_MAX_STEPS = 2000


class Origin(Enum):
    """Where a value comes from."""

    HARMLESS = auto()
    UNKNOWN = auto()
    OUTSIDE = auto()


_words = str.split

_NUMBERS = frozenset({"builtins.int", "builtins.float", "builtins.bool", "decimal.Decimal", "uuid.UUID"})
_HARMLESS_CALLS = frozenset(
    _words("""
    builtins.int builtins.float builtins.bool builtins.len builtins.abs builtins.round builtins.range builtins.hash
    builtins.id builtins.ord builtins.divmod builtins.pow uuid.uuid1 uuid.uuid3 uuid.uuid4 uuid.uuid5 uuid.UUID
    time.time time.time_ns time.monotonic random.randint random.random secrets.token_hex secrets.randbelow
    datetime.timedelta datetime.datetime datetime.date datetime.time
    os.getpid decimal.Decimal builtins.type builtins.hex builtins.bin os.getenv os.environ.get
    """)
)
_FORMATTING = frozenset({"json.dumps", "builtins.repr", "textwrap.dedent", "os.path.join", "builtins.str"})
_CLOCKS = frozenset({"now", "utcnow", "today", "now_utc", "time", "monotonic"})
_OUTSIDE = ("flask.request", "quart.request", "bottle.request", "builtins.input", "sys.argv", "sys.stdin")
_REQUESTS = frozenset(
    {
        "starlette.requests.Request", "fastapi.Request", "fastapi.requests.Request", "django.http.HttpRequest",
        "aiohttp.web.Request", "pyramid.request.Request", "litestar.Request", "sanic.Request", "sanic.request.Request",
    }
)  # fmt: skip
_PASSED_ON = frozenset(
    {
        "str",
        "list",
        "tuple",
        "set",
        "sorted",
        "reversed",
        "enumerate",
        "zip",
        "iter",
        "next",
        "min",
        "max",
        "frozenset",
        "map",
        "filter",
    }
)
_TEXT_METHODS = frozenset(
    _words("""
    strip lstrip rstrip lower upper title capitalize replace split rsplit partition rpartition join format removeprefix
    removesuffix casefold zfill ljust rjust center splitlines isoformat strftime timestamp date astimezone
    """)
)
_QUOTING = frozenset(
    _words("""
    quote quote_identifier quote_schema quote_ident format_table format_column format_index format_schema
    format_constraint quoted_name compile render_literal_value hex hexdigest isoformat strftime timestamp
    token_hex as_string
    """)
)
_NAMES = frozenset(
    {"__tablename__", "__table__", "__mapper__", "__name__", "__qualname__", "metadata", "dialect"}
)
_SCHEMA = frozenset(
    {"name", "key", "fullname", "schema", "c", "columns", "primary_key", "primary_keys", "table"}
)
_CATALOGUE = tuple(
    f"get_{kind}"
    for kind in _words("table column pk index schema view foreign unique check materialized sequence")
)
_ROUTES = frozenset(
    _words("get post put patch delete options head route api_route websocket view_config action")
)
_COMMANDS = frozenset({"command", "argument", "option"})


class Origins:
    """Answers where values come from.

    Args:
        resolver: Types.
    """

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self._running: set[tuple[str, str, str]] = set()
        self._fuel = _MAX_STEPS

    def of(self, value: Value, file: SourceFile, depth: int = 0) -> Origin:
        """The worst that a value may be."""
        self._fuel -= 1
        if depth > _MAX_DEPTH or self._fuel < 0:
            return Origin.UNKNOWN
        value, file = self.resolver.definition_of(value, file)
        if type(value) is Typed:
            return self.of(value.value, file, depth + 1)
        if type(value) is Param:
            return self._parameter(value, file, depth)
        if self._is_of_harmless_type(value, file):
            return Origin.HARMLESS
        match value:
            case Either(options=parts) | Joined(parts=parts) | Sequence(items=parts):
                added = (
                    appended(self.resolver, value, file)
                    if type(value) is Sequence and value.kind == "list"
                    else ()
                )
                return self._worst((*parts, *added), file, depth)
            case Operation(name=name, operands=parts):
                if name in ("Add", "Mod", "Mult", "slice"):
                    return self._worst(parts, file, depth)
                # A comparison gives a truth value, other arithmetic a number.
                return Origin.HARMLESS
            case Mapping(entries=entries):
                parts = tuple(item for key, item in entries) + tuple(
                    key for key, _ in entries if key is not None
                )
                return self._worst(parts, file, depth)
            case Star(base=base) | Element(base=base) | Await(base=base) | Collected(element=base):
                return self.of(base, file, depth + 1)
            case Item(base=Element(base=Call(func=Ref(module="", name="enumerate"))), index=Const(value=0)):
                return Origin.HARMLESS
            case Item(base=base):
                # One of a literal mapping's entries, whatever the key.
                return self.of(base, file, depth + 1)
            case Attr():
                return self._attribute(value, file, depth)
            case Call():
                return self._call(value, file, depth)
            case Ref():
                return self._name(value, file)
            case Const() | Def():
                return Origin.HARMLESS
        return Origin.UNKNOWN

    def _worst(self, values: tuple[Value, ...], file: SourceFile, depth: int) -> Origin:
        found = [self.of(value, file, depth + 1) for value in values]
        return max(found, key=lambda origin: origin.value, default=Origin.HARMLESS)

    def _is_of_harmless_type(self, value: Value, file: SourceFile) -> bool:
        """Whether a value can only be a literal, a number, or an object of SQLAlchemy that renders itself."""
        types = list(known(self.resolver.type_of(value, file)))
        return bool(types) and all(
            isinstance(type_, Literal)
            or (isinstance(type_, Instance) and self._renders_itself(type_))
            or self._is_enumeration(type_)
            for type_ in types
        )

    def _renders_itself(self, type_: Instance) -> bool:
        if isinstance(type_.ref, tuple):
            return False
        return type_.ref in _NUMBERS or (
            type_.ref.startswith("sqlalchemy.")
            and not type_.ref.startswith(("sqlalchemy.Row", "sqlalchemy.Result", "sqlalchemy.ScalarResult"))
        )

    def _is_enumeration(self, type_: object) -> bool:
        if not isinstance(type_, (Instance, ClassType)) or not isinstance(type_.ref, tuple):
            return False
        return any(
            isinstance(ref, str) and ref.startswith("enum.")
            for ref in self.resolver.ancestors(ClassType(type_.ref))
        )

    # -- names and attributes --------------------------------------------------------------------------------------

    def _name(self, value: Ref, file: SourceFile) -> Origin:
        """A name that no assignment of the workspace explains."""
        for option in known(self.resolver.type_of(value, file)):
            if isinstance(option, (External, ModuleType)) and option.name.startswith(_OUTSIDE):
                return Origin.OUTSIDE
        return Origin.HARMLESS if value.module or value.name else Origin.UNKNOWN

    def _attribute(self, value: Attr, file: SourceFile, depth: int) -> Origin:
        if value.name in _NAMES:
            return Origin.HARMLESS
        bases = list(known(self.resolver.type_of(value.base, file)))
        if any(self._is_enumeration(base) for base in bases):
            return Origin.HARMLESS
        for base in bases:
            if isinstance(base, (External, ModuleType)) and f"{base.name}.{value.name}".startswith(_OUTSIDE):
                return Origin.OUTSIDE
            if isinstance(base, Instance) and base.ref in _REQUESTS:
                return Origin.OUTSIDE
            if isinstance(base, ClassType) and value.name in _SCHEMA:
                return Origin.HARMLESS
        if value.name in _SCHEMA and any(
            isinstance(base, Instance) and str(base.ref).startswith("sqlalchemy.") for base in bases
        ):
            return Origin.HARMLESS
        if value.name in _SCHEMA and _mentions_schema(value.base):
            return Origin.HARMLESS
        for base in bases:
            if isinstance(base, (Instance, ClassType)) and isinstance(base.ref, tuple):
                return self._stored(ClassType(base.ref), value.name, depth)
        if type(value.base) is Param:
            # An attribute of an object that a caller hands in.
            return (
                Origin.UNKNOWN
                if self.of(value.base, file, depth + 1) is not Origin.OUTSIDE
                else Origin.OUTSIDE
            )
        return self.of(value.base, file, depth + 1)

    def _stored(self, class_: ClassType, name: str, depth: int) -> Origin:
        """What the workspace assigns to an attribute of a class of its own."""
        member = self.resolver.member(class_, name)
        if member is None:
            return Origin.UNKNOWN
        found: list[Origin] = []
        if member.attribute is not None and member.attribute.value is not None:
            if self.resolver.mapped_type(member.attribute, member.file) is not None:
                return Origin.UNKNOWN
            found.append(self.of(member.attribute.value, member.file, depth + 1))
        if member.instance is not None:
            found.append(self.of(member.instance[1], member.file, depth + 1))
        return max(found, key=lambda origin: origin.value, default=Origin.UNKNOWN)

    # -- calls -----------------------------------------------------------------------------------------------------

    def _call(self, value: Call, file: SourceFile, depth: int) -> Origin:
        func = value.func
        name = self.resolver.external_name(func, file) or ""
        if name in _FORMATTING:
            return self._worst(value.args, file, depth)
        if (
            name in _HARMLESS_CALLS
            or name.rpartition(".")[2] in _CLOCKS
            or name.startswith("sqlalchemy.inspect")
        ):
            return Origin.HARMLESS
        if name.startswith(_OUTSIDE):
            return Origin.OUTSIDE
        short = func.name if isinstance(func, (Attr, Ref)) else ""
        if short in _QUOTING or "quote" in short:
            return Origin.HARMLESS
        if type(func) is Attr:
            if short == "replace" and value.args and value.args[0] == Const("'"):
                return Origin.HARMLESS
            if short in ("get", "pop", "items", "keys", "values", "copy", "setdefault"):
                return self._worst((func.base, *value.args[1:]), file, depth)
            if short in _TEXT_METHODS:
                return self._worst((func.base, *value.args), file, depth)
            if _mentions_schema(func.base):
                return Origin.HARMLESS
        if type(func) is Ref and not func.module and func.name in _PASSED_ON:
            return self._worst(tuple(arg for arg in value.args if type(arg) is not Def), file, depth)
        for option in known(self.resolver.type_of(func, file)):
            if isinstance(option, FunctionType):
                return self._returned(option, depth)
        if type(func) is Attr and self.of(func.base, file, depth + 1) is Origin.OUTSIDE:
            return Origin.OUTSIDE
        return Origin.UNKNOWN

    def _returned(self, function: FunctionType, depth: int) -> Origin:
        source = self.resolver.sources.file(function.file_id)
        facts = source.facts.function(function.qualname) if source is not None else None
        if source is None or facts is None or facts.returned is None:
            return Origin.UNKNOWN
        self.resolver.keys.add((function.file_id, function.qualname))
        return self.of(facts.returned, source, depth + 1)

    # -- parameters ------------------------------------------------------------------------------------------------

    def _parameter(self, value: Param, file: SourceFile, depth: int) -> Origin:
        """A parameter: what its annotation allows, what its function lets pass, or what its callers hand in."""
        function = file.facts.function(value.qualname)
        parameter = function.parameter(value.name) if function is not None else None
        if function is None or parameter is None:
            return Origin.UNKNOWN
        self.resolver.keys.add((file.file_id, value.qualname))
        if parameter.annotation is not None and self._allows_little(parameter.annotation, file):
            # Nobody checks an annotation at run time, except frameworks for what they hand in.
            promised = self._is_number(parameter.annotation, file) and not _is_entry_point(function)
            return Origin.UNKNOWN if promised else Origin.HARMLESS
        if is_checked(self.resolver, value, function, file):
            return Origin.HARMLESS
        if _is_entry_point(function):
            return Origin.OUTSIDE
        key = (file.file_id, value.qualname, value.name)
        if key in self._running:
            return Origin.HARMLESS
        self._running.add(key)
        try:
            handed = self._handed_in(value, function, file, depth)
        finally:
            self._running.discard(key)
        return handed

    def _is_number(self, annotation: Value, file: SourceFile) -> bool:
        """Whether an annotation names a kind of number or nothing else."""
        types = list(known(self.resolver.instance_of(annotation, file)))
        if not types and type(annotation) is Ref:
            return self.resolver.external_name(annotation, file) in _NUMBERS
        return bool(types) and all(isinstance(type_, Instance) and type_.ref in _NUMBERS for type_ in types)

    def _allows_little(self, annotation: Value, file: SourceFile) -> bool:
        """Numbers, enumerations, `Literal[…]`."""
        if type(annotation) is Item and type(annotation.base) is Ref and annotation.base.name == "Literal":
            return True
        types = list(known(self.resolver.instance_of(annotation, file)))
        if not types and type(annotation) is Ref:
            return self.resolver.external_name(annotation, file) in _NUMBERS
        return bool(types) and all(
            isinstance(type_, Literal)
            or self._is_enumeration(type_)
            or (isinstance(type_, Instance) and self._renders_itself(type_))
            for type_ in types
        )

    def _handed_in(self, value: Param, function: FunctionFacts, file: SourceFile, depth: int) -> Origin:
        """What the callers of the same file hand in, when there are any."""
        found: list[Origin] = []
        parameter = function.parameter(value.name)
        for unit in file.facts.units():
            for call in unit.calls:
                func = call.value.func
                if not isinstance(func, (Attr, Ref, Def)) or _last_name(func) != function.name:
                    continue
                if not any(
                    isinstance(option, FunctionType) and option.qualname == function.qualname
                    for option in known(self.resolver.type_of(func, file))
                ):
                    continue
                given = argument_of(call.value, function, value.name)
                if given is None and parameter is not None and not call.value.has_mapping:
                    given = parameter.default
                found.append(self.of(given, file, depth + 1) if given is not None else Origin.UNKNOWN)
        return max(found, key=lambda origin: origin.value, default=Origin.UNKNOWN)


def _last_name(func: Attr | Ref | Def) -> str:
    return func.qualname.rpartition(".")[2] if type(func) is Def else getattr(func, "name", "")


def _mentions_schema(value: Value) -> bool:
    """Whether a value was read off a table, a mapper or an inspector."""
    for _ in range(_MAX_DEPTH):
        match value:
            case Attr(name=name) if name in _NAMES or name in ("c", "columns", "tables", "sorted_tables"):
                return True
            case Call(func=Ref(name="inspect") | Attr(name="inspect")):
                return True
            case Call(func=Attr(name=name)) if name.startswith(
                (
                    "get_table",
                    "get_column",
                    "get_pk",
                    "get_index",
                    "get_schema",
                    "get_view",
                    "get_foreign",
                    "get_unique",
                    "get_check",
                )
            ):
                return True
            case Call(func=func):
                value = func
            case (
                Attr(base=base) | Item(base=base) | Element(base=base) | Await(base=base) | Typed(value=base)
            ):
                value = base
            case _:
                return False
    return False


def _is_entry_point(function: FunctionFacts) -> bool:
    """Whether a web framework or a command line calls the function: by its decorator."""
    for decorator in function.decorators:
        if type(decorator) is Call and isinstance(decorator.func, (Attr, Ref)):
            if decorator.func.name in _COMMANDS:
                return True
            # A route names its path; `cache.get()` and the like do not.
            paths = [arg for arg in decorator.args if type(arg) is Const and isinstance(arg.value, str)]
            if decorator.func.name in _ROUTES and (paths or decorator.keyword("path") is not None):
                return True
        if type(decorator) is Attr and decorator.name in _COMMANDS:
            return True
    return False
