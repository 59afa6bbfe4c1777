"""ORDER BY and GROUP BY: names in their text that only the SQL of Query has.

Query labels columns `users_name` where select() writes `name`; text that refers to such a label breaks.
This module must never know other links.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.select.statement import ORDERS
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.query import Link
    from sqlalchemy_guard.fixes.select.statement import Statement


def ordered(statement: Statement, link: Link) -> str | None:
    """Note what orders; Query takes `False` for `None`, which forgets what ordered before."""
    if len(link.args) == 1 and isinstance(link.args[0], ast.Constant) and link.args[0].value is False:
        return f"stmt.{link.name}(None)"
    for node in link.args:
        unpacked = node.value if isinstance(node, ast.Starred) else node
        unknown = _label_of_query(statement, unpacked)
        if unknown is not None:
            statement.doubt(f"`{unknown}` may be a name that only the SQL of Query has")
        if link.name == "order_by":
            statement.ordering.append(unpacked)
            statement.words.extend(_words(statement, unpacked))
    return None


def ambiguous_word(statement: Statement) -> str | None:
    """A word in the text of ORDER BY that several FROM elements may have as a column; None without.

    The database refuses it for Query, whose labels are longer; of select() it takes the column that is selected.
    """
    if not statement.words or (len(statement.owners) < 2 and statement.opaque is None):
        return None
    labels = {each.info.label for each in statement.selected}
    known = statement.opaque is None and statement.owners.keys() <= statement.models.keys()
    for word in statement.words:
        having = [model for model in statement.models.values() if word in model.columns]
        if word not in labels and not (known and len(having) == 1):
            return word
    return None


def orders_by_name(statement: Statement) -> bool:
    """Whether a string names what the rows are ordered by."""
    named = (statement.ordered_by(node) for node in statement.ordering)
    return any(isinstance(node, ast.Constant) and isinstance(node.value, str) for node in named)


_LABELLED = lazy_pattern(r"(?<![\w.])[A-Za-z]\w*_\w+(?![\w.(])")


_QUOTED = lazy_pattern(r"'[^']*'")
_WORD = lazy_pattern(r"(?<![\w.:\"`])[A-Za-z_]\w*(?![\w.(\"`])")
_KEYWORDS = frozenset(
    (
        *("and", "asc", "case", "collate", "desc", "distinct", "else", "end", "false", "first", "in", "is"),
        *("last", "like", "nocase", "not", "null", "nulls", "or", "then", "true", "when"),
    )
)


def _words(statement: Statement, node: ast.expr) -> list[str]:
    """The names without a table in the text of ORDER BY."""
    while isinstance(node, ast.Call) and node.args:
        name = (statement.knowledge.qualified_name(node.func) or "").rpartition(".")[2]
        if name not in ORDERS | {"text"}:
            break
        node = node.args[0]
        if name == "text" and isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = _WORD.findall(_QUOTED.sub("", node.value))
            return [word for word in found if word.lower() not in _KEYWORDS]
    return []


def _label_of_query(statement: Statement, node: ast.expr) -> str | None:
    """A word in the text of ORDER BY that may be a label as Query writes them: `users_name`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        known = {name for each in statement.selected if (name := each.info.label)}
        if len(statement.sources) == 1:
            known.update(name for model in statement.models.values() for name in model.columns)
        return None if node.value in known else node.value
    if not isinstance(node, ast.Call) or not node.args:
        return None
    name = (statement.knowledge.qualified_name(node.func) or "").rpartition(".")[2]
    if name in ORDERS:
        return _label_of_query(statement, node.args[0])
    given = node.args[0]
    if name == "text" and isinstance(given, ast.Constant) and isinstance(given.value, str):
        known = {column for model in statement.models.values() for column in model.columns}
        known.update(each.info.label for each in statement.selected if each.info.label)
        return next((word for word in _LABELLED.findall(given.value) if word not in known), None)
    return None
