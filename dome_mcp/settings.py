"""The settings, read once: the command line wins over the environment, that over `config.toml`.

`config.toml` lies in the data folder and has the same names in lower case without `DOME_`:
`timezone = "Europe/Berlin"`. CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN have no `DOME_` in the
environment: Cloudflare's own tools read them too. Nothing else in DOME reads the environment.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar, cast
from zoneinfo import ZoneInfo

import platformdirs

from dome_mcp import setting_values as parse
from dome_mcp.cloudflare_settings import (
    CHAT_PREFIXES,
    CLOUDFLARE_NAMES,
    PORT_NAMES,
    UNPREFIXED,
    CloudflareSettings,
    problems,
    read_cloudflare,
)
from dome_mcp.core.errors import ConfigurationError, InvalidInput
from dome_mcp.core.zones import parse_zone
from dome_mcp.http_settings import HTTP_NAMES, HttpSettings, read_http
from dome_mcp.setting_values import NO_MODEL as NO_MODEL
from dome_mcp.setting_values import Backend, Companion, LogLevel, Secret
from dome_mcp.timezones import machine_zone

T = TypeVar("T")

CONFIG_FILE = "config.toml"
DATABASE_FILE = "dome.db"
BLOB_FOLDER = "blobs"
NAMES = (
    "home",
    "backend",
    "embedding_model",
    "reranker",
    "llm_url",
    "llm_model",
    "llm_api_key",
    "llm_context_tokens",
    "llm_timeout_seconds",
    "timezone",
    "user",
    "allowed_roots",
    "allow_private_urls",
    "max_document_mb",
    "url_timeout_seconds",
    "log_level",
    "companion",
    "public_url",
    "api_url",
    "api_token",
    *CLOUDFLARE_NAMES,
    *HTTP_NAMES,
)
_MEGABYTE = 1_000_000
_DEFAULT_DOCUMENT_MB = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, checked. `origins` says by setting name where a value came from."""

    home: Path
    timezone: ZoneInfo
    backend: Backend = "embedded"
    embedding_model: str | None = None
    """None is the model that comes with DOME; `off` is no model, keyword search only."""
    reranker: str | None = None
    """A cross-encoder that orders what hybrid searches found; None and `off` are none."""
    llm_url: str | None = None
    llm_model: str | None = None
    llm_api_key: Secret | None = None
    llm_context_tokens: int = 8192
    llm_timeout_seconds: int = 120
    user: str = "me"
    allowed_roots: tuple[Path, ...] = ()
    allow_private_urls: bool = False
    max_document_bytes: int = _DEFAULT_DOCUMENT_MB * _MEGABYTE
    url_timeout_seconds: float = 20.0
    log_level: LogLevel = "INFO"
    companion: Companion = "auto"
    public_url: str | None = None
    """Where the links in notices lead, for a user who has a tunnel; None is this machine."""
    api_url: str | None = None
    """The DOME that has the data, with whose REST API this process works; None is this one."""
    api_token: Secret | None = None
    cloudflare: CloudflareSettings = field(default_factory=CloudflareSettings)
    """Where each port is, and what it needs to know of the account."""
    http: HttpSettings = field(default_factory=HttpSettings)
    """Of `dome-mcp serve --http` alone."""
    warnings: tuple[str, ...] = ()
    """What works but may not be what the user meant; to be logged at start."""
    origins: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, compare=False)


def load(
    environ: Mapping[str, str] | None = None, *, overrides: Mapping[str, str] | None = None
) -> Settings:
    """The settings of `environ` (the process's own by default) and of `config.toml`.

    `overrides` come from the command line and have the names of NAMES. An empty value counts as
    not set. Nothing is created: a data folder that is not there is no problem.

    Raises:
        ConfigurationError: with every problem there is.
    """
    environment = os.environ if environ is None else environ
    reader = _Reader(environment, overrides or {})
    home = reader.read("home", parse.folder, default=_default_home())
    reader.add_file(home / CONFIG_FILE)
    zone = reader.read("timezone", parse_zone, default=None)
    megabytes = reader.read("max_document_mb", parse.whole(1, 2000), default=_DEFAULT_DOCUMENT_MB)
    backend: Backend = reader.read("backend", parse.backend, default="embedded")
    settings = Settings(
        home=home,
        timezone=zone or _machine_zone(reader, environment),
        backend=backend,
        embedding_model=reader.read("embedding_model", str, default=None),
        reranker=reader.read("reranker", str, default=None),
        llm_url=reader.read("llm_url", parse.service_url, default=None),
        llm_model=reader.read("llm_model", str, default=None),
        llm_api_key=reader.read("llm_api_key", Secret, default=None),
        llm_context_tokens=reader.read("llm_context_tokens", parse.whole(512, 10**7), default=8192),
        llm_timeout_seconds=reader.read("llm_timeout_seconds", parse.whole(1, 3600), default=120),
        user=reader.read("user", parse.user, default="me"),
        allowed_roots=reader.read("allowed_roots", parse.folders, default=(Path.home(),)),
        allow_private_urls=reader.read("allow_private_urls", parse.boolean, default=False),
        max_document_bytes=megabytes * _MEGABYTE,
        url_timeout_seconds=reader.read("url_timeout_seconds", parse.whole(1, 600), default=20),
        log_level=reader.read("log_level", parse.log_level, default="INFO"),
        companion=reader.read("companion", parse.companion, default="auto"),
        public_url=reader.read("public_url", parse.public_url, default=None),
        api_url=reader.read("api_url", parse.api_url, default=None),
        api_token=reader.read("api_token", Secret, default=None),
        cloudflare=read_cloudflare(reader.read, backend=backend),
        http=read_http(reader.read),
        origins=reader.origins,
    )
    reader.problems += _joint_problems(settings)
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return replace(settings, warnings=tuple(reader.warnings))


def environment() -> Mapping[str, str]:
    """The process's environment, for names that belong to other programs (APPDATA, EDITOR)."""
    return os.environ


def pass_on(name: str, value: str) -> None:
    """Sets a variable of another program's for the processes that are started from here on."""
    os.environ[name] = value


def describe(settings: Settings) -> list[tuple[str, str, str]]:
    """Each setting as (variable, value, where it came from), a secret as `***`."""
    lines: list[tuple[str, str, str]] = []
    for name in NAMES:
        if name == "max_document_mb":
            value = str(settings.max_document_bytes // _MEGABYTE)
        else:
            value = parse.shown(getattr(_holder(settings, name), name))
        lines.append((variable(name), value, settings.origins.get(name, _default_of(name))))
    return lines


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return name.upper() if name in UNPREFIXED else f"DOME_{name.upper()}"


def _joint_problems(settings: Settings) -> list[str]:
    """What is wrong with the settings together, though each may be right."""
    given, llm_model = settings.origins, settings.llm_model
    found = list(
        problems(
            settings.cloudflare,
            given=given,
            embedding_model=settings.embedding_model,
            reranker=settings.reranker,
            language_model=llm_model if settings.llm_url is None else None,
        )
    )
    needs_no_url = llm_model is not None and llm_model.startswith(CHAT_PREFIXES)
    if ("llm_url" in given) != ("llm_model" in given) and not needs_no_url:
        found.append(
            "DOME_LLM_URL and DOME_LLM_MODEL go together: set both or neither; a model on "
            "Cloudflare (@cf/…, openai/…, anthropic/…) needs no DOME_LLM_URL"
        )
    if ("api_url" in given) != ("api_token" in given):
        found.append("DOME_API_URL and DOME_API_TOKEN go together: set both or neither")
    return found


def _holder(settings: Settings, name: str) -> object:
    if name in HTTP_NAMES:
        return settings.http
    return settings.cloudflare if name in CLOUDFLARE_NAMES else settings


def _default_of(name: str) -> str:
    return "DOME_BACKEND" if name in PORT_NAMES else "default"


def _machine_zone(reader: "_Reader", environ: Mapping[str, str]) -> ZoneInfo:
    machine = machine_zone(environ)
    reader.origins["timezone"] = machine.origin
    if machine.warning:
        reader.warnings.append(machine.warning)
    return machine.zone


def _default_home() -> Path:
    return platformdirs.user_data_path("dome", appauthor=False)


class _Reader:
    """Looks settings up, highest rank first, and gathers what is wrong with all of them."""

    def __init__(self, environ: Mapping[str, str], overrides: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.origins: dict[str, str] = {}
        self._ranked: list[tuple[str, Mapping[str, str]]] = [
            ("command line", overrides),
            ("environment", {name: environ.get(variable(name), "") for name in NAMES}),
        ]
        known = [variable(name) for name in NAMES]
        for given in sorted(set(environ) - set(known)):
            close = get_close_matches(given, known, n=1, cutoff=0.85)
            if given.startswith("DOME_") and close:
                self.warnings.append(f"{given} is no setting; did you mean {close[0]}?")

    def read(self, name: str, parse: Callable[[str], T], *, default: T) -> T:
        """The highest ranking value; where it is wrong, a problem is noted and it is `default`."""
        for origin, values in self._ranked:
            text = values.get(name, "").strip()
            if not text:
                continue
            self.origins[name] = origin
            try:
                return parse(text)
            except InvalidInput as error:
                self.problems.append(f"{variable(name)} ({origin}): {str(error).rstrip('.')}")
                return default
        return default

    def add_file(self, path: Path) -> None:
        """Adds a TOML file as the lowest rank; a file that is not there adds nothing."""
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except NotADirectoryError:
            self.problems.append(f"DOME_HOME: {path.parent} is not a folder")
            return
        except (OSError, ValueError) as error:
            # A ValueError's text may quote the file, but only around what is not TOML.
            self.problems.append(f"{path} cannot be read: {error}")
            return
        values = {key: self._text(key, value) for key, value in content.items()}
        self._ranked.append((CONFIG_FILE, values))

    def _text(self, key: str, value: object) -> str:
        """A TOML value as the environment would hold it."""
        if key not in NAMES or key == "home":
            close = get_close_matches(key, NAMES[1:], n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            self.problems.append(f"{CONFIG_FILE}: there is no setting {key!r}{hint}")
            return ""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str | int):
            return str(value)
        items = cast("list[object]", value) if isinstance(value, list) else [None]
        if all(isinstance(item, str) for item in items):
            separator = os.pathsep if key == "allowed_roots" else " "
            return separator.join(cast("list[str]", items))
        self.problems.append(f"{CONFIG_FILE}: {key} must be a text, a number, true or false")
        return ""
