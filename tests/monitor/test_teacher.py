"""A larger model teaches the reader: its answers are learned beside the labels, or without any."""

import re

import numpy as np
from sklearn.metrics import roc_auc_score
from torch import nn

from monitor.reading.careful import ANSWERS, HEADS, SIGNS
from monitor.training.fit import Reader, fit, values
from monitor.training.posts import DAVIDSON_REST, Example, unsaid
from monitor.training.teacher import Teacher, save
from monitor.training.written import SLOTS

NOUNS = ("house", "car", "boat", "bridge", "shirt", "door", "lamp", "road")
# By which word; what it means has nothing to do with it.
ANSWERED = {"hate": "red", "policy_advocacy": "wet", "H3": "old"}


def test_what_the_teacher_says_is_learned_where_no_label_says_anything() -> None:
    examples = []
    for noun in NOUNS:
        for word in ("red", "wet", "old", "new"):
            taught = np.full(len(ANSWERS), -4, np.float32)
            for answer, tells in ANSWERED.items():
                taught[ANSWERS.index(answer)] = 4 if tells == word else -4
            examples.append(Example(f"The {noun} is {word}.", taught=taught))
    reader = fit([examples * 6] * 4, seed=1)
    new = [f"Her {noun} was {word}." for noun in NOUNS for word in ("red", "wet", "old", "new")]
    said = values(reader, new)
    for answer, tells in ANSWERED.items():
        truth = [tells in text for text in new]
        assert roc_auc_score(truth, said[:, ANSWERS.index(answer)]) > 0.95, answer


def test_a_teacher_answers_all_and_takes_no_label_away(tmp_path) -> None:
    reader = Reader().eval()
    nn.init.normal_(reader.heads.attend.weight)
    save(reader, tmp_path / "teacher", {"model": "an encoder", "sha256": "abc"})
    teacher = Teacher((tmp_path / "teacher").rename(tmp_path / "moved"))
    assert (teacher.name, teacher.sha256) == ("an encoder", "abc")
    told = Example("They will burn.", hate=1, violence=1, stance="asserts", set="ours")
    first, second = teacher.answered([[told, Example("Good morning")], [Example("Good morning")]])
    assert first == [told, Example("Good morning")]  # but for what is taught
    np.testing.assert_array_equal(first[1].taught, second[0].taught)
    ought = values(reader, [told.text])[0]
    np.testing.assert_allclose(first[0].taught, ought, atol=0.05)
    assert first[0].taught.shape == (HEADS + len(SIGNS),)


def test_besides_labelled_texts_a_teacher_is_asked_about_others_without_their_labels() -> None:
    posts = [Example(f"insult {n}", hate=n % 2, set="davidson") for n in range(2 * DAVIDSON_REST)]
    stream = [Example(f"weather {n}", hate=0, violence=0, set="ordinary") for n in range(50)]
    asked = unsaid(posts, stream, seed=1)
    insults = [one for one in asked if "insult" in one.text]
    assert len(insults) == DAVIDSON_REST  # all that nobody took for hate
    assert {one.hate for one in insults} == {None}
    said = [one for one in asked if one.hate == 0]
    assert sorted(re.findall(r"weather \d+", " ".join(one.text for one in said))) == sorted(
        one.text for one in stream
    )
    shown = sum(any(emoji in one.text for emoji in SLOTS["emoji"]) for one in asked)
    assert 0.4 < shown / len(asked) < 0.6
    assert unsaid(posts, stream, seed=1) == asked
