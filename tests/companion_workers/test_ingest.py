"""Documents taken in without a machine of the user's: queue, conversion, pages of vectors, word."""

import json
from datetime import UTC, datetime

import pytest

from dome_mcp.backends.embedded.notify.webhook import SIGNATURE_HEADER, signature
from dome_mcp.services.notes import get_note
from dome_mcp.store import meta
from tests.companion_workers.ingest_cloud import USER, Intake, has_failed, outcome_of
from tests.simulators.cloudflare import ai
from tests.simulators.webhook_sink import Answer, WebhookSink

pytestmark = pytest.mark.anyio

PAGE_CHUNKS = 32
PARAGRAPH = "The boiler of number {0} was serviced, and its filter was changed by Mr Meyer. " * 20
MANY_PAGES = "\n\n".join(f"# Boiler {n}\n\n{PARAGRAPH.format(n)}" for n in range(80))


async def test_a_file_becomes_a_note_with_vectors_and_those_who_asked_are_told_once(
    intake: Intake, sink: WebhookSink
) -> None:
    await intake.listen(sink)
    job_id = await intake.accept_file(b"# Boiler\n\nServiced by Meyer in May.", "boiler.html")
    await intake.wake(job_id)
    result = await intake.told(job_id)
    assert (result["status"], result["ingestion_complete"]) == ("ready", "sent")
    assert await intake.found("Meyer") == ["boiler"]
    note = await get_note(result["note_id"], intake.ports, user_id=USER)
    assert (note.content_type, note.pending) == ("text/html", 0)
    assert await intake.blobs.get(note.blob_key or "") == b"# Boiler\n\nServiced by Meyer in May."
    assert not await intake.blobs.keys("incoming")
    (posted,) = sink.posted
    assert posted.json == {
        "type": "ingestion_complete",
        "id": job_id,
        "job_id": job_id,
        "note_id": result["note_id"],
        "title": "boiler",
        "chunks": 1,
        "duplicate": False,
        "updated": False,
    }
    assert posted.headers["Idempotency-Key"] == f"{job_id}:hook"
    second = datetime.fromtimestamp(int(posted.headers[SIGNATURE_HEADER][2:].split(",")[0]), UTC)
    signed = signature(posted.body, "between us", at=second)
    assert posted.headers[SIGNATURE_HEADER] == signed


async def test_a_long_document_is_found_by_keyword_first_and_embedded_page_by_page(
    intake: Intake, sink: WebhookSink
) -> None:
    await intake.listen(sink)
    intake.remote.account.fail_next("POST /ai/run/", 429, ai.OUT_OF_CAPACITY)
    job_id = await intake.accept_text(MANY_PAGES)
    await intake.wake(job_id)
    job = await intake.job_that(job_id, lambda job: job.state == "done")
    assert outcome_of(job) == "pending"
    assert json.loads(job.result or "")["status"] == "indexing"
    assert await intake.found("boiler 79") != []
    assert not sink.posted
    chunks = await intake.count("chunks")
    assert chunks > 4 * PAGE_CHUNKS
    while "POST /ai/run/@cf/baai/bge-m3" not in intake.remote.account.asked:
        await intake.job(job_id)
    await intake.run_cron()
    assert (await intake.told(job_id))["status"] == "ready"
    assert sum(intake.pages()) == chunks
    assert max(intake.pages()) == PAGE_CHUNKS
    assert len(intake.remote.vectorize.indexes["vectorize"].vectors) == chunks
    assert len(sink.posted) == 1


async def test_a_file_put_into_an_inbox_becomes_one_note_however_often_it_is_told_of(
    intake: Intake,
) -> None:
    await intake.blobs.put("inbox/me/garden.md", b"# Garden\n\nThe plum tree bears.")
    event = {
        "account": "a",
        "action": "PutObject",
        "bucket": "dome",
        "object": {"key": "inbox/me/garden.md", "size": 30, "eTag": "e1"},
        "eventTime": "2026-11-23T19:36:44.379Z",
    }
    gone = {**event, "action": "DeleteObject"}
    await intake.queue.send([json.dumps(each) for each in (event, event, gone)])
    result = await intake.told(await intake.only_job())
    assert (result["title"], result["ingestion_complete"]) == ("Garden", "nobody asked")
    assert await intake.count("notes") == 1
    assert not await intake.blobs.keys("inbox")


async def test_a_file_too_large_for_a_worker_stays_in_the_inbox_and_its_job_says_so(
    intake: Intake,
) -> None:
    await intake.blobs.put("inbox/me/film.mov", b"only its size is asked")
    event = {
        "action": "PutObject",
        "object": {"key": "inbox/me/film.mov", "size": 20_000_000, "eTag": "e2"},
        "eventTime": "2026-11-23T19:36:44.379Z",
    }
    await intake.queue.send([json.dumps(event)])
    job = await intake.job_that(await intake.only_job(), has_failed)
    assert json.loads(job.problem or "")["status"] == 413
    assert await intake.blobs.keys("inbox") == ["inbox/me/film.mov"]


async def test_a_webhook_that_is_down_is_told_by_a_later_cron_under_the_same_key(
    intake: Intake, sink: WebhookSink
) -> None:
    sink.answer_all(Answer(status=503))
    await intake.listen(sink, events=" ingestion_complete, ")
    job_id = await intake.accept_text("Told later.")
    await intake.wake(job_id)
    while not sink.posted:
        await intake.job(job_id)
    assert outcome_of(await intake.job(job_id)) == "pending"
    sink.answer_all(Answer())
    await intake.run_cron()
    assert (await intake.told(job_id))["ingestion_complete"] == "sent"
    keys = {posted.headers["Idempotency-Key"] for posted in sink.posted}
    assert keys == {f"{job_id}:hook"}


async def test_a_channel_that_did_not_ask_is_told_nothing(
    intake: Intake, sink: WebhookSink
) -> None:
    await intake.listen(sink, events="")
    job_id = await intake.accept_text("In silence.")
    await intake.wake(job_id)
    assert (await intake.told(job_id))["ingestion_complete"] == "nobody asked"
    assert not sink.posted


async def test_vectors_that_are_elsewhere_are_left_alone_and_the_note_is_ready_by_keyword(
    intake: Intake,
) -> None:
    await intake.ports.database.query(meta.set_fact(meta.VECTOR_PLACE, "vectorize/another"))
    job_id = await intake.accept_text("The valve sticks.")
    await intake.wake(job_id)
    assert (await intake.told(job_id))["status"] == "ready"
    assert await intake.found("valve") != []
    assert intake.pages() == []
