"""What commands do where another DOME has the data: its answers, as the values they print."""

import argparse
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import httpx

from dome_mcp.api_client.connection import Api, connected
from dome_mcp.api_client.ingest_call import outcome, send_file
from dome_mcp.commands.tally import Outcome, Tally
from dome_mcp.commands.typed import STANDARD_INPUT
from dome_mcp.core.errors import BackendUnavailable, DomeError
from dome_mcp.core.model import (
    Answer,
    Citation,
    IndexState,
    Passage,
    Scores,
    SearchResult,
    Timing,
    Tokens,
)
from dome_mcp.documents.formats import SUPPORTED_EXTENSIONS
from dome_mcp.services.integrity import Finding
from dome_mcp.settings import Settings
from dome_mcp.sources.files import walk
from dome_mcp.tools.answers import Answered
from dome_mcp.tools.found import READY, Found
from dome_mcp.tools.note_results import Stored
from dome_mcp.tools.results import CitationResult, PassageResult

_AMONG = ("tags", "context", "note_ids", "since", "until")


async def search(settings: Settings, arguments: argparse.Namespace) -> SearchResult:
    """The passages that the server finds for the arguments of `dome-mcp search`."""
    first, last = arguments.offset, arguments.offset + arguments.limit
    wanted = {"q": " ".join(arguments.query), "mode": arguments.mode, "limit": last}
    async with connected(settings) as api:
        found: Found = await api.get("search", {**wanted, **_among(arguments)})
    return SearchResult(
        passages=tuple(map(_passage, found["passages"][first:])),
        index=_index(found["index_state"]),
        next_offset=last if "next_cursor" in found else None,
    )


async def ask(settings: Settings, arguments: argparse.Namespace) -> Answer:
    """The server's answer to the question of `dome-mcp ask`."""
    asked = {"question": " ".join(arguments.question), "limit": arguments.limit}
    async with connected(settings) as api:
        answered: Answered = await api.post("chat", {**asked, **_among(arguments)})
    return Answer(
        text=answered["answer"],
        answered=answered["answered"],
        citations=tuple(map(_citation, answered["citations"])),
        passages=tuple(map(_passage, answered["passages"])),
        model=answered["model"],
        index=IndexState(),
        warnings=tuple(answered.get("warnings", ())),
        confidence=answered["confidence"],
        tokens=_tokens(answered),
        timing=_timing(answered),
    )


async def store(
    settings: Settings,
    arguments: argparse.Namespace,
    *,
    paths: Sequence[str],
    urls: Sequence[str],
    text: str | None,
    tally: Tally,
) -> None:
    """Sends files, addresses and a text; one that is refused stops no other.

    Raises:
        BackendUnavailable: the server does not answer; what was stored before is kept.
    """
    labels = {name: getattr(arguments, name, None) for name in ("title", "tags", "context")}
    labels = {name: value for name, value in labels.items() if value}
    async with connected(settings) as api:
        if text is not None:
            sending = partial(api.send, "POST", "ingest", body={"text": text, **labels})
            await _take(api, STANDARD_INPUT, sending, tally=tally)
        for path in _files(settings, paths, tally):
            sending = partial(send_file, api, path, labels, settings=settings)
            await _take(api, path, sending, tally=tally)
        for url in urls:
            sending = partial(api.send, "POST", "ingest", body={"url": url, **labels})
            await _take(api, url, sending, tally=tally)


async def check(settings: Settings) -> list[Finding]:
    """Whether the server answers, whom the token stands for, and how the server says it does."""
    async with connected(settings) as api:
        try:
            me: dict[str, Any] = await api.get("me")
        except DomeError as error:
            return [Finding("server", "problem", error.message, error.hint)]
        scopes = ", ".join(me["scopes"]) or "nothing"
        found = [
            Finding("server", "ok", f"{api.server} answers"),
            Finding("token", "ok", f"of {me['user_id']}, for {scopes}"),
        ]
        if "notes:read" not in me["scopes"]:
            return found
        try:
            status: dict[str, Any] = await api.get("status")
        except DomeError as error:
            return [*found, Finding("data", "problem", error.message, error.hint)]
    total = f"{status['notes']} notes, {status['chunks']} chunks"
    warnings = [Finding("server", "warning", words) for words in status["warnings"]]
    return [*found, Finding("notes", "ok", total), *warnings]


def _files(settings: Settings, paths: Sequence[str], tally: Tally) -> Iterator[str]:
    for name in paths:
        try:
            yield from map(
                str,
                walk(
                    [name],
                    roots=settings.allowed_roots,
                    extensions=SUPPORTED_EXTENSIONS,
                    excluded=(settings.home,),
                    on_skipped=lambda path, reason: tally.skip(str(path), reason),
                ),
            )
        except DomeError as error:
            tally.fail(name, error)


async def _take(
    api: Api, source: str, sending: Callable[[], Awaitable[httpx.Response]], *, tally: Tally
) -> None:
    try:
        response = await sending()
    except BackendUnavailable:
        raise  # The next would not arrive either.
    except DomeError as error:
        tally.fail(source, error)
        return
    try:
        stored = await outcome(api, response, report=_silently)
    except DomeError as error:
        tally.fail(source, error)
        return
    tally.count(source, stored["note_id"], _outcome_of(stored))


async def _silently(*_: object) -> None:
    """A command tells of what is done, and not of how far the server is."""


def _outcome_of(stored: Stored) -> Outcome:
    if stored["duplicate"]:
        return "unchanged"
    return "updated" if stored["updated"] else "stored"


def _among(arguments: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name in _AMONG if (value := getattr(arguments, name))}


def _index(state: str) -> IndexState:
    return IndexState(note=None if state == READY else state)


def _passage(result: PassageResult) -> Passage:
    place, scores = result["location"], result["scores"]
    return Passage(
        note_id=result["note_id"],
        chunk_id=result["chunk_id"],
        title=result["title"],
        text=result["text"],
        created_at=datetime.fromisoformat(result["date"]),
        start=place["start"],
        end=place["end"],
        ordinal=0,
        score=result["score"],
        scores=Scores(scores.get("keyword"), scores.get("semantic")),
        page=place.get("page"),
        heading=place.get("heading"),
        tags=tuple(result["tags"]),
        source=result.get("source"),
    )


def _tokens(answered: Answered) -> Tokens | None:
    counts = answered.get("tokens")
    return None if counts is None else Tokens(counts.get("prompt"), counts.get("completion"))


def _timing(answered: Answered) -> Timing | None:
    took = answered.get("milliseconds")
    return None if took is None else Timing(took["search"] / 1000, took["answer"] / 1000)


def _citation(result: CitationResult) -> Citation:
    place = result["location"]
    return Citation(
        n=result["n"],
        note_id=result["note_id"],
        chunk_id="",
        title=result["title"],
        created_at=datetime.fromisoformat(result["date"]),
        quote=result["quote"],
        start=result["start"],
        end=result["end"],
        page=place.get("page"),
        heading=place.get("heading"),
    )
