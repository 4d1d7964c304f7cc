"""What servers do that no healthy one will do on request: a script of answers over plain HTTP."""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

# Headers that a line passes on.
KEPT = ("authorization", "content-type", "idempotency-key", "user-agent")


class Script:
    """Answers in order, by path: (status, body) or (status, body, headers).

    None hangs up; a number of seconds waits and hangs up; an iterator of bytes is sent as it comes.
    ``asked`` holds (verb, path, query or form, headers) of every request; any other body under "".
    ``calls`` are its paths alone.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, list[Any]] = {}
        self.asked: list[tuple[str, str, dict[str, str], dict[str, str]]] = []

    @property
    def calls(self) -> list[str]:
        return [path for _, path, _, _ in self.asked]


@contextlib.contextmanager
def scripted(known_as: Callable[[str], str] = str) -> Iterator[Script]:
    """A server on a free port of loopback that answers as its script says.

    ``known_as`` makes of a path the name under which the script has it.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length).decode(errors="replace")  # a picture is no text
            address = urlsplit(self.path)
            name = known_as(address.path)
            is_form = address.query or "form" in self.headers.get("content-type", "")
            fields = dict(parse_qsl(address.query or body)) if is_form else {"": body}
            headers = {key.lower(): value for key, value in self.headers.items()}
            told.asked.append((self.command, name, fields, headers))
            answer = told.answers[name].pop(0)
            if isinstance(answer, float):
                time.sleep(answer)
            if isinstance(answer, Iterator):
                with contextlib.suppress(OSError):  # the other end has had enough
                    for piece in answer:
                        self.wfile.write(piece)
            if not isinstance(answer, tuple):
                self.close_connection = True
                return
            status, said, *more = answer
            self.send_response_only(status)
            for key, value in dict(*more).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(said if isinstance(said, bytes) else json.dumps(said).encode())

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with served(Handler) as url:
        told = Script(url)
        yield told


@contextlib.contextmanager
def severing(url: str, verb: str) -> Iterator[str]:
    """A line to the server at ``url`` that breaks after each ``verb``, before the answer is back.

    The server itself heard the request, acted and answered.
    """

    class Line(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            kept = {name: self.headers[name] for name in KEPT if name in self.headers}
            answer = httpx.request(
                self.command, url + self.path, content=body, headers=kept, timeout=30
            )
            self.close_connection = True
            if self.command != verb:
                self.send_response_only(answer.status_code)
                self.send_header("Date", answer.headers["date"])
                self.end_headers()
                self.wfile.write(answer.content)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with served(Line) as line:
        yield line


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that died is no news here."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def whole_body(request: BaseHTTPRequestHandler) -> str:
    """What was sent with a request. ConnectionError where its sender died in the midst of it."""
    length = int(request.headers.get("content-length", 0))
    body = request.rfile.read(length)
    if len(body) < length:
        raise ConnectionResetError("half a request")
    return body.decode()


@contextlib.contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server on a free port of loopback; answers its address."""
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
