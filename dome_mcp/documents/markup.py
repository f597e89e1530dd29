"""An HTML tree as parts of text: headings, paragraphs, lists, tables and code, nothing dropped.

For documents that are HTML inside (DOCX by way of mammoth, EPUB, e-mail). A web page, where most
of the tree is not the document, goes through html.py.
"""

import re
from collections.abc import Iterator

import lxml.etree as etree
from lxml import html

from dome_mcp.documents.assembly import HeadingPath, Part, descend, joined
from dome_mcp.documents.tables import table_text

_SKIPPED = frozenset(("script", "style", "noscript", "template", "svg", "head", "iframe", "object"))
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "center", "dd", "details", "div"),
        *("dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "li"),
        *("main", "nav", "ol", "p", "section", "summary", "table", "tbody", "td", "tfoot", "th"),
        *("thead", "tr", "ul"),
    )
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SPACE = re.compile(r"\s+")
_AROUND_BREAK = re.compile(r" *\n *")
_MAX_CELL = 500
"""A cell with more text than this belongs to a table that is there for the layout."""


def parse_tree(text: str) -> html.HtmlElement | None:
    """The root of an HTML text; None where there is none."""
    # A str with an encoding declaration is refused, bytes in a known encoding never are.
    parser = html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True)
    try:
        return html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None


def tree_parts(
    root: etree._Element, *, page: int | None = None, path: HeadingPath = ()
) -> Iterator[Part]:
    """The text of the tree cut before each heading, with the path of headings under `path`."""
    writer = _Writer(path)
    walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start" and not writer.takes_whole(tag, element):
            writer.open(tag, element)
            continue
        if event == "start":
            # Its own "end" still comes, for the text behind it.
            walk.skip_subtree()
            continue
        if event == "end" and tag not in _SKIPPED:
            writer.close(tag)
        writer.write(element.tail if element is not root else None)
    writer.flush()
    for inner, text in writer.sections():
        yield Part(text, page, joined(inner))


class _Writer:
    """Collects inline text into blocks, and blocks into one text per heading."""

    def __init__(self, path: HeadingPath) -> None:
        self._sections: list[tuple[HeadingPath, list[str]]] = []
        self._base = max((level for level, _ in path), default=0)
        self._path = path
        self._inline: list[str] = []
        self._lists: list[int | None] = []
        self._marker = ""
        self._ended_item = False

    def sections(self) -> Iterator[tuple[HeadingPath, str]]:
        for path, blocks in self._sections:
            yield path, "".join(blocks)

    def takes_whole(self, tag: str, element: etree._Element) -> bool:
        """Writes an element that is not walked into: code, a table of data, what is not text."""
        if tag in _SKIPPED:
            return True
        if tag == "pre" and not _is_inline(element):
            self.flush()
            self._add(_fenced(element))
            return True
        if tag == "table" and (rows := _data_rows(element)):
            self.flush()
            self._add(table_text(rows))
            return True
        return False

    def open(self, tag: str, element: etree._Element) -> None:
        if tag in _BLOCKS or tag in _HEADINGS:
            self.flush()
        if tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._marker = self._next_marker()
        elif tag == "br":
            self._inline.append("\n")
        self.write(element.text)

    def close(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._close_heading(_HEADINGS[tag])
        elif tag in _BLOCKS:
            self.flush()
        if tag in ("ul", "ol") and self._lists:
            self._lists.pop()

    def write(self, text: str | None) -> None:
        if text:
            self._inline.append(_SPACE.sub(" ", text))

    def flush(self) -> None:
        text = self._take()
        if not text:
            return
        is_item, marker, self._marker = bool(self._marker), self._marker, ""
        self._add(marker + text, is_item=is_item)

    def _close_heading(self, level: int) -> None:
        name = self._take()
        self._marker = ""
        if name:
            self._path = descend(self._path, self._base + level, name)
            self._sections.append((self._path, [f"{'#' * level} {' '.join(name.split())}"]))
            self._ended_item = False

    def _take(self) -> str:
        text = _AROUND_BREAK.sub("\n", re.sub(" +", " ", "".join(self._inline)))
        self._inline.clear()
        return text.strip()

    def _add(self, text: str, *, is_item: bool = False) -> None:
        gap = "\n" if is_item and self._ended_item else "\n\n"
        self._ended_item = is_item
        if self._sections and self._sections[-1][0] == self._path:
            self._sections[-1][1].append(gap + text)
        else:
            self._sections.append((self._path, [text]))

    def _next_marker(self) -> str:
        indent = "  " * (len(self._lists) - 1)
        if not self._lists or self._lists[-1] is None:
            return f"{indent}- "
        self._lists[-1] += 1
        return f"{indent}{self._lists[-1]}. "


def _fenced(code: etree._Element) -> str:
    inner = code.find("pre")
    lines = "".join((code if inner is None else inner).itertext())
    return "```\n" + lines.strip("\n") + "\n```"


def _is_inline(code: etree._Element) -> bool:
    """Whether it stands within a sentence: extraction gives `<code>` there as `<pre>`."""
    parent = code.getparent()
    within = parent is not None and parent.tag in ("p", "li", "td", "th", "span", "dd")
    return within and "\n" not in "".join(code.itertext())


def _data_rows(table: etree._Element) -> list[list[str]]:
    """The cells of a table of data; none where it only arranges other things on a page."""
    if next(table.iterdescendants("table", *_HEADINGS), None) is not None:
        return []
    rows = [
        [_SPACE.sub(" ", " ".join(cell.itertext())).strip() for cell in row.iter("td", "th")]
        for row in table.iter("tr")
    ]
    is_layout = any(len(cell) > _MAX_CELL for row in rows for cell in row)
    return [] if is_layout or max(map(len, rows), default=0) < 2 else rows
