"""Messages: drafting, checking while one types, submitting. The leader's word is in approvals."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import FormData

from campaigns.approving.sheets import sheet_of
from campaigns.campaigns import STRATEGIES
from campaigns.checking.checks import Check, run_checks
from campaigns.contacts import recipients
from campaigns.drafting import comments, library, messages, translations, unsaved
from campaigns.models import DELIVERY_STATES, Message, MessageVersion
from campaigns.publishers import PLATFORMS
from campaigns.wording import cards, media, server_rules
from campaigns.wording.content import as_sent, build_content
from campaigns.wording.differences import Differences, between
from campaigns.wording.lengths import DEFAULT_RULES, Measure, measures
from campaigns.wording.server_rules import Told
from campaigns.wording.threads import TOGETHER, posts_for, posts_in
from desk import afterwards, passkeys
from desk.besides import fresh_choices
from desk.notices.log import told_of_version
from desk.pages import Typed, Visit, Visiting
from desk.routes.deliveries import concerns
from desk.writing import Written, as_saved, typed

router = APIRouter(prefix="/messages")

DOUBT = DELIVERY_STATES["unconfirmed"]
NOT_LOOKED: dict[str, Any] = {
    "checks": [],
    "check_error": "",
    "previews": [],
    "due": None,
    "counts": {},
    "servers": {},
    "twice": (),
}
MOVING = frozenset({"submitted", "scheduled", "publishing", DOUBT})  # the page asks again while so


def message_page(visit: Visit, message: Message, status: int = 200, **context: Any) -> Response:
    """A message's page, for whoever asks; ``context`` takes the place of what it would show."""
    version = messages.latest_version(message)
    shown = version.content if version else {"parts": []}
    state = messages.state_of(message)
    drafting = "comms" in visit.person.roles and state not in {"publishing", DOUBT, "published"}
    context = {
        "error": "",
        "send_at": version and datetime.fromisoformat(shown["send_at"]),
        "reason": "",
        "tried": "",
        "typed": {},
        "overtaken": None,
        "commented": "",
    } | context
    if drafting:
        context |= _editing(visit, message, version, state, context.pop("written", None))
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
        asked=told_of_version(visit.session, version.id)
        if version and state == "submitted"
        else [],
        deciding_at=f"/messages/{message.id}",
        pictures_at="/images",
        sheet=sheet_of(visit.session, version, visit.wiring.zone) if version and deciding else None,
        with_passkey=deciding
        and passkeys.asks(visit.session, passkeys.party_of(visit.wiring.settings), visit.person),
        platforms=PLATFORMS,
        strategy=STRATEGIES[message.campaign.strategy],
        versions=_changes(message),
        commenting=may_comment(visit, message),
        translations=translations.standings(visit.session, shown, message),
        tallies=_tallies(visit, version),
        comments=comments.comments_on(visit.session, message),
        comment_chars=comments.CHARS,
        **afterwards.of_message(visit, message),
        **context,
    )


def _tallies(visit: Visit, version: MessageVersion | None) -> list[recipients.Tally]:
    """For each list that an approved version goes to, what became of it."""
    approval = version.approval if version else None
    if approval is None or not approval.listed_states:
        return []
    return recipients.tallies(visit.session, approval)


def _editing(
    visit: Visit,
    message: Message,
    version: MessageVersion | None,
    state: str,
    written: Written | None,
) -> dict[str, Any]:
    """What the form shows: the words just sent, else those kept for this person, else the saved."""
    session, by = visit.session, visit.person.id
    kept = unsaved.of(session, message, by) if written is None else None
    words = written or (typed(kept.fields) if kept else begun_on(visit, message))
    looks = written is not None or kept is not None or (version is not None and state == "draft")
    return {
        "written": words,
        "reasons": words.reasons,
        "unsaved": kept,
        "writers": unsaved.also_writing(session, message, by, visit.now),
        "origin": library.origin_of(session, message),
        "pictures": words.shown(session),
        "earlier_reasons": messages.earlier_reasons(session, message),
        "images_max": media.IMAGES_MAX,
        "alt_max": media.ALT_MAX,
        "carding": any(one.platform in cards.CARRY for one in message.voice.accounts),
        "card_title_max": cards.TITLE_MAX,
        "card_about_max": cards.ABOUT_MAX,
        "fresh_choices": fresh_choices(),
        "thread_posts": _most_posts(message, words),
        **(_looked(visit, message, words) if looks else NOT_LOOKED),
    }


def _most_posts(message: Message, written: Written) -> int:
    """Of the longest thread that stands in the form."""
    threads = [one.id for one in message.voice.accounts if one.platform in TOGETHER]
    return max((len(posts_in(written.text_for(one).strip())) for one in threads), default=1)


def begun_on(visit: Visit, message: Message) -> Written:
    """The form as it was last saved."""
    version = messages.latest_version(message)
    besides = messages.besides_of(visit.session, version)
    return as_saved(version, message.voice, _next_hour(visit.now), visit.zone, besides)


def may_comment(visit: Visit, message: Message) -> bool:
    """Whether this person reads and writes what is said about a message."""
    return "comms" in visit.person.roles or visit.person.id == message.voice.leader_id


def _looked(visit: Visit, message: Message, written: Written) -> dict[str, Any]:
    """How the words would look, how long they are, and what the checks find."""
    session, texts, error, send_at = visit.session, written.texts(message.voice), "", None
    servers = _servers(visit, message)
    content: dict[str, Any] = {"parts": []}
    found: list[Check] = []
    try:
        send_at = written.moment(visit.zone)
    except ValueError as fault:
        error = str(fault)
    try:
        shown = written.shown(session)
        besides = written.besides(session, message.voice)
        content = build_content(message.voice, texts, send_at or visit.now, shown, besides)
        if send_at is not None:
            found = run_checks(
                session, content, message.voice, visit.now, message.campaign, message
            )
    except ValueError as fault:
        error = error or str(fault)
    return {
        "checks": found,
        "check_error": error,
        "previews": content["parts"],
        "due": send_at,
        "counts": _counts(message, texts, servers),
        "servers": {account: there.words for account, there in servers.items()},
        "twice": written.twice(visit.zone),
    }


def _changes(message: Message) -> list[tuple[MessageVersion, Differences]]:
    """The versions, newest first, each with what it changed."""
    rows = message.versions
    before = [None, *(row.content for row in rows)]
    pairs = zip(rows, before, strict=False)
    return [(row, between(older, row.content)) for row, older in pairs][::-1]


def _next_hour(now: datetime) -> datetime:
    return (now + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)


def texts_of(form: FormData) -> dict[int, str]:
    """The words of a draft form: account id to text."""
    return {
        int(name.removeprefix("text_")): str(value)
        for name, value in form.items()
        if re.fullmatch(r"text_[0-9]{1,9}", name)
    }


def reasons_in(form: FormData) -> dict[str, str]:
    """Why the writer goes on in spite of each warning: Check.key to reason."""
    return typed(form).reasons


def _servers(visit: Visit, message: Message) -> dict[int, Told]:
    """For each account on a server with rules of its own: what that takes."""
    on = {
        account.id: account.service
        for account in message.voice.accounts
        if account.platform == server_rules.PLATFORM
    }
    told = server_rules.told(visit.session, set(on.values()))
    return {account: told[service] for account, service in on.items()}


def _counts(
    message: Message, texts: dict[int, str], servers: Mapping[int, Told]
) -> dict[int, list[list[Measure]]]:
    """For each account with words: of each post how long it is, and what is over too.

    By its platform's own rule, or its server's, in the order of the posts.
    """
    rules = {account: there.rules for account, there in servers.items()}
    return {
        account.id: [
            [
                measure
                for place, measure in enumerate(
                    measures(account.platform, post, rules.get(account.id, DEFAULT_RULES))
                )
                if place == 0 or measure.over
            ]
            for post in posts_for(account.platform, as_sent(account.platform, text))
        ]
        for account in message.voice.accounts
        if (text := texts.get(account.id, "").strip())
    }


@router.get("")
def show_all(visit: Visiting) -> Response:
    rows = [
        (message, messages.latest_version(message), messages.state_of(message))
        for message in messages.all_messages(visit.session)
    ]
    return visit.page("messages/list.html", rows=rows, platforms=PLATFORMS, **concerns(visit))


@router.get("/{message_id}")
def show(visit: Visiting, message_id: int) -> Response:
    return message_page(visit, visit.find(Message, message_id, *messages.whole()))


@router.post("/{message_id}/check")
def check(visit: Visiting, message_id: int, form: Typed) -> Response:
    """The checks' fragment for the words as they stand in the form; saves nothing."""
    visit.needs("comms")
    message = visit.find(Message, message_id)
    written = typed(form)
    looked = _looked(visit, message, written) | {"reasons": reasons_in(form), "written": written}
    return visit.page("messages/looked.html", message=message, platforms=PLATFORMS, **looked)


@router.post("/{message_id}/draft")
def save(visit: Visiting, message_id: int, form: Typed) -> Response:
    """Save the draft, and submit it where the second button was pressed."""
    visit.needs("comms")
    message = visit.find(Message, message_id)
    written, reasons = typed(form), reasons_in(form)
    try:
        version = messages.save_draft(
            visit.session,
            message,
            written.texts(message.voice),
            written.moment(visit.zone),
            by=visit.person.id,
            now=visit.now,
            pictures=written.shown(visit.session),
            base=written.base,
            besides=written.besides(visit.session, message.voice),
        )
        unsaved.drop(visit.session, message, visit.person.id)
        messages.keep_reasons(visit.session, version, reasons, by=visit.person.id, now=visit.now)
        if form.get("then") == "submit":
            visit.session.commit()  # a draft that fails its checks is still kept
            messages.submit(
                visit.session, version, by=visit.person.id, now=visit.now, reasons=reasons
            )
    except messages.OvertakenError as fault:
        visit.session.rollback()
        return _overtaken(visit, visit.find(Message, message_id), written, str(fault))
    except ValueError as fault:
        visit.session.rollback()
        found = visit.find(Message, message_id)
        return message_page(visit, found, 422, error=str(fault), written=written, reasons=reasons)
    return visit.done(f"/messages/{message_id}")


def _overtaken(visit: Visit, message: Message, written: Written, error: str) -> Response:
    """The page with these words, and what differs from the version that was saved meanwhile."""
    newest = messages.latest_version(message)
    send_at = written.moment(visit.zone)
    mine = build_content(
        message.voice,
        written.texts(message.voice),
        send_at,
        written.shown(visit.session),
        written.besides(visit.session, message.voice),
    )
    written.base = newest.number if newest else 0
    differences = between(newest.content if newest else None, mine)
    return message_page(visit, message, 409, error=error, written=written, overtaken=differences)
