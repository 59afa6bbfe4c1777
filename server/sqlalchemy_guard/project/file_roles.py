"""What a file is for, as its path tells. This module must never read a file."""

from __future__ import annotations


def is_test_file(file_id: str) -> bool:
    """Whether a file belongs to tests."""
    parts = file_id.replace("\\", "/").split("/")
    name = parts[-1]
    if (
        name.startswith("test_")
        or name.endswith(("_test.py", "_tests.py"))
        or name in ("conftest.py", "tests.py")
    ):
        return True
    return any(part in ("tests", "test", "testing") for part in parts[-6:-1])


def is_migration_file(file_id: str) -> bool:
    """Whether a file stands in a folder of migrations."""
    parts = file_id.replace("\\", "/").split("/")
    return any(part in ("migrations", "alembic", "versions") for part in parts[-6:-1])


def is_script_file(file_id: str) -> bool:
    """Whether a file stands in a folder of scripts, which run once in a while and nobody waits for."""
    parts = file_id.replace("\\", "/").split("/")
    return any(part in ("scripts", "script") for part in parts[-6:-1])


def is_sample_file(file_id: str) -> bool:
    """Whether a file's name says that it is a sample to be copied: `config.example.py`, `settings_sample.ini`."""
    name = file_id.replace("\\", "/").split("/")[-1].lower().rpartition(".")[0]
    words = name.replace("-", ".").replace("_", ".").split(".")
    # A file that is only called so may be anything.
    return len(words) > 1 and any(word in ("example", "sample", "dist") for word in words)
