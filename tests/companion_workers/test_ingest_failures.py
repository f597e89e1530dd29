"""Ingest jobs whose Worker, messages, conversion or file go wrong: one note, or a reason."""

import json
from datetime import timedelta

import pytest

from dome_mcp.core.jobs import JobPolicy
from dome_mcp.core.ports import Statement
from dome_mcp.services import jobs
from tests.companion_workers.ingest_cloud import USER, Intake, has_failed, now
from tests.simulators.cloudflare import ai
from tests.simulators.webhook_sink import WebhookSink
from worker_companions.ingest.messages import wake_message

pytestmark = pytest.mark.anyio


async def test_messages_that_come_again_late_or_are_none_do_no_harm(
    intake: Intake, sink: WebhookSink
) -> None:
    await intake.listen(sink)
    first, second = [await intake.accept_text(f"Number {n} is here.") for n in (1, 2)]
    messages = [wake_message(job_id, USER) for job_id in (second, first, second, first)]
    await intake.queue.send(["no JSON", "[]", "{}", *messages, wake_message("gone", USER)])
    for job_id in (first, second):
        await intake.told(job_id)
    last = await intake.accept_text("The last one.")
    await intake.wake(last)
    await intake.told(last)
    assert await intake.count("notes") == 3
    assert sorted(posted.json["id"] for posted in sink.posted) == sorted([first, second, last])


async def test_what_an_ended_worker_left_half_done_is_done_once_by_the_next(
    intake: Intake, sink: WebhookSink
) -> None:
    await intake.listen(sink)
    tomorrow = now() + timedelta(days=1)
    job_id = await intake.accept_text("Stored, but nobody wrote so.", at=tomorrow)
    database = intake.ports.database
    assert await jobs.claim_job(
        database, JobPolicy(), now=tomorrow, given_up="", kind="bucket_ingest"
    )
    await database.query(Statement("UPDATE jobs SET lease_until_ms = 1"))
    await intake.run_cron()
    result = await intake.told(job_id)
    job = await intake.job(job_id)
    assert (job.state, job.attempt, job.failures) == ("done", 2, 1)
    assert (result["duplicate"], await intake.count("notes"), len(sink.posted)) == (False, 1, 1)


async def test_a_job_that_ends_its_worker_each_time_is_given_up_in_its_row(intake: Intake) -> None:
    job_id = await intake.accept_text("Too much for any Worker.", at=now() + timedelta(days=1))
    ended_thrice = "UPDATE jobs SET state = 'running', failures = 2, lease_until_ms = 1"
    await intake.ports.database.query(Statement(ended_thrice))
    await intake.run_cron()
    job = await intake.job_that(job_id, has_failed)
    assert "ended each time" in json.loads(job.problem or "")["detail"]
    assert await intake.count("notes") == 0


async def test_a_dead_letter_is_told_of_in_the_row_of_its_job(intake: Intake) -> None:
    job_id = await intake.accept_text("Never reached.", at=now() + timedelta(days=1))
    await intake.dead.send([wake_message(job_id, "somebody else"), wake_message(job_id, USER)])
    job = await intake.job_that(job_id, has_failed)
    assert "given up" in json.loads(job.problem or "")["detail"]


async def test_what_cloudflare_cannot_convert_is_the_end_of_the_job_with_the_reason(
    intake: Intake,
) -> None:
    intake.remote.ai.convert = lambda _: None
    try:
        job_id = await intake.accept_file(b"<html><p>x</p>", "broken.html")
        await intake.wake(job_id)
        job = await intake.job_that(job_id, has_failed)
    finally:
        intake.remote.ai.convert = lambda data: data.decode()
    problem = json.loads(job.problem or "")
    assert (problem["status"], problem["type"]) == (422, "/api/docs#invalid-input")
    assert "could not convert 'broken.html'" in problem["detail"]
    assert not await intake.blobs.keys("incoming")


async def test_a_conversion_without_neurons_left_is_tried_again_the_next_day(
    intake: Intake,
) -> None:
    intake.remote.account.fail_next("/ai/tomarkdown", 429, ai.DAILY_ALLOWANCE_USED)
    job_id = await intake.accept_file(b"\x89PNG\r\n\x1a\n picture", "photo.png")
    await intake.wake(job_id)
    job = await intake.job_that(job_id, lambda job: job.failures == 1)
    assert job.state == "queued"
    (row,) = await intake.ports.database.query(Statement("SELECT not_before_ms FROM jobs"))
    tomorrow = (now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert row["not_before_ms"] == int(tomorrow.timestamp() * 1000)
    assert await intake.blobs.keys("incoming")


async def test_a_message_that_fails_each_time_becomes_a_dead_letter_by_the_queue_itself(
    intake: Intake,
) -> None:
    database = intake.ports.database
    job_id = await intake.accept_text("The Worker cannot even begin.")
    await database.query(Statement("ALTER TABLE meta RENAME TO away"))
    await intake.wake(job_id)
    job = await intake.job_that(job_id, has_failed)
    await database.query(Statement("ALTER TABLE away RENAME TO meta"))
    assert "given up" in json.loads(job.problem or "")["detail"]
    assert await intake.count("notes") == 0
