"""Which documents besides Python are looked at, by their names alone. Must never look at a file or the disk.

A *checked* kind is discovered, checked and shown in editors. A `hint` is only searched for a migration step, when something
else would be reported for lack of one: nobody can read all the ways in which applications are deployed.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from sqlalchemy_guard.text.patterns import lazy_pattern

Kind: TypeAlias = Literal[
    "github", "gitlab", "circleci", "azure", "jenkins", "compose", "kubernetes", "dockerfile", "procfile", "shell", "make",
    "tox", "ini", "fly", "render", "heroku", "railway", "hint",
]  # fmt: skip

CI_KINDS = frozenset({"github", "gitlab", "circleci", "azure", "jenkins"})
PLATFORM_KINDS = frozenset({"fly", "render", "heroku", "railway"})
YAML_KINDS = frozenset({"github", "gitlab", "circleci", "azure", "compose", "kubernetes", "render", "heroku"})

_COMPOSE = lazy_pattern(r"(?:docker-)?compose(?:[.-][\w.-]+)?\.ya?ml")
_DOCKERFILE = lazy_pattern(r"(?:[\w.-]+\.)?(?:dockerfile|containerfile)(?:[.-][\w.-]+)?", re.IGNORECASE)
_AZURE = lazy_pattern(r"\.?azure-pipelines(?:[.-][\w.-]+)?\.ya?ml")
_WORKLOAD = lazy_pattern(
    r"(?:.*[-_.])?(?:deployment|deploy|statefulset|daemonset|replicaset|pod|cronjob|job|rollout|k8s|kubernetes)s?"
    r"(?:[-_.].*)?\.ya?ml"
)
_CLUSTER_FOLDERS = frozenset(
    {
        "k8s", "kubernetes", "kube", "manifests", "helm", "charts", "chart", "deploy", "deployment", "deployments",
        "kustomize", "overlays", "base", "infra", "infrastructure", "ops", "gitops", "argocd", "argo", "cluster", "clusters",
    }
)  # fmt: skip
_PLATFORMS: dict[str, Kind] = {
    "fly.toml": "fly", "render.yaml": "render", "render.yml": "render", "heroku.yml": "heroku", "railway.json": "railway",
    "railway.toml": "railway",
}  # fmt: skip
_FLY = lazy_pattern(r"fly\.[\w-]+\.toml")
_HINT_NAMES = frozenset(
    {
        "app.json", "nixpacks.toml", "justfile",
        "package.json", "Vagrantfile", "Tiltfile", "Earthfile", "Caddyfile", "Dockerrun.aws.json", "captain-definition",
        "zappa_settings.json", "appspec.yml", "Pipfile", "tasks.py", "dodo.py", "fabfile.py", "noxfile.py", ".envrc",
        "project.toml", "scalingo.json", "dagger.json", "Taskfile.yml", "Taskfile.yaml", "taskfile.yml", "bake.hcl",
    }
)  # fmt: skip
_HINT_SUFFIXES = (
    ".yml", ".yaml", ".service", ".conf", ".tf", ".tpl", ".j2", ".jinja", ".ps1", ".bat", ".cmd", ".config", ".nix",
    ".hcl", ".groovy", ".template", ".bash", ".zsh", ".fish", ".ksh", ".mk", ".cfg",
)  # fmt: skip
_HINT_FOLDERS = frozenset(
    {"bin", "hooks", "script", "scripts", "s2i", "services", "services.d", "cont-init.d", "docker"}
)
_LOCKS = ("-lock.yaml", "-lock.yml", ".lock")


def kind_of(path: str) -> Kind | None:
    """The kind of a document by its path or URI, None for what is nobody's business (Python included)."""
    folder, _, name = path.replace("\\", "/").rpartition("/")
    if name.endswith((".py", ".pyi", ".ipynb")):
        return "hint" if name in _HINT_NAMES else None
    lower = name.lower()
    if name in _PLATFORMS or _FLY.fullmatch(name):
        return _PLATFORMS.get(name, "fly")
    if lower.endswith((".yml", ".yaml")):
        return None if lower.endswith(_LOCKS) else _yaml_kind(folder, lower, name)
    if lower.endswith(".ini"):
        return "tox" if lower == "tox.ini" else "ini"
    if lower.endswith(".sh"):
        return "shell"
    if name == "Procfile" or name.startswith("Procfile."):
        return "procfile"
    if lower in ("makefile", "gnumakefile"):
        return "make"
    if name == "Jenkinsfile" or name.startswith("Jenkinsfile."):
        return "jenkins"
    if _DOCKERFILE.fullmatch(name) and not lower.endswith((".dockerignore", ".md", ".j2", ".txt")):
        return "dockerfile"
    if name in _HINT_NAMES or lower.endswith(_HINT_SUFFIXES):
        return "hint"
    return "hint" if "." not in name and folder.rpartition("/")[2] in _HINT_FOLDERS else None


def _yaml_kind(folder: str, lower: str, name: str) -> Kind:
    if folder.endswith(".github/workflows"):
        return "github"
    if lower.startswith(".gitlab-ci") or "/.gitlab/" in f"{folder}/" or lower.endswith(".gitlab-ci.yml"):
        return "gitlab"
    if folder.endswith(".circleci"):
        return "circleci"
    if _AZURE.fullmatch(lower) or folder.endswith(".azure-pipelines"):
        return "azure"
    if _COMPOSE.fullmatch(lower) or "compose" in folder.rpartition("/")[2].lower():
        return "compose"
    if name in _HINT_NAMES:
        return "hint"
    if _WORKLOAD.fullmatch(lower) or not _CLUSTER_FOLDERS.isdisjoint(folder.split("/")[-5:]):
        return "kubernetes"
    return "hint"


def checked_kind(path: str) -> Kind | None:
    """The kind of a document that is checked, None for every other file."""
    kind = kind_of(path)
    return None if kind == "hint" else kind


EDITOR_PATTERNS = (
    "**/.github/workflows/*.{yml,yaml}",
    "**/{.gitlab-ci*,*.gitlab-ci}.{yml,yaml}",
    "**/.circleci/*.{yml,yaml}",
    "**/{azure-pipelines*,.azure-pipelines*}.{yml,yaml}",
    "**/*compose*.{yml,yaml}",
    "**/{k8s,kubernetes,kube,manifests,helm,charts,chart,deploy,deployment,deployments,kustomize}/**/*.{yml,yaml}",
    "**/*{deployment,statefulset,cronjob,rollout}*.{yml,yaml}",
    "**/{Dockerfile,Containerfile}*",
    "**/*.{Dockerfile,dockerfile}",
    "**/{Procfile,Jenkinsfile,Makefile,makefile,GNUmakefile}*",
    "**/*.sh",
    "**/*.ini",
    "**/{fly,fly.*,railway}.toml",
    "**/{render,heroku}.{yml,yaml}",
    "**/railway.json",
)
"""The checked kinds as an editor is told to watch them: a little more than `checked_kind` takes, never less of what is usual."""
