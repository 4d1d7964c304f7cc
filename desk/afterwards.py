"""What a page shows of published deliveries: numbers, a line of replies, and what may be done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns.afterwards import retracting, standing
from campaigns.models import Delivery, Message, Observation, Retraction
from campaigns.publishers import BY_HAND
from desk.pages import Visit

WIDTH, HEIGHT, MARGIN = 200, 40, 3  # of the line of replies, in its own units
MOVING = ("approved", "attempting", "unconfirmed")  # of a retraction: the page asks again


@dataclass(frozen=True)
class Line:
    """The replies over time, drawn by the server: ``points`` as an SVG polyline takes them."""

    points: str
    first: int
    last: int
    top: int
    since: datetime


def of_delivery(visit: Visit, delivery: Delivery) -> dict[str, Any]:
    """What afterwards/delivery.html shows of one delivery to whoever asks."""
    standing.with_all(visit.session, delivery)
    known = next(iter(standing.standing(visit.session, [delivery], visit.now)), None)
    seen = standing.history(visit.session, delivery) if known else []
    asked = retracting.history(visit.session, delivery) if known else []
    newest = asked[0] if asked else None
    leads = visit.person.id == delivery.account.voice.leader_id
    return {
        "after": known,
        "seen": seen[::-1],
        "replies_line": line_of(seen),
        "retractions": asked,
        "retraction_moving": newest is not None and newest.state in MOVING,
        "retraction_by_hand": delivery.account.platform in BY_HAND,
        "review_late": {one.id: retracting.review_late(one, visit.now) for one in asked},
        "why_not": retracting.why_not(delivery),
        "may_take_back": _may_take_back(visit, delivery, newest, leads),
        "leads": leads,
        "may_see_to_it": visit.person.may("comms", "duty lead", "admin") or leads,
        "after_form": {},
    }


def _may_take_back(
    visit: Visit, delivery: Delivery, newest: Retraction | None, leads: bool
) -> set[str]:
    """Which ways to take it back this person has: "wish", "ask", "now"."""
    if retracting.why_not(delivery):
        return set()
    ways = set()
    if newest is None or newest.state in ("declined", "failed"):
        ways |= {"wish"} if leads else {"ask"} if visit.person.may("comms") else set()
    elif newest.state != "proposed":
        return set()
    if visit.person.may("duty lead") and not leads:
        ways.add("now")
    return ways


def of_message(visit: Visit, message: Message) -> dict[str, Any]:
    """What messages/one.html shows after publication: by delivery; and what corrects what."""
    corrects, corrected = retracting.corrections_of(visit.session, message)
    known = standing.standing(visit.session, _sent(message), visit.now)
    return {
        "after": {one.delivery.id: one for one in known},
        "corrects": corrects,
        "corrected": corrected,
        "correctable": retracting.is_out(message) and visit.person.may("comms"),
    }


def of_messages(visit: Visit, messages: Sequence[Message]) -> dict[int, list[standing.Standing]]:
    """By message, what is known of its published deliveries, for the page of its campaign."""
    sent = {one.id: message.id for message in messages for one in _sent(message)}
    rows = [one for message in messages for one in _sent(message)]
    found: dict[int, list[standing.Standing]] = {}
    for one in standing.standing(visit.session, rows, visit.now):
        found.setdefault(sent[one.delivery.id], []).append(one)
    return found


def _sent(message: Message) -> list[Delivery]:
    return [
        one
        for version in message.versions
        if version.approval is not None
        for one in version.approval.deliveries
    ]


def line_of(seen: list[Observation]) -> Line | None:
    """The line of replies, from the oldest to the newest; None where there is none to draw."""
    told = [(one.at, one.replies) for one in seen if one.replies is not None]
    if len(told) < 2 or told[0][0] == told[-1][0]:
        return None
    start, end = told[0][0], told[-1][0]
    top = max(1, *(replies for _, replies in told))
    points = []
    for at, replies in told:
        x = MARGIN + (WIDTH - 2 * MARGIN) * ((at - start) / (end - start))
        y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * replies / top
        points.append(f"{x:.1f},{y:.1f}")
    return Line(" ".join(points), told[0][1], told[-1][1], top, start)
