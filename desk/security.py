"""What stands between the desk and a hostile page: headers, same-origin writes, roles."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import PlainTextResponse, Response

COOKIE = "breakwater_session"

HEADERS = {
    # No inline script or style, nothing from another host, no framing.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

# Where machines post to us, or a mail program by one press: no session is read behind these.
WITHOUT_SESSION = ("/hooks/", "/leave/")

Next = Callable[[Request], Awaitable[Response]]


def is_same_origin(request: Request) -> bool:
    """Whether a writing request comes from our own pages.

    Sec-Fetch-Site is set by every current browser and cannot be forged by a page; Origin is the
    fallback. A request with neither is no browser's form and is refused.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")


async def guard(request: Request, call_next: Next) -> Response:
    """Middleware: refuse cross-site writes, add the headers, keep pages out of shared caches."""
    writes = request.method not in ("GET", "HEAD", "OPTIONS")
    from_anywhere = request.url.path.startswith(WITHOUT_SESSION)
    if writes and not from_anywhere and not is_same_origin(request):
        response: Response = PlainTextResponse("Refused: sent from another site.", 403)
    else:
        response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.url.path.startswith("/said"):  # for everybody: what it says itself stands
        response.headers.setdefault("Cache-Control", "no-store")
    elif not request.url.path.startswith("/static/"):
        response.headers["Cache-Control"] = "no-store"
    return response
