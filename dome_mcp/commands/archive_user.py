"""The rest of a user's export, and whether an export holds what the database does."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dome_mcp.app import Dome
from dome_mcp.commands.archive_agenda import write_records
from dome_mcp.commands.archive_folder import (
    AUDIT,
    CHANNELS,
    HISTORY,
    REMINDERS,
    SESSIONS,
    TASKS,
    TOKENS,
    ExportWriter,
    read_lines,
    read_records,
)
from dome_mcp.core.errors import DomeError
from dome_mcp.services.status import counts
from dome_mcp.services.user_archive import (
    audit_records,
    channel_records,
    delivery_records,
    exchange_records,
    firing_records,
    token_records,
)
from dome_mcp.services.user_data import user_data_counts

_FILES = {
    TASKS: "tasks",
    REMINDERS: "reminders",
    CHANNELS: "channels",
    TOKENS: "tokens",
    AUDIT: "audit",
    SESSIONS: "exchanges",
}
"""The table that each file of one kind of record is from."""

_HISTORY = {"firing": "firings", "delivery": "deliveries"}
"""The tables of the records of the file HISTORY, by their kind."""

_TABLES = ("notes", *_FILES.values(), *_HISTORY.values())


@dataclass(frozen=True, slots=True)
class Check:
    """How many records of a table were read back from an export, and how many there should be."""

    name: str
    found: int
    before: int
    after: int
    """How many the database had when the export was begun, and when it was written."""

    @property
    def expected(self) -> int:
        """The count of the database that comes closest to what was found."""
        return min(max(self.found, min(self.before, self.after)), max(self.before, self.after))

    @property
    def is_whole(self) -> bool:
        return self.found == self.expected

    @property
    def hint(self) -> str:
        return "run it again with --force, while nothing writes for this user"

    @property
    def style(self) -> str:
        return "" if self.is_whole else "red"


async def write_user_data(dome: Dome, writer: ExportWriter, *, with_secrets: bool) -> None:
    """Writes the history, the channels, the tokens, the audit entries and the sessions."""
    ports, user_id = dome.ports, dome.user_id
    files: list[tuple[str, AsyncIterator[Mapping[str, object]]]] = [
        (HISTORY, firing_records(ports, user_id=user_id)),
        (HISTORY, delivery_records(ports, user_id=user_id)),
        (CHANNELS, channel_records(ports, user_id=user_id, with_secrets=with_secrets)),
        (TOKENS, token_records(ports, user_id=user_id)),
        (AUDIT, audit_records(ports, user_id=user_id)),
        (SESSIONS, exchange_records(ports, user_id=user_id)),
    ]
    for name, records in files:
        await write_records(records, writer, name=name)


async def present_counts(dome: Dome) -> Mapping[str, int]:
    """How many records of each table an export made now would hold."""
    rows = await user_data_counts(dome.ports, user_id=dome.user_id)
    # Of a deleted note there is still a row, which holds nothing.
    notes = (await counts(dome.ports, user_id=dome.user_id)).notes
    return {table: rows.get(table, 0) for table in _TABLES} | {"notes": notes}


def check_export(folder: Path, before: Mapping[str, int], after: Mapping[str, int]) -> list[Check]:
    """Reads all of an export, originals included, and compares it with the database's counts."""
    found = Counter[str]()
    found["notes"] = sum(not isinstance(record, DomeError) for _, record in read_records(folder))
    for name, table in _FILES.items():
        found[table] = sum(
            not isinstance(record, DomeError) for _, record in read_lines(folder, name)
        )
    for _, record in read_lines(folder, HISTORY):
        if not isinstance(record, DomeError):
            found[_HISTORY[str(record["kind"])]] += 1
    return [Check(table, found[table], before[table], after[table]) for table in _TABLES]
