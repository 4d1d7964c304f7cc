"""Contacts: encrypted, found again, never twice, and written to only with proof of consent."""

from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from campaigns.contacts import audiences, contacts, opt_outs
from campaigns.contacts.contacts import KnownAddressError, masked, normal
from campaigns.contacts.local_hours import daytime_from, zones_of
from sources.db import Base
from tests.campaigns import cast, listing
from tests.campaigns.listing import BOOK

DAY = timedelta(days=1)


def test_addresses_are_nowhere_in_the_clear(session: Session, now: datetime) -> None:
    parents = listing.make_list(session, now)
    ana = listing.member(
        session, parents, "Ana", now, email="Ana.Ruiz@Town.example", number="989.555.0142"
    )
    assert [one.label for one in ana.addresses] == ["a…@town.example", "…0142"]
    stored = session.execute(text("SELECT contact_addresses::text FROM contact_addresses")).all()
    for secret in ("ana.ruiz", "5550142"):
        assert secret not in str(stored).lower()
        assert secret.encode().hex() not in str(stored)
    opened = [BOOK.open(one.sealed) for one in ana.addresses]
    assert opened == ["ana.ruiz@town.example", "+19895550142"]


def test_one_address_belongs_to_one_contact(session: Session, now: datetime) -> None:
    parents = listing.make_list(session, now)
    ana = listing.member(session, parents, "Ana", now, number="(989) 555-0142")
    with pytest.raises(KnownAddressError) as fault:
        listing.member(session, parents, "Another", now, number="+1 989 555 0142")
    assert fault.value.contact is ana


def test_a_whole_number_finds_its_contact_and_part_of_it_nobody(
    session: Session, now: datetime
) -> None:
    parents = listing.make_list(session, now)
    ana = listing.member(session, parents, "Ana 100%", now, number="(989) 555-0142")
    listing.member(session, parents, "Ben", now, email="ben@town.example")
    assert contacts.search(session, BOOK, "989-555-0142") == ([ana], 1)
    assert contacts.search(session, BOOK, "0142") == ([], 0)
    assert contacts.search(session, BOOK, "%")[0] == [ana]
    assert contacts.search(session, BOOK)[1] == 2


@pytest.mark.parametrize(
    ("channel", "typed"),
    [
        *(("sms", "989-555"), ("sms", "+1 989 555 0142 ext. 7"), ("sms", "call me"), ("sms", "")),
        *(("email", "ana@town"), ("email", "ana town@x.example"), ("email", "a@b.c\nBcc: d@e.f")),
    ],
)
def test_what_is_no_address_is_refused(channel: str, typed: str) -> None:
    with pytest.raises(ValueError, match="This is not"):
        normal(channel, typed)


def test_an_address_is_masked_however_short() -> None:
    assert masked("email", "a@b.example") == "a…@b.example"


def test_where_somebody_may_be() -> None:
    assert zones_of("America/Denver", "26111", "+19895550142") == ["America/Denver"]
    assert zones_of(None, "26111", "+12065550142") == ["America/Detroit"]
    assert zones_of(None, None, "+12065550142") == ["America/Los_Angeles"]
    assert zones_of(None, None, "+18005550142") == []  # toll-free: anywhere
    with pytest.raises(ValueError, match="not a time zone"):
        zones_of("Detroit", None, None)


def test_where_nothing_is_known_it_must_be_day_in_the_whole_country() -> None:
    at = datetime(2026, 11, 24, 17, 50, tzinfo=UTC)  # 7:50 in Honolulu, 12:50 in New York
    assert daytime_from([], at) == datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
    late = datetime(2026, 11, 25, 0, 59, tzinfo=UTC)  # 20:59 in San Juan
    assert daytime_from([], late) == late
    assert daytime_from([], late + timedelta(minutes=1)).hour == 18
    # The hour that is skipped in March does not shift eight o'clock.
    spring = datetime(2027, 3, 14, 6, 30, tzinfo=UTC)
    assert daytime_from(["America/Detroit"], spring) == datetime(2027, 3, 14, 12, 0, tzinfo=UTC)
    # Zones that share no daytime: never now.
    apart = ["Pacific/Guam", "Europe/London", "America/Los_Angeles"]
    assert daytime_from(apart, at) == at + timedelta(days=2)


def test_only_their_own_later_word_ends_an_opt_out(session: Session, now: datetime) -> None:
    parents = listing.make_list(session, now)
    ana = listing.member(session, parents, "Ana", now, email="ana@town.example")
    address = ana.addresses[0]
    mail = ("email", "ana@town.example")
    opt_outs.opt_out(session, BOOK, *mail, how="unsubscribe", by=None, now=now)
    opt_outs.opt_out(session, BOOK, *mail, how="unsubscribe", by=None, now=now + DAY)

    def agree(given_at: datetime) -> None:
        contacts.record_consent(
            session,
            address,
            given_at=given_at,
            how="Signed",
            evidence="Sheet 5",
            wording="By mail",
            by=cast.CARL_COMMS,
            now=now + 3 * DAY,
        )

    agree(now - DAY)  # an older sheet turns up: she left after she signed it
    assert audiences.reach(session, parents.id, "email", now).left == 1
    with pytest.raises(ValueError, match="time to come"):
        agree(now + 4 * DAY)
    agree(now + 2 * DAY)
    assert contacts.opted_out(session, [address]) == {}
    assert audiences.reach(session, parents.id, "email", now + 3 * DAY).reached == 1
    # An opt-out is the address's: who is entered anew under another name has it too.
    opt_outs.opt_out(session, BOOK, "email", "x@town.example", how="person", by=1, now=now)
    listing.member(session, parents, "X", now, email="X@town.example")
    assert audiences.reach(session, parents.id, "email", now + 3 * DAY).left == 1


def test_the_models_and_the_migration_agree(engine: Engine) -> None:
    tables = {
        *("contacts", "contact_addresses", "contact_consents", "opt_outs", "replies"),
        *("audiences", "audience_members", "outlets", "deliveries"),
    }
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _o, name, kind, *_: kind != "table" or name in tables,
            },
        )
        assert compare_metadata(context, Base.metadata) == []
