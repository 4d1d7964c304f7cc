"""A hostile page, a missing session, a wrong role: none of them gets in."""

import re

import pytest

from campaigns.publishers import NotSentError, Parcel
from desk.app import ROUTERS
from desk.security import COOKIE
from desk.wiring import Wiring
from tests.desk.conftest import PASSWORD, Cast, Client

PUBLIC = {"/sign-in", "/sign-in/{token}", "/passkeys/sign-in", "/passkeys/sign-in/options"}
# How somebody leaves a list: the same answer to everybody, whether they are on one or not.
LEAVING = {"/leave/{key}"}
# A leader's link is its own key: to everybody else there is nothing.
BY_LINK = {
    "/approve/{token}",
    "/approve/{token}/{what}",
    "/approve/{token}/pictures/{sha256}",
    "/approve/{token}/passkey",
}
# For everybody, once a setting says so; here it does not.
OFF = {"/said", "/said.atom", "/said/{key}", "/said/{key}/pictures/{sha256}"}
OFF |= {"/oauth/client-metadata.json"}
OFF |= {"/hooks/twilio", "/hooks/kannel", "/hooks/twilio/receipts", "/hooks/kannel/receipts"}
ROUTES = [
    (method, route.path)
    for router in ROUTERS
    for route in router.routes
    for method in sorted(route.methods - {"HEAD"})
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_page_asks_who_is_there(client: Client, method: str, path: str) -> None:
    answer = client(None).request(method, re.sub(r"{\w+}", "1", path))
    if path in PUBLIC:
        assert answer.status_code in (200, 410, 422)
    elif path in LEAVING:
        assert answer.status_code == 200
    elif path in BY_LINK | OFF:
        assert answer.status_code == 404
    elif method == "GET":
        assert answer.status_code == 303
        assert answer.headers["location"] == "/sign-in"
    else:
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {},
    ],
)
def test_a_write_from_another_site_is_refused(
    client: Client, cast: Cast, headers: dict[str, str]
) -> None:
    one = client(cast.admin)
    del one.headers["sec-fetch-site"]
    answer = one.post("/sources", data={"kind": "feed", "address": "x"}, headers=headers)
    assert answer.status_code == 403


def test_a_write_with_our_own_origin_passes(client: Client, cast: Cast) -> None:
    one = client(cast.admin)
    del one.headers["sec-fetch-site"]
    origin = str(one.base_url).rstrip("/")
    form = {"kind": "feed", "address": "https://gazette.example/rss", "name": "Gazette"}
    assert one.post("/sources", data=form, headers={"origin": origin}).status_code == 303


def test_pages_carry_the_headers(client: Client, cast: Cast) -> None:
    answer = client(cast.monitor).get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_session_cookie_is_out_of_reach_of_scripts(client: Client, cast: Cast) -> None:
    form = {"email": cast.monitor.email, "password": PASSWORD}
    cookie = client(None).post("/sign-in", data=form).headers["set-cookie"]
    assert cookie.startswith(COOKIE)
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()


def test_a_wrong_password_keeps_the_address_and_says_which_neither(
    client: Client, cast: Cast
) -> None:
    form = {"email": cast.monitor.email, "password": "wrong"}
    answer = client(None).post("/sign-in", data=form)
    assert answer.status_code == 422
    assert cast.monitor.email in answer.text
    assert "do not belong together" in answer.text


@pytest.mark.parametrize(
    ("role", "method", "path"),
    [
        ("monitor", "GET", "/people"),
        ("comms", "POST", "/people"),
        ("leader", "POST", "/sources"),
        ("leader", "POST", "/voices"),
        ("monitor", "POST", "/voices"),
    ],
)
def test_a_role_is_needed(client: Client, cast: Cast, role: str, method: str, path: str) -> None:
    answer = client(getattr(cast, role)).request(method, path)
    assert answer.status_code == 403
    assert "This is for people with the role" in answer.text


def test_a_page_that_is_not_there_says_so(client: Client, cast: Cast) -> None:
    answer = client(cast.monitor).get("/narratives/999")
    assert answer.status_code == 404
    assert "nothing at this address" in answer.text


@pytest.mark.parametrize("platform", ["bluesky", "mastodon"])
def test_no_publisher_sends_into_the_desks_own_network(wiring: Wiring, platform: str) -> None:
    inside = Parcel(platform, "paula", "http://127.0.0.1:1", "secret", "3k", {"text": "Words"})
    with pytest.raises(NotSentError, match="private network"):
        wiring.publishers[platform].mark(inside)
    wiring.settings.private_addresses = True
    with pytest.raises(NotSentError, match="attempts failed"):
        wiring.publishers[platform].mark(inside)
