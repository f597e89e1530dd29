"""The Workers' configurations: read as they are committed, changed for an installation alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from dome_mcp.commands.worker_configs import (
    Installation,
    Worker,
    configured,
    migration_files,
    read_jsonc,
    read_workers,
)
from dome_mcp.store.schema import MIGRATIONS

HERE = Installation(
    "other",
    database_id="0f1e2d3c-0000-4000-8000-000000000000",
    index="other-2",
    bucket="other-files",
    url="https://api.example",
    jurisdiction="eu",
    variables={"DOME_EMAIL_SENDER": "dome@example.org", "DOME_TIMEZONE": "Europe/Paris"},
)
BINDINGS = ("d1_databases", "r2_buckets", "vectorize", "services")

COMMITTED = """\
{
  // A "comment", and another /* inside */
  "name": "dome-sample", /* one more */
  "main": "build/entry.py",
  "build": { "command": "python // no comment" },
  "vars": { "DOME_EMAIL_SENDER": "", "KEPT": "as it is" },
  "secrets": { "required": ["A", "B"] },
  "d1_databases": [{ "binding": "DB", "database_name": "dome", "database_id": "set-by-deploy" }],
  "r2_buckets": [{ "binding": "BLOBS", "bucket_name": "dome" }],
  "vectorize": [{ "binding": "VECTORS", "index_name": "dome" }],
  "durable_objects": {
    "bindings": [{ "name": "CLOCKS", "class_name": "Clock", "script_name": "dome-cron" }],
  },
  "queues": {
    "producers": [{ "binding": "JOBS", "queue": "dome-jobs" }],
    "consumers": [{ "queue": "dome-deliveries", "dead_letter_queue": "dome-dead-letters" }],
  },
}
"""


def worker(text: str, folder: str = "sample") -> Worker:
    return Worker(Path(folder), read_jsonc(text))


def test_every_name_and_id_is_the_installations_and_nothing_else_changes() -> None:
    committed = worker(COMMITTED)
    assert configured(committed, HERE, ["A"]) == {
        "name": "other-sample",
        "main": "build/entry.py",
        "vars": {
            "DOME_PUBLIC_URL": "https://api.example",
            "DOME_EMAIL_SENDER": "dome@example.org",
            "KEPT": "as it is",
        },
        "secrets": {"required": ["A"]},
        "d1_databases": [
            {
                "binding": "DB",
                "database_name": "other",
                "database_id": HERE.database_id,
                "migrations_dir": "migrations",
            }
        ],
        "r2_buckets": [{"binding": "BLOBS", "bucket_name": "other-files", "jurisdiction": "eu"}],
        "vectorize": [{"binding": "VECTORS", "index_name": "other-2"}],
        "durable_objects": {
            "bindings": [{"name": "CLOCKS", "class_name": "Clock", "script_name": "other-cron"}]
        },
        "queues": {
            "producers": [{"binding": "JOBS", "queue": "other-jobs"}],
            "consumers": [{"queue": "other", "dead_letter_queue": "other-dead-letters"}],
        },
        "workers_dev": False,
        "preview_urls": False,
    }
    assert committed.config == read_jsonc(COMMITTED)


def test_only_the_api_has_an_address() -> None:
    assert configured(worker('{"name": "dome-api"}', "api"), HERE, [])["workers_dev"] is True


def test_every_queue_that_has_to_be_there_is_known() -> None:
    assert worker(COMMITTED).queues == {"dome-jobs", "dome-deliveries", "dome-dead-letters"}


def test_a_worker_is_deployed_after_those_that_it_calls(tmp_path: Path) -> None:
    configs = {
        "first": '{"name": "dome-first", "services": [{"service": "dome-second"}]}',
        "second": '{"name": "dome-second", "durable_objects": {"bindings": '
        '[{"script_name": "dome-third"}, {"script_name": "elsewhere"}]}}',
        "third": '{"name": "dome-third"}',
    }
    for name, text in configs.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "wrangler.jsonc").write_text(text)
    assert [each.key for each in read_workers(tmp_path)] == ["third", "second", "first"]


def test_the_migrations_are_the_files_that_wrangler_would_apply() -> None:
    files = dict(migration_files())
    assert list(files) == [name for name, _ in MIGRATIONS]
    assert files["0001_notes.sql"].startswith("CREATE TABLE notes")
    assert all(text.endswith(";\n") and ";;" not in text for text in files.values())


@pytest.mark.parametrize("companion", read_workers(), ids=lambda each: each.key)
def test_a_worker_declares_all_that_it_reads_of_its_environment(companion: Worker) -> None:
    read = {name for source in companion.folder.glob("*.py") for name in names_of_env(source)}
    assert "DB" in read
    assert read <= declared(companion)


def names_of_env(source: Path) -> Iterator[str]:
    """What is read as `env.NAME`, or is a setting and read as `getattr(env, "DOME_NAME", …)`.

    A binding that is read in the second way is one that a Worker can do without.
    """
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and is_env(node.value):
            yield node.attr
        if isinstance(node, ast.Call) and len(node.args) > 1 and is_env(node.args[0]):
            name = node.args[1]
            if isinstance(name, ast.Constant) and str(name.value).startswith("DOME_"):
                yield str(name.value)


def is_env(node: ast.AST) -> bool:
    name = getattr(node, "attr", getattr(node, "id", None))
    return name == "env"


def declared(companion: Worker) -> set[str]:
    """The names under which a Worker finds variables, secrets and bindings."""
    config = companion.config
    lists = [config.get(kind, []) for kind in BINDINGS]
    lists += [config.get("queues", {}).get("producers", [])]
    lists += [config.get("durable_objects", {}).get("bindings", []), config.get("send_email", [])]
    lists += [[config["ai"]] if "ai" in config else []]
    names = {each.get("binding", each.get("name")) for found in lists for each in found}
    return names | {*config.get("vars", {}), *companion.secrets}
