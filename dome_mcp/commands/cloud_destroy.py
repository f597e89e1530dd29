"""`dome-mcp cloud destroy`: takes DOME out of the account, after everything was copied here.

Wherever it is cut off, the same command goes on: the database goes last, and a copy that is whole
stays so when the bucket is gone already. The settings forget the names when nothing is left.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dome_mcp.app import opened
from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import Kind, Resource, delete
from dome_mcp.cloudflare_settings import PORT_NAMES
from dome_mcp.commands.blob_keys import is_ours
from dome_mcp.commands.cloud_account import (
    SETTING,
    inventory,
    kinds_of,
    local_settings,
    name_of,
    open_account,
    require_ours,
)
from dome_mcp.commands.cloud_plan import CALLED, KINDS
from dome_mcp.commands.cloud_withdrawal import withdraw
from dome_mcp.commands.config_file import set_values
from dome_mcp.commands.moving import at_once, move_users, user_ids_of
from dome_mcp.commands.output import Output
from dome_mcp.commands.shell import FAILED, Invocation
from dome_mcp.commands.typed import whole_path
from dome_mcp.core.errors import BackendRejected, InvalidInput, NotFound
from dome_mcp.core.ports import BlobStore, Database
from dome_mcp.services.moving_progress import Step
from dome_mcp.settings import CONFIG_FILE, NO_MODEL, Settings
from dome_mcp.store import vector_indexes
from dome_mcp.stores import open_stores

_WITHOUT = "Add --no-export to remove what is left."


async def destroy(invocation: Invocation) -> int:
    """Copies everything to a new local DOME, then removes it from the account; 1 if told no.

    Raises:
        NotFound: nothing of this name is there.
        Conflict: the settings name another resource.
        InvalidInput: the name was not confirmed, or there is nobody to ask.
        BackendError: it is not finished; the same command goes on.
    """
    arguments, output = invocation.arguments, invocation.output
    settings = local_settings(invocation)
    name = name_of(invocation, settings)
    folder = None if arguments.no_export else _copy_folder(arguments.export, settings)
    async with open_account(settings) as api:
        found = await _found(api, name, settings)
        folder = folder if found else None
        if not _is_confirmed(name, found, folder, invocation):
            output.remark("Nothing was removed.")
            return FAILED
        cloud = _named(settings, found, name)
        if folder is not None and not await _copy(cloud, folder, found, output):
            output.remark(f"The copy in {folder} is not whole, so nothing was removed.")
            return FAILED
        workers = await withdraw(api, name, jurisdiction=settings.cloudflare.r2_jurisdiction)
        await _remove(api, cloud, found, output)
    names = (*SETTING.values(), "r2_jurisdiction", "backend")
    set_values(settings.home / CONFIG_FILE, dict.fromkeys(names, None))
    output.value(
        {
            "removed": [{"kind": kind, "name": each.name} for kind, each in found.items()],
            "workers": workers,
            "copy": None if folder is None else str(folder),
        }
    )
    output.line(f"{len(found)} resources and {len(workers)} Workers removed.", "green")
    if folder is not None:
        output.line(f"The copy is a DOME of its own: dome-mcp --home {folder}")
    return 0


async def _found(api: CloudflareApi, name: str, settings: Settings) -> dict[Kind, Resource]:
    """What there is of this name, all of it the settings' own.

    Nothing where a run was cut off at its very end: the settings still have the names then.
    """
    within = settings.cloudflare.r2_jurisdiction
    looked = await inventory(api, dict.fromkeys(kinds_of(settings), name), jurisdiction=within)
    for error in looked.refused.values():
        raise error
    found: dict[Kind, Resource] = {}
    for kind, resource in looked.found.items():
        if resource is not None:
            require_ours(kind, resource, settings)
            found[kind] = resource
    known = (settings.cloudflare.vectorize_index, settings.cloudflare.r2_bucket)
    if not found and name not in known:
        raise NotFound("DOME on Cloudflare", name, "Send the --name it was made with.")
    return found


def _copy_folder(named: str | None, settings: Settings) -> Path:
    """Where the copy goes; one that was begun for the same purpose may go on."""
    folder = whole_path(named) if named else settings.home.with_name(f"{settings.home.name}-copy")
    if folder == settings.home:
        raise InvalidInput("The copy must not go into the data folder.", "Send another --export.")
    return folder


def _is_confirmed(
    name: str, found: Mapping[Kind, Resource], folder: Path | None, invocation: Invocation
) -> bool:
    output, given = invocation.output, invocation.arguments.confirm
    if given is not None:
        if given != name:
            raise InvalidInput(f"--confirm is not {name!r}.", "Nothing was removed.")
        return True
    if output.is_json or not sys.stdin.isatty():
        raise InvalidInput(
            "There is nobody to ask whether to remove it.", f"Add --confirm {name} to go on."
        )
    if found:
        output.remark("This removes from your Cloudflare account, for good:")
        for kind, resource in found.items():
            output.remark(f"  {CALLED[kind]}  {resource.name}  ({resource.key})")
        output.remark("without a copy." if folder is None else f"First it is copied to {folder}.")
    else:
        output.remark("It is gone already; this takes its names out of the settings.")
    output.remark(f"Type {name} to go on:")
    return sys.stdin.readline().strip() == name


def _named(settings: Settings, found: Mapping[Kind, Resource], name: str) -> Settings:
    """The settings with every port on Cloudflare, in the resources that were found."""
    places = dict.fromkeys(PORT_NAMES, "cloudflare")
    keys = {SETTING[kind]: each.key for kind, each in found.items() if kind != "gateway"}
    cloud = replace(settings.cloudflare, **{**places, "r2_bucket": name, **keys})
    return replace(settings, backend="cloudflare", cloudflare=cloud)


async def _copy(
    cloud: Settings, folder: Path, found: Mapping[Kind, Resource], output: Output
) -> bool:
    """Whether everything is now in a DOME in `folder`, as both sides say.

    Without the bucket nothing is missing where an earlier run has copied its files.
    """
    if "database" not in found:
        raise InvalidInput("The database is gone, so nothing can be copied.", _WITHOUT)
    here = replace(
        cloud,
        home=folder,
        backend="embedded",
        embedding_model=None,
        cloudflare=replace(cloud.cloudflare, **dict.fromkeys(PORT_NAMES, "embedded")),
    )
    # Without the model: notes are read by their rows, whatever made the vectors.
    away = replace(cloud, embedding_model=NO_MODEL)
    async with opened(away) as source, opened(here) as target:
        user_ids = await user_ids_of(None, source)
        try:
            with output.progress() as show:
                moved = await move_users(
                    user_ids, source.ports, target.ports, vectors=None, show=show
                )
        except BackendRejected as error:
            if "bucket" in found:
                raise
            raise InvalidInput(
                f"The bucket is gone, and the copy in {folder} has not all its files.", _WITHOUT
            ) from error
    return all(each.is_whole for each in moved.values())


async def _remove(
    api: CloudflareApi, cloud: Settings, found: Mapping[Kind, Resource], output: Output
) -> None:
    if "database" in found:
        for index in await _moved_to(D1Database(api, found["database"].key), cloud):
            await delete(api, index)
    if "bucket" in found:
        async with open_stores(cloud) as stores:
            await _empty(stores.blobs)
    with output.progress() as show:
        for done, kind in enumerate(reversed(KINDS)):
            show("removing", done, len(KINDS))
            if kind in found:
                await delete(api, found[kind])


async def _moved_to(database: Database, cloud: Settings) -> list[Resource]:
    """The indexes that `reindex --to` made beside the first one."""
    first = cloud.cloudflare.vectorize_index or ""
    try:
        rows = await database.batch(
            [vector_indexes.searched_index(first=first), vector_indexes.other_indexes(first=first)]
        )
    except BackendRejected:
        return []  # The tables are older than such indexes, or were never made.
    names = {str(row["index_name"]) for found in rows for row in found} - {first}
    return [Resource("index", name, name) for name in sorted(names)]


async def _empty(blobs: BlobStore) -> None:
    def removal(key: str) -> Step:
        async def remove() -> None:
            await blobs.delete(key)

        return remove

    keys = await blobs.keys()
    await at_once([removal(key) for key in keys if is_ours(key)])
