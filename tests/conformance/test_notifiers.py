"""The notifier suite over every driver."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.mail_by_cloudflare import cloudflare_mail_bench
from tests.conformance.notifier_benches import BENCHES
from tests.conformance.notifier_suite import *  # noqa: F403 - pytest collects the suite here
from tests.conformance.notifier_suite import Bench

# Apprise imports imghdr, which Python 3.11 warns of.
WARNS = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

EVERY = {**BENCHES, "email by cloudflare": cloudflare_mail_bench}


@pytest.fixture(
    params=[pytest.param(kind, marks=WARNS if kind == "apprise" else ()) for kind in EVERY]
)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with EVERY[request.param](tmp_path) as made:
        yield made
