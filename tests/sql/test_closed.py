"""The evaluator is closed: a module full of attempts to do something leaves no trace, and ends soon."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import pytest

from sqlalchemy_guard.sql import ddl, models
from sqlalchemy_guard.sql.evaluator import Evaluator
from sqlalchemy_guard.sql.preview import preview
from tests.support.fixture import Project

HEADER = """
import builtins, enum, importlib, io, os, pathlib, pickle, re, subprocess, sys, types
from datetime import datetime
from typing import Annotated, Literal
import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, backref, declared_attr, mapped_column, relationship

MARK = {mark!r}
metadata = MetaData()
users = Table("users", metadata, Column("id", Integer, primary_key=True))

class Base(DeclarativeBase):
    pass
"""

# Each would write the file `MARK`, end the process, or take for ever, if anything of it were done.
_SECTIONS = re.split(
    r"^# -- (.+)\n", Path(__file__).with_name("attempts.txt").read_text(), flags=re.MULTILINE
)[1:]
ATTEMPTS = dict(zip(_SECTIONS[::2], _SECTIONS[1::2], strict=True))
ATTEMPTS["deep expression"] = "x = " + "(" * 80 + "1" + ")" * 80 + " + 1" * 900


@pytest.mark.parametrize("name", ATTEMPTS)
def test_attempts_are_python(name: str) -> None:
    compile(HEADER.format(mark="x") + ATTEMPTS[name], name, "exec")


@pytest.mark.parametrize("name", ATTEMPTS)
def test_nothing_is_done(tmp_path: Path, name: str) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "project").mkdir()
    text = HEADER.format(mark=str(mark)) + ATTEMPTS[name] + "\n"
    project = Project(tmp_path / "project", {"main.py": text})
    before, modules, limit = dict(os.environ), set(sys.modules), sys.getrecursionlimit()
    evaluator = Evaluator(project.workspace)
    module = evaluator.program.module(project.report("main.py").file_id)
    assert module is not None
    start = time.monotonic()
    for one in module.names():
        value = module.get(one)
        if hasattr(value, "columns") and hasattr(value, "where"):
            str(value)
    module.run_effects(frozenset({"Table", "os", "sa", "open", "metadata"}))
    schema = models.rebuild(project.workspace)
    list(ddl.statements(schema, "postgresql"))
    for line in range(HEADER.count("\n"), text.count("\n")):
        preview(project.workspace, module.file_id, line, "sqlite")
    assert time.monotonic() - start < 10
    assert not mark.exists()
    assert os.environ == before
    assert sys.getrecursionlimit() == limit
    assert not {one for one in set(sys.modules) - modules if not one.startswith(("sqlalchemy", "encodings"))}
    assert os.listdir(tmp_path) == ["project"]
    assert os.listdir(tmp_path / "project") == ["main.py"]
