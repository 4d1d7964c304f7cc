"""A server that lets none of an account's messages in: nobody is refused for it, and one is tried.

A wrong key is no fault of any recipient. What it holds up waits with its place, one message in a
while finds out whether the server lets us in again, and a person is told once.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from campaigns.limits import Hold
from campaigns.models import Account, Lockout

TRIED_AGAIN = timedelta(minutes=15)
# A server that was to be tried so long ago has let us in meanwhile, or has nothing to let in.
TOLD_AFTER = timedelta(minutes=5)


def found(session: Session, account_id: int, why: str, now: datetime) -> Lockout:
    """The account's server has let a message of its not in, for ``why``: all the others wait."""
    # Of two workers the second waits here, and sees what the first wrote.
    session.execute(
        select(Account.id).where(Account.id == account_id).with_for_update(key_share=True)
    ).one()
    standing = session.scalar(
        select(Lockout).where(Lockout.account_id == account_id, Lockout.ended_at.is_(None))
    )
    if standing is None:
        standing = Lockout(account_id=account_id, found_at=now)
        session.add(standing)
    standing.why, standing.next_at = why, now + TRIED_AGAIN
    session.flush()
    return standing


def over(session: Session, account_id: int, now: datetime) -> None:
    """A message of the account got in."""
    session.execute(
        update(Lockout)
        .where(Lockout.account_id == account_id, Lockout.ended_at.is_(None))
        .values(ended_at=func.greatest(Lockout.found_at, now))  # another worker's clock
        .execution_options(synchronize_session=False)
    )


def hold(session: Session, account_id: int, now: datetime) -> Hold | None:
    """Why the account's messages wait, and until when; None: one may be tried."""
    standing = session.scalar(
        select(Lockout).where(
            Lockout.account_id == account_id, Lockout.ended_at.is_(None), Lockout.next_at > now
        )
    )
    return Hold(standing.why, standing.next_at) if standing is not None else None


def standing(now: datetime) -> ColumnElement[bool]:
    """Condition on lockouts: as far as we know it stands. Of one account there is one at most."""
    return and_(Lockout.ended_at.is_(None), Lockout.next_at > now - TOLD_AFTER)
