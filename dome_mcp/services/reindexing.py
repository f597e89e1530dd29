"""From one embedding model to another.

`adopt_model` is the short way: the old vectors go at once, and search by meaning comes back as the
new ones are made. The long way has no such gap: vectors of the next model are made beside the old
ones, which are searched until one batch makes the next model the present one.

    measure_move; begin_move; move_step until it has done nothing; finish_move; end_move

Whatever is cut off is repeated from the start, and goes on where it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.ports import Database, Embedder, Ports, Row, Statement, VectorEntry
from dome_mcp.services.chunk_vectors import Embedded, embed_or_refuse
from dome_mcp.services.indexing import fits_shape, index_shape
from dome_mcp.store import embedding, meta, reindexing
from dome_mcp.store.notes import to_int

_INDEX_FACTS = (
    meta.EMBEDDING_MODEL,
    meta.EMBEDDING_SHAPE,
    meta.EMBEDDING_NAME,
    meta.VECTOR_PLACE,
    meta.VECTOR_INDEX,
)
_AT_ONCE = 500
_STEP_CHUNKS = 100


class NextVectors(Protocol):
    """A second set of vectors, of another model, beside those that are searched.

    Sets of several models may be there at once; none changes another.
    """

    async def is_usable(self) -> bool:
        """Whether what is searched now could hold the model's vectors, were they of this model.

        Raises:
            BackendError: it cannot be told.
        """
        ...

    async def prepare(self) -> None:
        """Makes room for the set; harmless where it is there.

        Raises:
            BackendError: it cannot be made.
        """
        ...

    def stage(self, entries: Sequence[VectorEntry]) -> Sequence[Statement]:
        """Statements that put entries into the set, replacing what their ids had."""
        ...

    async def settle(self) -> int:
        """Carries staged changes out and returns how many are left; harmless to repeat.

        Raises:
            BackendError: the set cannot be written; what is left stays staged.
        """
        ...

    def switch(self) -> Sequence[Statement]:
        """Statements that make this set the one that is searched."""
        ...

    async def clean_up(self) -> None:
        """Takes the sets away that are not searched; harmless to repeat.

        Raises:
            BackendError: they are not all gone.
        """
        ...


@dataclass(frozen=True, slots=True)
class NextModel:
    """The model to move to, where its vectors go, and the setting that names it."""

    embedder: Embedder
    vectors: NextVectors
    name: str

    @property
    def model(self) -> str:
        return self.embedder.model


@dataclass(frozen=True, slots=True)
class MoveSize:
    """How much a move has to do."""

    chunks: int
    """That have no vector of the next model yet."""
    characters: int
    """Of their texts together."""
    present: int
    """Vectors of the present model."""
    present_dimensions: int
    """Of each of these; 0 where it was not recorded."""


@dataclass(frozen=True, slots=True)
class MoveStep:
    """What one step did, and the last chunk it saw: the next step begins `after` it."""

    done: int
    after: int


async def index_facts(database: Database) -> Mapping[str, str]:
    """What the database says of its vectors and of the model that made them, by name.

    Raises:
        BackendError: the database cannot be read.
    """
    rows = await database.query(meta.facts(_INDEX_FACTS))
    return {str(row["name"]): str(row["value"]) for row in rows}


async def adopt_model(ports: Ports, *, place: str, name: str | None = None) -> None:
    """Makes the configured model the present one: vectors of another go, their chunks wait.

    `place` is where the present vectors are; those that are elsewhere are useless too. `name`
    names the model from now on where no setting does. Until all are gone the old model stays the
    present one, so that no search mixes the two.

    Raises:
        InvalidInput: no embedding model is configured.
        BackendError: not all are gone; to be repeated.
    """
    if ports.embedder is None or ports.vectors is None:
        raise InvalidInput(
            "No embedding model is configured.", "Unset DOME_EMBEDDING_MODEL or name a model."
        )
    shape = await meta.fact(ports.database, meta.EMBEDDING_SHAPE)
    stored = await meta.fact(ports.database, meta.VECTOR_PLACE)
    is_here = stored in (None, place)
    # The others are useless whatever the model that made them is called.
    model = ports.embedder.model if is_here and fits_shape(shape, ports.embedder) else ""
    rows = await ports.database.query(embedding.embedded_otherwise(model))
    for part in _parts([str(row["chunk_id"]) for row in rows]):
        await ports.database.batch(
            [*ports.vectors.unstage(part), reindexing.forget_chunks(part, model)]
        )
    await ports.database.batch(
        [
            embedding.forget_vectors(model),
            *_facts(ports.embedder, name),
            meta.set_fact(meta.VECTOR_PLACE, place),
            *(() if is_here else (meta.forget_fact(meta.VECTOR_INDEX),)),
        ]
    )


async def is_moved(ports: Ports, target: NextModel) -> bool:
    """Whether the next model is the present one by now, and the index one of its own.

    Raises:
        BackendError: it cannot be told.
    """
    present = await meta.fact(ports.database, meta.EMBEDDING_MODEL)
    return present == target.model and await target.vectors.is_usable()


async def measure_move(ports: Ports, target: NextModel) -> MoveSize:
    """How much there is to move, or left to move of what was begun before.

    Raises:
        BackendError: the database cannot be read.
    """
    *_, (row,) = await ports.database.batch(
        [*reindexing.begin_moving(), reindexing.measure_unmoved(target.model)]
    )
    shape = await meta.fact(ports.database, meta.EMBEDDING_SHAPE)
    return MoveSize(
        chunks=to_int(row["unmoved"]),
        characters=to_int(row["characters"]),
        present=to_int(row["embedded"]),
        present_dimensions=int(shape.split()[0]) if shape else 0,
    )


async def begin_move(ports: Ports, target: NextModel) -> int:
    """Makes room for vectors of the next model; returns how many chunks have none yet.

    Raises:
        BackendError: there is no room.
    """
    await target.vectors.prepare()
    return (await measure_move(ports, target)).chunks


async def move_step(ports: Ports, target: NextModel, *, after: int) -> MoveStep:
    """Embeds the next chunks for the next model; those that still wait for the present one do not
    count, as they will be embedded by the next anyway.

    The vectors are staged, and settled by `finish_move`: many together cost few requests.

    Raises:
        BackendError: a model or the database failed; nothing is half written.
    """
    limit = min(target.embedder.max_batch, _STEP_CHUNKS)
    statement = reindexing.unmoved_chunks(target.model, after=after, limit=limit)
    rows = await ports.database.query(statement)
    if not rows:
        return MoveStep(0, after)
    statements: list[Statement] = []
    for user_id, of_user in groupby(rows, lambda row: str(row["user_id"])):
        pending = [embedding.to_pending_chunk(row) for row in of_user]
        embedded = await embed_or_refuse(pending, target.embedder, ports.database, user_id=user_id)
        statements += _moved(embedded, target)
    await ports.database.batch(statements)
    return MoveStep(len(rows), _last_key(rows))


async def finish_move(ports: Ports, target: NextModel) -> bool:
    """Makes the next model the present one, in one batch; False where vectors are still staged.

    What changed since it was embedded waits for its vector again.

    Raises:
        BackendError: nothing was changed.
    """
    if await target.vectors.settle():
        return False
    await ports.database.batch(
        [
            *target.vectors.switch(),
            *reindexing.adopt_moved(target.model),
            *_facts(target.embedder, target.name),
        ]
    )
    return True


async def end_move(ports: Ports, target: NextModel) -> None:
    """Takes away what only moves needed; harmless to repeat.

    Raises:
        BackendError: something is left.
    """
    # First what says that chunks were moved, so that no later move believes it of a lost set.
    await ports.database.batch(reindexing.end_moving())
    await target.vectors.clean_up()


def _facts(embedder: Embedder, name: str | None) -> Iterator[Statement]:
    """What the database says of the model that made its vectors."""
    yield meta.set_fact(meta.EMBEDDING_MODEL, embedder.model)
    yield meta.set_fact(meta.EMBEDDING_SHAPE, index_shape(embedder))
    if name is None:
        yield meta.forget_fact(meta.EMBEDDING_NAME)
    else:
        yield meta.set_fact(meta.EMBEDDING_NAME, name)


def _moved(embedded: Embedded, target: NextModel) -> Iterator[Statement]:
    yield from target.vectors.stage(embedded.entries)
    if embedded.done:
        yield reindexing.mark_moved(target.model, embedded.done, is_refused=False)
    if embedded.refused:
        yield reindexing.mark_moved(target.model, embedded.refused, is_refused=True)


def _last_key(rows: Sequence[Row]) -> int:
    return to_int(rows[-1]["chunk_key"])


def _parts(chunk_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(chunk_ids), _AT_ONCE):
        yield chunk_ids[start : start + _AT_ONCE]
