"""Web Push: keys, what a push service demands, and what the browser's worker does with a push."""

import json
import os
import subprocess
import sys
import threading
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.notify import vapid
from dome_mcp.backends.embedded.notify.pushes import payload_of
from dome_mcp.backends.embedded.notify.registry import notifiers
from dome_mcp.core.agenda import Action, Channel, Notice
from dome_mcp.core.channels import CONTACT
from dome_mcp.core.errors import DeliveryFailed
from tests.conformance.notifier_benches import NOW, options_for
from tests.conformance.notifier_suite import KEY, NOTICE
from tests.simulators.push_service import PushService, running_push_service
from tests.simulators.webhook_sink import Answer

pytestmark = pytest.mark.anyio

WORKER = Path(vapid.__file__).with_name("pages") / "worker.js"


@pytest.fixture
def service() -> Iterator[PushService]:
    with running_push_service(NOW) as running:
        yield running


async def push(service: PushService, home: Path, notice: Notice = NOTICE, **options: str) -> str:
    channel = Channel("phone", "me", "webpush", service.subscription, tuple(options.items()))
    notifier = notifiers(options_for(home))["webpush"]
    return await notifier.notify(notice, channel, idempotency_key=KEY)


async def failure(service: PushService, home: Path, answer: Answer) -> DeliveryFailed:
    service.answer = answer
    with pytest.raises(DeliveryFailed) as caught:
        await push(service, home)
    return caught.value


async def test_the_service_finds_nothing_to_object_to(service: PushService, tmp_path: Path) -> None:
    service.application_key = vapid.public_key(vapid.load_keys(tmp_path))
    assert await push(service, tmp_path) == "HTTP 201"
    assert service.refused == []
    assert service.pushes[0]["title"] == NOTICE.text


async def test_a_browser_that_subscribed_with_other_keys_is_refused(
    service: PushService, tmp_path: Path
) -> None:
    service.application_key = vapid.public_key(vapid.load_keys(tmp_path / "other"))
    with pytest.raises(DeliveryFailed, match="400"):
        await push(service, tmp_path)
    assert service.refused == ["the key of another sender"]


async def test_the_contact_is_the_users_own(service: PushService, tmp_path: Path) -> None:
    await push(service, tmp_path, **{CONTACT: "mailto:me@my.example"})
    token = service.sink.posted[0].headers["Authorization"].partition("t=")[2]
    claims = vapid_claims(token)
    assert claims["sub"] == "mailto:me@my.example"


@pytest.mark.parametrize("status", [404, 410])
async def test_a_browser_that_unsubscribed_is_final_and_said_so(
    service: PushService, tmp_path: Path, status: int
) -> None:
    error = await failure(service, tmp_path, Answer(status))
    assert not error.retryable
    assert "no longer subscribed" in error.message
    assert "--webpush --replace" in error.hint


async def test_a_push_service_that_is_busy_names_its_time(
    service: PushService, tmp_path: Path
) -> None:
    error = await failure(service, tmp_path, Answer(429, headers={"Retry-After": "30"}))
    assert (error.retryable, error.retry_after) == (True, 30)


@pytest.mark.parametrize(
    "address", ["", "{}", '{"endpoint": "https://push.example", "keys": {}}', "[1]"]
)
async def test_a_damaged_subscription_is_final(tmp_path: Path, address: str) -> None:
    with pytest.raises(DeliveryFailed) as caught:
        await notifiers(options_for(tmp_path))["webpush"].notify(
            NOTICE, Channel("phone", "me", "webpush", address), idempotency_key=KEY
        )
    assert not caught.value.retryable


async def test_keys_that_are_no_point_of_the_curve_are_final(
    service: PushService, tmp_path: Path
) -> None:
    subscription = json.loads(service.subscription)
    subscription["keys"]["p256dh"] = "B" + "A" * 86
    channel = Channel("phone", "me", "webpush", json.dumps(subscription))
    with pytest.raises(DeliveryFailed, match="damaged") as caught:
        await notifiers(options_for(tmp_path))["webpush"].notify(
            NOTICE, channel, idempotency_key=KEY
        )
    assert not caught.value.retryable


async def test_without_pywebpush_the_error_says_what_to_install(
    service: PushService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, vapid.__name__)
    monkeypatch.setitem(sys.modules, "pywebpush", None)
    with pytest.raises(DeliveryFailed) as caught:
        await push(service, tmp_path)
    assert 'pip install "dome-mcp[channels]"' in caught.value.hint


def test_the_libraries_are_not_imported_before_the_first_push() -> None:
    code = (
        "import sys, dome_mcp.notifying; "
        "print(sorted({'apprise', 'pywebpush', 'requests', 'aiohttp'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_the_longest_notice_fits_in_one_push() -> None:
    actions = tuple(Action("Снова " * 4, f"https://dome.example/{'x' * 400}") for _ in range(3))
    notice = replace(NOTICE, text='"\\\n🦉' * 5000, snippet='"' * 9000, actions=actions)
    payload = payload_of(notice, KEY)
    assert 3000 < len(payload) <= 3900
    assert len(json.loads(payload)["actions"]) == 2


def test_the_keys_are_the_owners_alone_and_stay(tmp_path: Path) -> None:
    first = vapid.public_key(vapid.load_keys(tmp_path))
    assert vapid.public_key(vapid.load_keys(tmp_path)) == first
    assert [path.name for path in tmp_path.iterdir()] == ["vapid.pem"]
    if os.name != "nt":
        assert (tmp_path / "vapid.pem").stat().st_mode & 0o777 == 0o600


def test_all_who_make_keys_at_once_have_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody, generate = threading.Barrier(8), vapid.Vapid.generate_keys

    def generate_together(keys: vapid.Vapid) -> None:
        generate(keys)
        everybody.wait(10)

    monkeypatch.setattr(vapid.Vapid, "generate_keys", generate_together)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: vapid.public_key(vapid.load_keys(tmp_path)), range(8)))
    assert len(set(made)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["vapid.pem"]


def test_a_damaged_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "vapid.pem").write_text("-----BEGIN NOTHING-----")
    with pytest.raises(DeliveryFailed, match=r"vapid\.pem"):
        vapid.load_keys(tmp_path)


def test_the_worker_shows_the_push_and_presses_the_link_that_is_tapped() -> None:
    """The worker, in a JavaScript engine with the few things of a browser that it uses."""
    ran = run_worker(payload_of(NOTICE, KEY).decode(), tapped="1")
    assert ran["title"] == NOTICE.text
    assert NOTICE.when in ran["options"]["body"]
    assert [action["title"] for action in ran["options"]["actions"]] == ["Done", "Snooze 1 h"]
    assert ran["fetched"] == [[NOTICE.actions[1].url, "POST"]]


def test_a_tap_beside_the_actions_presses_nothing() -> None:
    ran = run_worker(payload_of(NOTICE, KEY).decode(), tapped="")
    assert ran["fetched"] == []


def run_worker(payload: str, *, tapped: str) -> dict:
    harness = """
    const listeners = {}, ran = { fetched: [] };
    const waiting = [], waitUntil = (promise) => waiting.push(promise);
    globalThis.self = {
      addEventListener: (name, listener) => { listeners[name] = listener; },
      registration: { showNotification: async (title, options) => {
        Object.assign(ran, { title, options }); } },
    };
    globalThis.fetch = async (url, { method }) => { ran.fetched.push([url, method]); };
    const [, worker, payload, action] = process.argv;
    require("node:vm").runInThisContext(require("node:fs").readFileSync(worker, "utf8"));
    listeners.push({ data: { json: () => JSON.parse(payload) }, waitUntil });
    const notification = { close() {}, data: ran.options.data };
    listeners.notificationclick({ action, notification, waitUntil });
    Promise.all(waiting).then(() => console.log(JSON.stringify(ran)));
    """
    node = Path(sys.executable).with_name("node")
    ended = subprocess.run(
        [node, "-e", harness, str(WORKER), payload, tapped],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ended.stdout)


def vapid_claims(token: str) -> dict[str, object]:
    part = token.split(".")[1]
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
