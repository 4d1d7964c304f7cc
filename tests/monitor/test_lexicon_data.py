"""The lexicon file itself: whole, without doubles, dated, and within its kinds."""

import datetime
import json
import pathlib

PATH = pathlib.Path(__file__).resolve().parents[2] / "monitor" / "coding" / "lexicon.json"
KEYS = {
    "term",
    "variants",
    "language",
    "locale",
    "meaning",
    "origin",
    "benign_uses",
    "alternatives",
    "kind",
    "added",
    "reviewed",
    "sources",
}
KINDS = {
    "call_to_violence",
    "dehumanising",
    "conspiracy",
    "identity_code",
    "accelerationism",
    "threat_code",
    "nostalgia",
}


def load():
    return json.loads(PATH.read_text(encoding="utf-8"))


def test_every_entry_is_complete():
    data = load()
    assert data["edition"]
    assert data["entries"]
    for entry in data["entries"]:
        assert set(entry) == KEYS, entry.get("term")
        for key in KEYS - {"variants"}:
            assert isinstance(entry[key], str), (entry["term"], key)
            assert entry[key].strip(), (entry["term"], key)
        assert entry["variants"], entry["term"]
        assert entry["language"] in {"en", "es"}, entry["term"]
        assert entry["kind"] in KINDS, entry["term"]


def test_no_term_or_variant_is_short_or_written_twice():
    seen = {}
    for entry in load()["entries"]:
        for form in [entry["term"], *entry["variants"]]:
            assert form == form.strip(), form
            assert len(form) >= 3, form
            key = (entry["language"], form.casefold())
            assert key not in seen, f"{form!r} is in {seen[key]!r} and {entry['term']!r}"
            seen[key] = entry["term"]


def test_dates_are_iso_and_in_order():
    for entry in load()["entries"]:
        added = datetime.date.fromisoformat(entry["added"])
        reviewed = datetime.date.fromisoformat(entry["reviewed"])
        assert added <= reviewed, entry["term"]
