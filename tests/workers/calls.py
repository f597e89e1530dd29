"""Calls to the local Cloudflare by hand, without a driver."""

import json
from typing import Any

import httpx


async def result(client: httpx.AsyncClient, path: str, body: object) -> Any:
    """The `result` of a call that goes well."""
    response = await client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()["result"]


async def rows(client: httpx.AsyncClient, database: str, sql: str, *params: object) -> Any:
    """The rows of one statement."""
    (answer,) = await result(client, f"{database}/raw", {"sql": sql, "params": params})
    return answer["results"]["rows"]


async def upsert(
    client: httpx.AsyncClient, index: str, *vectors: object, verb: str = "upsert"
) -> str:
    """The id of the mutation that brings vectors to an index."""
    lines = "\n".join(json.dumps(vector) for vector in vectors)
    headers = {"Content-Type": "application/x-ndjson"}
    path = f"vectorize/v2/indexes/{index}/{verb}"
    response = await client.post(path, content=lines, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()["result"]["mutationId"]
