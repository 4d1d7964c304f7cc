"""Notifications go out for real: to a mail server, to a web server, once, or with the reason."""

import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zoneinfo import ZoneInfo

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from aiosmtpd.smtp import Session as Talk
from cryptography.fernet import Fernet
from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker

from desk import channels, mail, telling
from desk.couriers import NO_MAIL, Courier
from desk.mail import Outcome, read_mail
from desk.models import Channel, Notice
from desk.notices.announce import announce
from desk.settings import SettingsError, child_environment, load_settings
from desk.telling import BACK_OFF, CLAIM_PATIENCE, TRIES, tell_due
from desk.wiring import Wiring
from tests.conftest import free_port
from tests.desk.told import close, decide, hire, raise_flag, send_alert

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
ZONE = ZoneInfo("America/New_York")
DESK = "https://desk.example"
VAULT = Fernet(Fernet.generate_key())


class Post:
    """A mail server's doings, by the name before the @: no, later, last, slow or dies."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.asked: list[str] = []
        self.users: list[bytes] = []
        self.hold = threading.Event()

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Talk, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        first = address not in self.asked
        self.asked.append(address)
        if address.startswith("no@"):
            return f"550 {address} does not live here"
        if address.startswith("later@") and first:
            return "451 come back in a while"
        if address.startswith("never@"):
            return "451 come back in a while"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Talk, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(message_from_bytes(content))
        times = self.asked.count(envelope.rcpt_tos[0])
        if envelope.rcpt_tos[0].startswith("spam@"):
            self.mails.pop()
            return "554 no"
        if envelope.rcpt_tos[0].startswith("dies@") or (
            envelope.rcpt_tos[0].startswith("stumbles@") and times == 1
        ):
            assert server.transport is not None
            server.transport.abort()  # it has the mail, and says nothing
        return "250 OK"


@pytest.fixture
def post() -> Iterator[tuple[Post, str]]:
    """A mail server on loopback, and the desk's setting for it."""
    handler, port = Post(), free_port()
    server = Controller(handler, hostname="127.0.0.1", port=port)
    server.start()
    yield handler, f"mailto://127.0.0.1:{port}?from=desk@desk.example"
    server.stop()


def write_to(sessions: sessionmaker[Session], *names: str, level: int = 4) -> None:
    """People of these names on one alert, which is announced."""
    with sessions.begin() as session:
        send_alert(session, [hire(session, one, "responder", NOW) for one in names], NOW, level)
        announce(session, ZONE, NOW)


def tell(sessions: sessionmaker[Session], courier: Courier, now: datetime = NOW) -> int:
    return tell_due(sessions, courier, VAULT, DESK, lambda: now)


def ends(sessions: sessionmaker[Session]) -> dict[str, tuple[str, int, str]]:
    """By name: state, tries, detail."""
    with sessions() as session:
        return {
            one.channel.person.name: (one.state, one.tries, one.detail)
            for one in session.scalars(select(Notice).order_by(Notice.id))
        }


# ---- e-mail ----


def test_a_mail_arrives_and_says_only_that_something_waits(
    sessions: sessionmaker[Session], post: tuple[Post, str]
) -> None:
    write_to(sessions, "Rosa")
    assert tell(sessions, Courier(post[1])) == 1
    assert tell(sessions, Courier(post[1])) == 0
    assert ends(sessions) == {"Rosa": ("delivered", 1, "")}
    (mail,) = post[0].mails
    assert mail["To"] == "rosa@desk.example"
    assert mail["From"] == "Breakwater <desk@desk.example>"
    assert mail["Subject"] == "Breakwater: an alert waits for you (critical)."
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"]
    assert (
        str(mail.get_payload()).split()
        == (
            "Breakwater: an alert waits for you (critical). "
            f"Please open it and say that you have it. {DESK}/alerts/1"
        ).split()
    )


def test_each_end_is_recorded_as_what_it_is(
    sessions: sessionmaker[Session], post: tuple[Post, str]
) -> None:
    write_to(sessions, "Rosa", "No", "Later", "Spam")
    courier = Courier(post[1])
    tell(sessions, courier)
    assert ends(sessions) == {
        "Rosa": ("delivered", 1, ""),
        "No": ("failed", 1, "The mail server refuses it (550)."),
        "Later": ("scheduled", 1, "The mail server puts it off (451)."),
        "Spam": ("failed", 1, "The mail server refuses it (554)."),
    }
    assert tell(sessions, courier, NOW + BACK_OFF - timedelta(seconds=1)) == 0
    assert tell(sessions, courier, NOW + BACK_OFF) == 1
    assert ends(sessions)["Later"] == ("delivered", 2, "")


def test_what_never_works_fails_after_a_while_with_the_reason(
    sessions: sessionmaker[Session], post: tuple[Post, str]
) -> None:
    write_to(sessions, "Never")
    now, courier = NOW, Courier(post[1])
    for n in range(TRIES):
        assert tell(sessions, courier, now) == 1
        now += BACK_OFF * 2**n
    assert ends(sessions)["Never"] == ("failed", TRIES, "The mail server puts it off (451).")
    assert tell(sessions, courier, now + timedelta(days=1)) == 0
    assert NOW + timedelta(minutes=5) < now < NOW + timedelta(hours=1)  # greylisting was outlived


def test_a_server_that_is_down_is_tried_again(
    sessions: sessionmaker[Session], post: tuple[Post, str]
) -> None:
    write_to(sessions, "Rosa")
    tell(sessions, Courier(f"mailto://127.0.0.1:{free_port()}?from=desk@desk.example"))
    assert ends(sessions)["Rosa"] == ("scheduled", 1, "The mail server cannot be reached.")
    tell(sessions, Courier(post[1]), NOW + BACK_OFF)
    assert ends(sessions)["Rosa"] == ("delivered", 2, "")


def test_a_mail_whose_end_nobody_saw_is_sent_once_more_under_the_same_name(
    sessions: sessionmaker[Session], post: tuple[Post, str]
) -> None:
    write_to(sessions, "Dies", "Stumbles")
    courier = Courier(post[1])
    tell(sessions, courier)
    said = "The mail server took it and fell silent."
    assert ends(sessions) == dict.fromkeys(("Dies", "Stumbles"), ("unknown", 1, said))
    for later in (1, 2, 3):  # not for ever
        tell(sessions, courier, NOW + later * timedelta(hours=1))
    assert ends(sessions) == {"Dies": ("unknown", 2, said), "Stumbles": ("delivered", 2, "")}
    dies = {mail["Message-ID"] for mail in post[0].mails if mail["To"].startswith("dies")}
    assert len([mail for mail in post[0].mails if mail["To"].startswith("dies")]) == 2
    assert len(dies) == 1


def test_a_silent_server_costs_no_more_than_the_patience(
    sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "SOCKET_PATIENCE", 0.5)
    write_to(sessions, "Rosa")
    with socket.create_server(("127.0.0.1", 0)) as mute:  # accepts, and never says a word
        began = time.monotonic()
        port = mute.getsockname()[1]
        tell(sessions, Courier(f"mailto://127.0.0.1:{port}?from=desk@desk.example"))
    assert time.monotonic() - began < 5
    assert ends(sessions)["Rosa"][0] == "scheduled"


def test_a_server_that_drips_costs_no_more_than_the_patience(
    sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "PATIENCE", 1.0)
    write_to(sessions, "Rosa")
    ended = threading.Event()

    def drip(listener: socket.socket) -> None:
        line, _ = listener.accept()
        with line:
            while not ended.wait(0.2):
                line.sendall(b"2")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        began = time.monotonic()
        port = listener.getsockname()[1]
        tell(sessions, Courier(f"mailto://127.0.0.1:{port}?from=desk@desk.example"))
        took = time.monotonic() - began
        ended.set()
        thread.join()
    assert took < 8
    assert ends(sessions)["Rosa"] == ("unknown", 1, "The mail server did not answer in time.")


def test_without_a_mail_server_it_is_said_and_not_pretended(
    sessions: sessionmaker[Session],
) -> None:
    write_to(sessions, "Rosa")
    tell(sessions, Courier(None))
    assert ends(sessions) == {"Rosa": ("failed", 1, NO_MAIL)}


def test_the_desk_signs_in_at_its_mail_server_and_says_no_secret_when_it_cannot(
    sessions: sessionmaker[Session], caplog: pytest.LogCaptureFixture
) -> None:
    handler, port = Post(), free_port()

    def check(
        _server: SMTP, _talk: Talk, _envelope: Envelope, _how: str, who: object
    ) -> AuthResult:
        assert isinstance(who, LoginPassword)
        handler.users.append(who.login)
        return AuthResult(success=who.password == b"p@ss/word", handled=False)

    server = Controller(
        handler,
        hostname="127.0.0.1",
        port=port,
        authenticator=check,
        auth_require_tls=False,
        auth_required=True,
    )
    server.start()
    write_to(sessions, "Rosa")
    caplog.set_level(logging.DEBUG)
    wrong = f"mailto://us%40er:wrong-word@127.0.0.1:{port}?from=desk@desk.example"
    tell(sessions, Courier(wrong))
    said = ends(sessions)["Rosa"]
    assert said == ("scheduled", 1, "The mail server does not let the desk in.")
    assert "wrong-word" not in caplog.text
    assert "rosa@desk.example" not in caplog.text
    right = f"mailto://us%40er:p%40ss%2Fword@127.0.0.1:{port}?from=desk@desk.example"
    tell(sessions, Courier(right), NOW + BACK_OFF)
    server.stop()
    assert ends(sessions)["Rosa"] == ("delivered", 2, "")
    assert set(handler.users) == {b"us@er"}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("smtp://mail.example", "no mail server"),
        ("ntfys://ntfy.sh/topic", "no mail server"),
        ("mailto://mail.example", "no sender"),
        ("mailto://user:hidden-word@mail.example?from=a@b.example", "unprotected"),
        ("mailtos://user:hidden-word@mail.example?from=a@b.example&verify=no", "certificates"),
        ("mailtos://?from=a@b.example", "cannot be read"),
    ],
)
def test_a_mail_server_that_cannot_be_used_is_named_at_start(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as fault:
        read_mail(url)
    assert "hidden-word" not in str(fault.value)


def test_the_setting_is_checked_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKWATER_MAIL", "mailto://user:hidden-word@mail.example?from=a@b.example")
    with pytest.raises(SettingsError, match="BREAKWATER_MAIL: would send its pass") as fault:
        load_settings()
    assert "hidden-word" not in str(fault.value)
    monkeypatch.setenv("BREAKWATER_MAIL", "mailtos://user:x@mail.example?from=a@b.example")
    assert "user:x" not in repr(load_settings())


# ---- services ----


class Web:
    """A web server that takes what ntfy would, and answers with the statuses it is given."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[int] = []
        web = self

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("content-length", 0))
                web.got.append((self.path, dict(self.headers), self.rfile.read(size)))
                status = web.answers.pop(0) if web.answers else 200
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.url = f"ntfy://127.0.0.1:{self.server.server_port}/rosas-phone"


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    thread = threading.Thread(target=web.server.serve_forever)
    thread.start()
    yield web
    web.server.shutdown()
    thread.join()
    web.server.server_close()


def by_web(sessions: sessionmaker[Session], url: str, courier: Courier) -> None:
    """Rosa is told by a service alone."""
    with sessions.begin() as session:
        rosa = hire(session, "Rosa", "responder", NOW)
        channels.give_first(session, NOW)
        channels.remove(session.scalars(select(Channel)).one(), NOW)
        address, label = courier.read("ntfy", url)
        channels.add(session, rosa, "ntfy", address, label, VAULT, NOW)
        send_alert(session, [rosa], NOW, 4, exercise=True)
        announce(session, ZONE, NOW)


def test_a_push_arrives_through_apprise(sessions: sessionmaker[Session], web: Web) -> None:
    courier = Courier(None, private=True)
    by_web(sessions, web.url, courier)
    tell(sessions, courier)
    assert ends(sessions) == {"Rosa": ("delivered", 1, "")}
    ((_, _, body),) = web.got
    pushed = json.loads(body)
    assert pushed["topic"] == "rosas-phone"
    assert pushed["title"] == "[Exercise] Breakwater: an alert waits for you (critical)."
    assert pushed["message"].endswith(f"{DESK}/alerts/1")
    assert "apprise" not in body.decode().lower()  # no picture of somebody else's server


@pytest.mark.parametrize(
    ("status", "state", "says"),
    [
        (403, "failed", "The service refuses it (403)."),
        (429, "scheduled", "The service does not take it now (429)."),
        (503, "scheduled", "The service does not take it now (503)."),
        (302, "scheduled", "The service does not take it now (302)."),  # and is not followed
    ],
)
def test_what_a_service_answers_is_heard(
    sessions: sessionmaker[Session], web: Web, status: int, state: str, says: str
) -> None:
    courier = Courier(None, private=True)
    by_web(sessions, web.url, courier)
    web.answers = [status]
    tell(sessions, courier)
    assert ends(sessions) == {"Rosa": (state, 1, says)}
    assert len(web.got) == 1


def test_a_service_in_a_private_network_is_not_asked(
    sessions: sessionmaker[Session], web: Web
) -> None:
    by_web(sessions, web.url, Courier(None, private=True))
    tell(sessions, Courier(None))  # the setting was taken back
    assert ends(sessions)["Rosa"][0] == "failed"
    name = f"ntfys://localhost:{web.server.server_port}/x"  # only a look-up shows where it leads
    address, _ = Courier(None).read("ntfy", name)
    outcome = Courier(None).send("ntfy", address, "s", "b", "k")
    assert (outcome.kind, outcome.detail) == (
        "refused",
        "The address leads into a private network.",
    )
    assert web.got == []


def test_an_address_under_another_key_is_said_to_be_unreadable(
    sessions: sessionmaker[Session], web: Web
) -> None:
    courier = Courier(None, private=True)
    by_web(sessions, web.url, courier)
    tell_due(sessions, courier, Fernet(Fernet.generate_key()), DESK, lambda: NOW)
    assert ends(sessions)["Rosa"][0] == "failed"
    assert "another secret key" in ends(sessions)["Rosa"][2]


# ---- claims ----


def test_two_workers_at_once_send_once(
    sessions: sessionmaker[Session], post: tuple[Post, str]
) -> None:
    names = [f"R{n}" for n in range(20)]
    write_to(sessions, *names)
    courier = Courier(post[1])
    with ThreadPoolExecutor(4) as pool:
        calls = list(pool.map(lambda _: tell(sessions, courier), range(4)))
    assert sum(calls) == 20
    assert sorted(mail["To"] for mail in post[0].mails) == sorted(
        f"{name.lower()}@desk.example" for name in names
    )


def test_the_gravest_goes_first_and_no_session_is_held_meanwhile(
    sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "SENDERS", 1)
    order, held = [], []

    class Watching(Courier):
        def send(self, service: str, address: str, *words: str) -> Outcome:
            order.append(address)
            with sessions() as session:
                idle = "state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
                held.append(
                    session.scalar(text(f"SELECT count(*) FROM pg_stat_activity WHERE {idle}"))
                )
            return Outcome("delivered")

    write_to(sessions, "Low", level=3)
    write_to(sessions, "High")
    assert tell(sessions, Watching(None)) == 2
    assert order == ["high@desk.example", "low@desk.example"]
    assert held == [0, 0]


def test_what_was_decided_or_closed_meanwhile_is_not_sent(
    sessions: sessionmaker[Session], post: tuple[Post, str]
) -> None:
    with sessions.begin() as session:
        rosa = hire(session, "Rosa", "duty lead", NOW)
        flag = raise_flag(session, NOW, kind="life_safety")
        alert = send_alert(session, [rosa], NOW, 4)
        announce(session, ZONE, NOW)
        decide(session, flag, NOW)
        close(session, alert, NOW)
    assert tell(sessions, Courier(post[1])) == 0
    assert post[0].mails == []
    with sessions() as session:
        assert set(session.scalars(select(Notice.state))) == {"withdrawn"}


def test_a_claim_whose_worker_died_is_in_doubt_and_sent_once_more(
    sessions: sessionmaker[Session], post: tuple[Post, str]
) -> None:
    write_to(sessions, "Rosa")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    class Dying(Courier):
        send = die  # type: ignore[assignment]

    with pytest.raises(KeyboardInterrupt):
        tell(sessions, Dying(None))
    assert ends(sessions)["Rosa"][:2] == ("attempting", 1)
    assert tell(sessions, Courier(post[1]), NOW + CLAIM_PATIENCE - timedelta(seconds=1)) == 0
    assert tell(sessions, Courier(post[1]), NOW + CLAIM_PATIENCE) == 1
    assert ends(sessions)["Rosa"] == ("delivered", 2, "")


def test_a_second_death_ends_as_not_known(sessions: sessionmaker[Session]) -> None:
    write_to(sessions, "Rosa")
    now = NOW
    for _ in range(2):
        with sessions.begin() as session:
            notice_id = session.scalars(select(Notice.id)).one()
            telling._mark_abandoned(session, now)
        with sessions.begin() as session:
            assert telling._claim(session, notice_id, VAULT, DESK, now) is not None
        now += CLAIM_PATIENCE
    assert tell(sessions, Courier(None), now) == 0
    assert ends(sessions)["Rosa"][:2] == ("unknown", 2)
    with sessions() as session:
        assert session.scalars(select(Notice.settled_at)).one() == now


def test_a_late_answer_counts_only_if_it_is_good_news(sessions: sessionmaker[Session]) -> None:
    write_to(sessions, "Rosa")
    with sessions() as session:
        notice_id = session.scalars(select(Notice.id)).one()
    with sessions.begin() as session:
        slow = telling._claim(session, notice_id, VAULT, DESK, NOW)
    later = NOW + CLAIM_PATIENCE
    with sessions.begin() as session:
        telling._mark_abandoned(session, later)
    with sessions.begin() as session:
        assert telling._claim(session, notice_id, VAULT, DESK, later) is not None
    assert slow is not None
    for kind, state in (("refused", "attempting"), ("delivered", "delivered")):
        with sessions.begin() as session:
            telling._record(session, slow, Outcome(kind), later)
        assert ends(sessions)["Rosa"][0] == state


# ---- the digest ----


def test_a_digest_is_one_mail_and_its_parts_fare_as_it_does(
    sessions: sessionmaker[Session], post: tuple[Post, str]
) -> None:
    with sessions.begin() as session:
        hire(session, "Later", "monitor", NOW)
        flags = [raise_flag(session, NOW) for _ in range(3)]
        announce(session, ZONE, NOW)
    courier, morning = Courier(post[1]), NOW + timedelta(hours=22)  # 08:00 in New York
    assert tell(sessions, courier, morning - timedelta(seconds=1)) == 0
    assert tell(sessions, courier, morning) == 0  # nothing bound together yet
    with sessions.begin() as session:
        announce(session, ZONE, morning)
    assert tell(sessions, courier, morning) == 1
    with sessions.begin() as session:
        assert set(session.scalars(select(Notice.state))) == {"scheduled"}  # 451
        decide(session, session.merge(flags[0]), morning)  # while it waits for the next try
    assert tell(sessions, courier, morning + BACK_OFF) == 1
    (mail,) = post[0].mails
    assert mail["Subject"] == "Breakwater: 2 things of lower level wait for you."
    assert f"/flags/{flags[0].id}" not in str(mail.get_payload())
    with sessions() as session:
        fared = {notice.flag_id: notice.state for notice in session.scalars(select(Notice))}
    told = [flag.id for flag in flags[1:]]  # and None: the digest itself
    assert fared == {flags[0].id: "withdrawn"} | dict.fromkeys([*told, None], "delivered")


# ---- the worker ----


def test_the_worker_tells_people(
    wiring: Wiring, sessions: sessionmaker[Session], post: tuple[Post, str]
) -> None:
    """As it runs in life: a process of its own, its jobs on their clock."""
    now = datetime.now(UTC)
    with sessions.begin() as session:
        send_alert(session, [hire(session, "Rosa", "responder", now)], now, 4)
    environment = child_environment(wiring.settings, wiring.engine.url, wiring.secret)
    process = subprocess.Popen(
        [sys.executable, "-m", "desk", "work"],
        env=environment | {"BREAKWATER_MAIL": post[1]},
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 90
        while not post[0].mails:
            assert time.monotonic() < deadline, "nothing came"
            assert process.poll() is None
            time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    assert post[0].mails[0]["To"] == "rosa@desk.example"
