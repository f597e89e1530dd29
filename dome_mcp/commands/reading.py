"""Files into notes: read, passed over where they are stored, parsed, written in batches.

A batch is one transaction, so a run that is cut off loses at most the batch in hand; the next one
finds the rest by the hash of its bytes, without parsing it again.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio
import anyio.to_thread

from dome_mcp.app import Dome
from dome_mcp.commands.output import Progress
from dome_mcp.commands.tally import Tally
from dome_mcp.core.drafts import Labels, NoteDraft, clean_context
from dome_mcp.core.errors import BackendUnavailable, DomeError, QuotaExhausted
from dome_mcp.core.identifiers import content_hash
from dome_mcp.documents.foreign import FOREIGN_EXTENSIONS
from dome_mcp.documents.registry import SUPPORTED_EXTENSIONS
from dome_mcp.intake import draft_of_path
from dome_mcp.services.ingest import contents_present, ingest, ingest_many
from dome_mcp.sources.files import read_file, walk

_BATCH_FILES = 32
_BATCH_BYTES = 32_000_000
_BATCHES_AT_ONCE = 3
"""Most of a batch's time goes by waiting for the disk to make its originals durable."""

_PARSERS = 2
"""Threads that parse. More do not help: most parsers hold the interpreter's lock."""


async def read_files(
    dome: Dome, named: Sequence[str], labels: Labels, *, tally: Tally, show: Progress
) -> None:
    """Stores files and everything readable in folders, each once.

    Raises:
        BackendUnavailable, QuotaExhausted: nothing more can be stored now.
    """
    files = await anyio.to_thread.run_sync(_files, dome, named, tally)
    batches = _batches(files)
    parsing = anyio.CapacityLimiter(_PARSERS)
    done = 0

    async def work() -> None:
        nonlocal done
        for batch in batches:
            fresh = await _unknown(dome, batch, labels, tally=tally)
            drafts = await _drafts(dome, fresh, labels, tally=tally, parsing=parsing)
            await write(dome, drafts, tally=tally)
            done += len(batch)
            show("reading files", done, len(files))

    show("reading files", 0, len(files))
    async with anyio.create_task_group() as tasks:
        for _ in range(_BATCHES_AT_ONCE):
            tasks.start_soon(work)


async def write(dome: Dome, drafts: Sequence[tuple[str, NoteDraft]], *, tally: Tally) -> None:
    """Stores (source, draft) pairs in one transaction; where that fails, each that can be.

    Raises:
        BackendUnavailable, QuotaExhausted: nothing more can be stored now.
    """
    if not drafts:
        return
    try:
        ingested = await ingest_many(
            [draft for _, draft in drafts], dome.ports, user_id=dome.user_id, now=dome.now()
        )
    except (BackendUnavailable, QuotaExhausted):
        raise
    except DomeError:
        await _write_singly(dome, drafts, tally=tally)
        return
    for (source, _), each in zip(drafts, ingested, strict=True):
        tally.add(source, each)


async def _write_singly(
    dome: Dome, drafts: Sequence[tuple[str, NoteDraft]], *, tally: Tally
) -> None:
    for source, draft in drafts:
        try:
            tally.add(source, await ingest(draft, dome.ports, user_id=dome.user_id, now=dome.now()))
        except (BackendUnavailable, QuotaExhausted):
            raise
        except DomeError as error:
            tally.fail(source, error)


def _files(dome: Dome, named: Sequence[str], tally: Tally) -> list[Path]:
    """The files to read, each once, in order; what is named and not there fails by itself."""
    extensions = SUPPORTED_EXTENSIONS
    if dome.converter is not None:
        extensions |= FOREIGN_EXTENSIONS & dome.converter.content_types.keys()
    found: dict[Path, None] = {}
    for name in named:
        try:
            found |= dict.fromkeys(
                walk(
                    [name],
                    roots=dome.settings.allowed_roots,
                    extensions=extensions,
                    excluded=(dome.settings.home,),
                    on_skipped=lambda path, reason: tally.skip(str(path), reason),
                )
            )
        except DomeError as error:
            tally.fail(name, error)
    return list(found)


def _batches(files: Sequence[Path]) -> Iterator[list[Path]]:
    """The files in order, few enough at a time to be held in memory."""
    batch: list[Path] = []
    size = 0
    for file in files:
        if batch and (len(batch) == _BATCH_FILES or size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += _size(file)
    if batch:
        yield batch


def _size(file: Path) -> int:
    try:
        return os.stat(file).st_size
    except OSError:
        return 0  # Reading it says what is wrong with it.


async def _unknown(
    dome: Dome, files: Sequence[Path], labels: Labels, *, tally: Tally
) -> list[Path]:
    """The files whose bytes no note in this context was made of."""
    hashes = await anyio.to_thread.run_sync(_hashes, dome, files, tally)
    known = await contents_present(
        list(hashes.values()),
        dome.ports,
        user_id=dome.user_id,
        context=clean_context(labels.context),
    )
    tally.unchanged += sum(digest in known for digest in hashes.values())
    return [file for file, digest in hashes.items() if digest not in known]


def _hashes(dome: Dome, files: Sequence[Path], tally: Tally) -> dict[Path, str]:
    settings = dome.settings
    hashes: dict[Path, str] = {}
    for file in files:
        try:
            source = read_file(
                str(file),
                roots=settings.allowed_roots,
                max_bytes=settings.max_document_bytes,
                excluded=(settings.home,),
            )
            hashes[file] = content_hash(source.data)
        except DomeError as error:
            tally.fail(str(file), error)
    return hashes


async def _drafts(
    dome: Dome,
    files: Sequence[Path],
    labels: Labels,
    *,
    tally: Tally,
    parsing: anyio.CapacityLimiter,
) -> list[tuple[str, NoteDraft]]:
    """A draft for each file that can be read, in the files' order."""
    drafts: dict[Path, NoteDraft] = {}

    async def parse(file: Path) -> None:
        try:
            drafts[file] = await draft_of_path(dome, str(file), labels, limiter=parsing)
        except DomeError as error:
            tally.fail(str(file), error)

    async with anyio.create_task_group() as tasks:
        for file in files:
            tasks.start_soon(parse, file)
    return [(str(file), drafts[file]) for file in files if file in drafts]
