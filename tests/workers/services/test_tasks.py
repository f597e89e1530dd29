"""The services that `tests/services/test_tasks.py` tests, on Cloudflare."""

from tests.services.test_tasks import *  # noqa: F403 - pytest collects the tests from here
