"""The worker: periodic jobs on PostgreSQL, each one line that wakes a verb.

What is due is always a query over our own rows, so a lost job is healed by the next one. Locks,
retries and the takeover of a dead worker's jobs are procrastinate's.
"""

import contextlib
import threading

from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from sqlalchemy.engine import make_url

from campaigns.deliver import deliver_next
from desk.streams import Streams, collect_source
from desk.wiring import Wiring, clock
from monitor.analyse import analyse_next
from monitor.embed import Embedder
from sources import register

BATCH = 256  # posts analysed in one transaction
CONCURRENCY = 4  # jobs at once; waiting for feeds must not hold up deliveries


def make_jobs(wiring: Wiring, embedder: Embedder) -> App:
    """The procrastinate app with every job of the house."""
    url = make_url(wiring.engine.url).set(drivername="postgresql")
    jobs = App(connector=PsycopgConnector(conninfo=url.render_as_string(hide_password=False)))

    @jobs.task(name="collect")
    def collect_one(source_id: int) -> None:
        collect_source(wiring, source_id, stop=lambda: False)

    @jobs.periodic(cron="* * * * * */10")
    @jobs.task(name="collect-due", queueing_lock="collect-due", lock="collect-due")
    def collect_due(timestamp: int) -> None:
        with wiring.sessions() as session:
            due = [source.id for source in register.due_sources(session, clock())]
        for source_id in due:
            lock = f"collect-{source_id}"
            with contextlib.suppress(AlreadyEnqueued):
                collect_one.configure(lock=lock, queueing_lock=lock).defer(source_id=source_id)

    @jobs.periodic(cron="* * * * * */2")
    @jobs.task(name="analyse", queueing_lock="analyse", lock="analyse")
    def analyse(timestamp: int) -> None:
        while analyse_next(wiring.sessions, embedder, clock(), limit=BATCH) == BATCH:
            pass

    @jobs.periodic(cron="* * * * * */2")
    @jobs.task(name="deliver", queueing_lock="deliver", lock="deliver")
    def deliver(timestamp: int) -> None:
        deliver_next(wiring.sessions, wiring.publishers, wiring.vault, clock)

    @jobs.periodic(cron="* * * * * */30")
    @jobs.task(name="take-over", pass_context=True)
    async def take_over(context: JobContext, timestamp: int) -> None:
        for job in await context.app.job_manager.get_stalled_jobs():
            await context.app.job_manager.retry_job(job)

    return jobs


def work(wiring: Wiring, embedder: Embedder, streams: Streams) -> None:
    """Run jobs and keep the streams flowing until the process is asked to stop."""
    stopping = threading.Event()
    tending = threading.Thread(target=streams.tend, args=(stopping,), name="streams")
    tending.start()
    try:
        # Finished jobs are deleted: what happened is in our own rows.
        make_jobs(wiring, embedder).run_worker(
            concurrency=CONCURRENCY, delete_jobs="successful", shutdown_graceful_timeout=10
        )
    finally:
        stopping.set()
        tending.join()
