"""The services that `tests/services/test_indexing.py` tests, on Cloudflare."""

from tests.services.test_indexing import *  # noqa: F403 - pytest collects the tests from here
