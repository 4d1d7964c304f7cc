"""The same words are the same bytes; other words are other bytes."""

import hashlib
import io
import json
from datetime import datetime, timedelta, timezone

import pytest
from atproto_core.cid import CID
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from sqlalchemy.orm import Session

from campaigns.models import Image, MessageVersion
from campaigns.wording.content import (
    build_content,
    canonical,
    clean,
    mint_record_key,
    record_for,
    send_time,
    sha256_of,
)
from campaigns.wording.media import described, keep_image
from tests.campaigns import cast

SENDABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@given(SENDABLE, SENDABLE)
def test_hashes_are_equal_exactly_when_the_texts_are(one: str, other: str) -> None:
    left, right = ({"parts": [{"text": clean(text)}]} for text in (one, other))
    assert (sha256_of(left) == sha256_of(right)) == (clean(one) == clean(other))


@given(st.dictionaries(SENDABLE, st.integers() | SENDABLE | st.lists(SENDABLE)))
def test_canonical_bytes_do_not_depend_on_the_order_of_keys(content: dict[str, object]) -> None:
    turned = dict(reversed(content.items()))
    assert canonical(turned) == canonical(content)
    assert json.loads(canonical(content)) == content


@given(SENDABLE)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_what_the_database_gives_back_has_the_same_hash(session: Session, now: datetime) -> None:
    message = cast.make_message(session, now)
    (account,) = message.voice.accounts
    content = build_content(message.voice, {account.id: "Grüße 👨‍👩‍👧\r\n“ok”"}, now)
    version = MessageVersion(
        message=message,
        number=1,
        content=content,
        sha256=sha256_of(content),
        drafted_by=1,
        drafted_at=now,
    )
    session.add(version)
    session.flush()
    session.expire_all()
    assert version.content == content
    assert sha256_of(version.content) == version.sha256


def test_the_time_to_send_is_one_moment_in_every_time_zone(session: Session, now: datetime) -> None:
    voice = cast.make_voice(session, now)
    detroit = now.astimezone(timezone(timedelta(hours=-5)))
    assert build_content(voice, {}, now) == build_content(voice, {}, detroit)
    assert send_time(build_content(voice, {}, detroit)) == now
    with pytest.raises(ValueError, match="time zone"):
        build_content(voice, {}, now.replace(tzinfo=None))


@pytest.mark.parametrize("text", ["a\x00b", "half a pair \ud83d"])
def test_characters_no_platform_can_show_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no platform can show"):
        clean(text)


def test_an_account_of_another_voice_is_refused(session: Session, now: datetime) -> None:
    with pytest.raises(ValueError, match="does not belong"):
        build_content(cast.make_voice(session, now), {999: "Hello"}, now)


def test_the_record_says_exactly_what_was_approved(now: datetime) -> None:
    record = record_for({"text": "Hello"}, now)
    assert record == {
        "$type": "app.bsky.feed.post",
        "text": "Hello",
        "langs": ["en"],
        "createdAt": "2026-11-23T15:00:00.000Z",
    }


def test_record_keys_are_tids_and_differ(now: datetime) -> None:
    keys = {mint_record_key(now) for _ in range(100)}
    assert len(keys) == 100
    for key in keys:
        assert len(key) == 13
        assert key[0] in "234567abcdefghij"  # the top bit of a TID is 0
        assert set(key) <= set("234567abcdefghijklmnopqrstuvwxyz")


def picture(session: Session, now: datetime) -> Image:
    out = io.BytesIO()
    Pillow.new("RGB", (30, 20), "teal").save(out, "PNG")
    return keep_image(session, out.getvalue(), by=1, now=now)


def test_a_picture_is_part_of_what_is_sealed(session: Session, now: datetime) -> None:
    voice = cast.make_voice(session, now)
    account = cast.rehearsal_account(session, voice, now)
    image = picture(session, now)

    def seal(*pictures: tuple[Image, str]) -> str:
        return sha256_of(build_content(voice, {account.id: "Hello"}, now, pictures))

    assert len({seal(), seal((image, "A bridge")), seal((image, "A river"))}) == 3
    with pytest.raises(ValueError, match="at most 4 pictures"):
        seal(*[(image, "A bridge")] * 5)
    with pytest.raises(ValueError, match="1500 characters"):
        seal((image, "x" * 1501))


def test_a_record_names_a_picture_by_the_hash_of_its_bytes(session: Session, now: datetime) -> None:
    image = picture(session, now)
    part = {"text": "Hello", "images": [described(image, "A bridge")]}
    (shown,) = record_for(part, now)["embed"]["images"]
    assert shown["alt"] == "A bridge"
    assert shown["aspectRatio"] == {"width": 30, "height": 20}
    cid = CID.decode(shown["image"]["ref"]["$link"])
    assert (cid.version, cid.codec) == (1, 0x55)
    assert cid.hash.digest == hashlib.sha256(image.data).digest()


def test_mastodon_is_told_in_its_own_form(now: datetime) -> None:
    record = record_for({"platform": "mastodon", "text": "Hello"}, now)
    assert record["status"] == "Hello"
    assert record["send_at"] == "2026-11-23T15:00:00Z"
