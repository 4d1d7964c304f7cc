"""What a row of a file of voices says of their accounts and standing limits.

An account is named with its platform's own column, as people write it: a handle, or the address of
its page. What opens it never stands in a file.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.contacts.imported import Row
from campaigns.limits import PER_DAY_MAX
from campaigns.models import VoiceLimits
from campaigns.publishers import BY_HAND, PLATFORMS
from campaigns.voices import BLUESKY_SERVER, REDDIT_SERVER
from campaigns.wording.submissions import place_of

ACCOUNTS = ("bluesky", "mastodon", "reddit", *BY_HAND)  # platforms that have a column
ACCOUNT_LABELS = {platform: PLATFORMS[platform] for platform in ACCOUNTS}
ACCOUNT_NAMES: dict[str, Collection[str]] = {
    "bluesky": ("bluesky handle", "bluesky account", "bsky"),
    "mastodon": ("mastodon handle", "mastodon account", "fediverse"),
    "reddit": ("reddit account", "reddit user", "subreddit"),
    "share_x": ("x", "x handle", "x account", "twitter", "twitter handle"),
    "share_whatsapp": ("whatsapp", "whatsapp group"),
    "share_facebook": ("facebook", "facebook page", "facebook group"),
    "share_nextdoor": ("nextdoor",),
}
LIMITS = ("per_day", "quiet_from", "quiet_until", "zone", "credibility", "security_contact")
LIMIT_LABELS = {
    "per_day": "Messages a day, at most",
    "quiet_from": "Quiet from",
    "quiet_until": "Quiet until",
    "zone": "Time zone of the voice",
    "credibility": "By whom they are heard",
    "security_contact": "Whom to call if threatened",
}
LIMIT_NAMES: dict[str, Collection[str]] = {
    "per_day": ("messages a day", "messages per day", "posts a day", "posts per day", "per day"),
    "quiet_from": ("quiet hours from", "quiet hours begin", "quiet hours start"),
    "quiet_until": ("quiet to", "quiet hours until", "quiet hours to", "quiet hours end"),
    "zone": ("time zone", "timezone", "iana time zone"),
    "credibility": ("heard by", "by whom they are heard", "audience", "credibility notes"),
    "security_contact": ("whom to call if threatened", "if threatened call", "emergency contact"),
}
HANDLE_CHARS = 200
TIME_FORMS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M%p", "%I:%M:%S %p", "%I %p", "%I%p")
BETWEEN = re.compile(r"\s*;\s*")
_BLUESKY = re.compile(
    r"(?:https?://bsky\.app/profile/|@)?((?:[a-z0-9-]{1,63}\.)+[a-z][a-z0-9-]*)/?", re.IGNORECASE
)
_MASTODON = re.compile(
    r"(?:@?(?P<user>\w[\w.-]*)@|https?://(?=[\w.:-]+/@))(?P<host>[\w-]+(?:\.[\w-]+)+(?::\d+)?)"
    r"(?:/@(?P<of_page>\w[\w.-]*)/?)?",
    re.IGNORECASE | re.ASCII,
)


Said = Mapping[str, Any]  # of the fields of Limits those that a row says


@dataclass(frozen=True)
class Named:
    """An account that a row names, as it would be connected."""

    platform: str
    handle: str
    service: str


@dataclass(frozen=True)
class Limits:
    """Standing limits as in models.VoiceLimits."""

    per_day: int | None
    quiet_from: int | None
    quiet_until: int | None
    zone: str
    credibility: str
    security_contact: str

    @property
    def words(self) -> str:
        """All of them, for a preview."""
        said = [f"at most {self.per_day} a day" if self.per_day else "any number a day"]
        if self.quiet_from is not None and self.quiet_until is not None:
            said.append(f"quiet {_clock(self.quiet_from)} to {_clock(self.quiet_until)}")
        said.append(f"counted in {self.zone.replace('_', ' ')}")
        said += [f"heard by: {self.credibility}"] if self.credibility else []
        said += [f"if threatened, call {self.security_contact}"] if self.security_contact else []
        return f"limits: {', '.join(said)}"


def accounts_in(row: Row) -> list[Named]:
    """The accounts that a row names, with a fault for each that cannot be one."""
    found = []
    for platform in ACCOUNTS:
        for typed in filter(None, BETWEEN.split(row.cells[platform])):
            try:
                found.append(_named(platform, typed))
            except ValueError as fault:
                row.fault(platform, f"“{typed}”: {fault}")
    return list(dict.fromkeys(found))


def _named(platform: str, typed: str) -> Named:
    if len(typed) > HANDLE_CHARS:
        raise ValueError(f"A handle has at most {HANDLE_CHARS} characters.")
    if platform == "reddit":
        return Named(platform, str(place_of(typed)), REDDIT_SERVER)
    if platform == "bluesky":
        match = _BLUESKY.fullmatch(typed)
        if match is None:
            raise ValueError("Name the account on Bluesky, such as ruth.bsky.social.")
        return Named(platform, match[1].lower(), f"https://{BLUESKY_SERVER}")
    if platform == "mastodon":
        match = _MASTODON.fullmatch(typed)
        user = (match["user"] or match["of_page"] or "").lower() if match else ""
        if match is None or not user:
            raise ValueError("Name the account with its server, such as ruth@mastodon.social.")
        host = match["host"].lower()
        return Named(platform, f"{user}@{host}", f"https://{host}")
    return Named(platform, typed.removeprefix("@").lower(), "")


def limits_after(said: Said, known: VoiceLimits | None, zone: tzinfo) -> Limits | None:
    """The limits that would hold after a row; None where it says none, or what holds already.

    What the row leaves empty stays as it is. ``zone``: the desk's, where nobody names one.
    ValueError, for the quiet hours, where they would be no whole.
    """
    if not said:
        return None
    before = Limits(None, None, None, getattr(zone, "key", "UTC"), "", "")
    if known is not None:
        before = Limits(**{of: getattr(known, of) for of in LIMITS})
    after = replace(before, **said)
    if (after.quiet_from is None) != (after.quiet_until is None):
        raise ValueError("Quiet hours need both a beginning and an end.")
    if after.quiet_from is not None and after.quiet_from == after.quiet_until:
        raise ValueError("Quiet hours that begin and end at the same time would say nothing.")
    return None if known is not None and after == before else after


def limits_in(row: Row) -> Said:
    """The limits that a row says, by field of Limits, with a fault for each that cannot be."""
    return dict(_read(row))


def _read(row: Row) -> Iterator[tuple[str, int | str]]:
    """(field, value) of each limit that the row says, with faults in it for what cannot be."""
    cells = row.cells
    if cells["per_day"]:
        number = re.fullmatch(r"(\d{1,3})(?:\.0)?", cells["per_day"], re.ASCII)
        if number is None or not 0 < int(number[1]) <= PER_DAY_MAX:
            row.fault("per_day", f"“{cells['per_day']}” is no number from 1 to {PER_DAY_MAX}.")
        else:
            yield "per_day", int(number[1])
    for of in ("quiet_from", "quiet_until"):
        if cells[of]:
            minutes = _minutes(cells[of])
            if minutes is None:
                row.fault(of, f"“{cells[of]}” is no time of day, such as 22:00 or 10 PM.")
            else:
                yield of, minutes
    if cells["zone"]:
        named = cells["zone"].replace(" ", "_")
        try:
            ZoneInfo(named)
        except (KeyError, ValueError, OSError):  # unknown, not a name at all, a folder
            row.fault("zone", f"“{cells['zone']}” is not a time zone, such as America/Detroit.")
        else:
            yield "zone", named
    for of in ("credibility", "security_contact"):
        if cells[of]:
            yield of, cells[of]


def _minutes(typed: str) -> int | None:
    """Minutes after midnight; None where it is no time of day."""
    plain = re.sub(r"\b([ap])\.\s*m\.?", r"\1m", typed.lower())
    for form in TIME_FORMS:
        try:
            at = datetime.strptime(plain, form).time()  # noqa: DTZ007
        except ValueError:
            continue
        return at.hour * 60 + at.minute
    return None


def _clock(minutes: int) -> str:
    return f"{time(minutes // 60, minutes % 60):%H:%M}"
