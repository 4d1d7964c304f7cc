"""Situation reports: drafted from data, edited under warnings, final, and taken along as files."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import numpy as np
import pytest
from pypdf import PdfReader
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Approval
from desk import printed, sitreps
from desk.models import Sitrep, SitrepVersion
from desk.sitreps import Statement
from desk.wiring import Wiring
from monitor.alerts import alert_course, alert_lists, alerts, cap
from monitor.alerts.cap import VERIFICATION
from monitor.coding import lexicon, situations
from monitor.coding.codebook import Situation
from monitor.models import Reading
from monitor.narratives.narratives import hour_of
from monitor.reports import sitrep
from sources import register
from sources.models import Post
from tests.campaigns.cast import approve_message, make_message, make_narrative
from tests.desk.conftest import Cast, Client

POST = "They said the depot on Mill Street will be empty by Friday night, pass it on"
GOOD = dict.fromkeys(sitrep.SECTIONS, "") | {
    "situations": "[V2] Wayne County, MI: talk about the depot. D2.",
    "unknown": "Who began it.",
}


def last_week() -> date:
    return situations.week_of(datetime.now(UTC)) - sitrep.WEEK


@pytest.fixture
def posted(wiring: Wiring, cast: Cast) -> Wiring:
    """A post of last week, a narrative coded in it, an alert, and a lexicon."""
    at = datetime.combine(last_week(), datetime.min.time(), UTC) + timedelta(days=2)
    with wiring.sessions.begin() as session:
        lexicon.seed(session, at)
        source = register.add_source(session, "feed", "https://g.example/rss", "Gazette", at)
        narrative = make_narrative(session, at, "confirmed")
        post = Post(
            source_id=source.id,
            platform="bluesky",
            uri="at://one",
            author="a1",
            text=POST,
            posted_at=at,
            collected_at=at,
        )
        session.add(post)
        session.flush()
        session.add(
            Reading(
                post_id=post.id,
                embedding=np.zeros(4),
                embedder="test",
                level=2,
                threat_level="none",
                stance="asserts",
                reasons=[],
                scorer="test",
                narrative_id=narrative.id,
                hour=hour_of(at),
                read_at=at,
            )
        )
        situation = Situation(speaker=1, audience=2, context=None, reach=1)
        situations.code(session, narrative, "26163", last_week(), situation, "Heard", 1, at)
    return wiring


def report_of(client: Client, who: object, place: str = "") -> str:
    form = {"week": last_week().isoformat(), "place": place}
    answer = client(who).post("/sitreps", data=form)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_a_report_is_drafted_edited_and_made_final(
    posted: Wiring, cast: Cast, client: Client
) -> None:
    maya, dana = client(cast.monitor), client(cast.duty_lead)
    path = report_of(client, cast.monitor)
    page = maya.get(path).text
    assert "Wayne County, MI: the bridge rumour." in page
    assert "nobody has read it yet" in page
    assert POST[:20] not in page
    assert report_of(client, cast.duty_lead) == path  # one report for a week and a place
    refused = dana.post(f"{path}/final", data={"version": "1"})
    assert (refused.status_code, "Nobody has read this draft" in refused.text) == (409, True)
    saved = maya.post(f"{path}/versions", data=GOOD | {"after": "1"})
    assert saved.status_code == 303
    assert maya.post(f"{path}/final", data={"version": "2"}).status_code == 403
    stale = dana.post(f"{path}/final", data={"version": "1"})
    assert (stale.status_code, "newer version" in stale.text) == (409, True)
    assert dana.post(f"{path}/final", data={"version": "2"}).status_code == 303
    page = maya.get(path).text
    assert '<span class="state final">final</span> by Dana' in page
    assert "talk about the depot" in page
    assert "the bridge rumour" in maya.get(f"{path}?version=1").text  # what it said first is kept
    assert maya.post(f"{path}/versions", data=GOOD | {"after": "2"}).status_code == 303
    assert "Make it final" in dana.get(path).text  # a later version is a draft again
    assert maya.get(f"{path}?version=9").status_code == 404
    assert maya.get(f"{path}?version=99999999999").status_code == 404


def test_only_those_who_may_edit_do(posted: Wiring, cast: Cast, client: Client) -> None:
    path = report_of(client, cast.monitor)
    ruth = client(cast.leader)
    assert ruth.get(path).status_code == 200
    assert ruth.get("/sitreps").status_code == 200
    assert ruth.get(f"{path}/edit").status_code == 403
    assert ruth.post(f"{path}/versions", data=GOOD | {"after": "1"}).status_code == 403
    assert ruth.post(f"{path}/draft").status_code == 403
    assert ruth.post("/sitreps", data={"week": "2026-11-23", "place": ""}).status_code == 403


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("[V1] People say the depot on Mill Street, and worse.", "five words in a row"),
        ("[V1] People say THE DÉPOT, on “Mill” street; and worse.", "five words in a row"),
        ("[V1] Begun by @someone.bsky.social on Tuesday", "a handle"),
        ("[V1] Begun by u/someone", "a handle"),
        ("[V1] Told at https://gazette.example/1", "a link"),
        ("[V1] Told at gazette.com/news", "a link"),
        ("[V1] They spoke of boogaloo again", "a term of the lexicon"),
    ],
)
def test_what_leads_back_to_a_post_is_warned_of_and_kept_only_for_a_reason(
    posted: Wiring, cast: Cast, client: Client, words: str, kind: str
) -> None:
    maya, path = client(cast.monitor), report_of(client, cast.monitor)
    form = GOOD | {"after": "1", "movement": f"[V0] Nothing rose.\n{words}"}
    refused = maya.post(f"{path}/versions", data=form)
    assert refused.status_code == 422
    assert "What rose and what fell, line 2" in refused.text
    assert kind in refused.text
    assert "Nothing rose." in refused.text  # the words are kept
    kept = maya.post(f"{path}/versions", data=form | {"kept_why": "The name of a street"})
    assert kept.status_code == 303
    page = maya.get(path).text
    assert "Why: The name of a street" in page
    with posted.sessions() as session:
        newest = session.scalars(select(SitrepVersion).order_by(SitrepVersion.id.desc())).first()
    assert newest is not None
    assert [one["line"] for one in newest.kept] == [2]
    assert set(newest.kept[0]) == {"section", "line", "kind"}  # no words that outlive the post


def test_own_words_of_four_in_a_row_are_nobodys(posted: Wiring, cast: Cast, client: Client) -> None:
    path = report_of(client, cast.monitor)
    form = GOOD | {"after": "1", "movement": "[V1] Talk of the depot on Mill lane went on."}
    assert client(cast.monitor).post(f"{path}/versions", data=form).status_code == 303


def test_a_post_of_another_time_warns_of_nothing(
    posted: Wiring, cast: Cast, client: Client
) -> None:
    with posted.sessions.begin() as session:
        session.scalars(select(Post)).one().posted_at = datetime.now(UTC) - timedelta(days=90)
    path = report_of(client, cast.monitor)
    form = GOOD | {"after": "1", "movement": f"[V1] {POST}"}
    assert client(cast.monitor).post(f"{path}/versions", data=form).status_code == 303


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"situations": "Wayne County: talk."}, "“Situations by place”, line 1"),
        ({"alerts": "[V1] One.\n\n- [V9] Two."}, "“Alerts and what came of them”, line 3"),
        ({"summary": "[V1]"}, "“In short”, line 1"),
        ({"gaps": "[V4] " + "x" * sitreps.SECTION_CHARS}, "more than 20,000 characters"),
    ],
)
def test_a_line_without_a_level_is_refused_with_its_words_kept(
    posted: Wiring, cast: Cast, client: Client, wrong: dict[str, str], why: str
) -> None:
    path = report_of(client, cast.monitor)
    form = GOOD | {"after": "1"} | wrong
    answer = client(cast.monitor).post(f"{path}/versions", data=form)
    assert answer.status_code == 422
    assert why in answer.text
    assert next(iter(wrong.values()))[:100] in answer.text


def test_who_saves_second_is_told_and_loses_nothing(
    posted: Wiring, cast: Cast, client: Client
) -> None:
    path = report_of(client, cast.monitor)
    assert client(cast.monitor).post(f"{path}/versions", data=GOOD | {"after": "1"}).is_redirect
    form = GOOD | {"after": "1", "unknown": "An hour of work"}
    second = client(cast.duty_lead).post(f"{path}/versions", data=form)
    assert second.status_code == 409
    assert "saved a newer version" in second.text
    assert "An hour of work" in second.text
    assert client(cast.duty_lead).post(f"{path}/versions", data=GOOD).status_code == 409


def test_drafting_anew_adds_a_version_and_takes_none(
    posted: Wiring, cast: Cast, client: Client
) -> None:
    maya, path = client(cast.monitor), report_of(client, cast.monitor)
    maya.post(f"{path}/versions", data=GOOD | {"after": "1"})
    assert maya.post(f"{path}/draft").status_code == 303
    assert "the bridge rumour" in maya.get(path).text
    assert "talk about the depot" in maya.get(f"{path}?version=2").text


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"week": "", "place": ""}, "Choose a week"),
        ({"week": "9999-12-27", "place": ""}, "has not begun"),
        ({"week": "2026-11-16", "place": "Nowhere at all"}, "No county or state"),
    ],
)
def test_a_report_that_cannot_be_is_refused_in_words(
    cast: Cast, client: Client, form: dict[str, str], why: str
) -> None:
    answer = client(cast.monitor).post("/sitreps", data=form)
    assert answer.status_code == 422
    assert why in answer.text


@pytest.fixture
def acted(posted: Wiring, cast: Cast) -> Iterator[Session]:
    """The week with an alert that was a false alarm, a response, and a message that went out."""
    at = datetime.combine(last_week(), datetime.min.time(), UTC) + timedelta(days=3)
    with posted.sessions() as session:
        told = alert_lists.make(session, "Responders", False, 1, at)
        alert_lists.add(session, told, 1, 1, 1, at)
        alert = alerts.send(
            session,
            card=cap.Card(**dict.fromkeys(cap.CARD, "A line") | {"headline": "A crowd may come"}),
            codes=cap.Codes("Immediate", "Severe", "Possible"),
            grade=cap.Grade("V2", "B", 2, "Two of us"),
            alert_list=told,
            exercise=False,
            flag=None,
            place="26163",
            stated_level=3,
            expires_at=None,
            by=1,
            now=at,
        )
        alert_course.acknowledge(session, alert, 1, at + timedelta(minutes=14))
        alert_course.respond(session, alert, 7, "Two mediators went", 1, at + timedelta(hours=1))
        alert_course.close(session, alert, "false_alarm", "No", 1, at + timedelta(hours=5))
        message = make_message(session, at)
        approve_message(session, message, at + timedelta(hours=3), at)
        (delivery,) = session.scalars(select(Approval)).one().deliveries
        delivery.state, delivery.settled_at = "published", at + timedelta(hours=3)
        delivery.receipt_uri = "dry:1"
        session.flush()
        yield session


def test_the_draft_tells_alerts_their_outcomes_and_our_acts(acted: Session) -> None:
    now = datetime.now(UTC)
    week = sitrep.week_at(last_week(), "", now)
    text = sitreps.drafted(acted, week, None, now)
    (alert, *rest) = text["alerts"].split("\n")
    assert alert.startswith("[V2] Wayne County, MI: alert at D3 (High): A crowd may come. Sent ")
    assert "acknowledged after 14 min; closed: false alarm." in alert
    assert "[V4] Closed: 1. False alarms among them: 1." in rest
    assert "[V4] Wayne County, MI: response chosen: Two mediators went." in text["acts"]
    assert "Message published by Paula Price (Dry run" in text["acts"]
    assert "paula" not in text["acts"]  # her handle
    assert "[V4] 1 message of ours went out." in text["summary"]
    elsewhere = sitreps.drafted(acted, sitrep.week_at(last_week(), "06", now), None, now)
    assert "No alert was sent or closed" in elsewhere["alerts"]
    assert "Nothing was published" in elsewhere["acts"]


def test_every_line_of_a_draft_has_a_level_and_may_be_saved_as_it_is(acted: Session) -> None:
    now = datetime.now(UTC)
    report = acted.get_one(Sitrep, sitreps.start(acted, last_week(), "", None, 1, now).id)
    text = report.versions[0].sections
    for key, words in text.items():
        for one in sitreps.statements(words):
            assert (one.level in VERIFICATION) == (key not in sitrep.UNGRADED), (key, one)
    assert sitreps.save(acted, report, text, 1, "", 1, now).kept == []


# As files

HOSTILE = (
    '#import "x": * $x^2$ *bold* `c` <img src=x> [a](http://b) \\ #read("/etc/passwd") '
    "Nguyễn Đà Ελλη Кири مرحبا שלום"
)


def page_of(*lines: Statement, organisation: str = "Harbour Network") -> printed.Printed:
    parts = [printed.Part(title, list(lines)) for title in list(sitrep.SECTIONS.values())[:2]]
    return printed.Printed(
        title="Situation report",
        organisation=organisation,
        area="Doña Ana County, NM",
        days="16 November to 22 November 2026",
        state="Final, version 2, 24 November 2026, Dana",
        notice=sitreps.NOTICE,
        parts=parts,
        legend=list(VERIFICATION.items()),
    )


def read(data: bytes) -> tuple[PdfReader, str]:
    reader = PdfReader(BytesIO(data))
    return reader, "\n".join(page.extract_text() for page in reader.pages)


def test_the_pdf_holds_its_words_levels_pages_and_tags() -> None:
    lines = [Statement(f"V{n % 5}", f"Line number {n} of this report.") for n in range(60)]
    reader, words = read(printed.pdf(page_of(*lines), datetime.now(UTC)))
    assert len(reader.pages) > 2
    for said in ("Harbour Network", "Doña Ana County, NM", "16 November to 22 November 2026"):
        assert said in words
    assert words.count(sitreps.NOTICE) >= len(reader.pages)
    assert f"1 of {len(reader.pages)}" in words
    assert " ".join(words.split()).count("V3 Line number 3 of this report.") == 2
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"].startswith("en")
    assert reader.metadata is not None
    assert "Situation report" in str(reader.metadata.title)
    roles = set(tags(root["/StructTreeRoot"]))
    assert {"/H1", "/H2", "/L", "/LI"} <= roles


def tags(node: object) -> Iterator[str]:
    """The roles of all tagged parts of a PDF."""
    node = node.get_object() if hasattr(node, "get_object") else node
    if isinstance(node, list):
        for one in node:
            yield from tags(one)
    elif isinstance(node, dict):
        if "/S" in node:
            yield str(node["/S"])
        if "/K" in node:
            yield from tags(node["/K"])


def test_what_people_write_is_no_markup_in_either_file() -> None:
    page = page_of(Statement("V1", HOSTILE))
    _, words = read(printed.pdf(page, datetime.now(UTC)))
    for said in ('#import "x"', "$x^2$", "*bold*", "<img src=x>", "Nguyễn Đà", "Кири", "مرحبا"):
        assert said in words
    assert "root:" not in words
    text = printed.markdown(page)
    assert "\\<img src=x\\>" in text
    assert "\\*bold\\*" in text
    assert "\\[a\\](http://b)" in text
    assert "- **V1** \\#import" in text


@pytest.mark.parametrize(
    "sign", ["🔥", "👩‍🚒", "🇺🇸", "\U000e0041", "\ue000", "中", "\x07", "\u202e"]
)
def test_no_letter_and_no_emoji_stops_the_pdf(sign: str) -> None:
    page = page_of(Statement("V1", f"Before {sign} after"), organisation=f"Net {sign}")
    _, words = read(printed.pdf(page, datetime.now(UTC)))
    assert "Before" in words
    assert "after" in words


def test_an_emoji_is_told_by_its_name_or_shown() -> None:
    page = page_of(Statement("V1", "Signs of 🔥 were posted"))
    words = read(printed.pdf(page, datetime.now(UTC)))[1]
    assert "[fire]" in words or "🔥" in words


def test_the_files_are_named_and_only_for_those_who_are_signed_in(
    posted: Wiring, cast: Cast, client: Client
) -> None:
    path = report_of(client, cast.monitor, "Michigan")
    ruth = client(cast.leader)
    pdf, text = ruth.get(f"{path}/report.pdf"), ruth.get(f"{path}/report.md")
    assert pdf.headers["content-type"] == "application/pdf"
    name = f"situation-report-{last_week().isoformat()}-michigan"
    assert f'filename="{name}.pdf"' in pdf.headers["content-disposition"]
    assert f'filename="{name}.md"' in text.headers["content-disposition"]
    assert "**For the network, not for publication.**" in text.text
    assert "Wayne County, MI" in text.text
    assert "Wayne County, MI" in read(pdf.content)[1]
    assert "Draft from the data" in read(pdf.content)[1]
    assert client(None).get(f"{path}/report.pdf").status_code == 303
    assert ruth.get(f"{path}/report.pdf?version=7").status_code == 404
