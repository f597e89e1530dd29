"""The vectors against the chunks: what a check-up asks, and how it is mended."""

from dome_mcp.core.ports import Database, Statement

_MISSING = """
SELECT chunk_id FROM chunks
WHERE embedded_with = ?1 AND chunk_key NOT IN (
  SELECT chunk_key FROM vectors WHERE length(embedding) = CAST(?2 AS INTEGER))
ORDER BY chunk_key"""

_ORPHANS = "SELECT vector_key FROM vectors WHERE chunk_key NOT IN (SELECT chunk_key FROM chunks)"

REMOVE_ORPHANS = Statement(
    "DELETE FROM vectors WHERE chunk_key NOT IN (SELECT chunk_key FROM chunks)"
)


async def damage(database: Database, model: str, *, row_bytes: int) -> tuple[list[str], int]:
    """The ids of chunks marked as embedded with `model` that have no vector of so many bytes, and
    how many vectors have no chunk; ([], 0) when all is well."""
    missing = await database.query(Statement(_MISSING, (model, row_bytes)))
    orphans = await database.query(Statement(_ORPHANS))
    return [str(row["chunk_id"]) for row in missing], len(orphans)
