"""Days that may raise tension: added, withdrawn, imported from whatever a file may hold."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from monitor import calendar_files, triggers
from monitor.models import TriggerEvent
from monitor.triggers import add, between, import_calendar, past, place_called, upcoming, withdraw

DETROIT = ZoneInfo("America/Detroit")
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def make(session, name="Rally", kind="rally", place="", starts=NOW + DAY, days=1, **more):
    values = {"starts_at": starts, "ends_at": starts + days * DAY, "note": "", "by": 7, "now": NOW}
    return add(session, name=name, kind=kind, place=place, **values | more)


def ics(*events, head=""):
    """A file of events, each given by its lines."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Somebody//EN", *head.splitlines()]
    for event in events:
        lines += ["BEGIN:VEVENT", *event.strip().splitlines(), "END:VEVENT"]
    return "\r\n".join([*(line.strip() for line in lines), "END:VCALENDAR", ""]).encode()


def take(session, *events, head="", kind="rally", place="", now=NOW):
    return import_calendar(session, ics(*events, head=head), kind, place, DETROIT, 7, now)


def counts(made):
    return made.added, made.changed, made.unchanged, made.withdrawn, len(made.skipped)


MARCH = "UID:march\nSUMMARY:March on the capitol\nDTSTART;VALUE=DATE:20261205"
TALK = "UID:talk\nSUMMARY:Town hall\nDTSTART;TZID=America/Chicago:20261201T190000\nDURATION:PT2H"


def test_an_event_is_kept_with_who_and_when(session):
    made = make(session, name="  Verdict \x00 in the\ncase ", kind="verdict", place="26163")
    assert (made.name, made.by, made.at) == ("Verdict in the case", 7, NOW)
    assert made.uid


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": " \x00"}, "Say what it is"),
        ({"kind": "riot"}, "what kind"),
        ({"place": "99999"}, "No place"),
        ({"place": "26163/Detroit"}, "county or a state"),
        ({"days": -1}, "cannot end before"),
        ({"days": 61}, "60 days at most"),
    ],
)
def test_what_cannot_be_is_refused_in_words(session, wrong, why):
    with pytest.raises(ValueError, match=why):
        make(session, **wrong)


def test_withdrawn_it_is_gone_from_the_calendar_and_stays_known(session):
    made = make(session)
    withdraw(session, made, by=8, now=NOW)
    assert upcoming(session, NOW, 30) == []
    assert (made.withdrawn_by, made.withdrawn_at) == (8, NOW)
    assert triggers.withdrawn(session, NOW - DAY) == [made]
    with pytest.raises(ValueError, match="already"):
        withdraw(session, made, by=9, now=NOW)


def test_a_place_hears_of_itself_of_what_is_around_it_and_of_the_nation(session):
    names = {"nation": "", "state": "26", "county": "26163", "next": "26125", "far": "17"}
    for name, place in names.items():
        make(session, name=name, place=place)

    def heard(place):
        return {one.name for one in upcoming(session, NOW, 30, place)}

    assert heard("26163") == {"nation", "state", "county"}
    assert heard("26") == {"nation", "state", "county", "next"}
    assert heard("") == {"nation"}
    assert heard(None) == set(names)


def test_what_goes_on_now_is_upcoming_and_what_is_over_is_past(session):
    make(session, name="over", starts=NOW - 5 * DAY)
    make(session, name="on", starts=NOW - DAY / 2)
    make(session, name="moment", starts=NOW, days=0)
    make(session, name="far", starts=NOW + 40 * DAY)
    make(session, name="long ago", starts=NOW - 40 * DAY)
    assert [one.name for one in upcoming(session, NOW, 30)] == ["on", "moment"]
    assert [one.name for one in past(session, NOW)] == ["over"]
    assert [one.name for one in between(session, NOW, None)] == ["on", "moment", "far"]
    assert upcoming(session, NOW, 30, kind="verdict") == []


@pytest.mark.parametrize(
    ("starts", "ends", "days"),
    [
        ("2026-12-05T05:00", "2026-12-06T05:00", [5]),  # one whole day in Detroit
        ("2026-12-05T05:00", "2026-12-07T05:00", [5, 6]),
        ("2026-12-05T05:00", "2026-12-05T05:00", [5]),
        ("2026-12-06T02:00", "2026-12-06T05:01", [5, 6]),
    ],
)
def test_an_event_is_on_the_days_it_touches(session, starts, ends, days):
    times = [datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (starts, ends)]
    made = make(session, starts=times[0], ends_at=times[1])
    assert [one.day for one in triggers.days_of(made, DETROIT)] == days


@pytest.mark.parametrize(
    ("words", "code"),
    [("", ""), ("26163", "26163"), ("michigan", "26"), (" Wayne County,  MI ", "26163")],
)
def test_a_place_is_found_by_its_name_or_code(words, code):
    assert place_called(words) == code


@pytest.mark.parametrize(
    ("words", "why"),
    [("Wayne County", "Which place do you mean: Wayne"), ("Atlantis x", "No county")],
)
def test_a_place_that_may_be_several_is_asked_for(words, why):
    with pytest.raises(ValueError, match=why):
        place_called(words)


def test_a_file_is_taken_in_once_and_followed_afterwards(session):
    assert counts(take(session, MARCH, TALK)) == (2, 0, 0, 0, 0)
    march, talk = sorted(upcoming(session, NOW, 30), key=lambda one: one.name)
    # whole days are meant in the desk's zone, others where the file says
    assert march.starts_at == datetime(2026, 12, 5, 5, tzinfo=UTC)
    assert march.ends_at == datetime(2026, 12, 6, 5, tzinfo=UTC)
    assert (talk.starts_at, talk.ends_at - talk.starts_at) == (
        datetime(2026, 12, 2, 1, tzinfo=UTC),
        timedelta(hours=2),
    )
    assert counts(take(session, MARCH, TALK)) == (0, 0, 2, 0, 0)
    moved = MARCH.replace("1205", "1212")
    assert counts(take(session, moved, TALK)) == (0, 1, 1, 0, 0)
    assert {one.starts_at.day for one in upcoming(session, NOW, 30) if one.uid == "march"} == {12}
    assert session.scalars(select(TriggerEvent).where(TriggerEvent.uid == "march")).all()[0].by == 7
    assert counts(take(session, moved, TALK, place="26")) == (0, 2, 0, 0, 0)
    # what a later file does not speak of stays
    assert counts(take(session, TALK, place="26")) == (0, 0, 1, 0, 0)
    assert counts(take(session, moved + "\nSTATUS:CANCELLED", place="26")) == (0, 0, 0, 1, 0)
    assert counts(take(session, TALK, head="METHOD:CANCEL", place="26")) == (0, 0, 0, 1, 0)
    assert upcoming(session, NOW, 30) == []


def test_a_repeating_event_stands_on_each_of_its_days_in_local_time(session):
    weekly = """UID:vigil
        SUMMARY:Vigil
        DTSTART;TZID=America/Detroit:20260301T180000
        DTEND;TZID=America/Detroit:20260301T190000
        RRULE:FREQ=WEEKLY;UNTIL=20270401T000000Z
        EXDATE;TZID=America/Detroit:20261206T180000"""
    moved = """UID:vigil
        SUMMARY:Vigil at the bridge
        RECURRENCE-ID;TZID=America/Detroit:20261213T180000
        DTSTART;TZID=America/Detroit:20261214T170000"""
    made = take(session, weekly, moved)
    days = between(session, NOW - 31 * DAY, None)
    assert counts(made) == (len(days), 0, 0, 0, 0)
    local = [one.starts_at.astimezone(DETROIT) for one in days]
    assert local[0].date() == date(2026, 10, 25)
    assert local[-1].date() == date(2027, 3, 28)
    # in winter and in summer at the same time of the clock
    assert {one.hour for one in local if one.date() != date(2026, 12, 14)} == {18}
    told = {one.starts_at.astimezone(DETROIT).date(): one.name for one in days}
    assert date(2026, 12, 6) not in told
    assert date(2026, 12, 13) not in told
    assert told[date(2026, 12, 14)] == "Vigil at the bridge"
    # a week later, and on other days: what is over stays, the rest is replaced
    later = weekly.replace("RRULE:FREQ=WEEKLY", "RRULE:FREQ=WEEKLY;INTERVAL=2")
    again = take(session, later)
    assert again.withdrawn > 0
    assert again.unchanged > 0
    assert take(session, weekly + "\nSTATUS:CANCELLED").withdrawn == again.unchanged + again.added
    assert between(session, NOW, None) == []


def test_anniversaries_repeat_for_two_years_and_no_longer(session):
    old = "UID:a\nSUMMARY:The fire\nDTSTART;VALUE=DATE:19670723\nRRULE:FREQ=YEARLY"
    assert counts(take(session, old, kind="anniversary")) == (2, 0, 0, 0, 0)
    days = [one.starts_at.astimezone(DETROIT).date() for one in between(session, NOW, None)]
    assert days == [date(2027, 7, 23), date(2028, 7, 23)]


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("SUMMARY:a\nDTSTART:20261201T100000Z", "no UID"),
        ("UID:b\nDTSTART:20261201T100000Z", "no name"),
        ("UID:b\nSUMMARY:a", "does not say when"),
        ("UID:b\nSUMMARY:a\nDTSTART:2026120T1", "cannot be read"),
        (
            "UID:b\nSUMMARY:a\nDTSTART:20261201T100000Z\nDTEND:20261130T100000Z",
            "before it starts|cannot",
        ),
        ("UID:b\nSUMMARY:a\nDTSTART;VALUE=DATE:20261201\nDTEND;VALUE=DATE:20270401", "longer than"),
        ("UID:b\nSUMMARY:a\nDTSTART;TZID=Nowhere/Land:20261201T100000", "time zone"),
        ("UID:b\nSUMMARY:a\nDTSTART:20251201T100000Z", "over more than 30 days"),
        ("UID:b\nSUMMARY:a\nDTSTART:20301201T100000Z", "two years ahead"),
        ("UID:b\nSUMMARY:a\nDTSTART:20261201T100000Z\nRRULE:FREQ=SECONDLY", "more than once a day"),
        (
            "UID:b\nSUMMARY:a\nDTSTART:20261201T100000Z\nRRULE:FREQ=DAILY;INTERVAL=0",
            "not read here",
        ),
        (
            "UID:b\nSUMMARY:a\nDTSTART:20261201T100000Z\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
            "not read here",
        ),
        ("UID:b\nSUMMARY:a\nDTSTART:20261201T100000Z\nRRULE:FREQ=YEARLY;BYHOUR=1,2,3", "not read"),
        ("UID:b\nSUMMARY:a\nDTSTART:20261201T100000Z\nRRULE:NONSENSE", "cannot be read"),
        (
            "UID:b\nSUMMARY:a\nDTSTART:20261201T100000Z\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261201T100000Z",
            "later days at once",
        ),
        ("UID:b\nSUMMARY:a\nDTSTART:00010101T000000", "cannot be read|over more"),
    ],
)
def test_a_broken_event_costs_itself_and_no_other(session, event, why):
    made = take(session, event, MARCH)
    assert (made.added, len(made.skipped)) == (1, 1)
    assert made.skipped[0].why.endswith(".")
    assert re.search(why, made.skipped[0].why)


def test_what_broke_leaves_alone_what_stood(session):
    take(session, MARCH)
    made = take(session, MARCH.replace("20261205", "never"))
    assert counts(made) == (0, 0, 0, 0, 1)
    assert [one.uid for one in upcoming(session, NOW, 30)] == ["march"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no iCalendar file"),
        (b"<html>Sign in</html>", "no iCalendar file"),
        (b"PK\x03\x04\xff\x00", "no iCalendar file"),
        (b"BEGIN:VEVENT\nEND:VEVENT", "no iCalendar file"),
        (b"BEGIN:VCALENDAR\n" * 5000, "no iCalendar file"),
        (b"x" * (calendar_files.MAX_BYTES + 1), "2 MB"),
        (b"begin:vevent\n" * 5001, "5,000 events"),
    ],
)
def test_a_file_that_is_no_calendar_is_refused_in_words(session, data, why):
    with pytest.raises(ValueError, match=why):
        import_calendar(session, data, "rally", "", DETROIT, 7, NOW)


def test_repeating_events_cannot_multiply_without_end(session):
    daily = "UID:{}\nSUMMARY:a\nDTSTART:20261201T100000Z\nRRULE:FREQ=DAILY"
    with pytest.raises(ValueError, match="come to more than"):
        take(session, *(daily.format(n) for n in range(20)))
    assert between(session, NOW - 60 * DAY, None) == []


def test_an_empty_calendar_is_a_calendar(session):
    assert counts(take(session)) == (0, 0, 0, 0, 0)


LINES = st.sampled_from(
    [
        *("BEGIN:VCALENDAR", "END:VCALENDAR", "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VTIMEZONE"),
        *("END:VTIMEZONE", "UID:1", "UID:2", "UID:", "SUMMARY:x", "SUMMARY:\x00\ud800é", " folded"),
        *("DTSTART:20261201T100000Z", "DTSTART;VALUE=DATE:20261201", "DTSTART:99991231T235959Z"),
        *(
            "DTSTART;TZID=UTC:20261201T100000",
            "DTEND:20261201T120000Z",
            "DTEND;VALUE=DATE:00010101",
        ),
        *("DURATION:P1W", "DURATION:-PT1H", "RRULE:FREQ=WEEKLY;COUNT=3", "RRULE:FREQ=YEARLY"),
        *("RRULE:FREQ=MONTHLY;BYDAY=5XX", "RRULE:FREQ=WEEKLY;UNTIL=20270101", "EXDATE:20261201"),
        *("RDATE;VALUE=PERIOD:20261201T100000Z/PT1H", "RECURRENCE-ID:20261201T100000Z"),
        *("RECURRENCE-ID;VALUE=DATE:20261201", "SEQUENCE:x", "STATUS:CANCELLED", "METHOD:CANCEL"),
        *(
            "X-WR-TIMEZONE:../../etc/passwd",
            "X-WR-TIMEZONE:America/Detroit",
            "LOCATION:here",
            ":;,",
        ),
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(
        st.binary(max_size=400),
        st.lists(LINES, max_size=25).map(
            lambda lines: "\r\n".join(
                ["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR"]
            ).encode("utf-8", "surrogatepass")
        ),
        st.lists(LINES, max_size=25).map(lambda some: "\n".join(some).encode("utf-8", "replace")),
    )
)
def test_no_bytes_break_the_reader(data):
    try:
        contents = calendar_files.read(data, DETROIT, NOW)
    except ValueError:  # no calendar: the page says so
        return
    for one in contents.events.values():
        assert one.name
        assert one.name.isprintable()
        assert one.ends_at >= NOW - calendar_files.PAST
        assert one.starts_at <= one.ends_at <= one.starts_at + calendar_files.LONGEST
    assert all(one.why.endswith(".") for one in contents.skipped)


def test_what_is_exported_comes_back_unchanged(session):
    make(session, name="Comma, and; more\\", note="At the bridge")
    make(session, name="Whole day", starts=datetime(2026, 12, 5, 5, tzinfo=UTC))
    take(session, "UID:w\nSUMMARY:W\nDTSTART;VALUE=DATE:20261201\nRRULE:FREQ=WEEKLY;COUNT=3")
    file = triggers.export_calendar(session, DETROIT, NOW)
    assert b"DTSTART;VALUE=DATE:20261205" in file
    again = import_calendar(session, file, "rally", "", DETROIT, 7, NOW)
    assert counts(again) == (0, 0, 5, 0, 0)


def test_election_days_follow_the_law(session):
    days = {name: day for name, day, _ in triggers.election_days(date(2024, 1, 1))}
    assert days["Federal election 2024"] == date(2024, 11, 5)
    assert days["Electors of 2024 meet in their states"] == date(2024, 12, 17)
    assert days["Congress counts the electoral votes of 2024"] == date(2025, 1, 6)
    assert days["Federal election 2026"] == date(2026, 11, 3)
    # the first of November is a Tuesday: it is not after a Monday
    assert dict(one[:2] for one in triggers.election_days(date(2022, 1, 1)))[
        "Federal election 2022"
    ] == date(2022, 11, 8)
    assert triggers.election_days(date(2025, 1, 5))[0][1] == date(2025, 1, 6)
    added = triggers.add_election_days(session, DETROIT, 7, NOW)
    assert added == 4  # 2028 with its electors and its count, and 2030
    assert triggers.add_election_days(session, DETROIT, 7, NOW) == 0
    first = between(session, NOW, None, kind="election")[0]
    assert first.starts_at.astimezone(DETROIT).date() == date(2028, 11, 7)
    withdraw(session, first, by=7, now=NOW)
    assert triggers.add_election_days(session, DETROIT, 7, NOW) == 1
