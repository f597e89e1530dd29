"""`dome-mcp doctor`: what is in order, what is not, and with `--repair`, mending it."""

import importlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, cast, runtime_checkable

from dome_mcp.app import Dome, opened
from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.models import CARRIED
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.commands.blob_keys import is_ours
from dome_mcp.commands.indexing import index_state, wait_for_vectors
from dome_mcp.commands.machine import (
    check_carried_model,
    check_converter,
    check_embedder,
    check_language_model,
    check_reranker,
    check_settings,
    check_sqlite,
)
from dome_mcp.commands.model_server import check_model_server
from dome_mcp.commands.output import Output, Progress
from dome_mcp.commands.shell import FAILED, Invocation
from dome_mcp.core.errors import BackendError, ConfigurationError, DomeError, InvalidInput
from dome_mcp.core.mail_routes import is_by_cloudflare
from dome_mcp.core.timestamps import local_iso
from dome_mcp.services.channels import list_channels
from dome_mcp.services.companions import companion_state, unserved
from dome_mcp.services.housekeeping import last_kept
from dome_mcp.services.integrity import Finding, Level, examine, findings
from dome_mcp.services.repair import repair
from dome_mcp.services.status import counts
from dome_mcp.settings import Settings
from dome_mcp.stores import open_cloud
from dome_mcp.texts import parse_text
from dome_mcp.wiring import reranker_of

_ABANDONED_AFTER = timedelta(hours=1)
_OFF = "off"
_LATE_SECONDS = 60.0
_RESTORE = "Restore it from a backup or an export."
_MARKS: dict[Level, tuple[str, str]] = {
    "ok": ("ok     ", "green"),
    "warning": ("warning", "yellow"),
    "problem": ("PROBLEM", "bold red"),
}


@runtime_checkable
class _DatedBlobs(Protocol):
    """A blob store that remembers when it was given the bytes of a key."""

    async def written_at(self, key: str) -> datetime | None: ...


async def doctor(invocation: Invocation) -> int:
    """Prints a line for each thing that was checked; 1 where there is a problem."""
    output = invocation.output
    found: list[Finding] = []
    done: list[str] = []
    try:
        settings = invocation.settings(shows_warnings=False)
    except ConfigurationError as error:
        found += [Finding("settings", "problem", problem) for problem in error.problems]
        return _report(found, done, output)
    found += check_settings(settings)
    if settings.api_url is not None:
        if invocation.arguments.repair:
            raise InvalidInput("--repair needs the data folder.", "Run it where the data are.")
        return _report([*found, *await _check_server(settings)], done, output)
    with output.progress() as show:
        show("checking", 0, None)
        try:
            async with AsyncExitStack() as stack:
                account = await _check_account(settings)
                found += account
                if any(finding.level == "problem" for finding in account):
                    # To open is to write, so first the account has to be in order.
                    return _report(found, done, output)
                # Without its reranker, which is asked apart: one that is missing hides nothing.
                dome = await _open(replace(settings, reranker=None), stack, found)
                await _check(dome, found)
                found += await _check_reranker(settings)
                if invocation.arguments.repair:
                    done += await _repair(dome, show)
                found += await _check_data(dome)
        except BackendError as error:
            # The driver's advice may be to run this very command.
            hint = _RESTORE if "doctor" in error.hint else error.hint
            found.append(Finding("database", "problem", error.message, hint))
    return _report(found, done, output)


async def _check_account(settings: Settings) -> list[Finding]:
    """What the Cloudflare account has, where the settings name one; nothing is written."""
    if not settings.cloudflare.has_account:
        return []
    # Here, so that whoever has all on this machine does not need it.
    checks = importlib.import_module("dome_mcp.commands.cloud_checks")
    return cast("list[Finding]", await checks.check_account(settings))


async def _check_server(settings: Settings) -> list[Finding]:
    """What answers at DOME_API_URL, and whom the token stands for there."""
    # Here, so that whoever has the data on this machine does not wait for what it imports.
    over_api = importlib.import_module("dome_mcp.commands.over_api")
    return cast("list[Finding]", await over_api.check(settings))


async def _open(settings: Settings, stack: AsyncExitStack, found: list[Finding]) -> Dome:
    """The application; without its embedding model where that cannot be used."""
    try:
        return await stack.enter_async_context(opened(settings))
    except ConfigurationError as error:
        found += [Finding("embedding model", "problem", problem) for problem in error.problems]
        return await stack.enter_async_context(opened(replace(settings, embedding_model=_OFF)))


async def _check(dome: Dome, found: list[Finding]) -> None:
    """What the drivers and models say of themselves."""
    database = dome.ports.database
    if isinstance(database, SqliteDatabase):
        found.append(check_sqlite(database.version))
        problems = await database.integrity()
        if problems:
            shown = "; ".join(problems[:5])
            found.append(Finding("database", "problem", shown, _RESTORE))
        else:
            found.append(Finding("database", "ok", "in order"))
    is_embedded = dome.settings.cloudflare.embeddings == "embedded"
    if is_embedded and dome.settings.embedding_model in (None, CARRIED):
        found.append(check_carried_model())
    if not any(finding.check == "embedding model" for finding in found):
        found.append(await check_embedder(dome.ports.embedder))
    if not any(finding.check == "language model" for finding in found):
        found.append(await check_language_model(dome.ports.language_model))
        found += await check_model_server(dome.settings)
    if dome.converter is not None:
        found.append(await check_converter(dome.converter))


async def _check_reranker(settings: Settings) -> list[Finding]:
    """Whether the reranker works, where the settings name one."""
    async with open_cloud(settings) as cloud:
        try:
            reranker = reranker_of(settings, cloud)
        except ConfigurationError as error:
            return [Finding("reranker", "problem", problem) for problem in error.problems]
        return [await check_reranker(reranker)] if reranker else []


async def _check_data(dome: Dome) -> list[Finding]:
    """What is stored, and whether its parts agree."""
    stored = await counts(dome.ports, user_id=dome.user_id)
    total = f"{stored.notes} notes, {stored.chunks} chunks"
    found = [Finding("notes", "ok", total)]
    seen = await examine(dome.ports, is_abandoned=partial(_is_abandoned, dome))
    found += findings(seen)
    found += await _check_companion(dome)
    found += await _check_mail(dome)
    index = await index_state(dome)
    if index.note and dome.ports.embedder is not None:
        found.append(Finding("index", "warning", index.note, "Run `dome-mcp reindex`."))
    return found


async def _check_companion(dome: Dome) -> list[Finding]:
    """Whether somebody fires the reminders, and how they do."""
    now = dome.now()
    state = await companion_state(dome.ports.database, now=now)
    if problem := state.problem(now):
        return [Finding("companion", "warning", problem)]
    words = "running" if state.is_running else "not running; nothing is to fire"
    found = [Finding("companion", "ok", words)]
    if state.lag_seconds >= _LATE_SECONDS:
        late = f"what it has to do is {round(state.lag_seconds)} s late"
        found.append(Finding("companion", "warning", late, "See companion.log."))
    found += [Finding("companion", "warning", error) for error in state.last_errors]
    for each in await unserved(dome.ports.database, user_id=dome.user_id):
        waiting = f"to be sent by the channel {each.channel}: {each.deliveries}. {each.reason}"
        found.append(Finding("companion", "warning", waiting))
    if kept := await last_kept(dome.ports.database):
        problem = "; ".join(kept.failures)
        words = problem or f"last done {local_iso(kept.at, dome.zone)}"
        found.append(Finding("housekeeping", "warning" if problem else "ok", words))
    return found


async def _check_mail(dome: Dome) -> list[Finding]:
    """Whether Cloudflare takes mail to the addresses of channels that it is to bring it to."""
    channels = [each.channel for each in await list_channels(dome.ports, user_id=dome.user_id)]
    addresses = [each.address for each in channels if is_by_cloudflare(each.address)]
    if not addresses or not dome.settings.cloudflare.has_account:
        return []
    checks = importlib.import_module("dome_mcp.commands.cloud_mail_checks")
    return cast("list[Finding]", await checks.check_mail(dome.settings, addresses))


async def _repair(dome: Dome, show: Progress) -> list[str]:
    seen = await examine(dome.ports, is_abandoned=partial(_is_abandoned, dome))
    done = await repair(seen, dome.ports, now=dome.now(), parse=partial(parse_text, dome))
    if isinstance(dome.ports.blobs, FileBlobs) and await dome.ports.blobs.sweep(dome.now()):
        done.append("Removed unfinished files.")
    before = await index_state(dome)
    try:
        after = await wait_for_vectors(dome, show)
    except DomeError:
        return done  # The check of the model says why.
    if embedded := before.pending_chunks - after.pending_chunks:
        done.append(f"Embedded {embedded} chunks.")
    return done


async def _is_abandoned(dome: Dome, key: str) -> bool:
    """Whether a blob that no note names is DOME's, and older than a note takes to be stored."""
    blobs = dome.ports.blobs
    # A folder on this machine is DOME's alone; a bucket may be shared.
    if not isinstance(blobs, _DatedBlobs) or not (isinstance(blobs, FileBlobs) or is_ours(key)):
        return False
    written = await blobs.written_at(key)
    return written is not None and written < dome.now() - _ABANDONED_AFTER


def _report(found: Sequence[Finding], done: Sequence[str], output: Output) -> int:
    is_healthy = all(finding.level != "problem" for finding in found)
    output.value(
        {
            "healthy": is_healthy,
            "findings": [asdict(finding) for finding in found],
            "repaired": list(done),
        }
    )
    for finding in found:
        mark, style = _MARKS[finding.level]
        output.line(f"{mark}  {finding.check}: {finding.message}", style)
        if finding.hint and finding.level != "ok":
            output.line(f"         {finding.hint}")
    for sentence in done:
        output.line(f"repaired {sentence}", "cyan")
    return 0 if is_healthy else FAILED
