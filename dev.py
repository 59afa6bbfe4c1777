"""The developers' script: `python dev.py new-rule | docs | bless`. docs/CONTRIBUTING.md says when to use which."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "server"))


def new_rule(arguments: argparse.Namespace) -> int:
    """Make the files of a new rule and say what comes next."""
    from devtools.scaffold import ScaffoldError, new_rule

    try:
        made = new_rule(ROOT, arguments.rule, arguments.code)
    except ScaffoldError as error:
        print(f"dev.py: {error}", file=sys.stderr)
        return 2
    for path in made:
        print(path.relative_to(ROOT).as_posix())
    name = arguments.rule.partition("/")[2]
    print(f"Write the rule and its specification, then run: pytest -k {name} && python dev.py docs")
    return 0


def docs(_: argparse.Namespace) -> int:
    """Write everything that is generated, and remove the pages of rules that are no more."""
    from devtools.generate import outputs, surplus

    for path, text in outputs(ROOT).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"wrote {path.relative_to(ROOT).as_posix()}")
    for path in surplus(ROOT):
        path.unlink()
        print(f"removed {path.relative_to(ROOT).as_posix()}")
    # The extension's settings live in its package.json, which it knows how to write.
    script = ROOT / "client-vscode" / "scripts" / "generate_settings.py"
    return subprocess.run([sys.executable, script], check=False).returncode


def bless(arguments: argparse.Namespace) -> int:
    """Rewrite the fixed fences of the specifications."""
    chosen = ["-k", arguments.name] if arguments.name else []
    command = [sys.executable, "-m", "pytest", "--bless", "tests/test_specs.py", *chosen]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main() -> int:
    """Run one command; the result is the process's exit code."""
    parser = argparse.ArgumentParser(prog="dev.py", description="Scripts for developers of sqlalchemy-guard.")
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("new-rule", help="make the module and the specification of a new rule")
    command.add_argument("rule", metavar="section/name", help="for example models/missing-tablename")
    command.add_argument("--code", help="for example SAG204; the next free code of the section by default")
    command.set_defaults(run=new_rule)
    command = commands.add_parser("docs", help="write the pages, tables and schemas that are generated")
    command.set_defaults(run=docs)
    command = commands.add_parser(
        "bless", help="rewrite the fixed fences of the specifications with today's fixes"
    )
    command.add_argument("name", nargs="?", help="only of the specification of this rule")
    command.set_defaults(run=bless)
    arguments = parser.parse_args()
    return int(arguments.run(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
