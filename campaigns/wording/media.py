"""Pictures: looked at, stripped of what they tell besides, made once, and kept byte for byte.

What a camera writes into a file (place, time, device) never leaves the house, and what a leader
approves is the bytes kept here: their SHA-256 stands in the content of a version.
"""

import hashlib
import io
import warnings
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from PIL import Image as Pillow
from PIL import ImageCms, ImageOps
from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from campaigns.models import Image
from campaigns.publishers import BY_HAND

IMAGES_MAX = 4  # app.bsky.embed.images; Mastodon: configuration.statuses.max_media_attachments
BYTES_MAX = 2_000_000  # app.bsky.embed.images#image: maxSize
ALT_MAX = 1_500  # characters: Mastodon's limit (MediaAttachment::MAX_DESCRIPTION_LENGTH)
UPLOAD_MAX = 20_000_000  # bytes of a file as it comes from a camera
PIXELS_MAX = 60_000_000  # of the unpacked picture: 240 MB of memory
EDGE_MAX = 2_000  # pixels of the longer side: what Bluesky's own client sends
FORMATS = ("PNG", "JPEG", "WEBP")
QUALITIES = (88, 80, 70, 60)  # of JPEG, until it fits
SHRINK = 0.75  # of each side, when no quality fits
# Platforms to which we send pictures, or to which a person takes them.
CARRIES = frozenset({"bluesky", "mastodon", "dry_run", "web", *BY_HAND})


def keep_image(
    session: Session, data: bytes, *, by: int, now: datetime, most: int = BYTES_MAX
) -> Image:
    """Keep an uploaded file as the picture that would be sent; the one kept before if it is there.

    It will have ``most`` bytes at most.

    Raises ValueError, in a sentence for its uploader, for what is no picture we can send.
    """
    encoded, media_type, (width, height) = made_plain(data, most)
    sha256 = hashlib.sha256(encoded).hexdigest()
    image = session.get(Image, sha256)
    if image is None:
        image = Image(
            sha256=sha256,
            media_type=media_type,
            size=len(encoded),
            width=width,
            height=height,
            data=encoded,
            by=by,
            at=now,
        )
        session.add(image)
        session.flush()
    return image


def made_plain(data: bytes, most: int = BYTES_MAX) -> tuple[bytes, str, tuple[int, int]]:
    """A file made anew from its pixels alone: (bytes, media type, (width, height)).

    At most ``most`` bytes, upright, in sRGB. A PNG that fits stays one. Raises ValueError.
    """
    if len(data) > UPLOAD_MAX:
        raise ValueError(f"This file is larger than {UPLOAD_MAX // 1_000_000} MB.")
    picture = _opened(data)
    was_png = picture.format == "PNG"
    try:
        plain = _pixels(picture)
    except (OSError, ValueError, SyntaxError, EOFError) as fault:
        raise ValueError("This picture is damaged: it cannot be read to its end.") from fault
    plain.thumbnail((EDGE_MAX, EDGE_MAX), Pillow.Resampling.LANCZOS)
    if was_png and len(encoded := _as_png(plain)) <= most:
        return encoded, "image/png", plain.size
    flat = Pillow.new("RGB", plain.size, "white")
    flat.paste(plain, mask=plain.getchannel("A") if plain.mode == "RGBA" else None)
    while True:
        for quality in QUALITIES:
            if len(encoded := _as_jpeg(flat, quality)) <= most:
                return encoded, "image/jpeg", flat.size
        smaller = (max(1, int(flat.width * SHRINK)), max(1, int(flat.height * SHRINK)))
        flat = flat.resize(smaller, Pillow.Resampling.LANCZOS)


def described(image: Image, alt: str) -> dict[str, Any]:
    """What a part of a content says of a picture, with all that its record needs."""
    return {
        "sha256": image.sha256,
        "type": image.media_type,
        "size": image.size,
        "width": image.width,
        "height": image.height,
        "alt": alt,
    }


def images_of(session: Session, hashes: Iterable[str]) -> dict[str, Image]:
    """The pictures by their SHA-256, with their bytes; those that are not kept are missing."""
    wanted = list(hashes)
    if not wanted:
        return {}
    query = select(Image).where(Image.sha256.in_(wanted)).options(undefer(Image.data))
    return {image.sha256: image for image in session.scalars(query)}


def pictures_on(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a part says of each picture whose bytes go out: its own in order, then its card's."""
    card = part.get("card") or {}
    return [*part.get("images", []), *([card["image"]] if "image" in card else [])]


def bytes_of(session: Session, part: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The pictures of a part in their order. ValueError when one is not the one it names."""
    named = [image["sha256"] for image in pictures_on(part)]
    if not named:
        return ()
    kept = images_of(session, named)
    for sha256 in named:
        if sha256 not in kept or hashlib.sha256(kept[sha256].data).hexdigest() != sha256:
            raise ValueError("A stored picture is not the picture that was approved.")
    return tuple(kept[sha256].data for sha256 in named)


def _opened(data: bytes) -> Pillow.Image:
    """The picture, its pixels not yet unpacked."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)  # our limit is below
            picture = Pillow.open(io.BytesIO(data), formats=FORMATS)
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as fault:
        raise ValueError("This is no PNG, JPEG or WebP picture.") from fault
    if picture.width * picture.height > PIXELS_MAX:
        raise ValueError("This picture has too many pixels. Make it smaller first.")
    if getattr(picture, "n_frames", 1) > 1:
        raise ValueError("This picture moves. Take a still one.")
    return picture


def _pixels(picture: Pillow.Image) -> Pillow.Image:
    """The pixels alone, upright and in sRGB: RGB, or RGBA where something shines through."""
    profile = picture.info.get("icc_profile")
    # A JPEG may be unpacked at a fraction of its size: seconds and memory saved.
    picture.draft("RGB", (EDGE_MAX * 2, EDGE_MAX * 2))
    upright = ImageOps.exif_transpose(picture)
    clear = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
    plain = upright
    if profile and upright.mode in ("RGB", "RGBA", "CMYK"):
        plain = _in_srgb(upright, profile)
    plain = plain.convert("RGBA" if clear else "RGB")
    bare = Pillow.new(plain.mode, plain.size)
    bare.paste(plain)
    return bare


def _in_srgb(picture: Pillow.Image, profile: bytes) -> Pillow.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGB" if picture.mode == "CMYK" else picture.mode
        turned = ImageCms.profileToProfile(
            picture, source, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError):  # a profile nobody can read changes no colour
        return picture
    return turned or picture


def _as_png(picture: Pillow.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def _as_jpeg(picture: Pillow.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue()
