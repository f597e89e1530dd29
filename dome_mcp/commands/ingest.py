"""`dome-mcp ingest`: files, folders, web pages, text and lines of JSON become notes."""

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dome_mcp.app import Dome, opened
from dome_mcp.commands.indexing import index_state, wait_for_vectors
from dome_mcp.commands.jsonl import read_lines
from dome_mcp.commands.output import Progress
from dome_mcp.commands.reading import read_files
from dome_mcp.commands.shell import Invocation
from dome_mcp.commands.tally import Tally, report
from dome_mcp.commands.typed import STANDARD_INPUT, labels_of, read_text, whole_path
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import BackendUnavailable, DomeError, InvalidInput, QuotaExhausted
from dome_mcp.core.model import IndexState
from dome_mcp.intake import ingest_url
from dome_mcp.settings import Settings
from dome_mcp.texts import ingest_text

_OF_ONE_PAGE = ("web", "markdown conversion")
"""The backends without which one page is not read; without the others nothing can be stored."""


@dataclass(frozen=True, slots=True)
class _Sources:
    """What to take in, by kind."""

    paths: tuple[str, ...]
    urls: tuple[str, ...]
    has_text: bool
    """There is a text on standard input."""
    lines: str | None
    """A file of JSON lines."""


async def ingest(invocation: Invocation) -> int:
    """Stores all sources; one that fails stops no other. 1 where some failed."""
    sources = _sources(invocation)
    labels = labels_of(invocation.arguments)
    settings = allowing(invocation.settings(), sources.paths)
    tally = Tally()
    if settings.api_url is not None:
        await _store_there(invocation, settings, sources, tally)
        return report(tally, IndexState(), invocation.output)
    async with opened(settings) as dome:
        with invocation.output.progress() as show:
            await _store(dome, sources, labels, tally=tally, show=show)
            waits = not invocation.arguments.no_wait
            index = await (wait_for_vectors(dome, show) if waits else index_state(dome))
    return report(tally, index, invocation.output)


def allowing(settings: Settings, paths: Sequence[str]) -> Settings:
    """The settings with the paths as allowed roots.

    The roots keep a model, which may have read a hostile page, to some folders. What users name
    on their own command line, they allow.
    """
    named = tuple(map(whole_path, paths))
    return replace(settings, allowed_roots=(*settings.allowed_roots, *named))


async def _store_there(
    invocation: Invocation, settings: Settings, sources: _Sources, tally: Tally
) -> None:
    if sources.lines is not None:
        raise InvalidInput("--jsonl needs the data folder.", "Run it where the data are.")
    text = await read_text(STANDARD_INPUT) if sources.has_text else None
    # Late, so that whoever has the data on this machine does not wait for what it imports.
    over_api = importlib.import_module("dome_mcp.commands.over_api")
    await over_api.store(
        settings,
        invocation.arguments,
        paths=sources.paths,
        urls=sources.urls,
        text=text,
        tally=tally,
    )


async def _store(
    dome: Dome, sources: _Sources, labels: Labels, *, tally: Tally, show: Progress
) -> None:
    if sources.lines is not None:
        await read_lines(dome, sources.lines, labels, tally=tally, show=show)
    if sources.has_text:
        text = await read_text(STANDARD_INPUT)
        tally.add(STANDARD_INPUT, await ingest_text(dome, text, labels))
    if sources.paths:
        await read_files(dome, sources.paths, labels, tally=tally, show=show)
    for done, url in enumerate(sources.urls):
        show("reading pages", done, len(sources.urls))
        await _store_page(dome, url, labels, tally)


async def _store_page(dome: Dome, url: str, labels: Labels, tally: Tally) -> None:
    try:
        tally.add(url, await ingest_url(dome, url, labels))
    except (BackendUnavailable, QuotaExhausted) as error:
        if error.backend not in _OF_ONE_PAGE:
            raise
        tally.fail(url, error)
    except DomeError as error:
        tally.fail(url, error)


def _sources(invocation: Invocation) -> _Sources:
    """The sources that were named.

    Raises:
        InvalidInput: there are none, or a title for several.
    """
    arguments = invocation.arguments
    named: list[str] = arguments.sources
    urls = tuple(name for name in named if name.lower().startswith(("http://", "https://")))
    has_text = STANDARD_INPUT in named
    paths = tuple(name for name in named if name not in urls and name != STANDARD_INPUT)
    if not named and arguments.jsonl is None:
        raise InvalidInput("There is nothing to ingest.", "Name a file, a folder or a URL.")
    if has_text and arguments.jsonl == STANDARD_INPUT:
        raise InvalidInput("Standard input can be read once.", "Use - for one of the two.")
    is_single = len(named) == 1 and arguments.jsonl is None
    if arguments.title and not (is_single and not any(map(os.path.isdir, paths))):
        raise InvalidInput("A title is for one file, page or text.", "Leave --title out.")
    return _Sources(paths, urls, has_text, arguments.jsonl)
