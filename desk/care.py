"""Care for the reader: what each chose for themselves, how much they were shown, when to rest.

Counted is how many posts, by person, day and message level, never which ones, and only that
person is shown it. Good practice with violent material asks for all three: see it only when one
means to, know how much it was, and stop in time (Dart Center; domain.md 4.1).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import case, delete, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from desk.models import CareChoice, Exposure, Person, ReadingSpell

COUNTED = (2, 3, 4)  # message levels that weigh on a reader: hostile talk is daily bread
GAP = timedelta(minutes=10)  # without a page of such posts: that was a break
LATER = timedelta(minutes=15)  # a break that was put off is offered again
KEPT = timedelta(days=7)  # of the counts; older ones serve nobody
MINUTES = (30, 45, 60, 90)  # of reading, to choose from
POSTS = (50, 100, 200)


@dataclass(frozen=True)
class Choice:
    """How a person wants to be spared; the defaults are for who has chosen nothing."""

    soften: bool = True
    fold_from: int | None = 3  # message level; None: no post is folded
    break_minutes: int | None = 60
    break_posts: int | None = 200

    def folds(self, level: int) -> bool:
        """Whether a post of this message level waits, folded, until it is asked for."""
        return self.fold_from is not None and level >= self.fold_from


def choice_of(person: Person) -> Choice:
    """What this person has chosen, or the defaults."""
    chosen = person.care
    if chosen is None:
        return Choice()
    return Choice(**{name: getattr(chosen, name) for name in asdict(Choice())})


def read_form(form: Mapping[str, Any]) -> Choice:
    """The choice in a form. ValueError, in plain words, for a value that is none of the offered."""

    def one_of(name: str, offered: tuple[int, ...], what: str) -> int | None:
        value = str(form.get(name, ""))
        if value == "never":
            return None
        if value not in map(str, offered):
            raise ValueError(f"Choose {what}.")
        return int(value)

    return Choice(
        soften="soften" in form,
        fold_from=one_of("fold_from", COUNTED, "from which level on posts are folded, or never"),
        break_minutes=one_of("break_minutes", MINUTES, "after how many minutes, or never"),
        break_posts=one_of("break_posts", POSTS, "after how many posts, or never"),
    )


def choose(session: Session, person: Person, choice: Choice, now: datetime) -> None:
    """Let ``choice`` count for this person from now on; what they chose before stays in the past.

    Choosing the same again changes nothing.
    """
    if person.care is not None and choice == choice_of(person):
        return
    session.execute(
        update(CareChoice)
        .where(CareChoice.person_id == person.id, CareChoice.replaced_at.is_(None))
        .values(replaced_at=now)
    )
    session.add(CareChoice(person_id=person.id, chosen_at=now, **asdict(choice)))


# How much, and for how long


def count(
    session: Session, person: Person, levels: Iterable[int], day: date, now: datetime
) -> tuple[Exposure, ReadingSpell]:
    """Count posts that ``person`` is shown, by message level, and go on with their reading.

    One statement, which also forgets the days before KEPT. Answers the day and the reading as
    they stand then, as plain objects that belong to no session. ``levels`` may be empty: a page
    of such posts is being read again.
    """
    shown = list(levels)
    number = {f"m{level}": shown.count(level) for level in COUNTED}
    adding = insert(Exposure).values(person_id=person.id, day=day, **number)
    today = (
        adding.on_conflict_do_update(
            index_elements=["person_id", "day"],
            set_={name: getattr(Exposure, name) + adding.excluded[name] for name in number},
        )
        .returning(Exposure.m2, Exposure.m3, Exposure.m4)
        .cte("today")
    )
    reading = insert(ReadingSpell).values(
        person_id=person.id, began_at=now, last_at=now, posts=sum(number.values())
    )
    rested = ReadingSpell.last_at <= now - GAP
    fresh = reading.excluded
    spell = (
        reading.on_conflict_do_update(
            index_elements=["person_id"],
            set_={
                "began_at": case((rested, fresh.began_at), else_=ReadingSpell.began_at),
                "posts": case((rested, fresh.posts), else_=ReadingSpell.posts + fresh.posts),
                "later_until": case((rested, None), else_=ReadingSpell.later_until),
                "last_at": func.greatest(ReadingSpell.last_at, fresh.last_at),
            },
        )
        .returning(
            ReadingSpell.began_at,
            ReadingSpell.last_at,
            ReadingSpell.posts,
            ReadingSpell.later_until,
        )
        .cte("spell")
    )
    old = delete(Exposure).where(Exposure.person_id == person.id, Exposure.day <= day - KEPT)
    both = select(today, spell).join_from(today, spell, true())
    row = session.execute(both.add_cte(old.cte("old"))).one()
    return (
        Exposure(person_id=person.id, day=day, m2=row.m2, m3=row.m3, m4=row.m4),
        ReadingSpell(
            person_id=person.id,
            began_at=row.began_at,
            last_at=row.last_at,
            posts=row.posts,
            later_until=row.later_until,
        ),
    )


def forget(session: Session, day: date) -> None:
    """Delete what was counted before KEPT; ``day`` is today where the desk is."""
    session.execute(delete(Exposure).where(Exposure.day <= day - KEPT))


@dataclass(frozen=True)
class Rest:
    """A break that is due: after how long, and how many posts at M2 or above."""

    length: timedelta
    posts: int

    @property
    def minutes(self) -> int:
        """The length in whole minutes."""
        return self.length // timedelta(minutes=1)


def rest_due(spell: ReadingSpell | None, choice: Choice, now: datetime) -> Rest | None:
    """Whether a break is to be offered now: they read on, and for as long as they chose."""
    if spell is None or now - spell.last_at >= GAP:
        return None
    if spell.later_until is not None and now < spell.later_until:
        return None
    length = spell.last_at - spell.began_at
    long = choice.break_minutes is not None and length >= timedelta(minutes=choice.break_minutes)
    much = choice.break_posts is not None and spell.posts >= choice.break_posts
    return Rest(length, spell.posts) if long or much else None


def rested(session: Session, person: Person) -> None:
    """They took a break: what they read before it counts no more towards the next."""
    session.execute(delete(ReadingSpell).where(ReadingSpell.person_id == person.id))


def rest_later(session: Session, person: Person, now: datetime) -> None:
    """They go on; the break is offered again after LATER."""
    session.execute(
        update(ReadingSpell)
        .where(ReadingSpell.person_id == person.id)
        .values(later_until=now + LATER)
    )


# What a page needs to know


@dataclass(frozen=True)
class Care:
    """One person's choices and counts, as the templates use them. ``days``: the last first."""

    choice: Choice
    chosen_at: datetime | None
    days: Sequence[Exposure]
    today: int
    rest: Rest | None
    soften: Callable[[str, Sequence[dict[str, Any]]], str]

    @property
    def week(self) -> int:
        """Posts at M2 or above in the last seven days, today's among them."""
        return sum(one.posts for one in self.days)

    def folds(self, level: int) -> bool:
        """Whether a post of this level waits, folded, until it is asked for."""
        return self.choice.folds(level)

    def masked(self, text: str, reasons: Sequence[dict[str, Any]]) -> str:
        """``text``, as long as it was, as this person wants to see it at first."""
        return self.soften(text, reasons) if self.choice.soften else text


def care_for(
    person: Person,
    counted: tuple[Exposure, ReadingSpell] | None,
    soften: Callable[[str, Sequence[dict[str, Any]]], str],
    day: date,
    now: datetime,
) -> Care:
    """What a page needs to know of its reader. No query: all of it came with the person.

    ``counted``: of ``count``, where this page has counted.
    """
    days = {one.day: one for one in person.exposures if one.day > day - KEPT}
    spell = person.spell
    if counted is not None:
        days[day], spell = counted
    choice = choice_of(person)
    return Care(
        choice=choice,
        chosen_at=person.care.chosen_at if person.care is not None else None,
        days=[days[one] for one in sorted(days, reverse=True)],
        today=days[day].posts if day in days else 0,
        rest=rest_due(spell, choice, now),
        soften=soften,
    )
