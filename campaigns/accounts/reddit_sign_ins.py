"""A voice's account on Reddit, connected by signing in there: begun, answered once, kept.

What Reddit sends back is good once, for minutes, and in the desk session that began it. Who signed
in must be the account that was named. Verbs never commit; the network is asked by whoever calls.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from cryptography.fernet import Fernet
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from campaigns import voices
from campaigns.models import Account, RedditSignIn, Voice
from campaigns.publishers.reddit import SCOPES
from campaigns.publishers.reddit_login import Granted
from campaigns.wording.submissions import Place, place_of

LIFE = timedelta(minutes=15)
RANDOM_BYTES = 32  # of the state; RFC 6749, 10.10 wants it not to be guessed
LATE = "That took too long, or was sent before. Begin once more."


class AnotherAccountError(ValueError):
    """Somebody else signed in than was named, or granted less: what they gave is not kept."""


def begin(
    session: Session, voice: Voice, handle: str, *, bound_to: str, by: int, now: datetime
) -> tuple[Place, str]:
    """(who must sign in, and where they speak; the state that Reddit shall send back).

    ``handle``: as in ``place_of``. ``bound_to``: the desk session's token. ValueError.
    """
    place = place_of(handle)
    state = secrets.token_urlsafe(RANDOM_BYTES)
    session.execute(delete(RedditSignIn).where(RedditSignIn.expires_at <= now))
    session.add(
        RedditSignIn(
            state_sha256=_digest(state),
            bound_to=_digest(bound_to),
            voice=voice,
            handle=str(place),
            by=by,
            begun_at=now,
            expires_at=now + LIFE,
        )
    )
    session.flush()
    return place, state


def answered(session: Session, state: str, *, bound_to: str, now: datetime) -> RedditSignIn:
    """What was begun with this state in this session: it is used up. ValueError: there is none."""
    begun: RedditSignIn | None = session.scalar(
        update(RedditSignIn)
        .where(
            RedditSignIn.state_sha256 == _digest(state),
            RedditSignIn.bound_to == _digest(bound_to),
            RedditSignIn.used_at.is_(None),
            RedditSignIn.expires_at > now,
        )
        .values(used_at=now)
        .returning(RedditSignIn)
    )
    if begun is None:
        raise ValueError(LATE)
    return begun


def connect(
    session: Session,
    begun: RedditSignIn,
    granted: Granted,
    *,
    vault: Fernet,
    by: int,
    now: datetime,
) -> Account:
    """Connect the account that signed in. AnotherAccountError, or ValueError as in voices."""
    place = place_of(begun.handle)
    if granted.user != place.user:
        raise AnotherAccountError(
            f"u/{granted.user} is signed in at Reddit, not u/{place.user}: nothing was kept. Sign "
            "out there, and begin once more."
        )
    if missing := [scope for scope in SCOPES if scope not in granted.scopes]:
        raise AnotherAccountError(
            f"Reddit did not grant {', '.join(missing)}: nothing was kept. Begin once more."
        )
    return voices.connect_account(
        session,
        begun.voice,
        platform="reddit",
        handle=begun.handle,
        service=voices.REDDIT_SERVER,
        secret=granted.token,
        vault=vault,
        by=by,
        now=now,
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
