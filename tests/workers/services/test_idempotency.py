"""The services that `tests/services/test_idempotency.py` tests, on Cloudflare."""

from tests.services.test_idempotency import *  # noqa: F403 - pytest collects the tests from here
