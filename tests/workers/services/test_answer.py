"""The services that `tests/services/test_answer.py` tests, on Cloudflare."""

from tests.services.test_answer import *  # noqa: F403 - pytest collects the tests from here
