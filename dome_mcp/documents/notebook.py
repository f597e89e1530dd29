"""Jupyter notebooks: Markdown, code, and what the code printed."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dome_mcp.core.model import Document
from dome_mcp.documents.assembly import Part, Source, assemble
from dome_mcp.documents.encoding import decode
from dome_mcp.documents.markdown_text import markdown_parts
from dome_mcp.documents.refusals import damaged

_MAX_OUTPUT = 20_000


def parse(data: bytes, source: Source) -> Document:
    text = decode(data, filename=source.filename, charset=source.charset)
    try:
        notebook = json.loads(text)
        cells, metadata = notebook["cells"], notebook.get("metadata", {})
        language = metadata.get("kernelspec", {}).get("language", "python")
        parts = list(_parts(cells, language))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(source.filename) from error
    return assemble(parts, source, title=metadata.get("title"), title_from=("heading",))


def _parts(cells: list[Mapping[str, Any]], language: str) -> Iterator[Part]:
    heading: str | None = None
    for cell in cells:
        text = _lines(cell.get("source", ""))
        if cell["cell_type"] == "markdown":
            for part in markdown_parts(text):
                heading = part.heading or heading
                yield Part(part.text, None, heading)
        elif cell["cell_type"] == "code" and text.strip():
            yield Part(f"```{language}\n{text}\n```", None, heading)
            for output in cell.get("outputs", ()):
                yield Part(_output(output)[:_MAX_OUTPUT], None, heading)


def _output(output: Mapping[str, Any]) -> str:
    """The text of an output; pictures and widgets have none."""
    if output["output_type"] == "error":
        return f"{output.get('ename', 'Error')}: {output.get('evalue', '')}"
    return _lines(output.get("text") or output.get("data", {}).get("text/plain", ""))


def _lines(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
