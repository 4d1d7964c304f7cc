"""A readable title for a narrative: the words that tell it from what else is said."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise, product
from math import log

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from monitor.coding import lexicon
from monitor.models import Narrative, Reading
from monitor.reading.cued import loaded
from monitor.reading.slurs import slurs_in
from monitor.reading.terms import Lexicon
from sources.models import Post

SAMPLED = 60  # the narrative's latest posts that are read
BACKGROUND = 500  # the latest other posts, against which a word is telling
TITLE_WORDS = 5  # at most
TITLE_TERMS = 3  # at most; a term is one word, or two that belong together
TOGETHER = 0.6  # share of a word's posts in which the pair stands, to count as one term
LEAST_POSTS = 2  # a word of a single post is nobody's narrative
YOUNG = 200  # posts; titles settle after that
# Whose words they are is nobody's business: handles, addresses and links never reach a title,
# those without a scheme neither (bit.ly/x, name.bsky.social, u/name).
NOISE = re.compile(
    r"https?://\S+|www\.\S+|\S*[@#]\S+|(?:[\w-]+\.)+[a-z]{2,24}\b(?:/\S*)?|(?<!\w)/?[ur]/[\w-]+",
    re.IGNORECASE,
)
HIDDEN = re.compile(r"\d")  # a word with digits within hides another, or is a name of an account
WORD = re.compile(r"[^\W\d_][\w'’-]{1,23}")
FILLERS = {  # beside the stop words of scikit-learn
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


@cache
def fillers() -> frozenset[str]:
    """Words that tell no story from another."""
    # Here, because scikit-learn takes seconds to load: each process would pay them for one list.
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS | FILLERS)


def due(size_before: int, size: int) -> bool:
    """Whether a narrative that grew needs a new title: at each doubling while it is young."""
    return size_before == 0 or (
        size_before < YOUNG and size.bit_length() > size_before.bit_length()
    )


def retitle(session: Session, *narratives: Narrative) -> None:
    """Give narratives the title their latest posts suggest, but those that a person has named."""
    unnamed = [one for one in narratives if one.named_by is None]
    if not unnamed:
        return
    barred = barred_terms(session)
    terms = cache(_terms)  # what is said beside one narrative is said beside the next
    for narrative in unnamed:
        mine, others = _said(session, narrative)
        narrative.title = make_title(mine, others, barred, terms)


def barred_terms(session: Session) -> Lexicon:
    """What the desk's lexicon says is in no title; expired entries, too.

    That a code is not reviewed does not make it fit to be read aloud.
    """
    return Lexicon(lexicon.current(session))


def has_slur(session: Session, title: str) -> bool:
    """Whether a title holds a slur, or what the desk's lexicon calls dehumanising.

    What has been retired there is a word like others.
    """
    standing = [one for one in lexicon.current(session) if one.state != "retired"]
    hits = Lexicon(standing).hits(title)
    return bool(slurs_in(title)) or any(hit.kind == lexicon.DEHUMANISING for hit in hits)


def _said(session: Session, narrative: Narrative) -> tuple[Sequence[str], Sequence[str]]:
    """The narrative's latest texts, and the latest beside it."""
    mine = session.scalars(
        select(Post.text)
        .join(Reading, Reading.post_id == Post.id)
        .where(Reading.narrative_id == narrative.id)
        .order_by(Post.posted_at.desc(), Post.id.desc())
        .limit(SAMPLED)
    ).all()
    others = session.scalars(
        select(Post.text)
        .join(Reading, Reading.post_id == Post.id)
        .where(func.coalesce(Reading.narrative_id, 0) != narrative.id)
        .order_by(Post.id.desc())
        .limit(BACKGROUND)
    ).all()
    return mine, others


def _terms(text: str) -> set[str]:
    """The words and neighbouring pairs of one text that may stand in a title."""
    plain = NOISE.sub(" ", unicodedata.normalize("NFKC", text))
    words = [word.lower().replace("’", "'") for word in WORD.findall(plain)]
    words = [word.removesuffix("'s").rstrip("'-") for word in words]
    fit = [
        "" if len(word) < 3 or word in fillers() or HIDDEN.search(word) or loaded(word) else word
        for word in words
    ]
    pairs = {f"{one} {two}" for one, two in pairwise(fit) if one and two and one != two}
    return {word for word in fit if word} | pairs


def make_title(
    posts: Sequence[str],
    others: Sequence[str],
    barred: Lexicon | None = None,
    terms: Callable[[str], set[str]] = _terms,
) -> str:
    """Three to five telling words, as "Warehouse · bus station · fire".

    No loaded word, slur, handle, address or link is among them, and no term of the lexicon that
    comes with the house or of ``barred``. Class-based TF-IDF: a word weighs by the share of
    ``posts`` that hold it and by its rarity in ``others``.
    """
    counts = Counter(term for text in posts for term in terms(text))
    elsewhere = Counter(term for text in others for term in terms(text))
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
        if _shipped().hits(term) or (barred is not None and barred.hits(term)):
            continue
        said = [word for other in (*chosen, term) for word in other.split()]
        if any(slurs_in(f"{one} {two}") for one, two in product(said, repeat=2)):
            continue  # a slur of two words neither side by side nor apart
        if " " in term and counts[term] < TOGETHER * max(counts[word] for word in term.split()):
            continue
        chosen.append(term)
        if len(chosen) == TITLE_TERMS:
            break
    title = " · ".join(chosen) or "untitled"
    return title[0].upper() + title[1:]


@cache
def _shipped() -> Lexicon:
    """The terms that come with the house, whatever a desk has done with them."""
    return Lexicon(lexicon.edition())


def _stem(word: str) -> str:
    return word.removesuffix("s")[:6]
