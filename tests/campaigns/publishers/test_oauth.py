"""Whose handle it is and where it is signed in: nothing that a server says is taken on trust."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.publishers import NotSentError, PublisherRejectedError
from campaigns.publishers.dpop import Line, new_key
from campaigns.publishers.identities import (
    DID,
    Directory,
    Home,
    Issuer,
    base,
    endpoints_in,
    issuer_in,
    normal,
    service_in,
)
from campaigns.publishers.oauth import SCOPES, OAuth, SpentError, client_at, metadata, tokens_in
from sources.addresses import check_public
from tests.campaigns.publishers.servers import Script, scripted

SEED = bytes(range(32))
DID_OF_RUTH = "did:plc:abcdefghijklmnopqrstuvwx"
DOCUMENT = {
    "id": DID_OF_RUTH,
    "alsoKnownAs": ["at://ruth.example.org"],
    "service": [
        {
            "id": "#atproto_pds",
            "type": "AtprotoPersonalDataServer",
            "serviceEndpoint": "https://pds.example.org",
        }
    ],
}
SERVER = {
    "issuer": "https://pds.example.org",
    "scopes_supported": ["atproto"],
    "code_challenge_methods_supported": ["S256"],
    "dpop_signing_alg_values_supported": ["ES256", "RS256"],
    "response_types_supported": ["code"],
    "grant_types_supported": ["authorization_code", "refresh_token"],
    "authorization_response_iss_parameter_supported": True,
    "client_id_metadata_document_supported": True,
    "pushed_authorization_request_endpoint": "https://pds.example.org/oauth/par",
    "authorization_endpoint": "https://pds.example.org/oauth/authorize",
    "token_endpoint": "https://pds.example.org/oauth/token",
    "revocation_endpoint": "https://pds.example.org/oauth/revoke",
}
TOKENS = {
    "sub": DID_OF_RUTH,
    "scope": "atproto",
    "access_token": "a",
    "refresh_token": "r",
    "token_type": "DPoP",
    "expires_in": 3600,
}
ADDRESSES = st.sampled_from(
    [
        *("https://pds.example.org", "https://pds.example.org/", "http://localhost:2583"),
        *("http://pds.example.org", "https://u:p@pds.example.org", "https://a#b", "https://a/b"),
        *("javascript:alert(1)", "https://", "https://[::1", "https://a:99999", "//a", "ftp://a"),
        *("https://a\nb", "https://ä.example", "https://a b", 'https://a"b', "file:///etc/passwd"),
    ]
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | ADDRESSES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


def changed(good: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A good answer with some of it in pieces."""
    return st.dictionaries(st.sampled_from(sorted(good)), ANYTHING).map(lambda new: good | new)


@settings(max_examples=50)
@given(changed(DOCUMENT), changed(SERVER), changed(TOKENS), ANYTHING)
def test_what_is_no_answer_is_refused_in_words(
    document: dict[str, Any], server: dict[str, Any], tokens: dict[str, Any], named: Any
) -> None:
    """Whatever comes, it is one of ours or a sentence; and an address is one that may be opened."""
    readers = (
        lambda: [service_in(document, DID_OF_RUTH, "ruth.example.org")],
        lambda: [issuer_in({"authorization_servers": named}, "https://pds.example.org")],
        lambda: list(vars(endpoints_in(server, "https://pds.example.org")).values()),
        lambda: (tokens_in(tokens, "https://pds.example.org"), [])[1],
    )
    for read in readers:
        try:
            found = read()
        except PublisherRejectedError as fault:
            words = str(fault)
            assert words.isprintable()
            continue
        for address in found:
            assert address is None or address.startswith(("https://", "http://localhost:"))
            assert address is None or not set(address) & set("@#<>\"' \n")


def test_the_document_must_name_the_handle_and_one_server() -> None:
    assert service_in(DOCUMENT, DID_OF_RUTH, "ruth.example.org") == "https://pds.example.org"
    for wrong in (
        {"id": "did:plc:zzzzzzzzzzzzzzzzzzzzzzzz"},
        {"alsoKnownAs": ["at://mallory.example.org"]},
        {"service": []},
        {"service": [{"id": "#other", "serviceEndpoint": "https://pds.example.org"}]},
    ):
        with pytest.raises(PublisherRejectedError):
            service_in(DOCUMENT | wrong, DID_OF_RUTH, "ruth.example.org")


@pytest.mark.parametrize("missing", sorted(SERVER.keys() - {"revocation_endpoint"}))
def test_a_server_that_lacks_what_keeps_a_sign_in_safe_is_not_used(missing: str) -> None:
    endpoints_in(SERVER, "https://pds.example.org")
    said = {name: value for name, value in SERVER.items() if name != missing}
    with pytest.raises(PublisherRejectedError):
        endpoints_in(said, "https://pds.example.org")


def test_handles_and_addresses() -> None:
    assert normal(" @Ruth.Example.ORG ") == "ruth.example.org"
    for wrong in ("ruth", "ruth@example.org", "ruth..org", "ruth.example.org/x", "did:plc:x", ""):
        with pytest.raises(PublisherRejectedError):
            normal(wrong)
    assert base("https://pds.example.org/", "x") == "https://pds.example.org"
    assert DID.fullmatch("did:web:ruth.example.org")
    assert not DID.fullmatch("did:web:localhost")
    assert not DID.fullmatch("did:web:ruth.example.org:path")


def test_as_whom_the_desk_asks() -> None:
    public = client_at("https://desk.example.org", SEED)
    assert public is not None
    assert public.key is not None
    assert public.life is None
    assert public == client_at("https://desk.example.org", SEED)  # the same key for ever
    said = metadata(public, "Breakwater")
    assert said["client_id"] == "https://desk.example.org/oauth/client-metadata.json"
    assert "d" not in said["jwks"]["keys"][0]
    assert public.key["d"] not in str(said) + repr(public)
    here = client_at("http://localhost:8000", SEED)
    assert here is not None
    assert here.key is None
    assert here.redirect_uri == "http://127.0.0.1:8000/oauth/callback"
    for nowhere in ("http://desk.example.org", "https://192.0.2.1", "https://desk", "ftp://x.org"):
        assert client_at(nowhere, SEED) is None


# ---- on a server that answers as told


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as script:
        yield script


def line(private: bool = True) -> Line:
    return Line(lambda: datetime.now(UTC), partial(check_public, private=private))


@pytest.fixture
def oauth(script: Script) -> OAuth:
    client = client_at("http://localhost:8000", SEED)
    assert client is not None
    return OAuth(client, line(), Directory(line(), script.url, script.url))


def issuer_at(url: str) -> Issuer:
    return Issuer(url, f"{url}/par", f"{url}/authorize", f"{url}/token", None)


def ask(oauth: OAuth, url: str) -> tuple[str, str]:
    home = Home("ruth.example.org", DID_OF_RUTH, url)
    return oauth.ask(home, issuer_at(url), key=new_key(), state="state", verifier="verifier")


def test_a_newer_nonce_is_used_once_and_remembered(script: Script, oauth: OAuth) -> None:
    def wants(nonce: str) -> tuple[int, dict[str, str], dict[str, str]]:
        return 400, {"error": "use_dpop_nonce"}, {"DPoP-Nonce": nonce}

    pushed = {"request_uri": "urn:x"}
    script.answers["/par"] = [wants("one"), (201, pushed), (201, pushed), wants("b"), wants("c")]
    there, _ = ask(oauth, script.url)
    assert there.startswith(f"{script.url}/authorize?client_id=http%3A%2F%2Flocalhost")
    ask(oauth, script.url)
    assert len(script.calls) == 3  # the nonce of the first answer still served
    with pytest.raises(PublisherRejectedError, match="use_dpop_nonce"):
        ask(oauth, script.url)
    assert len(script.calls) == 5


def test_the_wide_scope_is_asked_for_only_where_the_narrow_one_is_unknown(
    script: Script, oauth: OAuth
) -> None:
    pushed = (201, {"request_uri": "urn:x"})
    script.answers["/par"] = [pushed, (400, {"error": "invalid_scope"}), pushed]
    assert ask(oauth, script.url)[1] == SCOPES[0]
    assert ask(oauth, script.url)[1] == SCOPES[1]


def test_nothing_is_followed_and_nobody_inside_the_network_is_asked(script: Script) -> None:
    elsewhere = {"Location": f"{script.url}/elsewhere"}
    script.answers["/.well-known/oauth-authorization-server"] = [(302, {}, elsewhere)]
    with pytest.raises(PublisherRejectedError, match="does not say what we need"):
        Directory(line(), script.url, script.url).issuer(script.url)
    with pytest.raises(NotSentError, match="private network"):
        Directory(line(private=False), script.url, script.url).issuer(script.url)
    assert script.calls == ["/.well-known/oauth-authorization-server"]


def test_only_the_servers_own_word_makes_a_token_worthless(script: Script, oauth: OAuth) -> None:
    said = {
        name: value.replace("https://pds.example.org/oauth", script.url)
        if isinstance(value, str)
        else value
        for name, value in SERVER.items()
    } | {"issuer": script.url}
    script.answers["/.well-known/oauth-authorization-server"] = [(200, said)] * 6
    script.answers["/token"] = [
        (400, {"error": "invalid_client"}),
        (503, {}),
        None,
        (200, TOKENS),
        (200, {"sub": "did:plc:nothing"}),
        (400, {"error": "invalid_grant", "error_description": "It was used before"}),
    ]
    renew = partial(oauth.renew, script.url, refresh="r", key=new_key())
    for _ in range(3):
        with pytest.raises(NotSentError):
            renew()
    assert renew().lasts == 3600
    with pytest.raises(PublisherRejectedError, match="no tokens") as told:
        renew()
    assert not isinstance(told.value, SpentError)
    with pytest.raises(SpentError, match="used before"):
        renew()
