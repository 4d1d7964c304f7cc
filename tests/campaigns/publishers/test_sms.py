"""The rules that hold for every text message."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from campaigns.publishers.sms import record, within_local_hours
from campaigns.wording.lengths import SMS_MAX

DUE = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
PART = {"text": "The bridge is open.", "handle": "+15550001111", "campaign": "CABC1", "list": "7"}


def test_the_record_holds_all_that_is_approved() -> None:
    assert record(PART, DUE) == {
        "from": "+15550001111",
        "body": "The bridge is open.",
        "campaign": "CABC1",
        "list": "7",
        "valid_seconds": 3600,
        "send_at": "2026-11-23T16:00:00Z",
    }


@pytest.mark.parametrize("sender", ["+15550001111", "24365", "HopeChurch", "MG" + "0a" * 16])
def test_senders_that_a_text_can_come_from(sender: str) -> None:
    assert record(PART | {"handle": sender}, DUE)["from"] == sender


@pytest.mark.parametrize("sender", ["", "5550001111", "+1555", "A very long name", "Hope\nChurch"])
def test_a_sender_that_no_gateway_takes_is_never_fixed(sender: str) -> None:
    with pytest.raises(ValueError, match="no sender"):
        record(PART | {"handle": sender}, DUE)


@pytest.mark.parametrize("text", ["", "x" * (SMS_MAX + 1)])
def test_words_that_no_gateway_takes_are_never_fixed(text: str) -> None:
    with pytest.raises(ValueError, match="at most"):
        record(PART | {"text": text}, DUE)


@pytest.mark.parametrize(
    ("zone", "moment", "within"),
    [
        ("America/New_York", "2026-11-23T12:59:59", False),
        ("America/New_York", "2026-11-23T13:00:00", True),
        ("America/New_York", "2026-11-24T01:59:59", True),
        ("America/New_York", "2026-11-24T02:00:00", False),
        ("America/Los_Angeles", "2026-11-23T15:59:59", False),
        ("Pacific/Honolulu", "2026-11-23T18:00:00", True),
        # The days on which clocks change: 8 and 21 by the recipient's own clock.
        ("America/New_York", "2026-03-08T12:00:00", True),
        ("America/New_York", "2026-11-01T12:59:59", False),
        ("America/New_York", "2026-11-02T01:59:59", True),
    ],
)
def test_texts_arrive_by_day_where_the_recipient_lives(
    zone: str, moment: str, within: bool
) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert within_local_hours(ZoneInfo(zone), now) is within
