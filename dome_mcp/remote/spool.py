"""The folder where files wait that clients send: written piece by piece, never whole in memory.

A file is received under a name of our own that nobody else has, and gets its lasting name once
it is whole and on disk. What is not kept is gone when the request ends; what a process that died
left behind is removed a day later.
"""

import errno
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import anyio.to_thread

from dome_mcp.core.errors import BackendUnavailable, QuotaExhausted
from dome_mcp.core.uploads import too_large
from dome_mcp.settings import Settings

FOLDER = "incoming"
ABANDONED_AFTER = timedelta(days=1)

_PARTIAL = ".part"
_BACKEND = "files"
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PIECE_BYTES = 1 << 19
"""So much is gathered before a thread writes it."""

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)

Opener = Callable[[str, int], int]


def private(path: str, flags: int) -> int:
    """Opens a new file that only its owner may read."""
    return os.open(path, flags, 0o600)


class Incoming:
    """A file that is being received. `sha256` and `size_bytes` are of what was written so far."""

    def __init__(self, path: Path, descriptor: int, max_bytes: int) -> None:
        self.path = path
        self.size_bytes = 0
        self._file = open(descriptor, "r+b", buffering=0)  # noqa: SIM115  `Spool.receiving` closes it
        self._digest = hashlib.sha256()
        self._max_bytes = max_bytes
        self._gathered = bytearray()

    async def write(self, data: bytes) -> None:
        """Adds to the file.

        Raises:
            UnreadableDocument: it becomes too large.
            QuotaExhausted: there is no room on the disk.
        """
        self.size_bytes += len(data)
        if self.size_bytes > self._max_bytes:
            raise too_large(self._max_bytes)
        self._gathered += data
        if len(self._gathered) >= _PIECE_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Hands all that was written to the operating system.

        Raises:
            QuotaExhausted: there is no room on the disk.
        """
        gathered, self._gathered = self._gathered, bytearray()
        if gathered:
            await anyio.to_thread.run_sync(self._append, gathered)

    @property
    def sha256(self) -> str:
        """The digest of what was flushed, in hexadecimal."""
        return self._digest.hexdigest()

    async def keep_as(self, name: str) -> Path:
        """Makes the file last, under its name in the same folder; it is on disk when this returns.

        A file that has the name already is replaced: a name stands for the same bytes.

        Raises:
            QuotaExhausted: there is no room on the disk.
        """
        await self.flush()
        kept = self.path.with_name(name)
        await anyio.to_thread.run_sync(self._keep, kept)
        return kept

    async def discard(self) -> None:
        """Closes the file, and removes it where it was not kept; cancellation does not stop it."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._discard)

    def _append(self, data: bytearray) -> None:
        with translated("receive"):
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        self._digest.update(data)

    def _keep(self, kept: Path) -> None:
        with translated("receive"):
            os.fsync(self._file.fileno())
            if os.name == "nt":
                self._file.close()  # An open file cannot be renamed there.
            os.replace(self.path, kept)
            sync_folder(kept.parent)

    def _discard(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


class Spool:
    """The folder, made (0700) when the first file comes."""

    def __init__(self, folder: Path, *, max_bytes: int, opener: Opener = private) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._opener = opener

    @classmethod
    def of(cls, settings: Settings) -> "Spool":
        return cls(settings.home / FOLDER, max_bytes=settings.max_document_bytes)

    @asynccontextmanager
    async def receiving(self, max_bytes: int | None = None) -> AsyncIterator[Incoming]:
        """A file to write to, of at most so many bytes; gone with the block unless it was kept.

        Raises:
            BackendUnavailable: the folder cannot be used.
            QuotaExhausted: there is no room on the disk.
        """
        path = self.folder / f"{secrets.token_hex(16)}{_PARTIAL}"
        descriptor = await anyio.to_thread.run_sync(self._create, path)
        incoming = Incoming(path, descriptor, self.max_bytes if max_bytes is None else max_bytes)
        try:
            yield incoming
        finally:
            await incoming.discard()

    def path(self, name: str) -> Path:
        """Where a file of this name is, or would be."""
        return self.folder / name

    async def remove(self, name: str) -> None:
        """Removes a kept file; one that is not there is no error.

        Raises:
            BackendUnavailable: the folder cannot be used.
        """
        await anyio.to_thread.run_sync(self._remove, name)

    async def old_names(self, now: datetime) -> list[str]:
        """The kept files that were written over a day ago; what was never kept is removed."""
        return await anyio.to_thread.run_sync(self._old_names, now)

    def _create(self, path: Path) -> int:
        with translated("receive"):
            if not self.folder.is_dir():
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                sync_folder(self.folder.parent)
            return self._opener(str(path), _FLAGS)

    def _remove(self, name: str) -> None:
        with translated("remove"):
            self.path(name).unlink(missing_ok=True)

    def _old_names(self, now: datetime) -> list[str]:
        limit = (now - ABANDONED_AFTER).timestamp()
        names: list[str] = []
        with translated("sweep"):
            for path in self.folder.glob("*"):
                with suppress(FileNotFoundError):  # somebody is done with it
                    if path.stat().st_mtime >= limit:
                        continue
                    if path.suffix == _PARTIAL:
                        path.unlink()
                    else:
                        names.append(path.name)
        return names


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable; Windows does that by itself, and refuses to be asked."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def translated(operation: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise QuotaExhausted(
                _BACKEND,
                operation,
                "There is no room on the disk; nothing was kept.",
                "Free some disk space, then send the file again.",
            ) from error
        raise BackendUnavailable(
            _BACKEND,
            operation,
            f"The folder for incoming files cannot be used: {error.strerror}.",
            "Check that the server may write its data folder (DOME_HOME).",
        ) from error
