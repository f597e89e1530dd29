"""Word documents: mammoth turns them to HTML by their styles, which gives the headings."""

import io

import mammoth

from dome_mcp.core.model import Document
from dome_mcp.documents.archive import core_properties, open_archive
from dome_mcp.documents.assembly import Source, assemble
from dome_mcp.documents.markup import parse_tree, tree_parts

_STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
"""


def parse(data: bytes, source: Source) -> Document:
    with open_archive(data, filename=source.filename) as archive:
        found = core_properties(archive)
    converted = mammoth.convert_to_html(
        io.BytesIO(data),
        style_map=_STYLES,
        # Pictures would come as base64 between the words.
        convert_image=mammoth.images.img_element(lambda image: {}),
    )
    root = parse_tree(converted.value)
    parts = tree_parts(root) if root is not None else ()
    return assemble(parts, source, title=found.title, created_at=found.created_at)
