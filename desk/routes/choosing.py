"""What stands beside the choice of an answer: the tipping point, and whether anything may be said.

Its form is part of a narrative's page; desk/routes/campaigns.py takes it.
"""

from collections.abc import Sequence
from typing import Any

from campaigns import campaigns
from campaigns.models import Campaign
from desk.pages import Visit
from monitor.models import FlagDecision, Narrative
from monitor.narratives.counted import Counted
from monitor.narratives.portrait import Portrait
from monitor.narratives.tipping import tipping

CHOOSING = ("comms", "admin")  # who may choose


def section(
    visit: Visit,
    narrative: Narrative,
    face: Portrait,
    answers: Sequence[Campaign],
    told: Counted,
    confirmation: FlagDecision | None,
    asked: bool,
) -> dict[str, Any]:
    """What the section on a narrative's own page needs; ``answers`` with the newest first.

    ``confirmation``: flags.confirmation_of, which the page has read already; ``asked``: whether a
    second person looks at it.
    """
    now = visit.now
    may = visit.person.may(*CHOOSING)
    again = (now + campaigns.USUAL_HOLD).astimezone(visit.wiring.zone)
    return {
        "choosing": may,
        "why_not": campaigns.why_not(visit.session, confirmation, now, asked),
        "tipping": tipping(narrative, told, len(face.waves)) if may else None,
        "holding": campaigns.holding(answers),
        "look_again": f"{again:%Y-%m-%d}",
    }
