"""What stands in the form of a message beside its words: a second language, a card, how long.

Flat, as the rest of the form (desk.writing): ``lang``, and for the second language ``text2`` and
``lang2``; for each account ``in_N`` (first, second, both); for each picture ``post_N``, the post of
a thread in which it stands; ``card_url``, ``card_title``, ``card_about``, ``card_image`` (SHA-256),
``card_bare`` (no picture on it) and ``card_off``; ``fresh``, in minutes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.orm import Session

from campaigns.models import Voice
from campaigns.wording.cards import Card
from campaigns.wording.content import FRESHNESS, FRESHNESSES, Besides, Translation
from campaigns.wording.languages import BOTH, FIRST, LANGUAGES, SECOND
from campaigns.wording.media import images_of
from campaigns.wording.threads import POSTS_MAX

FIELDS = r"lang|lang2|text2|fresh|card_(?:url|title|about|image|off|bare)|in_[0-9]{1,9}|post_[0-9]"
SHA256 = re.compile(r"[0-9a-f]{64}")
MINUTES = re.compile(r"[0-9]{1,5}")


@dataclass
class Beside:
    """These fields as typed. ``gets`` goes by account id, ``places`` by the picture's place."""

    lang: str = "en"
    second: str = ""
    lang2: str = "es"
    gets: dict[int, str] = field(default_factory=dict)
    fresh: str = f"{FRESHNESS // timedelta(minutes=1)}"
    card_url: str = ""
    card_title: str = ""
    card_about: str = ""
    card_image: str = ""
    places: list[int] = field(default_factory=list)

    @property
    def has_card(self) -> bool:
        return bool(self.card_url.strip() or self.card_title.strip())

    @property
    def has_second(self) -> bool:
        """Whether there is anything to show of a second language."""
        return bool(self.second.strip()) or any(one != FIRST for one in self.gets.values())

    def gets_of(self, account: int) -> str:
        """Which of the texts an account gets."""
        said = self.gets.get(account, FIRST)
        return said if said in (FIRST, SECOND, BOTH) else FIRST

    def tags(self, account: int) -> tuple[str, ...]:
        """The languages of what an account gets."""
        both = {FIRST: (self.lang,), SECOND: (self.lang2,), BOTH: (self.lang, self.lang2)}
        return both[self.gets_of(account)]

    def approved(self, session: Session, voice: Voice, first: str, links: Sequence[str]) -> Besides:
        """The same as it goes into a content.

        ``first``: the words in the first language; ``links``: those that may have the card.
        """
        translated = Translation(self.lang, first, self.lang2, self.second)
        return Besides(
            card=self._card(session, links),
            places=self.places,
            languages={account.id: self.tags(account.id) for account in voice.accounts},
            translation=translated if self.has_second else None,
            fresh=timedelta(minutes=int(self.fresh) if MINUTES.fullmatch(self.fresh) else 0),
        )

    def _card(self, session: Session, links: Sequence[str]) -> Card | None:
        """The link card as typed, with its picture if that is kept here."""
        if not self.has_card:
            return None
        url = self.card_url.strip() or next(iter(links), "")
        known = images_of(session, [self.card_image]) if self.card_image else {}
        image = known.get(self.card_image)
        return Card(url, self.card_title, self.card_about, image)

    def take_card(self, card: Card) -> None:
        self.card_url, self.card_title, self.card_about = card.url, card.title, card.about
        self.card_image = card.image.sha256 if card.image is not None else ""

    def fields(self) -> dict[str, str]:
        """The same as a flat form."""
        flat = {
            "lang": self.lang,
            "text2": self.second,
            "lang2": self.lang2,
            "fresh": self.fresh,
            "card_url": self.card_url,
            "card_title": self.card_title,
            "card_about": self.card_about,
            "card_image": self.card_image,
        }
        flat |= {f"in_{account}": which for account, which in self.gets.items()}
        return flat | {f"post_{place}": str(post) for place, post in enumerate(self.places)}


def typed_beside(flat: Mapping[str, str], pictures: list[int]) -> Beside:
    """What a flat form holds of this. ``pictures``: the numbers of its pictures, in their order."""
    beside = Beside(
        second=flat.get("text2", ""),
        gets={
            int(name.removeprefix("in_")): which
            for name, which in flat.items()
            if name.startswith("in_")
        },
        places=[_post(flat.get(f"post_{number}", "")) for number in pictures],
    )
    if flat.get("lang", "") in LANGUAGES:
        beside.lang = flat["lang"]
    if flat.get("lang2", "") in LANGUAGES:
        beside.lang2 = flat["lang2"]
    beside.fresh = flat.get("fresh", beside.fresh)
    if "card_off" not in flat:
        beside.card_url = flat.get("card_url", "")
        beside.card_title = flat.get("card_title", "")
        beside.card_about = flat.get("card_about", "")
        sha256 = flat.get("card_image", "")
        if SHA256.fullmatch(sha256) and "card_bare" not in flat:
            beside.card_image = sha256
    return beside


def beside_saved(besides: Besides) -> Beside:
    """The fields of what goes with a version (messages.besides_of)."""
    beside = Beside(places=list(besides.places))
    if (both := besides.translation) is not None:
        beside.lang, beside.lang2, beside.second = both.lang, both.to, both.into
        for account, tags in besides.languages.items():
            if both.to in tags:
                beside.gets[account] = BOTH if len(tags) > 1 else SECOND
    else:
        beside.lang = next((tags[0] for tags in besides.languages.values()), beside.lang)
    beside.fresh = f"{besides.fresh // timedelta(minutes=1)}"
    if besides.card is not None:
        beside.take_card(besides.card)
    return beside


def fresh_choices() -> list[tuple[str, str]]:
    """(minutes, words) of each time after which a message is better not sent."""
    choices = []
    for fresh in FRESHNESSES:
        minutes = fresh // timedelta(minutes=1)
        hours = f"{minutes // 60} hour{'s' if minutes > 60 else ''}"
        choices.append((str(minutes), f"{minutes} minutes" if minutes < 60 else hours))
    return choices


def _post(said: str) -> int:
    return int(said) if MINUTES.fullmatch(said) and 1 <= int(said) <= POSTS_MAX else 1
