"""The first page: what needs me now, whatever my role."""

from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import Response

from campaigns import messages
from campaigns.campaigns import unanswered
from campaigns.content import send_time
from campaigns.deliveries import deliveries_between
from campaigns.publishers import PLATFORMS
from desk.pages import Visiting
from desk.routes.flags import DECIDING, path_of
from monitor import proposals
from monitor.alerts import unacknowledged
from monitor.flags import name_of, open_flags, open_life_safety, post_of
from monitor.life_safety import ANSWER_WITHIN
from monitor.narratives import count_narratives, unattended_threats
from sources import register

router = APIRouter()

THREATS_SHOWN = timedelta(days=2)  # how long a single post that urges violence stays here


@router.get("/")
def show(visit: Visiting) -> Response:
    session, now, roles = visit.session, visit.now, visit.person.roles
    health = register.health(session, now)
    example = next((one for one in health if one.source.kind == "example"), None)
    others = [one for one in health if one.source.kind != "example"]
    flags = open_flags(session)
    looking = visit.person.may(*DECIDING)  # who is asked to look at posts and flags
    calls = open_life_safety(session) if looking else []
    threats = unattended_threats(session, now - THREATS_SHOWN) if looking else []
    alerts_waiting = unacknowledged(session, visit.person.id)
    waiting = messages.submissions_for(session, visit.person.id)
    to_answer = unanswered(session)
    drafts = messages.drafts(session) if "comms" in roles else []
    return visit.page(
        "overview.html",
        health=health,
        example=example is not None and example.state not in ("paused", "off"),
        example_progress=example and example.source.newest_post_at,
        closed=bool(others) and all(one.state in ("failing", "waiting") for one in others),
        flags=[(flag, name_of(flag), path_of(flag)) for flag in flags],
        calls=[(flag, post_of(session, flag)) for flag in calls],
        answer_within=ANSWER_WITHIN,
        proposals=proposals.proposals(session) if visit.person.may("monitor", "admin") else [],
        threats=threats,
        waiting=waiting,
        alerts_waiting=alerts_waiting,
        send_times={version.id: send_time(version.content) for version in waiting},
        to_answer=to_answer if roles & {"comms", "admin"} else [],
        drafts=[(message, messages.state_of(message)) for message in drafts],
        deliveries=deliveries_between(session, now - timedelta(days=1), now + timedelta(days=7)),
        platforms=PLATFORMS,
        posts_kept=sum(one.source.kept for one in health),
        narrative_count=count_narratives(session),
        urgent=bool(
            waiting
            or alerts_waiting
            or ((flags or calls or threats) and looking)
            or ((to_answer or drafts) and "comms" in roles)
        ),
    )
