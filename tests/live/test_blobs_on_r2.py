"""The blob suite over a bucket of the account."""

import anyio

from dome_mcp.backends.cloudflare.r2 import R2Blobs
from dome_mcp.core.errors import BackendUnavailable
from tests.conformance.blob_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.conformance.blob_suite import test_writers_of_one_key_never_mix_their_bytes
from tests.live.marks import LIVE

pytestmark = LIVE

del test_writers_of_one_key_never_mix_their_bytes  # takes it for granted that none is turned away

PATIENCE_SECONDS = 60


async def test_writers_of_one_key_are_turned_away_and_never_mix_their_bytes(
    blobs: R2Blobs,
) -> None:
    """R2 takes one write a second of a key.

    Source: https://developers.cloudflare.com/r2/platform/limits/ (2026-09).
    """
    size = 100_000
    await blobs.put("shared", bytes([255]) * size)

    async def write(number: int) -> None:
        try:
            await blobs.put("shared", bytes([number]) * size)
        except BackendUnavailable:
            return

    async def read() -> None:
        data = await blobs.get("shared")
        assert data == data[:1] * size

    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(write, number)
                tasks.start_soon(read)
    assert (await blobs.get("shared"))[0] < 4
