"""An index elsewhere that lost vectors, or was replaced by another, is filled again from the rows.

That takes no embedding: the database holds every vector that such an index is to have.
"""

from typing import Protocol, runtime_checkable

from dome_mcp.core.ports import Ports
from dome_mcp.services.reindexing import index_facts
from dome_mcp.store import meta


@runtime_checkable
class RestorableVectors(Protocol):
    """A vector index elsewhere, which can lose what it was sent."""

    async def restore(self, *, is_replaced: bool = False) -> int:
        """Has it made and filled again as far as it lacks something; how many vectors are sent.

        `is_replaced` says that it took another's place, and is sent everything.

        Raises:
            BackendRejected: it cannot hold the present model's vectors; nothing was changed.
            BackendError: it cannot be asked or made.
        """
        ...


async def restore_index(ports: Ports, *, place: str) -> int:
    """Makes an index elsewhere again and sends it what it lacks; returns how many vectors.

    `place` is where the settings have the vectors. Where they name another index elsewhere than
    before, that one has the vectors from now on. Harmless to repeat, and to cut off.

    Raises:
        BackendRejected: the index cannot hold the present model's vectors; nothing was changed.
        BackendError: it is not done.
    """
    if not isinstance(ports.vectors, RestorableVectors):
        return 0
    known = await index_facts(ports.database)
    stored = known.get(meta.VECTOR_PLACE, place)
    was_elsewhere = stored.startswith(meta.VECTORIZE) and meta.VECTOR_INDEX not in known
    is_replaced = stored != place and was_elsewhere
    sent = await ports.vectors.restore(is_replaced=is_replaced)
    if is_replaced:
        await ports.database.query(meta.set_fact(meta.VECTOR_PLACE, place))
    return sent
