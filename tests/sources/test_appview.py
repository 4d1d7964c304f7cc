"""The AppView's search and its word on what is gone, from a server that speaks its lexicons."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sources.bluesky import PAGE, BlueskyChecker, BlueskySearch
from sources.collector import Batch, NewPost, Rejected, Removal, SourceFaultError

ALICE = "did:plc:alice"
START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def uri(rkey: object, did: str = ALICE) -> str:
    return f"at://{did}/app.bsky.feed.post/{rkey}"


def view(number: int, **more: Any) -> dict[str, Any]:
    """A post as the AppView shows it; each was made a second before the one after it."""
    at = (START + timedelta(seconds=number)).isoformat(timespec="milliseconds")
    at = at.replace("+00:00", "Z")
    record = {"$type": "app.bsky.feed.post", "text": f"number {number}", "createdAt": at}
    author = {"did": ALICE, "handle": "alice.test"}
    return {"uri": uri(number), "author": author, "record": record, "indexedAt": at} | more


class AppView:
    """Answers from ``posts``, oldest first, as the lexicons of searchPosts and getPosts say."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.asked: list[dict[str, list[str]]] = []
        self.agents: list[str | None] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []  # instead of the next ones
        self.most = 10_000  # results that the pages of one search lead to
        self.pages_closed = False  # the first page only, as without a sign-in
        self.knows_dates = True  # "since" and "until"
        appview = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.server_version, self.sys_version = "appview", ""
                status, headers, body = appview.answer(self.path, self.headers.get("User-Agent"))
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, path: str, agent: str | None) -> tuple[int, dict[str, str], bytes]:
        url = urlsplit(path)
        asked = parse_qs(url.query)
        self.asked.append(asked)
        self.agents.append(agent)
        if self.answers:
            return self.answers.pop(0)
        if url.path == "/xrpc/app.bsky.feed.getPosts":
            assert len(asked["uris"]) <= 25
            body: dict[str, Any] = {"posts": [p for p in self.posts if p["uri"] in asked["uris"]]}
        else:
            assert url.path == "/xrpc/app.bsky.feed.searchPosts"
            if "cursor" in asked and self.pages_closed:
                return 403, {}, b"Request forbidden by administrative rules."
            since, until = asked["since"][0], asked.get("until", ["9"])[0]
            for date in (since, asked.get("until", [since])[0]):
                assert len(date) == len("2026-11-23T14:00:00.000Z")
            found = [
                post
                for post in reversed(self.posts)
                if not self.knows_dates or since <= post["record"]["createdAt"] < until
            ][: self.most]
            begin = int(asked.get("cursor", ["0"])[0])
            end = begin + int(asked["limit"][0])
            body = {"posts": found[begin:end]}
            if end < len(found):
                body["cursor"] = str(end)
        return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def appview() -> Iterator[AppView]:
    appview = AppView()
    yield appview
    appview.close()


# Search


@pytest.fixture
def search(appview: AppView) -> BlueskySearch:
    return BlueskySearch(
        "2026-11-16 ballot box", appview=appview.url + "/", contact="me@desk.example"
    )


def uris(batches: list[Batch]) -> list[str]:
    return [item.uri for batch in batches for item in batch.items if isinstance(item, NewPost)]


def test_a_search_asks_for_the_newest_and_reads_their_records(
    appview: AppView, search: BlueskySearch
) -> None:
    own = {"src": ALICE, "val": "!no-unauthenticated"}
    theirs = {"src": "did:plc:labeler", "val": "spam"}
    author = {"did": ALICE, "labels": [own, theirs]}
    appview.posts = [view(1), view(2, author=author, labels=[theirs])]
    first, *_ = batches = list(search.batches(None))
    assert appview.asked[0] == {
        "q": ["ballot box"],
        "sort": ["latest"],
        "limit": ["100"],
        "since": ["2026-11-16T00:00:00.000Z"],
    }
    assert appview.agents[0] == "Breakwater/0.1 (+me@desk.example)"
    assert first.items == [
        NewPost(
            uri=uri(2),
            author=ALICE,
            text="number 2",
            posted_at=START + timedelta(seconds=2),
            url=f"https://bsky.app/profile/{ALICE}/post/2",
            labels=("!no-unauthenticated",),
        ),
        NewPost(
            uri=uri(1),
            author=ALICE,
            text="number 1",
            posted_at=START + timedelta(seconds=1),
            url=f"https://bsky.app/profile/{ALICE}/post/1",
        ),
    ]
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]


def test_a_search_that_finds_nothing_ends(search: BlueskySearch) -> None:
    (batch,) = search.batches(None)
    assert (list(batch.items), batch.last) == ([], True)


NUMBERS = range(5 * PAGE + 20)


def whole(appview: AppView) -> None:
    """All pages lead to the end."""


def capped(appview: AppView) -> None:
    appview.most = 2 * PAGE + 10


def closed(appview: AppView) -> None:
    appview.pages_closed = True


@pytest.mark.parametrize("limits", [whole, capped, closed])
def test_a_search_finds_everything_however_few_pages_it_gets(
    appview: AppView, search: BlueskySearch, limits: Callable[[AppView], None]
) -> None:
    appview.posts = [view(number) for number in NUMBERS]
    limits(appview)
    batches = list(search.batches(None))
    found = uris(batches)
    assert set(found) == {uri(number) for number in NUMBERS}
    assert len(found) < len(NUMBERS) + 10
    assert found[:PAGE] == [uri(number) for number in reversed(NUMBERS)][:PAGE]
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]


@pytest.mark.parametrize("limits", [whole, capped, closed])
def test_a_search_goes_on_where_it_was_stopped(
    appview: AppView, search: BlueskySearch, limits: Callable[[AppView], None]
) -> None:
    appview.posts = [view(number) for number in NUMBERS]
    limits(appview)
    found: list[str] = []
    cursor: dict[str, Any] | None = None
    for _ in range(30):
        batch = next(iter(search.batches(json.loads(json.dumps(cursor)))))
        found += uris([batch])
        cursor = batch.cursor
        if batch.last:
            break
    assert set(found) == {uri(number) for number in NUMBERS}
    assert len(found) < len(NUMBERS) + 10


def test_a_search_that_knows_no_dates_ends_too(appview: AppView, search: BlueskySearch) -> None:
    appview.posts = [view(number) for number in NUMBERS]
    appview.knows_dates = False
    found = uris(list(search.batches(None)))
    assert set(found) == {uri(number) for number in NUMBERS}
    appview.asked.clear()
    list(BlueskySearch("2026-11-24 x", appview=appview.url).batches(None))
    assert len(appview.asked) < 4  # what is older than asked for leads no further


def test_a_date_that_somebody_made_up_does_not_cut_the_search_short(
    appview: AppView, search: BlueskySearch
) -> None:
    appview.posts = [view(number) for number in NUMBERS]
    appview.pages_closed = True
    appview.posts[-5]["record"]["createdAt"] = "2026-11-17T00:00:00.000Z"
    appview.posts[-6]["record"]["createdAt"] = "2031-11-17T00:00:00.000Z"
    found = uris(list(search.batches(None)))
    assert len(set(found)) >= len(NUMBERS) - 1


def test_an_empty_page_may_lead_on(appview: AppView, search: BlueskySearch) -> None:
    appview.posts = [view(number) for number in range(PAGE + 1)]
    appview.answers = [(200, {}, b'{"posts": [], "cursor": "100"}')]
    assert set(uris(list(search.batches(None)))) == {uri(0)}
    appview.answers = [(200, {}, b'{"posts": [], "cursor": "100"}')] * 2  # and in a circle
    assert list(search.batches(None))[-1].last


def test_what_is_no_post_is_set_aside(appview: AppView, search: BlueskySearch) -> None:
    appview.posts = [
        view(1, uri="at://did:plc:alice/app.bsky.graph.list/1"),
        view(2, record={"text": 5, "createdAt": "2026-11-23T14:00:00.000Z"}),
        view(3),
    ]
    batches = list(search.batches(None))
    assert uris(batches)[:1] == [uri(3)]
    rejected = {item.raw for batch in batches for item in batch.items if isinstance(item, Rejected)}
    assert rejected == {json.dumps(post).encode() for post in appview.posts[:2]}
    appview.answers = [(200, {}, b'{"posts": [null, 5, "text", {}]}')]
    (batch,) = search.batches(None)
    assert [type(item) for item in batch.items] == [Rejected] * 4
    assert batch.last


RESET = int((START + timedelta(seconds=90)).timestamp())
LIMITED = {"date": format_datetime(START, usegmt=True), "ratelimit-reset": str(RESET)}
FAULTS = [
    (500, {}, b"", r"^http://127\.0\.0\.1:\d+ answers 500\.$", None),
    (302, {"Location": "/elsewhere"}, b"", r"answers 302\.$", None),
    (429, LIMITED, b"", r"asks us to slow down\.$", timedelta(seconds=90)),
    (429, {"ratelimit-reset": "soon"}, b"", r"asks us to slow down\.$", None),
    (200, {}, b"<html>", r"answers with no posts\.$", None),
    (200, {}, b"[]", r"answers with no posts\.$", None),
    (200, {}, b'{"posts": null}', r"answers with no posts\.$", None),
    (200, {}, b'{"posts": ' + b"[" * 100_000, r"answers with no posts\.$", None),
    (200, {"Content-Encoding": "gzip"}, b"no gzip", r"cannot be reached: ", None),
]


@pytest.mark.parametrize(("status", "headers", "body", "sentence", "wait"), FAULTS)
def test_what_is_no_answer_is_a_fault(
    appview: AppView,
    search: BlueskySearch,
    status: int,
    headers: dict[str, str],
    body: bytes,
    sentence: str,
    wait: timedelta | None,
) -> None:
    appview.answers = [(status, headers, body)] * 2
    with pytest.raises(SourceFaultError, match=sentence) as fault:
        next(iter(search.batches(None)))
    assert fault.value.retry_in == wait
    with pytest.raises(SourceFaultError, match=sentence):
        BlueskyChecker(appview=appview.url).gone([uri(1), uri(2)])


@pytest.mark.parametrize("status", [401, 403])
def test_a_search_that_is_closed_to_us_says_so(
    appview: AppView, search: BlueskySearch, status: int
) -> None:
    appview.answers = [(status, {}, b"")] * 2
    with pytest.raises(SourceFaultError) as fault:
        next(iter(search.batches(None)))
    assert str(fault.value) == (
        f"Bluesky's search is closed to us: {appview.url} answers {status}."
    )
    with pytest.raises(SourceFaultError, match="Bluesky is closed to us"):
        BlueskyChecker(appview=appview.url).gone([uri(1)])


def test_an_appview_that_is_not_there_is_a_fault() -> None:
    for address in ("http://127.0.0.1:1", "http://[", "no address"):
        with pytest.raises(SourceFaultError, match="cannot be reached"):
            next(iter(BlueskySearch("2026-11-16 x", appview=address).batches(None)))


def test_a_search_without_a_day_or_words_is_over() -> None:
    for address in ("", "2026-11-16", "2026-11-16 ", "ballot box"):
        with pytest.raises(SourceFaultError, match="no first day or no words") as fault:
            next(iter(BlueskySearch(address).batches(None)))
        assert fault.value.final


# What is gone


@pytest.fixture
def checker(appview: AppView) -> BlueskyChecker:
    return BlueskyChecker(appview=appview.url, contact="me@desk.example")


def gone(*numbers: int) -> list[Removal]:
    return [Removal("post", uri(number), "no longer on Bluesky") for number in numbers]


def test_what_is_not_in_the_answer_is_gone(appview: AppView, checker: BlueskyChecker) -> None:
    appview.posts = [view(number) for number in range(25) if number not in (3, 24)]
    assert checker.gone([uri(number) for number in range(25)]) == gone(3, 24)
    assert checker.gone([uri(number) for number in range(3)]) == []
    assert checker.gone([]) == []
    assert len(appview.asked) == 2
    assert appview.agents == ["Breakwater/0.1 (+me@desk.example)"] * 2


def test_what_is_no_address_of_a_post_is_not_asked_for(
    appview: AppView, checker: BlueskyChecker
) -> None:
    appview.posts = [view(1)]
    odd = ["", "at://", "https://x", uri("a b"), uri("1/2"), uri(1, "alice.test"), uri("ä")]
    assert checker.gone([*odd, uri(1), uri(2)]) == gone(2)
    assert appview.asked == [{"uris": [uri(1), uri(2)]}]
    assert checker.gone(odd) == []


def test_a_last_post_may_go(appview: AppView, checker: BlueskyChecker) -> None:
    assert checker.gone([uri(1)]) == gone(1)


def test_an_empty_answer_is_believed_if_others_are_there(
    appview: AppView, checker: BlueskyChecker
) -> None:
    appview.posts = [view(1)]
    checker.gone([uri(1), uri(2)])
    assert checker.gone([uri(5), uri(6)]) == gone(5, 6)
    assert appview.asked[-1] == {"uris": [uri(1)]}
    assert checker.gone([uri(7), uri(8)]) == gone(7, 8)


def test_an_appview_that_lost_its_index_empties_nothing(
    appview: AppView, checker: BlueskyChecker
) -> None:
    appview.posts = [view(number) for number in range(50)]
    chunks = [[uri(number) for number in range(begin, begin + 25)] for begin in (0, 25)]
    assert checker.gone(chunks[0]) == []
    appview.posts = []
    for _ in range(3):
        with pytest.raises(SourceFaultError, match="hard to believe, and nothing was removed"):
            checker.gone(chunks[1])


def test_without_a_witness_an_empty_answer_is_asked_for_twice_and_believed_once(
    appview: AppView, checker: BlueskyChecker
) -> None:
    empty: tuple[int, dict[str, str], bytes] = (200, {}, b'{"posts": []}')
    appview.posts = [view(1)]
    appview.answers = [empty]
    assert checker.gone([uri(1), uri(2)]) == gone(2)  # the second answer was better

    checker = BlueskyChecker(appview=appview.url)
    appview.posts = []
    assert checker.gone([uri(1), uri(2)]) == gone(1, 2)
    with pytest.raises(SourceFaultError, match="hard to believe"):
        checker.gone([uri(3), uri(4)])
    appview.posts = [view(5)]
    assert checker.gone([uri(5), uri(6)]) == gone(6)
    appview.posts = []
    assert checker.gone([uri(5), uri(6)]) == gone(5, 6)  # its only witness is asked about
