"""Text to token ids, as a model's `tokenizer.json` says.

kitoken does the work; it knows the vocabulary, the normalisation and the merging of every kind of
`tokenizer.json`, in a seventh of the space of Hugging Face's library. The special tokens that a
model wants around a text are put there here, by the file's `post_processor`.
Source: https://huggingface.co/docs/tokenizers/api/post-processors (2026-11).
"""

import json
from pathlib import Path
from typing import Any

from kitoken import Kitoken


class Tokenizer:
    """A model's tokenizer. What looks like a special token in a text is read as plain text."""

    def __init__(self, path: Path, *, max_tokens: int) -> None:
        """Reads a `tokenizer.json`; its own padding and truncation are not used.

        Raises:
            OSError, ValueError, KeyError: it is not there, or not one that can be read.
        """
        definition = json.loads(path.read_text(encoding="utf-8"))
        self._front, self._back = _special_tokens(definition.get("post_processor"))
        definition |= {"truncation": None, "padding": None, "post_processor": None}
        self._kitoken = Kitoken.from_tokenizers(json.dumps(definition).encode())
        self._room = max_tokens - len(self._front) - len(self._back)

    def encode(self, text: str) -> list[int]:
        """At most `max_tokens` ids, the special ones around a text included."""
        ids = list(self._kitoken.encode(text, False))
        return [*self._front, *ids[: self._room], *self._back]


def _special_tokens(processor: dict[str, Any] | None) -> tuple[list[int], list[int]]:
    """The ids in front of and behind a single text."""
    match processor:
        case {"type": "TemplateProcessing", "single": list(pieces), "special_tokens": special}:
            return _of_template(pieces, special)
        case {"type": "BertProcessing" | "RobertaProcessing", "cls": cls, "sep": sep}:
            return [cls[1]], [sep[1]]
        case {"type": "Sequence", "processors": list(processors)}:
            found = [_special_tokens(part) for part in processors]
            return next((pair for pair in found if pair != ([], [])), ([], []))
        case _:
            return [], []


def _of_template(
    pieces: list[dict[str, Any]], special: dict[str, Any]
) -> tuple[list[int], list[int]]:
    front: list[int] = []
    back: list[int] = []
    side = front
    for piece in pieces:
        match piece:
            case {"Sequence": _}:
                side = back
            case {"SpecialToken": {"id": name}}:
                side += special[name]["ids"]
            case _:
                continue
    return front, back
