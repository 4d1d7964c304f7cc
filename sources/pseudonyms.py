"""Authors as rotating pseudonyms: enough to count distinct voices, never enough to follow one."""

import hmac
from datetime import datetime, timedelta

EPOCH = timedelta(days=30)  # after this an author gets another name (requirement 35)
MIN_KEY_BYTES = 16
DIGITS = 16  # 64 bits: no collision among the authors of one month


def pseudonym(key: bytes, platform: str, author: str, at: datetime) -> str:
    """The name under which ``author`` (the platform's id) is stored for a post made ``at``.

    Sixteen hex digits. Same author, same epoch: same name; without the key nobody gets back, and
    the same id on two platforms gives two names. ValueError for a key that could be guessed.
    """
    epoch = int(at.timestamp() // EPOCH.total_seconds())
    return _keyed(key, f"{epoch}\n{platform}\n{author}")[:DIGITS]


def erased_name(key: bytes, platform: str, uri: str) -> str:
    """What stays of the address of an erased post (Erasure.uri_sha256): a keyed HMAC-SHA-256.

    64 hex digits. Keyed, because short ids like Reddit's could be counted through until a plain
    hash matches; with the key one can still prove that a given address was erased.
    """
    return _keyed(key, f"erased\n{platform}\n{uri}")


def linked_name(key: bytes, platform: str, uri: str) -> str:
    """How a post names another one (Post.reply_to, Post.quote_of): a keyed HMAC-SHA-256."""
    return _keyed(key, f"linked\n{platform}\n{uri}")


def _keyed(key: bytes, identity: str) -> str:
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"the pseudonym key needs at least {MIN_KEY_BYTES} bytes")
    return hmac.digest(key, identity.encode("utf-8", "surrogatepass"), "sha256").hex()
