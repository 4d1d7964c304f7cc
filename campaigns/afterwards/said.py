"""What was said on our own page: deliveries to it that are recorded as published, and nothing else.

One that is taken back keeps its place and its key; its words give way to why and since when.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, func, or_, select
from sqlalchemy.orm import Session, joinedload

from campaigns.models import (
    Account,
    Approval,
    Campaign,
    Correction,
    Delivery,
    Message,
    MessageVersion,
    Plan,
    Retraction,
)
from campaigns.wording.content import in_languages
from campaigns.wording.richtext import spans

PLATFORM = "web"
PER_PAGE = 50
# All that is no Char of XML 1.0 (5th edition, 2.2).
NOT_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
# Decided by whoever may: on our own page that is the end of the words, whatever is still to be
# called elsewhere.
DECIDED = ("approved", "own wish", "emergency")


class Piece(NamedTuple):
    """A stretch of words, and the address it links to; "" where it links nowhere."""

    text: str
    href: str


Lines = Sequence[Sequence[Sequence[Piece]]]  # paragraphs, of lines, of pieces


@dataclass(frozen=True)
class Said:
    """One message as everybody may read it. Nothing else of the desk is in it."""

    key: str
    voice: str
    role: str
    at: datetime
    texts: Sequence[tuple[str, Lines]]  # in one language each, by its tag; "" where it is mixed
    pictures: Sequence[Mapping[str, Any]]  # {"sha256", "alt", "width", "height", "type"}
    sponsor: str  # on whose behalf, or ""
    ai_helped: str  # "yes", "no", or "" where nobody said
    retracted_at: datetime | None
    retracted_why: str
    corrects: str = ""  # key of an earlier message that this one puts right
    corrected_by: str = ""  # key of a later one that puts this right

    @property
    def updated(self) -> datetime:
        """When it last changed."""
        return self.retracted_at or self.at

    @property
    def lang(self) -> str:
        """The language of the first of its words, and of its summary; "" where nobody can tell.

        What is said of one that was taken back is the desk's own English.
        """
        return self.texts[0][0] if self.texts and self.retracted_at is None else ""

    @property
    def summary(self) -> str:
        """Its first line, for a title."""
        if self.retracted_at is not None:
            return "Taken back"
        lines = self.texts[0][1] if self.texts else []
        first = "".join(piece.text for piece in lines[0][0]) if lines else ""
        return first if len(first) <= 80 else f"{first[:80].rsplit(' ', 1)[0]} …"


def newest(session: Session, page: int) -> tuple[list[Said], bool]:
    """A page (from 1) of PER_PAGE messages, the newest first; and whether older ones exist."""
    rows = session.scalars(
        _published()
        .order_by(Delivery.settled_at.desc(), Delivery.id.desc())
        .offset((page - 1) * PER_PAGE)
        .limit(PER_PAGE + 1)
    ).all()
    return _told(session, rows[:PER_PAGE]), len(rows) > PER_PAGE


def latest_changed(session: Session) -> list[Said]:
    """The PER_PAGE that were said or taken back last, for a feed, the latest first."""
    taken_back = (
        select(func.max(Retraction.decided_at))
        .where(Retraction.delivery_id == Delivery.id, _decided())
        .scalar_subquery()
    )
    changed = func.coalesce(taken_back, Delivery.settled_at)
    rows = session.scalars(
        _published().order_by(changed.desc(), Delivery.id.desc()).limit(PER_PAGE)
    )
    return _told(session, rows.all())


def one(session: Session, key: str) -> Said | None:
    """The message of this key, if it was ever said here."""
    if not (key.isascii() and key.isalnum()):  # what no key is the database need not be asked
        return None
    rows = session.scalars(_published().where(Delivery.record_key == key).limit(1)).all()
    return next(iter(_told(session, rows)), None)


def _published() -> Select[Delivery]:
    version = joinedload(Delivery.approval).joinedload(Approval.version)
    campaign = version.joinedload(MessageVersion.message).joinedload(Message.campaign)
    return (
        select(Delivery)
        .join(Delivery.account)
        .where(Account.platform == PLATFORM, Delivery.state == "published")
        .options(
            joinedload(Delivery.account).joinedload(Account.voice),
            campaign.selectinload(Campaign.plans),
        )
    )


def _decided() -> ColumnElement[bool]:
    return Retraction.decided_how.in_(DECIDED)


def _told(session: Session, deliveries: Sequence[Delivery]) -> list[Said]:
    ids = [delivery.id for delivery in deliveries]
    taken_back = {}
    if ids:
        rows = select(Retraction).where(Retraction.delivery_id.in_(ids), _decided())
        rows = rows.order_by(Retraction.id)  # the latest counts
        taken_back = {row.delivery_id: row for row in session.scalars(rows)}
    told = [_said(delivery, taken_back.get(delivery.id)) for delivery in deliveries]
    return _put_right(session, told)


def _put_right(session: Session, told: list[Said]) -> list[Said]:
    """The same with the keys of what they put right, and of what puts them right."""
    earlier, later = _keys("earlier"), _keys("later")
    keys = [one.key for one in told]
    pairs = session.execute(
        select(earlier.c.key, later.c.key)
        .join(Correction, Correction.corrects_id == earlier.c.message_id)
        .join(later, later.c.message_id == Correction.message_id)
        .where(or_(earlier.c.key.in_(keys), later.c.key.in_(keys)))
        .order_by(Correction.at, Correction.message_id)
    ).all()
    newer = dict(iter(pairs))
    older = {after: before for before, after in pairs}
    return [
        replace(one, corrects=older.get(one.key, ""), corrected_by=newer.get(one.key, ""))
        for one in told
    ]


def _keys(name: str) -> Subquery:
    """Message id and key of all that is published here."""
    return (
        select(MessageVersion.message_id, Delivery.record_key.label("key"))
        .join(Approval, Approval.version_id == MessageVersion.id)
        .join(Delivery, Delivery.approval_id == Approval.id)
        .join(Delivery.account)
        .where(Account.platform == PLATFORM, Delivery.state == "published")
        .subquery(name)
    )


def _said(delivery: Delivery, taken_back: Retraction | None) -> Said:
    approval, voice = delivery.approval, delivery.account.voice
    part = next(
        part for part in approval.version.content["parts"] if part["account"] == delivery.account_id
    )
    plan = _plan_of(approval)
    gone = taken_back is not None
    return Said(
        key=delivery.record_key,
        voice=_shown(voice.name),
        role=_shown(voice.role),
        at=delivery.settled_at or delivery.due_at,
        texts=[]
        if gone
        else [(tag, lines_of(text)) for tag, text in in_languages(approval.version.content, part)],
        pictures=[]
        if gone
        else [one | {"alt": _shown(one["alt"])} for one in part.get("images", [])],
        sponsor=_shown(plan.sponsor.strip()) if plan is not None else "",
        ai_helped=plan.ai_helped if plan is not None else "",
        retracted_at=taken_back.decided_at if taken_back is not None else None,
        retracted_why=_shown(taken_back.reason) if taken_back is not None else "",
    )


def _plan_of(approval: Approval) -> Plan | None:
    """The plan that stood when the words were approved."""
    plans = approval.version.message.campaign.plans
    return next((plan for plan in reversed(plans) if plan.at <= approval.approved_at), None)


def lines_of(text: str) -> list[list[list[Piece]]]:
    """A text as paragraphs of lines of pieces, links with their whole address."""
    paragraphs = [part for part in _shown(text).split("\n\n") if part.strip()]
    return [[_pieces(line) for line in part.strip("\n").split("\n")] for part in paragraphs]


def _shown(text: str) -> str:
    """Without what no XML, and so no feed, may hold."""
    return NOT_XML.sub("", text)


def _pieces(line: str) -> list[Piece]:
    data, found, at = line.encode(), [], 0
    for span in spans(line):
        if span.kind == "link":
            found.append(Piece(data[at : span.start].decode(), ""))
            found.append(Piece(data[span.start : span.end].decode(), span.value))
            at = span.end
    found.append(Piece(data[at:].decode(), ""))
    return [piece for piece in found if piece.text]
