"""A user who has something of everything, and what the database holds of them."""

from dataclasses import dataclass, field

from dome_mcp.core.agenda import Channel
from dome_mcp.core.audit import AuditEntry
from dome_mcp.core.drafts import Labels, draft_note
from dome_mcp.core.links import LinkAction
from dome_mcp.core.ports import Ports, Row, Statement, Value
from dome_mcp.core.timestamps import to_ms
from dome_mcp.core.tokens import token_text
from dome_mcp.services.access import create_token
from dome_mcp.services.actions import perform
from dome_mcp.services.asking import Question
from dome_mcp.services.audit import record
from dome_mcp.services.channels import add_channel
from dome_mcp.services.indexing import index_step
from dome_mcp.services.ingest import ingest
from dome_mcp.services.notes import delete_note
from dome_mcp.services.reminders import NewReminder, create_reminder
from dome_mcp.services.sessions import converse
from dome_mcp.services.tasks import NewTask, create_task
from dome_mcp.services.users import add_user
from dome_mcp.store.notes import to_int
from tests.services.agenda_for_tests import BERLIN, fire
from tests.services.notes_for_tests import NOW, draft, later, long_document

_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
_COLUMNS = """
SELECT name, type, "notnull" AS must, dflt_value IS NOT NULL AS has_default
FROM pragma_table_info(?1)"""


@dataclass
class Uploads:
    """The bytes of uploads, by id."""

    ids: set[str] = field(default_factory=set)

    async def drop(self, upload_id: str) -> None:
        self.ids.discard(upload_id)


async def columns(ports: Ports, table: str) -> dict[str, Row]:
    rows = await ports.database.query(Statement(_COLUMNS, (table,)))
    return {str(row["name"]): row for row in rows}


async def all_tables(ports: Ports) -> list[str]:
    return [str(row["name"]) for row in await ports.database.query(Statement(_TABLES))]


async def tables_of_users(ports: Ports) -> list[str]:
    """Every table in which a user may have rows, also one that was added since this was written."""
    return [name for name in await all_tables(ports) if "user_id" in await columns(ports, name)]


async def rows_of(ports: Ports, user_id: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for name in await tables_of_users(ports):
        sql = f"SELECT * FROM {name} WHERE user_id = ?1"  # noqa: S608  names of the schema
        found[name] = list(await ports.database.query(Statement(sql, (user_id,))))
    return found


async def fill(ports: Ports, user_id: str, *, word: str, uploads: Uploads) -> None:
    """Gives the user at least one row of every table, and blobs."""
    await add_user(user_id, ports, now=NOW, identity=f"sub of {user_id}")
    await fill_notes(ports, user_id, word=word)
    await converse(Question(f"What about the {word}?"), ports, user_id=user_id, now=NOW)
    hook = Channel("hook", user_id, kind="webhook", address=f"https://example.com/{user_id}")
    await add_channel(hook, ports, user_id=user_id, now=NOW, allow_private=False)
    await fill_agenda(ports, user_id, word=word)
    await create_token(
        token_of(user_id),
        ports,
        user_id=user_id,
        name=word,
        scopes=frozenset({"notes:read"}),
        now=NOW,
        expires_at=None,
    )
    entry = AuditEntry(NOW, user_id, f"token of {user_id}", "192.0.2.1", "GET /api", word, "ok")
    await record([entry, entry], ports)
    for name, rows in (await rows_of(ports, user_id)).items():
        if not rows:
            await insert_some_row(ports, name, user_id)
    found = await ports.database.query(
        Statement("SELECT upload_id FROM uploads WHERE user_id = ?1", (user_id,))
    )
    uploads.ids |= {str(row["upload_id"]) for row in found}


async def fill_notes(ports: Ports, user_id: str, *, word: str) -> None:
    short = draft(f"About the {word}.", user_id=user_id, origin=f"file:///{word}.txt", tags=(word,))
    await ingest(short, ports, user_id=user_id, now=NOW)
    long = draft_note(long_document(60), Labels(), user_id=user_id, now=NOW)
    await ingest(long, ports, user_id=user_id, now=NOW)
    gone = await ingest(draft(f"No {word}.", user_id=user_id), ports, user_id=user_id, now=NOW)
    await delete_note(gone.note.note_id, ports, user_id=user_id, now=NOW)
    # One step, so that the lease is held, and there are chunks with a vector and chunks without.
    await index_step(ports, user_id=user_id, holder=user_id, now=NOW, limit=5)


async def fill_agenda(ports: Ports, user_id: str, *, word: str) -> None:
    await create_task(
        NewTask(f"Tune the {word}", due="+1h", tags=(word,), remind=("due",)),
        ports,
        user_id=user_id,
        now=NOW,
        zone=BERLIN,
    )
    view = await create_reminder(
        NewReminder(f"The {word}", at="+1h", repeat="daily"),
        ports,
        user_id=user_id,
        now=NOW,
        zone=BERLIN,
    )
    await fire(ports, later(60))
    fired = (await rows_of(ports, user_id))["firings"]
    due_at_ms = {row["reminder_id"]: row["due_at_ms"] for row in fired}
    reminder_id = view.reminder.reminder_id
    link = LinkAction("done", user_id, reminder_id, to_int(due_at_ms[reminder_id]), later(90))
    await perform(link, ports, now=later(61))


async def insert_some_row(ports: Ports, table: str, user_id: str) -> None:
    """A row of which nothing is known but that it is the user's."""
    names: list[str] = []
    values: list[Value] = []
    for name, column in (await columns(ports, table)).items():
        if column["must"] and not column["has_default"]:
            names.append(name)
            number = to_ms(NOW) if name.endswith("_ms") else 7
            text = user_id if name == "user_id" else f"{table} {user_id}"
            values.append(number if str(column["type"]) == "INTEGER" else text)
    marks = ", ".join(f"?{number}" for number in range(1, len(names) + 1))
    sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608  the schema's
    await ports.database.query(Statement(sql, tuple(values)))


def token_of(user_id: str) -> str:
    return token_text(user_id.encode().ljust(8), user_id.encode().ljust(32))
