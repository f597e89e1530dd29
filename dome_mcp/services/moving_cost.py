"""How many rows a move writes on D1, which allows a number of them a day.

Indexes count: a row that stands in three indexes is four rows. What a row of each kind takes was
measured on D1's engine (workerd 1.20261117.1, 2026-11-24), whose `meta.rows_written` the allowance
goes by; a test holds it to that.

Source: https://developers.cloudflare.com/d1/platform/pricing/ (2026-11).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dome_mcp.core.ports import Database
from dome_mcp.store import moving_rows
from dome_mcp.store.notes import to_int

FREE_ROWS_A_DAY = 100_000

ROWS_OF: Mapping[str, int] = {
    "notes": 5,
    "tags": 2,
    "chunks": 5,
    "vectors": 6,
    "tasks": 3,
    "task tags": 2,
    "reminders": 5,
}
"""What is left out (channels, firings, deliveries) is few."""


@dataclass(frozen=True, slots=True)
class Cost:
    """How much there is to write, by the names of ROWS_OF."""

    sizes: Mapping[str, int]

    @property
    def rows(self) -> int:
        return sum(size * ROWS_OF[name] for name, size in self.sizes.items())

    @property
    def days(self) -> int:
        """How many days of the Free plan it takes, at least one."""
        return max(1, -(-self.rows // FREE_ROWS_A_DAY))


async def cost_of_moving(
    user_ids: Sequence[str], source: Database, target: Database, *, with_vectors: bool
) -> Cost:
    """What the source has of the users that the target has not; one question to each.

    What was changed on the source since is not counted, nor what only the target has.

    Raises:
        BackendError: one of them cannot be read.
    """
    sizes_of = moving_rows.sizes(user_ids)
    (here,), (there,) = await source.query(sizes_of), await target.query(sizes_of)
    sizes = {name: max(0, to_int(here[name]) - to_int(there[name])) for name in here}
    if with_vectors:
        sizes["vectors"] = sizes["chunks"]
    return Cost(sizes)
