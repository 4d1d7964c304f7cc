"""How one notification leaves the house: by e-mail or by a service made for people, with apprise.

Of apprise's many services only those of SERVICES are ever loaded: each was looked at. What an
address that somebody typed may reach is kept small: https only, certificates always checked, no
redirects, no options, and no host inside a private network unless the settings allow it. The host
is looked up by us right before the call. A name that means something else a moment later gains no
more than the opening of a TLS connection: who answers must hold a certificate for that name.
"""

import contextlib
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apprise import AppriseResult, AppriseResultStatus, NotifyBase
from apprise.exception import AppriseImproperlyConfigured
from apprise.plugins.email.base import NotifyEmail
from apprise.plugins.ntfy import NotifyNtfy, NtfyMode
from apprise.plugins.pushover import NotifyPushover
from apprise.plugins.signal_api import NotifySignalAPI
from apprise.plugins.slack import NotifySlack
from apprise.plugins.telegram import NotifyTelegram
from apprise.plugins.workflows import NotifyWorkflows

from desk.mail import ASSET, MAIL_ADDRESS, Outcome, mail_to, masked, notify, read_mail
from sources.addresses import PrivateAddressError, check_public, is_public
from sources.collector import SourceFaultError

ADDRESS_CHARS = 500
LATER = {408, 425, 429}  # of the answers 4xx those that ask for another try

HOST = re.compile(r"[A-Za-z0-9.-]+")  # read alike by every library on the way
ERROR = re.compile(r"\berror=(\d{3})\b")  # how apprise's services name the status of an answer

NO_MAIL = "The desk has no mail server: BREAKWATER_MAIL is not set."


@dataclass(frozen=True)
class Service:
    """A service that carries notifications to a person."""

    name: str
    example: str  # of an address
    plugin: type[NotifyBase]
    schemes: tuple[str, ...]
    plain: tuple[str, ...] = ()  # the same without TLS, for the own network alone
    # The host that the address names, where it names one at all.
    host: Callable[[Any], str | None] = lambda plugin: None


SERVICES = {
    "mail": Service("E-mail", "name@example.org", NotifyEmail, ()),
    "ntfy": Service(
        "ntfy (push to a phone)",
        "ntfys://ntfy.sh/a-long-topic-that-nobody-guesses",
        NotifyNtfy,
        ("ntfys",),
        ("ntfy",),
        lambda plugin: None if plugin.mode == NtfyMode.CLOUD else plugin.host,
    ),
    "signal": Service(
        "Signal (through your signal-cli server)",
        "signals://signal.example.org/+12025550101/+12025550102",
        NotifySignalAPI,
        ("signals",),
        ("signal",),
        lambda plugin: plugin.host,
    ),
    "slack": Service("Slack", "slack://xoxb-1234-1234-token/@name", NotifySlack, ("slack",)),
    "teams": Service(
        "Microsoft Teams (workflow)",
        "workflows://host.logic.azure.com:443/workflow/signature",
        NotifyWorkflows,
        ("workflow", "workflows"),
        host=lambda plugin: plugin.host,
    ),
    "telegram": Service("Telegram", "tgram://bot-token/chat-number", NotifyTelegram, ("tgram",)),
    "pushover": Service("Pushover", "pover://user-key@app-token", NotifyPushover, ("pover",)),
}


class Courier:
    """Carries notifications. ``mail`` is apprise's address of the desk's mail server, or None;
    ``private`` lets addresses lead into the own network, also without TLS."""

    def __init__(self, mail: str | None, *, private: bool = False) -> None:
        self._mail = None if mail is None else read_mail(mail)
        self._private = private

    @property
    def mails(self) -> bool:
        """Whether the desk can send e-mail at all."""
        return self._mail is not None

    @property
    def services(self) -> dict[str, Service]:
        """What a person may choose from, by key."""
        return SERVICES

    def read(self, service: str, typed: str) -> tuple[str, str]:
        """An address as somebody typed it: (address to keep, label that others may see).

        ValueError, one sentence without the address, where it cannot be used. Asks nobody: whether
        it leads anywhere is found out by a try.
        """
        address = typed.strip()
        if service not in SERVICES:
            raise ValueError("Choose one of the services.")
        if len(address) > ADDRESS_CHARS:
            raise ValueError(f"An address has at most {ADDRESS_CHARS} characters.")
        if service == "mail":
            if not MAIL_ADDRESS.fullmatch(address):
                raise ValueError("Give an e-mail address, like name@example.org.")
            return address, masked(address)
        plugin = self._plugin(service, address)
        host = SERVICES[service].host(plugin)
        if host and not self._private and _is_number(host) and not is_public(host):
            raise ValueError("That leads into a private network; only public servers are used.")
        name = SERVICES[service].name.partition(" (")[0]
        return address, " ".join(filter(None, (name, host, f"…{address.rstrip('/')[-2:]}")))

    def send(self, service: str, address: str, subject: str, body: str, key: str) -> Outcome:
        """Tell one address, over the network; ``key`` is the same in every try. Never raises."""
        try:
            if service == "mail":
                if self._mail is None:
                    return Outcome("refused", NO_MAIL)
                return mail_to(self._mail, address, subject, body, key)
            plugin = self._plugin(service, address)
            host = SERVICES[service].host(plugin)
            if host:
                check_public(f"https://{host}:{plugin.port or 443}/", private=self._private)
            result = notify(plugin, subject, body)
        except PrivateAddressError:
            return Outcome("refused", "The address leads into a private network.")
        except SourceFaultError:
            return Outcome("not_sent", "The server's name is not known.")
        except ValueError as fault:
            return Outcome("refused", str(fault))
        except Exception as fault:  # a service's own mistake must not stop the other notices
            return Outcome("in_doubt", f"Sending failed ({type(fault).__name__}).")
        return _answered(result)

    def _plugin(self, service: str, address: str) -> Any:
        """Apprise's object for an address; ValueError where the address is not of that service."""
        kind = SERVICES[service]
        schemes = kind.schemes + (kind.plain if self._private else ())
        wrong = ValueError(f"An address for {kind.name} looks like {kind.example}")
        scheme, mark, _ = address.partition("://")
        if not mark or scheme.lower() not in schemes or re.search(r"[?\s\x00-\x1f]", address):
            raise wrong
        try:
            parsed = kind.plugin.parse_url(address)
            plugin = kind.plugin(**parsed, asset=ASSET) if parsed else None
        except (AppriseImproperlyConfigured, TypeError):
            raise wrong from None
        if plugin is None:
            raise wrong
        host = kind.host(plugin)
        if host is not None and not HOST.fullmatch(host):
            raise wrong
        return plugin


def _is_number(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(host))
    return False


def _answered(result: AppriseResult) -> Outcome:
    """What apprise says of a call to a service."""
    if result:
        return Outcome("delivered")
    if result.status == AppriseResultStatus.TIMEOUT:
        return Outcome("in_doubt", "The service did not answer in time.")
    codes = [int(code) for entry in result.logs() for code in ERROR.findall(entry.message)]
    if codes and 400 <= codes[-1] < 500 and codes[-1] not in LATER:
        return Outcome("refused", f"The service refuses it ({codes[-1]}).")
    if codes:
        return Outcome("not_sent", f"The service does not take it now ({codes[-1]}).")
    # Apprise does not tell a refused connection from an answer that was lost.
    return Outcome("not_sent", "The service cannot be reached, or did not answer.")
