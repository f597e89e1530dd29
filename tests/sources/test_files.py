"""Which files may be read, and reading them."""

import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dome_mcp.core.errors import DomeError, Forbidden, InvalidInput, NotFound, UnreadableDocument
from dome_mcp.sources.files import SourceFile, open_unfollowed, read_file
from tests.sources.trees import grow, needs_posix


def read(path: object, root: Path, *, max_bytes: int = 100, excluded: Path | None = None):
    return read_file(
        str(path), roots=[root], max_bytes=max_bytes, excluded=[excluded] if excluded else []
    )


def error_of(path: object, root: Path) -> DomeError:
    with pytest.raises(DomeError) as caught:
        read(path, root)
    return caught.value


def test_a_file_under_a_root_is_read_with_its_name_address_and_date(root: Path) -> None:
    file = root / "my notes.txt"
    file.write_bytes(b"hello")
    os.utime(file, (0, 1_000_000_000))
    assert read(file, root) == SourceFile(
        data=b"hello",
        filename="my notes.txt",
        source_uri=f"{root.as_uri()}/my%20notes.txt",
        modified_at=datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC),
    )


def test_a_file_uri_is_a_path(root: Path) -> None:
    file = root / "a #1.txt"
    file.write_text("x")
    assert read(file.as_uri(), root).data == b"x"
    assert read(file.as_uri().replace("file://", "FILE://localhost"), root).data == b"x"


def test_a_file_uri_of_another_machine_is_refused(root: Path) -> None:
    with pytest.raises(InvalidInput, match="another machine"):
        read("file://server/share/a.txt", root)


@pytest.mark.parametrize("path", ["", "  ", "a\0b", "file:///a%00b"])
def test_what_is_no_path_is_refused(path: str, root: Path) -> None:
    with pytest.raises(InvalidInput, match="path"):
        read(path, root)


def test_a_tilde_is_the_home_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root))
    monkeypatch.setenv("USERPROFILE", str(root))
    (root / "a.txt").write_text("x")
    assert read("~/a.txt", root).data == b"x"


def test_outside_the_roots_there_is_one_answer_whatever_is_there(root: Path, outside: Path) -> None:
    there = error_of(outside, root)
    absent = error_of(outside.with_name("absent.txt"), root)
    folder = error_of(outside.parent, root)
    deep = error_of(outside / "x" / "y", root)
    assert {type(e) for e in (there, absent, folder, deep)} == {Forbidden}
    assert len({str(e) for e in (there, absent, folder, deep)}) == 1
    assert "outside the folders" in there.message
    assert "DOME_ALLOWED_ROOTS" in there.hint


def test_dots_do_not_lead_out_of_a_root(root: Path, outside: Path) -> None:
    assert isinstance(error_of(root / ".." / "outside" / outside.name, root), Forbidden)


def test_a_folder_whose_name_only_begins_like_a_root_is_outside(root: Path) -> None:
    twin = root.with_name("root2")
    twin.mkdir()
    (twin / "a.txt").write_text("x")
    assert isinstance(error_of(twin / "a.txt", root), Forbidden)


def test_a_link_that_leads_out_of_the_roots_is_refused(root: Path, outside: Path) -> None:
    (root / "file.txt").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent)
    (root / "dangling").symlink_to(outside.with_name("absent"))
    errors = [error_of(root / name, root) for name in ("file.txt", "folder/secret.txt", "dangling")]
    assert {type(e) for e in errors} == {Forbidden}
    assert len({str(e) for e in errors}) == 1


def test_a_link_inside_the_roots_gives_the_file_it_leads_to(root: Path) -> None:
    (root / "real.txt").write_text("x")
    (root / "link.md").symlink_to(root / "real.txt")
    found = read(root / "link.md", root)
    assert (found.filename, found.source_uri) == ("real.txt", (root / "real.txt").as_uri())


def test_a_root_may_itself_be_a_link(root: Path, tmp_path: Path) -> None:
    (root / "a.txt").write_text("x")
    (tmp_path / "alias").symlink_to(root)
    assert read(tmp_path / "alias" / "a.txt", tmp_path / "alias").data == b"x"


def test_links_in_a_circle_are_an_error_of_the_caller(root: Path) -> None:
    (root / "a").symlink_to(root / "b")
    (root / "b").symlink_to(root / "a")
    assert isinstance(error_of(root / "a", root), InvalidInput | NotFound)


@pytest.mark.parametrize("name", [".env", ".ssh/id_rsa", "project/.git/config"])
def test_what_is_hidden_below_a_root_is_refused(name: str, root: Path) -> None:
    hidden = root / name
    hidden.parent.mkdir(parents=True, exist_ok=True)
    hidden.write_text("secret")
    (root / "innocent.txt").symlink_to(hidden)
    for path in (hidden, root / "innocent.txt"):
        error = error_of(path, root)
        assert isinstance(error, Forbidden)
        assert "starts with a dot" in error.message


def test_a_hidden_folder_that_is_a_root_itself_is_read(root: Path) -> None:
    notes = root / ".notes"
    notes.mkdir()
    (notes / "a.txt").write_text("x")
    found = read_file(str(notes / "a.txt"), roots=[root, notes], max_bytes=10)
    assert found.data == b"x"


@pytest.mark.parametrize("spelling", ["data/dome.db", "DATA/dome.db"])
def test_domes_own_data_is_refused_whatever_the_case(spelling: str, root: Path) -> None:
    file = root / spelling
    file.parent.mkdir()
    file.write_text("rows")
    with pytest.raises(Forbidden, match="own data"):
        read(file, root, excluded=root / "data")


def test_a_missing_file_names_the_close_ones_that_are_not_hidden(root: Path) -> None:
    for name in ("report.pdf", ".report.pdf", "other.doc"):
        (root / name).write_text("x")
    error = error_of(root / "reprot.pdf", root)
    assert isinstance(error, NotFound)
    assert error.hint == "Did you mean report.pdf?"


def test_a_missing_folder_is_told_from_a_missing_file(root: Path) -> None:
    error = error_of(root / "absent" / "a.txt", root)
    assert isinstance(error, NotFound)
    assert "folder is not there" in error.hint


def test_a_file_taken_for_a_folder_is_not_found(root: Path) -> None:
    (root / "a.txt").write_text("x")
    assert isinstance(error_of(root / "a.txt" / "b", root), NotFound)


def test_a_folder_is_refused_with_the_command_for_folders(root: Path) -> None:
    error = error_of(root, root)
    assert isinstance(error, InvalidInput)
    assert "dome-mcp ingest" in error.hint


@needs_posix
def test_a_pipe_a_socket_and_a_device_are_refused_without_waiting(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        for path in (root / "pipe", root / "socket"):
            error = error_of(path, root)
            assert isinstance(error, InvalidInput)
            assert "plain file" in error.hint
    with pytest.raises(InvalidInput, match="device"):
        read_file("/dev/zero", roots=[Path("/dev")], max_bytes=10)


def test_a_file_of_the_limit_is_read_and_a_larger_one_is_not(root: Path) -> None:
    (root / "a.txt").write_bytes(b"x" * 100)
    assert len(read(root / "a.txt", root, max_bytes=100).data) == 100
    with pytest.raises(UnreadableDocument, match="larger than 99 bytes") as caught:
        read(root / "a.txt", root, max_bytes=99)
    assert caught.value.reason == "too_large"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_file_that_hides_its_size_is_still_limited() -> None:
    with pytest.raises(UnreadableDocument, match="larger"):
        read_file("/proc/self/status", roots=[Path("/proc")], max_bytes=10)


@needs_posix
def test_a_file_this_user_may_not_read_is_forbidden(unprivileged_root: Path) -> None:
    file = unprivileged_root / "a.txt"
    file.write_text("x")
    file.chmod(0)
    assert isinstance(error_of(file, unprivileged_root), Forbidden)


def test_a_folder_swapped_for_a_link_before_opening_is_noticed(root: Path, outside: Path) -> None:
    file = root / "folder" / outside.name
    grow(root, f"folder/{outside.name}")

    def swap_and_open(path: str, flags: int) -> int:
        file.parent.rename(root / "aside")
        file.parent.symlink_to(outside.parent)
        return open_unfollowed(path, flags)

    with pytest.raises(Forbidden, match="changed"):
        read_file(str(file), roots=[root], max_bytes=100, opener=swap_and_open)


def test_a_folder_swapped_back_after_opening_is_noticed(root: Path, outside: Path) -> None:
    file = root / "folder" / outside.name
    grow(root, f"folder/{outside.name}")

    def open_elsewhere(path: str, flags: int) -> int:
        return open_unfollowed(str(outside), flags)

    with pytest.raises(Forbidden, match="changed"):
        read_file(str(file), roots=[root], max_bytes=100, opener=open_elsewhere)


@needs_posix
def test_a_file_that_becomes_a_link_before_opening_is_not_followed(
    root: Path, outside: Path
) -> None:
    grow(root, "a.txt")

    def swap_and_open(path: str, flags: int) -> int:
        (root / "a.txt").unlink()
        (root / "a.txt").symlink_to(outside)
        return open_unfollowed(path, flags)

    with pytest.raises(InvalidInput, match="cannot be read"):
        read_file(str(root / "a.txt"), roots=[root], max_bytes=100, opener=swap_and_open)


@needs_posix
def test_a_file_that_becomes_a_pipe_before_opening_is_not_waited_for(root: Path) -> None:
    grow(root, "a.txt")

    def swap_and_open(path: str, flags: int) -> int:
        (root / "a.txt").unlink()
        os.mkfifo(root / "a.txt")
        return open_unfollowed(path, flags)

    with pytest.raises(InvalidInput, match="pipe"):
        read_file(str(root / "a.txt"), roots=[root], max_bytes=100, opener=swap_and_open)
