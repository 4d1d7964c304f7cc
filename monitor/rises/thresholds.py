"""Thresholds: what the detectors call a rise, who set it so, when and why (R18).

The newest row holds; none is changed. Without one the settings that ship hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.models import Threshold
from monitor.rises.detect import Settings

MOST_SHOWN = 100  # changes on the page: a desk that made more has another problem
LONGEST_REASON = 2_000  # characters


class Field(NamedTuple):
    """One setting: what it is called, what it counts, between which bounds, what it does."""

    name: str  # of detect.Settings
    label: str
    unit: str
    low: float
    high: float
    meaning: str  # one sentence

    @property
    def lowest(self) -> str:
        return _words(self.low)

    @property
    def highest(self) -> str:
        return _words(self.high)


# The bounds keep a slip of the finger from silencing the desk, or from flooding it. They are ours:
# the widest range in which the benchmark (tests/bench/spikes) still tells anything.
FIELDS = (
    Field(
        *("alpha", "Chance allowed", "per test and hour", 1e-7, 0.05),
        "How rarely chance alone may bring as many people, in one test of one hour; smaller means "
        "fewer flags.",
    ),
    Field(
        *("discoveries", "False share allowed", "of the rises of one hour", 0.001, 1.0),
        "Of all series that stand out in the same hour, the share that may be chance; 1 switches "
        "this control off.",
    ),
    Field(
        *("least_authors", "Least authors", "different people", 2, 1_000),
        "Fewer people than this are never a rise, however unusual they are.",
    ),
    Field(
        *("least_effect", "Least effect", "times what is usual", 1.0, 20.0),
        "A rise must reach at least this many times what the weeks before lead to expect.",
    ),
    Field(
        *("least_share_authors", "Least authors for a share", "different people", 2, 10_000),
        "Below so many people in all, whatever they wrote, the share that is dangerous is not "
        "tested.",
    ),
    Field(
        *("gap", "Gap", "hours", 0, 48),
        "The hours just before the one tested, which the baseline does not know yet, so that a "
        "rise does not hide itself.",
    ),
    Field(
        *("least_history", "Least history", "hours", 1, 336),
        "A younger series is tested by its count alone, against what young narratives usually do.",
    ),
    Field(
        *("clear_after", "Quiet until over", "hours", 1, 72),
        "A rise is over after so many hours in which nothing stands out.",
    ),
    Field(
        *("cool_down", "Cool-down", "hours", 0, 168),
        "For so long after its end the same series does not start a rise again.",
    ),
    Field(
        *("louder", "Louder", "times the loudest hour", 1.0, 20.0),
        "A series in its cool-down starts again all the same when so many times more people speak.",
    ),
)
WHOLE = frozenset(field.name for field in fields(Settings) if isinstance(field.default, int))


@dataclass(frozen=True)
class Change:
    """One row of the history and what it changed: (label, before, after) in words."""

    threshold: Threshold
    changed: list[tuple[str, str, str]]


class OutOfBoundsError(ValueError):
    """Some settings are not usable. ``faults``: one sentence for each, by the field's name."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__(" ".join(faults.values()))
        self.faults = faults


def settings_in_force(session: Session) -> Settings:
    """The settings of the newest row, or those that ship; names it does not know are ignored."""
    newest = session.scalars(select(Threshold).order_by(Threshold.id.desc()).limit(1)).first()
    return _settings(newest.settings) if newest else Settings()


def settings_of(past: Sequence[Change]) -> Settings:
    """The same from ``history``."""
    return _settings(past[0].threshold.settings) if past else Settings()


def read(typed: Mapping[str, str]) -> Settings:
    """Settings from what was typed, by the names of FIELDS; what is missing is as it ships.

    OutOfBoundsError with one sentence a field for what is no number, not whole where whole numbers
    are asked for, or out of bounds.
    """
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for field in FIELDS:
        if field.name not in typed:
            continue
        try:
            values[field.name] = number = _number(field, typed[field.name])
        except ValueError:
            whole = "a whole number" if field.name in WHOLE else "a number"
            faults[field.name] = f"{field.label} needs {whole}, such as {_words(field.low)}."
            continue
        if not field.low <= number <= field.high:  # also refuses nan
            faults[field.name] = _bounds(field)
    if faults:
        raise OutOfBoundsError(faults)
    return Settings(**values)


def change(session: Session, settings: Settings, reason: str, by: int, now: datetime) -> Threshold:
    """Let these settings hold from now on. Who may is for the caller to ask.

    ValueError without a reason or where nothing would change; OutOfBoundsError as ``read``.
    """
    read({name: repr(value) for name, value in asdict(settings).items()})
    reason = " ".join(reason.split())
    if not reason:
        raise ValueError("Say why in a few words: a threshold changes only for a reason.")
    if len(reason) > LONGEST_REASON:
        raise ValueError(f"Say why in at most {LONGEST_REASON:,} characters.")
    if settings == settings_in_force(session):
        raise ValueError("These are the settings in force: nothing would change.")
    made = Threshold(settings=asdict(settings), reason=reason, by=by, at=now)
    session.add(made)
    session.flush()
    return made


def history(session: Session) -> list[Change]:
    """The changes, newest first, each with what it changed; at most MOST_SHOWN."""
    rows = session.scalars(
        select(Threshold).order_by(Threshold.id.desc()).limit(MOST_SHOWN + 1)
    ).all()
    result = []
    for at, row in enumerate(rows[:MOST_SHOWN]):
        before = _settings(rows[at + 1].settings) if at + 1 < len(rows) else Settings()
        result.append(Change(row, differences(before, _settings(row.settings))))
    return result


def differences(before: Settings, after: Settings) -> list[tuple[str, str, str]]:
    """What differs, as (label, before, after) in words."""
    return [
        (field.label, said(before, field), said(after, field))
        for field in FIELDS
        if getattr(before, field.name) != getattr(after, field.name)
    ]


def said(settings: Settings, field: Field) -> str:
    """The value of one field, as it is shown and as it may be typed."""
    return _words(getattr(settings, field.name))


def _settings(stored: Mapping[str, Any]) -> Settings:
    known = {field.name for field in fields(Settings)}
    return Settings(**{name: value for name, value in stored.items() if name in known})


def _number(field: Field, text: str) -> float | int:
    """ValueError where it is none. A comma is not guessed at: 1,5 and 1,500 look alike."""
    text = text.strip()
    if not text.isascii() or "_" in text:  # int() and float() would read both
        raise ValueError(text)
    return int(text) if field.name in WHOLE else float(text)


def _bounds(field: Field) -> str:
    return (
        f"{field.label} must lie between {_words(field.low)} and {_words(field.high)} {field.unit}."
    )


def _words(value: float) -> str:
    return f"{value:.10f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
