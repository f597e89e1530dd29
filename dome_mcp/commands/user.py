"""`dome-mcp user`: who has data here."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
import anyio.to_thread

from dome_mcp.app import opened
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.commands.output import Output
from dome_mcp.commands.shell import FAILED, Invocation
from dome_mcp.core.errors import BackendError, Forbidden, InvalidInput
from dome_mcp.core.identifiers import user_prefix
from dome_mcp.core.ports import Database
from dome_mcp.core.timestamps import local_iso
from dome_mcp.core.zones import parse_zone
from dome_mcp.remote.spool import Spool
from dome_mcp.services import users as service
from dome_mcp.services.user_data import Deletion, delete_user, user_data_counts
from dome_mcp.services.users import UserChanges
from dome_mcp.settings import BLOB_FOLDER, Settings
from dome_mcp.store.users import User, UserCounts


async def add(invocation: Invocation) -> int:
    """Adds a user, who has nothing yet and no way in but an OAuth server's word."""
    arguments, output, settings = invocation.arguments, invocation.output, invocation.settings()
    zone = parse_zone(arguments.timezone) if arguments.timezone else None
    async with opened(settings) as dome:
        user = await service.add_user(
            arguments.user_id,
            dome.ports,
            now=dome.now(),
            zone=zone,
            identity=arguments.identity,
        )
    output.value(_shape(user, settings))
    output.line(f"Added {user.user_id}.")
    if user.identity is None and not output.is_json:
        output.remark(
            f"Let them in with `dome-mcp token create --user {user.user_id} --scope all`."
        )
    return 0


async def change(invocation: Invocation) -> int:
    """Changes a user's time zone or identity; an empty text takes it away."""
    arguments, output, settings = invocation.arguments, invocation.output, invocation.settings()
    if arguments.timezone is None and arguments.identity is None:
        raise InvalidInput("Nothing to change is given.", "Send --timezone or --identity.")
    zone = arguments.timezone and parse_zone(arguments.timezone).key
    async with opened(settings) as dome:
        user = await service.set_user(
            arguments.user_id,
            UserChanges(zone=zone, identity=arguments.identity),
            dome.ports,
            now=dome.now(),
            adds=arguments.user_id == settings.user,
        )
    output.value(_shape(user, settings))
    output.line(f"Changed {user.user_id}.")
    return 0


async def list_users(invocation: Invocation) -> int:
    """Prints everybody who has something, or was added, and how much they have."""
    output, settings = invocation.output, invocation.settings()
    async with opened(settings) as dome:
        found = list(await service.list_users(dome.ports, now=dome.now()))
    if settings.user not in {each.user.user_id for each in found}:
        nothing = UserCounts(User(settings.user), 0, 0, 0, 0, 0)
        found = sorted([*found, nothing], key=lambda each: each.user.user_id)
    output.value({"users": [_counted(each, settings) for each in found]})
    output.table(
        ("user", "notes", "tasks", "reminders", "channels", "tokens", "time zone", "identity", ""),
        [
            (
                each.user.user_id,
                *(str(count) for count in _counts(each).values()),
                each.user.zone or "",
                each.user.identity or "",
                _remark(each.user, settings),
            )
            for each in found
        ],
    )
    return 0


async def delete(invocation: Invocation) -> int:
    """Deletes a user with everything they have, for good; 1 where something is left."""
    arguments, output, settings = invocation.arguments, invocation.output, invocation.settings()
    user_id: str = arguments.user_id
    if user_id == settings.user and not arguments.owner_too:
        raise Forbidden(
            f"{user_id!r} is the owner of this data folder (DOME_USER).",
            "Add --owner-too to delete all that the owner has.",
        )
    async with opened(settings) as dome:
        had = await user_data_counts(dome.ports, user_id=user_id)
        if not arguments.yes and not _confirmed(invocation, user_id, had):
            output.remark("Nothing was deleted.")
            return FAILED
        deletion = await delete_user(
            dome.ports,
            user_id=user_id,
            now=datetime.now(UTC),
            drop_upload=Spool.of(settings).remove,
            let_finish=lambda: _wait(arguments.wait, output),
        )
        if deletion.is_complete:
            folder = settings.home / BLOB_FOLDER / user_prefix(user_id)
            await anyio.to_thread.run_sync(_remove_empty_folders, folder)
            await _compact(dome.ports.database, output)
    return _report(invocation, user_id, deletion)


async def _wait(seconds: float, output: Output) -> None:
    if not output.is_json:
        output.remark(f"Waiting {seconds:g} s for requests that have begun.")
    await anyio.sleep(seconds)


async def _compact(database: Database, output: Output) -> None:
    """Has the database let go of the bytes too, which stand in its file until it needs the room."""
    if not isinstance(database, SqliteDatabase):
        return
    try:
        await database.compact()
    except BackendError as error:
        output.remark(
            f"The database file still holds the bytes of deleted rows: {error} They go when the "
            "next user is deleted, or by SQLite's VACUUM."
        )


def _report(invocation: Invocation, user_id: str, deletion: Deletion) -> int:
    output = invocation.output
    output.value(
        {
            "user_id": user_id,
            "deleted": deletion.is_complete,
            "had": dict(deletion.had),
            "left": dict(deletion.left),
        }
    )
    if deletion.is_complete:
        output.line(f"Deleted {user_id}: {_words(deletion.had)}. Nothing of it is left here.")
        if not output.is_json:
            output.remark("Backups and exports that were made before still hold it.")
        return 0
    output.line(
        f"Not finished: {_words(deletion.left)} came while {user_id} was being deleted. Something "
        f"still acts as this user: stop the servers and companions with DOME_USER={user_id}, then "
        "run this again.",
        "red",
    )
    return FAILED


def _confirmed(invocation: Invocation, user_id: str, had: Mapping[str, int]) -> bool:
    answer = invocation.output.confirms(
        f"{user_id} has {_words(had)}. Delete the user and all of this for good?"
    )
    if answer is None:
        raise InvalidInput("There is nobody to ask whether to delete.", "Add --yes to delete.")
    return answer


def _words(counts: Mapping[str, int]) -> str:
    named = (f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    return ", ".join(named) or "nothing"


def _remove_empty_folders(folder: Path) -> None:
    """Removes the folders of blobs that are gone: their names are the ids of notes."""
    if not folder.is_dir():
        return
    for path in (*folder.iterdir(), folder):
        try:
            path.rmdir()
        except OSError:  # Not empty after all: then somebody has just written there.
            return


def _counts(counted: UserCounts) -> dict[str, int]:
    return {
        "notes": counted.notes,
        "tasks": counted.tasks,
        "reminders": counted.reminders,
        "channels": counted.channels,
        "tokens": counted.tokens,
    }


def _counted(counted: UserCounts, settings: Settings) -> dict[str, object]:
    return {**_shape(counted.user, settings), **_counts(counted)}


def _remark(user: User, settings: Settings) -> str:
    if user.is_leaving:
        return "being deleted"
    return "owner" if user.user_id == settings.user else ""


def _shape(user: User, settings: Settings) -> dict[str, object]:
    zone: ZoneInfo = settings.timezone
    return {
        "user_id": user.user_id,
        "timezone": user.zone,
        "identity": user.identity,
        "created_at": user.created_at and local_iso(user.created_at, zone),
        "is_owner": user.user_id == settings.user,
        "is_being_deleted": user.is_leaving,
    }
