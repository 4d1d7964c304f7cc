"""Of which kinds of group a text speaks, and what it is about: plain words, no slurs.

Kinds describe the target of a message, never its author.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ahocorasick_rs import AhoCorasick, MatchKind

# Singular forms; what adds s, es or 's is found as well. Named evenly, in English and Spanish.
GROUPS = {
    "race_ethnicity": """black people, black person, blacks, african american, white people, whites,
        white person, latino, latina, latinx, hispanic, asian, native american, indigenous, arab,
        chicano, chicana, roma, negro, indígena, asiático, blanco""",
    "religion": """muslim, islam, jew, jewish, christian, catholic, protestant, evangelical, mormon,
        hindu, sikh, buddhist, atheist, mosque, synagogue, church, temple, gurdwara, imam, rabbi,
        pastor, priest, musulmán, musulmanes, judío, cristiano, católico, evangélico, ateo, iglesia,
        mezquita, sinagoga""",
    "nationality_immigration": """immigrant, migrant, refugee, foreigner, asylum seeker, illegals,
        newcomer, mexican, haitian, somali, venezuelan, cuban, chinese, russian, ukrainian, indian,
        israeli, palestinian, iranian, nigerian, guatemalan, salvadoran, inmigrante, migrante,
        refugiado, extranjero, mexicano, haitiano, venezolano, chino, ruso, indocumentado""",
    "gender": """woman, women, girl, female, feminist, wife, wives, mother, man, men, male, mujer,
        mujeres, feminista, hombre, niña""",
    "sogi": """gay, lesbian, bisexual, transgender, trans people, trans person, trans woman,
        trans women, trans men, trans kid, queer, lgbt, lgbtq, drag queen, homosexual, lesbiana,
        personas trans, transexual""",
    "disability": """disabled, disability, deaf, blind people, autistic, wheelchair,
        discapacitado, discapacidad, sordo, autista""",
    "political_affiliation": """democrat, republican, liberal, conservative, leftist, rightist,
        socialist, communist, fascist, libertarian, progressive, maga, antifa, trump voter,
        biden voter, trumper, left-winger, right-winger, demócrata, republicano, izquierdista,
        derechista, comunista, socialista, conservador""",
    "role": """mayor, governor, senator, congressman, congresswoman, election worker, poll worker,
        clerk, official, journalist, reporter, newspaper, police, cop, sheriff, deputy, officer,
        judge, prosecutor, doctor, nurse, clinic, teacher, principal, school board, librarian,
        politician, lawmaker, alcalde, gobernador, funcionario, periodista, policía, juez, jueces,
        médico, enfermera, maestro, maestra, político""",
}  # fmt: skip
ISSUES = {
    "elections": """election, ballot, vote, voter, poll worker, polling place, recount, primary,
        elección, elecciones, voto, boleta, urna""",
    "education": "school, teacher, student, curriculum, library book, university, escuela, maestro",
    "immigration": """immigrant, migrant, refugee, border, deport, deportation, asylum, visa, ice
        agent, inmigrante, frontera, deportar""",
    "policing": "police, cop, sheriff, officer, arrest, jail, prison, policía, cárcel",
    "religion": "church, mosque, synagogue, temple, religion, iglesia, mezquita, sinagoga",
    "health": "vaccine, clinic, hospital, doctor, nurse, abortion, mask mandate, vacuna, clínica",
    "hyperlocal": """zoning, landlord, neighbor, neighbour, parking, noise, reservoir, town meeting,
        shelter on, homeowners association, vecino""",
    "personal_legal": "custody, divorce, my ex, lawsuit, restraining order, eviction, custodia",
}  # fmt: skip


@dataclass(frozen=True)
class Named:
    """A word for a kind of group, and where it stands."""

    kind: str
    start: int
    end: int


def groups_named(text: str) -> list[Named]:
    """Every word for a kind of group, in the text's order; of two that overlap the longer."""
    return [Named(*found) for found in _found(text, "groups")]


def issue_at_stake(text: str) -> str:
    """What a text is about, by most words; "unknown" where no word tells."""
    issues = [issue for issue, _, _ in _found(text, "issues")]
    return max(ISSUES, key=issues.count) if issues else "unknown"


def _found(text: str, table: str) -> list[tuple[str, int, int]]:
    kinds, automaton = _automaton(table)
    low = text.lower()
    if len(low) != len(text):  # a letter whose small form is longer: offsets would be off
        low = "".join(one if len(one.lower()) != 1 else one.lower() for one in text)
    return [
        (kinds[number], start, end)
        for number, start, end in automaton.find_matches_as_indexes(low)
        if (start == 0 or not low[start - 1].isalnum()) and _ends(low, end)
    ]


def _ends(low: str, end: int) -> bool:
    """Whether a word ends here, perhaps after the s of its plural."""
    for ending in ("", "s", "es"):
        after = end + len(ending)
        if low.startswith(ending, end) and (after == len(low) or not low[after].isalnum()):
            return True
    return False


@cache
def _automaton(table: str) -> tuple[list[str], AhoCorasick]:
    tables: Mapping[str, Mapping[str, str]] = {"groups": GROUPS, "issues": ISSUES}
    words = [
        (kind, " ".join(word.split()))
        for kind, listed in tables[table].items()
        for word in listed.split(",")
    ]
    kind = MatchKind.LeftmostLongest
    return [each for each, _ in words], AhoCorasick([word for _, word in words], matchkind=kind)
