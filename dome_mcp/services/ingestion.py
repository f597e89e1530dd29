"""Ingest jobs in steps: stored and found by keyword first, then embedded, then told of.

Each step is short, can be repeated, and is safe beside others; what is to be done next stands in
the rows.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dome_mcp.core.drafts import draft_note
from dome_mcp.core.identifiers import sortable_id
from dome_mcp.core.jobs import IngestRequest, Job, JobKind
from dome_mcp.core.model import Document, Note, Original
from dome_mcp.core.ports import Database, Ports
from dome_mcp.services.indexing import users_with_pending
from dome_mcp.services.ingest import ingest
from dome_mcp.store import ingestion, jobs

PENDING = "pending"
"""Nobody has been told yet."""


async def take_in(
    document: Document, request: IngestRequest, ports: Ports, *, original: Original | None
) -> dict[str, Any]:
    """Stores the document that a job brought, and returns the job's result.

    Raises:
        InvalidInput: there is no text, or a label is too long.
        BackendError: nothing was stored.
    """
    user_id = request.principal.user_id
    labels = request.labels
    if original is not None:
        labels = replace(labels, source=labels.source or original.filename)
    draft = draft_note(
        _dated(document, request),
        labels,
        user_id=user_id,
        now=request.started_at,
        original=original,
    )
    ingested = await ingest(draft, ports, user_id=user_id, now=request.started_at)
    note = ingested.note
    has_vectors = ports.embedder is not None and ports.vectors is not None
    return {
        "note_id": note.note_id,
        "title": note.title,
        "chunks": note.chunks,
        "status": "indexing" if note.pending and has_vectors else "ready",
        "duplicate": ingested.duplicate and not _is_of_this_job(note, request),
        "updated": ingested.updated,
        "ingestion_complete": PENDING,
    }


async def ready_jobs(ports: Ports, *, limit: int) -> Sequence[Job]:
    """The jobs whose notes are found by all searches, and of which nobody has been told."""
    *_, rows = await ports.database.batch([ingestion.mark_ready(), ingestion.untold(limit)])
    return [jobs.to_job(row) for row in rows]


async def note_told(job: Job, outcome: str, database: Database) -> None:
    """Says how telling of a job went; it is told of no more."""
    await database.query(ingestion.note_told(job, outcome))


async def is_work_waiting(ports: Ports, kind: JobKind, *, now: datetime) -> bool:
    """Whether there is a job of this kind to do, one to tell of, or a chunk without its vector."""
    (row,) = await ports.database.query(ingestion.job_waits(kind, now))
    return bool(row["waits"]) or bool(await users_with_pending(ports))


def _dated(document: Document, request: IngestRequest) -> Document:
    """The document with an instant as its date: without an offset it is of the user's zone."""
    date = document.created_at
    if date is None or date.tzinfo is not None:
        return document
    zone = request.principal.zone or UTC
    return replace(document, created_at=date.replace(tzinfo=zone).astimezone(UTC))


def _is_of_this_job(note: Note, request: IngestRequest) -> bool:
    """Whether an earlier attempt of the same job stored the note."""
    made = sortable_id(request.started_at, note.user_id, note.context or "", note.content_hash)
    return note.note_id == made
