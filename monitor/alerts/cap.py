"""What an alert says: its card, its codes and its grade, and the same as others' systems read it.

The codes are those of the Common Alerting Protocol 1.2 (OASIS); the grade is the verification
ladder of the coding scheme with the Admiralty pair.
"""

from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree

from monitor.models import AlertMessage
from sources.places import place_of

# CAP 1.2, section 3.2. The first that fits, top down, is what the desk proposes.
URGENCIES = {
    "Immediate": "Act at once",
    "Expected": "Act within the hour",
    "Future": "Act soon",
    "Past": "No longer needed",
    "Unknown": "Not known",
}
SEVERITIES = {
    "Extreme": "Extraordinary threat to life or property",
    "Severe": "Significant threat to life or property",
    "Moderate": "Possible threat to life or property",
    "Minor": "Little or no known threat",
    "Unknown": "Not known",
}
CERTAINTIES = {
    "Observed": "It has happened or is happening",
    "Likely": "More likely than not",
    "Possible": "It may be, but is not likely",
    "Unlikely": "Not expected",
    "Unknown": "Not known",
}
SCOPE = "Restricted"  # to those on the list; what everybody may hear is a counter-message
# The verification ladder (design, section 6.3).
VERIFICATION = {
    "V0": "Machine signal, seen by nobody",
    "V1": "Seen at its source by one of us",
    "V2": "Corroborated by a second, independent source",
    "V3": "Confirmed by a trusted local contact or a convening centre",
    "V4": "Authoritative or first-hand evidence",
    "refuted": "Found to be untrue",
    "outdated": "True once, not now",
    "unverifiable": "Cannot be found out",
}
UNVERIFIED = frozenset({"V0", "V1"})  # goes out marked so
CERTAIN_AT = {"V0": "Unknown", "V1": "Possible", "V2": "Likely", "V3": "Observed", "V4": "Observed"}
# The Admiralty code: source and information are graded apart.
RELIABILITY = {
    "A": "Completely reliable",
    "B": "Usually reliable",
    "C": "Fairly reliable",
    "D": "Not usually reliable",
    "E": "Unreliable",
    "F": "Cannot be judged",
}
CREDIBILITY = {
    1: "Confirmed by others",
    2: "Probably true",
    3: "Possibly true",
    4: "Doubtful",
    5: "Improbable",
    6: "Cannot be judged",
}
NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
SENDER = "breakwater"


@dataclass(frozen=True)
class Card:
    """What fits one screen: plain words, paraphrased, without handles or links (requirement 57)."""

    headline: str
    what: str
    where: str
    when: str
    how_sure: str
    who: str
    asked: str
    not_to_do: str
    signal: str = ""  # a local or offline sign, or ...
    no_signal: str = ""  # ... why there is none


# What is asked for each line of the card, and how long it may be.
CARD = {
    "headline": ("In one line", 100),
    "what": ("What is happening", 300),
    "where": ("Where", 160),
    "when": ("When", 160),
    "how_sure": ("How sure we are, and what we do not know", 240),
    "who": ("Who is affected", 160),
    "asked": ("What is asked", 300),
    "not_to_do": ("What not to do", 240),
    "signal": ("A local or offline sign", 240),
    "no_signal": ("Why there is none", 240),
}
OPTIONAL = ("signal", "no_signal")


@dataclass(frozen=True)
class Codes:
    """CAP's three codes; ValueError for one that is none of them."""

    urgency: str
    severity: str
    certainty: str

    def __post_init__(self) -> None:
        for value, known in (
            (self.urgency, URGENCIES),
            (self.severity, SEVERITIES),
            (self.certainty, CERTAINTIES),
        ):
            if value not in known:
                raise ValueError("Choose how urgent, how severe and how certain it is.")


@dataclass(frozen=True)
class Grade:
    """How sure somebody is, and by whose word; ValueError for what is on no scale, or no reason."""

    level: str
    reliability: str
    credibility: int
    why: str

    def __post_init__(self) -> None:
        if self.level not in VERIFICATION:
            raise ValueError("Choose how far it is verified, V0 to V4 or beside the ladder.")
        if self.reliability not in RELIABILITY or self.credibility not in CREDIBILITY:
            raise ValueError("Grade the source from A to F and the information from 1 to 6.")
        if not self.why.strip():
            raise ValueError("Say by whose word, or by what you saw.")


def proposed_codes(level: int, imminent: bool, verification: str) -> Codes:
    """Codes for a danger level (2 to 4): a person may choose others."""
    return Codes(
        urgency="Immediate" if imminent else {4: "Immediate", 3: "Expected"}.get(level, "Future"),
        severity={4: "Extreme", 3: "Severe"}.get(level, "Moderate"),
        certainty=CERTAIN_AT.get(verification, "Unknown"),
    )


def as_cap(message: AlertMessage, earlier: list[AlertMessage], organisation: str) -> bytes:
    """A message as a CAP 1.2 document, UTF-8. ``earlier``: those of its alert it refers to."""
    alert, card = message.alert, message.card
    root = ElementTree.Element("alert", xmlns=NAMESPACE)

    def put(parent: ElementTree.Element, name: str, text: str) -> ElementTree.Element:
        one = ElementTree.SubElement(parent, name)
        one.text = text
        return one

    put(root, "identifier", message.identifier)
    put(root, "sender", SENDER)
    put(root, "sent", _moment(message.sent_at))
    put(root, "status", "Exercise" if alert.exercise else "Actual")
    put(root, "msgType", message.kind)
    put(root, "scope", message.scope)
    put(root, "restriction", f"For those on the list “{alert.alert_list.name}” of {organisation}")
    if alert.exercise:
        put(root, "note", "An exercise: nothing of this has happened.")
    if message.kind != "Alert" and earlier:
        said = (f"{SENDER},{one.identifier},{_moment(one.sent_at)}" for one in earlier)
        put(root, "references", " ".join(said))
    info = ElementTree.SubElement(root, "info")
    put(info, "language", "en-US")
    put(info, "category", "Security")
    put(info, "event", "Tension that may turn to violence")
    put(info, "urgency", message.urgency)
    put(info, "severity", message.severity)
    put(info, "certainty", message.certainty)
    if message.expires_at is not None:
        put(info, "expires", _moment(message.expires_at))
    put(info, "senderName", organisation)
    put(info, "headline", card["headline"])
    lines = ("what", "when", "who", "how_sure")
    put(info, "description", "\n".join(f"{CARD[key][0]}: {card[key]}" for key in lines))
    put(info, "instruction", f"{card['asked']}\nNot to do: {card['not_to_do']}")
    area = ElementTree.SubElement(info, "area")
    put(area, "areaDesc", card["where"])
    if alert.place and place_of(alert.place).kind == "county":
        code = ElementTree.SubElement(area, "geocode")
        put(code, "valueName", "FIPS6")
        put(code, "value", f"0{place_of(alert.place).fips}")
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _moment(at: datetime) -> str:
    """As CAP writes times: to the second, with an offset and never a Z."""
    return at.replace(microsecond=0).isoformat().replace("Z", "+00:00")
