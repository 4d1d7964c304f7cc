"""The stand-in tells what the real server does, as Jetstream would, and its faults lose nothing."""

import json
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.pds.jetstream import JetstreamServer
from tests.pds.server import Pds


def read(server: JetstreamServer, cursor: int, wanted: list[bytes]) -> list[bytes]:
    """Lines from ``cursor`` until all that are wanted came, however often the server drops us."""
    found: list[bytes] = []
    while not set(wanted) <= set(found):
        asked = f"{server.url}/subscribe?wantedCollections=app.bsky.feed.post&cursor={cursor}"
        try:
            with connect(asked) as socket:
                while not set(wanted) <= set(found):
                    found.append(socket.recv(timeout=10, decode=False))
        except ConnectionClosed:
            pass
    return found


def test_what_happens_is_told_as_jetstream_tells_it(pds: Pds, jetstream: JetstreamServer) -> None:
    someone = pds.create_account("ann-standin.test")
    quoted = pds.post(someone, "The bridge is open — all of it.")
    cid = pds.posts(someone)[0]["cid"]
    embed = {"$type": "app.bsky.embed.record", "record": {"uri": quoted, "cid": cid}}
    pds.post(someone, "See this", embed=embed)
    pds.edit(someone, quoted, "The bridge is closed.")
    pds.delete(someone, quoted)
    pds.deactivate(someone)
    pds.activate(someone)
    pds.take_down(someone)
    pds.take_down(someone, taken=False)
    jetstream.settle()

    def told(event: dict[str, Any]) -> Any:
        assert list(event)[:3] == ["did", "time_us", "kind"]
        inside = event[event["kind"]]
        if event["kind"] == "commit":
            assert inside["collection"] == "app.bsky.feed.post"
            return inside["operation"], inside.get("record", {}).get("text")
        return (inside["active"], inside.get("status")) if event["kind"] == "account" else None

    events = [json.loads(line) for line in jetstream.lines()]
    theirs = [event for event in events if event["did"] == someone.did]
    assert [one for one in map(told, theirs) if one] == [
        (True, None),
        ("create", "The bridge is open — all of it."),
        ("create", "See this"),
        ("update", "The bridge is closed."),
        ("delete", None),
        (False, "deactivated"),
        (True, None),
        (False, "takendown"),
        (True, None),
    ]
    quote = next(e for e in theirs if e.get("commit", {}).get("record", {}).get("embed"))
    assert quote["commit"]["record"]["embed"] == embed
    assert quote["commit"]["cid"].startswith("bafyrei")
    times = [event["time_us"] for event in events]
    assert times == sorted(set(times))
    pds.delete_account(someone)
    jetstream.settle()
    assert json.loads(jetstream.lines()[-1])["account"]["status"] == "deleted"


def test_its_cursor_is_inclusive(pds: Pds, jetstream: JetstreamServer) -> None:
    someone = pds.create_account("ann-cursor.test")
    for n in range(4):
        pds.post(someone, f"cursor {n}")
    jetstream.settle()
    lines = [line for line in jetstream.lines() if b"commit" in line]
    third = json.loads(lines[2])["time_us"]
    assert read(jetstream, third, lines[2:]) == lines[2:]


def test_it_breaks_off_in_every_manner_and_still_tells_everything(
    pds: Pds, jetstream: JetstreamServer
) -> None:
    someone, other = pds.create_account("ann-breaks.test"), pds.create_account("ben-breaks.test")
    for n in range(20):
        pds.post((someone, other)[n % 2], f"broken {n}.")
    jetstream.add(b'{"did": "cut in ha')
    pds.post(someone, "the last")
    jetstream.settle()
    jetstream.drop_every, jetstream.repeats, jetstream.shuffled = 2, 0.2, 6
    whole = jetstream.lines()
    found = read(jetstream, 0, whole)
    assert jetstream.drops > 5
    assert len(found) > len(whole)
    assert set(found) == set(whole)

    jetstream.drop_every, jetstream.repeats = 0, 0.0
    mixed = read(jetstream, 0, whole)
    assert mixed != whole
    assert sorted(mixed) == sorted(whole)
    for account in (someone.did.encode(), other.did.encode()):
        own = [line for line in mixed if account in line]
        assert own == [line for line in whole if account in line]
