"""Tables of what it means. ``by`` columns hold a desk person id: keys point left only."""

from monitor.coding.codebook import LEVEL_NAMES
from monitor.models.alerts import (
    Alert,
    AlertList,
    AlertListMember,
    AlertMessage,
    AlertOutcome,
    AlertRecipient,
    AlertStamp,
    Verification,
)
from monitor.models.counts import AreaCount, Endangered, HourlyCount, PostCounty
from monitor.models.flags import (
    AlertThreshold,
    Flag,
    FlagDecision,
    SecondLook,
    SecondRequest,
    Threshold,
)
from monitor.models.narratives import Departure, Narrative, Revision, RevisionPost, Turn
from monitor.models.readings import (
    DANGEROUS_LEVEL,
    Case,
    Coding,
    CopyBand,
    Meaning,
    Promotion,
    Reading,
    TrainedReader,
)
from monitor.models.samples import Sample, SampleAnswer
from monitor.models.situations import (
    LegalNote,
    LexiconVersion,
    RabatAssessment,
    SituationCoding,
    TriggerEvent,
)

__all__ = [
    "DANGEROUS_LEVEL",
    "LEVEL_NAMES",
    "Alert",
    "AlertList",
    "AlertListMember",
    "AlertMessage",
    "AlertOutcome",
    "AlertRecipient",
    "AlertStamp",
    "AlertThreshold",
    "AreaCount",
    "Case",
    "Coding",
    "CopyBand",
    "Departure",
    "Endangered",
    "Flag",
    "FlagDecision",
    "HourlyCount",
    "LegalNote",
    "LexiconVersion",
    "Meaning",
    "Narrative",
    "PostCounty",
    "Promotion",
    "RabatAssessment",
    "Reading",
    "Revision",
    "RevisionPost",
    "Sample",
    "SampleAnswer",
    "SecondLook",
    "SecondRequest",
    "SituationCoding",
    "Threshold",
    "TrainedReader",
    "TriggerEvent",
    "Turn",
    "Verification",
]
