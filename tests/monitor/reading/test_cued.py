"""What cues see: the field's cases as texts, pairs that differ in one thing, hostile input."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.coding.codebook import message_level
from monitor.reading.cued import (
    MAX_REASONS,
    SCORED_CHARS,
    Assessment,
    bears_out,
    loaded,
    read,
    seems_alarming,
)
from monitor.reading.cues import CUES
from monitor.reading.incitement import ALARMING_LEVEL
from monitor.reading.plain import plain


def score(text: str) -> Assessment:
    return read(plain(text))


# (text, message level): the cases of the coding scheme's table, with invented groups.
CASES = [
    (
        'The article quotes him: "The Ardans are vermin," he said. The mayor condemned the remark.',
        0,
    ),
    ("Those people are stupid, lazy and rude.", 1),
    ("The Ardans are rats overrunning us", 2),
    ("After last night: the Ardans are rats overrunning us!!", 2),
    ("Congress should deport people who overstay a visa.", 0),
    ("They will come for us, we must strike first", 3),
    ("Someone should burn that place", 3),
    ("Traitors get what's coming", 3),
    ("Show up at their office tomorrow, armed. Let them see us.", 3),
    ("Saturday 9 pm at the house of worship, bring bats", 4),
    ("Clerk Lund, I will shoot you at the courthouse on Friday with my rifle", 4),
    ("I am going to kill you, Clerk Lund", 4),
    ("gg, rematch? I will murder you tonight in ranked", 0),
    ("You know what kind of people drink that kind of coffee.", 0),
]


@pytest.mark.parametrize(("text", "level"), CASES)
def test_the_field_cases(text, level):
    assessed = score(text)
    assert assessed.level == level, assessed
    assert (assessed.level > 0) <= bool(assessed.reasons)
    assert assessed.level < ALARMING_LEVEL or seems_alarming(text)


def test_fields_of_a_threat_with_everything_named():
    assessed = score("Clerk Lund, I will shoot you at the courthouse tomorrow with my rifle")
    assert (assessed.threat_level, assessed.fields.specifics) == ("high", 4)
    assert assessed.fields.act == "kill"
    assert assessed.fields.force == "announce"
    assert assessed.fields.target_kind == "individual"
    assert assessed.fields.imminence == "48h"
    codes = {reason["code"] for reason in assessed.reasons}
    assert {"act:kill", "force:announce", "threat:direct", "time", "place", "means"} <= codes


def test_a_reason_points_at_its_words():
    text = "Long day. 🌧 Someone should burn that place, honestly."
    spans = {r["code"]: text[r["start"] : r["end"]] for r in score(text).reasons}
    assert spans["act:damage_property"] == "burn that place"
    assert spans["force:wish"] == "Someone should burn that place"


# Each pair differs in one thing. (in scope at M2 or above, the same out of scope)
PAIRS = {
    "quotation": (
        "They are vermin and should be shot.",
        'He wrote "they are vermin and should be shot" on my door.',
    ),
    "news": (
        "We are going to burn the town hall tonight.",
        "Police said two men planned to burn the town hall on Sunday.",
    ),
    "narrated": (
        "Bring bats to the school, Friday 8 pm.",
        "Posts urging people to bring bats to the school on Friday 8 pm are under review.",
    ),
    "counter-speech": (
        "Those people are vermin.",
        "Calling those people vermin is wrong, and it is not who we are.",
    ),
    "condemnation": (
        "Someone should burn that clinic.",
        "People writing that someone should burn that clinic: violence is never the answer.",
    ),
    "negation": ("Hurt them all.", "Don't hurt any of them."),
    "negated call": ("We must attack the officials.", "We must not attack the officials."),
    "refusal": ("We will shoot the judges.", "We will never shoot the judges."),
    "denial": ("The newcomers are vermin.", "The newcomers are not vermin."),
    "sport": ("Let's kill them tonight.", "Big game at 7, let's kill them tonight, go team!"),
    "stage": ("They deserve to die.", "Comedy on stage tonight: they deserve to die of laughter."),
    "errand": ("I will shoot him tomorrow.", "I will shoot him a text tomorrow."),
    "decoration": ("Hang them all.", "Hang them on the wall by the door."),
    "policy": (
        "Run the newcomers out of town.",
        "The council should vote on how many newcomers the town can house.",
    ),
    "purpose": (
        "Bring your guns to city hall, Saturday at noon.",
        "Bring your signs to city hall, Saturday at noon.",
    ),
    "object": ("Burn that church down.", "Burn that calendar from last year."),
}


# Everyday words that look like violence, and reports of it: at most offensive.
HARMLESS = (
    "Kill your speed",
    "Hang your coats by the door",
    "Shoot here for the wedding photos",
    "Kill yard waste",
    "Stab herbs with a fork",
    "Shoot your shot",
    "Drown your sorrows",
    "Let's attack the Republicans' tax plan",
    "Let's attack the Democrats' tax plan",
    "attack the sheriff's record",
    "kill the bill before the council votes",
    "hang the Christmas lights",
    "We're going to shoot the Smiths' family portraits",
    "Bring a knife and a cutting board to the church kitchen at 6 pm",
    "Bring matches and candles to the vigil tonight",
    "Clear the people out, there is a gas leak",
    "Chase the kids out of the pool at 5",
    "Run the Harrisons out to the airport",
    "get rid of those officials at the ballot box",
    "Hit the Democrats where it hurts: at the polls",
    "Boycott the chain and hit those owners where it hurts: in the pocketbook",
    "We hit them where it hurts most, in the wallet",
    "We hit them where it hurts - their quarterly profits",
    "Get the address of the shelter",
    "Post the phone number of the clinic please",
    "Don't let him leave without his lunch",
    "Follow the officer home page",
    "Teachers want to get your kids reading",
    "Volunteers came here to get everyone fed",
    "They say we should kill the newcomers. They are wrong.",
    "My grandmother was told 'your kind should be hanged'",
    "If you hear someone say that immigrants are vermin, speak up",
    "It is false that they are poisoning our children",
    "I hope the Yankees get slaughtered",
    "don't hurt anyone",
    "nobody should burn anything",
    "never hit anyone",
    "Violence is never the answer",
    "We condemn the call to burn the church",
    "They killed it on stage",
    "We destroyed the Bears last night",
    "Congress should deport them",
    "murder you tonight in the game",
)

# Open calls, wishes and threats, some beside words that make others harmless.
CALLS = (
    "I will shoot you at the game on Friday",
    "I will kill the teachers at school this season",
    "We should hang the judges. Bring the whole team.",
    "Shoot the clerks at the county offices, quarter past nine",
    "Next week is hunting week: let's shoot the newcomers",
    "Stop waiting and shoot them",
    "If nobody acts we must hang them all",
    "They never listen so burn their church",
    "Fight against the traitors and kill them",
    "I will not rest until I kill the mayor",
    "Why not kill them all",
    "Violence is never the answer, so hang the judges",
    "kill the ardans",
    "kill all democrats",
    "kill all republicans",
    "shoot the muslims",
    "shoot the christians",
    "kill every last immigrant",
    "kill all cops",
    "We are going to burn city hall down tonight",
    "You will be shot if you show up at the polls",
    "We're coming for you, Judge Hale. We know where your kids go to school",
    "They should all be rounded up and put in camps",
    "Time to hunt down the poll workers",
    "Bring your AR to the mosque on Friday",
    "We have to arm ourselves before they come",
    "According to the plan, we burn the church on Saturday",
    "Someone should burn that place",
    "They will come for us, we must strike first",
    "Hit those Democrats where it hurts: at the polls, with bats",
    "Hit those judges where it hurts. Their money will not save them",
    "Hit them where it hurts: their profits and their skulls",
    "Let them know we're watching, and make them afraid",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_everyday_words_are_no_violence(text):
    assert score(text).level <= 1


@pytest.mark.parametrize("text", CALLS)
def test_a_call_is_a_call_whatever_stands_beside_it(text):
    assert score(text).level >= ALARMING_LEVEL
    assert seems_alarming(text)  # or the first look might let it go by


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Well. Someone should b.u.r.n that place", "b.u.r.n that place"),
        ("Friends, we must k1ll the judges!", "k1ll the judges"),
        ("Вurn it down? Let's sh\u200boot the clerks", "sh\u200boot the clerks"),
    ],
)
def test_a_hidden_word_is_read_and_shown_as_it_was_written(text: str, shown: str) -> None:
    assessed = score(text)
    assert assessed.level >= ALARMING_LEVEL
    assert shown in [text[reason["start"] : reason["end"]] for reason in assessed.reasons]


def test_what_bears_out_violence_is_found_with_accents_or_without() -> None:
    for text in (
        "fusílenlos",
        "HAY QUE MATARLOS",
        "apuña\u0301lalo",
        "linchenlos",
        "ojo🔪",
        "kill",
    ):
        assert bears_out(f"Ya basta, {text}")
    for text in (
        "¿Dónde está el baño?",
        "Cuídate mucho",
        "El Poder Ejecutivo",
        "Navajo",
        "Que venga",
    ):
        assert not bears_out(text)


@pytest.mark.parametrize(("one", "other"), PAIRS.values(), ids=PAIRS)
def test_minimal_pairs(one, other):
    assert score(one).level >= 2, score(one)
    assert score(other).level == 0, score(other)


@pytest.mark.parametrize(
    "text",
    [
        "They killed it on stage last night!",
        "We destroyed the Bears 31-10",
        "A man was killed in a crash on Route 9.",
        "This heat is killing me and the traffic too",
        "Firefighters say the old mill burned down in an hour.",
        "I could eat him alive, that baby is so cute",
        "Let's kill the lights and go home",
        "Cancer is a disease and we will beat it.",
        "The rats in our basement are overrunning the kitchen",
        "Join the peaceful march on Saturday at noon at city hall, bring water and friends",
        "Boycott the store until they pay their workers",
        "There is no choice but to cancel the picnic",
        "Hope they catch the guy soon and everyone is safe",
        "Hope nobody gets hurt in the storm",
        "We should all bring soup to the shelter tonight at 8 pm",
        "Softball at the church lot Saturday 5 pm, bring bats and gloves",
        "",
    ],
)
def test_ordinary_speech_is_out_of_scope(text):
    assert score(text).level == 0, score(text)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("template", "level"),
    [
        ("Congress should cut the budget of the {} programme and prosecute fraud.", 0),
        ("Vote the {} council members out on Tuesday!", 0),
        ("All those {} activists are vermin", 2),
        ("Someone should burn the {} campaign office", 3),
        ("Let's beat those {} protesters bloody", 4),
    ],
)
def test_the_same_words_weigh_the_same_on_both_sides(template, level, side):
    assert score(template.format(side)).level == level


@pytest.mark.parametrize(
    ("text", "hallmark"),
    [
        ("Those people are cockroaches", "H1"),
        ("They are coming to kill us and our kids", "H2"),
        ("The outsiders are invading our town", "H3"),
        ("Those men are kidnapping our daughters", "H4"),
        ("Anyone who helps them is a traitor", "H5"),
        ("It's us or them now", "H7"),
        ("Every single one of them is guilty", "H8"),
        ("The man who shot the mayor is a hero", "H9"),
    ],
)
def test_each_hallmark_has_a_cue(text, hallmark):
    assessed = score(text)
    assert assessed.fields.hallmarks.get(hallmark) == 2
    assert assessed.level >= 2


@pytest.mark.parametrize(
    "text",
    [
        "We condemn this attack on our town. Now let's burn their church.",
        "Violence is never the answer, but those traitors should be shot.",
        'I said it: "shoot the clerks".. lol',
    ],
)
def test_a_gate_does_not_hide_a_call(text):
    assert score(text).level >= 3


def test_doubt_goes_to_a_person():
    assert score("We condemn this. Let's burn their church.").stance != "reports"
    assert score("Let's burn their church lol").stance == "unclear"


@given(st.text(max_size=600))
def test_any_text_is_read(text):
    check(text)


WORDS = ["they", "the", "those", "people", "we", "must", "kill", "burn", "rats", "are", "them"]
MARKS = [".", "!", "?", '"', ",", " but ", " not ", "“", "”", "'", "\n", " 9 pm ", "İ", "ß", "👀"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS + MARKS), max_size=80).map(" ".join))
def test_any_mixture_of_cues_is_read(text):
    check(text)


def check(text: str) -> None:
    assessed = score(text)
    assert assessed.level == message_level(assessed.fields)
    assert assessed.level == 0 or assessed.reasons
    assert len(assessed.reasons) <= MAX_REASONS
    for reason in assessed.reasons:
        assert 0 <= reason["start"] < reason["end"] <= len(text)
        assert reason["text"]


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        '"',
        "they ",
        "kill them all ",
        "we must all just now go and then ",
        "The Ardans are rats ",
        "Someone should ",
        "the the the ",
        'said "burn it down" ',
        "!?",
        "if you ",
        "\n",
        "\t",
        "A",
        "Ab",
        "'",
        "\u0301",
        "they say ",
        "Kill them. ",
    ],
)
def test_a_hostile_post_of_100_000_characters_costs_little(piece):
    text = (piece * 100_000)[:100_000]
    assert len(text) > SCORED_CHARS
    started = time.process_time()
    check(text)
    assert time.process_time() - started < 1.0


def test_loaded_words_are_known():
    assert all(loaded(word) for word in ("Rats", "burned", "killing", "traitor", "vermin"))
    assert not any(loaded(word) for word in ("warehouse", "station", "water", "ferry"))


def test_every_cue_says_why():
    for cue in CUES:
        assert cue.words
        assert (cue.act == "none") or cue.force != "none"
