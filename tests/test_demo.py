"""`make demo` as a user runs it: the real server, the shop, its tests in both states."""

import ast
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def test_the_demonstration_mends_the_shop(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.demo", "--keep", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    ran = re.findall(r"Tests (before|after): \d+ passed", done.stdout)
    assert ran == ["before", "after"], "the shop's tests have to run before and after"
    assert "WHERE products.stock > 0" in done.stdout
    assert "products.weight_grams" in done.stdout
    assert "weight_grams" not in (tmp_path / "shop" / "models" / "catalog.py").read_text(encoding="utf-8")
    mended = (tmp_path / "shop" / "db.py").read_text(encoding="utf-8")
    assert "create_engine(database_url(), pool_pre_ping=True)" in mended
    for path in tmp_path.rglob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"), str(path))
