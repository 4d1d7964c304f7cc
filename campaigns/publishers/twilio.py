"""Text messages by Twilio's API: one recipient a call, never repeated blindly.

Twilio knows no idempotency key. After a doubt its list of messages to that number is read: what is
on it was taken, and nobody but the account's own programs can take a message off it.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from campaigns.publishers import (
    InDoubtError,
    LockedOutError,
    NobodyThereError,
    NotSentError,
    Parcel,
    PublisherRejectedError,
    Receipt,
    RecipientLeftError,
)
from campaigns.publishers.exchange import DEADLINE, NEVER_LEFT, Answer, exchange, why
from campaigns.publishers.receipts import TWILIO_GONE, twilio_address
from campaigns.publishers.sms import NUMBER

PAGE = 50  # messages to one number: more than anybody should get
CLOCK_SKEW = timedelta(minutes=5)  # between Twilio's clock and ours
RATE_LIMIT_WAIT = 60.0  # seconds when a 429 does not say
STOPPED = 21610  # twilio.com/docs/api/errors: the recipient answered STOP
QUEUE_FULL = 21611  # the sender has too much waiting: later
# The number or service that sends is not ours, not there, or sends no texts: no recipient's fault.
SENDER = (21212, 21606, 21659, 21660, 21661, 21701, 21703, 21705)
TRIAL = "Sent from your Twilio trial account - "  # what a trial account puts before our words

LOCKED = (401, 403)  # a wrong key; an account that is closed or may not send: no recipient's fault
TO_MEND = "Whoever runs the desk mends BREAKWATER_SMS_ACCESS."
SENDER_TO_MEND = "Whoever runs the desk looks at the sending number in Twilio's console."

ACCOUNT = re.compile(r"AC[0-9a-f]{32}")
MESSAGE = re.compile(r"[SM]M[0-9a-f]{32}")


class TwilioPublisher:
    """Sends to ``Parcel.handle``, the recipient's number (E.164), by the API at ``Parcel.service``.

    ``Parcel.secret`` is ``AC…:auth token``, or better ``AC…:SK…:secret`` of a key that can be
    taken back alone. ``deadline``: seconds after which an exchange is given up. ``desk``: where
    Twilio reaches the desk, to say what became of a text; None: it says nothing.
    """

    repeatable = False

    def __init__(self, deadline: float = DEADLINE, desk: str | None = None) -> None:
        self._deadline, self._desk = deadline, desk

    def mark(self, parcel: Parcel) -> str:
        """Nothing to remember: the due time bounds the search."""
        return ""

    def publish(self, parcel: Parcel) -> Receipt:
        """Hand it to Twilio, which takes it from there. Answers Twilio's own id of it."""
        sender = parcel.record["from"]
        form = {
            "To": _number(parcel),
            "MessagingServiceSid" if sender.startswith("MG") else "From": sender,
            "Body": parcel.record["body"],
            "ValidityPeriod": str(parcel.record["valid_seconds"]),
            "SmartEncoded": "false",  # it would replace signs of what was approved
        }
        if self._desk is not None:
            form["StatusCallback"] = twilio_address(self._desk, parcel.record_key)
        try:
            answer = self._ask(parcel, "POST", data=form)
        except NEVER_LEFT as fault:
            raise NotSentError(f"Twilio cannot be reached ({why(fault)}).") from fault
        except httpx.TransportError as fault:
            raise InDoubtError(f"Twilio broke off ({why(fault)}).") from fault
        if answer.is_unclear:
            raise InDoubtError(f"Twilio failed: {answer.words}")
        code = answer.said.get("code")
        if answer.status == 400 and code == STOPPED:
            raise RecipientLeftError("The recipient answered STOP and gets no texts from us.")
        if answer.status == 400 and code == QUEUE_FULL:
            raise NotSentError(f"Twilio has too much waiting: {answer.words}", RATE_LIMIT_WAIT)
        if code in SENDER:
            raise LockedOutError(f"Twilio does not send as we ask: {answer.words} {SENDER_TO_MEND}")
        if answer.status == 400 and str(code) in TWILIO_GONE:
            raise NobodyThereError(f"Twilio refuses the number: {answer.words}")
        if not answer.is_success:
            raise PublisherRejectedError(f"Twilio refuses the text: {answer.words}")
        return _receipt(answer.said)

    def find(self, parcel: Parcel) -> Receipt | None:
        """The text among those to this number since it was due; None: Twilio never took it."""
        ours, sender = parcel.record["body"], parcel.record["from"]
        try:
            for message in self._since_due(parcel):
                from_us = sender in (message.get("from"), message.get("messaging_service_sid"))
                if from_us and message.get("body") in (ours, TRIAL + ours):
                    return _receipt(message)
        except httpx.TransportError as fault:
            raise InDoubtError(f"Twilio cannot be asked ({why(fault)}).") from fault
        return None

    def _since_due(self, parcel: Parcel) -> Iterator[Mapping[str, Any]]:
        """Messages to the number, newest first.

        Not by DateSent, as Twilio's own list can be narrowed: what waits in its queue has none.
        """
        query = {"To": _number(parcel), "PageSize": str(PAGE)}
        answer = self._ask(parcel, "GET", params=query)
        messages = answer.said.get("messages")
        if not answer.is_success or not isinstance(messages, list):
            raise InDoubtError(f"Twilio does not say what it has: {answer.words}")
        since = datetime.fromisoformat(parcel.record["send_at"]) - CLOCK_SKEW
        made = since
        for message in messages:
            made = _made(message)
            if made >= since:
                yield message
        if answer.said.get("next_page_uri") and made >= since:
            raise InDoubtError("Twilio has too many texts to this number to look through.")

    def _ask(self, parcel: Parcel, verb: str, **more: Any) -> Answer:
        account, _, rest = (parcel.secret or "").partition(":")
        key, _, secret = rest.rpartition(":")
        if not ACCOUNT.fullmatch(account) or not secret or not rest.isascii():
            raise LockedOutError("Twilio's access must look like AC…:SK…:secret in the settings.")
        url = f"{parcel.service}/2010-04-01/Accounts/{account}/Messages.json"
        answer = exchange(self._deadline, verb, url, auth=(key or account, secret), **more)
        if answer.status == 429:
            raise NotSentError("Twilio asks us to slow down.", retry_in=RATE_LIMIT_WAIT)
        if answer.status in LOCKED:
            raise LockedOutError(f"Twilio does not let us in: {answer.words} {TO_MEND}")
        return answer


def is_from_twilio(
    token: str, url: str, form: Mapping[str, str | Sequence[str]], signature: str
) -> bool:
    """Whether a request to our webhook was signed with the account's auth token.

    ``url``: the whole address as Twilio called it, ``form``: all fields of the POST, ``signature``:
    the header X-Twilio-Signature (twilio.com/docs/usage/webhooks/webhooks-security).
    """
    said = url
    for name in sorted(form):
        values = form[name]
        said += "".join(
            name + value for value in ([values] if isinstance(values, str) else sorted(set(values)))
        )
    digest = hmac.new(token.encode(), said.encode(), hashlib.sha1).digest()
    return hmac.compare_digest(base64.b64encode(digest), signature.encode())


def _number(parcel: Parcel) -> str:
    if not NUMBER.fullmatch(parcel.handle):
        raise PublisherRejectedError("No text can be addressed like that: +1 and the number.")
    return parcel.handle


def _made(message: Any) -> datetime:
    try:
        made = parsedate_to_datetime(message["date_created"])
    except (TypeError, KeyError, ValueError):
        raise InDoubtError("Twilio does not say what it has.") from None
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def _receipt(message: Mapping[str, Any]) -> Receipt:
    sid = message.get("sid")
    if not isinstance(sid, str) or not MESSAGE.fullmatch(sid):
        raise InDoubtError("Twilio took the text but gave no id.")
    return Receipt(uri=f"twilio:{sid}", url=None)
