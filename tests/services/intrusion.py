"""A database that others write to just before our own batch gets there, or that runs it twice."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from dome_mcp.core.ports import Database, Ports, Row, Statement


def intruding(
    ports: Ports,
    *,
    on: str,
    by: Callable[[], Awaitable[object]] | None = None,
    times: int = 1,
    repeats: bool = False,
    reaches_queries: bool = False,
) -> Ports:
    """The ports, where `by` happens before each of the first `times` batches that hold `on`.

    With `reaches_queries` a statement that goes by itself counts as a batch.

    With `repeats` such a batch is run once more after it has succeeded, as a client does that
    never got the answer.
    """
    return replace(
        ports, database=_Intruded(ports.database, on, by, times, repeats, reaches_queries)
    )


@dataclass
class _Intruded:
    inner: Database
    on: str
    by: Callable[[], Awaitable[object]] | None
    times: int
    repeats: bool
    reaches_queries: bool

    async def query(self, statement: Statement) -> Sequence[Row]:
        if self.reaches_queries and self.on in statement.sql:
            return (await self.batch([statement]))[0]
        return await self.inner.query(statement)

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        if self.times and any(self.on in statement.sql for statement in statements):
            self.times -= 1
            if self.by is not None:
                await self.by()
            if self.repeats:
                await self.inner.batch(statements)
        return await self.inner.batch(statements)
