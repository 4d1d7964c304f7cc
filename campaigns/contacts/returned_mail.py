"""Reading one mail that came in: a bounce (RFC 3464), an answer to a mail of ours, or neither.

A pure function of bytes that anybody may have made. It never raises, whatever they are, and of what
a stranger wrote only what is needed goes on: ids, addresses, a status, and the words of an answer.
"""

import contextlib
import email
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import Message
from email.policy import compat32
from email.utils import getaddresses

from campaigns.publishers.email import ADDRESS

MAIL_MAX = 262_144  # bytes read of one mail: a bounce has its report at the beginning
PARTS_MAX = 50  # of one mail
BOUNDARIES_MAX = 20  # parts within parts: every line is held against the end of each
HEAD_CHARS = 1_000  # of a subject or sender: some parsers take the square of its length
REPORTED_MAX = 10  # recipients of one bounce: each mail of ours has one
IDS_MAX = 30  # that a mail names as those it answers
WORDS_CHARS = 1_600

# RFC 3463. Where the last number says nothing, the first two do.
MEANS = {
    "5.1.1": "There is no such mailbox.",
    "5.1.2": "There is no such host.",
    "5.1.3": "The address is written wrongly.",
    "5.1.6": "The mailbox has moved.",
    "5.1.10": "The host takes no mail at all.",
    "5.2.1": "The mailbox is switched off.",
    "5.2.2": "The mailbox is full.",
    "5.2.3": "The mail is too big for this mailbox.",
    "5.3.4": "The mail is too big for that server.",
    "5.4.4": "The host cannot be found.",
    "5.7.1": "That server refuses it.",
    "4.2.2": "The mailbox is full.",
    "4.4.7": "That server could not be reached in time.",
}
# That nobody is there. All else may be what we wrote, who we are, or where our server stands.
NOBODY = re.compile(r"5\.(1\.[1236]|1\.10|2\.1)")

_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_ID = re.compile(r"<([\x21-\x3b\x3d\x3f-\x7e]{3,300})>")
_QUOTED = re.compile(r"^(>|-- ?$|_{5,}|-{3,}|(On|El) .{4,200}:$)")


@dataclass(frozen=True)
class Reported:
    """What a bounce says of one recipient.

    ``addresses``, in small letters, are those it may have been sent to; ``kind`` a key of
    models.REPORTS, ``status`` as in RFC 3463, ``gone`` whether nothing will ever arrive there.
    """

    addresses: tuple[str, ...]
    kind: str
    status: str
    gone: bool

    @property
    def why(self) -> str:
        """The same as a sentence of ours: none of a stranger's words."""
        if self.kind != "failed":
            return ""
        known = MEANS.get(self.status)
        given_up = self.status[:1] == "4"
        return known or ("It was given up after a while." if given_up else "The mail came back.")


@dataclass(frozen=True)
class Bounce:
    """A mail of ours came back, or its server says how it fares. ``ids``: of it, without <>."""

    ids: tuple[str, ...]
    reported: tuple[Reported, ...]


@dataclass(frozen=True)
class Answer:
    """Somebody wrote. ``ids``: of the mails it answers, the nearest first; ``words``: theirs."""

    sender: str  # normal address, "" where none can be read
    ids: tuple[str, ...]
    subject: str
    words: str


def read(raw: bytes) -> Bounce | Answer | None:
    """What came in; None: nothing for us, as a holiday reply or what cannot be read."""
    try:
        raw = raw[:MAIL_MAX]
        if raw.lower().count(b"boundary") > BOUNDARIES_MAX:
            return None
        mail = email.message_from_bytes(raw, policy=compat32)
        parts = list(_walk(mail))
        bounce = _bounce(mail, parts)
        if bounce is not None or _automatic(mail):
            return bounce
        return _answer(mail, parts)
    except Exception:  # the standard library's parsers fail in many ways on hostile mail
        return None


def stop_words(answer: Answer) -> Iterator[str]:
    """What of an answer may be a stop word: its subject, if it is no Re:, and its first line."""
    if not re.match(r"(?i)\s*(re|fwd?|aw|rv)\s*:", answer.subject):
        yield answer.subject
    yield next(iter(answer.words.splitlines()), "")


def _walk(mail: Message) -> Iterator[Message]:
    """The parts, the outermost first; not by recursion, for a hostile mail nests without end."""
    waiting, seen = [mail], 0
    while waiting and seen < PARTS_MAX:
        part = waiting.pop(0)
        seen += 1
        yield part
        inner = part.get_payload()
        if isinstance(inner, list):
            waiting += [one for one in inner if isinstance(one, Message)]


# ---- bounces


def _bounce(mail: Message, parts: list[Message]) -> Bounce | None:
    report = next((p for p in parts if p.get_content_type() == "message/delivery-status"), None)
    if report is None:
        return None
    blocks = report.get_payload()
    if not isinstance(blocks, list):
        return None
    heads = [block for block in blocks if isinstance(block, Message)]
    reported = [one for block in heads if (one := _reported(block)) is not None]
    ids = [*_returned(parts), *_ids(mail, "In-Reply-To"), *_ids(mail, "References")]
    if not reported or not ids:
        return None
    return Bounce(tuple(dict.fromkeys(ids))[:IDS_MAX], tuple(reported[:REPORTED_MAX]))


def _reported(block: Message) -> Reported | None:
    action = _text(block, "Action").partition(" ")[0].strip().lower()
    kind = {
        "failed": "failed",
        "delayed": "delayed",
        "delivered": "delivered",
        "relayed": "sent",
        "expanded": "sent",
    }.get(action)
    if kind is None:
        return None
    status = _STATUS.search(_text(block, "Status")) or _STATUS.search(
        _text(block, "Diagnostic-Code")
    )
    code = status[1] if status else ""
    return Reported(
        addresses=tuple(
            address
            for of in ("Original-Recipient", "Final-Recipient")
            if (address := _text(block, of).rpartition(";")[2].strip().strip("<>").lower())
        ),
        kind=kind,
        status=code,
        gone=kind == "failed" and NOBODY.fullmatch(code) is not None,
    )


def _returned(parts: list[Message]) -> list[str]:
    """The ids of the mail that is in the bounce, whole or only its head."""
    for part in parts:
        inner = part.get_payload()
        kind = part.get_content_type()
        if kind == "message/rfc822" and isinstance(inner, list):
            whole = next((one for one in inner if isinstance(one, Message)), None)
            return _ids(whole, "Message-ID") if whole is not None else []
        if kind in ("text/rfc822-headers", "message/rfc822-headers"):
            return _ids(email.message_from_string(_decoded(part), policy=compat32), "Message-ID")
    return []


# ---- answers


def _automatic(mail: Message) -> bool:
    """A machine wrote it (RFC 3834): a holiday reply, a list, a receipt of reading."""
    sent = _text(mail, "Auto-Submitted").strip().lower()
    return (
        (sent != "" and not sent.startswith("no"))
        or _text(mail, "Precedence").strip().lower() in ("bulk", "junk", "list", "auto_reply")
        or _text(mail, "Return-Path").strip() == "<>"
        or any(name in mail for name in ("X-Autoreply", "X-Autorespond", "List-Id"))
        or mail.get_content_type() == "multipart/report"
    )


def _answer(mail: Message, parts: list[Message]) -> Answer:
    written = [address.lower() for _, address in getaddresses([_text(mail, "From")[:HEAD_CHARS]])]
    ids = [*_ids(mail, "In-Reply-To"), *reversed(_ids(mail, "References"))]
    plain = next((p for p in parts if p.get_content_type() == "text/plain"), None)
    return Answer(
        sender=next((one for one in written if ADDRESS.fullmatch(one)), ""),
        ids=tuple(dict.fromkeys(ids))[:IDS_MAX],
        subject=_shown(_text(mail, "Subject")),
        words=_own_words(_decoded(plain)) if plain is not None else "",
    )


def _own_words(text: str) -> str:
    """What they wrote themselves, above what they quote; lines without outer space."""
    lines: list[str] = []
    for line in text.replace("\r", "").split("\n"):
        if _QUOTED.match(line.strip()):
            break
        said = "".join(sign if sign.isprintable() else " " for sign in line).strip()
        if said:
            lines.append(said)
    return "\n".join(lines)[:WORDS_CHARS]


# ---- heads and bodies


def _text(mail: Message, name: str) -> str:
    return " ".join(str(mail.get(name, "")).split())


def _shown(head: str) -> str:
    with contextlib.suppress(ValueError, LookupError):  # an alphabet that is none
        head = str(make_header(decode_header(head[:HEAD_CHARS])))
    return "".join(sign if sign.isprintable() else " " for sign in head)[:WORDS_CHARS].strip()


def _ids(mail: Message, name: str) -> list[str]:
    return _ID.findall(_text(mail, name))[:IDS_MAX]


def _decoded(part: Message) -> str:
    raw = part.get_payload(decode=True)
    if not isinstance(raw, bytes):
        return ""
    try:
        return raw.decode(part.get_content_charset() or "utf-8", errors="replace")
    except LookupError:
        return raw.decode("utf-8", errors="replace")
