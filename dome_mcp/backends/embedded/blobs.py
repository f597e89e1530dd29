"""The embedded blob store: a key is a path under one folder.

A blob is written beside the keys, in a folder whose name no key can have, and renamed into place
once it is on disk. So a reader sees the old bytes or the new, and a crash leaves at most a file
there, which `sweep` removes.
"""

import errno
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio.to_thread

from dome_mcp.core.errors import BackendRejected, BackendUnavailable, NotFound, QuotaExhausted

_BACKEND = "files"
_INCOMING = "~incoming"
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,255}")
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_ABANDONED_AFTER = timedelta(hours=1)


class FileBlobs:
    """The `BlobStore` port on a folder, which is made (0700) by the first `put`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, key: str, data: bytes) -> None:
        """Stores the bytes, for the owner only (0600); see `BlobStore.put`."""
        path = self._path(key, "put")
        await anyio.to_thread.run_sync(self._write, path, data)

    async def get(self, key: str) -> bytes:
        """The bytes of a key; see `BlobStore.get`."""
        return await anyio.to_thread.run_sync(_read, self._path(key, "get"), key)

    async def delete(self, key: str) -> None:
        """Removes a key; see `BlobStore.delete`."""
        path = self._path(key, "delete")
        await anyio.to_thread.run_sync(_remove, path)

    async def keys(self, prefix: str = "") -> Sequence[str]:
        """Every key that starts with `prefix`, sorted; see `BlobStore.keys`."""
        return await anyio.to_thread.run_sync(self._list, prefix)

    async def written_at(self, key: str) -> datetime | None:
        """When the bytes of a key were stored; None where there are none."""
        return await anyio.to_thread.run_sync(_written_at, self._path(key, "written_at"))

    async def sweep(self, now: datetime) -> int:
        """Removes what writers that died left behind over an hour ago; returns how many."""
        return await anyio.to_thread.run_sync(self._sweep, now)

    def _path(self, key: str, operation: str) -> Path:
        if not _is_key(key):
            raise BackendRejected(_BACKEND, operation, "This is not a key of the blob store.")
        return self._root / key

    def _write(self, path: Path, data: bytes) -> None:
        with _translated("put"):
            _make_folder(path.parent)
            _make_folder(self._root / _INCOMING)
            descriptor, name = tempfile.mkstemp(dir=self._root / _INCOMING)
            try:
                with open(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(descriptor)
                os.replace(name, path)
            except BaseException:
                os.unlink(name)
                raise
            _sync_folder(path.parent)

    def _list(self, prefix: str) -> list[str]:
        folder, _, _ = prefix.rpartition("/")
        if folder and not _is_key(folder):
            return []
        keys: list[str] = []
        with _translated("keys"):
            for path, folders, names in os.walk(self._root / folder, onerror=_raise_unless_missing):
                folders[:] = filter(_SEGMENT.fullmatch, folders)
                parent = Path(path).relative_to(self._root)
                keys.extend((parent / name).as_posix() for name in names)
        return sorted(key for key in keys if key.startswith(prefix))

    def _sweep(self, now: datetime) -> int:
        limit = (now - _ABANDONED_AFTER).timestamp()
        removed = 0
        with _translated("sweep"):
            for path in (self._root / _INCOMING).glob("*"):
                with suppress(FileNotFoundError):  # its writer is done with it after all
                    if path.stat().st_mtime < limit:
                        path.unlink()
                        removed += 1
        return removed


def _is_key(key: str) -> bool:
    return all(map(_SEGMENT.fullmatch, key.split("/")))


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable; Windows does that by itself, and refuses to be asked."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, key: str) -> bytes:
    with _translated("get"):
        try:
            return path.read_bytes()
        except _MISSING as exc:
            raise NotFound("blob", key) from exc


def _written_at(path: Path) -> datetime | None:
    with _translated("written_at"):
        try:
            return datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except _MISSING:
            return None


def _remove(path: Path) -> None:
    with _translated("delete"), suppress(*_MISSING):
        path.unlink()
        _sync_folder(path.parent)


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


@contextmanager
def _translated(operation: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in _NO_SPACE:
            raise QuotaExhausted(
                _BACKEND,
                operation,
                "There is no room on the disk; nothing was written.",
                "Free some disk space, then try again.",
            ) from exc
        raise BackendUnavailable(
            _BACKEND,
            operation,
            f"The folder of the blob store cannot be used: {exc.strerror}.",
            "Check that you may read and write the data folder (DOME_HOME).",
        ) from exc
