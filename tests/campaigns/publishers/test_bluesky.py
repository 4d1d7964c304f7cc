"""A post exactly once on a real AT Protocol server, and a plain word for every way it can fail.

What a healthy server will not do on request (failing, hanging up, slowing us down) comes from a
small loopback server that speaks the same HTTP.
"""

import asyncio
import hashlib
import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from PIL import Image

from campaigns.deliver import CLAIM_PATIENCE
from campaigns.publishers import (
    InDoubtError,
    NotSentError,
    Parcel,
    PublisherRejectedError,
    exchange,
)
from campaigns.publishers import bluesky as module
from campaigns.publishers.bluesky import BlueskyPublisher
from campaigns.publishers.bluesky_keeper import BlueskyKeeper
from campaigns.publishers.keeping import Posted
from campaigns.wording.content import mint_record_key, record_for
from campaigns.wording.lengths import BLUESKY_BYTES_MAX as BYTES_MAX
from campaigns.wording.lengths import BLUESKY_GRAPHEMES_MAX as GRAPHEMES_MAX
from sources.addresses import check_public
from tests.campaigns.publishers.servers import Script, scripted
from tests.pds.server import Account, Pds

FAMILY = "👨‍👩‍👧‍👦"
LET_IN = (200, {"did": "did:plc:paula", "accessJwt": "token"})
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def account(pds: Pds) -> Account:
    return pds.create_account("publisher.test")


def parcel_for(pds: Pds, account: Account, words: str, now: datetime) -> Parcel:
    return Parcel(
        platform="bluesky",
        handle=account.handle,
        service=pds.url,
        secret=account.password,
        record_key=mint_record_key(now),
        record=record_for({"text": words}, now),
    )


def under(pds: Pds, account: Account, parcel: Parcel) -> list[dict[str, Any]]:
    """The posts that stand under the parcel's key."""
    return [post for post in pds.posts(account) if post["uri"].endswith(parcel.record_key)]


# ---- on the real server


def test_publishing_again_changes_nothing(pds: Pds, account: Account, now: datetime) -> None:
    parcel = parcel_for(pds, account, "Once. https://town.example/ä 🌉", now)
    parcel = replace(parcel, mark=BlueskyPublisher().mark(parcel))
    assert BlueskyPublisher().find(parcel) is None
    first = BlueskyPublisher().publish(parcel)
    (post,) = under(pds, account, parcel)
    assert post["value"] == parcel.record
    assert BlueskyPublisher().publish(parcel) == first
    assert BlueskyPublisher().find(parcel) == first
    assert under(pds, account, parcel) == [post]
    assert first.uri == post["uri"]
    assert first.url is not None
    assert first.url.startswith(f"{pds.url}/xrpc/com.atproto.repo.getRecord?repo={account.handle}")


def with_picture(parcel: Parcel, now: datetime, data: bytes) -> Parcel:
    shown = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "type": "image/png",
        "size": len(data),
        "width": 30,
        "height": 20,
        "alt": "The bridge, open.",
    }
    record = record_for({"text": parcel.record["text"], "images": [shown]}, now)
    return replace(parcel, record=record, images=(data,))


def a_picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (30, 20), "teal").save(out, "PNG")
    return out.getvalue()


def test_a_picture_goes_out_with_its_words(pds: Pds, account: Account, now: datetime) -> None:
    """The server takes the record whose blob we named ourselves, and serves the same bytes."""
    data = a_picture()
    parcel = with_picture(parcel_for(pds, account, "Look.", now), now, data)
    receipt = BlueskyPublisher().publish(parcel)
    assert BlueskyPublisher().publish(parcel) == receipt
    (post,) = under(pds, account, parcel)
    assert post["value"] == parcel.record
    cid = parcel.record["embed"]["images"][0]["image"]["ref"]["$link"]
    query = {"did": account.did, "cid": cid}
    blob = httpx.get(f"{pds.url}/xrpc/com.atproto.sync.getBlob", params=query)
    assert blob.content == data


def test_another_post_is_never_overwritten(pds: Pds, account: Account, now: datetime) -> None:
    parcel = parcel_for(pds, account, "The first words.", now)
    publisher = BlueskyPublisher()
    publisher.publish(parcel)
    other = replace(parcel, record=record_for({"text": "Other words."}, now))
    with pytest.raises(PublisherRejectedError, match="left alone"):
        publisher.publish(other)
    with pytest.raises(InDoubtError, match="Other words than ours"):
        publisher.find(other)
    (post,) = under(pds, account, parcel)
    assert post["value"]["text"] == "The first words."


def test_what_is_gone_may_have_been_deleted(pds: Pds, account: Account, now: datetime) -> None:
    """A no is only said while nobody has written anything since the mark."""
    parcel = parcel_for(pds, account, "Soon deleted.", now)
    publisher = BlueskyPublisher()
    marked = replace(parcel, mark=publisher.mark(parcel))
    assert publisher.find(marked) is None
    receipt = publisher.publish(marked)
    assert publisher.find(marked) == receipt
    pds.delete(account, receipt.uri)
    with pytest.raises(InDoubtError, match="may have arrived and been deleted"):
        publisher.find(marked)
    with pytest.raises(InDoubtError):
        publisher.find(parcel)  # never marked: nothing can be said
    assert not publisher.repeatable  # or it would come back
    assert under(pds, account, parcel) == []


def test_our_text_already_standing_there_counts_as_published(
    pds: Pds, account: Account, now: datetime
) -> None:
    parcel = parcel_for(pds, account, "The same words.", now)
    publisher = BlueskyPublisher()
    first = publisher.publish(parcel)
    later = record_for({"text": "The same words."}, now + timedelta(hours=1))
    assert publisher.publish(replace(parcel, record=later)) == first


@pytest.mark.parametrize(
    "words", ["x" * GRAPHEMES_MAX, FAMILY * (BYTES_MAX // len(FAMILY.encode()))]
)
def test_what_our_length_check_passes_the_server_accepts(
    pds: Pds, account: Account, now: datetime, words: str
) -> None:
    BlueskyPublisher().publish(parcel_for(pds, account, words, now))


def test_what_is_too_long_is_refused_in_the_servers_words(
    pds: Pds, account: Account, now: datetime
) -> None:
    parcel = parcel_for(pds, account, "x" * (GRAPHEMES_MAX + 1), now)
    with pytest.raises(PublisherRejectedError, match=r"refuses the post: .*grapheme"):
        BlueskyPublisher().publish(parcel)


def test_a_wrong_password_is_final(pds: Pds, account: Account, now: datetime) -> None:
    parcel = replace(parcel_for(pds, account, "Hello", now), secret="wrong")
    with pytest.raises(PublisherRejectedError, match=r"does not let @publisher\.test in"):
        BlueskyPublisher().publish(parcel)
    assert "wrong" not in repr(parcel)


# ---- on a server that fails as told


@pytest.fixture
def script() -> Iterator[Script]:
    """Methods go by their last word."""
    with scripted(lambda path: path.rpartition(".")[2]) as script:
        script.answers["createSession"] = [LET_IN] * 9
        yield script


@pytest.fixture
def parcel(script: Script, now: datetime) -> Parcel:
    return Parcel("bluesky", "paula.test", script.url, "x", "3mmoojp4cd223", {"text": "Hello"})


@pytest.mark.parametrize(
    "answer",
    [None, (500, {"error": "InternalServerError"}), (502, b"<html>"), (200, b"<html>"), (200, {})],
)
def test_a_call_whose_end_is_unknown_is_a_doubt(
    script: Script, parcel: Parcel, answer: Any
) -> None:
    script.answers["putRecord"] = [answer]
    with pytest.raises(InDoubtError):
        BlueskyPublisher().publish(parcel)


def test_a_server_that_does_not_answer_is_a_doubt(
    script: Script, parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = BlueskyPublisher()
    script.answers["putRecord"] = [(200, {"uri": "at://here"})]
    publisher.publish(parcel)  # signs in
    monkeypatch.setattr(exchange, "TIMEOUT", 0.2)
    script.answers["putRecord"] = [0.6]
    with pytest.raises(InDoubtError, match="broke off"):
        publisher.publish(parcel)


def drip(start: bytes, piece: bytes) -> Iterator[bytes]:
    """An answer that goes on for six seconds without a pause worth a timeout."""
    yield start
    for _ in range(300):
        yield piece
        time.sleep(0.02)


def flood() -> Iterator[bytes]:
    """An answer without end."""
    yield HEAD + b"\r\n"
    while True:
        yield b" " * 65_536


@pytest.mark.parametrize(
    ("start", "piece"), [(HEAD, b"X-Slow: 1\r\n"), (HEAD, b"x"), (HEAD + b"\r\n", b" ")]
)
@pytest.mark.parametrize(
    ("method", "fault"), [("createSession", NotSentError), ("putRecord", InDoubtError)]
)
def test_a_server_that_drips_is_left_at_the_deadline(
    script: Script,
    parcel: Parcel,
    method: str,
    fault: type[Exception],
    start: bytes,
    piece: bytes,
) -> None:
    script.answers[method] = [drip(start, piece)]
    begun = time.monotonic()
    with pytest.raises(fault, match=r"no whole answer within 0\.5 seconds"):
        BlueskyPublisher(deadline=0.5).publish(parcel)
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    ("method", "fault"), [("createSession", NotSentError), ("putRecord", InDoubtError)]
)
def test_an_endless_answer_is_cut_off(
    script: Script, parcel: Parcel, method: str, fault: type[Exception]
) -> None:
    script.answers[method] = [flood()]
    with pytest.raises(fault, match="longer than 1000000 bytes"):
        BlueskyPublisher().publish(parcel)


def test_the_longest_call_ends_before_its_claim_is_taken_over() -> None:
    longest = module.EXCHANGES_MAX * exchange.DEADLINE + module.UPLOADS_MAX * module.UPLOAD
    assert timedelta(seconds=longest) < CLAIM_PATIENCE


def test_the_longest_call_is_seven_exchanges(script: Script, parcel: Parcel) -> None:
    expired, nothing = (401, {}), (400, {"error": "RecordNotFound"})
    script.answers["putRecord"] = [expired, (400, {"error": "InvalidSwap"})]
    script.answers["getRecord"] = [expired, nothing]
    with pytest.raises(InDoubtError, match="is gone"):
        BlueskyPublisher().publish(parcel)
    assert len(script.calls) == module.EXCHANGES_MAX


def test_it_works_inside_an_event_loop_too(script: Script, parcel: Parcel) -> None:
    script.answers["putRecord"] = [(200, {"uri": "at://here"})]

    async def publish() -> str:
        return BlueskyPublisher().publish(parcel).uri

    with ThreadPoolExecutor(1) as own:  # this thread may have the browser's loop already
        assert own.submit(lambda: asyncio.run(publish())).result() == "at://here"


@pytest.mark.parametrize(
    "answer", [(200, b"<html>"), (200, {}), (200, {"value": None}), (200, b"[" * 100_000)]
)
def test_an_answer_without_a_record_does_not_mean_that_nothing_is_there(
    script: Script, parcel: Parcel, answer: Any
) -> None:
    script.answers["getRecord"] = [answer]
    with pytest.raises(InDoubtError, match="does not say what it has"):
        BlueskyPublisher().find(parcel)


def test_a_servers_words_become_one_line_that_can_be_stored(script: Script, parcel: Parcel) -> None:
    script.answers["putRecord"] = [(400, {"message": "No\x00, \ud800\nno."})]
    with pytest.raises(PublisherRejectedError, match=r"refuses the post: No ,   no\.$"):
        BlueskyPublisher().publish(parcel)
    script.answers["putRecord"] = [(200, {"uri": "at://\x00"})]
    with pytest.raises(InDoubtError, match="no address"):
        BlueskyPublisher().publish(parcel)


@pytest.mark.parametrize("answer", [None, (503, {"message": "Restarting"})])
def test_a_failure_at_sign_in_sent_nothing(script: Script, parcel: Parcel, answer: Any) -> None:
    script.answers["createSession"] = [answer]
    with pytest.raises(NotSentError):
        BlueskyPublisher().publish(parcel)
    assert script.calls == ["createSession"]


def test_a_server_that_is_not_there_got_nothing(parcel: Parcel) -> None:
    nowhere = replace(parcel, service="http://127.0.0.1:1")
    with pytest.raises(NotSentError, match="cannot be reached"):
        BlueskyPublisher().publish(nowhere)


def test_a_server_in_a_private_network_is_not_asked(script: Script, parcel: Parcel) -> None:
    with pytest.raises(NotSentError, match="private network; only"):
        BlueskyPublisher(check=check_public).publish(parcel)
    uri = f"at://did:plc:paula/app.bsky.feed.post/{parcel.record_key}"
    kept = Posted(parcel.handle, parcel.service, None, parcel.record_key, parcel.record, uri, None)
    (sight,) = BlueskyKeeper("http://127.0.0.1:1", check=check_public).look([kept])
    assert sight.state == "unreadable"
    assert "private network" in sight.detail
    assert script.calls == []


def test_something_else_than_an_atproto_server_is_named(script: Script, parcel: Parcel) -> None:
    script.answers["createSession"] = [(200, b"<html>Welcome</html>")]
    with pytest.raises(PublisherRejectedError, match="not an AT Protocol server"):
        BlueskyPublisher().publish(parcel)


@pytest.mark.parametrize("method", ["createSession", "putRecord"])
def test_a_rate_limit_says_how_long_to_wait_by_the_servers_clock(
    script: Script, parcel: Parcel, method: str
) -> None:
    slow_down = (
        429,
        {"error": "RateLimitExceeded"},
        {"ratelimit-reset": "1779719130", "date": "Mon, 25 May 2026 14:23:30 GMT"},
    )
    script.answers[method] = [slow_down, (429, {"error": "RateLimitExceeded"})]
    publisher = BlueskyPublisher()
    with pytest.raises(NotSentError) as told:
        publisher.publish(parcel)
    assert told.value.retry_in == 120
    with pytest.raises(NotSentError) as untold:
        publisher.publish(parcel)
    assert untold.value.retry_in == module.RATE_LIMIT_WAIT


@pytest.mark.parametrize("reset", ["inf", "-inf", "nan", "soon", "1e999"])
def test_a_rate_limit_that_is_no_time_counts_as_unsaid(
    script: Script, parcel: Parcel, reset: str
) -> None:
    headers = {"ratelimit-reset": reset, "date": "Mon, 25 May 2026 14:23:30 GMT"}
    script.answers["putRecord"] = [(429, {}, headers)]
    with pytest.raises(NotSentError) as told:
        BlueskyPublisher().publish(parcel)
    assert told.value.retry_in == module.RATE_LIMIT_WAIT


@pytest.mark.parametrize(
    "answer", [(400, {"error": "ExpiredToken"}), (400, {"error": "InvalidToken"}), (401, {})]
)
def test_an_expired_session_is_renewed_once(script: Script, parcel: Parcel, answer: Any) -> None:
    script.answers["putRecord"] = [(200, {"uri": "at://a"}), answer, (200, {"uri": "at://a"})]
    publisher = BlueskyPublisher()
    assert publisher.publish(parcel) == publisher.publish(parcel)
    assert script.calls == ["createSession", "putRecord", "putRecord", "createSession", "putRecord"]
    script.answers["putRecord"] = [answer, answer]
    with pytest.raises(PublisherRejectedError):
        publisher.publish(parcel)


@pytest.mark.parametrize("status", [302, 403, 404, 413])
def test_any_other_refusal_is_final(script: Script, parcel: Parcel, status: int) -> None:
    script.answers["putRecord"] = [(status, {"message": "No."})]
    with pytest.raises(PublisherRejectedError, match=r"refuses the post: No\.$"):
        BlueskyPublisher().publish(parcel)


def test_the_public_page_is_named_for_public_servers() -> None:
    parcel = Parcel("bluesky", "paula.test", "https://bsky.social", "x", "3mmoojp4cd223", {})
    receipt = module._receipt(parcel, "at://did/app.bsky.feed.post/3mmoojp4cd223")
    assert receipt.url == "https://bsky.app/profile/paula.test/post/3mmoojp4cd223"


@pytest.mark.parametrize("answer", [(500, {}), (200, {}), (200, b"<html>"), (429, {})])
def test_without_a_mark_nothing_is_sent(script: Script, parcel: Parcel, answer: Any) -> None:
    script.answers["getLatestCommit"] = [answer]
    with pytest.raises(NotSentError):
        BlueskyPublisher().mark(parcel)
    assert not any("putRecord" in asked for asked in script.calls)


def test_without_its_picture_nothing_is_posted(script: Script, parcel: Parcel) -> None:
    seen = with_picture(parcel, datetime(2026, 11, 23, tzinfo=UTC), a_picture())
    for answer, fault in (
        ((500, {}), NotSentError),
        ((400, {"message": "Too large"}), PublisherRejectedError),
        ((200, {"blob": {"ref": {"$link": "bafkother"}}}), PublisherRejectedError),
    ):
        script.answers["uploadBlob"] = [answer]
        with pytest.raises(fault):
            BlueskyPublisher().publish(seen)
    assert "putRecord" not in script.calls
