"""A thread stands whole on a real AT Protocol server, once, or not at all."""

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import libipld
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from sqlalchemy.orm import Session, sessionmaker

from campaigns.checking.checks import blocking, run_checks
from campaigns.deliver import CLAIM_PATIENCE, deliver_next
from campaigns.drafting.messages import start_message
from campaigns.models import Delivery, Image, Voice
from campaigns.publishers import InDoubtError, Parcel, PublisherRejectedError
from campaigns.publishers.bluesky import BlueskyPublisher
from campaigns.voices import connect_account
from campaigns.wording.cards import Card
from campaigns.wording.content import Besides, build_content, mint_record_key, record_for, sha256_of
from campaigns.wording.media import bytes_of, keep_image
from campaigns.wording.threads import POSTS_MAX, cid_of_record, joined, keys_of, posts_in
from tests.campaigns import cast
from tests.campaigns.test_deliver import Dying, WorkerDiedError
from tests.pds.server import Account, Pds

HOUR = timedelta(hours=1)
THREE = (
    "Our town's bridge is open.\n---\nThe crew finished on Monday, https://town.example/b.\n"
    "--- \n\nUse it today. 👨‍👩‍👧"
)


@pytest.fixture
def paula(pds: Pds, request: pytest.FixtureRequest) -> Account:
    return pds.create_account(f"t{abs(hash(request.node.name)) % 10**9}.test")


def accounts(session: Session, now: datetime, pds: Pds, paula: Account, *others: str) -> Voice:
    """Paula's voice with her account on the real server (1), and others nobody answers at."""
    voice = cast.make_voice(session, now)
    for platform in ("bluesky", *others):
        connect_account(
            session,
            voice,
            platform=platform,
            handle=paula.handle,
            service=pds.url,
            secret=paula.password,
            vault=cast.VAULT,
            by=cast.CARL_COMMS,
            now=now,
        )
    return voice


def picture(session: Session, colour: str, now: datetime) -> Image:
    out = io.BytesIO()
    Pillow.new("RGB", (60, 40), colour).save(out, "PNG")
    return keep_image(session, out.getvalue(), by=1, now=now)


def parcel_of(
    session: Session, content: Mapping[str, Any], pds: Pds, paula: Account, now: datetime
) -> Parcel:
    (part,) = content["parts"]
    return Parcel(
        platform="bluesky",
        handle=paula.handle,
        service=pds.url,
        secret=paula.password,
        record_key=mint_record_key(now),
        record=record_for(part, now),
        images=bytes_of(session, part),
    )


# ---- the text


@pytest.mark.parametrize(
    ("text", "posts"),
    [
        ("One", ["One"]),
        ("One\n---\nTwo", ["One", "Two"]),
        ("One\r\n---\r\nTwo".replace("\r\n", "\n"), ["One", "Two"]),
        ("---\nOne\n---\n \n---\nTwo\n---", ["One", "Two"]),
        ("One --- and two\n----\n-- -", ["One --- and two\n----\n-- -"]),
        ("---", ["---"]),
        ("", [""]),
    ],
)
def test_a_line_of_three_dashes_ends_a_post(text: str, posts: list[str]) -> None:
    assert posts_in(text) == posts


@given(st.lists(st.text("ab -\n", min_size=1).map(str.strip).filter(bool), min_size=1))
def test_what_was_taken_apart_stays_apart(posts: list[str]) -> None:
    apart = posts_in(joined(posts))
    assert posts_in(joined(apart)) == apart


def test_keys_of_a_thread_follow_each_other(now: datetime) -> None:
    first = mint_record_key(now)
    keys = keys_of(first, POSTS_MAX)
    assert keys[0] == first
    assert keys == sorted(set(keys))
    assert {len(key) for key in keys} == {13}


def test_the_hash_is_of_every_post_and_their_order(session: Session, now: datetime) -> None:
    voice = cast.make_voice(session, now)
    account = cast.rehearsal_account(session, voice, now)
    texts = ("A\n---\nB\n---\nC", "A\n---\nC\n---\nB", "A\n---\nB C", "A B\n---\nC")
    hashes = {sha256_of(build_content(voice, {account.id: text}, now)) for text in texts}
    assert len(hashes) == len(texts)
    with pytest.raises(ValueError, match="10 posts at most; this one has 11"):
        build_content(voice, {account.id: "\n---\n".join("abcdefghijk")}, now)


def test_elsewhere_a_thread_is_one_text_or_too_long(
    session: Session, now: datetime, pds: Pds, paula: Account
) -> None:
    voice = accounts(session, now, pds, paula, "mastodon")
    on_bluesky, on_mastodon = (account.id for account in voice.accounts)
    long = "\n---\n".join(["A calm word. " * 20] * 3)
    content = build_content(voice, {on_bluesky: THREE, on_mastodon: THREE}, now + HOUR)
    assert "---" not in content["parts"][1]["text"]
    assert "open.\n\nThe crew" in content["parts"][1]["text"]
    content = build_content(voice, {on_bluesky: long, on_mastodon: long}, now + HOUR)
    (stop,) = [
        one for one in blocking(run_checks(session, content, voice, now)) if one.name == "Length"
    ]
    assert "281 characters too long" in stop.problem
    assert "half a thread" in stop.mend
    assert stop.where == (f"Mastodon @{paula.handle}",)
    content = build_content(voice, {on_bluesky: f"Calm.\n---\n{long}{long}"}, now + HOUR)
    stops = [one.problem for one in blocking(run_checks(session, content, voice, now))]
    assert any(one.startswith("Post 4 of 6 is ") for one in stops)


# ---- on the real server


def test_a_thread_stands_whole_with_its_pictures_and_its_card(
    session: Session, now: datetime, pds: Pds, paula: Account
) -> None:
    voice = accounts(session, now, pds, paula)
    red, blue, thumb = (picture(session, colour, now) for colour in ("red", "blue", "teal"))
    card = Card("https://town.example/b", "The bridge", "It is open", thumb)
    besides = Besides(card=card, places=[3, 1], languages={voice.accounts[0].id: ["en", "es"]})
    shown = [(red, "The bridge in red"), (blue, "The bridge in blue")]
    content = build_content(voice, {voice.accounts[0].id: THREE}, now, shown, besides)
    parcel = parcel_of(session, content, pds, paula, now)
    parcel = replace(parcel, mark=BlueskyPublisher().mark(parcel))
    assert BlueskyPublisher().find(parcel) is None
    receipt = BlueskyPublisher().publish(parcel)
    first, second, third = pds.posts(paula)[::-1]
    assert [one["uri"].rpartition("/")[2] for one in (first, second, third)] == keys_of(
        parcel.record_key, 3
    )
    assert receipt.uri == first["uri"]
    assert "reply" not in first["value"]
    root = {"uri": first["uri"], "cid": first["cid"]}
    parent = {"uri": second["uri"], "cid": second["cid"]}
    assert second["value"]["reply"] == {"root": root, "parent": root}
    assert third["value"]["reply"] == {"root": root, "parent": parent}
    assert [cid_of_record(one["value"]) for one in (first, second, third)] == [
        one["cid"] for one in (first, second, third)
    ]
    assert first["value"]["embed"]["images"][0]["alt"] == "The bridge in blue"
    assert third["value"]["embed"]["images"][0]["alt"] == "The bridge in red"
    external = second["value"]["embed"]["external"]
    assert (external["uri"], external["title"]) == (card.url, "The bridge")
    assert external["thumb"]["size"] == thumb.size
    assert {tuple(one["value"]["langs"]) for one in (first, second, third)} == {("en", "es")}
    # Again: the keys are taken, and nothing changes.
    with pytest.raises((InDoubtError, PublisherRejectedError)):
        BlueskyPublisher().publish(parcel)
    assert BlueskyPublisher().find(parcel) == receipt
    assert pds.posts(paula)[::-1] == [first, second, third]
    # Its voice takes the last post down: it was published all the same. Then all of it.
    pds.delete(paula, third["uri"])
    assert BlueskyPublisher().find(parcel) == receipt
    pds.delete(paula, first["uri"])
    with pytest.raises(InDoubtError, match="may have arrived and been deleted"):
        BlueskyPublisher().find(parcel)


def test_a_thread_with_a_post_that_is_refused_leaves_nothing(
    session: Session, now: datetime, pds: Pds, paula: Account
) -> None:
    voice = accounts(session, now, pds, paula)
    text = f"Calm.\n---\n{'x' * 301}\n---\nCalm again."
    content = build_content(voice, {voice.accounts[0].id: text}, now)
    parcel = parcel_of(session, content, pds, paula, now)
    with pytest.raises(PublisherRejectedError):
        BlueskyPublisher().publish(parcel)
    assert pds.posts(paula) == []


@pytest.mark.parametrize("sends", [True, False])
def test_a_worker_that_died_in_a_thread_makes_no_double_and_no_half(
    session: Session,
    sessions: sessionmaker[Session],
    now: datetime,
    pds: Pds,
    paula: Account,
    sends: bool,
) -> None:
    voice = accounts(session, now, pds, paula)
    campaign = cast.make_campaign(session, now)
    message = start_message(session, campaign, voice, by=cast.CARL_COMMS, now=now)
    approval = cast.approve_message(session, message, now + HOUR, now, THREE)
    session.commit()
    dying = Dying(BlueskyPublisher(), sends=sends)
    with pytest.raises(WorkerDiedError):
        deliver_next(sessions, {"bluesky": dying}, cast.VAULT, lambda: now + HOUR)
    assert len(pds.posts(paula)) == (3 if sends else 0)
    later = now + HOUR + CLAIM_PATIENCE
    deliver_next(sessions, {"bluesky": BlueskyPublisher()}, cast.VAULT, lambda: later)
    session.expire_all()
    delivery = session.get_one(Delivery, approval.deliveries[0].id)
    posts = pds.posts(paula)
    assert (len(posts), delivery.state) == (3, "published")
    assert delivery.receipt_uri == posts[-1]["uri"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text("añ漢👍\n\x7f"),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abcñ", min_size=1), inner),
        max_leaves=12,
    )
)
def test_equal_records_have_equal_names_and_others_others(data: Any) -> None:
    record = {"$type": "app.bsky.feed.post", "data": data}
    name = cid_of_record(record)
    assert cid_of_record(dict(reversed(record.items()))) == name
    assert cid_of_record({**record, "more": 1}) != name
    assert libipld.decode_cid(name)["hash"]["size"] == 32
