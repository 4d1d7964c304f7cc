"""Links by which a leader decides without signing in: signed, for one version, used once.

Reading one changes nothing, so that programs which open every link of a mail are harmless. The
token is signed by the desk's key and names its version and leader; of it we keep a hash only.
"""

import hashlib
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import update
from sqlalchemy.orm import Session

from campaigns.drafting.messages import latest_version
from campaigns.models import ApprovalLink, MessageVersion
from campaigns.wording.content import send_time

LINK_LIFE = timedelta(hours=24)  # or until the message's time to send, whichever comes first
TOKEN_CHARS = 200  # a longer one is none of ours


class SpentLinkError(ValueError):
    """The link was used, or its time is over."""


def make_link(session: Session, version: MessageVersion, vault: Fernet, now: datetime) -> str:
    """The token of a fresh link for the leader of the version's voice. It is never seen again."""
    leader_id = version.message.voice.leader_id
    token = vault.encrypt(_named(version.id, leader_id)).decode().rstrip("=")
    session.add(
        ApprovalLink(
            token_sha256=_digest(token),
            version_id=version.id,
            leader_id=leader_id,
            made_at=now,
            expires_at=now + life_of(version, now),
        )
    )
    session.flush()
    return token


def life_of(version: MessageVersion, now: datetime) -> timedelta:
    """For how long a link made now is good."""
    return min(LINK_LIFE, send_time(version.content) - now)


def link_of(session: Session, token: str, vault: Fernet) -> ApprovalLink | None:
    """The link of a token, whatever has become of it; None for a token that is none."""
    named = _read(token, vault)
    link = session.get(ApprovalLink, _digest(token)) if named is not None else None
    if link is None or named != _named(link.version_id, link.leader_id):
        return None
    return link


def standing(link: ApprovalLink, now: datetime) -> str:
    """What a link is good for.

    open; or decided (by it, by another, or after signing in), replaced (other words stand now),
    passed on (another leader answers for the voice), expired.
    """
    version = link.version
    if link.used_at is not None or version.approval is not None or version.decline is not None:
        return "decided"
    if version is not latest_version(version.message):
        return "replaced"
    if version.message.voice.leader_id != link.leader_id:
        return "passed on"
    return "open" if now < link.expires_at else "expired"


def use_link(session: Session, link: ApprovalLink, used_for: str, now: datetime) -> None:
    """Consume it, in the transaction of the decision. SpentLinkError where it is not open.

    ``used_for``: approved, declined, change asked or edited.
    """
    used = session.execute(
        update(ApprovalLink)
        .where(
            ApprovalLink.token_sha256 == link.token_sha256,
            ApprovalLink.used_at.is_(None),
            ApprovalLink.expires_at > now,
        )
        .values(used_at=now, used_for=used_for)
        .returning(ApprovalLink.version_id)
    ).scalar()
    if used is None:
        raise SpentLinkError("This link was used before, or its time is over.")


def _named(version_id: int, leader_id: int) -> bytes:
    return f"approval {version_id} {leader_id}".encode()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _read(token: str, vault: Fernet) -> bytes | None:
    """What a token says, if the signature is ours."""
    if len(token) > TOKEN_CHARS or not token.isascii():
        return None
    try:
        return vault.decrypt(token + "=" * (-len(token) % 4))
    except InvalidToken:
        return None
