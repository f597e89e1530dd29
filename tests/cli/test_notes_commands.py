"""`notes`: list, show, edit and delete."""

import shlex
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, jsonl


@pytest.fixture
def note_id(cli: Cli) -> str:
    cli("ingest", "-", "--title", "Fence", "--tag", "garden", stdin="Painted green in 2025.")
    return cli.note_ids()[0]


def editor(tmp_path: Path, code: str) -> str:
    """An EDITOR that does `code` to the file at `path`."""
    script = tmp_path / "editor.py"
    script.write_text(f"import pathlib, sys\npath = pathlib.Path(sys.argv[1])\n{code}\n")
    return shlex.join([sys.executable, str(script)])


def test_a_listing_is_newest_first_and_comes_in_pages(cli: Cli) -> None:
    dates = ["2026-01-01", "2026-03-01", "2026-02-01"]
    lines = jsonl([{"text": date, "title": date, "created_at": date} for date in dates])
    cli("ingest", "--jsonl", "-", stdin=lines)
    first = cli("notes", "list", "--limit", "2", "--json").json
    second = cli("notes", "list", "--cursor", first["next_cursor"], "--json").json
    titles = [note["title"] for note in first["notes"] + second["notes"]]
    assert titles == ["2026-03-01", "2026-02-01", "2026-01-01"]
    assert second["next_cursor"] is None
    assert "text" not in first["notes"][0]


def test_a_listing_takes_tags_as_people_write_them(cli: Cli, note_id: str) -> None:
    assert cli.note_ids("--tag", "#Garden") == [note_id]


def test_a_listing_in_a_pipe_is_a_line_a_note(cli: Cli, note_id: str) -> None:
    ran = cli("notes", "list")
    cells = ran.out.rstrip("\n").split("\t")
    assert (cells[0], *cells[2:]) == (note_id, "Fence", "garden", "")


def test_a_note_is_shown_with_its_labels_and_text(cli: Cli, note_id: str) -> None:
    ran = cli("notes", "show", note_id)
    assert ran.out.startswith(f"Fence\nid: {note_id}, revision 1\n")
    assert "tags: garden\n" in ran.out
    assert ran.out.endswith("\n\nPainted green in 2025.\n")


def test_labels_are_changed_by_options(cli: Cli, note_id: str) -> None:
    ran = cli("notes", "edit", note_id, "--title", "Hedge", "--tag", "a", "--tag", "b", "--json")
    assert (ran.code, ran.json["changed"]) == (0, True)
    note = cli("notes", "show", note_id, "--json").json
    assert (note["title"], note["tags"], note["revision"]) == ("Hedge", ["a", "b"], 2)
    assert note["text"] == "Painted green in 2025."


def test_a_text_is_changed_from_a_file(cli: Cli, note_id: str, tmp_path: Path) -> None:
    (tmp_path / "new.md").write_text("Painted blue.", encoding="utf-8")
    assert cli("notes", "edit", note_id, "--file", str(tmp_path / "new.md")).code == 0
    assert cli("notes", "show", note_id, "--json").json["text"] == "Painted blue."
    assert cli("search", "green", "--json").json["passages"] == []


def test_a_text_is_changed_in_the_users_editor(cli: Cli, note_id: str, tmp_path: Path) -> None:
    command = editor(tmp_path, "path.write_text(path.read_text().replace('green', 'red'))")
    assert cli("notes", "edit", note_id, EDITOR=command).code == 0
    assert cli("notes", "show", note_id, "--json").json["text"] == "Painted red in 2025."


def test_an_editor_that_changes_nothing_changes_nothing(
    cli: Cli, note_id: str, tmp_path: Path
) -> None:
    ran = cli("notes", "edit", note_id, EDITOR=editor(tmp_path, ""))
    assert (ran.code, ran.out) == (0, "Nothing changed.\n")
    assert cli("notes", "show", note_id, "--json").json["revision"] == 1


@pytest.mark.parametrize("command", ["", "/no/such/editor"])
def test_an_editor_that_is_not_there_is_bad_input(cli: Cli, note_id: str, command: str) -> None:
    assert cli("notes", "edit", note_id, EDITOR=command).code == 2


def test_an_editor_that_fails_changes_nothing(cli: Cli, note_id: str, tmp_path: Path) -> None:
    command = editor(tmp_path, "path.write_text('half'); sys.exit(1)")
    assert cli("notes", "edit", note_id, EDITOR=command).code == 2
    assert cli("notes", "show", note_id, "--json").json["revision"] == 1


def test_a_note_is_deleted_when_that_is_confirmed_beforehand(cli: Cli, note_id: str) -> None:
    ran = cli("notes", "delete", note_id, "--yes", "--json")
    assert ran.json == {"deleted": [note_id], "failed": []}
    assert cli.note_ids() == []


def test_without_a_terminal_nothing_is_deleted_unconfirmed(cli: Cli, note_id: str) -> None:
    ran = cli("notes", "delete", note_id, stdin="y\n")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert cli.note_ids() == [note_id]


def test_one_unknown_id_keeps_all_notes(cli: Cli, note_id: str) -> None:
    assert cli("notes", "delete", note_id, "nothing", "--yes").code == 2
    assert cli.note_ids() == [note_id]
