"""The file driver of the blob store, beyond the suite: modes, a full disk, leftovers."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.core.errors import BackendUnavailable, QuotaExhausted

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """No file of this process may grow past the size: a disk that is full, for one writer."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def incoming(root: Path) -> list[Path]:
    """The files that are not in place yet."""
    return [path for path in root.glob("~*/*") if path.is_file()]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
async def test_files_and_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    root = tmp_path / "blobs"
    await FileBlobs(root).put("a/b/c", b"x")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")}
    assert modes == {"a": 0o700, "b": 0o700, "c": 0o600, "~incoming": 0o700}
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


async def test_a_blob_is_a_plain_file_under_its_key(tmp_path: Path) -> None:
    await FileBlobs(tmp_path).put("originals/ab/report.pdf", b"%PDF")
    assert (tmp_path / "originals" / "ab" / "report.pdf").read_bytes() == b"%PDF"
    assert incoming(tmp_path) == []


async def test_a_full_disk_keeps_the_old_bytes_and_leaves_no_part_of_the_new(
    tmp_path: Path,
) -> None:
    store = FileBlobs(tmp_path)
    await store.put("a", b"old")
    with largest_file(100_000), pytest.raises(QuotaExhausted, match="space"):
        await store.put("a", b"x" * 1_000_000)
    assert await store.get("a") == b"old"
    assert list(await store.keys()) == ["a"]
    assert incoming(tmp_path) == []
    await store.put("a", b"x" * 1_000_000)
    assert len(await store.get("a")) == 1_000_000


async def test_a_folder_that_cannot_be_used_is_an_error_and_not_an_empty_store(
    tmp_path: Path,
) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    store = FileBlobs(loop)
    with pytest.raises(BackendUnavailable, match="DOME_HOME"):
        await store.put("a", b"x")
    with pytest.raises(BackendUnavailable):
        await store.get("a")
    with pytest.raises(BackendUnavailable):
        await store.keys()


async def test_what_a_dead_writer_left_is_swept_after_an_hour(tmp_path: Path) -> None:
    store = FileBlobs(tmp_path)
    assert await store.sweep(NOON) == 0
    await store.put("a", b"kept")
    for name, age in (("dead", timedelta(minutes=61)), ("alive", timedelta(minutes=59))):
        path = tmp_path / "~incoming" / name
        path.write_bytes(b"part")
        written_at = (NOON - age).timestamp()
        os.utime(path, (written_at, written_at))
    assert list(await store.keys()) == ["a"]
    assert await store.sweep(NOON) == 1
    assert [path.name for path in incoming(tmp_path)] == ["alive"]
    assert await store.get("a") == b"kept"
