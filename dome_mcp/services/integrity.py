"""A check-up of what is stored: derived things against the truth, and the truth against itself.

The notes' rows and their blobs are the truth; chunks, full text and vectors are derived from them.
Nothing here writes, but for the full-text index's own self-test.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from dome_mcp.core.errors import BackendRejected, NotFound
from dome_mcp.core.identifiers import content_hash
from dome_mcp.core.model import Note
from dome_mcp.core.ports import BlobStore, Database, Ports, Row, Statement
from dome_mcp.services.blobs import text_of
from dome_mcp.services.notes import stored_note
from dome_mcp.store import chunks, integrity, notes
from dome_mcp.store.notes import to_int

SAMPLE = 100
"""So many chunks have their full-text row compared word by word; about 5 ms each."""

Level = Literal["ok", "warning", "problem"]
IsAbandoned = Callable[[str], Awaitable[bool]]
"""Whether a blob that no row names is old enough to be nobody's: not one just being stored."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a check-up; `hint` says what to do about it."""

    check: str
    level: Level
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class VectorDamage:
    """Chunks that are marked as embedded and have no vector, and vectors that have no chunk."""

    missing: tuple[str, ...] = ()
    orphans: int = 0


@runtime_checkable
class CheckedVectors(Protocol):
    """A vector index that can be compared with the rows and freed of what belongs to none."""

    async def damage(self) -> tuple[Sequence[str], int]:
        """The chunk ids that lost their vector, and how many vectors lost their chunk."""
        ...

    def remove_orphans(self) -> Sequence[Statement]:
        """Removes the vectors that have no chunk."""
        ...


@dataclass(frozen=True, slots=True)
class Examination:
    """What is wrong with the data of all users; an empty one is sound."""

    is_index_corrupt: bool = False
    unindexed: tuple[int, ...] = ()
    """Keys of chunks without a full-text row."""
    orphan_words: tuple[int, ...] = ()
    """Keys of full-text rows without a chunk."""
    stale_words: tuple[int, ...] = ()
    """Keys of chunks, of a sample, whose full-text row holds other words."""
    dead_chunks: tuple[str, ...] = ()
    """Chunks of notes that are deleted."""
    vectors: VectorDamage = VectorDamage()
    torn_notes: tuple[tuple[str, str], ...] = ()
    """The (note id, user id) of notes whose chunks are not slices of their text."""
    lost_texts: tuple[str, ...] = ()
    """Notes whose text is gone."""
    lost_blobs: tuple[str, ...] = ()
    """Blobs of notes that are not there."""
    damaged_blobs: tuple[str, ...] = ()
    """Blobs whose bytes are not those they were stored with."""
    orphan_blobs: tuple[str, ...] = ()
    """Blobs that belong to no note."""

    @property
    def is_sound(self) -> bool:
        return self == _SOUND


_SOUND = Examination()


async def examine(ports: Ports, *, is_abandoned: IsAbandoned | None = None) -> Examination:
    """Compares everything that is stored; reads every blob and every text.

    Without `is_abandoned`, blobs that no row names are not reported. What another process is
    just writing is not mistaken for damage.

    Raises:
        BackendError: something could not be read at all.
    """
    database = ports.database
    dead = await database.query(integrity.dead_chunks())
    is_corrupt = await _is_index_corrupt(database)
    damaged, lost, orphans = await _examine_blobs(ports, is_abandoned)
    torn, lost_texts = await _examine_texts(ports)
    return Examination(
        is_index_corrupt=is_corrupt,
        unindexed=await _keys(integrity.unindexed_chunks(), database),
        orphan_words=await _keys(integrity.orphan_words(), database),
        stale_words=() if is_corrupt else await _stale_words(database),
        dead_chunks=tuple(str(row["id"]) for row in dead),
        vectors=await _vector_damage(ports),
        torn_notes=torn,
        lost_texts=lost_texts,
        lost_blobs=lost,
        damaged_blobs=damaged,
        orphan_blobs=orphans,
    )


def findings(examination: Examination) -> list[Finding]:
    """The examination in words, a line for each thing that was looked at."""
    seen = examination
    mend = "Run `dome-mcp doctor --repair`."
    restore = "Restore it from a backup or an export, or delete the note."
    return [
        _finding("full text", mend, [
            ("chunks that no keyword finds", len(seen.unindexed)),
            ("entries of chunks that are gone", len(seen.orphan_words)),
            (f"of {SAMPLE} sampled chunks indexed with other words", len(seen.stale_words)),
        ], also=["the index contradicts itself"] if seen.is_index_corrupt else []),
        _finding("chunks", mend, [
            ("notes whose chunks are not slices of their text", len(seen.torn_notes)),
            ("chunks of deleted notes", len(seen.dead_chunks)),
        ]),
        _finding("vectors", mend, [
            ("chunks that lost their vector", len(seen.vectors.missing)),
            ("vectors of chunks that are gone", seen.vectors.orphans),
        ]),
        _finding("texts", restore, [("notes whose text is lost", len(seen.lost_texts))]),
        _finding("blobs", restore, [
            ("files of notes that are gone", len(seen.lost_blobs)),
            ("files whose bytes have changed", len(seen.damaged_blobs)),
        ]),
        _finding("leftovers", mend, [
            ("files that belong to no note", len(seen.orphan_blobs)),
        ], level="warning"),
    ]  # fmt: skip


def _finding(
    check: str,
    hint: str,
    counts: Sequence[tuple[str, int]],
    *,
    also: Sequence[str] = (),
    level: Level = "problem",
) -> Finding:
    wrong = [*also, *(f"{count} {what}" for what, count in counts if count)]
    if not wrong:
        return Finding(check, "ok", "in order")
    return Finding(check, level, "; ".join(wrong), hint)


async def _is_index_corrupt(database: Database) -> bool:
    try:
        await database.query(integrity.check_words())
    except BackendRejected:
        return True
    return False


async def _vector_damage(ports: Ports) -> VectorDamage:
    if not isinstance(ports.vectors, CheckedVectors):
        return VectorDamage()
    missing, orphans = await ports.vectors.damage()
    return VectorDamage(tuple(missing), orphans)


async def _stale_words(database: Database) -> tuple[int, ...]:
    rows = await database.query(integrity.sampled_chunks(SAMPLE))
    suspects = await _disagreeing(rows, database)
    if not suspects:
        return ()
    # A title may have changed between the two reads; what is wrong stays wrong.
    rows = await database.query(integrity.chunks_by_key(suspects))
    absent = {*await _keys(integrity.unindexed_chunks(), database)}
    return tuple(key for key in await _disagreeing(rows, database) if key not in absent)


async def _disagreeing(rows: Sequence[Row], database: Database) -> tuple[int, ...]:
    return await _keys(integrity.disagreeing_words(rows), database)


async def _examine_texts(ports: Ports) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """The notes whose chunks do not fit their text, and those whose text is lost."""
    rows = await ports.database.query(integrity.torn_notes())
    torn = [(str(row["note_id"]), str(row["user_id"])) for row in rows]
    lost: list[str] = []
    for row in await ports.database.query(integrity.long_notes()):
        note_id, user_id = str(row["note_id"]), str(row["user_id"])
        try:
            is_torn = await _is_torn(note_id, ports, user_id=user_id)
        except NotFound as error:
            if error.kind == "blob":
                lost.append(note_id)
            continue
        if is_torn:
            torn.append((note_id, user_id))
    return tuple(torn), tuple(lost)


async def _is_torn(note_id: str, ports: Ports, *, user_id: str) -> bool:
    """Whether a note's chunks are not slices of its text, both read at one revision.

    Raises:
        NotFound: the note, or the blob with its text, is not there.
    """
    while True:
        note = await stored_note(note_id, ports, user_id=user_id)
        text = None
        try:
            text = await text_of(note, ports.blobs)
        except NotFound:
            if await _is_at(note, ports):
                raise
        rows = await ports.database.query(chunks.chunks_of_note(note_id, user_id))
        if text is None or not await _is_at(note, ports):
            continue
        stored = [chunks.to_stored_chunk(row) for row in rows]
        fits = all(text[chunk.start : chunk.end] == chunk.text for chunk in stored)
        return not (stored and fits and note.characters == len(text))


async def _is_at(note: Note, ports: Ports) -> bool:
    present = await stored_note(note.note_id, ports, user_id=note.user_id)
    return present.revision == note.revision


async def _examine_blobs(
    ports: Ports, is_abandoned: IsAbandoned | None
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The blobs that are damaged, lost and left over."""
    # In this order: a blob is there before its row is.
    there = await ports.blobs.keys()
    needed = await _needed_blobs(ports.database)
    damaged: list[str] = []
    lost: list[str] = []
    for key in sorted(needed):
        is_whole = await _is_whole(key, ports.blobs)
        if is_whole is None:
            lost.append(key)
        elif not is_whole:
            damaged.append(key)
    if lost:
        # A note that was changed or deleted meanwhile took its blob with it.
        still_needed = await _needed_blobs(ports.database)
        lost = [key for key in lost if key in still_needed]
    orphans = [key for key in there if key not in needed]
    left = [key for key in orphans if is_abandoned is not None and await is_abandoned(key)]
    return tuple(damaged), tuple(lost), tuple(left)


async def _is_whole(key: str, blobs: BlobStore) -> bool | None:
    """Whether the bytes have the digest their key names; None where there are none."""
    try:
        data = await blobs.get(key)
    except NotFound:
        return None
    return content_hash(data) == key.rpartition("/")[2].partition(".")[0]


async def _needed_blobs(database: Database) -> set[str]:
    return {str(row["key"]) for row in await database.query(notes.blob_keys())}


async def _keys(statement: Statement, database: Database) -> tuple[int, ...]:
    return tuple(to_int(row["key"]) for row in await database.query(statement))
