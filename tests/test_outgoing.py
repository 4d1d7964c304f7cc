"""Every way out of the house: modules that can send bytes, and each page and export of the desk.

One place says what may be done with a platform's posts (sources/policy.py; requirements 27, 30 and
32). These tests walk all ways out, so that a new one cannot be opened unseen. When one of them
fails, its sentence says what to do.
"""

import ast
import io
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.staticfiles import StaticFiles
from PIL import Image
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker
from starlette.routing import Mount
from starlette.testclient import TestClient

from campaigns.models import Campaign, Consent, Voice
from campaigns.sending import kill_switch
from campaigns.wording.media import keep_image
from desk import handover, people, sitreps
from desk.app import create_app
from desk.models import ROLES
from desk.security import COOKIE
from desk.settings import Settings
from desk.wiring import Wiring, wire
from monitor.alerts import alert_lists, alerts, cap
from monitor.coding import cases, lexicon, situations
from monitor.coding.codebook import MessageFields
from monitor.models import Flag, Reading, Revision
from monitor.narratives.narratives import hour_of
from monitor.narratives.revisions import rename
from sources import register, watches
from sources.bluesky import NO_UNAUTHENTICATED
from sources.matching import Rule
from sources.models import HiddenPost, PassingPost, Post, RejectedItem
from sources.policy import Policies, SourcePolicy
from tests.campaigns.cast import (
    MONICA_MONITOR,
    approve_message,
    make_flag,
    make_message,
)

HOUSE = Path(__file__).parent.parent
ROOMS = ("sources", "monitor", "campaigns", "desk")

# Modules that can send bytes out of the process, and what each of them sends.
SENDS = {
    "sources/addresses.py": "requests for feeds and pages: the address, our name, ETag and date",
    "sources/feeds.py": "nothing by itself: names httpx's faults, and parses what was fetched",
    "sources/bluesky.py": "words of watches (look-back); uris of posts we hold (are they there?)",
    "sources/websocket.py": "the opening of a stream: its address, our name, a cursor",
    "sources/jetstream.py": "nothing by itself: names the websocket's faults",
    "sources/firehose.py": "nothing by itself: takes frames of AT Protocol apart",
    "sources/reddit.py": "names of subreddits, words of searches, ids of posts we hold (there?)",
    "sources/collector.py": "nothing: names the network's faults in plain words",
    "monitor/embedding/embed.py": "a model's name to Hugging Face, if the settings have one",
    "monitor/training/fit.py": "nothing: transformers reads the packaged model from disk",
    "monitor/training/make.py": "nothing: PyTorch trains the first look",
    "monitor/training/signs.py": "nothing: PyTorch trains the heads for signs",
    "campaigns/publishers/exchange.py": "one request a publisher wrote, to the server it names",
    "campaigns/wording/richtext.py": "nothing: links and hashtags by the SDK's own patterns",
    "campaigns/publishers/bluesky.py": "what a leader approved, and the voice's own password",
    "campaigns/publishers/mastodon.py": "what a leader approved, and the voice's own access token",
    "campaigns/publishers/reddit.py": "what a leader approved, and the voice's own refresh token",
    "campaigns/publishers/reddit_keeper.py": "ids of our submissions (what of them?), deletions",
    "campaigns/publishers/reddit_login.py": "the desk's own client, and the code of who signed in",
    "campaigns/publishers/identities.py": "handles that people type in: whose they are, and where",
    "campaigns/publishers/oauth.py": "the desk's own name and key, and what proves a sign-in",
    "campaigns/publishers/bluesky_keeper.py": "uris of posts of ours (what of them?), deletions",
    "campaigns/publishers/mastodon_keeper.py": "the same, with the voice's own access token",
    "campaigns/publishers/email.py": "what a leader approved, to a contact; the mail password",
    "campaigns/publishers/twilio.py": "what a leader approved, to one contact; the account's key",
    "campaigns/publishers/kannel.py": "the same by an SMS gateway of one's own, and its password",
    "desk/bell.py": "nothing: listens on our own database, and wakes the streams of open pages",
    "desk/serving.py": "nothing by itself: uvicorn's server, whose open streams end when it stops",
    "desk/routes/presence.py": "to whoever is signed in: who else has the same page open",
    "desk/worker.py": "nothing by itself: gives the loop that runs the jobs its threads",
    "desk/cli.py": "pages to whoever signs in (walked below); starts the worker as a child",
    "desk/streams.py": "settings and the secret key to child processes of our own",
    "desk/database.py": "starts our own PostgreSQL as a child process",
    "desk/couriers.py": "to staff: that something waits, how grave it is, and a link",
    "desk/printed.py": "nothing: Typst sets type from a template of ours, which takes no package",
    "desk/mail.py": "the same by e-mail, to the desk's own mail server",
    "desk/mailbox.py": "a user name, a password and numbers of mails, to the desk's own mailbox",
    "desk/first_start.py": "a HEAD request to each configured feed, once: is the network open?",
}

# Parts of Python that lead out of the process.
LEADING_OUT = frozenset(
    (
        *(
            "socket",
            "socketserver",
            "ssl",
            "asyncio",
            "http.client",
            "http.server",
            "urllib.request",
        ),
        *("smtplib", "ftplib", "imaplib", "poplib", "nntplib", "telnetlib", "xmlrpc", "webbrowser"),
        *("subprocess", "multiprocessing", "pty", "ctypes", "syslog", "logging.handlers"),
    )
)
CALLS_OUT = frozenset(  # names of functions that do, wherever they come from
    (
        *("system", "popen", "fork", "execv", "execve", "execvp", "spawnv", "spawnvp"),
        *("posix_spawn", "import_module", "__import__", "create_subprocess_exec"),
    )
)
# Packages that send nothing, or only to our own database and to who asks for a page. All others
# may: a package that is new here belongs into this list once somebody has looked.
STAYING_IN = frozenset(
    (
        *(
            "ahocorasick_rs",
            "dateparser",
            "dateutil",
            "emoji",
            "icalendar",
            "krippendorff",
            "graspologic_native",
            "jinja2",
            "libipld",
            "listparser",
            "msgspec",
            "nh3",
        ),
        *("PIL", "numpy", "onnx"),
        *("onnxruntime", "py3langid", "regex", "rensa", "rich", "safetensors", "scipy", "sklearn"),
        *("joserfc", "phonenumbers", "syllapy", "webauthn"),
        *("tokenizers", "typer", "zipcodes", "zstandard", "argon2", "cryptography"),
        *("pydantic", "pydantic_core", "pydantic_settings", "fastapi", "starlette"),
        *("alembic", "pgvector", "procrastinate", "psycopg", "sqlalchemy"),
    )
)


# By module


@cache
def _our_own() -> dict[str, ast.Module]:
    return _modules(HOUSE)


def _modules(house: Path) -> dict[str, ast.Module]:
    paths = sorted(path for room in ROOMS for path in (house / room).rglob("*.py"))
    return {path.relative_to(house).as_posix(): ast.parse(path.read_text()) for path in paths}


@cache
def _imported(module: ast.Module) -> frozenset[str]:
    """Dotted names of all that is imported, wherever in the module."""
    names = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, "imports are absolute here"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def _ways_out(module: ast.Module) -> set[str]:
    """What a module imports or calls that can carry bytes out of the process."""
    ways = set()
    for name in _imported(module):
        package = name.split(".")[0]
        if package in sys.stdlib_module_names:
            if any(name == out or name.startswith(f"{out}.") for out in LEADING_OUT):
                ways.add(name)
        elif package not in STAYING_IN and package not in ROOMS:
            ways.add(name)
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in CALLS_OUT:
                ways.add(f"{called}()")
    return ways


def _unlisted(modules: Mapping[str, ast.Module]) -> list[str]:
    """A sentence for each module that can send and is not among SENDS."""
    return [
        f"{path} can send bytes out of the process ({', '.join(sorted(ways))}). Look at what it "
        "sends. Words of a post may leave only after Policies.demand(platform, use). Then add the "
        "module to SENDS in tests/test_outgoing.py, and say there what it sends; if a package in "
        "it sends nothing, add that to STAYING_IN instead."
        for path, module in modules.items()
        if (ways := _ways_out(module)) and path not in SENDS
    ]


def _reached(modules: Mapping[str, ast.Module], path: str) -> set[str]:
    """Every module of the house that a module imports, over however many others."""
    known = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): name
        for name in modules
    }
    reached: set[str] = set()
    ahead = [path]
    while ahead:
        for name in _imported(modules[ahead.pop()]):
            # a.b.c imports the packages a and a.b as well
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                there = known.get(".".join(parts[:end]))
                if there is not None and there not in reached:
                    reached.add(there)
                    ahead.append(there)
    return reached


def test_every_module_that_can_send_is_known_with_what_it_sends() -> None:
    modules = _our_own()
    assert _unlisted(modules) == []
    gone = {path for path in SENDS if path not in modules or not _ways_out(modules[path])}
    assert not gone, "these cannot send any more: take them out of SENDS"


def test_what_reads_and_what_publishes_cannot_reach_stored_posts() -> None:
    """A collector is told where to look, a publisher is told everything in a Parcel."""
    modules = _our_own()
    for path in SENDS:
        reached = _reached(modules, path)
        if path.startswith("campaigns/"):
            left = {name for name in reached if name.startswith(("sources/", "monitor/"))}
            assert not left, f"{path} can reach posts or what was read from them: {left}"
        if not path.startswith("desk/"):
            stored = reached & {"sources/models.py", "sources/db.py"}
            assert not stored, f"{path} can send bytes, and reaches stored posts by {stored}"


@pytest.mark.parametrize(
    "line",
    [
        *("import smtplib", "from urllib import request", "import urllib.request as u"),
        *("def later():\n    import httpx", "from twilio.rest import Client", "import socket"),
        *(
            "import os\nos.system('curl')",
            "from importlib import import_module\nimport_module('x')",
        ),
        *("import openai", "from atproto import Client", "from http import client"),
    ],
)
def test_the_walk_over_modules_sees_a_new_way_out(tmp_path: Path, line: str) -> None:
    for room in ROOMS:
        (tmp_path / room).mkdir()
    new = tmp_path / "monitor" / "digest.py"
    new.write_text("import os\nfrom urllib.parse import quote\nfrom sqlalchemy import select\n")
    assert _unlisted(_modules(tmp_path)) == []
    new.write_text(line)
    (sentence,) = _unlisted(_modules(tmp_path))
    assert sentence.startswith("monitor/digest.py can send bytes")
    assert "Policies.demand" in sentence


def test_the_walk_over_modules_follows_imports(tmp_path: Path) -> None:
    for path, line in {
        "campaigns/publishers/sms.py": "from campaigns.drafts import words",
        "campaigns/drafts.py": "import monitor.narratives.narratives",
        "monitor/narratives/narratives.py": "from sources.models import Post",
        "sources/models.py": "",
        "desk/app.py": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(line)
    assert "sources/models.py" in _reached(_modules(tmp_path), "campaigns/publishers/sms.py")


# By page

# What is seeded: a post of each platform, one whose author asks for signed-in readers only, and
# what no page may show. Each holds its mark in its text, uri, author and web address.
PLATFORMS = ("bluesky", "web", "reddit", "example")
LABELLED = "labelled"
HIDDEN = "hidden"
MARKS = (*PLATFORMS, LABELLED, HIDDEN, "passing", "rejected")
# All that may be shown without a sign-in; what was said on our own page is for everybody.
SAID = {"/said", "/said.atom", "/said/{key}", "/said/{key}/pictures/{sha256}"}
OPEN = {"/sign-in", "/sign-in/{token}", "/leave/{key}"} | SAID


def _mark(name: str) -> str:
    return f"mark-of-{name}-mark"


@dataclass(frozen=True)
class Desk:
    """A furnished desk, the real ids for its paths, and the key of somebody with every role."""

    wiring: Wiring
    app: FastAPI
    ids: dict[str, list[str]]
    token: str

    @property
    def policies(self) -> Policies:
        return self.wiring.intake.policies


@pytest.fixture
def desk(
    database_url: str, engine: Engine, sessions: sessionmaker[Session], tmp_path: Path
) -> Iterator[Desk]:
    settings = Settings(
        data_dir=tmp_path, feeds=(), jetstream_url=None, time_zone="UTC", public_page=True
    )
    wiring = wire(settings, database_url)
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        ids = _furnish(session, now)
        person = people.add_person(session, "Ada", "ada@desk.example", ROLES, None, now)
        token = people.use_link(session, people.new_link(session, person, None, now), now)[1]
        link = people.new_link(session, person, None, now)
        ids |= {"person_id": [str(person.id)], "token": [link, "no-such-link"]}
        note = handover.write(session, person, "In our own words", "open", "", now)
        week = situations.week_of(now)
        report = sitreps.start(session, week, "", None, person.id, now)
        ids |= {"note_id": [str(note.id)], "sitrep_id": [str(report.id)]}
        picture = keep_image(session, _picture(), by=person.id, now=now)
        ids |= {"sha256": [picture.sha256]}
    yield Desk(wiring, create_app(wiring), ids, token)
    wiring.engine.dispose()


def _picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (9, 6), "teal").save(out, "PNG")
    return out.getvalue()


def _furnish(session: Session, now: datetime) -> dict[str, list[str]]:
    """Fill every page; the ids that may stand in a path."""
    message = make_message(session, now)
    approve_message(session, message, now + timedelta(hours=3), now)
    narrative = message.campaign.narrative
    session.add(make_flag(narrative, now + timedelta(hours=1), None))
    session.flush()
    by_platform = {
        platform: register.add_source(session, kind, address, "", now)
        for platform, kind, address in (
            ("bluesky", "jetstream", "wss://jetstream.example"),
            ("web", "feed", "https://news.example/feed"),
            ("reddit", "reddit", "news"),
            ("example", "example", "town"),
        )
    }
    watch = watches.save_watch(session, None, "All", Rule(everything=True), None, now)
    for name in (*PLATFORMS, LABELLED, HIDDEN):
        platform = name if name in PLATFORMS else "bluesky"
        words = {
            "source_id": by_platform[platform].id,
            "platform": platform,
            "uri": f"uri:{_mark(name)}",
            "author": f"author {_mark(name)}",
            "text": f"Someone should burn the depot, {_mark(name)}",
            "url": f"https://there.example/{_mark(name)}",
            "labels": [NO_UNAUTHENTICATED] if name == LABELLED else [],
            "posted_at": now,
            "collected_at": now,
        }
        if name == HIDDEN:
            session.add(HiddenPost(**words, watches=[], reason=_mark(name), hidden_at=now))
            continue
        post = Post(**words)
        session.add(post)
        session.flush()
        session.add(
            Reading(
                post_id=post.id,
                embedding=np.ones(4, np.float32),
                embedder="test",
                level=4,
                threat_level="high",
                stance="asserts",
                reasons=[{"code": "act:kill", "text": "Urges violence", "start": 0, "end": 12}],
                scorer="test",
                narrative_id=narrative.id,
                hour=hour_of(now),
                read_at=now,
            )
        )
    rename(session, narrative, "Plain words", MONICA_MONITOR, now)
    case = cases.teach(session, "In a monitor's own words", MessageFields(), MONICA_MONITOR, now)
    lexicon.seed(session, now)
    source = by_platform["bluesky"]
    passing = {"platform": "bluesky", "uri": _mark("passing"), "text": _mark("passing")}
    session.add(PassingPost(source_id=source.id, **passing, collected_at=now))
    raw = _mark("rejected").encode()
    session.add(RejectedItem(source_id=source.id, reason="unreadable", raw=raw, at=now))
    told = alert_lists.make(session, "Responders", False, MONICA_MONITOR, now)
    alert_lists.add(session, told, MONICA_MONITOR, 1, MONICA_MONITOR, now)
    alert = alerts.send(
        session,
        card=cap.Card(*["A line"] * len(cap.CARD)),
        codes=cap.Codes("Expected", "Severe", "Possible"),
        grade=cap.Grade("V1", "F", 3, "Seen"),
        alert_list=told,
        exercise=False,
        flag=None,
        place="26163",
        stated_level=4,
        expires_at=None,
        by=MONICA_MONITOR,
        now=now,
    )
    session.flush()

    def every(
        table: type[Flag] | type[Campaign] | type[Consent] | type[Voice] | type[Revision],
    ) -> list[str]:
        return [str(row_id) for row_id in session.scalars(select(table.id))]

    stop = kill_switch.press(session, None, reason="A test of the walk", by=1, now=now)
    return {
        "narrative_id": [str(narrative.id)],
        "message_id": [str(message.id)],
        "source_id": [str(one.id) for one in by_platform.values()],
        "watch_id": [str(watch.id)],
        "voice_id": every(Voice),
        "flag_id": every(Flag),
        "campaign_id": every(Campaign),
        "consent_id": every(Consent),
        "revision_id": every(Revision),
        "entry_id": ["1"],
        "case_id": [str(case.id)],
        "post_id": [str(post_id) for post_id in session.scalars(select(Reading.post_id))],
        "verb": ["pause"],
        "alert_id": [str(alert.id)],
        "list_id": [str(told.id)],
        "member_id": [str(told.members[0].id)],
        "event_id": ["1"],
        "sample_id": ["1"],
        "channel_id": ["1"],
        "view_id": ["1"],
        "stop_id": [str(stop.id)],
        "delivery_id": ["1"],
        "retraction_id": ["1"],
        "release_id": ["1"],
        "permission_id": ["1"],
        "passkey_id": ["1"],
        "contact_id": ["1"],
        "import_id": ["1"],
        "address_id": ["1"],
        "audience_id": ["1"],
        "reply_id": ["1"],
        "approval_id": ["1"],
        "account_id": ["1"],
        "key": ["no-such-key"],
        "noun": ["narratives", "flags"],
        "number": ["1"],
        "what": ["approve", "decline"],
        "level": ["2"],
    }


class CannotWalkError(Exception):
    """A route leads where the walk cannot go; the message says what to do."""


def _paths(app: FastAPI, ids: Mapping[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    """Each (method, path of the route, address with real ids); CannotWalkError for what is new."""
    for found in iter_route_contexts(app.routes):
        route, path = found.original_route, found.path or ""
        if isinstance(route, Mount):
            if getattr(route.app, "directory", None) != str(HOUSE / "desk" / "static"):
                raise CannotWalkError(f"{path} is mounted: teach this walk to go into it.")
            continue
        if not isinstance(route, APIRoute) or found.methods is None:
            raise CannotWalkError(f"{path} is no plain route: teach this walk to ask it.")
        names = re.findall(r"{(\w+)", path)
        unknown = [name for name in names if name not in ids]
        if unknown:
            raise CannotWalkError(
                f"{path} has {unknown[0]} in it: give the walk real ones, in _furnish."
            )
        for values in product(*(ids[name] for name in names)):
            address = path
            for name, value in zip(names, values, strict=True):
                address = re.sub(rf"{{{name}(:\w+)?}}", value, address)
            for method in sorted(found.methods - {"HEAD", "OPTIONS"}):
                yield method, path, address


def _marks_in(response: Response) -> list[str]:
    """The marks that a response shows, in its body or its headers."""
    shown = response.text + str(response.headers)
    return [name for name in MARKS if _mark(name) in shown]


def _seen_by_strangers(desk: Desk) -> list[str]:
    """What can be had without a sign-in and must not be, one sentence each."""
    faults = []
    client = TestClient(desk.app, follow_redirects=False, headers={"sec-fetch-site": "same-origin"})
    for method, route, address in _paths(desk.app, desk.ids):
        response = client.request(method, address)
        faults += [f"{method} {address} shows a stranger {name}" for name in _marks_in(response)]
        turned_away = response.status_code in (401, 403, 404) or (
            response.is_redirect and response.headers["location"] == "/sign-in"
        )
        if method == "GET" and route not in OPEN and not turned_away:
            faults.append(f"GET {address} answers a stranger with {response.status_code}")
    return faults


def _handed_out(desk: Desk, policies: Policies) -> tuple[list[str], set[str]]:
    """What signed-in people can take along and must not; and the marks that pages show them."""
    faults: list[str] = []
    shown: set[str] = set()
    client = TestClient(desk.app, follow_redirects=False, cookies={COOKIE: desk.token})
    for method, _, address in _paths(desk.app, desk.ids):
        if method != "GET":
            continue
        response = client.get(address)
        found = _marks_in(response)
        kind = response.headers.get("content-type", "")
        taken = "attachment" in response.headers.get("content-disposition", "")
        if response.status_code == 200 and kind.startswith("text/html") and not taken:
            shown |= set(found)
            continue
        faults += [
            f"GET {address} hands out {name}"
            for name in found
            if name not in PLATFORMS or not policies.permits(name, "share")
        ]
    return faults, shown


def test_without_a_sign_in_no_route_shows_anything_of_a_post(desk: Desk) -> None:
    assert len({address for _, _, address in _paths(desk.app, desk.ids)}) > 30
    assert _seen_by_strangers(desk) == []


def test_what_can_be_taken_along_holds_no_post_whose_platform_forbids_it(desk: Desk) -> None:
    faults, shown = _handed_out(desk, desk.policies)
    assert faults == []
    # The pages themselves show posts to those who are signed in, so the marks can be seen at all.
    assert shown >= {*PLATFORMS, LABELLED}
    assert HIDDEN not in shown


def test_the_walk_over_pages_catches_a_leak(desk: Desk) -> None:
    def posts() -> str:
        with desk.wiring.sessions() as session:
            return "\n".join(session.scalars(select(Post.text).order_by(Post.id)))

    @desk.app.get("/digest")
    def digest() -> HTMLResponse:
        return HTMLResponse(posts())

    @desk.app.get("/narratives/{narrative_id}/posts.csv")
    def export(request: Request, narrative_id: int) -> Response:
        with desk.wiring.sessions() as session:
            token = request.cookies.get(COOKIE, "")
            if people.person_of(session, token, datetime.now(UTC)) is None:
                return Response(status_code=403)
        return PlainTextResponse(posts())

    @desk.app.get("/printed", response_class=HTMLResponse)
    def printed() -> HTMLResponse:
        name = {"Content-Disposition": f'attachment; filename="{_mark("web")}.html"'}
        return HTMLResponse("", headers=name)

    everybody = [*PLATFORMS, LABELLED]
    assert _seen_by_strangers(desk) == [
        *(f"GET /digest shows a stranger {name}" for name in everybody),
        "GET /digest answers a stranger with 200",
        "GET /printed shows a stranger web",
        "GET /printed answers a stranger with 200",
    ]
    (number,) = desk.ids["narrative_id"]
    csv = f"GET /narratives/{number}/posts.csv hands out"
    # The house's own policies, and one that lets Bluesky's posts be shared and nothing else.
    assert _handed_out(desk, desk.policies)[0] == [
        f"{csv} {name}" for name in ("bluesky", "reddit", LABELLED)
    ]
    some = SourcePolicy("bluesky", "a test", timedelta(days=1), "at once", share=True)
    assert _handed_out(desk, Policies([some]))[0] == [
        *(f"{csv} {name}" for name in ("web", "reddit", "example", LABELLED)),
        "GET /printed hands out web",
    ]


def test_the_walk_over_pages_stops_at_what_it_cannot_fill(desk: Desk) -> None:
    assert list(_paths(desk.app, desk.ids))

    @desk.app.get("/packets/{packet_id}")
    def packet(packet_id: int) -> str:
        return str(packet_id)

    with pytest.raises(CannotWalkError, match="packet_id"):
        list(_paths(desk.app, desk.ids))
    desk.ids["packet_id"] = ["1"]
    assert ("GET", "/packets/{packet_id}", "/packets/1") in _paths(desk.app, desk.ids)
    desk.app.mount("/files", StaticFiles(directory="/tmp"))
    with pytest.raises(CannotWalkError, match="/files is mounted"):
        list(_paths(desk.app, desk.ids))
