"""Lots that fall the same way for a key each time: what is held back from training stays so."""

import hashlib


def draw(key: str) -> float:
    """0 to 1, always the same for a key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big") / 2**48
