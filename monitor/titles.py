"""A readable title for a narrative: the words that tell it from what else is said."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import log

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from monitor.cued import loaded
from monitor.models import Narrative, Reading
from sources.models import Post

SAMPLED = 60  # the narrative's latest posts that are read
BACKGROUND = 500  # the latest other posts, against which a word is telling
TITLE_WORDS = 5  # at most
TITLE_TERMS = 3  # at most; a term is one word, or two that belong together
TOGETHER = 0.6  # share of a word's posts in which the pair stands, to count as one term
LEAST_POSTS = 2  # a word of a single post is nobody's narrative
YOUNG = 200  # posts; titles settle after that
# Whose words they are is nobody's business: handles and links never reach a title.
NOISE = re.compile(r"https?://\S+|www\.\S+|[@#]\S+", re.IGNORECASE)
WORD = re.compile(r"[^\W\d_][\w'’-]{1,23}")
FILLERS = ENGLISH_STOP_WORDS | {
    *("please", "share", "just", "like", "really", "said", "says", "say", "know", "think", "got"),
    *("going", "gonna", "want", "yes", "today", "tonight", "tomorrow", "morning", "week", "day"),
    *("people", "thing", "things", "new", "good", "bad", "way", "make", "time", "year", "years"),
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "lol", "via"),
    *("don't", "didn't", "it's", "i'm", "that's", "isn't", "can't", "won't", "doesn't", "they're"),
    *("we're", "there's", "what's", "let's", "i've", "we've", "you're", "they've", "he's", "she's"),
    *("dont", "didnt", "its", "im", "thats", "isnt", "cant", "wont", "doesnt", "theyre", "right"),
    *("look", "need", "needs", "come", "came", "goes", "does", "did", "let", "ask", "asked", "put"),
    *("post", "posts", "posted", "bring", "brings", "urging", "hour", "hours", "read", "tell"),
}


def due(size_before: int, size: int) -> bool:
    """Whether a narrative that grew needs a new title: at each doubling while it is young."""
    return size_before == 0 or (
        size_before < YOUNG and size.bit_length() > size_before.bit_length()
    )


def retitle(session: Session, narrative: Narrative) -> None:
    """Give a narrative the title its latest posts suggest, unless a person has named it."""
    if narrative.named_by is not None:
        return
    mine = session.scalars(
        select(Post.text)
        .join(Reading, Reading.post_id == Post.id)
        .where(Reading.narrative_id == narrative.id)
        .order_by(Post.posted_at.desc())
        .limit(SAMPLED)
    ).all()
    others = session.scalars(
        select(Post.text)
        .join(Reading, Reading.post_id == Post.id)
        .where(func.coalesce(Reading.narrative_id, 0) != narrative.id)
        .order_by(Post.id.desc())
        .limit(BACKGROUND)
    ).all()
    narrative.title = make_title(mine, others)


def make_title(posts: Sequence[str], others: Sequence[str]) -> str:
    """Three to five telling words, as "Warehouse · bus station · fire"; no loaded word among them.

    Class-based TF-IDF: a word weighs by the share of ``posts`` that hold it and by its rarity in
    ``others``.
    """
    mine = [_terms(text) for text in posts]
    counts = Counter(term for terms in mine for term in terms)
    elsewhere = Counter(term for text in others for term in _terms(text))
    least = min(LEAST_POSTS, len(posts))

    def weight(term: str) -> float:
        rarity = log(1 + (len(others) + 1) / (1 + elsewhere[term]))
        # Two words that belong together say more than either alone.
        return counts[term] / len(posts) * rarity * (1.3 if " " in term else 1)

    chosen: list[str] = []
    for term in sorted(counts, key=lambda term: (-weight(term), term)):
        words = {_stem(word) for word in term.split()}
        taken = {_stem(word) for other in chosen for word in other.split()}
        room = TITLE_WORDS - sum(len(other.split()) for other in chosen)
        if counts[term] < least or len(words) > room or words & taken:
            continue
        if " " in term and counts[term] < TOGETHER * max(counts[word] for word in term.split()):
            continue
        chosen.append(term)
        if len(chosen) == TITLE_TERMS:
            break
    title = " · ".join(chosen) or "untitled"
    return title[0].upper() + title[1:]


def _terms(text: str) -> set[str]:
    """The words and neighbouring pairs of one text that may stand in a title."""
    words = [word.lower().replace("’", "'") for word in WORD.findall(NOISE.sub(" ", text))]
    words = [word.removesuffix("'s").rstrip("'-") for word in words]
    fit = [
        word if len(word) > 2 and word not in FILLERS and not loaded(word) else "" for word in words
    ]
    pairs = {f"{one} {two}" for one, two in pairwise(fit) if one and two and one != two}
    return {word for word in fit if word} | pairs


def _stem(word: str) -> str:
    return word.removesuffix("s")[:6]
