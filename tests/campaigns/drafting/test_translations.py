"""A second language goes out when somebody who reads both, and did not write it, says so."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from campaigns.approving.approvals import approve, edit
from campaigns.checking.checks import blocking
from campaigns.drafting.messages import NotReadyError, besides_of, check, save_draft, submit
from campaigns.drafting.translations import (
    OwnTranslationError,
    pairs_in,
    say_it_is_right,
    standings,
    translation_checks,
)
from campaigns.models import Message, MessageVersion
from campaigns.wording.content import Besides, Translation, build_content, record_for, sha256_of
from campaigns.wording.languages import side_by_side
from tests.campaigns import cast
from tests.campaigns.cast import CALM, CARL_COMMS, CORA_COMMS, PASTOR_PAULA

HOUR = timedelta(hours=1)
CALMA = "El puente del pueblo está abierto. Úselo hoy, vecinos: https://town.example/b."


def save(
    message: Message,
    session: Session,
    now: datetime,
    text: str = CALM,
    into: str = CALMA,
    by: int = CARL_COMMS,
    own: str | None = None,
) -> MessageVersion:
    """Everything for the one account in Spanish."""
    (account,) = message.voice.accounts
    besides = Besides(
        languages={account.id: ["es"]}, translation=Translation("en", text, "es", into)
    )
    texts = {account.id: into if own is None else own}
    return save_draft(session, message, texts, now + HOUR, by=by, now=now, besides=besides)


def shown(session: Session, version: MessageVersion) -> list[str]:
    return [one.pair.sha256 for one in standings(session, version.content, version.message)]


def stops(session: Session, version: MessageVersion) -> list[str]:
    found = translation_checks(session, version.content, version.message)
    return [one.problem for one in found if not one.passed]


@pytest.fixture
def message(session: Session, now: datetime) -> Message:
    return cast.make_message(session, now)


def test_nothing_is_submitted_before_another_person_read_both(
    session: Session, message: Message, now: datetime
) -> None:
    version = save(message, session, now)
    reasons = {one.key: "It reads well" for one in check(session, version, now)}
    with pytest.raises(NotReadyError, match="checked the Spanish against the English"):
        submit(session, version, by=CARL_COMMS, now=now, reasons=reasons)
    with pytest.raises(OwnTranslationError):
        say_it_is_right(session, version, shown(session, version), by=CARL_COMMS, now=now)
    with pytest.raises(ValueError, match="not the texts you were shown"):
        say_it_is_right(session, version, ["0" * 64], by=CORA_COMMS, now=now)
    say_it_is_right(session, version, shown(session, version), by=CORA_COMMS, now=now)
    assert say_it_is_right(session, version, shown(session, version), by=CORA_COMMS, now=now) == []
    submit(session, version, by=CARL_COMMS, now=now, reasons=reasons)
    approval = approve(session, version, sha256=version.sha256, by=PASTOR_PAULA, now=now)
    assert approval.deliveries[0].record["langs"] == ["es"]
    assert approval.deliveries[0].record["text"] == CALMA


def test_a_letter_changed_in_either_asks_for_it_again(
    session: Session, message: Message, now: datetime
) -> None:
    version = save(message, session, now)
    say_it_is_right(session, version, shown(session, version), by=CORA_COMMS, now=now)
    assert stops(session, version) == []
    english = save(message, session, now, text=f"{CALM} Ask the crew.", by=CORA_COMMS)
    assert stops(session, english) == [
        "The English was changed after the Spanish was written: it may say less now."
    ]
    # Whoever changed the English did not write the Spanish, and may say that it still holds.
    say_it_is_right(session, english, shown(session, english), by=CORA_COMMS, now=now)
    assert stops(session, english) == []
    spanish = save(message, session, now, into=f"{CALMA} Pregunte.", by=CORA_COMMS)
    assert stops(session, spanish) == [
        "Nobody who reads both has checked the Spanish against the English."
    ]
    with pytest.raises(OwnTranslationError):
        say_it_is_right(session, spanish, shown(session, spanish), by=CORA_COMMS, now=now)
    assert stops(session, save(message, session, now)) == []  # both are as they were read
    with pytest.raises(ValueError, match="changed after you opened"):
        say_it_is_right(session, spanish, shown(session, spanish), by=PASTOR_PAULA, now=now)


def test_words_of_an_accounts_own_and_a_leaders_are_not_covered_by_a_check_of_others(
    session: Session, message: Message, now: datetime
) -> None:
    version = save(message, session, now)
    say_it_is_right(session, version, shown(session, version), by=CORA_COMMS, now=now)
    own = save(message, session, now, own="El puente está cerrado.")
    assert len(stops(session, own)) == 1
    again = save(message, session, now)
    reasons = {one.key: "It reads well" for one in check(session, again, now)}
    submit(session, again, by=CARL_COMMS, now=now, reasons=reasons)
    (account,) = message.voice.accounts
    theirs = edit(
        session, again, {account.id: f"{CALMA} Dios les guarde."}, by=PASTOR_PAULA, now=now
    )
    assert theirs.content["parts"][0]["lang"] == ["es"]
    assert besides_of(session, theirs).translation == besides_of(session, again).translation
    assert [one.problem for one in blocking(check(session, theirs, now)) if one.number == 19]
    with pytest.raises(OwnTranslationError):
        say_it_is_right(session, theirs, shown(session, theirs), by=PASTOR_PAULA, now=now)


def test_an_account_may_get_both_and_a_translation_nobody_gets_is_noticed(
    session: Session, message: Message, now: datetime
) -> None:
    (account,) = message.voice.accounts

    def content(text: str, *tags: str) -> dict[str, object]:
        both = Translation("en", "One.\n---\nTwo.", "es", "Uno.\n---\nDos.")
        besides = Besides(languages={account.id: tags}, translation=both)
        return build_content(message.voice, {account.id: text}, now, besides=besides)

    joined = content(side_by_side("One.\n---\nTwo.", "Uno.\n---\nDos."), "en", "es")
    assert len(pairs_in(joined)) == 1
    posts = record_for(joined["parts"][0], now)["posts"]  # type: ignore[index]
    assert [post["text"] for post in posts] == ["One.", "Two.", "Uno.", "Dos."]
    nobody = content("One.", "en")
    (warned,) = translation_checks(session, nobody, message)
    assert (warned.problem, warned.blocks) == ("No account gets the Spanish.", False)
    for tags in (("xx",), ()):
        with pytest.raises(ValueError, match="language of the words"):
            content("One.", *tags)
    same = Besides(translation=Translation("es", "a", "es", "b"))
    with pytest.raises(ValueError, match="same language"):
        build_content(message.voice, {account.id: "a"}, now, besides=same)


def test_languages_and_freshness_are_part_of_what_is_approved(
    session: Session, message: Message, now: datetime
) -> None:
    (account,) = message.voice.accounts
    every = [Besides(languages={account.id: tags}) for tags in (["en"], ["es"], ["en", "es"])]
    every += [Besides(fresh=timedelta(minutes=30)), Besides(fresh=timedelta(hours=24))]
    every += [Besides(translation=Translation("en", "a", "es", into)) for into in "bc"]
    built = [build_content(message.voice, {account.id: "a"}, now, besides=one) for one in every]
    assert len({sha256_of(one) for one in built}) == len(every)
    assert build_content(message.voice, {account.id: "a"}, now) == built[0]
    with pytest.raises(ValueError, match="how long"):
        build_content(message.voice, {}, now, besides=Besides(fresh=timedelta(days=9)))
    version = save_draft(
        session, message, {account.id: CALM}, now + HOUR, by=1, now=now, besides=every[3]
    )
    assert (
        version.content["send_until"] == f"{now + HOUR + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}"
    )
    follows = save_draft(session, message, {account.id: "Calm."}, now + HOUR, by=1, now=now)
    assert besides_of(session, follows).fresh == timedelta(minutes=30)
