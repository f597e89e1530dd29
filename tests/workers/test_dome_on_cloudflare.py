"""The program itself with DOME_BACKEND=cloudflare, on two machines that share nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from tests.workers.cloud_user import Machine
from tests.workers.indexes import vectorize_index
from tests.workers.local_cloudflare.running import QUEUES, LocalCloudflare

pytestmark = pytest.mark.anyio

DIMENSIONS = 384


@pytest.fixture
async def cloud(cloudflare: LocalCloudflare, api: CloudflareApi) -> AsyncIterator[dict[str, str]]:
    """The settings of an empty DOME, every one of them in the environment."""
    async with vectorize_index(api, dimensions=DIMENSIONS) as index:
        yield {
            **cloudflare.settings,
            "DOME_BACKEND": "cloudflare",
            "DOME_D1_DATABASE_ID": cloudflare.lend_database(),
            "DOME_VECTORIZE_INDEX": index,
            "DOME_EMBEDDING_MODEL": "@cf/baai/bge-small-en-v1.5",
            "DOME_R2_BUCKET": cloudflare.lend_bucket(),
            "DOME_QUEUE_ID": QUEUES[0],
        }


async def test_what_one_machine_stores_another_finds_by_its_meaning(
    cloud: dict[str, str], tmp_path: Path
) -> None:
    document = tmp_path / "boiler.md"
    document.write_text("# Boiler\n\nThe boiler was serviced in May by Hansen.\n")
    settings = {**cloud, "DOME_ALLOWED_ROOTS": str(tmp_path)}
    Machine(tmp_path / "one", settings).dome("ingest", str(document))
    found = Machine(tmp_path / "other", settings).dome("search", "who repaired the heating")
    assert "serviced in May by Hansen" in found


async def test_the_doctor_finds_nothing_to_repair(cloud: dict[str, str], tmp_path: Path) -> None:
    findings = Machine(tmp_path / "home", cloud).dome("doctor").splitlines()
    assert [line for line in findings if line.startswith(("PROBLEM", "warning"))] == []
    for service in ("API token", "D1", "R2", "queue", "Vectorize"):
        assert any(line.startswith(f"ok       {service}:") for line in findings), service
