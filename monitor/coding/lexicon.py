"""The lexicon of coded terms, as people keep it: edited, reviewed, retired, every version kept.

An entry counts for KEEPS after somebody has reviewed it, then it stops until somebody does again:
coded language turns fast (requirement 8). How terms are found in texts: ``monitor.reading.terms``.
"""

import json
import re
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, Self

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from monitor.models import LexiconVersion
from monitor.reading.terms import Lexicon, fold

KEEPS = timedelta(days=180)  # from a review to the expiry (requirement 8)
SOON = timedelta(days=14)  # before the expiry an entry is due for review
MIN_FORM, MAX_FORM = 3, 80  # characters of a term or variant; two letters are in every second post
MAX_VARIANTS = 60
MAX_WORDS = 1_000  # characters of a meaning, an origin, a reason …

DEHUMANISING = "dehumanising"
KINDS = {
    "call_to_violence": "Call to violence",
    "threat_code": "Coded threat",
    DEHUMANISING: "Dehumanising",
    "conspiracy": "Conspiracy",
    "identity_code": "Sign of belonging",
    "accelerationism": "Accelerationism",
    "nostalgia": "Nostalgia for violence",
}
LABELS = {  # of the fields, in the order of a form
    "term": "Term",
    "variants": "Variants",
    "language": "Language",
    "locale": "Country",
    "kind": "Kind",
    "meaning": "Meaning",
    "benign_uses": "Harmless uses",
    "origin": "Origin",
    "alternatives": "How to say it without the term",
    "sources": "Sources",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """What an entry says, as a person writes it."""

    term: str = ""
    variants: tuple[str, ...] = ()
    language: str = "en"
    locale: str = "US"
    meaning: str = ""
    origin: str = ""
    benign_uses: str = ""
    alternatives: str = ""
    kind: str = ""
    sources: str = ""

    @classmethod
    def of(cls, version: LexiconVersion) -> Self:
        """What a version says."""
        said = {field.name: getattr(version, field.name) for field in fields(cls)}
        return cls(**said | {"variants": tuple(version.variants)})


class UnfitError(ValueError):
    """What was typed cannot be kept: ``faults`` has one sentence for each field."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__(" ".join(faults.values()))
        self.faults = faults


class ChangedMeanwhileError(ValueError):
    """Somebody else was first; one sentence says so."""


# What people do


def seed(session: Session, now: datetime) -> None:
    """Load the edition that comes with the house, where the lexicon is empty."""
    _take_turns(session)
    if stamp(session):
        return
    session.add_all(edition(now))
    session.flush()


def edition(at: datetime | None = None) -> list[LexiconVersion]:
    """The edition that comes with the house, as first versions made ``at``; not yet stored."""
    text = (resources.files(__package__) / "lexicon.json").read_text(encoding="utf-8")
    shipped = json.loads(text)
    versions = []
    for entry_id, entry in enumerate(shipped["entries"], 1):
        reviewed = datetime.fromisoformat(entry["reviewed"]).replace(tzinfo=UTC)
        versions.append(
            LexiconVersion(
                **{field.name: entry[field.name] for field in fields(Wording)},
                entry_id=entry_id,
                number=1,
                state="active",
                reason=f"Edition {shipped['edition']}",
                by=None,
                at=at,
                reviewed_at=reviewed,
                expires_at=reviewed + KEEPS,
            )
        )
    return versions


def add(session: Session, wording: Wording, by: int, now: datetime) -> LexiconVersion:
    """Make an entry, reviewed now. UnfitError for what cannot be kept."""
    _take_turns(session)
    wording = _checked(session, wording, None, {})
    last = session.scalar(select(func.max(LexiconVersion.entry_id))) or 0
    version = LexiconVersion(
        **_columns(wording),
        entry_id=last + 1,
        number=1,
        state="active",
        reason="Added",
        by=by,
        at=now,
        reviewed_at=now,
        expires_at=now + KEEPS,
    )
    session.add(version)
    session.flush()
    return version


def revise(
    session: Session,
    seen: LexiconVersion,
    wording: Wording,
    reason: str,
    by: int,
    now: datetime,
    reviewed: bool = False,
) -> LexiconVersion:
    """Give an entry other words; ``seen`` is the version they are meant to follow.

    Only with ``reviewed`` the review date moves as well: to mend a comma is no review.
    UnfitError for what cannot be kept, ChangedMeanwhileError when ``seen`` is the newest no more.
    """
    newest = _newest(session, seen.entry_id)
    if newest.id != seen.id:
        raise ChangedMeanwhileError(
            f"Somebody else has changed this entry meanwhile (version {newest.number}); the "
            "history tells how. Your words are still here. Saving again puts them over theirs."
        )
    faults = {} if reason.strip() else {"reason": "Say why you change it."}
    wording = _checked(session, wording, seen.entry_id, faults)
    return _follow(session, newest, wording, newest.state, reason, by, now, reviewed)


def renew(session: Session, entry_id: int, by: int, now: datetime) -> LexiconVersion:
    """Say that an entry is right as it is: it counts for another KEEPS, unless retired."""
    newest = _newest(session, entry_id)
    if newest.state == "retired":
        raise ChangedMeanwhileError("Somebody has retired it. Bring it back first.")
    wording = Wording.of(newest)
    why = "Reviewed; right as it is"
    return _follow(session, newest, wording, "active", why, by, now, reviewed=True)


def retire(session: Session, entry_id: int, reason: str, by: int, now: datetime) -> LexiconVersion:
    """Let an entry count no more. UnfitError without a reason."""
    if not reason.strip():
        raise UnfitError({"reason": "Say why it should count no more."})
    newest = _newest(session, entry_id)
    if newest.state == "retired":
        raise ChangedMeanwhileError("Somebody else has retired it already.")
    return _follow(session, newest, Wording.of(newest), "retired", reason, by, now)


def restore(session: Session, entry_id: int, by: int, now: datetime) -> LexiconVersion:
    """Bring a retired entry back, with the review date it had."""
    newest = _newest(session, entry_id)
    if newest.state == "active":
        raise ChangedMeanwhileError("Somebody else has brought it back already.")
    return _follow(session, newest, Wording.of(newest), "active", "Brought back", by, now)


def _take_turns(session: Session) -> None:
    """Until this transaction ends nobody else makes a version.

    So versions are seen in the order of their ids: ``stamp`` knows by the last one what is new.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("breakwater-lexicon"))))


def _newest(session: Session, entry_id: int) -> LexiconVersion:
    """The newest version of an entry, another person's of a moment ago included."""
    _take_turns(session)
    return session.scalars(
        select(LexiconVersion)
        .where(LexiconVersion.entry_id == entry_id)
        .order_by(LexiconVersion.number.desc())
        .limit(1)
    ).one()


def _follow(
    session: Session,
    before: LexiconVersion,
    wording: Wording,
    state: str,
    reason: str,
    by: int,
    now: datetime,
    reviewed: bool = False,
) -> LexiconVersion:
    """Put a new version after ``before``."""
    reason = _one_line(reason)
    if len(reason) > MAX_WORDS:
        raise UnfitError({"reason": _too_long("The reason", reason)})
    version = LexiconVersion(
        **_columns(wording),
        entry_id=before.entry_id,
        number=before.number + 1,
        state=state,
        reason=reason,
        by=by,
        at=now,
        reviewed_at=now if reviewed else before.reviewed_at,
        expires_at=now + KEEPS if reviewed else before.expires_at,
    )
    session.add(version)
    session.flush()
    return version


def _columns(wording: Wording) -> dict[str, Any]:
    return asdict(wording) | {"variants": list(wording.variants)}


# What can be kept


def _checked(
    session: Session, wording: Wording, entry_id: int | None, faults: dict[str, str]
) -> Wording:
    """The wording in order. UnfitError with a sentence for each field, ``faults`` among them."""
    faults = dict(faults)
    wording = _in_order(wording)
    if not wording.term:
        faults["term"] = "Give the term."
    elif fault := _unfit_form(wording.term):
        faults["term"] = fault
    if len(wording.variants) > MAX_VARIANTS:
        faults["variants"] = f"An entry holds at most {MAX_VARIANTS} variants."
    elif fault := next(filter(None, map(_unfit_form, wording.variants)), ""):
        faults["variants"] = fault
    if not re.fullmatch(r"[a-z]{2,3}", wording.language):
        faults["language"] = "Give the language as a code; English is en, Spanish is es."
    if not re.fullmatch(r"[A-Z]{2}", wording.locale):
        faults["locale"] = "Give the country as two letters; the United States are US."
    if wording.kind not in KINDS:
        faults["kind"] = "Choose what kind of term it is."
    if not wording.meaning:
        faults["meaning"] = "Say what it means to those who use it as a code."
    if not wording.benign_uses:
        faults["benign_uses"] = "Say where it is harmless; without that nobody can judge a hit."
    for name in ("meaning", "benign_uses", "origin", "alternatives", "sources"):
        if len(getattr(wording, name)) > MAX_WORDS:
            faults[name] = _too_long("This", getattr(wording, name))
    # A retired entry holds its forms, too: who needs one again brings it back, with its history.
    taken = {
        fold(form): other
        for other in current(session)
        if other.language == wording.language and other.entry_id != entry_id
        for form in (other.term, *other.variants)
    }
    for name, forms in (("term", (wording.term,)), ("variants", wording.variants)):
        twin = next((form for form in forms if fold(form) in taken), None)
        if twin is not None and name not in faults:
            other = taken[fold(twin)]
            where = "the retired entry" if other.state == "retired" else "the entry"
            faults[name] = f"“{twin}” stands in {where} “{other.term}” already."
    if faults:
        raise UnfitError(faults)
    return wording


def _in_order(wording: Wording) -> Wording:
    """Single blanks, codes in their case, each variant once."""
    plain = {name: _one_line(text) for name, text in asdict(wording).items() if name != "variants"}
    plain["language"] = plain["language"].lower()
    plain["locale"] = plain["locale"].upper()
    kept: dict[str, str] = {}
    for form in filter(None, map(_one_line, wording.variants)):
        kept.setdefault(form.casefold(), form)
    kept.pop(plain["term"].casefold(), None)
    return replace(wording, **plain, variants=tuple(kept.values()))


def _unfit_form(form: str) -> str:
    """What is wrong with a term or variant, in one sentence."""
    if min(len(form), len(fold(form))) < MIN_FORM:
        return f"“{form}” is too short: fewer than {MIN_FORM} characters are found everywhere."
    if len(form) > MAX_FORM:
        return f"“{form[:30]}…” is longer than {MAX_FORM} characters; take its telling part."
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _too_long(what: str, text: str) -> str:
    return f"{what} has {len(text):,} characters; {MAX_WORDS:,} are the most."


# What there is


def current(session: Session) -> list[LexiconVersion]:
    """The newest version of every entry, retired ones included, in the order of making."""
    return list(
        session.scalars(
            select(LexiconVersion)
            .ext(distinct_on(LexiconVersion.entry_id))
            .order_by(LexiconVersion.entry_id, LexiconVersion.number.desc())
        )
    )


def standing(version: LexiconVersion, now: datetime) -> str:
    """Of an entry's newest version: in use, due, expired or retired. The first two count."""
    if version.state == "retired":
        return "retired"
    if version.expires_at <= now:
        return "expired"
    return "due" if version.expires_at <= now + SOON else "in use"


def due(session: Session, now: datetime) -> list[LexiconVersion]:
    """Entries that have expired or soon will, the most urgent first."""
    found = [one for one in current(session) if standing(one, now) in ("due", "expired")]
    return sorted(found, key=lambda one: (one.expires_at, one.entry_id))


def history(session: Session, entry_id: int) -> list[LexiconVersion]:
    """Every version of an entry, the first one first; empty where there is no such entry."""
    return histories(session, entry_id).get(entry_id, [])


def histories(session: Session, *entries: int) -> dict[int, list[LexiconVersion]]:
    """By entry, of these or of all: every version, the first one first."""
    query = select(LexiconVersion).order_by(LexiconVersion.entry_id, LexiconVersion.number)
    if entries:
        query = query.where(LexiconVersion.entry_id.in_(entries))
    found: dict[int, list[LexiconVersion]] = {}
    for version in session.scalars(query):
        found.setdefault(version.entry_id, []).append(version)
    return found


def changes(before: LexiconVersion, after: LexiconVersion) -> list[tuple[str, str]]:
    """What one version changed of the one before: (label of the field, what it said)."""
    old, new = Wording.of(before), Wording.of(after)
    return [
        (label, ", ".join(was) if isinstance(was, tuple) else was)
        for name, label in LABELS.items()
        if (was := getattr(old, name)) != getattr(new, name)
    ]


def speaks_of(version: LexiconVersion, words: str) -> bool:
    """Whether each of these words stands somewhere in an entry."""
    said = " ".join([version.term, *version.variants, version.meaning, version.origin])
    said = fold(f"{said} {version.benign_uses} {version.alternatives} {version.sources}")
    return all(word in said for word in fold(words).split())


# What counts


def load(session: Session, now: datetime) -> Lexicon:
    """The lexicon of all entries that count now."""
    newest = stamp(session)
    counting = [one for one in current(session) if standing(one, now) in ("in use", "due")]
    return Lexicon(counting, newest)


def stamp(session: Session) -> int:
    """The id of the newest version, 0 where there is none: whether something has changed."""
    return session.scalar(select(func.max(LexiconVersion.id))) or 0


def up_to_date(session: Session, known: Lexicon | None, now: datetime) -> Lexicon:
    """``known`` if it still holds, else the lexicon as of now: changes and expiries both count."""
    if (
        known is None
        or known.stamp != stamp(session)
        or (known.until is not None and known.until <= now)
    ):
        return load(session, now)
    return known
