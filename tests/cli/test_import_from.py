"""`import --from`: what other systems wrote becomes notes, and nothing of theirs is run."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, jsonl, write_tree


def stored(cli: Cli) -> dict[str, dict[str, Any]]:
    """Every note by its title."""
    notes = [cli("notes", "show", each, "--json").json for each in cli.note_ids()]
    return {str(note["title"]): note for note in notes}


def bring(cli: Cli, kind: str, path: Path, *options: str) -> dict[str, Any]:
    ran = cli("import", "--from", kind, str(path), "--json", *options)
    assert ran.code in (0, 1), ran.err
    return ran.json


VAULT = {
    "Boiler.md": "---\naliases: [Heizung, Furnace]\ntags:\n  - house\ncreated: 2024-05-06\n---\n"
    "See [[Warranty#Terms|the terms]] and [[Plumber]]. #heating/gas\n\n%%secret%%\n"
    "![[plan.png]] stays out of `[[code]]`.\n",
    "people/Plumber.md": "# Anna\n\nCall her. #1 [[#Hours]] [[Boiler#^abc123]]",
    "attached/manual.txt": "Turn the valve to the left.",
    ".obsidian/workspace.json": '{"text": "never read"}',
    ".trash/Old.md": "never read",
}


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    write_tree(folder, VAULT)
    return folder


def test_a_vault_comes_with_its_tags_aliases_and_links_as_words(cli: Cli, vault: Path) -> None:
    told = bring(cli, "obsidian", vault, "--tag", "vault")
    assert (told["stored"], told["failed"]) == (3, [])
    notes = stored(cli)
    boiler = notes["Boiler"]
    text = str(boiler["text"])
    assert "See the terms (Warranty: Terms) and Plumber." in text
    assert "(see plan.png) stays out of `[[code]]`." in text
    assert "Also called: Heizung, Furnace." in text
    assert "secret" not in text
    assert boiler["tags"] == ["heating/gas", "house", "vault"]
    assert str(boiler["created_at"]).startswith("2024-05-06")
    assert "Call her. #1 Hours Boiler" in str(notes["Plumber"]["text"])
    assert notes["Plumber"]["tags"] == ["vault"]


def test_a_vault_that_is_read_again_changes_nothing_and_an_edit_takes_its_notes_place(
    cli: Cli, vault: Path
) -> None:
    bring(cli, "obsidian", vault)
    assert bring(cli, "obsidian", vault)["unchanged"] == 3
    (vault / "Boiler.md").write_text("Replaced by a heat pump.", encoding="utf-8")
    assert bring(cli, "obsidian", vault)["updated"] == 1
    assert stored(cli)["Boiler"]["text"] == "Replaced by a heat pump."


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_pickle_is_never_read_and_the_way_out_of_it_is_told(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    write_tree(folder, {"index.faiss": "x"})
    (folder / "index.pkl").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    ran = cli("import", "--from", "faiss", str(folder))
    assert ran.code == 2
    assert "import --from jsonl notes.jsonl" in ran.err
    assert not (tmp_path / "exploded").exists()


FAISS = {
    "a docstore of LlamaIndex": (
        "docstore.json",
        {
            "docstore/data": {
                "n1": {"__data__": {"text": "One", "metadata": {"file_name": "a.pdf"}}}
            }
        },
    ),
    "nodes that are JSON in JSON": (
        "docstore.json",
        {"docstore/data": {"n1": {"__data__": '{"text": "One", "metadata": {"source": "a.pdf"}}'}}},
    ),
    "documents of LangChain": (
        "documents.json",
        [{"page_content": "One", "metadata": {"source": "a.pdf"}}, {"page_content": ""}],
    ),
    "documents by their ids": ("documents.json", {"1": {"text": "One", "source": "a.pdf"}}),
}


@pytest.mark.parametrize("form", FAISS)
def test_texts_beside_an_index_are_stored_with_their_source(
    cli: Cli, tmp_path: Path, form: str
) -> None:
    name, content = FAISS[form]
    folder = tmp_path / "index"
    write_tree(folder, {"index.faiss": "x", name: json.dumps(content)})
    assert bring(cli, "faiss", folder)["stored"] == 1
    (note,) = stored(cli).values()
    assert (note["text"], note["source"]) == ("One", "a.pdf")


def test_lines_and_lists_of_texts_beside_an_index_are_stored(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    lines = jsonl([{"text": "Two"}, {"text": "Three"}])
    write_tree(folder, {"texts.json": '["One"]', "more.jsonl": lines, "documents.json": "{"})
    told = bring(cli, "faiss", folder)
    assert told["stored"] == 3
    assert [each["source"] for each in told["failed"]] == ["documents.json"]


TRICKY = 'It\'s a "test";\nwith\ttabs (and \\ more), NULL'
ROWS = [
    {"id": 7, "document": TRICKY, "cmetadata": {"source": "a.txt", "tags": ["x", "y"]}},
    {"id": 8, "document": "", "cmetadata": {}},
    {"id": 9, "document": "Second", "cmetadata": {"date": "2020-02-03"}},
]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _copied(text: str) -> str:
    escapes = {"\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    return "".join(escapes.get(each, each) for each in text)


def _insert_dump() -> str:
    head = "--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n\n"
    names = "INSERT INTO public.langchain_pg_embedding (id, embedding, document, cmetadata) VALUES "
    one = [
        f"({row['id']}, '[0.1,0.2]', {_quoted(row['document'])}, {_quoted(json.dumps(metadata))})"
        for row in ROWS
        for metadata in (row["cmetadata"],)
    ]
    return f"{head}{names}{one[0]};\n{names}\n\t{one[1]},\n\t{one[2]};\n"


def _copy_dump() -> str:
    head = (
        "--\n-- PostgreSQL database dump\n--\n\nCOPY public.t (id, document, cmetadata, embedding) "
    )
    lines = [
        f"{row['id']}\t{_copied(row['document'])}\t{_copied(json.dumps(row['cmetadata']))}\t\\N"
        for row in ROWS
    ]
    return head + "FROM stdin;\n" + "\n".join(lines) + "\n\\.\n\nSELECT 1;\n"


def _csv_dump() -> str:
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    long_vector = "[" + ",".join(["0.123456789"] * 20_000) + "]"
    lines = [
        f"{row['id']},{cell(row['document'])},{cell(json.dumps(row['cmetadata']))},{cell(long_vector)}"
        for row in ROWS
    ]
    return "id,document,cmetadata,embedding\n" + "\n".join(lines) + "\n"


DUMPS = {
    "lines of JSON": lambda: jsonl(
        [{"text": row["document"], "metadata": row["cmetadata"]} for row in ROWS]
    ),
    "INSERT": _insert_dump,
    "COPY": _copy_dump,
    "CSV": _csv_dump,
}


@pytest.mark.parametrize("form", DUMPS)
def test_a_dump_of_a_table_comes_with_its_metadata(cli: Cli, tmp_path: Path, form: str) -> None:
    write_tree(tmp_path, {"dump": DUMPS[form]()})
    told = bring(cli, "postgres", tmp_path / "dump")
    assert (told["stored"], told["failed"]) == (2, [])
    notes = {str(note["text"]): note for note in stored(cli).values()}
    assert set(notes) == {TRICKY, "Second"}
    assert notes[TRICKY]["source"] == "a.txt"
    assert notes[TRICKY]["tags"] == ["x", "y"]
    assert str(notes["Second"]["created_at"]).startswith("2020-02-03")


def test_a_column_that_is_not_known_is_asked_for_and_taken(cli: Cli, tmp_path: Path) -> None:
    write_tree(tmp_path, {"dump.csv": "id,paragraph\n1,Hello there\n"})
    ran = cli("import", "--from", "postgres", str(tmp_path / "dump.csv"))
    assert ran.code == 2
    assert "id, paragraph" in ran.err
    told = bring(cli, "postgres", tmp_path / "dump.csv", "--column", "paragraph")
    assert told["stored"] == 1


BROKEN = {
    "a line that is no JSON": ('{"text": "One"}\n{"text": \n', 1),
    "a row too short": ("COPY t (id, text) FROM stdin;\n1\tOne\n2\n\\.\n", 1),
    "an INSERT without an end": (
        "INSERT INTO t (id, text) VALUES (1, 'One');\nINSERT INTO t (id, text) VALUES (2, 'Tw",
        1,
    ),
}


@pytest.mark.parametrize("form", BROKEN)
def test_what_is_broken_in_a_dump_is_told_and_the_rest_is_stored(
    cli: Cli, tmp_path: Path, form: str
) -> None:
    content, failures = BROKEN[form]
    write_tree(tmp_path, {"dump": content})
    told = bring(cli, "postgres", tmp_path / "dump")
    assert told["stored"] == 1
    assert len(told["failed"]) == failures


def test_an_empty_dump_is_answered_with_the_command_that_makes_one(
    cli: Cli, tmp_path: Path
) -> None:
    write_tree(tmp_path, {"dump": "-- nothing\n"})
    ran = cli("import", "--from", "postgres", str(tmp_path / "dump"))
    assert ran.code == 2
    assert "psql -XAt" in ran.err


def test_lines_and_markdown_are_read_as_ingest_reads_them(cli: Cli, tmp_path: Path) -> None:
    write_tree(tmp_path, {"in/a.md": "# Title\n\nText", "notes.jsonl": jsonl([{"text": "Line"}])})
    assert bring(cli, "markdown", tmp_path / "in")["stored"] == 1
    assert bring(cli, "jsonl", tmp_path / "notes.jsonl", "--context", "c")["stored"] == 1


@pytest.mark.parametrize(("kind", "name"), [("obsidian", "file"), ("postgres", "folder")])
def test_a_file_is_not_taken_for_a_folder_nor_the_other_way_round(
    cli: Cli, tmp_path: Path, kind: str, name: str
) -> None:
    write_tree(tmp_path, {"file": "x", "folder/file": "x"})
    assert cli("import", "--from", kind, str(tmp_path / name)).code == 2
