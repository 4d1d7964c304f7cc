"""Checks 20 and 21: who speaks, and what a text message must carry."""

import re
from collections.abc import Collection

from campaigns.checking import Check, listed
from campaigns.wording.sms import UCS_2, as_sms, made_plain, replacements

SEGMENTS_MAX = 3  # ours: each is paid for, and beyond that phones show an attachment or a cut
_AI = re.compile(
    r"(?<!\w)(?:AI|A\.I\.|IA|artificial intelligence|inteligencia artificial)(?!\w)", re.IGNORECASE
)
# Replying STOP must be offered, not just the word said: "stop the rumor" is no way out.
_STOP = re.compile(
    r"(?:\b(?:[Rr]eply|REPLY|[Tt]ext|TEXT|[Ss]end|SEND|[Rr]espond[ae]|[Ee]nv[ií][ae])\b[^.!?\n]{0,30}?"
    r"[\"“'‘]?\bSTOP\b|\bSTOP\b[\"”'’]?\s*(?:to|=|2|para)\s*\w+)"
)


def disclosure(
    text: str,
    speakers: Collection[str],
    *,
    own_account: bool,
    sponsor: str = "",
    ai_helped: bool = False,
) -> Check:
    """20: who speaks, for whom, and whether a machine helped.

    On the speaker's own account the account says who speaks; elsewhere any of ``speakers`` will
    do. A sponsor, and help by AI, are always said in the words themselves.
    """
    missing = []
    if not own_account and not any(_says(text, speaker) for speaker in speakers):
        missing.append(f"who speaks ({' or '.join(speakers)})")
    if sponsor and not _says(text, sponsor):
        missing.append(f"for whom ({sponsor})")
    if ai_helped and not _AI.search(text):
        missing.append("that AI helped to write it")
    if not missing:
        return Check(20, "Disclosure", True)
    return Check(
        20,
        "Disclosure",
        True,
        f"It does not say {' nor '.join(missing)}.",
        "Add it at the end, in one short line.",
    )


def sms_carries(text: str, senders: Collection[str]) -> Check:
    """21: a name the recipient knows, and the way out. Any of ``senders`` will do."""
    missing, mends = [], []
    if not any(_says(text, sender) for sender in senders):
        missing.append("who sends it")
        mends.append(f"Begin with the sender's name{_such_as(senders)}.")
    if not _STOP.search(text):
        missing.append("how to end these messages")
        mends.append("End with “Reply STOP to end”.")
    if not missing:
        return Check(21, "What a text message must carry", True)
    return Check(
        21,
        "What a text message must carry",
        True,
        f"It does not say {' nor '.join(missing)}.",
        " ".join(mends),
    )


def sms_price(text: str) -> Check:
    """21: in few segments, and not made dear by a curly quotation mark."""
    sms, instead = as_sms(text), replacements(text)
    problems, mends = [], []
    if sms.segments > SEGMENTS_MAX:
        problems.append(f"It takes {sms.segments} segments; {SEGMENTS_MAX} are usual at most.")
        mends.append("Say less.")
    if sms.encoding == UCS_2 and (cheaper := as_sms(made_plain(text))).segments < sms.segments:
        problems.append(
            f"{listed(list(instead))} make it {sms.segments} segments instead of "
            f"{cheaper.segments}."
        )
        signs = ", ".join(f"{new or 'nothing'} for {sign}" for sign, new in instead.items())
        mends.append(f"Write {signs}.")
    return Check(21, "Price of the text message", False, " ".join(problems), " ".join(mends))


def _says(text: str, name: str) -> bool:
    """Whether the text holds the name as a whole, in whatever case."""
    words = r"\s+".join(re.escape(word) for word in name.split())
    return bool(words) and re.search(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE) is not None


def _such_as(senders: Collection[str]) -> str:
    return f", such as “{next(iter(senders))}:”" if senders else ""
