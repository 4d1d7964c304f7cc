"""From a mail to a decision: by a link, once, on a phone; whatever opens it before is harmless."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message as Mail
from io import BytesIO

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as Talk
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from axe_playwright_python.sync_playwright import Axe
from PIL import Image as Pillow
from playwright.sync_api import Browser, expect
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from campaigns.approving.approval_links import make_link
from campaigns.drafting.messages import latest_version, save_draft, state_of, submit
from campaigns.models import ApprovalLink, Image, Message, MessageVersion
from campaigns.sending import kill_switch
from campaigns.wording.media import keep_image
from desk import channels, people
from desk.couriers import Courier
from desk.models import Notice, Person
from desk.notices.announce import announce
from desk.telling import tell_due
from desk.wiring import Wiring
from sources.db import Base
from tests.conftest import free_port
from tests.desk.conftest import Cast, Client

CALM = "Our water was tested this morning and it is clean. Neighbours, let us talk tomorrow."
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}


class Post:
    """A mail server that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def handle_DATA(self, server: SMTP, session: Talk, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


@pytest.fixture
def post() -> Iterator[tuple[Post, str]]:
    handler, port = Post(), free_port()
    server = Controller(handler, hostname="127.0.0.1", port=port)
    server.start()
    yield handler, f"mailto://127.0.0.1:{port}?from=desk@desk.example"
    server.stop()


def lay_before(
    session: Session,
    message_id: int,
    cast: Cast,
    text: str = CALM,
    pictures: Sequence[tuple[Image, str]] | None = None,
) -> MessageVersion:
    """Jonah writes and submits; answers the version that waits for Ruth."""
    now = datetime.now(UTC)
    message = session.get_one(Message, message_id)
    texts = {account.id: text for account in message.voice.accounts}
    send_at = now + timedelta(hours=4)  # sooner, and the watchdogs call for somebody
    version = save_draft(
        session, message, texts, send_at, by=cast.comms.id, now=now, pictures=pictures
    )
    submit(session, version, by=cast.comms.id, now=now)
    return version


@pytest.fixture
def link(wiring: Wiring, cast: Cast, message: int) -> str:
    """The path of a link to the version that waits."""
    with wiring.sessions.begin() as session:
        version = lay_before(session, message, cast)
        return f"/approve/{make_link(session, version, wiring.vault, datetime.now(UTC))}"


def state(wiring: Wiring, message: int) -> str:
    with wiring.sessions() as session:
        return state_of(session.get_one(Message, message))


def seal(wiring: Wiring, message: int) -> dict[str, str]:
    with wiring.sessions() as session:
        version = latest_version(session.get_one(Message, message))
        assert version is not None
        return {"sha256": version.sha256}


def test_from_the_mail_to_approved_on_a_phone(
    wiring: Wiring,
    cast: Cast,
    message: int,
    desk_url: str,
    browser: Browser,
    post: tuple[Post, str],
) -> None:
    with wiring.sessions.begin() as session:
        lay_before(session, message, cast)
        announce(session, wiring.zone, datetime.now(UTC))
    told = tell_due(
        wiring.sessions, Courier(post[1]), wiring.vault, desk_url, lambda: datetime.now(UTC)
    )
    assert told == 1
    (mail,) = post[0].mails
    said = str(mail.get_payload(decode=True), "utf-8").replace("\r\n", "\n")
    assert mail["To"] == "ruth@desk.example"
    assert mail["Subject"] == "Breakwater: a message waits for your approval."
    assert CALM not in said  # a locked screen shows it
    found = re.search(rf"{desk_url}/approve/\S+", said)
    assert found is not None, said

    # A scanner of the mail provider opens it first, with and without a body.
    with httpx.Client() as scanner:
        for method in ("HEAD", "GET", "GET"):
            answer = scanner.request(method, found[0])
            assert answer.status_code == 200
            assert "set-cookie" not in answer.headers
            assert answer.headers["referrer-policy"] == "strict-origin"
    assert state(wiring, message) == "submitted"

    # No script: whatever the phone's browser allows.
    context = browser.new_context(viewport={"width": 390, "height": 780}, java_script_enabled=False)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(found[0])
    expect(page.get_by_text(CALM).first).to_be_visible()
    page.get_by_role("button", name="Approve exactly this").click()
    expect(page.get_by_role("heading", name="Ruth approved this")).to_be_visible()
    assert state(wiring, message) == "scheduled"
    assert context.cookies() == []
    assert not [url for url in asked if not url.startswith(desk_url)]

    # The second use says who decided.
    page.goto(found[0])
    expect(page.get_by_role("heading", name="Ruth approved this")).to_be_visible()
    expect(page.get_by_role("button", name="Approve exactly this")).to_have_count(0)
    with httpx.Client(headers=SAME_ORIGIN) as again:
        answer = again.post(f"{found[0]}/decline", data={"reason": "No."})
    assert answer.status_code == 409
    assert "Ruth approved this" in answer.text
    assert state(wiring, message) == "scheduled"
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_a_link_fits_a_phone_and_holds_no_barrier(
    wiring: Wiring, link: str, desk_url: str, browser: Browser, scheme: str
) -> None:
    context = browser.new_context(
        base_url=desk_url, viewport={"width": 390, "height": 780}, color_scheme=scheme
    )
    page = context.new_page()
    for path in (link, f"{link}x"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        assert Axe().run(page).response["violations"] == []
    context.close()


def test_the_link_shows_the_pictures_of_its_message_and_no_others(
    wiring: Wiring, client: Client, cast: Cast, message: int
) -> None:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        shown, other = (
            keep_image(session, _square(colour), by=cast.comms.id, now=now)
            for colour in ("red", "blue")
        )
        version = lay_before(session, message, cast, pictures=[(shown, 'A red <b>"square"</b>')])
        link = f"/approve/{make_link(session, version, wiring.vault, now)}"
        kill_switch.press(session, version.message.voice, reason="Wait.", by=1, now=now)
        mine, foreign = shown.sha256, other.sha256
    phone = client(None)
    page = phone.get(link).text
    assert f'src="{link}/pictures/{mine}"' in page
    assert "A red &lt;b&gt;&#34;square&#34;&lt;/b&gt;" in page
    assert "The kill switch is pressed" in page
    assert phone.get(f"{link}/pictures/{mine}").headers["content-type"] == "image/png"
    assert phone.get(f"{link}/pictures/{foreign}").status_code == 404
    assert phone.get(f"{link}x/pictures/{mine}").status_code == 404


def _square(colour: str) -> bytes:
    data = BytesIO()
    Pillow.new("RGB", (8, 8), colour).save(data, "PNG")
    return data.getvalue()


def test_only_a_hash_of_the_token_is_kept(wiring: Wiring, link: str) -> None:
    token = link.removeprefix("/approve/")
    with wiring.sessions() as session:
        (kept,) = session.scalars(select(ApprovalLink)).all()
        assert token not in str(vars(kept))
        assert len(kept.token_sha256) == 64


def test_a_changed_or_foreign_token_opens_nothing_and_guessing_is_slowed(
    wiring: Wiring, client: Client, link: str, message: int
) -> None:
    stranger = client(None)
    token = link.removeprefix("/approve/")
    foreign = wiring.vault.encrypt(b"approval 1 3").decode().rstrip("=")  # signed, never handed out
    for wrong in (f"{token[:-3]}AAA", token[1:], foreign, "é", "A" * 5000):
        assert stranger.get(f"/approve/{wrong}").status_code == 404
        answer = stranger.post(f"/approve/{wrong}/approve", data=seal(wiring, message))
        assert answer.status_code == 404
    assert stranger.get("/approve/again").status_code == 429
    assert state(wiring, message) == "submitted"
    # Whoever holds a true link is not shut out by those who guess from the same place.
    assert stranger.get(link).status_code == 200


def test_a_form_from_another_site_decides_nothing(
    wiring: Wiring, client: Client, link: str, message: int
) -> None:
    answer = client(None).post(
        f"{link}/approve", data=seal(wiring, message), headers={"sec-fetch-site": "cross-site"}
    )
    assert answer.status_code == 403
    assert state(wiring, message) == "submitted"


def test_what_fails_does_not_use_the_link_up_and_keeps_the_words(
    wiring: Wiring, client: Client, link: str, message: int
) -> None:
    phone = client(None)
    refused = phone.post(f"{link}/approve", data={"sha256": "0" * 64})
    assert refused.status_code == 409
    assert "not the text you were shown" in refused.text
    empty = phone.post(f"{link}/ask", data={"reason": "  "})
    assert empty.status_code == 409
    assert "the drafter needs your reason" in empty.text
    long = phone.post(f"{link}/decline", data={"reason": "Words I typed. " * 200})
    assert long.status_code == 409
    assert "Words I typed." in long.text
    unchanged = phone.post(f"{link}/edit", data={"text_1": CALM})
    assert unchanged.status_code == 409
    assert "You changed nothing" in unchanged.text
    assert phone.post(f"{link}/other", data={}).status_code == 404
    assert phone.post(f"{link}/approve", data=seal(wiring, message)).status_code == 303
    assert state(wiring, message) == "scheduled"


def test_a_change_asked_for_reaches_the_drafter(
    wiring: Wiring, client: Client, cast: Cast, link: str, message: int
) -> None:
    answer = client(None).post(f"{link}/ask", data={"reason": "Say <b>when</b> it was tested."})
    assert answer.status_code == 303
    assert state(wiring, message) == "change asked"
    drafter = client(cast.comms)
    page = drafter.get(f"/messages/{message}").text
    assert "Ruth asks for a change" in page
    assert "Say &lt;b&gt;when&lt;/b&gt; it was tested." in page
    assert "change asked" in drafter.get("/").text
    assert "asked for a change" in client(None).get(link).text


def test_the_leaders_own_words_come_back_to_them_checked_by_another(
    wiring: Wiring, client: Client, cast: Cast, link: str, message: int
) -> None:
    hers = CALM.replace("Neighbours", "Friends")
    assert client(None).post(f"{link}/edit", data={"text_1": hers}).status_code == 303
    assert "You changed the words" in client(None).get(link).text
    assert state(wiring, message) == "draft"
    leader, drafter = client(cast.leader), client(cast.comms)
    assert "Approve exactly this" not in leader.get(f"/messages/{message}").text
    page = drafter.get(f"/messages/{message}").text
    assert "Ruth changed the words" in page
    with wiring.sessions.begin() as session:
        version = latest_version(session.get_one(Message, message))
        assert version is not None
        assert version.drafted_by == cast.leader.id
        submit(session, version, by=cast.comms.id, now=datetime.now(UTC))
        named = {"version_id": str(version.id)}
    assert "checked by Jonah" in leader.get(f"/messages/{message}").text
    approved = leader.post(f"/messages/{message}/approve", data=seal(wiring, message) | named)
    assert approved.status_code == 303
    assert state(wiring, message) == "scheduled"


def _replace(session: Session, cast: Cast, version: MessageVersion) -> None:
    lay_before(session, version.message_id, cast, f"{CALM} Truly.")


def _expire(session: Session, cast: Cast, version: MessageVersion) -> None:
    session.scalars(select(ApprovalLink)).one().expires_at = datetime.now(UTC)


def _pass_on(session: Session, cast: Cast, version: MessageVersion) -> None:
    version.message.voice.leader_id = cast.other_leader.id


def _leave(session: Session, cast: Cast, version: MessageVersion) -> None:
    leader, admin = session.get_one(Person, cast.leader.id), session.get_one(Person, cast.admin.id)
    people.leave(session, leader, admin, datetime.now(UTC))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_replace, "The words were changed after this link was sent"),
        (_expire, "This link has ended"),
        (_pass_on, "This is not yours to decide any more"),
        (_leave, "This is not yours to decide any more"),
    ],
)
def test_a_link_that_does_not_hold_any_more_says_so(
    wiring: Wiring,
    client: Client,
    cast: Cast,
    link: str,
    message: int,
    change: Callable[[Session, Cast, MessageVersion], None],
    said: str,
) -> None:
    old = seal(wiring, message)
    with wiring.sessions.begin() as session:
        change(session, cast, session.scalars(select(MessageVersion)).one())
    phone = client(None)
    assert said in phone.get(link).text
    answer = phone.post(f"{link}/approve", data=old)
    assert answer.status_code == 409
    assert said in answer.text
    assert state(wiring, message) == "submitted"


def test_only_channels_of_one_reader_carry_the_link(
    wiring: Wiring, client: Client, cast: Cast, message: int, post: tuple[Post, str]
) -> None:
    """A topic of ntfy is read by whoever knows its name: it gets the page's address alone."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        ruth = session.get_one(Person, cast.leader.id)
        topic = "ntfys://127.0.0.1:9/topic"
        channels.add(session, ruth, "ntfy", topic, "ntfy", wiring.vault, now)
        lay_before(session, message, cast)
        announce(session, wiring.zone, now)
        announce(session, wiring.zone, now)
        notices = session.scalars(select(Notice)).all()
        assert [one.kind for one in notices] == ["approval", "approval"]
    tell_due(wiring.sessions, Courier(post[1]), wiring.vault, "https://desk.example", lambda: now)
    with wiring.sessions() as session:
        assert len(session.scalars(select(ApprovalLink)).all()) == 1
    log = client(cast.admin).get("/notices").text
    assert f'<a href="/messages/{message}">Message {message}</a>, for approval' in log
    page = client(cast.comms).get(f"/messages/{message}").text
    assert "Asked at r…@desk.example" in page
    assert "state delivered" in page


def test_nobody_is_asked_what_was_decided_meanwhile(
    wiring: Wiring, client: Client, cast: Cast, link: str, message: int, post: tuple[Post, str]
) -> None:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        announce(session, wiring.zone, now)
    assert client(None).post(f"{link}/decline", data={"reason": "Not now."}).status_code == 303
    assert tell_due(wiring.sessions, Courier(post[1]), wiring.vault, "x", lambda: now) == 0
    assert post[0].mails == []
    with wiring.sessions() as session:
        (notice,) = session.scalars(select(Notice)).all()
        assert notice.detail == "The leader decided before this went out."


def test_the_models_and_the_migration_agree(engine: Engine) -> None:
    tables = {"approvals", "approval_links", "declines", "notices", "submissions"}
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _o, name, kind, *_: kind != "table" or name in tables,
            },
        )
        assert compare_metadata(context, Base.metadata) == []
