"""The embedded database: one SQLite file, shared by every process of its user.

How the connections share the work:

- One writer a process. Its tasks queue fairly in `_writing`; between processes `BEGIN IMMEDIATE`
  takes SQLite's write lock at once, so nobody has to upgrade and nobody deadlocks.
- A few readers, which see the last commit and wait for nobody (WAL). They refuse a statement that
  would write, and that refusal is how such a statement finds its way to the writer: SQLite knows
  better than a parser of ours.
- A probe that only ever reads the change counter, so every commit is somebody else's to it.

A statement runs in a worker thread that is never abandoned. So a cancelled caller leaves either
the whole batch or none of it, and its connection is free again.
"""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import apsw

from dome_mcp.backends.embedded.sqlite_connections import WAIT_SECONDS, connect, create
from dome_mcp.backends.embedded.sqlite_errors import translated
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Row, Statement, Value

_READERS = 3
_memory_names = (f"/dome-{number}" for number in itertools.count())


def _unchanged(value: Value) -> Value:
    return value


class SqliteDatabase:
    """The `Database` port on a SQLite file, and what else such a file needs: care and copies."""

    def __init__(
        self,
        path: Path | str,
        *,
        busy_seconds: float,
        bind: Callable[[Value], Value],
    ) -> None:
        """For `open` alone, which closes what is opened here; it blocks, so in a worker thread."""
        self._path = path
        self._busy_seconds = busy_seconds
        self._bind = bind
        self._writer = self._connect()
        self._readers = [self._connect() for _ in range(_READERS)]
        for reader in self._readers:
            reader.authorizer = _forbid_transactions
            reader.exec_trace = _is_read
        self._probe = self._connect()
        self._probe.set_busy_handler(None)
        self._writing = anyio.CapacityLimiter(1)
        self._reading = anyio.CapacityLimiter(_READERS)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: Path | None,
        *,
        busy_seconds: float = 30.0,
        bind: Callable[[Value], Value] = _unchanged,
    ) -> AsyncIterator["SqliteDatabase"]:
        """The database in `path`, made where missing (folder 0700, file 0600); None: in memory.

        `bind` changes each parameter on its way in; the tests bind numbers as D1 does with it.

        Raises:
            BackendRejected: the path cannot be used, or holds something else than a database.
            BackendUnavailable: another process kept the file locked for `busy_seconds`.
        """

        def opened() -> SqliteDatabase:
            with translated("open"):
                if path is not None:
                    create(path)
                return cls(path or next(_memory_names), busy_seconds=busy_seconds, bind=bind)

        database = await anyio.to_thread.run_sync(opened)
        try:
            yield database
        finally:
            await database._close()

    @property
    def version(self) -> str:
        """The version of the SQLite library, for example `3.54.1`."""
        return apsw.sqlite_lib_version()

    async def query(self, statement: Statement) -> Sequence[Row]:
        """The rows of one statement (see `Database.query`)."""
        try:
            return await anyio.to_thread.run_sync(self._read, statement, limiter=self._reading)
        except apsw.ExecTraceAbort:
            return (await self.batch((statement,)))[0]

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        """The rows of each statement, all run or none (see `Database.batch`)."""
        if not statements:
            return []
        return await anyio.to_thread.run_sync(self._write, statements, limiter=self._writing)

    async def data_version(self) -> int:
        """A number that changes with every commit of any process, this one included.

        It is read in the event loop: about 5 us, where a thread would cost 60.

        Raises:
            BackendUnavailable: the database stayed busy.
        """
        give_up_at = anyio.current_time() + self._busy_seconds
        while True:
            try:
                with translated("data_version"):
                    return int(self._probe.pragma("data_version"))
            except BackendUnavailable:
                if anyio.current_time() >= give_up_at:
                    raise
            await anyio.sleep(WAIT_SECONDS[-1])

    async def integrity(self) -> list[str]:
        """What is wrong with the file, full-text index and references included; empty when sound.

        Raises:
            BackendError: the check itself could not run.
        """
        return await anyio.to_thread.run_sync(self._check)

    async def backup(self, path: Path) -> None:
        """Writes a consistent copy to `path` as one file (0600), replacing what was there.

        Nobody waits for it; what is committed meanwhile is not in the copy.

        Raises:
            BackendRejected: the path cannot be written.
            QuotaExhausted: no space for the copy.
        """
        await anyio.to_thread.run_sync(self._copy, path)

    async def checkpoint(self) -> None:
        """Moves the write-ahead log into the file and empties it.

        Raises:
            BackendUnavailable: others kept reading or writing for the whole time.
        """
        await anyio.to_thread.run_sync(self._empty_wal, limiter=self._writing)

    async def compact(self) -> None:
        """Writes the file anew: what was deleted stands in its unused pages until then.

        It needs room for another copy, and others wait with their writes meanwhile.

        Raises:
            BackendUnavailable: others kept reading or writing for the whole time.
            QuotaExhausted: no space for the copy.
        """
        await anyio.to_thread.run_sync(self._rewrite, limiter=self._writing)

    def _connect(self) -> apsw.Connection:
        return connect(self._path, busy_seconds=self._busy_seconds)

    def _read(self, statement: Statement) -> list[Row]:
        reader = self._readers.pop()
        try:
            with translated("query"):
                return self._rows(reader, statement)
        finally:
            self._readers.append(reader)

    def _write(self, statements: Sequence[Statement]) -> list[list[Row]]:
        rows: list[list[Row]] = []
        with translated("batch"), _transaction(self._writer):
            for statement in statements:
                rows.append(self._rows(self._writer, statement))
        return rows

    def _rows(self, connection: apsw.Connection, statement: Statement) -> list[Row]:
        cursor = connection.execute(statement.sql, tuple(map(self._bind, statement.params)))
        try:
            names = [column[0] for column in cursor.get_description()]
        except apsw.ExecutionCompleteError:  # apsw's way to say that there is no row
            return []
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def _check(self) -> list[str]:
        with translated("integrity"), closing(self._connect()) as connection:
            try:
                found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
                orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
            except apsw.CorruptError as exc:
                return [str(exc)]
        problems = [] if found == ["ok"] else found
        return problems + [f"{child} {row}: no such {parent}" for child, row, parent, _ in orphans]

    def _copy(self, path: Path) -> None:
        partial = path.with_name(f".{path.name}.partial")
        with translated("backup"), closing(self._connect()) as source:
            partial.unlink(missing_ok=True)
            create(partial)
            try:
                _copy_pages(source, partial)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)

    def _empty_wal(self) -> None:
        with translated("checkpoint"):
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def _rewrite(self) -> None:
        with translated("compact"), closing(self._connect()) as connection:
            connection.pragma("temp_store", "file")  # the copy is as large as the database
            connection.execute("VACUUM")
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    async def _close(self) -> None:
        with anyio.CancelScope(shield=True):
            for _ in range(_READERS):
                await anyio.to_thread.run_sync(self._close_reader, limiter=self._reading)
            await anyio.to_thread.run_sync(self._close_writer, limiter=self._writing)

    def _close_reader(self) -> None:
        reader = self._readers.pop()
        reader.close()
        self._readers.insert(0, reader)  # out of the way of those still open

    def _close_writer(self) -> None:
        self._probe.close()
        self._writer.close()  # the last to leave empties the WAL into the file


@contextmanager
def _transaction(connection: apsw.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk, for one, makes SQLite roll back by itself
            connection.execute("ROLLBACK")
        raise


def _copy_pages(source: apsw.Connection, path: Path) -> None:
    with closing(apsw.Connection(str(path))) as target:
        with target.backup("main", source, "main") as copying:
            copying.step()
        target.pragma("journal_mode", "delete")  # one file, complete without a WAL


def _is_read(cursor: apsw.Cursor, _sql: str, _params: object) -> bool:
    return cursor.is_readonly


def _forbid_transactions(action: int, *_names: str | None) -> int:
    is_transaction = action in (apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT)
    return apsw.SQLITE_DENY if is_transaction else apsw.SQLITE_OK
