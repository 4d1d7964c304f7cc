"""Lists of feeds as other readers write and read them (OPML 2.0)."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import listparser

from sources.collector import SourceFaultError
from sources.feeds import decoded

MAX_BYTES = 1024 * 1024
MAX_FEEDS = 1000
# Each feed notes the folders it lies in: this many keep that from growing without bounds.
MAX_OUTLINES = 5000
MAX_TITLE_LENGTH = 200
NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_opml(data: bytes) -> tuple[list[tuple[str, str]], list[str]]:
    """The feeds of a list, each once, as (address, title); and a sentence for each line left out.

    SourceFaultError if it is no such list, or too long. Nothing is fetched: neither what it
    names, nor what an XML file may ask its reader to load.
    """
    if len(data) > MAX_BYTES:
        raise SourceFaultError(f"This list is larger than {MAX_BYTES // 1024**2} MB.")
    text = decoded(data)
    if text.lower().count("<outline") > MAX_OUTLINES:
        raise SourceFaultError(f"This list has more than {MAX_OUTLINES:,} lines.")
    try:
        # It reads XML as HTML is read: of entities it knows those of HTML alone.
        found = listparser.parse(text.encode())
    except Exception as fault:  # whatever a hostile text makes of a parser
        raise _no_list() from fault
    if not found.version.startswith("opml"):
        raise _no_list()
    feeds: dict[str, str] = {}
    left_out: list[str] = []
    for entry in found.feeds:
        address = _address(entry.url)
        if address:
            feeds.setdefault(address, _title(entry.title))
        else:
            left_out.append(f"“{_name(entry)}” is left out: it has no address on the web.")
    left_out += [
        f"“{_name(entry)}” is left out: it leads to another list, not to a feed."
        for entry in found.lists
    ]
    left_out += [
        f"“{_name(entry)}” is left out: it has a page but no feed." for entry in found.opportunities
    ]
    if len(feeds) > MAX_FEEDS:
        raise SourceFaultError(f"This list has more than {MAX_FEEDS:,} feeds.")
    return list(feeds.items()), left_out


def write_opml(feeds: Iterable[tuple[str, str]], title: str) -> bytes:
    """An OPML 2.0 list of feeds, given as (address, title)."""
    root = ElementTree.Element("opml", version="2.0")
    head = ElementTree.SubElement(root, "head")
    ElementTree.SubElement(head, "title").text = _title(title)
    body = ElementTree.SubElement(root, "body")
    for address, name in feeds:
        text = _title(name) or address
        ElementTree.SubElement(
            body, "outline", type="rss", text=text, title=text, xmlUrl=NO_XML.sub("", address)
        )
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _no_list() -> SourceFaultError:
    return SourceFaultError("This file cannot be read as a list of feeds (OPML).")


def _address(url: str) -> str:
    """An outline's address if it is one on the web, or nothing."""
    # Some readers write feed://example.org/rss or feed:https://example.org/rss.
    url = re.sub(r"^feed:(?://)?(?=https?:)", "", url.strip(), flags=re.IGNORECASE)
    url = re.sub(r"^feed://", "https://", url, flags=re.IGNORECASE)
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.hostname else ""


def _title(title: str) -> str:
    return " ".join(NO_XML.sub(" ", title).split())[:MAX_TITLE_LENGTH].strip()


def _name(entry: Any) -> str:
    """What to call an outline before a person."""
    return _title(entry.title) or _title(entry.url)
