"""A user's tasks, reminders, channels and history on their way from one DOME to another.

Of two rows with one key the one that was changed last stays. Where a row does not say when that
was, the source's values count, and the target's where the source has none: so what was
acknowledged on either side is acknowledged. A delivery that is settled on the target stays so.
"""

from collections.abc import AsyncIterator, Sequence

from dome_mcp.core.ports import Database, Value
from dome_mcp.services.moving_progress import Move
from dome_mcp.store import moving_rows
from dome_mcp.store.moving_rows import TABLES, Record

_PAGE = 1_000


async def move_rows(table: str, source: Database, target: Database, *, user_id: str) -> Move:
    """Writes the rows of one of TABLES that the target lacks, or has older ones of.

    Raises:
        BackendError: it is not finished; what is written stays, and the next call goes on.
    """
    move = Move()
    async for rows in _pages(table, source, user_id=user_id):
        there = await _there(table, target, rows, user_id=user_id)
        wanted: list[Record] = []
        for row in rows:
            present = there.get(moving_rows.key_of(table, row))
            merged = row if present is None else merge(table, row, present)
            if merged is None:
                move.kept += 1
            elif merged == present:
                move.unchanged += 1
            else:
                wanted.append(merged)
        await target.batch(moving_rows.put_rows(table, user_id, wanted))
        move.moved += len(wanted)
    return move


async def differing_rows(
    table: str, source: Database, target: Database, *, user_id: str
) -> list[str]:
    """The keys of the rows of the source that the target does not have as it should."""
    differing: list[str] = []
    async for rows in _pages(table, source, user_id=user_id):
        there = await _there(table, target, rows, user_id=user_id)
        for row in rows:
            key = moving_rows.key_of(table, row)
            present = there.get(key)
            if present is None or merge(table, row, present) not in (None, present):
                differing.append("/".join(map(str, key)))
    return differing


def merge(table: str, row: Record, present: Record) -> Record | None:
    """What takes the place of `present`, which the target has; None where that is to stay."""
    of = TABLES[table]
    if of.is_dated:
        return row if _changed(row) > _changed(present) else _stays(row, present)
    if of.settled is not None and present[of.settled] is not None:
        return _stays(row, present)
    return {name: present[name] if value is None else value for name, value in row.items()}


def _stays(row: Record, present: Record) -> Record | None:
    return present if row == present else None


def _changed(row: Record) -> tuple[int, int]:
    return int(row["updated_at_ms"] or 0), int(row["revision"] or 0)


async def _pages(table: str, database: Database, *, user_id: str) -> AsyncIterator[list[Record]]:
    after: tuple[Value, ...] | None = None
    while True:
        statement = moving_rows.rows_page(table, user_id, after=after, limit=_PAGE)
        rows = [moving_rows.to_record(table, row) for row in await database.query(statement)]
        if rows:
            yield rows
            after = moving_rows.key_of(table, rows[-1])
        if len(rows) < _PAGE:
            return


async def _there(
    table: str, database: Database, rows: Sequence[Record], *, user_id: str
) -> dict[tuple[Value, ...], Record]:
    keys = [moving_rows.key_of(table, row) for row in rows]
    found = await database.query(moving_rows.rows_among(table, user_id, keys))
    records = [moving_rows.to_record(table, row) for row in found]
    return {moving_rows.key_of(table, record): record for record in records}
