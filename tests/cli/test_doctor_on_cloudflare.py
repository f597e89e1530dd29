"""`doctor` on a simulated account: files that nobody needs, what may be written, queue, mail."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import Cli, Ran
from tests.cli.simulated_cloud import SimulatedCloud, simulated_cloud
from tests.simulators.cloudflare.account import failure
from tests.simulators.cloudflare.r2 import READER, SECRETS
from tests.simulators.cloudflare.r2_bucket import Stored

NOTE = "0123456789abcdef/01KCTYZQ0NBXPA39VQRCAZ19G7/"
OLD, FRESH = f"{NOTE}{'a' * 64}.pdf", f"{NOTE}{'b' * 64}.body"
THEIRS = "photos/cat.jpg"


@pytest.fixture
def cloud() -> Iterator[SimulatedCloud]:
    with simulated_cloud() as cloud:
        yield cloud


def findings(ran: Ran) -> dict[str, dict[str, str]]:
    return {finding["check"]: finding for finding in ran.json["findings"]}


def store(cloud: SimulatedCloud, key: str, *, hours_ago: float) -> None:
    moment = datetime.now(UTC) - timedelta(hours=hours_ago)
    cloud.r2.stored.objects[key] = Stored(b"left", "0" * 32, {}, moment)


def test_a_file_that_no_note_names_is_removed_when_it_is_old_and_domes_own(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    cli("ingest", "-", stdin="A long story. " * 4000, **cloud.settings)
    (needed,) = cloud.r2.stored.objects
    store(cloud, OLD, hours_ago=2)
    store(cloud, FRESH, hours_ago=0.5)
    store(cloud, THEIRS, hours_ago=999)
    ran = cli("doctor", "--json", **cloud.settings)
    assert (ran.code, findings(ran)["leftovers"]["level"]) == (0, "warning")
    assert "1 files that belong to no note" in findings(ran)["leftovers"]["message"]
    assert OLD in cloud.r2.stored.objects

    ran = cli("doctor", "--repair", "--json", **cloud.settings)
    assert findings(ran)["leftovers"]["level"] == "ok"
    assert set(cloud.r2.stored.objects) == {needed, FRESH, THEIRS}


def test_a_bucket_that_can_be_written_has_nothing_in_it_afterwards(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    found = findings(cli("doctor", "--json", **cloud.settings))
    assert found["R2"]["message"] == "dome-blobs can be listed and written"
    assert any(asked.startswith("PUT /doctor/") for asked in cloud.r2.asked)
    assert cloud.r2.stored.objects == {}


def test_a_bucket_that_can_only_be_read_is_a_problem_that_names_the_permission(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    keys = {"DOME_R2_ACCESS_KEY_ID": READER, "DOME_R2_SECRET_ACCESS_KEY": SECRETS[READER]}
    ran = cli("doctor", "--json", **{**cloud.settings, **keys})
    assert (ran.code, findings(ran)["R2"]["level"]) == (1, "problem")
    assert "Bucket Item Write" in findings(ran)["R2"]["hint"]


def test_the_index_that_vectors_were_moved_to_is_the_one_that_is_looked_at(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    cli("ingest", "-", stdin="The boiler is old.", **cloud.settings)
    moved = cli("reindex", "--to", "@cf/baai/bge-small-en-v1.5", **cloud.settings)
    assert moved.code == 0, moved.err
    ran = cli("doctor", "--json", **cloud.settings)
    (name,) = cloud.vectorize.indexes
    assert ran.code == 0
    assert findings(ran)["Vectorize"]["message"] == f"{name}, 384 dimensions by cosine"


@pytest.mark.parametrize(
    ("facts", "level", "words"),
    [
        ({"consumers": [{"type": "http_pull"}]}, "ok", "companions take its messages"),
        ({"consumers": [{"type": "worker"}]}, "ok", "a Worker takes its messages"),
        ({"consumers": []}, "ok", "wrangler queues consumer http add dome-jobs"),
        ({"settings": {"delivery_paused": True}}, "warning", "paused"),
    ],
)
def test_who_takes_the_messages_of_the_queue_is_told(
    facts: dict[str, object], level: str, words: str, cli: Cli, cloud: SimulatedCloud
) -> None:
    cloud.queues.facts = facts
    found = findings(cli("doctor", "--json", **cloud.settings))["queue"]
    assert (found["level"], words in found["message"]) == (level, True)


def with_mail_to(cli: Cli, cloud: SimulatedCloud, recipient: str, sender: str = "") -> Cli:
    address = f"cloudflare:{recipient}{sender}"
    added = cli("channel", "add", "mail", "--email", address, **cloud.settings)
    assert added.code == 0, added.err
    return cli


@pytest.mark.parametrize(
    ("recipient", "level", "words"),
    [
        ("ME@example.org", "ok", "verified destination"),
        ("new@example.org", "problem", "not verified by its owner"),
        ("who@example.net", "warning", "none of the account's destination addresses"),
    ],
)
def test_whether_mail_to_a_channel_will_be_taken_is_told(
    recipient: str, level: str, words: str, cli: Cli, cloud: SimulatedCloud
) -> None:
    many = {f"a{number:03d}@example.org" for number in range(120)}
    cloud.email.verified = frozenset({"me@example.org", *many})
    cloud.email.unverified = frozenset({"new@example.org"})
    sick = with_mail_to(cli, cloud, recipient, "?from=dome@example.com")
    found = findings(sick("doctor", "--json", **cloud.settings))["mail"]
    assert (found["level"], words in found["message"]) == (level, True)
    assert cloud.email.sent == []


def test_mail_that_nobody_writes_is_a_problem_and_none_with_a_sender(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    with_mail_to(cli, cloud, "me@example.org")
    found = findings(cli("doctor", "--json", **cloud.settings))["mail"]
    assert (found["level"], "DOME_EMAIL_SENDER" in found["hint"]) == ("problem", True)
    sender = {"DOME_EMAIL_SENDER": "dome@example.com"}
    assert findings(cli("doctor", "--json", **cloud.settings, **sender))["mail"]["level"] == "ok"


def test_a_token_that_may_not_see_the_addresses_is_only_a_warning(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    with_mail_to(cli, cloud, "me@example.org", "?from=dome@example.com")
    cloud.account.fail_next("GET /email", 403, failure(10000, "Authentication error"), times=9)
    ran = cli("doctor", "--json", **cloud.settings)
    found = findings(ran)["mail"]
    assert (ran.code, found["level"]) == (0, "warning")
    assert "Email Routing Addresses Read" in found["hint"]
