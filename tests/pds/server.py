"""A real AT Protocol server (the npm PDS with an in-memory PLC directory) for the tests.

Use the session fixture ``pds``. It skips, saying what to install, where Node.js is missing.
"""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

HERE = Path(__file__).parent
NODE_NEEDED = (18, 7)  # "engines" of @atproto/pds 0.4.217
HOW_TO_INSTALL = "Debian/Ubuntu: apt-get install nodejs npm; macOS: brew install node"
POST = "app.bsky.feed.post"


@dataclass(frozen=True)
class Account:
    """One account on the test server; ``password`` signs in as an app password would."""

    did: str
    handle: str
    password: str


class Pds:
    """The running server, and what a person could do on it with a client of their own.

    ``url`` is the base of HTTP calls, ``ws_url`` the same for the firehose
    (``{ws_url}/xrpc/com.atproto.sync.subscribeRepos``), ``plc_url`` that of its directory of
    identities.
    """

    def __init__(self, port: int, plc_port: int, admin_password: str) -> None:
        self.url = f"http://localhost:{port}"
        self.plc_url = f"http://localhost:{plc_port}"
        self.ws_url = f"ws://localhost:{port}"
        self._http = httpx.Client(base_url=f"{self.url}/xrpc/", timeout=30)
        self._admin = httpx.BasicAuth("admin", admin_password)
        self._accounts: dict[str, Account] = {}
        self._tokens: dict[str, str] = {}

    def create_account(self, handle: str = "pastor.test") -> Account:
        """Open an account, or answer the one opened before under this handle (``*.test``)."""
        if handle not in self._accounts:
            password = f"quiet-words-{handle}"
            email = f"{handle.removesuffix('.test')}@example.com"
            made = self._call(
                "com.atproto.server.createAccount",
                {"handle": handle, "email": email, "password": password},
            )
            self._accounts[handle] = Account(made["did"], handle, password)
            self._tokens[made["did"]] = made["accessJwt"]
        return self._accounts[handle]

    def post(self, account: Account, text: str, **more: Any) -> str:
        """Publish ``text`` as the account, now; answers the post's at:// address.

        ``more`` goes into the record beside it: embed, reply, labels.
        """
        return self.create(account, POST, _record(text) | more)

    def create(self, account: Account, collection: str, record: dict[str, Any]) -> str:
        """Put any record into the account's repository; answers its at:// address."""
        made = self._call(
            "com.atproto.repo.createRecord",
            {"repo": account.did, "collection": collection, "record": record},
            account,
        )
        return str(made["uri"])

    def edit(self, account: Account, uri: str, text: str) -> None:
        """Put ``text`` in the place of what one of the account's posts says."""
        rkey = uri.rpartition("/")[2]
        self._call(
            "com.atproto.repo.putRecord",
            {"repo": account.did, "collection": POST, "rkey": rkey, "record": _record(text)},
            account,
        )

    def delete(self, account: Account, uri: str) -> None:
        """Delete one of the account's posts; deleting it again changes nothing."""
        self._call(
            "com.atproto.repo.deleteRecord",
            {"repo": account.did, "collection": POST, "rkey": uri.rpartition("/")[2]},
            account,
        )

    def deactivate(self, account: Account) -> None:
        """Close the account the way its owner would, who may open it again."""
        self._call("com.atproto.server.deactivateAccount", {}, account)

    def activate(self, account: Account) -> None:
        """Open the account that its owner closed."""
        self._call("com.atproto.server.activateAccount", None, account)

    def take_down(self, account: Account, taken: bool = True) -> None:
        """Close the account the way the server's moderators would; or open it again."""
        subject = {"$type": "com.atproto.admin.defs#repoRef", "did": account.did}
        self._call(
            "com.atproto.admin.updateSubjectStatus",
            {"subject": subject, "takedown": {"applied": taken}},
        )

    def delete_account(self, account: Account) -> None:
        """End the account for good."""
        self._call("com.atproto.admin.deleteAccount", {"did": account.did})
        del self._accounts[account.handle]

    def posts(self, account: Account) -> list[dict[str, Any]]:
        """All posts of the account, newest key first: {"uri", "cid", "value": the record}."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = self._http.get(
                "com.atproto.repo.listRecords",
                params={"repo": account.did, "collection": POST, "limit": 100, "cursor": cursor},
            )
            answer.raise_for_status()
            page = answer.json()
            found += page["records"]
            cursor = page.get("cursor")
        return found

    def close(self) -> None:
        self._http.close()

    def _call(
        self, method: str, body: dict[str, Any] | None, account: Account | None = None
    ) -> Any:
        headers = {"Authorization": f"Bearer {self._tokens[account.did]}"} if account else {}
        if method.startswith("com.atproto.admin."):
            answer = self._http.post(method, json=body, auth=self._admin)
        else:
            answer = self._http.post(method, json=body, headers=headers)
        assert answer.is_success, f"{method}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def _record(text: str) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return {"$type": POST, "text": text, "langs": ["en"], "createdAt": now}


@pytest.fixture(scope="session")
def pds() -> Iterator[Pds]:
    """The real server, started once for the whole run on free loopback ports."""
    with running() as server:
        yield server


@contextmanager
def running() -> Iterator[Pds]:
    """A server of one's own on free loopback ports."""
    node = _node()
    _install_packages()
    with (
        tempfile.TemporaryDirectory(prefix="breakwater-pds-") as folder,
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            [node, str(HERE / "start.cjs"), folder],
            cwd=HERE,
            stdin=subprocess.PIPE,  # the server ends when this closes, even if we are killed
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            complaints.seek(0)
            pytest.fail(f"The AT Protocol test server did not start:\n{complaints.read()[-2000:]}")
        started = json.loads(line)
        server = Pds(started["pds"], started["plc"], started["admin"])
        yield server
        server.close()
        try:
            process.communicate(timeout=10)  # closes its input and waits
        except subprocess.TimeoutExpired:
            process.kill()


def _node() -> str:
    """The path of a new enough Node.js; skips the test where there is none."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        missing = "Node.js (node)" if node is None else "npm"
        pytest.skip(f"{missing} is missing: the AT Protocol test server needs it. {HOW_TO_INSTALL}")
    says = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", says)[:2])
    if version < NODE_NEEDED:
        pytest.skip(
            f"Node.js {says.strip()} is too old: the AT Protocol test server needs 18.7 or newer. "
            f"{HOW_TO_INSTALL}"
        )
    return node


def _install_packages() -> None:
    """Run ``npm ci`` once. npm writes .package-lock.json last, so a broken install is redone."""
    if (HERE / "node_modules" / ".package-lock.json").exists():
        return
    npm = shutil.which("npm")
    assert npm is not None
    done = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund"], cwd=HERE, capture_output=True, text=True
    )
    if done.returncode == 0:
        return
    if shutil.which("c++") is None or shutil.which("make") is None:
        pytest.skip(
            "npm ci failed in tests/pds, and no C++ compiler was found: better-sqlite3 is built "
            "from source. Debian/Ubuntu: apt-get install g++ make python3; "
            "macOS: xcode-select --install"
        )
    pytest.fail(f"npm ci failed in tests/pds:\n{done.stderr[-2000:]}")
