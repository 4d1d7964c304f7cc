"""What becomes clickable on Bluesky: links, hashtags and mentions, by offsets in UTF-8 bytes.

Found as the official client finds them (atproto's port of its ``detectFacets``), with three
guards. The client takes one sign of the sentence off the end of a link; we take off all that the
address did not open, so that no link leads astray. A link or hashtag the server would refuse is
left plain, because it would take the whole post with it. Of two that overlap the first stands.

A mention needs the DID behind its handle, which only the network knows. None is looked up here: a
mention without a known DID stays plain text.
"""

import threading
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

SENTENCE_ENDS = ".,;:!?'’\"”"  # signs of the sentence around a link, when they stand at its end
BRACKETS = {")": "(", "]": "[", "}": "{"}  # one that closes what the link opened belongs to it
TAG_BYTES_MAX = 640  # app.bsky.richtext.facet#tag: maxLength
FACET = "app.bsky.richtext.facet"
NOBODY: Mapping[str, str] = MappingProxyType({})
# Its modules load each other when they are first asked for: two threads at once wait for each
# other, and Python ends that with an error (a draft is checked and saved at the same moment).
LOADING = threading.Lock()


class Span(NamedTuple):
    """A clickable stretch of a text.

    ``start`` and ``end`` count bytes of its UTF-8 form, end exclusive. ``value`` is a link's whole
    address, a hashtag without its first sign, or a mention's handle without @.
    """

    start: int
    end: int
    kind: str  # link, tag or mention
    value: str


def spans(text: str) -> list[Span]:
    """Every clickable stretch in order, none overlapping; mentions are handles nobody looked up.

    Raises UnicodeEncodeError for half a surrogate pair, which no platform can show.
    """
    apart: list[Span] = []
    for span in sorted(_found(text)):
        if not apart or span.start >= apart[-1].end:
            apart.append(span)
    return apart


def facets(text: str, dids: Mapping[str, str] = NOBODY) -> list[dict[str, Any]]:
    """The ``facets`` of a post record. ``dids`` maps handles to DIDs; other mentions stay plain."""
    return [
        {
            "index": {"byteStart": span.start, "byteEnd": span.end},
            "features": [_feature(span, dids)],
        }
        for span in spans(text)
        if span.kind != "mention" or span.value in dids
    ]


def _feature(span: Span, dids: Mapping[str, str]) -> dict[str, str]:
    if span.kind == "mention":
        return {"$type": f"{FACET}#mention", "did": dids[span.value]}
    if span.kind == "tag":
        return {"$type": f"{FACET}#tag", "tag": span.value}
    return {"$type": f"{FACET}#link", "uri": span.value}


def _found(text: str) -> Iterator[Span]:
    # Here, because all models of the protocol load in seconds, and few processes read a draft.
    with LOADING:
        from atproto_client.models import (  # type: ignore[import-untyped, unused-ignore]
            AppBskyRichtextFacet,
        )
        from atproto_client.utils.facet_detection import (  # type: ignore[import-untyped, unused-ignore]
            detect_facets,
            detect_mentions,
        )

    for facet in detect_facets(text):
        start, end = facet.index.byte_start, facet.index.byte_end
        (feature,) = facet.features
        if isinstance(feature, AppBskyRichtextFacet.Link):
            address = _address(feature.uri)
            if _can_be_sent(address):
                cut = len(feature.uri.encode()) - len(address.encode())
                yield Span(start, end - cut, "link", address)
        elif (
            isinstance(feature, AppBskyRichtextFacet.Tag)
            and len(feature.tag.encode()) <= TAG_BYTES_MAX
        ):
            yield Span(start, end, "tag", feature.tag)
    for mention in detect_mentions(text):
        yield Span(mention.byte_start, mention.byte_end, "mention", mention.handle)


def _address(link: str) -> str:
    """The link without the end of the sentence around it."""
    while link:
        last = link[-1]
        opening = BRACKETS.get(last)
        strays = opening is not None and link.count(last) > link.count(opening)
        if not strays and last not in SENTENCE_ENDS:
            break
        link = link[:-1]
    return link


def _can_be_sent(address: str) -> bool:
    """Whether the lexicon's ``uri`` takes it: something other than a slash follows the scheme."""
    scheme, mark, rest = address.partition("://")
    return bool(scheme and mark and rest) and not rest.startswith("/")
