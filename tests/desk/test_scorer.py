"""The scorer's page: what learns from whom, readers side by side, and who may put one in force."""

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from monitor.models import Case, Promotion
from monitor.reading import readers
from monitor.reading.careful import CARD, PACKAGED, WEIGHTS
from tests.desk.conftest import Cast, Client

CASE = {"case": "They are rats, every one of them", "target_kind": "group", "H1": "2"}
MEASURED = {
    "ours": {
        "texts": 400,
        "was": {"hate_ap": 0.8, "hate_calibration_error": 0.05},
        "is": {"hate_ap": 0.9, "hate_calibration_error": 0.09},
    }
}


@pytest.fixture
def candidate(wiring):
    def add(name="reader of this desk", refusals=()):
        card = json.loads((PACKAGED / CARD).read_text())
        card |= {"name": name, "cases": {"trained on": 14, "held back": 6}, "data": {}}
        content = (PACKAGED / WEIGHTS).read_bytes()
        with wiring.sessions.begin() as session:
            now = datetime.now(UTC)
            made = readers.Candidate(card, content, "reader A", MEASURED, refusals)
            return readers.add(session, made, now).id

    return add


def test_a_case_is_written_with_the_codebooks_fields_and_withdrawn(
    client: Client, cast: Cast, wiring
) -> None:
    maya = client(cast.monitor)
    assert "definition" in maya.get("/scorer/cases/new").text
    assert maya.post("/scorer/cases", data=CASE).status_code == 303
    with wiring.sessions() as session:
        (case,) = session.scalars(select(Case))
        assert (case.text, case.level, case.by) == (CASE["case"], 2, cast.monitor.id)
    page = maya.get("/scorer").text
    assert CASE["case"] in page
    assert maya.post(f"/scorer/cases/{case.id}/withdraw").status_code == 303
    assert CASE["case"] not in maya.get("/scorer").text


def test_a_case_that_cannot_be_kept_comes_back_with_all_that_was_chosen(
    client: Client, cast: Cast
) -> None:
    maya = client(cast.monitor)
    maya.post("/scorer/cases", data=CASE)
    again = maya.post("/scorer/cases", data=CASE)
    assert again.status_code == 422
    assert "there already" in again.text
    assert CASE["case"] in again.text
    assert 'name="target_kind" value="group" checked' in again.text
    wrong = maya.post("/scorer/cases", data=CASE | {"act": "something else", "case": "Mine"})
    assert wrong.status_code == 422
    assert "Mine" in wrong.text


def test_readers_stand_side_by_side_and_worse_is_said_in_words(
    client: Client, cast: Cast, candidate
) -> None:
    candidate()
    page = client(cast.monitor).get("/scorer").text
    assert "reader of this desk" in page
    assert page.count("▲ better") == 1  # a higher precision
    assert page.count("▼ worse") == 1  # a larger error
    assert "Put it in force" not in page  # a monitor looks, an administrator decides


def test_an_administrator_puts_a_reader_in_force_with_a_reason_and_back(
    client: Client, cast: Cast, wiring, candidate
) -> None:
    ada, one = client(cast.admin), candidate()
    refused = ada.post("/scorer/promotion", data={"reader": one, "reason": " "})
    assert refused.status_code == 422
    assert "Say why" in refused.text
    words = {"reader": one, "reason": "Better on our cases"}
    assert ada.post("/scorer/promotion", data=words).status_code == 303
    page = ada.get("/scorer").text
    assert "In force: reader of this desk" in page
    assert "Better on our cases" in page
    assert ada.post("/scorer/promotion", data=words).status_code == 422  # it is in force
    assert ada.post("/scorer/promotion", data={"reason": "No reader chosen"}).status_code == 422
    back = {"reader": 0, "reason": "It asks too often"}
    assert ada.post("/scorer/promotion", data=back).status_code == 303
    with wiring.sessions() as session:
        assert readers.in_force(session) is None
        assert [one.by for one in session.scalars(select(Promotion))] == [cast.admin.id] * 2


def test_what_the_bias_report_refuses_cannot_be_put_in_force(
    client: Client, cast: Cast, candidate
) -> None:
    one = candidate(refusals=["It finds less in one dialect."])
    ada = client(cast.admin)
    page = ada.get("/scorer").text
    assert "It finds less in one dialect." in page
    assert "Put it in force" not in page
    forced = ada.post("/scorer/promotion", data={"reader": one, "reason": "All the same"})
    assert forced.status_code == 422
    assert "refuses" in forced.text


def test_only_those_who_may_do(client: Client, cast: Cast, candidate) -> None:
    one = candidate()
    assert client(cast.leader).get("/scorer").status_code == 200
    assert client(cast.leader).get("/scorer/cases/new").status_code == 403
    assert client(cast.comms).post("/scorer/cases", data=CASE).status_code == 403
    words = {"reader": one, "reason": "Mine"}
    assert client(cast.monitor).post("/scorer/promotion", data=words).status_code == 403
    assert client(cast.admin).post("/scorer/promotion", data=words | {"reader": 99}).is_error
