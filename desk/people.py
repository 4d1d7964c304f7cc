"""People of the desk: roles, passwords, one-time links, sessions. Verbs never commit."""

import hashlib
import secrets
import threading
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Select, Text, bindparam, func, select, update
from sqlalchemy.orm import Session, joinedload

from desk.models import ROLES, Person, RoleGrant, SignInFailure, SignInLink, WebSession
from sources.db import UTCDateTime

SESSION_LIFE = timedelta(hours=14)  # a long shift, not a week on a lost phone
LINK_LIFE = timedelta(hours=24)
PASSWORD_LENGTH = 15  # NIST SP 800-63B-4, section 3.1.1: a password that stands alone
GUESSES = 10  # failed sign-ins of one address in GUESS_WINDOW before it must wait
GUESS_WINDOW = timedelta(minutes=15)

_hasher = PasswordHasher()  # Argon2id with the library's current parameters
_HASHING = threading.BoundedSemaphore(4)  # each takes 64 MiB: strangers must not fill the memory


def _hash(password: str) -> str:
    with _HASHING:
        return _hasher.hash(password)


_NOBODY = _hash("a password that is nobody's")


class SignInRefusedError(Exception):
    """The sign-in failed; the message is for the page and does not say which half was wrong."""


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def everyone(session: Session) -> list[Person]:
    """All people who have not left, with their grants, by name."""
    query = select(Person).where(Person.left_at.is_(None)).options(joinedload(Person.grants))
    return list(session.scalars(query.order_by(Person.name, Person.id)).unique())


def names(session: Session) -> dict[int, str]:
    """Person id to name, for the ``by`` columns of the other rooms."""
    return {row.id: row.name for row in session.execute(select(Person.id, Person.name))}


def add_person(
    session: Session, name: str, email: str, roles: list[str], by: Person | None, now: datetime
) -> Person:
    """A new person with roles; ValueError says what is wrong in plain words."""
    name, email = name.strip(), email.strip().lower()
    if not name:
        raise ValueError("A person needs a name.")
    local, _, host = email.partition("@")
    if not local or "." not in host or " " in email:
        raise ValueError(f"“{email}” is not an e-mail address.")
    if session.scalar(select(Person).where(Person.email == email)):
        raise ValueError(f"{email} is already here.")
    person = Person(name=name, email=email, created_at=now)
    session.add(person)
    session.flush()
    for role in roles:
        grant(session, person, role, by, now)
    return person


def grant(session: Session, person: Person, role: str, by: Person | None, now: datetime) -> None:
    """Give a role; giving it twice changes nothing."""
    if role not in ROLES:
        raise ValueError(f"“{role}” is no role; the roles are {', '.join(ROLES)}.")
    if role not in person.roles:
        person.grants.append(RoleGrant(role=role, granted_by=by and by.id, granted_at=now))
        session.flush()


def revoke(session: Session, person: Person, role: str, by: Person, now: datetime) -> None:
    """Take a role back. The last administrator keeps theirs."""
    # Two administrators who remove each other at once must not both succeed.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("breakwater-roles"))))
    if role == "admin" and len(_holders(session, "admin")) == 1:
        raise ValueError("The last administrator cannot be removed; make another one first.")
    for held in person.grants:
        if held.role == role and held.revoked_at is None:
            held.revoked_by, held.revoked_at = by.id, now


def _holders(session: Session, role: str) -> list[Person]:
    query = (
        select(Person)
        .join(RoleGrant, RoleGrant.person_id == Person.id)
        .where(RoleGrant.role == role, RoleGrant.revoked_at.is_(None), Person.left_at.is_(None))
        .order_by(Person.name, Person.id)
    )
    return list(session.scalars(query).unique())


def leaders(session: Session) -> list[Person]:
    """People who may approve in a voice's name."""
    return _holders(session, "leader")


def communicators(session: Session) -> list[Person]:
    """People who write for voices, and whom a leader may let post by hand in a voice's name."""
    return _holders(session, "comms")


def choose_zone(person: Person, name: str) -> None:
    """Show this person times in the IANA zone ``name``; none: in the desk's. ValueError."""
    name = name.strip()
    if name and name not in available_timezones():
        raise ValueError("Give a time zone by its IANA name, such as America/Chicago.")
    person.time_zone = name or None


def set_password(
    session: Session, person: Person, password: str, now: datetime, keep: str = ""
) -> None:
    """Store an Argon2id hash, and end every session but ``keep`` and every unused link.

    ValueError when the password is too short.
    """
    if len(password) < PASSWORD_LENGTH:
        raise ValueError(f"A password needs at least {PASSWORD_LENGTH} characters.")
    person.password_hash = _hash(password)
    _shut_out(session, person, now, keep)


def leave(session: Session, person: Person, by: Person, now: datetime) -> None:
    """Somebody has left: their roles, sessions and links end. Their name stays on what they did."""
    for role in person.roles:
        revoke(session, person, role, by, now)
    person.left_at = now
    _shut_out(session, person, now)


def _shut_out(session: Session, person: Person, now: datetime, keep: str = "") -> None:
    session.execute(
        update(WebSession)
        .where(
            WebSession.person_id == person.id,
            WebSession.ended_at.is_(None),
            WebSession.token_sha256 != _digest(keep),
        )
        .values(ended_at=now)
    )
    session.execute(
        update(SignInLink)
        .where(SignInLink.person_id == person.id, SignInLink.used_at.is_(None))
        .values(expires_at=now)
    )


def sign_in(session: Session, email: str, password: str, now: datetime) -> str:
    """The token of a new session. Raises SignInRefusedError; the caller commits either way."""
    email = email.strip().lower()
    failures = session.scalar(
        select(func.count())
        .select_from(SignInFailure)
        .where(SignInFailure.email == email, SignInFailure.at > now - GUESS_WINDOW)
    )
    if (failures or 0) >= GUESSES:
        raise SignInRefusedError("Too many attempts. Wait a quarter of an hour, or ask for a link.")
    person = session.scalar(select(Person).where(Person.email == email, Person.left_at.is_(None)))
    stored = person.password_hash if person and person.password_hash else _NOBODY
    try:
        with _HASHING:
            _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        person = None
    if person is None or stored == _NOBODY:
        session.add(SignInFailure(email=email, at=now))
        raise SignInRefusedError("E-mail address and password do not belong together.")
    return open_session(session, person, now)


def guessed(session: Session, what: str, now: datetime) -> bool:
    """Count a guess at something secret, named by who made it; whether they guess too often."""
    lately = select(func.count()).select_from(SignInFailure)
    made = session.scalar(
        lately.where(SignInFailure.email == what, SignInFailure.at > now - GUESS_WINDOW)
    )
    if (made or 0) >= GUESSES:
        return True
    session.add(SignInFailure(email=what, at=now))
    return False


def new_link(session: Session, person: Person, by: Person | None, now: datetime) -> str:
    """A token that signs ``person`` in once within LINK_LIFE; they see who had it made."""
    token = secrets.token_urlsafe(32)
    session.add(
        SignInLink(
            token_sha256=_digest(token),
            person_id=person.id,
            made_by=by and by.id,
            created_at=now,
            expires_at=now + LINK_LIFE,
        )
    )
    return token


def links_for(session: Session, person: Person) -> list[SignInLink]:
    """The latest links made for this person: somebody else may have used one."""
    query = select(SignInLink).where(SignInLink.person_id == person.id)
    return list(session.scalars(query.order_by(SignInLink.created_at.desc()).limit(10)))


def link_of(session: Session, token: str, now: datetime) -> SignInLink | None:
    """The link if it can still be used. Reading consumes nothing: mail scanners are harmless."""
    link = session.get(SignInLink, _digest(token))
    return link if link and link.used_at is None and link.expires_at > now else None


def use_link(session: Session, token: str, now: datetime) -> tuple[Person, str]:
    """Consume the link; answers the person and the token of a new session."""
    used = session.execute(
        update(SignInLink)
        .where(
            SignInLink.token_sha256 == _digest(token),
            SignInLink.used_at.is_(None),
            SignInLink.expires_at > now,
        )
        .values(used_at=now)
        .returning(SignInLink.person_id)
    ).scalar()
    person = session.get(Person, used) if used else None
    if person is None or person.left_at is not None:
        raise SignInRefusedError("This link was used already or has expired. Ask for a new one.")
    return person, open_session(session, person, now)


def open_session(session: Session, person: Person, now: datetime) -> str:
    """The token of a new session of somebody who has proved who they are."""
    token = secrets.token_urlsafe(32)
    session.add(
        WebSession(
            token_sha256=_digest(token),
            person_id=person.id,
            created_at=now,
            expires_at=now + SESSION_LIFE,
        )
    )
    return token


def person_of(session: Session, token: str, now: datetime) -> Person | None:
    """Who is signed in with this session token, if anybody."""
    asked = {"digest": _digest(token), "now": now}
    return session.scalars(_signed_in(), asked).unique().one_or_none()


@cache  # every page asks for it, and it takes longer to put together than to answer
def _signed_in() -> Select[Person]:
    """Asks for the person. Parameters: digest, now."""
    return (
        select(Person)
        .join(WebSession, WebSession.person_id == Person.id)
        .where(
            WebSession.token_sha256 == bindparam("digest", type_=Text),
            WebSession.ended_at.is_(None),
            WebSession.expires_at > bindparam("now", type_=UTCDateTime),
            Person.left_at.is_(None),
        )
        .options(
            joinedload(Person.grants),
            # Every page needs these; a week's counts are seven rows at most.
            joinedload(Person.care),
            joinedload(Person.exposures),
            joinedload(Person.spell),
        )
    )


def sign_out(session: Session, token: str, now: datetime) -> None:
    """End the session on the server; the cookie alone is worth nothing afterwards."""
    session.execute(
        update(WebSession)
        .where(WebSession.token_sha256 == _digest(token), WebSession.ended_at.is_(None))
        .values(ended_at=now)
    )
