"""The inside of an Office Open XML file: XML parts that refer to each other.

A part refers to another by the id of a relationship, which stands in a file beside it.
"""

import posixpath
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import lxml.etree as etree


@dataclass(frozen=True, slots=True)
class Link:
    """A relationship: what the other part is, and its name in the archive."""

    kind: str
    target: str


@dataclass(frozen=True, slots=True)
class XmlPart:
    """A part's XML, and its relationships by id."""

    root: etree._Element
    links: Mapping[str, Link]

    def target(self, element: etree._Element, attribute: str = "id") -> str:
        """The name of the part that `r:id`, or another attribute with a namespace, refers to.

        Raises:
            KeyError: there is no such relationship.
        """
        ids = (value for key, value in element.items() if key.endswith(f"}}{attribute}"))
        return self.links[next(ids, "")].target


class Package:
    """The parts of a file, each read once.

    Programs write a part for each place that shows one. A file in which thousands of places
    refer to the same part was made to keep us busy.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._read: set[str] = set()

    def read_main(self) -> Iterator[XmlPart]:
        """The part that the file is about: the presentation, the workbook, the document."""
        links = self._links("").values()
        yield from self.read(next(link.target for link in links if link.kind == "officeDocument"))

    def read(self, name: str) -> Iterator[XmlPart]:
        """The part of that name; nothing where it was read before.

        Raises:
            KeyError, BadZipFile, XMLSyntaxError: it is missing or damaged.
        """
        if name not in self._read:
            self._read.add(name)
            yield XmlPart(_parse(self._archive.read(name)), self._links(name))

    def _links(self, name: str) -> Mapping[str, Link]:
        """The relationships of a part; those of the whole file for the empty name."""
        folder, file = posixpath.split(name)
        beside = posixpath.join(folder, "_rels", f"{file}.rels")
        if name and beside not in self._archive.NameToInfo:
            return {}
        return {
            link.get("Id", ""): Link(
                kind=link.get("Type", "").rpartition("/")[2],
                target=posixpath.normpath(posixpath.join("/", folder, link.get("Target", "")))[1:],
            )
            for link in _parse(self._archive.read(beside)).iterfind("{*}Relationship")
        }


def _parse(data: bytes) -> etree._Element:
    """The root of a part, without what is there for older programs only.

    Unlike `archive.parse_xml` it mends nothing: half a part is not passed off as a whole one.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True
    )
    root = etree.fromstring(data, parser)
    etree.strip_elements(root, "{*}Fallback", with_tail=False)
    return root
