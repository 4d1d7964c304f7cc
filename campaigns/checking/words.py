"""The word lists behind the checks: a data file with an edition, and each list with its source."""

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'"})


@dataclass(frozen=True)
class WordList:
    """One list, ready to search; ``source`` says where its words come from."""

    source: str
    _words: re.Pattern[str]
    _harmless: re.Pattern[str] | None

    def found(self, text: str) -> list[str]:
        """The list's words as the text has them, lower-case, each once, in the text's order."""
        read = text.translate(APOSTROPHES)
        if self._harmless:
            read = self._harmless.sub(lambda match: "\n" * len(match.group()), read)
        return list(dict.fromkeys(match.group().lower() for match in self._words.finditer(read)))

    def __contains__(self, text: str) -> bool:
        return bool(self.found(text))


def word_list(name: str) -> WordList:
    """The list of this name; KeyError if there is none."""
    return _lists()[name]


@cache
def edition() -> str:
    """Which edition of the lists is in force."""
    return str(_file()["edition"])


@cache
def _lists() -> dict[str, WordList]:
    return {
        name: WordList(
            entry["source"],
            _pattern(entry["words"]),
            _pattern(entry["harmless"]) if entry["harmless"] else None,
        )
        for name, entry in _file()["lists"].items()
    }


@cache
def _file() -> dict[str, Any]:
    text = files("campaigns.checking").joinpath("words.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def _pattern(words: list[str]) -> re.Pattern[str]:
    """Whole words, the longest first; a star is any ending, a space any run of blanks."""
    parts = (
        re.escape(word.rstrip("*")).replace(r"\ ", r"\s+") + (r"\w*" if word.endswith("*") else "")
        for word in sorted(words, key=len, reverse=True)
    )
    return re.compile(rf"(?<![\w-])(?:{'|'.join(parts)})(?!\w)", re.IGNORECASE)
