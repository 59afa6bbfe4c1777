"""How long a server takes from being spawned to its first diagnostics, beside ruff and a bare interpreter.

    python -m bench.startup [--source DIR ...] [--size 1000] [--runs 11]

Every run starts a new process of each contender, one after the other. README.md says how to read the table.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.client import Client, ServerError
from bench.contenders import Contender, MissingProgram, choose, configure
from bench.sources import CREATOR, NoSources, build, default_sources, pieces


def start(contender: Contender, folder: Path, path: Path, pull: bool) -> tuple[float, float]:
    """Milliseconds from spawning to the answer to `initialize`, and to the first diagnostics of `path`."""
    text = path.read_text(encoding="utf-8")
    begin = time.perf_counter()
    with Client([*contender.command, "server"], folder, pull=pull, env=contender.env) as client:
        client.initialize()
        initialized = client.arrived - begin
        client.open(path.as_uri(), text)
        items = client.pulled(path.as_uri())["items"] if pull else client.published(path.as_uri(), 1)
        first = client.arrived - begin
        if not items:
            raise ServerError(f"{contender.name} finds nothing in {path.name}")
    return initialized * 1000, first * 1000


def interpreter() -> float:
    """Milliseconds that this interpreter takes to do nothing: the floor of anything written in Python."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - begin) * 1000


def main() -> int:
    """Parse the arguments, measure, print. 0, or 2 when nothing can be measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--source", type=Path, action="append", help="folder of real code to build the file from"
    )
    parser.add_argument("--size", type=int, default=1000, help="length of the file in lines")
    parser.add_argument("--runs", type=int, default=11, help="how often each contender is started")
    parser.add_argument(
        "--transport", choices=("pull", "push"), default="push", help="how diagnostics travel"
    )
    parser.add_argument("--only", default="guard,ruff", metavar="NAMES", help="contenders")
    arguments = parser.parse_args()
    try:
        contenders = choose(arguments.only)
        text = build(pieces(arguments.source or default_sources()), arguments.size)
        taken: dict[str, list[tuple[float, float]]] = {contender.name: [] for contender in contenders}
        bare = []
        with tempfile.TemporaryDirectory(prefix="startup-") as name:
            folder = Path(name).resolve()
            configure(folder)
            path = folder / "app.py"
            path.write_text(
                text + f'\n\n{CREATOR}("postgresql+psycopg://db/app")\nmissing\n', encoding="utf-8"
            )
            for run in range(arguments.runs + 1):
                floor = interpreter()
                samples = {c.name: start(c, folder, path, arguments.transport == "pull") for c in contenders}
                if run:  # the first run fills the caches of the disk
                    bare.append(floor)
                    for who, sample in samples.items():
                        taken[who].append(sample)
    except (MissingProgram, NoSources, ServerError) as error:
        print(f"startup: {error}", file=sys.stderr)
        return 2
    print("| spawn -> | initialize p50 / max ms | first diagnostics p50 / max ms |")
    print("|---|---|---|")
    print(f"| bare interpreter | {statistics.median(bare):.0f} / {max(bare):.0f} (whole run) | - |")
    for who, pairs in taken.items():
        cells = [
            f"{statistics.median(column):.0f} / {max(column):.0f}" for column in zip(*pairs, strict=True)
        ]
        print(f"| {who} | " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
