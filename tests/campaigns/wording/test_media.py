"""A picture leaves as its pixels and nothing besides, and never as other bytes than approved."""

import hashlib
import io
import random
import struct
import zlib
from datetime import datetime, timedelta

import pytest
from PIL import Image as Pillow
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from campaigns.deliver import deliver_next
from campaigns.drafting.messages import pictures_of, save_draft
from campaigns.models import Delivery, Image
from campaigns.publishers.dry_run import DryRunPublisher
from campaigns.wording.media import BYTES_MAX, EDGE_MAX, bytes_of, keep_image, made_plain
from tests.campaigns import cast

HOUR = timedelta(hours=1)
ORIENTATION, GPS = 0x0112, 0x8825


def file_of(picture: Pillow.Image, kind: str = "PNG", **more: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **more)
    return out.getvalue()


def noise(size: tuple[int, int]) -> Pillow.Image:
    return Pillow.frombytes("RGB", size, random.Random(1).randbytes(size[0] * size[1] * 3))


def test_where_and_when_it_was_taken_stays_here() -> None:
    photo = Pillow.new("RGB", (60, 40), "teal")
    told = Pillow.Exif()
    told[ORIENTATION] = 6  # the camera was held upright
    told[0x010F] = "Camera of Ruth"
    told.get_ifd(GPS)[2] = (42.0, 16.0, 12.0)
    data = file_of(photo, "JPEG", exif=told, comment=b"on Mill Street")
    assert b"Camera of Ruth" in data
    plain, media_type, size = made_plain(data)
    assert media_type == "image/jpeg"
    assert size == (40, 60)
    again = Pillow.open(io.BytesIO(plain))
    assert not again.getexif()
    assert not {"exif", "icc_profile", "comment", "xmp"} & set(again.info)
    assert b"Ruth" not in plain
    assert b"Mill Street" not in plain


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_large_picture_is_made_to_fit(kind: str) -> None:
    plain, media_type, size = made_plain(file_of(noise((2600, 1300)), kind, quality=95))
    assert len(plain) <= BYTES_MAX
    assert max(size) <= EDGE_MAX
    assert size[0] == pytest.approx(2 * size[1], abs=2)
    assert Pillow.open(io.BytesIO(plain)).size == size
    assert media_type == "image/jpeg"


def test_what_shines_through_a_small_png_still_does() -> None:
    plain, media_type, _ = made_plain(file_of(Pillow.new("RGBA", (20, 20), (0, 0, 0, 0))))
    assert media_type == "image/png"
    assert Pillow.open(io.BytesIO(plain)).getpixel((3, 3)) == (0, 0, 0, 0)


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 40,000 times 40,000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


SMALL = Pillow.new("RGB", (400, 400), "teal")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no PNG, JPEG or WebP"),
        (b"<svg onload=alert(1)></svg>", "no PNG, JPEG or WebP"),
        (file_of(SMALL, "GIF"), "no PNG, JPEG or WebP"),
        (file_of(noise((200, 200)), "JPEG")[:9000], "damaged"),
        (file_of(noise((200, 200)))[:9000], "damaged"),
        (bomb(), "no PNG|too many pixels"),
        (file_of(SMALL, "WEBP", save_all=True, append_images=[noise((400, 400))]), "moves"),
        (b"\x00" * 20_000_001, "larger than 20 MB"),
    ],
    ids=["empty", "svg", "gif", "cut jpeg", "cut png", "bomb", "moving", "huge"],
)
def test_what_is_no_picture_for_us_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made_plain(data)


def test_the_same_file_is_kept_once(session: Session, now: datetime) -> None:
    first = keep_image(session, file_of(SMALL), by=1, now=now)
    assert keep_image(session, file_of(SMALL), by=2, now=now + HOUR) is first
    assert hashlib.sha256(first.data).hexdigest() == first.sha256
    assert first.size == len(first.data)


def approved_with_picture(session: Session, now: datetime) -> tuple[Delivery, Image]:
    message = cast.make_message(session, now)
    image = keep_image(session, file_of(SMALL), by=cast.CARL_COMMS, now=now)
    texts = {account.id: cast.CALM for account in message.voice.accounts}
    shown = [(image, "The bridge, open.")]
    save_draft(session, message, texts, now + HOUR, by=cast.CARL_COMMS, now=now, pictures=shown)
    approval = cast.approve_message(session, message, now + HOUR, now)
    session.commit()
    return approval.deliveries[0], image


@pytest.mark.parametrize("meddled", [False, True])
def test_other_bytes_than_the_approved_ones_never_leave(
    sessions: sessionmaker[Session], now: datetime, meddled: bool
) -> None:
    with sessions() as session:
        delivery, image = approved_with_picture(session, now)
        part = delivery.approval.version.content["parts"][0]
        assert bytes_of(session, part) == (image.data,)
        if meddled:
            session.execute(update(Image).values(data=b"another picture"))
            session.commit()
    later = now + HOUR + timedelta(minutes=1)
    deliver_next(sessions, {"dry_run": DryRunPublisher()}, cast.VAULT, lambda: later)
    with sessions() as session:
        ended = session.get_one(Delivery, delivery.id)
        assert ended.state == ("withdrawn" if meddled else "published")
        assert not meddled or "picture" in ended.detail


def test_saving_words_alone_leaves_the_pictures(session: Session, now: datetime) -> None:
    message = cast.make_message(session, now)
    image = keep_image(session, file_of(SMALL), by=2, now=now)
    (account,) = message.voice.accounts
    shown = [(image, "The bridge, open.")]
    first = save_draft(
        session, message, {account.id: "One."}, now + HOUR, by=2, now=now, pictures=shown
    )
    other = save_draft(session, message, {account.id: "Two."}, now + HOUR, by=2, now=now)
    assert pictures_of(session, other) == shown
    described = [(image, "The bridge, closed.")]
    third = save_draft(
        session, message, {account.id: "Two."}, now + HOUR, by=2, now=now, pictures=described
    )
    assert len({first.sha256, other.sha256, third.sha256}) == 3
    bare = save_draft(
        session, message, {account.id: "Two."}, now + HOUR, by=2, now=now, pictures=[]
    )
    assert pictures_of(session, bare) == []
