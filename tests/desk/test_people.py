"""People, passwords, links and sessions."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from desk import people
from desk.models import WebSession

PASSWORD = "the tide comes in and goes out again"


def test_a_link_signs_in_once_and_reading_it_consumes_nothing(
    session: Session, now: datetime
) -> None:
    maya = people.add_person(session, "Maya", "Maya@Desk.example ", ["monitor"], None, now)
    token = people.new_link(session, maya, None, now)
    session.flush()
    assert people.link_of(session, token, now) is not None
    assert people.link_of(session, token, now) is not None
    person, opened = people.use_link(session, token, now)
    assert person is maya
    assert people.person_of(session, opened, now) is maya
    session.expire_all()
    assert people.link_of(session, token, now) is None
    with pytest.raises(people.SignInRefusedError):
        people.use_link(session, token, now)


def test_a_link_expires(session: Session, now: datetime) -> None:
    maya = people.add_person(session, "Maya", "maya@desk.example", [], None, now)
    token = people.new_link(session, maya, None, now)
    with pytest.raises(people.SignInRefusedError):
        people.use_link(session, token, now + timedelta(hours=25))


def test_tokens_are_not_in_the_database(session: Session, now: datetime) -> None:
    maya = people.add_person(session, "Maya", "maya@desk.example", [], None, now)
    people.set_password(session, maya, PASSWORD, now)
    token = people.sign_in(session, "MAYA@desk.example", PASSWORD, now)
    session.flush()
    assert session.get(WebSession, token) is None
    assert maya.password_hash is not None
    assert maya.password_hash.startswith("$argon2id$")


def test_guessing_slows_down(session: Session, now: datetime) -> None:
    maya = people.add_person(session, "Maya", "maya@desk.example", [], None, now)
    people.set_password(session, maya, PASSWORD, now)
    for _ in range(people.GUESSES):
        with pytest.raises(people.SignInRefusedError, match="belong together"):
            people.sign_in(session, maya.email, "wrong", now)
    with pytest.raises(people.SignInRefusedError, match="Too many"):
        people.sign_in(session, maya.email, PASSWORD, now)
    later = now + people.GUESS_WINDOW + timedelta(seconds=1)
    assert people.sign_in(session, maya.email, PASSWORD, later)


def test_signing_out_ends_the_session_on_the_server(session: Session, now: datetime) -> None:
    maya = people.add_person(session, "Maya", "maya@desk.example", [], None, now)
    people.set_password(session, maya, PASSWORD, now)
    token = people.sign_in(session, maya.email, PASSWORD, now)
    people.sign_out(session, token, now)
    assert people.person_of(session, token, now) is None


def test_a_role_keeps_its_history_and_the_last_administrator_stays(
    session: Session, now: datetime
) -> None:
    ada = people.add_person(session, "Ada", "ada@desk.example", ["admin", "monitor"], None, now)
    people.revoke(session, ada, "monitor", ada, now)
    assert ada.roles == {"admin"}
    assert [(grant.role, grant.revoked_by) for grant in ada.grants] == [
        ("admin", None),
        ("monitor", ada.id),
    ]
    with pytest.raises(ValueError, match="last administrator"):
        people.revoke(session, ada, "admin", ada, now)


@pytest.mark.parametrize("email", ["", "nobody", "a b@c.de", "@x.org", "x@localhost"])
def test_what_is_no_address_is_refused(session: Session, now: datetime, email: str) -> None:
    with pytest.raises(ValueError, match="e-mail"):
        people.add_person(session, "Maya", email, [], None, now)


def test_a_new_password_ends_other_sessions_and_links(session: Session, now: datetime) -> None:
    maya = people.add_person(session, "Maya", "maya@desk.example", [], None, now)
    link = people.new_link(session, maya, None, now)
    _, here = people.use_link(session, people.new_link(session, maya, None, now), now)
    _, elsewhere = people.use_link(session, people.new_link(session, maya, None, now), now)
    people.set_password(session, maya, PASSWORD, now, keep=here)
    assert people.person_of(session, here, now) is maya
    assert people.person_of(session, elsewhere, now) is None
    session.expire_all()
    assert people.link_of(session, link, now) is None


def test_who_has_left_is_shut_out(session: Session, now: datetime) -> None:
    ada = people.add_person(session, "Ada", "ada@desk.example", ["admin"], None, now)
    maya = people.add_person(session, "Maya", "maya@desk.example", ["monitor"], None, now)
    people.set_password(session, maya, PASSWORD, now)
    token = people.sign_in(session, maya.email, PASSWORD, now)
    people.leave(session, maya, ada, now)
    assert people.person_of(session, token, now) is None
    assert maya.roles == frozenset()
    assert people.everyone(session) == [ada]
    assert people.names(session)[maya.id] == "Maya"
    with pytest.raises(people.SignInRefusedError):
        people.sign_in(session, maya.email, PASSWORD, now)
    with pytest.raises(ValueError, match="last administrator"):
        people.leave(session, ada, ada, now)
