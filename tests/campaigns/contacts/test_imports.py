"""Files of contacts and voices: any CSV is read, and taken in exactly as it was previewed."""

import csv
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from campaigns import limits, voices
from campaigns.checking.checks import blocking, run_checks
from campaigns.contacts import audiences, contacts, csv_files, erasing, imports, opt_outs
from campaigns.models import (
    AudienceMember,
    Contact,
    ContactAddress,
    ContactConsent,
    Import,
    OptOut,
    Voice,
)
from tests.campaigns import cast, listing

BOOK = listing.BOOK
LEADERS = {"ruth": {cast.PASTOR_PAULA}, "ruth@desk.example": {cast.PASTOR_PAULA}, "luis": {8, 9}}
KNOWN = imports.Known(BOOK, LEADERS, ZoneInfo("America/Detroit"))
HEAD = "Name,E-mail,Mobile,Agreed on,How,Proof,Words they agreed to\n"
ANA = "Ana Ruiz,ana@town.example,(989) 555-0142,2026-01-05,Signed,Sheet 4,News of the bridge\n"


def keep(session: Session, text: str | bytes, now: datetime, kind: str = "contacts") -> Import:
    data = text.encode() if isinstance(text, str) else text
    return imports.keep(session, BOOK, kind, "file.csv", data, by=cast.CARL_COMMS, now=now)


def look(session: Session, row: Import, now: datetime) -> imports.Preview:
    sheet = imports.opened(BOOK, row, now)
    assert sheet is not None
    return imports.preview(session, KNOWN, row, sheet, now)


def take(session: Session, text: str, now: datetime, kind: str = "contacts") -> imports.Preview:
    """Keep, look, take in."""
    row = keep(session, text, now, kind)
    mark = look(session, row, now).mark
    made = imports.take_in(session, KNOWN, row, mark, by=cast.CARL_COMMS, now=now)
    session.expire_all()
    return made


def said(made: imports.Preview) -> list[tuple[int, str, str]]:
    """Line, state and first fault of each row."""
    return [
        (
            one.line,
            one.state,
            f"{one.faults[0].column}: {one.faults[0].words}" if one.faults else "",
        )
        for one in made.rows
    ]


# ---- reading


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_whatever_a_spreadsheet_writes_is_read(separator: str, codec: str) -> None:
    out = io.StringIO(newline="")
    rows = [["Full Name", "E-MAIL", "Phone #"], ["José, “Pepe”; Ñ", "a@b.example", "1\r\n2"], ["B"]]
    csv.writer(out, delimiter=separator).writerows(rows)
    file = csv_files.read(out.getvalue().encode(codec), imports.NAMES["contacts"])
    assert file.headings == ("Full Name", "E-MAIL", "Phone #")
    assert [row.cells for row in file.rows] == [tuple(rows[1]), ("B", "", "")]
    assert [row.line for row in file.rows] == [2, 4]
    assert file.separator == separator
    found = csv_files.columns(file.headings, imports.NAMES["contacts"])
    assert found == {"name": 0, "email": 1, "number": 2}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"Name\n", "no rows"),
        (b"PK\x03\x04rest", "workbook"),
        (b"Name\n\x81\x8d\xff", "no text that we can read"),
        (b"Name\n" + b"x" * csv_files.MAX_BYTES, "larger than 5 MB"),
        (b"Name\n" + b"x\n" * (csv_files.MAX_ROWS + 1), "more than 10,000 rows"),
        (b"ana@town.example,Ana\nbo@town.example,Bo\n", "must name the columns"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(
    session: Session, now: datetime, data: bytes, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        keep(session, data, now)


def test_one_broken_row_leaves_the_others(session: Session, now: datetime) -> None:
    text = (
        "Name,E-mail\nAna,ana@town.example\n"
        'Bo,"bo@town.example\nCy,cy@town.example\nDi,nowhere\n'
        f"Ed,ed@town.example,beyond\nFy\x00,fy@town.example\n{'G' * 1001},g@town.example\n"
        "Ha,ana@town.example\n,x@town.example\nIo,io@town.example\n"
    )
    made = look(session, keep(session, text, now), now)
    states = {line: (state, fault) for line, state, fault in said(made)}
    assert [line for line, (state, _) in states.items() if state == "new"] == [2, 4, 11]
    for line, words in {
        3: "quotation mark is opened",
        5: "E-mail: “nowhere”",
        6: "3 cells and the first line 2",
        7: "cannot be kept",
        8: "longer than 1,000",
        9: "E-mail: Line 2 has the same e-mail",
    }.items():
        assert words in states[line][1], states[line]
    assert made.counts == {"new": 3, "changed": 0, "unchanged": 0, "refused": 7}


@settings(deadline=None)
@given(st.lists(st.lists(st.text(), min_size=2, max_size=4), min_size=1, max_size=8))
def test_what_we_write_is_no_formula_and_reads_back(rows: list[list[str]]) -> None:
    clean = [[" ".join(csv_files.UNKEEPABLE.sub("", cell).split()) for cell in row] for row in rows]
    written = csv_files.written([["Name", "E-mail", "Mobile", "How"], *clean])
    for line in csv.reader(io.StringIO(written.decode("utf-8-sig"), newline="")):
        assert not any(cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t")) for cell in line)
    file = csv_files.read(written, imports.NAMES["contacts"])
    kept = [tuple(row) + ("",) * (4 - len(row)) for row in clean if any(row)]
    plain = [tuple(csv_files.unguarded(cell) for cell in row) for row in kept]
    assert [row.cells for row in file.rows] == plain


@settings(deadline=None)
@given(st.binary(max_size=300) | st.text(alphabet='",;\t\n\r= a@b.', max_size=300))
def test_no_file_breaks_the_reader(noise: bytes | str) -> None:
    data = noise if isinstance(noise, bytes) else noise.encode()
    try:
        file = csv_files.read(b"Name,E-mail\n" + data + b"\nAna,ana@town.example", {})
    except ValueError:  # the sentences are tested above; anything else is a fault of ours
        return
    assert all(row.fault or len(row.cells) == len(file.headings) for row in file.rows)
    assert [row.line for row in file.rows] == sorted({row.line for row in file.rows})


# ---- contacts


def test_new_changed_unchanged_and_only_proven_consents(session: Session, now: datetime) -> None:
    made = take(session, HEAD + ANA + "Bo,bo@town.example,,2026-01-05,,Sheet 4,\n", now)
    assert made.counts["new"] == 2
    assert any("Missing: How they agreed, Words they agreed to" in one for one in made.rows[1].wont)
    ana, bo = session.scalars(select(Contact).order_by(Contact.id)).all()
    assert [BOOK.open(one.sealed) for one in ana.addresses] == ["ana@town.example", "+19895550142"]
    assert ana.zones == ["America/New_York"]  # by the area code
    (consent,) = ana.addresses[1].consents
    assert consent.given_at == datetime(2026, 1, 5, 5, tzinfo=UTC)  # midnight in Detroit
    assert (consent.how, consent.evidence) == ("Signed", "Sheet 4")
    assert not bo.addresses[0].consents
    # The same again changes nothing, and there is nothing to take in.
    row = keep(session, HEAD + ANA, now)
    assert look(session, row, now).counts["unchanged"] == 1
    with pytest.raises(ValueError, match="nothing to take in"):
        take(session, HEAD + ANA, now)
    changed = HEAD + ANA.replace("Ana Ruiz", "Ana Ruiz-Vega").replace("ana@", "new@")
    (one,) = look(session, keep(session, changed, now), now).rows
    assert one.state == "changed"
    assert one.will[0] == "name becomes “Ana Ruiz-Vega” (was “Ana Ruiz”)"
    assert one.will[1] == "one more E-mail n…@town.example"
    take(session, changed, now)
    assert session.scalar(select(func.count()).select_from(Contact)) == 2
    assert ana.name == "Ana Ruiz-Vega"
    assert len(ana.addresses) == 3


def test_nobody_who_left_is_brought_back(session: Session, now: datetime) -> None:
    opt_outs.opt_out(session, BOOK, "sms", "+19895550142", how="stop", by=None, now=now)
    later = now + timedelta(days=9)
    text = HEAD + ANA.replace("2026-01-05", f"{later:%Y-%m-%d}")
    made = take(session, text, later)
    assert any("stay out" in words for words in made.rows[0].wont)
    email, number = session.scalars(select(ContactAddress).order_by(ContactAddress.id)).all()
    assert email.consents
    assert not number.consents
    assert session.scalars(select(OptOut)).one().ended_at is None
    # A consent that was ended does not come back with the file that proved it.
    ended = later + timedelta(days=1)
    contacts.end_consent(session, email, why="Moved away", by=1, now=ended)
    (one,) = look(session, keep(session, text, ended), ended).rows
    assert one.state == "unchanged"
    assert any("consent ended on" in words for words in one.wont)


def test_a_row_about_two_contacts_is_refused(session: Session, now: datetime) -> None:
    both = "Name,E-mail,Mobile\nAna,ana@town.example,\nBo,,(989) 555-0142\n"
    take(session, both, now)
    mixed = "Name,E-mail,Mobile\nAna,ana@town.example,989-555-0142\n"
    again = "Name,E-mail,Mobile\nAna,ana@town.example,\nAna,,9895550143\n"
    (one,) = said(look(session, keep(session, mixed, now), now))
    assert "E-mail is Ana’s and Text message is Bo’s" in one[2]
    first, second = look(session, keep(session, again, now), now).rows
    assert (first.state, second.state) == ("unchanged", "new")
    assert "Another contact of this name stays as they are." in second.wont


def test_who_was_erased_comes_back_by_no_file(session: Session, now: datetime) -> None:
    take(session, "Name,E-mail\nAna,ana@town.example\n", now)
    ana = session.scalars(select(Contact)).one()
    erasing.erase(session, BOOK, ana, why="On their wish", by=1, now=now)
    again = look(session, keep(session, "Name,E-mail\nAna R.,ana@town.example\n", now), now)
    (one,) = said(again)
    assert "erased for good" in one[2]


def test_what_was_not_seen_is_not_done(session: Session, now: datetime) -> None:
    audience = listing.make_list(session, now)
    row = keep(session, HEAD + ANA, now)
    before = look(session, row, now)
    opt_outs.opt_out(session, BOOK, "email", "ana@town.example", how="words", by=1, now=now)
    with pytest.raises(imports.StaleError):
        imports.take_in(session, KNOWN, row, before.mark, by=1, now=now)
    sheet = imports.opened(BOOK, row, now)
    assert sheet is not None
    assert row.sealed is not None
    assert b"ana@town" not in row.sealed
    seen = look(session, row, now)
    columns: dict[str, int | None] = dict(sheet.columns)
    with pytest.raises(ValueError, match="chosen twice"):
        imports.choose(
            session, BOOK, row, sheet, columns=columns | {"first": 0}, fallback={}, audience=None
        )
    imports.choose(
        session,
        BOOK,
        row,
        sheet,
        columns=columns | {"number": None},
        fallback={"language": "es"},
        audience=audience,
    )
    with pytest.raises(imports.StaleError):  # another tab showed it otherwise
        imports.take_in(session, KNOWN, row, seen.mark, by=1, now=now)
    mark = look(session, row, now).mark
    imports.take_in(session, KNOWN, row, mark, by=1, now=now)
    ana = session.scalars(select(Contact)).one()
    assert ana.language == "es"
    assert [one.channel for one in ana.addresses] == ["email"]
    assert audiences.members(session, audience)[1] == 1
    assert (row.sealed, row.outcome, row.added) == (None, "taken in", 1)
    with pytest.raises(ValueError, match="decided on"):
        imports.take_in(session, KNOWN, row, mark, by=1, now=now)


def test_a_file_is_forgotten_after_a_day(session: Session, now: datetime) -> None:
    row, young = keep(session, HEAD + ANA, now), keep(session, HEAD + ANA, now + timedelta(hours=1))
    later = now + timedelta(hours=24)
    assert imports.opened(BOOK, row, later) is None
    assert imports.forget(session, later) == 1
    session.expire_all()
    assert (row.sealed, row.outcome, row.decided_by) == (None, "expired", None)
    assert young.sealed is not None
    imports.throw_away(session, BOOK, young, by=1, now=later)
    assert (young.sealed, young.outcome) == (None, "thrown away")


def test_refused_rows_come_back_to_be_mended(session: Session, now: datetime) -> None:
    text = HEAD + "=cmd|'/C calc'!A0,nowhere,+1 989 555 0142,,,,\n" + ANA
    row = keep(session, text, now)
    sheet = imports.opened(BOOK, row, now)
    assert sheet is not None
    file = imports.refused(sheet, look(session, row, now)).decode("utf-8-sig")
    head, line = csv.reader(io.StringIO(file, newline=""))
    assert head[-1] == "What is wrong"
    assert line[0].startswith("'=cmd")
    assert line[2] == "'+1 989 555 0142"
    assert "Line 2: E-mail: “nowhere”" in line[-1]
    mended = look(session, keep(session, file.replace("nowhere", "bo@town.example"), now), now)
    assert said(mended) == [(2, "new", "")]


def test_many_rows_take_few_statements(session: Session, now: datetime) -> None:
    """Ten thousand rows take seconds so; a query for each would take minutes."""
    lines = "".join(
        f"P{n},p{n}@town.example,,1/5/2026,Signed,Sheet {n},News\n" for n in range(1_000)
    )
    sent: list[str] = []
    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    made = take(session, HEAD + lines, now)
    assert made.counts["new"] == 1_000
    assert 5 < len(sent) < 40
    for table in (Contact, ContactAddress, ContactConsent):
        assert session.scalar(select(func.count()).select_from(table)) == 1_000
    assert session.scalar(select(func.count()).select_from(AudienceMember)) == 0


# ---- voices


def test_voices_with_their_consent(session: Session, now: datetime) -> None:
    head = "Name;Who they are;Approves in their name;Agreed to;Platforms;Proof;Agreed on;Until\n"
    ruth = "Rev. Ruth Amsel;Pastor, Hope Church;RUTH@desk.example;Calm words;Bluesky, sms;Form 3;"
    text = (
        f"{head}{ruth}10/1/2026;12/31/2026\n"
        "No Leader;Mayor;;;;;;\nTwo;Mayor;Luis;;;;;\nFar;Mayor;Ruth;Calm;Myspace;F;;\n"
        "Past;Mayor;Ruth;Calm;Bluesky;F;1/1/2026;2/1/2026\n"
    )
    made = take(session, text, now, "voices")
    faults = [fault for _, _, fault in said(made)]
    assert faults[0] == ""
    assert "A new voice needs the leader" in faults[1]
    assert "several leaders" in faults[2]
    assert "“Myspace” is not a platform" in faults[3]
    assert any("it ended on 1 February 2026" in words for words in made.rows[4].wont)
    one, past = session.scalars(select(Voice).order_by(Voice.id)).all()
    (consent,) = one.consents
    assert consent.platforms == ["bluesky", "sms"]
    assert consent.valid_until == datetime(2027, 1, 1, 4, 59, 59, tzinfo=UTC)
    assert not past.consents
    again = look(session, keep(session, text, now, "voices"), now)
    assert again.counts == {"new": 0, "changed": 0, "unchanged": 2, "refused": 3}
    # Who withdrew stays withdrawn, and who approves stays who it is.
    voices.withdraw_consent(session, consent, why="Enough", by=1, now=now)
    back = look(session, keep(session, text, now, "voices"), now).rows[0]
    assert back.state == "unchanged"
    assert any("withdrew theirs" in words for words in back.wont)
    one.leader_id = 99
    session.flush()
    other = look(session, keep(session, text, now, "voices"), now).rows[0]
    assert "Somebody else approves" in other.faults[0].words


def test_voices_with_their_accounts_and_limits(session: Session, now: datetime) -> None:
    head = (
        "Name;Who they are;Leader;Bluesky handle;Mastodon;Reddit;X;Facebook group;Posts per day;"
        "Quiet from;Quiet until;Time zone;Heard by;If threatened call;Password\n"
    )
    ruth = (
        "Ruth;Pastor;Ruth;https://bsky.app/profile/Ruth.bsky.social;https://town.social/@Ruth;"
        "u/Ruth_Hope in r/Springfield;@ruth; Mill Street neighbours;2;10 PM;7:00 a.m.;"
        "America/Detroit;Parents;Sgt. Alvarez;hunter2\n"
    )
    bad = (
        "Odd;Mayor;Ruth;ruth;ruth;ruth;;;0;late;;Mars/Here;;;\n"
        "Half;Mayor;Ruth;;;;;;;22:00;;;;;\n"
        "Late;Mayor;Ruth;;a@town.social; ;;;;;;;;;\n"
    )
    made = take(session, f"{head}{ruth}{bad}", now, "voices")
    assert made.counts == {"new": 2, "changed": 0, "unchanged": 0, "refused": 2}
    assert {fault.column: fault.words for fault in made.rows[1].faults} == {
        "Bluesky handle": "“ruth”: Name the account on Bluesky, such as ruth.bsky.social.",
        "Mastodon": "“ruth”: Name the account with its server, such as ruth@mastodon.social.",
        "Reddit": "“ruth”: Reddit: name the account and its place, “paula_price in r/springfield”.",
        "Posts per day": "“0” is no number from 1 to 100.",
        "Quiet from": "“late” is no time of day, such as 22:00 or 10 PM.",
        "Time zone": "“Mars/Here” is not a time zone, such as America/Detroit.",
    }
    assert "both a beginning and an end" in made.rows[2].faults[0].words
    one, late = session.scalars(select(Voice).order_by(Voice.id)).all()
    assert [(a.platform, a.handle, a.service, a.secret) for a in one.accounts] == [
        ("bluesky", "ruth.bsky.social", "https://bsky.social", None),
        ("mastodon", "ruth@town.social", "https://town.social", None),
        ("reddit", "ruth_hope in r/springfield", "https://www.reddit.com", None),
        ("share_x", "ruth", "", None),
        ("share_facebook", "mill street neighbours", "", None),
    ]
    assert [voices.is_open(account) for account in one.accounts] == [False] * 3 + [True] * 2
    (held,) = limits.history(session, one)
    assert (held.per_day, held.quiet_from, held.quiet_until) == (2, 22 * 60, 7 * 60)
    assert (held.zone, held.credibility) == ("America/Detroit", "Parents")
    assert held.security_contact == "Sgt. Alvarez"
    assert limits.history(session, late) == []
    # Once more it changes nothing; an empty cell leaves what holds; a closed account stays closed.
    again = look(session, keep(session, f"{head}{ruth}", now, "voices"), now)
    assert again.counts["unchanged"] == 1
    one.accounts[3].closed_at = now
    session.flush()
    fewer = f"{head}{ruth}".replace(";2;10 PM;7:00 a.m.;", ";3;;;")
    row = look(session, keep(session, fewer, now, "voices"), now).rows[0]
    assert row.will == [
        "limits: at most 3 a day, quiet 22:00 to 07:00, counted in America/Detroit, heard by: "
        "Parents, if threatened, call Sgt. Alvarez"
    ]
    assert row.wont == ["The account @ruth on X, by hand was closed, and stays so."]
    assert not any("hunter2" in words for words in (*row.will, *row.wont))
    # Nothing can be submitted to an account that nobody has opened; opening it keeps the account.
    opened = voices.connect_account(
        session,
        one,
        platform="mastodon",
        handle="ruth@town.social",
        service="https://town.social",
        secret="token",
        vault=cast.VAULT,
        by=1,
        now=now,
    )
    assert opened is one.accounts[1]
    parts = [
        {"account": a.id, "platform": a.platform, "handle": a.handle, "service": a.service}
        | {"text": cast.CALM}
        for a in one.accounts[:2]
    ]
    content = {"voice": one.id, "send_at": now.isoformat(), "parts": parts}
    shut = [c for c in run_checks(session, content, one, now) if c.name == "Account connected"]
    assert [check.where for check in shut] == [("Bluesky @ruth.bsky.social",)]
    assert blocking(shut) == shut
