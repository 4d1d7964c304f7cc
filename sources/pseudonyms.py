"""Authors as rotating pseudonyms: enough to count distinct voices, never enough to follow one."""

import hmac
from datetime import datetime, timedelta

EPOCH = timedelta(days=30)  # after this an author gets another name (domain.md, requirement 35)
MIN_KEY_BYTES = 16
DIGITS = 16  # 64 bits: no collision among the authors of one month


def pseudonym(key: bytes, platform: str, author: str, at: datetime) -> str:
    """The name under which ``author`` (the platform's id) is stored for a post made ``at``.

    Sixteen hex digits. Same author, same epoch: same name; without the key nobody gets back, and
    the same id on two platforms gives two names. ValueError for a key that could be guessed.
    """
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"the pseudonym key needs at least {MIN_KEY_BYTES} bytes")
    epoch = int(at.timestamp() // EPOCH.total_seconds())
    identity = f"{epoch}\n{platform}\n{author}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, identity, "sha256").hex()[:DIGITS]
