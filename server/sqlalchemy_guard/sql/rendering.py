"""A statement as people read it: compiled for a dialect, laid out, its parameters named as the source names them.

This module must never execute anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import orm
from sqlalchemy.sql import dml

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.sql import ddl, natives, products

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDEST = 100
_LONGEST_LITERAL = 40


class Rendered(NamedTuple):
    """A statement of one dialect.

    Attributes:
        sql: Its text; empty when the dialect has none for it.
        parameters: The names of the values that are not known.
        error: Why the dialect has no text for it.
        unlinked: FROM elements that nothing links: `posts and users`.
    """

    sql: str
    parameters: tuple[str, ...]
    error: str
    unlinked: tuple[str, ...]


def render(statement: Any, dialect_name: str) -> Rendered:
    """Compile and lay out a statement.

    Args:
        statement: A SELECT, INSERT, UPDATE or DELETE, or a text.
        dialect_name: One of `ddl.DIALECTS`.
    """
    dialect = ddl.dialect_named(dialect_name)
    dialect.paramstyle = "named"
    dialect.positional = False
    try:
        compiled = natives.quietly(lambda: dialect.statement_compiler(dialect, statement))
    except natives.LIBRARY_ERRORS as error:
        return Rendered("", (), str(error).partition("\n")[0], ())
    text, names = _named(compiled)
    return Rendered(laid_out(text), tuple(names), "", tuple(_unlinked(statement)))


def _unlinked(statement: Any) -> Iterator[str]:
    sources = products.sources_of(statement)
    if sources is not None:
        for one, other in sources.apart()[:1]:
            yield f"{sources.names[one]} and {sources.names[other]}"


def _named(compiled: Any) -> tuple[str, list[str]]:
    """The text with values that are known written out, and the names of the others."""
    text: str = compiled.string
    names: list[str] = []
    replacements: dict[str, str] = {}
    taken: set[str] = set()
    # Defaults that Python computes at the time: their value is not known, nor is it NULL.
    computed = {
        column.key
        for name in ("insert_prefetch", "update_prefetch")
        for column in getattr(compiled, name, None) or ()
    }
    for bound, key in compiled.bind_names.items():
        if bound.value is None and bound.key in computed:
            names.append(key)
            taken.add(key)
            replacements[key] = f":{key}"
            continue
        literal = _literal(bound.value) if not bound.required and bound.callable is None else None
        if literal is not None:
            replacements[key] = literal
            continue
        name = re.sub(r"_\d+$", "", key) if bound.unique else key
        while name in taken:
            name = key if key not in taken else f"{name}_"
        taken.add(name)
        names.append(name)
        replacements[key] = f":{name}"

    def replace(match: re.Match[str]) -> str:
        return replacements.get(match.group(1) or match.group(2) or "", match.group())

    # The types that PostgreSQL's drivers add to parameters say nothing that the code does.
    cast = r"(?:::[A-Z][A-Z ]*(?:\([\d, ]*\))?(?:\[\])?)?"
    text = re.sub(rf"__\[POSTCOMPILE_(\w+)(?:~~.*?~~)?\]|(?<![:\w]):(\w+){cast}", replace, text)
    # `IN (:ids)`, and the list of a known one without the parentheses of its own.
    return re.sub(
        r"\(\((.*?)\)\)", lambda match: f"({match.group(1)})", text
    ) if " IN ((" in text else text, names


def _literal(value: Any) -> str | None:
    """A known value as SQL, None for one that is better named."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str) and len(value) <= _LONGEST_LITERAL:
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, (list, tuple)) and value and len(value) <= 10:
        parts = [_literal(one) for one in value]
        return f"({', '.join(part for part in parts if part is not None)})" if None not in parts else None
    return None


# -- layout --------------------------------------------------------------------------------------------------------

_CLAUSES = (
    "(?:LEFT OUTER |FULL OUTER |INNER |CROSS )?JOIN|WHERE|GROUP BY|HAVING|ORDER BY|LIMIT|OFFSET|FETCH|FOR UPDATE|RETURNING"
    "|ON CONFLICT|ON DUPLICATE|VALUES|SET|UNION|INTERSECT|EXCEPT"
)
_BREAKS = rf"(?<=\S)(?<!OUTER)(?<!INNER)(?<!CROSS) (?=(?:{_CLAUSES}) )"


def laid_out(text: str) -> str:
    """One clause a line, long lists one element a line; what stands in parentheses or quotes is left alone."""
    text = "\n".join(line.strip() for line in text.splitlines())
    lines: list[str] = []
    for line in _break(text).split("\n"):
        lines.extend(_wrapped(line.strip()))
    return "\n".join(line for line in lines if line)


def _break(text: str) -> str:
    """Line breaks in front of clauses that stand outside of parentheses."""
    outside = _masked(text)
    parts: list[str] = []
    last = 0
    for match in re.finditer(_BREAKS, outside):
        parts += [text[last : match.start()], "\n"]
        last = match.end()
    parts.append(text[last:])
    return "".join(parts)


def _masked(text: str) -> str:
    """The text with what stands in parentheses and quotes made blank, of the same length."""
    out: list[str] = []
    depth, quote = 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
            out.append("_")
        elif character in "'\"`":
            quote = character
            out.append("_")
        else:
            depth += (character == "(") - (character == ")")
            out.append(
                character
                if depth == 0 and character != ")"
                else ("\n" if character == "\n" and depth == 0 else "_")
            )
    return "".join(out)


def _wrapped(line: str) -> list[str]:
    if len(line) <= WIDEST:
        return [line]
    outside = _masked(line)
    head = re.match(r"(?:SELECT DISTINCT|SELECT|SET|VALUES|RETURNING|ORDER BY|GROUP BY) ", outside)
    separator = ", "
    if head is None:
        head, separator = re.match(r"(?:WHERE|HAVING|ON) ", outside), " AND "
    if head is None:
        return [line]
    pieces: list[str] = []
    last = head.end()
    for match in re.finditer(re.escape(separator), outside[last:]):
        end = head.end() + match.start()
        pieces.append(line[last:end])
        last = head.end() + match.end()
    pieces.append(line[last:])
    if len(pieces) < 2:
        return [line]
    joiner = "," if separator == ", " else ""
    lead = "    " if separator == ", " else "    AND "
    rows = [line[: head.end()].rstrip()] if separator == ", " else [line[: head.end()] + pieces.pop(0)]
    rows += [f"{lead}{piece}{joiner}" for piece in pieces]
    rows[-1] = rows[-1].rstrip(",")
    return rows


# -- rows ----------------------------------------------------------------------------------------------------------


def shape(statement: Any, terminal: str) -> str:
    """What a row of a statement is: `User`, `tuple[int, str]`; empty for what gives none."""
    described = _descriptions(statement)
    if described is None:
        return ""
    parts = [_python(one) for one in described]
    if terminal in ("count",):
        return "int"
    if len(parts) == 1 and (terminal in _ENTITIES or terminal == ""):
        return parts[0]
    if terminal in ("scalars", "scalar", "stream_scalars"):
        return parts[0]
    return f"tuple[{', '.join(parts)}]"


_ENTITIES = frozenset(
    "scalars scalar stream_scalars all first one one_or_none get get_one get_or_404 first_or_404 one_or_404 paginate exec".split()
)


def _descriptions(statement: Any) -> list[dict[str, Any]] | None:
    try:
        if isinstance(statement, dml.UpdateBase):
            return list(statement.returning_column_descriptions) or None
        return list(statement.column_descriptions)
    except (AttributeError, NotImplementedError, sqlalchemy.exc.SQLAlchemyError):
        return None


def _python(described: dict[str, Any]) -> str:
    entity = described.get("entity")
    if entity is not None and described.get("expr") is entity:
        mapper = sqlalchemy.inspect(entity).mapper
        return str(mapper.class_.__name__)
    try:
        return str(described["type"].python_type.__name__)
    except (NotImplementedError, AttributeError):
        return "Any"


def eager(statement: Any) -> Iterator[str]:
    """What mappers load besides, as they are configured: `lazy="selectin"` and its like."""
    seen: set[Any] = set()
    for described in _descriptions(statement) or ():
        entity = described.get("entity")
        if entity is None or described.get("expr") is not entity:
            continue
        mapper: orm.Mapper[Any] = sqlalchemy.inspect(entity).mapper
        if mapper in seen:
            continue
        seen.add(mapper)
        for one in mapper.relationships:
            if one.lazy in ("selectin", "subquery", "immediate"):
                yield f"1 SELECT by lazy={one.lazy!r} of {mapper.class_.__name__}.{one.key}"
