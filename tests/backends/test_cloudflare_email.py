"""Mail by Cloudflare: what it is told, what its refusals mean, and whose account it is."""

from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from cloudflare.types.email_routing import Address
from cloudflare.types.email_sending import EmailSendingSendResponse

from dome_mcp.backends.cloudflare.email import destination_addresses
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.mails import KEY_HEADER, failure_of
from dome_mcp.backends.embedded.notify.registry import notifiers
from dome_mcp.cloudflare_settings import CloudflareSettings
from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import PUBLIC_ONLY
from dome_mcp.core.errors import DeliveryFailed, Forbidden
from dome_mcp.notifying import open_notifiers, require_reachable
from dome_mcp.setting_values import Secret
from dome_mcp.settings import Settings
from tests.conformance.mail_by_cloudflare import ADDRESS, Opened
from tests.conformance.notifier_benches import options_for
from tests.conformance.notifier_suite import KEY, NOTICE
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.email import EmailSimulator
from tests.simulators.webhook_sink import Answer, running_webhook_sink

pytestmark = pytest.mark.anyio


@pytest.fixture
def service() -> EmailSimulator:
    return EmailSimulator()


@pytest.fixture
def account(service: EmailSimulator) -> SimulatedAccount:
    account = SimulatedAccount()
    account.register("email", service)
    return account


async def send(account: SimulatedAccount, address: str = ADDRESS, sender: str | None = None) -> str:
    channel = Channel("mail", "me", "email", address)
    return await Opened(account, sender=sender).notify(NOTICE, channel, idempotency_key=KEY)


async def failure(
    account: SimulatedAccount, address: str = ADDRESS, sender: str | None = None
) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        await send(account, address, sender)
    return caught.value


async def test_the_mail_says_what_a_machines_mail_says(
    account: SimulatedAccount, service: EmailSimulator
) -> None:
    await send(account)
    (mail,) = service.sent
    assert (mail["from"], mail["to"]) == ("dome@example.com", "me@example.org")
    assert mail["subject"] == NOTICE.text
    assert mail["headers"]["Auto-Submitted"] == "auto-generated"
    assert mail["headers"]["References"] == f"<{mail['headers'][KEY_HEADER]}@example.com>"


async def test_the_receipt_is_the_message_id_and_else_what_became_of_the_mail(
    account: SimulatedAccount, service: EmailSimulator
) -> None:
    assert await send(account) == "<00000001@cloudflare.test>"
    service.tells_message_id = False
    assert await send(account) == "delivered"


async def test_an_address_that_names_no_sender_takes_that_of_the_settings(
    account: SimulatedAccount, service: EmailSimulator
) -> None:
    address = "cloudflare:me@example.org"
    error = await failure(account, address)
    assert not error.retryable
    assert "?from=" in error.hint
    await send(account, address, sender="reminders@example.com")
    assert service.sent[0]["from"] == "reminders@example.com"


async def test_an_address_that_is_not_verified_is_refused_until_the_domain_may_send_to_all(
    account: SimulatedAccount, service: EmailSimulator
) -> None:
    address = "cloudflare:you@example.net?from=dome@example.com"
    error = await failure(account, address)
    assert not error.retryable
    assert "Verify it" in error.hint
    assert service.sent == []
    service.sending_domains = frozenset({"example.com"})
    assert await send(account, address)


async def test_another_domain_than_the_accounts_is_refused(account: SimulatedAccount) -> None:
    error = await failure(account, "cloudflare:me@example.org?from=dome@elsewhere.example")
    assert not error.retryable
    assert "domain" in error.hint


@pytest.mark.parametrize("fate", ["bouncing", "suppressed"])
async def test_a_recipient_that_takes_no_mail_is_a_refusal_for_good(
    fate: str, account: SimulatedAccount, service: EmailSimulator
) -> None:
    setattr(service, fate, frozenset({"me@example.org"}))
    error = await failure(account)
    assert not error.retryable
    assert error.hint


async def test_a_wrong_token_is_final_and_says_what_to_check(account: SimulatedAccount) -> None:
    account.fail_next("/email/", 401, {"success": False, "errors": [{"code": 10101}]})
    error = await failure(account)
    assert not error.retryable
    assert "CLOUDFLARE_API_TOKEN" in error.hint


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_mail_whose_answer_was_lost_is_left_to_the_next_attempt(
    status: int, account: SimulatedAccount, service: EmailSimulator
) -> None:
    account.fail_next("/email/", status, "<html>", is_after_the_work=True)
    assert (await failure(account)).retryable
    assert len(service.sent) == len(account.calls) == 1
    await send(account)
    first, second = (mail["headers"][KEY_HEADER] for mail in service.sent)
    assert first == second


async def test_a_mail_that_was_surely_not_taken_is_sent_again_at_once(
    account: SimulatedAccount, service: EmailSimulator
) -> None:
    account.fail_next("/email/", 429, "slow down", headers={"Retry-After": "1"})
    await send(account)
    assert (len(service.sent), len(account.calls)) == (1, 2)


async def test_a_day_that_is_full_is_waited_for_by_the_delivery(account: SimulatedAccount) -> None:
    account.fail_next("/email/", 429, "slow down", headers={"Retry-After": "3600"})
    error = await failure(account)
    assert error.retryable
    assert error.retry_after == 3600


async def test_an_answer_without_sense_is_worth_another_try(account: SimulatedAccount) -> None:
    account.fail_next("/email/", 200, "<html>welcome</html>")
    assert (await failure(account)).retryable


async def test_a_header_that_cloudflare_does_not_know_is_refused_by_the_simulator(
    service: EmailSimulator,
) -> None:
    mail = {"from": "dome@example.com", "to": "me@example.org", "subject": "s", "text": "t"}
    for name, status in (("Message-ID", 400), ("Date", 400), ("X-Anything", 200)):
        request = httpx.Request(
            "POST", "https://c.test/", json={**mail, "headers": {name: "<1@example.com>"}}
        )
        assert (await service.answer(request, "/sending/send")).status_code == status


async def test_the_simulators_answers_are_those_of_the_official_schema(
    service: EmailSimulator,
) -> None:
    mail = {"from": "dome@example.com", "to": "me@example.org", "subject": "s", "text": "t"}
    request = httpx.Request("POST", "https://c.test/", json=mail)
    answer = await service.answer(request, "/sending/send")
    result = EmailSendingSendResponse.model_validate(answer.json()["result"])
    assert result.delivered == ["me@example.org"]
    assert not result.model_extra


async def test_the_destination_addresses_are_read_over_all_pages(
    account: SimulatedAccount, service: EmailSimulator
) -> None:
    service.verified = frozenset(f"A{number:03d}@example.org" for number in range(120))
    service.unverified = frozenset({"new@example.org"})
    async with CloudflareApi.open(account.account, transport=account.transport) as api:
        known = await destination_addresses(api)
    assert known == {
        **{f"a{number:03d}@example.org": True for number in range(120)},
        "new@example.org": False,
    }
    answer = await account(account.calls[0])
    first = [Address.model_validate(each) for each in answer.json()["result"]]
    assert first[0].verified is not None


# Whose account it is


async def test_a_companion_without_the_account_leaves_the_mail_to_another(tmp_path: Path) -> None:
    mail = notifiers(options_for(tmp_path))["email"]
    with pytest.raises(DeliveryFailed, match="No Cloudflare account") as caught:
        await mail.notify(NOTICE, Channel("mail", "me", "email", ADDRESS), idempotency_key=KEY)
    assert caught.value.retryable


async def test_the_notifiers_of_settings_with_an_account_send_on_it(tmp_path: Path) -> None:
    taken = b'{"success": true, "result": {"message_id": "<1@cloudflare.test>"}}'
    with running_webhook_sink() as sink:
        sink.answer_all(Answer(200, taken))
        cloud = CloudflareSettings(
            cloudflare_account_id="a1",
            cloudflare_api_token=Secret("hush"),
            cloudflare_base_url=sink.url("/client/v4"),
            email_sender="dome@example.com",
        )
        settings = Settings(home=tmp_path, timezone=ZoneInfo("UTC"), cloudflare=cloud)
        channel = Channel("mail", "me", "email", "cloudflare:me@example.org")
        async with open_notifiers(settings) as served:
            receipt = await served["email"].notify(NOTICE, channel, idempotency_key=KEY)
    assert receipt == "<1@cloudflare.test>"
    (posted,) = sink.posted
    assert posted.path == "/client/v4/accounts/a1/email/sending/send"
    assert posted.headers["Authorization"] == "Bearer hush"
    assert posted.json["from"] == "dome@example.com"


async def test_a_channel_of_somebody_else_sends_nothing_on_the_owners_account(
    tmp_path: Path, account: SimulatedAccount
) -> None:
    theirs = Channel("mail", "eve", "email", ADDRESS, ((PUBLIC_ONLY, "true"),))
    with pytest.raises(Forbidden, match="owner"):
        await require_reachable(theirs, allow_private=False)
    mail = notifiers(options_for(tmp_path, by_cloudflare=Opened(account)))["email"]
    with pytest.raises(DeliveryFailed, match="owner") as caught:
        await mail.notify(NOTICE, theirs, idempotency_key=KEY)
    assert not caught.value.retryable
    assert account.calls == []


async def test_the_owners_channel_by_cloudflare_needs_no_host_to_look_up() -> None:
    await require_reachable(Channel("mail", "me", "email", ADDRESS), allow_private=False)


@pytest.mark.parametrize(
    ("code", "is_retryable", "said"),
    [
        ("E_RECIPIENT_NOT_ALLOWED", False, "may not send mail to this address"),
        ("E_SENDER_NOT_VERIFIED", False, "switched off for the sender's domain"),
        ("E_RECIPIENT_SUPPRESSED", False, "suppression list"),
        ("E_CONTENT_TOO_LARGE", False, "too big"),
        ("E_VALIDATION_ERROR", False, "content or addresses"),
        ("E_RATE_LIMIT_EXCEEDED", True, "cannot take the mail now (E_RATE_LIMIT_EXCEEDED)"),
        ("E_DELIVERY_FAILED", True, "cannot take the mail now (E_DELIVERY_FAILED)"),
        ("", True, "cannot take the mail now."),
    ],
)
def test_a_refusal_of_a_workers_binding_is_read_by_its_code(
    code: str, is_retryable: bool, said: str
) -> None:
    failure = failure_of(code)
    assert failure.retryable == is_retryable
    assert said in failure.message
    assert bool(failure.hint) == (not is_retryable)
