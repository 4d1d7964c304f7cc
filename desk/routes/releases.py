"""Emergency releases: asked for by one person, released by another, reviewed by the leader."""

from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from campaigns.approving import release_permissions, releases
from campaigns.approving.approvals import StaleApprovalError
from campaigns.contacts import recipients
from campaigns.drafting import messages
from campaigns.models import Message, MessageVersion, Release, ReleasePermission
from campaigns.publishers import LISTED, PLATFORMS
from campaigns.wording.content import send_time, send_until
from desk import passkeys
from desk.pages import Visit, Visiting
from desk.routes.passkeys import confirmed, options_to_approve, session_token
from desk.routes.voices import voice_page

router = APIRouter()

ASKING = ("comms", "duty lead", "leader")
RELEASING = ("duty lead",)  # one of the two always answers for the shift
SEEING = ("comms", "duty lead", "leader", "admin")


@router.get("/releases")
def show_all(visit: Visiting) -> Response:
    return visit.page(
        "releases/list.html",
        rows=releases.all_releases(visit.session),
        late={one.id for one in releases.late_reviews(visit.session, visit.now)},
    )


@router.get("/messages/{message_id}/release")
def offer(visit: Visiting, message_id: int) -> Response:
    """What would go out without the leader, what the voice allowed, and the form that asks."""
    visit.needs(*ASKING)
    return _asking(visit, visit.find(Message, message_id))


def _asking(visit: Visit, message: Message, status: int = 200, **typed: Any) -> Response:
    version = messages.latest_version(message)
    asked = releases.open_of(visit.session, version) if version is not None else None
    if asked is not None and status == 200:
        return RedirectResponse(f"/releases/{asked.id}", status_code=303)
    waits = version is not None and messages.state_of(message) == "submitted"
    why_not = "" if waits else "Only what is submitted and waits for its leader can be released."
    if version is not None and waits:
        why_not = _not_this_person(visit, version) or releases.why_not(
            visit.session, version, visit.now
        )
    return visit.page(
        "releases/ask.html",
        status,
        message=message,
        version=version,
        why_not=why_not,
        permission=version
        and release_permissions.permission_for(visit.session, version, visit.now),
        **(_words(visit, version) if version else {}),
        **{"error": "", "reason": "", "practical": False} | typed,
    )


def _words(visit: Visit, version: MessageVersion) -> dict[str, Any]:
    """What of a version is shown beside its texts: when it goes out, and who is on its lists."""
    send_at = send_time(version.content)
    return {
        "platforms": PLATFORMS,
        "send_at": send_at,
        "until": send_until(version.content),
        "lists": [
            recipients.shown(visit.session, part, send_at)
            for part in version.content["parts"]
            if part["platform"] in LISTED
        ],
    }


def _not_this_person(visit: Visit, version: MessageVersion) -> str:
    if visit.person.id == version.drafted_by:
        return "You wrote these words: two others release them, if it cannot wait."
    if visit.person.id == version.message.voice.leader_id:
        return "You answer for this voice: approve it on its page, nobody else need."
    return ""


@router.post("/messages/{message_id}/release")
def ask(
    visit: Visiting,
    message_id: int,
    version_id: Annotated[int, Form()] = 0,
    sha256: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    practical: Annotated[str, Form()] = "",
) -> Response:
    visit.needs(*ASKING)
    message = visit.find(Message, message_id)
    try:
        version = next((one for one in message.versions if one.id == version_id), None)
        if version is None:
            raise ValueError("These are no words of this message. Please read it again.")
        asked = releases.ask(
            visit.session,
            version,
            sha256=sha256,
            practical=practical == "yes",
            reason=reason,
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        found = visit.find(Message, message_id)
        typed = {"reason": reason, "practical": practical == "yes"}
        return _asking(visit, found, 422, error=str(fault), **typed)
    return visit.done(f"/releases/{asked.id}")


def release_page(visit: Visit, found: Release, status: int = 200, **context: Any) -> Response:
    """A release as it stands, and what whoever asks may do about it."""
    releases.with_all(visit.session, found)
    version, person = found.version, visit.person
    message = version.message
    waits = (
        found.released_by is None
        and found.refused_by is None
        and version is messages.latest_version(message)
        and messages.state_of(message) == "submitted"
    )
    others = {found.drafted_by, found.asked_by, message.voice.leader_id}
    answering = waits and person.may(*RELEASING) and person.id not in others
    party = passkeys.party_of(visit.wiring.settings)
    return visit.page(
        "releases/one.html",
        status,
        release=found,
        message=message,
        version=version,
        state=messages.state_of(message),
        waits=waits,
        answering=answering,
        refusing=waits and person.may(*SEEING),
        leads=person.id == message.voice.leader_id,
        late=releases.review_late(found, visit.now),
        due=releases.REVIEW_WITHIN,
        permission=found.permission,
        with_passkey=answering and passkeys.asks(visit.session, party, person),
        **_words(visit, version),
        **{"error": "", "why": "", "note": "", "practical": False} | context,
    )


@router.get("/releases/{release_id}")
def show(visit: Visiting, release_id: int) -> Response:
    return release_page(visit, visit.find(Release, release_id))


@router.post("/releases/{release_id}/passkey")
def to_release(visit: Visiting, release_id: int) -> Response:
    """What a browser needs to confirm a release with a passkey."""
    visit.needs(*RELEASING)
    sha256 = visit.find(Release, release_id).sha256
    wiring, token = visit.wiring, session_token(visit)
    return options_to_approve(wiring, visit.session, visit.person, sha256, token, visit.now)


@router.post("/releases/{release_id}/release")
def release(
    visit: Visiting,
    release_id: int,
    sha256: Annotated[str, Form()] = "",
    practical: Annotated[str, Form()] = "",
    answer: Annotated[str, Form()] = "",
) -> Response:
    """The second person's yes."""
    visit.needs(*RELEASING)
    found = visit.find(Release, release_id)
    session, by, now = visit.session, visit.person, visit.now
    try:
        token = session_token(visit)
        key = confirmed(visit.wiring, session, by, answer, found.sha256, token, now)
        releases.release(
            *(session, found),
            sha256=sha256,
            practical=practical == "yes",
            by=by.id,
            now=now,
            passkey=key,
        )
    except ValueError as fault:
        return _refused(visit, release_id, fault, practical=practical == "yes")
    return visit.done(f"/releases/{release_id}")


@router.post("/releases/{release_id}/refuse")
def refuse(visit: Visiting, release_id: int, why: Annotated[str, Form()] = "") -> Response:
    """It waits for the leader after all; whoever asked may say so too."""
    visit.needs(*SEEING)
    found = visit.find(Release, release_id)
    try:
        releases.refuse(visit.session, found, why=why, by=visit.person.id, now=visit.now)
    except ValueError as fault:
        return _refused(visit, release_id, fault, why=why)
    return visit.done(f"/releases/{release_id}")


@router.post("/releases/{release_id}/review")
def review(
    visit: Visiting,
    release_id: int,
    answer: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
) -> Response:
    """The leader's word afterwards."""
    visit.needs("leader")
    found = visit.find(Release, release_id)
    try:
        if answer not in ("agreed", "objected"):
            raise ValueError("Say whether you approve it.")
        releases.review(
            *(visit.session, found),
            agreed=answer == "agreed",
            note=note,
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        return _refused(visit, release_id, fault, note=note)
    return visit.done(f"/releases/{release_id}")


def _refused(visit: Visit, release_id: int, fault: ValueError, **typed: Any) -> Response:
    """The page again, with why not and every word still in its field."""
    visit.session.rollback()
    stale = isinstance(fault, StaleApprovalError)
    found = visit.find(Release, release_id)
    return release_page(visit, found, 409 if stale else 422, error=str(fault), **typed)


@router.post("/release-permissions/{permission_id}/withdraw")
def take_back(visit: Visiting, permission_id: int, why: Annotated[str, Form()] = "") -> Response:
    """Anybody at the desk may end what a voice allowed; allowing it again takes a new consent."""
    permission = visit.find(ReleasePermission, permission_id)
    voice_id = permission.consent.voice_id
    try:
        release_permissions.take_back(
            visit.session, permission, why=why, by=visit.person.id, now=visit.now
        )
    except ValueError as fault:
        visit.session.rollback()
        again = visit.find(ReleasePermission, permission_id)
        return voice_page(visit, again.consent.voice, 422, error=str(fault))
    return visit.done(f"/voices/{voice_id}")
