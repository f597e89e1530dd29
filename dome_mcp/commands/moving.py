"""`dome-mcp push` and `pull`: all data from this machine to Cloudflare, and back."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace

import anyio

from dome_mcp.app import Dome, opened
from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.embedded.stored_vectors import StoredVectors
from dome_mcp.cloudflare_settings import PORT_NAMES, WORKERS_AI_PREFIX
from dome_mcp.commands.config_file import set_values
from dome_mcp.commands.output import Output, Progress
from dome_mcp.commands.push_allowance import told_how_to_go_on, warn
from dome_mcp.commands.shell import FAILED, Invocation
from dome_mcp.core.errors import BackendUnavailable, InvalidInput, NotFound
from dome_mcp.core.ports import Ports
from dome_mcp.services.companions import companion_state
from dome_mcp.services.figures import overall_figures
from dome_mcp.services.moving import FILES, NOTES, Sides, move_user
from dome_mcp.services.moving_check import Verdict, verify_user
from dome_mcp.services.moving_cost import Cost, cost_of_moving
from dome_mcp.services.moving_progress import Move, Step, VectorReader
from dome_mcp.services.users import list_users
from dome_mcp.setting_values import Backend
from dome_mcp.settings import CONFIG_FILE, DATABASE_FILE, Settings

_FILES_AT_ONCE = 8
_TRIES = 4
_WAIT_SECONDS = 2.0
_LONGEST_WAIT_SECONDS = 60.0
_SHOWN = 5
_VARIABLE = "DOME_BACKEND"


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of one user's data."""

    moves: Mapping[str, Move]
    verdict: Verdict

    @property
    def is_whole(self) -> bool:
        """Whether everything that there was has arrived."""
        return self.verdict.is_equal and not self.moves[FILES].lost


async def push(invocation: Invocation) -> int:
    """Brings what is on this machine to Cloudflare; 1 where something did not arrive.

    Raises:
        NotFound: there is nothing on this machine, or nothing of the user.
        BackendError: it is not finished; the same command goes on.
    """
    cloud = invocation.settings(options={"backend": "cloudflare"})
    if not (cloud.home / DATABASE_FILE).exists():
        raise NotFound("local DOME", str(cloud.home), "Name its folder with --home.")
    async with _both(cloud) as (local, remote):
        return await _move(
            invocation, local, remote, to="cloudflare", vectors=_reader(local, remote)
        )


async def pull(invocation: Invocation) -> int:
    """Brings what is on Cloudflare to this machine; 1 where something did not arrive.

    Raises:
        NotFound: there is nothing of the user on Cloudflare.
        BackendError: it is not finished; the same command goes on.
    """
    cloud = invocation.settings(options={"backend": "cloudflare"})
    async with _both(cloud) as (local, remote):
        # Those of the ledger: Vectorize itself would be asked for 20 at a time.
        held = remote.ports.vectors
        vectors = held if isinstance(held, VectorReader) else None
        return await _move(invocation, remote, local, to="embedded", vectors=vectors)


@asynccontextmanager
async def _both(cloud: Settings) -> AsyncIterator[tuple[Dome, Dome]]:
    """This machine's DOME and the one on Cloudflare."""
    if cloud.cloudflare.database != "cloudflare":
        raise InvalidInput(
            "DOME_DATABASE=embedded keeps the database on this machine.",
            "Take it away; then push and pull move between the two.",
        )
    here = dict.fromkeys(PORT_NAMES, "embedded")
    model = cloud.embedding_model or ""
    local = replace(
        cloud,
        backend="embedded",
        cloudflare=replace(cloud.cloudflare, **here),
        embedding_model=None if model.startswith(WORKERS_AI_PREFIX) else cloud.embedding_model,
    )
    with told_how_to_go_on():
        async with opened(local) as at_home, opened(cloud) as away:
            yield at_home, away


def _reader(local: Dome, remote: Dome) -> VectorReader | None:
    """Reads the vectors of this machine that Cloudflare's index can take as they are."""
    if local.ports.vectors is None or remote.ports.embedder is None:
        return None
    embedder = remote.ports.embedder
    return StoredVectors(local.ports.database, model=embedder.model, dimensions=embedder.dimensions)


async def _move(
    invocation: Invocation, source: Dome, target: Dome, *, to: Backend, vectors: VectorReader | None
) -> int:
    output = invocation.output
    if (await companion_state(source.ports.database, now=source.now())).is_running:
        output.remark("A companion fires the reminders of this side: stop it before the other one")
        output.remark("does, or they are sent twice.")
    user_ids = await user_ids_of(invocation.arguments.user, source)
    cost = await _expected(user_ids, source.ports, target.ports, output)
    with output.progress() as show:
        moved = await move_users(user_ids, source.ports, target.ports, vectors=vectors, show=show)
    pending = (await overall_figures(target.ports.database, now=target.now())).chunks_pending
    is_whole = all(each.is_whole for each in moved.values())
    switches = invocation.arguments.switch and is_whole
    if switches:
        set_values(target.settings.home / CONFIG_FILE, {"backend": to})
    _report(moved, pending, output, to=to, switched=switches, rows=_rows(cost, target.ports))
    if switches and invocation.variables.get(_VARIABLE, to) != to:
        output.remark(f"{_VARIABLE} in the environment still names the other one.")
    return 0 if is_whole else FAILED


async def _expected(
    user_ids: Sequence[str], source: Ports, target: Ports, output: Output
) -> Cost | None:
    """What a move to D1 writes, and a warning where that is more than a day has; else None."""
    if not isinstance(target.database, D1Database):
        return None
    cost = await cost_of_moving(
        user_ids, source.database, target.database, with_vectors=target.vectors is not None
    )
    warn(cost, output)
    return cost


def _rows(cost: Cost | None, target: Ports) -> Mapping[str, int]:
    """The rows that a move to D1 was expected to write, and those that it did."""
    if cost is None or not isinstance(target.database, D1Database):
        return {}
    return {"rows_expected": cost.rows, "rows_written": target.database.rows_written}


async def move_users(
    user_ids: Sequence[str],
    source: Ports,
    target: Ports,
    *,
    vectors: VectorReader | None,
    show: Progress,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> dict[str, Moved]:
    """Moves the users' data and compares both sides; what fails for a moment is tried again.

    Raises:
        BackendError: it is not finished; the next call goes on.
    """
    moved: dict[str, Moved] = {}
    for user_id in user_ids:
        sides = Sides(source, target, user_id, vectors, at_once=at_once, show=show)
        moved[user_id] = await _persistently(sides, sleep)
    return moved


async def _persistently(sides: Sides, sleep: Callable[[float], Awaitable[None]]) -> Moved:
    """A write whose answer is lost is not repeated by a driver, but a move can be, as a whole."""
    for tried in range(1, _TRIES + 1):
        try:
            return Moved(await move_user(sides), await verify_user(sides))
        except BackendUnavailable as error:
            wait = error.retry_after or _WAIT_SECONDS * tried
            if tried == _TRIES or wait > _LONGEST_WAIT_SECONDS:
                raise
            await sleep(wait)
    raise AssertionError("the last try returns or raises")


async def at_once(steps: Sequence[Step]) -> None:
    """Carries the steps out, a few at the same time."""
    limiter = anyio.CapacityLimiter(_FILES_AT_ONCE)

    async def run(step: Step) -> None:
        async with limiter:
            await step()

    try:
        async with anyio.create_task_group() as tasks:
            for step in steps:
                tasks.start_soon(run, step)
    except ExceptionGroup as group:  # Those beside the first failed for the same reason.
        raise group.exceptions[0] from group


async def user_ids_of(named: str | None, source: Dome) -> list[str]:
    """Whose data is moved: the one who was named, or everybody who is not being deleted."""
    everybody = await list_users(source.ports, now=source.now())
    staying = [each.user.user_id for each in everybody if not each.user.is_leaving]
    if named is None:
        return staying
    if named not in staying:
        raise NotFound("user", named, "See `dome-mcp user list` for those there are.")
    return [named]


def _report(
    moved: Mapping[str, Moved],
    pending: int,
    output: Output,
    *,
    to: Backend,
    switched: bool,
    rows: Mapping[str, int],
) -> None:
    output.value(
        {
            "users": {
                user_id: {
                    "moved": {kind: asdict(move) for kind, move in each.moves.items()},
                    "differing": each.verdict.differing,
                }
                for user_id, each in moved.items()
            },
            "verified": all(each.is_whole for each in moved.values()),
            "pending_chunks": pending,
            "switched": switched,
            **rows,
        }
    )
    _print_moved(moved, output)
    if pending:
        output.line(
            f"{pending} chunks wait for their vector; a server makes them, or `dome-mcp reindex`."
        )
    if rows:
        output.line(f"{rows['rows_written']:,} rows were written on D1.")
    if switched:
        output.line(f"DOME now uses {'Cloudflare' if to == 'cloudflare' else 'this machine'}.")
    else:
        output.line(f'To use it, put backend = "{to}" into config.toml, or add --switch.')


def _print_moved(moved: Mapping[str, Moved], output: Output) -> None:
    for user_id, each in moved.items():
        output.line(f"{user_id}: {_told(each.moves)}", "bold")
        for key in each.moves[FILES].lost[:_SHOWN]:
            output.line(f"lost     {key}: the source has it no more, or damaged", "red")
        for kind, keys in each.verdict.differing.items():
            shown = ", ".join(keys[:_SHOWN])
            output.line(f"differs  {kind}: {len(keys)}, such as {shown}", "red")
    if not moved:
        output.line("There is nothing to move.")
    elif all(each.is_whole for each in moved.values()):
        output.line("Read back from both sides and compared: everything has arrived.", "green")


def _told(moves: Mapping[str, Move]) -> str:
    """What was moved, kind by kind; kinds of which there is nothing are left out."""
    parts: list[str] = []
    for kind, move in moves.items():
        counts = [
            (move.moved, "moved"),
            (move.unchanged, "there already"),
            (move.kept, "newer there"),
            (move.twins, "there under another id"),
        ]
        told = ", ".join(f"{count} {what}" for count, what in counts if count)
        if told or kind == NOTES:
            parts.append(f"{kind} {told or 'none'}")
    return "; ".join(parts)
