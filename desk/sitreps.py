"""Situation reports of a week: drafted from the data, edited by people, final by a duty lead."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload

from campaigns import changes as our_changes
from campaigns.campaigns import HOLD, STRATEGIES
from campaigns.publishers import PLATFORMS
from desk.models import Sitrep, SitrepFinal, SitrepVersion
from monitor.alerts.cap import VERIFICATION
from monitor.coding import lexicon
from monitor.models import Narrative
from monitor.reports import paraphrase, sitrep, sitrep_draft
from monitor.reports.paraphrase import Finding
from monitor.reports.sitrep import SECTIONS, UNGRADED, WEEK, Draft
from sources.places import place_of

SECTION_CHARS = 20_000
REASON_CHARS = 600
SHOWN = 60  # reports on the page: a year of weeks
NOTICE = "For the network, not for publication"
# How a line begins: with its level, as "[V1] …"; a dash before it does no harm.
GRADED = re.compile(rf"^\s*(?:[-*•]\s*)?\[({'|'.join(VERIFICATION)})\]\s*(.*)$", re.IGNORECASE)


class BehindError(ValueError):
    """Somebody has saved a newer version meanwhile."""


class WarnedError(ValueError):
    """The text repeats words of posts, or holds a handle, a link or a coded term."""

    def __init__(self, found: list[Finding]) -> None:
        super().__init__(
            "These lines hold what a report should not. Say it in other words, or say below why it "
            "has to stand."
        )
        self.findings = found


@dataclass(frozen=True)
class Statement:
    """One line of a report as it is read: its level ("" where nobody graded it) and its words."""

    level: str
    words: str


def start(
    session: Session,
    monday: date,
    place: str,
    known_languages: frozenset[str] | None,
    by: int,
    now: datetime,
) -> Sitrep:
    """The report on a week in a place, drafted from the data; the one that is there if one is.

    ``monday``: its first day. ``place``: FIPS of a county or state, "" for everywhere.
    ValueError, one sentence.
    """
    week = sitrep.week_at(monday, place, now)
    twin = select(Sitrep).where(Sitrep.week == monday, Sitrep.place == place)
    if (there := session.scalar(twin)) is not None:
        return there
    made = Sitrep(week=monday, place=place, by=by, at=now)
    try:
        with session.begin_nested():  # the unique key decides a race
            session.add(made)
    except IntegrityError:
        return session.scalars(twin).one()
    _add_version(session, made, drafted(session, week, known_languages, now), [], "", None, now)
    return made


def draft_again(
    session: Session, report: Sitrep, known_languages: frozenset[str] | None, now: datetime
) -> SitrepVersion:
    """A new version from the data as they are now; what people wrote stays in the one before."""
    session.refresh(report, with_for_update=True)
    week = sitrep.week_at(report.week, report.place, now)
    text = drafted(session, week, known_languages, now)
    return _add_version(session, report, text, [], "", None, now)


def drafted(
    session: Session, week: sitrep.Week, known_languages: frozenset[str] | None, now: datetime
) -> dict[str, str]:
    """What all rooms have to say of a week, by section."""
    made = sitrep_draft.draft(session, week, known_languages)
    _our_acts(session, made)
    return sitrep_draft.spelled(session, made, lexicon.load(session, now))


def save(
    session: Session,
    report: Sitrep,
    sections: Mapping[str, str],
    after: int,
    kept_why: str,
    by: int,
    now: datetime,
) -> SitrepVersion:
    """Save an edited report as its newest version, and answer it.

    ``after``: the number of the version that was edited. BehindError if there is a newer one;
    WarnedError for what R37 warns of, unless ``kept_why`` says why it stands; ValueError for a
    line without a verification level, or too many words.
    """
    session.refresh(report, with_for_update=True)
    session.expire(report, ["versions"])
    if report.versions[-1].number != after:
        raise BehindError(
            "Somebody has saved a newer version since you began. Open it beside this one, and put "
            "your changes in there."
        )
    text = {key: _tidy(sections.get(key, "")) for key in SECTIONS}
    kept_why = " ".join(kept_why.replace("\x00", "").split())
    for key, words in text.items():
        if len(words) > SECTION_CHARS:
            raise ValueError(f"“{SECTIONS[key]}” has more than {SECTION_CHARS:,} characters.")
        if key not in UNGRADED and (line := _first_ungraded(words)):
            raise ValueError(
                f"“{SECTIONS[key]}”, line {line}, does not say how sure we are. Begin it with a "
                "level in brackets, from [V0], the machine alone, to [V4], first-hand evidence."
            )
    if len(kept_why) > REASON_CHARS:
        raise ValueError(f"Say why in {REASON_CHARS} characters; these are {len(kept_why)}.")
    found = warnings(session, report, text, now)
    if found and not kept_why:
        raise WarnedError(found)
    kept = [{"section": one.section, "line": one.line, "kind": one.kind} for one in found]
    return _add_version(session, report, text, kept, kept_why if found else "", by, now)


def warnings(
    session: Session, report: Sitrep, sections: Mapping[str, str], now: datetime
) -> list[Finding]:
    """What these sections share with the posts of the week and the four before it, and the rest."""
    week = sitrep.week_at(report.week, report.place, now)
    since = week.since - sitrep.WEEKS_BEFORE * WEEK
    until = week.since + WEEK
    return paraphrase.findings(session, sections, since, until, lexicon.load(session, now))


def finish(session: Session, report: Sitrep, number: int, by: int, now: datetime) -> SitrepFinal:
    """Say that its newest version, which is ``number``, is the report.

    ValueError for one that is not the newest, that nobody has saved, or that is final.
    """
    session.refresh(report, with_for_update=True)
    session.expire(report, ["versions"])
    version = report.versions[-1]
    if version.number != number:
        raise BehindError("There is a newer version: read that one first.")
    if version.by is None:
        raise ValueError("Nobody has read this draft and saved it yet: a person answers for it.")
    if version.final is not None:
        raise ValueError("This version is final already.")
    made = SitrepFinal(version_id=version.id, by=by, at=now)
    session.add(made)
    session.flush()
    session.expire(version, ["final"])
    return made


def reports(session: Session) -> Sequence[Sitrep]:
    """The newest reports with their versions, by week, everywhere before single places."""
    query = select(Sitrep).options(selectinload(Sitrep.versions).joinedload(SitrepVersion.final))
    return session.scalars(query.order_by(Sitrep.week.desc(), Sitrep.place).limit(SHOWN)).all()


def version_of(session: Session, report: Sitrep, number: int) -> SitrepVersion | None:
    """A version by its number."""
    query = select(SitrepVersion).where(
        SitrepVersion.sitrep_id == report.id, SitrepVersion.number == number
    )
    return session.scalars(query.options(joinedload(SitrepVersion.final))).one_or_none()


def state_of(version: SitrepVersion) -> str:
    """In one word: final, edited, or drafted (by the machine, and read by nobody)."""
    if version.final is not None:
        return "final"
    return "drafted" if version.by is None else "edited"


def statements(words: str) -> list[Statement]:
    """The lines of a section, each with its level; empty ones left out."""
    found = []
    for line in words.split("\n"):
        if match := GRADED.match(line):
            level = match[1].upper() if match[1].upper() in VERIFICATION else match[1].lower()
            found.append(Statement(level, match[2].strip()))
        elif line.strip():
            found.append(Statement("", line.strip().removeprefix("-").strip()))
    return found


def days_of(report: Sitrep) -> tuple[date, date]:
    """Its first and its last day."""
    return report.week, report.week + WEEK - timedelta(days=1)


def area_of(report: Sitrep) -> str:
    """Where it is about."""
    return place_of(report.place).name if report.place else "Everywhere we watch"


def _our_acts(session: Session, made: Draft) -> None:
    """Strategies chosen and messages published, told by what they answer; never their words."""
    week = made.week

    def in_question(narrative: Narrative) -> bool:
        standing = narrative.merged_into or narrative.id
        return not week.place or standing in made.narratives

    for campaign in our_changes.chosen(session, week.since, week.until):
        if in_question(campaign.narrative):
            name = STRATEGIES[campaign.strategy].name.lower()
            head = "Held, nothing said" if campaign.strategy == HOLD else f"Answer chosen, {name}"
            made.add(
                *("acts", sitrep.OWN_RECORD, f"{head}: {campaign.narrative.title}."),
                f"{head}: narrative {campaign.narrative_id}.",
            )
    out: dict[int, list[tuple[str, str, str]]] = {}
    for delivery in our_changes.published(session, week.since, week.until):
        message = delivery.approval.version.message
        if in_question(message.campaign.narrative):
            where = PLATFORMS.get(delivery.account.platform, delivery.account.platform)
            about = message.campaign.narrative
            out.setdefault(message.id, []).append((message.voice.name, about.title, where))
    for some in out.values():
        voice, title, _ = some[0]
        places = ", ".join(dict.fromkeys(where for *_, where in some))
        made.add(
            *("acts", sitrep.OWN_RECORD, f"Message published by {voice} ({places}), on: {title}."),
            f"Message published ({places}).",
        )
    if not made.lines["acts"]:
        made.add("acts", sitrep.OWN_RECORD, "Nothing was published, and no response is recorded.")
    sent = f"{len(out)} message{'s' if len(out) != 1 else ''}" if out else "No message"
    made.add("summary", sitrep.OWN_RECORD, f"{sent} of ours went out.")


def _add_version(
    session: Session,
    report: Sitrep,
    sections: dict[str, str],
    kept: list[dict[str, object]],
    kept_why: str,
    by: int | None,
    now: datetime,
) -> SitrepVersion:
    session.expire(report, ["versions"])
    number = report.versions[-1].number + 1 if report.versions else 1
    version = SitrepVersion(
        sitrep_id=report.id,
        number=number,
        sections=sections,
        kept=list(kept),
        kept_why=kept_why,
        by=by,
        at=now,
    )
    session.add(version)
    session.flush()
    session.expire(report, ["versions"])
    return version


def _first_ungraded(words: str) -> int:
    """The number of the first line that holds words and no level; 0 where all have one."""
    for number, line in enumerate(words.split("\n"), 1):
        match = GRADED.match(line)
        if line.strip() and (match is None or not match[2].strip()):
            return number
    return 0


def _tidy(words: str) -> str:
    """Lines without what nobody sees at their ends, and no empty ones around them."""
    lines = words.replace("\r\n", "\n").replace("\x00", "").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")
