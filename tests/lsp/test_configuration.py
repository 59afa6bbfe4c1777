"""Settings of the editor, configuration files that change, folders that come and go, and work in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.lsp.support.driver import REAL, Client, insert

if TYPE_CHECKING:
    from pathlib import Path

URI = "file:///project/module.py"
WATCHING: dict[str, Any] = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}}
ENGINE = "from sqlalchemy import create_engine\n\nengine = create_engine('postgresql://x')\n"


def codes(client: Client, uri: str, version: int) -> set[str]:
    return {one["code"] for one in client.published(uri, version)}


def wait_for(client: Client, uri: str, wanted: set[str]) -> None:
    """Until a publication has exactly these codes."""
    client.wait(
        f"{wanted} in {uri}",
        lambda message: (
            message.get("method") == "textDocument/publishDiagnostics"
            and message["params"]["uri"] == uri
            and {one["code"] for one in message["params"]["diagnostics"]} == wanted
        ),
    )


@pytest.mark.parametrize(
    "options",
    [
        {"ignore": ["SAG901"]},
        {"settings": {"ignore": ["SAG901"]}},
        {"settings": {"sqlalchemyGuard": {"ignore": ["SAG901"], "trace": "off"}}},
        {"settings": {}, "folders": {"file:///project": {"ignore": ["SAG901"]}}},
    ],
)
def test_settings_come_with_initialize(options: dict[str, Any]) -> None:
    with Client() as client:
        client.initialize(initializationOptions=options, folders=["file:///project"])
        client.open(URI, "BAD WORSE\n")
        assert codes(client, URI, 1) == {"SAG902"}


def test_settings_are_pushed() -> None:
    with Client() as client:
        client.initialize()
        client.open(URI, "BAD WORSE\n")
        assert codes(client, URI, 1) == {"SAG901", "SAG902"}
        settings = {"sqlalchemyGuard": {"ignore": ["SAG901"], "nonsense": 1}}
        client.notify("workspace/didChangeConfiguration", {"settings": settings})
        wait_for(client, URI, {"SAG902"})


def test_settings_are_asked_for_by_folder() -> None:
    other = "file:///other/module.py"

    def answer(params: dict[str, Any]) -> list[Any]:
        return [
            {"ignore": ["SAG901"]} if item.get("scopeUri") == "file:///other" else None
            for item in params["items"]
        ]

    with Client() as client:
        client.answers["workspace/configuration"] = answer
        client.initialize({"workspace": {"configuration": True}}, ["file:///project", "file:///other"])
        client.open(URI, "BAD WORSE\n")
        client.open(other, "BAD WORSE\n")
        wait_for(client, other, {"SAG902"})
        assert codes(client, URI, 1) == {"SAG901", "SAG902"}


def test_a_wrong_setting_is_told_and_skipped() -> None:
    with Client() as client:
        client.initialize(initializationOptions={"ignore": 5})
        client.open(URI, "BAD\n")
        assert codes(client, URI, 1) == {"SAG901"}
        message = client.wait("the log message", lambda message: message.get("method") == "window/logMessage")
        assert "ignore" in message["params"]["message"]


def test_a_configuration_file_is_watched(tmp_path: Path) -> None:
    uri, config = (tmp_path / "a.py").as_uri(), tmp_path / "sqlalchemy-guard.toml"
    with Client() as client:
        client.initialize(WATCHING, [tmp_path.as_uri()])
        registered = client.wait(
            "registration", lambda message: message.get("method") == "client/registerCapability"
        )
        (watch,) = registered["params"]["registrations"]
        assert {"globPattern": "**/pyproject.toml"} in watch["registerOptions"]["watchers"]
        client.open(uri, "BAD WORSE\n")
        assert codes(client, uri, 1) == {"SAG901", "SAG902"}
        config.write_text('ignore = ["SAG901"]\n')
        client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": config.as_uri(), "type": 1}]})
        wait_for(client, uri, {"SAG902"})


def test_without_a_watcher_saving_looks_at_the_configuration(tmp_path: Path) -> None:
    uri, config = (tmp_path / "a.py").as_uri(), tmp_path / "sqlalchemy-guard.toml"
    with Client() as client:
        client.initialize({}, [tmp_path.as_uri()])
        client.open(uri, "BAD WORSE\n")
        assert codes(client, uri, 1) == {"SAG901", "SAG902"}
        config.write_text('ignore = ["SAG901"]\n')
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        wait_for(client, uri, {"SAG902"})


def test_checking_on_save_only() -> None:
    with Client() as client:
        client.initialize(initializationOptions={"run": "onSave"})
        client.open(URI, "x\n")
        assert codes(client, URI, 1) == set()
        client.change(URI, 2, insert(0, 0, "BAD "))
        client.change(URI, 3, insert(0, 0, "WORSE "))
        # An answer to a later request shows that the changes were handled.
        assert client.actions(URI, (0, 0, 0, 0))
        assert [one["version"] for one in client.publications(URI)] == [1]
        client.notify("textDocument/didSave", {"textDocument": {"uri": URI}})
        assert codes(client, URI, 3) == {"SAG901", "SAG902"}


def test_folders_come_and_go(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, module in ((first, "engines"), (second, "motors")):
        folder.mkdir()
        (folder / f"{module}.py").write_text("from sqlalchemy import create_engine as make\n")
    uri = (first / "app.py").as_uri()
    with Client(REAL) as client:
        client.initialize({}, [first.as_uri()])
        client.open(uri, "from motors import make\n\nengine = make('postgresql://x')\n")
        assert codes(client, uri, 1) == set()
        event = {"added": [{"uri": second.as_uri(), "name": "second"}], "removed": []}
        client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
        wait_for(client, uri, {"SAG101", "SAG102"})


def test_a_file_that_changes_on_the_disk_is_seen(tmp_path: Path) -> None:
    module = tmp_path / "engines.py"
    module.write_text("def make(url): ...\n")
    uri = (tmp_path / "app.py").as_uri()
    with Client(REAL) as client:
        client.initialize(WATCHING, [tmp_path.as_uri()])
        client.open(uri, "from engines import make\n\nengine = make('postgresql://x')\n")
        assert codes(client, uri, 1) == set()
        module.write_text("from sqlalchemy import create_engine as make\n")
        client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": module.as_uri(), "type": 2}]})
        wait_for(client, uri, {"SAG101", "SAG102"})


def test_another_version_of_sqlalchemy_is_taken_note_of(tmp_path: Path) -> None:
    uri, pins = (tmp_path / "a.py").as_uri(), tmp_path / "requirements.txt"
    pins.write_text("sqlalchemy==1.4.50\n")
    with Client(REAL) as client:
        client.initialize(WATCHING, [tmp_path.as_uri()])
        text = "from sqlalchemy.ext.declarative import declarative_base\n\nBase = declarative_base()\n"
        client.open(uri, text)
        assert "SAG201" not in codes(client, uri, 1)
        pins.write_text("sqlalchemy==2.0.40\n")
        client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": pins.as_uri(), "type": 2}]})
        wait_for(client, uri, {"SAG201"})


def test_a_test_follows_the_fixture_that_it_never_imports(tmp_path: Path) -> None:
    uri, fixtures = (tmp_path / "test_a.py").as_uri(), (tmp_path / "conftest.py").as_uri()
    bare = "import pytest\n\n\n@pytest.fixture\ndef db_link():\n    return object()\n"
    made = (
        "import pytest\nfrom sqlalchemy.orm import sessionmaker\n\nMake = sessionmaker()\n\n\n"
        "@pytest.fixture\ndef db_link():\n    return Make()\n"
    )
    text = "from app import User\n\n\ndef test_it(db_link):\n    assert db_link.query(User).all()\n"
    (tmp_path / "conftest.py").write_text(bare)
    (tmp_path / "test_a.py").write_text(text)
    (tmp_path / "app.py").write_text(
        "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\n\n\nclass Base(DeclarativeBase):\n    pass\n\n\n"
        "class User(Base):\n    __tablename__ = 'users'\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
    )
    with Client(REAL) as client:
        client.initialize({}, [tmp_path.as_uri()])
        client.open(uri, text)
        assert codes(client, uri, 1) == set()
        client.open(fixtures, bare)
        client.change(fixtures, 2, {"text": made})
        wait_for(client, uri, {"SAG301"})


def test_indexing_reports_progress(tmp_path: Path) -> None:
    with Client() as client:
        client.initialize({"window": {"workDoneProgress": True}}, [tmp_path.as_uri()])
        created = client.wait(
            "progress", lambda message: message.get("method") == "window/workDoneProgress/create"
        )
        token = created["params"]["token"]

        def of(kind: str) -> dict[str, Any]:
            return client.wait(
                f"{kind} of progress",
                lambda message: (
                    message.get("method") == "$/progress"
                    and message["params"]["token"] == token
                    and message["params"]["value"]["kind"] == kind
                ),
            )["params"]["value"]

        assert of("begin")["cancellable"] is True
        assert of("end")["message"] == "Done"


@pytest.mark.parametrize("method", ["window/workDoneProgress/cancel", "$/cancelRequest"])
def test_indexing_can_be_cancelled(tmp_path: Path, method: str) -> None:
    for number in range(3000):
        (tmp_path / f"m{number}.py").write_text(ENGINE * 3)
    with Client(REAL) as client:
        client.initialize({"window": {"workDoneProgress": True}}, [tmp_path.as_uri()])
        created = client.wait(
            "progress", lambda message: message.get("method") == "window/workDoneProgress/create"
        )
        token = created["params"]["token"]
        client.wait("begin", lambda message: message.get("method") == "$/progress")
        client.notify(method, {"token": token, "id": token})
        end = client.wait(
            "the end",
            lambda message: (
                message.get("method") == "$/progress" and message["params"]["value"]["kind"] == "end"
            ),
        )
        assert end["params"]["value"]["message"] == "Cancelled"
        uri = (tmp_path / "m1.py").as_uri()
        client.open(uri, ENGINE)
        assert codes(client, uri, 1) == {"SAG101", "SAG102"}
