"""Two people, one text: in code, and in the schema for whoever gets past the code."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from PIL import Image as Pillow
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from campaigns.approving.approvals import (
    NotYoursToApproveError,
    StaleApprovalError,
    TwoPeopleNeededError,
    approve,
    ask_change,
    decline,
    edit,
    withdraw_approval,
)
from campaigns.deliver import deliver_next
from campaigns.drafting.messages import (
    NotReadyError,
    besides_of,
    check,
    drafts,
    pictures_of,
    save_draft,
    state_of,
    submit,
)
from campaigns.models import Approval, Attempt, Delivery, Image, Message, MessageVersion
from campaigns.publishers.dry_run import DryRunPublisher
from campaigns.voices import withdraw_consent
from campaigns.wording.cards import Card
from campaigns.wording.content import FRESHNESSES, Besides, record_for, sha256_of
from campaigns.wording.media import keep_image
from campaigns.wording.threads import joined, posts_in
from tests.campaigns import cast

HOUR = timedelta(hours=1)


def submitted(session: Session, now: datetime, by: int = cast.CARL_COMMS) -> MessageVersion:
    return laid_before(session, cast.make_message(session, now), now, by)


def laid_before(
    session: Session, message: Message, now: datetime, by: int = cast.CARL_COMMS
) -> MessageVersion:
    """Submitted by Carl, whoever wrote it."""
    texts = {account.id: cast.CALM for account in message.voice.accounts}
    version = save_draft(session, message, texts, now + HOUR, by=by, now=now)
    submit(session, version, by=cast.CARL_COMMS, now=now)
    return version


def next_version(
    session: Session, version: MessageVersion, now: datetime, words: str, by: int
) -> MessageVersion:
    texts = {account.id: words for account in version.message.voice.accounts}
    return save_draft(session, version.message, texts, now + HOUR, by=by, now=now)


def test_approval_fixes_text_time_record_and_key(session: Session, now: datetime) -> None:
    version = submitted(session, now)
    approval = approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now)
    session.commit()
    (delivery,) = approval.deliveries
    assert (delivery.state, delivery.due_at) == ("scheduled", now + HOUR)
    assert delivery.sha256 == approval.sha256 == version.sha256
    assert delivery.record == record_for(version.content["parts"][0], now + HOUR)
    assert len(delivery.record_key) == 13


def test_only_the_leader_of_the_voice_decides(session: Session, now: datetime) -> None:
    version = submitted(session, now)
    for stranger in (cast.CARL_COMMS, cast.LENA_OTHER_LEADER):
        with pytest.raises(NotYoursToApproveError):
            approve(session, version, sha256=version.sha256, by=stranger, now=now)
        with pytest.raises(NotYoursToApproveError):
            decline(session, version, reason="No.", by=stranger, now=now)


def test_a_leaders_own_words_need_somebody_else_to_check_and_submit_them(
    session: Session, now: datetime
) -> None:
    shown = submitted(session, now)
    (account,) = shown.message.voice.accounts
    hers = edit(session, shown, {account.id: "Use the bridge."}, by=cast.PASTOR_PAULA, now=now)
    assert (hers.number, hers.drafted_by, state_of(hers.message)) == (2, cast.PASTOR_PAULA, "draft")
    assert hers.content["send_at"] == shown.content["send_at"]
    with pytest.raises(ValueError, match="somebody else must check"):
        submit(session, hers, by=cast.PASTOR_PAULA, now=now)
    with pytest.raises(StaleApprovalError, match="not submitted"):
        approve(session, hers, sha256=hers.sha256, by=cast.PASTOR_PAULA, now=now)
    submit(session, hers, by=cast.CORA_COMMS, now=now)
    approval = approve(session, hers, sha256=hers.sha256, by=cast.PASTOR_PAULA, now=now)
    session.commit()
    assert (approval.drafted_by, approval.checked_by) == (cast.PASTOR_PAULA, cast.CORA_COMMS)


def test_a_submission_of_ones_own_words_is_no_check(session: Session, now: datetime) -> None:
    hers = submitted(session, now, by=cast.PASTOR_PAULA)
    assert hers.submission is not None
    hers.submission.by = cast.PASTOR_PAULA  # as if somebody had got past the code
    session.flush()
    with pytest.raises(TwoPeopleNeededError):
        approve(session, hers, sha256=hers.sha256, by=cast.PASTOR_PAULA, now=now)


def test_an_edit_changes_words_and_nothing_else(session: Session, now: datetime) -> None:
    message = cast.make_message(session, now)
    cast.rehearsal_account(session, message.voice, now, handle="hope-church")
    one, other = message.voice.accounts
    shown = laid_before(session, message, now)
    for texts in ({one.id: "New."}, {one.id: "New.", other.id: " "}, {}):
        with pytest.raises(ValueError, match="Every text needs its words"):
            edit(session, shown, texts, by=cast.PASTOR_PAULA, now=now)
    same = {account.id: f" {cast.CALM}\r\n" for account in (one, other)}
    with pytest.raises(ValueError, match="changed nothing"):
        edit(session, shown, same, by=cast.PASTOR_PAULA, now=now)
    with pytest.raises(NotYoursToApproveError):
        edit(session, shown, same, by=cast.CARL_COMMS, now=now)


def test_a_change_asked_decides_the_version_and_waits_for_the_next(
    session: Session, now: datetime
) -> None:
    version = submitted(session, now)
    with pytest.raises(ValueError, match="your reason"):
        ask_change(session, version, reason=" ", by=cast.PASTOR_PAULA, now=now)
    ask_change(session, version, reason="Name the crew.", by=cast.PASTOR_PAULA, now=now)
    assert state_of(version.message) == "change asked"
    assert drafts(session) == [version.message]
    with pytest.raises(StaleApprovalError, match="decided before"):
        approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now)
    again = next_version(session, version, now, "Use the bridge.", by=cast.CARL_COMMS)
    submit(session, again, by=cast.CARL_COMMS, now=now)
    approve(session, again, sha256=again.sha256, by=cast.PASTOR_PAULA, now=now)


def test_the_schema_itself_refuses_a_leader_alone(session: Session, now: datetime) -> None:
    """Their own words without a checker, checked by themselves, or by somebody who did not."""
    hers = submitted(session, now, by=cast.PASTOR_PAULA)
    values = {"version": hers.id, "sha": hers.sha256, "now": now, "her": cast.PASTOR_PAULA}
    session.commit()
    for checker, rule in (
        (None, "two_people"),
        (cast.PASTOR_PAULA, "two_people"),
        (cast.CORA_COMMS, "fk_approvals"),
    ):
        with pytest.raises(IntegrityError, match=rule):
            session.execute(
                text(
                    "INSERT INTO approvals (version_id, sha256, drafted_by, checked_by, "
                    "approved_by, approved_at) VALUES (:version, :sha, :her, :checker, :her, :now)"
                ),
                values | {"checker": checker},
            )
        session.rollback()


def test_the_schema_itself_refuses_one_person(session: Session, now: datetime) -> None:
    version = submitted(session, now)
    values = {"version": version.id, "sha": version.sha256, "now": now}
    session.commit()
    with pytest.raises(IntegrityError, match="two_people"):
        session.execute(
            text(
                "INSERT INTO approvals (version_id, sha256, drafted_by, approved_by, approved_at)"
                " VALUES (:version, :sha, 2, 2, :now)"
            ),
            values,
        )
    session.rollback()
    # Nor does naming another drafter help: an approval must match its version.
    with pytest.raises(IntegrityError, match="fk_approvals"):
        session.execute(
            text(
                "INSERT INTO approvals (version_id, sha256, drafted_by, approved_by, approved_at)"
                " VALUES (:version, :sha, 9, 2, :now)"
            ),
            values,
        )


@pytest.mark.parametrize("wrong", ["approval", "sha256"])
def test_the_schema_refuses_a_delivery_without_its_approval(
    session: Session, now: datetime, wrong: str
) -> None:
    version = submitted(session, now)
    approval = approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now)
    session.commit()
    session.add(
        Delivery(
            approval_id=approval.id + (wrong == "approval"),
            sha256="0" * 64 if wrong == "sha256" else approval.sha256,
            account_id=cast.rehearsal_account(session, version.message.voice, now, "new").id,
            due_at=now,
            state="scheduled",
            record_key="3mmoojp4cd223",
            record={},
        )
    )
    with pytest.raises(IntegrityError, match="fk_deliveries_approval_id"):
        session.flush()


def test_an_approved_hash_cannot_be_replaced(session: Session, now: datetime) -> None:
    version = submitted(session, now)
    approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now)
    session.commit()
    with pytest.raises(IntegrityError, match="fk_approvals"):
        session.execute(text("UPDATE message_versions SET sha256 = repeat('0', 64)"))


def test_the_page_must_have_shown_what_stands_now(session: Session, now: datetime) -> None:
    shown = submitted(session, now)
    newer = next_version(session, shown, now, "Use the bridge.", by=cast.CARL_COMMS)
    with pytest.raises(StaleApprovalError, match="changed after you opened it"):
        approve(session, shown, sha256=shown.sha256, by=cast.PASTOR_PAULA, now=now)
    with pytest.raises(StaleApprovalError, match="not submitted"):
        approve(session, newer, sha256=newer.sha256, by=cast.PASTOR_PAULA, now=now)
    submit(session, newer, by=cast.CARL_COMMS, now=now)
    with pytest.raises(StaleApprovalError, match="not the text you were shown"):
        approve(session, newer, sha256=shown.sha256, by=cast.PASTOR_PAULA, now=now)
    approve(session, newer, sha256=newer.sha256, by=cast.PASTOR_PAULA, now=now)


def test_text_changed_behind_our_back_is_not_approved(session: Session, now: datetime) -> None:
    version = submitted(session, now)
    session.execute(
        text("UPDATE message_versions SET content = jsonb_set(content, '{parts,0,text}', '\"X\"')")
    )
    with pytest.raises(StaleApprovalError):
        approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now)


def others(value: Any) -> Iterator[Any]:
    """Each way to change one thing of a content: a leaf, a key, an order, one more or less."""
    if isinstance(value, dict):
        for key in value:
            yield {one: value[one] for one in value if one != key}
            yield from (value | {key: other} for other in others(value[key]))
    elif isinstance(value, list):
        yield value[1:]
        yield [*value, value[-1]]
        if value != value[::-1]:
            yield value[::-1]
        for place in range(len(value)):
            yield from ([*value[:place], one, *value[place + 1 :]] for one in others(value[place]))
    elif isinstance(value, int):
        yield value + 1
    elif value[:4].isdigit():
        yield value.replace("T1", "T0")
    else:
        yield f"{value}x"
        yield value.upper() if value != value.upper() else value.lower()


def changed_field(was: Any, now: Any) -> str:
    """The name of the innermost field in which two contents differ."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in was:
            if key not in now:
                return str(key)
            if was[key] != now[key]:
                return changed_field(was[key], now[key]) or str(key)
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        return next((changed_field(a, b) for a, b in zip(was, now, strict=True) if a != b), "")
    return ""


THREAD = (
    "Our town's bridge is open.\n---\nUse it: the crew finished on Monday, https://town.example/b."
    "\n---\nAsk the crew today."
)
FIELDS = {
    *("voice", "send_at", "send_until", "parts", "account", "platform", "handle", "service"),
    *("text", "lang", "images", "sha256", "type", "size", "width", "height", "alt", "post"),
    *("card", "url", "title", "about", "image"),
}


def everything_approved(session: Session, now: datetime) -> Approval:
    """A thread in two languages for two accounts, with two pictures and a link card, approved."""
    message = cast.make_message(session, now)
    cast.rehearsal_account(session, message.voice, now, handle="hope-church")
    numbers = [account.id for account in message.voice.accounts]
    colours = ("red", "blue", "teal")
    red, blue, teal = (picture(session, colour, now) for colour in colours)
    version = save_draft(
        session,
        message,
        dict.fromkeys(numbers, THREAD),
        now + HOUR,
        by=cast.CARL_COMMS,
        now=now,
        pictures=[(red, "A red square"), (blue, "A blue square")],
        besides=Besides(
            card=Card("https://town.example/b", "The bridge", "It is open", teal),
            places=[1, 3],
            languages={number: ["en", "es"] for number in numbers},
        ),
    )
    found = check(session, version, now)
    reasons = {one.key: "It reads well as it is" for one in found}
    submit(session, version, by=cast.CARL_COMMS, now=now, reasons=reasons)
    return approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now)


def test_no_part_of_what_was_approved_can_change_before_it_goes_out(
    sessions: sessionmaker[Session], session: Session, now: datetime
) -> None:
    """Text, links, pictures with their bytes and alt text, order, account, and the time window."""
    approval = everything_approved(session, now)
    version, ids = approval.version, [one.id for one in approval.deliveries]
    approved = version.content
    session.commit()
    changes = [one for one in others(approved) if one != approved]
    assert all(sha256_of(changed) != version.sha256 for changed in changes)
    one_of_each = {changed_field(approved, changed): changed for changed in changes}
    assert set(one_of_each) == FIELDS
    for changed in one_of_each.values():
        session.execute(
            update(MessageVersion).where(MessageVersion.id == version.id).values(content=changed)
        )
        session.execute(
            update(Delivery)
            .where(Delivery.id == ids[0])
            .values(state="scheduled", settled_at=None, detail="", claimed_at=None)
        )
        session.commit()
        deliver_next(sessions, {"dry_run": DryRunPublisher()}, cast.VAULT, lambda: now + HOUR)
        session.expire_all()
        assert {session.get_one(Delivery, one).state for one in ids} == {"withdrawn"}
    assert session.scalar(select(Attempt.id).limit(1)) is None


def test_an_edit_of_anything_in_the_editor_stops_what_was_approved(
    session: Session, now: datetime
) -> None:
    approval = everything_approved(session, now)
    version, message = approval.version, approval.version.message
    texts = {part["account"]: part["text"] for part in version.content["parts"]}
    pictures, besides = pictures_of(session, version), besides_of(session, version)
    (red, alt), other = pictures
    assert besides.card is not None
    languages = besides.languages
    swapped = dict.fromkeys(texts, joined(posts_in(THREAD)[::-1]))
    edits: dict[str, dict[str, Any]] = {
        "text": {"texts": texts | {min(texts): f"{THREAD} Today."}},
        "thread order": {"texts": swapped},
        "account": {"texts": {min(texts): THREAD}},
        "time": {"send_at": now + 2 * HOUR},
        "picture left out": {"pictures": [other]},
        "picture order": {"pictures": pictures[::-1]},
        "alt": {"pictures": [(red, f"{alt}."), other]},
        "place in the thread": {"besides": replace(besides, places=[3, 3])},
        "no card": {"besides": replace(besides, card=None)},
        "card": {"besides": replace(besides, card=replace(besides.card, about="Open"))},
        "lang": {"besides": replace(besides, languages=languages | {min(texts): ["es"]})},
        "send_until": {"besides": replace(besides, fresh=FRESHNESSES[0])},
    }
    for name, one in edits.items():
        undo = session.begin_nested()
        given = {"texts": texts, "send_at": now + HOUR, "pictures": pictures, **one}
        changed = save_draft(
            session, message, given.pop("texts"), given.pop("send_at"), by=2, now=now, **given
        )
        assert changed.sha256 != version.sha256, name
        assert {one.state for one in approval.deliveries} == {"withdrawn"}, name
        undo.rollback()
        session.expire_all()
    assert {one.state for one in approval.deliveries} == {"scheduled"}
    same = save_draft(
        session, message, texts, now + HOUR, by=2, now=now, pictures=pictures, besides=besides
    )
    assert same is version


def picture(session: Session, colour: str, now: datetime) -> Image:
    data = BytesIO()
    Pillow.new("RGB", (8, 8), colour).save(data, "PNG")
    return keep_image(session, data.getvalue(), by=cast.CARL_COMMS, now=now)


def test_a_version_is_decided_once(session: Session, now: datetime) -> None:
    version = submitted(session, now)
    for nothing, said in ((" ", "your reason"), ("x" * 2001, "2000 characters")):
        with pytest.raises(ValueError, match=said):
            decline(session, version, reason=nothing, by=cast.PASTOR_PAULA, now=now)
    decline(session, version, reason="Too long.", by=cast.PASTOR_PAULA, now=now)
    with pytest.raises(StaleApprovalError, match="decided before"):
        approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now)


def test_checks_hold_at_approval_too(session: Session, now: datetime) -> None:
    version = submitted(session, now)
    with pytest.raises(NotReadyError, match="time to send has passed"):
        approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now + 2 * HOUR)
    (consent,) = version.message.voice.consents
    withdraw_consent(session, consent, why="Ill.", by=cast.CARL_COMMS, now=now)
    with pytest.raises(NotReadyError, match="no standing consent"):
        approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now)


def test_withdrawing_an_approval_stops_what_is_not_claimed(session: Session, now: datetime) -> None:
    message = cast.make_message(session, now)
    cast.rehearsal_account(session, message.voice, now, handle="hope-church")
    approval = cast.approve_message(session, message, now + HOUR, now)
    out = approval.deliveries[0]
    out.state, out.settled_at, out.receipt_uri = "published", now, "at://here"
    session.flush()
    with pytest.raises(ValueError, match="Say why"):
        withdraw_approval(session, approval, why="", by=cast.PASTOR_PAULA, now=now)
    withdraw_approval(session, approval, why="The bridge closed.", by=cast.PASTOR_PAULA, now=now)
    session.commit()
    assert [delivery.state for delivery in approval.deliveries] == ["published", "withdrawn"]
    assert "The bridge closed." in approval.deliveries[1].detail
    assert state_of(message) == "partly published"
    with pytest.raises(StaleApprovalError, match="withdrawn before"):
        withdraw_approval(session, approval, why="Again.", by=cast.PASTOR_PAULA, now=now)
