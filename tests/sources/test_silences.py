"""When sources brought nothing, and why."""

from datetime import timedelta

import pytest

from sources.models import Source, SourceEvent, SourceHour
from sources.silences import never_read, silences

HOUR = timedelta(hours=1)


@pytest.fixture
def source(session, now):
    def make(kind="feed", number=1):
        one = Source(
            kind=kind,
            address=f"https://{kind}-{number}.example",
            name=f"{kind} {number}",
            created_at=now - timedelta(days=30),
            last_batch_at=now,
        )
        session.add(one)
        session.flush()
        return one

    return make


def event(session, source, kind, at, by=None):
    session.add(SourceEvent(source_id=source.id, kind=kind, detail="Why", by=by, at=at))
    session.flush()


def test_a_failure_lasts_until_its_recovery_and_counts_once(session, source, now):
    one = source()
    event(session, one, "failed", now - 9 * HOUR)
    event(session, one, "failed", now - 8 * HOUR)
    event(session, one, "recovered", now - 5 * HOUR)
    (found,) = silences(session, now - 10 * HOUR, now)
    assert (found.kind, found.began_at, found.ended_at) == (
        *("failing", now - 9 * HOUR),
        now - 5 * HOUR,
    )
    assert silences(session, now - 4 * HOUR, now) == []  # over before
    assert silences(session, now - 20 * HOUR, now - 10 * HOUR) == []  # began after


def test_what_goes_on_has_no_end_and_a_pause_has_its_person(session, source, now):
    event(session, source(), "paused", now - 90 * HOUR, by=7)
    (found,) = silences(session, now - HOUR, now)
    assert (found.kind, found.ended_at, found.by, found.why) == ("paused", None, 7, "Why")


def test_a_recovery_without_a_failure_is_no_silence(session, source, now):
    event(session, source(), "recovered", now - HOUR)
    assert silences(session, now - 9 * HOUR, now) == []


def hours(session, source, now, *, silent):
    full = now.replace(minute=0)
    for back in range(24):
        seen = 0 if back in silent else 5
        if seen or back % 2:  # an hour without a row is as mute as one that counts none
            hour = full - back * HOUR
            session.add(SourceHour(source_id=source.id, hour=hour, seen=seen, kept=0))
    session.flush()


def test_a_stream_that_runs_and_brings_nothing_is_mute(session, source, now):
    one = source("jetstream")
    hours(session, one, now, silent={5, 6, 7})
    (found,) = silences(session, now - 20 * HOUR, now)
    full = now.replace(minute=0)
    assert (found.kind, found.began_at, found.ended_at) == (
        "mute",
        full - 7 * HOUR,
        full - 4 * HOUR,
    )


def test_a_single_quiet_hour_a_feed_and_a_pause_are_not_mute(session, source, now):
    hours(session, source("jetstream", 1), now, silent={5})
    hours(session, source("feed"), now, silent={5, 6, 7})
    paused = source("jetstream", 2)
    hours(session, paused, now, silent={5, 6, 7})
    event(session, paused, "paused", now - 8 * HOUR, by=1)
    event(session, paused, "resumed", now - 4 * HOUR, by=1)
    assert [one.kind for one in silences(session, now - 20 * HOUR, now)] == ["paused"]


def test_a_stream_that_is_mute_now_has_no_end(session, source, now):
    hours(session, source("jetstream"), now, silent={0, 1, 2, 3})
    (found,) = silences(session, now - 20 * HOUR, now)
    assert (found.kind, found.ended_at) == ("mute", None)


def test_sources_that_never_brought_anything_are_told_apart(session, source, now):
    source()
    new = source("feed", 2)
    new.last_batch_at = None
    session.flush()
    assert never_read(session, now) == [new]
    assert never_read(session, now - timedelta(days=60)) == []
