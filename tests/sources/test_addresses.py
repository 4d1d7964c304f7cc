"""Only public addresses are read, whatever a name or a redirect says."""

import ipaddress
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from sources import addresses
from sources.addresses import (
    PrivateAddressError,
    check_public,
    connect_public,
    fetch,
    is_public,
)
from sources.collector import SourceFaultError
from sources.feeds import Feed
from tests.sources.test_feeds import FeedServer, rss, server  # noqa: F401

Names = Callable[..., list[str]]


@pytest.mark.parametrize(
    "number",
    [
        *("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.1.1"),
        *("169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192"),  # clouds' doors
        *("224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.88.99.1"),
        *("::", "::1", "fe80::1", "fe80::1%2", "fc00::1", "fd00:ec2::254", "fec0::1", "ff0e::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::10.0.0.1"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::", "2001::1"),
        *("2001:db8::1", "3fff::1", "100::1", "5f00::1", "", "town.example", "1.2.3"),
    ],
)
def test_what_is_not_public(number: str) -> None:
    assert not is_public(number)


@pytest.mark.parametrize(
    "number",
    ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450::1", "64:ff9b::8.8.8.8"],
)
def test_what_is_public(number: str) -> None:
    assert is_public(number)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_the_same_in_every_dress(ip: ipaddress.IPv4Address) -> None:
    public = is_public(str(ip))
    assert is_public(f"::ffff:{ip}") is public
    assert is_public(f"64:ff9b::{ip}") is public
    assert not is_public(f"::{ip}")
    assert not public or (ip.is_global and not ip.is_private and not ip.is_multicast)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0"),
        *("[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "user:secret@127.0.0.1"),
    ],
)
def test_a_feed_inside_is_not_even_asked(server: FeedServer, host: str) -> None:  # noqa: F811
    server.answer(body=rss())
    address = f"http://{host}:{server.http.server_port}/feed.xml"
    with pytest.raises(SourceFaultError) as refused:
        list(Feed(address).batches(None))
    assert str(refused.value) == (
        f"{address} leads to an address inside a private network; only public addresses are asked."
    )
    assert server.asked == []


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """A name server: what each name means, lookup by lookup. Returns the names looked up.

    On this machine nothing is public; so that there is something to tell apart, 127.0.0.1 is
    called public here and all else is not.
    """
    monkeypatch.setattr(addresses, "is_public", lambda number: number == "127.0.0.1")
    real = socket.getaddrinfo

    def install(**meanings: list[list[str]]) -> list[str]:
        looked_up: list[str] = []

        def getaddrinfo(host: str | bytes, *args: object, **named: object) -> object:
            name = host.decode() if isinstance(host, bytes) else host
            answers = meanings.get(name.partition(".")[0], [])
            if name.endswith(".example"):
                looked_up.append(name)
                numbers = answers.pop(0) if len(answers) > 1 else answers[0]
                return [real(number, *args, **named)[0] for number in numbers]  # type: ignore[arg-type]
            return real(host, *args, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return looked_up

    return install


def test_each_redirect_is_checked(server: FeedServer, names: Names) -> None:  # noqa: F811
    names(town=[["127.0.0.1"]])
    port = server.http.server_port
    for inside in ("[::1]", "169.254.169.254", "10.0.0.1"):
        server.answers = []
        server.answer(301, Location=f"http://{inside}:{port}/secret")
        with pytest.raises(PrivateAddressError, match=r"^http://town.example.*private network"):
            fetch(f"http://town.example:{port}/feed.xml")
    assert [path for path, _ in server.asked] == ["/feed.xml"] * 3


def test_a_name_that_changes_its_meaning_gains_nothing(
    server: FeedServer,  # noqa: F811
    names: Names,
) -> None:
    looked_up = names(town=[["127.0.0.1"], ["10.0.0.1"]])
    server.answer(body=b"words")
    answer = fetch(f"http://town.example:{server.http.server_port}/feed.xml")
    assert answer.body == b"words"
    assert looked_up == ["town.example"]  # once, and the connection went to what it gave
    ((_, headers),) = server.asked
    assert headers["Host"] == f"town.example:{server.http.server_port}"


def test_a_name_with_one_private_address_is_refused(
    server: FeedServer,  # noqa: F811
    names: Names,
) -> None:
    names(town=[["127.0.0.1", "10.0.0.1"]])
    with pytest.raises(PrivateAddressError):
        fetch(f"http://town.example:{server.http.server_port}/feed.xml")
    assert server.asked == []


def test_the_next_address_is_tried_where_the_first_does_not_answer(
    server: FeedServer,  # noqa: F811
    names: Names,
) -> None:
    names(town=[["127.0.0.2", "127.0.0.1"]])
    server.answer(body=b"words")
    address = f"http://town.example:{server.http.server_port}/"
    assert fetch(address, private=True).body == b"words"


def test_a_proxy_of_the_environment_is_not_used(
    server: FeedServer,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server.answer(body=b"words")
    assert fetch(server.url, private=True).body == b"words"


@pytest.fixture
def secure(server: FeedServer, tmp_path: Path) -> Path:  # noqa: F811
    """Lets ``server`` speak TLS as town.example; the path of the certificate to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "town.example")])
    began = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("town.example")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "town.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    return path


def test_certificates_are_checked_for_the_name_not_the_number(
    server: FeedServer,  # noqa: F811
    secure: Path,
    names: Names,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secure))
    names(town=[["127.0.0.1"]], other=[["127.0.0.1"]])
    port = server.http.server_port
    server.answer(body=b"words")
    assert fetch(f"https://town.example:{port}/").body == b"words"
    with pytest.raises(SourceFaultError, match="certificate is not valid"):
        fetch(f"https://other.example:{port}/")
    # Two names with one address: the second gets a connection and a handshake of its own.
    server.answers = []
    server.answer(302, Location=f"https://other.example:{port}/")
    with pytest.raises(SourceFaultError, match="certificate is not valid"):
        fetch(f"https://town.example:{port}/")


def test_any_address_may_be_checked_before_it_is_kept(names: Names) -> None:
    names(town=[["127.0.0.1"]], cellar=[["10.0.0.1"]])
    for scheme in ("http", "https", "ws", "wss"):
        assert check_public(f"{scheme}://town.example/x") == ["127.0.0.1"]
        with pytest.raises(SourceFaultError, match=rf"^{scheme}://cellar.example/x leads to"):
            check_public(f"{scheme}://cellar.example/x")
        assert check_public(f"{scheme}://cellar.example/x", private=True) == ["10.0.0.1"]


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "town.example",
        "http://",
        "javascript:alert(1)",
        "",
        "ws:x",
    ],
)
def test_what_is_no_address_on_the_web(address: str) -> None:
    with pytest.raises(SourceFaultError, match="is not an address on the web"):
        check_public(address)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".example"])
def test_an_unknown_name_is_said(host: str) -> None:
    with pytest.raises(SourceFaultError, match="its name is not known here"):
        check_public(f"wss://{host}/")


def test_a_websocket_gets_the_connection_that_was_checked(names: Names) -> None:
    names(town=[["127.0.0.1"], ["10.0.0.1"]])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with connect_public(f"ws://town.example:{port}/subscribe") as connection:
            assert connection.getpeername() == ("127.0.0.1", port)
    with pytest.raises(SourceFaultError, match="nothing answers"):
        connect_public(f"ws://127.0.0.1:{port}/", private=True)
