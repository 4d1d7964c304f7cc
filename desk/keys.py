"""The secret key: what is derived from it, and how another takes its place.

BREAKWATER_SECRET_KEY may list several, the newest first. The newest encrypts, all of them decrypt.
``breakwater rotate-keys`` encrypts everything anew by the newest; then the older ones can go.

Three derived keys cannot change with it: the hashes by which contacts and opt-outs are found must
match those that stand in the database, of an erased post we keep nothing that could be hashed anew,
and by the third the servers of voices' accounts know the desk again. These keys stay what the
oldest listed key made them. The first rotation encrypts them into the database (KeptKey), so that
the oldest key itself is needed no more.
"""

import base64
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker

from campaigns.contacts.contacts import AddressBook
from campaigns.models import Account, ContactAddress, Grant, Import, OptOut, Reply
from desk.models import Channel, KeptKey

KEPT = ("contacts", "pseudonyms", "oauth")  # whose derived key outlives the secret key
BATCH = 500  # tokens encrypted anew in one transaction
TRIED = 20  # addresses and opt-outs each, by which a process tells at its start whose key it has
MISSING = (
    "BREAKWATER_SECRET_KEY does not hold the key that this database was encrypted with. Put that "
    "key after the new one, with a comma between, and run breakwater rotate-keys."
)
ORDER = (
    "The oldest key must stand last in BREAKWATER_SECRET_KEY, the newest first. By these keys the "
    "desk would not find who wants no more messages."
)

# Every column that holds Fernet tokens, under the words the command reports it by. The test of
# rotation fails where a column of bytes is neither here nor known to be no secret.
SEALED: tuple[tuple[str, InstrumentedAttribute[Any], InstrumentedAttribute[Any]], ...] = (
    ("accounts’ passwords", Account.id, Account.secret),
    ("accounts’ sign-ins", Grant.id, Grant.sealed),
    ("people’s channels", Channel.id, Channel.address),
    ("contacts’ addresses", ContactAddress.id, ContactAddress.sealed),
    ("opt-outs", OptOut.id, OptOut.sealed),
    ("replies’ numbers", Reply.id, Reply.sealed),
    ("replies’ words", Reply.id, Reply.words),
    ("files to be imported", Import.id, Import.sealed),
    ("kept keys", KeptKey.purpose, KeptKey.sealed),
)


class LostKeyError(Exception):
    """What was encrypted cannot be opened by any key that is listed."""


class Vault(Fernet):
    """Encrypts by the newest key and opens what any of the listed ones encrypted."""

    def __init__(self, roots: Sequence[str]) -> None:
        keys = [base64.urlsafe_b64encode(derive(root, b"accounts")) for root in roots]
        super().__init__(keys[0])
        self._newest = Fernet(keys[0])
        self._all = MultiFernet([Fernet(key) for key in keys])

    def decrypt(self, token: bytes | str, ttl: int | None = None) -> bytes:
        """What was encrypted. Raises InvalidToken where no listed key opens it."""
        return self._all.decrypt(token, ttl)

    def anew(self, token: bytes) -> bytes:
        """The same under the newest key; the token itself where it is under that already.

        Raises InvalidToken as ``decrypt`` does.
        """
        try:
            self._newest.decrypt(token)
        except InvalidToken:
            return self._all.rotate(token)
        return token


@dataclass(frozen=True)
class Rotated:
    """What became of one kind of tokens: how many there are, changed, and opened by no key."""

    words: str
    seen: int
    changed: int
    lost: int


def roots_of(listed: str) -> list[str]:
    """The keys in a value of BREAKWATER_SECRET_KEY, newest first; a comma stands between two."""
    return [part.strip() for part in listed.split(",")] if "," in listed else [listed]


def derive(root: str, purpose: bytes) -> bytes:
    """The key for one purpose, 32 bytes: none of them tells anything of another, or of ``root``."""
    info = b"breakwater " + purpose
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(root.encode())


def lasting(session: Session, vault: Vault, roots: Sequence[str]) -> dict[str, bytes]:
    """By purpose in KEPT the key that holds for this database: kept, or of the oldest root.

    LostKeyError where it would not find the contacts and opt-outs that are stored.
    """
    keys = {purpose: derive(roots[-1], purpose.encode()) for purpose in KEPT}
    try:
        for row in session.scalars(select(KeptKey)):
            keys[row.purpose] = vault.decrypt(row.sealed)
    except InvalidToken:
        raise LostKeyError(MISSING) from None
    book = AddressBook(vault, keys["contacts"])
    stored = [
        *session.scalars(_whole(ContactAddress)),
        *session.scalars(_whole(OptOut)),
    ]
    found = set()
    for one in stored:
        with contextlib.suppress(InvalidToken):  # one may be of a key that was lost long ago
            found.add(one.hash == book.hash(one.channel, book.open(one.sealed or b"")))
    if stored and not found:
        raise LostKeyError(MISSING)
    if found == {False}:
        raise LostKeyError(ORDER)
    return keys


def _whole(kind: type[ContactAddress] | type[OptOut]) -> Any:
    """Some of what was not erased: the hash of nothing tells nothing of the key."""
    return select(kind).where(kind.sealed.is_not(None)).order_by(kind.id).limit(TRIED)


def keep(session: Session, vault: Vault, roots: Sequence[str], now: datetime) -> None:
    """Encrypt into the database what must not change with the key. LostKeyError as ``lasting``."""
    keys = lasting(session, vault, roots)
    done = set(session.scalars(select(KeptKey.purpose)))
    session.add_all(
        KeptKey(purpose=purpose, sealed=vault.encrypt(keys[purpose]), made_at=now)
        for purpose in KEPT
        if purpose not in done
    )
    session.flush()


def rotate(sessions: sessionmaker[Session], vault: Vault) -> Iterator[Rotated]:
    """Encrypt every token anew by the newest key, in short transactions, one kind after another.

    It can be broken off at any time and begun again: what is under the newest key is left alone,
    and what somebody changes meanwhile is not overwritten. What no key opens stays as it is.
    """
    for words, key, token in SEALED:
        yield _rotate_column(sessions, vault.anew, words, key, token)


def _rotate_column(
    sessions: sessionmaker[Session],
    anew: Callable[[bytes], bytes],
    words: str,
    key: InstrumentedAttribute[Any],
    token: InstrumentedAttribute[Any],
) -> Rotated:
    done = Rotated(words, 0, 0, 0)
    after: Any = None
    while True:
        with sessions.begin() as session:
            waiting = select(key, token).where(token.is_not(None)).order_by(key).limit(BATCH)
            rows = session.execute(waiting if after is None else waiting.where(key > after)).all()
            if not rows:
                return done
            for number, old in rows:
                done = replace(done, seen=done.seen + 1)
                try:
                    new = anew(old)
                except InvalidToken:
                    done = replace(done, lost=done.lost + 1)
                    continue
                if new != old:
                    session.execute(
                        update(key.class_)
                        .where(key == number, token == old)
                        .values({token.key: new})
                        .execution_options(synchronize_session=False)
                    )
                    done = replace(done, changed=done.changed + 1)
            after = rows[-1][0]
