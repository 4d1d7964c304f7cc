"""The form of a campaign's plan: flat text fields, so that it works without a script.

Rows are numbered: ``claim_text_0``, ``claim_source_0``, ``claim_level_0``, ``who_0``, ``when_0``;
``voice_N`` goes by the voice's id; ``known`` has one institution's handle or number a line.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.plans import LIST_MAX, Intent
from desk.pages import local_time

PLAIN = (
    *("audience", "goal", "strategy", "outcome", "exposure", "exposure_how", "alongside", "issue"),
    *("area_wide", "may_alarm", "sponsor", "ai_helped", "backlash", "withdrawal", "measured"),
    "control",
)
NUMBERS = {
    "readers": "Readers from the audience",
    "targeted_readers": "Readers from the targeted community",
    "measured_days": "Days of measuring",
    "owner": "Who sees to the replies",
}
MINUTE = "%Y-%m-%dT%H:%M"  # as a form's local time is written
CLAIM = ("text", "source", "level")
ASKED = ("who", "when")


def as_form(intent: Intent, zone: ZoneInfo) -> dict[str, str]:
    """A plan as the fields of its form hold it; what is empty has no field."""
    form = {name: getattr(intent, name) for name in PLAIN}
    form |= {name: _number(getattr(intent, name)) for name in NUMBERS}
    form["no_claims"] = "yes" if intent.no_claims else ""
    form["known"] = "\n".join(intent.known)
    for row, claim in enumerate(intent.claims):
        form |= {f"claim_{name}_{row}": claim[name] for name in CLAIM}
    for row, one in enumerate(intent.consulted):
        form |= {f"{name}_{row}": one[name] for name in ASKED}
    form |= {f"voice_{voice}": words for voice, words in intent.credibility.items()}
    if intent.expires_at is not None:
        form["expires_at"] = f"{intent.expires_at.astimezone(zone):{MINUTE}}"
    return {name: words for name, words in form.items() if words}


def typed(form: Mapping[str, object]) -> dict[str, str]:
    """The fields of a plan that a form holds, as typed; others are passed over."""
    rows = "|".join([*(f"claim_{name}" for name in CLAIM), *ASKED])
    ours = re.compile(
        rf"{'|'.join([*PLAIN, *NUMBERS])}|no_claims|known|expires_at|after"
        rf"|(?:{rows})_[0-9]{{1,2}}|voice_[0-9]{{1,9}}"
    )
    return {
        name: words
        for name, words in form.items()
        if isinstance(words, str) and ours.fullmatch(name)
    }


def read(form: Mapping[str, str], zone: ZoneInfo) -> Intent:
    """The plan that a form means. ValueError, one sentence: a number or a time that is none."""
    plain: dict[str, Any] = {name: form.get(name, "") for name in PLAIN}
    plain |= {name: _counted(form.get(name, ""), label) for name, label in NUMBERS.items()}
    return Intent(
        **plain,
        no_claims=bool(form.get("no_claims")),
        known=form.get("known", "").splitlines(),
        claims=[{name: form.get(f"claim_{name}_{n}", "") for name in CLAIM} for n in _rows()],
        consulted=[{name: form.get(f"{name}_{n}", "") for name in ASKED} for n in _rows()],
        credibility={
            name.removeprefix("voice_"): words
            for name, words in form.items()
            if name.startswith("voice_")
        },
        expires_at=_moment(form.get("expires_at", ""), zone),
    )


def rows_shown(form: Mapping[str, str], name: str, spare: int) -> int:
    """How many rows of this name a form shows: those that hold words, and ``spare`` more."""
    filled = [n for n in _rows() if form.get(f"{name}_{n}")]
    return min(LIST_MAX, max(filled, default=-1) + 1 + spare)


def _rows() -> range:
    return range(LIST_MAX)


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _counted(words: str, label: str) -> int | None:
    if not words.strip():
        return None
    if not re.fullmatch(r"[0-9]{1,6}", words.strip()):
        raise ValueError(f"{label}: write a number.")
    return int(words)


def _moment(words: str, zone: ZoneInfo) -> datetime | None:
    return local_time(words, zone) if words.strip() else None
