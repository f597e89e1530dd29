"""The part of a check-up that asks the server of DOME_LLM_URL what it has."""

from collections.abc import Sequence

from dome_mcp.backends.embedded.llm import ChatCompletions, ServedModel
from dome_mcp.core.errors import BackendError
from dome_mcp.services.integrity import Finding
from dome_mcp.settings import Settings

_CHECK = "language model's server"
_LIST_SECONDS = 10.0
_SHOWN_MODELS = 5
_OLLAMA_TAG = ":latest"
"""What Ollama adds in its list to a name that is asked for without."""


async def check_model_server(settings: Settings) -> list[Finding]:
    """Whether the server lists the model of the settings and reads as much as they say.

    Nothing is found where the settings name no server, or where it keeps no list and does not
    answer: whether it answers is another check.
    """
    url, name, key = settings.llm_url, settings.llm_model, settings.llm_api_key
    if url is None or name is None:
        return []
    try:
        async with ChatCompletions.connect(
            url, name, api_key=key.value if key else None, timeout_seconds=_LIST_SECONDS
        ) as server:
            served = await server.served()
    except BackendError:
        return []
    if not served:
        return []
    model = next((one for one in served if one.name in (name, name + _OLLAMA_TAG)), None)
    return [_unlisted(name, served) if model is None else _context(model, settings)]


def _unlisted(name: str, served: Sequence[ServedModel]) -> Finding:
    listed = ", ".join(model.name for model in served[:_SHOWN_MODELS])
    more = ", …" if len(served) > _SHOWN_MODELS else ""
    return Finding(
        _CHECK,
        "warning",
        f"it lists no model {name!r}, and answers with another one if at all",
        f"Set DOME_LLM_MODEL to one of: {listed}{more}.",
    )


def _context(model: ServedModel, settings: Settings) -> Finding:
    told, assumed = model.context_tokens, settings.llm_context_tokens
    if told is None:
        return Finding(_CHECK, "ok", f"it has {model.name}, and does not say how much it reads")
    if told < assumed:
        return Finding(
            _CHECK,
            "warning",
            f"{model.name} reads {told} tokens there, and DOME sends up to {assumed}",
            f"Set DOME_LLM_CONTEXT_TOKENS={told}, or let the server give it more.",
        )
    return Finding(_CHECK, "ok", f"{model.name} reads {told} tokens there, DOME sends {assumed}")
