"""JSON schemas as small as they can be: every client pays for them in every conversation."""

from typing import Any, cast

Schema = dict[str, Any]

_NOTHING: tuple[object, ...] = (None, "", [], (), 0, False)
_TELLING = frozenset({"note_id", "task_id", "reminder_id", "text", "quote"})
_BESIDES = frozenset({"inbox"})
"""Lists that stand in the results of many tools, whose items are not described in each."""
_UNTOLD = frozenset({"inbox_has_more", "by_meaning", "pending_chunks"})
"""What a result has for the sake of its text alone, and a structured result goes without."""


def lean_input(schema: Schema) -> Schema:
    """A tool's argument schema without titles, references and defaults that say nothing."""
    return _lean(schema, _definitions(schema))


def lean_output(schema: Schema) -> Schema:
    """A tool's result schema: the types of its keys, and of what identifies the items of a list.

    Which keys may be missing is left out, like everything below: it would cost more than it tells.
    """
    properties = _lean(schema, _definitions(schema)).get("properties", {})
    return {
        "type": "object",
        "properties": {
            name: _shallow(name, value) for name, value in properties.items() if name not in _UNTOLD
        },
    }


def _definitions(schema: Schema) -> dict[str, Schema]:
    return schema.get("$defs", {})


def _lean(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return _lean(definitions[name], definitions)
    if "anyOf" in schema:
        # "X or null": whoever has no X leaves the key out.
        (only,) = [form for form in schema["anyOf"] if form.get("type") != "null"]
        schema = {**only, **{key: value for key, value in schema.items() if key != "anyOf"}}
    lean: Schema = {}
    for key, value in schema.items():
        if key in ("title", "$defs") or (key == "default" and value in _NOTHING):
            continue
        if key == "properties":
            properties = cast("dict[str, Schema]", value)
            lean[key] = {name: _lean(inner, definitions) for name, inner in properties.items()}
        elif key == "items":
            lean[key] = _lean(value, definitions)
        else:
            lean[key] = value
    return lean


def _shallow(name: str, schema: Schema) -> Schema:
    shallow: Schema = {"type": schema["type"]}
    if "enum" in schema:
        shallow["enum"] = schema["enum"]
    properties = schema.get("items", {}).get("properties")
    if properties and name not in _BESIDES:
        telling = {key: {"type": properties[key]["type"]} for key in _TELLING & set(properties)}
        shallow["items"] = {"type": "object", "properties": dict(sorted(telling.items()))}
    return shallow
