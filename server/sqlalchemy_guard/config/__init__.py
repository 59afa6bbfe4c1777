"""Settings: one frozen dataclass, parsed from mappings, selected by the nearest file. Must never do I/O."""

from sqlalchemy_guard.config.locate import Position, locate, locate_offsets
from sqlalchemy_guard.config.schema import json_schema
from sqlalchemy_guard.config.selection import (
    is_excluded,
    names_a_rule,
    path_matches,
    rule_selected,
    selector_problems,
    severity_of,
    unknown_selector,
)
from sqlalchemy_guard.config.settings import (
    DEFAULT_EXCLUDE,
    ConfigProblem,
    Settings,
    options,
    parse_document,
    parse_settings,
)
from sqlalchemy_guard.config.store import FILE_NAMES, ConfigFile, SettingsStore

__all__ = [
    "DEFAULT_EXCLUDE",
    "FILE_NAMES",
    "ConfigFile",
    "ConfigProblem",
    "Position",
    "Settings",
    "SettingsStore",
    "is_excluded",
    "json_schema",
    "locate",
    "locate_offsets",
    "names_a_rule",
    "options",
    "parse_document",
    "parse_settings",
    "path_matches",
    "rule_selected",
    "selector_problems",
    "severity_of",
    "unknown_selector",
]
