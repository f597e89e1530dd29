"""Which notes a filter lets through, as keys that the matrix can be masked with."""

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import anyio.to_thread

from dome_mcp.core.model import NoteFilter
from dome_mcp.core.ports import Statement

if TYPE_CHECKING:
    from dome_mcp.backends.embedded.matrix import Keys
    from dome_mcp.backends.embedded.vectors import WatchedDatabase

_REMEMBERED = 16

Eligible = Callable[[str, NoteFilter], Statement]
"""The statement whose one row holds, in the column `keys`, the note_keys, separated by commas."""


class EligibleNotes:
    """The notes of filters, remembered until somebody writes: questions come in rows."""

    def __init__(self, database: "WatchedDatabase", eligible: Eligible) -> None:
        self._database = database
        self._eligible = eligible
        self._known: dict[tuple[str, NoteFilter], Keys] = {}
        self._version = -1

    async def keys(self, user_id: str, among: NoteFilter) -> "Keys":
        """The keys of the user's notes in `among`, in no order.

        Raises:
            BackendError: the rows cannot be read.
        """
        version = await self._database.data_version()  # first: what is read can only be newer
        if version != self._version:
            self._known.clear()
            self._version = version
        keys = self._known.get((user_id, among))
        if keys is None:
            rows = await self._database.query(self._eligible(user_id, among))
            keys = await anyio.to_thread.run_sync(_parsed, str(rows[0]["keys"] or ""))
            if len(self._known) < _REMEMBERED and version == self._version:
                self._known[user_id, among] = keys
        return keys


def _parsed(keys: str) -> "Keys":
    # In a worker thread, as numpy would take a tenth of a second out of a client's handshake.
    matrix = importlib.import_module("dome_mcp.backends.embedded.matrix")
    return cast("Keys", matrix.parse_keys(keys))
