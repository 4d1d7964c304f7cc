"""What messages call for: those that wait, were answered, were released or are posted by hand."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload

from campaigns.drafting.messages import all_submissions
from campaigns.models import Decline, Message, MessageVersion, Release
from campaigns.sending import share_packs
from campaigns.wording.content import send_time
from desk.models import Channel, Notice
from desk.notices.timing import RECENT, loud, times
from desk.wording import CRITICAL, HIGH


def of_approvals(
    session: Session, held: list[Channel], zone: ZoneInfo, now: datetime
) -> Iterator[Notice]:
    """For each message that waits for its leader, a notice to every channel of theirs."""
    versions = [one for one in all_submissions(session) if send_time(one.content) > now]
    made = select(Notice.channel_id, Notice.version_id).where(
        Notice.version_id.in_([one.id for one in versions])
    )
    known = {(channel_id, version_id) for channel_id, version_id in session.execute(made)}
    for version in versions:
        for channel in held:
            leads = channel.person_id == version.message.voice.leader_id
            if not leads or not channel.person.may("leader"):
                continue
            if (channel.id, version.id) not in known:
                # Only one person can answer, and before a certain time: no digest for that.
                due = times(now, loud(channel, zone, now))
                yield Notice(channel=channel, kind="approval", version=version, level=HIGH, **due)


def of_answers(
    session: Session, held: list[Channel], zone: ZoneInfo, now: datetime
) -> Iterator[Notice]:
    """For each no of a leader, a notice to every channel of who wrote the words or submitted them.

    Not where somebody wrote the next version already: the answer was read.
    """
    newer = aliased(MessageVersion)
    followed = exists().where(
        newer.message_id == MessageVersion.message_id, newer.number > MessageVersion.number
    )
    declines = session.scalars(
        select(Decline)
        .join(Decline.version)
        .where(Decline.at > now - RECENT, ~followed)
        .options(contains_eager(Decline.version).joinedload(MessageVersion.submission))
        .order_by(Decline.id)
    ).all()
    made = select(Notice.channel_id, Notice.decline_id).where(
        Notice.decline_id.in_([one.id for one in declines])
    )
    known = {(channel_id, decline_id) for channel_id, decline_id in session.execute(made)}
    for decline in declines:
        for channel in held:
            if channel.person_id in _answered(decline) and (channel.id, decline.id) not in known:
                due = times(now, loud(channel, zone, now))
                yield Notice(channel=channel, kind="answer", decline=decline, level=HIGH, **due)


def _answered(decline: Decline) -> set[int]:
    """Who waits for a leader's word: the drafter, and who laid the words before the leader."""
    submission = decline.version.submission
    waiting = {decline.version.drafted_by} | ({submission.by} if submission else set())
    return waiting - {decline.by}


def of_releases(session: Session, held: list[Channel], now: datetime) -> Iterator[Notice]:
    """For each release in an emergency, a notice to every channel of its leader, by night too."""
    lately = (Release.released_at > now - RECENT, Release.review.is_(None))
    version = joinedload(Release.version).joinedload(MessageVersion.message)
    query = select(Release).where(*lately).options(version.joinedload(Message.voice))
    released = session.scalars(query.order_by(Release.id)).all()
    made = select(Notice.channel_id, Notice.release_id).where(
        Notice.release_id.in_([one.id for one in released])
    )
    known = {(channel_id, release_id) for channel_id, release_id in session.execute(made)}
    for one in released:
        for channel in held:
            leads = channel.person_id == one.version.message.voice.leader_id
            if leads and (channel.id, one.id) not in known:
                due = times(now, now)
                yield Notice(channel=channel, kind="release", release=one, level=CRITICAL, **due)


def of_shares(
    session: Session, held: list[Channel], zone: ZoneInfo, now: datetime
) -> Iterator[Notice]:
    """For each post by hand whose time has come, a notice to every channel of those who may make
    it, and another before it is too late."""
    packs = share_packs.due(session, now)
    posting = share_packs.posting(session, {one.account.voice for one in packs})
    made = select(Notice.channel_id, Notice.delivery_id, Notice.kind).where(
        Notice.delivery_id.in_([one.id for one in packs])
    )
    known = {(channel, pack, kind) for channel, pack, kind in session.execute(made)}
    for pack in packs:
        kind = "share again" if now >= share_packs.last_call(pack) else "share"
        for channel in held:
            posts = channel.person_id in posting[pack.account.voice_id]
            if posts and (channel.id, pack.id, kind) not in known:
                due = times(now, loud(channel, zone, now))
                yield Notice(channel=channel, kind=kind, delivery=pack, level=HIGH, **due)
