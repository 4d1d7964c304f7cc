"""How the words of a draft become a mail: its subject line, its body, and the way out at the end.

The words are one text in the editor. A first line "Subject: …" is the subject; without one the
sender's name stands there.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from campaigns.publishers import email, sms

_SUBJECT = re.compile(r"\A(?:Subject|Asunto):[ \t]*(.+)(?:\n|\Z)\s*", re.IGNORECASE)
LEAVE_PATH = "/leave/"
# In both languages of the desk, for one mail goes to all. The recipient's own key ends the address.
FOOTER = (
    "You get this because you agreed to mails from {name}. / Recibe esto porque aceptó correos de "
    "{name}.\nNo more of these / No recibir más: "
)


def subject_and_body(text: str, name: str) -> tuple[str, str]:
    """(subject, body) of the words of a draft by the voice called ``name``."""
    found = _SUBJECT.match(text)
    if found is None:
        return f"A message from {name}", text
    return found[1].strip(), text[found.end() :]


def record_of(part: Mapping[str, Any], send_at: datetime) -> dict[str, Any]:
    """What goes to each recipient of a part for a list. ValueError for what cannot be sent."""
    told = {**part, "handle": part["sender"], "list": part["audience"]}
    if part["platform"] == "sms":
        return sms.record({**told, "campaign": part["registration"]}, send_at)
    subject, body = subject_and_body(part["text"], part["name"])
    if not body.strip():
        raise ValueError("Below its subject the mail has no words.")
    return email.record(
        {
            **told,
            "subject": subject,
            "text": body,
            "unsubscribe": part["service"] + LEAVE_PATH,
            "footer": FOOTER.format(name=part["name"]),
        },
        send_at,
    )
