"""The simulated gateway on the loopback, with the settings by which DOME finds it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dome_mcp.backends.cloudflare.ai_gateway import ProviderName
from dome_mcp.settings import Settings, load
from tests.simulators.cloudflare.account import ACCOUNT_ID
from tests.simulators.cloudflare.ai_gateway import (
    GATEWAY_TOKEN,
    MODELS,
    PROVIDER_KEY,
    GatewayHost,
)
from tests.simulators.cloudflare.loopback import on_loopback

GATEWAY_ID = "dome"
_NO_FOLDER = Path(__file__).parent / "no-folder"


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """An authenticated gateway; `origin` is where it answers."""

    host: GatewayHost
    origin: str

    def variables_for(self, provider: ProviderName) -> dict[str, str]:
        """The settings for the provider's model."""
        return {
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT_ID,
            "CLOUDFLARE_API_TOKEN": GATEWAY_TOKEN,
            "DOME_AI_GATEWAY": GATEWAY_ID,
            "DOME_AI_GATEWAY_URL": f"{self.origin}/v1",
            "DOME_LLM_MODEL": f"{provider}/{MODELS[provider]}",
            "DOME_LLM_API_KEY": PROVIDER_KEY,
        }

    def settings_for(self, provider: ProviderName, **changes: str) -> Settings:
        """The same settings, read; their data folder is not there."""
        variables = {**self.variables_for(provider), **changes}
        return load({"DOME_HOME": str(_NO_FOLDER), **variables})


@contextmanager
def running_gateway() -> Iterator[RunningGateway]:
    """A gateway that is gone with the block."""
    host = GatewayHost(ACCOUNT_ID, GATEWAY_ID, is_authenticated=True)

    with on_loopback(host) as origin:
        yield RunningGateway(host, origin)
