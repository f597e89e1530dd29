"""The documentation of the API as one page, made from its OpenAPI document.

It needs no script and nothing from elsewhere, so that it works under the strictest policy.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from dome_mcp.remote.rest.examples import curl
from dome_mcp.remote.rest.openapi import SCOPES_MEMBER, Document, Operation, operations
from dome_mcp.remote.rest.problem_kinds import KINDS, Kind

Schema = dict[str, Any]

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d8dadf, #3a3d44);
  --soft: light-dark(#f4f5f7, #1d1f23); --link: light-dark(#0b57d0, #8ab4f8); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 6rem;
  font: 16px/1.55 system-ui, sans-serif; }
h1 { margin: 0; } h2 { margin: 3rem 0 .5rem; } h3 { margin: 2.5rem 0 .25rem; font-size: 1.05rem; }
a { color: var(--link); }
nav ul { columns: 18rem; column-gap: 2rem; list-style: none; padding: 0; }
code, pre { font: 14px/1.5 ui-monospace, monospace; }
code { background: var(--soft); border-radius: 4px; padding: .1em .3em; overflow-wrap: anywhere; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px;
  overflow-x: auto; padding: .75rem; }
pre code { background: none; padding: 0; overflow-wrap: normal; }
table { border-collapse: collapse; width: 100%; margin: .75rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem .35rem 0; text-align: left;
  vertical-align: top; }
section:target { outline: 2px solid var(--link); outline-offset: .75rem; border-radius: 4px; }
"""

_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src "
    f"'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head>
<body><h1>{title}</h1>
{about}
<p>The same for programs: <a href="openapi.json">openapi.json</a> (OpenAPI {openapi}).</p>
<nav aria-label="Operations"><ul>{index}<li><a href="#problems">Problems</a></li></ul></nav>
{subjects}
<h2 id="problems">Problems</h2>
<p>What is sent as <code>application/problem+json</code> when something fails, by its
<code>type</code>.</p>
{problems}
</body></html>
"""

_CODE = re.compile(r"`([^`]+)`")


def router_for(describe: Callable[..., Document]) -> APIRouter:
    """The routes of the documentation; `describe` makes the document for a root path."""
    router = APIRouter(include_in_schema=False)

    @lru_cache(maxsize=1)
    def described(root: str) -> tuple[Document, str]:
        document = describe(root=root)
        return document, render(document)

    @router.get("/openapi.json")
    async def read_document(request: Request) -> Response:
        document, _ = described(request.scope.get("root_path", ""))
        return JSONResponse(document, headers={"Cache-Control": "no-cache"})

    @router.get("/docs")
    async def read_page(request: Request) -> Response:
        _, page = described(request.scope.get("root_path", ""))
        return HTMLResponse(page, headers=_HEADERS)

    return router


def render(document: Document) -> str:
    """The page; every operation and every type of problem has an anchor."""
    info = document["info"]
    root = document["servers"][0]["url"].rstrip("/")
    subjects = {tag["name"]: [tag["description"], []] for tag in document["tags"]}
    index: list[str] = []
    for path, method, operation in operations(document):
        name = operation["operationId"]
        subjects[operation["tags"][0]][1].append(
            _operation(document, f"{root}{path}", method, operation)
        )
        index.append(f'<li><a href="#{name}">{method.upper()} {escape(root + path)}</a></li>')
    return _PAGE.format(
        title=escape(f"{info['title']} {info['version']}: the API"),
        style=_STYLE,
        about=_prose(info["description"]),
        openapi=escape(document["openapi"]),
        index="\n".join(index),
        subjects="\n".join(
            f"<h2>{escape(name.capitalize())}</h2>{_prose(about)}{''.join(parts)}"
            for name, (about, parts) in subjects.items()
        ),
        problems="\n".join(map(_problem, KINDS)),
    )


def _operation(document: Document, path: str, method: str, operation: Operation) -> str:
    scopes = operation.get(SCOPES_MEMBER, [])
    needs = ", ".join(f"<code>{escape(scope)}</code>" for scope in scopes) or "any token"
    parts = [
        f'<section id="{operation["operationId"]}">',
        f"<h3><code>{method.upper()} {escape(path)}</code></h3>",
        _prose(f"{operation['summary']}."),
        _prose(operation["description"]),
        f"<p>Needs: {needs}.</p>" if "security" in operation else "<p>Needs no token.</p>",
        _table(_parameters(document, operation)),
        f"<pre><code>{escape(curl(document, path, method, operation))}</code></pre>",
        f"<p>Answers: {', '.join(_answers(document, operation))}.</p>",
        "</section>",
    ]
    return "\n".join(filter(None, parts))


def _parameters(document: Document, operation: Operation) -> Iterable[tuple[str, ...]]:
    """What can be sent: name, place, type, and what it is about."""
    for each in operation.get("parameters", []):
        name = each["name"] + ("" if each.get("required") else "?")
        about = each.get("description") or each["schema"].get("description", "")
        yield name, each["in"], _type(each["schema"]), about
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = resolved(document, content["schema"])
        for name, member in schema.get("properties", {}).items():
            shown = name if name in schema.get("required", ()) else f"{name}?"
            yield shown, "body", _type(member), member.get("description", "")


def resolved(document: Document, schema: Schema) -> Schema:
    """The schema itself, where it is a reference to one of the document's."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"][name] if name else schema


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if choices := schema.get("enum"):
        return " | ".join(json.dumps(each) for each in choices)
    if kinds := schema.get("anyOf"):
        return " | ".join(map(_type, kinds))
    if "items" in schema:
        return f"{_type(schema['items'])}[]"
    return str(schema.get("type", "any"))


def _answers(document: Document, operation: Operation) -> Iterable[str]:
    """Each status, with what it gives, or linked to the problems it stands for."""
    for status, response in operation["responses"].items():
        kinds = [kind for kind in KINDS if str(kind.status) == status]
        if kinds and int(status) >= 400:
            yield f'<a href="#{kinds[0].name}">{status}</a>'
            continue
        types = response.get("content", {})
        models = dict.fromkeys(_type(content.get("schema", {})) for content in types.values())
        yield f"{status} {escape(' or '.join(models))}".strip()


def _problem(kind: Kind) -> str:
    return (
        f'<section id="{kind.name}"><h3>{kind.status} <code>{kind.name}</code></h3>'
        f"<p><strong>{escape(kind.title)}.</strong> {_inline(kind.remedy)}</p></section>"
    )


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    shown = [
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(place)}</td>"
        f"<td>{escape(kind)}</td><td>{_inline(about)}</td></tr>"
        for name, place, kind, about in rows
    ]
    head = "<tr><th>Name</th><th>In</th><th>Type</th><th>About</th></tr>"
    return f"<table>{head}{''.join(shown)}</table>" if shown else ""


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(each)}</p>" for each in text.split("\n\n") if each.strip())


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
