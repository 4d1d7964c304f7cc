"""What stands in the form of a message: one text for all, words of an account's own, pictures.

The form is flat, so that it works without a script and can be kept as it is: ``text``, and for
each account ``use_N`` (same, own, none) and ``text_N``; for each picture ``image_N`` (its SHA-256),
``alt_N``, ``place_N`` and ``drop_N``; ``reason_KEY`` for each warning the writer leaves standing
(Check.key); ``send_at``, and ``which`` of two where that time comes twice; ``base``, the number of
the version it began on. What stands beside the words is in desk.besides.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from campaigns.models import Image, MessageVersion, Voice
from campaigns.wording.cards import CARRY, first_link
from campaigns.wording.content import NOTHING_BESIDES, Besides, clean, flat, pictures_in
from campaigns.wording.languages import BOTH, FIRST, SECOND, side_by_side
from campaigns.wording.media import IMAGES_MAX, images_of
from campaigns.wording.threads import posts_in
from desk.besides import FIELDS, Beside, beside_saved, typed_beside
from desk.clock_changes import both, sending_time, which_of

FIELD = re.compile(
    r"text|send_at|which|base|(?:text|use)_[0-9]{1,9}|(?:image|alt|place|drop)_[0-9]"
    rf"|reason_[0-9]{{1,2}}_[0-9a-f]{{12}}|{FIELDS}"
)
SHA256 = re.compile(r"[0-9a-f]{64}")
SAME, OWN, NONE = "same", "own", "none"
MINUTE = "%Y-%m-%dT%H:%M"  # as a form's local time is written


@dataclass
class Written:
    """The form as typed. ``own`` and ``use`` go by account id; ``pictures`` are (SHA-256, alt)."""

    text: str = ""
    own: dict[int, str] = field(default_factory=dict)
    use: dict[int, str] = field(default_factory=dict)
    send_at: str = ""
    which: str = ""  # of the two, where that local time comes twice (clock_changes)
    base: int | None = None
    pictures: list[tuple[str, str]] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    beside: Beside = field(default_factory=Beside)

    def texts(self, voice: Voice) -> dict[int, str]:
        """Account id to the words meant for it; "" for an account left out."""
        return {account.id: self.text_for(account.id) for account in voice.accounts} | {
            number: words
            for number, words in self.own.items()
            if number not in {account.id for account in voice.accounts} and words.strip()
        }

    def text_for(self, account: int) -> str:
        """The words meant for one account."""
        if self.use_of(account) == NONE:
            return ""
        own = self.own.get(account, "")
        if self.use.get(account) == OWN:
            return own
        # The form of a voice with one account has its words in a box of that account.
        first = self.text if self.use_of(account) == SAME else own
        which, second = self.beside.gets_of(account), self.beside.second
        return {SECOND: second, BOTH: side_by_side(first, second)}.get(which, first)

    def make_plain(self, account: int, plain: Callable[[str], str]) -> None:
        """Rewrite what an account gets, wherever it is written."""
        if account in self.own and self.use_of(account) == OWN:
            self.own[account] = plain(self.own[account])
        else:
            self.text = plain(self.text)
        if self.beside.gets_of(account) != FIRST:
            self.beside.second = plain(self.beside.second)

    def first(self) -> str:
        """The words in the first language."""
        chosen = [own for number, own in self.own.items() if number not in self.use]
        return self.text or (chosen[0] if chosen else "")

    def besides(self, session: Session, voice: Voice) -> Besides:
        """What goes with the words and the pictures."""
        return self.beside.approved(session, voice, self.first(), self.links(voice))

    def links(self, voice: Voice) -> list[str]:
        """The first link of each post that can have a card, in order."""
        texts = [self.text_for(one.id) for one in voice.accounts if one.platform in CARRY]
        found = [first_link(post) for text in texts for post in posts_in(clean(text))]
        return list(dict.fromkeys(link for link in found if link))

    def use_of(self, account: int) -> str:
        """Whether it takes the text for all, words of its own, or nothing."""
        said = self.use.get(account)
        if said in (SAME, OWN, NONE):
            return said
        return OWN if account in self.own else SAME

    def shown(self, session: Session) -> list[tuple[Image, str]]:
        """The pictures with their alt text, in order; what nobody uploaded is left out."""
        kept = images_of(session, [sha256 for sha256, _ in self.pictures])
        return [(kept[sha256], alt) for sha256, alt in self.pictures if sha256 in kept]

    def moment(self, zone: ZoneInfo) -> datetime:
        """When it is to be sent; ValueError, one sentence, where that is not clear."""
        return sending_time(self.send_at, zone, self.which)

    def twice(self, zone: ZoneInfo) -> tuple[datetime, ...]:
        """The two moments that its time may mean, where clocks go back; else none."""
        return both(self.send_at, zone)

    def fields(self) -> dict[str, str]:
        """The same as a flat form."""
        flat = {"text": self.text, "send_at": self.send_at}
        if self.which:
            flat["which"] = self.which
        if self.base is not None:
            flat["base"] = str(self.base)
        flat |= {f"text_{number}": words for number, words in self.own.items()}
        flat |= {f"use_{number}": use for number, use in self.use.items()}
        flat |= {f"reason_{key}": words for key, words in self.reasons.items()}
        for place, (sha256, alt) in enumerate(self.pictures):
            flat |= {
                f"image_{place}": sha256,
                f"alt_{place}": alt,
                f"place_{place}": str(place + 1),
            }
        return flat | self.beside.fields()


def typed(form: Mapping[str, Any]) -> Written:
    """What a form holds; fields that are none of ours, and uploads, are passed over."""
    flat = {
        name: value
        for name, value in form.items()
        if isinstance(value, str) and FIELD.fullmatch(name)
    }
    base = flat.get("base", "")
    pictures = [
        (_place(flat.get(f"place_{number}", ""), number), number)
        for number in range(IMAGES_MAX + 1)
        if SHA256.fullmatch(flat.get(f"image_{number}", "")) and f"drop_{number}" not in flat
    ]
    return Written(
        text=flat.get("text", ""),
        own=_by_account(flat, "text_"),
        use=_by_account(flat, "use_"),
        send_at=flat.get("send_at", ""),
        which=flat.get("which", ""),
        base=int(base) if re.fullmatch(r"[0-9]{1,6}", base) else None,
        pictures=[
            (flat[f"image_{number}"], flat.get(f"alt_{number}", ""))
            for _, number in sorted(pictures)
        ],
        reasons={
            name.removeprefix("reason_"): words
            for name, words in flat.items()
            if name.startswith("reason_")
        },
        beside=typed_beside(flat, [number for _, number in sorted(pictures)]),
    )


def as_saved(
    version: MessageVersion | None,
    voice: Voice,
    otherwise: datetime,
    zone: ZoneInfo,
    besides: Besides = NOTHING_BESIDES,
) -> Written:
    """The form of a version; an empty one, due ``otherwise``, before the first.

    ``besides``: what goes with the version's words (messages.besides_of).
    """
    if version is None:
        return Written(send_at=f"{otherwise.astimezone(zone):{MINUTE}}", base=0)
    parts = {part["account"]: part for part in version.content["parts"]}
    written = Written(text=_common(parts.values()), base=version.number)
    written.beside = beside_saved(besides)
    if besides.translation is not None:
        written.text = besides.translation.text
    alone = len(voice.accounts) == 1
    for account in voice.accounts:
        if account.id not in parts:
            if parts and not alone:
                written.use[account.id] = NONE
            continue
        words, meant = parts[account.id]["text"], clean(written.text_for(account.id))
        if words in (meant, flat(meant)):
            continue
        if not alone:
            written.own[account.id], written.use[account.id] = words, OWN
        elif written.beside.gets_of(account.id) == SECOND:
            written.beside.second = words
        else:  # the leader changed both languages at once: they stand in one box from now on
            written.text, written.beside.second = words, ""
    send_at = datetime.fromisoformat(version.content["send_at"])
    written.send_at = f"{send_at.astimezone(zone):{MINUTE}}"
    written.which = which_of(send_at, zone)
    shown = pictures_in(version.content)
    written.pictures = [(one["sha256"], one["alt"]) for one in shown]
    return written


def _common(parts: Iterable[Mapping[str, Any]]) -> str:
    """The text that most parts have, a thread counted as its words; of equals the one in posts."""
    texts = [part["text"] for part in parts]
    told = Counter(flat(text) for text in texts).most_common(1)
    alike = [text for text in texts if told and flat(text) == told[0][0]]
    return max(alike, key=lambda text: len(posts_in(text)), default="")


def _place(said: str, number: int) -> tuple[int, int]:
    """Where a picture goes: what its writer chose, else where it stands."""
    return (int(said) if re.fullmatch(r"[1-9]", said) else number + 1, number)


def _by_account(flat: Mapping[str, str], prefix: str) -> dict[int, str]:
    return {
        int(name.removeprefix(prefix)): words
        for name, words in flat.items()
        if name.startswith(prefix)
    }
