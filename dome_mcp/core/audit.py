"""The audit log: who did what, when, and how it ended. Never what was in it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Outcome = Literal["ok", "refused", "failed", "unknown caller"]
"""`refused`: the caller may not, or sent what cannot work; `failed`: we could not."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`times` alike things that happened within a minute of `at`.

    `user_id` is empty where nobody proved who they are; `credential` is a token's id or an OAuth
    client; `source` the address it came from; `action` such as `tools/call search` or
    `PATCH /api/notes/{note_id}`; `target` the id of what was acted on, or empty.
    """

    at: datetime
    user_id: str
    credential: str
    source: str
    action: str
    target: str
    outcome: Outcome
    times: int = 1
