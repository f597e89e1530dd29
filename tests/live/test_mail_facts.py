"""What DOME takes for granted of Cloudflare's Email Service; one mail is really sent.

Source: https://developers.cloudflare.com/email-service/platform/pricing/ and
https://developers.cloudflare.com/api/resources/accounts/subresources/tokens/ (2026-11).
"""

from datetime import UTC, datetime

import pytest

from tests.live.account import MAIL_FROM, MAIL_TO, PlainCalls, variable_of_suite
from tests.live.marks import LIVE

pytestmark = [*LIVE, pytest.mark.live(needs=[MAIL_TO, MAIL_FROM])]

PERMISSION = "Email Sending"


async def test_a_mail_to_a_verified_address_is_taken(ask: PlainCalls) -> None:
    recipient = variable_of_suite(MAIL_TO)
    mail = {
        "from": variable_of_suite(MAIL_FROM),
        "to": recipient,
        "subject": "DOME's live suite",
        "text": f"Sent at {datetime.now(UTC).isoformat()} to prove that mail is taken.",
        "headers": {"X-Dome-Notice": "live", "Auto-Submitted": "auto-generated"},
    }
    answer = await ask("POST", "/email/sending/send", json=mail)
    taken = [*answer.result.get("delivered", ()), *answer.result.get("queued", ())]
    assert taken == [recipient], answer


async def test_the_permission_to_send_mail_has_the_name_that_dome_asks_for(
    ask: PlainCalls,
) -> None:
    groups = await ask("GET", "/tokens/permission_groups")
    names = [each["name"] for each in groups.result]
    assert [name for name in names if name.startswith(PERMISSION)], sorted(names)
