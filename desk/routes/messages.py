"""Messages: drafting, checking while one types, submitting, and the leader's yes or no."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response
from starlette.datastructures import FormData

from campaigns import approvals, messages
from campaigns.campaigns import STRATEGIES
from campaigns.checks import GRAPHEMES_MAX, graphemes, run_checks
from campaigns.content import build_content
from campaigns.models import Message, MessageVersion
from campaigns.publishers import PLATFORMS
from desk.pages import Typed, Visit, Visiting, local_time

router = APIRouter(prefix="/messages")

MOVING = frozenset({"submitted", "scheduled", "publishing"})  # the page asks again while so


def _page(visit: Visit, message: Message, status: int = 200, **context: Any) -> Response:
    version = messages.latest_version(message)
    shown = version.content if version else {"parts": []}
    state = messages.state_of(message)
    drafting = "comms" in visit.person.roles and state not in {"publishing", "published"}
    context = {
        "error": "",
        "texts": {part["account"]: part["text"] for part in shown["parts"]},
        "send_at": version and datetime.fromisoformat(shown["send_at"]),
        "typed_time": "",
        "reason": "",
        "checks": messages.check(visit.session, version, visit.now)
        if version and state == "draft"
        else [],
    } | context
    context["send_at"] = context["send_at"] or _next_hour(visit.now)
    leads = visit.person.may("leader") and visit.person.id == message.voice.leader_id
    deciding = state == "submitted" and leads
    return visit.page(
        "messages/one.html",
        status,
        message=message,
        version=version,
        state=state,
        moving=state in MOVING and not deciding and status == 200,
        drafting=drafting,
        deciding=deciding,
        platforms=PLATFORMS,
        strategy=STRATEGIES[message.campaign.strategy],
        limit=GRAPHEMES_MAX,
        counts={account: graphemes(text) for account, text in context["texts"].items()},
        **context,
    )


def _next_hour(now: datetime) -> datetime:
    return (now + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)


def _texts(form: FormData) -> dict[int, str]:
    """The words of a draft form: account id to text."""
    return {
        int(name.removeprefix("text_")): str(value)
        for name, value in form.items()
        if re.fullmatch(r"text_[0-9]{1,9}", name)
    }


@router.get("")
def show_all(visit: Visiting) -> Response:
    rows = [
        (message, messages.latest_version(message), messages.state_of(message))
        for message in messages.all_messages(visit.session)
    ]
    return visit.page("messages/list.html", rows=rows)


@router.get("/{message_id}")
def show(visit: Visiting, message_id: int) -> Response:
    return _page(visit, visit.find(Message, message_id))


@router.post("/{message_id}/check")
def check(visit: Visiting, message_id: int, form: Typed) -> Response:
    """The checks' fragment for the words as they stand in the form; saves nothing."""
    visit.needs("comms")
    message = visit.find(Message, message_id)
    texts, error, found = _texts(form), "", []
    try:
        send_at = local_time(str(form.get("send_at", "")), visit.wiring.zone)
        content = build_content(message.voice, texts, send_at)
        found = run_checks(visit.session, content, message.voice, visit.now)
    except ValueError as fault:
        error = str(fault)
    counts = {account: graphemes(text.strip()) for account, text in texts.items()}
    return visit.page(
        "messages/checks.html",
        checks=found,
        check_error=error,
        counts=counts,
        accounts=message.voice.accounts,
        limit=GRAPHEMES_MAX,
    )


@router.post("/{message_id}/draft")
def save(visit: Visiting, message_id: int, form: Typed) -> Response:
    """Save the draft, and submit it where the second button was pressed."""
    visit.needs("comms")
    message = visit.find(Message, message_id)
    texts, time = _texts(form), str(form.get("send_at", ""))
    try:
        send_at = local_time(time, visit.wiring.zone)
        version = messages.save_draft(
            visit.session, message, texts, send_at, by=visit.person.id, now=visit.now
        )
        if form.get("then") == "submit":
            visit.session.commit()  # a draft that fails its checks is still kept
            messages.submit(visit.session, version, by=visit.person.id, now=visit.now)
    except ValueError as fault:
        visit.session.rollback()
        found = visit.find(Message, message_id)
        return _page(visit, found, 422, error=str(fault), texts=texts, typed_time=time)
    return visit.done(f"/messages/{message_id}")


def _version(visit: Visit, message_id: int, version_id: int) -> MessageVersion:
    version = visit.find(MessageVersion, version_id)
    if version.message_id != message_id:
        raise HTTPException(404)
    return version


@router.post("/{message_id}/approve")
def approve(
    visit: Visiting,
    message_id: int,
    version_id: Annotated[int, Form()],
    sha256: Annotated[str, Form()],
) -> Response:
    """The leader's yes to exactly the text whose hash their page carried."""
    visit.needs("leader")
    version = _version(visit, message_id, version_id)
    try:
        approvals.approve(visit.session, version, sha256=sha256, by=visit.person.id, now=visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, visit.find(Message, message_id), 409, error=str(fault))
    return visit.done(f"/messages/{message_id}")


@router.post("/{message_id}/decline")
def decline(
    visit: Visiting,
    message_id: int,
    version_id: Annotated[int, Form()],
    reason: Annotated[str, Form()] = "",
) -> Response:
    visit.needs("leader")
    version = _version(visit, message_id, version_id)
    try:
        approvals.decline(visit.session, version, reason=reason, by=visit.person.id, now=visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, visit.find(Message, message_id), 409, error=str(fault), reason=reason)
    return visit.done(f"/messages/{message_id}")


@router.post("/{message_id}/withdraw")
def withdraw(visit: Visiting, message_id: int, why: Annotated[str, Form()] = "") -> Response:
    """Stop what is approved but not yet out. Comms and leaders may; it needs a reason."""
    visit.needs("comms", "leader")
    message = visit.find(Message, message_id)
    version = messages.latest_version(message)
    try:
        if version is None or version.approval is None:
            raise ValueError("There is nothing to withdraw: this message is not approved.")
        approvals.withdraw_approval(
            visit.session, version.approval, why=why, by=visit.person.id, now=visit.now
        )
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, visit.find(Message, message_id), 409, error=str(fault), reason=why)
    return visit.done(f"/messages/{message_id}")
