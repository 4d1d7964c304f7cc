"""How things are said: each fault is found, and near misses pass."""

import json
from importlib.resources import files

import pytest

from campaigns.checking.wording import (
    acts_not_persons,
    calm_words,
    identity_labels,
    non_partisan,
    positive_norm,
)
from campaigns.checking.words import edition, word_list


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("We must fight the other side.", "“fight”"),
        ("It is a WAR on our town.", "“war”"),
        ("Battle lines, and enemies.", "“battle”, “enemies”"),
        ("Violence is inevitable.", "“inevitable”"),
        ("The town erupted into chaos.", "“erupted”, “chaos”"),
        ("Es una guerra inevitable.", "“guerra”"),
        ("It’s only a  matter of\ntime.", "“matter of\ntime”"),
        ("Fight hunger, then fight them.", "“fight”"),
    ],
)
def test_war_words_and_doom_are_named(text: str, words: str) -> None:
    check = calm_words(text)
    assert words in check.problem
    assert check.mend
    assert not check.blocks


@pytest.mark.parametrize(
    "text",
    [
        "Firefighters are on Mill Street.",
        "Come to Battle Creek, to the war memorial.",
        "Let us fight hunger together.",
        "An award for Warsaw, and a warm meal.",
        "He had a heart attack; neighbors helped.",
        "Crews fight the fire at the mill.",
        "Military bands play; the Salvation Army serves soup.",
        "The spiral staircase is closed.",
    ],
)
def test_what_only_sounds_like_war(text: str) -> None:
    assert calm_words(text).passed


@pytest.mark.parametrize(
    "text",
    [
        "Everyone is doing it.",
        "More and more people are arming themselves.",
        "Hundreds joined the riot last night.",
        "Todo el mundo lo hace.",
        "Cada vez más personas recurren a la violencia.",
    ],
)
def test_a_negative_norm_is_quoted(text: str) -> None:
    check = positive_norm(text)
    assert text in check.problem
    assert check.mend


@pytest.mark.parametrize(
    "text",
    [
        "Most people here reject violence.",
        "Everyone is doing their part.",
        "More and more neighbors are helping.",
        "Hundreds came to the park. There was no violence.",
        "Thousands stood against hate.",
        "La mayoría rechaza la violencia.",
        "Everybody is safe from threats at the library.",
    ],
)
def test_a_positive_norm_passes(text: str) -> None:
    assert positive_norm(text).passed


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Those people are thugs.", "thugs"),
        ("Shame on the racists.", "racists"),
        ("They are like animals.", "like animals"),
        ("The so-called protest.", "so-called"),
        ("Great plan. /s", "/s"),
        ("Son unos fascistas.", "fascistas"),
    ],
)
def test_labels_and_mockery_are_named(text: str, word: str) -> None:
    check = acts_not_persons(text)
    assert f"“{word}”" in check.problem
    assert check.mend
    assert not check.blocks


@pytest.mark.parametrize(
    "text",
    [
        "The racist graffiti was painted over by neighbors.",
        "The animal shelter is open.",
        "We condemn the threat against the clerk.",
        "Ask at the so called Blue House? No: at the library.",
        "See https://town.example/s",
    ],
)
def test_acts_may_be_condemned(text: str) -> None:
    assert acts_not_persons(text).passed


@pytest.mark.parametrize(
    "text",
    [
        "Vote for Lee on Tuesday.",
        "Vote NO on Measure B.",
        "Elect Dana Cruz!",
        "Re-elect the sheriff.",
        "She is running for mayor.",
        "Vota por la alcaldesa.",
        "Yes on Prop 4",
    ],
)
def test_taking_sides_stops_the_message(text: str) -> None:
    check = non_partisan(text)
    assert check.blocks
    assert check.problem
    assert check.mend


@pytest.mark.parametrize(
    "text",
    [
        "Polls close at 8. You may vote by mail until Friday.",
        "Elected officials of both parties will speak.",
        "The mayor-elect calls for calm.",
        "An election worker was thanked.",
        "Every vote counts the same.",
        "Both candidates for sheriff call for calm.",
        "We waited for President Lee.",
        "Vote early, or on Tuesday at the library.",
    ],
)
def test_how_to_vote_is_no_advocacy(text: str) -> None:
    assert non_partisan(text).passed


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Muslims and their neighbors met.", "muslims"),
        ("The Republicans should calm down.", "republicans"),
        ("The far right is coming.", "far right"),
        ("Los inmigrantes son vecinos.", "inmigrantes"),
        ("The Church of our Jewish neighbors", "jewish"),
    ],
)
def test_labels_of_groups_are_named(text: str, label: str) -> None:
    check = identity_labels(text)
    assert f"“{label}”" in check.problem
    assert not check.blocks


@pytest.mark.parametrize(
    "text",
    [
        "Republicans and Democrats alike turn violence down.",
        "The police and the pastor spoke.",
        "Neighbors met at Hope Church.",
        "The white house on the left is open.",
    ],
)
def test_no_label_or_both_sides_pass(text: str) -> None:
    assert identity_labels(text).passed


def test_every_list_names_its_source_and_only_words_it_finds() -> None:
    assert edition()
    lists = json.loads(files("campaigns.checking").joinpath("words.json").read_text())["lists"]
    for name, entry in lists.items():
        assert entry["source"]
        for word in entry["words"]:
            assert word_list(name).found(f"x {word.rstrip('*')} y"), (name, word)
        for phrase in entry["harmless"]:
            assert not word_list(name).found(f"x {phrase.rstrip('*')} y"), (name, phrase)
