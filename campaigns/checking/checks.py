"""What a draft must pass before it may be laid before a leader: the field's checklist of 24.

What needs only words, or only the plan, stands in ``campaigns.checking``; here what they need to
know is gathered, and here are the checks on time, consent, length and our own scorer. A check that
blocks stops submission and approval. One that warns asks for a reason, which is kept.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from campaigns.checking import Check, planned
from campaigns.checking.acting import asks_for_one_act
from campaigns.checking.echoes import no_echo, own_words
from campaigns.checking.form import alternative, correction_form, is_correction
from campaigns.checking.persons import no_personal_data
from campaigns.checking.reading import alt_texts, easy_to_read
from campaigns.checking.sending import disclosure, sms_carries, sms_price
from campaigns.checking.surroundings import Surroundings, look_around
from campaigns.checking.wording import (
    acts_not_persons,
    calm_words,
    identity_labels,
    non_partisan,
    positive_norm,
)
from campaigns.contacts import recipients
from campaigns.drafting.translations import translation_checks
from campaigns.models import Campaign, Correction, Message, Voice
from campaigns.plans import Intent, intent_of
from campaigns.publishers import PLATFORMS
from campaigns.voices import is_open, standing_consent
from campaigns.wording import server_rules
from campaigns.wording.content import send_time
from campaigns.wording.lengths import DEFAULT_RULES, IN_THE_TITLE, TEXTING, measures
from campaigns.wording.server_rules import Told
from campaigns.wording.threads import TOGETHER, posts_for
from monitor.reading.incitement import Scorer
from monitor.reading.readers import scorer_in_force

__all__ = ["Check", "blocking", "on_words", "plan_checks", "run_checks", "stored", "warnings"]

REASON_CHARS = 600  # a reason is a sentence or two
REASON_CHARS_MIN = 8  # "OK" is none
WORDING = (
    calm_words,
    positive_norm,
    asks_for_one_act,
    acts_not_persons,
    non_partisan,
    identity_labels,
    easy_to_read,
)


class ReasonsNeededError(ValueError):
    """Warnings stand without a reason; ``open`` says which."""

    def __init__(self, open_: list[Check]) -> None:
        names = ", ".join(dict.fromkeys(check.name for check in open_))
        super().__init__(f"Say why you go on, in a sentence each, or mend it: {names}.")
        self.open = open_


def run_checks(
    session: Session,
    content: Mapping[str, Any],
    voice: Voice,
    now: datetime,
    campaign: Campaign | None = None,
    message: Message | None = None,
) -> list[Check]:
    """Every check on one content, in checklist order; equal findings of several parts are one.

    With its campaign all 24 are made: the words are held against the posts of the narrative and
    what other voices say, and the plan is read. ``message``, of that campaign, is the one that
    these words belong to; what a duty lead let pass for it passes.
    """
    scorer = scorer_in_force(session, now)
    servers = server_rules.told_of(session, content["parts"])
    found = [*_on_content(content, voice, scorer, servers, now)]
    wheres = [where for _, _, where in _parts(content)]
    for check, place in recipients.checks(session, content["parts"], now):
        found.append(check.at(wheres[place]))
    found += translation_checks(session, content, message)
    if campaign is None:
        for platform, text, where in _parts(content):
            found += [check.at(where) for check in on_words(platform, text, voice, [])]
        return _in_order(found)
    around = look_around(session, campaign, voice, content, message, now)
    plan = intent_of(campaign)
    corrects = message is not None and session.get(Correction, message.id) is not None
    for card in _cards(content):
        found += [
            check.at("Link card")
            for check in (
                no_echo(card, around.samples, []),
                no_personal_data(card, plan.known),
                non_partisan(card),
            )
        ]
    theirs = _coded(scorer, around.samples, _parts(content))
    for platform, text, where in _parts(content):
        coded = [text[a:b] for term, a, b in _hits(scorer, text) if term in theirs]
        on_this = on_words(platform, text, voice, around.samples, coded, plan, corrects)
        found += [check.at(where) for check in [*on_this, own_words(text, around.other_voices)]]
    found += _on_plan(plan, around, content, voice)
    found = [_let_pass(check, around.overrides) for check in found]
    if not any(check.number == 21 for check in found):
        found.append(Check(21, "Rules of text messages", True, note="No text message is sent."))
    return _in_order(found)


def blocking(checks: list[Check]) -> list[Check]:
    """Those that stop the message."""
    return [check for check in checks if check.blocks and not check.passed]


def warnings(checks: list[Check]) -> list[Check]:
    """Those that ask for a written reason."""
    return [check for check in checks if not check.blocks and not check.passed]


def reasons_so_far(checks: list[Check], reasons: Mapping[str, str]) -> dict[str, str]:
    """What is given of the reasons for these warnings, by ``Check.key``, each in one line.

    ``reasons`` may hold others, of findings that no longer stand: they are left out. ValueError
    for one that is too long.
    """
    given = {check.key: " ".join(reasons.get(check.key, "").split()) for check in warnings(checks)}
    longest = max(map(len, given.values()), default=0)
    if longest > REASON_CHARS:
        raise ValueError(f"A reason has {REASON_CHARS} characters at most; one has {longest}.")
    return given


def reasons_for(checks: list[Check], reasons: Mapping[str, str]) -> dict[str, str]:
    """The same, complete: ReasonsNeededError where one is missing or says nothing."""
    given = reasons_so_far(checks, reasons)
    if short := [one for one in warnings(checks) if len(given[one.key]) < REASON_CHARS_MIN]:
        raise ReasonsNeededError(short)
    return given


def stored(checks: list[Check]) -> list[dict[str, Any]]:
    """What was found, as it is kept with a version: number, name, state and words of each."""
    return [
        {"number": one.number, "name": one.name, "state": _state(one), "words": _said(one)}
        for one in checks
    ]


def _state(check: Check) -> str:
    if check.passed:
        return "passed"
    return "stops" if check.blocks else "warns"


def _said(check: Check) -> str:
    return " ".join(part for part in (check.problem, check.note) if part)


def _in_order(checks: Iterable[Check]) -> list[Check]:
    """By number; of one finding in several parts only one, with all the parts."""
    merged: dict[tuple[int, str, str, str], Check] = {}
    for check in checks:
        key = (check.number, check.name, check.problem, check.note)
        first = merged.get(key)
        merged[key] = replace(first, where=first.where + check.where) if first else check
    return sorted(merged.values(), key=lambda check: check.number)


def _parts(content: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(platform, text, where) of each part; the posts of a thread as one text."""
    return [
        (
            part["platform"],
            "\n\n".join(posts_for(part["platform"], part["text"])),
            f"{PLATFORMS[part['platform']]} @{part['handle']}",
        )
        for part in content["parts"]
    ]


def _cards(content: Mapping[str, Any]) -> list[str]:
    """The words on each link card: a page's own, but they go out with ours."""
    cards = [part["card"] for part in content["parts"] if part.get("card")]
    return list(dict.fromkeys(f"{card['title']}\n{card['about']}" for card in cards))


def _on_content(
    content: Mapping[str, Any],
    voice: Voice,
    scorer: Scorer,
    servers: Mapping[str, Told],
    now: datetime,
) -> Iterator[Check]:
    send_at = send_time(content)
    yield _schedule(send_at, now)
    if not content["parts"]:
        yield Check(19, "Words to send", True, "There is no text.", "Write at least one text.")
    for platform in sorted({part["platform"] for part in content["parts"]}):
        yield _consent(voice, platform, now, send_at)
    accounts = {account.id: account for account in voice.accounts}
    for part, (_, _, where) in zip(content["parts"], _parts(content), strict=True):
        if part["account"] in accounts and not is_open(accounts[part["account"]]):
            yield _shut(voice).at(where)
    for _, text, where in _parts(content):
        yield _own_scorer(scorer, text, now).at(where)
    for card in _cards(content):
        yield _own_scorer(scorer, card, now).at("Link card")
    for part, (_, _, where) in zip(content["parts"], _parts(content), strict=True):
        there = server_rules.server_of(part, servers)
        yield _length(part["platform"], part["text"], _in_posts(content), there).at(where)
        for found in server_rules.pictures_too_much(part, there) if there else ():
            yield Check(19, "Pictures", True, found.problem, found.mend).at(where)
    for part, (_, _, where) in zip(content["parts"], _parts(content), strict=True):
        if pictures := part.get("images"):
            yield alt_texts([one["alt"] for one in pictures]).at(where)


def on_words(
    platform: str,
    text: str,
    voice: Voice,
    samples: Iterable[str],
    coded_terms: Sequence[str] = (),
    plan: Intent | None = None,
    corrects: bool = False,
) -> Iterator[Check]:
    """The checks on one text for one platform; ``samples`` are texts of the narrative.

    ``coded_terms`` are words of the text that the narrative uses in their coded sense;
    ``corrects``: they put right what was said before, and owe its form whatever words they use.
    """
    plan = plan or Intent()
    yield no_echo(text, samples, coded_terms)
    if corrects or is_correction(text):
        yield correction_form(text)
    else:
        yield Check(5, "Form of a correction", False, note="Nothing is corrected.")
    yield alternative(text)
    for check in WORDING:
        yield check(text)
    yield no_personal_data(text, plan.known)
    yield disclosure(
        text,
        [voice.name],
        own_account=platform not in TEXTING,
        sponsor=plan.sponsor,
        ai_helped=plan.ai_helped == "yes",
    )
    if platform in TEXTING:
        yield sms_carries(text, [voice.name])
        yield sms_price(text)


def _on_plan(
    plan: Intent, around: Surroundings, content: Mapping[str, Any], voice: Voice
) -> Iterator[Check]:
    texting = any(part["platform"] in TEXTING for part in content["parts"])
    send_at = send_time(content)
    yield planned.gate(plan)
    yield planned.one_aim(plan)
    yield planned.credible(plan, voice.id, voice.name)
    yield planned.evidenced(plan)
    yield planned.asked_the_targeted(plan, around.danger)
    yield planned.strategy_fits(plan)
    yield planned.joined(plan, around.voices)
    yield planned.help_told(plan)
    yield planned.reach_told(plan)
    local = send_at.astimezone(around.zone) if around.zone else None
    yield from planned.high_risk(plan, around.live, texting, local)
    yield around.spacing
    yield around.standing_limits
    yield planned.pretested(plan)
    yield planned.aftermath(plan, send_at)


def plan_checks(campaign: Campaign, danger: int, now: datetime) -> list[Check]:
    """What can be said of a plan before there are words, in checklist order: for its own page.

    ``danger``: the most that its narrative's danger may be.
    """
    plan = intent_of(campaign)
    voices = {message.voice_id: message.voice for message in campaign.messages}
    return _in_order(
        [
            planned.gate(plan),
            planned.one_aim(plan),
            *(planned.credible(plan, voice.id, voice.name) for voice in voices.values()),
            planned.evidenced(plan),
            planned.asked_the_targeted(plan, danger),
            planned.strategy_fits(plan),
            planned.joined(plan, len(voices)),
            planned.help_told(plan),
            planned.reach_told(plan),
            *planned.high_risk(plan),
            planned.pretested(plan),
            planned.aftermath(plan, now),
        ]
    )


def _let_pass(check: Check, overrides: Mapping[tuple[int, str], str]) -> Check:
    """A finding that the duty lead let pass, as passed, with their reason."""
    reason = overrides.get((check.number, check.problem)) if check.overridable else None
    if reason is None:
        return check
    note = f"{check.problem} The duty lead let it pass: {reason}"
    return replace(check, problem="", mend="", note=note)


def _hits(scorer: Scorer, text: str) -> list[tuple[str, int, int]]:
    """(term, start, end) of the lexicon's terms in a text."""
    if scorer.lexicon is None:
        return []
    return [(hit.term, hit.start, hit.end) for hit in scorer.lexicon.hits(text)]


def _coded(
    scorer: Scorer, samples: Sequence[str], parts: Sequence[tuple[str, str, str]]
) -> set[str]:
    """The terms that the narrative uses, looked for only where a draft holds one at all."""
    if not any(_hits(scorer, text) for _, text, _ in parts):
        return set()
    return {term for sample in samples for term, _, _ in _hits(scorer, sample)}


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


def _shut(voice: Voice) -> Check:
    """Only the finding: of an account that is connected nothing needs to be said."""
    problem = "Nothing can go out from this account: it is not connected."
    mend = f"Connect it on the page of {voice.name}, or leave it out."
    return Check(3, "Account connected", True, problem, mend)


def _own_scorer(scorer: Scorer, text: str, now: datetime) -> Check:
    """A coded term of the lexicon is a hallmark, if only a possible one: it stops a draft too."""
    name = "Our own scorer finds nothing"
    scored = scorer.score([text], posted_at=[now])[0]
    if scored.level == 0 and not any(scored.fields.hallmarks.values()):
        return Check(8, name, True)
    found = "; ".join(str(reason["text"]) for reason in scored.reasons)
    reading = f"M{scored.level}" if scored.level else "bearing a hallmark of dangerous speech"
    problem = f"Our own scorer reads this as {reading}: {found}."
    return Check(8, name, True, problem, "Say it without these words and about no group.")


def _in_posts(content: Mapping[str, Any]) -> bool:
    """Whether any account gets a thread."""
    return any(len(posts_for(part["platform"], part["text"])) > 1 for part in content["parts"])


def _length(platform: str, text: str, threaded: bool, there: Told | None) -> Check:
    """``there``: what the account's own server takes, and who says so."""
    name, rules = "Length", there.rules if there else DEFAULT_RULES
    note = there.words if there else ""
    posts = posts_for(platform, text)
    for place, post in enumerate(posts, 1):
        for measure in measures(platform, post, rules):
            if measure.over:
                over = f"{measure.over} {measure.unit} too long (the limit is {measure.limit})."
                problem = f"Post {place} of {len(posts)} is {over}" if len(posts) > 1 else over
                mend = _shorter(platform, measure.unit, threaded)
                return Check(19, name, True, problem, mend, note=note)
    return Check(19, name, True, note=note)


def _shorter(platform: str, unit: str, threaded: bool) -> str:
    if unit == IN_THE_TITLE:
        return "The first line is the title: end it sooner, and go on in the next line."
    if unit == "bytes":
        return "Use fewer emoji or combined signs: some take many bytes."
    if platform in TOGETHER:
        return "Say less, or end a post with a line of --- and go on in the next."
    if threaded:
        return (
            f"{PLATFORMS.get(platform, platform)} takes one post at a time, and a worker that dies "
            "would leave half a thread: here it is one text. Write shorter words of its own for it."
        )
    return "Say less, or say it in two messages."
