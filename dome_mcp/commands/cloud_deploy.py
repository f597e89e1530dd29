"""`dome-mcp cloud deploy`: the companion Workers, to the account where `cloud init` put the data.

What it does is a list of steps: `--dry-run` prints them, builds every Worker and does not ask the
account.
Each step can be done again, so whatever cuts it off, the same command goes on.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import Account, CloudflareApi
from dome_mcp.cloudflare_account import account_of
from dome_mcp.commands.cloud_account import local_settings, name_of, open_account
from dome_mcp.commands.cloud_installation import (
    found_installation,
    make_queue,
    planned_installation,
    secrets_for,
    take_over,
    tell_of_files,
)
from dome_mcp.commands.cloud_smoke import CRON, await_api, await_beat
from dome_mcp.commands.output import Output
from dome_mcp.commands.shell import FAILED, Invocation
from dome_mcp.commands.typed import whole_path
from dome_mcp.commands.worker_configs import API, Installation, Worker, gather, read_workers
from dome_mcp.commands.wrangler import Upload, Wrangler, find_wrangler
from dome_mcp.core.errors import ConfigurationError, InvalidInput
from dome_mcp.store.schema import MIGRATIONS, migrate
from worker_companions.bundle import Bundle, BundleError

_INGEST = "dome-ingest"
"""The queue, as committed, of those who take in documents."""
_INBOX = "inbox/"
"""Where files lie that they are to take in (worker_companions/ingest/places.py)."""
_API_SECONDS = 90.0
"""How long a new address at workers.dev may take to be known."""


@dataclass(frozen=True, slots=True)
class _Step:
    """`words` say what is to be done, `run` does it and says what came of it.

    `rehearse` does what of it needs no account; None where that is nothing.
    """

    words: str
    run: Callable[[CloudflareApi], Awaitable[str]]
    rehearse: Callable[[], Awaitable[str]] | None = None


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A Worker as it goes out: what it is called, where it is gathered, and its secrets."""

    worker: Worker
    name: str
    folder: Path
    size: Bundle
    secrets: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Deployment:
    """All that is deployed together."""

    here: Installation
    parcels: Sequence[_Parcel]
    wrangler: Wrangler
    wait_seconds: float

    def steps(self) -> Iterator[_Step]:
        """What is to be done, in the order in which it has to be."""
        workers = [parcel.worker for parcel in self.parcels]
        queues = {self.here.called(queue) for worker in workers for queue in worker.queues}
        yield self._migrations()
        yield from map(self._queue, sorted(queues - {self.here.name}))
        for parcel in self.parcels:
            if parcel.worker.consumed:
                yield self._consumer(parcel)
            if _INGEST in parcel.worker.consumed:
                yield self._inbox()
            if parcel.secrets:
                yield self._secrets(parcel)
            yield self._upload(parcel)
        if any(worker.key == API for worker in workers):
            yield self._api()
        if any(worker.crons for worker in workers):
            yield self._cron()

    def _migrations(self) -> _Step:
        async def run(api: CloudflareApi) -> str:
            applied = await migrate(D1Database(api, self.here.database_id))
            return f"applied {', '.join(applied)}" if applied else "nothing was missing"

        names = ", ".join(name for name, _ in MIGRATIONS)
        return _Step(f"apply what D1 database {self.here.name} lacks of {names}", run)

    def _queue(self, name: str) -> _Step:
        async def run(api: CloudflareApi) -> str:
            return await make_queue(api, name, self.here.jurisdiction)

        return _Step(f"make queue {name} where there is none", run)

    def _consumer(self, parcel: _Parcel) -> _Step:
        queues = list(map(self.here.called, parcel.worker.consumed))

        async def run(api: CloudflareApi) -> str:
            taken = sum([await take_over(api, queue) for queue in queues])
            return f"{taken} taken off" if taken else "there is none"

        words = f"take pull consumers off {' and '.join(queues)}, which {parcel.name} is to serve"
        return _Step(words, run)

    def _inbox(self) -> _Step:
        queue = self.here.called(_INGEST)

        async def run(api: CloudflareApi) -> str:
            return await tell_of_files(api, self.here, queue, prefix=_INBOX)

        return _Step(f"have bucket {self.here.bucket} tell queue {queue} of {_INBOX}", run)

    def _secrets(self, parcel: _Parcel) -> _Step:
        async def run(api: CloudflareApi) -> str:
            await self.wrangler.set_secrets(parcel.secrets, parcel.folder)
            return "set"

        return _Step(f"set {', '.join(parcel.secrets)} of {parcel.name}", run)

    def _upload(self, parcel: _Parcel) -> _Step:
        async def run(api: CloudflareApi) -> str:
            return _told(await self.wrangler.deploy(parcel.folder), parcel.size)

        async def rehearse() -> str:
            return _told(await self.wrangler.rehearse(parcel.folder), parcel.size)

        worker = parcel.worker
        does = [f"runs at {cron}" for cron in worker.crons]
        if served := " and ".join(map(self.here.called, worker.consumed)):
            does.append(f"serves {served}")
        if worker.key == API:
            does.append(f"answers at {self.here.url}")
        told = f", which {' and '.join(does)}" if does else ""
        return _Step(f"deploy {parcel.name}{told}", run, rehearse)

    def _api(self) -> _Step:
        async def run(api: CloudflareApi) -> str:
            return await await_api(self.here.url, seconds=_API_SECONDS)

        return _Step(f"ask {self.here.url} whether it lives", run)

    def _cron(self) -> _Step:
        async def run(api: CloudflareApi) -> str:
            database = D1Database(api, self.here.database_id)
            return await await_beat(database, seconds=self.wait_seconds)

        return _Step(f"wait until {CRON} has run", run)


async def deploy(invocation: Invocation) -> int:
    """Says what it will do, asks, and does it step by step; 1 if told no.

    Raises:
        NotFound: `cloud init` has not made what the Workers are bound to.
        InvalidInput: there is nobody to ask.
        ConfigurationError: Node or wrangler is not there and cannot be.
        BackendError: a step failed; the same command goes on from there.
    """
    if invocation.arguments.dry_run:
        return await _rehearse(invocation)
    settings, output = local_settings(invocation), invocation.output
    name, url = name_of(invocation, settings), invocation.arguments.url
    async with open_account(settings) as api:
        here = await found_installation(api, name, settings, url)
        deployment = await _prepared(invocation, here, account_of(settings.cloudflare))
        steps = list(deployment.steps())
        for step in steps:
            output.line(step.words)
        if not invocation.arguments.yes and not _is_confirmed(output):
            output.remark("Nothing was deployed.")
            return FAILED
        outcomes = [await _done(step, step.run(api), output) for step in steps]
    output.value(_shape(deployment, steps, outcomes))
    output.line("Deployed.", "green")
    output.line(
        f"Elsewhere, DOME_API_URL={here.url} and a DOME_API_TOKEN by `dome-mcp token create` do "
        "without a Cloudflare token."
    )
    return 0


async def _rehearse(invocation: Invocation) -> int:
    """Prints every step, and takes those that need no account."""
    settings, output = local_settings(invocation), invocation.output
    here = planned_installation(name_of(invocation, settings), settings, invocation.arguments.url)
    deployment = await _prepared(invocation, here, None)
    steps = list(deployment.steps())
    outcomes: list[str | None] = []
    for step in steps:
        if step.rehearse is None:
            output.line(step.words)
            outcomes.append(None)
        else:
            outcomes.append(await _done(step, step.rehearse(), output))
    output.value(_shape(deployment, steps, outcomes))
    output.line("Nothing was deployed; the account was not asked.")
    return 0


async def _prepared(
    invocation: Invocation, here: Installation, account: Account | None
) -> _Deployment:
    """The Workers, gathered, so that what cannot be deployed is known before anything is done."""
    arguments, settings = invocation.arguments, local_settings(invocation)
    wrangler = await find_wrangler(invocation.variables, account)
    cache = platformdirs.user_cache_path("dome-mcp") / "workers" / here.name
    folder = whole_path(arguments.folder) if arguments.folder else cache
    parcels: list[_Parcel] = []
    for worker in read_workers():
        secrets = secrets_for(worker, settings, invocation.variables)
        try:
            size = gather(worker, here, folder / worker.key, list(secrets))
        except BundleError as error:
            needed = '`pip install "dome-mcp[workers]"` brings what Workers need'
            raise ConfigurationError([f"{error}; {needed}"]) from error
        name = here.called(worker.config["name"])
        parcels.append(_Parcel(worker, name, folder / worker.key, size, secrets))
    return _Deployment(here, parcels, wrangler, arguments.wait)


async def _done(step: _Step, doing: Awaitable[str], output: Output) -> str:
    outcome = await doing
    output.line(f"{step.words}: {outcome}")
    return outcome


def _told(upload: Upload, size: Bundle) -> str:
    started = "" if upload.startup_ms is None else f", started in {upload.startup_ms} ms"
    return (
        f"{size.own:,} bytes of DOME and {size.vendored:,} of packages, "
        f"{upload.gzip_bytes:,} compressed{started}"
    )


def _is_confirmed(output: Output) -> bool:
    answer = output.confirms("Do this?")
    if answer is None:
        raise InvalidInput("There is nobody to ask whether to go on.", "Add --yes to go on.")
    return answer


def _shape(
    deployment: _Deployment, steps: Sequence[_Step], outcomes: Sequence[str | None]
) -> dict[str, object]:
    return {
        "name": deployment.here.name,
        "url": deployment.here.url,
        "workers": [
            {
                "name": each.name,
                "folder": str(each.folder),
                "own_bytes": each.size.own,
                "vendored_bytes": each.size.vendored,
                "secrets": list(each.secrets),
            }
            for each in deployment.parcels
        ],
        "steps": [
            {"step": step.words, "outcome": outcome}
            for step, outcome in zip(steps, outcomes, strict=True)
        ],
    }
