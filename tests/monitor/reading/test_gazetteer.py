"""The gazetteer that ships is the one that the list of places gives."""

from monitor.reading.gazetteer import drawn_up, gazetteer


def test_it_is_the_one_that_the_list_gives():
    assert gazetteer() == drawn_up(), "python -m monitor.reading.gazetteer writes it anew"
    assert gazetteer().sure["detroit"].fips == "26163"
