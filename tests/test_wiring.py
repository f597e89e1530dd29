"""What the settings open: which drivers, and whose modules are imported for them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.models import CARRIED_FOLDER
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.errors import ConfigurationError
from dome_mcp.core.ports import Statement
from dome_mcp.services.indexing import semantics
from dome_mcp.settings import Settings, load
from dome_mcp.store import meta
from dome_mcp.wiring import open_services

pytestmark = pytest.mark.anyio

OPEN = """
import anyio, sys
from dome_mcp.app import opened
from dome_mcp.settings import load

async def open_once():
    async with opened(load()):
        pass

anyio.run(open_once)
print([name for name in sys.modules if name.startswith("dome_mcp.backends.cloudflare")])
"""


def settings_of(home: Path, **variables: str) -> Settings:
    return load({"DOME_HOME": str(home), "DOME_TIMEZONE": "UTC", **variables})


def test_nothing_of_cloudflare_is_imported_where_all_is_on_this_machine(tmp_path: Path) -> None:
    environ = {**os.environ, "DOME_HOME": str(tmp_path), "DOME_BACKEND": "embedded"}
    for name in ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"):
        environ.pop(name, None)
    ran = subprocess.run(
        [sys.executable, "-c", OPEN], env=environ, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


async def test_all_on_this_machine_is_the_default(tmp_path: Path) -> None:
    async with open_services(settings_of(tmp_path)) as dome:
        assert isinstance(dome.ports.database, SqliteDatabase)
        assert isinstance(dome.ports.blobs, FileBlobs)
        assert dome.ports.embedder is not None
        shape = await meta.fact(dome.ports.database, meta.EMBEDDING_SHAPE)
        assert shape == "384 mean"


async def test_a_model_that_pools_otherwise_than_it_did_is_another_model(tmp_path: Path) -> None:
    async with open_services(settings_of(tmp_path)) as dome:
        statement = meta.set_fact(meta.EMBEDDING_SHAPE, "384 cls")
        await dome.ports.database.query(statement)
        state = await semantics(dome.ports, user_id=dome.user_id)
        assert "384 cls" in (state.problem or "")


async def test_a_database_of_before_is_taken_for_what_it_is(tmp_path: Path) -> None:
    """Neither shape nor place was recorded once."""
    async with open_services(settings_of(tmp_path)) as dome:
        for name in (meta.EMBEDDING_SHAPE, meta.VECTOR_PLACE):
            await dome.ports.database.query(meta.forget_fact(name))
    async with open_services(settings_of(tmp_path)) as dome:
        assert (await semantics(dome.ports, user_id=dome.user_id)).problem is None
        assert await meta.fact(dome.ports.database, meta.VECTOR_PLACE) == "embedded"


async def test_a_start_that_has_nothing_to_record_writes_nothing(tmp_path: Path) -> None:
    count = Statement("SELECT total_changes() AS changes")
    async with open_services(settings_of(tmp_path)):
        pass
    async with open_services(settings_of(tmp_path)) as dome:
        (row,) = await dome.ports.database.query(count)
        assert row["changes"] == 0


async def test_vectors_on_this_machine_are_not_looked_for_in_vectorize(tmp_path: Path) -> None:
    async with open_services(settings_of(tmp_path)):
        pass
    away = settings_of(
        tmp_path,
        DOME_VECTORS="cloudflare",
        DOME_VECTORIZE_INDEX="dome",
        CLOUDFLARE_ACCOUNT_ID="0" * 32,
        CLOUDFLARE_API_TOKEN="never-sent-anywhere",  # noqa: S106  of no account
    )
    with pytest.raises(ConfigurationError, match=r"are in embedded.*vectorize/dome.*reindex"):
        async with open_services(away):
            pass


async def test_a_model_that_was_moved_to_is_used_only_where_no_setting_names_one(
    tmp_path: Path,
) -> None:
    other = str(CARRIED_FOLDER)
    async with open_services(settings_of(tmp_path)) as dome:
        await dome.ports.database.query(meta.set_fact(meta.EMBEDDING_NAME, other))
    async with open_services(settings_of(tmp_path)) as dome:
        assert dome.ports.embedder is not None
        assert dome.ports.embedder.model == f"{CARRIED_FOLDER.name}/int8"
    named = settings_of(tmp_path, DOME_EMBEDDING_MODEL="all-MiniLM-L6-v2")
    async with open_services(named) as dome:
        assert dome.ports.embedder is not None
        assert dome.ports.embedder.model == "all-MiniLM-L6-v2/int8"
