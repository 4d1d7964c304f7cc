"""Quiet hours and the digest's hour, also on the days on which clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from desk.quiet import MINUTE, is_quiet, minutes_of, next_digest, quiet_over, time_of

NEW_YORK = ZoneInfo("America/New_York")
ZONES = st.sampled_from([NEW_YORK, ZoneInfo("UTC"), ZoneInfo("Australia/Lord_Howe")])
MOMENTS = st.datetimes(
    datetime(2026, 1, 1),  # noqa: DTZ001
    datetime(2027, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)
MINUTES = st.integers(0, 1439)


def local(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK, fold=fold)


@pytest.mark.parametrize(
    ("moment", "quiet", "over"),
    [
        ("2026-11-23 21:59", ("22:00", "07:00"), "2026-11-23 21:59"),
        ("2026-11-23 22:00", ("22:00", "07:00"), "2026-11-24 07:00"),
        ("2026-11-24 06:59", ("22:00", "07:00"), "2026-11-24 07:00"),
        ("2026-11-24 07:00", ("22:00", "07:00"), "2026-11-24 07:00"),
        ("2026-11-24 00:30", ("00:00", "06:00"), "2026-11-24 06:00"),
        ("2026-11-24 13:00", ("12:00", "14:00"), "2026-11-24 14:00"),
        # Clocks go from 02:00 to 03:00: half past two never comes.
        ("2026-03-07 23:00", ("22:00", "02:30"), "2026-03-08 03:00"),
        # Clocks go from 02:00 back to 01:00: one in the morning comes twice.
        ("2026-10-31 23:00", ("22:00", "07:00"), "2026-11-01 07:00"),
    ],
)
def test_quiet_hours_end_when_the_clock_on_the_wall_says_so(
    moment: str, quiet: tuple[str, str], over: str
) -> None:
    start, end = map(minutes_of, quiet)
    assert quiet_over(local(moment), start, end, NEW_YORK) == local(over)


def test_the_night_on_which_clocks_go_back_is_an_hour_longer() -> None:
    start, end = minutes_of("22:00"), minutes_of("07:00")
    began = local("2026-10-31 22:00").astimezone(UTC)
    assert quiet_over(began, start, end, NEW_YORK) - began == timedelta(hours=10)
    again = local("2026-11-01 01:10", fold=1).astimezone(UTC)  # the second ten past one
    assert quiet_over(again, start, minutes_of("01:30"), NEW_YORK) - again == timedelta(minutes=20)


def test_without_quiet_hours_nothing_is_quiet() -> None:
    now = local("2026-11-24 03:00")
    assert quiet_over(now, None, None, NEW_YORK) == now
    assert quiet_over(now, 120, 120, NEW_YORK) == now  # and it does not search for ever


@given(MOMENTS, MINUTES, MINUTES, ZONES)
@example(datetime(2026, 3, 8, 6, 59, tzinfo=UTC), 120, 179, NEW_YORK)  # the hour that is left out
def test_a_notice_waits_as_long_as_it_is_quiet_and_no_longer(
    moment: datetime, start: int, end: int, zone: ZoneInfo
) -> None:
    over = quiet_over(moment, start, end, zone)
    assert not is_quiet(over, start, end, zone)
    assert moment <= over < moment + timedelta(hours=50)
    if over > moment:
        assert (over.second, over.microsecond) == (0, 0)
        assert is_quiet(moment, start, end, zone)
        assert is_quiet(max(over - MINUTE, moment), start, end, zone)


@given(MOMENTS, MINUTES, MINUTES, ZONES)
def test_what_is_quiet_and_what_is_not_make_a_whole_day(
    moment: datetime, start: int, end: int, zone: ZoneInfo
) -> None:
    if start != end:
        assert is_quiet(moment, start, end, zone) is not is_quiet(moment, end, start, zone)


@given(MOMENTS, ZONES)
def test_the_digest_goes_out_within_a_day_at_its_hour(now: datetime, zone: ZoneInfo) -> None:
    digest = next_digest(now, zone)
    assert now < digest <= now + timedelta(hours=25)
    assert f"{digest.astimezone(zone):%H:%M}" == "08:00"


def test_times_of_a_form() -> None:
    assert minutes_of(" 22:15 ") == 1335
    assert time_of(1335) == "22:15"
    assert minutes_of("") is None
    assert time_of(None) == ""
    for nonsense in ("25:00", "ten", "-1", "22:00; DROP"):
        with pytest.raises(ValueError, match="like 22:00"):
            minutes_of(nonsense)
