"""Every page in a real browser, wide and at phone width: whole, quiet, accessible, ours alone."""

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import event, select
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from campaigns import limits
from campaigns.afterwards import retracting
from campaigns.approving import release_permissions
from campaigns.contacts import address_faults, closing, contacts, erasing, imports, opt_outs
from campaigns.drafting.messages import save_draft, start_message
from campaigns.models import (
    Approval,
    Attempt,
    Campaign,
    Delivery,
    Observation,
    ReadBack,
    Release,
    Voice,
)
from campaigns.sending import kill_switch
from desk import handover, sitreps
from desk.app import create_app
from desk.models import Passkey, Person
from desk.security import COOKIE
from desk.wiring import Wiring
from monitor.alerts import alert_course, alert_lists, alerts, cap
from monitor.coding import cases, codings, lexicon, situations
from monitor.coding.codebook import CODEBOOK, FIELDS, VALUES, MessageFields
from monitor.models import Flag, HourlyCount, Narrative, Reading
from monitor.narratives.narratives import hour_of
from monitor.reading import readers
from sources import register
from sources.matching import Rule
from sources.models import Post
from sources.watches import save_watch
from tests.campaigns import listing
from tests.desk.conftest import Cast, Client, token_for

PATHS = (
    *("/stops", "/stops/1", "/stops/2", "/deliveries/1", "/share"),
    *("/contacts", "/contacts/1", "/contacts/lists/1", "/contacts/replies"),
    *("/contacts/erasures", "/contacts/2", "/contacts/lists/2"),
    *("/imports", "/imports/1", "/imports/1?show=refused"),
    *("/", "/narratives", "/narratives/1", "/messages", "/messages/1", "/calendar"),
    *("/calendar?view=week", "/calendar?view=list", "/calendar/move/3", "/watchdogs"),
    *("/messages/2", "/library", "/library?message=1"),
    "/campaigns/1",
    *("/voices", "/voices/1", "/sources", "/sources/1", "/watches", "/watches/new", "/watches/1"),
    *("/people", "/me", "/codebook", "/lexicon", "/lexicon/new", "/lexicon/1"),
    *("/scorer", "/scorer/cases/new", "/posts/1/coding", "/posts/2/coding"),
    *("/quality", "/quality/samples", "/thresholds", "/thresholds?least_authors=4"),
    *("/alerts", "/alerts/new", "/alerts/new?flag=1", "/alerts/lists", "/alerts/1", "/alerts/2"),
    *("/narratives/1/posts", "/flags/2"),
    *("/afterwards", "/deliveries/3"),
    *("/releases", "/releases/1", "/messages/1/release"),
    *("/search", "/search?q=bridge", "/queue", "/queue?level=4", "/flags/1", "/notices"),
    *("/narratives/1/threshold-test",),
    *("/triggers", "/narratives/1/situation"),
    *("/queue?state=all&source=people", "/views", "/jump", "/reports/new"),
    *("/reports/new?narrative=1", "/reports/new?post=2"),
    *("/handover", "/handover?since=3d", "/sitreps", "/sitreps/1", "/sitreps/1/edit"),
)
# The one rule of WCAG 2.2 that axe knows and leaves out unless asked.
WCAG_22 = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
MOST_QUERIES = 12  # of one page, its reader, their care and the banner of stops among them
HOSTILE = 'Someone should burn that place. <img src=x onerror="alert(1)"> ' + "unbroken" * 40


@pytest.fixture
def furnished(wiring: Wiring, message: int) -> Wiring:
    """A desk with posts, an open flag, a timeline, a source and a message."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        narrative = session.get_one(Narrative, 1)
        source = register.add_source(session, "feed", "https://gazette.example/rss", "Gazette", now)
        watch = Rule(any=("bridge", HOSTILE[:90]), places=("26163",), subject=HOSTILE[:60])
        save_watch(session, None, "Bridges <b>", watch, None, now)
        lexicon.seed(session, now)
        for number, text in enumerate(("Ordinary words about the bridge.", HOSTILE)):
            post = Post(
                source_id=source.id,
                platform="web",
                uri=f"post-{number}",
                author="a1",
                text=text,
                url="https://gazette.example/1",
                posted_at=now,
                collected_at=now,
            )
            session.add(post)
            session.flush()
            why = [{"code": "act:destroy", "text": "Wishes for a fire", "start": 0, "end": 31}]
            session.add(
                Reading(
                    post_id=post.id,
                    embedding=np.zeros(4),
                    embedder="test",
                    level=3 * number,
                    threat_level="none",
                    stance="asserts",
                    reasons=why * number,
                    scorer="test",
                    narrative_id=narrative.id,
                    hour=hour_of(now),
                    read_at=now,
                )
            )
        for age in range(30):
            session.add(
                HourlyCount(
                    narrative_id=narrative.id,
                    hour=hour_of(now) - timedelta(hours=age),
                    posts=3 + age % 5,
                    authors=3,
                    dangerous_posts=age % 2,
                    dangerous_authors=age % 2,
                )
            )
        narrative.first_post_at = now - timedelta(hours=29)
        _teach(session, now)
        _warn(session, now)
        _hand_over(session, now)
        _stop(session, now)
        _look_after(session, now)
        _keep_contacts(session, wiring, now)
        _release(session, now)
        session.add(
            Flag(
                narrative=narrative,
                hour=hour_of(now),
                observed=7,
                expected=0.6,
                p_value=0.0001,
                reasons=[
                    {"text": "7 different authors; the hours before explain 0.6", "post_id": 2}
                ],
                detector="test",
                raised_at=now,
            )
        )
    return wiring


def _teach(session: Session, now: datetime) -> None:
    """A post coded twice, a case, and two candidates, one of them in force."""
    for level, reason in ((2, "Calls them vermin"), (1, "Only scorn, " + "unbroken" * 40)):
        reading = session.get_one(Reading, 1)
        fields = MessageFields(target_kind="group", demeaning=True, hallmarks={"H1": level})
        codings.code(session, reading, fields, reason, 1, now, reading.coding_id)
    cases.teach(session, "They are rats, " + "unbroken" * 40, fields, 1, now)
    figures = {"hate_ap": 0.8, "violence_calibration_error": 0.05}
    measured = {"ours": {"texts": 9, "was": figures, "is": dict.fromkeys(figures, 0.1)}}
    card = readers.shipped().card | {"cases": {"trained on": 7}, "data": {"dev.jsonl": "hash"}}
    for name, refusals in (("one", []), ("another", ["It misses much in one dialect."])):
        one = card | {"name": f"reader {name}"}
        made = readers.add(session, readers.Candidate(one, b"", "reader", measured, refusals), now)
        if not refusals:
            readers.promote(session, made, "Better on our cases", 1, now)


def _warn(session: Session, now: datetime) -> None:
    """A live list and one for exercises, an open alert that was updated, and a drill taken back."""
    line = dict.fromkeys(cap.CARD, "unbroken" * 12)
    card = cap.Card(**line | {"headline": "A crowd <b>may</b> come"})
    codes, grade = cap.Codes("Immediate", "Extreme", "Possible"), cap.Grade("V1", "F", 3, "Seen")
    for name, exercise in (("Responders <i>", False), ("Drill", True)):
        told = alert_lists.make(session, name, exercise, 1, now)
        alert_lists.add(session, told, 3, 1, 1, now)
        alert = alerts.send(
            session,
            card=card,
            codes=codes,
            grade=grade,
            alert_list=told,
            exercise=exercise,
            flag=None,
            place="26163",
            stated_level=4,
            expires_at=now + timedelta(hours=1),
            by=1,
            now=now - timedelta(hours=1),
        )
        alert_course.respond(session, alert, 7, "Two mediators", 1, now)
        alerts.update(session, alert, card, codes, None, 1, now)
        if exercise:
            alerts.cancel(session, alert, "The drill is over", "unknown", 1, now)


def _stop(session: Session, now: datetime) -> None:
    """A message in doubt and one that waits, a voice and everything stopped, a stop lifted."""
    voice = session.get_one(Voice, 1)
    words = {"per_day": 2, "credibility": HOSTILE, "security_contact": HOSTILE, "by": 1}
    for quiet in (None, 60):
        limits.set_limits(
            session,
            voice,
            quiet_from=quiet,
            quiet_until=quiet and 120,
            zone="America/Detroit",
            now=now,
            **words,
        )
    for minutes, state in ((-20, "unconfirmed"), (30, "scheduled")):
        told = start_message(session, session.get_one(Campaign, 1), voice, by=2, now=now)
        due = now + timedelta(minutes=minutes)
        version = save_draft(session, told, {1: f"Calm. {HOSTILE[-99:]}"}, due, by=2, now=now)
        approval = Approval(
            version=version, sha256=version.sha256, drafted_by=2, approved_by=3, approved_at=now
        )
        delivery = Delivery(
            account_id=1, due_at=due, state=state, record_key=state, record={"text": HOSTILE}
        )
        delivery.detail, delivery.claimed_at = HOSTILE, now
        delivery.attempts.append(Attempt(started_at=now, ended_at=now, outcome="unknown"))
        approval.deliveries.append(delivery)
        session.add(approval)
        session.flush()
    lifted = kill_switch.press(session, voice, reason=HOSTILE, by=1, now=now)
    kill_switch.lift(session, lifted, why=HOSTILE, by=2, now=now)
    kill_switch.press(session, None, reason=HOSTILE, by=1, now=now)
    kill_switch.press(session, voice, reason=HOSTILE, by=1, now=now)


def _keep_contacts(session: Session, wiring: Wiring, now: datetime) -> None:
    """A contact on a list who agreed to one of two ways, and somebody's words that wait."""
    audience = listing.make_list(session, now, HOSTILE[:60])
    address = {"email": "ana@town.example", "number": "(989) 555-0142"}
    ana = listing.member(session, audience, HOSTILE[:90], now, book=wiring.book, **address)
    address_faults.note(session, ana.addresses[0], HOSTILE, now)
    contacts.end_consent(session, ana.addresses[0], why=HOSTILE, by=1, now=now)
    gone = listing.member(session, audience, "Ben", now, email="ben@town.example", book=wiring.book)
    erasing.erase(session, wiring.book, gone, why=HOSTILE, by=1, now=now)
    shut = listing.make_list(session, now, "Shut")
    closing.rename(session, shut, HOSTILE[:50], why=HOSTILE, by=1, now=now)
    closing.close(session, shut, why=HOSTILE, by=1, now=now)
    said = {"gateway": "test", "gateway_id": "1", "number": "+19895550142", "words": HOSTILE}
    opt_outs.hear(session, wiring.book, **said, now=now)
    file = f"Name,E-mail\n{HOSTILE[-99:]},x@town.example\n{HOSTILE[-99:]},{HOSTILE[-99:]}\n"
    imports.keep(session, wiring.book, "contacts", HOSTILE, file.encode(), by=1, now=now)


def _release(session: Session, now: datetime) -> None:
    """A message released in an emergency that its leader has not reviewed, and their passkey."""
    voice = session.get_one(Voice, 1)
    allowed = release_permissions.allow(
        *(session, voice.consents[0]), covers=HOSTILE, until=now + timedelta(days=1), by=1, now=now
    )
    told = start_message(session, session.get_one(Campaign, 1), voice, by=2, now=now)
    due = now + timedelta(minutes=40)
    version = save_draft(session, told, {1: f"Calm. {HOSTILE[-99:]}"}, due, by=2, now=now)
    same = {"version": version, "sha256": version.sha256, "drafted_by": 2}
    released = Release(**same, permission=allowed, reason=HOSTILE, asked_by=1, asked_at=now)
    released.released_by, released.released_at = 6, now - timedelta(days=2)
    session.add(released)
    session.flush()
    approval = Approval(**same, approved_by=6, approved_at=now, release_id=released.id)
    approval.deliveries.append(
        Delivery(account_id=1, due_at=due, state="scheduled", record_key="released", record={})
    )
    key = Passkey(person_id=3, credential_id=b"1", public_key=b"1", sign_count=0, transports=[])
    key.name, key.added_at = HOSTILE[:60], now
    session.add_all([approval, key])
    session.flush()


def _look_after(session: Session, now: datetime) -> None:
    """A message that is out and is read back, and was to be taken down in an emergency."""
    voice, out = session.get_one(Voice, 1), now - timedelta(days=2)
    told = start_message(session, session.get_one(Campaign, 1), voice, by=2, now=out)
    version = save_draft(session, told, {1: f"Calm. {HOSTILE[-99:]}"}, out, by=2, now=out)
    approval = Approval(
        version=version, sha256=version.sha256, drafted_by=2, approved_by=3, approved_at=out
    )
    delivery = Delivery(account_id=1, due_at=out, state="published", record_key="out", record={})
    delivery.settled_at, delivery.receipt_uri = out, HOSTILE
    delivery.receipt_url = "https://there.example/7"
    approval.deliveries.append(delivery)
    session.add(approval)
    session.flush()
    for hours, replies in ((40, 3), (30, 8), (1, 12)):
        seen = Observation(delivery=delivery, at=now - timedelta(hours=hours), state="stands")
        seen.likes, seen.replies = 40, replies
        session.add(seen)
    unread = Observation(delivery=delivery, at=now, state="unreadable", detail=HOSTILE)
    session.add_all([unread, ReadBack(delivery=delivery, next_at=now + timedelta(hours=1))])
    retracting.take_down_at_once(session, delivery, reason=HOSTILE, by=1, now=now)


def _hand_over(session: Session, now: datetime) -> None:
    """Notes open, done and for information, a draft of one, and a report that repeats a post."""
    person = session.get_one(Person, 1)
    note = handover.write(session, person, HOSTILE, "open", "/alerts/1", now)
    handover.tick(session, note, "Rang them", 1, now)
    handover.write(session, person, HOSTILE, "open", "/narratives/1", now)
    handover.write(session, person, "A calm night", "information", "", now)
    words = {"text": HOSTILE, "stays": "open", "about": ""}
    handover.keep_draft(session, session.get_one(Person, 3), words, now)
    handover.read(session, person, now, now)
    week = situations.week_of(now)
    report = sitreps.start(session, week, "", None, 1, now)
    said = {"situations": "[V1] Someone should burn that place. @someone"}
    sitreps.save(session, report, said, 1, "To see it here", 1, now)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page(
    furnished: Wiring,
    cast: Cast,
    browsing: Callable[..., BrowserContext],
    width: int,
    scheme: str,
) -> None:
    _give_every_role(furnished, cast)
    page = browsing(cast.leader, width).new_page()
    page.emulate_media(color_scheme=scheme)
    complaints: list[str] = []
    asked: list[str] = []
    barriers: list[str] = []
    home = ""
    page.on("console", lambda line: complaints.append(line.text))
    page.on("pageerror", lambda fault: complaints.append(str(fault)))
    page.on("request", lambda request: asked.append(request.url))
    for path in PATHS:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        home = answer.url.removesuffix(path) if path != "/" else answer.url.rstrip("/")
        wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wider <= 0, f"{path} is {wider} px too wide"
        found = Axe().run(page, options=WCAG_22)
        barriers += [
            f"{path}: {rule['id']} {node['html']} {node['failureSummary']}"
            for rule in found.response["violations"]
            for node in rule["nodes"]
        ]
    assert not barriers, "\n".join(barriers)
    assert complaints == []
    assert not [url for url in asked if not url.startswith(home)]


def _give_every_role(wiring: Wiring, cast: Cast) -> None:
    """One person who sees everything that any page can show."""
    from desk import people
    from desk.models import ROLES

    with wiring.sessions.begin() as session:
        person = session.get_one(Person, cast.leader.id)
        for role in ROLES:
            people.grant(session, person, role, None, datetime.now(UTC))


def test_no_page_asks_the_database_too_often(furnished: Wiring, cast: Cast) -> None:
    _give_every_role(furnished, cast)
    token = token_for(furnished, cast.leader)
    desk = TestClient(create_app(furnished), cookies={COOKIE: token})
    sent: list[str] = []
    event.listen(furnished.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    for path in ("/narratives/1", "/scorer"):  # what is read once in a process is read
        desk.get(path).raise_for_status()
    asked = {}
    for path in PATHS:
        sent.clear()
        desk.get(path).raise_for_status()
        asked[path] = len(sent)
    assert asked["/me"] >= 2, "nothing was counted"
    assert {path: n for path, n in asked.items() if n > MOST_QUERIES} == {}


def test_evidence_is_marked_and_hostile_text_stays_text(
    furnished: Wiring, cast: Cast, browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.monitor).new_page()
    page.goto("/narratives/1")
    expect(page.locator("mark")).to_have_count(1)
    expect(page.locator("mark")).to_contain_text("Someone should burn that place.")
    expect(page.locator(".post img")).to_have_count(0)
    expect(page.locator(".post", has_text="<img src=x")).to_have_count(1)
    expect(page.locator(".post a[href^=http]").first).to_have_attribute("rel", "noopener nofollow")


def test_a_single_call_to_violence_waits_for_no_narrative(
    furnished: Wiring, cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    assert "Single posts that urge violence" not in maya.get("/").text
    with furnished.sessions.begin() as session:
        reading = session.scalars(select(Reading).where(Reading.level == 3)).one()
        reading.level, reading.narrative_id = 4, None
    page = maya.get("/").text
    assert "Single posts that urge violence" in page
    assert "What needs you now" in page
    assert "in no narrative" in page
    assert "Single posts that urge violence" not in client(cast.comms).get("/").text


def _sentences(data: object) -> Iterator[str]:
    """Everything the codebook says in words, however deep it stands."""
    if isinstance(data, dict):
        for key, part in data.items():
            if key not in ("key", "value", "field"):
                yield from _sentences(part)
    elif isinstance(data, list | tuple):
        for part in data:
            yield from _sentences(part)
    elif isinstance(data, str) and data:
        yield data


def test_the_codebook_shows_all_of_its_data_with_a_place_to_link_to(
    cast: Cast, client: Client
) -> None:
    page = client(cast.comms).get("/codebook").text
    shown = html.unescape(re.sub(r"<[^>]+>", "", page)).lower()
    said = list(_sentences(msgspec.to_builtins(CODEBOOK)))
    assert len(said) > 200
    assert [words for words in said if words.lower() not in shown] == []

    places = Counter(re.findall(r' id="([^"]+)"', page))
    assert [name for name, times in places.items() if times > 1] == []
    wanted = {*FIELDS, *(f"{scale}{degree}" for scale in "MD" for degree in range(5))}
    wanted |= {one.value for one in CODEBOOK.danger_terms}
    wanted |= {
        f"{factor.key}-{step.value}" for factor in CODEBOOK.situation for step in factor.steps
    }
    wanted |= {f"threat_level-{one.value}" for one in CODEBOOK.threat_levels}
    wanted |= {f"rabat-{one.value}" for one in CODEBOOK.rabat.parts}
    for key, values in VALUES.items():
        wanted |= values if key == "hallmarks" else {f"{key}-{value}" for value in values}
    assert wanted - set(places) == set()
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(places)


def test_the_codebook_says_nothing_the_house_does_not_say(cast: Cast, client: Client) -> None:
    page = client(cast.monitor).get("/codebook").text.lower()
    for word in ("extremist", "suspect", "offender", "enemy", "illegal", "prediction"):
        assert word not in page


@pytest.mark.parametrize("number", ["0", "99999999999", "-1", "abc"])
def test_a_number_that_names_nothing_is_no_fault_of_ours(
    client: Client, cast: Cast, number: str
) -> None:
    for noun in ("narratives", "messages", "voices"):
        answer = client(cast.monitor).get(f"/{noun}/{number}")
        assert answer.status_code == 404
        assert "nothing at this address" in answer.text


def test_a_form_that_cannot_be_kept_is_refused_in_words(client: Client, cast: Cast) -> None:
    admin = client(cast.admin)
    nul = {"name": "a\x00b", "email": "a@desk.example"}
    assert admin.post("/people", data=nul).status_code == 422
    letters = {"name": "A", "role": "B", "leader_id": "abc"}
    answer = admin.post("/voices", data=letters)
    assert answer.status_code == 422
    assert "<html" in answer.text
    assert client(None).post("/sign-in", data={"email": "a\x00"}).status_code == 422


def test_words_written_in_an_ended_session_come_back(client: Client, message: int) -> None:
    form = {"text_1": "Words that took an hour.", "send_at": "2026-12-01T10:00", "password": "x1y2"}
    answer = client(None).post(f"/messages/{message}/draft", data=form)
    assert answer.status_code == 401
    assert "Words that took an hour." in answer.text
    assert f'action="/messages/{message}/draft"' in answer.text
    assert "x1y2" not in answer.text


def test_a_day_beyond_the_calendar_is_refused_in_words(
    client: Client, cast: Cast, message: int
) -> None:
    comms = client(cast.comms)
    assert comms.get("/calendar?month=9999-12").status_code == 200
    assert comms.get("/calendar?month=0001-01").status_code == 200
    form = {"text_1": "Kept words.", "send_at": "9999-12-31T23:59", "then": "save"}
    answer = comms.post(f"/messages/{message}/draft", data=form)
    assert answer.status_code in (303, 422)
    assert "Kept words." in comms.get(f"/messages/{message}").text + answer.text


def test_another_messages_version_is_not_decided_here(
    client: Client, cast: Cast, message: int
) -> None:
    form = {"version_id": "7", "sha256": "0" * 64}
    assert client(cast.leader).post(f"/messages/{message}/approve", data=form).status_code == 404


def test_a_monitor_confirms_and_the_second_one_is_told(
    furnished: Wiring, cast: Cast, client: Client
) -> None:
    with furnished.sessions() as session:
        flag = session.scalars(select(Flag).order_by(Flag.id.desc())).first()
        assert flag is not None
    form = {"decision": "confirmed", "reason": "Seen at the source."}
    first = client(cast.monitor).post(f"/flags/{flag.id}/decision", data=form)
    assert first.status_code == 303
    second = client(cast.monitor).post(f"/flags/{flag.id}/decision", data=form)
    assert second.status_code == 409
    assert "Maya decided this flag already" in second.text


def test_a_dismissal_without_a_reason_is_refused(
    furnished: Wiring, cast: Cast, client: Client
) -> None:
    answer = client(cast.monitor).post("/flags/2/decision", data={"decision": "dismissed"})
    assert answer.status_code == 422
    assert "A dismissal needs a reason" in answer.text


def test_only_a_monitor_decides(furnished: Wiring, cast: Cast, client: Client) -> None:
    answer = client(cast.leader).post("/flags/2/decision", data={"decision": "confirmed"})
    assert answer.status_code == 403


def test_a_refused_answer_keeps_its_words(furnished: Wiring, cast: Cast, client: Client) -> None:
    form = {"strategy": "norm", "audience": "Parents of the Herons", "goal": " "}
    answer = client(cast.comms).post("/narratives/1/campaigns", data=form)
    assert answer.status_code == 422
    assert "Name one goal" in answer.text
    assert "Parents of the Herons" in answer.text


def test_a_page_whose_session_has_ended_is_sent_to_the_sign_in(
    client: Client, desk_url: str
) -> None:
    answer = client(None).get("/", headers={"hx-request": "true"})
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/sign-in"
