"""The Worker that takes documents in: what the API accepted as a job, and what is put in the inbox.

Each message is one step, and the last one's end sends the next (steps.py). What stands still, for
whatever reason, the cron wakes again. Where the Worker itself was ended again and again, a message
comes as a dead letter, which its job's row tells of from then on.
"""

import logging
from datetime import UTC, datetime
from typing import Any

from workers import WorkerEntrypoint

from dome_mcp.backends.embedded.notify.webhook import WebhookNotifier
from dome_mcp.core.errors import UnreadableDocument
from dome_mcp.core.ports import Database, Ports
from dome_mcp.services import jobs
from dome_mcp.services.ingestion import is_work_waiting
from worker_companions.ai_bindings import AiBindingMarkdown
from worker_companions.ai_ports import vectors_of
from worker_companions.bindings import D1BindingDatabase, QueueBinding, R2BindingBlobs
from worker_companions.fetching import TIMEOUT_SECONDS, FetchPoster
from worker_companions.ingest.arrivals import accept_dropped, job_of, request_of
from worker_companions.ingest.messages import Dropped, Wake, read_message, wake_message
from worker_companions.ingest.places import KIND
from worker_companions.ingest.problems import DEAD_LETTER, given_up, problem_text
from worker_companions.ingest.steps import Desk, step

_DEAD_LETTERS = "-dead-letters"
"""How the name of their queue ends, whatever the installation is called."""

_log = logging.getLogger("dome.ingest")


class Default(WorkerEntrypoint):
    async def queue(self, batch: Any, *_rest: Any) -> None:
        """Does a step for each message, or notes that nobody could.

        Raises:
            BackendError: the database or the bucket failed; the message comes again.
        """
        logging.basicConfig(level=logging.INFO)
        is_dead = str(batch.queue).endswith(_DEAD_LETTERS)
        for message in batch.messages:
            said = read_message(message.body)
            if said is None:
                _log.warning("a message that is none of an ingest")
            elif is_dead:
                await _bury(said, D1BindingDatabase(self.env.DB))
            else:
                await self._work(said)
            message.ack()

    async def scheduled(self, *_rest: Any) -> None:
        """Wakes whoever is to do what waits."""
        ports = await _ports(self.env)
        if await is_work_waiting(ports, KIND, now=_now()):
            await QueueBinding(self.env.JOBS).send([wake_message()])

    async def _work(self, said: Wake | Dropped) -> None:
        ports = await _ports(self.env)
        if isinstance(said, Dropped):
            await self._accept(said, ports)
        poster = FetchPoster(timeout_seconds=TIMEOUT_SECONDS)
        desk = Desk(
            ports,
            AiBindingMarkdown(self.env.AI).to_markdown,
            WebhookNotifier(poster, clock=_now),
            _now,
        )
        if await step(desk):
            of_job = (said.job_id, said.user_id) if isinstance(said, Wake) else ()
            await QueueBinding(self.env.JOBS).send([wake_message(*of_job)])

    async def _accept(self, dropped: Dropped, ports: Ports) -> None:
        try:
            await accept_dropped(
                dropped, self.env.BLOBS, ports, QueueBinding(self.env.JOBS), now=_now()
            )
        except UnreadableDocument as error:
            await _fail(dropped, ports.database, problem=problem_text(error))


async def _bury(said: Wake | Dropped, database: Database) -> None:
    problem = given_up(DEAD_LETTER)
    _log.warning("a dead letter")
    if isinstance(said, Dropped):
        await _fail(said, database, problem=problem)
    elif said.job_id:
        await jobs.dead_letter(
            said.job_id, database, user_id=said.user_id, problem=problem, now=_now()
        )


async def _fail(dropped: Dropped, database: Database, *, problem: str) -> None:
    """Has the job of a file in an inbox tell why the file is still there."""
    job_id, now = job_of(dropped), _now()
    await jobs.accept(job_id, request_of(dropped, None), database, now=now, kind=KIND)
    await jobs.dead_letter(job_id, database, user_id=dropped.user_id, problem=problem, now=now)


async def _ports(env: Any) -> Ports:
    database = D1BindingDatabase(env.DB)
    embedder, vectors = await vectors_of(env, database)
    return Ports(database, vectors, R2BindingBlobs(env.BLOBS), embedder)


def _now() -> datetime:
    return datetime.now(UTC)
