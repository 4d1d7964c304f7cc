"""A real SMS gateway, Debian's Kannel, whose network is an HTTP server of the tests."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.campaigns.publishers.servers import served
from tests.conftest import free_port

SBIN = "/usr/sbin"  # where Debian puts what a person may not have in their PATH

# Kannel wants an empty line between groups.
CONFIGURATION = """
group = core
admin-port = {admin}
admin-password = unused
smsbox-port = {inner}
box-allow-ip = 127.0.0.1

group = smsc
smsc = http
system-type = generic
port = {back}
send-url = "{network}/?to=%p&from=%P&text=%b&coding=%c"
status-success-regex = "^OK"

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {front}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = desk
password = right
max-messages = 5
concatenation = false
"""


@dataclass
class Gateway:
    """A running Kannel; ``arrived`` holds (sender, recipient, words) of what the network got."""

    url: str
    arrived: list[tuple[str, str, str]]

    def wait_for(self, count: int) -> list[tuple[str, str, str]]:
        deadline = time.monotonic() + 20
        while len(self.arrived) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.arrived


@contextlib.contextmanager
def running_kannel(folder: Path) -> Iterator[Gateway]:
    """Kannel on loopback, its configuration in ``folder``; skips a test where it is missing."""
    bearerbox = shutil.which("bearerbox", path=SBIN) or shutil.which("bearerbox")
    smsbox = shutil.which("smsbox", path=SBIN) or shutil.which("smsbox")
    if not bearerbox or not smsbox:
        pytest.skip("Kannel is missing. Debian/Ubuntu: sudo apt-get install kannel")
    arrived: list[tuple[str, str, str]] = []

    class Network(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query, encoding="latin-1")
            alphabet = "utf-16-be" if query["coding"] == ["2"] else "utf-8"
            words = query["text"][0].encode("latin-1").decode(alphabet)
            # %P and %p swap their meaning between what comes and what goes.
            arrived.append((query["to"][0], query["from"][0], words))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, *_: Any) -> None:
            pass

    names = ("admin", "inner", "back", "front")
    ports = {name: free_port() for name in names}
    with served(Network) as network:
        file = folder / "kannel.conf"
        file.write_text(CONFIGURATION.format(network=network, **ports))
        with started(bearerbox, file, ports["inner"]), started(smsbox, file, ports["front"]):
            yield Gateway(f"http://127.0.0.1:{ports['front']}", arrived)


class started:  # noqa: N801 (a context manager)
    """One of Kannel's two processes, from when it listens on ``port`` until the end."""

    def __init__(self, program: str, file: Path, port: int) -> None:
        self.command, self.port = [program, "-v", "4", str(file)], port

    def __enter__(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, f"{self.command[0]} ended at once"
            time.sleep(0.05)
        raise AssertionError(f"{self.command[0]} does not listen")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:  # it waits for connections that nobody closes
            self.process.kill()
            self.process.wait()
