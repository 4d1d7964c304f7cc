import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from sources.pseudonyms import EPOCH, erased_name, pseudonym

KEY = b"0123456789abcdef"
AT = datetime(2026, 11, 23, 15, tzinfo=UTC)


def test_one_author_has_one_name_within_a_month_and_another_after() -> None:
    name = pseudonym(KEY, "bluesky", "did:plc:alice", AT)
    assert name == pseudonym(KEY, "bluesky", "did:plc:alice", AT + timedelta(hours=1))
    assert name != pseudonym(KEY, "bluesky", "did:plc:alice", AT + EPOCH)
    assert len(name) == 16
    assert int(name, 16) >= 0


def test_names_differ_by_author_platform_and_key() -> None:
    names = {
        pseudonym(KEY, "bluesky", "alice", AT),
        pseudonym(KEY, "bluesky", "bob", AT),
        pseudonym(KEY, "reddit", "alice", AT),
        pseudonym(KEY[::-1], "bluesky", "alice", AT),
    }
    assert len(names) == 4


def test_what_stays_of_an_erased_address_cannot_be_found_without_the_key() -> None:
    name = erased_name(KEY, "reddit", "reddit:t3_1abcd")
    assert name == erased_name(KEY, "reddit", "reddit:t3_1abcd")
    assert name != erased_name(KEY[::-1], "reddit", "reddit:t3_1abcd")
    assert name != hashlib.sha256(b"reddit:t3_1abcd").hexdigest()
    assert len(name) == 64


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        pseudonym(b"", "bluesky", "alice", AT)
    with pytest.raises(ValueError, match="at least 16 bytes"):
        erased_name(b"", "bluesky", "at://alice")
