"""The file access: encodings, reasons, atomic writes, and which files a walk finds."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.config import SettingsStore
from sqlalchemy_guard.vfs import Skipped, Source, Vfs, canonical

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX file modes and links")


def source(path: Path, data: bytes) -> Source:
    path.write_bytes(data)
    found = Vfs().read(str(path))
    assert isinstance(found, Source), found
    return found


def skipped(path: Path, data: bytes, limit: int = 1000) -> Skipped:
    path.write_bytes(data)
    found = Vfs(limit).read(str(path))
    assert isinstance(found, Skipped), found
    return found


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"x = 1\n", "x = 1\n", "utf-8"),
        (b"", "", "utf-8"),
        ("é = '😀'\n".encode(), "é = '😀'\n", "utf-8"),
        (b"\xef\xbb\xbfx\n", "x\n", "utf-8-sig"),
        (b"\xef\xbb\xbf# coding: utf8\n", "# coding: utf8\n", "utf-8-sig"),
        (b"# -*- coding: latin-1 -*-\n\xe9\n", "# -*- coding: latin-1 -*-\né\n", "iso8859-1"),
        (
            b"#!/bin/python\r\n# vim:fileencoding=cp1252\r\n\x80",
            "#!/bin/python\r\n# vim:fileencoding=cp1252\r\n€",
            "cp1252",
        ),
        ("x = 1\n# coding: latin-1 é\n".encode(), "x = 1\n# coding: latin-1 é\n", "utf-8"),
        ("\n\n# coding: latin-1 é\n".encode(), "\n\n# coding: latin-1 é\n", "utf-8"),
        (b"a\x0cb\x1c\xc2\x85\n", "a\x0cb\x1c\x85\n", "utf-8"),
    ],
)
def test_encodings_round_trip(tmp_path: Path, data: bytes, text: str, encoding: str) -> None:
    found = source(tmp_path / "a.py", data)
    assert (found.text, found.encoding) == (text, encoding)
    assert Vfs().write(found, found.text) is None
    assert (tmp_path / "a.py").read_bytes() == data


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"\xe9\n", "encoding", "utf-8 at byte 0"),
        (b"# coding: klingon\n", "encoding", "'klingon', which does not exist"),
        (b"# coding: rot13\n", "encoding", "none for text"),
        (b"# coding: hex\n", "encoding", "none for text"),
        (b"\xef\xbb\xbf# coding: latin-1\n", "encoding", "byte order mark"),
        ("x = 1".encode("utf-16"), "encoding", "UTF-16"),
        (b"x\0y", "binary", "binary"),
        (b"x" * 1001, "large", "1,001 bytes"),
    ],
)
def test_reasons(tmp_path: Path, data: bytes, kind: str, words: str) -> None:
    found = skipped(tmp_path / "a.py", data)
    assert found.kind == kind
    assert words in found.reason


def test_what_is_no_file(tmp_path: Path) -> None:
    vfs = Vfs()
    for path, kind in ((str(tmp_path), "folder"), (str(tmp_path / "no.py"), "missing"), ("a\0b", "other")):
        found = vfs.read(path)
        assert isinstance(found, Skipped)
        assert found.kind == kind
        assert vfs.stamp(path) is None
        assert vfs.read_text(path) is None


@posix
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.py")
    found = Vfs().read(str(tmp_path / "a.py"))
    assert isinstance(found, Skipped)
    assert found.kind == "other"


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x")
    (tmp_path / "a.py").chmod(0)
    found = Vfs().read(str(tmp_path / "a.py"))
    assert isinstance(found, Skipped)
    assert found.kind == "permission"


@pytest.mark.parametrize(
    ("data", "newline", "mixed"),
    [(b"", "\n", False), (b"a\nb\n", "\n", False), (b"a\r\nb\r\nc\n", "\r\n", True), (b"a\rb", "\r", False)],
)
def test_newlines(tmp_path: Path, data: bytes, newline: str, mixed: bool) -> None:
    found = source(tmp_path / "a.py", data)
    assert (found.newline, found.mixed_newlines) == (newline, mixed)
    assert found.text.encode() == data


@posix
def test_write_keeps_mode_and_link_and_leaves_nothing_behind(tmp_path: Path) -> None:
    real = tmp_path / "real.py"
    real.write_bytes(b"x\r\n")
    real.chmod(0o751)
    link = tmp_path / "link.py"
    link.symlink_to(real)
    found = Vfs().read(str(link))
    assert isinstance(found, Source)
    assert Vfs().write(found, "y\r\n") is None
    assert link.is_symlink()
    assert real.read_bytes() == b"y\r\n"
    assert real.stat().st_mode & 0o777 == 0o751
    assert sorted(os.listdir(tmp_path)) == ["link.py", "real.py"]


def test_write_refuses_what_changed_meanwhile(tmp_path: Path) -> None:
    found = source(tmp_path / "a.py", b"x")
    (tmp_path / "a.py").write_bytes(b"longer")
    refused = Vfs().write(found, "y")
    assert refused is not None
    assert refused.kind == "changed"
    assert (tmp_path / "a.py").read_bytes() == b"longer"


def test_write_refuses_what_the_encoding_cannot_hold(tmp_path: Path) -> None:
    found = source(tmp_path / "a.py", b"# coding: latin-1\n")
    refused = Vfs().write(found, "# coding: latin-1\n'😀'")
    assert refused is not None
    assert "'😀' cannot be written in iso8859-1" in refused.reason
    assert (tmp_path / "a.py").read_bytes() == b"# coding: latin-1\n"


def test_a_failed_write_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = source(tmp_path / "a.py", b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    refused = Vfs().write(found, "new")
    assert refused is not None
    assert "No space left" in refused.reason
    assert os.listdir(tmp_path) == ["a.py"]
    assert (tmp_path / "a.py").read_bytes() == b"old"


def tree(root: Path, *names: str, **texts: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    for name, text in texts.items():
        (root / name).write_text(text)


def found(root: Path, *paths: str) -> list[str]:
    vfs = Vfs()
    base = canonical(str(root))
    result = []
    for entry in vfs.discover([os.path.join(base, path) for path in paths] or [base], SettingsStore(vfs)):
        if isinstance(entry, Skipped):
            result.append(f"{entry.kind}: {os.path.relpath(entry.path, base)}")
        else:
            result.append(os.path.relpath(entry, base).replace(os.sep, "/"))
    return result


def test_walk_finds_python_files_in_order(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "b.py",
        "a.pyi",
        "c.txt",
        "pkg/z.py",
        "pkg/a.py",
        ".venv/x.py",
        "a/node_modules/x.py",
        "build/x.py",
    )
    assert found(tmp_path) == ["a.pyi", "b.py", "pkg/a.py", "pkg/z.py"]


def test_what_is_named_is_taken_once(tmp_path: Path) -> None:
    tree(tmp_path, "build/x.py", "script", "a.py")
    assert found(tmp_path, "build", "script", "a.py", ".", "nothing.py") == [
        "build/x.py",
        "script",
        "a.py",
        "missing: nothing.py",
    ]


def test_settings_exclude(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "gen/x.py", "pkg/skip_a.py", "pkg/b.py", "pkg/old/c.py")
    (tmp_path / "sqlalchemy-guard.toml").write_text('extend-exclude = ["gen", "skip_*.py", "pkg/old"]')
    assert found(tmp_path) == ["a.py", "pkg/b.py"]


def test_gitignore_semantics(tmp_path: Path) -> None:
    tree(
        tmp_path,
        ".git/info/exclude",
        "a.py",
        "local.py",
        "top.py",
        "sub/top.py",
        "sub/gen_a.py",
        "sub/gen_keep.py",
        "sub/deep/gen_b.py",
        "out/x.py",
        "sub/out/x.py",
        "foo/bar/keep.py",
        "foo/other.py",
        "folder_only.py",
        "doc/a/b/x.py",
    )
    (tmp_path / ".git/info/exclude").write_text("local.py\n")
    (tmp_path / ".gitignore").write_text(
        "# comment\n/top.py\ngen_*.py\n/out/\nfoo/*\n!foo/bar/\nfolder_only.py/\ndoc/**/x.py\n"
    )
    (tmp_path / "sub/.gitignore").write_text("!gen_keep.py\n")
    assert found(tmp_path) == [
        "a.py",
        "folder_only.py",
        "foo/bar/keep.py",
        "sub/gen_keep.py",
        "sub/top.py",
        "sub/out/x.py",
    ]
    assert found(tmp_path, "sub") == ["sub/gen_keep.py", "sub/top.py", "sub/out/x.py"]


def test_gitignore_of_an_outer_repository_does_not_hold_in_a_nested_one(tmp_path: Path) -> None:
    tree(tmp_path, ".git/HEAD", "x.py", "nested/.git/HEAD", "nested/x.py")
    (tmp_path / ".gitignore").write_text("x.py\n")
    assert found(tmp_path) == ["nested/x.py"]


def test_gitignore_without_a_repository_holds_in_its_folder(tmp_path: Path) -> None:
    tree(tmp_path, "x.py", "y.py", "sub/x.py")
    (tmp_path / ".gitignore").write_text("x.py\n")
    assert found(tmp_path) == ["y.py"]


@posix
def test_symbolic_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    tree(outside, "lib/o.py", "single.py")
    tree(inside, "pkg/a.py", "z.py")
    (inside / "pkg/loop").symlink_to(inside / "pkg")
    (inside / "up").symlink_to(tmp_path)
    (inside / "again").symlink_to(inside / "pkg")
    (inside / "b.py").symlink_to(inside / "z.py")
    (inside / "lib").symlink_to(outside / "lib")
    (outside / "lib/back").symlink_to(inside)
    (inside / "single.py").symlink_to(outside / "single.py")
    (inside / "self").symlink_to(inside / "self")
    (inside / "broken.py").symlink_to(inside / "nowhere.py")
    assert found(inside) == ["z.py", "pkg/a.py", "lib/o.py", "single.py"]


def test_canonical(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert canonical("a/../B.py") == canonical(os.path.join(os.getcwd(), "B.py"))
    assert canonical("B.py").endswith("B.py")
