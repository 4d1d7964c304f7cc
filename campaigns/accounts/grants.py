"""Grants: accounts that a leader signed in at their own server, instead of giving a password.

A grant is asked for, answered once, given, and ends: by a person, with the consent, or by the word
of the server. What opens the account stands encrypted in ``Grant.sealed`` and ``Account.secret``,
and both are erased when it ends. Verbs never commit and never call anybody: the server is asked
between ``answered`` and ``give`` by the route, and by ``renewing`` in the worker.
"""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.fernet import Fernet
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from campaigns.models import Account, Delivery, Grant, Voice
from campaigns.publishers.dpop import Key, Pass
from campaigns.publishers.identities import Home
from campaigns.publishers.oauth import Client, Tokens, covers

PLATFORM = "bluesky"
ANSWER_LIFE = timedelta(minutes=30)  # for a person to find their password, on a phone
AHEAD = timedelta(minutes=10)  # of its end an access token is renewed
RENEWED_LEAST = timedelta(minutes=1)  # apart, whatever a server says of its tokens
REPLACED = "It was signed in anew."
INSTEAD = "An app password took its place."
MAY = {  # what a scope lets the desk do, in words for the person who granted it
    "atproto": "know whose account it is",
    "repo:app.bsky.feed.post": "write and delete posts",
    "blob:image/*": "upload pictures",
    "transition:generic": "do what an app password may: posts, likes, follows and the profile",
}


@dataclass(frozen=True)
class Asked:
    """What one request is made of, before anybody was asked. ``state`` comes back in the answer."""

    state: str = field(repr=False)
    verifier: str = field(repr=False)
    key: Key = field(repr=False)


@dataclass(frozen=True)
class Opened:
    """What ``Grant.sealed`` holds: of a request the verifier, of a given one the refresh token."""

    key: Key = field(repr=False)
    verifier: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)

    def sealed(self, vault: Fernet) -> bytes:
        whole = {"key": self.key, "verifier": self.verifier, "refresh": self.refresh}
        return vault.encrypt(json.dumps(whole).encode())


def opened(grant: Grant, vault: Fernet) -> Opened:
    """What opens it. Raises InvalidToken where it was sealed under another key."""
    if grant.sealed is None:
        raise ValueError("This grant has been erased.")
    return Opened(**json.loads(vault.decrypt(grant.sealed)))


# ---- asked for, and answered


def ask(
    session: Session,
    voice: Voice,
    home: Home,
    asked: Asked,
    *,
    issuer: str,
    client: Client,
    scope: str,
    bound_to: str,
    vault: Fernet,
    by: int,
    now: datetime,
) -> Grant:
    """Keep what was asked for ``voice``, for one answer in the desk session ``bound_to``."""
    forget(session, now)
    grant = Grant(
        voice=voice,
        handle=home.handle,
        did=home.did,
        service=home.service,
        issuer=issuer,
        client_id=client.client_id,
        scope=scope,
        state_sha256=_digest(asked.state),
        bound_to=_digest(bound_to),
        asked_by=by,
        asked_at=now,
        expires_at=now + ANSWER_LIFE,
        sealed=Opened(key=asked.key, verifier=asked.verifier).sealed(vault),
    )
    session.add(grant)
    session.flush()
    return grant


def answered(session: Session, state: str, bound_to: str, now: datetime) -> Grant | None:
    """The request that this is the answer to, used up by it; None for any other or second one.

    The caller commits before it goes on: what is used up stays so, whatever comes of it.
    """
    return session.scalar(
        update(Grant)
        .where(
            Grant.state_sha256 == _digest(state),
            Grant.bound_to == _digest(bound_to),
            Grant.answered_at.is_(None),
            Grant.expires_at > now,
        )
        .values(answered_at=now)
        .returning(Grant)
        .execution_options(synchronize_session=False)
    )


def give(
    session: Session, grant: Grant, tokens: Tokens, client: Client, vault: Fernet, now: datetime
) -> Account:
    """Connect the account with what its server gave. ValueError: it must not be.

    An account that was connected before keeps its server's name, as approved messages have it.
    """
    if tokens.sub != grant.did:
        raise ValueError(
            f"Somebody else than @{grant.handle} was signed in there. Nothing is kept."
        )
    if not covers(tokens.scope, grant.scope):
        raise ValueError("Not all that is needed was granted, so nothing is kept.")
    account = session.scalar(
        select(Account)
        .where(
            Account.voice_id == grant.voice_id,
            Account.platform == PLATFORM,
            Account.handle == grant.handle,
        )
        .with_for_update()
    )
    if account is None:
        account = Account(
            voice_id=grant.voice_id,
            platform=PLATFORM,
            handle=grant.handle,
            service=grant.service,
        )
        session.add(account)
    else:
        before = newest(session, [account]).get(account.id)
        if before is not None and before.did != grant.did:
            raise ValueError(f"@{grant.handle} was another account when it was connected before.")
        replace(session, account, why=REPLACED, by=grant.asked_by, now=now)
    account.connected_by, account.connected_at = grant.asked_by, now
    session.flush()
    grant.account, grant.given_at, grant.scope = account, now, tokens.scope
    renewed(session, grant, tokens, client, vault, now)
    return account


def renewed(
    session: Session, grant: Grant, tokens: Tokens, client: Client, vault: Fernet, now: datetime
) -> None:
    """Keep what the server gave, and let what waited for it go on."""
    was, account = opened(grant, vault), grant.account
    if account is None or grant.given_at is None:
        raise ValueError("This was never granted.")
    grant.sealed = Opened(key=was.key, refresh=tokens.refresh).sealed(vault)
    opens = Pass(grant.did, grant.service, tokens.access, was.key)
    account.secret = vault.encrypt(opens.packed().encode())
    account.secret_until = grant.given_at + client.life if client.life else None
    grant.renewed_at, grant.detail = now, ""
    lasts = timedelta(seconds=tokens.lasts)
    grant.access_until = now + lasts
    grant.renew_at = now + max(lasts - AHEAD, lasts / 2, RENEWED_LEAST)
    waiting = Delivery.account_id == account.id, Delivery.state == "retry_later"
    session.execute(update(Delivery).where(*waiting).values(not_before=None))
    session.flush()


# ---- ended


def end(session: Session, grant: Grant, *, why: str, by: int | None, now: datetime) -> None:
    """The desk opens this account no more. By a person: the server is told as soon as may be.

    ``by`` None: it is the server's own word, so nothing is left to be told. Nothing happens to one
    that has ended.
    """
    session.refresh(grant, with_for_update=True)  # it may be renewed at this moment
    if grant.ended_at is not None or grant.given_at is None:
        return
    grant.ended_at, grant.ended_by, grant.ended_why = now, by, why.strip() or "No reason given."
    grant.renew_at = now if by is not None else None
    if by is None:
        grant.sealed = None
    if grant.account is not None:
        grant.account.secret = grant.account.secret_until = None
    session.flush()


def replace(session: Session, account: Account, *, why: str, by: int, now: datetime) -> None:
    """End the account's standing grant, if it has one."""
    grant = session.scalar(
        select(Grant).where(
            Grant.account_id == account.id, Grant.given_at.is_not(None), Grant.ended_at.is_(None)
        )
    )
    if grant is not None:
        end(session, grant, why=why, by=by, now=now)


def newest(session: Session, accounts: list[Account]) -> dict[int, Grant]:
    """The newest grant of each account that ever had one, by account."""
    if not accounts:
        return {}
    rows = session.scalars(
        select(Grant)
        .where(Grant.account_id.in_([account.id for account in accounts]))
        .order_by(Grant.account_id, Grant.id.desc())
        .ext(distinct_on(Grant.account_id))
    )
    return {grant.account_id: grant for grant in rows if grant.account_id is not None}


def forget(session: Session, now: datetime) -> None:
    """Erase requests that nobody answered in time, or whose answer came to nothing.

    Not at once: one that was answered in the last moment may still be on its way to be given.
    """
    late = Grant.expires_at <= now - ANSWER_LIFE
    session.execute(delete(Grant).where(Grant.given_at.is_(None), late))


def may(scope: str) -> list[str]:
    """What a scope lets the desk do, in words."""
    return [MAY.get(part, part) for part in scope.split()]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
