"""`export` and `import`: what leaves one home is the same in another."""

import json
import os
import sys
from pathlib import Path

import pytest

from dome_mcp.documents.markdown_text import split_front_matter
from tests.cli.conftest import Cli, jsonl, write_tree

LONG = "\n\n".join(f"## Part {n}\n\nFact {n} about the house. {'word ' * 80}" for n in range(120))


@pytest.fixture
def stocked(cli: Cli, documents: Path) -> Cli:
    """A home with notes from files and lines, an edited one, and one longer than its row."""
    (documents / "broken.pdf").unlink()
    write_tree(documents, {"long.md": f"# House\n\n{LONG}"})
    cli("ingest", str(documents), "--context", "home")
    lines = jsonl(
        [
            {"text": "Größe: 24 kW 🔥", "title": 'He said: "no"', "tags": ["a: b", "c"]},
            {"text": "Old", "title": "../../etc", "created_at": "1999-12-31", "source": "diary"},
        ]
    )
    cli("ingest", "--jsonl", "-", stdin=lines)
    cli("notes", "edit", cli.note_ids()[0], "--title", "Edited", "--context", "work")
    return cli


def elsewhere(cli: Cli, name: str = "other") -> tuple[str, str]:
    """The option that makes a command use another home."""
    return ("--home", str(cli.home.with_name(name)))


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_an_export_imported_elsewhere_and_exported_again_is_the_same(
    stocked: Cli, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert stocked("export", str(first)).code == 0
    ran = stocked("import", str(first), "--json", *elsewhere(stocked))
    assert (ran.code, ran.json["stored"], ran.json["failed"]) == (0, 5, [])
    assert stocked("export", str(second), *elsewhere(stocked)).code == 0
    assert tree(first) == tree(second)
    listed = [stocked("notes", "list", "--json", *home) for home in ((), elsewhere(stocked))]
    assert listed[0].json == listed[1].json
    searched = [stocked("search", "fact 77", "--json", *home) for home in ((), elsewhere(stocked))]
    assert searched[0].json == searched[1].json
    assert stocked("doctor", *elsewhere(stocked)).code == 0


def test_an_export_holds_each_note_as_markdown_and_each_original(
    stocked: Cli, documents: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    ran = stocked("export", str(folder), "--json")
    assert ran.json == {
        "folder": str(folder),
        "notes": 5,
        "tasks": 0,
        "reminders": 0,
        "failed": [],
    }
    files = tree(folder)
    assert {name.partition("/")[0] for name in files} == {
        "export.json",
        "notes.jsonl",
        "notes",
        "originals",
    }
    originals = {data for name, data in files.items() if name.startswith("originals/")}
    assert originals == set(tree(documents).values()) - {b"never read", b"not a document"}
    (tomatoes,) = [text.decode() for name, text in files.items() if name.startswith("notes/tomat")]
    assert tomatoes.startswith("---\nid: ")
    assert "\ncontext: home\n" in tomatoes
    assert tomatoes.endswith("---\n\nTomatoes go out after the last frost.\n")


def test_front_matter_of_an_export_is_read_back_by_the_markdown_reader(
    stocked: Cli, tmp_path: Path
) -> None:
    stocked("export", str(tmp_path / "out"))
    (file,) = (tmp_path / "out" / "notes").glob("boiler-*.md")
    found, body = split_front_matter(file.read_text(encoding="utf-8"))
    assert found.title == "Boiler"
    assert found.tags == ("heating", "house")
    assert found.created_at is not None
    assert "The warranty ends in 2031." in body


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_an_export_is_for_its_owner_only(stocked: Cli, tmp_path: Path) -> None:
    stocked("export", str(tmp_path / "out"))
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


def test_an_export_does_not_replace_anything_unasked(stocked: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    assert stocked("export", str(folder)).code == 0
    again = stocked("export", str(folder))
    assert again.code == 2
    assert "--force" in again.err
    stocked("notes", "delete", *stocked.note_ids()[1:], "--yes")
    assert stocked("export", str(folder), "--force").code == 0
    assert len(tree(folder / "notes")) == 1
    assert not list(tmp_path.glob("out.*"))


def test_a_folder_that_is_no_export_is_never_replaced(stocked: Cli, tmp_path: Path) -> None:
    write_tree(tmp_path, {"precious/photo.txt": "mine"})
    for options in ([], ["--force"]):
        ran = stocked("export", str(tmp_path / "precious"), *options)
        assert ran.code == 2
        assert tree(tmp_path / "precious") == {"photo.txt": b"mine"}


def test_what_a_cut_off_export_left_is_no_obstacle(stocked: Cli, tmp_path: Path) -> None:
    stocked("export", str(tmp_path / "out.partial"))
    assert stocked("export", str(tmp_path / "out")).code == 0
    assert not (tmp_path / "out.partial").exists()


def test_notes_that_are_there_are_left_alone_and_counted(stocked: Cli, tmp_path: Path) -> None:
    stocked("export", str(tmp_path / "out"))
    gone, changed, *_ = stocked.note_ids()
    stocked("notes", "delete", gone, "--yes")
    stocked("notes", "edit", changed, "--title", "Newer")
    ran = stocked("import", str(tmp_path / "out"), "--json")
    assert (ran.json["stored"], ran.json["unchanged"]) == (1, 4)
    assert stocked("notes", "show", changed, "--json").json["title"] == "Newer"
    assert gone in stocked.note_ids()


def test_a_note_whose_text_is_lost_fails_alone(stocked: Cli, tmp_path: Path) -> None:
    (body,) = (stocked.home / "blobs").rglob("*.body")
    body.unlink()
    ran = stocked("export", str(tmp_path / "out"), "--json")
    assert ran.code == 1
    assert ran.json["notes"] == 4
    assert len(ran.json["failed"]) == 1


def damaged(folder: Path, change: dict[str, object]) -> None:
    """Puts a changed first record into an export."""
    records = folder / "notes.jsonl"
    first, *rest = records.read_text(encoding="utf-8").splitlines(keepends=True)
    first = json.dumps({**json.loads(first), **change}) + "\n"
    records.write_text("".join([first, *rest]), encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        {"title": 5},
        {"revision": 10**30},
        {"original": "../home/dome.db"},
        {"original": "originals/../../home/dome.db"},
        {"original": "/etc/hostname"},
        {"original": "originals/missing.txt"},
    ],
)
def test_a_damaged_or_hostile_record_fails_alone(
    stocked: Cli, tmp_path: Path, change: dict[str, object]
) -> None:
    stocked("export", str(tmp_path / "out"))
    damaged(tmp_path / "out", change)
    ran = stocked("import", str(tmp_path / "out"), "--json", *elsewhere(stocked))
    assert ran.code == 1
    assert ran.json["stored"] == 4
    assert len(ran.json["failed"]) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_an_original_that_is_a_link_is_not_followed(stocked: Cli, tmp_path: Path) -> None:
    stocked("export", str(tmp_path / "out"))
    (original,) = (tmp_path / "out" / "originals").glob("*.txt")
    write_tree(tmp_path, {"secret": original.read_text(encoding="utf-8")})
    original.unlink()
    os.symlink(tmp_path / "secret", original)
    ran = stocked("import", str(tmp_path / "out"), "--json", *elsewhere(stocked))
    assert (ran.json["stored"], len(ran.json["failed"])) == (4, 1)


def test_an_original_with_other_bytes_is_refused(stocked: Cli, tmp_path: Path) -> None:
    stocked("export", str(tmp_path / "out"))
    (original,) = (tmp_path / "out" / "originals").glob("*.txt")
    original.write_text("Something else.")
    ran = stocked("import", str(tmp_path / "out"), "--json", *elsewhere(stocked))
    assert (ran.json["stored"], len(ran.json["failed"])) == (4, 1)


def test_an_export_of_a_later_version_is_refused(stocked: Cli, tmp_path: Path) -> None:
    stocked("export", str(tmp_path / "out"))
    (tmp_path / "out" / "export.json").write_text('{"format": "dome-export", "version": 2}')
    ran = stocked("import", str(tmp_path / "out"), "--json", *elsewhere(stocked))
    assert ran.code == 2
    assert "another version" in ran.json["error"]["message"]


def test_a_folder_of_markdown_is_imported_with_its_front_matter(cli: Cli, tmp_path: Path) -> None:
    front_matter = "---\ntitle: The fence\ndate: 2024-05-01\ntags:\n  - garden\n---\n"
    write_tree(tmp_path / "vault", {"a/fence.md": f"{front_matter}Painted green."})
    ran = cli("import", str(tmp_path / "vault"), "--tag", "vault", "--json")
    assert (ran.code, ran.json["stored"]) == (0, 1)
    (note,) = cli("notes", "list", "--json").json["notes"]
    assert (note["title"], note["tags"]) == ("The fence", ["garden", "vault"])
    assert note["created_at"].startswith("2024-05-01")


def test_vectors_are_made_anew_by_an_import(cli: Cli, tmp_path: Path) -> None:
    with_model = {"DOME_EMBEDDING_MODEL": ""}
    cli("ingest", "-", stdin="Tomatoes go out after the last frost.", **with_model)
    cli("export", str(tmp_path / "out"), **with_model)
    ran = cli("import", str(tmp_path / "out"), "--json", *elsewhere(cli), **with_model)
    assert (ran.json["stored"], ran.json["pending_chunks"]) == (1, 0)
    found = cli("search", "planting", "--mode", "semantic", "--json", *elsewhere(cli), **with_model)
    assert len(found.json["passages"]) == 1


def test_an_import_of_nothing_is_bad_input(cli: Cli, tmp_path: Path) -> None:
    assert cli("import", str(tmp_path / "nowhere")).code == 2


def test_labels_for_an_export_are_bad_input(stocked: Cli, tmp_path: Path) -> None:
    stocked("export", str(tmp_path / "out"))
    assert stocked("import", str(tmp_path / "out"), "--tag", "x").code == 2
