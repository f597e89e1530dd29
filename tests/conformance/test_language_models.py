"""The language model suite over every driver."""

from collections.abc import AsyncIterator

import pytest

from tests.conformance.language_model_benches import BENCHES
from tests.conformance.language_model_suite import *  # noqa: F403 - pytest collects the suite here
from tests.conformance.language_model_suite import Bench


@pytest.fixture(params=BENCHES)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with BENCHES[request.param]() as bench:
        yield bench
