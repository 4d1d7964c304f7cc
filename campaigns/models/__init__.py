"""Tables of what we do. ``by`` columns hold a desk person id: keys point left only.

Two rules stand in the schema itself: two people took part in every approval (the leader alone is
never enough, not even for words of their own), and no delivery exists without an approval of the
same content hash.
"""

from campaigns.models.afterwards import (
    RETRACTION_STATES,
    Acknowledgement,
    Correction,
    Observation,
    ReadBack,
    Retraction,
    RetractionAttempt,
)
from campaigns.models.approving import (
    Approval,
    ApprovalLink,
    CheckOverride,
    CheckReason,
    Decline,
    Submission,
)
from campaigns.models.contacts import (
    CHANNELS,
    Audience,
    AudienceChange,
    AudienceMember,
    Contact,
    ContactAddress,
    ContactConsent,
    ContactErasure,
    OptOut,
    Outlet,
    Reply,
)
from campaigns.models.drafting import (
    Image,
    Message,
    MessageComment,
    MessageVersion,
    Origin,
    Template,
    UnsavedWords,
)
from campaigns.models.grants import Grant
from campaigns.models.imports import IMPORTED, Import
from campaigns.models.planning import Campaign, Hold, Plan
from campaigns.models.platforms import Lockout, RedditSignIn, ServerLook, ServerSaid
from campaigns.models.releases import Release, ReleasePermission
from campaigns.models.returning import REPORTS, AddressFault, DeliveryReport
from campaigns.models.sending import DELIVERY_STATES, SETTLED, Attempt, Delivery, Finding
from campaigns.models.share_packs import SHARE_STEPS, ShareHelper, ShareStep
from campaigns.models.stopping import Stop, StopDelivery
from campaigns.models.translating import TranslationCheck
from campaigns.models.voices import Account, AccountClosing, Consent, Voice, VoiceLimits
from campaigns.models.watching import WATCHDOGS, Bark

__all__ = [
    "CHANNELS",
    "DELIVERY_STATES",
    "IMPORTED",
    "REPORTS",
    "RETRACTION_STATES",
    "SETTLED",
    "SHARE_STEPS",
    "WATCHDOGS",
    "Account",
    "AccountClosing",
    "Acknowledgement",
    "AddressFault",
    "Approval",
    "ApprovalLink",
    "Attempt",
    "Audience",
    "AudienceChange",
    "AudienceMember",
    "Bark",
    "Campaign",
    "CheckOverride",
    "CheckReason",
    "Consent",
    "Contact",
    "ContactAddress",
    "ContactConsent",
    "ContactErasure",
    "Correction",
    "Decline",
    "Delivery",
    "DeliveryReport",
    "Finding",
    "Grant",
    "Hold",
    "Image",
    "Import",
    "Lockout",
    "Message",
    "MessageComment",
    "MessageVersion",
    "Observation",
    "OptOut",
    "Origin",
    "Outlet",
    "Plan",
    "ReadBack",
    "RedditSignIn",
    "Release",
    "ReleasePermission",
    "Reply",
    "Retraction",
    "RetractionAttempt",
    "ServerLook",
    "ServerSaid",
    "ShareHelper",
    "ShareStep",
    "Stop",
    "StopDelivery",
    "Submission",
    "Template",
    "TranslationCheck",
    "UnsavedWords",
    "Voice",
    "VoiceLimits",
]
