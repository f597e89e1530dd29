"""Holds what a language model wrote against the notes: by words, then by meaning."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from dome_mcp.core.citations import Checked, Claim, check, to_compare
from dome_mcp.core.grounds import Closeness, Grounds
from dome_mcp.core.ports import Ports
from dome_mcp.core.widening import Block
from dome_mcp.services.comparing import closeness_to_each


async def checked(
    claims: Sequence[Claim], blocks: Sequence[Block], ports: Ports, now: datetime | None
) -> Checked:
    """The claims held against the blocks as the model read them: dated in the person's zone."""
    zone = now.tzinfo if now else None
    grounds = Grounds(
        [
            replace(one, created_at=one.created_at.astimezone(zone)) if zone else one
            for block in blocks
            for one in block.passages
        ]
    )
    by_words = check(claims, blocks, grounds, close={})
    failed = {*by_words.unsupported, *by_words.ordered}
    if not failed:
        return by_words
    close = await _closeness([one for one in claims if one.text in failed], grounds, ports)
    return check(claims, blocks, grounds, close=close)


async def _closeness(
    claims: Sequence[Claim], grounds: Grounds, ports: Ports
) -> dict[str, Closeness] | None:
    """How close claims and units are where words cannot tell; None where no model can say so."""
    wanted = to_compare(claims, grounds)
    places = sorted({at for units in wanted.values() for at in units})
    texts = [grounds.units[at].in_context for at in places]
    rows = await closeness_to_each(list(wanted), texts, ports.embedder)
    if rows is None:
        return None
    return {
        text: dict(zip(places, row, strict=True)) for text, row in zip(wanted, rows, strict=True)
    }
