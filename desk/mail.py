"""E-mail of the desk itself, to its own people: apprise's, with a finer answer."""

import contextlib
import logging
import re
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, localtime
from typing import Any

from apprise import Apprise, AppriseAsset, AppriseResult, AppriseResultStatus
from apprise.exception import AppriseImproperlyConfigured
from apprise.plugins.email.base import NotifyEmail
from apprise.plugins.email.smtp import SMTPSecureMode

SOCKET_PATIENCE = 10.0  # seconds for each of: connect, one answer
PATIENCE = 30.0  # seconds for one notification, however a server drips
NAME = "Breakwater"  # never the organisation's: a locked screen shows it

NO_ADDRESS = "No mail can be addressed like that."

MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+")

ASSET = AppriseAsset(
    app_id=NAME,
    app_desc=NAME,
    app_url="",
    image_url_mask="",  # no picture of somebody else's server beside our words
    image_url_logo="",
    async_mode=False,
    http_redirects=False,
    pgp_autogen=False,
    pem_autogen=False,
)

# Apprise's own lines name addresses; what we need of them comes with each result.
logging.getLogger("apprise").propagate = False


@dataclass(frozen=True)
class Outcome:
    """How a try ended: ``delivered`` (the server took it), ``refused`` (for good), ``not_sent``
    (certainly not out) or ``in_doubt``; with a sentence that holds no address and no secret."""

    kind: str
    detail: str = ""


class DeskMail(NotifyEmail):  # type: ignore[no-untyped-call]
    """Apprise's e-mail, with a finer answer: apprise says yes or no, the server says more.

    What it refuses for good, what it puts off and what nobody knows must not be treated alike. The
    Message-ID stays the same in every try, so that a doubled mail is one to a mail program.
    """

    key = ""  # of the notice, for the Message-ID
    outcome: Outcome | None = None

    def send(self, body: str, title: str = "", *_: Any, **__: Any) -> bool:
        """One mail to the one recipient. Never raises; ``outcome`` holds the answer."""
        began = False  # the mail itself: from here on a silence says nothing
        try:
            message = self._written(title, body)
            with self._server() as server:
                server.ehlo_or_helo_if_needed()
                code, _answer = server.mail(str(self.from_addr[1]))
                if code != 250:
                    raise smtplib.SMTPResponseException(code, b"")
                code, _answer = server.rcpt(self.targets[0][1])
                if code in (250, 251):
                    began = True
                    code, _answer = server.data(message)
                self.outcome = _answered_mail(code)
        except smtplib.SMTPDataError as fault:
            self.outcome = _answered_mail(fault.smtp_code)
        except smtplib.SMTPAuthenticationError:
            self.outcome = Outcome("not_sent", "The mail server does not let the desk in.")
        except smtplib.SMTPResponseException as fault:  # about the desk, not about the recipient
            self.outcome = Outcome(
                "not_sent", f"The mail server does not serve the desk now ({fault.smtp_code})."
            )
        except (OSError, smtplib.SMTPException) as fault:
            if self.outcome is None:
                self.outcome = _silence(fault, began)
        except ValueError:
            self.outcome = Outcome("refused", NO_ADDRESS)
        return self.outcome.kind == "delivered"

    def _written(self, subject: str, body: str) -> bytes:
        sender = str(self.from_addr[1])
        message = EmailMessage(policy=SMTP)
        message["From"] = formataddr((NAME, sender))
        message["To"] = self.targets[0][1]
        message["Subject"] = subject
        message["Message-ID"] = f"<{self.key}@{sender.partition('@')[2]}>"
        message["Date"] = localtime()
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday reply, please
        message.set_content(body)
        return message.as_bytes()

    @contextlib.contextmanager
    def _server(self) -> Iterator[smtplib.SMTP]:
        """The mail server, greeted; over TLS where the address of it says so."""
        context = ssl.create_default_context()
        place = (str(self.smtp_host), int(self.port or 0))
        server = (
            smtplib.SMTP_SSL(*place, timeout=SOCKET_PATIENCE, context=context)
            if self.secure_mode == SMTPSecureMode.SSL
            else smtplib.SMTP(*place, timeout=SOCKET_PATIENCE)
        )
        try:
            if self.secure_mode == SMTPSecureMode.STARTTLS:
                server.starttls(context=context)
            if self.user and self.password:
                server.login(self.user, self.password)
            yield server
        finally:
            # Whatever it answers to our leave changes nothing: not waited for.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.putcmd("quit")
            server.close()


def mail_to(settings: dict[str, Any], address: str, subject: str, body: str, key: str) -> Outcome:
    """One mail to one address; ``settings`` are of ``read_mail``, ``key`` names the notice."""
    if not MAIL_ADDRESS.fullmatch(address):
        return Outcome("refused", NO_ADDRESS)
    mail: Any = DeskMail(**settings, targets=[address])  # type: ignore[no-untyped-call]
    mail.key = key
    result = notify(mail, subject, body)
    if result.status == AppriseResultStatus.TIMEOUT or mail.outcome is None:
        return Outcome("in_doubt", "The mail server did not answer in time.")
    answered: Outcome = mail.outcome
    return answered


def read_mail(url: str) -> dict[str, Any]:
    """What apprise reads from the address of a mail server, ``mailto://`` or ``mailtos://``.

    ValueError, a sentence without the address, where no mail could go out by it.
    """
    scheme = url.partition("://")[0].lower()
    if scheme not in ("mailto", "mailtos"):
        raise ValueError(
            "is no mail server; one looks like mailtos://user:password@smtp.example.org:587"
            "?from=desk@example.org"
        )
    parsed: dict[str, Any] | None = NotifyEmail.parse_url(url)  # type: ignore[no-untyped-call]
    if parsed is None:
        raise ValueError("cannot be read as the address of a mail server")
    if not parsed.pop("verify", True):
        raise ValueError("must not turn off the check of certificates")
    settings = {
        key: parsed[key]
        for key in ("schema", "host", "port", "user", "password", "secure", "from_addr")
        if key in parsed
    } | {key: parsed[key] for key in ("smtp_host", "secure_mode") if parsed.get(key)}
    settings |= {"asset": ASSET, "format": "text"}
    try:
        mail: Any = DeskMail(**settings)  # type: ignore[no-untyped-call]
    except AppriseImproperlyConfigured:
        raise ValueError("names no sender: end it with ?from=desk@example.org") from None
    if not mail.smtp_host:
        raise ValueError("cannot be read as the address of a mail server")
    if mail.password and mail.secure_mode == SMTPSecureMode.INSECURE and not _is_here(mail):
        raise ValueError("would send its password unprotected: begin it with mailtos://")
    return settings


def masked(address: str) -> str:
    """An e-mail address as others may see it."""
    name, _, host = address.partition("@")
    return f"{name[:1]}…@{host}"


def _is_here(mail: Any) -> bool:
    return mail.smtp_host in ("localhost", "127.0.0.1")


def notify(plugin: Any, subject: str, body: str) -> AppriseResult:
    """Send by one of apprise's plugins, within PATIENCE."""
    plugin.socket_connect_timeout = plugin.socket_read_timeout = SOCKET_PATIENCE
    sender = Apprise(asset=ASSET)
    sender.add(plugin)
    return sender.notify(body=body, title=subject, body_format="text", timeout=PATIENCE)


def _answered_mail(code: int) -> Outcome:
    """What a mail server's answer to the recipient or to the mail means."""
    if 200 <= code < 300:
        return Outcome("delivered")
    if 500 <= code < 600:
        return Outcome("refused", f"The mail server refuses it ({code}).")
    return Outcome("not_sent", f"The mail server puts it off ({code}).")


def _silence(fault: Exception, began: bool) -> Outcome:
    if began:
        return Outcome("in_doubt", "The mail server took it and fell silent.")
    if isinstance(fault, ssl.SSLError):
        return Outcome("not_sent", "No protected connection to the mail server is possible.")
    return Outcome("not_sent", "The mail server cannot be reached.")
