"""Voices from a file: what each row would change, and doing it.

A file never changes who approves for a voice, and brings no withdrawn consent back. It may name
accounts, but what opens them is given on the voice's own page, and never in a file.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from campaigns import limits, voices
from campaigns.contacts import voice_cells
from campaigns.contacts.imported import Row, spelled
from campaigns.contacts.voice_cells import Limits, Named, Said
from campaigns.models import Account, Consent, Voice, VoiceLimits
from campaigns.publishers import KEYLESS, PLATFORMS

LABELS = {
    "name": "Name",
    "role": "Who they are",
    "leader": "Approves in their name",
    "scope": "What they agreed to",
    "platforms": "Platforms",
    "evidence": "How we know",
    "agreed": "Day they agreed",
    "until": "Agreed until",
    **voice_cells.ACCOUNT_LABELS,
    **voice_cells.LIMIT_LABELS,
}
NAMES: dict[str, Collection[str]] = {
    "name": ("full name", "voice", "person", "speaker"),
    "role": ("who they are", "title", "position", "office"),
    "leader": ("approves in their name", "approver", "approved by", "leader e-mail", "approves"),
    "scope": ("what they agreed to", "agreed to", "consent", "consent scope", "topics"),
    "platforms": ("platform", "channels", "networks"),
    "evidence": ("how we know", "proof", "consent evidence", "how the consent was given"),
    "agreed": ("day they agreed", "agreed on", "consent date", "from", "valid from"),
    "until": ("agreed until", "valid until", "consent until", "ends", "to"),
    **voice_cells.ACCOUNT_NAMES,
    **voice_cells.LIMIT_NAMES,
}
CONSENT = ("scope", "platforms", "evidence", "agreed", "until")
NAME_CHARS = 120
BETWEEN = re.compile(r"\s*[,;/|+]\s*|\s+and\s+")


@dataclass
class VoiceRow:
    """A row, and what is to be done with the voice it names."""

    row: Row
    voice: Voice | None = None  # that the desk has under this name
    leader_id: int = 0
    platforms: tuple[str, ...] = ()
    valid: tuple[datetime, datetime] | None = None  # from, until
    new_role: str | None = None
    consents: bool = False  # the consent is recorded
    named: list[Named] = field(default_factory=list)
    accounts: list[Named] = field(default_factory=list)  # of these the ones it does not have
    said: Said = field(default_factory=dict)  # of its limits
    limits: Limits | None = None  # that hold from then on


def judge(
    session: Session,
    rows: Sequence[Row],
    *,
    leaders: Mapping[str, Collection[int]],
    zone: tzinfo,
    now: datetime,
) -> list[VoiceRow]:
    """What each row would do now. ``leaders``: by name or address in small letters, who that is.

    It changes nothing but the rows it was given.
    """
    judged = [_read(one, leaders, zone, now) for one in rows]
    first: dict[str, int] = {}
    for one in judged:
        line = first.setdefault(one.row.title.casefold(), one.row.line)
        if line != one.row.line and not one.row.faults:
            one.row.fault("name", f"Line {line} is about the same voice. Put both into one row.")
    names = [one.row.title.lower() for one in judged]
    found = session.scalars(
        select(Voice)
        .where(func.lower(Voice.name).in_(names))
        .options(selectinload(Voice.consents))
        .order_by(Voice.id)
    ).all()
    known: dict[str, list[Voice]] = defaultdict(list)
    for voice in found:
        known[voice.name.casefold()].append(voice)
    ids = {voice.id for voice in found}
    in_force = limits.in_force(session, ids)
    accounts: dict[int, list[Account]] = defaultdict(list)
    for account in session.scalars(select(Account).where(Account.voice_id.in_(ids))):
        accounts[account.voice_id].append(account)
    for one in judged:
        if not one.row.faults:
            _plan(one, known[one.row.title.casefold()])
        if not one.row.faults:
            number = one.voice.id if one.voice is not None else 0
            _plan_accounts(one, accounts[number])
            _plan_limits(one, in_force.get(number), zone)
    return judged


def _read(
    row: Row, leaders: Mapping[str, Collection[int]], zone: tzinfo, now: datetime
) -> VoiceRow:
    one, cells = VoiceRow(row), row.cells
    if row.faults:
        return one
    if not cells["name"] or len(cells["name"]) > NAME_CHARS:
        row.fault("name", f"The voice needs a name of up to {NAME_CHARS} characters.")
    if cells["leader"]:
        some = leaders.get(cells["leader"].casefold(), ())
        if len(some) != 1:
            words = (
                "is the name of several leaders: give an e-mail address"
                if some
                else ("is nobody with the role leader")
            )
            row.fault("leader", f"“{cells['leader']}” {words}.")
        one.leader_id = next(iter(some), 0)
    one.platforms = _platforms(row)
    one.named, one.said = voice_cells.accounts_in(row), voice_cells.limits_in(row)
    begins, ends = row.day("agreed", zone), row.day("until", zone)
    if begins is not None and begins > now:
        row.fault("agreed", "Nobody can have agreed on a day to come.")
    if begins is not None and ends is not None:
        one.valid = begins, ends + timedelta(days=1, seconds=-1)
        if one.valid[1] <= now:
            row.wont.append(f"No consent is recorded: it ended on {spelled(ends)}.")
            one.valid = None
        elif ends < begins:
            row.fault("until", "The consent must end after it begins.")
    missing = [LABELS[of] for of in CONSENT if not cells[of]]
    if 0 < len(missing) < len(CONSENT):
        row.wont.append(f"No consent is recorded. Missing: {', '.join(missing)}.")
    return one


def _platforms(row: Row) -> tuple[str, ...]:
    known = {said.casefold(): key for key, label in PLATFORMS.items() for said in (key, label)}
    found = set()
    for part in BETWEEN.split(row.cells["platforms"]):
        key = known.get(part.strip().casefold())
        if part.strip() and key is None:
            said = ", ".join(PLATFORMS.values())
            row.fault("platforms", f"“{part.strip()}” is not a platform. There are: {said}.")
        elif key is not None:
            found.add(key)
    return tuple(sorted(found))


def _plan(one: VoiceRow, known: Sequence[Voice]) -> None:
    row, cells = one.row, one.row.cells
    if len(known) > 1:
        row.fault("name", f"There are {len(known)} voices of this name. Change them on their page.")
        return
    one.voice = voice = known[0] if known else None
    row.new = voice is None
    if voice is None:
        if not cells["role"]:
            row.fault("role", "Say who this voice is, such as “Pastor, Hope Church”.")
        if not cells["leader"]:
            row.fault("leader", "A new voice needs the leader who approves in its name.")
        row.will.append(f"{cells['role']}; {cells['leader']} approves")
    elif one.leader_id not in (0, voice.leader_id):
        row.fault("leader", "Somebody else approves for this voice; a file does not change that.")
    elif cells["role"] and cells["role"] != voice.role:
        one.new_role = cells["role"]
        row.will.append(f"who they are becomes “{cells['role']}” (was “{voice.role}”)")
    if one.valid is None or not all(cells[of] for of in CONSENT) or row.faults:
        return
    consents = voice.consents if voice is not None else []
    if any(_is_of(one, consent) for consent in consents if consent.withdrawn_at is None):
        return
    withdrawn = [
        c.withdrawn_at for c in consents if c.withdrawn_at and c.withdrawn_at >= one.valid[0]
    ]
    if withdrawn:
        row.wont.append(
            f"No consent is recorded: they withdrew theirs on {spelled(max(withdrawn))}, after the "
            "one in the file was given."
        )
        return
    one.consents = True
    where = ", ".join(PLATFORMS[platform] for platform in one.platforms)
    begins, ends = map(spelled, one.valid)
    row.will.append(
        f"consent from {begins} until {ends} to “{cells['scope']}” on {where}, proof “"
        f"{cells['evidence']}”"
    )


def _plan_accounts(one: VoiceRow, known: Sequence[Account]) -> None:
    """``known``: all that the voice has or had."""
    has = {(account.platform, account.handle): account for account in known}
    for named in one.named:
        account = has.get((named.platform, named.handle))
        where = f"@{named.handle} on {PLATFORMS[named.platform]}"
        if account is None:
            opens = "" if named.platform in KEYLESS else ", to be connected on the voice’s page"
            one.accounts.append(named)
            one.row.will.append(f"account {where}{opens}")
        elif account.closed_at is not None:
            one.row.wont.append(f"The account {where} was closed, and stays so.")


def _plan_limits(one: VoiceRow, known: VoiceLimits | None, zone: tzinfo) -> None:
    try:
        one.limits = voice_cells.limits_after(one.said, known, zone)
    except ValueError as fault:
        one.row.fault("quiet_from", str(fault))
    if one.limits is not None:
        one.row.will.append(one.limits.words)


def _is_of(one: VoiceRow, known: Consent) -> bool:
    """Whether the row's consent is recorded already."""
    cells = one.row.cells
    return (cells["scope"], cells["evidence"], list(one.platforms), one.valid) == (
        known.scope,
        known.evidence,
        known.platforms,
        (known.valid_from, known.valid_until),
    )


def take_in(session: Session, judged: Sequence[VoiceRow], *, by: int, now: datetime) -> None:
    """Do what was judged, of the rows that are not refused."""
    for one in judged:
        cells = one.row.cells
        if one.row.faults:
            continue
        voice = one.voice or voices.add_voice(
            session,
            name=cells["name"],
            role=cells["role"],
            leader_id=one.leader_id,
            by=by,
            now=now,
        )
        voice.role = one.new_role or voice.role
        for named in one.accounts:
            voices.name_account(
                *(session, voice),
                platform=named.platform,
                handle=named.handle,
                service=named.service,
                by=by,
                now=now,
            )
        if one.limits is not None:
            limits.set_limits(session, voice, **vars(one.limits), by=by, now=now)
        if one.consents and one.valid is not None:
            voices.record_consent(
                session,
                voice,
                scope=cells["scope"],
                platforms=one.platforms,
                evidence=cells["evidence"],
                valid_from=one.valid[0],
                valid_until=one.valid[1],
                by=by,
                now=now,
            )
    session.flush()
