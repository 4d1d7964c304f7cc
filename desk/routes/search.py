"""One box for posts and narratives, by words and by meaning; a pasted address leads to its post."""

from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from desk.pages import Visiting
from monitor import search
from monitor.models import Reading

router = APIRouter(prefix="/search")

SHOWN = 20  # narratives, and posts
POST = ("monitor", "admin")  # who can open a post by itself


@router.get("")
def show(visit: Visiting, q: str = "") -> Response:
    words = q.replace("\x00", "").strip()
    post = search.post_at(visit.session, words) if words else None
    reading = visit.session.get(Reading, post.id) if post else None
    if reading is not None and reading.narrative_id is not None:
        return RedirectResponse(
            f"/narratives/{reading.narrative_id}#post-{reading.post_id}", status_code=303
        )
    if reading is not None and visit.person.may(*POST):
        return RedirectResponse(f"/posts/{reading.post_id}/coding", status_code=303)
    found = search.Found([], [])
    if words:
        found = search.search(visit.session, visit.wiring.embedder(), words, SHOWN)
    visit.shows(hit.reading for hit in found.hits)
    return visit.page(
        "search/found.html",
        q=words,
        address=f"/search?{urlencode({'q': words})}",
        found=found,
        may_code=visit.person.may(*POST),
    )
