"""Web pages: what is written on them, without menus, banners and footers."""

import re
from collections.abc import Sequence

import trafilatura
from lxml.html import HtmlElement

from dome_mcp.core.model import Document
from dome_mcp.documents.archive import parse_xml
from dome_mcp.documents.assembly import Part, Source, assemble
from dome_mcp.documents.dates import parse_date
from dome_mcp.documents.encoding import decode
from dome_mcp.documents.markup import parse_tree, tree_parts
from dome_mcp.documents.metadata import Metadata

_DECLARED = re.compile(
    rb"""<meta[^>]+charset\s*=\s*["']?([\w-]+)|<\?xml[^>]+encoding\s*=\s*["']([\w-]+)""", re.I
)
_DECLARATION_BYTES = 4096
_TITLES = ("og:title", "twitter:title", "dc.title", "citation_title")
_DATES = (
    *("article:published_time", "og:published_time", "datepublished", "citation_publication_date"),
    *("dc.date", "dcterms.created", "dc.date.issued", "date", "pubdate", "sailthru.date"),
)
_TAG = re.compile(r"<[^<>]*>")
_BOILERPLATE = ("nav", "header", "footer", "aside", "form")
_MIN_EXTRACTED = 250
"""From a shorter page the extraction gathers all text without its structure."""
_MIN_SHARE = 0.2
"""Less of the page than this, and the extraction took some corner for the article."""


def parse(data: bytes, source: Source) -> Document:
    declared = _DECLARED.search(data[:_DECLARATION_BYTES])
    charset = (declared[1] or declared[2]).decode("ascii") if declared else None
    text = decode(data, filename=source.filename, charset=source.charset or charset)
    root = parse_tree(text)
    if root is None:
        return assemble([], source)
    found = _metadata(root)
    return assemble(_parts(text, root), source, title=found.title, created_at=found.created_at)


def _parts(text: str, root: HtmlElement) -> Sequence[Part]:
    article = trafilatura.extract(
        text,
        # Markdown would escape the text and mark it up (`max\_tokens`); the tree does not.
        output_format="html",
        include_comments=False,
        include_formatting=True,
        include_tables=True,
        favor_recall=True,
    )
    for element in list(root.iter(*_BOILERPLATE)):
        if next(element.iterancestors("article", "main"), None) is None:
            element.drop_tree()
    page = list(tree_parts(root))
    # Read as XML: to HTML's rules the code in a paragraph would end it.
    main = parse_xml(article.encode()) if article else None
    extracted = list(tree_parts(main)) if main is not None else []
    # lxml gives up on tags nested thousands deep; then the bare text is better than none.
    is_enough = _size(extracted) >= max(_MIN_EXTRACTED, _size(page) * _MIN_SHARE)
    return extracted if is_enough else page or [Part(" ".join(_TAG.sub(" ", text).split()))]


def _size(parts: Sequence[Part]) -> int:
    return sum(len(part.text) for part in parts)


def _metadata(root: HtmlElement) -> Metadata:
    fields: dict[str, str] = {}
    for meta in root.iter("meta"):
        name = meta.get("property") or meta.get("name") or meta.get("itemprop") or ""
        fields.setdefault(name.lower(), meta.get("content") or "")
    title = next((fields[name] for name in _TITLES if fields.get(name)), None)
    dates = [fields[name] for name in _DATES if name in fields]
    dates += [time.get("datetime") or "" for time in root.iter("time") if time.get("pubdate")]
    return Metadata(
        title or root.findtext(".//title"),
        next((date for value in dates if (date := parse_date(value))), None),
    )
