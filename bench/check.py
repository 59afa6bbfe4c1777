"""What checking a whole tree costs from the command line, cold and warm, beside `ruff check`.

    python -m bench.check TREE [--runs 5]

Cold means an empty result cache (the disk's cache is warm), warm a second run over the same files. README.md
says how to read the table.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.contenders import Contender, MissingProgram, choose, configure

if TYPE_CHECKING:
    import resource
    from collections.abc import Iterator


@dataclass(frozen=True)
class Run:
    """One run: wall-clock and CPU seconds, and the peak memory of the largest process in MiB."""

    wall: float
    cpu: float
    peak: float


class CheckFailed(Exception):
    """A contender did not get through the tree; the message holds the end of what it said."""


def check(contender: Contender, tree: Path, cache: Path) -> Run:
    """Check the tree once. Only a POSIX system tells what one child used."""
    command = [*contender.command, "check", str(tree), "--exit-zero"]
    env = {**os.environ, **contender.env, "XDG_CACHE_HOME": str(cache), "RUFF_CACHE_DIR": str(cache / "ruff")}
    with tempfile.TemporaryFile() as said:
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=tree, env=env, stdout=subprocess.DEVNULL, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            words = said.read().decode("utf-8", "replace")[-2000:]
            raise CheckFailed(f"{' '.join(command)} ended with {process.returncode}\n{words}")
    return Run(wall, used.ru_utime + used.ru_stime, _mebibytes(used))


def table(runs: dict[tuple[str, str], list[Run]], names: list[str]) -> Iterator[str]:
    """The medians as Markdown; the ratio is the median of the runs' own ratios, first contender to second."""
    yield "| cache | contender | wall s | CPU s | peak MiB | wall ratio |"
    yield "|---|---|---|---|---|---|"
    for kind in ("cold", "warm"):
        for name in names:
            mine = runs[kind, name]
            ratio = "-"
            if name == names[0] and len(names) == 2:
                pairs = zip(mine, runs[kind, names[1]], strict=True)
                ratio = f"{statistics.median(a.wall / b.wall for a, b in pairs):.2f}"
            cells = [
                statistics.median(getattr(run, what) for run in mine) for what in ("wall", "cpu", "peak")
            ]
            yield f"| {kind} | {name} | {cells[0]:.2f} | {cells[1]:.2f} | {cells[2]:.0f} | {ratio} |"


def _mebibytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> int:
    """Parse the arguments, measure, print. 0, or 2 when nothing can be measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "tree", type=Path, help="folder to check; it is copied, and its own configuration replaced"
    )
    parser.add_argument(
        "--runs", type=int, default=5, help="how often each contender checks it, cold and warm"
    )
    parser.add_argument(
        "--only", default="guard,ruff", metavar="NAMES", help="contenders, the first divided by the second"
    )
    arguments = parser.parse_args()
    runs: dict[tuple[str, str], list[Run]] = {}
    try:
        contenders = choose(arguments.only)
        with tempfile.TemporaryDirectory(prefix="check-") as name:
            folder = Path(name).resolve()
            tree = folder / "tree"
            tree.mkdir()
            count = lines = 0
            for path in sorted(arguments.tree.rglob("*.py")):
                copy = tree / path.relative_to(arguments.tree)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
                count, lines = count + 1, lines + copy.read_bytes().count(b"\n")
            if not count:
                raise CheckFailed(f"no Python file below {arguments.tree}")
            configure(tree)
            print(f"{count:,} files, {lines:,} lines", file=sys.stderr)
            for number in range(arguments.runs):
                for contender in contenders:
                    cache = folder / f"cache-{contender.name}-{number}"
                    cache.mkdir()
                    for kind in ("cold", "warm"):
                        runs.setdefault((kind, contender.name), []).append(check(contender, tree, cache))
                    shutil.rmtree(cache)
    except (MissingProgram, CheckFailed) as error:
        print(f"check: {error}", file=sys.stderr)
        return 2
    print(*table(runs, [contender.name for contender in contenders]), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
