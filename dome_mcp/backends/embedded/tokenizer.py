"""Text to token ids, as a model's `tokenizer.json` says.

kitoken does the work; it knows the vocabulary, the normalisation and the merging of every kind of
`tokenizer.json`, in a seventh of the space of Hugging Face's library. The special tokens that a
model wants around a text, or around two, are put there here, by the file's `post_processor`.
Source: https://huggingface.co/docs/tokenizers/api/post-processors (2026-11).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kitoken import Kitoken


@dataclass(frozen=True, slots=True)
class _Piece:
    """What stands in one place of a pair, special tokens or one of the texts, and its type."""

    content: tuple[int, ...] | Literal["A", "B"]
    token_type: int


class Tokenizer:
    """A model's tokenizer. What looks like a special token in a text is read as plain text."""

    def __init__(self, path: Path, *, max_tokens: int) -> None:
        """Reads a `tokenizer.json`; its own padding and truncation are not used.

        Raises:
            OSError, ValueError, KeyError: it is not there, or not one that can be read.
        """
        definition = json.loads(path.read_text(encoding="utf-8"))
        self._front, self._back = _special_tokens(definition.get("post_processor"))
        self._pair = _pieces(definition.get("post_processor"))
        definition |= {"truncation": None, "padding": None, "post_processor": None}
        self._kitoken = Kitoken.from_tokenizers(json.dumps(definition).encode())
        self._max_tokens = max_tokens
        self._room = max_tokens - len(self._front) - len(self._back)

    def encode(self, text: str) -> list[int]:
        """At most `max_tokens` ids, the special ones around a text included."""
        ids = list(self._kitoken.encode(text, False))
        return [*self._front, *ids[: self._room], *self._back]

    def encode_pair(self, question: str, text: str) -> tuple[list[int], list[int]]:
        """At most `max_tokens` ids of both texts and the special ones, and the type of each.

        The text is cut; the question only where it takes more than half of the room.

        Raises:
            ValueError: the file does not say how two texts are put together.
        """
        if not self._pair:
            raise ValueError("no post-processor for two texts")
        special = [piece.content for piece in self._pair if isinstance(piece.content, tuple)]
        room = self._max_tokens - sum(map(len, special))
        asked = list(self._kitoken.encode(question, False))
        told = list(self._kitoken.encode(text, False))
        asked = asked[: max(room - len(told), room // 2)]
        texts = {"A": asked, "B": told[: room - len(asked)]}
        ids: list[int] = []
        types: list[int] = []
        for piece in self._pair:
            content = piece.content if isinstance(piece.content, tuple) else texts[piece.content]
            ids += content
            types += [piece.token_type] * len(content)
        return ids, types


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


def _pieces(processor: dict[str, Any] | None) -> tuple[_Piece, ...]:
    """What a pair of texts is put together from, in order; nothing where none is foreseen."""
    match processor:
        case {"type": "TemplateProcessing", "pair": list(pieces), "special_tokens": special}:
            return tuple(_piece(piece, special) for piece in pieces)
        case {"type": "BertProcessing", "cls": cls, "sep": sep}:
            return _joined(cls[1], (sep[1],), sep[1], second=1)
        case {"type": "RobertaProcessing", "cls": cls, "sep": sep}:
            return _joined(cls[1], (sep[1], sep[1]), sep[1], second=0)
        case {"type": "Sequence", "processors": list(processors)}:
            return next(filter(None, map(_pieces, processors)), ())
        case _:
            return ()


def _piece(piece: dict[str, Any], special: dict[str, Any]) -> _Piece:
    match piece:
        case {"Sequence": {"id": "A" | "B" as text, "type_id": int(token_type)}}:
            return _Piece(text, token_type)
        case {"SpecialToken": {"id": name, "type_id": int(token_type)}}:
            return _Piece(tuple(special[name]["ids"]), token_type)
        case _:
            raise ValueError(f"unknown piece {piece}")


def _joined(cls: int, between: tuple[int, ...], sep: int, *, second: int) -> tuple[_Piece, ...]:
    """A pair whose second text and last token are of the type `second`."""
    front, middle, back = _Piece((cls,), 0), _Piece(between, 0), _Piece((sep,), second)
    return front, _Piece("A", 0), middle, _Piece("B", second), back
