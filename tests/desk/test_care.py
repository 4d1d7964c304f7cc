"""Care for the reader: slurs softened, posts folded, counted for nobody else, a break offered."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import Engine, event, select, update
from sqlalchemy.orm import Session

from desk import care
from desk.models import CareChoice, Exposure, Person, ReadingSpell
from desk.pages import pieces, segments
from desk.security import COOKIE, HEADERS
from desk.softening import RENEWED, Softener
from desk.wiring import Wiring
from monitor.coding import lexicon
from monitor.coding.lexicon import Wording
from monitor.flags import life_safety
from monitor.models import Flag, Reading, Sample
from monitor.narratives.narratives import hour_of
from sources import register
from sources.db import Base
from sources.models import Post
from tests.campaigns.cast import make_narrative
from tests.desk.conftest import Cast, Client, token_for

TABLES = ("care_choices", "exposures", "reading_spells")
TEXTS = {
    1: "Ordinary words about the bridge.",
    2: "They are rats, all of them, and the retards at city hall know it <b>well</b>.",
    3: "Somebody should burn that warehouse tonight.",
    4: "Bring rifles to the warehouse at nine, we burn it.",
}
DEMEANED = {"code": "H1", "text": "Calls people vermin", "start": 0, "end": 13}
FORM = {"soften": "1", "fold_from": "3", "break_minutes": "60", "break_posts": "200"}


@pytest.fixture
def posts(wiring: Wiring, cast: Cast) -> dict[int, int]:
    """One narrative with a post of each message level from 1 to 4; their ids by level."""
    now = datetime.now(UTC)
    found = {}
    with wiring.sessions.begin() as session:
        narrative = make_narrative(session, now)
        source = register.add_source(session, "feed", "https://gazette.example/rss", "Gazette", now)
        for level, text in TEXTS.items():
            post = Post(
                source_id=source.id,
                platform="web",
                uri=f"post-{level}",
                author=f"a{level}",
                text=text,
                posted_at=now,
                collected_at=now,
            )
            session.add(post)
            session.flush()
            found[level] = post.id
            session.add(
                Reading(
                    post_id=post.id,
                    embedding=np.zeros(4),
                    embedder="test",
                    level=level,
                    threat_level="none",
                    stance="asserts",
                    reasons=[DEMEANED] if level == 2 else [],
                    scorer="test",
                    narrative_id=narrative.id,
                    hour=hour_of(now),
                    read_at=now,
                )
            )
    return found


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    said: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield said
    event.remove(engine, "before_cursor_execute", note)


def counted(wiring: Wiring, person: Person) -> tuple[int, int, int]:
    with wiring.sessions() as session:
        rows = list(session.scalars(select(Exposure).where(Exposure.person_id == person.id)))
    return sum(one.m2 for one in rows), sum(one.m3 for one in rows), sum(one.m4 for one in rows)


# Tables


def test_the_models_and_the_migration_agree(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _o, name, kind, *_: kind != "table" or name in TABLES,
            },
        )
        assert compare_metadata(context, Base.metadata) == []


# Softening

SOFT = Softener()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("you retards", "you r••••••"),
        ("RETARDED!", "R•••••••!"),
        ("a r3t@rd, 5lut", "a r•••••, 5•••"),
        ("sand nigger", "s••• n•••••"),
        ("ｒｅｔａｒｄ", "ｒ•••••"),
        ("rétard", "r•••••"),
        ("a re\u200btard", "a r••••••"),
        ("rеtаrd", "r•••••"),  # with Cyrillic letters
        ("spicy food, a spicket, retardant", "spicy food, a spicket, retardant"),
        ("rats in the alley", "rats in the alley"),
        ("", ""),
        ("🏴" * 3 + " slut \ud800", "🏴" * 3 + " s••• \ud800"),
        ("ﬁ slut", "ﬁ s•••"),
    ],
)
def test_slurs_lose_their_middle_and_every_offset_holds(text: str, expected: str) -> None:
    soft = SOFT.softened(text, [])
    assert soft == expected
    assert len(soft) == len(text)


def test_vermin_is_softened_where_people_are_meant() -> None:
    text = "They are rats, but the rats in the alley are rats."
    assert SOFT.softened(text, [DEMEANED]) == ("They are r•••, but the rats in the alley are rats.")
    assert SOFT.softened(text, [DEMEANED | {"code": "act:kill"}]) == text


def test_the_desks_own_lexicon_softens_what_it_calls_dehumanising(session, now) -> None:
    soft = Softener()
    soft.renew(session, now)
    wording = Wording(
        term="boat people",
        meaning="Says that newcomers are a flood.",
        benign_uses="Sailors.",
        kind="dehumanising",
    )
    lexicon.add(session, wording, 1, now)
    other = Wording(term="la puerta", meaning="A gate.", benign_uses="Doors.", kind="conspiracy")
    lexicon.add(session, other, 1, now)
    session.flush()
    text = "The boat people at la puerta"
    with statements(session.get_bind()) as asked:
        soft.renew(session, now + RENEWED / 2)
    assert asked == []
    assert soft.softened(text, []) == text
    soft.renew(session, now + RENEWED)
    assert soft.softened(text, []) == "The b••• p••••• at la puerta"


def test_evidence_keeps_its_place_in_a_softened_text() -> None:
    text = "Say it: they are retards. Really."
    reasons = [{"code": "H1", "text": "Why", "start": 8, "end": 18}]  # ends within the word
    cut = pieces(text, SOFT.softened(text, reasons), reasons)
    assert ["".join(piece for piece, _ in parts) for _, parts in cut] == [
        piece for piece, _ in segments(text, reasons)
    ]
    assert cut[1] == ("Why", [("they are r", "")])
    assert cut[2][1][0] == ("etards.", "••••••.")


def test_a_hostile_text_stays_linear() -> None:
    for text in ("retard " * 2000, "1" * 14_000, "r1" * 7000, "ｒé" * 7000):
        assert len(SOFT.softened(text, [DEMEANED])) == len(text)


# Choosing


def test_who_has_chosen_nothing_is_spared(wiring: Wiring, cast: Cast) -> None:
    with wiring.sessions() as session:
        choice = care.choice_of(session.get_one(Person, cast.monitor.id))
    assert choice == care.Choice(soften=True, fold_from=3, break_minutes=60, break_posts=200)
    assert [choice.folds(level) for level in range(5)] == [False, False, False, True, True]


def test_each_chooses_for_oneself_and_the_past_is_kept(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    form = {"fold_from": "never", "break_minutes": "never", "break_posts": "50"}
    answer = maya.post("/me/care", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/me#care")
    maya.post("/me/care", data=form)  # the same again is no new choice
    maya.post("/me/care", data=FORM | {"fold_from": "2"})
    with wiring.sessions() as session:
        rows = list(session.scalars(select(CareChoice).order_by(CareChoice.id)))
    assert [(one.person_id, one.soften, one.fold_from) for one in rows] == [
        (cast.monitor.id, False, None),
        (cast.monitor.id, True, 2),
    ]
    assert rows[0].break_posts == 50
    assert rows[0].replaced_at == rows[1].chosen_at
    assert rows[1].replaced_at is None
    assert '<option value="2" selected>' in maya.get("/me").text
    assert '<option value="3" selected>' in client(cast.leader).get("/me").text


@pytest.mark.parametrize(
    "wrong",
    [
        {"fold_from": "1"},
        {"fold_from": "5"},
        {"fold_from": ""},
        {"break_minutes": "61"},
        {"break_minutes": "-30"},
        {"break_posts": "<b>x</b>"},
    ],
)
def test_a_choice_that_is_not_offered_is_refused_and_the_rest_kept(
    wiring: Wiring, cast: Cast, client: Client, wrong: dict[str, str]
) -> None:
    answer = client(cast.monitor).post(
        "/me/care", data={"fold_from": "4", "break_minutes": "30", "break_posts": "50"} | wrong
    )
    assert answer.status_code == 422
    assert 'role="alert">Choose' in answer.text
    assert "<b>x</b>" not in answer.text
    kept = {"4", "30", "50"} - {
        {"fold_from": "4", "break_minutes": "30", "break_posts": "50"}[name] for name in wrong
    }
    assert set(re.findall(r'<option value="(\w+)" selected', answer.text)) >= kept
    assert not re.search(r'name="soften" value="1" checked', answer.text)
    with wiring.sessions() as session:
        assert session.scalar(select(CareChoice)) is None


def test_a_choice_costs_no_query_on_a_page(wiring: Wiring, cast: Cast, client: Client) -> None:
    maya = client(cast.monitor)
    maya.get("/codebook")
    with statements(wiring.engine) as before:
        maya.get("/codebook")
    maya.post("/me/care", data=FORM | {"fold_from": "4"})
    with wiring.sessions.begin() as session:
        person = session.get_one(Person, cast.monitor.id)
        now = datetime.now(UTC)
        for age in range(7):
            care.count(session, person, [2, 3], now.date() - timedelta(days=6 - age), now)
    with statements(wiring.engine) as after:
        page = maya.get("/codebook")
    assert len(after) == len(before)
    assert "14 in 7 days" in page.text


# Pages


def test_a_dangerous_post_waits_until_it_is_asked_for(
    posts: dict[int, int],
    cast: Cast,
    wiring: Wiring,
    browsing: Callable[..., BrowserContext],
) -> None:
    page = browsing(cast.monitor).new_page()
    page.goto("/narratives/1")
    burn, rifles = page.get_by_text(TEXTS[3]), page.get_by_text(TEXTS[4])
    listed = page.locator(".list > .post")
    expect(listed.get_by_text(TEXTS[1])).to_be_visible()
    assert listed.get_by_text(TEXTS[3]).is_hidden()
    assert listed.get_by_text(TEXTS[4]).is_hidden()
    row = page.locator(f"#post-{posts[3]}")
    expect(row.locator(".level")).to_be_visible()
    # Not even to a screen reader.
    assert "warehouse" not in row.aria_snapshot()
    row.locator("summary").first.focus()
    with page.expect_response("**/me/opened/3") as answer:
        page.keyboard.press("Enter")
    assert answer.value.status == 204
    expect(row.get_by_text(TEXTS[3])).to_be_visible()
    assert listed.get_by_text(TEXTS[4]).is_hidden()
    assert "warehouse" in row.aria_snapshot()
    page.keyboard.press("Enter")
    assert listed.get_by_text(TEXTS[3]).is_hidden()
    row.focus()
    page.keyboard.press("o")  # once more: it counts once
    expect(row.get_by_text(TEXTS[3])).to_be_visible()
    page.wait_for_timeout(200)
    assert counted(wiring, cast.monitor) == (1, 1, 0)
    assert burn.count() >= 1
    assert rifles.count() >= 1


def test_folding_works_without_a_script_and_never_means_never(
    posts: dict[int, int], cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    page = maya.get("/narratives/1").text
    assert page.count('<details class="folded"') >= 2
    maya.post("/me/care", data=FORM | {"fold_from": "never"})
    assert '<details class="folded"' not in maya.get("/narratives/1").text
    maya.post("/me/care", data=FORM | {"fold_from": "4"})
    page = maya.get("/narratives/1").text
    assert f'<details class="folded" id="post-{posts[4]}-words"' in page
    assert f'<details class="folded" id="post-{posts[3]}-words"' not in page


def test_who_comes_to_code_a_post_finds_it_open(
    posts: dict[int, int], cast: Cast, client: Client, wiring: Wiring
) -> None:
    page = client(cast.monitor).get(f"/posts/{posts[4]}/coding").text
    assert '<details class="folded"' not in page
    assert TEXTS[4] in page
    assert counted(wiring, cast.monitor) == (0, 0, 1)


def test_slurs_are_soft_until_asked_for_by_the_keyboard(
    posts: dict[int, int], cast: Cast, browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.monitor).new_page()
    page.goto("/narratives/1")
    row = page.locator(f"#post-{posts[2]}")
    soft, whole = row.locator(".soft"), row.locator(".whole")
    expect(row.locator(".soft [aria-hidden]")).to_have_text(["r•••", "r••••••"])
    expect(whole).to_have_text(["rats", "retards"])
    assert not any(one.is_visible() for one in whole.all())
    expect(row.locator(".spared p")).to_contain_text("<b>well</b>")
    expect(row.locator("mark")).to_have_attribute("title", DEMEANED["text"])
    assert "retards" not in row.aria_snapshot()
    assert "softened word" in row.aria_snapshot()
    row.get_by_role("checkbox", name="Softened words in full").focus()
    page.keyboard.press("Space")
    assert all(one.is_visible() for one in whole.all())
    assert not any(one.is_visible() for one in soft.all())
    assert "retards" in row.aria_snapshot()
    page.goto("/me")
    page.get_by_label("Soften slurs").uncheck()
    page.get_by_role("button", name="Save my choices").click()
    page.goto("/narratives/1")
    expect(row.locator(".spared p")).to_contain_text("and the retards at city hall know it <b>w")
    expect(soft).to_have_count(0)
    expect(row.get_by_role("checkbox")).to_have_count(0)


def test_words_are_read_in_full_without_a_script(
    posts: dict[int, int], cast: Cast, browser, desk_url: str, wiring: Wiring
) -> None:
    context = browser.new_context(base_url=desk_url, java_script_enabled=False)
    token = token_for(wiring, cast.monitor)
    context.add_cookies([{"name": COOKIE, "value": token, "url": desk_url}])
    page = context.new_page()
    page.goto("/narratives/1")
    row = page.locator(f"#post-{posts[2]}")
    row.get_by_role("checkbox").check()
    expect(row.locator(".spared p .whole").last).to_be_visible()
    page.locator(f"#post-{posts[4]} summary").first.click()
    expect(page.locator(f"#post-{posts[4]} .spared p")).to_be_visible()
    context.close()


def test_what_was_opened_stays_open_while_its_list_renews_itself(
    posts: dict[int, int], cast: Cast, wiring: Wiring, browsing: Callable[..., BrowserContext]
) -> None:
    with wiring.sessions.begin() as session:
        session.execute(update(Reading).where(Reading.level == 4).values(narrative_id=None))
    page = browsing(cast.monitor).new_page()
    page.goto("/")
    row = page.locator("li.post", has=page.locator(".folded"))
    row.locator("summary").click()
    expect(row.locator(".spared p")).to_be_visible()
    with page.expect_response(lambda answer: answer.url.endswith("/") and answer.ok):
        pass
    page.wait_for_timeout(300)
    expect(row.locator(".spared p")).to_be_visible()
    assert counted(wiring, cast.monitor) == (0, 0, 1)  # the renewal counts nothing


def test_a_sample_is_never_folded_and_counts_only_once_its_level_is_told(
    posts: dict[int, int], cast: Cast, client: Client, wiring: Wiring
) -> None:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        day = (now - timedelta(days=1)).date()
        sample = Sample(post_id=posts[2], day=day, machine_level=2, stood_for=1, twice=False)
        session.add(sample)
    maya = client(cast.monitor)
    page = maya.get("/quality/samples").text
    assert "r•••" in page
    assert '<details class="folded"' not in page
    assert counted(wiring, cast.monitor) == (0, 0, 0)
    answer = maya.post(f"/quality/samples/{sample.id}", data={"level": "2"})
    maya.get(answer.headers["location"])
    assert counted(wiring, cast.monitor) == (1, 0, 0)


# Counting


def test_what_a_page_shows_is_counted_by_level_and_not_twice_after_a_form(
    posts: dict[int, int], cast: Cast, client: Client, wiring: Wiring, desk_url: str
) -> None:
    maya = client(cast.monitor)
    maya.post("/me/care", data=FORM | {"fold_from": "never"})
    with statements(wiring.engine) as asked:
        maya.get("/narratives/1")
    assert len([one for one in asked if "exposures" in one and "INSERT" in one]) == 1
    once = counted(wiring, cast.monitor)
    assert once == (1, 1, 1)
    maya.get("/narratives/1", headers={"referer": f"{desk_url}/narratives/1"})
    maya.get("/narratives/1", headers={"hx-request": "true"})
    maya.post("/narratives/1/title", data={"title": " "})
    assert counted(wiring, cast.monitor) == once
    page = maya.get("/narratives/1", headers={"referer": "https://elsewhere.example/narratives/1"})
    assert counted(wiring, cast.monitor) == (2, 2, 2)
    assert "6 hard posts today, 6 in 7 days" in page.text  # this page among them
    assert counted(wiring, cast.leader) == (0, 0, 0)


def test_nobody_else_is_shown_what_somebody_read(
    posts: dict[int, int], cast: Cast, client: Client
) -> None:
    client(cast.monitor).get(f"/posts/{posts[4]}/coding")
    admin = client(cast.admin)
    for path in ("/", "/people", "/me", "/queue", "/quality"):
        page = admin.get(path)
        assert page.status_code == 200
        assert "hard posts today" not in page.text
        assert "hard post today" not in page.text


def test_the_tables_hold_no_post(engine: Engine) -> None:
    for name in TABLES:
        keys = {key.target_fullname for key in Base.metadata.tables[name].foreign_keys}
        assert keys == {"people.id"}


@pytest.mark.parametrize("level", ["0", "1", "5", "x", "99999999999"])
def test_only_a_dangerous_level_can_be_opened(
    cast: Cast, client: Client, wiring: Wiring, level: str
) -> None:
    assert client(cast.monitor).post(f"/me/opened/{level}").status_code == 404
    assert counted(wiring, cast.monitor) == (0, 0, 0)


def test_a_day_is_the_desks_day_and_counts_are_kept_for_seven(
    wiring: Wiring, cast: Cast, session: Session, now: datetime
) -> None:
    person = session.get_one(Person, cast.monitor.id)
    day = now.date()
    for age in (8, 7, 6, 0):
        today, _ = care.count(session, person, [2, 4, 4], day - timedelta(days=age), now)
        assert (today.m2, today.m3, today.m4) == (1, 0, 2)
    care.count(session, person, [], day, now)
    session.commit()
    kept = session.scalars(select(Exposure.day).order_by(Exposure.day))
    assert list(kept) == [day - timedelta(days=6), day]
    care.forget(session, day + timedelta(days=1))
    assert session.scalars(select(Exposure.day)).all() == [day]


def test_two_pages_at_once_are_both_counted(wiring: Wiring, cast: Cast, now: datetime) -> None:
    with wiring.sessions() as first, wiring.sessions() as second:
        for session in (first, second):
            person = session.get_one(Person, cast.monitor.id)
            care.count(session, person, [3], now.date(), now)
            session.commit()
    assert counted(wiring, cast.monitor) == (0, 2, 0)


# Breaks


def _read(session: Session, person: Person, minutes: list[int], start: datetime) -> ReadingSpell:
    for minute in minutes:
        at = start + timedelta(minutes=minute)
        _, spell = care.count(session, person, [3], at.date(), at)
    return spell


def test_a_break_is_due_after_the_time_or_the_posts_one_chose(
    session: Session, cast: Cast, now: datetime
) -> None:
    person = session.get_one(Person, cast.monitor.id)
    spell = _read(session, person, [*range(0, 60, 9), 59], now)
    at = spell.last_at
    hour = care.Choice(break_minutes=60, break_posts=None)
    assert care.rest_due(spell, hour, at) is None
    assert care.rest_due(spell, care.Choice(break_minutes=45), at) == care.Rest(at - now, 8)
    assert care.rest_due(spell, care.Choice(break_minutes=None, break_posts=8), at) is not None
    assert care.rest_due(spell, care.Choice(break_minutes=None, break_posts=9), at) is None
    assert care.rest_due(spell, care.Choice(break_minutes=None, break_posts=None), at) is None
    spell = _read(session, person, [60], now)
    assert care.rest_due(spell, hour, spell.last_at) == care.Rest(timedelta(hours=1), 9)
    assert care.rest_due(spell, hour, spell.last_at + care.GAP) is None  # they are away
    assert care.rest_due(None, hour, now) is None


def test_ten_quiet_minutes_are_a_break(session: Session, cast: Cast, now: datetime) -> None:
    person = session.get_one(Person, cast.monitor.id)
    spell = _read(session, person, [0, 9, 18, 28], now)
    assert (spell.began_at, spell.posts) == (now + timedelta(minutes=28), 1)
    care.rest_later(session, person, now + timedelta(minutes=29))
    spell = _read(session, person, [30], now)
    assert spell.later_until == now + timedelta(minutes=29) + care.LATER
    spell = _read(session, person, [40], now)
    assert spell.later_until is None


def _has_read_for(wiring: Wiring, person: Person, length: timedelta) -> None:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        session.add(ReadingSpell(person_id=person.id, began_at=now - length, last_at=now, posts=40))


@pytest.mark.parametrize("width", [1280, 390])
def test_a_break_is_offered_kindly_and_can_be_put_off(
    posts: dict[int, int],
    cast: Cast,
    wiring: Wiring,
    browsing: Callable[..., BrowserContext],
    width: int,
) -> None:
    _has_read_for(wiring, cast.monitor, timedelta(minutes=62))
    page = browsing(cast.monitor, width).new_page()
    page.goto("/narratives/1")
    offer = page.get_by_role("region", name="A break")
    expect(offer).to_contain_text("You have read hard things for 62 minutes, 4")
    assert Axe().run(page).response["violations"] == []
    page.locator("summary", has_text="Name it").click()
    page.get_by_label("Title").fill("Words half written")
    offer.get_by_role("button", name="Later").click()
    expect(offer).to_have_count(0)
    expect(page.get_by_label("Title")).to_have_value("Words half written")
    page.goto("/queue")
    expect(page.locator("h1")).to_have_text("Queue")
    expect(offer).to_have_count(0)
    with wiring.sessions.begin() as session:
        session.execute(update(ReadingSpell).values(later_until=datetime.now(UTC)))
    page.goto("/queue")
    offer.get_by_role("button", name="I took a break").click()
    expect(offer).to_have_count(0)
    with wiring.sessions() as session:
        assert session.scalar(select(ReadingSpell)) is None


def test_a_break_without_a_script_leads_back_and_nowhere_else(cast: Cast, client: Client) -> None:
    maya = client(cast.monitor)
    for back, expected in (
        ("/queue?level=4", "/queue?level=4"),
        ("//elsewhere.example", "/"),
        ("/\\elsewhere.example", "/"),
        ("https://elsewhere.example", "/"),
        ("/a\r\nset-cookie: x", "/"),
        ("", "/"),
    ):
        answer = maya.post("/me/break/later", data={"back": back})
        assert (answer.status_code, answer.headers["location"]) == (303, expected), back


def test_nothing_interrupts_a_call(
    posts: dict[int, int], cast: Cast, client: Client, wiring: Wiring
) -> None:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        flag = Flag(
            kind="life_safety",
            narrative_id=1,
            hour=hour_of(now),
            level=4,
            observed=1,
            expected=0,
            p_value=0,
            test=life_safety.TEST,
            reasons=[{"text": "A call within 48 hours", "post_id": posts[4]}],
            detector="test",
            raised_at=now,
        )
        session.add(flag)
        session.flush()
        path = f"/flags/{flag.id}"
    _has_read_for(wiring, cast.monitor, timedelta(hours=3))
    maya = client(cast.monitor)
    for quiet in (path, "/"):
        assert 'aria-label="A break"' not in maya.get(quiet).text
    assert 'aria-label="A break"' in maya.get("/queue").text
    page = maya.get(path).text
    assert TEXTS[4] in page
    assert '<details class="folded"' not in page


# Pictures


def test_no_post_can_make_a_browser_load_a_picture_or_sound(
    posts: dict[int, int], cast: Cast, client: Client
) -> None:
    policy = dict(
        part.strip().split(" ", 1) for part in HEADERS["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"  # for media and frames, which are not named
    assert not {"media-src", "frame-src", "object-src"} & set(policy)
    assert policy["img-src"] == "'self' data:"
    page = client(cast.monitor).get("/narratives/1").text
    assert re.findall(r"<(?:img|video|audio|iframe|object|embed|source)\b[^>]*", page) == [
        '<img src="/static/mark.svg" alt="" width="28" height="28"'
    ]
    assert "keeps and shows none" in client(cast.monitor).get("/me").text
