"""Which language a post is in: detected, declared, or not to be known."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.reading.languages import CONSIDERED, UNKNOWN, language_of, primary

LONG = {
    "en": "The bridge is closed because the river has risen again, and nobody told us in time.",
    "es": "El puente está cerrado porque el río ha vuelto a subir y nadie nos avisó a tiempo.",
    "pt": "A ponte está fechada porque o rio voltou a subir e ninguém nos avisou a tempo.",
    "fr": "Le pont est fermé parce que la rivière est encore montée et personne ne nous a avertis.",
    "de": "Die Brücke ist gesperrt, weil der Fluss wieder steigt und niemand uns gewarnt hat.",
    "it": "Il ponte è chiuso perché il fiume è salito di nuovo e nessuno ci ha avvisati in tempo.",
    "ht": "Pon an fèmen paske rivyè a monte ankò epi pèsonn pa t avèti nou alè.",
    "vi": "Cây cầu bị đóng vì nước sông lại dâng cao và không ai báo cho chúng tôi kịp thời.",
    "ru": "Мост закрыт, потому что река снова поднялась, и никто нас вовремя не предупредил.",
    "ar": "الجسر مغلق لأن النهر ارتفع مرة أخرى ولم يخبرنا أحد في الوقت المناسب.",
    "zh": "因为河水又上涨了，大桥已经关闭，没有人及时通知我们。",
    "ko": "강물이 다시 불어나서 다리가 폐쇄되었는데 아무도 제때 알려주지 않았습니다.",
}


@pytest.mark.parametrize("language", LONG)
def test_a_sentence_is_recognised_without_being_declared(language: str) -> None:
    assert language_of(LONG[language], None) == language
    assert language_of(LONG[language].upper(), None) == language
    dressed = f"RT @someone: {LONG[language]} 🔥🔥 #flood https://example.org/the-latest-news"
    assert language_of(dressed) == language


@pytest.mark.parametrize("language", LONG)
def test_a_sure_sentence_overrules_what_its_app_was_set_to(language: str) -> None:
    other = "es" if language == "en" else "en"
    assert language_of(LONG[language], other) == language
    assert language_of(LONG[language], language) == language


def test_a_short_line_stays_what_it_is_declared() -> None:
    for text in ("no", "lol ok", "Total!", "jaja", "hm 🔥", "me too"):
        assert language_of(text, "en") == "en"
        assert language_of(text, "es-MX") == "es"


@pytest.mark.parametrize(
    "text", ["", "   ", "🔥🔥🔥", "https://example.org/puente-cerrado", "@someone #río 12:30", "ok"]
)
def test_what_no_one_can_tell_is_undetermined(text: str) -> None:
    assert language_of(text) == UNKNOWN
    assert language_of(text, "pt-BR") == "pt"


def test_a_language_unknown_to_the_identifier_holds_when_declared() -> None:
    assert "gn" not in CONSIDERED
    assert language_of(LONG["es"], "gn") == "gn"


def test_declared_tags_are_read() -> None:
    tags = {"en": "en", "EN_us": "en", "pt-BR": "pt", "zh-Hant-TW": "zh", "iw": "he", "nb": "no"}
    assert {tag: primary(tag) for tag in tags} == tags
    for tag in (None, "", "und", "english", "x", "12", "mul", "en us", "<b>"):
        assert primary(tag) is None


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(), max_size=300), st.none() | st.text(max_size=12))
def test_any_text_has_an_answer(text: str, declared: str | None) -> None:
    found = language_of(text, declared)
    assert found in CONSIDERED | {UNKNOWN} or found == primary(declared)
    assert language_of(text * 400, declared)
