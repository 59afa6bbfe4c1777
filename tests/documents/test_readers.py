"""Readers of documents: places inside of YAML and shell, and texts that nobody would write."""

from __future__ import annotations

import pytest

from sqlalchemy_guard.documents.commands import application, program_of
from sqlalchemy_guard.documents.kinds import EDITOR_PATTERNS, checked_kind, kind_of
from sqlalchemy_guard.documents.nodes import BrokenYaml
from sqlalchemy_guard.documents.noqa import Silences
from sqlalchemy_guard.documents.read import entries_of
from sqlalchemy_guard.documents.shell import Script, simple_commands


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/a/.github/workflows/ci.yml", "github"),
        ("/a/.gitlab-ci.yml", "gitlab"),
        ("/a/.circleci/config.yml", "circleci"),
        ("/a/azure-pipelines-prod.yml", "azure"),
        ("C:\\a\\docker-compose.prod.yaml", "compose"),
        ("/a/compose.yml", "compose"),
        ("/a/helm/shop/templates/web.yaml", "kubernetes"),
        ("/a/web-deployment.yaml", "kubernetes"),
        ("/a/Dockerfile.prod", "dockerfile"),
        ("/a/prod.Dockerfile", "dockerfile"),
        ("/a/.dockerignore", None),
        ("/a/Procfile", "procfile"),
        ("/a/Jenkinsfile", "jenkins"),
        ("/a/Makefile", "make"),
        ("/a/tox.ini", "tox"),
        ("/a/alembic.ini", "ini"),
        ("/a/run.sh", "shell"),
        ("/a/fly.toml", "fly"),
        ("/a/fly.staging.toml", "fly"),
        ("/a/render.yaml", "render"),
        ("/a/heroku.yml", "heroku"),
        ("/a/railway.json", "railway"),
        ("/a/app.json", "hint"),
        ("/a/bin/release", "hint"),
        ("/a/mkdocs.yml", "hint"),
        ("/a/pnpm-lock.yaml", None),
        ("/a/deploy.py", None),
        ("/a/README.md", None),
        ("untitled:Untitled-1", None),
    ],
)
def test_a_name_says_what_a_document_is(path: str, kind: str | None) -> None:
    assert kind_of(path) == kind
    assert checked_kind(path) == (None if kind == "hint" else kind)


def test_patterns_for_editors_are_no_python() -> None:
    assert not [pattern for pattern in EDITOR_PATTERNS if ".py" in pattern]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a && b || c; d | e & f", ["a", "b", "c", "d", "e", "f"]),
        ("a 'b && c' \"d; e\"", ["a b && c d; e"]),
        ("a \\\n  b", ["a b"]),
        ("# a\nb # c", ["b"]),
        ("if a; then\n  b\nelse\n  c\nfi", ["a", "b", "c"]),
        ('case "$1" in\n  web) exec a ;;\n  *) b ;;\nesac', ["case $1 in", "exec a", "b"]),
        ("start() {\n  a\n}\nstart", ["a", "start"]),
        ("cat <<EOF\na && b\nEOF\nc", ["cat", "c"]),
        ("a $(b; c) ${d:-e f}", ["a $(b; c) ${d:-e f}"]),
        ("a > b 2>&1", ["a > b 2>&1"]),
        ("a 'b", ["a b"]),
    ],
)
def test_simple_commands(text: str, found: list[str]) -> None:
    assert [command.text for command in simple_commands(Script.of(text))] == found


@pytest.mark.parametrize(
    ("command", "name", "target"),
    [
        ("exec uvicorn a.b:app", "uvicorn", "a.b"),
        ("poetry run python -m gunicorn -b 0.0.0.0:80 'a:make()'", "gunicorn", "a"),
        ("uv run --with x --frozen hypercorn --bind localhost:8000 a.b:app", "hypercorn", "a.b"),
        ("FLASK_DEBUG=1 flask --app a.b run -p 80", "flask", "a.b"),
        ("fastapi run a/main.py", "fastapi", "a/main.py"),
        ("docker compose run --rm web daphne a.asgi:app", "daphne", "a.asgi"),
        ("wait-for-it.sh db:5432 -- gunicorn a:app", "gunicorn", "a"),
        ("gosu app tini -- gunicorn a:app", "gunicorn", "a"),
        ("gunicorn -c conf.py unix:/run/a.sock", "gunicorn", None),
    ],
)
def test_what_a_command_runs_in_the_end(command: str, name: str, target: str | None) -> None:
    (simple,) = simple_commands(Script.of(command))
    program = program_of(simple.words)
    assert program is not None
    assert (program.name, application(program)) == (name, target)


@pytest.mark.parametrize(
    "run",
    [
        "run: first && pytest é -q",
        "run: 'first && pytest é -q'",
        'run: "first && pytest é -q"',
        "run: |\n          first\n          pytest é -q",
        "run: >-\n          first &&\n          pytest é -q",
        "run: first &&\n          pytest é -q",
        "run: |-\n            first\n            😀\n            pytest é -q",
    ],
)
def test_places_inside_of_yaml(run: str) -> None:
    text = f"jobs:\n  a:\n    steps:\n      - {run}\n      - uses: x\n"
    (entry,) = entries_of("github", text)
    command = entry.steps[0].commands[-1]
    assert text[command.start : command.end] == "pytest é -q"


@pytest.mark.parametrize(
    "text",
    [
        "jobs: &a\n  x: &b\n    steps: *b\n  <<: *a\n",
        "a: &x\n  - *x\n",
        "jobs:\n  a:\n    steps: [1, null, {run: null}, {run: [x]}, {uses: {a: b}}]\n",
        "a: &x 1\nb: &x 2\n",
        "- - - - -\n",
        "",
        "!!python/object:os.system x\n",
        "jobs: !tag {a: {steps: [{run: pytest}]}}\n",
    ],
)
@pytest.mark.parametrize("kind", ["github", "gitlab", "circleci", "azure", "compose", "kubernetes"])
def test_odd_yaml(kind: str, text: str) -> None:
    for entry in entries_of(kind, text):
        assert all(0 <= step.start <= step.end <= len(text) for step in entry.steps)


@pytest.mark.parametrize("text", ["a: [", "\x00", "a: b: c", "\t- x", "'"])
def test_broken_yaml_says_where(text: str) -> None:
    with pytest.raises(BrokenYaml) as error:
        entries_of("github", text)
    assert error.value.line >= 0
    assert str(error.value)


@pytest.mark.parametrize(
    ("kind", "line", "silent"),
    [
        ("shell", "pytest  # noqa: SAG509", True),
        ("shell", "pytest  # noqa: SAG114", False),
        ("shell", "pytest  # NOQA", True),
        ("shell", "pytest  # noqa: nothing", False),
        ("shell", "echo a#noqa", False),
        ("jenkins", "sh 'pytest' // noqa: SAG509", True),
        ("ini", "; noqa: SAG509", True),
        ("github", "- run: pytest # noqa: SAG114, SAG509", True),
    ],
)
def test_comments_in_their_own_syntax(kind: str, line: str, silent: bool) -> None:
    assert Silences(kind, [line]).covers("SAG509", 0, 1) is silent  # type: ignore[arg-type]
