"""`dome-mcp search` and `dome-mcp ask`."""

import importlib
import shutil
import textwrap
import time
from collections.abc import Iterator
from datetime import tzinfo
from types import ModuleType
from typing import cast

from dome_mcp.app import Dome, opened
from dome_mcp.commands.output import Output
from dome_mcp.commands.shapes import answer_shape, place, search_shape
from dome_mcp.commands.shell import Invocation
from dome_mcp.commands.typed import filter_of
from dome_mcp.core.errors import BackendError
from dome_mcp.core.model import Answer, Citation, Passage, SearchResult
from dome_mcp.services import search as searching
from dome_mcp.services.answer import answer as answered_from
from dome_mcp.services.asking import Question
from dome_mcp.tools.excerpts import excerpt, shortened

_EXCERPT = 400
_WIDEST = 100
"""Longer lines are hard to read."""


async def search(invocation: Invocation) -> int:
    """Prints the passages that answer a query, best first."""
    arguments = invocation.arguments
    settings = invocation.settings()
    request = searching.SearchRequest(
        query=" ".join(arguments.query),
        limit=arguments.limit,
        mode=arguments.mode,
        among=filter_of(arguments, settings.timezone),
        offset=arguments.offset,
    )
    if settings.api_url is not None:
        result = cast("SearchResult", await _over_api().search(settings, arguments))
    else:
        async with opened(settings) as dome:
            if arguments.mode != "keyword":
                await _load_model(dome)
            result = await searching.search(request, dome.ports, user_id=dome.user_id)
    invocation.output.value(search_shape(result, settings.timezone))
    _print_passages(result, request, settings.timezone, output=invocation.output)
    return 0


async def ask(invocation: Invocation) -> int:
    """Prints an answer and what it rests on."""
    arguments = invocation.arguments
    settings = invocation.settings()
    question = Question(
        text=" ".join(arguments.question),
        limit=arguments.limit,
        among=filter_of(arguments, settings.timezone),
    )
    if settings.api_url is not None:
        answer = cast("Answer", await _over_api().ask(settings, arguments))
    else:
        async with opened(settings) as dome:
            await _load_model(dome)
            answer = await answered_from(
                question,
                dome.ports,
                user_id=dome.user_id,
                now=dome.now().astimezone(settings.timezone),
                stopwatch=time.perf_counter,
            )
    invocation.output.value(answer_shape(answer, settings.timezone))
    _print_answer(answer, settings.timezone, invocation.output)
    return 0


def _over_api() -> ModuleType:
    # Late, so that whoever has the data on this machine does not wait for what it imports.
    return importlib.import_module("dome_mcp.commands.over_api")


async def _load_model(dome: Dome) -> None:
    """Loads the model before the search, which would otherwise answer without it."""
    if dome.ports.embedder is None:
        return
    try:
        await dome.ports.embedder.warm_up()
    except BackendError:
        return  # The search says itself what it did without.


def _print_passages(
    result: SearchResult, request: searching.SearchRequest, zone: tzinfo, *, output: Output
) -> None:
    for number, passage in enumerate(result.passages, request.offset + 1):
        output.line(f"{number}. {passage.title}", "bold")
        output.line(f"   {_origin(passage, zone)}, score {passage.score:.2f}", "dim")
        output.line(_indented(excerpt(passage.text, request.query, width=_EXCERPT), "   "))
        output.line()
    if not result.passages:
        output.line("No match.")
    if result.index.note:
        output.line(result.index.note, "yellow")
    if result.next_offset is not None:
        output.line(f"More with --offset {result.next_offset}.", "dim")


def _print_answer(answer: Answer, zone: tzinfo, output: Output) -> None:
    output.line(answer.text, "bold")
    output.line()
    for citation in answer.citations:
        output.line(f"[{citation.n}] {citation.title}, {_origin(citation, zone)}", "dim")
        output.line(_indented(shortened(citation.quote, _EXCERPT), "    "))
    if not answer.answered and answer.passages:
        closest = ", ".join(dict.fromkeys(passage.title for passage in answer.passages[:5]))
        output.line(f"Closest: {closest}", "dim")
    for warning in answer.warnings:
        output.line(warning, "yellow")
    output.line(", ".join(_making(answer)), "dim")


def _making(answer: Answer) -> Iterator[str]:
    """What made the answer, how sure it is of it, and what that took."""
    yield answer.model
    if answer.answered:
        yield f"confidence {answer.confidence:.2f}"
    if (tokens := answer.tokens) is not None and tokens.prompt is not None:
        yield f"{tokens.prompt} tokens read, {tokens.completion or 0} written"
    if answer.timing is not None:
        yield f"{answer.timing.search + answer.timing.answer:.1f} s"


def _origin(part: Passage | Citation, zone: tzinfo) -> str:
    """Date, place and note id on one line."""
    date = f"{part.created_at.astimezone(zone):%Y-%m-%d}"
    return ", ".join(filter(None, (date, place(part), part.note_id)))


def _indented(text: str, indent: str) -> str:
    """The text as a paragraph that fits the terminal."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    return textwrap.fill(
        " ".join(text.split()),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
