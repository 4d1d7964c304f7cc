"""The web process keeps an eye on the worker: a worker that is gone cannot say so itself.

It tells of the silence alone, by the channels people have; all else waits for a worker.
"""

import logging
import threading
import time
from datetime import datetime, timedelta

from campaigns.sending import watchdogs
from desk import channels, heartbeat
from desk.models import Notice
from desk.notices.of_warnings import of_barks
from desk.telling import tell_due
from desk.wiring import Wiring, clock

LOOKS = 30.0  # seconds between two looks
# Longer than a restart with its language model takes, and shorter than anything may be late.
PATIENCE = timedelta(minutes=5)
JUMP = timedelta(minutes=2)  # so long between two looks: this machine slept, and so did the worker

log = logging.getLogger(__name__)


def begin(wiring: Wiring) -> threading.Thread:
    """Look now and then for as long as the process lives; its end does not wait for it."""
    thread = threading.Thread(target=_watch, args=(wiring,), name="sentry", daemon=True)
    thread.start()
    return thread


def _watch(wiring: Wiring) -> None:
    awake_since = last = clock()
    while True:
        time.sleep(LOOKS)
        now = clock()
        if now - last > JUMP:
            awake_since = now
        last = now
        try:
            look(wiring, awake_since, now)
        except Exception:  # a database that is away comes back; the web's own pages say so
            log.exception("The worker's heartbeat could not be looked at")


def look(wiring: Wiring, awake_since: datetime, now: datetime) -> bool:
    """Tell people if no worker has been heard of for PATIENCE; whether it is so.

    ``awake_since``: from when on somebody was here to hear one. Safe from several processes at
    once, and as often as one likes.
    """
    with wiring.sessions.begin() as session:
        heard = heartbeat.last_heard(session)
        silent = now - max(filter(None, (heard, awake_since))) > PATIENCE
        why = ""
        if silent:
            since = (
                "for as long as this desk is open" if heard is None else f"since {heard:%H:%M} UTC"
            )
            why = f"No worker has been heard of {since}."
        watchdogs.bark_silent(session, why, now)
        if silent:
            channels.give_first(session, now)
            notices = of_barks(session, channels.live(session), wiring.zone, now, "silent")
            session.add_all(notices)
    if silent:
        courier, address = wiring.courier(), wiring.settings.address
        ours = Notice.bark.has(kind="silent")
        tell_due(wiring.sessions, courier, wiring.vault, address, clock, only=ours)
    return silent
