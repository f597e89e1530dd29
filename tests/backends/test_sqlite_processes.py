"""One SQLite file, many writers: in one process, in several, and in one that is killed."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import anyio
import apsw
import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Value
from tests.backends.sqlite_items import COUNT, CREATE, SLOW_READ, count, insert, make, rows_by_batch

pytestmark = pytest.mark.anyio

WRITER = """
import itertools, sys
from pathlib import Path
import anyio
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.ports import Statement

async def main(path, first, batches):
    async with SqliteDatabase.open(Path(path)) as database:
        for number in itertools.islice(itertools.count(int(first)), int(batches)):
            insert = Statement("INSERT INTO items VALUES (?1, ?2)", (number, "x" * 500))
            await database.batch([insert] * 5)
            print(number, flush=True)

anyio.run(main, *sys.argv[1:])
"""

TAKE_LOCK = """
import fcntl, sys
first_byte, length = 0x40000000 + 2, 510  # where SQLite keeps its shared lock
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, length, first_byte)
        print("free", end="")
    except OSError:
        print("held by another", end="")
"""


def start_writer(path: Path, first: int, *, batches: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WRITER, str(path), str(first), str(batches)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


async def test_a_lock_that_is_kept_is_reported_after_the_busy_time(tmp_path: Path) -> None:
    path = tmp_path / "dome.db"
    await make(path)
    async with SqliteDatabase.open(path, busy_seconds=0.02) as database:
        with closing(apsw.Connection(str(path))) as holder:
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(BackendUnavailable):
                await database.batch([insert(1)])
            assert await count(database) == 0  # readers do not wait for a writer
        await database.batch([insert(1)])
        assert await count(database) == 1


async def test_a_caller_that_is_cancelled_stops_waiting_for_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "dome.db"
    await make(path)
    async with SqliteDatabase.open(path, busy_seconds=600) as database:
        with closing(apsw.Connection(str(path))) as holder, anyio.fail_after(20):
            holder.execute("BEGIN IMMEDIATE")
            with anyio.move_on_after(0.02) as scope:
                await database.batch([insert(1)])
            assert scope.cancelled_caught
        await database.batch([insert(2)])
    assert rows_by_batch(path) == {2: 1}


async def test_reads_go_on_while_many_writes_wait(tmp_path: Path) -> None:
    path = tmp_path / "dome.db"
    await make(path)
    async with SqliteDatabase.open(path) as database:
        with closing(apsw.Connection(str(path))) as holder, anyio.fail_after(20):
            holder.execute("BEGIN IMMEDIATE")
            async with anyio.create_task_group() as tasks:
                for _ in range(60):  # more than anyio has worker threads
                    tasks.start_soon(database.query, insert(1))
                await anyio.wait_all_tasks_blocked()
                assert [await count(database) for _ in range(5)] == [0] * 5
                holder.execute("ROLLBACK")
        assert await count(database) == 60


async def test_batches_that_read_before_they_write_never_disturb_each_other(
    tmp_path: Path,
) -> None:
    path = tmp_path / "dome.db"
    await make(path)
    grown: list[tuple[Value, Value]] = []

    async def write(database: SqliteDatabase) -> None:
        before, _, _, after = await database.batch([COUNT, SLOW_READ, insert(1), COUNT])
        grown.append((before[0]["n"], after[0]["n"]))

    async with SqliteDatabase.open(path) as one, SqliteDatabase.open(path) as other:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for database in (one, other) * 15:
                    tasks.start_soon(write, database)
    assert set(grown) == {(n, n + 1) for n in range(30)}


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a lock until its own handle is closed")
async def test_a_second_database_in_the_process_keeps_the_locks_of_the_first(
    tmp_path: Path,
) -> None:
    path = tmp_path / "dome.db"
    async with SqliteDatabase.open(path) as database:
        await database.query(CREATE)
        async with SqliteDatabase.open(path):
            pass
        taking = await anyio.run_process([sys.executable, "-c", TAKE_LOCK, str(path)])
        assert taking.stdout == b"held by another"


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "dome.db"
    anyio.run(make, path)
    writers = [start_writer(path, first, batches=30) for first in (0, 100, 200, 300)]
    for writer in writers:
        with writer:
            acknowledged, _ = writer.communicate(timeout=30)
            assert len(acknowledged.split()) == 30
            assert writer.returncode == 0
    batches = rows_by_batch(path)
    assert len(batches) == 120
    assert set(batches.values()) == {5}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_writer_leaves_every_acknowledged_batch_whole_and_no_half(tmp_path: Path) -> None:
    path = tmp_path / "dome.db"
    anyio.run(make, path)
    acknowledged: list[int] = []
    for first in (0, 100_000, 200_000, 300_000):
        with start_writer(path, first, batches=100_000) as writer:
            assert writer.stdout is not None
            acknowledged += [int(writer.stdout.readline()) for _ in range(20)]
            writer.send_signal(signal.SIGKILL)
            acknowledged += map(int, writer.stdout.read().split())
        batches = rows_by_batch(path)
        assert set(batches.values()) == {5}
        assert set(acknowledged) <= set(batches)
