"""Words to start from: what was published before and what came of it, and named templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased, joinedload

from campaigns.models import (
    Account,
    Approval,
    Campaign,
    Delivery,
    Message,
    MessageVersion,
    Origin,
    Template,
    Voice,
)
from campaigns.sending.deliveries import shown_once

SHOWN = 60  # earlier texts on one page
NAME_CHARS = 80
TEXT_CHARS = 45_000


@dataclass(frozen=True)
class Earlier:
    """Words that went out, with the deliveries that carried them (their state and receipt)."""

    version: MessageVersion
    text: str
    deliveries: list[Delivery]


def earlier(
    session: Session, *, strategy: str = "", voice: int = 0, words: str = ""
) -> list[Earlier]:
    """Published texts, the newest first; each text of a version once.

    ``strategy`` (a key of STRATEGIES), ``voice`` (its id) and ``words`` (in the text, as typed)
    narrow it down where they say something.
    """
    query = (
        select(Delivery)
        .join(Delivery.approval)
        .join(Approval.version)
        .join(MessageVersion.message)
        .join(Message.campaign)
        .where(Delivery.state == "published", shown_once(), *_narrowed(strategy, voice))
        .options(
            joinedload(Delivery.account).joinedload(Account.voice),
            joinedload(Delivery.approval)
            .joinedload(Approval.version)
            .joinedload(MessageVersion.message)
            .options(
                joinedload(Message.voice),
                joinedload(Message.campaign).joinedload(Campaign.narrative),
            ),
        )
        .order_by(Delivery.settled_at.desc(), Delivery.id.desc())
    )
    found: dict[tuple[int, str], Earlier] = {}
    for delivery in session.scalars(query):
        version = delivery.approval.version
        text = text_of(delivery)
        if words.lower() not in text.lower():
            continue
        key = (version.id, text)
        if key in found:
            found[key].deliveries.append(delivery)
        elif len(found) < SHOWN:
            found[key] = Earlier(version, text, [delivery])
    return list(found.values())


def voices_heard(session: Session) -> list[Voice]:
    """The voices in whose name something was published, by name."""
    heard = select(Account.voice_id).join(Delivery).where(Delivery.state == "published")
    return list(
        session.scalars(select(Voice).where(Voice.id.in_(heard)).order_by(Voice.name, Voice.id))
    )


def templates(session: Session) -> list[Template]:
    """The newest words of each name that was not put away, by name."""
    later = aliased(Template)
    newest = select(func.max(later.id)).group_by(func.lower(later.name))
    query = select(Template).where(Template.id.in_(newest), Template.text != "")
    return list(session.scalars(query.order_by(func.lower(Template.name))))


def history(session: Session) -> Mapping[str, list[Template]]:
    """By each name in small letters, every row it ever had, the newest first."""
    rows: dict[str, list[Template]] = {}
    for row in session.scalars(select(Template).order_by(Template.id.desc())):
        rows.setdefault(row.name.lower(), []).append(row)
    return rows


def keep_template(session: Session, name: str, text: str, *, by: int, now: datetime) -> Template:
    """Keep words under a name, or no words to put the name away. ValueError."""
    name, text = " ".join(name.split()), text.replace("\r\n", "\n").strip()
    if not name:
        raise ValueError("Give the template a name.")
    if len(name) > NAME_CHARS:
        raise ValueError(f"A name has {NAME_CHARS} characters at most.")
    if len(text) > TEXT_CHARS:
        raise ValueError(f"A template has {TEXT_CHARS} characters at most.")
    row = Template(name=name, text=text, by=by, at=now)
    session.add(row)
    session.flush()
    return row


def mark_origin(
    session: Session,
    message: Message,
    start: MessageVersion | Template,
    *,
    by: int,
    now: datetime,
) -> None:
    """Note what a message was started from; a later start takes the place of an earlier one."""
    row = session.get(Origin, message.id)
    if row is None:
        row = Origin(message_id=message.id)
        session.add(row)
    row.version_id = start.id if isinstance(start, MessageVersion) else None
    row.template_id = start.id if isinstance(start, Template) else None
    row.by, row.at = by, now
    session.flush()
    session.expire(row)


def origin_of(session: Session, message: Message) -> Origin | None:
    """What it was started from."""
    return session.get(Origin, message.id)


def _narrowed(strategy: str, voice: int) -> list[ColumnElement[bool]]:
    said = []
    if strategy:
        said.append(Campaign.strategy == strategy)
    if voice:
        said.append(Message.voice_id == voice)
    return said


def text_of(delivery: Delivery) -> str:
    """The words a delivery carries."""
    parts = delivery.approval.version.content["parts"]
    return next((str(p["text"]) for p in parts if p["account"] == delivery.account_id), "")
