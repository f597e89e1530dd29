"""The program itself with DOME_BACKEND=cloudflare, on two machines that share nothing else."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from tests.workers.indexes import vectorize_index
from tests.workers.local_cloudflare.running import ACCOUNT_ID, QUEUES, TOKEN, LocalCloudflare

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 60
DIMENSIONS = 384


@pytest.fixture
async def cloud(cloudflare: LocalCloudflare, api: CloudflareApi) -> AsyncIterator[dict[str, str]]:
    """The settings of an empty DOME."""
    async with vectorize_index(api, dimensions=DIMENSIONS) as index:
        yield {
            "DOME_BACKEND": "cloudflare",
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT_ID,
            "CLOUDFLARE_API_TOKEN": TOKEN,
            "DOME_CLOUDFLARE_BASE_URL": cloudflare.account.base_url,
            "DOME_D1_DATABASE_ID": cloudflare.lend_database(),
            "DOME_VECTORIZE_INDEX": index,
            "DOME_EMBEDDING_MODEL": "@cf/baai/bge-small-en-v1.5",
            "DOME_R2_BUCKET": cloudflare.lend_bucket(),
            "DOME_R2_ENDPOINT": cloudflare.s3_endpoint,
            "DOME_QUEUE_ID": QUEUES[0],
        }


def dome(home: Path, cloud: dict[str, str], *arguments: str) -> str:
    """What the program prints on a machine whose data folder is `home`; it has to succeed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DOME_")}
    done = subprocess.run(
        [sys.executable, "-m", "dome_mcp", *arguments],
        env={**kept, **cloud, "DOME_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_what_one_machine_stores_another_finds_by_its_meaning(
    cloud: dict[str, str], tmp_path: Path
) -> None:
    document = tmp_path / "boiler.md"
    document.write_text("# Boiler\n\nThe boiler was serviced in May by Hansen.\n")
    dome(tmp_path / "one", cloud, "ingest", str(document))
    found = dome(tmp_path / "other", cloud, "search", "who repaired the heating")
    assert "serviced in May by Hansen" in found


async def test_the_doctor_finds_nothing_to_repair(cloud: dict[str, str], tmp_path: Path) -> None:
    findings = dome(tmp_path / "home", cloud, "doctor").splitlines()
    assert [line for line in findings if line.startswith(("PROBLEM", "warning"))] == []
    for service in ("API token", "D1", "R2", "queue", "Vectorize"):
        assert any(line.startswith(f"ok       {service}:") for line in findings), service
