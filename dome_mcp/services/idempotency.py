"""Requests that a client may send again, because it never saw the answer.

The first one writes down when it began. Ids are functions of that instant and of what is written
(core/identifiers.py), so a repetition that runs under the same instant names the same rows,
whatever became of the first; and once there is an answer, it gets that.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.ports import Database, Row
from dome_mcp.core.timestamps import from_ms
from dome_mcp.store import idempotency
from dome_mcp.store.notes import to_int

KEPT = timedelta(hours=24)
"""After so long a key is new again."""


class ReusedKey(InvalidInput):
    """Another request was sent under this key before."""


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What was answered: the status, some of the headers, and a body of text."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Begun:
    """When the request first began, and its answer where it has one already."""

    started_at: datetime
    answer: GivenAnswer | None = None


async def begin(
    key: str, fingerprint: str, database: Database, *, user_id: str, now: datetime
) -> Begun:
    """Writes the request down, or finds when it was written down before.

    `fingerprint` is the same for the same request and for no other.

    Raises:
        ReusedKey: the key stands for another request.
        BackendError: nothing is written down.
    """
    *_, rows = await database.batch(
        [
            idempotency.forget_requests_before(now - KEPT),
            idempotency.claim_key(user_id, key, fingerprint=fingerprint, now=now),
            idempotency.request_under(user_id, key),
        ]
    )
    row = rows[0]
    if row["fingerprint"] != fingerprint:
        raise ReusedKey(
            "This Idempotency-Key was sent with another request.",
            "Send a new key, or the first request exactly as it was.",
        )
    return Begun(from_ms(to_int(row["started_at_ms"])), _to_answer(row))


async def finish(
    key: str, answer: GivenAnswer, database: Database, *, user_id: str, begun: Begun
) -> None:
    """Writes the answer down, for whoever sends the request again.

    Raises:
        BackendError: it is not written down; a repetition will run, and find its rows written.
    """
    await database.query(
        idempotency.record_answer(
            user_id,
            key,
            started_at=begun.started_at,
            status=answer.status,
            headers=json.dumps(answer.headers),
            body=answer.body,
        )
    )


def _to_answer(row: Row) -> GivenAnswer | None:
    if row["status"] is None:
        return None
    return GivenAnswer(to_int(row["status"]), json.loads(str(row["headers"])), str(row["body"]))
