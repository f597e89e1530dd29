"""Tables in CSV and TSV."""

import csv
import io
from pathlib import PurePath

from dome_mcp.core.model import Document
from dome_mcp.documents.assembly import Part, Source, assemble
from dome_mcp.documents.encoding import decode
from dome_mcp.documents.tables import table_text

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 20


def parse(data: bytes, source: Source) -> Document:
    text = decode(data, filename=source.filename, charset=source.charset)
    delimiter = "\t" if PurePath(source.filename).suffix.lower() == ".tsv" else _delimiter(text)
    try:
        table = table_text(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        # A field beyond the module's limit, most often an open quotation mark: keep the lines.
        table = text
    return assemble([Part(table)], source, title_from=())


def _delimiter(text: str) -> str:
    """The mark that stands about equally often, and most often, in the first lines."""
    lines = [line for line in text[:20_000].splitlines()[:_SAMPLE_LINES] if line.strip()]
    return max(_DELIMITERS, key=lambda mark: min((line.count(mark) for line in lines), default=0))
