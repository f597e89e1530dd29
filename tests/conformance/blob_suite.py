"""What every `BlobStore` driver keeps.

A test module takes the tests in with `from … import *` and provides the fixture `blobs`, an empty
store.
"""

import anyio
import pytest

from dome_mcp.core.errors import BackendRejected, NotFound
from dome_mcp.core.ports import BlobStore

pytestmark = pytest.mark.anyio


async def test_bytes_come_back_as_they_were_put(blobs: BlobStore) -> None:
    data = bytes(range(256)) * 3
    await blobs.put("originals/ab/report-1.0_final.pdf", data)
    assert await blobs.get("originals/ab/report-1.0_final.pdf") == data


async def test_an_empty_blob_is_a_blob(blobs: BlobStore) -> None:
    await blobs.put("empty", b"")
    assert await blobs.get("empty") == b""
    assert list(await blobs.keys()) == ["empty"]


async def test_twenty_megabytes_come_back_whole(blobs: BlobStore) -> None:
    data = bytes(range(250)) * 80_000
    await blobs.put("large", data)
    assert await blobs.get("large") == data


async def test_the_same_key_again_replaces_the_bytes(blobs: BlobStore) -> None:
    await blobs.put("a/b", b"the longer first version")
    await blobs.put("a/b", b"second")
    assert await blobs.get("a/b") == b"second"
    assert list(await blobs.keys()) == ["a/b"]


async def test_a_missing_key_is_not_found(blobs: BlobStore) -> None:
    await blobs.put("a/b", b"x")
    for key in ("b", "a/c", "a"):
        with pytest.raises(NotFound) as caught:
            await blobs.get(key)
        assert caught.value.key == key


async def test_a_deleted_key_is_gone_and_its_neighbour_is_not(blobs: BlobStore) -> None:
    await blobs.put("a/one", b"1")
    await blobs.put("a/two", b"2")
    await blobs.delete("a/one")
    with pytest.raises(NotFound):
        await blobs.get("a/one")
    assert list(await blobs.keys()) == ["a/two"]


async def test_deleting_what_is_not_there_is_no_error(blobs: BlobStore) -> None:
    await blobs.delete("never")
    await blobs.put("a/b", b"x")
    await blobs.delete("a/b")
    await blobs.delete("a/b")
    await blobs.delete("a/b/c")
    await blobs.put("a/b", b"again")
    assert await blobs.get("a/b") == b"again"


async def test_keys_are_sorted_and_start_with_the_prefix(blobs: BlobStore) -> None:
    for key in ("notes/b", "notes/a", "notes/ab/c", "notebook", "z"):
        await blobs.put(key, b"x")
    assert list(await blobs.keys()) == ["notebook", "notes/a", "notes/ab/c", "notes/b", "z"]
    assert list(await blobs.keys("note")) == ["notebook", "notes/a", "notes/ab/c", "notes/b"]
    assert list(await blobs.keys("notes/")) == ["notes/a", "notes/ab/c", "notes/b"]
    assert list(await blobs.keys("notes/a")) == ["notes/a", "notes/ab/c"]
    assert list(await blobs.keys("notes/a/")) == []
    assert list(await blobs.keys("nothing")) == []


async def test_an_empty_store_has_no_keys(blobs: BlobStore) -> None:
    assert list(await blobs.keys()) == []
    assert list(await blobs.keys("a/b")) == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../../b",
        "a/./b",
        "a b",
        "a\\b",
        "ä",
        "a\n",
    ],
)
async def test_what_is_not_a_key_is_rejected(blobs: BlobStore, key: str) -> None:
    with pytest.raises(BackendRejected):
        await blobs.put(key, b"x")
    with pytest.raises(BackendRejected):
        await blobs.get(key)
    with pytest.raises(BackendRejected):
        await blobs.delete(key)
    assert list(await blobs.keys()) == []


async def test_a_prefix_does_not_lead_out_of_the_store(blobs: BlobStore) -> None:
    await blobs.put("a/b", b"x")
    assert list(await blobs.keys("../")) == []
    assert list(await blobs.keys("a/../")) == []


async def test_writers_of_one_key_never_mix_their_bytes(blobs: BlobStore) -> None:
    size = 100_000
    await blobs.put("shared", bytes([255]) * size)

    async def write(number: int) -> None:
        await blobs.put("shared", bytes([number]) * size)

    async def read() -> None:
        data = await blobs.get("shared")
        assert data == data[:1] * size

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for number in range(16):
                tasks.start_soon(write, number)
                tasks.start_soon(read)
    assert (await blobs.get("shared"))[0] < 16
