"""The notifier suite over the notifiers of a Worker that post by `fetch`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from dome_mcp.core.agenda import Channel
from dome_mcp.core.ports import Notifier
from tests.companion_workers.remote import Binding, RemoteNotifier
from tests.conformance.notifier_benches import BENCHES, SinkBench
from tests.conformance.notifier_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.conformance.notifier_suite import Bench, Failure, Received


@dataclass
class WorkerBench:
    """The bench of a driver of this machine, with the Worker's in its place."""

    inner: SinkBench
    binding: Binding

    @property
    def notifier(self) -> Notifier:
        seconds = self.inner.options.timeout_seconds
        return RemoteNotifier(self.binding, self.inner.channel.kind, seconds)

    @property
    def channel(self) -> Channel:
        return self.inner.channel

    @property
    def secret(self) -> str:
        return self.inner.secret

    def received(self) -> list[Received]:
        return list(self.inner.received())

    def will_be(self, failure: Failure) -> None:
        self.inner.will_be(failure)


@pytest.fixture(params=["webhook", "ntfy", "slack", "webpush"])
def bench(
    request: pytest.FixtureRequest, tmp_path: Path, client: httpx.AsyncClient
) -> Iterator[Bench]:
    with BENCHES[request.param](tmp_path) as made:
        assert isinstance(made, SinkBench)
        yield WorkerBench(made, Binding(client, "NOTIFIERS"))
