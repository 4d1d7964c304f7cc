"""The command line: serve, work, run (both), demo, migrate, add-person, rotate-keys, …"""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
import uvicorn
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from desk import first_start, keys, orphans, people, sentry, serving
from desk.app import create_app
from desk.database import DatabaseUnavailableError, migrate, wait_until_up
from desk.settings import Settings, SettingsError, child_environment, load_settings
from desk.streams import Streams, collect_source, read_stream
from desk.wiring import Wiring, clock, database_url, wire, with_lasting_keys
from monitor.embedding.embed import ModelUnavailableError
from monitor.reading import readers
from sources import register

app = typer.Typer(
    help="Breakwater: early warning and counter-messaging desk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console()
PATIENCE = 30.0  # seconds for the worker to end what it is at; its verbs can be cut off anywhere


@contextlib.contextmanager
def plain_faults() -> Iterator[None]:
    """Turn what a person can mend into one sentence; anything else keeps its traceback."""
    try:
        yield
    except (SettingsError, DatabaseUnavailableError) as fault:
        Console(stderr=True, soft_wrap=True).print(
            "[bold red]Breakwater stops:[/]", escape(str(fault))
        )
        raise typer.Exit(1) from None


def ready(settings: Settings) -> Wiring:
    """Everything wired, on a database that answers and has the newest schema."""
    with console.status("Starting the database …"):
        wiring = wire(settings, database_url(settings))
        wait_until_up(wiring.engine)
        migrate(wiring.engine)
        return with_lasting_keys(wiring)


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database schema to the newest version."""
    with plain_faults():
        ready(load_settings())
        console.print("The database is up to date.")


@app.command()
def serve() -> None:
    """The web desk alone."""
    with plain_faults():
        settings = load_settings()
        check_port(settings)
        wiring = ready(settings)
        serve_web(wiring, first_lines(wiring))


def first_lines(wiring: Wiring) -> list[str]:
    """Give an empty desk its first sources and administrator; what to tell the terminal."""
    settings = wiring.settings
    with console.status("Looking for the network …"):
        reachable = first_start.any_reachable(settings)
    try:
        with wiring.sessions.begin() as session:
            closed = first_start.add_first_sources(session, settings, reachable, clock())
            token = first_start.first_administrator(session, clock())
    except ValueError as fault:
        raise SettingsError(f"BREAKWATER_FEEDS or BREAKWATER_JETSTREAM_URL: {fault}") from None
    lines = [f"The desk is at [bold]{settings.address}[/]"]
    if token:
        lines.append(f"Sign in once with [bold]{settings.address}/sign-in/{token}[/]")
    if closed:
        lines.append("No feed can be reached from here, so the built-in example plays as well.")
    return lines


def announce(lines: list[str]) -> None:
    """Print what a person needs first, unwrapped so that links can be copied."""
    console.print()
    for line in [*lines, "Ctrl-C stops everything."]:
        console.print(f"  {line}", soft_wrap=True)
    console.print()


def serve_web(wiring: Wiring, lines: list[str]) -> None:
    """Serve pages until the process is asked to stop; ``lines`` are said once they can be seen.

    Where the desk is set to more web processes, the others answer on the same socket.
    """
    signal.signal(signal.SIGTERM, _stop)  # uvicorn hands the signal back when it is done
    sentry.begin(wiring)
    config = _web(wiring)
    with config.bind_socket() as listener:
        join = ["join", str(listener.fileno())]
        with contextlib.ExitStack() as others:
            for _ in range(1, wiring.settings.web_processes):
                others.enter_context(kept(wiring, "web process", join, [listener.fileno()]))
            serving.serve(config, listener, lambda: announce(lines))


def _web(wiring: Wiring) -> uvicorn.Config:
    settings = wiring.settings
    return uvicorn.Config(
        create_app(wiring),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        proxy_headers=settings.public_url is not None,
        timeout_graceful_shutdown=5,
    )


@app.command(hidden=True)
def join(descriptor: int) -> None:
    """One more web process on a socket that is open already; started by the first of them."""
    with plain_faults():
        settings = load_settings()
        wiring = with_lasting_keys(wire(settings, database_url(settings)))
        signal.signal(signal.SIGTERM, _stop)
        orphans.end_with_parent()
        with socket.socket(fileno=descriptor) as listener:
            serving.serve(_web(wiring), listener, listening=lambda: None)


@app.command()
def work() -> None:
    """The worker alone: collects, analyses and delivers. Any number may run."""
    with plain_faults():
        wiring = ready(load_settings())
        with console.status("Loading the language model …"):
            # Imported here: it takes seconds and memory that only the worker should spend.
            from desk.worker import work as run_jobs

            try:
                embedder = wiring.embedder()
            except ModelUnavailableError as fault:
                raise SettingsError(str(fault)) from None
        console.print(f"Language model ready: {embedder.name}.")
        signal.signal(signal.SIGTERM, _stop)
        run_jobs(wiring, embedder, Streams(wiring))


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@app.command(hidden=True)
def stream(source_id: int) -> None:
    """Read one stream; started by the worker for each."""
    with plain_faults():
        settings = load_settings()
        wiring = with_lasting_keys(wire(settings, database_url(settings)))
        read_stream(wiring, source_id)


@app.command()
def run() -> None:
    """The whole desk: database, worker and web, in one go."""
    with plain_faults():
        settings = load_settings()
        check_port(settings)
        wiring = ready(settings)
        run_both(wiring, first_lines(wiring))


@app.command()
def demo(
    speed: Annotated[
        float | None, typer.Option(help="Times faster than life; 1800 plays four days in 3 min.")
    ] = None,
) -> None:
    """The desk on the built-in example town, in a database of its own, new each time."""
    with plain_faults():
        settings = load_settings()
        if speed is not None and speed <= 0:
            raise SettingsError("--speed must be above 0.")
        settings = settings.model_copy(
            update={
                "database_url": None,
                "data_dir": settings.data_dir / "demo",
                "demo_speed": speed or settings.demo_speed,
            }
        )
        check_port(settings)
        with console.status("Starting the demonstration's own database …"):
            wiring = wire(settings, database_url(settings))
            wait_until_up(wiring.engine)
            first_start.empty_database(wiring)
            migrate(wiring.engine)
        lines = [
            f"The example town plays at [bold]{settings.address}[/]",
            "Each link below signs one person of the cast in, once:",
        ]
        for person, token in first_start.start_demo(wiring, clock()):
            role = ", ".join(sorted(person.roles))
            lines.append(f"  {role:20} {person.name}: {settings.address}/sign-in/{token}")
        run_both(wiring, lines)


def check_port(settings: Settings) -> None:
    """Say so at once if another program has the desk's port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as fault:
            raise SettingsError(
                f"{settings.host}:{settings.port} cannot be used ({fault.strerror}). "
                "Set BREAKWATER_PORT or BREAKWATER_HOST."
            ) from None


def run_both(wiring: Wiring, lines: list[str]) -> None:
    """Worker as a child process, web in this one."""
    try:
        with kept(wiring, "worker", ["work"]):
            serve_web(wiring, lines)
    finally:
        wiring.engine.dispose()


@contextlib.contextmanager
def kept(
    wiring: Wiring, name: str, arguments: list[str], descriptors: Sequence[int] = ()
) -> Iterator[None]:
    """A command of the desk as a child process, started anew whenever it dies; ended at the end."""
    stopping = threading.Event()
    told = (wiring, name, arguments, descriptors, stopping)
    keeper = threading.Thread(target=_keep, args=told, name=f"{name}-keeper")
    keeper.start()
    try:
        yield
    finally:
        stopping.set()
        keeper.join()


def _keep(
    wiring: Wiring,
    name: str,
    arguments: list[str],
    descriptors: Sequence[int],
    stopping: threading.Event,
) -> None:
    command = [sys.executable, "-m", "desk", *arguments]
    environment = child_environment(wiring.settings, wiring.engine.url, wiring.secret)
    rest = (
        5.0  # seconds before the next try; longer each time, so that a fault is said, not shouted
    )
    while not stopping.is_set():
        began = time.monotonic()
        child = subprocess.Popen(command, env=environment, pass_fds=descriptors)  # noqa: S603
        while child.poll() is None and not stopping.wait(0.5):
            pass
        if stopping.is_set():
            child.terminate()
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
            return
        if time.monotonic() - began > 60:  # it ran: this is a new fault
            rest = 5.0
        console.print(f"The {name} stopped; it is started again in {rest:.0f} seconds.")
        stopping.wait(rest)
        rest = min(rest * 2, 300.0)


@app.command("add-person")
def add_person(
    name: str,
    email: str,
    role: Annotated[list[str], typer.Option(help="monitor, comms, leader or admin; repeatable")],
) -> None:
    """Add a person and print their one-time sign-in link."""
    with plain_faults():
        wiring = ready(load_settings())
        try:
            with wiring.sessions.begin() as session:
                person = people.add_person(session, name, email, role, None, clock())
                token = people.new_link(session, person, None, clock())
        except ValueError as fault:
            raise SettingsError(str(fault)) from None
        console.print(f"{wiring.settings.address}/sign-in/{token}", soft_wrap=True)


@app.command("rotate-keys")
def rotate_keys() -> None:
    """Encrypt everything by the first key in BREAKWATER_SECRET_KEY; safe to break off and repeat.

    Put the new key before the old one, with a comma between, and start the desk anew first.
    """
    with plain_faults():
        wiring = ready(load_settings())
        with wiring.sessions.begin() as session:
            keys.keep(session, wiring.vault, keys.roots_of(wiring.secret), clock())
        lost = 0
        table = Table("Encrypted", "There are", "Encrypted anew", "Opened by no key")
        for one in keys.rotate(wiring.sessions, wiring.vault):
            table.add_row(one.words, str(one.seen), str(one.changed), str(one.lost))
            lost += one.lost
        console.print(table)
        if lost:
            raise SettingsError(
                f"{lost} could be opened by no key in BREAKWATER_SECRET_KEY and stay as they were. "
                "Add the key they were encrypted by and run this again."
            )
        console.print(
            "All is encrypted by the newest key. Keep the older ones listed for a day, until the "
            "links sent to leaders have expired; then take them out.",
            soft_wrap=True,
        )


@app.command("collect-once")
def collect_once() -> None:
    """Look once at every feed and subreddit that is due, and say what came."""
    with plain_faults():
        wiring = ready(load_settings())
        with wiring.sessions() as session:
            due = [(source.id, source.name) for source in register.due_sources(session, clock())]
        table = Table("Source", "New posts", "State")
        for source_id, name in track(due, "Collecting", console=console):
            stored = collect_source(wiring, source_id, stop=lambda: False)
            with wiring.sessions() as session:
                fares = {line.source.id: line for line in register.health(session, clock())}
            table.add_row(name, str(stored), fares[source_id].detail)
        console.print(table)


@app.command()
def retrain(
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Public posts, JSON lines as for python -m monitor.training; repeatable"),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 1,
    seed: int = 1,
) -> None:
    """Train a candidate reader on the desk's cases; a person looks at it on the page Scorer."""
    with plain_faults():
        wiring = ready(load_settings())
        # Imported here: PyTorch takes seconds that no other command should spend.
        from monitor.training.retrain import retrain as train

        with console.status("Training takes both cores for some minutes …"):
            try:
                made = train(wiring.sessions, data or [], epochs, seed, clock())
                with wiring.sessions.begin() as session:
                    name = readers.add(session, made, clock()).name
            except (ValueError, OSError) as fault:
                raise SettingsError(str(fault)) from None
        console.print(f"{name} waits at {wiring.settings.address}/scorer", soft_wrap=True)
