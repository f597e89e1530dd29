"""Every service that acts on behalf of a user, called for one with all ids of another."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC

from dome_mcp.core.access import EVERYTHING, Principal
from dome_mcp.core.agenda import Channel, Firing, Notice
from dome_mcp.core.digest import draft_digest
from dome_mcp.core.drafts import Labels
from dome_mcp.core.event_words import EventWords
from dome_mcp.core.jobs import IngestRequest, JobPolicy, JobSettlement
from dome_mcp.core.links import LinkAction
from dome_mcp.core.model import (
    Completion,
    Document,
    IndexState,
    Note,
    NoteChanges,
    NoteFilter,
    Passage,
    SearchResult,
    Turn,
)
from dome_mcp.core.packing import NO_ANSWER
from dome_mcp.core.ports import Ports, Row
from dome_mcp.core.reminder_actions import ReminderAction
from dome_mcp.core.reminder_drafts import NewReminder
from dome_mcp.core.task_drafts import NewTask
from dome_mcp.core.task_edits import TaskChanges
from dome_mcp.core.tokens import token_text
from dome_mcp.core.uploads import ReceivedFile, Upload
from dome_mcp.services import (
    access,
    actions,
    agenda,
    agenda_archive,
    answer,
    archive,
    asking,
    audit,
    channels,
    chunk_vectors,
    clocks,
    companions,
    digest,
    events,
    gathering,
    idempotency,
    indexing,
    ingest,
    ingestion,
    jobs,
    notes,
    reminders,
    revising,
    search,
    sessions,
    status,
    tasks,
    uploads,
    user_archive,
    user_data,
    users,
    writing,
)
from dome_mcp.store import embedding
from dome_mcp.store.chunks import chunks_of_note, to_draft, to_stored_chunk
from tests.services.agenda_for_tests import BERLIN
from tests.services.notes_for_tests import NOW, draft, later
from tests.services.users_for_tests import rows_of

MINE = "mario"
THEIRS = "zelda"
WORD = "xylophone"
MY_PRINCIPAL = Principal(MINE, EVERYTHING, credential="key")


@dataclass(frozen=True)
class Theirs:
    """What the other user has, as it was read for them."""

    note: Note
    long_note: Note
    chunk_id: str
    task_id: str
    reminder_id: str
    upload_id: str
    job_id: str
    due_at_ms: int
    rows: Mapping[str, list[Row]]
    blobs: tuple[str, ...]

    @property
    def among(self) -> NoteFilter:
        return NoteFilter(note_ids=(self.note.note_id, self.long_note.note_id))

    @property
    def names(self) -> set[str]:
        """Everything that names something of theirs: no answer may hold it."""
        keys = {"note_id", "chunk_id", "task_id", "reminder_id", "token_id", "delivery_key"}
        keys |= {"upload_id", "job_id", "blob_key", "body_key", "exchange_id", "session_id"}
        found = {
            str(row[key]) for rows in self.rows.values() for row in rows for key in keys & {*row}
        }
        return (found | {THEIRS}) - {"None"}


async def theirs_of(ports: Ports) -> Theirs:
    rows = await rows_of(ports, THEIRS)
    page = await notes.list_notes(NoteFilter(), ports, user_id=THEIRS)
    stored = [await notes.get_note(each.note_id, ports, user_id=THEIRS) for each in page.notes]
    short, long = sorted(stored, key=lambda note: note.characters)
    reminder_id = str(rows["firings"][0]["reminder_id"])
    return Theirs(
        note=short,
        long_note=long,
        chunk_id=str(rows["chunks"][0]["chunk_id"]),
        task_id=str(rows["tasks"][0]["task_id"]),
        reminder_id=reminder_id,
        upload_id=str(rows["uploads"][0]["upload_id"]),
        job_id=str(rows["jobs"][0]["job_id"]),
        due_at_ms=int(str(rows["firings"][0]["due_at_ms"]).removesuffix(".0")),
        rows=rows,
        blobs=tuple(await ports.blobs.keys()),
    )


def as_mine(note: Note) -> Note:
    """Their note as somebody would have it who only claims that it is theirs."""
    return replace(note, user_id=MINE)


async def listed(records: AsyncIterator[object]) -> list[object]:
    return [record async for record in records]


def hook(name: str, user_id: str) -> Channel:
    return Channel(name, user_id, "webhook", f"https://example.com/{user_id}")


class Listening:
    """A language model that keeps what it is told, and has no answer."""

    model = "listening"
    context_tokens = 8192

    def __init__(self) -> None:
        self.told = ""

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        self.told += "\n".join(turn.content for turn in turns)
        return Completion(NO_ANSWER)

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        yield await self.complete(turns, max_tokens=max_tokens)


async def told_beside_their_chunk(ports: Ports, it: Theirs) -> str:
    """What a model reads where a passage claims to be a chunk of theirs: nothing beside it."""
    own = Passage("note", it.chunk_id, "", "Own words.", NOW, start=0, end=10, ordinal=0, score=1.0)
    asked, model = asking.Question("What?"), Listening()
    gathered = await gathering.gather(asked, ports, **AT)
    found = replace(gathered, result=SearchResult((own,), IndexState()))
    await writing.written(asked, found, ports, model, follower=None, **AT)
    assert "Own words." in model.told
    assert WORD not in model.told
    return model.told


async def my_day(ports: Ports) -> Notice | None:
    mine = draft_digest("hook", "07:30", user_id=MINE, zone_name=BERLIN, now=NOW)
    at = later(60 * 24)
    firing = Firing(mine.reminder_id, MINE, due_at=at, occurrence_at=at, fired_at=at)
    return await digest.make_digest(mine, firing, ports.database, now=at)


def link(it: Theirs) -> LinkAction:
    return LinkAction("done", MINE, it.reminder_id, it.due_at_ms, later(9999))


def archived(it: Theirs, *, note: Note) -> archive.ArchivedNote:
    return archive.ArchivedNote(replace(note, blob_key=None, body_key=None), ())


async def pending(ports: Ports, it: Theirs) -> list[embedding.PendingChunk]:
    rows = await ports.database.query(chunks_of_note(it.note.note_id, THEIRS))
    drafts = [to_draft(to_stored_chunk(row)) for row in rows]
    return embedding.pending_of(it.note, drafts, revision=it.note.revision)


async def vectors_made_by_me(ports: Ports, it: Theirs) -> object:
    """The marks that a chunk has its vector, of a note that is not mine."""
    await ports.database.query(
        embedding.mark_embedded("words/1", await pending(ports, it), user_id=MINE)
    )
    return await indexing.inline_vectors([], ports, user_id=MINE)


async def embedded_by_me(ports: Ports, it: Theirs) -> object:
    """A chunk of mine in their context: what they noted before it is none of my business."""
    assert ports.embedder is not None
    chunk = replace((await pending(ports, it))[0], chunk_id="mine", note_id="mine", text=WORD)
    return await chunk_vectors.embed_or_refuse(
        [chunk], ports.embedder, ports.database, user_id=MINE
    )


def job_request(it: Theirs) -> IngestRequest:
    file = ReceivedFile(
        it.upload_id, filename="x", content_type=None, sha256="0" * 64, size_bytes=1
    )
    return IngestRequest(MY_PRINCIPAL, Labels(), NOW, file=file)


def my_job(it: Theirs) -> jobs.Job:
    """A job of theirs, taken for mine, under the number of its present attempt."""
    attempt = int(float(str(it.rows["jobs"][0]["attempt"])))
    return jobs.Job(it.job_id, MINE, job_request(it), "running", attempt, 0, NOW, NOW)


async def their_job(ports: Ports, it: Theirs) -> object:
    """Settles a job of theirs."""
    job = my_job(it)
    settlement = JobSettlement("done", NOW, 0, result="{}")
    assert not await jobs.renew(job, ports.database, JobPolicy(), now=NOW)
    return await jobs.settle(job, settlement, ports.database, now=NOW)


def their_upload(it: Theirs) -> Upload:
    return Upload(
        it.upload_id,
        MINE,
        filename="x",
        content_type=None,
        size_bytes=None,
        max_bytes=9,
        state="open",
        created_at=NOW,
        expires_at=later(9),
    )


async def their_key(ports: Ports, it: Theirs) -> object:
    key = str(it.rows["idempotency"][0]["idempotency_key"])
    begun = await idempotency.begin(key, "mine", ports.database, user_id=MINE, now=later(5))
    assert begun.started_at == later(5)
    given = idempotency.GivenAnswer(200, {}, "")
    await idempotency.finish(key, given, ports.database, user_id=MINE, begun=begun)
    return begun


def session_of(it: Theirs) -> str:
    return str(it.rows["exchanges"][0]["session_id"])


async def their_session(ports: Ports, it: Theirs) -> object:
    """A question of mine that claims to go on from theirs."""
    asked = asking.Question(f"What about the {WORD}?")
    return (await sessions.converse(asked, ports, session_id=session_of(it), **AT)).answer


async def their_cursor(ports: Ports) -> object:
    """The second page of my notes, by the cursor of their first one."""
    first = await notes.list_notes(NoteFilter(), ports, user_id=THEIRS, limit=1)
    return await notes.list_notes(NoteFilter(), ports, user_id=MINE, cursor=first.next_cursor)


async def no_upload(upload_id: str) -> None:
    """Of my own uploads there is nothing on disk."""


Call = Callable[[Ports, Theirs], Awaitable[object]]

FOR_ME = {"user_id": MINE}
AT = {"user_id": MINE, "now": NOW}
HERE = {"user_id": MINE, "now": NOW, "zone": BERLIN}

NOT_THERE: Mapping[str, Call] = {
    "actions.offered": lambda ports, it: actions.offered(link(it), ports),
    "actions.perform": lambda ports, it: actions.perform(link(it), ports, now=NOW),
    "agenda.known_channels": lambda ports, it: agenda.known_channels(["only"], ports, **FOR_ME),
    "agenda.known_notes": lambda ports, it: agenda.known_notes([it.note.note_id], ports, **FOR_ME),
    "agenda.stored_reminder": lambda ports, it: agenda.stored_reminder(
        it.reminder_id, ports, **FOR_ME
    ),
    "agenda.stored_task": lambda ports, it: agenda.stored_task(it.task_id, ports, **FOR_ME),
    "archive.archived": lambda ports, it: archive.archived(it.note.note_id, ports, **FOR_ME),
    "channels.channel_named": lambda ports, it: channels.channel_named("only", ports, **FOR_ME),
    "channels.remove_channel": lambda ports, it: channels.remove_channel("only", ports, **AT),
    "digest.set_digest": lambda ports, it: digest.set_digest("only", "07:30", ports, **HERE),
    "digest.end_digest": lambda ports, it: digest.end_digest("only", ports, **AT),
    "jobs.accept": lambda ports, it: jobs.accept(
        "job", job_request(it), ports.database, now=NOW, is_announced=True
    ),
    "jobs.find_job": lambda ports, it: jobs.find_job(it.job_id, ports.database, **FOR_ME),
    "notes.delete_note": lambda ports, it: notes.delete_note(it.note.note_id, ports, **AT),
    "notes.get_note": lambda ports, it: notes.get_note(it.long_note.note_id, ports, **FOR_ME),
    "notes.stored_note": lambda ports, it: notes.stored_note(it.note.note_id, ports, **FOR_ME),
    "reminders.create_reminder": lambda ports, it: reminders.create_reminder(
        NewReminder(task_id=it.task_id, at="+1h"), ports, **HERE
    ),
    "reminders.update_reminder": lambda ports, it: reminders.update_reminder(
        it.reminder_id, ReminderAction("cancel"), ports, **HERE
    ),
    "revising.revise": lambda ports, it: revising.revise(
        as_mine(it.note), replace(as_mine(it.note), title="Mine"), ports
    ),
    "revising.take_place_of": lambda ports, it: revising.take_place_of(
        as_mine(it.note), draft("Mine.", user_id=MINE), ports, now=NOW
    ),
    "revising.update_note": lambda ports, it: revising.update_note(
        it.note.note_id, NoteChanges(title="Mine"), ports, **AT
    ),
    "sessions.delete_session": lambda ports, it: sessions.delete_session(
        session_of(it), ports, **FOR_ME
    ),
    "sessions.read_session": lambda ports, it: sessions.read_session(session_of(it), ports, **AT),
    "tasks.complete_task": lambda ports, it: tasks.complete_task(it.task_id, ports, **AT),
    "tasks.create_task": lambda ports, it: tasks.create_task(
        NewTask("Read", note_ids=(it.note.note_id,)), ports, **HERE
    ),
    "tasks.get_task": lambda ports, it: tasks.get_task(it.task_id, ports, **AT),
    "tasks.update_task": lambda ports, it: tasks.update_task(
        it.task_id, TaskChanges(description="Mine"), ports, **HERE
    ),
    "uploads.find_upload": lambda ports, it: uploads.find_upload(
        it.upload_id, ports.database, **FOR_ME
    ),
}
"""What answers that there is no such thing."""

ONLY_MINE: Mapping[str, Call] = {
    "uploads.require_room": lambda ports, it: uploads.require_room(ports.database, **FOR_ME),
    "access.create_token": lambda ports, it: access.create_token(
        token_text(b"12345678", b"2" * 32),
        ports,
        name="mine",
        scopes=EVERYTHING,
        expires_at=None,
        **AT,
    ),
    "access.list_tokens": lambda ports, it: access.list_tokens(ports, **FOR_ME),
    "agenda.reminders_of": lambda ports, it: agenda.reminders_of([it.task_id], ports, **FOR_ME),
    "agenda_archive.all_reminders": lambda ports, it: listed(
        agenda_archive.all_reminders(ports, **FOR_ME)
    ),
    "agenda_archive.all_tasks": lambda ports, it: listed(agenda_archive.all_tasks(ports, **FOR_ME)),
    "answer.answer": lambda ports, it: answer.answer(
        asking.Question(f"What about the {WORD}?"), ports, user_id=MINE
    ),
    "events.event_period": lambda ports, it: events.event_period(
        EventWords(WORD, is_before=False, is_told=False),
        ports,
        user_id=MINE,
        among=it.among,
        zone=UTC,
    ),
    "gathering.gather": lambda ports, it: gathering.gather(
        asking.Question(f"What about {WORD} and when was {WORD} in 2026?"), ports, **AT
    ),
    "writing.written": told_beside_their_chunk,
    "archive.restore": lambda ports, it: archive.restore(
        [archived(it, note=it.note), archived(it, note=it.long_note)], ports, **FOR_ME
    ),
    "audit.list_entries": lambda ports, it: audit.list_entries(ports, user_id=MINE),
    "channels.add_channel": lambda ports, it: channels.add_channel(
        hook("hook", MINE), ports, allow_private=False, replaces=True, **AT
    ),
    "channels.default_channels": lambda ports, it: channels.default_channels(ports, **FOR_ME),
    "channels.list_channels": lambda ports, it: channels.list_channels(ports, **FOR_ME),
    "chunk_vectors.embed_chunks": embedded_by_me,
    "chunk_vectors.embed_or_refuse": embedded_by_me,
    "clocks.next_due": lambda ports, it: clocks.next_due(ports.database, **FOR_ME),
    "companions.unserved": lambda ports, it: companions.unserved(ports.database, **FOR_ME),
    "digest.make_digest": lambda ports, it: my_day(ports),
    "idempotency.begin": their_key,
    "idempotency.finish": their_key,
    "indexing.index_step": lambda ports, it: indexing.index_step(ports, holder="me", **AT),
    "indexing.inline_vectors": vectors_made_by_me,
    "indexing.semantics": lambda ports, it: indexing.semantics(ports, **FOR_ME),
    "ingest.contents_present": lambda ports, it: ingest.contents_present(
        [str(row["content_hash"]) for row in it.rows["notes"]], ports, context="", **FOR_ME
    ),
    "ingest.ingest": lambda ports, it: ingest.ingest(
        draft(it.note.text or "", user_id=MINE, now=later(7)), ports, **AT
    ),
    "ingest.ingest_many": lambda ports, it: ingest.ingest_many(
        [draft(it.note.text or "", user_id=MINE, now=later(7))], ports, **AT
    ),
    "ingest.note_of_content": lambda ports, it: ingest.note_of_content(
        str(it.rows["notes"][0]["content_hash"]), ports, context="", **FOR_ME
    ),
    "ingestion.note_told": lambda ports, it: ingestion.note_told(
        my_job(it), "sent", ports.database
    ),
    "ingestion.take_in": lambda ports, it: ingestion.take_in(
        Document(it.note.text or "", "text/plain"), job_request(it), ports, original=None
    ),
    "jobs.dead_letter": lambda ports, it: jobs.dead_letter(
        it.job_id, ports.database, problem="{}", **AT
    ),
    "jobs.renew": their_job,
    "jobs.settle": their_job,
    "notes.list_notes": lambda ports, it: their_cursor(ports),
    "reminders.inbox": lambda ports, it: reminders.inbox(ports, **AT),
    "reminders.list_reminders": lambda ports, it: reminders.list_reminders(
        reminders.ReminderQuery("all"), ports, **AT
    ),
    "search.search": lambda ports, it: search.search(search.SearchRequest(WORD), ports, **FOR_ME),
    "sessions.forget_gone_notes": lambda ports, it: sessions.forget_gone_notes(
        ports.database, ports.database, before=NOW, **FOR_ME
    ),
    "sessions.list_sessions": lambda ports, it: sessions.list_sessions(ports, **AT),
    "status.agenda_counts": lambda ports, it: status.agenda_counts(ports, **AT),
    "status.contexts_with_prefix": lambda ports, it: status.contexts_with_prefix(
        "", ports, **FOR_ME
    ),
    "status.counts": lambda ports, it: status.counts(ports, **FOR_ME),
    "status.note_ids_with_prefix": lambda ports, it: status.note_ids_with_prefix(
        it.note.note_id, ports, **FOR_ME
    ),
    "status.tags_with_prefix": lambda ports, it: status.tags_with_prefix("", ports, **FOR_ME),
    "tasks.list_tasks": lambda ports, it: tasks.list_tasks(tasks.TaskFilter("all"), ports, **HERE),
    "user_archive.audit_records": lambda ports, it: listed(
        user_archive.audit_records(ports, **FOR_ME)
    ),
    "user_archive.channel_records": lambda ports, it: listed(
        user_archive.channel_records(ports, with_secrets=True, **FOR_ME)
    ),
    "user_archive.delivery_records": lambda ports, it: listed(
        user_archive.delivery_records(ports, **FOR_ME)
    ),
    "user_archive.exchange_records": lambda ports, it: listed(
        user_archive.exchange_records(ports, **FOR_ME)
    ),
    "user_archive.firing_records": lambda ports, it: listed(
        user_archive.firing_records(ports, **FOR_ME)
    ),
    "user_archive.token_records": lambda ports, it: listed(
        user_archive.token_records(ports, **FOR_ME)
    ),
    "user_data.user_data_counts": lambda ports, it: user_data.user_data_counts(ports, **FOR_ME),
    "users.add_user": lambda ports, it: users.add_user("peach", ports, now=NOW),
    "users.set_user": lambda ports, it: users.set_user(
        MINE, users.UserChanges(zone="Asia/Tokyo"), ports, now=NOW
    ),
    "users.stored_user": lambda ports, it: users.stored_user(MINE, ports),
    # Afterwards I have a session of my own under the id of theirs.
    "sessions.converse": their_session,
    # The last: nothing can be asked for me afterwards.
    "user_data.delete_user": lambda ports, it: user_data.delete_user(
        ports, drop_upload=no_upload, **AT
    ),
}
"""What answers with something of the user's own, or with nothing."""

BY_VALUE = {
    "access.record_use": "of a token that has just let its user in",
    "agenda.view_reminders": "of reminders that were read for the user",
    "agenda_archive.restore_reminder": "tried below",
    "agenda_archive.restore_task": "tried below",
    "audit.record": "each entry names its user",
    "blobs.drop_unused": "of a note that was read for the user",
    "blobs.original_of": "of a note that was read for the user",
    "blobs.put_body": "under a key that starts with the user's own",
    "blobs.put_original": "under a key that starts with the user's own",
    "blobs.text_of": "of a note that was read for the user",
    "completing.completed": "of a prompt that was made for the user",
    "comparing.closeness_to_each": "of texts that were read for the user",
    "comparing.closeness_to_question": "of texts that were read for the user",
    "comparing.question_vector": "of what the user asks",
    "quoting.quoted": "of passages that were read for the user",
    "checking.checked": "of passages that were read for the user",
    "reranking.reranked": "of rows that were read for the user",
    "rewording.quoted_without_orders": "of passages that were read for the user",
    "rewording.reworded": "of a quotation that was made for the user",
    "uploads.announce": "tried below",
    "uploads.complete": "tried below",
}
"""What is given a thing rather than an id, by whom there is no asking for another's."""
