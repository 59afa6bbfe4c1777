"""How long a keystroke takes to become diagnostics over stdio, beside ruff in the same run.

    python -m bench.keystroke [--source DIR ...] [--apart] [--sizes 200,1000] [--modes type,toggle] [--places 5]

Both servers are warm, have the same document open and take turns in short blocks, so that whatever else the
machine does hits both. README.md says what the modes mean and how to read the table.
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.client import Client, Json, ServerError
from bench.contenders import Contender, MissingProgram, choose, configure
from bench.sources import CREATOR, NoSources, build, default_sources, pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALL = f'{CREATOR}("postgresql+psycopg://db/app")'
STATEMENT = (
    'rows = [row for row in session.execute(select(User.id).where(User.name == "x", User.age > 18)).all()]'
)
MODES = ("type", "toggle", "fresh", "flood", "action")
PUSH_MODES = ("toggle", "fresh", "flood")
BLOCK = 14
BARS = {
    (mode, size): bar
    for mode in ("type", "toggle")
    for size, bar in ((1000, 0.5), (5000, 0.2), (20000, 0.05))
}


@dataclass(frozen=True)
class Scene:
    """A document with two extra lines inside one of its functions: a call that is misspelt and mended, and an empty line
    to type on. `line` is the call's, `indent` the column where both begin."""

    text: str
    line: int
    indent: int


def stage(text: str, places: int = 1) -> list[Scene]:
    """Put the extra lines into a module: at the end of the functions nearest to some places spread evenly over it.

    Args:
        text: The module.
        places: How many places; functions that are the nearest to two of them count once.
    """
    rows = text.split("\n")
    ends: list[tuple[int, int]] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.body[-1]
            alone = not rows[last.lineno - 1][: last.col_offset].strip()
            if alone and not isinstance(last, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                ends.append((last.lineno, last.col_offset))
    if not ends:
        raise NoSources("the file that was built contains no function to edit")
    wanted = [len(rows) * (2 * number + 1) // (2 * places) for number in range(places)]
    chosen = dict.fromkeys(min(ends, key=lambda end: (abs(end[0] - place), end)) for place in wanted)
    scenes = []
    for line, indent in chosen:
        staged = [*rows[: line - 1], " " * indent + CALL, " " * indent, *rows[line - 1 :]]
        scenes.append(Scene("\n".join(staged), line - 1, indent))
    return scenes


@dataclass
class Typist:
    """One server with the scene open, and the keys that are pressed in it."""

    contender: Contender
    client: Client
    scene: Scene
    uri: str
    version: int = 1
    misspelt: bool = False
    typed: int = 0
    direction: int = 1
    result_id: str | None = None
    items: list[Json] = field(default_factory=list)
    stale: int = 0
    publishes: list[int] = field(default_factory=list)

    def open(self) -> None:
        """Open the document, wait for its first diagnostics, and until the server has loaded all that it needs."""
        self.client.initialize()
        self.client.open(self.uri, self.scene.text, self.version)
        self.answer()
        if self.shown() is not self.expected():
            raise ServerError(
                f"{self.contender.name}: {self.contender.code} in line {self.scene.line + 1} is "
                f"{'missing' if self.expected() else 'wrong'}"
            )
        self.action()

    def answer(self) -> None:
        """Wait for the diagnostics of the newest version."""
        if not self.client.pull:
            self.items = self.client.published(self.uri, self.version)
            return
        self.take(self.client.pulled(self.uri, self.result_id))

    def take(self, report: Json) -> None:
        """Keep a pulled report."""
        self.result_id = report.get("resultId")
        if report["kind"] == "full":
            self.items = report["items"]

    def change(self, line: int, start: int, end: int, text: str) -> tuple[str, Json]:
        """The next version of the document, as a notification."""
        self.version += 1
        edit = {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}
        return "textDocument/didChange", {
            "textDocument": {"uri": self.uri, "version": self.version},
            "contentChanges": [{"range": edit, "text": text}],
        }

    def toggle(self) -> tuple[str, Json]:
        """Misspell the call by one letter, or mend it; the document is valid Python before and after."""
        self.misspelt = not self.misspelt
        indent = self.scene.indent
        return self.change(self.scene.line, indent, indent + 1, "x" if self.misspelt else "c")

    def type(self) -> tuple[str, Json]:
        """Type the next letter of the statement; once it is complete, delete it letter by letter, and so
        on."""
        if self.typed == len(STATEMENT):
            self.direction = -1
        elif self.typed == 0:
            self.direction = 1
        column = self.scene.indent + self.typed
        self.typed += self.direction
        if self.direction > 0:
            return self.change(self.scene.line + 1, column, column, STATEMENT[self.typed - 1])
        return self.change(self.scene.line + 1, column - 1, column, "")

    def shown(self) -> bool:
        """Whether the diagnostic that the toggle makes or removes is in the newest answer."""
        return any(
            d.get("code") == self.contender.code and d["range"]["start"]["line"] == self.scene.line
            for d in self.items
        )

    def expected(self) -> bool:
        """Whether it should be."""
        return self.misspelt is self.contender.appears

    def key(self, press: Callable[[], tuple[str, Json]]) -> float:
        """Press one key; the milliseconds until the server has answered it."""
        notification = press()
        begin = time.perf_counter()
        self.client.notify(*notification)
        self.answer()
        return (self.client.arrived - begin) * 1000

    def fresh(self) -> float:
        """Toggle; the milliseconds until an answer's contents show it. Answers that do not are counted as
        stale."""
        notification = self.toggle()
        begin = time.perf_counter()
        self.client.notify(*notification)
        self.answer()
        while self.shown() is not self.expected():
            self.stale += 1
            if self.client.pull:
                self.answer()
            else:
                self.client.diagnostics.pop(self.uri)
                self.answer()
            if time.perf_counter() - begin > self.client.timeout:
                raise ServerError(f"{self.contender.name} never shows the edit of line {self.scene.line + 1}")
        return (self.client.arrived - begin) * 1000

    def flood(self) -> float:
        """Type and delete the whole statement and toggle, all at once; the milliseconds until the contents
        show it."""
        keys = [self.type() for _ in range(2 * len(STATEMENT))] + [self.toggle()]
        before = self.client.publishes
        begin = time.perf_counter()
        if self.client.pull:
            pull = ("textDocument/diagnostic", {"textDocument": {"uri": self.uri}})
            self.take(self.client.wait_answer(self.client.burst(keys, pull)))
        else:
            self.client.burst(keys)
            self.answer()
        took = (self.client.arrived - begin) * 1000
        if self.shown() is not self.expected():
            raise ServerError(
                f"{self.contender.name} answers a flood of keys with the diagnostics of an older version"
            )
        self.publishes.append(self.client.publishes - before)
        return took

    def action(self) -> float:
        """Ask for the code actions of the call's line; the milliseconds until the answer."""
        line = self.scene.line
        whole = {"start": {"line": line, "character": 0}, "end": {"line": line + 1, "character": 0}}
        there = [d for d in self.items if d["range"]["start"]["line"] == line]
        params = {"textDocument": {"uri": self.uri}, "range": whole, "context": {"diagnostics": there}}
        begin = time.perf_counter()
        self.client.request("textDocument/codeAction", params)
        return (self.client.arrived - begin) * 1000

    def rest(self) -> None:
        """Delete what is typed, so that the next mode begins with a valid document."""
        while self.typed:
            self.key(self.type)

    def measures(self, mode: str) -> tuple[Callable[[], float], int]:
        """What to call for one sample of a mode, and how many samples make a block."""
        match mode:
            case "type":
                return lambda: self.key(self.type), BLOCK
            case "toggle":
                return lambda: self.key(self.toggle), BLOCK
            case "fresh":
                return self.fresh, BLOCK
            case "flood":
                return self.flood, 1
            case _:
                return self.action, BLOCK


@dataclass(frozen=True)
class Row:
    """The samples (milliseconds) of one contender in one place of a file, or of all places together."""

    source: str
    place: int
    size: int
    mode: str
    name: str
    samples: list[float]

    def quantile(self, share: float) -> float:
        """The sample below which this share of them lies."""
        ordered = sorted(self.samples)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measure(
    contenders: list[Contender], scene: Scene, row: Row, pull: bool, modes: list[str], blocks: int
) -> Iterator[Row]:
    """Run one place: all contenders side by side, block by block, and print their memory at the end.

    Args:
        contenders: The servers.
        scene: The document with the place.
        row: What the rows begin with: source, place, size.
        pull: Whether diagnostics are asked for.
        modes: What is measured.
        blocks: How many blocks are counted.
    """
    size = row.size
    with tempfile.TemporaryDirectory(prefix="keystroke-") as name:
        folder = Path(name).resolve()
        configure(folder)
        path = folder / f"app_{size}.py"
        path.write_text(scene.text, encoding="utf-8")
        typists: list[Typist] = []
        try:
            for contender in contenders:
                client = Client([*contender.command, "server"], folder, pull=pull, env=contender.env)
                typists.append(Typist(contender, client, scene, path.as_uri()))
                typists[-1].open()
                print(
                    f"  {contender.name}: {len(typists[-1].items)} diagnostics in {size} lines",
                    file=sys.stderr,
                )
            for mode in modes:
                yield from _measure_mode(typists, replace(row, mode=mode), blocks)
            for typist in typists:
                memory = typist.client.memory()
                if memory is not None:
                    print(f"  {typist.contender.name}: {memory / 2**20:.0f} MiB resident", file=sys.stderr)
                if typist.stale:
                    print(f"  {typist.contender.name}: {typist.stale} STALE answers", file=sys.stderr)
                if typist.publishes and not pull:
                    print(
                        f"  {typist.contender.name}: publishes per flood {typist.publishes}", file=sys.stderr
                    )
        finally:
            codes = [(typist.contender.name, typist.client.close()) for typist in typists]
        for name, code in codes:
            if code:
                raise ServerError(f"{name} ended with exit code {code}")


def _measure_mode(typists: list[Typist], row: Row, blocks: int) -> Iterator[Row]:
    samples: dict[str, list[float]] = {typist.contender.name: [] for typist in typists}
    gc.collect()
    gc.disable()
    try:
        for block in range(blocks + 1):
            for typist in typists:
                sample, count = typist.measures(row.mode)
                taken = [sample() for _ in range(count)]
                if block:  # the first block warms up
                    samples[typist.contender.name].extend(taken)
        for typist in typists:
            typist.rest()
    finally:
        gc.enable()
    for name, taken in samples.items():
        yield replace(row, name=name, samples=taken)


_Cell = tuple[str, int, str]
"""Source, size and mode."""


def pooled(rows: list[Row]) -> dict[_Cell, dict[str, Row]]:
    """For each cell of the table the samples of all places together, by contender."""
    found: dict[_Cell, dict[str, Row]] = {}
    for row in rows:
        cell = found.setdefault((row.source, row.size, row.mode), {})
        before = cell[row.name].samples if row.name in cell else []
        cell[row.name] = replace(row, place=-1, samples=[*before, *row.samples])
    return found


def worst(rows: list[Row], cell: _Cell, names: list[str]) -> float:
    """The largest ratio of the medians of a single place."""
    medians: dict[int, dict[str, float]] = {}
    for row in rows:
        if (row.source, row.size, row.mode) == cell:
            medians.setdefault(row.place, {})[row.name] = row.quantile(0.5)
    return max(place[names[0]] / place[names[1]] for place in medians.values())


def table(rows: list[Row], names: list[str]) -> Iterator[str]:
    """The results as Markdown, with the ratios of the first contender to the second."""
    paired = len(names) == 2
    head = [
        "source",
        "lines",
        "mode",
        *(f"{name} p50 / p95 ms" for name in names),
        *(["p50 ratio", "p95 ratio", "worst place"] if paired else []),
    ]
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for (source, size, mode), cell in pooled(rows).items():
        cells = [cell[name] for name in names]
        figures = [f"{each.quantile(0.5):.2f} / {each.quantile(0.95):.2f}" for each in cells]
        if paired:
            figures += [f"{cells[0].quantile(q) / cells[1].quantile(q):.2f}" for q in (0.5, 0.95)]
            figures.append(f"{worst(rows, (source, size, mode), names):.2f}")
        yield "| " + " | ".join([source, f"{size:,}", mode, *figures]) + " |"


def missed(rows: list[Row]) -> Iterator[str]:
    """The bars that our server does not reach, in words."""
    for (source, size, mode), cell in pooled(rows).items():
        bar = BARS.get((mode, size))
        if bar is None or not {"guard", "ruff"} <= cell.keys():
            continue
        share = cell["guard"].quantile(0.5) / cell["ruff"].quantile(0.5)
        if share > bar:
            yield f"{source}, {mode} at {size} lines: {share:.2f} of ruff's time, the bar is {bar}"


def main() -> int:
    """Parse the arguments, measure, print. 0, or 1 when a bar is missed with --bars, or 2 when nothing can be
    measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--source", type=Path, action="append", help="folder of real code to build the files from"
    )
    parser.add_argument(
        "--apart",
        action="store_true",
        help="build files of their own from each source, not from all together",
    )
    parser.add_argument("--places", type=int, default=5, help="functions of each file that are edited")
    parser.add_argument("--sizes", default="200,1000,5000,20000", help="lengths of the files in lines")
    parser.add_argument("--modes", default=",".join(MODES), help="what to measure")
    parser.add_argument(
        "--transport", choices=("pull", "push"), default="pull", help="how diagnostics travel"
    )
    parser.add_argument(
        "--only", default="guard,ruff", metavar="NAMES", help="contenders, the first divided by the second"
    )
    parser.add_argument(
        "--blocks",
        type=int,
        default=14,
        help="measured blocks of 14 keys (a flood each) per place and contender",
    )
    parser.add_argument("--bars", action="store_true", help="exit with 1 when our server misses a bar")
    parser.add_argument("--json", type=Path, help="write the samples there")
    arguments = parser.parse_args()
    modes = [
        mode for mode in arguments.modes.split(",") if arguments.transport == "pull" or mode in PUSH_MODES
    ]
    if unknown := set(arguments.modes.split(",")) - set(MODES):
        parser.error(f"unknown mode {unknown.pop()!r}; choose from {', '.join(MODES)}")
    rows: list[Row] = []
    try:
        contenders = choose(arguments.only)
        sources = arguments.source or default_sources()
        for folders in [[each] for each in sources] if arguments.apart else [sources]:
            stock = pieces(folders)
            source = "+".join(folder.name for folder in folders) if arguments.source else "installed"
            for size in map(int, arguments.sizes.split(",")):
                for place, scene in enumerate(stage(build(stock, size), arguments.places)):
                    begin = Row(source, place, size, "", "", [])
                    rows += measure(
                        contenders, scene, begin, arguments.transport == "pull", modes, arguments.blocks
                    )
    except (MissingProgram, NoSources, ServerError) as error:
        print(f"keystroke: {error}", file=sys.stderr)
        return 2
    print(*table(rows, [contender.name for contender in contenders]), sep="\n")
    if arguments.json:
        everything: list[Any] = [
            {"transport": arguments.transport, **vars(row), "median": statistics.median(row.samples)}
            for row in rows
        ]
        arguments.json.write_text(json.dumps(everything, indent=1))
    failures = list(missed(rows)) if arguments.bars else []
    for failure in failures:
        print(f"keystroke: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
