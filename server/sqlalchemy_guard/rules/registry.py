"""Finds the rules by walking the packages beside this module: adding a rule means adding one file and no list entry.

A module whose name starts with an underscore is shared by rules and is no rule itself. Every other module of a section
must be of the form that `rules/api.py` describes, else discovery fails and names the file. This module must never know
a rule by name.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from sqlalchemy_guard.rules.api import SECTIONS, Rule, RuleError
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import ModuleType

HEADINGS = ("What it does", "Why is this bad?", "Example", "Use instead", "Fix safety", "References")
"""The headings of a rule's documentation, in the order in which they must come."""

_HEADING_LINE = lazy_pattern(r"^\s*## (.+?)\s*$", re.MULTILINE)


@cache
def rules() -> Mapping[str, Rule]:
    """All rules by code, in the order of their codes.

    Raises:
        RuleError: a module is not of the form of a rule, or two rules share a code or a name.
    """
    package = importlib.import_module(__name__.rpartition(".")[0])
    return collect(discover(package.__name__, package.__path__))


@cache
def by_name() -> Mapping[str, Rule]:
    """All rules by name, in the order of their codes."""
    return MappingProxyType({rule.name: rule for rule in rules().values()})


def discover(package: str, path: Iterable[str]) -> Iterator[ModuleType]:
    """Import every rule module of a package that holds one package for each section.

    Args:
        package: The dotted name of the package.
        path: Where the import system looks for its modules: directories or places in a zip archive.

    Raises:
        RuleError: there is a package that is no section.
    """
    for section, is_package in _modules_in(path):
        if not is_package:
            continue
        if section not in SECTIONS:
            known = ", ".join(SECTIONS)
            raise RuleError(f"{package}.{section}: not a section of rules; the sections are {known}")
        parent = importlib.import_module(f"{package}.{section}")
        for module, _ in _modules_in(parent.__path__):
            if not module.startswith("_"):
                yield importlib.import_module(f"{parent.__name__}.{module}")


def _modules_in(path: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """The names of the modules in these places, in order, and whether each is a package."""
    places = list(path)
    try:
        names = [(place, name) for place in places for name in os.listdir(place)]
    except OSError:
        # A zip archive. Not for directories: what `pkgutil` imports takes longer than to list all rules.
        import pkgutil

        yield from ((found.name, found.ispkg) for found in pkgutil.iter_modules(places))
        return
    found: dict[str, bool] = {}
    for place, name in names:
        stem, suffix = os.path.splitext(name)
        if suffix in (".py", ".pyc") and stem != "__init__":
            found.setdefault(stem, False)
        elif not suffix and any(
            os.path.isfile(os.path.join(place, name, f"__init__{end}")) for end in (".py", ".pyc")
        ):
            found[name] = True
    yield from sorted(found.items())


def collect(modules: Iterable[ModuleType]) -> Mapping[str, Rule]:
    """The rules of these modules by code, in the order of their codes.

    Raises:
        RuleError: a module is not of the form of a rule, or two rules share a code or a name.
    """
    found: dict[str, Rule] = {}
    names: dict[str, ModuleType] = {}
    for module in modules:
        rule = _rule_of(module)
        if rule.code in found:
            other = names[found[rule.code].name]
            raise RuleError(f"{_file(module)}: the code {rule.code} is taken by {_file(other)}")
        if rule.name in names:
            raise RuleError(f"{_file(module)}: the name {rule.name} is taken by {_file(names[rule.name])}")
        found[rule.code] = rule
        names[rule.name] = module
    return MappingProxyType(dict(sorted(found.items())))


def _rule_of(module: ModuleType) -> Rule:
    """The rule of a module.

    Raises:
        RuleError: the module is not of the form of a rule.
    """
    rule = getattr(module, "rule", None)
    if not isinstance(rule, Rule) or rule.module != module.__name__:
        raise RuleError(
            f"{_file(module)}: no `rule = Rule(...)` here; start the module's name with _ if it is no rule"
        )
    digit = str(list(SECTIONS).index(rule.section))
    if rule.code[3] != digit:
        raise RuleError(f"{_file(module)}: codes of the section {rule.section} start with SAG{digit}")
    if rule.fix_applicability is not None and not rule.has_fix:
        raise RuleError(f"{_file(module)}: declares a fix but registers none with @rule.fix")
    # `python -OO` strips the documentation; there is nothing to hold it against then.
    if module.__doc__ is not None or sys.flags.optimize < 2:
        headings = tuple(_HEADING_LINE.findall(module.__doc__ or ""))
        if headings != HEADINGS:
            wanted, has = ", ".join(HEADINGS), ", ".join(headings) or "none"
            raise RuleError(f"{_file(module)}: the docstring's headings must be {wanted}; it has {has}")
    return rule


def _file(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or module.__name__
