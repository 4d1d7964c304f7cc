"""Around the form of a message: kept words, pictures, comments, words to start from."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import undefer
from starlette.datastructures import FormData, UploadFile

from campaigns.campaigns import STRATEGIES
from campaigns.drafting import comments, library, messages, unsaved
from campaigns.models import Delivery, Image, Message, MessageVersion, Template
from campaigns.publishers import PLATFORMS
from campaigns.wording import media
from campaigns.wording.content import clean
from campaigns.wording.languages import FIRST
from desk.pages import Typed, Visit, Visiting
from desk.routes.messages import begun_on, may_comment, message_page
from desk.writing import Written, typed

router = APIRouter()


def keep_written(visit: Visit, message: Message, written: Written) -> bool:
    """Keep what is typed, as long as it is not what was saved. Answers whether it is kept."""
    saved = begun_on(visit, message)
    if _alike(written, saved, message):
        unsaved.drop(visit.session, message, visit.person.id)
        return False
    base = saved.base or 0 if written.base is None else written.base
    unsaved.keep(
        visit.session,
        message,
        written.fields(),
        base=base,
        by=visit.person.id,
        now=visit.now,
    )
    return True


def _alike(written: Written, saved: Written, message: Message) -> bool:
    def plain(one: Written) -> Any:
        texts = {number: clean(text) for number, text in one.texts(message.voice).items()}
        reasons = {key: words for key, words in one.reasons.items() if words.strip()}
        return texts, one.send_at, one.which, one.pictures, reasons, _beside(one)

    try:
        return bool(plain(written) == plain(saved))
    except ValueError:  # words that cannot be sent are words somebody typed
        return False


def _beside(written: Written) -> Any:
    beside = written.beside
    gets = {account: which for account, which in beside.gets.items() if which != FIRST}
    places = [*beside.places, *[1] * len(written.pictures)][: len(written.pictures)]
    card = (beside.card_url, beside.card_title, beside.card_about, beside.card_image)
    languages = (beside.lang, beside.lang2 if beside.has_second else "", clean(beside.second))
    return languages, gets, places, card if beside.has_card else (), beside.fresh


# ---- words not yet saved


@router.post("/messages/{message_id}/unsaved")
def keep(visit: Visiting, message_id: int, form: Typed) -> Response:
    """Keep what is being typed, and say so: a fragment."""
    visit.needs("comms")
    kept = keep_written(visit, visit.find(Message, message_id), typed(form))
    visit.session.commit()
    at = f"{visit.now.astimezone(visit.zone):%H:%M:%S}"
    return HTMLResponse(f"Kept at {at}, for you alone; not saved yet." if kept else "All is saved.")


@router.post("/messages/{message_id}/look")
def look(visit: Visiting, message_id: int, form: Typed) -> Response:
    """The page with what is typed, looked at, for who uses no script."""
    visit.needs("comms")
    keep_written(visit, visit.find(Message, message_id), typed(form))
    return visit.done(f"/messages/{message_id}#looked")


@router.post("/messages/{message_id}/unsaved/drop")
def drop(visit: Visiting, message_id: int) -> Response:
    visit.needs("comms")
    unsaved.drop(visit.session, visit.find(Message, message_id), visit.person.id)
    return visit.done(f"/messages/{message_id}")


# ---- pictures


@router.post("/messages/{message_id}/pictures")
def add_pictures(visit: Visiting, message_id: int, form: Typed) -> Response:
    """Add uploaded files to what is being written; nothing is saved as a version."""
    visit.needs("comms")
    message, written = visit.find(Message, message_id), typed(form)
    files = _uploads(form)
    try:
        if not files:
            raise ValueError("Choose a picture first.")
        if len(written.pictures) + len(files) > media.IMAGES_MAX:
            raise ValueError(f"A message carries at most {media.IMAGES_MAX} pictures.")
        for file in files:
            data = file.file.read(media.UPLOAD_MAX + 1)
            image = media.keep_image(visit.session, data, by=visit.person.id, now=visit.now)
            if image.sha256 not in {sha256 for sha256, _ in written.pictures}:
                written.pictures.append((image.sha256, ""))
    except ValueError as fault:
        visit.session.rollback()
        found = visit.find(Message, message_id)
        return message_page(visit, found, 422, error=str(fault), written=written)
    finally:
        for file in files:
            file.file.close()
    keep_written(visit, message, written)
    return visit.done(f"/messages/{message_id}#pictures")


def _uploads(form: FormData) -> list[UploadFile]:
    files = [one for one in form.getlist("upload") if isinstance(one, UploadFile)]
    return [one for one in files if one.filename or one.size]


@router.get("/images/{sha256}")
def show_image(visit: Visiting, sha256: str) -> Response:
    """The bytes of a picture as they would be sent."""
    query = select(Image).where(Image.sha256 == sha256).options(undefer(Image.data))
    image = visit.session.scalar(query)
    if image is None:
        raise HTTPException(404)
    return Response(image.data, media_type=image.media_type)


# ---- comments


@router.post("/messages/{message_id}/comments")
def comment(visit: Visiting, message_id: int, form: Typed) -> Response:
    visit.needs("comms", "leader")
    message, words = visit.find(Message, message_id), str(form.get("comment", ""))
    if not may_comment(visit, message):
        raise HTTPException(404)
    try:
        comments.comment(visit.session, message, words, by=visit.person.id, now=visit.now)
    except ValueError as fault:
        visit.session.rollback()
        found = visit.find(Message, message_id)
        return message_page(visit, found, 422, error=str(fault), commented=words)
    return visit.done(f"/messages/{message_id}#comments")


# ---- words to start from


@router.get("/library")
def show_library(
    visit: Visiting,
    message: Annotated[str, Query()] = "",
    q: Annotated[str, Query()] = "",
    strategy: Annotated[str, Query()] = "",
    voice: Annotated[str, Query()] = "",
) -> Response:
    """``message``: the id of the one to start. ``q``, ``strategy`` and ``voice`` narrow it down."""
    return _library(visit, target=_number(message), q=q, strategy=strategy, voice=_number(voice))


@router.post("/library/templates")
def keep_template(visit: Visiting, form: Typed, message: Annotated[str, Query()] = "") -> Response:
    """Keep words under a name; no words put it away."""
    visit.needs("comms")
    name, text = str(form.get("name", "")), str(form.get("text", ""))
    try:
        library.keep_template(visit.session, name, text, by=visit.person.id, now=visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _library(
            visit, 422, target=_number(message), error=str(fault), template=(name, text)
        )
    target = _number(message)
    return visit.done(f"/library?message={target}" if target else "/library")


@router.post("/messages/{message_id}/start")
def start(visit: Visiting, message_id: int, form: Typed) -> Response:
    """Copy an earlier text into the form of a message, where it can be changed before it is saved.

    ``delivery``: of a published text; or ``template``.
    """
    visit.needs("comms")
    message = visit.find(Message, message_id)
    origin, text = _start(visit, form)
    library.mark_origin(visit.session, message, origin, by=visit.person.id, now=visit.now)
    saved = begun_on(visit, message)
    row = unsaved.of(visit.session, message, visit.person.id)
    written = typed(row.fields) if row else saved
    accounts = [account.id for account in message.voice.accounts]
    written.text, written.own, written.use = text, {}, {}
    if len(accounts) == 1:
        written.own = {accounts[0]: text}
    keep_written(visit, message, written)
    return visit.done(f"/messages/{message_id}#write")


def _start(visit: Visit, form: FormData) -> tuple[MessageVersion | Template, str]:
    if template := _number(str(form.get("template", ""))):
        row = visit.find(Template, template)
        return row, row.text
    delivery = visit.find(Delivery, _number(str(form.get("delivery", ""))))
    if delivery.state != "published":
        raise HTTPException(404)
    return delivery.approval.version, library.text_of(delivery)


def _library(
    visit: Visit,
    status: int = 200,
    *,
    target: int,
    q: str = "",
    strategy: str = "",
    voice: int = 0,
    error: str = "",
    template: tuple[str, str] = ("", ""),
) -> Response:
    session, writing = visit.session, "comms" in visit.person.roles
    return visit.page(
        "library/all.html",
        status,
        target=visit.find(Message, target) if target and writing else None,
        writing=writing,
        open_drafts=messages.drafts(session),
        templates=library.templates(session),
        history=library.history(session),
        earlier=library.earlier(session, strategy=strategy, voice=voice, words=q),
        q=q,
        strategy=strategy,
        voice=voice,
        voices=library.voices_heard(session),
        strategies=STRATEGIES,
        platforms=PLATFORMS,
        name_chars=library.NAME_CHARS,
        error=error,
        typed_name=template[0],
        typed_text=template[1],
    )


def _number(said: str) -> int:
    """A row's id; 0 for what is none."""
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0
