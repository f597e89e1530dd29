"""One suite a port, run over every driver: what the port's docstring promises, tested."""

import pytest

pytest.register_assert_rewrite(
    "tests.conformance.database_suite",
    "tests.conformance.blob_suite",
    "tests.conformance.embedder_suite",
    "tests.conformance.language_model_suite",
    "tests.conformance.notifier_suite",
    "tests.conformance.reranker_suite",
    "tests.conformance.vector_suite",
)
