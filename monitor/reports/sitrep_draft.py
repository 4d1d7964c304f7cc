"""What the data say of a week: the draft of its report, for a person to read and edit."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from monitor import triggers
from monitor.alerts import alert_clock
from monitor.alerts.alert_course import OUTCOMES
from monitor.alerts.alerts import LEVELS as ALERT_LEVELS
from monitor.models import Alert, AlertOutcome, Flag, HourlyCount, Narrative
from monitor.narratives.narratives import standing, unread_languages
from monitor.reading.terms import Lexicon
from monitor.reports.paraphrase import findings
from monitor.reports.sitrep import (
    OWN_RECORD,
    UNSEEN,
    WEEK,
    WEEKS_BEFORE,
    Draft,
    Line,
    Week,
    in_range,
    name_of_place,
    times,
)
from monitor.reports.sitrep_situations import (
    Situation,
    grade,
    rising_areas,
    situations_told,
    told_in,
    verified,
    words,
)
from sources.models import STREAMED_KINDS
from sources.silences import Silence, never_read, silences

AHEAD = timedelta(days=14)
LINES = 25  # of situations; the gravest
MOVED = 8  # of what rose, and of what fell
ROSE = 1.5  # times an ordinary week; less is how weeks differ anyway
LEAST_POSTS = 5  # in a week: below that nothing rises or falls
ON_CALENDAR = "V1"  # somebody here entered it


def draft(session: Session, week: Week, known_languages: Collection[str] | None) -> Draft:
    """What monitoring has to say of a week. ``known_languages``: those the model reads, or all."""
    made = Draft(week)
    told = situations_told(session, week)
    made.narratives = {one.narrative.id: one.narrative for one in told}
    for one in told[:LINES]:
        text = words(one)
        made.add("situations", one.level, *text)
    if len(told) > LINES:
        more = f"{len(told) - LINES} more narratives at lower levels are not listed here."
        made.add("situations", UNSEEN, more)
    rising_areas(session, made)
    _movement(session, made)
    _alerts(session, made)
    _ahead(session, made)
    _gaps(session, made, known_languages)
    _unknown(session, made, told)
    _summary(made, told)
    return made


def spelled(session: Session, made: Draft, lexicon: Lexicon) -> dict[str, str]:
    """The sections as text to edit. A line that repeats words of a post, or holds a handle, a link
    or a coded term, is told without what it borrowed.
    """
    since, until = made.week.since - WEEKS_BEFORE * WEEK, made.week.until
    lines = {key: list(some) for key, some in made.lines.items()}
    texts = {key: "\n".join(one.text for one in some) for key, some in lines.items()}
    for found in findings(session, texts, since, until, lexicon):
        one = lines[found.section][found.line - 1]
        plain = one.plain or "A line was left out: it repeated words of a post."
        lines[found.section][found.line - 1] = Line(one.level, plain)
    return {key: "\n".join(map(str, some)) for key, some in lines.items()}


# What rose and what fell


def _movement(session: Session, made: Draft) -> None:
    week = made.week
    start = week.since - WEEKS_BEFORE * WEEK
    now, before = (
        func.coalesce(func.sum(HourlyCount.posts).filter(when), 0)
        for when in (HourlyCount.hour >= week.since, HourlyCount.hour < week.since)
    )
    dangerous = func.coalesce(
        func.sum(HourlyCount.dangerous_posts).filter(HourlyCount.hour >= week.since), 0
    )
    # Of a week that runs, the same part of the weeks before.
    part = week.until - week.since
    spans = [(week.since - n * WEEK, week.since - n * WEEK + part) for n in range(WEEKS_BEFORE + 1)]
    query = (
        select(Narrative, now, before, dangerous)
        .join(HourlyCount, HourlyCount.narrative_id == Narrative.id)
        .where(
            *standing(),
            Narrative.dismissed_at.is_(None),
            Narrative.last_post_at >= start,
            or_(*((HourlyCount.hour >= one) & (HourlyCount.hour < end) for one, end in spans)),
        )
        .group_by(Narrative.id)
    )
    if week.place:
        query = query.where(Narrative.id.in_(told_in(session, week)))
    rose: list[tuple[float, Narrative, int, float]] = []
    fell: list[tuple[float, Narrative, int, float]] = []
    for narrative, posts, earlier, bad in session.execute(query):
        weeks = sum(one > narrative.first_post_at - WEEK for one, _ in spans[1:])
        usual = earlier / weeks if weeks else 0.0
        if posts >= LEAST_POSTS and posts >= ROSE * usual:
            rose.append((-bad - posts / 1e9, narrative, posts, usual))
        elif usual >= LEAST_POSTS and posts * ROSE <= usual:
            fell.append((-usual, narrative, posts, usual))
    for way, moved in (("rose", rose), ("fell", fell)):
        moved.sort(key=lambda one: (one[0], one[1].id))
        seen = verified(session, [one[1] for one in moved[:MOVED]], week)
        for _, narrative, posts, usual in moved[:MOVED]:
            if usual:
                said = f"{way}: {times(posts / usual)}, {in_range(posts)} posts."
            else:
                said = f"new this week: {in_range(posts)} posts."
            made.narratives[narrative.id] = narrative
            made.add(
                *("movement", seen[narrative.id]),
                f"{narrative.title} {said}" if usual else f"{narrative.title}, {said}",
                f"Narrative {narrative.id} {said}",
            )
        if len(moved) > MOVED:
            made.add("movement", UNSEEN, f"{len(moved) - MOVED} more {way}.")
    if not rose and not fell:
        made.add("movement", UNSEEN, "Nothing rose or fell beyond what weeks differ by anyway.")


# Alerts, acts, days ahead


def _alerts(session: Session, made: Draft) -> None:
    week = made.week
    closed = Alert.outcome.has((AlertOutcome.at >= week.since) & (AlertOutcome.at < week.until))
    sent = (Alert.made_at >= week.since) & (Alert.made_at < week.until)
    found = session.scalars(
        select(Alert)
        .where(sent | closed, Alert.place.startswith(week.place))
        .options(
            selectinload(Alert.messages),
            selectinload(Alert.verifications),
            selectinload(Alert.stamps),
            joinedload(Alert.outcome),
        )
        .order_by(Alert.danger_level.desc(), Alert.id)
    ).all()
    real = [one for one in found if not one.exercise]
    for alert in real:
        made.add("alerts", grade(alert, week) or UNSEEN, *_alert_words(alert, week))
        for stamp in alert.stamps:
            if stamp.stage in (alert_clock.RESPONSE_CHOSEN, alert_clock.ENGAGED) and (
                week.since <= stamp.at < week.until
            ):
                head = f"{name_of_place(alert.place)}: {alert_clock.STAGES[stamp.stage].lower()}"
                made.add("acts", OWN_RECORD, f"{head}: {stamp.note.rstrip('.')}.", f"{head}.")
    ended = [one.outcome.code for one in real if one.outcome and one.outcome.at < week.until]
    if ended:
        false = ended.count("false_alarm")
        made.add(
            *("alerts", OWN_RECORD),
            f"Closed: {len(ended)}. False alarms among them: {false or 'none'}.",
        )
    if not real:
        made.add("alerts", OWN_RECORD, "No alert was sent or closed.")
    if drills := len(found) - len(real):
        made.add("alerts", OWN_RECORD, f"Exercises, not counted above: {drills}.")


def _alert_words(alert: Alert, week: Week) -> tuple[str, str]:
    name = ALERT_LEVELS.get(alert.danger_level, "below Concern")
    head = f"{name_of_place(alert.place)}: alert at D{alert.danger_level} ({name})"
    said = [f"Sent {alert.made_at:%A %-d %B}"]
    stamps = {one.stage: one.at for one in alert.stamps}
    if (heard := stamps.get(alert_clock.ACKNOWLEDGED)) is not None:
        said.append(f"acknowledged after {_length(heard - alert.made_at)}")
    else:
        said.append("acknowledged by nobody")
    if any(one.kind == "Cancel" and one.sent_at < week.until for one in alert.messages):
        said.append("taken back")
    if alert.outcome is not None and alert.outcome.at < week.until:
        said.append(f"closed: {OUTCOMES[alert.outcome.code].lower()}")
    else:
        said.append("still open")
    rest = f"{'; '.join(said)}."
    headline = str(alert.messages[0].card["headline"]).rstrip(".") if alert.messages else ""
    return f"{head}: {headline}. {rest}", f"{head}. {rest}"


def _length(length: timedelta) -> str:
    minutes = max(1, round(length.total_seconds() / 60))
    return f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"


def _ahead(session: Session, made: Draft) -> None:
    week = made.week
    for event in triggers.between(session, week.until, week.until + AHEAD, week.place or None):
        where = name_of_place(event.place) if event.place else "Nationwide"
        head = f"{event.starts_at:%A %-d %B}, {where}: {triggers.KINDS[event.kind].lower()}"
        made.add("ahead", ON_CALENDAR, f"{head}, {event.name.rstrip('.')}.", f"{head}.")
    if not made.lines["ahead"]:
        made.add("ahead", ON_CALENDAR, f"Nothing is on the calendar for {AHEAD.days} days.")


# What we do not see


def _gaps(session: Session, made: Draft, known_languages: Collection[str] | None) -> None:
    week = made.week
    by_source: dict[int, list[Silence]] = {}
    for one in silences(session, week.since, week.until):
        by_source.setdefault(one.source.id, []).append(one)
    for some in by_source.values():
        source = some[0].source
        lost = _covered(some, week)
        why = " and ".join(
            {"failing": "could not be read", "paused": "was paused", "mute": "brought nothing"}[
                kind
            ]
            for kind in dict.fromkeys(one.kind for one in some)
        )
        kind = "stream" if source.kind in STREAMED_KINDS else "source"
        goes_on = ", and still does" if any(one.ended_at is None for one in some) else ""
        if "was paused" in why and goes_on:
            goes_on = ", and still is"
        rest = f"{why} for {_share(lost, week)}{goes_on}."
        made.add("gaps", OWN_RECORD, f"{source.name} {rest}", f"A {kind} (no. {source.id}) {rest}")
    for source in never_read(session, week.until):
        text = "has never brought anything."
        plain = f"A source (no. {source.id}) {text}"
        made.add("gaps", OWN_RECORD, f"{source.name} {text}", plain)
    for lang, posts in unread_languages(session, known_languages, week.since):
        text = (
            f"Posts in a language that the model does not read ({lang}): {in_range(posts)}; they "
            "are scored by their words alone and stand in no narrative."
        )
        made.add("gaps", OWN_RECORD, text)
    if not made.lines["gaps"]:
        made.add("gaps", OWN_RECORD, "Every source was read all week, as far as our records say.")


def _covered(some: Sequence[Silence], week: Week) -> timedelta:
    """How long at least one of these went on within the week."""
    total, reached = timedelta(), week.since
    for one in sorted(some, key=lambda one: one.began_at):
        start = max(one.began_at, reached)
        end = min(one.ended_at or week.until, week.until)
        if end > start:
            total, reached = total + (end - start), end
    return total


def _share(lost: timedelta, week: Week) -> str:
    if lost >= 0.98 * (week.until - week.since):
        return "the whole time"
    hours = lost.total_seconds() / 3600
    if hours < 1:
        return "less than an hour"
    return f"about {round(hours)} h" if hours < 36 else f"about {round(hours / 24)} days"


def _unknown(session: Session, made: Draft, told: Sequence[Situation]) -> None:
    week = made.week
    provisional = sum(one.danger.provisional and one.danger.high > 0 for one in told)
    if provisional:
        made.add(
            "unknown",
            "",
            f"Situations not coded in full, so their level is provisional: {provisional}.",
        )
    undecided = session.scalar(
        select(func.count())
        .select_from(Flag)
        .where(Flag.raised_at >= week.since, Flag.raised_at < week.until, ~Flag.decision.has())
        .where(Flag.place.startswith(week.place) if week.place else Flag.id > 0)
    )
    if undecided:
        made.add("unknown", "", f"Flags of the week that nobody has decided on: {undecided}.")
    unclear = session.scalar(
        select(func.count())
        .select_from(AlertOutcome)
        .join(AlertOutcome.alert)
        .where(
            AlertOutcome.code == "unknown",
            *(AlertOutcome.at >= week.since, AlertOutcome.at < week.until),
            *(Alert.place.startswith(week.place), ~Alert.exercise),
        )
    )
    if unclear:
        made.add("unknown", "", f"Alerts closed without knowing what came of them: {unclear}.")
    made.add(
        *("unknown", ""),
        "What is said in closed groups, on platforms we do not read, and face to face.",
    )
    made.add(
        *("unknown", ""),
        "Whether anybody will act. This report tells what was said and done; it gives no "
        "likelihood of violence.",
    )


def _summary(made: Draft, told: Sequence[Situation]) -> None:
    grave = [one for one in told if one.danger.low >= 2 or one.danger.high >= 3]
    if grave:
        worst = grave[0]
        places = {name_of_place(one.place) for one in grave if one.place}
        where = f" in {len(places)} place{'s' if len(places) != 1 else ''}" if places else ""
        level = min((one.level for one in grave), key=_sureness)
        high = f" to D{worst.danger.high}" if worst.danger.high > worst.danger.low else ""
        made.add(
            *("summary", level),
            f"{len(grave)} situation{'s' if len(grave) != 1 else ''} of concern{where}; the "
            f"gravest stands at D{worst.danger.low}{high} ({name_of_place(worst.place)}).",
        )
    else:
        made.add("summary", UNSEEN, "No situation of concern came to our notice this week.")


def _sureness(level: str) -> int:
    return int(level[1]) if level[0] == "V" and level[1:].isdigit() else 0
