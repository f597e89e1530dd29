"""Documents that DOME has no parser for, turned into Markdown by Cloudflare over REST.

The document leaves the machine, and a picture is described by models, which costs neurons: for
callers whose settings allow it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from dome_mcp.backends.cloudflare.ai_refusals import read_ai
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.markdown_shapes import (
    BACKEND,
    CONVERSION_OPTIONS,
    TIMEOUT_SECONDS,
    converted,
    no_document,
    to_be_sent,
)
from dome_mcp.backends.cloudflare.markdown_shapes import CONVERTIBLE as CONVERTIBLE
from dome_mcp.backends.cloudflare.markdown_shapes import MAX_BYTES as MAX_BYTES


@dataclass(frozen=True, slots=True)
class WorkersAiConverter:
    """The `Converter` of an account."""

    api: CloudflareApi

    @property
    def content_types(self) -> Mapping[str, str]:
        return CONVERTIBLE

    async def to_markdown(self, data: bytes, *, filename: str) -> str:
        """See `Converter.to_markdown`."""
        return await to_markdown(self.api, data, filename=filename)


async def to_markdown(api: CloudflareApi, data: bytes, *, filename: str) -> str:
    """The document as Markdown; of a picture, a description.

    Of `filename` only the last part is sent.

    Raises:
        UnreadableDocument: `unsupported`, `too_large`, `empty`, or `corrupt` where Cloudflare
            cannot convert it.
        BackendError: as for `CloudflareApi`; QuotaExhausted for the neurons of a picture.
    """
    name, content_type = to_be_sent(data, filename)
    response = await api.exchange(
        "POST",
        "/ai/tomarkdown",
        backend=BACKEND,
        operation="convert",
        files=[
            ("files", (name, data, content_type)),
            ("conversionOptions", (None, json.dumps(CONVERSION_OPTIONS))),
        ],
        is_repeatable=True,
        timeout_seconds=TIMEOUT_SECONDS,
        reader=read_ai,
    )
    try:
        results = json.loads(response.content)["result"]
    except (LookupError, TypeError, ValueError) as error:
        raise no_document() from error
    return converted(results, filename)
