"""The vector index on Vectorize: the database says what is to be there, Vectorize finds it fast.

- The ledger, a table of the database, holds every vector. What was staged is in it, and found,
  when its batch is committed; `settle` tells Vectorize.
- Vectorize names the nearest chunks as of a minute or two ago. The database then says which of
  them are still there and let through by the filter, and gives their vectors, and those of all
  that Vectorize has not taken in. The order is made here, by exact cosines.
- So an answer is never stale, of another user, or beside the filter, whatever Vectorize holds.
- Through a filter that few chunks pass, Vectorize is not asked: all of them are compared. Where
  many pass, but too few of the nearest that Vectorize knows, all are compared as well, SCANNED_MOST
  at most, the newest first: only beyond that may a search miss what it should have found.
- Without a filter Vectorize's 100 nearest are what there is to begin with, and a caller who wants
  more than twice as many has the rest compared in the same way.
"""

from array import array
from collections.abc import Sequence
from typing import cast

from dome_mcp.backends.cloudflare import vectorize_filters
from dome_mcp.backends.cloudflare.vectorize_lookup import Ledger, VectorizeLookup
from dome_mcp.backends.cloudflare.vectorize_scores import Scores, packed, unpacked
from dome_mcp.backends.cloudflare.vectorize_shapes import (
    BACKEND,
    MAX_DELETE,
    Index,
    StoredVector,
)
from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.model import Match, NoteFilter
from dome_mcp.core.ports import Database, Lookup, Row, Statement, Vector, VectorEntry


class VectorizeVectors:
    """The `VectorIndex` port on a Vectorize index and a ledger in `database`."""

    def __init__(
        self,
        index: Index,
        database: Database,
        *,
        ledger: Ledger,
        score: Scores,
        model: str,
        dimensions: int,
        known_as: str = "",
    ) -> None:
        """`known_as` is the index's name in the ledger, empty for the one of the settings."""
        self._index = index
        self._known_as = known_as
        self._database = database
        self._ledger = ledger
        self._score = score
        self._model = model
        self._dimensions = dimensions
        self._processed: str | None = None
        """The last mutation that Vectorize had processed when it was asked."""

    @property
    def model(self) -> str:
        return self._model

    def stage(self, entries: Sequence[VectorEntry]) -> Sequence[Statement]:
        """Statements of half a megabyte at most.

        Raises:
            BackendRejected: a vector has not the model's dimensions.
        """
        return self._ledger.stage(
            [(entry.chunk_id, self._packed(entry.vector)) for entry in entries],
            index=self._known_as,
        )

    def unstage(self, chunk_ids: Sequence[str]) -> Sequence[Statement]:
        """A statement for every few thousand ids."""
        return self._ledger.unstage(chunk_ids, index=self._known_as)

    async def settle(self) -> int:
        """Sends what is staged, in order (see `VectorIndex.settle`).

        With nothing to do it is one request of the database; else two for each `sent_at_once`
        vectors or 100 removals besides, and one that asks Vectorize how far it is with what was
        sent before.
        """
        questions = (
            self._ledger.to_send(limit=self._index.sent_at_once, index=self._known_as),
            self._ledger.progress(index=self._known_as),
        )
        rows, (progress,) = await self._database.batch(questions)
        done: list[Statement] = []
        if progress["sent"] and (processed := (await self._index.info()).processed):
            done = self._ledger.settle_processed(processed)
            if processed != self._processed:  # else it was sent again, and is on its way
                done.append(self._ledger.send_last_again(processed, index=self._known_as))
            self._processed = processed
        while rows or done:
            if rows:
                done += await self._send(rows, sent_after=_integer(progress, "sent_after"))
            *_, rows, (progress,) = await self._database.batch([*done, *questions])
            done = []
        return _integer(progress, "unsettled")

    async def read(self, chunk_ids: Sequence[str]) -> Sequence[VectorEntry]:
        """The vectors of these chunks, as far as they have one, in this order.

        They were rounded to 11 bits when they were staged, and are not more exact here.

        Raises:
            BackendError: the database cannot be read.
        """
        statement = self._ledger.of_chunks(chunk_ids, index=self._known_as)
        rows = await self._database.query(statement)
        return [
            VectorEntry(str(row["chunk_id"]), array("f", unpacked(str(row["embedding"]))))
            for row in rows
        ]

    async def damage(self) -> tuple[list[str], int]:
        """The ids of chunks that lost their vector in the ledger, and how many lost their chunk.

        What Vectorize itself has lost is not told: see `restore`.
        """
        statements = self._ledger.damage(self._model, index=self._known_as)
        missing, (counted,) = await self._database.batch(statements)
        return [str(row["chunk_id"]) for row in missing], _integer(counted, "orphans")

    def remove_orphans(self) -> Sequence[Statement]:
        """Asks for the removal of the vectors that have no chunk."""
        return [self._ledger.unstage_orphans(index=self._known_as)]

    async def restore(self, *, is_replaced: bool = False) -> int:
        """Makes the index again as far as it is not there, and sends it anew what it lacks.

        Returns how many vectors it was sent: all, where the index or one of its metadata indexes
        was made, or where it holds fewer than it has taken in, or where it is another index than
        the one that took them in.

        Raises:
            BackendRejected: the index is for vectors of other dimensions; nothing was changed.
            BackendError: it cannot be asked or made.
        """
        is_new = await self._index.make(self._dimensions) or is_replaced
        if not is_new:
            await self.settle()
        (row,) = await self._database.query(self._ledger.count(index=self._known_as))
        if not is_new and (await self._index.info()).vectors >= _integer(row, "settled"):
            return 0
        await self._database.query(self._ledger.stage_again(index=self._known_as))
        await self.settle()
        return _integer(row, "held")

    async def look_up(
        self, user_id: str, vector: Vector, *, limit: int, among: NoteFilter
    ) -> Lookup:
        """Asks Vectorize, or compares the few chunks of a filter (see `VectorIndex.look_up`)."""
        self._check(vector)
        lookup = VectorizeLookup(
            self._database,
            self._ledger,
            self._score,
            user_id,
            vector,
            limit=limit,
            among=among,
            index=self._known_as,
        )
        if among.is_empty or not await lookup.compare_few():
            nearest = await self._index.nearest(
                vector,
                namespace=vectorize_filters.namespace_of(user_id),
                where=vectorize_filters.where(among),
            )
            lookup.take(nearest)
        return lookup

    async def search(
        self, user_id: str, vector: Vector, *, limit: int, among: NoteFilter
    ) -> Sequence[Match]:
        """The nearest chunks (see `VectorIndex.search`), ties in the order of their ids."""
        lookup = await self.look_up(user_id, vector, limit=limit, among=among)
        rows = await self._database.query(lookup.statement) if lookup.statement else ()
        return await lookup.matches(rows)

    async def _send(self, rows: Sequence[Row], *, sent_after: int) -> list[Statement]:
        """Sends one mutation's share of the rows; the statements record it."""
        kept = [row for row in rows if row["embedding"] is not None and row["user_id"] is not None]
        part = kept or rows[:MAX_DELETE]
        if kept:
            mutation_id = await self._index.upsert([self._stored(row) for row in kept])
        else:
            mutation_id = await self._index.delete([str(row["chunk_id"]) for row in part])
        return self._ledger.mark_sent(
            {str(row["chunk_id"]): _integer(row, "ledger_key") for row in part},
            mutation_id,
            sent_after=sent_after,
            are_removals=not kept,
            index=self._known_as,
        )

    def _stored(self, row: Row) -> StoredVector:
        return StoredVector(
            str(row["chunk_id"]),
            [round(value, 6) for value in unpacked(str(row["embedding"]))],
            vectorize_filters.namespace_of(str(row["user_id"])),
            vectorize_filters.metadata_of(
                context=str(row["context"] or ""), created_at_ms=_integer(row, "created_at_ms")
            ),
        )

    def _packed(self, vector: Vector) -> str:
        self._check(vector)
        return packed(vector)

    def _check(self, vector: Vector) -> None:
        if len(vector) != self._dimensions:
            raise BackendRejected(
                BACKEND,
                "check",
                f"A vector has {len(vector)} dimensions, the model {self._dimensions}.",
            )


def _integer(row: Row, column: str) -> int:
    return int(cast("int", row[column]))
