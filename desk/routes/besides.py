"""What stands beside the words of a message: a link card, plain signs, a checked translation."""

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from campaigns.drafting import messages, translations
from campaigns.models import Message
from campaigns.wording import cards
from campaigns.wording.sms import made_plain
from desk.pages import Typed, Visiting
from desk.routes.drafts import keep_written
from desk.routes.messages import may_comment, message_page
from desk.writing import typed

router = APIRouter(prefix="/messages")


@router.post("/{message_id}/card")
def look_up(visit: Visiting, message_id: int, form: Typed) -> Response:
    """Read the page behind a link once, and put what it says of itself into the form."""
    visit.needs("comms")
    message, written = visit.find(Message, message_id), typed(form)
    settings = visit.wiring.settings
    named = written.beside.card_url.strip()
    try:
        links = written.links(message.voice)
        if not links:
            raise ValueError("There is no link in the words for Bluesky yet: write one first.")
        wanted = named if named in links else links[0]
        visit.session.rollback()  # the network may be slow, and others want the connection
        card, without = cards.look_up(
            visit.session,
            wanted,
            by=visit.person.id,
            now=visit.now,
            contact=settings.contact,
            private=settings.private_addresses,
        )
    except ValueError as fault:
        visit.session.rollback()
        found = visit.find(Message, message_id)
        return message_page(visit, found, 422, error=str(fault), written=written)
    written.beside.take_card(card)
    keep_written(visit, visit.find(Message, message_id), written)
    if not without:
        return visit.done(f"/messages/{message_id}#link-card")
    visit.session.commit()
    said = f"The card is in the form, without a picture. {without}"
    return message_page(visit, visit.find(Message, message_id), error=said, written=written)


@router.post("/{message_id}/plain/{account_id}")
def take_plain_signs(visit: Visiting, message_id: int, account_id: int, form: Typed) -> Response:
    """Put plain signs for the typographic ones that make a text message dear."""
    visit.needs("comms")
    message, written = visit.find(Message, message_id), typed(form)
    if account_id not in {account.id for account in message.voice.accounts}:
        raise HTTPException(404)
    written.make_plain(account_id, made_plain)
    keep_written(visit, message, written)
    return visit.done(f"/messages/{message_id}#looked")


@router.post("/{message_id}/translation")
def say_it_is_right(visit: Visiting, message_id: int, form: Typed) -> Response:
    """Somebody who reads both languages says that the texts of the newest version say the same."""
    visit.needs("comms", "leader")
    message = visit.find(Message, message_id)
    if not may_comment(visit, message):
        raise HTTPException(404)
    shown = [str(one) for one in form.getlist("pair")]
    version = messages.latest_version(message)
    try:
        if version is None:
            raise ValueError("Nothing is written yet.")
        translations.say_it_is_right(
            visit.session, version, shown, by=visit.person.id, now=visit.now
        )
    except ValueError as fault:
        visit.session.rollback()
        return message_page(visit, visit.find(Message, message_id), 409, error=str(fault))
    return visit.done(f"/messages/{message_id}#translations")
