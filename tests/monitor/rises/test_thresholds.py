"""Thresholds: bounded, changed for a reason only, and remembered."""

from dataclasses import asdict, fields, replace
from datetime import timedelta

import pytest

from monitor.models import Threshold
from monitor.rises.detect import Settings
from monitor.rises.thresholds import (
    FIELDS,
    OutOfBoundsError,
    change,
    history,
    read,
    said,
    settings_in_force,
)


def test_without_a_change_what_ships_is_in_force(session):
    assert settings_in_force(session) == Settings()
    assert history(session) == []


def test_every_setting_has_its_field_and_what_ships_lies_within(session):
    assert [field.name for field in FIELDS] == [field.name for field in fields(Settings)]
    for field in FIELDS:
        assert field.low <= getattr(Settings(), field.name) <= field.high
        assert field.meaning.endswith(".")
        assert field.meaning.count(". ") == 0  # one sentence


def test_a_change_holds_from_then_on_and_says_what_it_changed(session, now):
    first = replace(Settings(), least_authors=5)
    change(session, first, "  Too many\nfalse alarms in May ", 7, now)
    assert settings_in_force(session) == first
    second = replace(first, alpha=1e-4, gap=0)
    change(session, second, "Quieter still", 8, now + timedelta(days=1))
    assert settings_in_force(session) == second
    newest, oldest = history(session)
    assert oldest.threshold.reason == "Too many false alarms in May"
    assert oldest.changed == [("Least authors", "3", "5")]
    assert (newest.threshold.by, newest.threshold.at) == (8, now + timedelta(days=1))
    assert newest.changed == [("Chance allowed", "0.0003", "0.0001"), ("Gap", "3", "0")]


@pytest.mark.parametrize("reason", ["", "  \n "])
def test_a_change_needs_a_reason(session, now, reason):
    with pytest.raises(ValueError, match="Say why"):
        change(session, replace(Settings(), gap=4), reason, 1, now)
    assert history(session) == []


def test_nothing_changed_is_no_change(session, now):
    with pytest.raises(ValueError, match="nothing would change"):
        change(session, Settings(), "Only to see", 1, now)
    change(session, replace(Settings(), gap=4), "Why not", 1, now)
    with pytest.raises(ValueError, match="nothing would change"):
        change(session, replace(Settings(), gap=4), "Again", 1, now)
    change(session, Settings(), "Back to what ships", 1, now)
    assert settings_in_force(session) == Settings()


def test_names_that_nobody_knows_any_more_are_ignored(session, now):
    stored = asdict(replace(Settings(), gap=5)) | {"of_an_older_edition": 3}
    del stored["louder"]
    session.add(Threshold(settings=stored, reason="Restored", by=1, at=now))
    session.flush()
    assert settings_in_force(session) == replace(Settings(), gap=5)
    assert history(session)[0].changed == [("Gap", "3", "5")]


def test_what_is_shown_can_be_typed_again():
    typed = {field.name: said(Settings(), field) for field in FIELDS}
    assert read(typed) == Settings()
    odd = Settings(alpha=1e-7, least_effect=1.0, louder=19.999)
    assert read({field.name: said(odd, field) for field in FIELDS}) == odd


@pytest.mark.parametrize(
    ("name", "typed", "says"),
    [
        ("alpha", "0", "between 0.0000001 and 0.05"),
        ("alpha", "0.0500001", "between"),
        ("alpha", "nan", "between"),
        ("alpha", "inf", "between"),
        ("alpha", "-1e-4", "between"),
        ("alpha", "", "needs a number"),
        ("alpha", "0,0003", "needs a number"),
        ("least_authors", "1", "between 2 and 1000"),
        ("least_authors", "3.5", "needs a whole number"),
        ("least_authors", "1e3", "needs a whole number"),
        ("least_authors", "9" * 5000, "needs a whole number"),
        ("least_authors", "٣", "needs a whole number"),
        ("gap", "1_0", "needs a whole number"),
        ("cool_down", "<script>", "needs a whole number"),
    ],
)
def test_what_is_out_of_bounds_is_refused_in_a_sentence(name, typed, says):
    with pytest.raises(OutOfBoundsError) as refused:
        read({name: typed, "louder": "2"})
    assert list(refused.value.faults) == [name]
    assert says in refused.value.faults[name]


def test_all_faults_are_told_at_once():
    with pytest.raises(OutOfBoundsError) as refused:
        read({"gap": "x", "louder": "0", "alpha": "0.001"})
    assert set(refused.value.faults) == {"gap", "louder"}


def test_a_change_is_held_to_the_bounds_too(session, now):
    with pytest.raises(OutOfBoundsError):
        change(session, replace(Settings(), least_authors=1), "One is enough", 1, now)
