"""Two DOMEs to move between, and everything that one of them has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.backends.embedded.stored_vectors import StoredVectors
from dome_mcp.core.agenda import Channel
from dome_mcp.core.model import NoteChanges
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services.asking import Question
from dome_mcp.services.channels import add_channel
from dome_mcp.services.digest import set_digest
from dome_mcp.services.indexing import index_step
from dome_mcp.services.ingest import ingest_many
from dome_mcp.services.revising import update_note
from dome_mcp.services.sessions import converse
from dome_mcp.services.users import UserChanges, set_user
from tests.services import agenda_for_tests as agenda
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.notes_for_tests import NOW, USER, draft, later

LONG_TEXT = "The long plan has many words. " * 1500
TABLES = {
    "notes": "note_key",
    "note_tags": "note_key",
    "chunks": "chunk_key",
    "tasks": "task_key",
    "task_tags": "task_key",
    "reminders": "reminder_key",
    "firings": "",
    "deliveries": "",
    "channels": "",
    "exchanges": "",
    "users": "",
}
"""Every table that is moved, and the number that the database itself gave its rows."""


@asynccontextmanager
async def world(folder: Path, embedder: WordEmbedder | None = None) -> AsyncIterator[Ports]:
    """A DOME without anything in it."""
    async with SqliteDatabase.open(None) as database:
        yield await make_ports(database, folder, embedder or WordEmbedder())


async def stock(ports: Ports, *, with_vectors: bool = True) -> None:
    """Some of everything: notes short and long, with tags, files and an edit; an agenda."""
    drafts = [
        draft("Paint it red.", origin="file:///plan.txt", tags=("house", "paint")),
        draft("Item one.", context="shed"),
        draft("Größe: C++ 寿司 🔥", title='He said: "no"', source="diary"),
        draft(LONG_TEXT, tags=("house",)),
    ]
    stored = await ingest_many(drafts, ports, user_id=USER, now=NOW)
    changes = NoteChanges(title="Edited")
    await update_note(stored[1].note.note_id, changes, ports, user_id=USER, now=later(2))
    if with_vectors:
        while (await index_step(ports, user_id=USER, holder="me", now=later(3))).left:
            pass
    asked = Question("What colour is it painted?")
    await converse(asked, replace(ports, embedder=None), user_id=USER, now=later(4))
    await _stock_agenda(ports)


async def _stock_agenda(ports: Ports) -> None:
    channel = Channel("phone", USER, "ntfy", "https://ntfy.sh/topic", (("token", "t0ps3cret"),))
    await add_channel(channel, ports, user_id=USER, now=NOW, allow_private=False)
    await set_user(USER, UserChanges(zone="Europe/Berlin"), ports, now=NOW, adds=True)
    await agenda.add_task(ports, due="+1d", repeat="weekly", tags=("b", "a"), remind=("-1h",))
    await agenda.add_task(ports, "No date, no tag")
    made = await agenda.add_reminder(ports, at="+1h", repeat="daily")
    await agenda.fire(ports, agenda.later(hours=1))
    await agenda.act(ports, made.reminder.reminder_id, "acknowledge", now=agenda.later(hours=2))
    await agenda.fire(ports, agenda.later(hours=25))
    last = agenda.later(hours=25)
    await set_digest("phone", "07:30", ports, user_id=USER, now=last, zone="Europe/Berlin")


async def content(ports: Ports) -> dict[str, list[dict[str, object]]]:
    """Every row but for the numbers that the database gave, and every file."""
    found: dict[str, list[dict[str, object]]] = {}
    for table, number in TABLES.items():
        rows = await ports.database.query(Statement(f"SELECT * FROM {table}"))  # noqa: S608  names of this module
        records = [{k: v for k, v in row.items() if k != number} for row in rows]
        found[table] = sorted(({**row, "note_key": None} for row in records), key=repr)
    found["blobs"] = [
        {"key": key, "data": await ports.blobs.get(key)} for key in await ports.blobs.keys()
    ]
    return found


async def contradictions(ports: Ports) -> list[object]:
    """What is between the tables and the indexes and should not be."""
    statements = (
        "SELECT chunk_id FROM chunks WHERE chunk_key NOT IN (SELECT rowid FROM chunks_fts)",
        "SELECT rowid FROM chunks_fts WHERE rowid NOT IN (SELECT chunk_key FROM chunks)",
        """
        SELECT chunk_id FROM chunks
        WHERE embedded_with IS NOT NULL AND chunk_key NOT IN (SELECT chunk_key FROM vectors)""",
    )
    return [row for sql in statements for row in await ports.database.query(Statement(sql))]


def reader(ports: Ports) -> StoredVectors:
    assert ports.embedder is not None
    return StoredVectors(
        ports.database, model=ports.embedder.model, dimensions=ports.embedder.dimensions
    )
