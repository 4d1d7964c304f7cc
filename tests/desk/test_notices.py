"""What is due to whom and when, what it says, and the pages that show it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from cryptography.fernet import Fernet
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from desk import channels, people
from desk.models import Channel, Notice
from desk.notices import log
from desk.notices.announce import announce
from desk.notices.of_warnings import LATE
from desk.notices.timing import RECENT
from desk.wording import DIGEST_LINES, wording
from monitor.models import Alert
from tests.desk.conftest import Cast, Client
from tests.desk.told import (
    HOSTILE,
    channel_of,
    close,
    decide,
    hire,
    raise_flag,
    say,
    send_alert,
    told,
)

ZONE = ZoneInfo("America/New_York")
EVENING = datetime(2026, 11, 24, 3, 30, tzinfo=UTC)  # 22:30 in New York
NONE, MORNING = timedelta(0), timedelta(hours=8, minutes=30)  # to 07:00
DIGEST = timedelta(hours=9, minutes=30)  # to 08:00
VAULT = Fernet(Fernet.generate_key())


def sleepy(session: Session, *who: people.Person, digest: bool = True) -> None:
    """Everybody sleeps from 22:00 to 07:00."""
    channels.give_first(session, EVENING)
    for person in who:
        channels.set_times(channel_of(session, person), "22:00", "07:00", digest)
    session.flush()


# ---- flags ----


def test_a_life_safety_flag_calls_the_duty_lead_at_night_and_the_others_when_it_stays_open(
    session: Session,
) -> None:
    lead, maya = (
        hire(session, "Dana", "duty lead", EVENING),
        hire(session, "Maya", "monitor", EVENING),
    )
    hire(session, "Ruth", "leader", EVENING)
    sleepy(session, lead, maya)
    flag = raise_flag(session, EVENING, kind="life_safety")
    announce(session, ZONE, EVENING)
    announce(session, ZONE, EVENING + LATE - timedelta(seconds=1))
    assert told(session) == [("Dana", "flag", "scheduled", NONE)]
    announce(session, ZONE, EVENING + LATE)
    announce(session, ZONE, EVENING + LATE)
    assert told(session)[1:] == [("Maya", "flag", "scheduled", NONE)]
    decide(session, flag, EVENING + LATE)
    announce(session, ZONE, EVENING + LATE)
    assert [state for _, _, state, _ in told(session)] == ["withdrawn", "withdrawn"]


@pytest.mark.parametrize("gone", ["none", "left", "deaf"])
def test_without_a_lead_who_can_be_told_the_others_are_called_at_once(
    session: Session, gone: str
) -> None:
    hire(session, "Maya", "monitor", EVENING)
    admin = hire(session, "Ada", "admin", EVENING)
    hire(session, "Jonah", "comms", EVENING)
    if gone != "none":
        lead = hire(session, "Dana", "duty lead", EVENING)
        channels.give_first(session, EVENING)
        if gone == "left":
            people.leave(session, lead, admin, EVENING)
        else:
            channels.remove(channel_of(session, lead), EVENING)
    raise_flag(session, EVENING, kind="life_safety")
    announce(session, ZONE, EVENING)
    assert {who for who, *_ in told(session)} == {"Maya", "Ada"}


def test_rises_reach_monitors_after_quiet_hours_and_the_lesser_ones_in_the_digest_only(
    session: Session,
) -> None:
    maya, mia = hire(session, "Maya", "monitor", EVENING), hire(session, "Mia", "monitor", EVENING)
    hire(session, "Dana", "duty lead", EVENING)
    sleepy(session, maya)
    sleepy(session, mia, digest=False)
    raise_flag(session, EVENING, level=3)
    raise_flag(session, EVENING, level=2)
    raise_flag(session, EVENING - RECENT, level=3)  # nobody can use that any more
    announce(session, ZONE, EVENING)
    assert sorted(told(session)) == [
        ("Maya", "flag", "scheduled", MORNING),
        ("Maya", "flag", "scheduled", DIGEST),
        ("Mia", "flag", "scheduled", MORNING),
    ]


def test_who_loses_the_role_or_leaves_or_removes_the_channel_is_not_told(session: Session) -> None:
    admin = hire(session, "Ada", "admin", EVENING)
    three = [hire(session, name, "monitor", EVENING) for name in ("Maya", "Mia", "Milo")]
    raise_flag(session, EVENING, level=2)
    announce(session, ZONE, EVENING)
    people.revoke(session, three[0], "monitor", admin, EVENING)
    people.leave(session, three[1], admin, EVENING)
    channels.remove(channel_of(session, three[2]), EVENING)
    announce(session, ZONE, EVENING)
    assert [state for _, _, state, _ in told(session)] == ["withdrawn"] * 3
    reasons = session.scalars(select(Notice.detail).order_by(Notice.id)).all()
    # Which notice was made first is nobody's business: channels come as the database finds them.
    assert sorted(reason.split()[-1] for reason in reasons) == ["left.", "now.", "removed."]


# ---- alerts ----


@pytest.mark.parametrize(
    ("level", "digest", "waits"),
    [
        (4, True, NONE),
        (3, True, MORNING),
        (2, True, DIGEST),
        (2, False, MORNING),
        (0, True, DIGEST),
    ],
)
def test_how_grave_an_alert_is_decides_whether_it_wakes_somebody(
    session: Session, level: int, digest: bool, waits: timedelta
) -> None:
    rosa = hire(session, "Rosa", "responder", EVENING)
    hire(session, "Maya", "monitor", EVENING)  # is on no list
    sleepy(session, rosa, digest=digest)
    send_alert(session, [rosa], EVENING, level)
    announce(session, ZONE, EVENING)
    assert told(session) == [("Rosa", "alert", "scheduled", waits)]


def test_a_life_safety_alert_wakes_people_whatever_its_level(session: Session) -> None:
    rosa = hire(session, "Rosa", "responder", EVENING)
    sleepy(session, rosa)
    send_alert(session, [rosa], EVENING, 2).life_safety = True
    announce(session, ZONE, EVENING)
    assert told(session) == [("Rosa", "alert", "scheduled", NONE)]


def test_update_and_cancel_reach_those_who_were_told_the_first_and_no_others(
    session: Session,
) -> None:
    at = EVENING - timedelta(hours=1)  # 21:30: Rosa is awake, Sam is not
    rosa, sam = (hire(session, name, "responder", at) for name in ("Rosa", "Sam"))
    channels.give_first(session, at)
    channels.set_times(channel_of(session, rosa), "22:00", "07:00", True)
    channels.set_times(channel_of(session, sam), "21:00", "07:00", True)
    alert = send_alert(session, [rosa, sam], at, 3)
    announce(session, ZONE, at)
    first = session.scalars(select(Notice).order_by(Notice.due_at)).first()
    assert first is not None
    assert first.channel.person is rosa
    first.state, first.settled_at = "delivered", at
    session.flush()
    say(session, alert, "Update", EVENING)
    announce(session, ZONE, EVENING)
    assert [one for one in told(session) if one[1:] == ("alert", "scheduled", NONE)] == [
        ("Rosa", "alert", "scheduled", NONE)  # although her quiet hours have begun
    ]
    say(session, alert, "Cancel", EVENING)
    announce(session, ZONE, EVENING)
    close(session, alert, EVENING)
    announce(session, ZONE, EVENING)
    said = [
        (one.channel.person.name, one.message.kind, one.state)
        for one in log.told_of_alert(session, alert.id)
        if one.message is not None
    ]
    assert said == [
        ("Rosa", "Alert", "delivered"),
        ("Sam", "Alert", "withdrawn"),
        ("Rosa", "Update", "withdrawn"),
        ("Rosa", "Cancel", "scheduled"),
    ]


def test_who_acknowledged_is_not_told_by_a_second_channel_in_the_morning(session: Session) -> None:
    rosa = hire(session, "Rosa", "responder", EVENING)
    sleepy(session, rosa)
    alert = send_alert(session, [rosa], EVENING, 3)
    announce(session, ZONE, EVENING)
    alert.recipients[0].acknowledged_at = EVENING + timedelta(minutes=1)
    session.flush()
    announce(session, ZONE, EVENING + timedelta(minutes=2))
    assert told(session) == [("Rosa", "alert", "withdrawn", MORNING)]


def test_who_is_added_by_escalation_hears_of_the_alert_but_not_of_its_past(
    session: Session,
) -> None:
    rosa, sam = (hire(session, name, "responder", EVENING) for name in ("Rosa", "Sam"))
    alert = send_alert(session, [rosa], EVENING, 4)
    announce(session, ZONE, EVENING)
    session.scalars(select(Notice)).one().state = "delivered"
    say(session, alert, "Update", EVENING + timedelta(minutes=1))
    later = EVENING + timedelta(minutes=30)
    more = send_alert(session, [sam], later, 0).recipients  # a row of another alert, moved over
    more[0].alert = alert
    session.flush()
    session.expire_all()
    announce(session, ZONE, later)
    said = [
        (one.channel.person.name, one.message.kind)
        for one in log.told_of_alert(session, alert.id)
        if one.message is not None
    ]
    assert sorted(said) == [("Rosa", "Alert"), ("Rosa", "Update"), ("Sam", "Alert")]


# ---- the digest ----


def test_the_digest_gathers_what_still_waits(session: Session) -> None:
    maya = hire(session, "Maya", "monitor", EVENING)
    flags = [raise_flag(session, EVENING) for _ in range(2)]
    alert = send_alert(session, [maya], EVENING, 2, exercise=True)
    closed = send_alert(session, [maya], EVENING, 1)
    announce(session, ZONE, EVENING)
    decide(session, flags[0], EVENING)
    close(session, closed, EVENING)
    announce(session, ZONE, EVENING + DIGEST - timedelta(seconds=1))
    assert "digest" not in {kind for _, kind, _, _ in told(session)}
    announce(session, ZONE, EVENING + DIGEST)
    announce(session, ZONE, EVENING + DIGEST)
    digest = session.scalars(select(Notice).where(Notice.kind == "digest")).one()
    words = wording(digest, "https://desk.example")
    assert words.subject == "Breakwater: 2 things of lower level wait for you."
    assert words.body.splitlines()[1:] == [
        f"Flag (concern): https://desk.example/flags/{flags[1].id}",
        f"[Exercise] Alert (concern): https://desk.example/alerts/{alert.id}",
    ]


def test_a_long_digest_says_how_much_it_leaves_out(session: Session) -> None:
    hire(session, "Maya", "monitor", EVENING)
    for _ in range(DIGEST_LINES + 3):
        raise_flag(session, EVENING)
    announce(session, ZONE, EVENING)
    announce(session, ZONE, EVENING + DIGEST)
    digest = session.scalars(select(Notice).where(Notice.kind == "digest")).one()
    lines = wording(digest, "https://desk.example").body.splitlines()
    assert len(lines) == DIGEST_LINES + 2
    assert lines[-1] == "and 3 more: https://desk.example/"


# ---- what it says ----


def test_a_notification_holds_nothing_but_a_level_and_a_link(session: Session) -> None:
    rosa = hire(session, "Rosa", "monitor", EVENING)
    alert = send_alert(session, [rosa], EVENING, 4)
    drill = send_alert(session, [rosa], EVENING, 4, exercise=True)
    flag = raise_flag(session, EVENING, kind="life_safety")
    announce(session, ZONE, EVENING)
    said = {}
    for notice in session.scalars(select(Notice)):
        words = wording(notice, "https://desk.example")
        assert not {word for word in HOSTILE.split() if word in words.subject + words.body}
        assert "\n" not in words.subject
        said[words.body.splitlines()[-1]] = words.subject
    waits = "Breakwater: an alert waits for you (critical)."
    assert said == {
        f"https://desk.example/alerts/{alert.id}": waits,
        f"https://desk.example/alerts/{drill.id}": f"[Exercise] {waits}",
        f"https://desk.example/flags/{flag.id}": "Breakwater: a flag waits for you (critical).",
    }


# ---- channels ----


def test_everybody_has_a_channel_without_doing_anything_and_may_give_it_up(
    session: Session,
) -> None:
    maya = hire(session, "Maya", "monitor", EVENING)
    channels.give_first(session, EVENING)
    channels.give_first(session, EVENING)
    mine = channel_of(session, maya)
    assert (mine.service, mine.label, mine.address) == ("mail", "m…@desk.example", None)
    channels.remove(mine, EVENING)
    session.flush()
    channels.give_first(session, EVENING)
    assert channels.of_person(session, maya) == []
    assert channels.unreachable(session, mails=True) == [maya]


def test_addresses_are_encrypted_and_not_kept_twice(session: Session) -> None:
    maya = hire(session, "Maya", "monitor", EVENING)
    channels.give_first(session, EVENING)
    session.flush()
    secret = "ntfys://ntfy.sh/nobody-guesses"
    channel = channels.add(session, maya, "ntfy", secret, "ntfy …", VAULT, EVENING)
    assert channel.address is not None
    assert b"guesses" not in channel.address
    for service, address in (("ntfy", secret), ("mail", "maya@desk.example")):
        with pytest.raises(ValueError, match="there already"):
            channels.add(session, maya, service, address, "…", VAULT, EVENING)
    for n in range(channels.CHANNELS - 2):
        channels.add(session, maya, "mail", f"{n}@x.example", "…", VAULT, EVENING)
    with pytest.raises(ValueError, match="are enough"):
        channels.add(session, maya, "mail", "more@x.example", "…", VAULT, EVENING)


def test_tries_cannot_be_used_to_flood_somebody(session: Session) -> None:
    maya = hire(session, "Maya", "monitor", EVENING)
    channels.give_first(session, EVENING)
    channel = channel_of(session, maya)
    for _ in range(channels.TRIES):
        notice = channels.try_out(session, channel, EVENING)
        with pytest.raises(ValueError, match="on its way"):
            channels.try_out(session, channel, EVENING)
        notice.state, notice.settled_at = "delivered", EVENING
        session.flush()
    with pytest.raises(ValueError, match="in an hour"):
        channels.try_out(session, channel, EVENING)
    assert channels.try_out(session, channel, EVENING + channels.TRY_WINDOW).state == "scheduled"


# ---- pages ----


def test_a_person_adds_tries_times_and_removes_a_channel(
    client: Client, cast: Cast, wiring, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        channels.give_first(session, datetime.now(UTC))
    maya = client(cast.monitor)
    page = maya.get("/me").text
    assert "m…@desk.example" in page
    assert "No e-mail goes out" in page
    typed = {"service": "ntfy", "address": "ntfys://ntfy.sh/tide-tables-of-1911"}
    assert maya.post("/me/channels", data=typed).status_code == 303
    page = maya.get("/me").text
    assert "ntfy ntfy.sh …11" in page
    assert "tide-tables" not in page
    with sessions() as session:
        channel = session.scalars(select(Channel).where(Channel.service == "ntfy")).one().id
    times = {"channel": channel, "quiet_from": "22:00", "quiet_until": "07:00", "digest": "1"}
    assert maya.post("/me/channels/times", data=times).status_code == 303
    assert "quiet from 22:00 to 07:00" in maya.get("/me").text
    wrong = maya.post("/me/channels/times", data=times | {"quiet_until": "", "quiet_from": "21:00"})
    assert wrong.status_code == 422
    assert "both a beginning and an end" in wrong.text
    assert 'value="21:00"' in wrong.text
    assert maya.post("/me/channels/try", data={"channel": channel}).status_code == 303
    assert "Last try" in maya.get("/me").text
    again = maya.post("/me/channels/try", data={"channel": channel})
    assert (again.status_code, "on its way" in again.text) == (422, True)
    jonah = client(cast.comms)
    for verb in ("try", "times", "remove"):  # somebody else's
        assert jonah.post(f"/me/channels/{verb}", data={"channel": channel}).status_code == 404
    assert maya.post("/me/channels/remove", data={"channel": channel}).status_code == 303
    assert "ntfy ntfy.sh …11" not in maya.get("/me").text


@pytest.mark.parametrize(
    ("service", "address"),
    [
        ("mail", "nobody"),
        ("mail", "a@b.example\r\nBcc: all@desk.example"),
        ("mail", "a@b.example, c@d.example"),
        ("ntfy", "ntfy://ntfy.sh/plain"),
        ("ntfy", "ntfys://ntfy.sh/x?verify=no"),
        ("ntfy", "ntfys://127.0.0.1/x"),
        ("ntfy", "ntfys://169.254.169.254/latest"),
        ("ntfy", "ntfys://evil.example@10.0.0.1/x"),
        ("ntfy", "jsons://desk.example/"),
        ("slack", "tgram://123456789:abcdefg_hijklmnop/1/"),
        ("signal", "signals://[::1]/+12025550101/+12025550102"),
        ("exec", "exec://rm"),
        ("", ""),
    ],
)
def test_an_address_that_leads_elsewhere_is_refused_and_comes_back(
    client: Client, cast: Cast, service: str, address: str
) -> None:
    answer = client(cast.monitor).post(
        "/me/channels", data={"service": service, "address": address}
    )
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert address.split("\r")[0] in answer.text.replace("&#39;", "'")


def test_the_log_is_for_those_who_answer_for_it(
    client: Client, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    now = datetime.now(UTC)
    with sessions.begin() as session:
        alert = send_alert(session, [cast.leader], now, 4)
        alert.recipients[0].acknowledged_at = now - timedelta(seconds=1)  # before: still told
        alert.recipients[0].acknowledged_at = None
        announce(session, ZONE, now)
        notice = log.told_of_alert(session, alert.id)[0]
        notice.state, notice.settled_at, notice.detail = (
            "failed",
            now,
            "The mail server refuses it (550).",
        )
        raise_flag(session, now, kind="life_safety")
        announce(session, ZONE, now)
    for person in (cast.leader, cast.comms):
        assert client(person).get("/notices").status_code == 403
    dana = client(cast.duty_lead)
    page = dana.get("/notices").text
    for words in (
        "Ruth",
        "r…@desk.example",
        "refuses it (550)",
        "not acknowledged",
        "Cannot be told",
    ):
        assert words in page
    assert "ruth@desk.example" not in page
    failed = dana.get("/notices", params={"state": "failed"}).text
    assert "Flag 1" not in failed
    assert f"Alert {alert.id}" in failed
    for nonsense in ({"state": "lost"}, {"before": "0"}, {"before": str(2**40)}):
        assert dana.get("/notices", params=nonsense).status_code == 404


def test_the_log_goes_on_page_by_page(session: Session) -> None:
    rosa = hire(session, "Rosa", "responder", EVENING)
    for _ in range(log.LOG_LINES + 1):
        send_alert(session, [rosa], EVENING, 4)
    announce(session, ZONE, EVENING)
    newest = log.log(session, ())
    assert len(newest.notices) == log.LOG_LINES
    oldest = log.log(session, (), newest.older)
    assert (len(oldest.notices), oldest.older) == (1, None)


def test_the_pages_fit_a_phone_and_hold_no_barrier(
    browsing, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    now = datetime.now(UTC)
    with sessions.begin() as session:
        raise_flag(session, now, kind="life_safety")
        send_alert(session, [cast.duty_lead, cast.monitor], now, 4)
        announce(session, ZONE, now)
        channels.try_out(session, channel_of(session, cast.duty_lead), now)
    for width in (390, 1280):
        page = browsing(cast.duty_lead, width).new_page()
        for path in ("/notices", "/me"):
            page.goto(path)
            for summary in page.locator("details > summary").all():
                summary.click()
            wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wider <= 0, path
            found = Axe().run(page).response["violations"]
            assert not found, [(rule["id"], rule["nodes"][0]["html"]) for rule in found]


def test_nothing_of_an_alert_is_announced_twice(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        send_alert(session, [hire(session, "Rosa", "responder", EVENING)], EVENING, 4)
    for _ in range(3):
        with sessions.begin() as session:
            announce(session, ZONE, EVENING)
    with sessions() as session:
        assert len(told(session)) == 1
        assert session.scalar(select(Alert.id)) is not None
