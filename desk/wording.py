"""What a notification says: that something waits, how grave it is, and where.

Nothing else: it is read on locked screens, and by the services that carry it.
"""

from dataclasses import dataclass
from datetime import timedelta

from campaigns.models import MessageVersion
from desk.models import Notice

NAME = "Breakwater"  # never the organisation's: a locked screen shows it
SAYS = {  # each kind of message of an alert
    "Alert": "an alert waits for you",
    "Update": "an alert you were told of has changed",
    "Cancel": "an alert you were told of was cancelled",
}
NAMES = {"Alert": "Alert", "Update": "Alert that changed", "Cancel": "Alert that was cancelled"}
ANSWERS = {  # each kind of a leader's no
    "declined": "a leader declined a message",
    "change asked": "a leader asks for a change to a message",
}
SILENT = "Nothing is read, scored or sent until one runs again. Please see that it is started."
HAND = {  # a post that a person makes: what is said of it, and what is asked
    "share": ("a post waits to be made by hand", "It is approved, and its time has come."),
    "share again": (
        "a post by hand will soon be too late",
        "It is approved, and nobody has taken it up. After its time it is not posted any more.",
    ),
}
KEYS = {
    "passkey added": "a passkey was added to your sign-in",
    "passkey taken": "a passkey was taken from your sign-in",
}
WAS_IT_YOU = "Was it you? If not, tell an administrator at once, and change your password."
LEVELS = ("watch", "watch", "concern", "high", "critical")  # design, section 2.5
HIGH, CRITICAL = 3, 4
DIGEST_LINES = 20


@dataclass(frozen=True)
class Words:
    """What a notification says."""

    subject: str
    body: str


@dataclass(frozen=True)
class Deciding:
    """A link by which its reader decides without signing in, and for how long it is good."""

    link: str
    lasts: timedelta


def wording(notice: Notice, address: str, deciding: Deciding | None = None) -> Words:
    """What a notice says; ``address`` is the desk's, without a trailing slash.

    ``deciding``: of a message that waits for its leader, where the channel may carry such a link.
    Never a name, a place, a title or a quotation: the page behind the link has them.
    """
    if notice.kind == "try":
        said = f"{NAME}: this is a try."
        return Words(said, f"{said}\nNotifications reach you here. To change them: {address}/me")
    if notice.kind == "digest":
        return _digest(notice.standing, address)
    if notice.version is not None:
        return _asked_to_decide(notice.version, address, deciding)
    if notice.decline is not None:
        said = f"{NAME}: {ANSWERS[notice.decline.kind]}."
        return Words(said, f"{said}\nTheir reason stands with it.\n{_link(notice, address)}")
    if notice.release is not None:
        said = f"{NAME}: a message was released in an emergency, without your word."
        asked = "Read exactly what, and by whom, and review it within 24 hours."
        return Words(said, f"{said}\n{asked}\n{_link(notice, address)}")
    if notice.kind in HAND:
        said, asked = HAND[notice.kind]
        return Words(f"{NAME}: {said}.", f"{NAME}: {said}.\n{asked}\n{_link(notice, address)}")
    if notice.kind in KEYS:
        said = f"{NAME}: {KEYS[notice.kind]}."
        return Words(said, f"{said}\n{WAS_IT_YOU}\n{_link(notice, address)}")
    if notice.bark is not None:
        silent = notice.bark.kind == "silent"
        said = f"{NAME}: {'the worker is silent' if silent else 'a message needs somebody'}."
        asked = SILENT if silent else "It may not go out as it was meant to. Please look."
        return Words(said, f"{said}\n{asked}\n{_link(notice, address)}")
    mark = "[Exercise] " if _exercise(notice) else ""
    what = f"a {_flagged(notice).lower()} waits for you"
    if notice.message is not None:
        what = SAYS[notice.message.kind]
    said = f"{mark}{NAME}: {what} ({LEVELS[notice.level]})."
    asked = ""
    if notice.message is not None:
        asked = "Please open it and say that you have it.\n"
    elif notice.level == CRITICAL:
        asked = "It is about life and safety, and waits for a decision.\n"
    return Words(said, f"{said}\n{asked}{_link(notice, address)}")


def _asked_to_decide(version: MessageVersion, address: str, deciding: Deciding | None) -> Words:
    said = f"{NAME}: a message waits for your approval."
    if deciding is None:
        asked = "Please sign in, read it and decide."
        return Words(said, f"{said}\n{asked}\n{address}/messages/{version.message_id}")
    minutes = max(1, int(deciding.lasts.total_seconds()) // 60)
    lasts = f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
    return Words(
        said,
        f"{said}\nNothing goes out without your word. Open this, read it and decide:\n"
        f"{deciding.link}\n"
        f"The link decides once, for the next {lasts}, and needs no password: keep it to yourself. "
        "Opening it decides nothing.",
    )


def _digest(items: list[Notice], address: str) -> Words:
    number = len(items)
    if items and all(item.bark is not None for item in items):
        said = f"{NAME}: {number} messages or deliveries need somebody."
        asked = "They may not go out as they were meant to. Please look."
        return Words(said, f"{said}\n{asked}\n{address}/watchdogs")
    mark = "[Exercise] " if items and all(_exercise(item) for item in items) else ""
    waits = (
        "1 thing of lower level waits" if number == 1 else f"{number} things of lower level wait"
    )
    said = f"{mark}{NAME}: {waits} for you."
    lines = [
        f"{'[Exercise] ' if _exercise(item) else ''}"
        f"{_named(item)} ({LEVELS[item.level]}): {_link(item, address)}"
        for item in items[:DIGEST_LINES]
    ]
    if number > DIGEST_LINES:
        lines.append(f"and {number - DIGEST_LINES} more: {address}/")
    return Words(said, "\n".join([said, *lines]))


def _named(notice: Notice) -> str:
    """What a line of a digest is about."""
    if notice.bark is not None:
        return "A message that needs somebody"
    return _flagged(notice) if notice.message is None else NAMES[notice.message.kind]


def _flagged(notice: Notice) -> str:
    """Whether the machine or a person asks."""
    return "Report" if notice.flag is not None and notice.flag.kind == "report" else "Flag"


def _exercise(notice: Notice) -> bool:
    return notice.message is not None and notice.message.alert.exercise


def _link(notice: Notice, address: str) -> str:
    if notice.message is not None:
        return f"{address}/alerts/{notice.message.alert_id}"
    if notice.bark is not None:
        return f"{address}/watchdogs"
    if notice.release_id is not None:
        return f"{address}/releases/{notice.release_id}"
    if notice.decline is not None:
        return f"{address}/messages/{notice.decline.version.message_id}"
    if notice.delivery_id is not None:
        return f"{address}/share/{notice.delivery_id}"
    if notice.passkey_id is not None:
        return f"{address}/me#passkeys"
    return f"{address}/flags/{notice.flag_id}"
