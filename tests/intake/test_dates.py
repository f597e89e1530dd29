"""A document's date is the day its writer meant, in the user's zone."""

from pathlib import Path

import pytest

from dome_mcp.app import Dome
from dome_mcp.core.drafts import Labels
from dome_mcp.core.timestamps import local_iso
from dome_mcp.intake import ingest_path
from dome_mcp.texts import ingest_text

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("date", "shown"),
    [
        ("2026-06-14", "2026-06-14T00:00:00+02:00"),
        ("2026-01-14 09:30", "2026-01-14T09:30:00+01:00"),
        ("2026-06-14T09:30:00Z", "2026-06-14T11:30:00+02:00"),
    ],
)
async def test_a_date_without_an_offset_is_of_the_users_zone(
    dome: Dome, tmp_path: Path, date: str, shown: str
) -> None:
    path = tmp_path / "roof.md"
    path.write_text(f"---\ndate: {date}\n---\nThe roof was painted.")
    of_file = await ingest_path(dome, str(path), Labels())
    of_text = await ingest_text(dome, path.read_text(), Labels(context="text"))
    zone = dome.settings.timezone
    assert local_iso(of_file.note.created_at, zone) == shown
    assert local_iso(of_text.note.created_at, zone) == shown
