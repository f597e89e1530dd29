"""Files on their way in: in pieces, private, whole or not there."""

import hashlib
import os
import stat
from pathlib import Path

import anyio
import pytest

from dome_mcp.core.errors import BackendUnavailable, QuotaExhausted, UnreadableDocument
from dome_mcp.remote.spool import Spool

pytestmark = pytest.mark.anyio


def names_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


async def receive(spool: Spool, data: bytes) -> None:
    """Receives a file in many pieces, and keeps it."""
    async with spool.receiving() as incoming:
        for start in range(0, len(data), 100_000):
            await incoming.write(data[start : start + 100_000])
        await incoming.keep_as("one")


async def test_a_file_that_is_kept_is_private_and_whole(tmp_path: Path):
    spool = Spool(tmp_path / "home" / "incoming", max_bytes=10**7)
    pieces = [os.urandom(100_000) for _ in range(20)]
    async with spool.receiving() as incoming:
        for piece in pieces:
            await incoming.write(piece)
        kept = await incoming.keep_as("one")
    data = b"".join(pieces)
    assert kept.read_bytes() == data
    assert (incoming.size_bytes, incoming.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert names_in(spool.folder) == [kept.name]
    if os.name != "nt":
        assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    await spool.remove("one")
    await spool.remove("one")
    assert names_in(spool.folder) == []


@pytest.mark.parametrize("leave", ["quietly", "by an error", "cancelled"])
async def test_a_file_that_is_not_kept_is_gone(tmp_path: Path, leave: str):
    spool = Spool(tmp_path, max_bytes=100)
    with anyio.CancelScope() as scope:
        try:
            async with spool.receiving() as incoming:
                await incoming.write(b"words")
                await incoming.flush()
                assert len(names_in(tmp_path)) == 1
                if leave == "cancelled":
                    scope.cancel()
                    await anyio.sleep_forever()
                assert leave == "quietly"
        except AssertionError:
            pass
    assert names_in(tmp_path) == []


async def test_a_file_over_the_limit_is_refused_and_gone(tmp_path: Path):
    with pytest.raises(UnreadableDocument, match=r"limit of 2\.0 MB"):
        await receive(Spool(tmp_path, max_bytes=2_000_000), bytes(2_000_001))
    assert names_in(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
async def test_a_full_disk_is_said_to_be_one(tmp_path: Path):
    spool = Spool(tmp_path, max_bytes=100, opener=lambda *_: os.open("/dev/full", os.O_RDWR))
    with pytest.raises(QuotaExhausted, match="no room"):
        await receive(spool, b"words")
    assert names_in(tmp_path) == []


async def test_a_folder_that_cannot_be_used_is_said_to_be_unavailable(tmp_path: Path):
    (tmp_path / "incoming").write_bytes(b"a file where the folder should be")
    with pytest.raises(BackendUnavailable, match="incoming files"):
        await receive(Spool(tmp_path / "incoming", max_bytes=100), b"words")
