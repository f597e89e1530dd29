"""Examples for the documentation: a command line for every operation, with what it must send."""

import json
import shlex
from typing import Any
from urllib.parse import quote

from dome_mcp.remote.rest.openapi import Document, Operation

Schema = dict[str, Any]

_HOST = "http://127.0.0.1:8765"
_FALLBACKS: dict[str, Any] = {"string": "text", "integer": 1, "number": 1, "boolean": True}


def curl(document: Document, path: str, method: str, operation: Operation) -> str:
    """The command that calls the operation with what it requires, and what has an example."""
    parameters = [each for each in operation.get("parameters", []) if each.get("required")]
    query = []
    words = ["curl"] + ([] if method == "get" else ["-X", method.upper()])
    for each in parameters:
        value = str(_example(document, each["schema"]))
        if each["in"] == "query":
            query.append(f"{each['name']}={quote(value)}")
        elif each["in"] == "header":
            words += ["-H", f"{each['name']}: {value}"]
    address = _HOST + path + (f"?{'&'.join(query)}" if query else "")
    content = operation.get("requestBody", {}).get("content", {})
    if "security" in operation:
        words += ["-H", "Authorization: Bearer $TOKEN"]
    if "application/json" in content:
        body = _example(document, content["application/json"]["schema"])
        words += ["--json", json.dumps(body, ensure_ascii=False)]
    return " ".join(map(_quoted, [*words, address]))


def _quoted(word: str) -> str:
    """The word for a shell, which is to fill in the token."""
    return f'"{word}"' if "$TOKEN" in word else shlex.quote(word)


def _example(document: Document, schema: Schema) -> Any:
    """A value that the schema allows, its own example where it has one."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _example(document, document["components"]["schemas"][name])
    for member in ("examples", "enum"):
        if found := schema.get(member):
            return found[0]
    if "const" in schema:
        return schema["const"]
    if kinds := schema.get("anyOf") or schema.get("oneOf"):
        return _example(document, kinds[0])
    if schema.get("type") == "array":
        return [_example(document, schema["items"])]
    if schema.get("type") == "object":
        required = schema.get("required", ())
        return {
            name: _example(document, member)
            for name, member in schema.get("properties", {}).items()
            if name in required
        }
    return _FALLBACKS.get(schema.get("type", ""), "text")
