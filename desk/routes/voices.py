"""Voices: who speaks, what they agreed to, which accounts they speak from."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response

from campaigns import voices
from campaigns.models import Consent, Voice
from campaigns.publishers import PLATFORMS
from desk import people
from desk.pages import Visit, Visiting, local_time

router = APIRouter(prefix="/voices")


def _list(visit: Visit, status: int = 200, **context: object) -> Response:
    context = {"error": "", "form": {}} | context
    return visit.page(
        "voices/list.html",
        status,
        voices=voices.all_voices(visit.session),
        leaders=people.leaders(visit.session),
        platforms=PLATFORMS,
        **context,
    )


def _one(visit: Visit, voice: Voice, status: int = 200, **context: object) -> Response:
    context = {"error": "", "form": {}} | context
    return visit.page("voices/one.html", status, voice=voice, platforms=PLATFORMS, **context)


@router.get("")
def show_all(visit: Visiting) -> Response:
    return _list(visit)


@router.post("")
def add(
    visit: Visiting,
    name: Annotated[str, Form()] = "",
    role: Annotated[str, Form()] = "",
    leader_id: Annotated[int, Form()] = 0,
) -> Response:
    visit.needs("comms", "admin")
    try:
        if leader_id not in {leader.id for leader in people.leaders(visit.session)}:
            raise ValueError("Choose the leader who approves for this voice.")
        voice = voices.add_voice(
            visit.session,
            name=name,
            role=role,
            leader_id=leader_id,
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        form = {"name": name, "role": role, "leader_id": leader_id}
        return _list(visit, 422, error=str(fault), form=form)
    return visit.done(f"/voices/{voice.id}")


@router.get("/{voice_id}")
def show(visit: Visiting, voice_id: int) -> Response:
    return _one(visit, visit.find(Voice, voice_id))


@router.post("/{voice_id}/consents")
def record_consent(
    visit: Visiting,
    voice_id: int,
    scope: Annotated[str, Form()] = "",
    evidence: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
    platforms: Annotated[list[str] | None, Form()] = None,
) -> Response:
    visit.needs("comms", "admin")
    voice = visit.find(Voice, voice_id)
    form = {"scope": scope, "evidence": evidence, "until": until, "platforms": platforms or []}
    try:
        voices.record_consent(
            visit.session,
            voice,
            scope=scope,
            platforms=platforms or [],
            evidence=evidence,
            valid_from=visit.now,
            valid_until=_end_of(until, visit),
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        return _one(visit, visit.find(Voice, voice_id), 422, error=str(fault), form=form)
    return visit.done(f"/voices/{voice.id}")


def _end_of(day: str, visit: Visit) -> datetime:
    """The last moment of a form's day, in the desk's time zone."""
    return local_time(f"{day}T23:59:59", visit.wiring.zone)


@router.post("/{voice_id}/accounts")
def connect(
    visit: Visiting,
    voice_id: int,
    platform: Annotated[str, Form()] = "",
    handle: Annotated[str, Form()] = "",
    service: Annotated[str, Form()] = "",
    secret: Annotated[str, Form()] = "",
) -> Response:
    visit.needs("comms", "admin")
    voice = visit.find(Voice, voice_id)
    form = {"platform": platform, "handle": handle, "service": service}  # never the secret
    try:
        voices.connect_account(
            visit.session,
            voice,
            platform=platform,
            handle=handle,
            service=service,
            secret=secret or None,
            vault=visit.wiring.vault,
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        return _one(visit, visit.find(Voice, voice_id), 422, error=str(fault), form=form)
    return visit.done(f"/voices/{voice.id}")


@router.post("/{voice_id}/consents/{consent_id}/withdraw")
def withdraw(
    visit: Visiting, voice_id: int, consent_id: int, why: Annotated[str, Form()] = ""
) -> Response:
    """Anybody at the desk may stop a voice; starting again takes a new consent."""
    consent = visit.find(Consent, consent_id)
    if consent.voice_id != voice_id:
        raise HTTPException(404)
    try:
        voices.withdraw_consent(visit.session, consent, why=why, by=visit.person.id, now=visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _one(visit, visit.find(Voice, voice_id), 422, error=str(fault))
    return visit.done(f"/voices/{consent.voice_id}")
