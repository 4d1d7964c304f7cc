import pytest

from sources.collector import NewPost
from sources.words import watch_words


def _says(text: str) -> NewPost:
    return NewPost(uri="x", author="a", text=text, posted_at=None)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("ballot", "Where is my BALLOT?"),
        ("civil war", "they want a civil\n war now"),
        ("Straße", "auf der STRASSE"),
        ("#recount", "join us #Recount!"),
        ("café", "at the cafe\u0301 tonight"),  # the accent as a character of its own
        ("выборы", "Завтра ВЫБОРЫ."),
        ("c++", "we like c++"),
        ("riot", "no riot, just a march"),
    ],
)
def test_finds_whole_words_in_any_case_and_script(word: str, text: str) -> None:
    assert watch_words(["unrelated", word])(_says(text))


@pytest.mark.parametrize(
    ("word", "text"),
    [("riot", "patriots and chariots"), ("mayor", "the mayoral race"), ("a.b", "axb")],
)
def test_a_part_of_a_word_is_not_the_word(word: str, text: str) -> None:
    assert not watch_words([word])(_says(text))


@pytest.mark.parametrize("words", [[], ["  "]])
def test_without_words_every_post_is_kept(words: list[str]) -> None:
    assert watch_words(words)(_says("anything at all"))
