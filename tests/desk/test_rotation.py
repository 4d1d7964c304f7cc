"""Another secret key: all is encrypted anew, and nothing is lost with the old one."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from cryptography.fernet import InvalidToken
from pydantic import SecretStr
from sqlalchemy import Engine, LargeBinary, func, select
from sqlalchemy.orm import Session, sessionmaker

from campaigns import voices
from campaigns.accounts import grants
from campaigns.accounts.grants import Asked
from campaigns.contacts import contacts, imports, opt_outs
from campaigns.models import Account, ContactAddress, Import, OptOut, Reply, Voice
from campaigns.publishers.identities import Home
from campaigns.publishers.oauth import Client
from desk import channels, keys, people
from desk.keys import Vault
from desk.models import Channel, KeptKey
from desk.settings import Settings, SettingsError
from desk.wiring import Wiring, wire, with_lasting_keys
from sources.db import Base

OLD, NEW, NEWER = "o" * 40, "n" * 40, "m" * 40
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
OPEN_BYTES = {  # that are no secrets
    *("images.data", "trained_readers.weights", "rejected_items.raw"),
    *("passkeys.credential_id", "passkeys.public_key"),
}

Wired = Callable[[str], Wiring]


@pytest.fixture
def wired(
    database_url: str, engine: Engine, sessions: sessionmaker[Session], tmp_path: Path
) -> Iterator[Wired]:
    """``wired(keys)``: the desk as a process starts it with these keys."""
    started: list[Wiring] = []

    def start(listed: str) -> Wiring:
        settings = Settings(
            data_dir=tmp_path, feeds=(), jetstream_url=None, secret_key=SecretStr(listed)
        )
        started.append(wire(settings, database_url))
        return with_lasting_keys(started[-1])

    yield start
    for wiring in started:
        wiring.engine.dispose()


def furnish(wiring: Wiring) -> None:
    """Something in every column that is encrypted."""
    book, vault = wiring.book, wiring.vault
    with wiring.sessions.begin() as session:
        ruth = people.add_person(session, "Ruth", "ruth@desk.example", ["leader"], None, NOW)
        voice = voices.add_voice(
            session, name="Ruth", role="Pastor", leader_id=ruth.id, by=1, now=NOW
        )
        voices.connect_account(
            session,
            voice,
            platform="bluesky",
            handle="ruth",
            service="https://bsky.social",
            secret="app-pass-word",
            vault=vault,
            by=1,
            now=NOW,
        )
        begin_sign_in(session, voice, vault)
        channels.add(session, ruth, "mail", "home@ruth.example", "h…", vault, NOW)
        contacts.add_contact(
            session,
            book,
            name="Ana",
            language="en",
            county="",
            zone="",
            email="ana@town.example",
            number="",
            by=1,
            now=NOW,
        )
        opt_outs.opt_out(session, book, "sms", "+19895550142", how="stop", by=None, now=NOW)
        said = {"gateway": "test", "gateway_id": "1", "number": "+19895550143"}
        opt_outs.hear(session, book, **said, words="what is this", now=NOW)
        imports.keep(session, book, "contacts", "f.csv", b"E-mail\nx@town.example", by=1, now=NOW)


def begin_sign_in(session: Session, voice: Voice, vault: Vault) -> None:
    home = Home("ruth.example", "did:web:ruth.example", "https://pds.example")
    asked = Asked("state", "verifier", {"kty": "EC"})
    client = Client("https://desk.example/oauth", "https://desk.example/back", None)
    request = {"issuer": "https://pds.example", "client": client, "scope": "atproto"}
    more = {"bound_to": "session", "vault": vault, "by": 1, "now": NOW}
    grants.ask(session, voice, home, asked, **request, **more)


def rotate(wiring: Wiring) -> list[keys.Rotated]:
    with wiring.sessions.begin() as session:
        keys.keep(session, wiring.vault, keys.roots_of(wiring.secret), NOW)
    return list(keys.rotate(wiring.sessions, wiring.vault))


def opened(wiring: Wiring) -> set[bytes]:
    """Everything that is encrypted, in the clear."""
    with wiring.sessions() as session:
        tokens = [
            token
            for _, _, column in keys.SEALED
            if column.class_ is not KeptKey
            for token in session.scalars(select(column).where(column.is_not(None)))
        ]
    return {wiring.vault.decrypt(token) for token in tokens}


def test_afterwards_the_old_key_is_needed_no_more(wired: Wired) -> None:
    before = wired(OLD)
    furnish(before)
    all_of_it = opened(before)
    assert {b"app-pass-word", b"home@ruth.example", b"ana@town.example"} < all_of_it
    both = wired(f"{NEW}, {OLD}")
    assert opened(both) == all_of_it
    with pytest.raises(SettingsError, match="does not hold the key"):
        wired(NEW)
    done = rotate(both)
    assert all(one.seen == one.changed and not one.lost for one in done if one.words != "kept keys")
    assert all(one.seen for one in done), "nothing was there to be rotated"
    assert all(one.changed == 0 for one in rotate(both))  # again: nothing is left to do
    after = wired(NEW)
    assert opened(after) == all_of_it
    with after.sessions() as session:
        file = session.scalars(select(Import)).one()
    assert imports.opened(after.book, file, NOW) is not None
    assert imports.opened(before.book, file, NOW) is None
    with pytest.raises(InvalidToken):
        opened(before)
    # What is found by a keyed hash is found as before: contacts, opt-outs, erased posts.
    assert after.book.hash("sms", "+1") == before.book.hash("sms", "+1")
    assert after.intake.purger.key == before.intake.purger.key
    # And once more, with the first key long gone.
    rotate(wired(f"{NEWER},{NEW}"))
    last = wired(NEWER)
    assert opened(last) == all_of_it
    assert last.intake.purger.key == before.intake.purger.key
    assert last.book.key == before.book.key
    # And the servers of voices' accounts know the desk again.
    with last.sessions() as session:
        kept = keys.lasting(session, last.vault, [NEWER])
    assert kept["oauth"] == keys.derive(OLD, b"oauth")


def test_a_rotation_can_be_broken_off_and_overwrites_nothing(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(wired(OLD))
    both = wired(f"{NEW},{OLD}")
    with both.sessions.begin() as session:
        address = session.scalars(select(ContactAddress)).one()
        for number in range(7):
            row = {"channel": "email", "hash": f"{number}", "label": "x", "added_by": 1}
            row["sealed"] = wired(OLD).book.seal(f"{number}@town.example")
            session.add(ContactAddress(contact_id=address.contact_id, added_at=NOW, **row))
        session.add(
            OptOut(channel="email", hash="?", sealed=b"junk", label="x", how="stop", at=NOW)
        )
    monkeypatch.setattr(keys, "BATCH", 3)
    steps = keys.rotate(both.sessions, both.vault)
    next(steps)
    steps.close()
    newest = keys.Vault([NEW])
    with both.sessions() as session:
        secret, held = (session.scalars(select(c)).one() for c in (Account.secret, Channel.address))
    assert newest.decrypt(secret) == b"app-pass-word"
    with pytest.raises(InvalidToken):
        newest.decrypt(held)
    by_words = {one.words: one for one in rotate(both)}
    assert by_words["contacts’ addresses"].changed == 8
    assert by_words["accounts’ passwords"].changed == 0
    assert by_words["opt-outs"].lost == 1
    with both.sessions() as session:
        assert session.scalars(select(OptOut.sealed).where(OptOut.hash == "?")).one() == b"junk"
        assert session.scalar(select(func.count()).select_from(Reply)) == 1


def test_keys_in_the_wrong_order_would_lose_who_left_and_are_refused(wired: Wired) -> None:
    furnish(wired(OLD))
    with pytest.raises(SettingsError, match="oldest key must stand last"):
        wired(f"{OLD},{NEW}")


def test_each_listed_key_is_long_and_one_alone_is_left_as_it_is() -> None:
    with pytest.raises(ValueError, match="each of the keys between its commas"):
        Settings(secret_key=SecretStr(f"{NEW},short"))
    with pytest.raises(ValueError, match="each of the keys"):
        Settings(secret_key=SecretStr(f"{NEW},"))
    assert keys.roots_of(f"{NEW}, {OLD}") == [NEW, OLD]
    assert keys.roots_of(f" {OLD}") == [f" {OLD}"]  # as it was before several could be listed


def test_the_command_says_what_it_did(wired: Wired, database_url: str, tmp_path: Path) -> None:
    furnish(wired(OLD))
    environment = {
        "BREAKWATER_DATABASE_URL": database_url,
        "BREAKWATER_DATA_DIR": str(tmp_path),
        "BREAKWATER_SECRET_KEY": f"{NEW},{OLD}",
    }
    answer = subprocess.run(
        [sys.executable, "-m", "desk", "rotate-keys"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    assert "All is encrypted by the newest key." in answer.stdout
    assert NEW not in answer.stdout + answer.stderr
    assert b"ana@town.example" in opened(wired(NEW))


def test_no_column_of_secrets_is_forgotten() -> None:
    found = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    rotated = {f"{column.class_.__tablename__}.{column.key}" for _, _, column in keys.SEALED}
    assert found - rotated <= OPEN_BYTES, "add a new column of tokens to SEALED in desk/keys.py"
    assert rotated <= found


def test_the_models_and_the_migration_agree(engine: Engine) -> None:
    tables = {"imports", "kept_keys"}
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _o, name, kind, *_: kind != "table" or name in tables,
            },
        )
        assert compare_metadata(context, Base.metadata) == []
