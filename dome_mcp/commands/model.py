"""`dome-mcp model`: embedding models and rerankers from the hub."""

from dome_mcp.backends.embedded.hub import HUB_URL
from dome_mcp.backends.embedded.hub import pull as pull_model
from dome_mcp.backends.embedded.model_files import CrossEncoderSpec
from dome_mcp.commands.shell import Invocation
from dome_mcp.wiring import MODEL_FOLDER


async def pull(invocation: Invocation) -> int:
    """Downloads a model into the data folder; using it is a setting."""
    arguments, output = invocation.arguments, invocation.output
    if not output.is_json:
        output.remark(f"Downloading {arguments.name} …")
    spec = await pull_model(
        arguments.name,
        revision=arguments.revision,
        cache=invocation.settings().home / MODEL_FOLDER,
        base_url=(arguments.hub or HUB_URL).rstrip("/"),
    )
    if isinstance(spec, CrossEncoderSpec):
        output.value({"name": arguments.name, "model": spec.model})
        output.line(f"{arguments.name} is here.")
        output.line(f"Set DOME_RERANKER={arguments.name} to use it.")
        return 0
    output.value({"name": arguments.name, "model": spec.model, "dimensions": spec.dimensions})
    output.line(f"{arguments.name} is here: {spec.dimensions} dimensions.")
    output.line(
        f"Set DOME_EMBEDDING_MODEL={arguments.name} to use it, then run `dome-mcp reindex`."
    )
    return 0
