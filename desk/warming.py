"""What the first pages would wait for: made ready at the start.

Templates are compiled, libraries loaded. Reading every city of the United States and drawing up
what finds places takes seconds; until then pages that need none of it are answered as ever.
Names of counties and states need none of it.
"""

import gc
import threading

from jinja2 import Environment

from desk import maps
from monitor.narratives.portrait import places_named
from monitor.narratives.titles import fillers

ANYWHERE = "26163"  # a county, to draw a map of


def begin(pages: Environment) -> threading.Thread:
    """Start making it ready, beside the server; a process that ends does not wait for it.

    ``pages``: whose templates.
    """
    thread = threading.Thread(target=_warm, args=(pages,), name="warming", daemon=True)
    thread.start()
    return thread


def _warm(pages: Environment) -> None:
    for name in pages.list_templates(extensions=["html"]):
        pages.get_template(name)
    fillers()
    places_named([("Detroit, Michigan", None)])
    maps.draw({ANYWHERE: (1, 1)}, {})
    # What stands now stands until the end: no collection of garbage, in the middle of somebody's
    # page, need look through its hundred thousands of objects.
    gc.collect()
    gc.freeze()
