"""Times that a text names, in English and Spanish, as moments that are to come.

A cheap pattern finds the words; days go to the library dateparser, one at a time and in words that
it knows. Searching whole texts with it is slow, and it sees dates in "may", "second" and "on"; it
takes "Saturday at 9" for September and "9 pm" for nothing, so hours are read here.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import dateparser  # type: ignore[import-untyped, unused-ignore]

from monitor.reading.cues import _re

# A day without an hour stands for its morning: late in the evening before, that is not "now" yet.
DAY_BEGINS = 6.0
DAY_ENDS = 24 - 1 / 3600
PARTS = {"morning": 9.0, "afternoon": 15.0, "evening": 18.0, "night": 20.0}
SPOKEN = {"n": 12.0, "mediod": 12.0, "mi": 24.0, "medianoche": 24.0, "da": 6.0, "du": 18.0}
# How soon, by the codebook; "within the hour" is now.
REACH = {"now": timedelta(hours=1), "48h": timedelta(hours=48), "7d": timedelta(days=7)}
PAST = "in the past"  # the label of a time that is over
# Where no moment can be told: the labels, and how soon each is.
WORDS_ALONE = {
    "right now": "now",
    "today or tomorrow": "48h",
    "within a week": "7d",
    "on a date": "unspecified",
    PAST: "none",
}
# People write EST all year round and mean the clock on the wall.
ZONES = {
    "E": ZoneInfo("America/New_York"),
    "C": ZoneInfo("America/Chicago"),
    "M": ZoneInfo("America/Denver"),
    "P": ZoneInfo("America/Los_Angeles"),
    "U": UTC,
    "G": UTC,
}
Named = tuple[int, int, str, str]  # start, end, value, label

_DAYS = "(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_DIAS = "(?:lunes|martes|mi[eé]rcoles|jueves|viernes|s[aá]bado|domingo)"
_MONTHS = r"""(?:january|february|(?-i:March|May|MARCH|MAY)|april|june|july|august|september|october
    |november|december|(?:jan|feb|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?)"""
_MESES = r"""(?:enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|
    diciembre)"""
_PART = r"(?: (?:morning|afternoon|evening|night))?"
_PARTE = r"(?: (?:por|en) la (?:mañana|tarde|noche))?"
_COUNT = r"(?:\d{1,2}|an?|one|two|three|four|five|six|un|una|dos|tres|cuatro|cinco|seis)"
COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
COUNTS |= {"dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6}
_HALF = r"(?:[ap]m\b(?! I\b)|[ap]\.m\b\.?|de la (?:mañana|tarde|noche|madrugada)\b)"
_ZONE = r"(?: (?-i:[ECMP][SD]?T|UTC|GMT)\b)"
_SPOKEN = r"(?:noon|midnight|dawn|dusk|mediod[ií]a|medianoche)"
TIMES = _re(
    rf"""(?<![\w'/:.-])(?:
    (?P<now>right now\b|(?:on|en) (?:my|our) way\b(?! (?:home|back|to (?:work|bed|the gym))\b)
    |this (?:very )?(?:minute|instant|second)\b|ahora mismo\b|(?:voy|vamos|estamos) en camino\b
    |en este (?:mismo )?(?:momento|instante)\b)
    |(?P<past>yesterday{_PART}\b|last (?:night|week(?:end)?|{_DAYS}{_PART})\b
    |{_COUNT} (?:minute|hour|day|week|month|year)s? ago\b|(?:ante)?ayer\b|anoche\b|{_DIAS} pasado\b
    |hace {_COUNT} (?:minuto|hora|d[ií]a|semana|mes|año)(?:e?s)?\b)
    |(?P<after>(?!in an? (?:day|week))
    (?:in|within|en|dentro de) (?:the next |las próximas |los próximos )?
    (?P<count>{_COUNT}) (?P<unit>min(?:ute|uto)|hour|hora|day|d[ií]a|week|semana)s?\b)
    |(?P<day>(?:today|tonight|this (?:morning|afternoon|evening)|tomorrow{_PART})\b(?!'s)
    |the day after tomorrow\b|(?:this|next) week(?:end)?\b
    |(?<!black )(?<!good )(?<!bloody )(?<!super )(?<!cyber ){_DAYS}{_PART}\b(?!'s| school)
    |(?-i:Mon|Tues?|Wed|Thu(?:rs)?|Fri|Sat|Sun)\b\.?
    (?=,? (?:at |@ ?)?\d{{1,2}}(?::\d\d)? ?[ap]\.?m)
    |{_MONTHS} \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? (?:19|20)\d\d\b)?
    (?! (?:miles|km|blocks|people|men)\b)
    |\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTHS}\b(?:,? (?:19|20)\d\d\b)?
    |20\d\d-\d\d-\d\d\b|(?<=\bon )\d{{1,2}}/\d{{1,2}}(?:/(?:20)?\d\d)?\b
    |hoy\b(?! en d[ií]a)|esta (?:noche|tarde|mañana)\b|pasado mañana\b
    |(?<!\bla )mañana{_PARTE}\b|(?:este|el|el pr[oó]ximo) fin de semana\b
    |(?:esta|la pr[oó]xima) semana\b|{_DIAS}{_PARTE}\b
    |\d{{1,2}} de {_MESES}\b(?: (?:de|del) 20\d\d\b)?)
    |(?P<clock>(?:(?:at|by|around|before|a las?|@) ?)?
    (?P<h>\d{{1,2}})(?::(?P<m>[0-5]\d))? ?(?P<half>{_HALF})
    |(?P<oh>\d{{1,2}}) ?o'clock\b
    |(?:at|by|around|a las?|@) (?P<th>\d{{1,2}}):(?P<tm>[0-5]\d)(?![\d:])
    |(?:at|by|around|before|al?|@) (?P<spoken>{_SPOKEN})\b)(?P<zone>{_ZONE})?
    |(?P<weak>(?:at|by|around|a las?|@) ?(?P<wh>\d{{1,2}})\b(?![:%/'.,-]?\d|%)
    |(?P<vh>\d{{1,2}}):(?P<vm>[0-5]\d)(?![\d:])|(?P<nh>\d{{1,2}})(?= tonight)
    |(?P<wspoken>{_SPOKEN})\b)(?P<wzone>{_ZONE})?)"""
)
GLUE = _re(r"(?:[ ,]{1,2}(?:at|on|by|around|@|el|este|this|next|de|a|al)?[ ,]?){0,2}")
DAY_PART = _re(
    r" (?:(?:por|en) la )?(?:morning|afternoon|evening|night|tarde|noche)$| (?:por|en) la mañana$"
)
PART_WORDS = {
    "night": re.compile(r"night|noche", re.IGNORECASE),
    "afternoon": re.compile(r"afternoon|tarde", re.IGNORECASE),
    "evening": re.compile(r"evening", re.IGNORECASE),
    "morning": re.compile(r"morning|(?:la|esta) mañana|madrugada", re.IGNORECASE),
}
WEEKDAYS = "mon tue wed thu fri sat sun lun mar mié jue vie sáb dom mon mar mie jue vie sab dom"
# What dateparser does not know, in words that it does.
SAID = {
    **dict.fromkeys(("tonight", "this", "esta", "esta mañana", "hoy"), "today"),
    **dict.fromkeys(("the day after tomorrow", "pasado mañana"), "in 2 days"),
    **dict.fromkeys(("this weekend", "este fin de semana", "el fin de semana"), "saturday"),
    **dict.fromkeys(("next weekend", "el próximo fin de semana"), "saturday"),
    **dict.fromkeys(("next week", "la próxima semana", "la proxima semana"), "monday"),
}


def named_times(text: str, posted_at: datetime | None) -> Iterator[Named]:
    """Times named: each with its moment in UTC, or "", and a label that says it in words.

    Pieces that stand together ("Saturday, 28 November at 9 pm") are one.
    """
    run: list[re.Match[str]] = []
    for piece in TIMES.finditer(text):
        together = run and GLUE.fullmatch(text, run[-1].end(), piece.start())
        alike = _alone(piece) or any(_alone(one) for one in run)
        hours = [one for one in (*run, piece) if not one["day"]]
        if run and (not together or alike or len(hours) > 1):
            yield from _time(run, posted_at)
            run = []
        run.append(piece)
    if run:
        yield from _time(run, posted_at)


def _alone(piece: re.Match[str]) -> bool:
    return bool(piece["now"] or piece["past"] or piece["after"])


def _time(run: list[re.Match[str]], posted_at: datetime | None) -> Iterator[Named]:
    """The time that a run of pieces names; none for an hour that could be any number."""
    piece = run[0]
    days = [one["day"] for one in run if one["day"]]
    hour = next((one for one in run if one["clock"] or one["weak"]), None)
    span = (piece.start(), run[-1].end())
    if hour is not None and not days and hour["weak"]:
        return
    if piece["past"]:
        yield *span, "", PAST
        return
    # A date is told more exactly than a weekday beside it.
    day = next((one for one in days if any(c.isdigit() for c in one)), days[0] if days else "")
    moment = None
    if posted_at is not None:
        try:
            moment = _moment(piece, day.lower(), hour, posted_at)
        except (ValueError, OverflowError):  # hour 31, or at the end of the calendar
            moment = None
    if moment is not None and not piece["now"]:
        label = f"{moment:%A} {moment.day} {moment:%B %Y}"
        if hour is not None or piece["after"]:
            label += f", {moment:%H:%M %Z}".rstrip()
    else:
        label = _alone_in_words(piece, day.lower())
    value = moment.astimezone(UTC).isoformat() if moment else ""
    yield *span, value, label


def _alone_in_words(piece: re.Match[str], day: str) -> str:
    """How soon by the words alone."""
    if piece["now"]:
        return "right now"
    if piece["after"]:
        ahead = _after(piece)
        return "today or tomorrow" if ahead <= REACH["48h"] else "within a week"
    if re.search(r"to(?:day|night|morrow)|hoy|mañana|this (?:m|a|e)|esta (?:n|t)", day):
        return "today or tomorrow"
    return "on a date" if any(c.isdigit() for c in day) else "within a week"


def _after(piece: re.Match[str]) -> timedelta:
    """ "in two hours": how long that is."""
    count = piece["count"].lower()
    number = COUNTS.get(count) or (int(count) if count.isdecimal() else 1)
    unit = {"m": "minutes", "h": "hours", "d": "days"}.get(piece["unit"][0].lower(), "weeks")
    return timedelta(**{unit: number})


def _moment(
    piece: re.Match[str], day: str, clock: re.Match[str] | None, posted_at: datetime
) -> datetime | None:
    """The first such moment that is to come, in the zone named or else that of the post."""
    if piece["now"]:
        return posted_at
    if piece["after"]:  # as many hours as the clock runs, over a change to summer time too
        return (posted_at.astimezone(UTC) + _after(piece)).astimezone(posted_at.tzinfo)
    named = clock and (clock["zone"] or clock["wzone"])
    zone = ZONES[named.strip()[0]] if named else posted_at.tzinfo
    base = posted_at.astimezone(zone).replace(tzinfo=None)
    today = base.replace(hour=0, minute=0, second=0, microsecond=0)
    words = clock.group() if clock else ""
    part = next((p for p, word in PART_WORDS.items() if word.search(f"{day} {words}")), "")
    hour = _hour(clock, part) if clock else None

    plain = DAY_PART.sub("", day) or "today"
    plain = SAID.get(" ".join(plain.split()), plain)
    if "week" in plain or "semana" in plain:
        return None
    weekday = None if any(c.isdigit() for c in plain) else _weekday(plain)
    weekend = weekday is not None and "s" in day and ("weekend" in day or "fin de" in day)
    if weekday == base.weekday() or (weekend and base.weekday() == 6):
        date = today  # "Saturday" said on a Saturday: the sooner
    else:
        settings = {"RELATIVE_BASE": today, "PREFER_DATES_FROM": "future"}
        found = dateparser.parse(plain, languages=["en", "es"], settings=settings)
        if found is None:
            return None
        date = found.replace(tzinfo=None)
    if "next weekend" in day or "próximo fin" in day:
        date += timedelta(days=7)
    if hour is None:
        hour = PARTS.get(part, DAY_ENDS if date == today else DAY_BEGINS)
    moment = date + timedelta(hours=hour)
    if moment < base and date == today:
        moment = _still_to_come(moment, base, day, clock, weekday is not None, zone)
    return moment.replace(tzinfo=zone)


def _still_to_come(
    moment: datetime,
    base: datetime,
    day: str,
    clock: re.Match[str] | None,
    weekday: bool,
    zone: tzinfo | None,
) -> datetime:
    """What an hour of today that has passed still means."""
    ends = base.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(hours=DAY_ENDS)
    if clock is None:  # "tonight" at midnight less ten; "this morning" in the evening is past
        return moment if re.search("morning|afternoon|mañana|tarde", day) else max(ends, base)
    if not day:
        return moment + timedelta(days=1)
    half_day = moment + timedelta(hours=12)
    if clock["weak"] and half_day.date() == moment.date() and half_day >= base:
        return half_day  # "today at 9", said at noon
    # A post in UTC comes from a place unknown, in America hours behind: there the hour is ahead.
    if zone is UTC or not base.replace(tzinfo=zone).utcoffset():
        return max(ends, base)
    return moment + timedelta(days=7) if weekday else moment


def _weekday(plain: str) -> int | None:
    names = WEEKDAYS.split()
    return names.index(plain[:3]) % 7 if plain[:3] in names else None


def _hour(clock: re.Match[str], part: str) -> float:
    """Hours since the midnight that begins the day; ValueError for no hour of any clock."""
    spoken = (clock["spoken"] or clock["wspoken"] or "").lower()
    if spoken:
        return next(hour for word, hour in SPOKEN.items() if spoken.startswith(word))
    names = ("h", "oh", "th", "wh", "vh", "nh")
    hour = int(next(clock[name] for name in names if clock[name]))
    minute = int(clock["m"] or clock["tm"] or clock["vm"] or 0)
    half = (clock["half"] or "").lower()
    if hour > (12 if half else 23) or (half and not hour):
        raise ValueError(f"{clock.group()} is no time of day")
    if half:
        late = half.startswith("p") or half.endswith(("tarde", "noche"))
        hour = hour % 12 + 12 * late
        if hour == 12 and half.endswith("noche"):
            hour = 0
    elif hour < 12 and (part in ("afternoon", "evening") or (part == "night" and hour > 4)):
        hour += 12
    elif hour == 12 and part == "night":
        hour = 0
    elif 0 < hour < 7 and not part:  # "Saturday at 5" is the afternoon
        hour += 12
    # After midnight it is still "tonight".
    return hour + minute / 60 + (24 if part == "night" and hour < 5 else 0)
