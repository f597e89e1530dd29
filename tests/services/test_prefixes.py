"""Tags, contexts and ids are found by how they begin, on every kind of database."""

import pytest

from dome_mcp.core.ports import Ports
from dome_mcp.services.ingest import ingest
from dome_mcp.services.status import contexts_with_prefix, note_ids_with_prefix, tags_with_prefix
from tests.services.notes_for_tests import NOW, USER, draft

pytestmark = pytest.mark.anyio

LONG = "the-plan-for-the-summer-house-by-the-lake-with-all-of-us-1"


async def store(ports: Ports, text: str, tag: str) -> str:
    made = draft(text, tags=(tag,), context=tag)
    return (await ingest(made, ports, user_id=USER, now=NOW)).note.note_id


async def test_a_tag_and_a_context_are_found_by_their_first_letters_in_any_case(
    ports: Ports,
) -> None:
    await store(ports, "one", "garden")
    await store(ports, "two", "house")
    assert await tags_with_prefix("GAR", ports, user_id=USER) == ["garden"]
    assert await contexts_with_prefix("Gar", ports, user_id=USER) == ["garden"]
    assert await tags_with_prefix("arden", ports, user_id=USER) == []


async def test_a_prefix_of_more_than_fifty_bytes_is_found(ports: Ports) -> None:
    await store(ports, "one", LONG)
    assert await tags_with_prefix(LONG[:-1], ports, user_id=USER) == [LONG]
    assert await contexts_with_prefix(LONG[:-1], ports, user_id=USER) == [LONG]


@pytest.mark.parametrize("sign", ["%", "_", "\\"])
async def test_a_sign_stands_for_nothing_but_itself(ports: Ports, sign: str) -> None:
    await store(ports, "one", f"a{sign}b")
    await store(ports, "two", "axb")
    assert await tags_with_prefix(f"a{sign}", ports, user_id=USER) == [f"a{sign}b"]
    assert await contexts_with_prefix(f"a{sign}", ports, user_id=USER) == [f"a{sign}b"]


async def test_a_note_is_found_by_how_its_id_begins(ports: Ports) -> None:
    note_id = await store(ports, "one", "garden")
    found = await note_ids_with_prefix(note_id[:8].lower(), ports, user_id=USER)
    assert found == [note_id]
    assert await note_ids_with_prefix(note_id[1:], ports, user_id=USER) == []
