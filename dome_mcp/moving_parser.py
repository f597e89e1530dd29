"""The part of the command line that brings data in and out: archives, Cloudflare, other systems."""

import argparse

from dome_mcp.command_parser import Commands

SOURCES = ("jsonl", "markdown", "obsidian", "faiss", "postgres")


def add_archive(commands: Commands) -> argparse.ArgumentParser:
    """`export` and `import`; returns the latter, which takes labels."""
    export = commands.add("export", "exporting:export", "write all notes to a folder")
    export.add_argument("folder", metavar="DIR")
    export.add_argument("--force", action="store_true", help="replace an older export in DIR")
    restore = commands.add(
        "import", "importing_others:import_any", "read an export, or what another system wrote"
    )
    restore.add_argument("folder", metavar="PATH", help="an export, or a folder of Markdown")
    restore.add_argument(
        "--from",
        dest="origin",
        choices=SOURCES,
        help="what PATH is: lines of JSON, a folder of Markdown, an Obsidian vault, a FAISS folder "
        "with its texts as JSON, or a dump of a PostgreSQL table",
    )
    restore.add_argument(
        "--column", metavar="NAME", help="postgres: which column has the text, where it is unclear"
    )
    restore.add_argument("--no-wait", action="store_true", help="do not wait for the vectors")
    return restore


def add_cloud(commands: Commands) -> None:
    """`cloud`, `push` and `pull`."""
    cloud = commands.group("cloud", "keep the data on Cloudflare")
    init = cloud.add("init", "cloud:init", "make what DOME needs there, after asking")
    init.add_argument("--yes", action="store_true", help="do not ask")
    init.add_argument("--model", metavar="MODEL", help="of Workers AI, for example @cf/baai/bge-m3")
    init.add_argument("--location", metavar="HINT", help="wnam, enam, weur, eeur, apac or oc")
    init.add_argument("--gateway", action="store_true", help="an AI gateway too, without logs")
    status = cloud.add("status", "cloud_status:status", "show what is there and how much it holds")
    destroy = cloud.add(
        "destroy", "cloud_destroy:destroy", "copy everything here, then remove it from Cloudflare"
    )
    destroy.add_argument("--confirm", metavar="NAME", help="the name, in place of typing it")
    destroy.add_argument("--export", metavar="DIR", help="where the copy goes (HOME-copy)")
    destroy.add_argument("--no-export", action="store_true", help="without a copy")
    for parser in (init, status, destroy):
        parser.add_argument("--name", help="what all of it is called; dome where nothing is set")
    for name, summary in (
        ("push", "bring all data from this machine to Cloudflare"),
        ("pull", "bring all data from Cloudflare to this machine"),
    ):
        move = commands.add(name, f"moving:{name}", summary)
        move.add_argument("--user", metavar="USER", help="only this user's")
        move.add_argument("--switch", action="store_true", help="use the other side from then on")
