"""Characters as a reader sees them: a family emoji, a flag or a letter with its accents is one.

Bluesky and Mastodon count these: Unicode's extended grapheme clusters (UAX #29), which ``regex``
calls \\X. Its edition (18) no longer joins old signs that are no emoji to what follows a zero-width
joiner; the platforms' own counters still do (rule GB11 with the property table of Unicode 15 and
16), so that rule stands here with the old table.
"""

import regex  # type: ignore[import-untyped, unused-ignore]

# Extended_Pictographic as it was in emoji-data.txt 15.0 to 17.0.
_PICTOGRAPH = (
    r"[\p{Extended_Pictographic}\u2388\u2600-\u2605\u2607-\u2612\u2614-\u2685\u2690-\u2705"
    r"\u2708-\u2712\u2763-\u2767\U0001F000-\U0001F0FF\U0001F10D-\U0001F10F\U0001F12F"
    r"\U0001F16C-\U0001F171\U0001F1AD\U0001F1AE\U0001F260-\U0001F265\U0001F300-\U0001F3FA"
    r"\U0001F400-\U0001F53D\U0001F546-\U0001F64F\U0001F680-\U0001F6FF\U0001F774-\U0001F77F"
    r"\U0001F7D5-\U0001F7FF\U0001F8AE-\U0001F8FF\U0001FA00-\U0001FAFF]"
)
_JOINED = (  # up to a zero-width joiner that holds on to the next sign
    rf"\p{{GCB=Prepend}}*+{_PICTOGRAPH}\p{{GCB=Extend}}*+\u200D(?={_PICTOGRAPH})"
)
# A flag: two regional indicators. \X finds them too, but counts back to the first of a long row.
_FLAG = r"\p{GCB=Regional_Indicator}{2}[\p{GCB=Extend}\p{GCB=SpacingMark}\u200D]*+"
_CLUSTER = regex.compile(rf"{_FLAG}|(?:{_JOINED})*+\X")


def clusters(text: str) -> list[str]:
    """The text cut into its characters; joined again they are the text."""
    return list(_CLUSTER.findall(text))


def graphemes(text: str) -> int:
    """How many characters a reader counts."""
    return len(clusters(text))
