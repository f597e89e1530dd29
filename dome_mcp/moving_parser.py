"""The part of the command line that brings data in and out: archives, Cloudflare, other systems."""

import argparse

from dome_mcp.cloudflare_settings import JURISDICTIONS
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
    init.add_argument(
        "--jurisdiction",
        choices=JURISDICTIONS,
        help="where database, bucket and queue have to be kept; it cannot be changed",
    )
    init.add_argument("--gateway", action="store_true", help="an AI gateway too, without logs")
    status = cloud.add("status", "cloud_status:status", "show what is there and how much it holds")
    destroy = cloud.add(
        "destroy", "cloud_destroy:destroy", "copy everything here, then remove it from Cloudflare"
    )
    destroy.add_argument("--confirm", metavar="NAME", help="the name, in place of typing it")
    destroy.add_argument("--export", metavar="DIR", help="where the copy goes (HOME-copy)")
    destroy.add_argument("--no-export", action="store_true", help="without a copy")
    deploy = _add_deploy(cloud)
    for parser in (init, status, destroy, deploy):
        parser.add_argument("--name", help="what all of it is called; dome where nothing is set")
    for name, summary in (
        ("push", "bring all data from this machine to Cloudflare"),
        ("pull", "bring all data from Cloudflare to this machine"),
    ):
        move = commands.add(name, f"moving:{name}", summary)
        move.add_argument("--user", metavar="USER", help="only this user's")
        move.add_argument("--switch", action="store_true", help="use the other side from then on")


def _add_deploy(cloud: Commands) -> argparse.ArgumentParser:
    deploy = cloud.add(
        "deploy", "cloud_deploy:deploy", "run the companion Workers there, after asking"
    )
    deploy.add_argument("--yes", action="store_true", help="do not ask")
    deploy.add_argument(
        "--dry-run", action="store_true", help="show every step and build the Workers, no more"
    )
    deploy.add_argument("--url", help="where dome-api is reached, if not at workers.dev")
    deploy.add_argument("--folder", metavar="DIR", help="where the Workers are gathered (a cache)")
    deploy.add_argument(
        "--wait",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="for a run to be seen (300)",
    )
    return deploy
