"""What a draft must pass before it may be laid before a leader.

Numbers are those of the field's checklist of 24; this is its first, thin part.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import regex  # type: ignore[import-untyped]
from sqlalchemy.orm import Session

from campaigns.content import send_time
from campaigns.models import Voice
from campaigns.publishers import PLATFORMS
from campaigns.voices import standing_consent
from monitor.incitement import Scorer
from monitor.readers import scorer_in_force

GRAPHEMES_MAX = 300  # app.bsky.feed.post: maxGraphemes
BYTES_MAX = 3000  # app.bsky.feed.post: maxLength, in UTF-8 bytes

GRAPHEME = regex.compile(r"\X")
MENTION = regex.compile(r"(?<![\w.@/])@[\w][\w.-]*")  # not an e-mail address, not part of a link
ALARMING = regex.compile(  # check 9: war words, and words that make violence sound settled
    r"\b(inevitabl[ey]|chaos|erupt\w*|war|warfare|battle\w*|fight\w*|enem(?:y|ies)|attack\w*)\b",
    regex.IGNORECASE,
)


@dataclass(frozen=True)
class Check:
    """One check and what it found. ``problem`` is empty when the draft passes."""

    number: int  # in the field's checklist of 24
    name: str
    blocks: bool  # else it only warns
    problem: str = ""
    mend: str = ""

    @property
    def passed(self) -> bool:
        return not self.problem


def run_checks(
    session: Session, content: Mapping[str, Any], voice: Voice, now: datetime
) -> list[Check]:
    """Every check on one content, in checklist order; those on words appear once per part."""
    scorer = scorer_in_force(session, now)
    return sorted(_all(content, voice, scorer, now), key=lambda check: check.number)


def blocking(checks: list[Check]) -> list[Check]:
    """Those that stop the message."""
    return [check for check in checks if check.blocks and not check.passed]


def graphemes(text: str) -> int:
    """Characters as a reader counts them: a family emoji or a flag is one."""
    return len(GRAPHEME.findall(text))


def _all(
    content: Mapping[str, Any], voice: Voice, scorer: Scorer, now: datetime
) -> Iterator[Check]:
    send_at = send_time(content)
    yield _schedule(send_at, now)
    if not content["parts"]:
        yield Check(19, "Words to send", True, "There is no text.", "Write at least one text.")
    for platform in sorted({part["platform"] for part in content["parts"]}):
        yield _consent(voice, platform, now, send_at)
    for part in content["parts"]:
        text, where = part["text"], f"{PLATFORMS[part['platform']]} @{part['handle']}"
        yield _own_scorer(scorer, text, where, now)
        yield _calm_words(text, where)
        yield _mentions(text, where)
        yield _length(text, where)


def _schedule(send_at: datetime, now: datetime) -> Check:
    name = "A time to send"
    if send_at <= now:
        return Check(24, name, True, "The time to send has passed.", "Choose a later time.")
    return Check(24, name, True)


def _consent(voice: Voice, platform: str, now: datetime, send_at: datetime) -> Check:
    name = f"Consent of the voice for {PLATFORMS[platform]}"
    mend = "Ask the voice and record the consent, or choose an earlier time or another account."
    if standing_consent(voice, platform, now) is None:
        problem = f"{voice.name} has no standing consent for {PLATFORMS[platform]}."
        return Check(3, name, True, problem, mend)
    if standing_consent(voice, platform, send_at) is None:
        problem = (
            f"The consent of {voice.name} for {PLATFORMS[platform]} ends before the send time."
        )
        return Check(3, name, True, problem, mend)
    return Check(3, name, True)


def _own_scorer(scorer: Scorer, text: str, where: str, now: datetime) -> Check:
    """A coded term of the lexicon is a hallmark, if only a possible one: it stops a draft too."""
    name = f"Our own scorer finds nothing ({where})"
    scored = scorer.score([text], posted_at=[now])[0]
    if scored.level == 0 and not any(scored.fields.hallmarks.values()):
        return Check(8, name, True)
    found = "; ".join(str(reason["text"]) for reason in scored.reasons)
    reading = f"M{scored.level}" if scored.level else "bearing a hallmark of dangerous speech"
    problem = f"Our own scorer reads this as {reading}: {found}."
    return Check(8, name, True, problem, "Say it without these words and about no group.")


def _calm_words(text: str, where: str) -> Check:
    name = f"Calm words ({where})"
    words = sorted({match.group().lower() for match in ALARMING.finditer(text)})
    if not words:
        return Check(9, name, False)
    problem = f"War words or words of doom: {', '.join(words)}."
    return Check(9, name, False, problem, "Say what is being done, not what is feared.")


def _mentions(text: str, where: str) -> Check:
    name = f"No mention of ordinary people ({where})"
    handles = MENTION.findall(text)
    if not handles:
        return Check(14, name, True)
    problem = f"It mentions {', '.join(handles)}."
    return Check(14, name, True, problem, "Leave the handle out: a mention calls a person out.")


def _length(text: str, where: str) -> Check:
    name = f"Length ({where})"
    over = graphemes(text) - GRAPHEMES_MAX
    if over > 0:
        problem = f"{over} characters too long (the limit is {GRAPHEMES_MAX})."
        return Check(19, name, True, problem, f"Cut {over} characters.")
    if (size := len(text.encode())) > BYTES_MAX:
        problem = f"{size} bytes long (the limit is {BYTES_MAX}): some signs take many bytes."
        return Check(19, name, True, problem, "Use fewer emoji or combined signs.")
    return Check(19, name, True)
