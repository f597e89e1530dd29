"""The services that `tests/services/test_agenda_crashes.py` tests, on Cloudflare."""

from tests.services.test_agenda_crashes import *  # noqa: F403 - pytest collects the tests from here
