"""Signing in at Reddit: the right account, once, in the session that began it, and nothing else."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select, update

from campaigns.models import Account, RedditSignIn
from campaigns.publishers.reddit import SCOPES
from campaigns.publishers.reddit_login import RedditLogin
from desk.settings import Settings
from desk.wiring import Wiring, wire
from tests.campaigns.publishers.reddit_server import AGENT, RedditStandIn, reddit_standing_in
from tests.desk.conftest import Cast, Client

HERE = "ruth_hope in r/springfield"
BACK = "/reddit/signed-in"


@pytest.fixture
def reddit() -> Iterator[RedditStandIn]:
    with reddit_standing_in() as stand_in:
        yield stand_in


@pytest.fixture
def wiring(wiring: Wiring, reddit: RedditStandIn) -> Wiring:
    """A desk that Reddit has approved, with Reddit on loopback."""
    client = {"client_id": "id", "client_secret": "secret", "user_agent": AGENT}
    return replace(wiring, reddit_login=RedditLogin(**client, login=reddit.url, api=reddit.url))


Begin = Callable[..., dict[str, str]]


@pytest.fixture
def begin(client: Client, cast: Cast, message: int) -> Begin:
    """Go to Reddit's page as somebody of the desk; answers what Reddit is asked there."""

    def go(one: object = None, handle: str = HERE) -> dict[str, str]:
        person = one or client(cast.comms)
        page = person.post("/voices/1/reddit", data={"handle": handle})  # type: ignore[attr-defined]
        assert page.status_code == 200
        link = next(piece for piece in page.text.split('"') if "/api/v1/authorize?" in piece)
        asked = parse_qs(urlsplit(link.replace("&amp;", "&")).query)
        return {name: value for name, (value,) in asked.items()}

    return go


def test_signed_in_there_the_account_is_connected_and_its_token_sealed(
    wiring: Wiring, client: Client, cast: Cast, reddit: RedditStandIn, begin: Begin
) -> None:
    ruth = client(cast.leader)  # the account is hers
    asked = begin(ruth)
    assert asked["redirect_uri"] == f"{wiring.settings.address}{BACK}"
    assert (asked["duration"], asked["scope"].split()) == ("permanent", list(SCOPES))
    reddit.codes["a-code"] = ("Ruth_Hope", asked["redirect_uri"])
    answer = ruth.get(BACK, params={"state": asked["state"], "code": "a-code"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/voices/1")
    with wiring.sessions() as session:
        query = select(Account).where(Account.platform == "reddit")
        account = session.scalars(query).one()
        assert (account.handle, account.connected_by) == (HERE, cast.leader.id)
        assert account.secret is not None
        token = wiring.vault.decrypt(account.secret).decode()
        assert reddit.owners[token] == "Ruth_Hope"
        kept = session.scalars(select(RedditSignIn)).one()
        assert asked["state"] not in (kept.state_sha256, kept.bound_to)
    page = ruth.get("/voices/1").text
    assert HERE in page
    assert token not in page
    # The same answer once more is none.
    reddit.codes["a-code"] = ("Ruth_Hope", asked["redirect_uri"])
    again = ruth.get(BACK, params={"state": asked["state"], "code": "a-code"})
    assert again.status_code == 409
    assert "sent before" in again.text
    assert "a-code" in reddit.codes


def test_another_session_a_late_answer_and_an_invented_state_connect_nothing(
    wiring: Wiring, client: Client, cast: Cast, reddit: RedditStandIn, begin: Begin
) -> None:
    comms = client(cast.comms)
    asked = begin(comms)
    reddit.codes["a-code"] = ("Ruth_Hope", asked["redirect_uri"])
    answer = {"state": asked["state"], "code": "a-code"}
    assert client(cast.comms).get(BACK, params=answer).status_code == 409  # another browser
    assert comms.get(BACK, params=answer | {"state": "invented"}).status_code == 409
    assert comms.get(BACK).status_code == 409
    with wiring.sessions.begin() as session:
        session.execute(
            update(RedditSignIn).values(expires_at=RedditSignIn.begun_at - timedelta(minutes=1))
        )
    assert comms.get(BACK, params=answer).status_code == 409
    with wiring.sessions() as session:
        assert session.scalar(select(Account).where(Account.platform == "reddit")) is None
    assert "a-code" in reddit.codes  # Reddit was never asked


def test_what_is_not_as_it_was_asked_is_not_kept(
    wiring: Wiring, client: Client, cast: Cast, reddit: RedditStandIn, begin: Begin
) -> None:
    before, comms, whole = dict(reddit.owners), client(cast.comms), " ".join(SCOPES)
    for answer, user, scopes, words in (
        ({"code": "a-code"}, "Maria", whole, "u/maria is signed in at Reddit, not u/"),
        ({"code": "a-code"}, "Ruth_Hope", "identity submit", "not grant read, history, edit"),
        ({"code": "other"}, "Ruth_Hope", "", "did not sign anybody in: invalid_grant"),
        ({"error": "denied<b>"}, "Ruth_Hope", "", "says: denied&lt;b&gt;. Nothing was"),
        ({"code": "\n"}, "Ruth_Hope", "", "Reddit sent no code"),
    ):
        asked = begin(comms)
        reddit.scopes = scopes
        reddit.codes["a-code"] = (user, asked["redirect_uri"])
        refused = comms.get(BACK, params={"state": asked["state"]} | answer)
        assert (refused.status_code, words in refused.text) == (422, True), words
        assert f'value="{HERE}"' in refused.text  # to begin once more
        assert reddit.owners == before, "what was given is not given back"
    with wiring.sessions() as session:
        assert session.scalar(select(Account).where(Account.platform == "reddit")) is None


def test_who_may_and_where_it_is_off(
    wiring: Wiring, client: Client, cast: Cast, begin: Begin
) -> None:
    for person in (cast.monitor, cast.other_leader, cast.duty_lead):
        assert client(person).post("/voices/1/reddit", data={"handle": HERE}).status_code == 403
        assert "Sign in at Reddit" not in client(person).get("/voices/1").text
    comms = client(cast.comms)
    wrong = comms.post("/voices/1/reddit", data={"handle": "ruth <b>"})
    assert wrong.status_code == 422
    assert "ruth &lt;b&gt;" in wrong.text
    assert comms.post("/voices/99/reddit", data={"handle": HERE}).status_code == 404


def test_without_an_approval_there_is_no_door(wiring: Wiring, database_url: str) -> None:
    """Each of the four settings is needed."""
    whole = {"reddit_approval": "REF-1", "reddit_client_id": "id", "reddit_client_secret": "s"}
    whole["reddit_user_agent"] = AGENT
    for missing in (None, *whole):
        told = {name: value for name, value in whole.items() if name != missing}
        settings = Settings(data_dir=wiring.settings.data_dir, feeds=(), jetstream_url=None, **told)
        made = wire(settings, database_url)
        made.engine.dispose()
        assert (made.reddit_login is None) == (missing is not None)
        assert ("reddit" in made.publishers) == ("reddit" in made.keepers) == (missing is None)
