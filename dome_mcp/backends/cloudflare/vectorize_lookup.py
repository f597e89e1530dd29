"""A search over Vectorize: which chunks to compare, and comparing them by the vectors we hold."""

import json
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from dome_mcp.backends.cloudflare.vectorize_scores import Scores
from dome_mcp.backends.cloudflare.vectorize_shapes import MAX_TOP_K
from dome_mcp.core.model import Match, NoteFilter
from dome_mcp.core.ports import Database, Row, Statement, Vector

FEW_CHUNKS = 1_000
"""So many chunks of a filter are compared without Vectorize: a megabyte at 384 dimensions."""

PAGE_CHUNKS = 1_000
SCANNED_MOST = 20_000
"""So many chunks are compared where Vectorize named too few."""


class Ledger(Protocol):
    """The statements of `dome_mcp.store.vector_ledger`, which says what each does."""

    @property
    def STAGED_LIMIT(self) -> int: ...  # noqa: N802 - a constant of the module

    def stage(self, embeddings: Sequence[tuple[str, str]], *, index: str) -> list[Statement]: ...
    def stage_again(self, *, index: str) -> Statement: ...
    def count(self, *, index: str) -> Statement: ...
    def unstage(self, chunk_ids: Sequence[str], *, index: str) -> list[Statement]: ...
    def forget_index(self, index: str) -> list[Statement]: ...
    def of_chunks(self, chunk_ids: Sequence[str], *, index: str) -> Statement: ...
    def damage(self, model: str, *, index: str) -> list[Statement]: ...
    def unstage_orphans(self, *, index: str) -> Statement: ...
    def to_send(self, *, limit: int, index: str) -> Statement: ...
    def progress(self, *, index: str) -> Statement: ...
    def mark_sent(
        self,
        ledger_keys: Mapping[str, int],
        mutation_id: str,
        *,
        sent_after: int,
        are_removals: bool,
        index: str,
    ) -> list[Statement]: ...
    def send_last_again(self, mutation_id: str, *, index: str) -> Statement: ...
    def settle_processed(self, mutation_id: str) -> list[Statement]: ...
    def standing(
        self, user_id: str, among: NoteFilter, *, chunk_ids: Sequence[str], index: str
    ) -> Statement: ...
    def staged_page(
        self, user_id: str, among: NoteFilter, *, limit: int, before: int, index: str
    ) -> Statement: ...
    def few_eligible(
        self, user_id: str, among: NoteFilter, *, few: int, index: str
    ) -> Statement: ...
    def eligible_keys(
        self, user_id: str, among: NoteFilter, *, limit: int, index: str
    ) -> Statement: ...
    def at_keys(self, ledger_keys: Sequence[int]) -> Statement: ...


class VectorizeLookup:
    """One search (see `Lookup`), begun with `compare_few` or `take`.

    `scores` are kept by chunk id; what is compared twice has the same score again.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        score: Scores,
        user_id: str,
        vector: Vector,
        *,
        limit: int,
        among: NoteFilter,
        index: str,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._score = score
        self._user_id = user_id
        self._vector = vector
        self._limit = limit
        self._among = among
        self._index = index
        self._scores: dict[str, float] = {}
        self._chunk_ids: Sequence[str] = ()
        self._may_know_more = False

    @property
    def chunk_ids(self) -> Sequence[str]:
        return self._chunk_ids

    @property
    def statement(self) -> Statement:
        """What became of the chunks found so far, and the vectors of the newest staged ones."""
        return self._ledger.standing(
            self._user_id, self._among, chunk_ids=self._chunk_ids, index=self._index
        )

    async def compare_few(self) -> bool:
        """Compares all chunks of the filter, where they are few; whether they were."""
        rows = await self._database.query(
            self._ledger.few_eligible(self._user_id, self._among, few=FEW_CHUNKS, index=self._index)
        )
        if _integer(rows[0], "eligible") > FEW_CHUNKS:
            return False
        await self._compare([row for row in rows if row["chunk_id"] is not None])
        self._chunk_ids = [match.chunk_id for match in self._best()]
        return True

    def take(self, nearest: Sequence[str]) -> None:
        """Takes what Vectorize named.

        It knows more where it named as many as it may; and where many pass the filter, whatever
        it says: it may not have taken in what it filters by.
        """
        self._chunk_ids = nearest
        self._may_know_more = len(nearest) >= MAX_TOP_K or not self._among.is_empty

    async def matches(self, rows: Sequence[Row]) -> Sequence[Match]:
        """The nearest of what stands in the database (see `Lookup.matches`)."""
        self._scores.clear()
        await self._compare(rows)
        await self._compare_staged(rows)
        if self._may_know_more and len(self._scores) < max(self._limit // 2, 1):
            await self._compare_all()
        return self._best()

    async def _compare_staged(self, rows: Sequence[Row]) -> None:
        """Compares the staged chunks that are older than those in `rows`, where there may be."""
        keys = sorted(_integer(row, "ledger_key") for row in rows if not row["is_settled"])
        limit = self._ledger.STAGED_LIMIT
        while len(keys) >= limit:
            before, limit = keys[-limit], PAGE_CHUNKS
            statement = self._ledger.staged_page(
                self._user_id, self._among, limit=limit, before=before, index=self._index
            )
            page = await self._database.query(statement)
            await self._compare(page)
            keys = sorted(_integer(row, "ledger_key") for row in page)

    async def _compare_all(self) -> None:
        """Compares what the filter lets through, the newest first, SCANNED_MOST at most."""
        (row,) = await self._database.query(
            self._ledger.eligible_keys(
                self._user_id, self._among, limit=SCANNED_MOST, index=self._index
            )
        )
        keys = json.loads(str(row["keys"]))
        for start in range(0, len(keys), PAGE_CHUNKS):
            page = self._ledger.at_keys(keys[start : start + PAGE_CHUNKS])
            await self._compare(await self._database.query(page))

    async def _compare(self, rows: Sequence[Row]) -> None:
        stored = {str(row["chunk_id"]): str(row["embedding"]) for row in rows}
        if stored:
            self._scores.update(await self._score(self._vector, stored))

    def _best(self) -> list[Match]:
        matches = [Match(chunk_id, score) for chunk_id, score in self._scores.items()]
        matches.sort(key=lambda match: (-match.score, match.chunk_id))
        return matches[: self._limit]


def _integer(row: Row, column: str) -> int:
    return int(cast("int", row[column]))
