"""Reports: anybody at the desk can ask for a decision on a narrative or a post."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from desk import presence
from desk.leases import pages_of
from desk.pages import Visit, Visiting
from monitor import search
from monitor.flags import reports
from monitor.models import Flag, Narrative, Reading

router = APIRouter(prefix="/reports")

ADDRESS_CHARS = 2_000  # as long as browsers write one


@dataclass(frozen=True)
class Said:
    """A report as typed."""

    address: str = ""
    reason: str = ""
    urgent: bool = False


@router.get("/new")
def show(visit: Visiting, narrative: str = "", post: str = "") -> Response:
    """The form, about the narrative or post that the address names; else it asks for an address."""
    return _form(visit, narrative=narrative, post=post)


@router.post("")
def make(
    visit: Visiting,
    narrative: Annotated[str, Form()] = "",
    post: Annotated[str, Form()] = "",
    address: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    urgent: Annotated[str, Form()] = "",
) -> Response:
    """Raise it; who may decide finds it in the queue, told apart from the machine's flags."""
    said = Said(address, reason, bool(urgent))
    by, now = visit.person.id, visit.now
    try:
        about = _about(visit, narrative, post) or _reading_at(visit, address)
        if isinstance(about, Narrative):
            flag = reports.report_narrative(visit.session, about, reason, bool(urgent), by, now)
        else:
            flag = reports.report_post(visit.session, about, reason, bool(urgent), by, now)
    except reports.AlreadyReportedError as fault:
        return _form(visit, 409, narrative, post, said, waiting=fault.flag)
    except ValueError as fault:
        visit.session.rollback()
        return _form(visit, 422, narrative, post, said, error=str(fault))
    presence.tell(visit.session, *pages_of(flag))
    return visit.done(f"/flags/{flag.id}")


def _about(visit: Visit, narrative: str, post: str) -> Narrative | Reading | None:
    """The narrative, as it stands now, or the post that is named by its number, if any is."""
    if narrative:
        found = visit.find(Narrative, _number(narrative))
        kept = found.merged_into
        return found if kept is None else visit.find(Narrative, kept)
    return visit.find(Reading, _number(post)) if post else None


def _reading_at(visit: Visit, address: str) -> Reading:
    """The post at a platform's address. ValueError, one sentence, where the desk holds none."""
    address = address.replace("\x00", "").strip()[:ADDRESS_CHARS]
    if not address:
        raise ValueError("Paste the address of the post, as its platform shows it.")
    post = search.post_at(visit.session, address)
    reading = visit.session.get(Reading, post.id) if post else None
    if reading is None:
        raise ValueError(
            "The desk holds no post of that address. It knows what its sources have read, and a "
            "new post takes a minute or two. Tell the duty lead of what cannot wait."
        )
    return reading


def _form(
    visit: Visit,
    status: int = 200,
    narrative: str = "",
    post: str = "",
    said: Said | None = None,
    *,
    error: str = "",
    waiting: Flag | None = None,
) -> Response:
    """The form. ``waiting``: the report on the same that was first."""
    about = _about(visit, narrative, post)
    visit.shows([about] if isinstance(about, Reading) else [])
    return visit.page(
        "reports/new.html",
        status,
        about=about,
        narrative=narrative,
        post=post,
        error=error,
        waiting=waiting,
        said=said or Said(),
        reason_chars=reports.REASON_CHARS,
    )


def _number(text: str) -> int:
    """A row's number; 0, which names nothing, for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
