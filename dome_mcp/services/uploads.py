"""Announcing a file, and saying that it has come."""

from collections.abc import Sequence
from datetime import datetime

from dome_mcp.core.errors import Conflict, NotFound, QuotaExhausted
from dome_mcp.core.ports import Database
from dome_mcp.core.uploads import COMPLETE_LIFETIME, ReceivedFile, Upload, unsigned
from dome_mcp.store import meta, uploads
from dome_mcp.store.notes import to_int

MAX_WAITING = 1_000
MAX_WAITING_BYTES = 2 * 10**9
"""Of one user; whoever is in the middle of sending is not counted yet."""


async def signing_secret(database: Database, *, fresh: str) -> bytes:
    """What the URLs of uploads are signed with, on this database; `fresh` where it has none yet.

    `fresh` is hexadecimal.
    """
    secret = await meta.fact(database, meta.UPLOAD_SECRET)
    if secret is None:
        await database.query(meta.set_fact_once(meta.UPLOAD_SECRET, fresh))
        secret = await meta.fact(database, meta.UPLOAD_SECRET)
    return bytes.fromhex(secret or fresh)


async def require_room(database: Database, *, user_id: str) -> None:
    """Does nothing while the user may send more; files and jobs that wait take room from others.

    Raises:
        QuotaExhausted: too much of theirs is waiting already.
    """
    (row,) = await database.query(uploads.waiting(user_id))
    if to_int(row["items"]) >= MAX_WAITING or to_int(row["bytes"]) >= MAX_WAITING_BYTES:
        raise QuotaExhausted(
            "uploads",
            "take in more",
            f"{MAX_WAITING} files of one user, or {MAX_WAITING_BYTES // 10**9} GB, may wait to be "
            "taken in, and so many of yours do.",
            "Wait until GET /api/ingest/{job_id} says that some are done, and ingest or leave what "
            "you uploaded; an upload that nobody ingests is forgotten after a day.",
        )


async def announce(upload: Upload, database: Database) -> Upload:
    """Writes down a file that is to come, and returns it as it is stored; harmless to repeat."""
    *_, rows = await database.batch(
        [uploads.announce(upload), uploads.upload_of_user(upload.upload_id, upload.user_id)]
    )
    return uploads.to_upload(rows[0])


async def find_upload(upload_id: str, database: Database, *, user_id: str) -> Upload:
    """The user's upload.

    Raises:
        NotFound: the user has none with this id.
    """
    rows = await database.query(uploads.upload_of_user(upload_id, user_id))
    if not rows:
        raise NotFound("upload", upload_id, "POST /api/uploads announces one.")
    return uploads.to_upload(rows[0])


async def signed_upload(upload_id: str, database: Database) -> Upload:
    """The upload that a signed URL names; the caller has yet to check the signature.

    Raises:
        Forbidden: there is none, which is said as of a wrong signature.
    """
    rows = await database.query(uploads.signed_upload(upload_id))
    if not rows:
        raise unsigned()
    return uploads.to_upload(rows[0])


async def complete(
    upload: Upload, database: Database, *, sha256: str, size_bytes: int, now: datetime
) -> Upload:
    """Says that the file, which is on disk by now, has come; the same file again changes nothing.

    Raises:
        Conflict: another file has come for this upload.
        Forbidden: the upload is no more.
    """
    *_, rows = await database.batch(
        [
            uploads.complete(
                upload, sha256=sha256, size_bytes=size_bytes, expires_at=now + COMPLETE_LIFETIME
            ),
            uploads.upload_of_user(upload.upload_id, upload.user_id),
        ]
    )
    if not rows:
        raise unsigned()
    stored = uploads.to_upload(rows[0])
    if stored.sha256 != sha256:
        raise other_file()
    return stored


async def forget_expired(database: Database, *, now: datetime) -> None:
    """Drops the uploads of all users that nobody sent or ingested in time."""
    await database.query(uploads.forget_expired(now))


async def without_upload(upload_ids: Sequence[str], database: Database) -> set[str]:
    """Those of the ids that no user's upload has, any more or yet."""
    rows = await database.query(uploads.known_uploads(upload_ids))
    return set(upload_ids) - {str(row["upload_id"]) for row in rows}


def received_file(upload: Upload) -> ReceivedFile:
    """The file of an upload.

    Raises:
        Conflict: it has not come yet.
    """
    if upload.sha256 is None or upload.size_bytes is None:
        raise Conflict(
            "The file of this upload has not come, or not all of it.",
            "PUT it to the url that POST /api/uploads gave, then ask again.",
        )
    return ReceivedFile(
        upload.upload_id, upload.sha256, upload.size_bytes, upload.filename, upload.content_type
    )


def other_file() -> Conflict:
    """The error for a second, different file under one upload."""
    return Conflict(
        "This upload has its file already, and it is another one.",
        "POST /api/uploads gives an address for another file.",
    )
