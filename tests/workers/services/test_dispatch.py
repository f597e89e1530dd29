"""The services that `tests/services/test_dispatch.py` tests, on Cloudflare."""

from tests.services.test_dispatch import *  # noqa: F403 - pytest collects the tests from here
