"""Which files of a folder are found, and in which order."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dome_mcp.core.errors import Forbidden, NotFound
from dome_mcp.sources.files import walk
from tests.sources.trees import grow, needs_posix


def names(walked: Iterator[Path], root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in walked]


def walked(root: Path, *paths: Path, **options: object) -> list[str]:
    wanted = [str(path) for path in paths or (root,)]
    return names(walk(wanted, roots=[root], extensions={".txt"}, **options), root)


def test_a_folder_is_walked_in_order_of_name(root: Path) -> None:
    grow(root, "b.txt", "a/z.txt", "a/b/c.TXT", "c.txt", "a.txt")
    assert walked(root) == ["a/b/c.TXT", "a/z.txt", "a.txt", "b.txt", "c.txt"]


def test_hidden_names_junk_and_other_types_are_passed_over(root: Path) -> None:
    grow(root, ".a.txt", ".git/a.txt", "node_modules/a.txt", "__pycache__/a.txt", "a.exe")
    grow(root, "env/pyvenv.cfg", "env/lib/a.txt", "kept.txt")
    assert walked(root) == ["kept.txt"]


@needs_posix
def test_a_pipe_is_passed_over(root: Path) -> None:
    os.mkfifo(root / "pipe.txt")
    assert walked(root) == []


def test_a_file_named_itself_comes_whatever_its_type(root: Path) -> None:
    grow(root, "a.log", "b.txt")
    assert walked(root, root / "a.log") == ["a.log"]


def test_a_file_comes_once_however_often_it_is_reached(root: Path) -> None:
    grow(root, "a/x.txt")
    (root / "b").symlink_to(root / "a")
    (root / "y.txt").symlink_to(root / "a" / "x.txt")
    assert walked(root, root, root / "a", root / "a" / "x.txt") == ["a/x.txt"]


def test_links_in_a_circle_end(root: Path) -> None:
    grow(root, "a/x.txt")
    (root / "a" / "up").symlink_to(root)
    assert walked(root) == ["a/x.txt"]


def test_a_link_out_of_the_roots_is_skipped_and_told(root: Path, outside: Path) -> None:
    (root / "out").symlink_to(outside.parent)
    (root / "out.txt").symlink_to(outside)
    skipped: list[str] = []
    assert walked(root, on_skipped=lambda path, reason: skipped.append(path.name)) == []
    assert skipped == ["out", "out.txt"]


def test_domes_own_data_is_not_walked(root: Path) -> None:
    grow(root, "data/a.txt", "b.txt")
    assert walked(root, excluded=[root / "data"]) == ["b.txt"]


@needs_posix
def test_a_folder_that_cannot_be_read_is_told_and_the_rest_walked(unprivileged_root: Path) -> None:
    grow(unprivileged_root, "a/x.txt", "b.txt")
    closed = unprivileged_root / "a"
    closed.chmod(0)
    skipped: list[str] = []
    try:
        found = walked(unprivileged_root, on_skipped=lambda path, reason: skipped.append(path.name))
    finally:
        closed.chmod(0o700)
    assert (found, skipped) == (["b.txt"], ["a"])


def test_walking_outside_the_roots_is_forbidden(root: Path, outside: Path) -> None:
    with pytest.raises(Forbidden):
        walked(root, outside.parent)


def test_walking_what_is_not_there_is_an_error(root: Path) -> None:
    with pytest.raises(NotFound):
        walked(root, root / "absent")
