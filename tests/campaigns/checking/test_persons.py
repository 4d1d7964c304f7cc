"""Nothing that points at an ordinary person; institutions may be named and reached."""

import time

import pytest

from campaigns.checking.persons import no_personal_data


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ask @neighbour.bsky.social about it.", "@neighbour.bsky.social"),
        ("(@neighbour knows)", "@neighbour"),
        ("Ask @ann@social.example.", "@ann@social.example"),
        ("Call Jim: (313) 224-3200.", "(313) 224-3200"),
        ("Call 313-224-3200 tonight", "313-224-3200"),
        ("Llame al +52 55 5341 2000", "+52 55 5341 2000"),
        ("Write to jim.smith@mail.example.", "jim.smith@mail.example"),
        ("He lives at 12 Mill Street.", "12 Mill Street"),
        ("Meet at 1401 N. 5th Ave tonight", "1401 N. 5th Ave"),
        ("The library is old. Call Jim at 313-224-3200", "313-224-3200"),
        ("The church is old. He lives at 12 Mill St", "12 Mill St"),
        ("Vive en la calle Mayor 12.", "calle Mayor 12"),
    ],
)
def test_what_points_at_a_person_stops_the_message(text: str, found: str) -> None:
    check = no_personal_data(text)
    assert f"“{found}”" in check.problem
    assert check.blocks
    assert check.mend


@pytest.mark.parametrize(
    "text",
    [
        "Write to help@town.example or to jane.doe@county.gov.",
        "Call 988 or 1-800-273-8255 at any hour.",
        "Come to Hope Church, 12 Mill Street.",
        "Call the library at 313-224-3200.",
        "The library at 400 Main St is open.",
        "See https://town.example/@crew for the plan.",
        "On 5 March 2026 at 12:30 some 1200 people met (ZIP 48226).",
        "The 2026 Main Street Fair is on.",
        "Case 2026-11-28-1234 is closed.",
        "The 12 Mill Street Bridge is safe.",
    ],
)
def test_what_points_at_an_institution_or_at_nobody(text: str) -> None:
    assert no_personal_data(text).problem == ""


def test_what_is_known_to_be_an_institutions_passes_as_written() -> None:
    text = "Ask @crew.town.example, or 313-224-3200."
    assert not no_personal_data(text).passed
    assert no_personal_data(text, ["crew.town.example", "313-224-3200"]).passed
    assert not no_personal_data(text, ["@crew.town.example"]).passed


@pytest.mark.parametrize("made", ["1 ", "@", "(", "5 A", "a.b", "a@", "12 A ", "+1 "])
def test_hostile_text_takes_no_time(made: str) -> None:
    begun = time.process_time()
    no_personal_data(made * 5_000)
    assert time.process_time() - begun < 5
