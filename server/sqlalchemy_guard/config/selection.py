"""Which rules hold for which file, and which paths a pattern means.

A selector is a code, the beginning of a code, a rule's name, or `ALL`. Of two selectors the more specific one
wins, and `ignore` wins a tie. This module must never do I/O nor know a rule.
"""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy_guard.config.settings import ConfigProblem, KeyPath, RuleLike, Selection, Settings, nearest
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CODE_LENGTH = len("SAG000")
_CODE = lazy_pattern(r"SAG\d*")


def specificity(selector: str, rule: RuleLike) -> int:
    """How exactly a selector names a rule: -1 not at all, 0 for `ALL`, else how much of its code."""
    plain = selector.strip()
    if plain.lower() == rule.name:
        return _CODE_LENGTH
    upper = plain.upper()
    if upper == "ALL":
        return 0
    return len(upper) if upper.startswith("SAG") and rule.code.startswith(upper) else -1


def _best(selectors: Iterable[str], rule: RuleLike) -> int:
    return max((specificity(selector, rule) for selector in selectors), default=-1)


def rule_selected(settings: Settings, rule: RuleLike, path: str) -> bool:
    """Whether a rule is to be checked in a file.

    Args:
        path: The file's id: an absolute path, or a URI for a document that is no file.
    """
    return _selected(settings, rule) and not any(
        specificity(selector, rule) >= 0 for selector in ignored_in_file(settings, path)
    )


def _selected(settings: Settings, rule: RuleLike) -> bool:
    state = _by_profile(settings.profile, rule)
    for layer in (Selection(settings.select, settings.extend_select, settings.ignore), *settings.overlays):
        chosen = _best((*(layer.select or ()), *layer.extend_select), rule)
        ignored = _best(layer.ignore, rule)
        if layer.select is not None or chosen >= 0 or ignored >= 0:
            state = chosen > ignored
    return state


def _by_profile(profile: str, rule: RuleLike) -> bool:
    if profile == "legacy":
        return rule.default and not rule.modern
    return rule.default or profile == "strict"


def ignored_in_file(settings: Settings, path: str) -> Iterator[str]:
    """The selectors that `per-file-ignores` names for a file."""
    for pattern, selectors in settings.per_file_ignores.items():
        inverted = pattern.startswith("!")
        if path_matches(pattern.removeprefix("!"), settings.root, path) != inverted:
            yield from selectors


def severity_of(settings: Settings, rule: RuleLike) -> str | None:
    """The severity that the settings give a rule, None when they say nothing."""
    ranked = [(specificity(selector, rule), severity) for selector, severity in settings.severity.items()]
    best = max(ranked, key=lambda item: item[0], default=(-1, ""))
    return best[1] if best[0] >= 0 else None


def is_excluded(settings: Settings, path: str, *, ancestors: bool = True) -> bool:
    """Whether the excludes name a path or, unless `ancestors` is false, a folder it lies in."""
    patterns = (*settings.exclude, *settings.extend_exclude)
    return _is_named(_compiled(patterns), settings.root, path, ancestors)


@lru_cache(maxsize=512)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    """One expression for all of some globs: every file of a walk is asked for."""
    globs = [pattern.replace("\\", "/").removeprefix("./").rstrip("/") for pattern in patterns]
    parts = [fnmatch.translate(glob) for glob in globs if glob]
    return re.compile("|".join(parts)) if parts else None


def path_matches(pattern: str, root: str, path: str, *, ancestors: bool = True) -> bool:
    """Whether a glob names a path or a folder it lies in: by its last part, from `root`, or absolutely.

    `*` also crosses folder separators, as in Ruff's patterns. Folders above `root` are not looked at.
    """
    return _is_named(_compiled((pattern,)), root, path, ancestors)


def _is_named(expression: re.Pattern[str] | None, root: str, path: str, ancestors: bool) -> bool:
    if expression is None:
        return False
    whole = path.replace("\\", "/")
    base = root.replace("\\", "/").rstrip("/")
    inside = bool(base) and whole.startswith(base + "/")
    relative = whole[len(base) + 1 :] if inside else whole.lstrip("/")
    start = whole[: len(whole) - len(relative)]
    match = expression.match
    parts = relative.split("/")
    for count in range(len(parts), 0 if ancestors else len(parts) - 1, -1):
        below = "/".join(parts[:count])
        if match(parts[count - 1]) or match(below) or match("/" + below) or match(start + below):
            return True
    return False


def selector_problems(settings: Settings, rules: Iterable[RuleLike]) -> list[ConfigProblem]:
    """The selectors of the settings' own file that name no rule, with the nearest that does."""
    known, prefix = list(rules), settings.prefix
    words: list[tuple[KeyPath, str, bool]] = []
    for option, listed in (
        ("select", settings.select or ()),
        ("extend-select", settings.extend_select),
        ("ignore", settings.ignore),
    ):
        words += [((*prefix, option, index), selector, True) for index, selector in enumerate(listed)]
    for pattern, listed in settings.per_file_ignores.items():
        words += [
            ((*prefix, "per-file-ignores", pattern, index), word, True) for index, word in enumerate(listed)
        ]
    words += [((*prefix, "severity", selector), selector, False) for selector in settings.severity]
    problems = []
    for key, word, on_value in words:
        if not names_a_rule(word, known):
            source = settings.origins.get(str(key[len(prefix)]), "")
            problems.append(unknown_selector(word, known, source, key, on_value))
    return problems


def names_a_rule(selector: str, rules: Iterable[RuleLike]) -> bool:
    """Whether a selector names at least one rule. `SAG` and `ALL` always do."""
    return selector.strip().upper() in ("ALL", "SAG") or any(
        specificity(selector, rule) >= 0 for rule in rules
    )


def unknown_selector(
    selector: str, rules: Iterable[RuleLike], source: str, key: KeyPath = (), on_value: bool = True
) -> ConfigProblem:
    """The problem of a selector that names no rule."""
    names = ["ALL", *(word for rule in rules for word in (rule.code, rule.name))]
    # The digits of a code mean nothing: the code that looks most like it is no better guess than any other.
    meant = None if _CODE.fullmatch(selector.strip().upper()) else nearest(selector, names)
    hint = f"; did you mean `{meant}`?" if meant else ""
    suggestion = (f'"{meant}"' if on_value else meant) if meant else None
    return ConfigProblem(source, key, f"`{selector}` names no rule{hint}", suggestion, on_value)
