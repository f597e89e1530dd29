"""The services that `tests/services/test_search.py` tests, on Cloudflare."""

from tests.services.test_search import *  # noqa: F403 - pytest collects the tests from here
