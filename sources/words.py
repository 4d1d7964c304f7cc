"""Which posts of a whole network we read: those with one of our words."""

import unicodedata
from collections.abc import Callable, Sequence

import regex  # type: ignore[import-untyped, unused-ignore]

from sources.collector import NewPost


def watch_words(words: Sequence[str]) -> Callable[[NewPost], bool]:
    """A filter that keeps posts with at least one of ``words``; without words it keeps all.

    Whole words only, whatever the case or the script ("Straße" finds "STRASSE"); a space in a word
    stands for any white space.
    """
    plain = [part for word in words if (part := unicodedata.normalize("NFC", word).split())]
    if not plain:
        return lambda post: True
    # Longest first, so that the alternation ends at the first hit in most texts.
    choices = sorted((r"\s+".join(map(regex.escape, parts)) for parts in plain), key=len)[::-1]
    # Not \b: a watch word may itself begin with a sign, like "#recount".
    pattern = regex.compile(rf"(?<!\w)(?:{'|'.join(choices)})(?!\w)", regex.I | regex.F | regex.V1)
    return lambda post: pattern.search(unicodedata.normalize("NFC", post.text)) is not None
