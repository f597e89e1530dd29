"""The settings of the Cloudflare backend: which port is where, and what it is called there.

`settings.py` reads them. Each port is on the backend of DOME_BACKEND unless it has a setting of its
own, so that D1 can be used with vectors made on this machine, or SQLite with Workers AI.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from dome_mcp import setting_values as parse
from dome_mcp.core.errors import InvalidInput
from dome_mcp.setting_values import NO_MODEL, Backend, Secret

PORT_NAMES = ("database", "vectors", "blobs", "queue", "embeddings")
"""The settings that say where a port is; the value of each is a `Backend`."""

CLOUDFLARE_NAMES = (
    *PORT_NAMES,
    "cloudflare_account_id",
    "cloudflare_api_token",
    "cloudflare_base_url",
    "d1_database_id",
    "vectorize_index",
    "r2_bucket",
    "r2_endpoint",
    "r2_jurisdiction",
    "r2_access_key_id",
    "r2_secret_access_key",
    "queue_id",
    "ai_gateway",
    "ai_gateway_url",
    "email_sender",
    "convert",
)

_ACCOUNT = {
    "cloudflare_account_id": "an account's id: 32 digits and letters from a to f",
    "cloudflare_api_token": "a token: one word, without 'Bearer' in front of it",
}
"""Who is asked, and what each has to look like. They may be set for other programs' sake, so what
is wrong with them counts only where they are needed."""

UNPREFIXED = frozenset(_ACCOUNT)
"""The settings whose variable has no `DOME_` in front: Cloudflare's own tools read the same."""

Convert = Literal["off", "cloudflare"]

API_URL = "https://api.cloudflare.com/client/v4"
GATEWAY_URL = "https://gateway.ai.cloudflare.com/v1"
WORKERS_AI_PREFIX = "@cf/"
"""What the id of every model of Workers AI starts with."""
PROVIDER_PREFIXES = ("openai/", "anthropic/")
"""What the names of other providers' chat models start with, which are asked through AI Gateway."""
CHAT_PREFIXES = (WORKERS_AI_PREFIX, *PROVIDER_PREFIXES)
"""Of the chat models that need no DOME_LLM_URL."""

JURISDICTIONS = ("eu", "us", "fedramp")

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HEX_ID = re.compile(r"[0-9a-f]{32}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_CREDENTIAL = re.compile(r"[\x21-\x7e]{8,512}")
_ADDRESS = re.compile(r"[^@\s<>\"]+@[^@\s<>\"]+\.[^@\s<>\"]+")

_NEEDED = {
    "database": ("d1_database_id", "the id that `wrangler d1 list` shows"),
    "vectors": ("vectorize_index", "the name that `wrangler vectorize list` shows"),
    "blobs": ("r2_bucket", "the name that `wrangler r2 bucket list` shows"),
    "queue": ("queue_id", "the id, not the name, that `wrangler queues list` shows"),
}
"""What a port on Cloudflare has to be told, and where it stands."""


@dataclass(frozen=True, slots=True)
class CloudflareSettings:
    """Where each port is, and the names of what it uses in the account.

    What is None is not set; `problems` says what a port on Cloudflare lacks.
    """

    database: Backend = "embedded"
    vectors: Backend = "embedded"
    blobs: Backend = "embedded"
    queue: Backend = "embedded"
    embeddings: Backend = "embedded"
    cloudflare_account_id: str | None = None
    cloudflare_api_token: Secret | None = None
    cloudflare_base_url: str = API_URL
    d1_database_id: str | None = None
    vectorize_index: str | None = None
    r2_bucket: str | None = None
    r2_endpoint: str | None = None
    """Of the S3 API; None is the account's own, which has no jurisdiction."""
    r2_jurisdiction: str | None = None
    """Where the bucket's data has to stay; None is nowhere in particular."""
    r2_access_key_id: str | None = None
    """None is the id of the API token."""
    r2_secret_access_key: Secret | None = None
    """None is derived from the API token."""
    queue_id: str | None = None
    ai_gateway: str | None = None
    """The gateway that calls of Workers AI and of other providers go through; None is none."""
    ai_gateway_url: str = GATEWAY_URL
    """Where providers are asked with the user's own key for them."""
    email_sender: str | None = None
    """The address that notices by Cloudflare's Email Service come from."""
    convert: Convert = "off"
    """Whether documents that DOME has no parser for are sent to Cloudflare to be read."""

    @property
    def ports(self) -> Mapping[str, Backend]:
        """Where each port is, by the names of PORT_NAMES."""
        return {name: getattr(self, name) for name in PORT_NAMES}

    @property
    def is_used(self) -> bool:
        """Whether any port is on Cloudflare."""
        return "cloudflare" in self.ports.values()

    @property
    def has_account(self) -> bool:
        """Whether there is an account to turn to, for a port or for the mail of notices."""
        return bool(self.cloudflare_account_id and self.cloudflare_api_token)


class Read(Protocol):
    """Reads one setting by name, or notes what is wrong with it and gives the default."""

    def __call__(self, name: str, parse: Callable[[str], Any], *, default: Any) -> Any: ...


def read_cloudflare(read: Read, *, backend: Backend) -> CloudflareSettings:
    """The settings of the Cloudflare backend; a port that has none of its own is on `backend`."""
    parsers: dict[str, Callable[[str], Any]] = {
        "cloudflare_account_id": _or_none(parse.matching(_HEX_ID, "an id")),
        "cloudflare_api_token": _or_none(credential),
        "cloudflare_base_url": api_url,
        "d1_database_id": parse.matching(
            _UUID, "a database's id such as 0f1e2d3c-… (not its name)"
        ),
        "vectorize_index": parse.matching(_NAME, "the name of an index"),
        "r2_bucket": parse.matching(_BUCKET, "the name of a bucket"),
        "r2_endpoint": api_url,
        "r2_jurisdiction": jurisdiction,
        "r2_access_key_id": credential_id,
        "r2_secret_access_key": credential,
        "queue_id": parse.matching(_HEX_ID, "a queue's id: 32 digits and a to f (not its name)"),
        "ai_gateway": parse.matching(_NAME, "the name of a gateway"),
        "ai_gateway_url": api_url,
        "email_sender": parse.matching(_ADDRESS, "an address such as dome@example.com"),
        "convert": _convert,
    }
    default = CloudflareSettings()
    places = {name: read(name, parse.backend, default=backend) for name in PORT_NAMES}
    values = {name: read(name, parsers[name], default=getattr(default, name)) for name in parsers}
    return CloudflareSettings(**places, **_with_endpoint(values))


def _with_endpoint(values: dict[str, Any]) -> dict[str, Any]:
    """The settings, with the S3 address of a jurisdiction, which is not the account's other one.

    Source: https://developers.cloudflare.com/r2/reference/data-location/ (2026-07-28).
    """
    account, within = values["cloudflare_account_id"], values["r2_jurisdiction"]
    if values["r2_endpoint"] or not (account and within):
        return values
    return {**values, "r2_endpoint": f"https://{account}.{within}.r2.cloudflarestorage.com"}


def problems(
    cloud: CloudflareSettings,
    *,
    given: Mapping[str, str],
    embedding_model: str | None,
    reranker: str | None,
    language_model: str | None,
) -> Iterator[str]:
    """What is missing for the ports that are on Cloudflare, and which of them do not go together.

    `given` holds the names of what was set, even where its value is wrong and was told as such.
    """
    users = [f"DOME_{name.upper()}" for name, place in cloud.ports.items() if place == "cloudflare"]
    if cloud.convert == "cloudflare":
        users.append("DOME_CONVERT")
    if language_model and language_model.startswith(CHAT_PREFIXES):
        users.append("DOME_LLM_MODEL")
    if reranker and reranker.startswith(WORKERS_AI_PREFIX):
        users.append("DOME_RERANKER")
    if "ai_gateway" not in given and is_by_provider(language_model, has_key="llm_api_key" in given):
        yield (
            f"DOME_LLM_MODEL={language_model} with DOME_LLM_API_KEY needs DOME_AI_GATEWAY, the "
            "name of the gateway that the provider is asked through"
        )
    for name, form in _ACCOUNT.items() if users else ():
        if name not in given:
            yield f"{name.upper()} is not set; {_listed(users)} on Cloudflare cannot do without"
        elif getattr(cloud, name) is None:
            yield f"{name.upper()} ({given[name]}): it is not {form}"
    for port, (name, where) in _NEEDED.items():
        if cloud.ports[port] == "cloudflare" and name not in given:
            yield f"DOME_{port.upper()} on Cloudflare needs DOME_{name.upper()}, {where}"
    yield from _mixes(cloud, embedding_model)
    if ("r2_access_key_id" in given) != ("r2_secret_access_key" in given):
        yield (
            "DOME_R2_ACCESS_KEY_ID and DOME_R2_SECRET_ACCESS_KEY go together: set both, or "
            "neither to use the API token"
        )


def is_by_provider(model: str | None, *, has_key: bool) -> bool:
    """Whether a chat model is asked of its provider with the user's key for it.

    Without one it is asked of Cloudflare, which bills the models of others too.
    """
    return has_key and model is not None and model.startswith(PROVIDER_PREFIXES)


def _mixes(cloud: CloudflareSettings, embedding_model: str | None) -> Iterator[str]:
    """The places of ports and models that cannot work together, and why."""
    is_on_d1 = cloud.database == "cloudflare"
    if cloud.vectors == "embedded" and is_on_d1:
        yield (
            "DOME_VECTORS=embedded needs DOME_DATABASE=embedded: embedded vectors are rows of the "
            "same file, and D1 cannot search them"
        )
    if cloud.queue == "cloudflare" and not is_on_d1:
        yield (
            "DOME_QUEUE=cloudflare needs DOME_DATABASE=cloudflare: the Worker that takes its "
            "messages cannot read a database on this machine"
        )
    if embedding_model in (None, NO_MODEL):
        return
    is_of_workers_ai = embedding_model.startswith(WORKERS_AI_PREFIX)
    if is_of_workers_ai and cloud.embeddings == "embedded":
        yield f"DOME_EMBEDDING_MODEL={embedding_model} needs DOME_EMBEDDINGS=cloudflare"
    if not is_of_workers_ai and cloud.embeddings == "cloudflare":
        yield (
            f"DOME_EMBEDDING_MODEL={embedding_model} is no model of Workers AI: name one such as "
            "@cf/baai/bge-m3, or set DOME_EMBEDDINGS=embedded"
        )


def api_url(text: str) -> str:
    """An https URL, or http on this machine, without a slash at its end."""
    parts = urlsplit(text)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidInput("the URL must hold no password, no query and no fragment")
    if not parts.hostname or (parts.scheme != "https" and parts.hostname not in _LOOPBACK):
        raise InvalidInput(f"{text!r} is not an https URL such as {API_URL}")
    return text.rstrip("/")


def jurisdiction(text: str) -> str:
    """One that both D1 and R2 know.

    Source: https://developers.cloudflare.com/d1/configuration/data-location/ (2026-10-02).
    """
    return parse.choice(text.lower(), JURISDICTIONS)


def credential(text: str) -> Secret:
    """A token or key as it was issued; what is wrong with it is told without showing it."""
    if not _CREDENTIAL.fullmatch(text):
        raise InvalidInput("it is not a key: one word of at least 8 letters, digits and signs")
    return Secret(text)


def credential_id(text: str) -> str:
    """The public half of a key, which is still not repeated where it is wrong."""
    return credential(text).value


def _or_none(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """The value, None where it cannot be one."""

    def parse_text(text: str) -> Any:
        try:
            return read(text)
        except InvalidInput:
            return None

    return parse_text


def _convert(text: str) -> Convert:
    return parse.choice(text.lower(), ("off", "cloudflare"))


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
