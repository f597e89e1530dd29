"""Cloudflare's Email Service as its REST interface shows it: who may write to whom, and headers.

The documentation gives numeric codes for REST and tells apart more cases by name for Workers
(`E_RECIPIENT_NOT_ALLOWED` …); which number stands for which name is a guess, marked below.

Source: https://developers.cloudflare.com/email-service/api/send-emails/rest-api/,
https://developers.cloudflare.com/email-service/reference/headers/ and
https://developers.cloudflare.com/email-service/platform/limits/ (2026-11).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.simulators.cloudflare.account import failed, succeeded

SUBJECT_CHARACTERS = 998
MAIL_BYTES = 5 * 1024 * 1024
HEADER_VALUE_BYTES = 2048
HEADERS_BYTES = 16 * 1024

ALLOWED_HEADERS = frozenset({"in-reply-to", "references", "auto-submitted", "importance"})
"""Of those that are allowed, what a reminder could want; besides, any that starts with X-."""

INVALID_SCHEMA = 10001
FORBIDDEN = 10102
NOT_ENTITLED = 10105
TOO_BIG = 10200
INVALID_MAIL = 10202
SENDING_DISABLED = 10203
THROTTLED = 10004


@dataclass
class EmailSimulator:
    """The service under `/accounts/{id}/email`.

    `routing_domains` are those mail may come from; `sending_domains` of them were onboarded, and
    may write to anybody; the others only to the `verified` destination addresses. The owners of
    those in `unverified` have not said yet that they are theirs.
    """

    routing_domains: frozenset[str] = frozenset({"example.com"})
    sending_domains: frozenset[str] = frozenset()
    verified: frozenset[str] = frozenset({"me@example.org"})
    unverified: frozenset[str] = frozenset()
    bouncing: frozenset[str] = frozenset()
    suppressed: frozenset[str] = frozenset()
    sent: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    tells_message_id: bool = True
    """False for an answer as in the documentation's example, which has less than the OpenAPI."""

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        if (request.method, path) == ("GET", "/routing/addresses"):
            return self._addresses(request.url.params)
        if (request.method, path) != ("POST", "/sending/send"):
            return failed(404, 10000, "email.sending.error.not_found")
        if len(request.content) > MAIL_BYTES:
            return failed(400, TOO_BIG, "email.sending.error.email.too_big")
        mail = json.loads(request.content)
        refusal = _malformed(mail) or self._not_permitted(mail)
        return refusal or self._send(mail)

    def _addresses(self, params: httpx.QueryParams) -> httpx.Response:
        moments = dict.fromkeys(self.verified, "2026-11-01T10:00:00Z")
        known = sorted((moments | dict.fromkeys(self.unverified)).items())
        size, page = int(params.get("per_page", 20)), int(params.get("page", 1))
        found = [
            {"id": f"{number:032x}", "email": email, "verified": moment}
            for number, (email, moment) in enumerate(known)
        ]
        return succeeded(found[(page - 1) * size : page * size])

    def _not_permitted(self, mail: Mapping[str, Any]) -> httpx.Response | None:
        domain = mail["from"].rpartition("@")[2]
        if domain not in self.routing_domains | self.sending_domains:
            # A guess: for Workers this is E_SENDER_DOMAIN_NOT_AVAILABLE.
            return failed(403, SENDING_DISABLED, "email.sending.error.email.sending_disabled")
        if domain not in self.sending_domains and mail["to"] not in self.verified:
            # A guess: for Workers this is E_RECIPIENT_NOT_ALLOWED.
            return failed(403, NOT_ENTITLED, "email.sending.error.authentication.not_entitled")
        return None

    def _send(self, mail: dict[str, Any]) -> httpx.Response:
        recipient = mail["to"]
        result: dict[str, Any] = {"delivered": [], "permanent_bounces": [], "queued": []}
        if recipient in self.suppressed:
            result["suppressed_recipients"] = [recipient]
        elif recipient in self.bouncing:
            result["permanent_bounces"].append(recipient)
        else:
            self.sent.append(mail)
            result["delivered"].append(recipient)
        if self.tells_message_id:
            result.setdefault("suppressed_recipients", [])
            result["message_id"] = f"<{len(self.sent):08d}@cloudflare.test>"
        return succeeded(result)


def _malformed(mail: Mapping[str, Any]) -> httpx.Response | None:
    """The refusal of a mail that does not keep to the schema."""
    required = all(isinstance(mail.get(name), str) for name in ("from", "to", "subject"))
    if not required or not (mail.get("text") or mail.get("html")):
        return failed(400, INVALID_SCHEMA, "email.sending.error.invalid_request_schema")
    subject = mail["subject"]
    if not 0 < len(subject) <= SUBJECT_CHARACTERS or "\n" in subject or "\r" in subject:
        return failed(400, INVALID_MAIL, "email.sending.error.email.invalid")
    headers: Mapping[str, str] = mail.get("headers", {})
    total = sum(len(name) + len(value.encode()) + 4 for name, value in headers.items())
    if total > HEADERS_BYTES or not all(map(_is_allowed, headers.items())):
        # A guess: for Workers these are E_HEADER_NOT_ALLOWED and its like.
        return failed(400, INVALID_MAIL, "email.sending.error.email.invalid")
    return None


def _is_allowed(header: tuple[str, str]) -> bool:
    name, value = header
    is_known = name.lower() in ALLOWED_HEADERS or name.lower().startswith("x-")
    is_short = 0 < len(value.encode()) <= HEADER_VALUE_BYTES
    return is_known and is_short and "\n" not in value and "\r" not in value
