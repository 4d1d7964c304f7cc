"""Flags that the tests of this room decide, and posts that bring their narratives to a level."""

from datetime import timedelta
from itertools import count

import numpy as np
from sqlalchemy import select

from monitor.coding.codebook import MessageFields, as_stored, message_level, threat_level
from monitor.models import Flag, Narrative, Reading
from monitor.narratives.narratives import hour_of
from sources.models import Post, Source

NUMBERS = count(1)
WISHES = MessageFields(target_kind="group", act="assault", force="wish")  # M3
URGES = MessageFields(target_kind="group", act="assault", force="urge")  # M4
AT_ONCE = MessageFields(
    target_kind="group", act="assault", force="urge", imminence="now", specifics=1
)  # M4, D4 whatever the situation, and names too little for life safety


def add_flag(session, now, p_value=0.001, hour=0):
    narrative = Narrative(
        title="Depot",
        centroid=np.ones(3, dtype=np.float32),
        embedder="none",
        size=3,
        first_post_at=now,
        last_post_at=now,
        created_at=now,
    )
    session.add(narrative)
    session.flush()
    flag = Flag(
        narrative_id=narrative.id,
        hour=now - timedelta(hours=hour),
        observed=5,
        expected=0.5,
        p_value=p_value,
        reasons=[],
        detector="test",
        raised_at=now,
    )
    session.add(flag)
    session.flush()
    return flag


def say_in(session, narrative, now, text="They should be driven out with clubs", fields=URGES):
    """A post of the narrative that says so, as read."""
    source = session.scalar(select(Source))
    if source is None:
        source = Source(kind="example", address="town", name="Town", created_at=now)
        session.add(source)
        session.flush()
    number = next(NUMBERS)
    post = Post(
        source_id=source.id,
        platform="example",
        uri=f"said:{number}",
        author=f"a{number}",
        text=text,
        posted_at=now,
        collected_at=now,
    )
    session.add(post)
    session.flush()
    session.add(
        Reading(
            post_id=post.id,
            embedding=np.ones(3, dtype=np.float32),
            embedder="none",
            level=message_level(fields),
            threat_level=threat_level(fields),
            stance="asserts",
            reasons=[],
            fields=as_stored(fields),
            scorer="none",
            narrative_id=narrative.id,
            hour=hour_of(now),
            read_at=now,
        )
    )
    session.flush()
    return post


def at_four(session, now):
    """A flag on a narrative that stands at D4."""
    flag = add_flag(session, now)
    flag.narrative.settled_at = now
    say_in(session, flag.narrative, now, fields=AT_ONCE)
    return flag
