"""The database suite over a real D1."""

import pytest

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from tests.conformance.database_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.workers.local_cloudflare.running import LocalCloudflare


@pytest.fixture
def database(cloudflare: LocalCloudflare, api: CloudflareApi) -> D1Database:
    """An empty database."""
    return D1Database(api, cloudflare.lend_database())
