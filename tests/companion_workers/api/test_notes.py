"""Notes as the Worker serves them (see conftest.py)."""

from tests.remote.rest.test_notes import *  # noqa: F403 - pytest collects the suite from here

# Of a file on this machine, and of listeners in this process.
del test_the_original_is_a_download_that_no_browser_runs  # noqa: F821 - from there
del test_those_who_listen_are_told_of_every_write  # noqa: F821 - from there
