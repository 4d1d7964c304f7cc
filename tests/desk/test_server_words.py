"""What an account's own server takes, on the pages where somebody writes for it or connects it."""

from datetime import UTC, datetime

from starlette.testclient import TestClient

from campaigns import voices
from campaigns.models import ServerSaid, Voice
from desk.app import create_app
from desk.security import COOKIE
from desk.wiring import Wiring
from tests.desk.conftest import Cast, token_for

LONG = "Calm words. " * 60  # of more than 500 characters and less than 5,000


def test_the_count_and_the_voices_page_go_by_each_accounts_own_server(
    wiring: Wiring, cast: Cast, message: int
) -> None:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        voice = session.get_one(Voice, 1)
        accounts = {"platform": "mastodon", "by": cast.comms.id, "now": now}
        for host in ("town.social", "other.social"):
            voices.connect_account(
                *(session, voice),
                handle=f"ruth@{host}",
                service=f"https://{host}",
                secret="token",
                vault=wiring.vault,
                **accounts,
            )
        voices.name_account(
            session, voice, handle="ruth@third.social", service="https://third.social", **accounts
        )
        said = {"characters_max": 5000, "per_link": 23, "found_at": now, "read_at": now}
        session.add(ServerSaid(service="https://town.social", **said))
    # Without a server, so that the first check of a process may take as long as it takes.
    comms = TestClient(
        create_app(wiring),
        cookies={COOKIE: token_for(wiring, cast.comms)},
        headers={"sec-fetch-site": "same-origin"},
    )
    form = {"text": LONG, "send_at": "2030-05-04T12:00"}
    looked = comms.post(f"/messages/{message}/check", data=form).text
    assert "719 of 5000 characters" in looked
    assert "719 of 500 characters: 219 too many" in looked
    assert "town.social takes up to 5,000 characters." in looked
    assert "other.social has not said yet what it takes" in looked
    assert "219 characters too long (the limit is 500)" in looked
    assert "go out from this account: it is not connected" in looked
    page = comms.get("/voices/1").text
    assert "town.social takes up to 5,000 characters. Read" in page
    assert page.count("Nothing goes out from here until it is connected") == 1
