"""`sqlalchemy-guard rule`: explains rules by their modules' docstrings. Must say nothing of its own."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.cli.main import EXIT_OK, UsageError
from sqlalchemy_guard.cli.terminal import Style, wants_color

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from sqlalchemy_guard.rules.api import Rule

_FIX_WORDS = {"none": "no fix", "display": "shows what to write", "unsafe": "unsafe fix", "safe": "safe fix"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `rule`."""
    parser.add_argument("rule", nargs="?", metavar="CODE|NAME", help="the rule to explain")
    parser.add_argument("--all", action="store_true", help="all rules (the default without a rule: a list)")
    parser.add_argument(
        "--output-format", choices=("text", "json"), default="text", help="default: %(default)s"
    )
    parser.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="default: %(default)s"
    )


def run(options: argparse.Namespace) -> int:
    """Print one rule or all."""
    from sqlalchemy_guard.rules.registry import rules

    known = [rule for _, rule in sorted(rules().items())]
    if options.rule and options.all:
        raise UsageError("name a rule or say --all, not both")
    chosen = [find(known, options.rule)] if options.rule else known
    if options.output_format == "json":
        print(json.dumps([to_object(rule) for rule in chosen], indent=2, ensure_ascii=False))
    elif options.rule or options.all:
        print("\n\n".join(explain(rule) for rule in chosen))
    else:
        print(table(chosen, Style(wants_color(options.color, sys.stdout))))
    return EXIT_OK


def find(known: Sequence[Rule], word: str) -> Rule:
    """The rule of a code or name, in any case.

    Raises:
        UsageError: there is none; says which is the nearest.
    """
    for rule in known:
        if word.upper() == rule.code or word.lower().replace("_", "-") == rule.name:
            return rule
    from sqlalchemy_guard.config import unknown_selector

    raise UsageError(f"{unknown_selector(word, known, 'command line').message}; `rule` alone lists all rules")


def to_object(rule: Rule) -> dict[str, Any]:
    """A rule as a JSON-ready mapping."""
    from sqlalchemy_guard.rules.api import SECTIONS

    return {
        "code": rule.code,
        "name": rule.name,
        "summary": rule.summary,
        "section": SECTIONS[rule.section],
        "severity": rule.severity.value,
        "fix": fix_word(rule),
        "default": rule.default,
        "url": rule.url,
        "explanation": rule.explanation,
    }


def fix_word(rule: Rule) -> str:
    """How far the rule's fix may be trusted at best: none, display, unsafe or safe."""
    return rule.fix_applicability.name.lower() if rule.fix_applicability is not None else "none"


def explain(rule: Rule) -> str:
    """A rule's page in Markdown."""
    off = "" if rule.default else " Off by default."
    facts = f"Severity: {rule.severity.value}. {_FIX_WORDS[fix_word(rule)].capitalize()}.{off}"
    return f"# {rule.name} ({rule.code})\n\n{facts}\n\n{rule.explanation}"


def table(rules: Sequence[Rule], style: Style) -> str:
    """A line a rule, under its section."""
    from sqlalchemy_guard.rules.api import SECTIONS

    widest = max((len(rule.name) for rule in rules), default=0)
    lines: list[str] = []
    section = None
    for rule in rules:
        if rule.section != section:
            section = rule.section
            lines += ["", style("bold", SECTIONS[section])]
        code, name = style("red", rule.code), rule.name.ljust(widest)
        off = "" if rule.default else " (off by default)"
        lines.append(f"  {code}  {name}  {fix_word(rule):<7} {rule.summary}{off}")
    return "\n".join(lines).lstrip("\n")
