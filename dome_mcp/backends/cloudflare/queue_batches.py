"""Messages for a Cloudflare queue, in batches that it takes: over REST and by a binding alike.

Source: https://developers.cloudflare.com/queues/platform/limits/ (2026-11).
"""

from collections.abc import Iterator, Sequence

from dome_mcp.core.errors import BackendRejected

BACKEND = "queues"

MAX_MESSAGE_BYTES = 128_000
MAX_BATCH_BYTES = 256_000
MAX_BATCH_MESSAGES = 100
METADATA_BYTES = 100
"""What the service counts for a message besides its body."""


def batches(bodies: Sequence[str]) -> Iterator[list[str]]:
    """The bodies in order, in batches that the service takes.

    Raises:
        BackendRejected: one of them is too long by itself.
    """
    batch: list[str] = []
    batch_bytes = 0
    for body in bodies:
        size = len(body.encode()) + METADATA_BYTES
        if size > MAX_MESSAGE_BYTES:
            raise BackendRejected(
                BACKEND, "send", "A message is longer than a queue takes, 128 kB.", "Send less."
            )
        if batch and (batch_bytes + size > MAX_BATCH_BYTES or len(batch) == MAX_BATCH_MESSAGES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(body)
        batch_bytes += size
    if batch:
        yield batch
