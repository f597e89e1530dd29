"""`user`: adding and listing users, and taking along or deleting all that one has."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from dome_mcp.app import opened
from dome_mcp.core.access import owner
from dome_mcp.core.agenda import Channel, DeliveryPolicy
from dome_mcp.core.audit import AuditEntry
from dome_mcp.core.ports import Statement
from dome_mcp.core.uploads import Upload
from dome_mcp.services.asking import Question
from dome_mcp.services.audit import record
from dome_mcp.services.channels import add_channel
from dome_mcp.services.dispatch import tick
from dome_mcp.services.reminders import NewReminder, create_reminder
from dome_mcp.services.sessions import converse
from dome_mcp.services.tasks import NewTask, create_task
from dome_mcp.settings import load
from dome_mcp.store import uploads
from tests.cli.conftest import Cli, write_tree
from tests.services.dispatching import MemoryQueue

AS_ALICE = {"DOME_USER": "alice"}
IN_ADDRESS = "T0XYLOPHONE"


@pytest.fixture
def shared(cli: Cli, tmp_path: Path) -> Cli:
    """A home in which alice has something of everything, and the owner a note."""
    write_tree(tmp_path / "documents", {"boiler.md": "# Boiler\n\nAlice's warranty ends in 2031."})
    cli("ingest", str(tmp_path / "documents"), **AS_ALICE)
    cli("ingest", "-", "--title", "Long", stdin="Alice's long note. " * 3000, **AS_ALICE)
    cli("ingest", "-", "--title", "Fence", stdin="The owner's fence.")
    anyio.run(add_agenda, cli)
    cli("token", "create", "--user", "alice", "--scope", "all", "--name", "laptop")
    cli("user", "set", "alice", "--timezone", "Asia/Tokyo", "--identity", "sub-1")
    return cli


async def add_agenda(cli: Cli) -> None:
    async with opened(load(cli.environ)) as opening:
        dome = opening.acting(owner("alice"))
        ports, user, now = dome.ports, dome.user_id, dome.now()
        hook = Channel("hook", user, "slack", f"https://hooks.slack.com/services/{IN_ADDRESS}")
        await add_channel(hook, ports, user_id=user, now=now, allow_private=False)
        await create_task(NewTask("Water", due="+2d"), ports, user_id=user, now=now, zone="UTC")
        once = NewReminder("Stretch", at="+1h")
        await create_reminder(once, ports, user_id=user, now=now, zone="UTC")
        await converse(Question("When does the warranty end?"), ports, user_id=user, now=now)
        later = now.replace(year=now.year + 1)
        await tick(ports.database, MemoryQueue(), DeliveryPolicy(), now=later)
        entry = AuditEntry(now, user, "key", "192.0.2.1", "GET /api/notes", "", "ok")
        await record([entry], ports)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def users(cli: Cli) -> dict[str, dict[str, Any]]:
    return {each["user_id"]: each for each in cli("user", "list", "--json").json["users"]}


def test_a_user_is_added_and_changed(cli: Cli) -> None:
    assert cli("user", "add", "alice", "--timezone", "Asia/Tokyo").code == 0
    assert cli("user", "set", "alice", "--identity", "sub-1").code == 0
    alice = users(cli)["alice"]
    assert (alice["timezone"], alice["identity"], alice["is_owner"]) == (
        "Asia/Tokyo",
        "sub-1",
        False,
    )
    cli("user", "set", "alice", "--timezone", "")
    assert users(cli)["alice"]["timezone"] is None


def test_the_owner_is_listed_and_changed_without_being_added(cli: Cli) -> None:
    assert users(cli)["me"]["is_owner"]
    assert cli("user", "set", "me", "--identity", "sub-1").code == 0
    assert users(cli)["me"]["identity"] == "sub-1"


@pytest.mark.parametrize(
    "words",
    [
        ("add", "alice"),
        ("add", "not a name"),
        ("add", "(deleted)"),
        ("add", "bob", "--timezone", "Mars/Olympus"),
        ("add", "bob", "--identity", "sub-1"),
        ("set", "bob", "--timezone", "Asia/Tokyo"),
        ("set", "alice"),
        ("export", "bob", "somewhere"),
        ("delete", "bob", "--yes"),
    ],
)
def test_what_cannot_be_done_changes_nobody(cli: Cli, words: tuple[str, ...]) -> None:
    cli("user", "add", "alice", "--identity", "sub-1")
    before = users(cli)
    ran = cli("user", *words)
    assert ran.code in (1, 2)
    assert ran.out == ""
    assert users(cli) == before


def test_a_listing_counts_what_each_user_has(shared: Cli) -> None:
    listed = users(shared)
    names = ("notes", "tasks", "reminders", "channels", "tokens")
    assert [listed["alice"][name] for name in names] == [2, 1, 1, 1, 1]
    assert [listed["me"][name] for name in names] == [1, 0, 0, 0, 0]
    assert shared("user", "list").out.splitlines()[1].split("\t") == [
        *("me", "1", "0", "0", "0", "0", "", "", "owner")
    ]


def test_an_export_of_a_user_holds_all_they_have_and_says_that_it_was_checked(
    shared: Cli, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    ran = shared("user", "export", "alice", str(folder), "--json")
    assert (ran.code, ran.json["verified"]) == (0, True)
    expected = {
        "notes": 2,
        "tasks": 1,
        "reminders": 1,
        "channels": 1,
        "tokens": 1,
        "audit": 1,
        "exchanges": 1,
        "firings": 1,
        "deliveries": 1,
    }
    assert ran.json["read_back"] == ran.json["in_database"] == expected
    kinds = [each["kind"] for each in lines(folder / "history.jsonl")]
    assert kinds == ["firing", "delivery"]
    assert [each["action"] for each in lines(folder / "audit.jsonl")] == ["GET /api/notes"]
    (asked,) = lines(folder / "sessions.jsonl")
    assert (asked["question"], len(asked["note_ids"])) == ("When does the warranty end?", 1)
    everything = "".join(
        path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()
    )
    assert "warranty" in everything
    assert "The owner's fence" not in everything


def test_an_export_lets_nobody_in(shared: Cli, tmp_path: Path) -> None:
    shared("user", "export", "alice", str(tmp_path / "out"))
    (token,) = lines(tmp_path / "out" / "tokens.jsonl")
    assert token["name"] == "laptop"
    assert not [name for name in token if "hash" in name or "secret" in name]
    (channel,) = lines(tmp_path / "out" / "channels.jsonl")
    assert channel["address"] == "https://hooks.slack.com/…"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_secrets_are_exported_when_asked_for_to_a_file_for_their_owner(
    shared: Cli, tmp_path: Path
) -> None:
    ran = shared("user", "export", "alice", str(tmp_path / "out"), "--with-secrets")
    assert ran.code == 0
    assert "secrets" in ran.err
    file = tmp_path / "out" / "channels.jsonl"
    assert IN_ADDRESS in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o077 == 0


def test_an_export_that_misses_something_says_so(shared: Cli, tmp_path: Path) -> None:
    (body,) = (shared.home / "blobs").rglob("*.body")
    body.unlink()
    ran = shared("user", "export", "alice", str(tmp_path / "out"), "--json")
    assert (ran.code, ran.json["verified"]) == (1, False)
    assert (ran.json["read_back"]["notes"], ran.json["in_database"]["notes"]) == (1, 2)


def test_what_a_user_takes_along_comes_back_elsewhere_as_it_was(
    shared: Cli, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    other = ("--home", str(tmp_path / "other"))
    shared("user", "export", "alice", str(first))
    ran = shared("import", str(first), "--json", *other, **AS_ALICE)
    counts = [ran.json[name] for name in ("stored", "tasks", "reminders", "failed")]
    assert (ran.code, counts) == (0, [2, 1, 1, []])
    shared("export", str(second), *other, **AS_ALICE)
    # The files that are only to be read are not restored, and all others are the same.
    here = {path.relative_to(second): path.read_bytes() for path in files(second)}
    assert here == {path: (first / path).read_bytes() for path in here}
    assert {path.name for path in files(first)} - {path.name for path in here} == {
        "history.jsonl",
        "channels.jsonl",
        "tokens.jsonl",
        "audit.jsonl",
        "sessions.jsonl",
    }


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_another_users_notes_are_not_taken_over_by_an_import(shared: Cli, tmp_path: Path) -> None:
    shared("user", "export", "alice", str(tmp_path / "out"))
    ran = shared("import", str(tmp_path / "out"), "--json")
    assert ran.code == 1
    assert (ran.json["stored"], ran.json["tasks"], ran.json["reminders"]) == (0, 0, 0)
    assert len(ran.json["failed"]) == 4
    assert users(shared)["alice"]["notes"] == 2


def test_a_deleted_user_leaves_nothing_in_the_data_folder(shared: Cli) -> None:
    write_tree(shared.home / "incoming", {"other": "somebody else's"})
    ran = shared("user", "delete", "alice", "--yes", "--wait", "0", "--json")
    assert (ran.code, ran.json["deleted"], ran.json["left"]) == (0, True, {})
    assert ran.json["had"]["notes"] == 2
    assert set(users(shared)) == {"me"}
    assert len(shared.note_ids()) == 1
    held = [path for path in shared.home.rglob("*") if path.is_file()]
    assert {path.name for path in held} <= {"dome.db", "dome.db-wal", "dome.db-shm", "other"}
    for path in held:
        data = path.read_bytes()
        assert not [word for word in (b"alice", b"Alice", b"warranty", b"sub-1") if word in data]
    assert [path for path in (shared.home / "blobs").iterdir() if path.name != "~incoming"] == []
    assert shared("doctor").code == 0


def test_uploads_of_a_deleted_user_go_and_those_of_others_stay(shared: Cli) -> None:
    async def announce() -> None:
        async with opened(load(shared.environ)) as dome:
            await dome.ports.database.batch(
                [announce_upload("AAA", "alice"), announce_upload("BBB", "me")]
            )

    anyio.run(announce)
    write_tree(shared.home / "incoming", {"AAA": "x", "BBB": "x"})
    shared("user", "delete", "alice", "--yes", "--wait", "0")
    assert [path.name for path in (shared.home / "incoming").iterdir()] == ["BBB"]


def announce_upload(upload_id: str, user_id: str) -> Statement:
    return uploads.announce(
        Upload(
            upload_id,
            user_id,
            filename="plan.pdf",
            content_type=None,
            size_bytes=None,
            max_bytes=100,
            state="open",
            created_at=datetime.now(UTC),
            expires_at=datetime.now(UTC),
        )
    )


def test_nobody_is_deleted_unconfirmed(shared: Cli) -> None:
    ran = shared("user", "delete", "alice", stdin="y\n")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert users(shared)["alice"]["notes"] == 2


def test_the_owner_is_deleted_only_when_that_is_meant(shared: Cli) -> None:
    ran = shared("user", "delete", "me", "--yes")
    assert ran.code == 2
    assert "--owner-too" in ran.err
    assert len(shared.note_ids()) == 1
    assert shared("user", "delete", "me", "--yes", "--wait", "0", "--owner-too").code == 0
    assert shared.note_ids() == []
    assert users(shared)["alice"]["notes"] == 2
