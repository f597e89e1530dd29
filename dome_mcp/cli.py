"""The `dome-mcp` command: what it understands, and which module does the work.

Nothing but the standard library is needed for that, so that `--help`, `--version` and a mistyped
command answer at once; a command's module comes when it runs. Exit codes: 0 done, 1 failed, 2 the
input cannot work, 130 interrupted, 141 the reader of a pipe has gone.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Mapping, Sequence

from dome_mcp import __version__
from dome_mcp.command_parser import Commands, Parser, UsageError, shared_options
from dome_mcp.moving_parser import add_archive, add_cloud

BAD_INPUT = 2

_DESCRIPTION = """\
A personal knowledge base for AI assistants, over the Model Context Protocol.
Without a command it is the MCP server on standard input and output."""

_EPILOG = """\
examples:
  dome-mcp ingest ~/Documents --tag papers
  dome-mcp ask "When does the boiler's warranty end?"
  dome-mcp config claude-desktop --write"""

_CHANNEL_ADDRESSES = {
    "email": "smtp://user:password@host:587?from=me@example.com&to=me@example.com",
    "slack": "the URL of an incoming webhook",
    "ntfy": "https://ntfy.sh/your-topic",
    "webhook": "https://host/path, to which signed JSON is posted",
    "apprise": "a URL of any service that Apprise knows",
}
_CLIENTS = ("claude-desktop", "claude-code", "vscode", "cursor")


def main(argv: Sequence[str] | None = None, *, environ: Mapping[str, str] | None = None) -> int:
    """Runs one command and returns its exit code.

    Raises:
        SystemExit: after `--help` and `--version`.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        arguments = build_parser().parse_args(words)
    except UsageError as error:
        return _report_usage(error, is_json="--json" in words)
    # The first import that costs anything.
    shell = importlib.import_module("dome_mcp.commands.shell")
    return shell.run(arguments, environ)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; `run` of a parsed one names the command as `module:function`."""
    shared = shared_options()
    parser = Parser(
        prog="dome-mcp",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[shared],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"dome-mcp {__version__}")
    parser.set_defaults(run="serve:serve")
    commands = Commands(parser.add_subparsers(title="commands", metavar="COMMAND"), shared)
    _add_serve(commands)
    _add_ingest(commands)
    _add_search(commands)
    _add_notes(commands)
    _add_labels(add_archive(commands))
    add_cloud(commands)
    _add_channel(commands)
    _add_companion(commands)
    _add_session(commands)
    _add_access(commands)
    _add_upkeep(commands)
    _add_config(commands)
    return parser


def _add_serve(commands: Commands) -> None:
    serve = commands.add(
        "serve", "serve:serve", "run the server on standard input and output, or over HTTP"
    )
    serve.add_argument("--http", action="store_true", help="over HTTP: MCP, REST and a page")
    serve.add_argument("--host", metavar="HOST", help="where it listens (DOME_HTTP_HOST)")
    serve.add_argument("--port", metavar="PORT", help="on which port (DOME_HTTP_PORT)")
    serve.add_argument("--workers", metavar="N", help="in how many processes (DOME_HTTP_WORKERS)")


def _add_ingest(commands: Commands) -> None:
    ingest = commands.add("ingest", "ingest:ingest", "store files, folders, web pages or text")
    ingest.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="a file, a folder, an http(s) URL, or - for text on standard input",
    )
    ingest.add_argument(
        "--jsonl",
        metavar="FILE",
        help="store one note for each line of JSON (text, title, tags, context, source, "
        "created_at); - reads standard input",
    )
    ingest.add_argument("--title", help="the title, where there is one file, page or text")
    _add_labels(ingest)
    ingest.add_argument(
        "--no-wait",
        action="store_true",
        help="return when all is found by keyword; a running server makes the vectors",
    )


def _add_search(commands: Commands) -> None:
    search = commands.add("search", "search:search", "find passages")
    search.add_argument("query", nargs="+", metavar="QUERY")
    search.add_argument("--mode", choices=("hybrid", "semantic", "keyword"), default="hybrid")
    search.add_argument("--limit", type=int, default=10, metavar="N")
    search.add_argument("--offset", type=int, default=0, metavar="N", help="skip the first N")
    _add_filter(search)
    ask = commands.add("ask", "search:ask", "answer a question with citations")
    ask.add_argument("question", nargs="+", metavar="QUESTION")
    ask.add_argument("--limit", type=int, default=8, metavar="N", help="passages to read")
    _add_filter(ask)


def _add_notes(commands: Commands) -> None:
    notes = commands.group("notes", "list, show, change and delete notes")
    listing = notes.add("list", "notes:list_notes", "list notes, newest first")
    listing.add_argument("--limit", type=int, default=20, metavar="N")
    listing.add_argument("--cursor", help="next_cursor of the page before")
    _add_filter(listing)
    show = notes.add("show", "notes:show", "print a note")
    show.add_argument("note_id", metavar="ID")
    edit = notes.add("edit", "notes:edit", "change a note; in $EDITOR where nothing is given")
    edit.add_argument("note_id", metavar="ID")
    edit.add_argument("--title")
    edit.add_argument("--file", metavar="FILE", help="the new text; - reads standard input")
    _add_labels(edit)
    delete = notes.add("delete", "notes:delete", "delete notes for good")
    delete.add_argument("note_ids", nargs="+", metavar="ID")
    delete.add_argument("--yes", action="store_true", help="do not ask")


def _add_channel(commands: Commands) -> None:
    channel = commands.group("channel", "say how reminders reach you")
    add = channel.add("add", "channel:add", "add a way to be reached; an ADDRESS of - is read")
    add.add_argument("name", metavar="NAME", help="what reminders call it, for example phone")
    kinds = add.add_mutually_exclusive_group(required=True)
    for kind, address in _CHANNEL_ADDRESSES.items():
        kinds.add_argument(f"--{kind}", metavar="ADDRESS", help=address)
    kinds.add_argument("--webpush", action="store_true", help="a browser, which you then open")
    kinds.add_argument("--desktop", action="store_true", help="notices on this machine")
    add.add_argument("--token", help="ntfy: the server's access token")
    add.add_argument("--events", help="webhook: what else it hears of: ingestion_complete")
    add.add_argument("--contact", metavar="MAILTO", help="webpush: whom push services may write to")
    add.add_argument("--digest", metavar="TIME", help="send the day in short daily: 07:30")
    add.add_argument("--port", type=int, default=8767, help="webpush: where the page is served")
    add.add_argument(
        "--allow-private", action="store_true", help="the address is in your own network"
    )
    add.add_argument(
        "--only-when-named", action="store_true", help="not for reminders that name no channel"
    )
    add.add_argument("--replace", action="store_true", help="in place of one with this name")
    channel.add("list", "channel:list_channels", "list the channels and their last failures")
    test = channel.add("test", "channel:test", "send a notice; by the default channels if none")
    test.add_argument("names", nargs="*", metavar="NAME")
    digest = channel.add("digest", "channel:digest", "send the day in short, daily, or no more")
    digest.add_argument("name", metavar="NAME")
    digest.add_argument("at", metavar="TIME", help="07:30, or off")
    remove = channel.add("remove", "channel:remove", "remove a channel")
    remove.add_argument("name", metavar="NAME")


def _add_companion(commands: Commands) -> None:
    companion = commands.group("companion", "fire reminders when no assistant is running")
    run = companion.add("run", "companion:run", "fire and deliver until it is interrupted")
    run.add_argument("--until-idle", type=float, metavar="HOURS", help="end when idle so long")
    install = companion.add("install", "companion:install", "have the system run it for you")
    install.add_argument("--print", action="store_true", help="show the service, change nothing")
    companion.add("uninstall", "companion:uninstall", "take that back")
    companion.add("status", "companion:status", "say whether one runs, and how it does")


def _add_session(commands: Commands) -> None:
    session = commands.group("session", "look at what was asked of the notes and answered")
    session.add("list", "session:list_sessions", "list the sessions of the last 30 days")
    show = session.add("show", "session:show", "show a session's questions with their answers")
    show.add_argument("session_id", metavar="ID")
    delete = session.add("delete", "session:delete", "delete sessions for good")
    delete.add_argument("session_ids", nargs="+", metavar="ID")


def _add_access(commands: Commands) -> None:
    token = commands.group("token", "let programs in over the network")
    create = token.add("create", "token:create", "make a token, and print it this once")
    create.add_argument("--user", metavar="USER", help="whose it is, added if need be (DOME_USER)")
    create.add_argument(
        "--scope",
        required=True,
        metavar="SCOPES",
        help="notes:read, notes:write, tasks:read, tasks:write and admin, with commas between; "
        "all is everything but admin",
    )
    create.add_argument("--name", default="token", help="which device or program it is for")
    create.add_argument(
        "--expires", default="90d", metavar="WHEN", help="90d, 12h, a date, or never; 90d if left"
    )
    listing = token.add("list", "token:list_tokens", "list tokens, never their secrets")
    listing.add_argument("--user", metavar="USER", help="only this user's")
    revoke = token.add("revoke", "token:revoke", "make tokens useless from now on")
    revoke.add_argument("token_ids", nargs="+", metavar="ID")
    _add_user(commands.group("user", "say who has data here"))
    audit = commands.add("audit", "audit:show", "show who did what over the network")
    audit.add_argument("--user", metavar="USER", help="only this user's")
    audit.add_argument("--limit", type=int, default=100, metavar="N")
    audit.add_argument("--cursor", help="next_cursor of the page before")


def _add_user(user: Commands) -> None:
    add = user.add("add", "user:add", "add a user")
    change = user.add("set", "user:change", "change a user; '' takes a value away")
    for parser in (add, change):
        parser.add_argument("user_id", metavar="USER")
        parser.add_argument("--timezone", metavar="ZONE", help="for example Europe/Berlin")
        parser.add_argument("--identity", metavar="SUB", help="what the OAuth server calls them")
    user.add("list", "user:list_users", "list everybody and how much they have")
    export = user.add("export", "exporting:export_user", "write all that a user has to a folder")
    export.add_argument("user_id", metavar="USER")
    export.add_argument("folder", metavar="DIR")
    export.add_argument("--force", action="store_true", help="replace an older export in DIR")
    export.add_argument(
        "--with-secrets", action="store_true", help="the channels' addresses whole, not masked"
    )
    delete = user.add("delete", "user:delete", "delete a user and all they have, for good")
    delete.add_argument("user_id", metavar="USER")
    delete.add_argument("--yes", action="store_true", help="do not ask")
    delete.add_argument(
        "--wait",
        type=float,
        default=15.0,
        metavar="SECONDS",
        help="for requests of the user that a server has begun; 15 if left",
    )
    delete.add_argument("--owner-too", action="store_true", help="even the owner (DOME_USER)")


def _add_upkeep(commands: Commands) -> None:
    doctor = commands.add("doctor", "doctor:doctor", "check the installation and the data")
    doctor.add_argument("--repair", action="store_true", help="mend what can be rebuilt")
    reindex = commands.add("reindex", "reindex:reindex", "make the vectors with the present model")
    kinds = reindex.add_mutually_exclusive_group()
    kinds.add_argument("--all", action="store_true", help="also those of the same model")
    kinds.add_argument(
        "--to",
        metavar="MODEL",
        help="move to another model; the present one is searched until all is done",
    )
    model = commands.group("model", "fetch embedding models and rerankers")
    pull = model.add("pull", "model:pull", "download an embedding model or a reranker")
    pull.add_argument("name", metavar="NAME", help="for example BAAI/bge-small-en-v1.5")
    pull.add_argument("--revision", default="main", help="a branch, tag or commit")
    pull.add_argument("--hub", metavar="URL", help="a mirror of the hub")


def _add_config(commands: Commands) -> None:
    config = commands.group("config", "show the settings, or add DOME to an assistant")
    config.add("show", "config:show", "print every setting and where it came from")
    for client in _CLIENTS:
        added = config.add(client, "config:connect", f"print, or write, {client}'s configuration")
        added.set_defaults(client=client)
        added.add_argument("--write", action="store_true", help="change the client's own file")
        added.add_argument("--project", metavar="DIR", help="the file of a project, not the user's")


def _add_labels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tag", dest="tags", action="append", metavar="TAG", help="repeatable")
    parser.add_argument("--context", help="a label that groups notes: a project, a conversation")


def _add_filter(parser: argparse.ArgumentParser) -> None:
    _add_labels(parser)
    parser.add_argument("--note", dest="note_ids", action="append", metavar="ID", help="repeatable")
    parser.add_argument("--since", metavar="DATE", help="created on or after, ISO 8601")
    parser.add_argument("--until", metavar="DATE", help="created on or before, ISO 8601")


def _report_usage(error: UsageError, *, is_json: bool) -> int:
    if is_json:
        content = {"type": "usage", "message": error.message, "hint": error.usage}
        sys.stdout.write(json.dumps({"error": content}) + "\n")
    else:
        sys.stderr.write(f"{error.usage}\ndome-mcp: {error.message}\n")
    return BAD_INPUT
