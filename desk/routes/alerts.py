"""Alerts: what went out, to whom, who has it, and how it ended."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import Response
from starlette.datastructures import FormData

from desk import people
from desk.notices.log import told_of_alert
from desk.pages import TurnedAwayError, Typed, Visit, Visiting, local_time
from desk.routes.rabat import path_of as rabat_path
from monitor.alerts import alert_clock, alert_course, alert_lists, alerts, cap
from monitor.coding import rabat
from monitor.flags import second_looks
from monitor.models import (
    Alert,
    AlertList,
    AlertListMember,
    AlertMessage,
    AlertThreshold,
    Flag,
    RabatAssessment,
)
from monitor.narratives.portrait import places_of
from sources.places import place_of, states_and_counties

router = APIRouter(prefix="/alerts")

SENDING = ("duty lead",)  # who may send, change, take back and close
LISTING = ("duty lead", "admin")
READING = ("monitor", "duty lead", "comms", "leader", "admin")  # others read what went to them
RECENT = timedelta(days=30)
USUAL_LIFE = timedelta(hours=24)  # proposed expiry


@router.get("")
def show_all(visit: Visiting) -> Response:
    mine = None if visit.person.may(*READING) else visit.person.id
    waiting, past = alerts.open_and_closed(visit.session, visit.now - RECENT, mine)
    return visit.page(
        "alerts/list.html",
        waiting=[_row(one, visit.now) for one in waiting],
        past=[_row(one, visit.now) for one in past],
        sending=visit.person.may(*SENDING),
        **_words(),
    )


@router.get("/new")
def new(visit: Visiting, flag: int = 0) -> Response:
    visit.needs(*SENDING)
    return _form(visit, visit.find(Flag, flag) if flag else None, {})


@router.post("")
def send(visit: Visiting, form: Typed) -> Response:
    visit.needs(*SENDING)
    flag = visit.find(Flag, _number(form, "flag")) if _number(form, "flag") else None
    session = visit.session
    try:
        alert_list = session.get(AlertList, _number(form, "list"))
        if alert_list is None:
            raise ValueError("Choose who is told.")
        sent = alerts.send(
            session,
            card=_card(form),
            codes=_codes(form),
            grade=_grade(form),
            alert_list=alert_list,
            exercise="exercise" in form,
            flag=flag,
            place=_word(form, "place"),
            stated_level=_number(form, "level"),
            expires_at=_expiry(visit, form),
            by=visit.person.id,
            now=visit.now,
            why_no_test=_word(form, "why_no_test"),
        )
    except ValueError as fault:
        session.rollback()
        again = visit.find(Flag, _number(form, "flag")) if _number(form, "flag") else None
        return _form(visit, again, form, 422, str(fault))
    return visit.done(f"/alerts/{sent.id}")


@router.get("/lists")
def show_lists(visit: Visiting) -> Response:
    visit.needs(*LISTING)
    return _lists(visit)


@router.post("/lists")
def make_list(
    visit: Visiting, name: Annotated[str, Form()] = "", side: Annotated[str, Form()] = ""
) -> Response:
    visit.needs(*LISTING)
    try:
        if side not in ("live", "exercise"):
            raise ValueError("Choose whether it is for real alerts or for exercises.")
        alert_lists.make(visit.session, name, side == "exercise", visit.person.id, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _lists(visit, 422, error=str(fault), form={"name": name, "side": side})
    return visit.done("/alerts/lists")


@router.post("/lists/{list_id}/members")
def add_member(
    visit: Visiting,
    list_id: int,
    member: Annotated[int, Form()] = 0,
    tier: Annotated[int, Form()] = 1,
) -> Response:
    visit.needs(*LISTING)
    alert_list = visit.find(AlertList, list_id)
    try:
        if member not in {one.id for one in people.everyone(visit.session)}:
            raise ValueError("Choose somebody who works at this desk.")
        alert_lists.add(visit.session, alert_list, member, tier, visit.person.id, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _lists(visit, 422, error=str(fault))
    return visit.done("/alerts/lists")


@router.post("/lists/members/{member_id}/removal")
def remove_member(visit: Visiting, member_id: int) -> Response:
    visit.needs(*LISTING)
    member = visit.find(AlertListMember, member_id)
    alert_lists.remove(visit.session, member, visit.person.id, visit.now)
    return visit.done("/alerts/lists")


@router.get("/{alert_id}")
def show(visit: Visiting, alert_id: int) -> Response:
    return _page(visit, _readable(visit, alert_id))


@router.get("/{alert_id}/messages/{message_id}.xml")
def as_cap(visit: Visiting, alert_id: int, message_id: int) -> Response:
    """One message as a CAP 1.2 document, for systems that read those."""
    visit.needs(*SENDING)
    message = visit.find(AlertMessage, message_id)
    alert = visit.find(Alert, alert_id)
    earlier = [one for one in alert.messages if one.id < message.id]
    document = cap.as_cap(message, earlier, visit.wiring.settings.organisation)
    name = f"alert-{alert.id}-{message.id}.xml"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(document, media_type="application/cap+xml", headers=headers)


@router.post("/{alert_id}/acknowledgement")
def acknowledge(visit: Visiting, alert_id: int) -> Response:
    return _act(
        visit,
        _readable(visit, alert_id),
        {},
        lambda one: alert_course.acknowledge(visit.session, one, visit.person.id, visit.now),
    )


@router.post("/{alert_id}/verification")
def verify(visit: Visiting, alert_id: int, form: Typed) -> Response:
    visit.needs("monitor", *SENDING)
    return _act(
        visit,
        visit.find(Alert, alert_id),
        {"verify": form},
        lambda one: alert_course.verify(
            visit.session, one, _grade(form), visit.person.id, visit.now
        ),
    )


@router.post("/{alert_id}/response")
def respond(visit: Visiting, alert_id: int, form: Typed) -> Response:
    alert = _readable(visit, alert_id)
    stage, note = _number(form, "stage"), _word(form, "note")
    return _act(
        visit,
        alert,
        {"respond": form},
        lambda one: alert_course.respond(
            visit.session, one, stage, note, visit.person.id, visit.now
        ),
    )


@router.post("/{alert_id}/update")
def update(visit: Visiting, alert_id: int, form: Typed) -> Response:
    visit.needs(*SENDING)
    return _act(
        visit,
        visit.find(Alert, alert_id),
        {"rewriting": form},
        lambda one: alerts.update(
            *(visit.session, one, _card(form), _codes(form), _expiry(visit, form)),
            *(visit.person.id, visit.now),
        ),
    )


@router.post("/{alert_id}/cancellation")
def cancel(visit: Visiting, alert_id: int, form: Typed) -> Response:
    visit.needs(*SENDING)
    why, code = _word(form, "why"), _word(form, "code") or "false_alarm"
    return _act(
        visit,
        visit.find(Alert, alert_id),
        {"cancel": form},
        lambda one: alerts.cancel(visit.session, one, why, code, visit.person.id, visit.now),
    )


@router.post("/{alert_id}/outcome")
def close(visit: Visiting, alert_id: int, form: Typed) -> Response:
    visit.needs(*SENDING)
    code, note = _word(form, "code"), _word(form, "note")
    return _act(
        visit,
        visit.find(Alert, alert_id),
        {"close": form},
        lambda one: alert_course.close(visit.session, one, code, note, visit.person.id, visit.now),
    )


@router.post("/{alert_id}/review")
def review(visit: Visiting, alert_id: int, form: Typed) -> Response:
    visit.needs(*SENDING)
    note = _word(form, "note")
    return _act(
        visit,
        visit.find(Alert, alert_id),
        {"review": form},
        lambda one: alert_course.review(visit.session, one, note, visit.person.id, visit.now),
    )


def _act(
    visit: Visit,
    alert: Alert,
    typed: Mapping[str, FormData],
    do: Callable[[Alert], object],
) -> Response:
    """Let a person act on an alert; a refusal comes back on its page with the words kept."""
    alert_id = alert.id
    try:
        do(alert)
    except ValueError as fault:
        visit.session.rollback()
        status = 409 if isinstance(fault, alert_course.ClosedError) else 422
        return _page(visit, visit.find(Alert, alert_id), status, error=str(fault), typed=typed)
    return visit.done(f"/alerts/{alert_id}")


def _readable(visit: Visit, alert_id: int) -> Alert:
    """The alert, if it went to this person or their role reads all."""
    alert = visit.find(Alert, alert_id)
    told = visit.person.id in {one.person_id for one in alert.recipients}
    if not told and not visit.person.may(*READING):
        raise TurnedAwayError("This alert did not go to you.")
    return alert


def _page(visit: Visit, alert: Alert, status: int = 200, **context: Any) -> Response:
    passed = alert_clock.intervals(
        alert.stamps, alert.danger_level, visit.now, alert.outcome is not None
    )
    last = alert.messages[-1]
    codes = {"urgency": last.urgency, "severity": last.severity, "certainty": last.certainty}
    return visit.page(
        "alerts/one.html",
        status,
        alert=alert,
        passed=passed,
        rewritten=last.card | codes,  # what an update starts from
        stamped={one.stage for one in alert.stamps},
        told=told_of_alert(visit.session, alert.id),
        mine=next((one for one in alert.recipients if one.person_id == visit.person.id), None),
        sending=visit.person.may(*SENDING),
        verifying=visit.person.may("monitor", *SENDING),
        place=place_of(alert.place) if alert.place else None,
        threshold=_threshold(visit, alert),
        **({"error": "", "typed": {}} | _words() | context),
    )


def _threshold(visit: Visit, alert: Alert) -> tuple[str, str]:
    """What the threshold test said that an alert stands on, and why there is none; or neither."""
    row = visit.session.get(AlertThreshold, alert.id)
    if row is None:
        return "", ""
    test = row.assessment_id and visit.session.get(RabatAssessment, row.assessment_id)
    return rabat.label(test) if test else "", row.why_none


def _row(alert: Alert, now: datetime) -> tuple[Alert, list[alert_clock.Interval]]:
    passed = alert_clock.intervals(alert.stamps, alert.danger_level, now, alert.outcome is not None)
    return alert, [one for one in passed if one.running]


def _form(
    visit: Visit,
    flag: Flag | None,
    typed: Mapping[str, Any],
    status: int = 200,
    error: str = "",
) -> Response:
    """The form of a new alert, with what the flag lets the desk propose."""
    danger = alerts.danger_for(visit.session, flag, visit.now)
    level = danger.alert_level if danger else alerts.LEAST_LEVEL
    imminent = bool(danger and danger.life_safety)
    codes = cap.proposed_codes(max(level, alerts.LEAST_LEVEL), imminent, "V1")
    named = _named(visit, flag)
    proposed = {
        "place": flag.place or next((one.fips for one in named), "") if flag else "",
        "where": ", ".join(one.name.split(" — ")[0] for one in named[:3]),
        "urgency": codes.urgency,
        "severity": codes.severity,
        "certainty": codes.certainty,
        "verification": "V1",
        "reliability": "F",
        "credibility": "6",
        "expires_at": (visit.now + USUAL_LIFE).astimezone(visit.zone).strftime("%Y-%m-%dT%H:%M"),
        "level": str(alerts.LEAST_LEVEL),
    }
    return visit.page(
        "alerts/new.html",
        status,
        flag=flag,
        earlier=alerts.alerts_on(visit.session, flag) if flag else [],
        danger=danger,
        **_tested(visit, flag),
        form=proposed | dict(typed),
        again=bool(typed),
        error=error,
        lists=alert_lists.lists(visit.session),
        current=alert_lists.current,
        named=named,
        places=states_and_counties(),
        **_words(),
    )


def _tested(visit: Visit, flag: Flag | None) -> dict[str, Any]:
    """Whether the threshold test was done where a flag leads, and whether two people agree."""
    if flag is None:
        return {"test": None, "test_label": "", "test_path": "", "second": ""}
    subject = rabat.about(visit.session, flag)
    test = rabat.standing(visit.session, subject)
    return {
        "test": test,
        "test_label": rabat.label(test) if test else "",
        "test_path": rabat_path(subject),
        "second": second_looks.state_of(flag.decision) if flag.decision else "",
    }


def _named(visit: Visit, flag: Flag | None) -> list[Any]:
    """Places that a flag is about, the likeliest first."""
    if flag is None:
        return []
    if flag.place:
        return [place_of(flag.place)]
    if flag.narrative is None:
        return []
    return list(places_of(visit.session, flag.narrative))


def _lists(visit: Visit, status: int = 200, **context: Any) -> Response:
    return visit.page(
        "alerts/lists.html",
        status,
        lists=alert_lists.lists(visit.session),
        current=alert_lists.current,
        everyone=[one for one in people.everyone(visit.session) if one.left_at is None],
        tiers=alert_lists.TIERS,
        **({"error": "", "form": {}} | context),
    )


def _words() -> dict[str, Any]:
    """The scales that the pages of alerts spell out."""
    return {
        "lines": cap.CARD,
        "optional": cap.OPTIONAL,
        "urgencies": cap.URGENCIES,
        "severities": cap.SEVERITIES,
        "certainties": cap.CERTAINTIES,
        "ladder": cap.VERIFICATION,
        "unverified": cap.UNVERIFIED,
        "reliabilities": cap.RELIABILITY,
        "credibilities": cap.CREDIBILITY,
        "levels": alerts.LEVELS,
        "outcomes": alert_course.OUTCOMES,
        "stages": alert_clock.STAGES,
    }


def _word(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _number(form: Mapping[str, Any], name: str) -> int:
    text = _word(form, name)
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _card(form: FormData) -> cap.Card:
    return cap.Card(**{key: _word(form, key) for key in cap.CARD})


def _codes(form: FormData) -> cap.Codes:
    return cap.Codes(_word(form, "urgency"), _word(form, "severity"), _word(form, "certainty"))


def _grade(form: FormData) -> cap.Grade:
    return cap.Grade(
        level=_word(form, "verification"),
        reliability=_word(form, "reliability"),
        credibility=_number(form, "credibility"),
        why=_word(form, "why"),
    )


def _expiry(visit: Visit, form: FormData) -> datetime | None:
    text = _word(form, "expires_at")
    return local_time(text, visit.zone) if text else None
