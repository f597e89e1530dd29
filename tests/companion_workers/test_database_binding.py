"""The database suite over a D1 binding, inside a Python Worker."""

from tests.conformance.database_suite import *  # noqa: F403 - pytest collects the suite from here
