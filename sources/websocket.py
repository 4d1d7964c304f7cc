"""Messages of a websocket, in lists of about a second, read no faster than they are used."""

import time
from collections.abc import Generator, Mapping, Sequence
from urllib.parse import urlencode, urlsplit

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from sources.addresses import connect_public
from sources.collector import SourceFaultError, plain_words, user_agent

FLUSH_SECONDS = 1.0  # a batch is saved at least this often, so that the lag on the page is true
FLUSH_EVENTS = 1_000  # of small events a save costs most: the more at once, the cheaper each
FLUSH_BYTES = 8 * 1024 * 1024  # and of large ones no more than this is held
MAX_EVENT_BYTES = 16 * 1024 * 1024  # an event that never fits would stop the stream for ever
# Unread messages that may wait here: beyond it nothing more is taken from the network until half
# of them were read. The server then waits too, or lets us go and we resume at our cursor.
MAX_WAITING = (64, 32)
OPEN_TIMEOUT = 20.0
CLOSE_TIMEOUT = 2.0  # a server that does not say goodbye
# A server is held to be dead after this long without an answer. Ours wait unread while a batch is
# saved, so it must be longer than the longest save.
PING_TIMEOUT = 120.0


def endpoint(address: str, path: str, query: Mapping[str, str | Sequence[str]]) -> str:
    """The websocket URL under ``address``, which may name the path already."""
    base = urlsplit(address)._replace(query="", fragment="").geturl().rstrip("/")
    base = base.removesuffix(path) + path
    return f"{base}?{urlencode(query, doseq=True)}" if query else base


def listen(
    url: str,
    address: str,
    contact: str = "",
    speaks: Sequence[str] = (),
    *,
    private: bool = False,
) -> Generator[list[bytes]]:
    """Messages as they come, in lists, about once a second and even when none came.

    ``address`` names the server in sentences, ``speaks`` are the subprotocols offered to it. Only
    public addresses are connected to, unless ``private`` says so (sources.addresses).
    SourceFaultError when the connection cannot be made or ends; what came before is yielded. Its
    cause is the InvalidStatus of a server that refuses us.
    """
    try:
        with connect(
            url,
            sock=connect_public(address, private=private, timeout=OPEN_TIMEOUT),
            proxy=None,
            user_agent_header=user_agent(contact),
            subprotocols=[Subprotocol(name) for name in speaks] or None,
            open_timeout=OPEN_TIMEOUT,
            close_timeout=CLOSE_TIMEOUT,
            ping_timeout=PING_TIMEOUT,
            max_size=MAX_EVENT_BYTES,
            max_queue=MAX_WAITING,
        ) as socket:
            closed: ConnectionClosed | None = None
            while closed is None:
                messages: list[bytes] = []
                size = 0
                flush_at = time.monotonic() + FLUSH_SECONDS
                while len(messages) < FLUSH_EVENTS and size < FLUSH_BYTES:
                    try:
                        left = max(0.0, flush_at - time.monotonic())
                        message = socket.recv(timeout=left, decode=False)
                    except TimeoutError:
                        break
                    except ConnectionClosed as fault:
                        closed = fault
                        break
                    messages.append(message)
                    size += len(message)
                if messages or closed is None:
                    yield messages
            raise SourceFaultError(f"{address} closed the stream.") from closed
    except InvalidStatus as fault:
        status = fault.response.status_code
        raise SourceFaultError(f"{address} refuses us: its server answers {status}.") from fault
    except (OSError, WebSocketException) as fault:
        raise SourceFaultError(f"{address} cannot be reached: {plain_words(fault)}.") from fault
