"""Saved views: the address kept under a name, counted live, shared, renamed, put away."""

import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, select

from desk import views
from desk.models import SavedView
from desk.views import Asked, asked_of
from desk.wiring import Wiring
from monitor.models import Flag
from tests.desk.conftest import Cast, Client
from tests.desk.test_queue import jo, waiting  # noqa: F401


def save(client, name, address, shared=False):
    form = {"name": name, "address": address} | ({"shared": "1"} if shared else {})
    return client.post("/views", data=form)


def bar(page: str) -> dict[str, str]:
    """The views above the queue: name and count."""
    (nav,) = re.findall(r'<nav id="views".*?</nav>', page, re.S)
    found = re.findall(r"<a [^>]*>([^<]+?)\s*<span class=\"count\">(\d+)", nav)
    return {name.replace("&#39;", "'"): count for name, count in found}


def test_a_view_is_an_address_with_a_name_and_a_live_count(
    client: Client,
    cast: Cast,
    waiting: list[int],  # noqa: F811
    wiring: Wiring,
) -> None:
    maya = client(cast.monitor)
    with wiring.sessions.begin() as session:
        session.get_one(Flag, waiting[0]).about = {"platforms": {"web": 1}, "crossed": True}
    answer = save(maya, " On  the web ", "/queue?platform=web&kind=&first=100")
    assert answer.headers["location"] == "/queue?platform=web"
    page = maya.get("/queue?platform=web").text
    assert 'aria-current="page" title="Yours alone">On the web' in page
    found = bar(page)
    assert found["On the web"] == "1"
    assert found["Crossed platforms"] == "1"
    assert found["Reported by people"] == found["Critical now"] == found["Mine"] == "0"
    assert found["Nobody’s"] == str(len(waiting))
    maya.post("/queue/next")
    found = bar(maya.get("/queue").text)
    assert (found["Mine"], found["Nobody’s"]) == ("1", str(len(waiting) - 1))
    assert "On the web" not in client(cast.leader).get("/queue").text


def test_shared_views_say_whose_they_are_and_who_leads_may_remove_them(
    client: Client,
    cast: Cast,
    waiting: list[int],  # noqa: F811
    jo,  # noqa: F811
    wiring: Wiring,
) -> None:
    maya, other, dana = client(cast.monitor), client(jo), client(cast.duty_lead)
    save(maya, "Nights <b>", "/queue?level=3", shared=True)
    page = other.get("/queue").text
    assert "Nights &lt;b&gt;" in page
    assert "Saved by Maya" in page
    assert other.post("/views/1", data={"name": "Mine"}).status_code == 422
    assert other.post("/views/1/removal").status_code == 422
    answer = maya.post("/views/1", data={"name": "Nights and weekends"})
    assert answer.status_code == 303
    assert "Nights" not in other.get("/queue").text  # shared no more
    assert dana.post("/views/2/removal").status_code == 422
    assert maya.post("/views/2", data={"name": "Nights", "shared": "1"}).status_code == 303
    assert dana.post("/views/3/removal").status_code == 303
    assert "Nights" not in maya.get("/views").text
    assert maya.post("/views/3", data={"name": "Again"}).status_code == 422
    with wiring.sessions() as session:
        kept = session.scalars(select(SavedView).order_by(SavedView.id)).all()
    assert [(one.name, one.replaces_id, one.removed_by) for one in kept] == [
        ("Nights <b>", None, cast.monitor.id),
        ("Nights and weekends", 1, cast.monitor.id),
        ("Nights", 2, cast.duty_lead.id),
    ]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("", "/queue?level=4"),
        ("x" * (views.NAME_CHARS + 1), "/queue?level=4"),
        ("Everything", "/queue"),
        ("Everything", "/queue?level=99&kind=x"),
        ("Away", "https://evil.example/queue?level=4"),
        ("Away", "//evil.example/queue?level=4"),
        ("Away", "javascript:alert(1)"),
        ("Elsewhere", "/people?level=4"),
        ("Nothing sought", "/search?q=%20"),
        ("Broken", "http://[/queue"),
    ],
)
def test_only_a_narrowed_queue_or_a_search_is_kept_and_words_come_back(
    client: Client, cast: Cast, wiring: Wiring, name: str, address: str
) -> None:
    answer = save(client(cast.monitor), name, address, shared=True)
    assert answer.status_code == 422
    assert f'name="name" value="{name}"' in answer.text
    assert 'name="shared" value="1" checked' in answer.text
    with wiring.sessions() as session:
        assert session.scalars(select(SavedView)).all() == []


def test_a_search_is_kept_without_a_count_and_a_name_once(client: Client, cast: Cast) -> None:
    maya = client(cast.monitor)
    answer = save(maya, "The bridge", "/search?q=bridge+%26+river")
    assert answer.headers["location"] == "/search?q=bridge+%26+river"
    assert "The bridge" in maya.get("/queue").text
    assert "The bridge" not in bar(maya.get("/queue").text)
    answer = save(maya, "the BRIDGE", "/queue?level=4")
    assert answer.status_code == 422
    assert "already" in answer.text


def test_more_views_cost_no_more_queries(
    client: Client,
    cast: Cast,
    waiting: list[int],  # noqa: F811
    wiring: Wiring,
) -> None:
    maya, sent = client(cast.monitor), []
    listen = lambda *args: sent.append(args[2])  # noqa: E731
    save(maya, "first", "/queue?place=26")

    def asked() -> int:
        sent.clear()
        event.listen(wiring.engine, "before_cursor_execute", listen)
        assert maya.get("/queue").status_code == 200
        event.remove(wiring.engine, "before_cursor_execute", listen)
        return len(sent)

    few = asked()
    for number in range(12):
        save(maya, f"view {number}", f"/queue?watch={number + 1}&language=es&level=3")
    assert asked() == few <= 12


@pytest.mark.parametrize(
    "said",
    [
        {"level": "٣"},
        {"level": "-1", "watch": "9" * 30},
        {"assignee": "0"},
        {"assignee": "everyone", "state": "gone", "source": "<b>"},
        {"place": "26' OR 1=1", "language": "e%"},
        {"platform": "\x00"},
    ],
)
def test_what_is_asked_in_vain_narrows_nothing(said: dict[str, str]) -> None:
    assert asked_of(said) == Asked()


def test_an_address_comes_back_as_it_went() -> None:
    asked = Asked(
        kind="place",
        level=3,
        watch=4,
        place="26163",
        platform="a & b",
        language="es",
        source="people",
        state="all",
        assignee="7",
        crossed=True,
        rises=True,
    )
    assert views.asked_in(asked.address) == asked
    assert Asked().address == "/queue"


def test_the_thirty_first_view_is_refused(wiring: Wiring, cast: Cast) -> None:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        for number in range(views.MOST):
            views.save(session, cast.monitor, f"{number}", "/queue?level=4", True, now)
        with pytest.raises(ValueError, match="Remove one"):
            views.save(session, cast.monitor, "more", "/queue?level=4", False, now)
        # what others share takes no room of one's own
        views.save(session, cast.leader, "more", "/queue?level=4", False, now)
