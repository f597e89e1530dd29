"""What a note keeps in the blob store: its original bytes, and a text too long for its row."""

from pathlib import PurePosixPath

from dome_mcp.core.identifiers import blob_key, content_hash, note_prefix
from dome_mcp.core.model import Note, Original
from dome_mcp.core.ports import BlobStore

INLINE_BODY_BYTES = 32_000
"""A longer text is kept in the blob store; the row keeps its key."""


async def put_original(original: Original, blobs: BlobStore, *, user_id: str, note_id: str) -> str:
    """Stores the bytes a note came from and returns their key."""
    key = blob_key(
        user_id,
        note_id,
        digest=content_hash(original.data),
        suffix=PurePosixPath(original.filename).suffix,
    )
    await blobs.put(key, original.data)
    return key


async def put_body(text: str, blobs: BlobStore, *, user_id: str, note_id: str) -> str | None:
    """Stores a long text and returns its key; None for a text that fits the row."""
    data = text.encode()
    if len(data) <= INLINE_BODY_BYTES:
        return None
    key = blob_key(user_id, note_id, digest=content_hash(data), suffix=".body")
    await blobs.put(key, data)
    return key


async def text_of(note: Note, blobs: BlobStore) -> str:
    """The note's whole text, from its row or its blob."""
    if note.body_key is None:
        return note.text or ""
    return (await blobs.get(note.body_key)).decode()


async def original_of(note: Note, blobs: BlobStore) -> bytes:
    """The bytes the note came from; its text as UTF-8 where it came as text."""
    if note.blob_key is None:
        return (await text_of(note, blobs)).encode()
    return await blobs.get(note.blob_key)


async def drop_unused(before: Note, after: Note | None, blobs: BlobStore) -> None:
    """Deletes the blobs that only the note's former state needed, and that are its own."""
    kept = {after.blob_key, after.body_key} if after else set[str | None]()
    own = note_prefix(before.user_id, before.note_id)
    for key in (before.blob_key, before.body_key):
        if key is not None and key.startswith(own) and key not in kept:
            await blobs.delete(key)
