"""The companion Workers as their wrangler.jsonc describe them, and as an installation has them.

What is committed describes an installation that is called `dome` and has no ids yet. It is never
changed: an installation's own names and ids go into a copy, beside which the Worker is gathered.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, cast

from dome_mcp.store.schema import MIGRATIONS
from worker_companions.bundle import FOLDER, Bundle, bundle

Config = dict[str, Any]

API = "api"
"""The Worker that answers over HTTP; no other has an address."""

PUBLIC_URL = "DOME_PUBLIC_URL"

COMMITTED_NAME = "dome"
_DELIVERIES = "dome-deliveries"
"""The queue that an installation has from the start, under the installation's own name."""

_TEXT = r'"(?:[^"\\]|\\.)*"'
_COMMENT = re.compile(rf"({_TEXT})|//[^\n]*|/\*.*?\*/", re.S)
_TRAILING_COMMA = re.compile(rf"({_TEXT})|,(?=\s*[\]}}])")


@dataclass(frozen=True, slots=True)
class Worker:
    """One of the Workers: the folder of its entry, and what is committed there."""

    folder: Path
    config: Config = field(repr=False)

    @property
    def key(self) -> str:
        """What its folder is called: `cron`."""
        return self.folder.name

    @property
    def crons(self) -> Sequence[str]:
        return self.config.get("triggers", {}).get("crons", ())

    @property
    def secrets(self) -> Sequence[str]:
        """The names of the secrets that it reads where it has them."""
        return self.config.get("secrets", {}).get("required", ())

    @property
    def consumed(self) -> Sequence[str]:
        """The queues whose messages it is given."""
        return [each["queue"] for each in self.config.get("queues", {}).get("consumers", ())]

    @property
    def queues(self) -> set[str]:
        """Every queue that has to be there."""
        queues = self.config.get("queues", {})
        ends = [*queues.get("producers", ()), *queues.get("consumers", ())]
        dead = {each["dead_letter_queue"] for each in ends if "dead_letter_queue" in each}
        return {each["queue"] for each in ends} | dead

    @property
    def needs(self) -> set[str]:
        """The Workers that have to be there before it, by their committed names."""
        objects = self.config.get("durable_objects", {}).get("bindings", ())
        named = [each.get("script_name") for each in objects]
        named += [each.get("service") for each in self.config.get("services", ())]
        return {name for name in named if name} - {self.config["name"]}


@dataclass(frozen=True, slots=True)
class Installation:
    """What the Workers of one installation are called, and what they are bound to."""

    name: str
    database_id: str
    index: str
    bucket: str
    url: str
    """Where its API is reached."""
    jurisdiction: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """The values of the variables that Workers read, where there are any."""

    def called(self, committed: str) -> str:
        """A Worker's, a queue's or the database's name here."""
        return called(committed, self.name)


def called(committed: str, name: str) -> str:
    """What an installation calls what is committed under that name."""
    return name if committed == _DELIVERIES else name + committed.removeprefix(COMMITTED_NAME)


def read_workers(folder: Path = FOLDER) -> list[Worker]:
    """The Workers in the order in which they can be deployed: who is needed comes first."""
    found = [
        Worker(path.parent, read_jsonc(path.read_text("utf-8")))
        for path in sorted(folder.glob("*/wrangler.jsonc"))
    ]
    by_name = {worker.config["name"]: worker for worker in found}
    order = TopologicalSorter({name: each.needs & by_name.keys() for name, each in by_name.items()})
    return [by_name[name] for name in order.static_order()]


def read_jsonc(text: str) -> Config:
    """JSON with comments and trailing commas, as wrangler reads it."""
    for dropped in (_COMMENT, _TRAILING_COMMA):
        text = dropped.sub(lambda found: found[1] or "", text)
    return json.loads(text)


def gather(worker: Worker, here: Installation, folder: Path, secrets: Sequence[str]) -> Bundle:
    """Puts into `folder` all of a Worker that wrangler uploads, and returns its size.

    `secrets` are the names of those that it has. The migrations are there for whoever applies them
    with wrangler; they are the same that `migrate` applies.

    Raises:
        BundleError: it imports what a Worker may not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = configured(worker, here, secrets)
    (folder / "wrangler.jsonc").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    for name, text in migration_files():
        target = folder / "migrations" / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, "utf-8")
    return bundle(worker.folder / "entry.py", folder)


def configured(worker: Worker, here: Installation, secrets: Sequence[str]) -> Config:
    """A Worker's configuration with the names and ids of an installation."""
    config: Config = _replaced(
        worker.config,
        {
            "database_id": lambda _: here.database_id,
            "bucket_name": lambda _: here.bucket,
            "index_name": lambda _: here.index,
            **dict.fromkeys(
                ("database_name", "queue", "dead_letter_queue", "script_name", "service"),
                here.called,
            ),
        },
    )
    config.pop("build", None)  # it is gathered before wrangler starts
    config["name"] = here.called(config["name"])
    for database in config.get("d1_databases", ()):
        database["migrations_dir"] = "migrations"
    for bucket in config.get("r2_buckets", ()) if here.jurisdiction else ():
        bucket["jurisdiction"] = here.jurisdiction
    known = {PUBLIC_URL: here.url, **here.variables, "DOME_VECTORIZE_INDEX": here.index}
    read = {PUBLIC_URL: "", **config.get("vars", {})}  # where links lead, every Worker may know
    config["vars"] = {name: known.get(name, value) for name, value in read.items()}
    config["secrets"] = {"required": list(secrets)}
    config["workers_dev"] = worker.key == API
    config["preview_urls"] = False
    return config


def migration_files() -> Iterator[tuple[str, str]]:
    """Each migration as the file that wrangler would apply: its name and its text."""
    for name, statements in MIGRATIONS:
        yield name, "".join(f"{sql.strip().rstrip(';')};\n" for sql in statements)


def _replaced(value: object, fields: Mapping[str, Callable[[str], str]]) -> Any:
    """A copy of the value in which the texts of these fields, however deep, are others."""
    if isinstance(value, list):
        return [_replaced(each, fields) for each in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    items = cast("dict[str, Any]", value).items()
    return {
        name: fields[name](each) if name in fields else _replaced(each, fields)
        for name, each in items
    }
