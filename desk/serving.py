"""The web server: uvicorn, and open streams that end when it does."""

import contextlib
import socket
import sys
from collections.abc import Callable

import uvicorn

from desk import warming

# Seconds after which a page that is being made lets others have Python: one that has waited for the
# database shall not wait as long again for each of its queries. Python's own is ten times as long.
TURN = 0.0005


class Server(uvicorn.Server):
    """Says when it listens; and waits for no open page: its streams are told to end first."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self.listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.listening()

    async def shutdown(self, sockets: object = None) -> None:
        self.config.app.state.bell.close()  # type: ignore[union-attr]
        await super().shutdown(sockets)  # type: ignore[arg-type]


def serve(config: uvicorn.Config, listener: socket.socket, listening: Callable[[], None]) -> None:
    """Serve on an open socket until the process is asked to stop, as uvicorn.run does.

    ``listening`` is called once, when the first page can be asked for.
    """
    server = Server(config, listening)
    sys.setswitchinterval(TURN)
    warming.begin(config.app.state.templates.env)  # type: ignore[union-attr]
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    if not server.started:
        sys.exit(3)  # as uvicorn does when it could not start
