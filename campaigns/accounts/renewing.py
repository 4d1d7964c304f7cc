"""Keeping accounts open that were signed in at their own server: claim, commit, call, record.

A refresh token counts once. So one process at a time renews a grant: a conditional UPDATE moves its
next time on, and whoever finds that time in the future leaves it alone. The call is made with no
database session open. A process that dies between the server's answer and our record loses the new
token; the next one tries the old token, the server refuses it, and a person is asked to sign in
again. No post depends on any of this: a token that opens nothing sends nothing.

A grant that a person ended is taken back at its server in the same way, and then erased.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from campaigns.accounts import grants
from campaigns.models import Attempt, Delivery, Grant
from campaigns.publishers import NotSentError, PublisherRejectedError
from campaigns.publishers.oauth import OAuth, SpentError, Tokens

PATIENCE = timedelta(minutes=5)  # no call lasts as long (10 s and, with a newer nonce, twice 15)
REST = timedelta(minutes=5)  # after a failure that says nothing of the token
TAKE_BACK = timedelta(hours=24)  # so long a server is asked to take a grant back
# No end of it: a process may have been started without the setting that the others have.
OTHER_ADDRESS = "The desk has another address than when this was granted (BREAKWATER_PUBLIC_URL)."
OTHER_KEY = "What opens it was stored under another secret key than the settings hold."

logger = logging.getLogger(__name__)


def renew_due(
    sessions: sessionmaker[Session], oauth: OAuth, vault: Fernet, now_fn: Callable[[], datetime]
) -> int:
    """Renew, or take back, each grant whose time has come; answers how many were called about.

    Safe to call at any moment from any number of processes; one failure does not stop the next.
    """
    calls = 0
    with sessions.begin() as session:
        grants.forget(session, now_fn())
        due = session.scalars(select(Grant.id).where(_is_due(now_fn())).order_by(Grant.id)).all()
    for grant_id in due:
        try:
            with sessions.begin() as session:
                claim = _claim(session, grant_id, now_fn())
            if claim is None:
                continue
            calls += 1
            if claim.ended_at is not None:
                _take_back(sessions, oauth, vault, claim, now_fn)
            else:
                _renew(sessions, oauth, vault, claim, now_fn)
        except Exception:  # its claim stands, and ends by itself
            logger.exception("Grant %s: could not be renewed or recorded", grant_id)
    return calls


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Its time has come; or a server did not know it any more when something was to be sent.

    A claim lies at most PATIENCE ahead, so one that is called about is never taken up for that.
    """
    refused = (
        select(Attempt.id)
        .join(Attempt.delivery)
        .where(
            Delivery.account_id == Grant.account_id,
            Delivery.state == "retry_later",
            Attempt.outcome == "not_sent",
            Attempt.ended_at > Grant.renewed_at,
        )
        .exists()
    )
    return or_(
        Grant.renew_at <= now,
        and_(
            Grant.ended_at.is_(None),
            Grant.renew_at > now + 2 * PATIENCE,
            Grant.renewed_at <= now - REST,  # what else is wrong there, no new token mends
            refused,
        ),
    )


def _claim(session: Session, grant_id: int, now: datetime) -> Grant | None:
    """Make it ours to call about; None when it is somebody else's (now)."""
    return session.scalar(
        update(Grant)
        .where(Grant.id == grant_id, _is_due(now))
        .values(renew_at=now + PATIENCE, claims=Grant.claims + 1)
        .returning(Grant)
        .execution_options(synchronize_session=False)
    )


# ---- a standing one


def _renew(
    sessions: sessionmaker[Session],
    oauth: OAuth,
    vault: Fernet,
    claim: Grant,
    now_fn: Callable[[], datetime],
) -> None:
    tokens, over, detail = _new_tokens(oauth, vault, claim)
    with sessions.begin() as session:
        grant, now = _locked(session, claim), now_fn()
        if tokens is not None and grant.ended_at is not None:
            # A person ended it meanwhile: what must be taken back now is the new token.
            was = grants.opened(claim, vault)
            grant.sealed = grants.Opened(key=was.key, refresh=tokens.refresh).sealed(vault)
            grant.renew_at = now
        elif grant.claims != claim.claims or grant.ended_at is not None:
            return
        elif tokens is not None:
            grants.renewed(session, grant, tokens, oauth.client, vault, now)
        elif over:
            grants.end(session, grant, why=detail, by=None, now=now)
        else:
            grant.detail, grant.renew_at = detail, now + REST
            if grant.account is not None:  # what is due later than that is told to a person
                grant.account.secret_until = grant.access_until


def _new_tokens(oauth: OAuth, vault: Fernet, claim: Grant) -> tuple[Tokens | None, bool, str]:
    """(the tokens, or None; whether it is over; what went wrong). Never raises."""
    if claim.client_id != oauth.client.client_id:
        return None, False, OTHER_ADDRESS
    try:
        was = grants.opened(claim, vault)
        tokens = oauth.renew(claim.issuer, refresh=was.refresh, key=was.key)
    except SpentError as fault:
        return None, True, str(fault)
    except (PublisherRejectedError, NotSentError) as fault:
        return None, False, str(fault)
    except InvalidToken:
        return None, False, OTHER_KEY
    except Exception as fault:  # a mistake of ours is no reason to throw a token away
        logger.exception("Grant %s: could not be renewed", claim.id)
        return None, False, f"It could not be renewed ({type(fault).__name__})."
    if tokens.sub != claim.did:
        return None, True, f"{claim.issuer} gave tokens of somebody else."
    return tokens, False, ""


# ---- an ended one


def _take_back(
    sessions: sessionmaker[Session],
    oauth: OAuth,
    vault: Fernet,
    claim: Grant,
    now_fn: Callable[[], datetime],
) -> None:
    told, detail = _told(oauth, vault, claim)
    with sessions.begin() as session:
        grant, now = _locked(session, claim), now_fn()
        if grant.claims != claim.claims:
            return
        grant.detail, grant.renew_at = detail, now + REST
        late = grant.ended_at is not None and now - grant.ended_at > TAKE_BACK
        if told or late:
            grant.sealed = grant.renew_at = None


def _told(oauth: OAuth, vault: Fernet, claim: Grant) -> tuple[bool, str]:
    """(whether its server knows; what went wrong). Never raises."""
    if claim.client_id != oauth.client.client_id:
        return False, OTHER_ADDRESS
    try:
        was = grants.opened(claim, vault)
        oauth.take_back(claim.issuer, token=was.refresh, key=was.key)
    except (PublisherRejectedError, NotSentError) as fault:
        return False, str(fault)
    except InvalidToken:
        return False, OTHER_KEY
    except Exception as fault:
        logger.exception("Grant %s: could not be taken back", claim.id)
        return False, f"It could not be taken back ({type(fault).__name__})."
    return True, ""


def _locked(session: Session, claim: Grant) -> Grant:
    return session.scalars(
        select(Grant)
        .where(Grant.id == claim.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
