"""Voices: who speaks, what they agreed to, which accounts they speak from."""

from contextlib import suppress
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response

from campaigns import limits, voices
from campaigns.accounts import grants
from campaigns.approving import release_permissions
from campaigns.contacts import closing
from campaigns.models import Consent, Voice
from campaigns.publishers import BY_HAND, KEYLESS, LISTED, PLATFORMS
from campaigns.wording import server_rules
from desk import people
from desk.pages import Visit, Visiting, local_time
from desk.quiet import minutes_of, time_of
from sources.addresses import PrivateAddressError, check_public
from sources.collector import SourceFaultError

router = APIRouter(prefix="/voices")

# Platforms whose accounts stand on a server that somebody names.
ON_NAMED_SERVERS = PLATFORMS.keys() - KEYLESS - {"reddit"}


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


def needs_to_connect(visit: Visit, voice: Voice) -> None:
    """Comms and administrators connect accounts, and so does whose account it is."""
    if visit.person.id != voice.leader_id or not visit.person.may("leader"):
        visit.needs("comms", "admin")


def voice_page(visit: Visit, voice: Voice, status: int = 200, **context: object) -> Response:
    """A voice's page; ``context`` takes the place of what it would show."""
    context = {"error": "", "form": {}, "limits_form": None} | context
    context = {"closed": {"why": "", "at": 0, "using": ()}} | context
    context = {"reddit_handle": "", "bluesky_handle": ""} | context
    return visit.page(
        "voices/one.html",
        status,
        voice=voice,
        platforms=PLATFORMS,
        offered=_offered(visit),
        by_hand=BY_HAND,
        limits=limits.history(visit.session, voice),
        closings=closing.closings(visit.session, voice),
        permissions=release_permissions.of_voice(visit.session, voice),
        servers=server_rules.told(
            visit.session,
            {one.service for one in voice.accounts if one.platform == server_rules.PLATFORM},
        ),
        time_of=time_of,
        is_open=voices.is_open,
        at_reddit=visit.wiring.reddit_login is not None,
        at_bluesky=visit.wiring.bluesky_oauth is not None,
        grants=grants.newest(visit.session, voice.accounts),
        in_words=grants.may,
        **context,
    )


def _offered(visit: Visit) -> dict[str, str]:
    """The platforms by which this desk can publish, as its settings are."""
    ready = {*visit.wiring.publishers, *BY_HAND}
    return {key: label for key, label in PLATFORMS.items() if key in ready}


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
    return voice_page(visit, visit.find(Voice, voice_id))


@router.post("/{voice_id}/consents")
def record_consent(
    visit: Visiting,
    voice_id: int,
    scope: Annotated[str, Form()] = "",
    evidence: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
    platforms: Annotated[list[str] | None, Form()] = None,
    emergency: Annotated[str, Form()] = "",
    emergency_until: Annotated[str, Form()] = "",
) -> Response:
    """With ``emergency`` a permission besides, until its own day or as long as the consent."""
    visit.needs("comms", "admin")
    voice = visit.find(Voice, voice_id)
    form = {"scope": scope, "evidence": evidence, "until": until, "platforms": platforms or []}
    form |= {"emergency": emergency, "emergency_until": emergency_until}
    try:
        consent = voices.record_consent(
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
        if emergency.strip() or emergency_until.strip():
            ends = _end_of(emergency_until, visit) if emergency_until.strip() else None
            release_permissions.allow(
                visit.session,
                consent,
                covers=emergency,
                until=ends or consent.valid_until,
                by=visit.person.id,
                now=visit.now,
            )
    except ValueError as fault:
        visit.session.rollback()
        return voice_page(visit, visit.find(Voice, voice_id), 422, error=str(fault), form=form)
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
    secret_until: Annotated[str, Form()] = "",
) -> Response:
    visit.needs("comms", "admin")
    voice = visit.find(Voice, voice_id)
    form = {"platform": platform, "handle": handle, "service": service}  # never the secret
    form["secret_until"] = secret_until
    try:
        if platform in PLATFORMS.keys() - LISTED - _offered(visit).keys():
            raise ValueError(f"{PLATFORMS[platform]} is off at this desk: a setting turns it on.")
        if platform in ON_NAMED_SERVERS:
            _check_public(visit, service.strip())
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
            secret_until=_end_of(secret_until, visit) if secret_until.strip() else None,
        )
    except ValueError as fault:
        visit.session.rollback()
        return voice_page(visit, visit.find(Voice, voice_id), 422, error=str(fault), form=form)
    return visit.done(f"/voices/{voice.id}")


def _check_public(visit: Visit, service: str) -> None:
    """ValueError for a server in a private network, unless the settings let it be asked."""
    # What is not known, or no address at all, is told elsewhere.
    with suppress(SourceFaultError):
        try:
            check_public(service, private=visit.wiring.settings.private_addresses)
        except PrivateAddressError:
            raise ValueError(
                f"{service} leads into a private network, and only public servers are asked. If "
                "it is meant, whoever runs the desk sets BREAKWATER_PRIVATE_ADDRESSES."
            ) from None


@router.post("/{voice_id}/limits")
def set_limits(
    visit: Visiting,
    voice_id: int,
    per_day: Annotated[str, Form()] = "",
    quiet_from: Annotated[str, Form()] = "",
    quiet_until: Annotated[str, Form()] = "",
    zone: Annotated[str, Form()] = "",
    credibility: Annotated[str, Form()] = "",
    security_contact: Annotated[str, Form()] = "",
) -> Response:
    """Comms, administrators and the voice's own leader say what it allows at most."""
    voice = visit.find(Voice, voice_id)
    if visit.person.id != voice.leader_id:
        visit.needs("comms", "admin")
    form = {
        "per_day": per_day,
        "quiet_from": quiet_from,
        "quiet_until": quiet_until,
        "zone": zone,
        "credibility": credibility,
        "security_contact": security_contact,
    }
    try:
        limits.set_limits(
            visit.session,
            voice,
            per_day=_number(per_day),
            quiet_from=minutes_of(quiet_from),
            quiet_until=minutes_of(quiet_until),
            zone=zone.strip().replace(" ", "_"),
            credibility=credibility,
            security_contact=security_contact,
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        found = visit.find(Voice, voice_id)
        return voice_page(visit, found, 422, error=str(fault), limits_form=form)
    return visit.done(f"/voices/{voice_id}")


def _number(text: str) -> int | None:
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise ValueError("Messages a day: give a number, or leave it empty.") from None


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
        return voice_page(visit, visit.find(Voice, voice_id), 422, error=str(fault))
    return visit.done(f"/voices/{consent.voice_id}")
