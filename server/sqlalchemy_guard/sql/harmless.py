"""Python's own functions and methods that the evaluator offers: each a small one that can do no harm, with bounded results.

What gets anything unknown gives something unknown. `format`, `getattr` and their like see nothing that an attribute in the
source would not see. This module must never hand out a function of Python itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.sql import budget
from sqlalchemy_guard.sql.values import (
    MISSING,
    Class,
    Function,
    Instance,
    Native,
    Opaque,
    Spread,
    Value,
    is_emulated,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.sql.evaluator import Evaluator

Arguments = list[Value]
Keywords = dict[str, Value]

PLAIN = (str, int, float, bool, bytes, type(None))

_STR = frozenset(
    """
    lower upper strip lstrip rstrip split rsplit splitlines join replace startswith endswith title capitalize removeprefix
    removesuffix partition rpartition isupper islower isdigit isalnum isalpha isidentifier casefold count find rfind index
    swapcase
    """.split()
)
_LIST = frozenset(
    {"append", "extend", "insert", "index", "count", "copy", "pop", "remove", "reverse", "clear"}
)
_DICT = frozenset({"get", "keys", "values", "items", "update", "copy", "pop", "setdefault", "clear"})
_SET = frozenset(
    {"add", "union", "intersection", "difference", "issubset", "issuperset", "discard", "copy", "update"}
)
_TUPLE = frozenset({"index", "count"})
CHANGING = frozenset(
    {
        "append",
        "extend",
        "insert",
        "pop",
        "remove",
        "reverse",
        "clear",
        "update",
        "setdefault",
        "add",
        "discard",
    }
)
METHODS: dict[type, frozenset[str]] = {
    str: _STR,
    list: _LIST,
    dict: _DICT,
    set: _SET,
    frozenset: _SET - CHANGING,
    tuple: _TUPLE,
    bytes: frozenset({"decode"}),
}
ERRORS: dict[str, type[Exception]] = {
    error.__name__: error
    for error in (
        *(Exception, KeyError, ValueError, TypeError, AttributeError, ImportError, ModuleNotFoundError),
        *(NameError, IndexError, LookupError, RuntimeError, NotImplementedError, AssertionError, OSError),
        *(
            StopIteration,
            ArithmeticError,
            ZeroDivisionError,
            UserWarning,
            DeprecationWarning,
            FileNotFoundError,
        ),
    )
}


def is_known(value: Value) -> bool:
    """Whether a value is plain data through and through, small enough to look at."""
    if type(value) in PLAIN:
        return budget.is_small(value)
    if type(value) in (list, tuple, set, frozenset):
        return len(value) <= budget.MOST_ITEMS and all(map(is_known, value))
    if type(value) is dict:
        return len(value) <= budget.MOST_ITEMS and all(is_known(k) and is_known(v) for k, v in value.items())
    return False


def call_method(
    evaluator: Evaluator, receiver: Value, name: str, args: Arguments, keywords: Keywords
) -> Value:
    """Call an allowed method of a string, a list, a dict or a set.

    Raises:
        KeyError, ValueError, IndexError and so on: as the method does.
    """
    shown = f"….{name}()"
    if any(isinstance(arg, Spread) for arg in (*args, *keywords.values())):
        if name in CHANGING:
            evaluator.taint(receiver)
        return Opaque(shown)
    if type(receiver) in (str, bytes):
        args = [evaluator.iterate(arg) if name == "join" else arg for arg in args]
        if not all(map(is_known, args)) or keywords:
            return Opaque(shown)
        if name == "join" and sum(map(len, args[0])) + len(receiver) * len(args[0]) > budget.LONGEST_TEXT:
            return Opaque(shown)
        if name == "replace" and (len(receiver) + 1) * max(1, len(str(args[-1]))) > budget.LONGEST_TEXT:
            return Opaque(shown)
        result = getattr(receiver, name)(*args)
        return result if budget.is_small(result) else Opaque(shown)
    if evaluator.is_tainted(receiver):
        return Opaque(shown)
    if name in CHANGING:
        if evaluator.uncertain:
            evaluator.taint(receiver)
            return Opaque(shown)
        if name in ("extend", "update") and args:
            given = args[0] if isinstance(args[0], dict) else evaluator.iterate(args[0])
            if given is None:
                evaluator.taint(receiver)
                return None
            args = [given, *args[1:]]
        if len(receiver) > budget.MOST_ITEMS:
            raise budget.Exhausted("too many items")
    elif name in ("union", "intersection", "difference", "issubset", "issuperset"):
        args = [evaluator.iterate(arg) for arg in args]
        if any(arg is None for arg in args):
            return Opaque(shown)
    if isinstance(receiver, dict) and args and name in ("get", "pop", "setdefault"):
        if isinstance(args[0], Opaque):
            return Opaque(shown)
    elif name in ("index", "count", "remove", "discard", "intersection") and not all(map(is_known, args)):
        return Opaque(shown)
    result = getattr(receiver, name)(*args, **keywords)
    return list(result) if name in ("keys", "values", "items") else result


def _known_only(function: Callable[..., Value]) -> Callable[..., Value]:
    """A builtin over plain data."""

    def call(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
        if not all(map(is_known, (*args, *keywords.values()))):
            return Opaque(f"{function.__name__}()")
        result = function(*args, **keywords)
        if isinstance(result, PLAIN) and not budget.is_small(result):
            return Opaque(f"{function.__name__}()")
        return result

    return call


def _sequence(make: Callable[..., Value]) -> Callable[..., Value]:
    """A builtin that takes one iterable, whatever is in it."""

    def call(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
        items = evaluator.iterate(args[0]) if args else []
        if items is None or keywords or len(args) > 1:
            return Opaque(f"{make.__name__}()")
        if make in (set, frozenset) and any(isinstance(item, Opaque) for item in items):
            return Opaque(f"{make.__name__}()")
        return make(items)

    return call


def _dict(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    found: dict[Value, Value] = {}
    for arg in args:
        if isinstance(arg, dict) and not evaluator.is_tainted(arg):
            found.update(arg)
            continue
        pairs = evaluator.iterate(arg)
        if pairs is None or not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs):
            return Opaque("dict()")
        found.update(pairs)
    return {**found, **keywords}


def _len(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    if type(args[0]) in (str, bytes):
        return len(args[0])
    items = evaluator.iterate(args[0])
    if items is None or any(isinstance(item, Spread) for item in items):
        return Opaque("len()")
    return len(items)


def _str(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    if not args:
        return ""
    return evaluator.text_of(args[0]) if len(args) == 1 and not keywords else Opaque("str()")


def _range(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    if not all(type(arg) is int for arg in args):
        return Opaque("range()")
    made = range(*args)
    return list(made) if len(made) <= budget.MOST_ITEMS else Opaque("range()")


def _enumerate(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    items = evaluator.iterate(args[0])
    start = keywords.get("start", args[1] if len(args) > 1 else 0)
    if items is None or type(start) is not int:
        return Opaque("enumerate()")
    return list(enumerate(items, start))


def _zip(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    rows = [evaluator.iterate(arg) for arg in args]
    return Opaque("zip()") if any(row is None for row in rows) else list(zip(*rows, strict=False))


def _map(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    items = evaluator.iterate(args[1]) if len(args) == 2 else None
    return Opaque("map()") if items is None else [evaluator.call(args[0], [item], {}) for item in items]


def _filter(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    items = evaluator.iterate(args[1])
    if items is None:
        return Opaque("filter()")
    kept = []
    for item in items:
        taken = evaluator.truth(item if args[0] is None else evaluator.call(args[0], [item], {}))
        if taken is None:
            return Opaque("filter()")
        if taken:
            kept.append(item)
    return kept


def _sorted(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    items = evaluator.iterate(args[0])
    reverse = keywords.get("reverse", False)
    if items is None or type(reverse) is not bool:
        return Opaque("sorted()")
    key = keywords.get("key")
    keys = items if key is None else [evaluator.call(key, [item], {}) for item in items]
    if not all(map(is_known, keys)):
        return Opaque("sorted()")
    order = sorted(range(len(items)), key=lambda index: keys[index], reverse=reverse)
    return [items[index] for index in order]


def _any_all(wanted: bool) -> Callable[..., Value]:
    def call(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
        items = evaluator.iterate(args[0])
        if items is None:
            return Opaque("any()" if wanted else "all()")
        truths = [None if isinstance(item, Spread) else evaluator.truth(item) for item in items]
        if wanted in truths:
            return wanted
        return Opaque("any()" if wanted else "all()") if None in truths else not wanted

    return call


def _isinstance(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    value, classes = args
    return _among(
        [evaluator.is_instance(value, one) for one in (classes if isinstance(classes, tuple) else (classes,))]
    )


def _issubclass(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    value, classes = args
    return _among(
        [evaluator.is_subclass(value, one) for one in (classes if isinstance(classes, tuple) else (classes,))]
    )


def _among(answers: list[bool | None]) -> Value:
    if True in answers:
        return True
    return Opaque("isinstance()") if None in answers else False


def _getattr(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    if len(args) < 2 or type(args[1]) is not str:
        return Opaque("getattr()")
    try:
        return evaluator.attribute(args[0], args[1])
    except AttributeError:
        if len(args) == 3:
            return args[2]
        raise


def _hasattr(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    try:
        found = _getattr(evaluator, args, {})
    except AttributeError:
        return False
    return Opaque("hasattr()") if isinstance(found, Opaque) else True


def _setattr(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    if type(args[1]) is str:
        evaluator.set_attribute(args[0], args[1], args[2])
    return None


def _type(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    if len(args) == 3 and type(args[0]) is str and type(args[2]) is dict:
        bases = evaluator.iterate(args[1])
        if bases is not None and all(type(name) is str for name in args[2]):
            return evaluator.make_class(args[0], bases, dict(args[2]), keywords)
    if len(args) == 1 and isinstance(args[0], Instance):
        return args[0].cls
    return type(args[0]) if len(args) == 1 and type(args[0]) in PLAIN else Opaque("type()")


def _classmethod_like(kind: str) -> Callable[..., Value]:
    def call(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
        return args[0].as_kind(kind) if args and isinstance(args[0], Function) else Opaque(f"{kind}()")

    return call


def _nothing(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    return None


def _error(name: str) -> Callable[..., Value]:
    def call(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
        return ERRORS[name](*[arg for arg in args if type(arg) is str])

    return call


def _object(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    return Opaque("object()")


_HANDLERS: dict[str, Callable[..., Value]] = {
    "int": _known_only(int),
    "float": _known_only(float),
    "abs": _known_only(abs),
    "min": _known_only(min),
    "max": _known_only(max),
    "sum": _known_only(sum),
    "round": _known_only(round),
    "divmod": _known_only(divmod),
    "repr": _known_only(repr),
    "hash": _object,
    "id": _object,
    "str": _str,
    "len": _len,
    "list": _sequence(list),
    "tuple": _sequence(tuple),
    "set": _sequence(set),
    "frozenset": _sequence(frozenset),
    "iter": _sequence(list),
    "dict": _dict,
    "range": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "map": _map,
    "filter": _filter,
    "sorted": _sorted,
    "any": _any_all(True),
    "all": _any_all(False),
    "isinstance": _isinstance,
    "issubclass": _issubclass,
    "getattr": _getattr,
    "hasattr": _hasattr,
    "setattr": _setattr,
    "type": _type,
    "property": _classmethod_like("property"),
    "classmethod": _classmethod_like("classmethod"),
    "staticmethod": _classmethod_like("staticmethod"),
    "print": _nothing,
    "object": _object,
    **{name: _error(name) for name in ERRORS},
}


def _bool(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    known = evaluator.truth(args[0]) if args else False
    return Opaque("bool()") if known is None else known


def _reversed(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    items = evaluator.iterate(args[0])
    return Opaque("reversed()") if items is None else items[::-1]


def _next(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    items = evaluator.iterate(args[0])
    if items is None or any(isinstance(item, Spread) for item in items):
        return Opaque("next()")
    if items:
        return items[0]
    if len(args) > 1:
        return args[1]
    raise StopIteration


_HANDLERS |= {"bool": _bool, "reversed": _reversed, "next": _next}

_CLASSES: dict[str, type] = {
    **{
        one.__name__: one for one in (str, int, float, bool, bytes, list, tuple, dict, set, frozenset, object)
    },
    **ERRORS,
}
_BY_CLASS = {one: _HANDLERS[name] for name, one in _CLASSES.items() if name in _HANDLERS}
_BUILTINS: dict[str, Value] = {
    name: Native(name, handler) for name, handler in _HANDLERS.items() if name not in _CLASSES
} | dict(_CLASSES)


def builtin(name: str) -> Value:
    """A name that Python itself binds; MISSING when it is none that is offered."""
    return _BUILTINS.get(name, MISSING)


def handler_of(value: Value) -> Callable[..., Value] | None:
    """How a class of Python's own is called."""
    return _BY_CLASS.get(value) if isinstance(value, type) else None


# -- text ----------------------------------------------------------------------------------------------------------

_FIELD = r"\{(\w*)\}"
_PERCENT = r"%(?:\((\w+)\))?(.?)"


def format_braces(template: str, args: Arguments, keywords: Keywords) -> str | None:
    """`template.format(…)` with plain fields only: no attributes, no items, no widths."""
    rest = re.sub(_FIELD, "", template.replace("{{", "").replace("}}", ""))
    if "{" in rest or "}" in rest or not all(map(is_known, (*args, *keywords.values()))):
        return None
    return _short(template.format(*args, **keywords))


def format_percent(template: str, argument: Value) -> str | None:
    """`template % argument` with `%s`, `%d`, `%r` only."""
    if not is_known(argument) or any(
        kind not in ("s", "d", "r", "%") for _, kind in re.findall(_PERCENT, template)
    ):
        return None
    return _short(template % argument)


def _short(text: str) -> str | None:
    return text if len(text) <= budget.LONGEST_TEXT else None


# -- regular expressions -------------------------------------------------------------------------------------------

_QUANTIFIER = r"(?<!\\)[*+{]|(?<![(\\])\?"


def is_tame(pattern: str) -> bool:
    """Whether a pattern cannot take long on a short text: few quantifiers, none behind a group, no names looked up."""
    return (
        len(pattern) <= 100
        and len(re.findall(_QUANTIFIER, pattern)) <= 3
        and not re.search(r"\)[*+?{]|\(\?[^:=!<]", pattern)
    )


def substitute(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    """`re.sub` on short texts with tame patterns and plain replacements."""
    return Opaque("re.sub()") if keywords else substitute_plain(args)


def substitute_plain(args: Arguments) -> Value:
    """`re.sub(pattern, replacement, text)`; unknown for what is not short, plain and tame."""
    return _search("re.sub()", 3, re.sub, args)


def split(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    """`re.split` on short texts with tame patterns."""
    return Opaque("re.split()") if keywords else _search("re.split()", 2, re.split, args)


def find_all(evaluator: Evaluator, args: Arguments, keywords: Keywords) -> Value:
    """`re.findall` on short texts with tame patterns."""
    return Opaque("re.findall()") if keywords else _search("re.findall()", 2, re.findall, args)


def _search(shown: str, count: int, function: Callable[..., Value], args: Arguments) -> Value:
    known = len(args) == count and all(type(arg) is str and len(arg) <= 100 for arg in args)
    if not known or not is_tame(args[0]):
        return Opaque(shown)
    try:
        return function(*args)
    except (re.error, IndexError):
        return Opaque(shown)


def is_data(value: Value) -> bool:
    """Whether a value is a container or plain data, not something emulated or of a library."""
    return not is_emulated(value) and type(value) in (*PLAIN, list, tuple, dict, set, frozenset)


def class_name(value: Value) -> str:
    """The name of a class, of ours or of a library; empty for other values."""
    if isinstance(value, Class):
        return value.name
    return value.__name__ if isinstance(value, type) else ""
