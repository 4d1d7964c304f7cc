"""What the watchdogs found: what needs somebody now, who was told, and what is over."""

from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import Response

from campaigns.publishers import PLATFORMS
from campaigns.sending import watchdogs
from campaigns.wording.content import send_time
from desk.notices.log import told_of_barks
from desk.pages import Visiting
from desk.routes.deliveries import LOOKING, concerns

router = APIRouter(prefix="/watchdogs")

PAST = timedelta(days=7)
PAST_SHOWN = 50


@router.get("")
def show(visit: Visiting) -> Response:
    visit.needs(*LOOKING)
    standing = watchdogs.standing_barks(visit.session)
    past = watchdogs.past_barks(visit.session, visit.now - PAST, PAST_SHOWN)
    return visit.page(
        "watchdogs/list.html",
        undecided=[
            (one.version, send_time(one.version.content), one)
            for one in watchdogs.undecided(visit.session, visit.now)
            if one.version is not None
        ],
        unreviewed=watchdogs.unreviewed(visit.session, visit.now),
        standing={(one.kind, one.delivery_id, one.version_id): one for one in standing},
        told=told_of_barks(visit.session, [*standing, *past]),
        past=past,
        past_days=PAST.days,
        platforms=PLATFORMS,
        **concerns(visit),
    )
