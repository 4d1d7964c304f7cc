"""The worker: periodic jobs on PostgreSQL, each one line that wakes a verb.

What is due is always a query over our own rows, so a lost job is healed by the next one. Locks
and the heartbeats by which a dead worker is noticed are procrastinate's.
"""

import asyncio
import contextlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Status
from sqlalchemy.engine import make_url

from campaigns.accounts.renewing import renew_due
from campaigns.accounts.server_looks import read_servers
from campaigns.afterwards.afterwards import read_back
from campaigns.afterwards.taking_down import carry_out
from campaigns.contacts import imports
from campaigns.deliver import deliver_next
from desk import bounces, care, orphans
from desk.notices.announce import announce
from desk.streams import Streams, collect_source
from desk.telling import tell_due
from desk.wiring import Wiring, clock
from monitor.alerts.alert_course import escalate
from monitor.analyse import analyse_waiting, consider_next, mend
from monitor.coding.samples import draw_samples
from monitor.embedding.embed import Embedder
from monitor.narratives.placing import Placer
from monitor.reading.rescoring import rescore
from monitor.retention import retire
from monitor.rises import spikes
from sources import register
from sources.recheck import recheck_due

BATCH = 256  # posts analysed in one transaction
POLLS = 4  # sources polled at once; the other jobs always find a free place
CONCURRENCY = POLLS + 18  # a place for each of the jobs below
URGENT = 10  # priority of deliveries over whatever else waits
GRACE = 10.0  # seconds for jobs to end when the worker is asked to stop

log = logging.getLogger(__name__)


def make_jobs(wiring: Wiring, embedder: Embedder) -> App:
    """The procrastinate app with every job of the house."""
    placer = Placer(embedder)
    url = make_url(wiring.engine.url).set(drivername="postgresql")
    jobs = App(connector=PsycopgConnector(conninfo=url.render_as_string(hide_password=False)))

    @jobs.task(name="collect", pass_context=True)
    def collect_one(context: JobContext, source_id: int) -> None:
        with wiring.sessions() as session:  # it may have been read since this was queued
            due = {source.id for source in register.due_sources(session, clock())}
        if source_id in due:
            collect_source(wiring, source_id, stop=context.should_abort)

    @jobs.periodic(cron="* * * * * */10")
    @jobs.task(name="collect-due", queueing_lock="collect-due", lock="collect-due")
    def collect_due(timestamp: int) -> None:
        with wiring.sessions() as session:
            due = [source.id for source in register.due_sources(session, clock())]
        for source_id in due:
            once, place = f"collect-{source_id}", f"collect-place-{source_id % POLLS}"
            with contextlib.suppress(AlreadyEnqueued):
                collect_one.configure(lock=place, queueing_lock=once).defer(source_id=source_id)

    @jobs.periodic(cron="* * * * * */2")
    @jobs.task(name="analyse", queueing_lock="analyse", lock="analyse", pass_context=True)
    def analyse(context: JobContext, timestamp: int) -> None:
        analyse_waiting(wiring.sessions, embedder, placer, clock, context.should_abort, BATCH)

    @jobs.periodic(cron="* * * * * */2")
    @jobs.task(name="consider", queueing_lock="consider", lock="consider")
    def consider(timestamp: int) -> None:
        mend(wiring.sessions, placer)
        consider_next(wiring.sessions, placer, clock())

    @jobs.periodic(cron="* * * * * */20")
    @jobs.task(name="spikes", queueing_lock="spikes", lock="spikes")
    def look_for_rises(timestamp: int) -> None:
        with wiring.sessions.begin() as session:
            spikes.look(session, clock())

    @jobs.periodic(cron="* * * * *")
    @jobs.task(name="rescore", queueing_lock="rescore", lock="rescore", pass_context=True)
    def rescore_old(context: JobContext, timestamp: int) -> None:
        rescore(wiring.sessions, clock, context.should_abort)

    @jobs.periodic(cron="* * * * *")
    @jobs.task(name="recheck", queueing_lock="recheck", lock="recheck", pass_context=True)
    def recheck(context: JobContext, timestamp: int) -> None:
        recheck_due(wiring.sessions, wiring.checkers, wiring.intake, clock, context.should_abort)

    @jobs.periodic(cron="*/10 * * * *")
    @jobs.task(name="retire", queueing_lock="retire", lock="retire")
    def retire_old(timestamp: int) -> None:
        retire(wiring.sessions, wiring.intake, clock)
        with wiring.sessions.begin() as session:
            care.forget(session, clock().astimezone(wiring.zone).date())
            imports.forget(session, clock())

    @jobs.periodic(cron="5 * * * *")  # hourly, so that a desk that slept at midnight draws later
    @jobs.task(name="sample", queueing_lock="sample", lock="sample")
    def sample(timestamp: int) -> None:
        with wiring.sessions.begin() as session:
            draw_samples(session, clock())

    @jobs.periodic(cron="* * * * * */2")
    @jobs.task(name="deliver", queueing_lock="deliver", lock="deliver", priority=URGENT)
    def deliver(timestamp: int) -> None:
        deliver_next(wiring.sessions, wiring.publishers, wiring.vault, clock)

    @jobs.periodic(cron="* * * * * */10")
    @jobs.task(name="renew", queueing_lock="renew", lock="renew", priority=URGENT)
    def renew(timestamp: int) -> None:
        if wiring.bluesky_oauth is not None:
            renew_due(wiring.sessions, wiring.bluesky_oauth, wiring.vault, clock)

    @jobs.periodic(cron="* * * * * */5")
    @jobs.task(name="take-down", queueing_lock="take-down", lock="take-down", priority=URGENT)
    def take_down(timestamp: int) -> None:
        carry_out(wiring.sessions, wiring.keepers, wiring.vault, clock)

    @jobs.periodic(cron="* * * * * */30")
    @jobs.task(name="read-back", queueing_lock="read-back", lock="read-back")
    def read_what_stands(timestamp: int) -> None:
        read_back(wiring.sessions, wiring.keepers, wiring.vault, clock)

    @jobs.periodic(cron="* * * * * */20")
    @jobs.task(name="read-servers", queueing_lock="read-servers", lock="read-servers")
    def read_what_servers_take(timestamp: int) -> None:
        read_servers(wiring.sessions, wiring.server_limits, clock)

    @jobs.periodic(cron="* * * * * */10")
    @jobs.task(name="escalate", queueing_lock="escalate", lock="escalate", priority=URGENT)
    def escalate_waiting(timestamp: int) -> None:
        with wiring.sessions.begin() as session:
            escalate(session, clock())

    @jobs.periodic(cron="* * * * * */5")
    @jobs.task(name="announce", queueing_lock="announce", lock="announce", priority=URGENT)
    def announce_due(timestamp: int) -> None:
        with wiring.sessions.begin() as session:
            announce(session, wiring.zone, clock())

    @jobs.periodic(cron="* * * * * */2")
    @jobs.task(name="tell", queueing_lock="tell", lock="tell", pass_context=True, priority=URGENT)
    def tell(context: JobContext, timestamp: int) -> None:
        courier, address = wiring.courier(), wiring.settings.address
        tell_due(wiring.sessions, courier, wiring.vault, address, clock, context.should_abort)

    @jobs.periodic(cron="*/5 * * * *")
    @jobs.task(name="bounces", queueing_lock="bounces", lock="bounces")
    def read_bounces(timestamp: int) -> None:
        if wiring.mailbox is not None:
            bounces.look(wiring.sessions, wiring.mailbox, wiring.book, wiring.vault, clock)

    @jobs.periodic(cron="* * * * * */30")
    @jobs.task(name="take-over", pass_context=True, priority=URGENT)
    async def take_over(context: JobContext, timestamp: int) -> None:
        """Free the locks of jobs whose worker died; their next twin finds the same work."""
        for job in await context.app.job_manager.get_stalled_jobs():
            try:
                await context.app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
            except Exception:
                log.exception("job %s of a dead worker could not be cleared", job.id)

    return jobs


def work(wiring: Wiring, embedder: Embedder, streams: Streams) -> None:
    """Run jobs and keep the streams flowing until the process is asked to stop."""
    stopping = threading.Event()
    tending = threading.Thread(target=streams.tend, args=(stopping,), name="streams")
    orphans.end_with_parent()  # a worker must not go on publishing unseen
    tending.start()
    try:
        asyncio.run(_run(make_jobs(wiring, embedder)))
    finally:
        stopping.set()
        tending.join()


async def _run(jobs: App) -> None:
    # The loop's own threads are four more than there are cores: a delivery would wait for one.
    threads = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="job")
    asyncio.get_running_loop().set_default_executor(threads)
    # Jobs are deleted when they end: what happened is in our own rows.
    async with jobs.open_async():
        await jobs.run_worker_async(
            concurrency=CONCURRENCY, delete_jobs="always", shutdown_graceful_timeout=GRACE
        )
