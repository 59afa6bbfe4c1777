"""Every relative link of our Markdown leads to a file of the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOREIGN = {".venv", "node_modules", "bundled", "build", "dist"}
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part in FOREIGN or part.startswith(".") for part in path.relative_to(ROOT).parts)
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^(`{3,}).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere; what stands in fences is no link."""
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    targets = [target.partition("#")[0] for target in LINK.findall(prose) if not re.match(r"[a-z]+:", target)]
    return [target for target in targets if target and not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "[there](page.md) [part](page.md#part) [here](#part) [away](https://x.org) [gone](gone.md)\n"
        "```\n[code](nothing.md)\n```\n"
    )
    assert broken(page) == ["gone.md"]
