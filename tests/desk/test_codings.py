"""Coding a post: the proposal in the form, the level as one types, the word that stays."""

from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from sqlalchemy import select

from monitor.analyse import analyse_next, consider_next
from monitor.models import Case, Coding, Reading
from monitor.narratives.placing import Placer
from sources.models import Post, Source
from tests.desk.conftest import Cast, Client

RUMOUR = "The clerk is hiding ballots at the depot and somebody should burn that place down"
OTHERS = (
    "Ballots are hidden at the depot, my cousin saw the clerk carry boxes in",
    "Why does nobody ask the clerk about the ballots in that depot?",
    "The depot is full of ballots and the clerk has the only key, people say",
    "They hide our ballots at the depot while the clerk smiles for the paper",
    "I was told the clerk keeps ballots in the depot behind the county office",
)


@pytest.fixture
def post(wiring) -> int:
    """A post of six that say the same in other words, read by the product's own scorer."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        source = Source(kind="example", address="town", name="Town", created_at=now)
        session.add(source)
        session.flush()
        for n, text in enumerate((RUMOUR, *OTHERS)):
            session.add(
                Post(
                    source_id=source.id,
                    platform="example",
                    uri=f"example:{n}",
                    author=f"a{n}",
                    text=text,
                    posted_at=now,
                    collected_at=now,
                )
            )
    embedder = wiring.embedder()
    placer = Placer(embedder)
    analyse_next(wiring.sessions, embedder, now, placer=placer)
    consider_next(wiring.sessions, placer, now)
    with wiring.sessions() as session:
        return session.scalars(select(Reading.post_id).order_by(Reading.post_id)).first()


def chosen(**more: str) -> dict[str, str]:
    return {"stance": "reports", "target_kind": "property_place", "reason": "A summary"} | more


def test_the_machines_proposal_is_in_the_form_and_the_level_follows_the_fields(
    browsing, cast: Cast, wiring, post
) -> None:
    page = browsing(cast.monitor).new_page()
    page.goto(f"/posts/{post}/coding")
    with wiring.sessions() as session:
        proposed = session.get_one(Reading, post)
    assert proposed.level >= 3
    expect(page.locator(f"input[name=act][value={proposed.fields['act']}]")).to_be_checked()
    expect(page.get_by_role("status")).to_contain_text(f"M{proposed.level}")
    page.get_by_label("Reports", exact=False).first.check()
    expect(page.get_by_role("status")).to_contain_text("M0")
    page.get_by_label("Why").fill("Somebody sums up what others said")
    page.get_by_label("The same in your own words").fill("Others are heard to want a fire there")
    page.get_by_role("button", name="Save my coding").click()
    page.wait_for_url("**/narratives/**")
    expect(page.locator(f"#post-{post}")).to_contain_text("Somebody sums up what others said")
    expect(page.locator(f"#post-{post}")).to_contain_text("coded")
    with wiring.sessions() as session:
        (coding,) = session.scalars(select(Coding))
        assert (coding.level, coding.by) == (0, cast.monitor.id)
        assert coding.proposed["level"] == proposed.level
        (case,) = session.scalars(select(Case))
        assert (case.level, case.fields["stance"]) == (0, "reports")
    page.goto(f"/posts/{post}/coding")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="The machine's proposal")).to_be_visible()


def test_a_case_in_the_posts_words_saves_nothing_and_loses_nothing(
    client: Client, cast: Cast, wiring, post
) -> None:
    maya = client(cast.monitor)
    words = chosen(case="The clerk is hiding ballots, he says")
    answer = maya.post(f"/posts/{post}/coding", data=words)
    assert answer.status_code == 422
    assert "stands in the post" in answer.text
    assert words["case"] in answer.text
    assert 'value="reports" checked' in answer.text
    with wiring.sessions() as session:
        assert session.get_one(Reading, post).coding_id is None
        assert session.scalars(select(Coding)).all() == []


def test_two_who_code_at_once_see_each_other(client: Client, cast: Cast, post) -> None:
    maya, ada = client(cast.monitor), client(cast.admin)
    assert maya.post(f"/posts/{post}/coding", data=chosen()).status_code == 303
    late = ada.post(f"/posts/{post}/coding", data=chosen(reason="I saw it too", seen=""))
    assert late.status_code == 409
    assert "I saw it too" in late.text
    assert "A summary" in late.text  # what the first one said


def test_each_field_says_whose_word_it_shows_and_the_danger_follows(
    browsing, cast: Cast, wiring, post
) -> None:
    page = browsing(cast.monitor, 390).new_page()
    page.goto(f"/posts/{post}/coding")
    stance, act = (page.locator(f"fieldset:has(input[name={name}])") for name in ("stance", "act"))
    for field in (stance, act):
        expect(field.get_by_text("machine's proposal")).to_be_visible()
        expect(field.get_by_text("yours", exact=True)).to_be_hidden()
    status = page.get_by_role("status")
    expect(status).to_contain_text("As the machine read it")
    expect(status).to_contain_text("In this week's situation of its narrative that is")
    expect(status).to_contain_text("D2–D3")
    stance.get_by_role("radio", name="Reports").check()
    expect(stance.get_by_text("yours", exact=True)).to_be_visible()
    expect(stance.get_by_text("machine's proposal")).to_be_hidden()
    expect(act.get_by_text("machine's proposal")).to_be_visible()
    expect(status).to_contain_text("You depart from the machine in stance, and lower its M3")
    stance.get_by_role("radio", name="Asserts").check()
    expect(status).to_contain_text("As the machine read it")
    definition = "quotes or retells what somebody else said"
    expect(stance.get_by_text(definition)).to_be_visible()  # beside its choice, without a mouse
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.get_by_label("Definitions beside the choices").uncheck()
    expect(stance.get_by_text(definition)).to_be_hidden()


def as_read(wiring, post) -> dict[str, str]:
    """The form as the machine fills it in."""
    with wiring.sessions() as session:
        fields = session.get_one(Reading, post).fields
    plain = ("stance", "target_kind", "act", "force", "threat_type", "specifics", "imminence")
    form = {name: str(fields[name]) for name in plain} | {"issue_at_stake": fields["issue"]}
    form |= {key: str(degree) for key, degree in fields["hallmarks"].items()}
    form |= {name: "on" for name in ("demeaning", "capability_cue") if fields[name]}
    return form | {"target_groups": fields["target_groups"]}


def test_only_a_departure_needs_a_reason_and_both_words_are_kept(
    client: Client, cast: Cast, wiring, post
) -> None:
    maya = client(cast.monitor)
    with wiring.sessions() as session:
        machine = session.get_one(Reading, post)
    form = as_read(wiring, post)
    bare = maya.post(f"/posts/{post}/coding", data=form | {"force": "urge"})
    assert bare.status_code == 422
    assert "Say why" in bare.text
    assert maya.post(f"/posts/{post}/coding", data=form).status_code == 303
    with wiring.sessions() as session:
        (coding,) = session.scalars(select(Coding))
        assert coding.reason == "As the machine read it"
        assert coding.proposed["fields"] == machine.fields
        assert (coding.level, coding.proposed["level"]) == (machine.level, machine.level)
        assert coding.proposed_by == machine.scorer
    again = form | {"force": "urge", "seen": str(coding.id)}
    assert maya.post(f"/posts/{post}/coding", data=again).status_code == 422  # a person stands now
    assert (
        maya.post(f"/posts/{post}/coding", data=again | {"reason": "He calls"}).status_code == 303
    )
    page = maya.get(f"/posts/{post}/coding").text
    assert "You depart from the machine in force, and raise its M3" in page
    with wiring.sessions() as session:
        newest = session.scalars(select(Coding).order_by(Coding.id.desc())).first()
        assert (newest.level, newest.proposed["fields"]) == (4, machine.fields)


@pytest.mark.parametrize("change", [{"H1": "7"}, {"act": "dance"}, {"reason": ""}])
def test_what_is_not_in_the_codebook_is_refused(client: Client, cast: Cast, post, change) -> None:
    answer = client(cast.monitor).post(f"/posts/{post}/coding", data=chosen(**change))
    assert answer.status_code == 422


def test_only_monitors_and_administrators_code(client: Client, cast: Cast, post) -> None:
    for person in (cast.comms, cast.leader):
        assert client(person).get(f"/posts/{post}/coding").status_code == 403
        assert client(person).post(f"/posts/{post}/coding", data=chosen()).status_code == 403
    assert client(cast.monitor).get("/posts/999/coding").status_code == 404
