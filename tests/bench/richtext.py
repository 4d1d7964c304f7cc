"""What becomes of a text on its way out: ``python -m tests.bench.richtext --data FILE.jsonl``.

Each line of the file is a JSON string, or an object with a ``text``. For each, one JSON line:

    line, and id and name where given
    facets      [{byteStart, byteEnd, type, value}], clickable on Bluesky. A mention is listed by
                its handle; the record holds it only if somebody knows its DID (``in_record``)
    graphemes   characters as a reader sees them
    bytes       of the UTF-8 form
    encoding    of the SMS: GSM-7 or UCS-2
    segments    of the SMS
    characters  of the SMS, as Twilio counts them
    unicode_scalars  code points
    segment_units    units in each segment, and ``units_left`` in each
    agrees      for every figure that the line itself asserts (bytes, graphemes, clusters, encoding,
                segments, characters, unicode_scalars, message_bits): is ours the same?

A line that cannot be read gets ``{"line": …, "error": …}`` and the rest goes on. Last on standard
error: how many lines, how many errors, and the agreement of each figure.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from campaigns.wording.graphemes import clusters
from campaigns.wording.richtext import spans
from campaigns.wording.sms import GSM_7, as_sms

BITS = {True: 7, False: 16}  # of a unit: GSM-7 or not
ECHOED = ("id", "name")
COMPARED = (
    *("bytes", "graphemes", "clusters", "encoding", "segments", "characters", "unicode_scalars"),
    "message_bits",
)


def measured(text: str) -> dict[str, Any]:
    """Every figure of one text. UnicodeEncodeError for half a surrogate pair."""
    size = len(text.encode())
    sms, cut = as_sms(text), clusters(text)
    return {
        "facets": [
            {"byteStart": span.start, "byteEnd": span.end, "type": span.kind, "value": span.value}
            | ({"in_record": False} if span.kind == "mention" else {})
            for span in spans(text)
        ],
        "graphemes": len(cut),
        "bytes": size,
        "encoding": sms.encoding,
        "segments": sms.segments,
        "characters": sms.characters,
        "unicode_scalars": len(text),
        "segment_units": list(sms.used),
        "units_left": [sms.room - used for used in sms.used],
    }


def compared(found: dict[str, Any], text: str, asserted: dict[str, Any]) -> dict[str, bool]:
    """For each figure the line asserts itself whether ours is the same."""
    units = sum(found["segment_units"])
    ours = found | {
        "clusters": [[f"{ord(sign):04X}" for sign in cut] for cut in clusters(text)],
        "message_bits": units * BITS[found["encoding"] == GSM_7],
    }
    return {key: ours[key] == asserted[key] for key in COMPARED if key in asserted}


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """One answer for each line that is not blank."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if not raw.strip():
                continue
            try:
                said = json.loads(raw.decode("utf-8"))
                record = {"text": said} if isinstance(said, str) else said
                if not isinstance(record, dict) or not isinstance(record.get("text"), str):
                    raise ValueError("neither a string nor an object with a text")
                found = measured(record["text"])
            except (ValueError, RecursionError) as fault:
                yield {"line": number, "error": f"{type(fault).__name__}: {fault}"}
                continue
            answer = {"line": number} | {key: record[key] for key in ECHOED if key in record}
            agrees = compared(found, record["text"], record)
            yield answer | found | ({"agrees": agrees} if agrees else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, action="append")
    for path in parser.parse_args().data:
        count, wrong, asked, same = 0, 0, Counter[str](), Counter[str]()
        for answer in lines(path):
            print(json.dumps(answer, ensure_ascii=False), flush=True)
            count += 1
            wrong += "error" in answer
            asked.update(answer.get("agrees", {}).keys())
            same.update(key for key, agreed in answer.get("agrees", {}).items() if agreed)
        figures = ", ".join(f"{key} {same[key]}/{asked[key]}" for key in COMPARED if asked[key])
        print(f"{path.name}: {count} lines, {wrong} errors; {figures}", file=sys.stderr)


if __name__ == "__main__":
    main()
