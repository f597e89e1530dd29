"""The services that `tests/services/test_jobs.py` tests, on Cloudflare."""

from tests.services.test_jobs import *  # noqa: F403 - pytest collects the tests from here
