"""Voices speak only within a consent that stands."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.drafting.messages import state_of
from campaigns.models import Account, Delivery
from campaigns.voices import (
    all_voices,
    connect_account,
    record_consent,
    standing_consent,
    withdraw_consent,
)
from tests.campaigns import cast


def test_consent_stands_for_its_platforms_and_its_time(session: Session, now: datetime) -> None:
    voice = cast.make_voice(session, now)
    consent = voice.consents[0]
    assert standing_consent(voice, "bluesky", now) is consent
    assert standing_consent(voice, "sms", now) is None
    assert standing_consent(voice, "bluesky", consent.valid_from) is consent
    assert standing_consent(voice, "bluesky", consent.valid_until) is None


def test_withdrawing_consent_stops_what_is_queued(session: Session, now: datetime) -> None:
    message = cast.make_message(session, now)
    approval = cast.approve_message(session, message, now + timedelta(hours=1), now)
    withdraw_consent(
        session, message.voice.consents[0], why="She fell ill.", by=cast.CARL_COMMS, now=now
    )
    session.commit()
    (delivery,) = approval.deliveries
    assert delivery.state == "withdrawn"
    assert "She fell ill." in delivery.detail
    assert state_of(message) == "withdrawn"


def test_withdrawing_one_consent_spares_what_another_covers(
    session: Session, now: datetime
) -> None:
    message = cast.make_message(session, now)
    approval = cast.approve_message(session, message, now + timedelta(hours=1), now)
    first = message.voice.consents[0]
    record_consent(
        session,
        message.voice,
        scope="Rehearsals",
        platforms=["dry_run"],
        evidence="Phone call",
        valid_from=now,
        valid_until=now + timedelta(days=1),
        by=cast.CARL_COMMS,
        now=now,
    )
    withdraw_consent(session, first, why="Replaced.", by=cast.CARL_COMMS, now=now)
    assert approval.deliveries[0].state == "scheduled"
    with pytest.raises(ValueError, match="withdrawn before"):
        withdraw_consent(session, first, why="Again.", by=cast.CARL_COMMS, now=now)


def test_the_secret_is_stored_encrypted_and_can_be_renewed(session: Session, now: datetime) -> None:
    voice = cast.make_voice(session, now)

    def connect(secret: str) -> Account:
        return connect_account(
            session,
            voice,
            platform="bluesky",
            handle="@Paula.test ",
            service="https://pds.example/",
            secret=secret,
            vault=cast.VAULT,
            by=cast.CARL_COMMS,
            now=now,
        )

    account = connect("one-two-three")
    assert (account.handle, account.service) == ("paula.test", "https://pds.example")
    assert account.secret is not None
    assert b"one-two-three" not in account.secret
    assert connect("four-five") is account
    assert cast.VAULT.decrypt(account.secret) == b"four-five"
    assert all_voices(session) == [voice]
    assert session.scalars(select(Delivery)).all() == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"platform": "pigeon"}, "not a platform"),
        ({"handle": "  "}, "needs a handle"),
        ({"service": "pds.example"}, "must start with https"),
        ({"service": "ftp://pds.example"}, "must start with https"),
        ({"service": "http://pds.example"}, "in the clear"),
        ({"service": "https://pds.example/xrpc"}, "only its name"),
        ({"service": "https://[broken"}, "must start with https"),
        ({"secret": None}, "app password"),
        ({"platform": "mastodon", "secret": None}, "access token"),
        ({"platform": "mastodon", "service": "http://town.example"}, "access token would travel"),
        ({"platform": "mastodon", "service": "https://bsky.social"}, "is Bluesky's"),
    ],
)
def test_an_account_that_cannot_work_is_refused(
    session: Session, now: datetime, change: dict[str, str | None], complaint: str
) -> None:
    account = {
        "platform": "bluesky",
        "handle": "paula.test",
        "service": "https://pds.example",
        "secret": "x",
    }
    with pytest.raises(ValueError, match=complaint):
        connect_account(
            session,
            cast.make_voice(session, now),
            **(account | change),
            vault=cast.VAULT,
            by=cast.CARL_COMMS,
            now=now,
        )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"scope": ""}, "what the voice agreed to"),
        ({"evidence": " "}, "how the consent was given"),
        ({"platforms": []}, "at least one platform"),
        ({"platforms": ["pigeon"]}, "not a platform"),
        ({"days": 0}, "must end after it begins"),
    ],
)
def test_a_consent_without_substance_is_refused(
    session: Session, now: datetime, change: dict[str, object], complaint: str
) -> None:
    consent = {"scope": "All", "platforms": ["bluesky"], "evidence": "Form", "days": 1} | change
    days = consent.pop("days")
    with pytest.raises(ValueError, match=complaint):
        record_consent(
            session,
            cast.make_voice(session, now),
            **consent,
            valid_from=now,
            valid_until=now + timedelta(days=days),
            by=cast.CARL_COMMS,
            now=now,
        )
