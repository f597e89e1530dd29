"""The services that `tests/services/test_races.py` tests, on Cloudflare."""

from tests.services.test_races import *  # noqa: F403 - pytest collects the tests from here
