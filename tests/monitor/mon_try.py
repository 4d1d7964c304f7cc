import json
import os
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

import monitor.assignment as A
from monitor import narratives
from monitor.analyse import analyse_next
from monitor.models import *

A.ASSIGN = float(os.environ.get("ASG", ".55"))
A.SEED = float(os.environ.get("SED", ".55"))


def test_town(sessions, embedder, say, now):
    lines = [json.loads(l) for l in Path("sources/example_town.jsonl").read_text().splitlines()]
    start = now - timedelta(minutes=lines[-1]["minute"])
    t = time.time()
    k = 0
    for i in range(0, len(lines), 32):
        with sessions.begin() as s:
            for l in lines[i : i + 32]:
                say(s, l["author"], l["text"], start + timedelta(minutes=l["minute"]))
        while analyse_next(sessions, embedder, start + timedelta(minutes=l["minute"])):
            k += 1
    print(time.time() - t, k)
    with sessions() as s:
        for r in narratives.list_narratives(s):
            print(
                r.narrative.id,
                r.narrative.title,
                r.narrative.size,
                "M",
                r.level,
                round(r.dangerous_share, 2),
                "today",
                r.posts_today,
                "flag" if r.flag else "",
            )
        for f in s.scalars(select(Flag)):
            print(f.narrative_id, f.hour, f.observed, f.expected, f.p_value)
            for x in f.reasons:
                print("   ", x)
        for r in narratives.list_narratives(s)[:3]:
            print(
                [
                    (h.hour.hour, h.dangerous_authors)
                    for h in narratives.hourly_series(s, r.narrative)
                    if h.dangerous_authors
                ]
            )
        for n in s.scalars(select(Narrative).order_by(Narrative.size.desc())):
            print("##", n.title, n.size)
            for rd in narratives.posts_of(s, n, 300)[:: (3 if n.size > 100 else 1)]:
                print("   M%d" % rd.level, rd.post.text[:110])
        print("## UNASSIGNED dangerous")
        for rd in s.scalars(
            select(Reading).where(Reading.narrative_id.is_(None), Reading.level >= 1)
        ):
            print("  M%d" % rd.level, rd.post.text)
        print(
            "## UNASSIGNED count",
            len(s.scalars(select(Reading).where(Reading.narrative_id.is_(None))).all()),
        )
