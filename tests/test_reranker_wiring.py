"""Which reranker the settings open."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.models import hub_folder
from dome_mcp.core.errors import ConfigurationError
from dome_mcp.settings import Settings, load
from dome_mcp.wiring import MODEL_FOLDER, open_services
from tests.cross_encoder import cross_encoder_folder
from tests.simulators.cloudflare.ai import RERANKER, WorkersAiSimulator
from tests.simulators.cloudflare.served import Served, served_account

pytestmark = pytest.mark.anyio

COMMIT = "0" * 40


@pytest.fixture
def served() -> Iterator[Served]:
    with served_account() as served:
        yield served


def settings_of(home: Path, **variables: str) -> Settings:
    fixed = {"DOME_HOME": str(home), "DOME_TIMEZONE": "UTC", "DOME_EMBEDDING_MODEL": "off"}
    return load({**fixed, **variables})


@pytest.mark.parametrize("variables", [{}, {"DOME_RERANKER": "off"}])
async def test_there_is_none_unless_one_is_named(tmp_path: Path, variables: dict[str, str]) -> None:
    async with open_services(settings_of(tmp_path, **variables)) as dome:
        assert dome.ports.reranker is None


async def test_a_folder_is_a_reranker_of_this_machine(tmp_path: Path) -> None:
    folder = cross_encoder_folder(tmp_path / "matching")
    async with open_services(settings_of(tmp_path, DOME_RERANKER=str(folder))) as dome:
        assert dome.ports.reranker is not None
        assert list(await dome.ports.reranker.rerank("sink", ["sugar", "sink"])) == [1.0, 2.0]


async def test_a_pulled_model_is_found_by_its_name(tmp_path: Path) -> None:
    pulled = hub_folder("acme/matching", tmp_path / MODEL_FOLDER)
    cross_encoder_folder(pulled / COMMIT)
    (pulled / "revision").write_text(COMMIT, encoding="utf-8")
    async with open_services(settings_of(tmp_path, DOME_RERANKER="acme/matching")) as dome:
        assert dome.ports.reranker is not None
        assert dome.ports.reranker.model == "matching/fp32"


async def test_workers_ai_reranks_through_the_gateway_though_all_else_is_here(
    served: Served, tmp_path: Path
) -> None:
    simulator = WorkersAiSimulator()
    served.account.register("ai", simulator)
    named = {**served.settings, "DOME_RERANKER": RERANKER, "DOME_AI_GATEWAY": "dome"}
    async with open_services(settings_of(tmp_path, **named)) as dome:
        assert dome.ports.reranker is not None
        assert list(await dome.ports.reranker.rerank("sink", ["sugar", "sink"])) == [0.0, 1.0]
    assert [body["query"] for body in simulator.bodies] == ["sink"]
    assert [call.headers["cf-aig-gateway-id"] for call in served.account.calls] == ["dome"]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("@cf/baai/bge-m3", RERANKER),
        ("acme/missing", "dome-mcp model pull acme/missing"),
        ("not a model", "neither a folder nor an id"),
    ],
)
async def test_a_wrong_one_is_refused_with_what_to_do(
    served: Served, tmp_path: Path, name: str, advice: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"reranker .*{advice}"):
        async with open_services(settings_of(tmp_path, **served.settings, DOME_RERANKER=name)):
            pass
