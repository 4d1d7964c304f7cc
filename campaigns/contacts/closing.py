"""Another name for a list, and the end of one, or of an account that a person or a list stands
behind: each said why by whom, each to be undone.

What is on its way, or waits for its leader, stands in the way: it was or will be approved for this
list under this name. Verbs never commit.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from campaigns.contacts import audiences
from campaigns.drafting.messages import all_submissions
from campaigns.models import (
    Account,
    AccountClosing,
    Approval,
    Audience,
    AudienceChange,
    Delivery,
    Message,
    MessageVersion,
    Outlet,
    Voice,
)
from campaigns.publishers import BY_HAND, LISTED
from campaigns.voices import use_again

WHY_CHARS = 400
MAY_CLOSE = frozenset({*BY_HAND, *LISTED})  # no secret of anybody's opens them


class InUseError(ValueError):
    """``messages`` are on their way through it, or wait for their leader."""

    def __init__(self, messages: Sequence[Message]) -> None:
        super().__init__(
            "Not while messages are on their way through it or wait for their leader. Withdraw "
            "them, or wait until they are over."
        )
        self.messages = messages


def using(session: Session, accounts: Collection[int]) -> list[Message]:
    """The messages that count on one of these accounts, in the order in which they were begun."""
    query = (
        select(Message)
        .join(MessageVersion, MessageVersion.message_id == Message.id)
        .join(Approval, Approval.version_id == MessageVersion.id)
        .join(Delivery, Delivery.approval_id == Approval.id)
        .where(Delivery.account_id.in_(accounts), Delivery.settled_at.is_(None))
        .options(joinedload(Message.voice))
        .distinct()
    )
    found = {one.id: one for one in session.scalars(query)}
    for version in all_submissions(session):
        if any(part["account"] in accounts for part in version.content["parts"]):
            found[version.message_id] = version.message
    return [found[number] for number in sorted(found)]


def rename(
    session: Session, audience: Audience, name: str, *, why: str, by: int, now: datetime
) -> None:
    """Another name, also for the accounts that speak to it. InUseError, or ValueError."""
    said = _sentence(why)
    session.refresh(audience, with_for_update=True)
    words = audiences.free_name(session, name, audience)
    if words == audience.name:
        raise ValueError("That is its name already.")
    accounts = _accounts(session, audience)
    _idle(session, accounts)
    was, audience.name = audience.name, words
    for account in accounts:
        account.handle = words
    _changed(session, audience, "renamed", said, by, now, was=was)


def close(session: Session, audience: Audience, *, why: str, by: int, now: datetime) -> None:
    """Nothing more goes to the list, and no voice speaks to it. InUseError, or ValueError.

    Its members stay on it, for it can be opened again.
    """
    said = _sentence(why)
    session.refresh(audience, with_for_update=True)
    if audience.closed_at is not None:
        raise ValueError("Somebody has closed it already.")
    accounts = [one for one in _accounts(session, audience) if one.closed_at is None]
    _idle(session, accounts)
    audience.closed_at = now
    for account in accounts:
        _shut(session, account, f"The list was closed: {said}", by, now)
    _changed(session, audience, "closed", said, by, now)


def reopen(session: Session, audience: Audience, *, why: str, by: int, now: datetime) -> None:
    """As it was: with the accounts that were closed with it. ValueError."""
    said = _sentence(why)
    session.refresh(audience, with_for_update=True)
    if audience.closed_at is None:
        raise ValueError("The list is open.")
    for account in _accounts(session, audience):
        if account.closed_at == audience.closed_at:
            use_again(session, account, by=by, now=now)
    audience.closed_at = None
    _changed(session, audience, "reopened", said, by, now)


def close_account(session: Session, account: Account, *, why: str, by: int, now: datetime) -> None:
    """Nothing more goes out by this account. InUseError, or ValueError."""
    said = _sentence(why)
    if account.platform not in MAY_CLOSE:
        raise ValueError("Only what is posted by hand, or goes to a list, is closed here.")
    session.refresh(account, with_for_update=True)
    if account.closed_at is not None:
        raise ValueError("Somebody has closed it already.")
    _idle(session, [account])
    _shut(session, account, said, by, now)
    session.flush()


def open_account(session: Session, account: Account, *, by: int, now: datetime) -> None:
    """Use a closed account again. ValueError, also where its list is closed."""
    session.refresh(account, with_for_update=True)
    if account.closed_at is None:
        raise ValueError("It is in use.")
    if account.outlet is not None and account.outlet.audience.closed_at is not None:
        raise ValueError("Its list is closed. Open the list again first.")
    use_again(session, account, by=by, now=now)


def history(session: Session, audience: Audience) -> list[AudienceChange]:
    """What was done with a list, the latest first."""
    query = select(AudienceChange).where(AudienceChange.audience_id == audience.id)
    return list(session.scalars(query.order_by(AudienceChange.id.desc())))


def named(session: Session, numbers: Collection[int]) -> list[Message]:
    """These messages with their voices, in the order in which they were begun."""
    query = select(Message).where(Message.id.in_(numbers)).options(joinedload(Message.voice))
    return list(session.scalars(query.order_by(Message.id))) if numbers else []


def closings(session: Session, voice: Voice) -> list[AccountClosing]:
    """Of a voice's accounts those that were closed, also if they are used again; latest first."""
    query = (
        select(AccountClosing)
        .join(AccountClosing.account)
        .where(Account.voice_id == voice.id)
        .options(joinedload(AccountClosing.account))
    )
    return list(session.scalars(query.order_by(AccountClosing.id.desc())))


def _accounts(session: Session, audience: Audience) -> list[Account]:
    query = select(Account).join(Outlet).where(Outlet.audience_id == audience.id)
    return list(session.scalars(query.order_by(Account.id).with_for_update(of=Account)))


def _idle(session: Session, accounts: Sequence[Account]) -> None:
    messages = using(session, {one.id for one in accounts})
    if messages:
        raise InUseError(messages)


def _shut(session: Session, account: Account, why: str, by: int, now: datetime) -> None:
    account.closed_at = now
    session.add(AccountClosing(account=account, why=why, by=by, at=now))


def _changed(
    session: Session,
    audience: Audience,
    kind: str,
    why: str,
    by: int,
    now: datetime,
    was: str | None = None,
) -> None:
    session.add(AudienceChange(audience_id=audience.id, kind=kind, was=was, why=why, by=by, at=now))
    session.flush()
    session.expire_all()


def _sentence(words: str) -> str:
    said = " ".join(words.split())[:WHY_CHARS]
    if not said:
        raise ValueError("Say why, in a sentence.")
    return said
