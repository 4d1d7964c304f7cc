"""Jump: from anywhere to any page by its name, by a number, or by an address that is pasted."""

import re
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from desk.pages import Visiting

router = APIRouter(prefix="/jump")

# What pages are called, as people type it; the first name is the one that is shown.
PAGES = {
    "/": ("Now", "overview", "home", "start"),
    "/queue": ("Queue", "flags", "waiting"),
    "/handover": ("Handover", "shift notes", "what changed"),
    "/sitreps": ("Situation reports", "sitreps", "weekly report"),
    "/narratives": ("Narratives", "stories"),
    "/search": ("Search", "find"),
    "/reports/new": ("Report a post", "report"),
    "/alerts": ("Alerts", "warnings"),
    "/alerts/lists": ("Alert lists", "recipients"),
    "/messages": ("Messages", "drafts", "campaigns"),
    "/share": ("To post by hand", "share packs", "by hand"),
    "/calendar": ("Calendar",),
    "/triggers": ("Days that may raise tension", "triggers", "trigger events"),
    "/voices": ("Voices",),
    "/contacts": ("Contacts", "lists", "audiences"),
    "/contacts/replies": ("Replies", "texts that came in", "opt-outs"),
    "/stops": ("Stops", "kill switch"),
    "/watchdogs": ("Watchdogs", "overdue", "stuck"),
    "/watches": ("Watches",),
    "/sources": ("Sources", "feeds"),
    "/codebook": ("Codebook", "levels", "situation"),
    "/lexicon": ("Lexicon", "terms"),
    "/scorer": ("Scorer", "readers", "model"),
    "/quality": ("Quality", "precision", "false alarms"),
    "/quality/samples": ("Samples",),
    "/thresholds": ("Thresholds", "detectors"),
    "/notices": ("Notices", "notifications"),
    "/views": ("Saved views", "views"),
    "/people": ("People", "staff", "roles"),
    "/me": ("You", "me", "password", "settings"),
}
NEEDS = {
    "/people": ("admin",),
    "/contacts": ("comms", "admin"),
    "/contacts/replies": ("comms", "admin"),
    "/watchdogs": ("comms", "duty lead", "leader", "admin"),
}  # pages that only some may open
# "narrative 12", "n12", "#12" and so on; a number alone is a narrative's.
NUMBERED = re.compile(
    r"(?:(narratives?|n|flags?|f|alerts?|a|messages?|m|watch|watches|w)[ /#]*|#)?(\d{1,9})", re.I
)
ROOMS = {
    "n": "narratives",
    "f": "flags",
    "a": "alerts",
    "m": "messages",
    "w": "watches",
}
BEGINNING = 3  # letters of a name that are enough; with fewer one searches
WORDS_CHARS = 2_000  # as long as browsers write an address


@router.get("")
def show(visit: Visiting, q: str = "") -> Response:
    """Where the words lead; without any, all there is."""
    words = " ".join(q.replace("\x00", "").split())[:WORDS_CHARS]
    if words:
        here = urlsplit(visit.wiring.settings.address).netloc
        return RedirectResponse(place_of(words, visit.request.url.netloc, here), status_code=303)
    known = [
        (path, names)
        for path, names in PAGES.items()
        if path not in NEEDS or visit.person.may(*NEEDS[path])
    ]
    return visit.page("jump.html", pages=known)


def place_of(words: str, *hosts: str) -> str:
    """The path on this desk that words lead to: a page, a row, or the search for them.

    ``hosts``: of this desk; an address on one of them leads to its own path.
    """
    try:
        parts = urlsplit(words)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme in ("http", "https") and parts.netloc in hosts:
        # One slash: two would name another host.
        return "/" + parts.path.lstrip("/\\") + (f"?{parts.query}" if parts.query else "")
    if found := NUMBERED.fullmatch(words):
        room = ROOMS[(found[1] or "n")[0].lower()]
        return f"/{room}/{int(found[2])}"
    said = words.casefold()
    for path, names in PAGES.items():
        if said in [name.casefold() for name in names]:
            return path
    for path, names in PAGES.items():
        if len(said) >= BEGINNING and any(name.casefold().startswith(said) for name in names):
            return path
    return f"/search?{urlencode({'q': words})}"
