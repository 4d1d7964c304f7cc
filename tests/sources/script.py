"""A websocket server that sends what a test wrote down, for the streams of Bluesky."""

import json
from collections.abc import Sequence
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.sync.server import ServerConnection, serve


class ScriptServer:
    """Sends a script of messages to each connection in turn, then closes; remembers the requests.

    Like a Jetstream it starts at the cursor of the request, inclusively, if there is one.
    """

    def __init__(self) -> None:
        self.scripts: list[Sequence[str | bytes]] = []
        self.asked: list[str] = []
        self.agents: list[str | None] = []
        self.spoken: list[str | None] = []  # the subprotocols offered
        self.refusal: tuple[int, str] | None = None  # status and body instead of a stream
        self.stay = False  # keep the connection open after the script
        self.server = serve(self._talk, "127.0.0.1", 0, process_request=self._admit)
        self.url = f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}"
        self.thread = Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def _admit(self, connection: ServerConnection, request: Any) -> Any:
        self.asked.append(request.path)
        self.agents.append(request.headers.get("User-Agent"))
        self.spoken.append(request.headers.get("Sec-WebSocket-Protocol"))
        return connection.respond(*self.refusal) if self.refusal else None

    def _talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        query = parse_qs(urlsplit(connection.request.path).query)
        since = int(query["cursor"][0]) if "cursor" in query else 0
        for message in self.scripts.pop(0) if self.scripts else ():
            if since and isinstance(message, str) and json.loads(message)["time_us"] < since:
                continue
            connection.send(message)
        if self.stay:
            connection.recv()

    def query(self, number: int = -1) -> dict[str, list[str]]:
        """What one of the connections asked for; the last one, if not said."""
        return parse_qs(urlsplit(self.asked[number]).query)

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
