"""Passages for the tests of answers."""

from datetime import UTC, datetime

from dome_mcp.core.model import Passage

WRITTEN = datetime(2026, 3, 15, 8, 0, tzinfo=UTC)


def passage(
    text: str,
    *,
    title: str = "Notes",
    heading: str | None = None,
    note_id: str = "n1",
    start: int = 0,
    page: int | None = None,
    ordinal: int = 0,
    created_at: datetime = WRITTEN,
    tags: tuple[str, ...] = (),
) -> Passage:
    """A chunk that is all of its note from `start` on."""
    return Passage(
        note_id=note_id,
        chunk_id=f"{note_id}.{start}",
        title=title,
        text=text,
        created_at=created_at,
        start=start,
        end=start + len(text),
        ordinal=ordinal,
        score=1.0,
        page=page,
        heading=heading,
        tags=tags,
    )


KITCHEN = passage(
    """## Budget

| Item | Supplier | Cost |
| --- | --- | --- |
| Cabinets | Holzwerk Meier | 6,400 EUR |
| Tiles | Fliesen Otto | 780 EUR |

## Decisions

We chose oak fronts because they are easier to repair than lacquer. Anna wants the sink under \
the window.

Still open:
- colour of the walls
- which extractor hood
""",
    title="Kitchen renovation",
    note_id="kitchen",
    start=20,
    page=2,
)
BOILER = passage(
    "The boiler was serviced on 4 November 2025 by Ulrich Brandt from Thermoplan. "
    "The water pressure should stay between 1.2 and 1.8 bar. The invoice came to 238.50 EUR.",
    title="Boiler",
    note_id="boiler",
)
TRIP = passage(
    "We fly to Lisbon on 9 May at 06:45. The booking code is XK7PLM. "
    "Rui recommended the restaurant Zé da Mouraria.",
    title="Lisbon trip",
    note_id="lisbon",
)
RENT = passage(
    "Die Kaltmiete beträgt 1.140 Euro. Die Kündigungsfrist beträgt drei Monate. "
    "Vermieterin ist Frau Sommer.",
    title="Mietvertrag",
    note_id="miete",
)
TOKYO = passage(
    "ホテルは浅草にあります。新幹線の切符は一万四千円でした。", title="東京旅行", note_id="tokyo"
)
EVERYTHING = (KITCHEN, BOILER, TRIP, RENT, TOKYO)
