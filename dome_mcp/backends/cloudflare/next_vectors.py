"""Vectors of the next model in a Vectorize index of their own, beside the one that is searched.

The index is written down before it is made, so that none is left in the account unknown. Its name
follows from the first index's and the model's: a move that was cut off finds the index it made.
What is in it stands in the ledger under that name. The batch that makes it the one that is searched
writes a fact and no vector, however many there are; whoever still works on the index of before
touches the ledger of that one alone.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Protocol

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.matrix_scores import matrix_scores
from dome_mcp.backends.cloudflare.vectorize import VectorizeVectors
from dome_mcp.backends.cloudflare.vectorize_index import VectorizeIndex
from dome_mcp.backends.cloudflare.vectorize_lookup import Ledger
from dome_mcp.backends.cloudflare.vectorize_shapes import MAX_NAME_BYTES
from dome_mcp.core.ports import Database, Statement, VectorEntry

_DIGEST_CHARACTERS = 8
_FIRST = ""


class Register(Protocol):
    """The statements of `dome_mcp.store.vector_indexes`, which says what each does."""

    def note_index(self, name: str) -> Statement: ...
    def search_index(self, name: str, *, first: str) -> list[Statement]: ...
    def searched_index(self, *, first: str) -> Statement: ...
    def other_indexes(self, *, first: str) -> Statement: ...
    def forget_index(self, name: str) -> Statement: ...


class VectorizeNextVectors:
    """The next set of vectors (see `services.reindexing.NextVectors`) for one model.

    `first` is the index that the settings name. `index` searches and writes the set.
    """

    def __init__(
        self,
        api: CloudflareApi,
        database: Database,
        *,
        ledger: Ledger,
        register: Register,
        first: str,
        model: str,
        dimensions: int,
    ) -> None:
        self._api = api
        self._database = database
        self._ledger = ledger
        self._register = register
        self._first = first
        self._dimensions = dimensions
        self._name = next_index_name(first, model)
        self.index = VectorizeVectors(
            VectorizeIndex(api, self._name),
            database,
            ledger=ledger,
            score=matrix_scores,
            model=model,
            dimensions=dimensions,
            known_as=self._name,
        )

    async def is_usable(self) -> bool:
        """Whether the index that is searched is there and takes the model's vectors."""
        (row,) = await self._database.query(self._register.searched_index(first=self._first))
        index = VectorizeIndex(self._api, str(row["index_name"]))
        return await index.fits(self._dimensions)

    async def prepare(self) -> None:
        """Makes the index with its metadata indexes, or goes on with the one that is there."""
        await self._database.query(self._register.note_index(self._name))
        await self.index.restore()

    def stage(self, entries: Sequence[VectorEntry]) -> Sequence[Statement]:
        """See `VectorizeVectors.stage`."""
        return self.index.stage(entries)

    async def settle(self) -> int:
        """See `VectorizeVectors.settle`; it is 0 when Vectorize has taken in all, in minutes."""
        return await self.index.settle()

    def switch(self) -> Sequence[Statement]:
        """Makes the index the one that is searched."""
        return self._register.search_index(self._name, first=self._first)

    async def clean_up(self) -> None:
        """Removes the indexes that DOME was moved away from, or on the way to, and their rows."""
        rows = await self._database.query(self._register.other_indexes(first=self._first))
        for name in [str(row["index_name"]) for row in rows]:
            await VectorizeIndex(self._api, name).remove()
            known_as = _FIRST if name == self._first else name
            await self._database.batch(
                [*self._ledger.forget_index(known_as), self._register.forget_index(name)]
            )


def next_index_name(first: str, model: str) -> str:
    """The name of the index for a model's vectors, at most MAX_NAME_BYTES of small letters, digits
    and dashes; no two models have the same."""
    digest = hashlib.sha256(f"{first}\0{model}".encode()).hexdigest()[:_DIGEST_CHARACTERS]
    words = re.sub(r"[^a-z0-9]+", "-", f"{first}-{model}".lower()).strip("-")
    return f"{words[: MAX_NAME_BYTES - len(digest) - 2].rstrip('-')}-{digest}"
