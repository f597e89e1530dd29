"""What DOME needs on Cloudflare, in words: permissions, what the Free plan gives, prices.

Source of every number, each read on 2026-11-23: https://developers.cloudflare.com/
d1/platform/pricing/, d1/platform/limits/, vectorize/platform/pricing/, r2/pricing/,
queues/platform/pricing/, queues/platform/limits/, workers-ai/platform/pricing/.
"""

from dome_mcp.backends.cloudflare.provisioning import Kind

KINDS: tuple[Kind, ...] = ("database", "index", "bucket", "queue", "gateway")

CALLED: dict[Kind, str] = {
    "database": "D1 database",
    "index": "Vectorize index",
    "bucket": "R2 bucket",
    "queue": "Queue",
    "gateway": "AI gateway",
}

HOLDS: dict[Kind, str] = {
    "database": "notes, tasks and reminders",
    "index": "the vectors of the notes",
    "bucket": "original files and long texts",
    "queue": "wakes whoever sends reminders",
    "gateway": "calls of AI models pass it, unlogged",
}

PERMISSIONS: dict[Kind, str] = {
    "database": "D1 Edit",
    "index": "Vectorize Edit",
    "bucket": "Workers R2 Storage Edit",
    "queue": "Queues Edit",
    "gateway": "AI Gateway Edit",
}
"""What a token needs to make each; to embed texts it also needs WORKERS_AI."""

WORKERS_AI = "Workers AI Read"

TOKEN_PAGE = "https://dash.cloudflare.com/profile/api-tokens"  # noqa: S105  a page, not a token

_FREE_STORED_DIMENSIONS = 5_000_000
_FREE_QUERIED_DIMENSIONS = 30_000_000


def free_chunks(dimensions: int) -> int:
    """How many vectors the Free plan keeps."""
    return _FREE_STORED_DIMENSIONS // dimensions


def free_searches(dimensions: int, *, chunks: int) -> int:
    """How many searches a month the Free plan has: queries and stored vectors count alike."""
    return max(_FREE_QUERIED_DIMENSIONS // dimensions - chunks, 0)


def arithmetic(dimensions: int) -> list[tuple[str, str, str]]:
    """Each service as (name, what is free, what more costs on the Paid plan of $5 a month)."""
    chunks = free_chunks(dimensions)
    half = chunks // 2
    searches = free_searches(dimensions, chunks=half)
    return [
        (
            "Vectorize",
            f"{chunks:,} chunks; with {half:,} of them {searches:,} searches a month",
            "$0.05 per 100 million stored dimensions, $0.01 per million queried",
        ),
        (
            "D1",
            "500 MB a database; 5 million rows read and 100,000 written a day",
            "$0.001 per million rows read, $1.00 per million written, $0.75 per GB-month",
        ),
        (
            "R2",
            "10 GB; 1 million writes and 10 million reads a month (needs a card on file)",
            "$0.015 per GB-month, $4.50 per million writes, $0.36 per million reads",
        ),
        (
            "Queues",
            "10,000 operations a day, about 3,300 messages, kept for 24 hours",
            "$0.40 per million operations",
        ),
        (
            "Workers AI",
            "10,000 neurons a day, about 9.3 million tokens embedded with bge-m3",
            "$0.011 per 1,000 neurons",
        ),
        ("API", "1,200 requests in 5 minutes, about 80 searches a minute", "the same"),
    ]
