"""Documents that are not Python, in an editor: diagnostics, quick fixes, comments that silence, changes, broken texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.lsp.support.driver import REAL, Client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {
    "alembic.ini": "[alembic]\nscript_location = alembic\n",
    "alembic/env.py": (
        "from alembic import context\nfrom models import Base\n\ntarget_metadata = Base.metadata\n\n\n"
        "def run_migrations_online():\n    context.configure()\n    context.run_migrations()\n"
    ),
    "alembic/versions/.keep": "",
    "models.py": "from sqlalchemy.orm import DeclarativeBase\n\n\nclass Base(DeclarativeBase):\n    pass\n",
    "main.py": "import models\n\napp = object()\n",
    "tests/test_it.py": "import models\n\n\ndef test_it():\n    assert models\n",
}
WORKFLOW = """\
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    services:
      db:
        image: postgres:17
    steps:
      - run: pip install .
      - run: pytest -q
"""
DOCKERFILE = 'FROM python:3.13\nCMD ["uvicorn", "main:app"]\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small application with migrations."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture
def client(project: Path) -> Iterator[Client]:
    """A client whose workspace has been read."""
    with Client(REAL) as client:
        client.initialize({"window": {"workDoneProgress": True}}, [project.as_uri()])
        client.wait(
            "the end of indexing",
            lambda message: (
                message.get("method") == "$/progress" and message["params"]["value"]["kind"] == "end"
            ),
        )
        yield client


def codes(found: list[dict[str, Any]]) -> list[str]:
    return [one["code"] for one in found]


def test_a_workflow_is_checked_when_it_is_opened_and_again_when_it_changes(
    client: Client, project: Path
) -> None:
    uri = (project / ".github" / "workflows" / "ci.yml").as_uri()
    client.open(uri, WORKFLOW, language="yaml")
    (found,) = client.published(uri, 1)
    assert found["code"] == "SAG509"
    assert found["range"]["start"] == {"line": 9, "character": 13}
    fix, by_line, by_file, _ = client.actions(uri, (9, 15, 9, 15))
    assert fix["title"] == "Run `alembic upgrade head` before (may change behaviour)"
    (edit,) = fix["edit"]["changes"][uri]
    assert edit["newText"] == "      - name: Migrate the database\n        run: alembic upgrade head\n"
    assert edit["range"]["start"] == {"line": 9, "character": 0}
    assert by_line["edit"]["changes"][uri][0]["newText"] == "  # noqa: SAG509"
    assert by_file["edit"]["changes"][uri][0]["newText"] == "# sqlalchemy-guard: noqa: SAG509\n"
    client.change(uri, 2, {"text": WORKFLOW.replace("pytest -q", "pytest -q  # noqa: SAG509")})
    assert client.published(uri, 2) == []
    client.change(uri, 3, {"text": WORKFLOW.replace("pip install .", "alembic upgrade head")})
    assert client.published(uri, 3) == []
    client.change(uri, 4, {"text": WORKFLOW})
    assert codes(client.published(uri, 4)) == ["SAG509"]


def test_a_script_that_is_opened_counts_for_the_document_that_calls_it(client: Client, project: Path) -> None:
    docker, script = (project / "Dockerfile").as_uri(), (project / "release.sh").as_uri()
    client.open(docker, DOCKERFILE, language="dockerfile")
    assert codes(client.published(docker, 1)) == ["SAG509"]
    client.open(script, "alembic upgrade head\n", language="shellscript")
    client.wait(
        "the Dockerfile without violations",
        lambda message: (
            message.get("method") == "textDocument/publishDiagnostics"
            and message["params"]["uri"] == docker
            and message["params"]["diagnostics"] == []
        ),
    )


@pytest.mark.parametrize(
    ("name", "language", "text"),
    [
        (".github/workflows/broken.yml", "yaml", "jobs:\n  - [unclosed\n x: 'y\n"),
        (".github/workflows/odd.yml", "yaml", "jobs: &a\n  <<: *a\n  test: *a\n"),
        (".gitlab-ci.yml", "yaml", "\x00\x01"),
        ("Dockerfile", "dockerfile", "CMD [\"uvicorn\nENTRYPOINT 'x\n\\"),
        ("alembic.ini", "ini", "[alembic\n= =\nsqlalchemy.url"),
        ("Makefile", "makefile", "\t\\\n:\n\tmake 'x\n"),
        ("start.sh", "shellscript", "cat <<EOF\nuvicorn main:app\n$( ${ `\n"),
        ("compose.yml", "yaml", "services:\n  web:\n    command: [1, {a: b}, null]\n"),
    ],
)
def test_what_cannot_be_read_costs_nothing_else(
    client: Client, project: Path, name: str, language: str, text: str
) -> None:
    uri, other = (project / name).as_uri(), (project / ".github" / "workflows" / "ci.yml").as_uri()
    client.open(uri, text, language=language)
    assert client.published(uri, 1) == []
    client.open(other, WORKFLOW, language="yaml")
    assert codes(client.published(other, 1)) == ["SAG509"]


def test_other_documents_are_none_of_our_business(client: Client, project: Path) -> None:
    readme, docker = (project / "README.md").as_uri(), (project / "Dockerfile").as_uri()
    client.open(readme, "uvicorn main:app\n", language="markdown")
    client.open(docker, DOCKERFILE, language="dockerfile")
    assert codes(client.published(docker, 1)) == ["SAG509"]
    assert not any(message.get("params", {}).get("uri") == readme for message in client.received)
