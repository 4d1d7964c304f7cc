"""How a text travels as SMS: in which alphabet, in how many segments, and what makes it dear.

A segment holds 140 bytes: 160 characters of GSM-7 or 70 of UCS-2. Texts of several segments lose
six bytes of each to the header that joins them. One character outside GSM-7 turns the whole text
to UCS-2 and more than doubles its price. The alphabets are those of 3GPP TS 23.038 (6.2.1). Cut as
Twilio's segment calculator cuts: an escaped character or a joined emoji is not torn apart.
"""

from dataclasses import dataclass

from campaigns.wording.graphemes import clusters

GSM_7, UCS_2 = "GSM-7", "UCS-2"
ALPHABET = frozenset(  # the default table without its escape sign
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
ESCAPED = frozenset("\f^{}\\[~]|€")  # the extension table: each costs two
ALONE = {GSM_7: 160, UCS_2: 70}  # units of a text that fits one segment
JOINED = {GSM_7: 153, UCS_2: 67}  # units of each segment of a longer one

# What may stand instead without changing a word. Letters are not here: "papá" is not "papa".
INSTEAD: dict[str, str] = {
    **dict.fromkeys("‘’‚‛′´`ʼ", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("•·‣◦", "-"),
    **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u200a\u202f\t", " "),
    **dict.fromkeys("\u00ad\u200b\u2060\ufeff", ""),
    **dict.fromkeys("\u2028\u2029", "\n"),
    "…": "...",
    "½": "1/2",
    "¼": "1/4",
    "¾": "3/4",
    "×": "x",
}
_INSTEAD = {ord(sign): instead for sign, instead in INSTEAD.items()}


@dataclass(frozen=True)
class Sms:
    """What becomes of one text. A unit is seven bits of GSM-7 or sixteen of UCS-2."""

    encoding: str  # GSM_7 or UCS_2
    used: tuple[int, ...]  # units in each segment, the joining header not counted
    characters: int  # as the Twilio console counts them: units of GSM-7, else what a reader sees
    forcing: tuple[str, ...]  # what GSM-7 has not, each once, in the order of the text

    @property
    def segments(self) -> int:
        return len(self.used)

    @property
    def room(self) -> int:
        """Units that each segment holds."""
        return (ALONE if self.segments == 1 else JOINED)[self.encoding]

    @property
    def left(self) -> int:
        """Units still free in the last segment."""
        return self.room - self.used[-1]


def as_sms(text: str) -> Sms:
    """How this text travels. No text is one empty segment."""
    signs = [sign for cluster in clusters(text) for sign in _whole(cluster)]
    forcing = dict.fromkeys(sign for sign in signs if sign not in ALPHABET and sign not in ESCAPED)
    encoding = UCS_2 if forcing else GSM_7
    sizes = [_units(sign, encoding) for sign in signs]
    total = sum(sizes)
    used = (total,) if total <= ALONE[encoding] else _packed(signs, encoding)
    return Sms(encoding, used, len(signs) if forcing else total, tuple(forcing))


def replacements(text: str) -> dict[str, str]:
    """What could stand instead of the signs that force UCS-2, for those of them that have one."""
    return {sign: INSTEAD[sign] for sign in as_sms(text).forcing if sign in INSTEAD}


def made_plain(text: str) -> str:
    """The text with plain signs for the typographic ones that GSM-7 has not; its words stand."""
    return text.translate(_INSTEAD)


def _whole(cluster: str) -> list[str]:
    """A line end of two signs travels as two; everything else a reader sees as one is one."""
    return list(cluster) if cluster == "\r\n" else [cluster]


def _units(sign: str, encoding: str) -> int:
    if encoding == GSM_7:
        return 2 if sign in ESCAPED else 1
    return len(sign.encode("utf-16-be", "surrogatepass")) // 2


def _packed(signs: list[str], encoding: str) -> tuple[int, ...]:
    """Units per segment of a text that needs several."""
    room = JOINED[encoding]
    used = [0]
    for sign in signs:
        size = _units(sign, encoding)
        # Only a pile of accents is larger than a segment; that is torn between its code points.
        for part in [size] if size <= room else [_units(point, encoding) for point in sign]:
            if used[-1] + part > room:
                used.append(0)
            used[-1] += part
    return tuple(used)
