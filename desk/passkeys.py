"""Passkeys: keys on somebody's device that sign them in and confirm what they approve (WebAuthn).

A challenge is good once, for minutes, for one purpose and in one session, or for one link. To
approve it holds the hash of exactly what is approved, so that the device signs that too. No
attestation is asked for. Verbs never commit; a challenge that was answered is used up, whatever
came of it, so whoever calls commits in either case.
"""

import hashlib
import ipaddress
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, joinedload

from desk import people
from desk.models import Passkey, PasskeyChallenge, PasskeyChoice, Person
from desk.settings import Settings

CHALLENGE_LIFE = timedelta(minutes=5)
RANDOM_BYTES = 32  # of a challenge; W3C Web Authentication, 13.4.3, wants 16 at least
NAME_CHARS = 60
KEYS_MAX = 10  # of one person
ANSWER_CHARS = 20_000  # no authenticator's answer is nearly as long
TRANSPORTS = frozenset({"ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"})
AGAIN = "That did not work. Please try once more, with a passkey you have here."
LATE = "That took too long, or was sent before. Please try once more."
NO_PASSKEYS = (
    "Passkeys need the desk to have a name and https: whoever runs it sets BREAKWATER_PUBLIC_URL."
)


class PasskeyRefusedError(ValueError):
    """An answer that does not count; the message says what to do, not which half was wrong."""


@dataclass(frozen=True)
class Party:
    """Who asks for passkeys: the desk, at the address under which people open it."""

    host: str
    origin: str
    name: str


def party_of(settings: Settings) -> Party | None:
    """The desk at its address; None where no browser offers passkeys: no name, or no https."""
    there = urlsplit(settings.address)
    host = there.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if host and (there.scheme == "https" or host == "localhost"):
            port = "" if there.port is None else f":{there.port}"
            return Party(host, f"{there.scheme}://{host}{port}", settings.organisation)
    return None


# ---- what a browser is asked


def options_to_add(
    session: Session, party: Party, person: Person, bound_to: str, now: datetime
) -> str:
    """What a browser needs to make a passkey, as JSON. ``bound_to``: the session's token."""
    # Imported where it is used: it takes time and memory that only who has passkeys should spend.
    import webauthn
    from webauthn.helpers import structs

    mine = of_person(session, person)
    if len(mine) >= KEYS_MAX:
        raise PasskeyRefusedError(f"{KEYS_MAX} passkeys are enough. Remove one first.")
    options = webauthn.generate_registration_options(
        rp_id=party.host,
        rp_name=party.name,
        user_id=_handle(person),
        user_name=person.email,
        user_display_name=person.name,
        challenge=_challenge(session, "add", bound_to, None, now),
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_named(mine),
    )
    return webauthn.options_to_json(options)


def options_to_use(
    session: Session,
    party: Party,
    purpose: str,
    bound_to: str,
    now: datetime,
    *,
    person: Person | None = None,
    sha256: str | None = None,
) -> str:
    """What a browser needs to answer with a passkey, as JSON.

    ``purpose``: "sign in" (by whomever), "settle" or "approve", of what has this SHA-256.
    ``bound_to``: the token of the session or the link that asks.
    """
    import webauthn
    from webauthn.helpers import structs

    options = webauthn.generate_authentication_options(
        rp_id=party.host,
        challenge=_challenge(session, purpose, bound_to, sha256, now),
        allow_credentials=_named(of_person(session, person)) if person is not None else None,
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def _named(keys: list[Passkey]) -> Any:
    from webauthn.helpers import structs

    return [
        structs.PublicKeyCredentialDescriptor(
            id=one.credential_id,
            transports=[structs.AuthenticatorTransport(way) for way in one.transports] or None,
        )
        for one in keys
    ]


def _challenge(
    session: Session, purpose: str, bound_to: str, sha256: str | None, now: datetime
) -> bytes:
    session.execute(delete(PasskeyChallenge).where(PasskeyChallenge.expires_at <= now))
    value = secrets.token_bytes(RANDOM_BYTES) + bytes.fromhex(sha256 or "")
    session.add(
        PasskeyChallenge(
            challenge_sha256=hashlib.sha256(value).hexdigest(),
            purpose=purpose,
            bound_to=_digest(bound_to),
            content_sha256=sha256,
            expires_at=now + CHALLENGE_LIFE,
        )
    )
    session.flush()
    return value


# ---- what comes back


def add(
    session: Session,
    party: Party,
    person: Person,
    answer: str,
    *,
    name: str,
    bound_to: str,
    now: datetime,
) -> Passkey:
    """Keep a passkey that a browser has just made. PasskeyRefusedError."""
    import webauthn

    name = " ".join(name.split())
    if not name or len(name) > NAME_CHARS:
        raise PasskeyRefusedError(f"Give it a name, {NAME_CHARS} characters at most.")
    told, challenge = _taken(session, answer, "add", bound_to, None, now)
    try:
        found = webauthn.verify_registration_response(
            credential=told,
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except _faults() as fault:
        raise PasskeyRefusedError(AGAIN) from fault
    ways = told["response"].get("transports")
    key = Passkey(
        person=person,
        credential_id=found.credential_id,
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        transports=sorted(TRANSPORTS & set(map(str, ways if isinstance(ways, list) else ()))),
        name=name,
        added_at=now,
    )
    session.add(key)
    session.flush()
    return key


def confirm(
    session: Session,
    party: Party,
    person: Person,
    answer: str,
    purpose: str,
    *,
    bound_to: str,
    now: datetime,
    sha256: str | None = None,
) -> str:
    """The id of the passkey with which this person answered, base64url. PasskeyRefusedError."""
    key = _answered(session, party, answer, purpose, bound_to, sha256, now)
    if key.person_id != person.id:
        raise PasskeyRefusedError(AGAIN)
    return _text(key.credential_id)


def sign_in(session: Session, party: Party, answer: str, *, bound_to: str, now: datetime) -> str:
    """The token of a new session for whoever answered. PasskeyRefusedError."""
    key = _answered(session, party, answer, "sign in", bound_to, None, now)
    return people.open_session(session, key.person, now)


def _answered(
    session: Session,
    party: Party,
    answer: str,
    purpose: str,
    bound_to: str,
    sha256: str | None,
    now: datetime,
) -> Passkey:
    import webauthn

    told, challenge = _taken(session, answer, purpose, bound_to, sha256, now)
    try:
        credential = webauthn.helpers.parse_authentication_credential_json(told)
    except _faults() as fault:
        raise PasskeyRefusedError(AGAIN) from fault
    key = session.scalar(
        select(Passkey)
        .join(Passkey.person)
        .where(
            Passkey.credential_id == credential.raw_id,
            Passkey.removed_at.is_(None),
            Person.left_at.is_(None),
        )
        .options(joinedload(Passkey.person, innerjoin=True))
        .with_for_update(of=Passkey)  # of two answers at once the second is counted against it
        .execution_options(populate_existing=True)
    )
    if key is None:
        raise PasskeyRefusedError(AGAIN)
    handle = credential.response.user_handle
    if handle is not None and handle != _handle(key.person):
        raise PasskeyRefusedError(AGAIN)
    try:
        found = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            credential_public_key=key.public_key,
            credential_current_sign_count=key.sign_count,
            require_user_verification=True,
        )
    except _faults() as fault:
        raise PasskeyRefusedError(AGAIN) from fault
    key.sign_count, key.used_at = found.new_sign_count, now
    session.flush()
    return key


def _taken(
    session: Session,
    answer: str,
    purpose: str,
    bound_to: str,
    sha256: str | None,
    now: datetime,
) -> tuple[dict[str, Any], bytes]:
    """(the answer, the challenge in it), if that was ours, fresh, and for this. It is used up."""
    import webauthn

    try:
        told = json.loads(answer[:ANSWER_CHARS])
        said = json.loads(webauthn.base64url_to_bytes(told["response"]["clientDataJSON"]))
        challenge = webauthn.base64url_to_bytes(said["challenge"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as fault:
        raise PasskeyRefusedError(AGAIN) from fault
    used = session.execute(
        update(PasskeyChallenge)
        .where(
            PasskeyChallenge.challenge_sha256 == hashlib.sha256(challenge).hexdigest(),
            PasskeyChallenge.purpose == purpose,
            PasskeyChallenge.bound_to == _digest(bound_to),
            PasskeyChallenge.content_sha256.is_not_distinct_from(sha256),
            PasskeyChallenge.expires_at > now,
            PasskeyChallenge.used_at.is_(None),
        )
        .values(used_at=now)
    )
    if used.rowcount != 1:  # type: ignore[attr-defined]
        raise PasskeyRefusedError(LATE)
    return told, challenge


def _faults() -> tuple[type[Exception], ...]:
    """What the library raises for an answer that is hostile or broken."""
    from webauthn.helpers.exceptions import WebAuthnException

    return (WebAuthnException, ValueError, TypeError, KeyError, AttributeError, RecursionError)


# ---- a person's own


def of_person(session: Session, person: Person) -> list[Passkey]:
    """The passkeys a person has, in the order in which they were added."""
    query = select(Passkey).where(Passkey.person_id == person.id, Passkey.removed_at.is_(None))
    return list(session.scalars(query.order_by(Passkey.id)))


def holders(session: Session) -> set[int]:
    """Ids of those who have a passkey."""
    return set(session.scalars(select(Passkey.person_id).where(Passkey.removed_at.is_(None))))


def asks(session: Session, party: Party | None, person: Person) -> bool:
    """Whether what this person approves must be confirmed with a passkey: they chose so."""
    if party is None:
        return False
    newest = (
        select(PasskeyChoice.at_approval)
        .where(PasskeyChoice.person_id == person.id)
        .order_by(PasskeyChoice.id.desc())
        .limit(1)
    )
    return bool(session.scalar(newest))


def choose(
    session: Session, person: Person, at_approval: bool, *, by: Person, now: datetime
) -> None:
    """From now on approving asks this person for a passkey, or does not. ValueError without one."""
    if at_approval and not of_person(session, person):
        raise PasskeyRefusedError("Add a passkey first.")
    session.add(PasskeyChoice(person_id=person.id, at_approval=at_approval, by=by.id, at=now))
    session.flush()


def remove(session: Session, key: Passkey, *, by: Person, now: datetime) -> None:
    """It opens nothing any more. With a person's last one their choice to be asked ends."""
    if key.removed_at is None:
        key.removed_by, key.removed_at = by.id, now
        session.flush()
    if not of_person(session, key.person):
        choose(session, key.person, False, by=by, now=now)


def forget(session: Session, person: Person, *, by: Person, now: datetime) -> None:
    """An administrator removes all passkeys of somebody who has lost their device."""
    for key in of_person(session, person):
        remove(session, key, by=by, now=now)


def shown(session: Session, party: Party | None, person: Person) -> dict[str, Any]:
    """What a person's own page shows of their passkeys."""
    return {
        "offered": party is not None,
        "unoffered": NO_PASSKEYS,
        "held": of_person(session, person),
        "asks": asks(session, party, person),
        "name_chars": NAME_CHARS,
        "fault": "",
        "name": "",
    }


def _handle(person: Person) -> bytes:
    """What a device knows this person by: always the same, and nothing about them."""
    return hashlib.sha256(f"desk {person.id} {person.created_at.isoformat()}".encode()).digest()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _text(raw: bytes) -> str:
    import webauthn

    return webauthn.helpers.bytes_to_base64url(raw)
