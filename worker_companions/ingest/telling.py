"""`ingestion_complete`: word to the webhooks whose user wants it, once a note is found by all."""

import json
from datetime import datetime, timedelta

from dome_mcp.backends.embedded.notify.webhook import WebhookNotifier
from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import INGESTION_COMPLETE, hears_of
from dome_mcp.core.errors import DeliveryFailed
from dome_mcp.core.jobs import Job
from dome_mcp.core.ports import Ports
from dome_mcp.services.channels import list_channels
from dome_mcp.services.ingestion import note_told, ready_jobs

JOBS_AT_ONCE = 10
PATIENCE = timedelta(hours=1)
"""After the note was stored; who cannot be reached so long is told no more."""


async def tell_ready(ports: Ports, webhook: WebhookNotifier, *, now: datetime) -> int:
    """Tells of the jobs that are ready, and returns of how many everybody has been told.

    A channel may be told twice, under the same key, where this was cut off.

    Raises:
        BackendError: the rows cannot be read or written.
    """
    done = 0
    for job in await ready_jobs(ports, limit=JOBS_AT_ONCE):
        found = await list_channels(ports, user_id=job.user_id)
        channels = [each.channel for each in found if hears_of(each.channel, INGESTION_COMPLETE)]
        outcome = await _tell(job, channels, webhook, is_last=now - job.updated_at > PATIENCE)
        if outcome is not None:
            await note_told(job, outcome, ports.database)
            done += 1
    return done


async def _tell(
    job: Job, channels: list[Channel], webhook: WebhookNotifier, *, is_last: bool
) -> str | None:
    """How it went, in a few words; None where it is to be tried again."""
    if not channels:
        return "nobody asked"
    refused: list[str] = []
    for channel in channels:
        try:
            key = f"{job.job_id}:{channel.name}"
            await webhook.tell(_message(job), channel, idempotency_key=key)
        except DeliveryFailed as error:
            if error.retryable and not is_last:
                return None
            refused.append(f"{channel.name}: {error.message}")
    return "; ".join(["failed", *refused]) if refused else "sent"


def _message(job: Job) -> dict[str, object]:
    result = json.loads(job.result or "{}")
    told = ("note_id", "title", "chunks", "duplicate", "updated")
    return {
        "type": INGESTION_COMPLETE,
        "id": job.job_id,
        "job_id": job.job_id,
        **{name: result[name] for name in told},
    }
