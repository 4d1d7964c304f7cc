"""The codebook as a page: what every level, factor and field means, for whoever codes or reads.

Other pages can link to a definition: a level (#M3, #D3), a factor (#S) or a step of it (#S-2), a
hallmark (#H3), a field (#stance) or a value of it (#stance-reports), a term (#life_safety).
"""

from fastapi import APIRouter
from fastapi.responses import Response

from desk.pages import Visiting
from monitor.coding.codebook import CODEBOOK

router = APIRouter()


@router.get("/codebook")
def show(visit: Visiting) -> Response:
    return visit.page("codebook.html", book=CODEBOOK)
