"""Tables of the desk itself: who decides, how they sign in, are told, work and report."""

from desk.models.keys import KeptKey
from desk.models.people import ROLES, CareChoice, Exposure, Person, ReadingSpell, RoleGrant
from desk.models.shifts import HandoverRead, ShiftNote, ShiftNoteDraft, ShiftNoteTick
from desk.models.signing_in import (
    Passkey,
    PasskeyChallenge,
    PasskeyChoice,
    SignInFailure,
    SignInLink,
    WebSession,
)
from desk.models.sitreps import Sitrep, SitrepFinal, SitrepVersion
from desk.models.telling import Channel, ChannelFault, Mailbox, Notice
from desk.models.working import Lease, Presence, SavedView

__all__ = [
    "ROLES",
    "CareChoice",
    "Channel",
    "ChannelFault",
    "Exposure",
    "HandoverRead",
    "KeptKey",
    "Lease",
    "Mailbox",
    "Notice",
    "Passkey",
    "PasskeyChallenge",
    "PasskeyChoice",
    "Person",
    "Presence",
    "ReadingSpell",
    "RoleGrant",
    "SavedView",
    "ShiftNote",
    "ShiftNoteDraft",
    "ShiftNoteTick",
    "SignInFailure",
    "SignInLink",
    "Sitrep",
    "SitrepFinal",
    "SitrepVersion",
    "WebSession",
]
