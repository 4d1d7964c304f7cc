"""A message in two languages: which texts belong together, and who found that they say the same.

No machine translates here. A text in a second language goes out only when somebody who reads both,
and did not write it, has said that it says what the first one says. That word holds for exactly
these two texts: a letter changed in either makes it another pair, which nobody has read yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.checking import Check
from campaigns.models import Message, MessageVersion, TranslationCheck
from campaigns.wording.content import flat, sha256_of
from campaigns.wording.languages import ENGLISH, LANGUAGES, side_by_side

NUMBER, NAME = 19, "Translation checked"  # in the field's checklist: human-checked translation


@dataclass(frozen=True)
class Pair:
    """A text and what is said to be the same in another language, by their tags."""

    lang: str
    text: str
    to: str
    into: str

    @property
    def sha256(self) -> str:
        """Names exactly these two texts, in hex."""
        return sha256_of({"lang": self.lang, "text": self.text, "to": self.to, "into": self.into})

    @property
    def languages(self) -> str:
        """As in "Spanish from English"."""
        return f"{LANGUAGES[self.to]} from {LANGUAGES[self.lang]}"


@dataclass(frozen=True)
class Standing:
    """What is known of one pair of a message."""

    pair: Pair
    checks: Sequence[TranslationCheck]  # by people who did not write it, the first of them first
    writer: int | None  # who brought the second text into the message; None: nobody saved it yet
    stale: bool  # the first text was changed after the second was written, and nobody read it since

    @property
    def checked(self) -> bool:
        return bool(self.checks)


class OwnTranslationError(ValueError):
    """Whoever wrote a translation cannot be the one who checks it."""


def pairs_in(content: Mapping[str, Any]) -> list[Pair]:
    """The pairs that must be checked before a content goes out, each once.

    The first text with the second, and where an account gets words of its own in the second
    language, with these. Empty where no account gets that language.
    """
    both = content.get("translation")
    if not both:
        return []
    lang, text, to, into = both["lang"], both["text"], both["to"], both["into"]
    as_written = {flat(into), flat(side_by_side(text, into))}
    theirs = [part["text"] for part in content["parts"] if to in part.get("lang", ENGLISH)]
    others = [own for own in theirs if flat(own) not in as_written]
    seconds = ([into] if len(others) < len(theirs) else []) + others
    return [Pair(lang, text, to, second) for second in dict.fromkeys(seconds)]


def standings(
    session: Session, content: Mapping[str, Any], message: Message | None
) -> list[Standing]:
    """Each pair of a content, with what people have said of it in this message."""
    pairs = pairs_in(content)
    if not pairs:
        return []
    versions = message.versions if message is not None else []
    query = (
        select(TranslationCheck)
        .join(TranslationCheck.version)
        .where(
            MessageVersion.message_id == (message.id if message is not None else 0),
            TranslationCheck.sha256.in_([pair.sha256 for pair in pairs]),
        )
        .order_by(TranslationCheck.id)
    )
    said = session.scalars(query).all()
    return [_standing(pair, versions, said) for pair in pairs]


def _standing(
    pair: Pair, versions: Sequence[MessageVersion], said: Sequence[TranslationCheck]
) -> Standing:
    with_it = [one for one in versions if any(p.into == pair.into for p in pairs_in(one.content))]
    checks = [one for one in said if one.sha256 == pair.sha256]
    before = {p.text for one in with_it[:1] for p in pairs_in(one.content) if p.into == pair.into}
    return Standing(
        pair=pair,
        checks=checks,
        writer=with_it[0].drafted_by if with_it else None,
        stale=bool(before) and pair.text not in before and not checks,
    )


def translation_checks(
    session: Session, content: Mapping[str, Any], message: Message | None
) -> list[Check]:
    """19: for each pair whether somebody who reads both has checked it. Blocks."""
    found = []
    both = content.get("translation")
    if both and not pairs_in(content):
        second = LANGUAGES[both["to"]]
        problem = f"No account gets the {second}."
        mend = f"Choose an account that gets the {second}, or take it out."
        found.append(Check(NUMBER, "Languages", False, problem, mend))
    for one in standings(session, content, message):
        second, first = LANGUAGES[one.pair.to], LANGUAGES[one.pair.lang]
        if one.checked:
            found.append(
                Check(NUMBER, NAME, True, note=f"The {second} was read beside the {first}.")
            )
            continue
        problem = f"Nobody who reads both has checked the {second} against the {first}."
        if one.stale:
            problem = (
                f"The {first} was changed after the {second} was written: it may say less now."
            )
        mend = (
            f"Save it, and ask somebody who reads {second} and {first} and did not write the "
            f"{second} to read both on this page."
        )
        found.append(Check(NUMBER, NAME, True, problem, mend))
    return found


def say_it_is_right(
    session: Session, version: MessageVersion, sha256s: Sequence[str], *, by: int, now: datetime
) -> list[TranslationCheck]:
    """Somebody who reads both says that each pair of a version says the same.

    ``sha256s``: Pair.sha256 of what their page showed. OwnTranslationError for who wrote one of
    them; ValueError where there is none, or the page showed other texts than stand there.
    """
    message = version.message
    session.refresh(message, with_for_update=True)
    standing = standings(session, version.content, message)
    if version is not message.versions[-1] or not standing:
        raise ValueError("The texts were changed after you opened the page. Read them again.")
    if {one.pair.sha256 for one in standing} != set(sha256s):
        raise ValueError("These are not the texts you were shown. Read them again.")
    if any(one.writer == by for one in standing):
        raise OwnTranslationError("You wrote this translation: somebody else must check it.")
    rows = [
        TranslationCheck(version=version, sha256=one.pair.sha256, by=by, at=now)
        for one in standing
        if by not in {check.by for check in one.checks}
    ]
    session.add_all(rows)
    session.flush()
    return rows
