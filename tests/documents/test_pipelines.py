"""Which pipelines start an application, or test it, without its migrations: each kind of document, bad and good."""

# ruff: noqa: E501 (documents as they are written)

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.fixture import Project

APPLICATION = {
    "alembic.ini": "[alembic]\nscript_location = migrations\n",
    "migrations/env.py": (
        "from alembic import context\nfrom shop.models import Base\n\ntarget_metadata = Base.metadata\n\n\n"
        "def run_migrations_online():\n    context.configure()\n    context.run_migrations()\n"
    ),
    "migrations/versions/3f1c_first.py": (
        'revision = "3f1c"\ndown_revision = None\n\n\ndef upgrade() -> None:\n    """Nothing."""\n\n\n'
        'def downgrade() -> None:\n    """Nothing."""\n'
    ),
    "shop/__init__.py": "",
    "shop/models.py": "from sqlalchemy.orm import DeclarativeBase\n\n\nclass Base(DeclarativeBase):\n    pass\n",
    "shop/main.py": "from shop.routes import routes\n\napp = routes\n",
    "shop/routes.py": "from shop import models\n\nroutes = [models]\n",
    "shop/site.py": "app = object()\n",
    "tests/test_shop.py": "from shop import models\n\n\ndef test_it():\n    assert models\n",
}
SERVICE = "    services:\n      db:\n        image: postgres:17\n"


def job(*steps: str, service: str = SERVICE) -> str:
    """A workflow of GitHub with one job."""
    lines = "".join(f"      - {step}\n" for step in steps)
    return f"on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n{service}    steps:\n{lines}"


CI = ".github/workflows/ci.yml"
DOCKER = {"Dockerfile": "FROM python:3.13\nCMD uvicorn shop.main:app\n"}
BAD: dict[str, tuple[dict[str, str], str, str]] = {
    # title: files, the document that is reported, and its text after the fix
    "a job of GitHub": (
        {CI: job("uses: actions/checkout@v5", "run: pip install -e .", "run: uv run pytest -q")},
        CI,
        job(
            "uses: actions/checkout@v5",
            "run: pip install -e .",
            "name: Migrate the database\n        run: uv run alembic upgrade head",
            "run: uv run pytest -q",
        ),
    ),
    "several lines": (
        {CI: job("name: Test\n        run: |\n          pip install -e .\n          pytest -q")},
        CI,
        job("name: Test\n        run: |\n          pip install -e .\n          alembic upgrade head\n          pytest -q"),
    ),
    "through a Makefile and a script": (
        {
            CI: job("run: make test"),
            "Makefile": "test: lint\n\tbash scripts/test.sh\n\nlint:\n\truff check\n",
            "scripts/test.sh": "#!/bin/sh\nset -e\ncoverage run -m pytest tests\n",
        },
        CI,
        job("name: Migrate the database\n        run: alembic upgrade head", "run: make test"),
    ),
    "through tox": (
        {CI: job("run: tox -e py313"), "tox.ini": "[testenv]\ncommands =\n    pytest {posargs}\n"},
        CI,
        job("name: Migrate the database\n        run: alembic upgrade head", "run: tox -e py313"),
    ),
    "through nox": (
        {
            CI: job("run: nox -s tests"),
            "noxfile.py": 'import nox\n\n\n@nox.session\ndef tests(session):\n    session.run("pytest", "-q")\n',
        },
        CI,
        job("name: Migrate the database\n        run: alembic upgrade head", "run: nox -s tests"),
    ),
    "an anchor and a block that is folded": (
        {
            ".gitlab-ci.yml": (
                ".base: &base\n  services: [postgres:17]\n\ntest:\n  <<: *base\n  script:\n    - pip install .\n    - pytest -q\n"
            )
        },
        ".gitlab-ci.yml",
        (
            ".base: &base\n  services: [postgres:17]\n\ntest:\n  <<: *base\n  script:\n    - pip install .\n"
            "    - alembic upgrade head\n    - pytest -q\n"
        ),
    ),
    "what another job of GitLab extends": (
        {
            ".gitlab-ci.yml": (
                ".database:\n  services:\n    - name: postgres:17\n\ntest:\n  extends: .database\n  script:\n    - pytest\n"
            )
        },
        ".gitlab-ci.yml",
        (
            ".database:\n  services:\n    - name: postgres:17\n\ntest:\n  extends: .database\n  script:\n"
            "    - alembic upgrade head\n    - pytest\n"
        ),
    ),
    "CircleCI": (
        {
            ".circleci/config.yml": (
                "version: 2.1\njobs:\n  test:\n    docker:\n      - image: cimg/python:3.13\n      - image: cimg/postgres:17.0\n"
                "    steps:\n      - checkout\n      - run:\n          name: Test\n          command: pytest -q\n"
            )
        },
        ".circleci/config.yml",
        (
            "version: 2.1\njobs:\n  test:\n    docker:\n      - image: cimg/python:3.13\n      - image: cimg/postgres:17.0\n"
            "    steps:\n      - checkout\n      - run:\n          name: Test\n          command: alembic upgrade head && pytest -q\n"
        ),
    ),
    "Azure Pipelines": (
        {
            "azure-pipelines.yml": (
                "services:\n  db: db\nvariables:\n  URL: postgresql://u@localhost/x\nsteps:\n  - script: pip install .\n"
                "  - script: pytest -q\n    displayName: Test\n"
            )
        },
        "azure-pipelines.yml",
        (
            "services:\n  db: db\nvariables:\n  URL: postgresql://u@localhost/x\nsteps:\n  - script: pip install .\n"
            "  - script: alembic upgrade head\n    displayName: Migrate the database\n  - script: pytest -q\n    displayName: Test\n"
        ),
    ),
    "a Jenkinsfile": (
        {"Jenkinsfile": "node {\n  docker.image('postgres:17').withRun {\n    // sh 'alembic upgrade head'\n    sh 'pytest -q'\n  }\n  env.URL = 'postgresql://x'\n}\n"},
        "Jenkinsfile",
        "node {\n  docker.image('postgres:17').withRun {\n    // sh 'alembic upgrade head'\n    sh 'alembic upgrade head && pytest -q'\n  }\n  env.URL = 'postgresql://x'\n}\n",
    ),
    "a command in the form of a shell": (
        {"Dockerfile": "FROM python:3.13\nCMD gunicorn -w 4 shop.main:app\n"},
        "Dockerfile",
        "FROM python:3.13\nCMD alembic upgrade head && gunicorn -w 4 shop.main:app\n",
    ),
    "a list of arguments": (
        {"Dockerfile": 'FROM python:3.13\nENTRYPOINT ["poetry", "run", "hypercorn", "shop.main:app"]\n'},
        "Dockerfile",
        'FROM python:3.13\nENTRYPOINT ["sh", "-c", "poetry run alembic upgrade head && exec poetry run hypercorn shop.main:app"]\n',
    ),
    "a shell inside of a list": (
        {"Dockerfile": 'FROM python:3.13\nCMD ["sh", "-c", "cd /code && exec uvicorn shop.main:app --port ${PORT}"]\n'},
        "Dockerfile",
        'FROM python:3.13\nCMD ["sh", "-c", "cd /code && alembic upgrade head && exec uvicorn shop.main:app --port ${PORT}"]\n',
    ),
    "a script of a Dockerfile": (
        {
            "Dockerfile": 'FROM python:3.13\nCOPY docker/entrypoint.sh /\nENTRYPOINT ["/entrypoint.sh"]\n',
            "docker/entrypoint.sh": "#!/bin/sh\nset -e\n\nif [ -n \"$WAIT\" ]; then\n    sleep 1\nfi\nexec uvicorn shop.main:app\n",
        },
        "docker/entrypoint.sh",
        "#!/bin/sh\nset -e\n\nif [ -n \"$WAIT\" ]; then\n    sleep 1\nfi\nalembic upgrade head\nexec uvicorn shop.main:app\n",
    ),
    "a service of Compose": (
        {"compose.yaml": "services:\n  web:\n    build: .\n    command: uvicorn shop.main:app --host 0.0.0.0\n  db:\n    image: postgres\n"},
        "compose.yaml",
        "services:\n  web:\n    build: .\n    command: sh -c 'alembic upgrade head && exec uvicorn shop.main:app --host 0.0.0.0'\n  db:\n    image: postgres\n",
    ),
    "a service with a list of lines": (
        {"docker-compose.yml": "services:\n  web:\n    build: .\n    command:\n      - uvicorn\n      - shop.main:app\n    ports: [80]\n"},
        "docker-compose.yml",
        'services:\n  web:\n    build: .\n    command:\n      ["sh", "-c", "alembic upgrade head && exec uvicorn shop.main:app"]\n    ports: [80]\n',
    ),
    "a text over several lines": (
        {"compose.yml": 'services:\n  web:\n    build: .\n    command: bash -c "\n      uvicorn shop.main:app\n      --port 80\n      "\n    ports: [80]\n'},
        "compose.yml",
        'services:\n  web:\n    build: .\n    command: bash -c "\n      alembic upgrade head && uvicorn shop.main:app\n      --port 80\n      "\n    ports: [80]\n',
    ),
    "a Procfile": (
        {"Procfile": "web: gunicorn shop.main:app\nworker: celery -A shop worker\n"},
        "Procfile",
        "web: alembic upgrade head && gunicorn shop.main:app\nworker: celery -A shop worker\n",
    ),
    "a deployment of Kubernetes": (
        {
            "k8s/web.yaml": (
                "kind: Service\n---\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n"
                '        - name: web\n          image: shop\n          command: ["uvicorn", "shop.main:app"]\n'
            )
        },
        "k8s/web.yaml",
        (
            "kind: Service\n---\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n"
            '        - name: web\n          image: shop\n          command: ["sh", "-c", "alembic upgrade head && exec uvicorn shop.main:app"]\n'
        ),
    ),
    "a template of Helm": (
        {
            "helm/templates/deployment.yaml": (
                "kind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  template:\n    spec:\n      containers:\n"
                "        {{- range .Values.all }}\n        - name: {{ .name }}\n          command: [\"uvicorn\", \"shop.main:app\"]\n"
                "        {{- end }}\n"
            )
        },
        "helm/templates/deployment.yaml",
        (
            "kind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  template:\n    spec:\n      containers:\n"
            "        {{- range .Values.all }}\n        - name: {{ .name }}\n          command: [\"sh\", \"-c\", \"alembic upgrade head && exec uvicorn shop.main:app\"]\n"
            "        {{- end }}\n"
        ),
    ),
    "a module that names the application": (
        {
            "Procfile": "web: python serve.py\n",
            "serve.py": 'import uvicorn\n\nif __name__ == "__main__":\n    uvicorn.run("shop.main:app", port=80)\n',
        },
        "Procfile",
        "web: alembic upgrade head && python serve.py\n",
    ),
    "a module that serves": (
        {
            "Dockerfile": "FROM python:3.13\nCMD python -m shop.serve\n",
            "shop/serve.py": "import uvicorn\n\nfrom shop.main import app\n\nuvicorn.run(app)\n",
        },
        "Dockerfile",
        "FROM python:3.13\nCMD alembic upgrade head && python -m shop.serve\n",
    ),
    "processes of Fly": (
        {"fly.toml": 'app = "shop"\n\n[processes]\n  web = "uvicorn shop.main:app --host 0.0.0.0"\n  worker = "celery -A shop worker"\n'},
        "fly.toml",
        'app = "shop"\n\n[processes]\n  web = "uvicorn shop.main:app --host 0.0.0.0"\n  worker = "celery -A shop worker"\n'
        '\n[deploy]\n  release_command = "alembic upgrade head"\n',
    ),
    "an image that Fly runs": (
        DOCKER | {"fly.toml": '# Fly\napp = "shop"\n\n[deploy]\n    strategy = "rolling"\n'},
        "fly.toml",
        '# Fly\napp = "shop"\n\n[deploy]\n    release_command = "alembic upgrade head"\n    strategy = "rolling"\n',
    ),
    "a blueprint of Render": (
        {"render.yaml": "services:\n  - type: web\n    name: shop\n    startCommand: uvicorn shop.main:app\n"},
        "render.yaml",
        "services:\n  - type: web\n    name: shop\n    preDeployCommand: alembic upgrade head\n    startCommand: uvicorn shop.main:app\n",
    ),
    "an image that Render runs": (
        DOCKER | {"render.yaml": "services:\n  - runtime: docker\n    type: web\n    name: shop\n"},
        "render.yaml",
        "services:\n  - preDeployCommand: alembic upgrade head\n    runtime: docker\n    type: web\n    name: shop\n",
    ),
    "images of Heroku": (
        DOCKER | {"heroku.yml": "build:\n  docker:\n    web: Dockerfile\n"},
        "heroku.yml",
        "build:\n  docker:\n    web: Dockerfile\nrelease:\n  image: web\n  command:\n    - alembic upgrade head\n",
    ),
    "processes of Heroku": (
        {"heroku.yml": "build:\n  languages:\n    - python\nrun:\n  web: uvicorn shop.main:app\n"},
        "heroku.yml",
        "build:\n  languages:\n    - python\nrun:\n  web: uvicorn shop.main:app\nrelease:\n  command:\n    - alembic upgrade head\n",
    ),
    "a service of Railway": (
        {"railway.toml": '[deploy]\nstartCommand = "uvicorn shop.main:app --port $PORT"\n'},
        "railway.toml",
        '[deploy]\npreDeployCommand = ["alembic upgrade head"]\nstartCommand = "uvicorn shop.main:app --port $PORT"\n',
    ),
    "a service of Railway in JSON": (
        {"railway.json": '{\n  "deploy": {\n    "startCommand": "uvicorn shop.main:app"\n  }\n}\n'},
        "railway.json",
        '{\n  "deploy": {\n    "preDeployCommand": ["alembic upgrade head"],\n    "startCommand": "uvicorn shop.main:app"\n  }\n}\n',
    ),
    "an image and a service that is made of it": (
        DOCKER | {"docker-compose.yml": "services:\n  api:\n    build: .\n    command: uvicorn shop.main:app --reload\n"},
        "Dockerfile",
        "FROM python:3.13\nCMD alembic upgrade head && uvicorn shop.main:app\n",
    ),
    "an image for development and a deployment": (
        {
            "Dockerfile.dev": DOCKER["Dockerfile"],
            "compose.yaml": "services:\n  api:\n    command: uvicorn shop.main:app\n  admin:\n    command: uvicorn shop.main:app\n",
        },
        "compose.yaml",
        "services:\n  api:\n    command: sh -c 'alembic upgrade head && exec uvicorn shop.main:app'\n"
        "  admin:\n    command: uvicorn shop.main:app\n",
    ),
    "the last stage": (
        {"Dockerfile": "FROM python:3.13 AS debug\nCMD uvicorn shop.main:app --reload\nFROM python:3.13\nCMD uvicorn shop.main:app\n"},
        "Dockerfile",
        "FROM python:3.13 AS debug\nCMD uvicorn shop.main:app --reload\n"
        "FROM python:3.13\nCMD alembic upgrade head && uvicorn shop.main:app\n",
    ),
}  # fmt: skip
GOOD: dict[str, dict[str, str]] = {
    "migrated in a step before": {CI: job("run: alembic upgrade head", "run: pytest")},
    "migrated by a target of make": {
        CI: job("run: make test"),
        "Makefile": "test: migrated\n\tpytest\n\nmigrated:\n\talembic upgrade head\n",
    },
    "something that may well migrate": {CI: job("run: ./manage.sh db:setup", "run: pytest")},
    "an action of the repository": {
        CI: job("uses: ./.github/actions/database", "run: pytest"),
        ".github/actions/database/action.yml": "runs:\n  steps:\n    - run: alembic upgrade head\n",
    },
    "a job before it": {
        CI: "jobs:\n  migrate:\n    steps:\n      - run: alembic upgrade head\n  test:\n    needs: migrate\n"
        + SERVICE
        + "    steps:\n      - run: pytest\n"
    },
    "tests without a database": {CI: job("run: pytest", service="")},
    "tests that are not seen": {CI: job("run: pytest"), "tests/test_shop.py": ""},
    "unit tests": {CI: job("run: pytest tests/unit")},
    "tests that make their tables": {
        CI: job("run: pytest"),
        "tests/conftest.py": "from shop.models import Base\n\n\ndef make(engine):\n    Base.metadata.create_all(engine)\n",
    },
    "tests that migrate": {
        CI: job("run: pytest"),
        "tests/conftest.py": 'from alembic import command\n\n\ndef make(config):\n    command.upgrade(config, "head")\n',
    },
    "tests in memory": {
        CI: job("run: pytest"),
        "tests/conftest.py": 'URL = "sqlite://"\n',
    },
    "no migrations": {CI: job("run: pytest"), "migrations/env.py": "nothing = None\n"},
    "migrated at start-up": DOCKER
    | {
        "shop/start.py": 'from alembic import command\n\n\ndef start(config):\n    command.upgrade(config, "head")\n'
    },
    "migrated by the entry point": {
        "Dockerfile": 'FROM python:3.13\nENTRYPOINT ["/start.sh"]\nCMD ["uvicorn", "shop.main:app"]\n',
        "start.sh": '#!/bin/sh\nalembic upgrade head\nexec "$@"\n',
    },
    "migrated by another service": {
        "compose.yml": (
            "services:\n  migrate:\n    build: .\n    command: alembic upgrade head\n  web:\n    build: .\n"
            "    depends_on: [migrate]\n    command: uvicorn shop.main:app\n"
        )
    },
    "migrated by a container that runs first": DOCKER
    | {
        "k8s/web.yaml": (
            "kind: Deployment\nspec:\n  template:\n    spec:\n      initContainers:\n        - name: migrate\n"
            "          command: [alembic, upgrade, head]\n      containers:\n        - name: web\n"
            "          command: [uvicorn, 'shop.main:app']\n"
        )
    },
    "migrated by a release": {
        "Procfile": "release: alembic upgrade head\nweb: gunicorn shop.main:app\n",
    },
    "migrated by the platform": DOCKER | {"fly.toml": '[deploy]\nrelease_command = "alembic upgrade head"\n'},
    "migrated by Render": {
        "render.yaml": "services:\n  - type: web\n    startCommand: uvicorn shop.main:app\n    preDeployCommand: make migrate\n"
    },
    "migrated by Railway": {
        "railway.json": '{"deploy": {"startCommand": "uvicorn shop.main:app", "preDeployCommand": ["alembic upgrade head"]}}'
    },
    "migrated by Heroku": DOCKER
    | {
        "heroku.yml": "build:\n  docker:\n    web: Dockerfile\nrelease:\n  command:\n    - flask db upgrade\n"
    },
    "an image that Fly has from elsewhere": {"fly.toml": 'app = "shop"\n[build]\n  image = "shop:1"\n'},
    "migrated by a job that deploys": DOCKER
    | {
        CI: "jobs:\n  deploy:\n    steps:\n      - run: ssh host docker compose run web alembic upgrade head\n"
    },
    "an application without the database": {"Dockerfile": "FROM python:3.13\nCMD uvicorn shop.site:app\n"},
    "an application from elsewhere": {"Dockerfile": "FROM python:3.13\nCMD uvicorn somebody.elses:app\n"},
    "a worker": {"Dockerfile": "FROM python:3.13\nCMD celery -A shop.main worker\n"},
    "a script for development": {
        "scripts/dev.sh": "uvicorn shop.main:app\n",
        "run.sh": "uvicorn shop.main:app --reload\n",
    },
    "a service of another project": {
        "mail/pyproject.toml": "[project]\n",
        "mail/app.py": "import sqlalchemy\n\napp = sqlalchemy\n",
        "mail/Dockerfile": "FROM python:3.13\nCMD uvicorn app:app\n",
    },
    "help": {"Dockerfile": "FROM python:3.13\nCMD gunicorn --version\n"},
    "an example": {"docs/examples/Dockerfile": DOCKER["Dockerfile"]},
    "silenced at the end of the line": {CI: job("run: pytest  # noqa: SAG509")},
    "silenced for its step": {CI: job("name: Test  # noqa: SAG509\n        run: pytest")},
    "silenced above": {"Dockerfile": "FROM python:3.13\n# noqa: SAG509\nCMD uvicorn shop.main:app\n"},
    "silenced as a whole": {"Procfile": "# sqlalchemy-guard: noqa: SAG509\nweb: uvicorn shop.main:app\n"},
}


def found_in(project: Project, files: Mapping[str, str]) -> list[str]:
    """The documents that the rule reports, once for each violation."""
    return [path for path in files for one in project.report(path).violations if one.rule.code == "SAG509"]


@pytest.mark.parametrize("title", BAD)
def test_what_never_migrates_is_reported_and_fixed(title: str, make_project: Callable[..., Project]) -> None:
    files, reported, fixed = BAD[title]
    project = make_project(APPLICATION | files)
    assert found_in(project, files) == [reported]
    assert project.fixed(unsafe=False)[reported] == files[reported]
    assert project.fixed(unsafe=True)[reported] == fixed
    again = APPLICATION | files | {reported: fixed}
    assert found_in(make_project(again), files) == []


@pytest.mark.parametrize("title", GOOD)
def test_what_migrates_or_need_not_is_left_alone(title: str, make_project: Callable[..., Project]) -> None:
    files = GOOD[title]
    assert found_in(make_project(APPLICATION | files), files) == []


@pytest.mark.parametrize("title", BAD)
def test_windows_line_ends_stay(title: str, make_project: Callable[..., Project]) -> None:
    files, reported, fixed = BAD[title]
    turned = {path: text.replace("\n", "\r\n") for path, text in files.items()}
    project = make_project(APPLICATION | turned)
    assert project.fixed(unsafe=True)[reported] == fixed.replace("\n", "\r\n")


def test_the_place_is_that_of_the_command(make_project: Callable[..., Project]) -> None:
    text = job("name: Test\n        run: |\n          echo é 😀\n          cd . && FLAG=1 pytest -q")
    project = make_project(APPLICATION | {CI: text})
    (violation,) = project.report(CI).violations
    line = text.split("\n")[violation.span.line]
    assert line[violation.span.column : violation.span.end_column] == "FLAG=1 pytest -q"


def test_another_file_that_is_called_is_pointed_at(make_project: Callable[..., Project]) -> None:
    project = make_project(APPLICATION | {CI: job("run: ./ci.sh"), "ci.sh": "set -e\npytest\n"})
    (violation,) = project.report(CI).violations
    (related,) = violation.related
    assert (related.path.endswith("ci.sh"), related.span.line) == (True, 1)


def test_where_else_it_is_started_is_pointed_at(make_project: Callable[..., Project]) -> None:
    compose = "services:\n  api:\n    build: .\n    command: uvicorn shop.main:app\n"
    project = make_project(APPLICATION | DOCKER | {"docker-compose.yml": compose})
    assert not project.report("docker-compose.yml").violations
    (violation,) = project.report("Dockerfile").violations
    (related,) = violation.related
    assert (related.path.endswith("docker-compose.yml"), related.span.line) == (True, 3)


def test_what_an_image_holds_is_not_guessed(make_project: Callable[..., Project]) -> None:
    files = {path: text for path, text in APPLICATION.items() if path != "alembic.ini"} | DOCKER
    project = make_project(files | {"conf/alembic.ini": APPLICATION["alembic.ini"]})
    (violation,) = project.report("Dockerfile").violations
    assert violation.applicability is None
    workflow = make_project(files | {"conf/alembic.ini": APPLICATION["alembic.ini"], CI: job("run: pytest")})
    assert "run: alembic -c conf/alembic.ini upgrade head" in workflow.fixed(unsafe=True)[CI]
