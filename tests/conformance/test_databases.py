"""The database suite over every driver (conftest.py lists them)."""

from tests.conformance.database_suite import *  # noqa: F403 - pytest collects the suite from here
