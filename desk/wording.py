"""What a notification says: that something waits, how grave it is, and where.

Nothing else: it is read on locked screens, and by the services that carry it.
"""

from dataclasses import dataclass

from desk.models import Notice

NAME = "Breakwater"  # never the organisation's: a locked screen shows it
SAYS = {  # each kind of message of an alert
    "Alert": "an alert waits for you",
    "Update": "an alert you were told of has changed",
    "Cancel": "an alert you were told of was cancelled",
}
NAMES = {"Alert": "Alert", "Update": "Alert that changed", "Cancel": "Alert that was cancelled"}
LEVELS = ("watch", "watch", "concern", "high", "critical")  # design, section 2.5
CRITICAL = 4
DIGEST_LINES = 20


@dataclass(frozen=True)
class Words:
    """What a notification says."""

    subject: str
    body: str


def wording(notice: Notice, address: str) -> Words:
    """What a notice says; ``address`` is the desk's, without a trailing slash.

    Never a name, a place, a title or a quotation: the page behind the link has them.
    """
    if notice.kind == "try":
        said = f"{NAME}: this is a try."
        return Words(said, f"{said}\nNotifications reach you here. To change them: {address}/me")
    if notice.kind == "digest":
        return _digest(notice.standing, address)
    mark = "[Exercise] " if _exercise(notice) else ""
    what = "a flag waits for you" if notice.message is None else SAYS[notice.message.kind]
    said = f"{mark}{NAME}: {what} ({LEVELS[notice.level]})."
    asked = ""
    if notice.message is not None:
        asked = "Please open it and say that you have it.\n"
    elif notice.level == CRITICAL:
        asked = "It is about life and safety, and waits for a decision.\n"
    return Words(said, f"{said}\n{asked}{_link(notice, address)}")


def _digest(items: list[Notice], address: str) -> Words:
    number = len(items)
    mark = "[Exercise] " if items and all(_exercise(item) for item in items) else ""
    waits = (
        "1 thing of lower level waits" if number == 1 else f"{number} things of lower level wait"
    )
    said = f"{mark}{NAME}: {waits} for you."
    lines = [
        f"{'[Exercise] ' if _exercise(item) else ''}"
        f"{'Flag' if item.message is None else NAMES[item.message.kind]} "
        f"({LEVELS[item.level]}): {_link(item, address)}"
        for item in items[:DIGEST_LINES]
    ]
    if number > DIGEST_LINES:
        lines.append(f"and {number - DIGEST_LINES} more: {address}/")
    return Words(said, "\n".join([said, *lines]))


def _exercise(notice: Notice) -> bool:
    return notice.message is not None and notice.message.alert.exercise


def _link(notice: Notice, address: str) -> str:
    if notice.message is not None:
        return f"{address}/alerts/{notice.message.alert_id}"
    return f"{address}/flags/{notice.flag_id}"
