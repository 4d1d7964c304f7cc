"""How long a text is for each platform, by that platform's own rule, and how long it may be.

Bluesky counts what a reader sees, and bytes besides. Mastodon counts every link as 23 and of a
mention only the name before its server. X weighs signs, and counts every link as 23. Reddit and
Facebook count code points, Reddit of a title and a text. SMS counts segments. Where a platform has
no limit, or tells none (WhatsApp, Nextdoor), the count is still worth knowing.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import emoji

from campaigns.wording.graphemes import graphemes
from campaigns.wording.richtext import spans
from campaigns.wording.sms import as_sms
from campaigns.wording.submissions import TEXT_MAX, TITLE_MAX, markdown, title_and_text

BLUESKY_GRAPHEMES_MAX = 300  # app.bsky.feed.post: maxGraphemes
BLUESKY_BYTES_MAX = 3000  # app.bsky.feed.post: maxLength, in UTF-8 bytes
MASTODON_MAX = 500  # unless its server says otherwise: configuration.statuses.max_characters
MASTODON_URL = 23  # configuration.statuses.characters_reserved_per_url
MASTODON_PICTURES = 4  # configuration.statuses.max_media_attachments
MASTODON_PICTURE_BYTES = 16_777_216  # configuration.media_attachments.image_size_limit
MASTODON_ALT = 1_500  # configuration.media_attachments.description_limit
FACEBOOK_MAX = 63_206  # of a status; its newsroom in 2011, and never said otherwise
# twitter-text's config v3: a weighted length of 280, in which most signs of European scripts and
# common punctuation weigh 1, all others 2, an emoji with all its joiners 2, and a link 23.
X_MAX = 280
X_URL = 23
X_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
IN_THE_TITLE = "characters in the title"
SMS_MAX = 1_600  # characters of one message through Twilio
TEXTING = frozenset({"sms", "twilio", "kannel"})  # platforms that send text messages

# As Mastodon finds them (twitter-text): a link needs its protocol and a host with a dot; a mention
# may not follow a letter, a digit or a slash.
_LINK = re.compile(
    r"(?<![\w@$#＠＃])https?://(?:[^\s/?#@.,;:!\"'()<>]+\.)+[^\W\d_]{2,}(?::\d+)?"
    r"(?:[/?#](?:[^\s()<>\"“”]|\([^\s()<>\"“”]*\))*)?",
    re.IGNORECASE,
)
_MENTION = re.compile(
    r"(?<![\w/=.@])@([a-z0-9_]+(?:[a-z0-9_.-]*[a-z0-9_]+)?)@[\w.-]+\w(?::\d+)?", re.IGNORECASE
)
_AFTER_LINK = ".,;:!?'*"  # twitter-text: no address ends with these


@dataclass(frozen=True)
class Measure:
    """One count of a text and its limit; None where the platform has none."""

    unit: str  # a plural: characters, bytes, segments, characters in the title
    count: int
    limit: int | None = None

    @property
    def over(self) -> int:
        """How much too long; 0 when it fits."""
        return 0 if self.limit is None else max(0, self.count - self.limit)


@dataclass(frozen=True)
class ServerRules:
    """What a Mastodon server takes of one status. The defaults are Mastodon's own."""

    characters_max: int = MASTODON_MAX
    per_link: int = MASTODON_URL  # 0: a link counts with all its characters
    pictures_max: int = MASTODON_PICTURES
    picture_bytes_max: int = MASTODON_PICTURE_BYTES
    picture_types: tuple[str, ...] | None = None  # None: the usual ones
    alt_max: int = MASTODON_ALT


@dataclass(frozen=True)
class ServerSays:
    """What a server itself says of these; None where it says nothing, or nothing that can be."""

    characters_max: int | None = None
    per_link: int | None = None
    pictures_max: int | None = None
    picture_bytes_max: int | None = None
    picture_types: tuple[str, ...] | None = None
    alt_max: int | None = None

    @property
    def rules(self) -> ServerRules:
        """The rules that hold there: its own, else the defaults."""
        return ServerRules(**{name: said for name, said in vars(self).items() if said is not None})


DEFAULT_RULES = ServerRules()
SAYS_NOTHING = ServerSays()


def measures(platform: str, text: str, server: ServerRules = DEFAULT_RULES) -> list[Measure]:
    """Every count the platform makes of a text, the one to show first. Never empty.

    A platform without a rule of its own (a web page, an e-mail, a share pack) has no limit.
    """
    if platform == "mastodon":
        return [Measure("characters", mastodon_length(text, server), server.characters_max)]
    return _RULES.get(platform, _unlimited)(text)


def mastodon_length(text: str, server: ServerRules = DEFAULT_RULES) -> int:
    """Characters as Mastodon counts them: every link the same, no servers in mentions.

    A server that keeps no length for links does not count as Mastodon does: there all counts.
    """
    if server.per_link == 0:
        return graphemes(text)

    def as_counted(match: re.Match[str]) -> str:
        address = match.group().rstrip(_AFTER_LINK)
        return "x" * server.per_link + match.group()[len(address) :]

    parts = []
    last = 0
    for match in _LINK.finditer(text):
        parts += [_MENTION.sub(r"@\1", text[last : match.start()]), as_counted(match)]
        last = match.end()
    return graphemes("".join(parts) + _MENTION.sub(r"@\1", text[last:]))


def x_length(text: str) -> int:
    """The weighted length of a text on X; links count the same with and without https://."""
    data = unicodedata.normalize("NFC", text).encode()
    total, at = 0, 0
    for span in spans(data.decode()):
        if span.kind == "link":
            total += _x_weight(data[at : span.start].decode()) + X_URL
            at = span.end
    return total + _x_weight(data[at:].decode())


def _x_weight(text: str) -> int:
    """Of a text without links."""
    total, at = 0, 0
    for found in emoji.emoji_list(text):
        total += _x_signs(text[at : found["match_start"]]) + 2
        at = found["match_end"]
    return total + _x_signs(text[at:])


def _x_signs(text: str) -> int:
    return sum(1 if any(a <= ord(sign) <= b for a, b in X_LIGHT) else 2 for sign in text)


def _x(text: str) -> list[Measure]:
    return [Measure("characters", x_length(text), X_MAX)]


def _facebook(text: str) -> list[Measure]:
    return [Measure("characters", len(text), FACEBOOK_MAX)]


def _bluesky(text: str) -> list[Measure]:
    return [
        Measure("characters", graphemes(text), BLUESKY_GRAPHEMES_MAX),
        Measure("bytes", len(text.encode()), BLUESKY_BYTES_MAX),
    ]


def _reddit(text: str) -> list[Measure]:
    """The title, and the text as it is sent: signs that Reddit would read as Markdown take two."""
    title, below = title_and_text(text)
    return [
        Measure(IN_THE_TITLE, len(title), TITLE_MAX),
        Measure("characters below it", len(markdown(below)), TEXT_MAX),
    ]


def _sms(text: str) -> list[Measure]:
    sms = as_sms(text)
    return [Measure("segments", sms.segments), Measure("characters", sms.characters, SMS_MAX)]


def _unlimited(text: str) -> list[Measure]:
    return [Measure("characters", graphemes(text))]


_RULES: Mapping[str, Callable[[str], list[Measure]]] = {
    "bluesky": _bluesky,
    "dry_run": _bluesky,  # a rehearsal is held to the strictest rule
    "reddit": _reddit,
    "share_x": _x,
    "share_facebook": _facebook,
    **dict.fromkeys(TEXTING, _sms),
}
