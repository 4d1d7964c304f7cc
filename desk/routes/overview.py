"""The first page: what needs me now, whatever my role."""

from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import select

from campaigns.approving import releases
from campaigns.campaigns import unanswered
from campaigns.drafting import messages
from campaigns.publishers import PLATFORMS
from campaigns.sending.at_hand import at_hand
from campaigns.wording.content import send_time
from desk import handover, heartbeat
from desk.pages import Visiting
from desk.routes.choosing import CHOOSING
from desk.routes.deliveries import LOOKING, worker
from desk.routes.flags import DECIDING, path_of
from desk.routes.releases import RELEASING, SEEING
from monitor.alerts.alerts import unacknowledged
from monitor.flags import second_looks
from monitor.flags.flags import name_of
from monitor.flags.life_safety import ANSWER_WITHIN
from monitor.flags.waiting import waiting
from monitor.narratives import proposals
from monitor.narratives.narratives import standing_number, unattended_threats
from sources import register

router = APIRouter()

CAME_OF_IT = timedelta(days=7)  # how long what came of a report stands here for who made it
THREATS_SHOWN = timedelta(days=2)  # how long a single post that urges violence stays here


@router.get("/")
def show(visit: Visiting) -> Response:
    session, now, roles = visit.session, visit.now, visit.person.roles
    sources = register.states(session, now)
    example = next((one for one in sources if one[0].kind == "example"), None)
    others = [state for source, state, _ in sources if source.kind != "example"]
    heard, notes_open, narrative_count = session.execute(
        select(heartbeat.newest(), handover.open_number(), standing_number())
    ).one()
    waits = waiting(session, visit.person.id, now - CAME_OF_IT)
    calls, reported = waits.calls, waits.reported
    looking = visit.person.may(*DECIDING)  # who is asked to look at posts and flags
    if not looking:  # a report that calls at once is one report to them
        calls, reported = [], [*(one for one in calls if one.kind == "report"), *reported]
    threats = unattended_threats(session, now - THREATS_SHOWN) if looking else []
    called = [(flag, waits.posts.get(flag.post_id or 0)) for flag in calls]
    visit.shows([*threats, *(reading for _, reading in called if reading is not None)])
    visit.undisturbed = bool(calls)
    alerts_waiting = unacknowledged(session, visit.person.id)
    unapproved = messages.unapproved(session) if visit.person.may(*SEEING) else []
    submitted = messages.submissions_among(unapproved, visit.person.id)
    drafts = messages.drafts_among(unapproved) if "comms" in roles else []
    asked, unreviewed = releases.open_among(unapproved, now)
    asked = asked if visit.person.may(*RELEASING) else []
    # To its leader from the first, to those who can call them once it is late.
    to_review = [
        (one, version, late)
        for one, version in unreviewed
        if (late := releases.review_late(one, now))
        or version.message.voice.leader_id == visit.person.id
    ]
    to_answer, held = unanswered(session, now) if visit.person.may(*CHOOSING) else ([], [])
    seconds = waits.seconds if looking else []
    mine = [one for _, one in seconds if second_looks.may_look(one, visit.person.id)]
    hand = at_hand(session, visit.person.id, visit.stops, now)
    concerns = hand.concerns if visit.person.may(*LOOKING) else []
    return visit.page(
        "overview.html",
        releases_asked=asked,
        releases_to_review=to_review,
        sources=sources,
        example=example is not None and example[1] not in ("paused", "off"),
        example_progress=example and example[0].newest_post_at,
        closed=bool(others) and all(state in ("failing", "waiting") for state in others),
        flags=[(flag, name_of(flag), path_of(flag)) for flag in waits.rises],
        calls=called,
        reported=[(flag, name_of(flag)) for flag in reported],
        my_reports=[(flag, name_of(flag)) for flag in waits.mine],
        answer_within=ANSWER_WITHIN,
        proposals=proposals.proposals(session) if visit.person.may("monitor", "admin") else [],
        threats=threats,
        seconds=[(decision, name_of(flag), path_of(flag)) for flag, decision in seconds],
        second_of=second_looks,
        held=held,
        waiting=submitted,
        alerts_waiting=alerts_waiting,
        send_times={version.id: send_time(version.content) for version in submitted},
        to_answer=to_answer,
        drafts=[(message, messages.state_of(message)) for message in drafts],
        deliveries=hand.going_out,
        to_post=hand.by_hand,
        concerns=concerns,
        **worker(heard, now),
        platforms=PLATFORMS,
        notes_open=notes_open,
        posts_kept=sum(source.kept for source, _, _ in sources),
        narrative_count=narrative_count,
        urgent=bool(
            submitted
            or asked
            or to_review
            or hand.by_hand
            or concerns
            or alerts_waiting
            or mine
            or held
            or ((waits.rises or reported or calls or threats) and looking)
            or ((to_answer or drafts) and "comms" in roles)
        ),
    )
