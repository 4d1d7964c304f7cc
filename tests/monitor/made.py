"""A town of invented posts for tests of narratives: its model, its people, and what must hold."""

import itertools
import zlib
from collections import Counter, defaultdict

import numpy as np
from sqlalchemy import func, select, text

from monitor.analyse import analyse_next, consider_next
from monitor.models import DANGEROUS_LEVEL, HourlyCount, Narrative, Reading, Revision
from monitor.narratives.graph import NONE
from monitor.narratives.placing import Placer
from monitor.reading.incitement import ALARMING_LEVEL
from monitor.rises.spikes import look
from sources.models import Post

TOPICS = {
    "bridge": "bridge closed river",
    "ballots": "ballots hidden depot",
    "ferry": "ferry timetable boat",
    "school": "school bus route",
    "puente": "puente cerrado rio",  # Spanish, about the bridge
}
DANGER = "they should be shot"  # M3
WIDTH = 48


class Made:
    """A model whose vectors are made up: near where the first word is the same, else far."""

    languages = None

    def __init__(self, name="made", spread=0.5):
        self.name, self.spread = name, spread

    def embed(self, texts):
        return np.array([self.of(text) for text in texts], np.float32).reshape(-1, WIDTH)

    def of(self, text):
        rng = np.random.default_rng(zlib.crc32(text.encode()))
        vector = rng.normal(size=WIDTH) / np.sqrt(WIDTH)
        first = text.split()[0] if text.split() else ""
        if first in TOPICS:
            centre = np.eye(WIDTH)[list(TOPICS).index("bridge" if first == "puente" else first)]
            vector = centre + self.spread * vector
        return (vector / np.linalg.norm(vector)).astype(np.float32)


class Town:
    """Posts are told and read; ``placer`` is what the worker remembers."""

    def __init__(self, sessions, say, now, size=8_000, embedder=None):
        self.sessions, self.say, self.now = sessions, say, now
        self.embedder, self.size = embedder or Made(), size
        self.numbers = itertools.count(1)
        self.restart()

    def restart(self):
        self.placer = Placer(self.embedder, self.size)

    def tell(self, topic, count=1, at=None, author=None, danger=False, returned=False):
        """Different posts by as many authors about one topic; their ids."""
        texts = []
        for _ in range(count):
            n = next(self.numbers)
            words = f"{TOPICS.get(topic, topic)} word{n}"
            if danger:  # too few words in a row that others say too: no copies
                words = f"{topic} word{n} {TOPICS[topic].split()[-1]} {DANGER}"
            texts.append((author or f"author{n}", words))
        return self.post(texts, at, returned)

    def copies(self, sentence, authors, at=None):
        """One text by several; their ids."""
        return self.post([(author, sentence) for author in authors], at)

    def post(self, texts, at=None, returned=False):
        with self.sessions.begin() as session:
            posts = [self.say(session, *one, at or self.now, flush=False) for one in texts]
            for post in posts:
                post.returned = returned
            session.flush()
            return [post.id for post in posts]

    def read(self, limit=256, now=None):
        while analyse_next(self.sessions, self.embedder, now or self.now, limit, self.placer):
            pass

    def look(self, now=None):
        """A considered look, whether or not it is time."""
        placer = self.placer
        with self.sessions.begin() as session, placer.turn(session) as window:
            window.since_look = 10_000
        assert consider_next(self.sessions, placer, now or self.now)

    def watch(self, now=None):
        """Whatever gained a dangerous voice is looked at for rises."""
        with self.sessions.begin() as session:
            return look(session, now or self.now)

    def gather(self, *topics, count=6, **said):
        """Topics told, read and looked at; the id of the narrative of each."""
        posts = [self.tell(topic, count, **said) for topic in topics]
        self.read()
        self.look()
        found = [self.narrative_of(ids[0]) for ids in posts]
        assert None not in found
        assert len(set(found)) == len(topics)
        return found[0] if len(found) == 1 else found

    def narrative_of(self, post):
        with self.sessions() as session:
            return session.get_one(Reading, post).narrative_id

    def where(self, posts):
        """The narratives that these posts are in."""
        with self.sessions() as session:
            query = select(Reading.post_id, Reading.narrative_id)
            found = dict(session.execute(query.where(Reading.post_id.in_(posts))).all())
        return {found[post] for post in posts}

    def posts_of(self, narrative):
        with self.sessions() as session:
            return set(
                session.scalars(select(Reading.post_id).where(Reading.narrative_id == narrative))
            )

    def narrative(self, narrative):
        with self.sessions() as session:
            return session.get(Narrative, narrative)

    def standing(self):
        with self.sessions() as session:
            return set(session.scalars(select(Narrative.id).where(Narrative.merged_into.is_(None))))

    def window(self, do=lambda window: None):
        with self.sessions.begin() as session, self.placer.turn(session) as window:
            do(window)
            return window

    def act(self, verb, *args, by=1):
        """A person's deed in a session of its own; narratives and revisions by their ids.

        Ids are told by ("n", id) and ("r", id).
        """
        kinds = {"n": Narrative, "r": Revision}
        with self.sessions.begin() as session:
            found = [
                session.get_one(kinds[arg[0]], arg[1]) if isinstance(arg, tuple) else arg
                for arg in args
            ]
            result = verb(session, *found, by, self.now)
            session.flush()
            return None if result is None else result.id

    def revisions(self, **wanted):
        with self.sessions() as session:
            rows = session.scalars(select(Revision).filter_by(**wanted).order_by(Revision.id))
            return rows.all()

    def check(self, counted=True, full=True):
        """What holds at any time. ``counted``: nothing was deleted or hidden and returned."""
        with self.sessions() as session:
            narratives = {one.id: one for one in session.scalars(select(Narrative))}
            rows = session.execute(
                select(Reading, Post.author).join(Post, Post.id == Reading.post_id)
            ).all()
            hours = {
                (row.narrative_id, row.hour): (
                    row.posts,
                    row.authors,
                    row.dangerous_posts,
                    row.dangerous_authors,
                    row.alarming_authors,
                )
                for row in session.scalars(select(HourlyCount))
            }
            idle = session.scalar(
                select(func.count())
                .select_from(text("pg_stat_activity"))
                .where(text("state like 'idle in transaction%' and pid <> pg_backend_pid()"))
            )
        assert idle == 0
        held = Counter(reading.narrative_id for reading, _ in rows)
        for one in narratives.values():
            if one.merged_into is not None:
                assert narratives[one.merged_into].merged_into is None  # never a chain
                assert not held[one.id]
                assert one.size == 0
            elif one.settled_at is None:
                assert held[one.id]  # a young one without posts vanishes
            assert one.size >= 0
            assert one.merged_into is not None or one.title
        assert all(min(counts) >= 0 and counts[0] > 0 for counts in hours.values())
        sums = Counter()
        for (narrative, _), counts in hours.items():
            sums[narrative] += counts[0]
        assert all(sums[one.id] == one.size for one in narratives.values())
        if counted:
            assert hours == recount(rows)
            for one in narratives.values():
                if one.merged_into is None:
                    assert held[one.id] == one.size > 0, (one.id, one.title)
        if full:
            window = self.window()
            groups = {}
            for reading, _ in rows:
                groups.setdefault(reading.copy_of, set()).add(reading.narrative_id)
            for group, story in window.posts().items():
                assert groups[group] == {None if story == NONE else story}, group
            assert set(window.stories) == {
                one.id for one in narratives.values() if one.merged_into is None
            }


def recount(rows):
    """The counts of hours from scratch."""
    cells = defaultdict(list)
    for reading, author in rows:
        if reading.narrative_id is not None:
            cells[reading.narrative_id, reading.hour].append((reading, author))
    return {
        cell: (len(some), voices(some), len(bad), voices(bad), voices(worse))
        for cell, some in cells.items()
        for bad in [[one for one in some if one[0].level >= DANGEROUS_LEVEL]]
        for worse in [[one for one in some if one[0].level >= ALARMING_LEVEL]]
    }


def voices(some):
    return min(len({author for _, author in some}), len({reading.copy_of for reading, _ in some}))
