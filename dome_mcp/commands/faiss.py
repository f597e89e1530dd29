"""The texts of a FAISS index, where they lie beside it as JSON.

LangChain writes them as a pickle (`index.pkl`). To read a pickle is to run it, whoever wrote it,
so that is never done here; its owner can have them written as lines of JSON.
Source: https://docs.python.org/3/library/pickle.html ("Warning", 2026-11).
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from dome_mcp.commands.records import Foreign
from dome_mcp.core.errors import DomeError, InvalidInput

_TEXTS = ("page_content", "text", "content", "document")
_LLAMA_DATA = "docstore/data"
_NAMES = ("docstore.json", "documents.json", "texts.json")
_EXPORT = """\
LangChain's index.pkl can run any program when it is read, so DOME does not read it. Where the \
index was made, and only if you trust it, run:
  python -c 'import json, pickle, sys; d, _ = pickle.load(open("index.pkl", "rb")); \
[print(json.dumps({"text": x.page_content, "source": str(x.metadata.get("source") or "") or None}))\
 for x in d._dict.values()]' > notes.jsonl
Then: dome-mcp import --from jsonl notes.jsonl"""


def read_faiss(folder: Path) -> Iterator[Foreign | tuple[str, DomeError]]:
    """The texts that lie in the folder as JSON: LlamaIndex's docstore, lists, and lines.

    Raises:
        InvalidInput: there are none.
    """
    files = [folder / name for name in _NAMES if (folder / name).is_file()]
    files += sorted(folder.glob("*.jsonl"))
    found = False
    for file in files:
        for record in _records(file):
            found = True
            yield record
    if not found:
        raise InvalidInput("There are no texts as JSON beside the index.", _EXPORT)


def _records(file: Path) -> Iterator[Foreign | tuple[str, DomeError]]:
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".jsonl":
            content: object = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            content = json.loads(text)
    except (OSError, ValueError, RecursionError):
        yield file.name, InvalidInput(f"{file.name} is no JSON in UTF-8.", "Write it anew.")
        return
    for key, entry in _entries(content):
        record = _foreign(f"{file.name}: {key}", entry)
        if record is not None:
            yield record


def _entries(content: object) -> Iterator[tuple[str, object]]:
    """The entries of a list, of a mapping by id, or of LlamaIndex's docstore."""
    if isinstance(content, Mapping):
        mapping = cast("Mapping[str, object]", content)
        inner = mapping.get(_LLAMA_DATA, mapping.get("_dict", mapping))
        if isinstance(inner, Mapping):
            yield from cast("Mapping[str, object]", inner).items()
    elif isinstance(content, list):
        entries = cast("list[object]", content)
        yield from ((str(number), entry) for number, entry in enumerate(entries, 1))


def _foreign(place: str, entry: object) -> Foreign | None:
    """The entry as a text; None where it has none."""
    if isinstance(entry, str):
        return Foreign(place, entry) if entry.strip() else None
    if not isinstance(entry, Mapping):
        return None
    fields = cast("Mapping[str, object]", entry)
    data = fields.get("__data__", fields)
    if isinstance(data, str):  # LlamaIndex keeps some of its nodes as JSON in JSON.
        try:
            data = json.loads(data)
        except ValueError:
            return None
    if not isinstance(data, Mapping):
        return None
    fields = cast("Mapping[str, object]", data)
    text = next((value for name in _TEXTS if isinstance(value := fields.get(name), str)), None)
    if text is None or not text.strip():
        return None
    metadata = fields.get("metadata")
    extra = cast("Mapping[str, object]", metadata) if isinstance(metadata, Mapping) else {}
    return Foreign(place, text, {**fields, **extra})
