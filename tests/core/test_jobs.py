"""What an attempt at a job leads to, and what files may be called."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dome_mcp.core.access import Principal
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import (
    BackendError,
    BackendRejected,
    BackendUnavailable,
    Forbidden,
    InvalidInput,
    QuotaExhausted,
    UnreadableDocument,
)
from dome_mcp.core.jobs import (
    TRANSITIONS,
    IngestRequest,
    Job,
    JobPolicy,
    after_failure,
    after_hand_back,
    after_success,
)
from dome_mcp.core.uploads import (
    ReceivedFile,
    Upload,
    clean_filename,
    require_signature,
    sign_upload,
    upload_of,
)

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
POLICY = JobPolicy(retry_seconds=(5, 30), max_failures=3)
ANN = Principal("ann", frozenset({"notes:write"}), credential="t1")
JOB = Job(
    *("j1", "ann", IngestRequest(ANN, Labels(), NOW, text="a"), "running"),
    attempt=7,
    failures=0,
    created_at=NOW,
    updated_at=NOW,
)


@pytest.mark.parametrize(
    "error",
    [
        InvalidInput("no"),
        UnreadableDocument("corrupt", "no"),
        Forbidden("no"),
        BackendRejected("d", "query", "no"),
        BackendError("d", "query", "no"),
        RuntimeError("a bug"),
    ],
)
def test_what_will_not_pass_fails_at_once(error: Exception):
    settled = after_failure(JOB, error, "told", POLICY, now=NOW)
    assert (settled.state, settled.problem) == ("failed", "told")


@pytest.mark.parametrize(
    ("failures", "pause"), [(0, timedelta(seconds=5)), (1, timedelta(seconds=30))]
)
def test_what_may_pass_is_tried_again_after_growing_pauses(failures: int, pause: timedelta):
    error = BackendUnavailable("web", "fetch", "busy")
    settled = after_failure(replace(JOB, failures=failures), error, "told", POLICY, now=NOW)
    assert (settled.state, settled.not_before) == ("queued", NOW + pause)
    assert settled.failures == failures + 1


def test_the_last_failure_is_final():
    error = BackendUnavailable("web", "fetch", "busy")
    settled = after_failure(replace(JOB, failures=2), error, "told", POLICY, now=NOW)
    assert (settled.state, settled.problem) == ("failed", "told")


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (BackendUnavailable("web", "fetch", "busy", retry_after=60), timedelta(minutes=1)),
        (BackendUnavailable("web", "fetch", "busy", retry_after=1), timedelta(seconds=5)),
        (BackendUnavailable("web", "fetch", "busy", retry_after=10**7), timedelta(days=1)),
        (QuotaExhausted("files", "put", "full"), timedelta(seconds=5)),
        (
            QuotaExhausted("d1", "query", "used up", until=NOW + timedelta(hours=2)),
            timedelta(hours=2),
        ),
    ],
)
def test_a_backend_that_names_a_time_is_given_it_within_a_day(error: Exception, pause: timedelta):
    settled = after_failure(JOB, error, "told", POLICY, now=NOW)
    assert (settled.state, settled.not_before) == ("queued", NOW + pause)


def test_a_job_handed_back_waits_for_nobody_and_loses_no_chance():
    settled = after_hand_back(replace(JOB, failures=1), now=NOW)
    assert (settled.state, settled.not_before, settled.failures) == ("queued", NOW, 1)


def test_a_job_that_succeeded_has_its_result_and_no_problem():
    settled = after_success(JOB, "{}", now=NOW)
    assert (settled.state, settled.result, settled.problem) == ("done", "{}", None)


def test_only_what_nothing_follows_is_finished():
    assert [state for state in TRANSITIONS if replace(JOB, state=state).is_finished] == [
        "done",
        "failed",
    ]


@pytest.mark.parametrize(
    ("sent", "cleaned"),
    [
        ("report.pdf", "report.pdf"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a\x00b\r\nc\u202egpj.exe", "abcgpj.exe"),
        ("\ud800x.txt", "x.txt"),
        ("..", "upload"),
        ("dir/", "upload"),
        ("", "upload"),
        ("  a b .txt ", "a b .txt"),
        ("می\u200cخواهم.txt", "می\u200cخواهم.txt"),
        ("e\u0301.txt", "é.txt"),
        ("x" * 400 + ".docx", "x" * 250 + ".docx"),
        ("." + "x" * 400, "." + "x" * 254),
    ],
)
def test_a_file_name_is_a_short_last_part_that_can_be_seen(sent: str, cleaned: str):
    assert clean_filename(sent) == cleaned


UPLOAD = Upload(
    *("u1", "ann", "a.txt", None, None),
    max_bytes=100,
    state="open",
    created_at=NOW,
    expires_at=NOW + timedelta(hours=1),
)
SECRET = b"s" * 32


def test_a_signature_holds_until_its_time_for_its_upload_user_and_size_alone():
    until = NOW + timedelta(hours=1)
    signature = sign_upload(SECRET, UPLOAD, expires_at=until)
    require_signature(SECRET, UPLOAD, signature, expires_at=until, now=NOW)
    for other in (
        replace(UPLOAD, upload_id="u2"),
        replace(UPLOAD, user_id="bob"),
        replace(UPLOAD, max_bytes=101),
    ):
        with pytest.raises(Forbidden, match="not the address"):
            require_signature(SECRET, other, signature, expires_at=until, now=NOW)
    later = until + timedelta(seconds=1)
    with pytest.raises(Forbidden, match="not the address"):
        require_signature(SECRET, UPLOAD, signature, expires_at=later, now=NOW)
    with pytest.raises(Forbidden, match="not the address"):
        require_signature(b"t" * 32, UPLOAD, signature, expires_at=until, now=NOW)
    for wrong in ("", signature[:-1], signature.upper(), "é", "\ud800"):
        with pytest.raises(Forbidden, match="not the address"):
            require_signature(SECRET, UPLOAD, wrong, expires_at=until, now=NOW)
    with pytest.raises(Forbidden, match="expired"):
        require_signature(SECRET, UPLOAD, signature, expires_at=until, now=until)


def test_a_waiting_file_is_named_by_its_upload_and_its_bytes():
    file = ReceivedFile("01ABC", "f" * 64, 3, "a.txt", None)
    assert file.name == "01ABC-ffffffffffffffff"
    assert upload_of(file.name) == "01ABC"
