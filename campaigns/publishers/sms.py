"""What every text message has in common, whichever gateway carries it: its record and its rules."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.wording.lengths import SMS_MAX

VALID_FOR = timedelta(hours=1)  # a text that the network could not bring by then dies
FROM_HOUR, UNTIL_HOUR = 8, 21  # 47 CFR 64.1200(c)(1): never before or after, where they are

NUMBER = re.compile(r"\+[1-9]\d{6,14}")  # E.164
# A number, a short code, a name of up to 11 signs, or the id of one of Twilio's messaging services.
SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,6}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}|MG[0-9a-f]{32}")


def record(part: Mapping[str, Any], send_at: datetime) -> dict[str, Any]:
    """The complete text message of one part, alike for every recipient and on every attempt.

    ``part`` holds ``text``, ``handle`` (the sender, see SENDER), ``campaign`` (the id under which
    the carriers registered what we send) and ``list`` (id of the list of contacts). Raises
    ValueError for what no gateway takes. ``send_at`` (UTC) bounds the search for what may be out.
    """
    if not SENDER.fullmatch(part["handle"]):
        raise ValueError(f"“{part['handle']}” is no sender that a text can come from.")
    if not part["text"] or len(part["text"]) > SMS_MAX:
        raise ValueError(f"A text needs words, and at most {SMS_MAX} characters.")
    return {
        "from": part["handle"],
        "body": part["text"],
        "campaign": part["campaign"],
        "list": part["list"],
        "valid_seconds": int(VALID_FOR.total_seconds()),
        "send_at": send_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def within_local_hours(zone: ZoneInfo, now: datetime) -> bool:
    """Whether a text may arrive at ``now`` (aware) where the recipient lives."""
    return FROM_HOUR <= now.astimezone(zone).hour < UNTIL_HOUR
