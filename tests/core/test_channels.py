"""Addresses of channels: what is taken, what is refused and how, and what may be shown."""

import json

import pytest

from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import (
    checked,
    masked,
    may_be_private,
    ntfy_topic,
    option,
    push_subscription,
)
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.mail_routes import CloudflareRoute, MailRoute, cloudflare_route, mail_route

MAIL = "smtp://me%40example.com:p%40ss@mail.example.com:587?from=me@example.com&to=you@example.com"
BY_CLOUDFLARE = "cloudflare:me@example.org?from=dome@example.com"
SUBSCRIPTION = json.dumps(
    {"endpoint": "https://push.example/s3cret", "keys": {"p256dh": "B" * 87, "auth": "a" * 22}}
)


def channel(kind: str, address: str, name: str = "phone", **options: str) -> Channel:
    return Channel(name, "me", kind, address, tuple(options.items()))


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("email", MAIL),
        ("email", BY_CLOUDFLARE),
        ("email", "cloudflare:me@example.org"),
        ("slack", "https://hooks.slack.com/services/T0/B0/s3cret"),
        ("ntfy", "https://ntfy.sh/my-topic"),
        ("webhook", "https://hooks.example.com:8443/in?token=s3cret"),
        ("webpush", SUBSCRIPTION),
        ("apprise", "tgram://123:s3cret/42"),
    ],
)
def test_an_address_of_its_kind_is_kept_as_it_is(kind: str, address: str) -> None:
    stored = checked(channel(kind, f" {address}\n", name=" Phone "), allow_private=False)
    assert (stored.name, stored.address) == ("phone", address)


@pytest.mark.parametrize(
    ("kind", "address", "said"),
    [
        ("pigeon", "", "no channel kind"),
        ("email", "mail.example.com", "not the address of an email channel"),
        ("email", "smtp://mail.example.com:x?to=a@b", "not the address"),
        ("email", f"{MAIL}&cc=eve@example.com", "not the address"),
        ("email", "smtp://h:25?from=a@b.c", "one to send to"),
        ("email", "smtp://h:25?from=a@b.c&to=x@y.z,v@w.u", "one to send to"),
        ("email", "smtp://h:25?from=a@b.c&to=x@y.z%0d%0aBcc:v@w.u", "one to send to"),
        ("email", f"{MAIL}&tls=maybe", "tls is unknown"),
        ("email", f"{MAIL}&tls=none", "in the clear"),
        ("email", "cloudflare:", "one to send to"),
        ("email", "cloudflare:a@b.c,x@y.z", "one to send to"),
        ("email", "cloudflare:a@b.c%0d%0aBcc:x@y.z", "one to send to"),
        ("email", "cloudflare:a@b.c?from=", "one address to send from"),
        ("email", "cloudflare:a@b.c?from=x@y.z&to=d@e.f", "not the address"),
        ("email", "cloudflare://a@b.c/", "not the address"),
        ("slack", "http://hooks.slack.com/services/x", "not https"),
        ("webhook", "ftp://host/x", "not the address of a webhook"),
        ("webhook", "https:///x", "not the address"),
        ("webhook", "https://user:s3cret@host/x", "user name or password"),
        ("webhook", "https://host/a b", "not the address"),
        ("webhook", "https://[bad/x", "not the address"),
        ("ntfy", "https://ntfy.sh", "not the address of an ntfy"),
        ("ntfy", "https://ntfy.sh/a/b", "not the address"),
        ("ntfy", "https://ntfy.sh/top?x=1", "not the address"),
        ("webpush", "https://push.example/x", "not the address of a webpush"),
        ("webpush", SUBSCRIPTION.replace("https:", "http:"), "not https"),
        ("apprise", "tgram", "not the address of an apprise"),
    ],
)
def test_another_address_is_refused_without_repeating_it(
    kind: str, address: str, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        checked(channel(kind, address), allow_private=False)
    assert caught.value.hint
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "-x", "a b", "a:b", "x" * 41, "ü"])
def test_a_name_that_cannot_stand_in_a_delivery_key_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name"):
        checked(channel("ntfy", "https://ntfy.sh/t", name=name), allow_private=False)


@pytest.mark.parametrize(("name", "kind"), [("desktop", "ntfy"), ("phone", "desktop")])
def test_the_name_desktop_is_for_the_desktop_alone(name: str, kind: str) -> None:
    with pytest.raises(InvalidInput, match="desktop"):
        checked(channel(kind, "https://ntfy.sh/t", name=name), allow_private=False)


def test_plain_http_and_a_private_network_go_together_and_are_remembered() -> None:
    stored = checked(channel("ntfy", "http://pi:8080/t", token="tk"), allow_private=True)  # noqa: S106  of no server
    assert may_be_private(stored)
    assert option(stored, "token") == "tk"


def test_the_permission_for_private_networks_cannot_be_slipped_in() -> None:
    draft = channel("ntfy", "https://pi/t", allow_private="true")
    assert not may_be_private(checked(draft, allow_private=False))


@pytest.mark.parametrize(
    ("address", "port", "tls"),
    [
        ("smtp://h?from=a@b.c&to=x@y.z", 587, "starttls"),
        ("smtps://h?from=a@b.c&to=x@y.z", 465, "tls"),
        ("smtp://h:465?from=a@b.c&to=x@y.z", 465, "tls"),
        ("smtp://h?from=a@b.c&to=x@y.z&tls=none", 25, "none"),
        ("smtp://h:2525?from=a@b.c&to=x@y.z&tls=starttls", 2525, "starttls"),
    ],
)
def test_port_and_tls_follow_from_each_other(address: str, port: int, tls: str) -> None:
    route = mail_route(address)
    assert (route.port, route.tls) == (port, tls)


def test_user_and_password_are_decoded() -> None:
    assert mail_route(MAIL) == MailRoute(
        host="mail.example.com",
        port=587,
        tls="starttls",
        sender="me@example.com",
        recipient="you@example.com",
        user="me@example.com",
        password="p@ss",  # noqa: S106  of no server
    )


def test_the_user_is_the_sender_where_none_is_named() -> None:
    assert mail_route("smtp://a%40b.c:x@h?to=x@y.z").sender == "a@b.c"


def test_a_password_without_tls_stays_on_this_machine() -> None:
    assert mail_route("smtp://u:p@127.0.0.1?from=a@b.c&to=x@y.z&tls=none").password == "p"  # noqa: S105  of no server


def test_cloudflare_is_told_who_is_reached_and_perhaps_who_sends() -> None:
    assert cloudflare_route(BY_CLOUDFLARE) == CloudflareRoute("me@example.org", "dome@example.com")
    assert cloudflare_route("cloudflare:me%2Bdome@example.org").recipient == "me+dome@example.org"
    assert cloudflare_route("cloudflare:me@example.org").sender is None


def test_an_ntfy_address_is_server_and_topic() -> None:
    assert ntfy_topic("https://push.example.com:8443/my_topic") == (
        "https://push.example.com:8443/",
        "my_topic",
    )


def test_a_subscription_has_its_three_parts() -> None:
    found = push_subscription(SUBSCRIPTION)
    assert (found.endpoint, found.p256dh, found.auth) == (
        "https://push.example/s3cret",
        "B" * 87,
        "a" * 22,
    )


@pytest.mark.parametrize(
    ("kind", "address", "shown"),
    [
        ("desktop", "", "this machine"),
        ("email", MAIL, "you@example.com by mail.example.com:587"),
        ("email", BY_CLOUDFLARE, "me@example.org by Cloudflare"),
        ("slack", "https://hooks.slack.com/services/s3cret", "https://hooks.slack.com/…"),
        ("ntfy", "https://ntfy.sh/s3cret", "https://ntfy.sh/…"),
        ("webhook", "https://h:8443/s3cret?k=s3cret#s3cret", "https://h:8443/…"),
        ("webpush", SUBSCRIPTION, "https://push.example/…"),
        ("apprise", "tgram://123:s3cret/42", "tgram://…"),
    ],
)
def test_what_is_shown_lets_nobody_in(kind: str, address: str, shown: str) -> None:
    assert masked(channel(kind, address)) == shown
