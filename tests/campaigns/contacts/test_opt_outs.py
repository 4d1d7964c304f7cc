"""Who says stop, and who must be read by a person."""

from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.contacts import opt_outs
from campaigns.contacts.opt_outs import hear, kind_of, settle, waiting_replies
from campaigns.models import OptOut, Reply
from tests.campaigns import cast
from tests.campaigns.listing import BOOK


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        *(("STOP", "stop"), ("stop.", "stop"), ("Stop all", "stop"), ("“Opt-out”!", "stop")),
        *(("Please stop", "stop"), ("ALTO", "stop"), ("HELP", "help"), ("Ayuda?", "help")),
        *(("Unstop", "start"), ("start", "start")),
        *(("don't stop", "words"), ("Stop by on Monday?", "words"), ("", "words"), ("👍", "words")),
        ("Bus stop", "words"),
    ],
)
def test_what_a_text_means(words: str, kind: str) -> None:
    assert kind_of(words) == kind


def test_a_person_reads_it_once_and_its_words_are_forgotten(
    session: Session, now: datetime
) -> None:
    for number, words in enumerate(("Not for me, thanks", "See you on Monday")):
        hear(
            session,
            BOOK,
            gateway="test",
            gateway_id=str(number),
            number=f"+1989555014{number}",
            words=words,
            now=now,
        )
    leaving, coming = waiting_replies(session)
    settle(session, leaving, leaves=True, by=cast.CARL_COMMS, now=now)
    settle(session, coming, leaves=False, by=cast.CARL_COMMS, now=now)
    assert waiting_replies(session) == []
    assert session.scalars(select(Reply.words)).all() == [None, None]
    (out,) = session.scalars(select(OptOut)).all()
    assert (out.label, out.how, out.by) == ("…0140", "words", cast.CARL_COMMS)
    with pytest.raises(ValueError, match="dealt with"):
        settle(session, leaving, leaves=False, by=cast.CORA_COMMS, now=now)


def test_the_answers_hold_nothing_but_what_the_law_asks_for() -> None:
    for kind in ("stop", "help", "start"):
        said = opt_outs.answer(kind, "Town", "town.example")
        assert said.startswith("Town: ")
        assert len(said) <= 160
    assert opt_outs.answer("words", "Town", "") == ""
