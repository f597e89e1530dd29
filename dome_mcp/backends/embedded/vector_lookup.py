"""The `Lookup` of an index that is in the same database: there is nothing left to ask."""

from collections.abc import Sequence
from dataclasses import dataclass

from dome_mcp.core.model import Match
from dome_mcp.core.ports import Row, Statement


@dataclass(frozen=True, slots=True)
class Found:
    """A search that is done."""

    found: Sequence[Match]
    statement: Statement | None = None

    @property
    def chunk_ids(self) -> Sequence[str]:
        return [match.chunk_id for match in self.found]

    async def matches(self, rows: Sequence[Row]) -> Sequence[Match]:
        """What was found; there are no `rows`."""
        return self.found
