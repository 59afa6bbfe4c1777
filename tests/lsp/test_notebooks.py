"""Notebooks: cells are one module, and everything goes back to the cell it belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from sqlalchemy_guard.lsp.notebooks import python_line
from tests.lsp.support.driver import REAL, Client, insert, span

BOOK = "file:///project/book.ipynb"


def cell(number: int) -> str:
    return f"vscode-notebook-cell:/project/book.ipynb#{number}"


def open_book(client: Client, *sources: str) -> None:
    client.notify(
        "notebookDocument/didOpen",
        {
            "notebookDocument": {
                "uri": BOOK,
                "notebookType": "jupyter-notebook",
                "version": 1,
                "cells": [{"kind": 2, "document": cell(n)} for n in range(len(sources))],
            },
            "cellTextDocuments": [
                {"uri": cell(n), "languageId": "python", "version": 1, "text": source}
                for n, source in enumerate(sources)
            ],
        },
    )


def change_book(client: Client, version: int, **cells: Any) -> None:
    client.notify(
        "notebookDocument/didChange",
        {"notebookDocument": {"uri": BOOK, "version": version}, "change": {"cells": cells}},
    )


def test_diagnostics_and_edits_go_to_their_cells() -> None:
    with Client() as client:
        result = client.initialize(
            {
                "workspace": {"workspaceEdit": {"documentChanges": True}},
                "notebookDocument": {"synchronization": {}},
            }
        )
        (selector,) = result["capabilities"]["notebookDocumentSync"]["notebookSelector"]
        assert selector["cells"] == [{"language": "python"}]
        open_book(client, "a = 1", "\nb = BAD", "c = 1")
        assert [one["range"] for one in client.published(cell(1), 1)] == [span(1, 4, 1, 7)]
        assert client.published(cell(0), 1) == client.published(cell(2), 1) == []
        (change,) = client.actions(cell(1), (1, 4, 1, 7))[0]["edit"]["documentChanges"]
        assert change["textDocument"] == {"uri": cell(1), "version": 1}
        assert change["edits"] == [{"range": span(1, 4, 1, 7), "newText": "GOOD"}]
        where = {"textDocument": {"uri": cell(1)}, "position": {"line": 1, "character": 4}}
        assert client.request("textDocument/hover", where)["range"] == span(1, 4, 1, 7)


def test_cells_change_come_and_go() -> None:
    with Client() as client:
        client.initialize()
        open_book(client, "a = 1", "b = BAD")
        client.published(cell(1), 1)
        text = {"document": {"uri": cell(0), "version": 2}, "changes": [insert(0, 0, "BAD\n")]}
        change_book(client, 2, textContent=[text])
        assert [one["range"] for one in client.published(cell(0), 2)] == [span(0, 0, 0, 3)]
        opened = {"uri": cell(9), "languageId": "python", "version": 5, "text": "x\nBAD"}
        array = {"start": 1, "deleteCount": 1, "cells": [{"kind": 2, "document": cell(9)}]}
        change_book(
            client, 3, structure={"array": array, "didOpen": [opened], "didClose": [{"uri": cell(1)}]}
        )
        assert [one["range"] for one in client.published(cell(9), 5)] == [span(1, 0, 1, 3)]
        assert client.published(cell(1), None) == []
        client.notify(
            "notebookDocument/didClose",
            {"notebookDocument": {"uri": BOOK}, "cellTextDocuments": [{"uri": cell(0)}, {"uri": cell(9)}]},
        )
        assert client.published(cell(9), None) == []


def test_text_cells_are_no_code() -> None:
    with Client() as client:
        client.initialize()
        open_book(client, "BAD", "x = 1")
        client.published(cell(0), 1)
        change_book(client, 2, data=[{"kind": 1, "document": cell(0)}])
        change_book(
            client,
            3,
            textContent=[{"document": {"uri": cell(1), "version": 2}, "changes": [insert(0, 0, "BAD\n")]}],
        )
        assert len(client.published(cell(1), 2)) == 1


def test_a_client_that_pulls_asks_for_each_cell() -> None:
    with Client() as client:
        client.initialize(
            {"textDocument": {"diagnostic": {}}, "workspace": {"diagnostics": {"refreshSupport": True}}}
        )
        open_book(client, "a = 1", "BAD")
        items = client.request("textDocument/diagnostic", {"textDocument": {"uri": cell(1)}})["items"]
        assert [one["range"] for one in items] == [span(0, 0, 0, 3)]
        assert client.request("textDocument/diagnostic", {"textDocument": {"uri": cell(0)}})["items"] == []


def test_the_real_analysis_sees_across_cells_and_past_magics() -> None:
    with Client(REAL) as client:
        client.initialize()
        open_book(
            client,
            "%load_ext sql\n!pip install sqlalchemy\nimport sqlalchemy as sa",
            "%%bash\necho 'not (python'",
            "files = !ls\nengine = sa.create_engine('postgresql://x')\nengine?",
        )
        found = client.published(cell(2), 1)
        assert "SAG101" in [one["code"] for one in found]
        assert {one["range"]["start"]["line"] for one in found} == {1}


@pytest.mark.parametrize(
    ("line", "python"),
    [
        ("%time x()\n", "pass\n"),
        ("    !ls\n", "    pass\n"),
        ("?thing\r\n", "pass\r\n"),
        ("thing.part??", "pass"),
        ("x = %time y()\n", "x = None\n"),
        ("x = 5 % 3\n", "x = 5 % 3\n"),
        ("x = a != b\n", "x = a != b\n"),
        ("print('what?')\n", "print('what?')\n"),
    ],
)
def test_lines_that_are_no_python(line: str, python: str) -> None:
    assert python_line(line) == python
