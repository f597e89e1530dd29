"""`dome-mcp cloud destroy`: takes DOME out of the account, after everything was copied here.

The database goes last. As long as it is there, the same command goes on where it was cut off.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dome_mcp.app import opened
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import Kind, Resource, delete
from dome_mcp.cloudflare_settings import PORT_NAMES
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
from dome_mcp.commands.config_file import set_values
from dome_mcp.commands.moving import at_once, move_users, user_ids_of
from dome_mcp.commands.output import Output
from dome_mcp.commands.shell import FAILED, Invocation
from dome_mcp.commands.typed import whole_path
from dome_mcp.core.errors import InvalidInput, NotFound
from dome_mcp.core.ports import BlobStore
from dome_mcp.services.moving_progress import Step
from dome_mcp.settings import CONFIG_FILE, NO_MODEL, Settings
from dome_mcp.stores import open_stores

_OURS = re.compile(r"[0-9a-f]{16}/")
"""How every key of DOME's begins; nothing else is taken out of the bucket."""


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
        if not _is_confirmed(name, found, folder, invocation):
            output.remark("Nothing was removed.")
            return FAILED
        cloud = _named(settings, found)
        if folder is not None and not await _copy(cloud, folder, found, output):
            output.remark(f"The copy in {folder} is not whole, so nothing was removed.")
            return FAILED
        await _remove(api, cloud, found, output)
    names = dict.fromkeys((SETTING[kind] for kind in found), None)
    set_values(settings.home / CONFIG_FILE, {**names, "backend": None})
    output.value(
        {
            "removed": [{"kind": kind, "name": each.name} for kind, each in found.items()],
            "copy": None if folder is None else str(folder),
        }
    )
    output.line(f"{len(found)} resources removed.", "green")
    if folder is not None:
        output.line(f"The copy is a DOME of its own: dome-mcp --home {folder}")
    return 0


async def _found(api: CloudflareApi, name: str, settings: Settings) -> dict[Kind, Resource]:
    """What there is of this name, all of it the settings' own."""
    looked = await inventory(api, dict.fromkeys(kinds_of(settings), name))
    for error in looked.refused.values():
        raise error
    found: dict[Kind, Resource] = {}
    for kind, resource in looked.found.items():
        if resource is not None:
            require_ours(kind, resource, settings)
            found[kind] = resource
    if not found:
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
    output.remark("This removes from your Cloudflare account, for good:")
    for kind, resource in found.items():
        output.remark(f"  {CALLED[kind]}  {resource.name}  ({resource.key})")
    output.remark("without a copy." if folder is None else f"First it is copied to {folder}.")
    output.remark(f"Type {name} to go on:")
    return sys.stdin.readline().strip() == name


def _named(settings: Settings, found: Mapping[Kind, Resource]) -> Settings:
    """The settings with every port on Cloudflare, in the resources that were found."""
    places = dict.fromkeys(PORT_NAMES, "cloudflare")
    keys = {SETTING[kind]: each.key for kind, each in found.items() if kind != "gateway"}
    cloud = replace(settings.cloudflare, **places, **keys)
    return replace(settings, backend="cloudflare", cloudflare=cloud)


async def _copy(
    cloud: Settings, folder: Path, found: Mapping[Kind, Resource], output: Output
) -> bool:
    """Whether everything is now in a DOME in `folder`, as both sides say."""
    if not {"database", "bucket"} <= found.keys():
        raise InvalidInput(
            "The database or the bucket is gone, so nothing can be copied.",
            "Add --no-export to remove what is left.",
        )
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
        with output.progress() as show:
            moved = await move_users(user_ids, source.ports, target.ports, vectors=None, show=show)
    return all(each.is_whole for each in moved.values())


async def _remove(
    api: CloudflareApi, cloud: Settings, found: Mapping[Kind, Resource], output: Output
) -> None:
    if "bucket" in found:
        async with open_stores(cloud) as stores:
            await _empty(stores.blobs)
    with output.progress() as show:
        for done, kind in enumerate(reversed(KINDS)):
            show("removing", done, len(KINDS))
            if kind in found:
                await delete(api, found[kind])


async def _empty(blobs: BlobStore) -> None:
    def removal(key: str) -> Step:
        async def remove() -> None:
            await blobs.delete(key)

        return remove

    keys = await blobs.keys()
    await at_once([removal(key) for key in keys if _OURS.match(key)])
