"""Signed links: only what was signed here, and only for as long as it says."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dome_mcp.core.errors import Forbidden
from dome_mcp.core.links import LinkVerb, sign, verify

SECRET = bytes(range(32))
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=7)


def token(action: LinkVerb = "done", *, due_at_ms: int = 17, secret: bytes = SECRET) -> str:
    return sign(
        secret,
        action,
        user_id="anna",
        reminder_id="R1",
        due_at_ms=due_at_ms,
        expires_at=LATER,
    )


def test_a_token_says_what_was_signed() -> None:
    link = verify(SECRET, token("snooze"), now=NOW)
    assert (link.action, link.user_id, link.reminder_id) == ("snooze", "anna", "R1")
    assert (link.due_at_ms, link.expires_at) == (17, LATER)


def test_a_token_can_stand_in_a_path_as_it_is() -> None:
    signed = sign(
        SECRET, "done", user_id="jürgen/../x", reminder_id="?#", due_at_ms=0, expires_at=LATER
    )
    assert set(signed) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert verify(SECRET, signed, now=NOW).user_id == "jürgen/../x"


def test_a_token_expires_at_its_last_moment() -> None:
    assert verify(SECRET, token(), now=LATER - timedelta(milliseconds=1))
    with pytest.raises(Forbidden, match="expired"):
        verify(SECRET, token(), now=LATER)


def test_a_token_of_another_secret_is_refused() -> None:
    with pytest.raises(Forbidden, match="genuine"):
        verify(SECRET, token(secret=b"another"), now=NOW)


def test_another_payload_under_the_same_signature_is_refused() -> None:
    payload, _, signature = token().partition(".")
    content = json.loads(base64.urlsafe_b64decode(payload + "=="))
    content[2] = "berta"
    forged = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    with pytest.raises(Forbidden, match="genuine"):
        verify(SECRET, f"{forged}.{signature}", now=NOW)


@given(position=st.integers(0, 200), letter=st.characters(codec="utf-8"))
def test_a_changed_character_is_refused(position: int, letter: str) -> None:
    good = token()
    position %= len(good)
    changed = good[:position] + letter + good[position + 1 :]
    # The last character of base64 may carry bits that mean nothing.
    if changed == good or position == len(good) - 1:
        return
    with pytest.raises(Forbidden):
        verify(SECRET, changed, now=NOW)


@given(st.text(max_size=300))
def test_whatever_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(Forbidden):
        verify(SECRET, text, now=NOW)


@pytest.mark.parametrize("text", ["", ".", "a.b", "x" * 100_000, f"{token()}.", f"{token()}x" * 9])
def test_odd_texts_are_refused(text: str) -> None:
    with pytest.raises(Forbidden):
        verify(SECRET, text, now=NOW)


def test_links_to_one_action_on_one_firing_share_their_id() -> None:
    first = verify(SECRET, token(), now=NOW)
    again = sign(
        SECRET, "done", user_id="anna", reminder_id="R1", due_at_ms=17,
        expires_at=LATER + timedelta(days=1),
    )  # fmt: skip
    assert verify(SECRET, again, now=NOW).link_id == first.link_id
    for other in (token("snooze"), token(due_at_ms=18)):
        assert verify(SECRET, other, now=NOW).link_id != first.link_id
