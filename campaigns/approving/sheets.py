"""The sheet a leader reads before they decide: what goes out, when, why, and what is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.campaigns import STRATEGIES, Strategy
from campaigns.contacts import recipients
from campaigns.drafting.translations import Standing, standings
from campaigns.limits import history
from campaigns.models import CheckOverride, CheckReason, MessageVersion
from campaigns.plans import PUBLIC_LEVELS, newest
from campaigns.publishers import LISTED
from campaigns.wording.content import send_time, send_until
from monitor.alerts.alerts import alerts_on
from monitor.alerts.cap import VERIFICATION
from monitor.models import FlagDecision, Verification


@dataclass(frozen=True)
class Sheet:
    """All that one version's page of decision shows beside its texts."""

    version: MessageVersion
    send_at: datetime
    until: datetime  # later than that it is never sent
    zone: ZoneInfo  # the voice's own, or the desk's
    strategy: Strategy
    confirmation: FlagDecision | None  # what the campaign stands on
    verification: Verification | None  # of the newest alert on the same story
    sure: Sequence[Mapping[str, Any]]  # claims of the plan that stand as high as the public needs
    unsure: Sequence[Mapping[str, Any]]  # and those that do not
    no_claims: bool  # somebody says that the words state no facts
    reasons: Sequence[CheckReason]  # why the drafter went on in spite of a warning
    overrides: Sequence[CheckOverride]  # what a duty lead let pass
    lists: Mapping[int, recipients.Shown]  # by account, who gets its part and what they see
    translations: Sequence[Standing]  # which texts say the same in two languages, and who says so

    def local(self, moment: datetime) -> str:
        """A moment as clocks show it where the voice is."""
        return f"{moment.astimezone(self.zone):%a %-d %b, %H:%M %Z}"

    @property
    def level_names(self) -> Mapping[str, str]:
        """What each level of verification means."""
        return VERIFICATION


def sheet_of(session: Session, version: MessageVersion, desk: ZoneInfo) -> Sheet:
    """The sheet of a version with content; ``desk`` is the zone for a voice that named none."""
    campaign, voice = version.message.campaign, version.message.voice
    limits = next(iter(history(session, voice)), None)
    plan = newest(campaign)
    claims = plan.claims if plan is not None else []
    send_at = send_time(version.content)
    mine = select(CheckReason).where(CheckReason.version_id == version.id)
    let = select(CheckOverride).where(CheckOverride.message_id == version.message_id)
    confirmation = campaign.confirmation
    alerts = alerts_on(session, confirmation.flag) if confirmation is not None else []
    grades = [one for alert in alerts if not alert.exercise for one in alert.verifications]
    return Sheet(
        version=version,
        send_at=send_at,
        until=send_until(version.content),
        zone=ZoneInfo(limits.zone) if limits is not None else desk,
        strategy=STRATEGIES[campaign.strategy],
        confirmation=confirmation,
        verification=max(grades, key=lambda one: one.id, default=None),
        sure=[one for one in claims if one["level"] in PUBLIC_LEVELS],
        unsure=[one for one in claims if one["level"] not in PUBLIC_LEVELS],
        no_claims=plan is not None and plan.no_claims,
        reasons=session.scalars(mine.order_by(CheckReason.number, CheckReason.id)).all(),
        overrides=session.scalars(let.order_by(CheckOverride.number, CheckOverride.id)).all(),
        lists={
            part["account"]: recipients.shown(session, part, send_at)
            for part in version.content["parts"]
            if part["platform"] in LISTED
        },
        translations=standings(session, version.content, version.message),
    )
