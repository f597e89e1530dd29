"""`dome-mcp import`: an export of DOME, or what another system wrote."""

from functools import partial
from pathlib import Path

from dome_mcp.app import Dome, opened
from dome_mcp.commands.faiss import read_faiss
from dome_mcp.commands.importing import restore_folder
from dome_mcp.commands.indexing import index_state, wait_for_vectors
from dome_mcp.commands.ingest import allowing
from dome_mcp.commands.jsonl import read_lines
from dome_mcp.commands.obsidian import read_vault
from dome_mcp.commands.output import Progress
from dome_mcp.commands.postgres import read_dump
from dome_mcp.commands.reading import read_files
from dome_mcp.commands.records import store_records
from dome_mcp.commands.shell import Invocation
from dome_mcp.commands.tally import Tally, report
from dome_mcp.commands.typed import labels_of, whole_path
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import InvalidInput, NotFound

_FOLDERS = frozenset({"markdown", "obsidian", "faiss"})


async def import_any(invocation: Invocation) -> int:
    """Restores an export, or stores what `--from` says; 1 where some of it failed.

    Raises:
        NotFound: nothing is there.
        InvalidInput: it is not what `--from` says.
    """
    arguments = invocation.arguments
    if arguments.origin is None:
        return await restore_folder(invocation)
    path = whole_path(arguments.folder)
    _require(path, arguments.origin)
    settings = allowing(invocation.settings(), [str(path)])
    tally = Tally()
    async with opened(settings) as dome:
        with invocation.output.progress() as show:
            await _read(dome, path, invocation, tally, show)
            waits = not arguments.no_wait
            index = await (wait_for_vectors(dome, show) if waits else index_state(dome))
    return report(tally, index, invocation.output)


def _require(path: Path, origin: str) -> None:
    """Sees to it that a folder is there where one is read, and else a file."""
    if not path.exists():
        raise NotFound("file", str(path), "Check the path.")
    if path.is_dir() != (origin in _FOLDERS):
        wanted = "a folder" if origin in _FOLDERS else "a file"
        raise InvalidInput(f"--from {origin} reads {wanted}.", f"{path} is none.")


async def _read(
    dome: Dome, path: Path, invocation: Invocation, tally: Tally, show: Progress
) -> None:
    origin, labels = invocation.arguments.origin, _labels(invocation)
    if origin == "jsonl":
        await read_lines(dome, str(path), labels, tally=tally, show=show)
    elif origin == "markdown":
        await read_files(dome, [str(path)], labels, tally=tally, show=show)
    elif origin == "obsidian":
        await read_vault(dome, path, labels, tally=tally, show=show)
    else:
        column: str | None = invocation.arguments.column
        read = read_faiss if origin == "faiss" else partial(read_dump, column=column)
        await store_records(dome, read(path), labels, tally=tally, show=show)


def _labels(invocation: Invocation) -> Labels:
    return labels_of(invocation.arguments)
