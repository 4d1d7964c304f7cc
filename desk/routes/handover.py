"""Handover: the notes of shifts, and what changed since somebody was here."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy import select
from starlette.datastructures import FormData

from campaigns.contacts import opt_outs
from desk import handover
from desk.models import ShiftNote
from desk.pages import Typed, Visit, Visiting, local_time
from desk.routes.triggers import area_name
from monitor.flags.flags import name_of
from monitor.reports import changes

router = APIRouter(prefix="/handover")

# What may be asked for besides "since I was last here".
SPANS = {"8h": timedelta(hours=8), "24h": timedelta(hours=24), "3d": timedelta(days=3)}
SPAN_NAMES = {"8h": "8 hours", "24h": "24 hours", "3d": "3 days"}
READING_REPLIES = ("comms", "admin")  # who may see what recipients wrote
FEW = 6  # lines of a group that stand open; the others are one click away


@router.get("")
def show(
    visit: Visiting,
    since: Annotated[str, Query()] = "",
    at: Annotated[str, Query()] = "",
) -> Response:
    """``since``: a key of SPANS. ``at``: a local moment. Neither: since this person last read."""
    return _page(visit, since=since, at=at)


@router.post("/read")
def read(visit: Visiting, form: Typed) -> Response:
    """This person has read what the page held that was made at the moment in the form."""
    try:
        until = datetime.fromisoformat(str(form.get("until", ""))).astimezone(UTC)
        handover.read(visit.session, visit.person, until, visit.now)
    except (ValueError, OverflowError):
        visit.session.rollback()
        return _page(visit, 422, error="This page is not one of ours. Read it again, please.")
    return visit.done("/handover")


@router.post("/notes")
def write(visit: Visiting, form: Typed) -> Response:
    words = _words(form)
    try:
        handover.write(visit.session, visit.person, **words, now=visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, 422, error=str(fault), words=words)
    return visit.done("/handover#notes")


@router.post("/draft")
def keep(visit: Visiting, form: Typed) -> Response:
    """Keep what is being typed; the page stays as it is."""
    handover.keep_draft(visit.session, visit.person, _words(form), visit.now)
    visit.session.commit()
    return Response(status_code=204)


@router.post("/draft/keep")
def keep_and_show(visit: Visiting, form: Typed) -> Response:
    """The same by a button, for who uses no script."""
    handover.keep_draft(visit.session, visit.person, _words(form), visit.now)
    return visit.done("/handover#write")


@router.post("/notes/{note_id}/done")
def tick(visit: Visiting, note_id: int, form: Typed) -> Response:
    note, word = visit.find(ShiftNote, note_id), str(form.get("word", ""))
    try:
        handover.tick(visit.session, note, word, visit.person.id, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        status = 422 if note.done is None else 409
        return _page(visit, status, error=str(fault), ticking=(note_id, word))
    return visit.done("/handover#notes")


@router.post("/notes/{note_id}/open")
def untick(visit: Visiting, note_id: int) -> Response:
    note = visit.find(ShiftNote, note_id)
    try:
        handover.untick(visit.session, note, visit.person.id, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, 409, error=str(fault))
    return visit.done("/handover#notes")


def about(note: ShiftNote) -> tuple[str, str] | None:
    """The name and the path of what a note is about."""
    if note.narrative is not None:
        standing = note.narrative.merged_into or note.narrative.id
        return note.narrative.title, f"/narratives/{standing}"
    if note.flag is not None:
        return f"Flag: {name_of(note.flag)}", f"/flags/{note.flag_id}"
    if note.alert is not None:
        headline = note.alert.messages[0].card["headline"] if note.alert.messages else "an alert"
        return f"Alert: {headline}", f"/alerts/{note.alert_id}"
    return None


def _words(form: FormData) -> dict[str, str]:
    return {key: str(form.get(key, "")) for key in handover.DRAFTED}


def _page(visit: Visit, status: int = 200, **context: Any) -> Response:
    """The page, with what was typed and what is wrong with it."""
    asked = {"since": "", "at": "", "error": "", "words": None, "ticking": (0, "")}
    context = asked | context
    session, now, zone = visit.session, visit.now, visit.zone
    lately = now - handover.LATELY
    begun = handover.beginning(session, visit.person, lately)
    last, draft = begun.last, begun.draft
    moment = last.until if last else now - handover.FIRST_TIME
    if context["since"] in SPANS:
        moment = now - SPANS[context["since"]]
    elif context["at"]:
        try:
            moment = local_time(context["at"], zone).astimezone(UTC)
        except ValueError as fault:
            context["error"], status = str(fault), 422
    if moment > now:
        context["error"], status, moment = "That moment is yet to come.", 422, now
    cut = moment < now - handover.FURTHEST
    moment = max(moment, now - handover.FURTHEST)
    open_notes, late_notes = handover.notes(session, lately)
    lapsed, replies, replies_since = session.execute(
        select(changes.lapsed(moment, now), *opt_outs.waiting())
    ).one()
    own = context["since"] not in SPANS and not context["at"]
    return visit.page(
        "handover/page.html",
        status,
        **context | {"words": context["words"] or (draft.words if draft else {})},
        drafted_at=draft.at if draft and context["words"] is None else None,
        open_notes=open_notes,
        late_notes=late_notes,
        about=about,
        stays=handover.STAYS,
        note_chars=handover.NOTE_CHARS,
        last=last,
        own=own,
        moment=moment,
        cut=cut,
        changed=handover.what_changed(session, moment, now),
        lapsed=lapsed,
        readers=begun.readers,
        replies=replies if visit.person.may(*READING_REPLIES) else 0,
        replies_since=replies_since,
        path_of=handover.path_of,
        area_name=area_name,
        span_names=SPAN_NAMES,
        few=FEW,
    )
