"""The page of supported forms, written from the tables so that it cannot differ from them.

This module must never know a form that no table has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.select import consumers, links, source, terminals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_INTRODUCTION = """\
# Legacy queries and their 2.x form

`legacy-query` rewrites expressions of the Query API to `select()`. This page is generated from the
tables that do it.

In the forms `stmt` is the statement as far as it is built, `*args` are the arguments as you wrote them, and
`.unique()` is written only where Query's silent de-duplication could show: behind joins that can repeat an
entity, joined eager loading of collections (by an option or by the mapping), unions, `from_statement()`, and
criteria that are not understood.

A rewrite is **safe** when the session, what is selected, every link and the terminal are proven; both sides
then give the same values, exceptions and SQL. Otherwise it is offered as unsafe with the reason in its title,
or the message says what to write. Four differences are not counted, as no value that worked before changes:
names of labels in the SQL text, the SELECT list inside EXISTS, a count without a subquery where that counts
the same rows, and names that rows of `select()` have for expressions that had none.
"""

_FLOWS = """\
A query that is given a name, returned or handed to a function is followed through variables, branches, loops,
parameters, results, properties and methods, in all files. All of it is rewritten together, or nothing is: what
makes the query gives a `select()`, what refines it stays as it is, and what executes it does so with the session
that stands there. The session is a parameter of the function, an attribute of its object, what the caller
passes to the function that makes the query, or an object of a module that can be imported without an import
cycle. `Query[User]` in annotations becomes `Select[tuple[User]]`.

Nothing is rewritten where a value is a query on some paths only, where paths differ in what is selected, where a
function goes through a decorator, is overridden or named without being called, or where the session has no name at the
place of execution. The fix is unsafe where a receiver of unknown type may call the function, where templates may name
it, and where nobody in the workspace calls it.
"""


def render_docs() -> str:
    """The page in Markdown."""
    return "\n".join(
        (
            _INTRODUCTION,
            "## Sessions\n",
            *_table(
                ("session", "executes with"), ((kind.value, text) for kind, text in source.EXECUTES.items())
            ),
            "\n## Links\n",
            *_table(
                ("Query", "select()", "remarks"),
                ((f"{name}()", _code(form.form), form.note) for name, form in links.LINKS.items()),
            ),
            "\n## Terminals\n",
            *_table(
                ("Query", "one class", "columns or several", "remarks"),
                (
                    (
                        "[index]"
                        if name == "[]"
                        else name
                        if name in ("statement", "whereclause")
                        else f"{name}()",
                        _code(form.entity),
                        _code(form.rows) if form.rows else "the same",
                        form.note,
                    )
                    for name, form in terminals.TERMINALS.items()
                ),
            ),
            "\n## Without a terminal\n",
            *_table(
                ("the Query is", "one class", "columns or several", "remarks"),
                (
                    (
                        consumer.value,
                        _code(form.entity),
                        _code(form.rows) if form.rows else "the same",
                        form.note,
                    )
                    for consumer, form in consumers.CONSUMERS.items()
                ),
            ),
            "\n## Over several statements and functions\n",
            _FLOWS,
            "## Not rewritten\n",
            *_refused(links.REFUSED),
            *_refused(terminals.REFUSED),
            *_refused({f"the Query is {kind.value}": text for kind, text in consumers.REFUSED.items()}),
            "",
        )
    )


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    yield _row(head)
    yield "|" + "---|" * len(head)
    for row in rows:
        yield _row(row)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _refused(reasons: Mapping[str, str]) -> Iterable[str]:
    for name, reason in reasons.items():
        yield f"- `{name}`: {reason}." if " " not in name else f"- {name}: {reason}."
