"""The languages a message may be written in, by their tags (BCP 47, here two letters of ISO 639-1).

Bluesky takes them as ``langs``, Mastodon as ``language``, a page as ``lang``.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from campaigns.wording.threads import posts_in

FIRST, SECOND, BOTH = "first", "second", "both"  # which texts of a message an account gets

# Spoken most in homes of the US (Census Bureau, American Community Survey, table B16001).
LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        "en": "English",
        "es": "Spanish",
        "ar": "Arabic",
        "fr": "French",
        "de": "German",
        "ht": "Haitian Creole",
        "hi": "Hindi",
        "ko": "Korean",
        "pt": "Portuguese",
        "ru": "Russian",
        "so": "Somali",
        "tl": "Tagalog",
        "vi": "Vietnamese",
        "zh": "Chinese",
    }
)
ENGLISH = ("en",)


def named(tags: Sequence[str]) -> str:
    """Languages in words: "English and Spanish"."""
    return " and ".join(LANGUAGES.get(tag, tag) for tag in tags)


def known(tags: Sequence[str]) -> list[str]:
    """The tags, each once. ValueError for one that is not among LANGUAGES, and for none."""
    each = list(dict.fromkeys(tags))
    if not each or not set(each) <= LANGUAGES.keys():
        raise ValueError("Choose the language of the words from the list.")
    return each


def side_by_side(first: str, second: str) -> str:
    """What an account gets that gets both: one text, then the other, of threads one after another.

    Where one of them is empty, the other.
    """
    texts = [text.strip() for text in (first, second) if text.strip()]
    threaded = any(len(posts_in(text)) > 1 for text in texts)
    return ("\n---\n" if threaded else "\n\n").join(texts)
