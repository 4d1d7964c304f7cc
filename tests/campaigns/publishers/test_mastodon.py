"""A status exactly once: on mastodon-mock, a server of its own that keeps state and can fail.

What it will not do on request comes from a scripted server that speaks the same HTTP.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from mastodon_mock.config import DatabaseConfig, MastodonMockConfig, SeedAccount, SeedConfig
from mastodon_mock.testing.server import MockServer
from sqlalchemy.orm import Session, sessionmaker

from campaigns.deliver import CLAIM_PATIENCE, deliver_next
from campaigns.drafting.messages import start_message, state_of
from campaigns.publishers import (
    InDoubtError,
    NotSentError,
    Parcel,
    PublisherRejectedError,
)
from campaigns.publishers import mastodon as module
from campaigns.publishers.mastodon import MastodonPublisher, record
from campaigns.voices import connect_account, record_consent
from campaigns.wording.content import mint_record_key
from campaigns.wording.lengths import ServerSays
from sources.addresses import check_public
from tests.campaigns import cast
from tests.campaigns.publishers.servers import Script, scripted, severing

WORDS = "The bridge is open & safe: https://town.example/b <3\nAsk the crew.\n\n«Gracias» 🌉"
STATUSES = "/api/v1/statuses"
WHO = "/api/v1/accounts/verify_credentials"
OF_PAULA = "/api/v1/accounts/7/statuses"
PAULA = (200, {"id": "7", "username": "paula"}, {"date": "Mon, 25 May 2026 14:23:30 GMT"})
MARK = "2026-05-25T14:20:00+00:00"


class Server:
    """A Mastodon server with two accounts, and what their people can do on it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=30)

    def statuses(self, token: str = "paula-token") -> list[dict[str, Any]]:
        who = self._call("GET", WHO, token)["id"]
        found: list[dict[str, Any]] = self._call("GET", f"/api/v1/accounts/{who}/statuses", token)
        return found

    def source(self, status: dict[str, Any]) -> str:
        """Its words as they were sent, without the server's markup."""
        path = f"{STATUSES}/{status['id']}/source"
        return str(self._call("GET", path, "paula-token")["text"])

    def post(self, words: str, token: str = "paula-token") -> None:
        self._call("POST", STATUSES, token, json={"status": words})

    def delete(self, status: dict[str, Any]) -> None:
        self._call("DELETE", f"{STATUSES}/{status['id']}", "paula-token")

    def fault(self, verb: str, path: str, **effect: Any) -> None:
        """Fail the next call of this kind."""
        match = {"methods": [verb], "path": path}
        said = {"match": match, "count": 1, "effect": effect}
        self._http.post("/api/v1/_mock/faults", json=said).raise_for_status()

    def reset(self) -> None:
        self._http.delete("/api/v1/_mock/faults")
        for status in self.statuses():
            self.delete(status)

    def close(self) -> None:
        self._http.close()

    def _call(self, verb: str, path: str, token: str, **more: Any) -> Any:
        bearer = {"Authorization": f"Bearer {token}"}
        answer = self._http.request(verb, path, headers=bearer, **more)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    seed = SeedConfig(
        accounts=[
            SeedAccount(username="paula", access_token="paula-token"),
            SeedAccount(username="maria", access_token="maria-token"),
        ]
    )
    config = MastodonMockConfig(database=DatabaseConfig(path=":memory:"), seed=seed)
    with MockServer(config=config) as server:
        people = Server(server.base_url.rstrip("/"))
        yield people
        people.close()


@pytest.fixture
def server(running: Server) -> Server:
    running.reset()
    return running


@pytest.fixture
def parcel(server: Server) -> Parcel:
    """Due this minute by the server's own clock, which is the machine's."""
    due = datetime.now(UTC)
    fixed = record({"text": WORDS}, due)
    return Parcel("mastodon", "paula", server.url, "paula-token", mint_record_key(due), fixed)


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as script:
        script.answers[WHO] = [PAULA] * 9
        yield script


@pytest.fixture
def told(script: Script, parcel: Parcel) -> Parcel:
    """A parcel for the scripted server."""
    return replace(parcel, service=script.url, mark=MARK)


# ---- on a server that keeps state


def test_publishing_again_changes_nothing(server: Server, parcel: Parcel) -> None:
    mark = MastodonPublisher().mark(parcel)
    first = MastodonPublisher().publish(parcel)
    (status,) = server.statuses()
    assert (status["uri"], status["visibility"], status["language"]) == (first.uri, "public", "en")
    assert first.url == status["url"]
    assert MastodonPublisher().publish(parcel) == first
    assert MastodonPublisher().find(replace(parcel, mark=mark)) == first
    assert MastodonPublisher().find(parcel) == first
    assert server.statuses() == [status]


def test_what_never_arrived_may_be_sent_again(server: Server, parcel: Parcel) -> None:
    publisher = MastodonPublisher()
    parcel = replace(parcel, mark=publisher.mark(parcel))
    server.fault("POST", STATUSES, type="status", status=503)
    with pytest.raises(InDoubtError, match="Service temporarily unavailable"):
        publisher.publish(parcel)
    assert publisher.find(parcel) is None
    publisher.publish(parcel)
    assert len(server.statuses()) == 1


def test_a_post_whose_answer_was_lost_is_found(server: Server, parcel: Parcel) -> None:
    publisher = MastodonPublisher()
    parcel = replace(parcel, mark=publisher.mark(parcel))
    with severing(server.url, "POST") as line, pytest.raises(InDoubtError, match="broke off"):
        publisher.publish(replace(parcel, service=line))
    (status,) = server.statuses()
    receipt = publisher.find(parcel)
    assert receipt is not None
    assert (receipt.uri, receipt.url) == (status["uri"], status["url"])


def test_an_answer_cut_short_is_a_doubt(server: Server, parcel: Parcel) -> None:
    server.fault("POST", STATUSES, type="malformed")
    with pytest.raises(InDoubtError, match="gave no address"):
        MastodonPublisher().publish(parcel)


def test_other_words_and_other_peoples_words_are_not_ours(server: Server, parcel: Parcel) -> None:
    server.post(WORDS.replace("open", "shut"))
    server.post(WORDS, "maria-token")
    publisher = MastodonPublisher()
    assert publisher.find(replace(parcel, mark=publisher.mark(parcel))) is None


def test_without_a_mark_what_is_not_there_is_a_doubt(server: Server, parcel: Parcel) -> None:
    with pytest.raises(InDoubtError, match="may have arrived and been deleted"):
        MastodonPublisher().find(parcel)


def test_a_token_of_another_account_sends_nothing(server: Server, parcel: Parcel) -> None:
    before = len(server.statuses("maria-token"))
    stolen = replace(parcel, secret="maria-token")
    for verb in (MastodonPublisher().mark, MastodonPublisher().publish):
        with pytest.raises(PublisherRejectedError, match="belongs to another account than @paula"):
            verb(stolen)
    assert len(server.statuses("maria-token")) == before
    assert "maria-token" not in repr(stolen)


@pytest.mark.parametrize("handle", ["paula", "Paula@town.social"])
def test_a_handle_may_name_its_server(server: Server, parcel: Parcel, handle: str) -> None:
    MastodonPublisher().publish(replace(parcel, handle=handle))


@pytest.mark.parametrize("token", ["wrong", None, "schlüssel"])
def test_a_wrong_token_is_final(server: Server, parcel: Parcel, token: str | None) -> None:
    with pytest.raises(PublisherRejectedError, match="Connect the account again"):
        MastodonPublisher().publish(replace(parcel, secret=token))
    assert server.statuses() == []


def test_what_is_too_long_is_refused_in_the_servers_words(server: Server, parcel: Parcel) -> None:
    limits = MastodonPublisher().limits(server.url).rules
    assert (limits.characters_max, limits.per_link, limits.pictures_max) == (500, 23, 4)
    assert limits.picture_bytes_max == 10_485_760
    due = datetime.now(UTC)
    fits = record({"text": "x" * limits.characters_max}, due)
    MastodonPublisher().publish(replace(parcel, record=fits))
    over = replace(
        parcel,
        record_key="another",
        record=record({"text": "x" * (limits.characters_max + 1)}, due),
    )
    with pytest.raises(PublisherRejectedError, match=r"refuses the post: .*too long"):
        MastodonPublisher().publish(over)


def test_a_rate_limit_says_how_long_to_wait(server: Server, parcel: Parcel) -> None:
    server.fault("POST", STATUSES, type="ratelimit")
    with pytest.raises(NotSentError, match="slow down") as fault:
        MastodonPublisher().publish(parcel)
    assert 290 < fault.value.retry_in <= 301
    assert server.statuses() == []


def test_an_approved_message_goes_out_once_through_the_engine(
    session: Session, sessions: sessionmaker[Session], server: Server
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    voice = cast.make_voice(session, now)
    record_consent(
        session,
        voice,
        scope="Calming messages about the bridge",
        platforms=["mastodon"],
        evidence="Signed form of 20 November",
        valid_from=now - timedelta(days=1),
        valid_until=now + timedelta(days=30),
        by=cast.CARL_COMMS,
        now=now,
    )
    connect_account(
        session,
        voice,
        platform="mastodon",
        handle="@Paula",
        service=server.url,
        secret="paula-token",
        vault=cast.VAULT,
        by=cast.CARL_COMMS,
        now=now,
    )
    message = start_message(
        session, cast.make_campaign(session, now), voice, by=cast.CARL_COMMS, now=now
    )
    due = now + timedelta(seconds=60)
    approval = cast.approve_message(session, message, due, now)
    session.commit()

    def work(at: datetime) -> int:
        publishers = {"mastodon": MastodonPublisher()}
        return deliver_next(sessions, publishers, cast.VAULT, lambda: at)

    assert work(now) == 0
    server.fault("POST", STATUSES, type="status", status=502)
    assert work(due) == 1
    for minutes in (5, 10, 15):
        work(due + timedelta(minutes=minutes))
    session.expire_all()
    (delivery,) = approval.deliveries
    assert (delivery.state, state_of(message)) == ("published", "published")
    (status,) = server.statuses()
    assert delivery.receipt_uri == status["uri"]
    assert delivery.receipt_url == status["url"]
    assert server.source(status) == cast.CALM


# ---- on a server that fails as told


@pytest.mark.parametrize(
    "answer", [None, (408, {}), (500, {}), (502, b"<html>"), (200, b"<html>"), (200, {})]
)
def test_a_call_whose_end_is_unknown_is_a_doubt(script: Script, told: Parcel, answer: Any) -> None:
    script.answers[STATUSES] = [answer]
    with pytest.raises(InDoubtError):
        MastodonPublisher().publish(told)
    verb, path, _, headers = script.asked[-1]
    assert (verb, path, headers["idempotency-key"]) == ("POST", STATUSES, told.record_key)


@pytest.mark.parametrize("answer", [None, (503, {"error": "Restarting"}), (429, {})])
def test_a_failure_before_the_post_sent_nothing(script: Script, told: Parcel, answer: Any) -> None:
    for verb in (MastodonPublisher().mark, MastodonPublisher().publish):
        script.answers[WHO] = [answer]
        with pytest.raises(NotSentError):
            verb(told)
    assert {path for _, path, _, _ in script.asked} == {WHO}


def test_a_server_in_a_private_network_is_not_asked(script: Script, told: Parcel) -> None:
    publisher = MastodonPublisher(check=check_public)
    for ask in (publisher.mark, publisher.publish, lambda _: publisher.limits(told.service)):
        with pytest.raises(NotSentError, match="private network"):
            ask(told)
    assert script.asked == []


def test_a_server_that_is_not_there_got_nothing(parcel: Parcel) -> None:
    nowhere = replace(parcel, service="http://127.0.0.1:1")
    with pytest.raises(NotSentError, match="cannot be reached"):
        MastodonPublisher().publish(nowhere)
    with pytest.raises(InDoubtError, match="cannot be asked"):
        MastodonPublisher().find(nowhere)
    with pytest.raises(NotSentError, match="cannot be asked"):
        MastodonPublisher().limits(nowhere.service)


def test_what_a_leader_deleted_stays_deleted(script: Script, told: Parcel) -> None:
    """Mastodon itself answers a known key of a deleted status with 404; mastodon-mock posts."""
    script.answers[STATUSES] = [(404, {"error": "Record not found"})]
    with pytest.raises(PublisherRejectedError, match="it stays deleted"):
        MastodonPublisher().publish(told)


@pytest.mark.parametrize(
    ("version", "minutes", "harmless"),
    [
        ("4.5.2", 19, True),
        ("4.4.0-alpha.1+glitch", 0, True),
        ("4.5.2", 20, False),
        ("4.5.2", -1, False),
        ("2.7.2 (compatible; Pleroma 2.5.0)", 1, False),
        ("takahe/0.11.0", 1, False),
        ("0.18.3+git-4a5fbd3", 1, False),
        ("", 1, False),
    ],
)
def test_only_mastodon_itself_and_only_for_a_while_is_trusted_to_know_the_key(
    script: Script, told: Parcel, version: str, minutes: int, harmless: bool
) -> None:
    marked = datetime(2026, 5, 25, 14, 23, 30, tzinfo=UTC) - timedelta(minutes=minutes)
    told = replace(told, mark=marked.isoformat())
    script.answers[OF_PAULA] = [(200, [])]
    script.answers["/api/v1/instance"] = [(200, {"version": version})]
    if harmless:
        assert MastodonPublisher().find(told) is None
    else:
        with pytest.raises(InDoubtError, match="may have arrived and been deleted"):
            MastodonPublisher().find(told)


def status(number: int, html: str, moment: str = "2026-05-25T14:21:00.000Z") -> dict[str, Any]:
    address = f"https://town.social/@paula/{number}"
    return {"id": str(number), "created_at": moment, "content": html, "uri": address}


def test_the_servers_own_text_decides_where_its_markup_differs(
    script: Script, told: Parcel
) -> None:
    """As on servers that read Markdown, or shorten what a link shows."""
    html = "<p>The bridge is open &amp; safe: <a href='https://town.example/b'>town.example</a></p>"
    page = (200, [status(9, "<p>Good morning.</p>"), status(8, html)])
    script.answers[OF_PAULA] = [page, (200, []), page, (200, [])]
    told = replace(told, record=told.record | {"status": "The bridge is open & safe: https://b.c"})
    source = f"{STATUSES}/8/source"
    script.answers[source] = [(200, {"text": "The bridge is open & safe: https://b.c"})]
    receipt = MastodonPublisher().find(told)
    assert receipt is not None
    assert receipt.uri.endswith("/8")
    script.answers[source] = [(200, {"text": "The bridge is open & safe: https://else.where"})]
    script.answers["/api/v1/instance"] = [(200, {"version": "4.5.2"})]
    assert MastodonPublisher().find(told) is None


def test_what_stood_there_before_the_first_attempt_is_not_ours(
    script: Script, told: Parcel
) -> None:
    earlier = status(5, "<p>Hello</p>", "2026-05-25T14:19:59.000Z")
    script.answers[OF_PAULA] = [(200, [earlier])]
    script.answers["/api/v1/instance"] = [(200, {"version": "4.5.2"})]
    told = replace(told, record=told.record | {"status": "Hello"})
    assert MastodonPublisher().find(told) is None
    script.answers[OF_PAULA] = [(200, [status(6, "<p>Hello</p>", MARK)])]
    assert MastodonPublisher().find(told) is not None


def test_a_busy_account_is_looked_through_and_then_left_to_a_person(
    script: Script, told: Parcel
) -> None:
    told = replace(told, record=told.record | {"status": "Hello"})
    full = [status(number, "<p>Weather</p>") for number in range(90, 50, -1)]
    script.answers[OF_PAULA] = [(200, full), (200, [status(50, "<p>Hello</p>")])]
    assert MastodonPublisher().find(told) is not None
    assert script.asked[-1][2]["max_id"] == "51"
    script.answers[OF_PAULA] = [(200, full)] * module.PAGES_MAX
    with pytest.raises(InDoubtError, match="posted too much"):
        MastodonPublisher().find(told)


def with_picture(parcel: Parcel) -> Parcel:
    shown = [{"sha256": "0" * 64, "type": "image/png", "alt": "The bridge, open."}]
    return replace(parcel, record=parcel.record | {"images": shown}, images=(b"PNG of it",))


def test_a_picture_goes_out_with_its_words(server: Server, parcel: Parcel) -> None:
    MastodonPublisher().publish(with_picture(parcel))
    (status,) = server.statuses()
    (shown,) = status["media_attachments"]
    assert shown["description"] == "The bridge, open."
    assert httpx.get(shown["url"]).content == b"PNG of it"


def test_without_its_picture_nothing_is_posted(script: Script, told: Parcel) -> None:
    working = (202, {"id": "7", "url": None})
    for answers, fault in (
        ([(500, {})], NotSentError),
        ([(422, {"error": "Too large"})], PublisherRejectedError),
        ([working], NotSentError),
    ):
        script.answers["/api/v2/media"] = list(answers)
        script.answers["/api/v1/media/7"] = [(206, {"id": "7", "url": None})] * module.POLLS_MAX
        with pytest.raises(fault, match="picture"):
            MastodonPublisher().publish(with_picture(told))
    assert not [call for call in script.asked if call[1] == STATUSES]


def test_the_longest_delivery_ends_before_its_claim_is_taken_over(
    script: Script, told: Parcel
) -> None:
    pictures = 4 * module.UPLOAD + module.POLLS_MAX * (module.POLL + module.POLL_REST)
    longest = module.EXCHANGES_MAX * module.DEADLINE + pictures
    assert timedelta(seconds=longest) < CLAIM_PATIENCE
    alike = [status(number, f"<p>{WORDS[:-1]}</p>") for number in range(80, 78, -1)]
    script.answers[OF_PAULA] = [(200, alike), (200, [])]
    script.answers["/api/v1/instance"] = [(200, {"version": "4.5.2"})]
    script.answers |= {f"{STATUSES}/{n}/source": [(404, {})] for n in (79, 80)}
    script.answers[STATUSES] = [(200, {"id": "9", "uri": "https://town.social/9"})]
    publisher = MastodonPublisher()
    assert publisher.find(told) is None
    publisher.mark(told)
    publisher.publish(told)
    assert len(script.asked) == module.EXCHANGES_MAX


@pytest.mark.parametrize(
    "page",
    [
        *((200, {}), (200, b"<html>"), (404, {}), (200, ["x"]), (200, b"[" * 9999)),
        *((200, [{"id": "1"}]), (200, [{"id": "../../x", "created_at": MARK}])),
    ],
)
def test_an_unreadable_list_does_not_mean_that_nothing_is_there(
    script: Script, told: Parcel, page: Any
) -> None:
    script.answers[OF_PAULA] = [page]
    with pytest.raises(InDoubtError, match="does not say what it has"):
        MastodonPublisher().find(told)


def test_a_servers_addresses_are_not_believed(script: Script, told: Parcel) -> None:
    said = {"id": "9", "uri": "https://town.social/9", "url": "javascript:alert(1)"}
    script.answers[STATUSES] = [(200, said), (200, said | {"uri": "https://\x00"})]
    assert MastodonPublisher().publish(told).url is None
    with pytest.raises(InDoubtError, match="no address"):
        MastodonPublisher().publish(told)


def test_something_else_than_a_mastodon_server_is_named(script: Script, told: Parcel) -> None:
    script.answers[WHO] = [(200, b"<html>Welcome</html>")]
    with pytest.raises(PublisherRejectedError, match="is not a Mastodon server"):
        MastodonPublisher().publish(told)


@pytest.mark.parametrize(
    ("reset", "wait"),
    [
        *(("2026-05-25T14:25:30.123456Z", 120), ("1779719130", 120), ("2020-01-01T00:00:00Z", 0)),
        *(("soon", module.RATE_LIMIT_WAIT), ("inf", module.RATE_LIMIT_WAIT)),
    ],
)
def test_a_rate_limit_ends_by_the_servers_clock(
    script: Script, told: Parcel, reset: str, wait: float
) -> None:
    headers = {"x-ratelimit-reset": reset, "date": "Mon, 25 May 2026 14:23:30 GMT"}
    script.answers[STATUSES] = [(429, {"error": "Too many requests"}, headers)]
    with pytest.raises(NotSentError) as fault:
        MastodonPublisher().publish(told)
    assert fault.value.retry_in == pytest.approx(wait, abs=0.2)


HOSTILE = (True, -1, 10**12, "500", 500.5, [500], {"x": 1}, None)


def test_what_a_server_says_that_cannot_be_is_as_good_as_nothing(script: Script) -> None:
    """One answer for each kind of nonsense, in every number at once."""
    for nonsense in HOSTILE:
        statuses = dict.fromkeys(
            ("max_characters", "characters_reserved_per_url", "max_media_attachments"), nonsense
        )
        media = {"image_size_limit": nonsense, "description_limit": nonsense}
        media["supported_mime_types"] = ["image/<b>", 7, "video/mp4", "image/" + "x" * 99]
        said = {"configuration": {"statuses": statuses, "media_attachments": media}}
        said |= {"max_toot_chars": nonsense, "upload_limit": nonsense}
        script.answers["/api/v2/instance"] = [(200, said)]
        script.answers["/api/v1/instance"] = [(200, {"configuration": [nonsense]})]
        with pytest.raises(NotSentError, match="does not say what it takes"):
            MastodonPublisher().limits(script.url)
    # What it says sensibly beside the nonsense counts.
    statuses = {"max_characters": 400, "characters_reserved_per_url": "many"}
    said = {"configuration": {"statuses": statuses}}
    script.answers["/api/v2/instance"] = [(200, said)]
    assert MastodonPublisher().limits(script.url) == ServerSays(characters_max=400)
    for answer, words in (((429, {}), "slow down"), ((404, {}), "does not say"), (None, "asked")):
        script.answers["/api/v2/instance"] = script.answers["/api/v1/instance"] = [answer, answer]
        with pytest.raises(NotSentError, match=words):
            MastodonPublisher().limits(script.url)


def test_servers_like_mastodon_say_it_in_other_places(script: Script) -> None:
    """Pleroma beside the configuration, and without a length for links; GoToSocial as Mastodon."""
    pleroma = {"max_toot_chars": 5000, "description_limit": 900, "upload_limit": 16_000_000}
    script.answers["/api/v2/instance"] = [(404, {"error": "Not implemented"})]
    script.answers["/api/v1/instance"] = [(200, pleroma | {"max_media_attachments": 1})]
    assert MastodonPublisher().limits(script.url) == ServerSays(
        characters_max=5000,
        per_link=0,
        pictures_max=1,
        picture_bytes_max=16_000_000,
        alt_max=900,
    )
    statuses = {"max_characters": 5000, "characters_reserved_per_url": 25}
    statuses["max_media_attachments"] = 0
    media = {"supported_mime_types": ["image/webp", "image/jpeg", "video/mp4"]}
    media |= {"image_size_limit": 5_242_880, "description_limit": 1_500}
    said = {"configuration": {"statuses": statuses, "media_attachments": media}}
    script.answers["/api/v2/instance"] = [(200, said)]
    assert MastodonPublisher().limits(script.url) == ServerSays(
        5000, 25, 0, 5_242_880, ("image/jpeg", "image/webp"), 1_500
    )
    assert script.calls.count("/api/v1/instance") == 1
    assert not any("authorization" in headers for *_, headers in script.asked)
