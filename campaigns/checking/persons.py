"""Check 14: no personal data, and nobody ordinary is mentioned.

An institution is no ordinary person: its street address and telephone number may be given beside
its name, a toll-free number as it is, its e-mail address where the name before the @ is an office's
or the domain the government's. Anything else of its passes when it is listed as known.
"""

import re
from collections.abc import Collection, Iterator

import phonenumbers

from campaigns.checking import Check, listed

REGION = "US"  # numbers without a country code
MENTION = re.compile(r"(?<![\w.@/])@\w[\w.-]*(?:@[\w-]+(?:\.[\w-]+)+)?(?<![.-])")
EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
OFFICES = frozenset(  # names before the @ that are nobody's own
    """
    admin alerts ayuda city clerk community contact contacto county desk editor elections events
    feedback hello help helpdesk hotline info library mail mayor media news newsroom office oficina
    outreach parks police prensa press questions safety schools services support team tips
    volunteer volunteers voting
    """.split()  # noqa: SIM905
)
_WAYS = (
    "Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Drive|Dr|Lane|Ln|Court|Ct|Place|Pl|Terrace|Ter|"
    "Circle|Cir|Highway|Hwy|Parkway|Pkwy|Way"
)
ADDRESS = re.compile(
    rf"\b\d{{1,5}}[A-Z]?\s+(?:[NSEW]{{1,2}}\.?\s+)?(?:[A-Z0-9][\w'’-]*\.?\s+){{1,3}}?(?:{_WAYS})\b"
    r"(?!\s+(?:Fair|Festival|Parade|Market|Bridge|Station|Run|Election))"
    r"|\b(?:[Cc]alle|[Aa]venida|[Pp]aseo)\s+(?:[A-ZÁÉÍÓÚÑ]\w+\s+){1,3}(?:n[.º°]*\s*)?\d{1,5}\b"
)
INSTITUTION = re.compile(
    r"\b(?:church|iglesia|chapel|parish|mosque|mezquita|temple|synagogue|library|biblioteca|hall|"
    r"school|escuela|college|university|cent(?:er|re)|centro|court(?:house)?|station|clinic|"
    r"hospital|office|oficina|department|shelter|refugio|park|museum|polling place|precinct|"
    r"post office|food bank|hotline|helpline|city clerk|county clerk|fire house|firehouse|"
    r"armory|arena|market|theater|theatre|ymca|ywca)\b",
    re.IGNORECASE,
)
BESIDE = 60  # characters before an address or number in which its institution is looked for


def no_personal_data(text: str, known: Collection[str] = ()) -> Check:
    """14, for one text. ``known``: handles, addresses and numbers of institutions, as written."""
    allowed = {one.casefold().lstrip("@") for one in known}
    found = [one for one in _found(text) if one.casefold().lstrip("@") not in allowed]
    name = "No personal data, no mention of ordinary people"
    if not found:
        return Check(14, name, True)
    return Check(
        14,
        name,
        True,
        f"It points at a person: {listed(list(dict.fromkeys(found)))}.",
        "Leave it out, or name an institution and say how to reach that: "
        "a mention calls a person out, a number or an address can bring a crowd to a door.",
    )


def _found(text: str) -> Iterator[str]:
    yield from (match.group() for match in MENTION.finditer(text))
    for match in EMAIL.finditer(text):
        name, _, domain = match.group().lower().partition("@")
        if name not in OFFICES and not domain.endswith((".gov", ".mil")):
            yield match.group()
    for number in phonenumbers.PhoneNumberMatcher(text, REGION):
        toll_free = phonenumbers.PhoneNumberType.TOLL_FREE
        if phonenumbers.number_type(number.number) == toll_free:
            continue
        if not _beside_an_institution(text, number.start):
            yield number.raw_string
    for match in ADDRESS.finditer(text):
        if not _beside_an_institution(text, match.start()):
            yield match.group()


def _beside_an_institution(text: str, start: int) -> bool:
    """Whether the sentence names one shortly before."""
    before = text[max(0, start - BESIDE) : start]
    return INSTITUTION.search(re.split(r"[.!?\n]", before)[-1]) is not None
