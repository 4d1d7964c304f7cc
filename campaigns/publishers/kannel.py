"""Text messages by an SMPP gateway's HTTP interface: Kannel's sendsms, and gateways that speak it.

It is called by POST, with everything in headers and body: the address of a GET, which would hold
the password and the number, ends in log files. Kannel keeps no list that could be asked, so that a
call whose end nobody saw is for a person with the gateway's log.
"""

import httpx

from campaigns.publishers import (
    InDoubtError,
    LockedOutError,
    NotSentError,
    Parcel,
    PublisherRejectedError,
    Receipt,
)
from campaigns.publishers.exchange import DEADLINE, NEVER_LEFT, Answer, exchange, plain, why
from campaigns.publishers.receipts import KANNEL_MASK, kannel_address
from campaigns.publishers.sms import NUMBER
from campaigns.wording.sms import GSM_7, UCS_2, as_sms

PATH = "/cgi-bin/sendsms"
TAKEN = ("0:", "3:")  # "0: Accepted for delivery", "3: Queued for later delivery" (userguide 6.7)
LATER = "Temporal failure"  # with 503: the gateway took nothing
LOCKED = "Authorization failed"  # with 403, whatever the recipient
TO_MEND = "Whoever runs the desk mends BREAKWATER_SMS_ACCESS."
LATER_WAIT = 60.0  # seconds
CODINGS = {GSM_7: "0", UCS_2: "2"}  # X-Kannel-Coding; under 0 it would put ? for other signs


class KannelPublisher:
    """Sends to ``Parcel.handle``, the recipient's number (E.164), by ``Parcel.service``.

    ``Parcel.secret`` is ``user:password`` of a sendsms-user. ``deadline``: seconds after which the
    exchange is given up. ``desk`` and ``secret``: where the gateway reaches the desk, to say what
    became of a text, and what proves that it is the gateway; None: it says nothing.
    """

    repeatable = False

    def __init__(
        self, deadline: float = DEADLINE, desk: str | None = None, secret: str | None = None
    ) -> None:
        self._deadline, self._desk, self._secret = deadline, desk, secret

    def mark(self, parcel: Parcel) -> str:
        """Nothing helps: the gateway cannot be asked."""
        return ""

    def publish(self, parcel: Parcel) -> Receipt:
        """Hand it to the gateway, which takes it from there; it gives no id of its own."""
        headers, body = _request(parcel)
        if self._desk is not None and self._secret is not None:
            headers["X-Kannel-DLR-Mask"] = str(KANNEL_MASK)
            headers["X-Kannel-DLR-Url"] = kannel_address(
                self._desk, self._secret, parcel.record_key
            )
        try:
            answer = exchange(
                self._deadline, "POST", parcel.service + PATH, headers=headers, content=body
            )
        except NEVER_LEFT as fault:
            raise NotSentError(f"The SMS gateway cannot be reached ({why(fault)}).") from fault
        except httpx.TransportError as fault:
            raise InDoubtError(f"The SMS gateway broke off ({why(fault)}).") from fault
        words = _words(answer)
        if answer.is_success and words.startswith(TAKEN):
            return Receipt(uri=f"kannel:{parcel.record_key}", url=None)
        if answer.status == 503 and words.startswith(LATER):
            raise NotSentError(f"The SMS gateway puts it off: {words}", LATER_WAIT)
        if answer.status == 429:
            raise NotSentError("The SMS gateway asks us to slow down.", LATER_WAIT)
        if answer.status == 403 and words.startswith(LOCKED):
            raise LockedOutError(f"The SMS gateway does not let us in: {words} {TO_MEND}")
        if answer.is_success or answer.is_unclear:
            raise InDoubtError(f"The SMS gateway does not say that it took the text: {words}")
        raise PublisherRejectedError(f"The SMS gateway refuses the text: {words}")

    def find(self, parcel: Parcel) -> Receipt | None:
        """Always a doubt: the gateway keeps no list of what it took."""
        raise InDoubtError(
            "The SMS gateway cannot be asked. Whoever runs it finds the text in its access log by "
            "the number and the time, if it was taken. It is not sent again by itself."
        )


def _request(parcel: Parcel) -> tuple[dict[str, str], bytes]:
    if not NUMBER.fullmatch(parcel.handle):
        raise PublisherRejectedError("No text can be addressed like that: +1 and the number.")
    user, _, password = (parcel.secret or "").partition(":")
    if not user or not password or not parcel.secret or not _fits_header(parcel.secret):
        raise LockedOutError("The gateway's access must look like user:password.")
    body = parcel.record["body"]
    headers = {
        "X-Kannel-Username": user,
        "X-Kannel-Password": password,
        "X-Kannel-From": parcel.record["from"],
        "X-Kannel-To": parcel.handle,
        "X-Kannel-Coding": CODINGS[as_sms(body).encoding],
        "X-Kannel-Validity": str(parcel.record["valid_seconds"] // 60),  # minutes
        "Content-Type": "text/plain; charset=UTF-8",
    }
    return headers, body.encode()


def _fits_header(words: str) -> bool:
    return words.isascii() and words.isprintable()


def _words(answer: Answer) -> str:
    return plain(answer.body.decode(errors="replace") or f"HTTP {answer.status}")
