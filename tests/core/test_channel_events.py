"""Which channels are told of more than reminders."""

import pytest

from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import EVENTS, INGESTION_COMPLETE, checked, hears_of
from dome_mcp.core.errors import InvalidInput


def channel(events: str, *, kind: str = "webhook") -> Channel:
    address = "https://ntfy.sh/topic" if kind == "ntfy" else "https://host.example/path"
    return Channel("hook", "ada", kind, address, options=((EVENTS, events),))


@pytest.mark.parametrize(
    ("events", "hears"),
    [("ingestion_complete", True), (" ingestion_complete ,", True), ("", False)],
)
def test_a_webhook_hears_of_what_its_user_asked_for(events: str, hears: bool) -> None:
    stored = checked(channel(events), allow_private=False)
    assert hears_of(stored, INGESTION_COMPLETE) is hears


@pytest.mark.parametrize("wrong", [channel("no_such"), channel("ingestion_complete", kind="ntfy")])
def test_an_event_that_nobody_is_told_of_is_refused(wrong: Channel) -> None:
    with pytest.raises(InvalidInput, match="event"):
        checked(wrong, allow_private=False)
