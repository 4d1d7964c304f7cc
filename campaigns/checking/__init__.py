"""The checks that need a text and little else, by the field's checklist of 24 (domain report 6.4).

Each is a function that takes the words, and what else it must know, and answers one ``Check``: what
is wrong and how to mend it. None reads the database; ``checks`` beside them gathers what they need.
"""

import hashlib
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Check:
    """One check and what it found. ``problem`` is empty when the draft passes."""

    number: int  # in the field's checklist of 24
    name: str
    blocks: bool  # else it only warns, and asks for a written reason
    problem: str = ""
    mend: str = ""
    where: tuple[str, ...] = ()  # in which parts of the message; empty: in the whole
    overridable: bool = False  # the duty lead may let it pass, with a reason
    note: str = ""  # why it passes where that is not plain: it does not apply, or was let pass

    @property
    def passed(self) -> bool:
        return not self.problem

    @property
    def key(self) -> str:
        """Names this finding in a form: other words of the same check are another finding."""
        return key_of(self.number, self.problem)

    def at(self, where: str) -> "Check":
        """The same, saying in which part of the message."""
        return replace(self, where=(*self.where, where))


def key_of(number: int, finding: str) -> str:
    """``Check.key`` of a finding that was kept: its check's number and its words."""
    return f"{number}_{hashlib.sha256(finding.encode()).hexdigest()[:12]}"


def listed(words: list[str]) -> str:
    """Words in quotation marks and commas, for a sentence of a check."""
    return ", ".join(f"“{word}”" for word in words)
