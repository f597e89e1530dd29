"""The frame around the commands: words, exit codes, errors, output."""

import argparse
import io
import os
import signal
import subprocess
import sys

import pytest

from dome_mcp import __version__
from dome_mcp.cli import main
from dome_mcp.commands import shell, terminal
from dome_mcp.commands.output import Output, printable
from tests.cli.conftest import Cli, jsonl

HEAVY = ("mcp", "numpy", "rich", "pydantic", "apsw", "httpx", "anyio", "onnxruntime")


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["ingest", "--help"]])
def test_help_and_version_import_nothing_but_the_standard_library(words: list[str]) -> None:
    code = (
        "import sys\nfrom dome_mcp.cli import main\n"
        f"try: main({words!r})\nexcept SystemExit as end: assert not end.code\n"
        f"print('loaded', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "loaded []"


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"dome-mcp {__version__}\n"


@pytest.mark.parametrize("words", [[], ["serve"]])
def test_without_a_command_it_serves_until_standard_input_ends(cli: Cli, words: list[str]) -> None:
    process = cli.start(*words)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_person_who_starts_the_server_by_hand_is_told_what_it_waits_for(cli: Cli) -> None:
    terminal_end, server_end = os.openpty()
    process = cli.start(stdin=server_end)
    os.write(terminal_end, b"\x04")  # Ctrl-D
    out, err = process.communicate(timeout=30)
    os.close(terminal_end)
    os.close(server_end)
    assert (process.returncode, out) == (0, "")
    assert "dome-mcp --help" in err


def test_a_mistyped_command_is_answered_with_the_ones_there_are(cli: Cli) -> None:
    ran = cli("serach", "boiler")
    assert (ran.code, ran.out) == (2, "")
    assert "'serach'" in ran.err
    assert "'search'" in ran.err


def test_a_mistyped_command_is_json_where_json_was_asked_for(cli: Cli) -> None:
    ran = cli("--json", "search")
    assert ran.code == 2
    assert ran.json["error"]["type"] == "usage"
    assert "QUERY" in ran.json["error"]["hint"]


def test_options_may_stand_before_and_behind_the_command(cli: Cli) -> None:
    before = cli("--json", "--home", str(cli.home / "a"), "notes", "list")
    behind = cli("notes", "list", "--json", "--home", str(cli.home / "b"))
    assert before.json == behind.json == {"notes": [], "next_cursor": None}
    assert (cli.home / "a" / "dome.db").is_file()
    assert (cli.home / "b" / "dome.db").is_file()


def test_an_error_says_what_to_do_on_standard_error_without_a_traceback(cli: Cli) -> None:
    ran = cli("notes", "show", "nothing")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines() == [
        "dome-mcp: There is no note 'nothing'.",
        "Use list_notes or search to find the note's id.",
    ]


def test_an_error_is_json_where_json_was_asked_for(cli: Cli) -> None:
    ran = cli("notes", "show", "nothing", "--json")
    assert (ran.code, ran.err) == (2, "")
    assert ran.json["error"]["type"] == "not_found"
    assert ran.json["error"]["message"] == "There is no note 'nothing'."


def test_all_bad_settings_are_reported_at_once(cli: Cli) -> None:
    ran = cli("notes", "list", "--json", DOME_TIMEZONE="Mars", DOME_COMPANION="maybe")
    assert ran.code == 2
    assert ran.json["error"]["type"] == "configuration_error"
    assert len(ran.json["error"]["problems"]) == 2


def test_a_suspicious_setting_is_a_warning_on_standard_error(cli: Cli) -> None:
    ran = cli("notes", "list", "--json", DOME_TIMEZON="Europe/Berlin")
    assert ran.code == 0
    assert ran.err.startswith("warning: DOME_TIMEZON ")


def test_a_backend_that_fails_is_a_failure_and_no_bad_input(cli: Cli) -> None:
    cli.home.mkdir()
    (cli.home / "dome.db").write_text("this is no database, " * 100)
    ran = cli("notes", "list", "--json")
    assert ran.code == 1
    assert ran.json["error"]["type"] == "backend_rejected"


def test_an_internal_error_shows_a_reference_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = shell.run(argparse.Namespace(run="serve:no_such_function"), {})
    err = capsys.readouterr().err
    assert code == 1
    assert "Internal error (AttributeError), reference " in err
    assert "Traceback" not in err


def test_an_internal_error_has_its_traceback_when_debugging(cli: Cli) -> None:
    incomplete = argparse.Namespace(run="notes:list_notes")
    assert shell.run(incomplete, {**cli.environ, "DOME_LOG_LEVEL": "DEBUG"}) == 1
    assert "Traceback" in cli.capsys.readouterr().err


def test_an_argument_that_is_no_text_is_an_error_without_a_traceback(cli: Cli) -> None:
    # What argv holds for bytes that are not UTF-8.
    ran = cli("notes", "list", "--context", "\udcff")
    assert ran.code == 1
    assert "Traceback" not in ran.err


def test_a_reader_who_leaves_early_ends_the_command_quietly(cli: Cli) -> None:
    texts = jsonl([{"text": f"Note {number} {'x' * 3000}"} for number in range(200)])
    cli("ingest", "--jsonl", "-", stdin=texts)
    process = cli.start("search", "note", "--limit", "50", "--json")
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (141, "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_an_interrupted_command_says_so_without_a_traceback(cli: Cli) -> None:
    process = cli.start("ingest", "--jsonl", "-", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(jsonl([{"text": f"Note {number}"} for number in range(500)]))
    process.stdin.flush()
    while not cli.home.joinpath("dome.db").exists() or not cli.note_ids():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130  # although standard input is still open
    err = process.communicate(timeout=30)[1]
    assert err == "Interrupted. What was done so far is kept.\n"
    assert len(cli.note_ids()) == 200  # one page of the 500


def test_control_characters_of_a_note_do_not_reach_the_terminal(cli: Cli) -> None:
    cli("ingest", "-", "--title", "a\x1b[2Jb", stdin="A text long enough to be one.")
    (note_id,) = cli.note_ids()
    for command in (["notes", "show", note_id], ["notes", "list"], ["search", "text"]):
        assert "\x1b" not in cli(*command).out
    assert printable("a\tb\nc\x9bd") == "a\tb\ncd"


def test_on_a_terminal_rows_stand_under_headers_and_markup_is_text() -> None:
    file = io.StringIO()
    terminal.print_table(("id", "title"), [["1", "[red]Boiler[/red]"]], file=file)
    terminal.print_line("[b]bold[/b]", "bold", file=file)
    header, row, line = file.getvalue().splitlines()
    assert header.split() == ["id", "title"]
    assert row.split() == ["1", "[red]Boiler[/red]"]
    assert line == "[b]bold[/b]"


def test_on_a_narrow_terminal_an_id_is_shown_whole() -> None:
    file = io.StringIO()
    note_id = "01M867DM4M4QK8NFT5DD5KR1S0"
    rows = [[note_id, "A very long title " * 20, "tag " * 40]]
    terminal.print_table(("id", "title", "tags"), rows, file=file)
    assert note_id in file.getvalue()


def test_on_a_narrow_terminal_no_column_is_squeezed_out() -> None:
    file = io.StringIO()
    rows = [["01M867DM4M4QK8NFT5DD5KR1S0", "A very long title " * 20, "house"]]
    terminal.print_table(("id", "title", "context"), rows, file=file)
    header, row, *_ = file.getvalue().splitlines()
    assert header.split() == ["id", "title", "context"]
    assert row.rstrip().endswith("house")


def test_in_a_pipe_a_row_is_one_line_with_tabs() -> None:
    file = io.StringIO()
    Output(file, io.StringIO(), is_json=False).table(("a", "b"), [["x\ty", "1\n2"]])
    assert file.getvalue() == "x y\t1 2\n"


def test_progress_keeps_silent_without_a_terminal() -> None:
    err = io.StringIO()
    with Output(io.StringIO(), err, is_json=False).progress() as show:
        show("reading", 1, 2)
    assert err.getvalue() == ""


def test_progress_on_a_terminal_names_what_is_done() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    err = Terminal()
    with Output(io.StringIO(), err, is_json=False).progress() as show:
        show("reading files", 1, 2)
        show("embedding chunks", 3, 4)
    assert "embedding chunks" in err.getvalue()
    assert "3/4" in err.getvalue()
