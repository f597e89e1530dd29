"""The services that `tests/services/test_ingest.py` tests, on Cloudflare."""

from tests.services.test_ingest import *  # noqa: F403 - pytest collects the tests from here
