"""What may be done with a platform's posts: only what somebody has said may be."""

from datetime import datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from sources import bluesky, example, feeds, reddit
from sources.collect import Intake, save_batch
from sources.collector import Batch, NewPost
from sources.example import ExampleTown
from sources.feeds import Feed
from sources.firehose import Firehose
from sources.jetstream import Jetstream
from sources.models import POLLED_KINDS, STREAMED_KINDS, Post, Source
from sources.policy import PLATFORM_OF, USES, NotAllowedError, Policies, SourcePolicy, Use
from tests.sources.conftest import AddSource

DECLARED = [bluesky.POLICY, feeds.POLICY, example.POLICY, reddit.policy("RBP-1")]


def _policy(**said: object) -> SourcePolicy:
    return SourcePolicy("here", "a rule", timedelta(days=1), "at once", **said)  # type: ignore[arg-type]


@pytest.mark.parametrize("use", USES)
def test_what_nobody_has_said_is_refused(use: Use) -> None:
    for said, may in ((None, False), (False, False), (True, True)):
        policies = Policies([_policy(**{use: said})])
        assert policies.permits("here", use) is may
        assert not any(policies.permits("here", other) for other in USES if other != use)
    assert not any(Policies([_policy()]).permits("here", any_use) for any_use in USES)


@given(
    said=st.fixed_dictionaries({use: st.sampled_from([None, False, True]) for use in USES}),
    needed=st.booleans(),
    approval=st.sampled_from([None, "", " ", "\n", "RBP-1"]),
)
def test_an_approval_that_is_needed_and_missing_is_a_no_to_everything(
    said: dict[str, bool | None], needed: bool, approval: str | None
) -> None:
    policies = Policies([_policy(**said, approval_needed=needed, approval=approval)])
    for use in USES:
        may = said[use] is True and (not needed or approval == "RBP-1")
        assert policies.permits("here", use) is may
        if may:
            policies.demand("here", use)
        else:
            with pytest.raises(NotAllowedError, match=f"from here may not be {USES[use]}"):
                policies.demand("here", use)


def test_every_use_has_words_for_the_person_who_is_refused() -> None:
    assert set(get_args(Use)) == set(USES)
    assert {use: getattr(_policy(), use) for use in USES} == dict.fromkeys(USES)


def test_a_platform_without_a_policy_is_allowed_nothing_and_keeps_nothing() -> None:
    policies = Policies(DECLARED)
    for use in USES:
        assert not policies.permits("elsewhere", use)
        with pytest.raises(NotAllowedError, match="elsewhere"):
            policies.demand("elsewhere", use)
    nothing = policies["elsewhere"]
    assert (nothing.keep, nothing.recheck, nothing.returns) == (timedelta(0), None, False)
    assert "elsewhere" not in {policy.platform for policy in policies}


def test_posts_of_a_platform_without_a_policy_are_not_stored(
    sessions: sessionmaker[Session],
    intake: Intake,
    source_of: AddSource,
    everything: int,
    now: datetime,
) -> None:
    source = source_of("feed")
    post = NewPost("a", "ann", "hello", now - timedelta(seconds=1))
    for platform, kept in (("elsewhere", []), ("web", ["web"])):
        with sessions.begin() as session:
            mine = session.get_one(Source, source.id)
            save_batch(session, mine, Batch([post], {}), platform, intake, now)
        with sessions() as session:
            assert session.scalars(select(Post.platform)).all() == kept


def test_every_kind_of_source_has_a_policy() -> None:
    policies = Policies(DECLARED)
    assert set(PLATFORM_OF) == STREAMED_KINDS | POLLED_KINDS
    for platform in PLATFORM_OF.values():
        assert policies[platform].keep > timedelta(0)
        assert policies[platform].basis
        assert policies[platform].deletions
    collectors = {
        "feed": Feed,
        "jetstream": Jetstream,
        "firehose": Firehose,
        "bluesky-search": bluesky.BlueskySearch,
        "reddit": reddit.RedditListing,
        "example": ExampleTown,
    }
    assert {kind: collector.platform for kind, collector in collectors.items()} == PLATFORM_OF


def test_the_words_of_real_people_train_nothing_and_reach_no_outside_model() -> None:
    policies = Policies(DECLARED)
    for platform in ("bluesky", "web", "reddit"):
        for use in ("llm", "training", "public_display"):
            assert not policies.permits(platform, use)  # type: ignore[arg-type]
    assert not policies.permits("bluesky", "share")
