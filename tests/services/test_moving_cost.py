"""How many rows a move writes is counted from what the target lacks."""

from pathlib import Path

import pytest

from dome_mcp.services.ingest import ingest_many
from dome_mcp.services.moving import Sides, move_user
from dome_mcp.services.moving_cost import FREE_ROWS_A_DAY, Cost, cost_of_moving
from tests.services.moving_for_tests import stock, world
from tests.services.notes_for_tests import NOW, USER, draft

pytestmark = pytest.mark.anyio


async def test_what_the_target_has_costs_nothing_more(tmp_path: Path) -> None:
    async with world(tmp_path / "a") as source, world(tmp_path / "b") as target:
        await stock(source)
        users = [USER]
        before = await cost_of_moving(users, source.database, target.database, with_vectors=False)
        assert (before.sizes["notes"], before.sizes["tags"]) == (4, 3)
        assert (before.sizes["tasks"], before.sizes["task tags"]) == (2, 2)
        await move_user(Sides(source, target, USER))
        after = await cost_of_moving(users, source.database, target.database, with_vectors=True)
        assert after.rows == 0


async def test_vectors_cost_more_and_other_users_nothing(tmp_path: Path) -> None:
    async with world(tmp_path / "a") as source, world(tmp_path / "b") as target:
        for user_id in (USER, "you"):
            await ingest_many([draft("One.", user_id=user_id)], source, user_id=user_id, now=NOW)
        both = (source.database, target.database)
        without = await cost_of_moving([USER], *both, with_vectors=False)
        assert without.rows == 10
        assert (await cost_of_moving([USER], *both, with_vectors=True)).rows == 16
        assert (await cost_of_moving([USER, "you"], *both, with_vectors=False)).rows == 20


@pytest.mark.parametrize(("notes", "days"), [(0, 1), (20_000, 1), (20_001, 2), (100_000, 5)])
def test_a_day_of_the_free_plan_has_a_hundred_thousand_rows(notes: int, days: int) -> None:
    assert FREE_ROWS_A_DAY == 100_000
    assert Cost({"notes": notes}).days == days
