"""The history of revisions: environments found in every layout, the graph, and that it follows what changes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.migrations.graph import Graph
from sqlalchemy_guard.migrations.history import environments_of, history
from sqlalchemy_guard.migrations.revision import Revision
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.vfs import canonical
from tests.migrations.support import ENV, opened, revision, write

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy_guard.project.workspace import Workspace


def _ids(workspace: Workspace) -> list[list[str]]:
    return [[each.id for each in environment.revisions] for environment in history(workspace)]


def _chain(folder: str) -> dict[str, str]:
    return {
        f"{folder}/one.py": revision("aaaa1", None),
        f"{folder}/two.py": revision("bbbb2", "aaaa1"),
    }


@pytest.mark.parametrize(
    ("configuration", "env", "versions"),
    [
        ({}, "alembic", "alembic/versions"),
        ({"alembic.ini": "[alembic]\nscript_location = migrations\n"}, "migrations", "migrations/versions"),
        ({"alembic.ini": "[alembic]\nscript_location = %(here)s/db\n"}, "db", "db/versions"),
        ({"conf/alembic.ini": "[alembic]\nscript_location = app/db\n"}, "app/db", "app/db/versions"),
        ({"migrations/alembic.ini": "[alembic]\n"}, "migrations", "migrations/versions"),
        (
            {"alembic.ini": "[alembic]\nscript_location = app:db\n", "app/__init__.py": ""},
            "app/db",
            "app/db/versions",
        ),
        (
            {
                "pyproject.toml": '[tool.alembic]\nscript_location = "%(here)s/db"\nversion_locations = ["%(here)s/old"]\n'
            },
            "db",
            "old",
        ),
        (
            {"alembic.ini": "[alembic]\nscript_location = db\nrecursive_version_locations = true\n"},
            "db",
            "db/versions/2026/05",
        ),
    ],
)
def test_every_layout_is_found(
    tmp_path: Path, configuration: dict[str, str], env: str, versions: str
) -> None:
    workspace = opened(tmp_path, {f"{env}/env.py": ENV, **configuration, **_chain(versions)})
    assert _ids(workspace) == [["aaaa1", "bbbb2"]]
    (environment,) = history(workspace)
    assert [os.path.basename(each.file_id) for each in environment.configurations] == [
        os.path.basename(path) for path in configuration if not path.endswith(".py")
    ]


def test_several_version_folders_are_one_history(tmp_path: Path) -> None:
    locations = os.pathsep.join(("db/versions", "plugin/versions"))
    ini = f"[alembic]\nscript_location = db\nversion_locations = {locations}\nversion_path_separator = os  # note\n"
    files = {
        "alembic.ini": ini,
        "db/env.py": ENV,
        **_chain("db/versions"),
        "plugin/versions/three.py": revision("cccc3", None, branch_labels=("plugin",), depends_on="bbbb2"),
    }
    workspace = opened(tmp_path, files)
    assert _ids(workspace) == [["aaaa1", "bbbb2", "cccc3"]]
    assert history(workspace)[0].graph.find("plugin@head") is None
    assert history(workspace)[0].graph.find("plugin") is not None


def test_histories_that_the_application_chooses_among(tmp_path: Path) -> None:
    files = {"db/env.py": ENV, **_chain("db/versions/sqlite"), **_chain("db/versions/postgresql")}
    assert _ids(opened(tmp_path, files)) == [["aaaa1", "bbbb2"], ["aaaa1", "bbbb2"]]


def test_two_sections_with_a_folder_each(tmp_path: Path) -> None:
    ini = "[alembic]\nfile_template = %%(rev)s\n[core]\nscript_location = core\n[tenant]\nscript_location = tenant\n"
    files = {"alembic.ini": ini, "core/env.py": ENV, "tenant/env.py": ENV}
    workspace = opened(tmp_path, files | _chain("core/versions") | _chain("tenant/versions"))
    assert [[each.section for each in one.configurations] for one in history(workspace)] == [
        ["core"],
        ["tenant"],
    ]


def test_an_env_without_versions_is_a_template(tmp_path: Path) -> None:
    assert history(opened(tmp_path, {"templates/generic/env.py": ENV, "app.py": "import sqlalchemy\n"})) == []


def test_identifiers_in_every_form(tmp_path: Path) -> None:
    files = {
        "db/env.py": ENV,
        "db/versions/one.py": 'import alembic\nrevision: Final = "aaaa1"\ndown_revision: str | None = None\n',
        "db/versions/two.py": 'import alembic\nPARENT = "aaaa1"\nrevision: str = "bbbb2"\ndown_revision = PARENT\n',
        "db/versions/three.py": revision("cccc3", ["aaaa1", "bbbb2"]),
        "db/versions/four.py": "import alembic, os\nrevision = 'dddd4'\ndown_revision = os.environ['X']\n",
        "db/versions/helper.py": "import alembic\n",
    }
    (environment,) = history(opened(tmp_path, files))
    assert {each.id: each.down for each in environment.graph.revisions} == {
        "aaaa1": (),
        "bbbb2": ("aaaa1",),
        "cccc3": ("aaaa1", "bbbb2"),
        "dddd4": (),
    }
    assert [each.id for each in environment.graph.revisions if not each.is_known] == ["dddd4"]


# -- what changes ----------------------------------------------------------------------------------------------------


def test_it_follows_the_disk_and_the_editor(tmp_path: Path) -> None:
    workspace = opened(tmp_path, {"db/env.py": ENV, **_chain("db/versions")})
    first = history(workspace)
    assert history(workspace) is first

    three = canonical(str(tmp_path / "db/versions/three.py"))
    write(tmp_path, {"db/versions/three.py": revision("cccc3", "bbbb2")})
    workspace.changed_on_disk([three])
    assert _ids(workspace) == [["aaaa1", "bbbb2", "cccc3"]]

    workspace.open(three, Document.from_text(three, revision("dddd4", "bbbb2")))
    assert _ids(workspace) == [["aaaa1", "bbbb2", "dddd4"]]
    (tmp_path / "db/versions/three.py").unlink()
    workspace.close(three)
    assert _ids(workspace) == [["aaaa1", "bbbb2"]]

    kept = history(workspace)
    two = canonical(str(tmp_path / "db/versions/two.py"))
    workspace.open(two, Document.from_text(two, revision("bbbb2", "aaaa1", "def upgrade():\n    op.f(1)\n")))
    assert history(workspace) is kept

    ini = canonical(str(tmp_path / "alembic.ini"))
    write(tmp_path, {"alembic.ini": "[alembic]\nscript_location = db\nversion_locations = db/other\n"})
    workspace.changed_on_disk([ini])
    assert _ids(workspace) == [[]]
    write(tmp_path, {"alembic.ini": "[alembic]\nscript_location = db\nversion_locations = db/versions\n"})
    workspace.changed_on_disk([ini])
    assert _ids(workspace) == [["aaaa1", "bbbb2"]]


def test_the_environments_of_a_file(tmp_path: Path) -> None:
    workspace = opened(tmp_path, {"db/env.py": ENV, **_chain("db/versions")})
    two = canonical(str(tmp_path / "db/versions/two.py"))
    assert [revision.id for _, revision in environments_of(workspace, two)] == ["bbbb2"]
    assert not list(environments_of(workspace, canonical(str(tmp_path / "db/env.py"))))


# -- the graph -------------------------------------------------------------------------------------------------------


def _graph(**revisions: tuple[str, ...]) -> Graph:
    return Graph(Revision(f"/{id_}.py", id_, down) for id_, down in revisions.items())


def _names(revisions: tuple[Revision, ...]) -> list[str]:
    return [each.id for each in revisions]


def test_branches_and_merges() -> None:
    graph = _graph(
        base=(), left=("base",), right=("base",), left2=("left",), join=("left2", "right"), tip=("join",)
    )
    assert _names(graph.heads) == ["tip"]
    assert _names(graph.bases) == ["base"]
    assert _names(graph.order) == ["base", "left", "left2", "right", "join", "tip"]
    assert graph.ancestors(graph.by_id["join"]) == {"base", "left", "right", "left2"}


def test_cycles_are_left_out_with_what_follows_them() -> None:
    graph = _graph(base=(), one=("two",), two=("one",), after=("two",), own=("own",))
    assert _names(graph.order) == ["base"]
    assert sorted(_names(graph.cyclic)) == ["one", "own", "two"]


def test_parents_that_are_nowhere_and_short_ids() -> None:
    graph = _graph(ae1027a6acf=(), b1=("ae10",), c1=("zzzz",), ae1027b00=("b1",))
    assert graph.missing(graph.by_id["b1"]) == ("ae10",)
    graph = _graph(ae1027a6acf=(), b1=("ae1027",))
    assert _names(graph.parents(graph.by_id["b1"])) == ["ae1027a6acf"]


def test_duplicates() -> None:
    graph = Graph(
        [Revision("/a.py", "same"), Revision("/b.py", "same"), Revision("/c.py", "other", ("same",))]
    )
    assert list(graph.duplicates) == ["same"]
    assert _names(graph.order) == ["same", "other"]
