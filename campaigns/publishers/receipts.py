"""What a gateway says of a text after it took it, in one form, and how it proves who it is.

Twilio signs what it says. Kannel can only call an address that we gave it with the text: in it
stands the delivery's own key and a proof that nobody makes without the secret we share, which
itself is in no address and so in no log.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from campaigns.publishers.exchange import LOOPBACK

TWILIO_PATH, KANNEL_PATH = "/hooks/twilio/receipts", "/hooks/kannel/receipts"
PROOF_CHARS = 32  # of a hex HMAC-SHA256
STOPPED = "21610"  # twilio.com/docs/api/errors: the recipient answered STOP

# twilio.com/docs/messaging/api/message-resource: what else it says is said on the way there.
TWILIO_SAYS = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "failed",
    "failed": "failed",
}
TWILIO_MEANS = {  # twilio.com/docs/api/errors/N
    "21211": "This is no number that a text can go to.",
    "21610": "They told Twilio that they want no more texts.",
    "21614": "This number takes no texts.",
    "30003": "Their phone was off or out of reach.",
    "30004": "They or their carrier block these texts.",
    "30005": "There is no such number any more.",
    "30006": "It is a landline, or a carrier that texts do not reach.",
    "30007": "The carrier filtered it out as unwanted.",
    "30008": "The carrier did not say why.",
    "30034": "The sender is not registered with the carriers.",
    "30036": "The network could not bring it in the time it was good for.",
}
TWILIO_GONE = frozenset({"21211", "21614", "30005", "30006"})  # another text fares no better

# Kannel's userguide, 6.8: the bits of a delivery report.
KANNEL_SAYS = {1: "delivered", 2: "failed", 4: "sent", 8: "sent", 16: "failed"}
KANNEL_MASK = sum(KANNEL_SAYS)
NO_SUCH_NUMBER = "11"  # SMPP 3.4, 5.1.3: ESME_RINVDSTADR
_NACK = re.compile(r"NACK/(\d{1,5})(?:/|$)")
_STATE = re.compile(r"\bstat:([A-Z]{4,8})\b(?:.*?\berr:([0-9A-Za-z]{1,8})\b)?", re.DOTALL)


@dataclass(frozen=True)
class Said:
    """What one receipt says.

    ``kind`` is a key of models.REPORTS, ``detail`` a sentence. ``gone``: nothing will ever arrive
    at this address. ``left``: its owner told the gateway that they want no more.
    """

    source: str
    kind: str
    code: str = ""
    detail: str = ""
    gone: bool = False
    left: bool = False


def is_public(address: str) -> bool:
    """Whether the desk's address is one that somebody out in the network can call."""
    try:
        there = urlsplit(address)
        host = there.hostname or ""
    except ValueError:
        return False
    return there.scheme == "https" and "." in host and host not in LOOPBACK


def by_twilio(form: Mapping[str, str]) -> Said | None:
    """What a StatusCallback says; None: nothing yet."""
    kind = TWILIO_SAYS.get(form.get("MessageStatus", ""))
    if kind is None:
        return None
    if kind != "failed":
        return Said("twilio", kind)
    code = re.sub(r"\D", "", form.get("ErrorCode", ""))[:8]
    why = TWILIO_MEANS.get(code, "Twilio does not say why.")
    return Said("twilio", kind, code, why, gone=code in TWILIO_GONE, left=code == STOPPED)


def by_kannel(bits: str, answer: str) -> Said | None:
    """What a delivery report says; None: nothing we know. ``answer``: the network's own words."""
    if not re.fullmatch(r"[0-9]{1,3}", bits):
        return None
    kind = next((kind for bit, kind in KANNEL_SAYS.items() if int(bits) & bit), None)
    if kind != "failed":
        return Said("kannel", kind) if kind is not None else None
    if nack := _NACK.search(answer):
        gone = nack[1] == NO_SUCH_NUMBER
        why = "There is no such number." if gone else "The network refused it."
        return Said("kannel", kind, f"NACK {nack[1]}", why, gone=gone)
    state = _STATE.search(answer)
    code = " ".join(filter(None, state.groups())) if state else ""
    why = {
        "EXPIRED": "The network could not bring it in the time it was good for.",
        "REJECTD": "The network refused it.",
    }.get(code.partition(" ")[0], "The network could not bring it.")
    return Said("kannel", kind, code, why)


def proof_of(secret: str, key: str) -> str:
    """What proves to us that who reports on this delivery was told of it by us."""
    digest = hmac.new(secret.encode(), f"receipt {key}".encode(), hashlib.sha256)
    return digest.hexdigest()[:PROOF_CHARS]


def twilio_address(desk: str, key: str) -> str:
    """Where Twilio says what became of the delivery with this key."""
    return f"{desk}{TWILIO_PATH}?{urlencode({'for': key})}"


def kannel_address(desk: str, secret: str, key: str) -> str:
    """Where Kannel says it; it puts what it knows in place of %d and %A (userguide, 6.8)."""
    asked = f"for={quote(key, safe='')}&proof={proof_of(secret, key)}"
    return f"{desk}{KANNEL_PATH}?{asked}&type=%d&answer=%A"
