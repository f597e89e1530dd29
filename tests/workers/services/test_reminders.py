"""The services that `tests/services/test_reminders.py` tests, on Cloudflare."""

from tests.services.test_reminders import *  # noqa: F403 - pytest collects the tests from here
