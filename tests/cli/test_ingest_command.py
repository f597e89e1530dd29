"""`ingest`: every kind of source, and that no source stops another."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, jsonl, write_tree


def outcomes(ran_json: dict[str, object]) -> tuple[object, object, object, int]:
    failed = ran_json["failed"]
    assert isinstance(failed, list)
    return ran_json["stored"], ran_json["updated"], ran_json["unchanged"], len(failed)


def test_a_folder_is_stored_and_what_cannot_be_read_is_listed_with_its_reason(
    cli: Cli, documents: Path
) -> None:
    ran = cli("ingest", str(documents), "--tag", "mine", "--context", "home", "--json")
    assert ran.code == 1
    assert outcomes(ran.json) == (2, 0, 0, 1)
    (failure,) = ran.json["failed"]
    assert failure["source"] == str(documents / "broken.pdf")
    assert failure["type"] == "unreadable_document"
    assert {note["source"] for note in ran.json["notes"]} == {
        str(documents / "boiler.md"),
        str(documents / "garden" / "tomatoes.txt"),
    }
    assert len(cli.note_ids("--context", "home", "--tag", "mine")) == 2


def test_the_tags_in_a_markdown_file_are_added(cli: Cli, documents: Path) -> None:
    cli("ingest", str(documents / "boiler.md"), "--tag", "mine")
    (note,) = cli("notes", "list", "--json").json["notes"]
    assert note["tags"] == ["heating", "house", "mine"]
    assert note["title"] == "Boiler"


def test_the_same_folder_again_changes_nothing(cli: Cli, documents: Path) -> None:
    (documents / "broken.pdf").unlink()
    cli("ingest", str(documents))
    again = cli("ingest", str(documents), "--json")
    assert again.code == 0
    assert outcomes(again.json) == (0, 0, 2, 0)
    assert again.json["notes"] == []  # known by their bytes, so they were not parsed


def test_a_file_that_changed_updates_its_note(cli: Cli, documents: Path) -> None:
    (documents / "broken.pdf").unlink()
    cli("ingest", str(documents))
    before = sorted(cli.note_ids())
    write_tree(documents, {"garden/tomatoes.txt": "Tomatoes went out on 20 May."})
    again = cli("ingest", str(documents), "--json")
    assert outcomes(again.json) == (0, 1, 1, 0)
    assert sorted(cli.note_ids()) == before
    assert cli("search", "20 May", "--json").json["passages"][0]["text"].endswith("20 May.")


def test_what_is_named_may_lie_outside_the_allowed_roots(cli: Cli, tmp_path: Path) -> None:
    write_tree(tmp_path, {"elsewhere/.secret/plan.txt": "The plan is to paint the fence."})
    hidden = cli("ingest", str(tmp_path / "elsewhere"), "--json")
    assert outcomes(hidden.json) == (0, 0, 0, 0)
    named = cli("ingest", str(tmp_path / "elsewhere" / ".secret"), "--json")
    assert outcomes(named.json) == (1, 0, 0, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_link_that_leads_out_of_a_folder_is_skipped_and_named(cli: Cli, tmp_path: Path) -> None:
    write_tree(tmp_path, {"outside.txt": "secret", "folder/inside.txt": "The fence is green."})
    os.symlink(tmp_path / "outside.txt", tmp_path / "folder" / "link.txt")
    ran = cli("ingest", str(tmp_path / "folder"), "--json")
    assert ran.code == 0
    assert outcomes(ran.json) == (1, 0, 0, 0)
    assert [each["source"] for each in ran.json["skipped"]] == [
        str(tmp_path / "folder" / "link.txt")
    ]


def test_a_path_that_is_not_there_stops_no_other(cli: Cli, documents: Path) -> None:
    ran = cli("ingest", str(documents / "boiler.mdd"), str(documents / "boiler.md"))
    assert ran.code == 1
    assert ran.out.splitlines()[0] == "1 stored, 0 updated, 0 unchanged, 1 failed."
    assert "Did you mean boiler.md?" in ran.out


def test_text_comes_from_standard_input_with_its_title(cli: Cli) -> None:
    ran = cli("ingest", "-", "--title", "Fence", stdin="Grün, RAL 6005. 東京")
    assert ran.code == 0
    (note_id,) = cli.note_ids()
    shown = cli("notes", "show", note_id, "--json").json
    assert (shown["title"], shown["text"]) == ("Fence", "Grün, RAL 6005. 東京")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "There is nothing to ingest."),
        (["a.txt", "b.txt", "--title", "T"], "A title is for one file, page or text."),
        (["-", "--jsonl", "-"], "Standard input can be read once."),
        (["--jsonl", "/no/such/file"], "There is no file '/no/such/file'."),
    ],
)
def test_words_that_make_no_sense_are_bad_input(cli: Cli, argv: list[str], message: str) -> None:
    ran = cli("ingest", *argv, "--json")
    assert ran.code == 2
    assert ran.json["error"]["message"] == message


def test_lines_of_json_become_notes_with_their_labels(cli: Cli) -> None:
    lines = jsonl(
        [
            {
                "text": "Served on 3 May.",
                "title": "Boiler",
                "tags": ["House"],
                "context": "home",
                "source": "diary",
                "created_at": "2026-03-29",
            },
            {"text": "Tomatoes need sun."},
        ]
    )
    ran = cli("ingest", "--jsonl", "-", "--tag", "bulk", "--context", "x", "--json", stdin=lines)
    assert outcomes(ran.json) == (2, 0, 0, 0)
    (boiler,) = cli("notes", "list", "--context", "home", "--json").json["notes"]
    assert boiler["title"] == "Boiler"
    assert boiler["tags"] == ["bulk", "house"]
    assert boiler["source"] == "diary"
    assert boiler["created_at"] == "2026-03-29T00:00:00+01:00"
    assert len(cli.note_ids("--context", "x")) == 1


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[1]",
        '{"title": "no text"}',
        '{"text": 5}',
        '{"text": "x", "tag": "typo"}',
        '{"text": "x", "tags": "a"}',
        '{"text": "x", "tags": [1]}',
        '{"text": "x", "title": 1}',
        '{"text": "x", "created_at": "soon"}',
        '{"text": "   "}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_note_is_named_and_stops_no_other(cli: Cli, line: str) -> None:
    lines = f'{{"text": "before"}}\n{line}\n\n{{"text": "after"}}'
    ran = cli("ingest", "--jsonl", "-", "--json", stdin=lines)
    assert ran.code == 1
    assert outcomes(ran.json) == (2, 0, 0, 1)
    assert ran.json["failed"][0]["source"] == "line 2"


def test_lines_longer_than_one_read_arrive_whole(cli: Cli) -> None:
    long = "word " * 200_000 + "end"
    ran = cli("ingest", "--jsonl", "-", "--json", stdin=jsonl([{"text": long}, {"text": "short"}]))
    assert outcomes(ran.json) == (2, 0, 0, 0)
    sizes = [note["characters"] for note in cli("notes", "list", "--json").json["notes"]]
    assert sorted(sizes) == [5, len(long)]


def test_the_same_lines_again_and_twice_in_one_file_are_stored_once(cli: Cli) -> None:
    lines = jsonl([{"text": "one"}, {"text": "two"}, {"text": "one"}])
    first = cli("ingest", "--jsonl", "-", "--json", stdin=lines)
    assert outcomes(first.json) == (2, 0, 1, 0)
    assert outcomes(cli("ingest", "--jsonl", "-", "--json", stdin=lines).json) == (0, 0, 3, 0)


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_there = self.path == "/fence"
        self.send_response(200 if is_there else 404)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(b"The fence is painted every five years.")

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def site() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_page_is_stored_and_one_that_is_not_there_fails_alone(cli: Cli) -> None:
    with site() as url:
        ran = cli(
            "ingest", f"{url}/missing", f"{url}/fence", "--json", DOME_ALLOW_PRIVATE_URLS="true"
        )
    assert ran.code == 1
    assert outcomes(ran.json) == (1, 0, 0, 1)
    assert ran.json["failed"][0]["source"] == f"{url}/missing"
    assert ran.json["notes"][0]["source"] == f"{url}/fence"


def test_vectors_are_there_when_the_command_returns(cli: Cli) -> None:
    lines = jsonl([{"text": f"Fact {number} about the house."} for number in range(40)])
    ran = cli("ingest", "--jsonl", "-", "--json", stdin=lines, DOME_EMBEDDING_MODEL="")
    assert (ran.code, ran.json["pending_chunks"], ran.json["index_state"]) == (0, 0, "ready")


def test_without_waiting_the_vectors_are_left_for_later(cli: Cli) -> None:
    lines = jsonl([{"text": "one"}, {"text": "two"}])
    ran = cli("ingest", "--jsonl", "-", "--no-wait", "--json", stdin=lines, DOME_EMBEDDING_MODEL="")
    assert ran.code == 0
    assert ran.json["pending_chunks"] == 2
    assert ran.json["index_state"] == "2 chunks are not indexed for meaning yet."


def test_a_run_that_was_killed_is_finished_by_the_next(cli: Cli, documents: Path) -> None:
    (documents / "broken.pdf").unlink()
    texts = {f"many/{n:03}.md": f"# Note {n}\n\nFact {n} of the house." for n in range(600)}
    write_tree(documents, texts)
    process = cli.start("ingest", str(documents), "--no-wait")
    while process.poll() is None and not (cli.home.is_dir() and cli.note_ids()):
        pass
    process.kill()
    process.communicate(timeout=30)
    assert process.returncode != 0  # else it was done before it was killed
    before = len(cli.note_ids())
    again = cli("ingest", str(documents), "--json").json
    assert again["unchanged"] >= before > 0
    assert again["stored"] + again["unchanged"] == 602
    healthy = cli("doctor", "--json")
    assert healthy.code == 0
    assert "602 notes, 602 chunks" in [each["message"] for each in healthy.json["findings"]]
