"""Deleting a user with everything they have.

The order is what makes it safe to cut off anywhere and to repeat: first nobody may come in for the
user any more, then what would bring rows forth goes, then the rows, then the bytes that only rows
name; the user's own row is the mark that it is not finished, and goes last.

What others write meanwhile goes as well. A server believes for some seconds that a token is good,
and its requests take their time: they are waited for. A program that acts as the user without a
token, such as a server with this DOME_USER, may never end: so the last step looks at every table
once more, in the statement that deletes the user, and says what is left.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import get_args

from dome_mcp.core.errors import NotFound
from dome_mcp.core.identifiers import user_prefix
from dome_mcp.core.links import LinkAction, LinkVerb
from dome_mcp.core.ports import Ports, Row, Statement
from dome_mcp.core.timestamps import from_ms
from dome_mcp.store import chunks, user_data, users
from dome_mcp.store.notes import to_int

FILES = "blobs"
"""What `Deletion` calls the user's bytes in the blob store."""

_AT_ONCE = 500
_PASSES = 3

_SIGNS_OF_A_SERVER = frozenset({"tokens", "jobs", "uploads", "idempotency", "audit"})

LetFinish = Callable[[], Awaitable[None]]
"""Waits for those who came in for the user before that was forbidden, and are still at work."""

DropUpload = Callable[[str], Awaitable[None]]
"""Removes the bytes that were uploaded under an id; none there is no error."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a user had, and what is still there although it was deleted, by table; no zeros."""

    had: Mapping[str, int]
    left: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def is_complete(self) -> bool:
        return not self.left


async def user_data_counts(ports: Ports, *, user_id: str) -> dict[str, int]:
    """How many rows the user has by table, and how many blobs; no zeros."""
    rows = await ports.database.query(user_data.row_counts(user_id))
    files = len(await ports.blobs.keys(user_prefix(user_id)))
    counted = {**user_data.to_row_counts(rows[0]), FILES: files}
    return {name: count for name, count in counted.items() if count}


async def delete_user(
    ports: Ports,
    *,
    user_id: str,
    now: datetime,
    drop_upload: DropUpload,
    let_finish: LetFinish | None = None,
) -> Deletion:
    """Deletes the user and all they have; to be repeated where it was cut off or left something.

    `let_finish` is awaited for one who may have come in over the network. Audit entries stay, as
    nobody's.

    Raises:
        NotFound: there is no such user, and nothing of one.
        BackendError: it is not finished.
    """
    had = await user_data_counts(ports, user_id=user_id)
    rows = await ports.database.query(users.user_by_id(user_id))
    if not had and not rows:
        raise NotFound("user", user_id[:70], "See `dome-mcp user list` for those there are.")
    await ports.database.batch(user_data.begin_deletion(user_id, now=now))
    if let_finish is not None and (rows or had.keys() & _SIGNS_OF_A_SERVER):
        await _delete_everything(ports, user_id=user_id, drop_upload=drop_upload)
        await let_finish()
    for _ in range(_PASSES):
        await _delete_everything(ports, user_id=user_id, drop_upload=drop_upload)
        if await _has_ended(ports, user_id=user_id):
            return Deletion(had)
    left = await user_data_counts(ports, user_id=user_id)
    return Deletion(had, left or {"users": 1})


async def _has_ended(ports: Ports, *, user_id: str) -> bool:
    """Whether nothing is left, not even the user: the database looks and deletes in one."""
    if await ports.blobs.keys(user_prefix(user_id)):
        return False
    await ports.database.query(user_data.end_deletion(user_id))
    return not await ports.database.query(users.user_by_id(user_id))


async def _delete_everything(ports: Ports, *, user_id: str, drop_upload: DropUpload) -> None:
    await _delete_uploads(ports, user_id=user_id, drop_upload=drop_upload)
    await _delete_chunks(ports, user_id=user_id)
    for table in user_data.PLAIN_TABLES:
        await _until_none_left(user_data.delete_rows(table, user_id, limit=_AT_ONCE), ports)
    await _delete_firings(ports, user_id=user_id)
    await ports.database.query(user_data.delete_lease(user_id))
    await _until_none_left(user_data.anonymise_entries(user_id, limit=_AT_ONCE), ports)
    for key in await ports.blobs.keys(user_prefix(user_id)):
        await ports.blobs.delete(key)
    await ports.database.query(user_data.clean_words())


async def _until_none_left(statement: Statement, ports: Ports) -> None:
    while len(await ports.database.query(statement)) == _AT_ONCE:
        pass


async def _delete_uploads(ports: Ports, *, user_id: str, drop_upload: DropUpload) -> None:
    while rows := await ports.database.query(user_data.some_uploads(user_id, limit=_AT_ONCE)):
        ids = [str(row["upload_id"]) for row in rows]
        for upload_id in ids:  # The bytes first: without the row nothing would name them.
            await drop_upload(upload_id)
        await ports.database.query(user_data.delete_uploads(user_id, ids))


async def _delete_chunks(ports: Ports, *, user_id: str) -> None:
    after = 0
    while rows := await ports.database.query(
        user_data.some_chunks(user_id, after=after, limit=_AT_ONCE)
    ):
        after = to_int(rows[-1]["chunk_key"])
        ids = [str(row["chunk_id"]) for row in rows]
        await ports.database.batch(
            [
                *chunks.unindex_chunks(ids, user_id=user_id),
                *(ports.vectors.unstage(ids) if ports.vectors else ()),
                *chunks.delete_chunks(ids, user_id=user_id),
            ]
        )
        if ports.vectors is not None:
            await ports.vectors.settle()


async def _delete_firings(ports: Ports, *, user_id: str) -> None:
    while rows := await ports.database.query(user_data.some_firings(user_id, limit=_AT_ONCE)):
        fired = [(str(row["reminder_id"]), to_int(row["due_at_ms"])) for row in rows]
        link_ids = [link_id for row in rows for link_id in _link_ids(row, user_id)]
        await ports.database.batch(user_data.delete_firings(user_id, fired, link_ids=link_ids))


def _link_ids(row: Row, user_id: str) -> list[str]:
    """What the links of a firing are marked by when they are used."""
    due_at_ms = to_int(row["due_at_ms"])
    return [
        LinkAction(
            verb, user_id, str(row["reminder_id"]), due_at_ms, expires_at=from_ms(due_at_ms)
        ).link_id
        for verb in get_args(LinkVerb)
    ]
